/* SPDX-License-Identifier: Apache-2.0 */
/* vhpctl flash write, verify, revert and read: what changes the flash, is compared with it, or comes out of it. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "flash_command.h"

#define BAR_WIDTH 40u

/* --------------------------------------------------------------------------------------------------------- progress */

struct progress {
	bool tty, open;
	unsigned int last;
	const char *phase;
};

/* A bar on a terminal, a line each tenth elsewhere. */
static void tell(void *arg, const char *phase, uint64_t done, uint64_t total)
{
	struct progress *p = arg;
	unsigned int percent = total ? (unsigned int)(done * 100 / total) : 100;

	if (!p->phase || strcmp(p->phase, phase) || percent < p->last) {
		p->phase = phase;
		p->last = UINT32_MAX;
	}
	if (percent == p->last || (!p->tty && p->last != UINT32_MAX && percent / 10 == p->last / 10))
		return;
	p->last = percent;
	if (!p->tty) {
		fprintf(stderr, "%s: %u %% of %ju bytes\n", phase, percent, (uintmax_t)total);
		return;
	}
	fprintf(stderr, "\r%-8s [", phase);
	for (unsigned int i = 0; i < BAR_WIDTH; i++)
		fputc(i * 100 < percent * BAR_WIDTH ? '#' : '.', stderr);
	fprintf(stderr, "] %3u %%", percent);
	p->open = percent < 100;
	if (!p->open)
		fputc('\n', stderr);
}

static void tell_end(struct progress *p)
{
	if (p->open)
		fputc('\n', stderr);
	p->open = false;
}

static volatile sig_atomic_t stop;

static void on_signal(int signal)
{
	(void)signal;
	stop = 1;
}

/* The first Ctrl-C asks to end, the second one does. */
static void catch_signals(void)
{
	struct sigaction a = { .sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND };

	sigaction(SIGINT, &a, NULL);
	sigaction(SIGTERM, &a, NULL);
	sigaction(SIGHUP, &a, NULL);
}

/* ------------------------------------------------------------------------------------------------------------ images */

/* "" if this image is for this card. */
static const char *misfit(const struct image *m, const struct flash_card *card, char *text, size_t room)
{
	text[0] = '\0';
	if (strcmp(m->board, card->board))
		snprintf(text, room, "the image is for board %s, this is %s", m->board, card->board);
	else if (m->idcode != card->idcode)
		snprintf(text, room, "the image is for a part with IDCODE %08x (%s), this card has %08x", m->idcode,
			 m->part, card->idcode);
	else if (m->flash_start != card->start || m->chips != card->chips || m->chip_bytes != card->chip_bytes)
		snprintf(
			text, room,
			"the image is for %u flash chips of %ju bytes and address 0x%08x, this card has %u of %ju and 0x%08x",
			m->chips, (uintmax_t)m->chip_bytes, m->flash_start, card->chips, (uintmax_t)card->chip_bytes,
			card->start);
	else if (m->standin && strcmp(card->board, "sim"))
		snprintf(text, room, "the image is a stand-in: no card can run it");
	return text;
}

/* What a file must be before it gets near a flash. @return 0 or the exit status. */
static int accept_image(const struct flash_config *c, const struct image *m, json_t *result)
{
	struct image_report *r = calloc(1, sizeof(*r));
	int status = 0;

	if (!r)
		return flash_command_complain(result, EXIT_FAILED, "out of memory");
	image_verify(m, command_certificate(c->cert), r);
	if (!r->intact)
		status = flash_command_complain(result, EXIT_REFUSED, "%s: damaged: %s (vhpctl image verify)", c->image,
						image_report_fault(r));
	else if (r->signed_wrong)
		status = flash_command_complain(result, EXIT_REFUSED, "%s: its signature does not hold: %s", c->image,
						image_report_fault(r));
	else if (!r->signed_right && !c->allow_unsigned)
		status = flash_command_complain(result, EXIT_REFUSED, "%s: %s; --allow-unsigned takes it nevertheless",
						c->image,
						!m->has_signature
							? "nobody signed it"
							: "no certificate to check its signature with (--cert FILE)");
	free(r);
	return status;
}

