/* SPDX-License-Identifier: Apache-2.0 */
#include "flash.h"

#include <errno.h>
#include <stdlib.h>

#include "nor.h"

struct flash {
	struct flash_config cfg;
	struct nor *nor;
	struct fpga fpga;
	struct fpga_image image;
	bool runs;
	uint64_t reloads, fallbacks;
};

static void say(void *arg, const char *text)
{
	struct flash *f = arg;

	if (f->cfg.log)
		f->cfg.log(f->cfg.arg, text);
}

/* A flash that is busy does not answer; a load that reads nothing takes so long that it is ready for the next one. */
static bool read_flash(void *arg, uint32_t addr, void *buf, uint32_t len)
{
	struct flash *f = arg;

	if (nor_busy(f->nor)) {
		nor_settle(f->nor);
		return false;
	}
	return nor_read(f->nor, addr, buf, len);
}

/* Of a new flash in memory nobody wants to know at power-up that it holds the golden image alone. */
static bool boot(struct flash *f, bool tell)
{
	const struct fpga_source src = { read_flash, nor_used(f->nor), f };
	char text[100];

	f->runs = fpga_boot(&f->fpga, &src, &f->image, tell ? say : NULL, f);
	if (f->runs) {
		snprintf(text, sizeof(text), "image at 0x%08x runs, USR_ACCESS 0x%08x%s", f->image.address,
			 f->image.usr_access, f->image.fallback ? " (fallback)" : "");
		f->fallbacks += f->image.fallback;
		if (tell)
			say(f, text);
	}
	return f->runs;
}

int flash_create(const struct flash_config *cfg, struct flash **flash)
{
	struct flash *f = calloc(1, sizeof(*f));
	struct nor_config nor;
	int rc;

	if (!f)
		return -ENOMEM;
	f->cfg = *cfg;
	nor_defaults(&nor, cfg->divide);
	nor.log = say;
	nor.arg = f;
	fpga_init(&f->fpga, cfg->idcode);
	rc = nor_create(&nor, cfg->path, &f->nor);
	if (rc == 1)
		nor_write(f->nor, 0, cfg->golden, cfg->golden_len);
	if (rc >= 0)
		rc = boot(f, cfg->path) ? 0 : -ENOENT;
	if (rc) {
		flash_destroy(f);
		return rc;
	}
	*flash = f;
	return 0;
}

void flash_destroy(struct flash *f)
{
	if (!f)
		return;
	nor_destroy(f->nor);
	free(f);
}

bool flash_cycle(void *flash, const struct vhp_edge_out *out, struct vhp_edge_in *in)
{
	struct flash *f = flash;

	in->flash_dq_in = 0xf0 |
		nor_cycle(f->nor, out->flash_sck, out->flash_cs_n & 1, out->flash_dq_out, out->flash_dq_tri);
	in->icap_avail = 1;
	in->usr_access_data = f->image.usr_access;
	return fpga_icap(&f->fpga, out->icap_csib, out->icap_rdwrb, out->icap_i) == FPGA_IPROG;
}

bool flash_busy(const void *flash)
{
	return nor_busy(((const struct flash *)flash)->nor);
}

bool flash_reload(struct flash *f)
{
	f->reloads++;
	/* The part lets go of the pins. */
	nor_cycle(f->nor, false, true, 0xf, 0xf);
	return boot(f, true);
}

void flash_stats_json(const struct flash *f, FILE *out)
{
	fprintf(out, "{\"reloads\": %llu, \"fallbacks\": %llu, \"running\": ", (unsigned long long)f->reloads,
		(unsigned long long)f->fallbacks);
	if (f->runs)
		fprintf(out, "{\"address\": %u, \"usr_access\": %u, \"fallback\": %s}", f->image.address,
			f->image.usr_access, f->image.fallback ? "true" : "false");
	else
		fprintf(out, "null");
	fprintf(out, ",\n  \"nor\": ");
	nor_stats_json(f->nor, out);
	fprintf(out, "}");
}
