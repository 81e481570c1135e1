/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Aperture of a port: BAR 2 of its function shows the peer's regions, one window each, from PEER_MEM_INFO until the
 * port closes. Regions stand in the order of PEER_MEM from offset 0, each at a multiple of 2 MiB so that both ends can
 * map large pages, or of 4 KiB where they only fit like that.
 */
#include "card.h"
#include "hw.h"

/* The longest wait is a completion timeout of the requester (50 ms). */
#define DRAIN_LIMIT_US 200000u

static uint64_t bar_size(const struct port *port)
{
	uint32_t log2 = GET(VHP_APERTURE__STATUS__SIZE_LOG2, hal_read(APERTURE_REG(port->index, status)));

	return log2 == 0 ? 0 : 1ull << log2;
}

bool aperture_built(const struct port *port)
{
	return bar_size(port) != 0;
}

static bool pack(const struct port *port, uint64_t bar, uint64_t align, uint64_t *offset, uint32_t *bad)
{
	uint64_t next = 0;

	for (uint32_t i = 0; i < port->map.count; i++) {
		uint64_t size = port->map.regions[i].size;

		next = (next + align - 1) & ~(align - 1);
		if (next > bar || size > bar - next) {
			*bad = i;
			return false;
		}
		offset[i] = next;
		next += size;
	}
	return true;
}

bool aperture_layout(const struct port *port, uint64_t offset[VHP_MBOX_MAX_REGIONS], uint32_t *bad)
{
	uint64_t bar = bar_size(port);

	return pack(port, bar, 2ull << 20, offset, bad) || pack(port, bar, 4096, offset, bad);
}

bool aperture_open(struct port *port)
{
	uint64_t offset[VHP_MBOX_MAX_REGIONS];
	uint32_t p = port->index, bad;

	if (!aperture_quiet(port) || !aperture_layout(port, offset, &bad))
		return false;
	for (uint32_t i = 0; i < VHP_MBOX_MAX_REGIONS; i++) {
		const struct vhp_mbox_region *r = &port->map.regions[i];

		hal_write(APERTURE_REG(p, window[i].ctrl), 0);
		if (i >= port->map.count)
			continue;
		hw_write64(APERTURE_REG(p, window[i].first_lo), offset[i]);
		hw_write64(APERTURE_REG(p, window[i].last_lo), offset[i] + (r->size - 1));
		hw_write64(APERTURE_REG(p, window[i].iova_lo), r->iova);
		hal_write(APERTURE_REG(p, window[i].ctrl), VHP_APERTURE__WINDOW__CTRL__VALID_bm);
	}
	hal_write(APERTURE_REG(p, ctrl), VHP_APERTURE__CTRL__ENABLE_bm);
	port->aperture = true;
	return true;
}

void aperture_close(struct port *port)
{
	if (!port->aperture)
		return;
	hal_write(APERTURE_REG(port->index, ctrl), 0);
	port->aperture = false;
	port->limit = port->card->now + DRAIN_LIMIT_US;
}

bool aperture_quiet(const struct port *port)
{
	return !(hal_read(APERTURE_REG(port->index, status)) & VHP_APERTURE__STATUS__BUSY_bm);
}
