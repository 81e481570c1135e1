/* SPDX-License-Identifier: Apache-2.0 */
/* vhpctl flash: what is in a card's flash, writing and comparing images, the guard. */
#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "flash_command.h"
#include "flash_pci.h"
#include "show.h"

#define DEFAULT_SETTLE_S 4u
#define DEFAULT_LIMIT_S 60u
#define LOOK_BYTES 8192u /* of a slot, for its identity, which stands in the head */
#define BAR_WIDTH 40u

enum {
	OPT_PCI = 0x100,
	OPT_SOCKET,
	OPT_IMAGE,
	OPT_CERT,
	OPT_ALLOW_UNSIGNED,
	OPT_GOLDEN,
	OPT_FORCE,
	OPT_OUTPUT,
	OPT_OFFSET,
	OPT_LENGTH,
	OPT_SETTLE,
	OPT_LIMIT,
};

static const struct argp_option options[] = {
	{ NULL, 0, NULL, 0, "Which card:", 1 },
	{ "pci", OPT_PCI, "ADDRESS", 0, "function 0 of the card, as 0000:01:00.0; not needed with one card", 1 },
	{ "socket", OPT_SOCKET, "PATH", 0, "a simulated card: its fn0.sock", 1 },
	{ NULL, 0, NULL, 0, "Images:", 2 },
	{ "image", OPT_IMAGE, "FILE", 0,
	  "release image (.xclbin): what to write or compare; for boot: what should come up", 2 },
	{ "cert", OPT_CERT, "FILE", 0, "certificate of whoever must have signed it; default: " IMAGE_CERTIFICATE, 2 },
	{ "allow-unsigned", OPT_ALLOW_UNSIGNED, NULL, 0,
	  "write an image without signature, or without a certificate for it", 2 },
	{ "golden", OPT_GOLDEN, NULL, 0, "the golden slot at 0 instead of the user slot; write also wants --force", 2 },
	{ NULL, 0, NULL, 0, "Reading:", 3 },
	{ "output", OPT_OUTPUT, "FILE", 0, "where read puts it", 3 },
	{ "offset", OPT_OFFSET, "BYTES", 0, "a range of the flash instead of an image: from here", 3 },
	{ "length", OPT_LENGTH, "BYTES", 0, "so many bytes", 3 },
	{ NULL, 0, NULL, 0, "Loading an image:", 4 },
	{ "settle", OPT_SETTLE, "SECONDS", 0, "before the first look for the card (default 4; a simulated card: 0)",
	  4 },
	{ "limit", OPT_LIMIT, "SECONDS", 0, "until the card has to be back (default 60; a simulated card: 600)", 4 },
	{ NULL, 0, NULL, 0, "All:", 5 },
	{ "yes", 'y', NULL, 0, "do not ask", 5 },
	{ "force", OPT_FORCE, NULL, 0, "overwrite the golden image; load a slot that holds nothing known", 5 },
	{ "json", 'j', NULL, 0, "print JSON", 5 },
	{ 0 },
};

