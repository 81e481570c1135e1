/* SPDX-License-Identifier: Apache-2.0 */
/* vhpctl flash show: what is in a card's flash. */
#include <stdio.h>

#include "commands.h"
#include "flash_command.h"

static json_t *slot_json(const struct flash_card *card, enum flash_slot slot, const struct flash_contents *f)
{
	json_t *o = json_pack("{s:s, s:s, s:b, s:b, s:b, s:I}", "slot", flash_command_slots[slot], "guard",
			      flash_command_guards[f->guard], "image", f->stream.synced && f->stream.has_idcode, "fits",
			      f->stream.has_idcode && f->stream.idcode == card->idcode, "running",
			      f->stream.has_usr_access && f->stream.usr_access == card->image, "room",
			      (json_int_t)flash_slot_bytes(card, slot));

	flash_command_set_hex(o, "at", f->from);
	if (f->stream.has_usr_access)
		flash_command_set_hex(o, "usr_access", f->stream.usr_access);
	if (f->stream.has_idcode)
		flash_command_set_hex(o, "idcode", f->stream.idcode);
	if (f->stream.has_jump)
		flash_command_set_hex(o, "jump", f->stream.jump);
	return o;
}

static void slot_print(const struct flash_card *card, enum flash_slot slot, const struct flash_contents *f)
{
	const struct bitstream_info *s = &f->stream;

	printf("%-11s 0x%08x: ", flash_command_slots[slot], f->from);
	if (!s->synced || !s->has_idcode)
		printf("no image");
	else if (s->idcode != card->idcode)
		printf("an image for another part, IDCODE %08x", s->idcode);
	else if (s->has_usr_access)
		printf("image %08x", s->usr_access);
	else
		printf("an image without identity (no USR_ACCESS)");
	if (s->has_usr_access && s->usr_access == card->image)
		printf(", running");
	if (s->has_jump)
		printf(", goes on at 0x%08x if that is whole", s->jump);
	if (f->guard == FLASH_GUARD_THERE)
		printf("; GUARD: not active, the golden image boots");
	else if (f->guard == FLASH_GUARD_DATA)
		printf("; begins right at the slot, as JTAG tools write it");
	printf("\n");
}

int flash_command_show(const struct flash_config *c, struct flash_card *card, json_t *result)
{
	struct flash_contents f[2];
	struct flash_status status;
	struct flash_err err;
	json_t *slots = json_array(), *chips = json_array();
	int rc = flash_card_status(card, &status, &err);

	for (unsigned int s = 0; !rc && s < 2; s++) {
		if (s == FLASH_GOLDEN && !flash_has_golden(card))
			continue;
		rc = flash_inspect(card, s, FLASH_COMMAND_LOOK, &f[s], &err);
		json_array_append_new(slots, rc ? json_null() : slot_json(card, s, &f[s]));
	}
	for (unsigned int i = 0; i < card->chips; i++) {
		char id[16];

		snprintf(id, sizeof(id), "%02x%02x%02x", card->nor[i].id[0], card->nor[i].id[1], card->nor[i].id[2]);
		json_array_append_new(chips,
				      json_pack("{s:s, s:I}", "id", id, "bytes", (json_int_t)card->nor[i].bytes));
	}
	json_object_set_new(result, "slots", slots);
	json_object_set_new(result, "chips", chips);
	if (rc)
		return flash_command_complain(result, EXIT_FAILED, "%s", err.text);
	json_object_set_new(result, "held", json_boolean(status.held));
	json_object_set_new(result, "busy", json_boolean(status.busy));
	json_object_set_new(result, "boots_refused", json_integer(status.refused));
	if (c->json)
		return EXIT_DONE;
	printf("card        %s (%s)\n", card->bar->name, card->bar->how);
	printf("board       %s, IDCODE %08x\n", card->board, card->idcode);
	printf("running     %08x%s\n", card->image, status.held ? ", held by a driver: boot is refused" : "");
	for (unsigned int i = 0; i < card->chips; i++)
		printf("chip %u      %02x %02x %02x, %ju MiB\n", i, card->nor[i].id[0], card->nor[i].id[1],
		       card->nor[i].id[2], (uintmax_t)(card->nor[i].bytes >> 20));
	for (unsigned int s = 0; s < 2; s++)
		if (s == FLASH_USER || flash_has_golden(card))
			slot_print(card, s, &f[s]);
	if (status.refused)
		printf("refused     boot %u times, last: %s\n", status.refused, flash_reason(status.reason));
	return EXIT_DONE;
}