int flash_command_write(const struct flash_config *c, struct flash_card *card, const struct image *m, json_t *result)
{
	enum flash_slot slot = c->golden ? FLASH_GOLDEN : FLASH_USER;
	struct progress p = { .tty = isatty(STDERR_FILENO) };
	struct flash_watch watch = { tell, &p, &stop };
	struct flash_tally tally;
	struct flash_err err;
	char text[512];
	int status = accept_image(c, m, result), rc;

	if (status)
		return status;
	if (*misfit(m, card, text, sizeof(text)))
		return flash_command_complain(result, EXIT_REFUSED, "%s: %s", c->image, text);
	if (!flash_has_golden(card) && !c->golden)
		return flash_command_complain(
			result, EXIT_REFUSED,
			"board %s has one slot, at 0, and nothing to fall back to: say --golden --force; if the "
			"power fails meanwhile only JTAG helps",
			card->board);
	if (m->data_size > flash_slot_bytes(card, slot))
		return flash_command_complain(result, EXIT_REFUSED, "%s: %zu bytes, the %s slot takes %ju", c->image,
					      m->data_size, flash_command_slots[slot],
					      (uintmax_t)flash_slot_bytes(card, slot));
	snprintf(text, sizeof(text), "Write image %08x (%s, %zu bytes) to the %s slot of %s (%s)?%s", m->usr_access,
		 m->version, m->data_size, flash_command_slots[slot], card->bar->name, card->board,
		 slot == FLASH_GOLDEN ? " There is nothing to fall back to until it is whole." : "");
	status = flash_command_confirm(c, text);
	if (status)
		return status;

	catch_signals();
	rc = flash_write(card, slot, m->data, m->data_size, &watch, &tally, &err);
	tell_end(&p);
	json_object_set_new(result, "sectors",
			    json_pack("{s:I, s:I, s:I, s:I}", "all", (json_int_t)tally.sectors, "kept",
				      (json_int_t)tally.kept, "erased", (json_int_t)tally.erased, "programmed",
				      (json_int_t)tally.programmed));
	if (rc == -EFBIG)
		return flash_command_complain(result, EXIT_REFUSED, "%s: %s", c->image, err.text);
	if (rc)
		return flash_command_complain(
			result, rc == -EINTR ? EXIT_INTERRUPTED : EXIT_FAILED, "%s. %s", err.text,
			slot == FLASH_USER ? "The running image goes on; the golden image is what boots next. The same "
					     "command goes on where this one ended"
					   : "The golden slot is NOT whole: run the same command again before the card "
					     "loses power");
	if (!c->json)
		printf("image %08x is in the %s slot: %ju sectors, %ju were right, %ju erased, %ju written; all compared\n"
		       "vhpctl flash boot loads it now, a power cycle does too\n",
		       m->usr_access, flash_command_slots[slot], (uintmax_t)tally.sectors, (uintmax_t)tally.kept,
		       (uintmax_t)tally.erased, (uintmax_t)tally.programmed);
	return EXIT_DONE;
}

int flash_command_verify(const struct flash_config *c, struct flash_card *card, const struct image *m, json_t *result)
{
	enum flash_slot slot = c->golden ? FLASH_GOLDEN : FLASH_USER;
	struct progress p = { .tty = isatty(STDERR_FILENO) };
	struct flash_watch watch = { tell, &p, &stop };
	struct flash_contents f = { 0 };
	uint64_t different = 0;
	struct flash_err err;
	uint32_t first = 0;
	int rc = 0;

	catch_signals();
	if (slot == FLASH_USER)
		rc = flash_inspect(card, slot, NOR_SECTOR_BYTES, &f, &err);
	if (!rc)
		rc = flash_verify(card, slot, m->data, m->data_size, &watch, &different, &first, &err);
	tell_end(&p);
	if (rc)
		return flash_command_complain(result, rc == -EINTR ? EXIT_INTERRUPTED : EXIT_FAILED, "%s", err.text);
	json_object_set_new(result, "different_sectors", json_integer((json_int_t)different));
	json_object_set_new(result, "guard", json_string(flash_command_guards[f.guard]));
	if (different)
		return flash_command_complain(result, EXIT_FAILED,
					      "the %s slot differs from %s in %ju sectors, first at 0x%08x",
					      flash_command_slots[slot], c->image, (uintmax_t)different, first);
	if (f.guard == FLASH_GUARD_THERE)
		return flash_command_complain(result, EXIT_FAILED,
					      "the user slot holds %s, but its guard is there: the golden image "
					      "boots. vhpctl flash write lifts the guard",
					      c->image);
	if (!c->json)
		printf("the %s slot holds %s, image %08x\n", flash_command_slots[slot], c->image, m->usr_access);
	return EXIT_DONE;
}