static uint64_t number(struct argp_state *state, const char *what, const char *text, uint64_t most)
{
	char *end;
	unsigned long long v;

	errno = 0;
	v = strtoull(text, &end, 0);
	if (errno || end == text || *end || *text == '-' || v > most)
		argp_error(state, "%s %s: want a number, at most 0x%jx", what, text, (uintmax_t)most);
	return v;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	static const char *const verbs[] = { "show", "write", "verify", "read", "revert", "boot" };
	struct flash_config *c = state->input;
	bool known = false;

	switch (key) {
	case OPT_PCI:
		c->pci = arg;
		break;
	case OPT_SOCKET:
		c->socket = arg;
		break;
	case OPT_IMAGE:
		c->image = arg;
		break;
	case OPT_CERT:
		c->cert = arg;
		break;
	case OPT_ALLOW_UNSIGNED:
		c->allow_unsigned = true;
		break;
	case OPT_GOLDEN:
		c->golden = true;
		break;
	case OPT_FORCE:
		c->force = true;
		break;
	case OPT_OUTPUT:
		c->output = arg;
		break;
	case OPT_OFFSET:
		c->offset = number(state, "--offset", arg, UINT32_MAX);
		c->has_offset = true;
		break;
	case OPT_LENGTH:
		c->length = number(state, "--length", arg, 1ull << 32);
		c->has_length = true;
		break;
	case OPT_SETTLE:
		c->settle_s = (unsigned int)number(state, "--settle", arg, 600);
		break;
	case OPT_LIMIT:
		c->limit_s = (unsigned int)number(state, "--limit", arg, 86400);
		break;
	case 'y':
		c->yes = true;
		break;
	case 'j':
		c->json = true;
		break;
	case ARGP_KEY_ARG:
		if (state->arg_num)
			argp_error(state, "%s: one command at a time", arg);
		c->verb = arg;
		break;
	case ARGP_KEY_END:
		for (size_t i = 0; c->verb && i < sizeof(verbs) / sizeof(verbs[0]); i++)
			known |= !strcmp(c->verb, verbs[i]);
		if (!known)
			argp_error(state, "give a command: show, write, verify, read, revert or boot");
		if (c->pci && c->socket)
			argp_error(state, "--pci or --socket, not both");
		if (!c->image && (!strcmp(c->verb, "write") || !strcmp(c->verb, "verify")))
			argp_error(state, "%s: which image? --image FILE", c->verb);
		if (!strcmp(c->verb, "read") && !c->output)
			argp_error(state, "read: where to? --output FILE");
		if (c->has_offset != c->has_length)
			argp_error(state, "--offset and --length go together");
		if (!strcmp(c->verb, "write") && c->golden != c->force)
			argp_error(state,
				   c->golden ? "--golden overwrites what the card falls back to: it also wants --force"
					     : "--force is for --golden only: nothing else is overruled by it");
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "show|write|verify|read|revert|boot",
	.doc = "Look at and change the images in the flash of a vhost-pci card."
	       "\vCommands:\n"
	       "  show        board, running image, what the slots hold, which one boots\n"
	       "  write       put an image into the user slot and make it the one that boots\n"
	       "  verify      compare a slot with an image\n"
	       "  read        the running image, a slot's, or a range, into a file\n"
	       "  revert      make the golden image the one that boots; the user slot keeps its image\n"
	       "  boot        load the image now, without restarting the host\n\n"
	       "What is written becomes active when it is whole: until then a guard in front of it makes the card fall back to the "
	       "golden image. A write that was interrupted, by Ctrl-C or by the power, goes on where it was with the same "
	       "command. While the card works it can be written; boot is refused while a driver serves virtual machines.\n\n"
	       "Without driver the function is reached through sysfs, with vfio-pci through VFIO; both need its rights, boot "
	       "needs root.\n\n"
	       "Exit status: 0 done; 1 failed, or different; 2 refused, nothing was changed; 3 another image came up than the "
	       "one wanted; 64 wrong arguments; 130 interrupted.",
};

/* --------------------------------------------------------------------------------------------------------- messages */

int flash_command_complain(json_t *result, int status, const char *format, ...)
{
	char text[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	fprintf(stderr, "vhpctl: %s\n", text);
	json_object_set_new(result, "error", json_string(text));
	return status;
}

int flash_command_confirm(const struct flash_config *c, const char *question)
{
	char answer[16] = "";

	if (c->yes)
		return 0;
	if (!isatty(STDIN_FILENO)) {
		fprintf(stderr, "vhpctl: %s\nvhpctl: nobody to ask: say --yes\n", question);
		return EXIT_REFUSED;
	}
	fprintf(stderr, "%s [y/N] ", question);
	if (!fgets(answer, sizeof(answer), stdin) || (answer[0] != 'y' && answer[0] != 'Y')) {
		fprintf(stderr, "vhpctl: nothing was changed\n");
		return EXIT_REFUSED;
	}
	return 0;
}

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

/* ------------------------------------------------------------------------------------------------------------- show */

static const char *const slot_names[] = { [FLASH_GOLDEN] = "golden", [FLASH_USER] = "user" };
static const char *const guard_names[] = {
	[FLASH_GUARD_NONE] = "none", [FLASH_GUARD_THERE] = "guard", [FLASH_GUARD_DATA] = "data"
};

static void set_hex(json_t *o, const char *key, uint32_t value)
{
	char text[16];

	snprintf(text, sizeof(text), "0x%08x", value);
	json_object_set_new(o, key, json_string(text));
}

static json_t *slot_json(const struct flash_card *card, enum flash_slot slot, const struct flash_contents *f)
{
	json_t *o = json_pack("{s:s, s:s, s:b, s:b, s:b, s:I}", "slot", slot_names[slot], "guard",
			      guard_names[f->guard], "image", f->stream.synced && f->stream.has_idcode, "fits",
			      f->stream.has_idcode && f->stream.idcode == card->idcode, "running",
			      f->stream.has_usr_access && f->stream.usr_access == card->image, "room",
			      (json_int_t)flash_slot_bytes(card, slot));

	set_hex(o, "at", f->from);
	if (f->stream.has_usr_access)
		set_hex(o, "usr_access", f->stream.usr_access);
	if (f->stream.has_idcode)
		set_hex(o, "idcode", f->stream.idcode);
	if (f->stream.has_jump)
		set_hex(o, "jump", f->stream.jump);
	return o;
}

static void slot_print(const struct flash_card *card, enum flash_slot slot, const struct flash_contents *f)
{
	const struct bitstream_info *s = &f->stream;

	printf("%-11s 0x%08x: ", slot_names[slot], f->from);
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

static int show(const struct flash_config *c, struct flash_card *card, json_t *result)
{
	struct flash_contents f[2];
	struct flash_status status;
	struct flash_err err;
	json_t *slots = json_array(), *chips = json_array();
	int rc = flash_card_status(card, &status, &err);

	for (unsigned int s = 0; !rc && s < 2; s++) {
		if (s == FLASH_GOLDEN && !flash_has_golden(card))
			continue;
		rc = flash_inspect(card, s, LOOK_BYTES, &f[s], &err);
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
	const char *cert = c->cert ? c->cert : access(IMAGE_CERTIFICATE, R_OK) == 0 ? IMAGE_CERTIFICATE : NULL;
	struct image_report *r = calloc(1, sizeof(*r));
	int status = 0;

	if (!r)
		return flash_command_complain(result, EXIT_FAILED, "out of memory");
	image_verify(m, cert, r);
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

static int write_image(const struct flash_config *c, struct flash_card *card, const struct image *m, json_t *result)
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
					      m->data_size, slot_names[slot], (uintmax_t)flash_slot_bytes(card, slot));
	snprintf(text, sizeof(text), "Write image %08x (%s, %zu bytes) to the %s slot of %s (%s)?%s", m->usr_access,
		 m->version, m->data_size, slot_names[slot], card->bar->name, card->board,
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
		       m->usr_access, slot_names[slot], (uintmax_t)tally.sectors, (uintmax_t)tally.kept,
		       (uintmax_t)tally.erased, (uintmax_t)tally.programmed);
	return EXIT_DONE;
}

static int verify(const struct flash_config *c, struct flash_card *card, const struct image *m, json_t *result)
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
	json_object_set_new(result, "guard", json_string(guard_names[f.guard]));
	if (different)
		return flash_command_complain(result, EXIT_FAILED,
					      "the %s slot differs from %s in %ju sectors, first at 0x%08x",
					      slot_names[slot], c->image, (uintmax_t)different, first);
	if (f.guard == FLASH_GUARD_THERE)
		return flash_command_complain(result, EXIT_FAILED,
					      "the user slot holds %s, but its guard is there: the golden image "
					      "boots. vhpctl flash write lifts the guard",
					      c->image);
	if (!c->json)
		printf("the %s slot holds %s, image %08x\n", slot_names[slot], c->image, m->usr_access);
	return EXIT_DONE;
}

static int revert(const struct flash_config *c, struct flash_card *card, json_t *result)
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
				  slot_names[slot]);
	*from = f[slot].from;
	*len = f[slot].stream.end;
	return 0;
}

