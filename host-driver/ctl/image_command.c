/* SPDX-License-Identifier: Apache-2.0 */
/* vhpctl image: what is in a release image, and whether it is whole and signed. */
#include <argp.h>
#include <errno.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "image.h"
#include "show.h"

enum {
	OPT_CERT = 0x100
};

struct config {
	const char *verb, *file, *cert;
	bool json;
};

static const struct argp_option options[] = {
	{ "json", 'j', NULL, 0, "print JSON", 0 },
	{ "cert", OPT_CERT, "FILE", 0,
	  "certificate of whoever must have signed it, PEM or DER; default: " IMAGE_CERTIFICATE, 0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct config *c = state->input;

	switch (key) {
	case 'j':
		c->json = true;
		break;
	case OPT_CERT:
		c->cert = arg;
		break;
	case ARGP_KEY_ARG:
		if (state->arg_num > 1)
			argp_error(state, "one file at a time");
		*(state->arg_num ? &c->file : &c->verb) = arg;
		break;
	case ARGP_KEY_END:
		if (!c->verb || (strcmp(c->verb, "show") && strcmp(c->verb, "verify")))
			argp_error(state, "give a command: show or verify");
		if (!c->file)
			argp_error(state, "which file?");
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "show|verify FILE",
	.doc = "Look into a release image of vhost-pci-net, and check it."
	       "\vCommands:\n"
	       "  show        board, part, version, identity, sections; the file has to make sense, no more\n"
	       "  verify      sha256 of each section, the sections against each other, the signature\n\n"
	       "The identity of an image is the USR_ACCESS word of its bitstream; the running one is in `vhpctl flash show`.\n\n"
	       "Exit status: 0 whole, and for verify signed by the certificate; 1 not readable, damaged, or signed by somebody "
	       "else; 2 whole, but without signature or without a certificate to check it; 64 wrong arguments.",
};

const char *command_certificate(const char *given)
{
	return given ? given : access(IMAGE_CERTIFICATE, R_OK) == 0 ? IMAGE_CERTIFICATE : NULL;
}

static json_t *to_json(const struct image *m)
{
	json_t *sections = json_array();

	for (unsigned int i = 0; i < m->num_sections; i++)
		json_array_append_new(sections,
				      json_pack("{s:s, s:I}", "name", m->sections[i].name, "bytes",
						(json_int_t)m->sections[i].size));
	return json_pack("{s:O, s:b, s:o, s:{s:s, s:s, s:s, s:s, s:I}}", "metadata", m->meta, "signed",
			 m->has_signature, "sections", sections, "bitstream", "design", m->bit.design, "part",
			 m->bit.part, "date", m->bit.date, "time", m->bit.time, "bytes", (json_int_t)m->data_size);
}

static void print(const struct image *m)
{
	printf("version      %s%s\n", m->version, m->standin ? ", a STAND-IN: no card can run it" : "");
	printf("board        %s, %s, IDCODE %08x\n", m->board, m->part, m->idcode);
	printf("identity     %08x (USR_ACCESS)\n", m->usr_access);
	printf("source       %s, firmware %s\n", m->git, m->firmware);
	printf("bitstream    %zu bytes, %s %s, %s\n", m->data_size, m->bit.date, m->bit.time, m->bit.design);
	printf("flash        %u x %ju MiB, image at 0x%08x\n", m->chips, (uintmax_t)(m->chip_bytes >> 20),
	       m->flash_start);
	printf("signature    %s\n", m->has_signature ? "there (vhpctl image verify checks it)" : "none");
	printf("sections    ");
	for (unsigned int i = 0; i < m->num_sections; i++)
		printf(" %s (%zu)", m->sections[i].name, m->sections[i].size);
	printf("\n");
}

static int verify(const struct config *c, const struct image *m)
{
	static const char *const words[] = { [IMAGE_OK] = "ok", [IMAGE_BAD] = "WRONG", [IMAGE_UNKNOWN] = "-" };
	struct image_report *r = calloc(1, sizeof(*r));
	json_t *list = json_array();
	int status;

	if (!r)
		abort();
	image_verify(m, command_certificate(c->cert), r);
	for (unsigned int i = 0; i < r->count; i++) {
		const struct image_check *check = &r->checks[i];

		if (c->json)
			json_array_append_new(list,
					      json_pack("{s:s, s:s, s:s}", "what", check->what, "verdict",
							check->verdict == IMAGE_OK	      ? "ok"
								: check->verdict == IMAGE_BAD ? "wrong"
											      : "unknown",
							"text", check->text));
		else
			printf("%-24s %-6s %s\n", check->what, words[check->verdict], check->text);
	}
	status = !r->intact || r->signed_wrong || (c->cert && !r->signed_right) ? EXIT_FAILED
		: r->signed_right						? EXIT_DONE
										: EXIT_REFUSED;
	if (c->json) {
		json_t *all = to_json(m);

		json_object_set_new(all, "checks", list);
		json_object_set_new(all, "intact", json_boolean(r->intact));
		json_object_set_new(all, "signature_good", json_boolean(r->signed_right));
		show_json(all);
		json_decref(all);
	} else {
		json_decref(list);
		printf("%s: %s\n", c->file,
		       status == EXIT_DONE		? "whole and signed"
			       : status == EXIT_REFUSED ? "whole; who made it is not known"
							: "do not use it");
	}
	free(r);
	return status;
}

int command_image(int argc, char **argv)
{
	struct config c = { 0 };
	struct flash_err err;
	struct image *m;
	int status = EXIT_DONE;

	argp_parse(&argp, argc, argv, 0, NULL, &c);
	if (image_open(c.file, &m, &err)) {
		fprintf(stderr, "vhpctl: %s\n", err.text);
		return EXIT_FAILED;
	}
	if (!strcmp(c.verb, "verify")) {
		status = verify(&c, m);
	} else if (c.json) {
		json_t *all = to_json(m);

		show_json(all);
		json_decref(all);
	} else {
		print(m);
	}
	image_close(m);
	return status;
}
