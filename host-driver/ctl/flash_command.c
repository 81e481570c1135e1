/* SPDX-License-Identifier: Apache-2.0 */
/* vhpctl flash: arguments, the way to the card, and what its commands share (flash_command.h names their files). */
#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "flash_command.h"
#include "flash_pci.h"
#include "show.h"

#define DEFAULT_SETTLE_S 4u
#define DEFAULT_LIMIT_S 60u

const char *const flash_command_slots[] = { [FLASH_GOLDEN] = "golden", [FLASH_USER] = "user" };
const char *const flash_command_guards[] = {
	[FLASH_GUARD_NONE] = "none", [FLASH_GUARD_THERE] = "guard", [FLASH_GUARD_DATA] = "data"
};

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

void flash_command_set_hex(json_t *o, const char *key, uint32_t value)
{
	char text[16];

	snprintf(text, sizeof(text), "0x%08x", value);
	json_object_set_new(o, key, json_string(text));
}

/* ------------------------------------------------------------------------------------------------------------- main */

/* Connect by --socket, --pci, or to the only card. */
static int open_bar(const struct flash_config *c, struct flash_bar **bar, struct flash_err *err)
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
	int rc = open_bar(c, &bar, &err), status;

	if (!rc)
		rc = flash_card_open(bar, &card, &err);
	if (rc) {
		flash_bar_close(bar);
		return flash_command_complain(result, EXIT_FAILED, "%s", err.text);
	}
	json_object_set_new(result, "card", json_string(bar->name));
	json_object_set_new(result, "board", json_string(card.board));
	flash_command_set_hex(result, "running", card.image);
	flash_command_set_hex(result, "idcode", card.idcode);
	if (!strcmp(c->verb, "boot"))
		return flash_command_boot(c, bar, &card, m, result); /* closes the bar */
	if (!strcmp(c->verb, "show"))
		status = flash_command_show(c, &card, result);
	else if (!strcmp(c->verb, "write"))
		status = flash_command_write(c, &card, m, result);
	else if (!strcmp(c->verb, "verify"))
		status = flash_command_verify(c, &card, m, result);
	else if (!strcmp(c->verb, "read"))
		status = flash_command_read(c, &card, result);
	else
		status = flash_command_revert(c, &card, result);
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
