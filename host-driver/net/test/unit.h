/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file
 * What the tests of one device without a card share: EAL, mbuf pools, a struct vpnet with its ethdev, packets.
 */
#ifndef VPNET_TEST_UNIT_H
#define VPNET_TEST_UNIT_H

#include "../vpnet.h"

#define MBUFS 1023u /* of each pool */

extern struct rte_eth_dev eth;
extern struct rte_eth_dev_data data;
extern struct vpnet *net;
extern struct rte_mempool *pool, *small_pool; /* buffers of the default size, of 256 bytes */

/** Sets all of the above up, the device being @p dev. @return false if it cannot; the reason stands in the closing line */
bool unit_start(char *program, struct vhp_dev *dev);

/** A packet of @p len bytes behind a header of zeros; another one for each @p with. */
void fill(uint8_t *packet, uint32_t len, unsigned int with);
/** Fails the test unless @p m holds the @p len bytes behind @p packet's header; frees it. */
void expect(struct rte_mbuf *m, const uint8_t *packet, uint32_t len);
/** @p len bytes of @p packet, which has no header, in @p segs mbufs with @p headroom each. */
struct rte_mbuf *make(uint32_t len, unsigned int segs, const uint8_t *packet, uint16_t headroom);

#endif
