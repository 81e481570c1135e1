/* SPDX-License-Identifier: Apache-2.0 */
/* The card: its identity, what its slots hold, loading another image. */
#include "flash_card.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "flash_slot.h"
#include "vhp_boot_regs.h"

#define BOOT(reg) (0x1000u + (uint32_t)offsetof(vhp_boot_t, reg))
#define BOOT_ID 0x56485046u
#define BOOT_KEY 0x49505247u
#define REFUSAL_WAIT_MS 20u
#define INSPECT_STEP 4096u

#define FIELD(value, name) (((value) & VHP_BOOT__##name##_bm) >> VHP_BOOT__##name##_bp)

int flash_card_identify(struct flash_bar *bar, struct flash_card *c, struct flash_err *err)
{
	uint32_t id = flash_bar_read(bar, BOOT(id)), version, flash;
	unsigned int log2;

	memset(c, 0, sizeof(*c));
	c->bar = bar;
	if (id == UINT32_MAX)
		return flash_fail(
			err, -EIO,
			"%s: BAR 4 reads all ones: the card does not answer (link down, or its memory is switched off)",
			bar->name);
	if (id != BOOT_ID)
		return flash_fail(err, -ENODEV,
				  "%s: BAR 4 is not the flash controller of this card (0x%08x, want 0x%08x)", bar->name,
				  id, BOOT_ID);
	version = flash_bar_read(bar, BOOT(version));
	if (FIELD(version, VERSION__MAJOR) != 1)
		return flash_fail(err, -EPROTO,
				  "%s: the card's flash registers have version %u, this program knows 1: a newer "
				  "vhpctl is needed",
				  bar->name, FIELD(version, VERSION__MAJOR));
	for (unsigned int i = 0; i < 16; i++) {
		uint32_t word = flash_bar_read(bar, BOOT(board) + i / 4 * 4);
		char letter = (char)(word >> 8 * (i % 4));

		c->board[i] = letter == '\0' || (letter > ' ' && letter <= '~') ? letter : '?';
	}
	c->image = flash_bar_read(bar, BOOT(image));
	c->idcode = flash_bar_read(bar, BOOT(idcode));
	c->start = flash_bar_read(bar, BOOT(start));
	flash = flash_bar_read(bar, BOOT(flash));
	log2 = FIELD(flash, FLASH__SIZE_LOG2);
	c->chips = FIELD(flash, FLASH__CHIPS);
	if (c->chips < 1 || c->chips > FLASH_MAX_CHIPS || log2 < 16 || log2 > 31 ||
	    c->start >= (uint64_t)c->chips << log2 || c->start % (c->chips * NOR_SECTOR_BYTES))
		return flash_fail(err, -EPROTO,
				  "%s: the card says that it has %u flash chips of 2^%u bytes and images at 0x%08x: "
				  "that cannot be",
				  bar->name, c->chips, log2, c->start);
	c->chip_bytes = 1ull << log2;
	return 0;
}

int flash_card_open(struct flash_bar *bar, struct flash_card *c, struct flash_err *err)
{
	int rc = flash_card_identify(bar, c, err);

	for (unsigned int i = 0; !rc && i < c->chips; i++) {
		rc = flash_nor_open(bar, i, &c->nor[i], err);
		if (!rc && c->nor[i].bytes < c->chip_bytes)
			rc = flash_fail(err, -ENODEV, "%s: flash chip %u has %ju bytes, the board's should have %ju",
					bar->name, i, (uintmax_t)c->nor[i].bytes, (uintmax_t)c->chip_bytes);
	}
	return rc;
}

void flash_card_release(struct flash_card *c)
{
	struct flash_err err;

	for (unsigned int i = 0; i < c->chips; i++)
		if (c->nor[i].depth)
			flash_nor_release(&c->nor[i], &err);
}

int flash_card_status(struct flash_card *c, struct flash_status *s, struct flash_err *err)
{
	uint32_t v = flash_bar_read(c->bar, BOOT(status));

	if (v == UINT32_MAX)
		return flash_fail(err, -EIO, "%s: the card does not answer", c->bar->name);
	s->held = FIELD(v, STATUS__HELD);
	s->busy = FIELD(v, STATUS__BUSY);
	s->refused = FIELD(v, STATUS__REFUSED);
	s->reason = FIELD(v, STATUS__REASON);
	return 0;
}

const char *flash_reason(unsigned int reason)
{
	static const char *const words[] = { "none",
					     "wrong key",
					     "a driver serves virtual machines (boot_hold)",
					     "the address is not a multiple of 256 inside the flash",
					     "a flash chip is selected",
					     "another image is being loaded" };

	return reason < sizeof(words) / sizeof(words[0]) ? words[reason] : "unknown";
}

/* ------------------------------------------------------------------------------------------------------------ slots */

bool flash_has_golden(const struct flash_card *c)
{
	return c->start > 0;
}

uint32_t flash_slot_data(const struct flash_card *c, enum flash_slot slot)
{
	return slot == FLASH_USER && flash_has_golden(c) ? c->start + c->chips * NOR_SECTOR_BYTES : 0;
}

