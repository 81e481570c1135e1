/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file
 * Root complex: link timing, one address space per function, completions. Internal to the model.
 */
#ifndef VHP_SIM_ROOTCOMPLEX_H
#define VHP_SIM_ROOTCOMPLEX_H

#include "hardblock.h"

struct root *root_create(struct vhp_model *m);
void root_destroy(struct root *r);
/** A TLP has left the block. */
void root_receive(struct root *r, const struct hb_up *tlp);
/** One cycle: perform what arrived, send completions the link has room for. */
void root_tick(struct root *r);
bool root_idle(const struct root *r);
/** Forget the reads of a function: the block has answered them itself. */
void root_cancel(struct root *r, unsigned int fn);
/** The link is down: forget what is on its way. Mappings stay. */
void root_clear(struct root *r);
/** Take @p bytes of the downstream link for a request to the card; false if the link is busy. */
bool root_down_take(struct root *r, unsigned int bytes);

int root_map(struct root *r, unsigned int fn, uint64_t iova, uint64_t len, void *mem, unsigned int perm);
int root_map_fd(struct root *r, unsigned int fn, uint64_t iova, uint64_t len, int fd, uint64_t offset,
		unsigned int perm);
int root_unmap(struct root *r, unsigned int fn, uint64_t iova, uint64_t len);
void root_unmap_all(struct root *r, unsigned int fn);

#endif
