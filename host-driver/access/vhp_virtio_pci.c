/* SPDX-License-Identifier: Apache-2.0 */
#include "vhp_virtio_pci.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

#include "vhost_pci.h"
#include "vhp_access_impl.h"

#define PCI_STATUS 0x06u
#define PCI_STATUS_CAP_LIST 0x10u
#define PCI_CAPABILITY_LIST 0x34u
#define PCI_CONFIG_SIZE 256u
#define PCI_FIRST_CAPABILITY 0x40u
#define PCI_CAP_VENDOR 0x09u

#define CFG_COMMON 1
#define CFG_NOTIFY 2
#define CFG_ISR 3
#define CFG_DEVICE 4
#define CFG_VENDOR 9

#define CAP_SIZE 16u	    /* struct virtio_pci_cap, and our vendor capability */
#define NOTIFY_CAP_SIZE 20u /* with notify_off_multiplier */
#define LIST_VERSION 1u
#define MAX_LIST 1024u /* bytes of the list in the BAR; a cap_next of 8 bits cannot reach further than 255 + CAP */

/* Offsets in struct virtio_pci_cap, and in VIRTIO_PCI_CAP_VENDOR_CFG of this card. */
#define CAP_NEXT 1
#define CAP_LEN 2
#define CAP_CFG_TYPE 3
#define CAP_BAR 4
#define VENDOR_ID 4
#define VENDOR_BAR 6
#define VENDOR_VERSION 7
#define CAP_OFFSET 8
#define CAP_LENGTH 12
#define CAP_MULTIPLIER 16

struct text {
	char *err;
	size_t errlen;
	const char *name; /* of the device */
	const char *place;
};

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

static uint32_t get32(const uint8_t *p)
{
	return get16(p) | (uint32_t)get16(p + 2) << 16;
}

static int check_area(struct vhp_dev *dev, const struct vhp_virtio_area *a, const char *what, uint32_t least,
		      uint32_t align, const struct text *t)
{
	uint64_t size;

	if (a->bar > 5)
		return vhp_fail(t->err, t->errlen, -EPROTO, "%s: %s: %s is in BAR %u, which PCI does not have", t->name,
				t->place, what, a->bar);
	size = vhp_dev_bar_size(dev, a->bar);
	if (a->length < least)
		return vhp_fail(t->err, t->errlen, -EPROTO, "%s: %s: %s has %u bytes, needs %u", t->name, t->place,
				what, a->length, least);
	if (a->length > size || a->offset > size - a->length)
		return vhp_fail(t->err, t->errlen, -EPROTO,
				"%s: %s: %s at 0x%x + 0x%x lies outside BAR %u (0x%jx bytes)", t->name, t->place, what,
				a->offset, a->length, a->bar, (uintmax_t)size);
	if (a->offset % align != 0)
		return vhp_fail(t->err, t->errlen, -EPROTO, "%s: %s: %s at 0x%x is not aligned to %u", t->name,
				t->place, what, a->offset, align);
	return 0;
}

/* One capability at @p at of a table that holds at least CAP_SIZE bytes there. The first one of a kind counts. */
static int take(struct vhp_dev *dev, const uint8_t *table, size_t size, size_t at, struct vhp_virtio_pci *out,
		const struct text *t)
{
	const uint8_t *cap = table + at;
	struct vhp_virtio_area area = { cap[CAP_BAR], get32(cap + CAP_OFFSET), get32(cap + CAP_LENGTH) };
	int rc;

	switch (cap[CAP_CFG_TYPE]) {
	case CFG_COMMON:
		if (out->common.length != 0)
			return 0;
		rc = check_area(dev, &area, "common configuration", VHOST_PCI_COMMON_SIZE, 4, t);
		if (rc == 0)
			out->common = area;
		return rc;
	case CFG_NOTIFY:
		if (out->notify.length != 0)
			return 0;
		if (cap[CAP_LEN] < NOTIFY_CAP_SIZE || size - at < NOTIFY_CAP_SIZE)
			return vhp_fail(t->err, t->errlen, -EPROTO, "%s: %s: notify capability has no multiplier",
					t->name, t->place);
		rc = check_area(dev, &area, "notify structure", 2, 2, t);
		if (rc < 0)
			return rc;
		out->notify_multiplier = get32(cap + CAP_MULTIPLIER);
		if (out->notify_multiplier == 1 || (out->notify_multiplier & (out->notify_multiplier - 1)) != 0)
			return vhp_fail(t->err, t->errlen, -EPROTO,
					"%s: %s: notify multiplier %u is not 0 or an even power of two", t->name,
					t->place, out->notify_multiplier);
		out->notify = area;
		return 0;
	case CFG_ISR:
		if (out->isr.length != 0)
			return 0;
		rc = check_area(dev, &area, "ISR status", 1, 1, t);
		if (rc == 0)
			out->isr = area;
		return rc;
	case CFG_DEVICE:
		if (out->device.length != 0)
			return 0;
		rc = check_area(dev, &area, "device configuration", sizeof(struct vhost_pci_net_config), 4, t);
		if (rc == 0)
			out->device = area;
		return rc;
	case CFG_VENDOR:
		if (out->peer.length != 0 || get16(cap + VENDOR_ID) != VHP_PEER_PCI_VENDOR)
			return 0;
		area.bar = cap[VENDOR_BAR];
		rc = check_area(dev, &area, "aligned peer block", sizeof(struct vhost_pci_peer_block), 8, t);
		if (rc == 0)
			out->peer = area;
		return rc;
	default:
		return 0; /* PCI_CFG, shared memory, what later versions bring */
	}
}

