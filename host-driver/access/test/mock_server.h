/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file
 * A small vfio-user server in a process of its own, which can misbehave in one way at a time.
 */
#ifndef MOCK_SERVER_H
#define MOCK_SERVER_H

#include <stdint.h>
#include <sys/types.h>

enum mock_fault {
	MOCK_FINE,
	MOCK_TRICKLE,	    /* replies leave byte by byte */
	MOCK_COMMAND_FIRST, /* a DMA_READ before each reply to a region read, which must be refused */
	MOCK_CLOSE_AT_ONCE, /* instead of an answer to VERSION */
	MOCK_MINOR_1,
	MOCK_NOT_JSON,
	MOCK_NOT_TERMINATED,
	MOCK_NO_LIMIT, /* max_msg_fds 0 */
	MOCK_NOT_PCI,
	MOCK_OTHER_DEVICE, /* PCI ids of something else */
	/* From here on: with the first read of BAR 0, everything before is fine. */
	MOCK_AT_BAR_READ,
	MOCK_DIE = MOCK_AT_BAR_READ,
	MOCK_DIE_HALFWAY, /* after half of the reply */
	MOCK_SIZE_SMALL,  /* header says less than a header */
	MOCK_SIZE_HUGE,
	MOCK_WRONG_ID,
	MOCK_WRONG_COMMAND,
	MOCK_WRONG_TYPE,
	MOCK_SHORT_REPLY,
	MOCK_LONG_REPLY,
	MOCK_WRONG_COUNT,
	MOCK_ERROR_REPLY, /* EIO, well formed */
	MOCK_ERROR_ZERO,  /* error flag with errno 0 */
	MOCK_FAULTS,
};

/** What the server saw; shared with the test. */
struct mock_seen {
	volatile uint32_t doorbells;
	volatile uint64_t doorbell_offset;
	volatile uint16_t doorbell_value;
	volatile uint32_t maps, unmaps, resets, refusals;
	volatile uint64_t map_iova, map_size;
	volatile uint32_t map_byte; /* first byte of the mapped range, as the server sees it */
	volatile uint32_t irq_messages, irq_start, irq_count, irq_fds, irq_flags;
};

struct mock {
	pid_t pid;
	char path[108];
	struct mock_seen *seen;
};

#define MOCK_BAR0_SIZE 65536u
#define MOCK_VECTORS 32u

void mock_start(struct mock *m, enum mock_fault fault);
void mock_stop(struct mock *m);

#endif