static int read_out(const struct flash_config *c, struct flash_card *card, json_t *result)
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
	set_hex(result, "from", from);
	json_object_set_new(result, "bytes", json_integer((json_int_t)len));
	if (!c->json)
		printf("%s: %ju bytes from 0x%08x\n", c->output, (uintmax_t)len, from);
	return EXIT_DONE;
}

/* ------------------------------------------------------------------------------------------------------------- main */

int flash_command_open(const struct flash_config *c, struct flash_bar **bar, struct flash_err *err)
{
	char address[BIND_ADDRESS_LEN];
	int rc = 0;

	if (c->socket)
		return flash_bar_open_socket(c->socket, bar, err);
	if (!c->pci)
		rc = flash_pci_only(&bind_host, address, err);
	else if (bind_address(c->pci, address))
		rc = flash_fail(err, -EINVAL, "%s: not a PCI address; want DOMAIN:BUS:DEVICE.FUNCTION, as 0000:01:00.0",
				c->pci);
	return rc ? rc : flash_bar_open_pci(&bind_host, address, bar, err);
}

static int run(const struct flash_config *c, const struct image *m, json_t *result)
{
	struct flash_bar *bar = NULL;
	struct flash_card card;
	struct flash_err err;
	int rc = flash_command_open(c, &bar, &err), status;

	if (!rc)
		rc = flash_card_open(bar, &card, &err);
	if (rc) {
		flash_bar_close(bar);
		return flash_command_complain(result, EXIT_FAILED, "%s", err.text);
	}
	json_object_set_new(result, "card", json_string(bar->name));
	json_object_set_new(result, "board", json_string(card.board));
	set_hex(result, "running", card.image);
	set_hex(result, "idcode", card.idcode);
	if (!strcmp(c->verb, "boot"))
		return flash_command_boot(c, bar, &card, m, result); /* closes the bar */
	if (!strcmp(c->verb, "show"))
		status = show(c, &card, result);
	else if (!strcmp(c->verb, "write"))
		status = write_image(c, &card, m, result);
	else if (!strcmp(c->verb, "verify"))
		status = verify(c, &card, m, result);
	else if (!strcmp(c->verb, "read"))
		status = read_out(c, &card, result);
	else
		status = revert(c, &card, result);
	flash_card_release(&card);
	flash_bar_close(bar);
	return status;
}

int command_flash(int argc, char **argv)
{
	struct flash_config c = { .settle_s = UINT32_MAX, .limit_s = UINT32_MAX };
	json_t *result = json_object();
	struct image *m = NULL;
	struct flash_err err;
	int status;

	argp_parse(&argp, argc, argv, 0, NULL, &c);
	if (c.settle_s == UINT32_MAX)
		c.settle_s = c.socket ? 0 : DEFAULT_SETTLE_S;
	if (c.limit_s == UINT32_MAX)
		c.limit_s = c.socket ? 10 * DEFAULT_LIMIT_S : DEFAULT_LIMIT_S;
	if (c.image && image_open(c.image, &m, &err))
		status = flash_command_complain(result, EXIT_REFUSED, "%s", err.text);
	else
		status = run(&c, m, result);
	json_object_set_new(result, "done", json_boolean(status == EXIT_DONE));
	if (c.json)
		show_json(result);
	image_close(m);
	json_decref(result);
	return status;
}
