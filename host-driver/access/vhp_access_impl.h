/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file
 * What a back end of the access layer implements. Private to this folder and its tests.
 *
 * The common part (vhp_access.c) has checked every argument before it calls: width is 1, 2, 4 or 8, buffers are dword
 * aligned, counts are not zero and vectors exist. Ranges of BARs are the back end's to check.
 */
#ifndef VHP_ACCESS_IMPL_H
#define VHP_ACCESS_IMPL_H

#include "vhp_access.h"

struct vhp_dev_ops {
	void (*close)(struct vhp_dev *dev); /**< frees the device */
	bool (*alive)(struct vhp_dev *dev);
	const char *(*failure)(struct vhp_dev *dev);
	int (*watch_fd)(struct vhp_dev *dev);
	uint64_t (*bar_size)(struct vhp_dev *dev, unsigned int bar);
	int (*read)(struct vhp_dev *dev, unsigned int bar, uint64_t offset, void *buf, size_t len);
	int (*write)(struct vhp_dev *dev, unsigned int bar, uint64_t offset, const void *buf, size_t len);
	int (*window_read)(struct vhp_dev *dev, unsigned int bar, uint64_t offset, void *buf, size_t len, uint64_t end);
	int (*window_write)(struct vhp_dev *dev, unsigned int bar, uint64_t offset, const void *buf, size_t len);
	void *(*bar_address)(struct vhp_dev *dev, unsigned int bar);
	void (*doorbell)(struct vhp_dev *dev, unsigned int bar, uint64_t offset, uint16_t value);
	int (*dma_map)(struct vhp_dev *dev, uint64_t iova, uint64_t size, int fd, uint64_t offset, void *va);
	int (*dma_unmap)(struct vhp_dev *dev, uint64_t iova, uint64_t size);
	int (*set_irqs)(struct vhp_dev *dev, unsigned int first, unsigned int count, const int *fds);
	int (*reset)(struct vhp_dev *dev);
	int (*mmap_info)(struct vhp_dev *dev, unsigned int bar, uint64_t offset, int *fd, uint64_t *fd_offset,
			 uint64_t *size);
};

/** First member of a back end's device. */
struct vhp_dev {
	const struct vhp_dev_ops *ops;
	struct vhp_dev_info info;
};

/** Bytes of the widest access to a window. */
#define VHP_WINDOW_LINE 64u

/** The next access of a read: `touch` bytes from offset - skip, of which `take` behind `skip` are wanted. */
struct vhp_window_step {
	unsigned int skip, touch, take;
};

/**
 * The smallest aligned access, of at most @p width bytes, that has all that is wanted of those @p width bytes: it is one round
 * trip however wide, but a hypervisor that traps it takes it apart. Natural steps where that would read at or behind @p end.
 * A window starts on a page, so that the bytes before @p offset are inside.
 */
struct vhp_window_step vhp_window_read_step(uint64_t offset, size_t len, unsigned int width, uint64_t end);

/** Bytes of the next access of a write: the widest, at most @p width, that is aligned and writes nothing else. */
unsigned int vhp_window_write_step(uint64_t offset, size_t len, unsigned int width);

/**
 * Read the identification of a function that can already be read, and switch its memory decoding and bus mastering on.
 *
 * @return 0; -ENODEV not a function of this card; the error of the access.
 */
int vhp_dev_identify(struct vhp_dev *dev, char *err, size_t errlen);

/** Set memory decoding and bus mastering in the command register (after open and after a reset). */
int vhp_dev_enable(struct vhp_dev *dev);

/** Format into @p err, which may be NULL. @return @p code, so that a caller can return it. */
int vhp_fail(char *err, size_t errlen, int code, const char *format, ...) __attribute__((format(printf, 4, 5)));

#endif
