/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The firmware with a defect on request: main.c's loop, and a vhost_pci_id of port 0 that makes the core take an exception or
 * overwrites the stack guard. Everything else is the card's image.
 */
#include "card.h"
#include "faulty.h"

extern uint32_t __stack_guard[];

static struct card card;

int main(void)
{
	card_init(&card);
	for (;;) {
		uint32_t wait_us;
		enum card_next next = card_step(&card, &wait_us);

		if (card.port[0].config.vhost_pci_id == FAULT_ILLEGAL)
			__asm__ volatile(".word 0");
		if (card.port[0].config.vhost_pci_id == FAULT_LOAD)
			__asm__ volatile("lw zero, 2(zero)");
		if (card.port[0].config.vhost_pci_id == FAULT_STACK)
			__stack_guard[0] = 0;
		card_wait(next, wait_us);
	}
}