int flash_command_revert(const struct flash_config *c, struct flash_card *card, json_t *result)
{
	char text[256];
	struct flash_err err;
	int status;

	snprintf(text, sizeof(text), "Make the golden image of %s (%s) the one that boots?", card->bar->name,
		 card->board);
	status = flash_command_confirm(c, text);
	if (status)
		return status;
	if (flash_revert(card, &err))
		return flash_command_complain(result, EXIT_FAILED, "%s", err.text);
	if (!c->json)
		printf("the golden image boots next; the running image goes on\n"
		       "vhpctl flash write of the image in the user slot makes that one active again\n");
	return EXIT_DONE;
}

/* ------------------------------------------------------------------------------------------------------------ reading */

/* The range of --offset, or a slot's image from its first byte to its last packet. */
static int find_range(const struct flash_config *c, struct flash_card *card, uint32_t *from, uint64_t *len,
		      struct flash_err *err)
{
	struct flash_contents f[2] = { 0 };
	int slot = -1, rc = 0;

	if (c->has_offset) {
		*from = (uint32_t)c->offset;
		*len = c->length;
		return 0;
	}
	for (int s = FLASH_USER; !rc && s >= FLASH_GOLDEN && slot < 0; s--) {
		if ((s == FLASH_GOLDEN && !flash_has_golden(card)) || (c->golden && s != FLASH_GOLDEN))
			continue;
		rc = flash_inspect(card, s, UINT64_MAX, &f[s], err);
		if (c->golden || (f[s].stream.has_usr_access && f[s].stream.usr_access == card->image))
			slot = s;
	}
	if (rc)
		return rc;
	if (slot < 0)
		return flash_fail(err, -ENOENT, "no slot holds the running image, %08x: give --offset and --length",
				  card->image);
	if (!f[slot].stream.complete)
		return flash_fail(err, -EBADMSG, "the %s slot holds no image with an end: give --offset and --length",
				  flash_command_slots[slot]);
	*from = f[slot].from;
	*len = f[slot].stream.end;
	return 0;
}

int flash_command_read(const struct flash_config *c, struct flash_card *card, json_t *result)
{
	struct progress p = { .tty = isatty(STDERR_FILENO) };
	struct flash_watch watch = { tell, &p, &stop };
	struct flash_err err;
	uint32_t from = 0;
	uint64_t len = 0;
	uint8_t *data;
	int rc = find_range(c, card, &from, &len, &err), fd;

	if (rc)
		return flash_command_complain(result, EXIT_FAILED, "%s", err.text);
	data = malloc(len ? len : 1);
	if (!data)
		return flash_command_complain(result, EXIT_FAILED, "out of memory for 0x%jx bytes", (uintmax_t)len);
	catch_signals();
	rc = flash_read(card, from, data, len, &watch, &err);
	tell_end(&p);
	fd = rc ? -1 : open(c->output, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	for (uint64_t at = 0; fd >= 0 && at < len;) {
		ssize_t n = write(fd, data + at, len - at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			rc = flash_fail(&err, -EIO, "%s: %s", c->output, strerror(errno));
			break;
		}
		at += (uint64_t)n;
	}
	if (!rc && (fd < 0 || close(fd)))
		rc = flash_fail(&err, -EIO, "%s: %s", c->output, strerror(errno));
	free(data);
	if (rc)
		return flash_command_complain(result, rc == -EINTR ? EXIT_INTERRUPTED : EXIT_FAILED, "%s", err.text);
	flash_command_set_hex(result, "from", from);
	json_object_set_new(result, "bytes", json_integer((json_int_t)len));
	if (!c->json)
		printf("%s: %ju bytes from 0x%08x\n", c->output, (uintmax_t)len, from);
	return EXIT_DONE;
}
