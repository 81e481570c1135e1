/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file
 * What surrounds the card's flash and ICAP pins: the configuration flash (nor.h) and the part's configuration logic
 * (fpga.h). Hooks for struct vhp_model_config.
 */
#ifndef VHP_SIM_FLASH_H
#define VHP_SIM_FLASH_H

#include <stdbool.h>
#include <stdio.h>

#include "edge.h"
#include "fpga.h"

struct flash_config {
	const char *path;    /**< the flash's contents, NULL: memory */
	unsigned int divide; /**< busy times of the data sheet divided by this */
	uint32_t idcode;     /**< of the part */
	const void *golden;  /**< written at 0 of a new flash */
	uint32_t golden_len;
	/** A line about a violation, an image that is not good, an image that runs. */
	void (*log)(void *arg, const char *text);
	void *arg;
};

struct flash;

/** Opens the flash and loads as at power-up. -ENOENT: no image in it is good; else as nor_create. */
int flash_create(const struct flash_config *cfg, struct flash **flash);
void flash_destroy(struct flash *f);

/** One user clock: @p out as the card drives them, @p in for its next clock. True: IPROG, the card is gone. */
bool flash_cycle(void *flash, const struct vhp_edge_out *out, struct vhp_edge_in *in);
/** A program or erase needs the clock. */
bool flash_busy(const void *flash);
/** After IPROG: load. False: no image is good, the card stays away. */
bool flash_reload(struct flash *f);
/** As one JSON object. */
void flash_stats_json(const struct flash *f, FILE *out);

#endif
