/* SPDX-License-Identifier: Apache-2.0 */
/* vhpctl flash boot: the card loads another image, drops off the bus, and comes back, it is hoped, with that one. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "commands.h"
#include "flash_command.h"
#include "flash_pci.h"

#define SOCKET_PAUSE_US 50000u

/* What is known before, for the judgement after. */
struct expectation {
	enum flash_slot slot;
	uint32_t address, want, golden;
	bool known, golden_known, guarded;
};

static int expect(const struct flash_config *c, struct flash_card *card, const struct image *m, struct expectation *e,
		  json_t *result)
{
	struct flash_contents f[2] = { 0 };
	const struct bitstream_info *s;
	struct flash_err err;
	int rc = 0;

	memset(e, 0, sizeof(*e));
	e->slot = c->golden && flash_has_golden(card) ? FLASH_GOLDEN : FLASH_USER;
	e->address = e->slot == FLASH_GOLDEN ? 0 : card->start;
	if (flash_has_golden(card))
		rc = flash_inspect(card, FLASH_GOLDEN, FLASH_COMMAND_LOOK, &f[FLASH_GOLDEN], &err);
	if (!rc)
		rc = flash_inspect(card, FLASH_USER, FLASH_COMMAND_LOOK, &f[FLASH_USER], &err);
	if (rc)
		return flash_command_complain(result, EXIT_FAILED, "%s", err.text);
	e->golden_known = f[FLASH_GOLDEN].stream.has_usr_access;
	e->golden = f[FLASH_GOLDEN].stream.usr_access;
	e->guarded = f[FLASH_USER].guard == FLASH_GUARD_THERE;
	/* A golden image may go on to the user slot by itself. */
	if (e->slot == FLASH_GOLDEN && !e->guarded && f[FLASH_GOLDEN].stream.has_jump &&
	    f[FLASH_USER].stream.has_usr_access)
		e->slot = FLASH_USER;
	/* Behind the guard there may be anything; what comes up is the golden image. */
	s = &f[e->guarded ? FLASH_GOLDEN : e->slot].stream;
	e->known = s->has_usr_access && s->has_idcode;
	e->want = s->usr_access;
	if (!e->guarded && (!s->has_idcode || s->idcode != card->idcode) && !c->force)
		return flash_command_complain(result, EXIT_REFUSED,
					      "the %s slot holds no image for this part%s; --force loads it "
					      "nevertheless",
					      flash_command_slots[e->slot], s->has_idcode ? "" : ", or nothing at all");
	if (m && (e->guarded || !e->known || m->usr_access != e->want))
		return flash_command_complain(result, EXIT_REFUSED,
					      "image %08x of %s is not what would be loaded%s: vhpctl flash write "
					      "first",
					      m->usr_access, c->image, e->guarded ? " (the guard is there)" : "");
	return 0;
}

static int confirm(const struct flash_config *c, const struct flash_card *card, const struct expectation *e)
{
	char what[32] = "unknown", text[512];

	if (e->known)
		snprintf(what, sizeof(what), "%08x", e->want);
	snprintf(text, sizeof(text),
		 "Load image %s%s on %s (%s)? The card is away for some seconds, with all its functions.", what,
		 e->guarded ? ", the golden one since the guard is there," : "", card->bar->name, card->board);
	return flash_command_confirm(c, text);
}

/* ----------------------------------------------------------------------------------------------------------- two ways */

/* The bar is closed in any case; *back is the card again. */
static int over_socket(const struct flash_config *c, struct flash_bar *bar, struct flash_card *card,
		       const struct expectation *e, struct flash_bar **back, struct flash_err *err)
{
	uint64_t end = flash_now_ms() + (uint64_t)c->limit_s * 1000;
	int rc = flash_boot(card, e->address, err);
	bool late;

	*back = NULL;
	flash_bar_close(bar);
	if (rc)
		return rc;
	flash_sleep_us(c->settle_s * 1000000);
	do {
		late = flash_now_ms() > end;
		if (!flash_bar_open_socket(c->socket, back, err)) {
			if (flash_is_back(*back))
				return 0;
			flash_bar_close(*back);
			*back = NULL;
		}
		flash_sleep_us(SOCKET_PAUSE_US);
	} while (!late);
	return flash_fail(err, -ETIMEDOUT, "%s: the card did not come back in %u s", c->socket, c->limit_s);
}