uint64_t flash_slot_bytes(const struct flash_card *c, enum flash_slot slot)
{
	uint64_t all = c->chips * c->chip_bytes;

	if (!flash_has_golden(c))
		return all;
	return slot == FLASH_GOLDEN ? c->start : all - flash_slot_data(c, slot);
}

int flash_read(struct flash_card *c, uint32_t address, uint8_t *to, size_t len, const struct flash_watch *watch,
	       struct flash_err *err)
{
	uint8_t part[FLASH_MAX_CHIPS][INSPECT_STEP / 2];
	size_t done = 0;
	int rc = 0;

	if (address > c->chips * c->chip_bytes || len > c->chips * c->chip_bytes - address ||
	    (c->chips == 2 && address % 2))
		return flash_fail(err, -ERANGE, "0x%zx bytes at 0x%08x are not in the flash (0x%jx bytes)", len,
				  address, (uintmax_t)(c->chips * c->chip_bytes));
	while (!rc && done < len) {
		size_t n = len - done < INSPECT_STEP ? len - done : INSPECT_STEP;
		uint32_t at = address + (uint32_t)done;

		if (watch && watch->stop && *watch->stop)
			return flash_fail(err, -EINTR, "stopped");
		if (c->chips == 1) {
			rc = flash_nor_read(&c->nor[0], at, to + done, n, err);
		} else {
			for (unsigned int i = 0; !rc && i < 2; i++)
				rc = flash_nor_read(&c->nor[i], at / 2, part[i], (n + 1) / 2, err);
			for (size_t k = 0; !rc && k < n; k++) {
				unsigned int up = k % 2 ? 0 : 4;

				to[done + k] =
					(uint8_t)((part[0][k / 2] >> up & 0x0f) | (part[1][k / 2] >> up & 0x0f) << 4);
			}
		}
		done += n;
		if (watch && watch->tell)
			watch->tell(watch->arg, "read", done, len);
	}
	return rc;
}

int flash_inspect(struct flash_card *c, enum flash_slot slot, uint64_t most, struct flash_contents *contents,
		  struct flash_err *err)
{
	struct bitstream_walk w;
	uint8_t step[INSPECT_STEP];
	uint64_t room, done = 0;
	int rc = 0;

	memset(contents, 0, sizeof(*contents));
	if (slot == FLASH_USER && flash_has_golden(c))
		rc = flash_guard_state(c, &contents->guard, err);
	if (rc)
		return rc;
	contents->from = contents->guard == FLASH_GUARD_DATA ? c->start : flash_slot_data(c, slot);
	room = flash_slot_bytes(c, slot);
	bitstream_begin(&w);
	while (done < most && done < room) {
		size_t n = sizeof(step) < room - done ? sizeof(step) : room - done;

		rc = flash_read(c, contents->from + (uint32_t)done, step, n, NULL, err);
		if (rc)
			return rc;
		done += n;
		/* Until the end is asked for, who it is will do. */
		if (!bitstream_feed(&w, step, n) || (most != UINT64_MAX && w.info.has_idcode && w.info.has_usr_access))
			break;
		if (most == UINT64_MAX) /* an even number of bytes, for two chips */
			done += bitstream_skip(&w, room - done);
	}
	contents->stream = w.info;
	return 0;
}

/* ------------------------------------------------------------------------------------------------------------- boot */

int flash_boot(struct flash_card *c, uint32_t address, struct flash_err *err)
{
	struct flash_status before, now;
	uint64_t end;
	int rc = flash_card_status(c, &before, err);

	if (rc)
		return rc;
	if (before.held)
		return flash_fail(err, -EBUSY,
				  "%s: the running image is held: a driver serves virtual machines with it. End "
				  "vhp-vdpad (or whatever uses function 0) first",
				  c->bar->name);
	if (before.busy)
		return flash_fail(err, -EBUSY, "%s: another image is being loaded", c->bar->name);
	flash_card_release(c);
	flash_bar_write(c->bar, BOOT(address), address);
	if (flash_bar_read(c->bar, BOOT(address)) != address)
		return flash_fail(err, -EIO, "%s: the card does not take the address 0x%08x", c->bar->name, address);
	flash_bar_write(c->bar, BOOT(boot), BOOT_KEY);
	/* A refusal is there at once; a card that loads an image may not answer any more. */
	end = flash_now_ms() + REFUSAL_WAIT_MS;
	do {
		if (flash_card_status(c, &now, err))
			return 0;
		if (now.refused != before.refused || (now.refused == 0xff && !now.busy))
			return flash_fail(err, now.reason == 2 ? -EBUSY : -EACCES,
					  "%s: the card refuses to load another image: %s", c->bar->name,
					  flash_reason(now.reason));
	} while (!now.busy && flash_now_ms() < end);
	return 0;
}

bool flash_is_back(struct flash_bar *bar)
{
	uint32_t status;

	if (flash_bar_read(bar, BOOT(id)) != BOOT_ID)
		return false;
	status = flash_bar_read(bar, BOOT(status));
	return status != UINT32_MAX && !(status & VHP_BOOT__STATUS__BUSY_bm) &&
		flash_bar_read(bar, BOOT(id)) == BOOT_ID;
}
