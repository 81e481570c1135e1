/* SPDX-License-Identifier: Apache-2.0 */
#include "card.h"

static struct card card;

int main(void)
{
	card_init(&card);
	for (;;) {
		uint32_t wait_us;
		enum card_next next = card_step(&card, &wait_us);

		card_wait(next, wait_us);
	}
}