static int complete(const struct vhp_virtio_pci *v, const struct text *t)
{
	const char *missing = NULL;

	if (v->common.length == 0)
		missing = "common configuration";
	else if (v->notify.length == 0)
		missing = "notify structure";
	else if (v->isr.length == 0)
		missing = "ISR status";
	else if (v->device.length == 0)
		missing = "device configuration";
	if (missing != NULL)
		return vhp_fail(t->err, t->errlen, -EPROTO, "%s: %s: no %s", t->name, t->place, missing);
	return 0;
}

/* The list in the BAR: offsets from its start, the first structure at 0, next 0 ends. */
static int read_list(struct vhp_dev *dev, const struct vhp_virtio_area *where, struct vhp_virtio_pci *out,
		     struct text t)
{
	uint8_t list[MAX_LIST];
	size_t size = where->length < sizeof(list) ? where->length & ~3u : sizeof(list);
	size_t at = 0;
	int rc;

	t.place = "capability list in BAR";
	rc = check_area(dev, where, "capability list", CAP_SIZE, 4, &t);
	if (rc < 0)
		return rc;
	rc = vhp_dev_read_buf(dev, where->bar, where->offset, list, size);
	if (rc < 0)
		return vhp_fail(t.err, t.errlen, rc, "%s: cannot read the capability list: %s", t.name, strerror(-rc));

	memset(out, 0, sizeof(*out));
	/* Each round moves forward in a list without loops; with one, the bound ends it. */
	for (size_t round = 0; round < size / CAP_SIZE; round++) {
		if (size - at < CAP_SIZE || list[at] != PCI_CAP_VENDOR || list[at + CAP_LEN] < CAP_SIZE ||
		    list[at + CAP_LEN] > size - at)
			return vhp_fail(t.err, t.errlen, -EPROTO, "%s: %s: malformed entry at 0x%zx", t.name, t.place,
					at);
		rc = take(dev, list, size, at, out, &t);
		if (rc < 0)
			return rc;
		at = list[at + CAP_NEXT];
		if (at == 0)
			return complete(out, &t);
		if (at % 4 != 0)
			return vhp_fail(t.err, t.errlen, -EPROTO, "%s: %s: next 0x%zx is not aligned", t.name, t.place,
					at);
	}
	return vhp_fail(t.err, t.errlen, -EPROTO, "%s: %s: the list has a loop", t.name, t.place);
}

int vhp_virtio_pci_find(struct vhp_dev *dev, struct vhp_virtio_pci *out, char *err, size_t errlen)
{
	struct text t = { err, errlen, vhp_dev_info(dev)->name, "configuration space" };
	struct vhp_virtio_pci standard = { 0 };
	struct vhp_virtio_area list;
	uint8_t config[PCI_CONFIG_SIZE];
	size_t at, vendor = 0;
	int rc;

	rc = vhp_dev_read_buf(dev, VHP_BAR_CONFIG, 0, config, sizeof(config));
	if (rc < 0)
		return vhp_fail(err, errlen, rc, "%s: cannot read configuration space: %s", t.name, strerror(-rc));
	if (!(get16(config + PCI_STATUS) & PCI_STATUS_CAP_LIST))
		return vhp_fail(err, errlen, -EPROTO, "%s: the function has no capabilities", t.name);

	at = config[PCI_CAPABILITY_LIST] & ~3u;
	for (unsigned int round = 0; at != 0; round++) {
		const uint8_t *cap = config + at;

		if (at < PCI_FIRST_CAPABILITY || round == (PCI_CONFIG_SIZE - PCI_FIRST_CAPABILITY) / 4)
			return vhp_fail(err, errlen, -EPROTO, "%s: capability pointer 0x%02zx %s", t.name, at,
					at < PCI_FIRST_CAPABILITY ? "is below 0x40" : "closes a loop");
		if (cap[0] == PCI_CAP_VENDOR && PCI_CONFIG_SIZE - at >= CAP_SIZE && cap[CAP_LEN] >= CAP_SIZE &&
		    cap[CAP_LEN] <= PCI_CONFIG_SIZE - at) {
			if (cap[CAP_CFG_TYPE] != CFG_VENDOR) {
				rc = take(dev, config, sizeof(config), at, &standard, &t);
				if (rc < 0)
					return rc;
			} else if (vendor == 0 && get16(cap + VENDOR_ID) == VHP_PEER_PCI_VENDOR) {
				vendor = at;
			}
		}
		at = config[at + CAP_NEXT] & ~3u;
	}

	/* Beside the standard structures the vendor capability is the peer block's, alone it names the list. */
	if (standard.common.length != 0 || vendor == 0) {
		rc = vendor != 0 ? take(dev, config, sizeof(config), vendor, &standard, &t) : 0;
		if (rc == 0)
			rc = complete(&standard, &t);
		if (rc == 0)
			*out = standard;
		return rc;
	}
	if (config[vendor + VENDOR_VERSION] != LIST_VERSION)
		return vhp_fail(err, errlen, -EPROTO, "%s: capability list version %u, this driver knows %u", t.name,
				config[vendor + VENDOR_VERSION], LIST_VERSION);
	list = (struct vhp_virtio_area){ config[vendor + VENDOR_BAR], get32(config + vendor + CAP_OFFSET),
					 get32(config + vendor + CAP_LENGTH) };
	return read_list(dev, &list, out, t);
}

int vhp_virtio_pci_doorbell(const struct vhp_virtio_pci *v, uint16_t notify_off, uint64_t *offset)
{
	uint64_t at = (uint64_t)notify_off * v->notify_multiplier;

	if (at > v->notify.length - 2u)
		return -ERANGE;
	*offset = v->notify.offset + at;
	return 0;
}
