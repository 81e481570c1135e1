/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file
 * Control messages of the seed ("Control Virtqueue"): encoding of the device's, parsing of the driver's.
 */
#ifndef VHP_CTRL_H
#define VHP_CTRL_H

#include <stdbool.h>
#include <stdint.h>

#include "vhost_pci.h"

struct port;

/** Encoders: bytes written to @p buf, at most CTRL_SEND_MAX. */
uint32_t ctrl_encode_features(const struct port *port, uint8_t *buf);
uint32_t ctrl_encode_mem(const struct port *port, uint8_t *buf);
/** @param which VHOST_PCI_PEER_VIRTQ_TX or _RX */
uint32_t ctrl_encode_virtq(const struct port *port, uint8_t which, uint8_t *buf);
uint32_t ctrl_encode_dirty_logging(const struct port *port, bool on, uint8_t *buf);

/** Peer feature bits of the messages: the seed's, from the vhost-user set of the port. */
uint64_t ctrl_peer_features(const struct port *port);
/** What a driver that answers with @p answer has accepted: the seed has no checksum bits, so segmentation bits imply them. */
uint64_t ctrl_accepted_features(const struct port *port, uint64_t answer);

struct ctrl_message {
	uint32_t request;
	uint64_t feature_bits; /**< PEER_FEATURE_BITS */
	uint8_t mac[6];	       /**< MAC */
};

/** @return false if the message is malformed or not one that a driver sends to @p port. */
bool ctrl_parse(const struct port *port, const uint8_t *buf, uint32_t len, struct ctrl_message *msg);

#endif
