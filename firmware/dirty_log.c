/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dirty page log: where the card appends the pages of function 0 that it writes for a logging port. Whenever logging
 * ends a sync follows, so nothing is left for a ring that comes later.
 */
#include "card.h"
#include "hw.h"

void log_set_ring(struct card *card, uint64_t iova, uint32_t size_log2)
{
	hw_write64(LOG_REG(base_lo), iova);
	hal_write(LOG_REG(size_log2), size_log2);
	card->log_ring = size_log2 != 0;
	log_take(card, hal_read(LOG_REG(head)));
	hal_write(LOG_REG(overflow), VHP_LOG__OVERFLOW__PORTS_bm);
}

void log_enable(struct card *card)
{
	uint32_t ports = 0;

	for (unsigned int i = 0; i < card->num_ports; i++)
		ports |= (uint32_t)card->port[i].logging << i;
	hal_write(LOG_REG(ctrl), ports);
}

void log_take(struct card *card, uint32_t tail)
{
	card->log_tail = tail;
	hal_write(LOG_REG(tail), tail);
}

void log_sync(void)
{
	hal_write(LOG_REG(sync), VHP_LOG__SYNC__BUSY_bm);
}

bool log_syncing(void)
{
	return hal_read(LOG_REG(sync)) & VHP_LOG__SYNC__BUSY_bm;
}

void log_state(bool lost, struct vhp_mbox_log_state *state)
{
	uint32_t enabled = hal_read(LOG_REG(ctrl)), overflow = hal_read(LOG_REG(overflow));

	/* Only what is reported is cleared. */
	hal_write(LOG_REG(overflow), overflow);
	state->head = hal_read(LOG_REG(head));
	state->overflow = lost ? enabled : overflow;
	state->enabled = enabled;
	state->merged = hal_read(LOG_REG(merged));
}

void log_forget(struct card *card)
{
	for (unsigned int i = 0; i < card->num_ports; i++)
		card->port[i].logging = false;
	log_enable(card);
	/* Its writes are dropped, so this does not take long; and what is left goes nowhere. */
	log_sync();
	for (unsigned int i = 0; i < 1000 && log_syncing(); i++)
		;
	log_set_ring(card, 0, 0);
}
