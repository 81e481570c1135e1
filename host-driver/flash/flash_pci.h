/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file
 * A card that loads another image drops off the bus and comes back: what Linux has to be told, through sysfs. In this order:
 * find, in_use, detach, (the card loads), remove, wait_back, attach. Whatever fails, attach puts the port above the card as it was.
 */
#ifndef FLASH_PCI_H
#define FLASH_PCI_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "bind.h"
#include "flash_err.h"

#define FLASH_PCI_FUNCTIONS 64u

struct flash_pci_function {
	char address[BIND_ADDRESS_LEN];
	char driver[NAME_MAX];	 /**< that had it; "" */
	char override[NAME_MAX]; /**< its driver_override, which goes with it; "" */
};

struct flash_pci {
	const struct bind_env *env;
	char address[BIND_ADDRESS_LEN]; /**< function 0 */
	char port[BIND_ADDRESS_LEN];	/**< bridge above the card; "" if the card is on the root bus */
	unsigned int count;
	struct flash_pci_function functions[FLASH_PCI_FUNCTIONS];
	/* What detach changed in the port's configuration space. */
	bool quiet;
	uint16_t command, bridge_control, device_control, slot_control;
	uint32_t aer_mask;
	unsigned int pcie, aer; /**< offsets of the capabilities; 0: none */
};

/** Function 0 of the only card of this host. @return -ENODEV none; -ENOTUNIQ several: the text lists them */
int flash_pci_only(const struct bind_env *env, char address[BIND_ADDRESS_LEN], struct flash_err *err);
/** Everything below the same port. */
int flash_pci_find(const struct bind_env *env, const char *address, struct flash_pci *pci, struct flash_err *err);
/**
 * Nothing is changed.
 *
 * @return 0; -EBUSY a program or network stack uses a function, or one has virtual functions: what has to be ended, says the text
 */
int flash_pci_in_use(const struct flash_pci *pci, struct flash_err *err);
/** Take all drivers away and keep the port from reporting what comes as an error. */
int flash_pci_detach(struct flash_pci *pci, struct flash_err *err);
/** The kernel forgets the functions. */
int flash_pci_remove(const struct flash_pci *pci, struct flash_err *err);
/**
 * Reset the bus below the port and look for the card, again and again.
 *
 * @param settle_ms  before the first look: the time that loading takes
 * @return 0 function 0 is there; -ETIMEDOUT
 */
int flash_pci_wait_back(const struct flash_pci *pci, unsigned int settle_ms, unsigned int limit_ms,
			struct flash_err *err);
/** The port as it was, drivers back where there were some. @return 0, or -EIO with what did not get its driver */
int flash_pci_attach(struct flash_pci *pci, struct flash_err *err);

#endif
