/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file
 * One function of the card as a vfio-user device: what the kernel's vfio-pci does for a real one (MSI-X table, reset with
 * saved state, bus master off when the client goes), between vfio_user.h and vhp_model.h.
 */
#ifndef VHP_SIM_SERVER_H
#define VHP_SIM_SERVER_H

#include "vfio_user.h"
#include "vhp_model.h"

struct vhp_server;

/** As vfu_create; @p dir must outlive nothing. */
int vhp_server_create(struct vhp_model *m, unsigned int fn, const char *dir, struct vhp_server **server);
void vhp_server_destroy(struct vhp_server *s);
struct vfu_server *vhp_server_vfu(struct vhp_server *s);

/** A message write of the card reached the interrupt range: signal the client's eventfd. */
void vhp_server_msix(struct vhp_server *s, uint64_t addr, uint32_t data);

/**
 * Surprise link down: the card is loaded anew. A client that is there keeps its connection and its DMA mappings (they are
 * the host's); it reads all ones and its writes are lost, its vectors are untied. When the link is up again its function
 * is as after power-up: BARs and command register 0, so BARs still read all ones until it writes the command register, or
 * comes again. A client that comes while the link is down finds its function set up as soon as it is up again.
 */
void vhp_server_link_down(struct vhp_server *s);
void vhp_server_link_up(struct vhp_server *s);

struct vhp_server_stats {
	uint64_t irqs;	       /**< eventfds signalled */
	uint64_t irqs_untied;  /**< messages for a vector that nobody ties (any more) */
	uint64_t irqs_foreign; /**< messages with an address or data that was never programmed: a defect of the card */
};

const struct vhp_server_stats *vhp_server_stats(const struct vhp_server *s);

#endif
