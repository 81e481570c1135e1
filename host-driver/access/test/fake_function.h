/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file
 * A function in memory for the parsers above the access layer: configuration space and BAR 0, which a test breaks as it likes.
 */
#ifndef FAKE_FUNCTION_H
#define FAKE_FUNCTION_H

#include <stdint.h>

#include "vhp_access_impl.h"

struct fake {
	struct vhp_dev dev;
	uint8_t config[256];
	uint8_t bar[65536];
	void (*on_write)(struct fake *f, uint64_t offset);
	int reply_error; /**< mailbox: how the reply is wrong */
};

extern struct fake fake;

/** The function as the card shows it: vendor capability at 0xb0, list at the start of BAR 0. */
void good_function(void);

void put32(uint8_t *p, uint32_t v);
/** One virtio_pci_cap. */
void cap(uint8_t *p, uint8_t next, uint8_t len, uint8_t type, uint8_t bar, uint32_t offset, uint32_t length);
/** The card's vendor capability: the list's place in a BAR, or in the list the peer block's. */
void vendor_cap(uint8_t *p, uint8_t next, uint8_t bar, uint8_t version, uint32_t offset, uint32_t length);

/** Suites. */
void run_virtio_tests(void);
void run_mailbox_tests(void);

#endif
