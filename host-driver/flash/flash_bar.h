/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file
 * BAR 4 of function 0: the registers vhp_spi (0x0000) and vhp_boot (0x1000). Three ways to it:
 *
 * - a vfio-user socket of vhp-sim;
 * - the kernel's VFIO, if the function is bound to vfio-pci and nobody else has it;
 * - sysfs: mapping `resource4`, which the kernel allows as long as no driver has claimed that BAR.
 *
 * One thread at a time. A card that is gone reads all ones.
 */
#ifndef FLASH_BAR_H
#define FLASH_BAR_H

#include <stdbool.h>
#include <stdint.h>

#include "bind.h"
#include "flash_err.h"

#define FLASH_BAR 4u
#define FLASH_BAR_BYTES 0x10000u

struct flash_bar;

/** What a way to the BAR implements; a test has one of its own. */
struct flash_bar_ops {
	uint32_t (*read)(struct flash_bar *bar, uint32_t offset);
	void (*write)(struct flash_bar *bar, uint32_t offset, uint32_t value);
	void (*close)(struct flash_bar *bar);
};

/** First member of each. */
struct flash_bar {
	const struct flash_bar_ops *ops;
	const char *how;    /**< "sysfs", "VFIO", "socket" */
	char name[160];	    /**< PCI address or socket, for messages */
	unsigned int scale; /**< time limits are multiplied with it: a simulated card takes longer */
};

int flash_bar_open_socket(const char *path, struct flash_bar **bar, struct flash_err *err);
/**
 * VFIO if the function is bound to vfio-pci and free, else sysfs.
 *
 * @return 0; -EBUSY somebody else has the BAR; -EPERM; other negative errno
 */
int flash_bar_open_pci(const struct bind_env *env, const char *address, struct flash_bar **bar, struct flash_err *err);
/** Only sysfs: for a function without driver. */
int flash_bar_open_sysfs(const struct bind_env *env, const char *address, struct flash_bar **bar,
			 struct flash_err *err);
/** NULL is allowed. */
void flash_bar_close(struct flash_bar *bar);

static inline uint32_t flash_bar_read(struct flash_bar *bar, uint32_t offset)
{
	return bar->ops->read(bar, offset);
}

static inline void flash_bar_write(struct flash_bar *bar, uint32_t offset, uint32_t value)
{
	bar->ops->write(bar, offset, value);
}

/** Milliseconds of a clock that never jumps. */
uint64_t flash_now_ms(void);
void flash_sleep_us(unsigned int us);

#endif