static int over_pci(const struct flash_config *c, struct flash_bar *bar, struct flash_card *card,
		    const struct expectation *e, struct flash_bar **back, struct flash_err *err)
{
	struct flash_card now;
	struct flash_pci pci;
	struct flash_err also;
	int rc = flash_pci_find(&bind_host, bar->name, &pci, err);

	/* From here on nothing of ours may hold the function. */
	flash_card_release(card);
	flash_bar_close(bar);
	*back = NULL;
	if (!rc)
		rc = flash_pci_in_use(&pci, err);
	if (rc)
		return rc;
	rc = flash_pci_detach(&pci, err);
	if (!rc)
		rc = flash_bar_open_sysfs(&bind_host, pci.address, &bar, err);
	if (!rc) {
		rc = flash_card_open(bar, &now, err);
		if (!rc)
			rc = flash_boot(&now, e->address, err);
		flash_bar_close(bar);
		if (!rc)
			rc = flash_pci_remove(&pci, err);
		if (!rc)
			rc = flash_pci_wait_back(&pci, c->settle_s * 1000, c->limit_s * 1000, err);
	}
	if (flash_pci_attach(&pci, &also)) {
		fprintf(stderr, "vhpctl: %s\n", also.text);
		if (!rc)
			rc = flash_fail(err, -EIO, "%s", also.text);
	}
	return rc ? rc : flash_bar_open_pci(&bind_host, pci.address, back, err);
}

/* ------------------------------------------------------------------------------------------------------------ result */

static int judge(const struct flash_config *c, const struct flash_card *now, const struct expectation *e,
		 json_t *result)
{
	bool fallback = e->golden_known && now->image == e->golden && (!e->known || e->want != e->golden);

	flash_command_set_hex(result, "running", now->image);
	if (e->known)
		flash_command_set_hex(result, "expected", e->want);
	json_object_set_new(result, "fallback", json_boolean(fallback));
	if (fallback)
		return flash_command_complain(
			result, EXIT_OTHER_IMAGE,
			"the card fell back to its golden image, %08x: the one in the user slot (%08x) did not "
			"come up. vhpctl flash verify --image FILE tells whether it is whole",
			now->image, e->want);
	if (e->known && now->image != e->want)
		return flash_command_complain(result, EXIT_OTHER_IMAGE,
					      "the card runs image %08x, not %08x as expected", now->image, e->want);
	if (!c->json)
		printf("%s runs image %08x%s\n", now->bar->name, now->image,
		       e->guarded ? ", the golden one: the guard is there" : "");
	return EXIT_DONE;
}

int flash_command_boot(const struct flash_config *c, struct flash_bar *bar, struct flash_card *card,
		       const struct image *m, json_t *result)
{
	struct flash_bar *back = NULL;
	struct flash_status held;
	struct expectation e;
	struct flash_card now;
	struct flash_err err;
	int status, rc = flash_card_status(card, &held, &err);

	if (rc)
		status = flash_command_complain(result, EXIT_FAILED, "%s", err.text);
	else if (held.held)
		status = flash_command_complain(
			result, EXIT_REFUSED,
			"%s: a driver serves virtual machines with the running image: end vhp-vdpad first", bar->name);
	else
		status = expect(c, card, m, &e, result);
	if (!status)
		status = confirm(c, card, &e);
	if (status) {
		flash_card_release(card);
		flash_bar_close(bar);
		return status;
	}
	rc = c->socket ? over_socket(c, bar, card, &e, &back, &err) : over_pci(c, bar, card, &e, &back, &err);
	if (rc)
		return flash_command_complain(result, rc == -EBUSY || rc == -EACCES ? EXIT_REFUSED : EXIT_FAILED, "%s",
					      err.text);
	rc = flash_card_identify(back, &now, &err);
	status = rc ? flash_command_complain(result, EXIT_FAILED, "%s", err.text) : judge(c, &now, &e, result);
	flash_bar_close(back);
	return status;
}
