/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file
 * Numbers of the card and of virtio in words, and the two numberings of the peer's features. Pure functions.
 */
#ifndef VDPA_NAMES_H
#define VDPA_NAMES_H

#include <stddef.h>
#include <stdint.h>

enum vdpa_bits {
	VDPA_BITS_VHOST_NET, /**< virtio-net and vhost-user numbers: what a front end negotiates */
	VDPA_BITS_PEER,	     /**< seed, "Peer feature bits": what the vhost-pci-net driver answers */
	VDPA_BITS_DEVICE,    /**< seed, "Device feature bits", and ours: the vhost-pci-net function */
	VDPA_BITS_STATUS,    /**< virtio device_status */
};

/** Name of a bit, NULL if it has none. */
const char *vdpa_bit_name(enum vdpa_bits set, unsigned int bit);
/** "A, B, bit 57"; "none" for 0. Cut off where @p len ends. */
void vdpa_feature_names(uint64_t bits, enum vdpa_bits set, char *text, size_t len);

/** @p features (virtio-net's numbers) without the segmentation bits that lack what they require: checksums, or TSO for ECN. */
uint64_t vdpa_usable_offloads(uint64_t features);

/** The peer feature bits among @p features, in the seed's numbers (LOG_ALL is 27 there, 26 in vhost-user). */
uint64_t vdpa_peer_bits(uint64_t features);
uint64_t vdpa_peer_bits_to_vhost(uint64_t bits);

const char *vdpa_stop_reason(unsigned int reason); /**< vhp_pkg::stop_reason_e */
const char *vdpa_port_error(unsigned int error);   /**< enum vhp_port_error */
const char *vdpa_port_state(unsigned int state);   /**< enum vhp_port_state */
/** An event of the card in a sentence. */
void vdpa_event_text(unsigned int type, unsigned int arg, char *text, size_t len);

#endif
