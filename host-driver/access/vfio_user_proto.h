/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file
 * Messages of vfio-user, protocol 0.0 (QEMU docs/interop/vfio-user.rst), as far as the client of the access layer and
 * the server of vhp-sim use them. It holds nothing but layout; everything is little-endian and without padding. What
 * VFIO itself defines (region and irq flags, indices) comes from linux/vfio.h.
 */
#ifndef VFIO_USER_PROTO_H
#define VFIO_USER_PROTO_H

#include <stdint.h>

enum vfio_user_command {
	VFIO_USER_VERSION = 1,
	VFIO_USER_DMA_MAP = 2,
	VFIO_USER_DMA_UNMAP = 3,
	VFIO_USER_GET_INFO = 4,
	VFIO_USER_GET_REGION_INFO = 5,
	VFIO_USER_GET_REGION_IO_FDS = 6,
	VFIO_USER_GET_IRQ_INFO = 7,
	VFIO_USER_SET_IRQS = 8,
	VFIO_USER_REGION_READ = 9,
	VFIO_USER_REGION_WRITE = 10,
	VFIO_USER_DMA_READ = 11,
	VFIO_USER_DMA_WRITE = 12,
	VFIO_USER_RESET = 13,
	VFIO_USER_DIRTY_PAGES = 14,
	VFIO_USER_REGION_WRITE_MULTI = 15,
};

/* vfio_user_header.flags */
#define VFIO_USER_TYPE_MASK 0xfu
#define VFIO_USER_REPLY 0x1u /**< type: 0 is a command */
#define VFIO_USER_NO_REPLY 0x10u
#define VFIO_USER_ERROR 0x20u

struct vfio_user_header {
	uint16_t id;
	uint16_t command;
	uint32_t size; /**< of the message, with this header */
	uint32_t flags;
	uint32_t error; /**< errno, with VFIO_USER_ERROR */
};

/** A NUL-terminated JSON text may follow. */
struct vfio_user_version {
	uint16_t major;
	uint16_t minor;
};

#define VFIO_USER_DMA_MAP_READ 0x1u
#define VFIO_USER_DMA_MAP_WRITE 0x2u
#define VFIO_USER_DMA_UNMAP_ALL 0x2u

struct vfio_user_dma_map {
	uint32_t argsz;
	uint32_t flags;
	uint64_t offset; /**< in the file whose descriptor comes along */
	uint64_t address;
	uint64_t size;
};

struct vfio_user_dma_unmap {
	uint32_t argsz;
	uint32_t flags;
	uint64_t address;
	uint64_t size;
};

struct vfio_user_device_info {
	uint32_t argsz;
	uint32_t flags;
	uint32_t num_regions;
	uint32_t num_irqs;
};

struct vfio_user_region_info {
	uint32_t argsz;
	uint32_t flags;
	uint32_t index;
	uint32_t cap_offset;
	uint64_t size;
	uint64_t offset;
};

struct vfio_user_irq_info {
	uint32_t argsz;
	uint32_t flags;
	uint32_t index;
	uint32_t count;
};

/** With DATA_EVENTFD `count` descriptors come along, or none to untie. */
struct vfio_user_irq_set {
	uint32_t argsz;
	uint32_t flags;
	uint32_t index;
	uint32_t start;
	uint32_t count;
};

/** REGION_READ and REGION_WRITE; the data follows in the write and in the reply to the read. */
struct vfio_user_region_access {
	uint64_t offset;
	uint32_t region;
	uint32_t count;
};

/** One row of REGION_WRITE_MULTI, after a uint64_t with their number. */
struct vfio_user_write_one {
	uint64_t offset;
	uint32_t region;
	uint32_t count;
	uint8_t data[8];
};

_Static_assert(sizeof(struct vfio_user_header) == 16, "header");
_Static_assert(sizeof(struct vfio_user_dma_map) == 32 && sizeof(struct vfio_user_dma_unmap) == 24, "DMA");
_Static_assert(sizeof(struct vfio_user_region_info) == 32 && sizeof(struct vfio_user_irq_set) == 20, "info");
_Static_assert(sizeof(struct vfio_user_region_access) == 16 && sizeof(struct vfio_user_write_one) == 24, "access");

#endif
