/* SPDX-License-Identifier: Apache-2.0 */
/* The commands of vfio-user: checks what a client sends, calls the function's operations, answers. */
#include <endian.h>
#include <errno.h>
#include <jansson.h>
#include <linux/vfio.h>
#include <stdlib.h>
#include <string.h>

#include "vfio_user_impl.h"

static int do_version(struct vfu_server *s, struct request *r)
{
	static const char text[] =
		"{\"capabilities\":{\"max_msg_fds\":16,\"max_data_xfer_size\":65536,\"pgsizes\":4096,"
		"\"write_multiple\":true}}";
	struct vfio_user_version v;
	const char *json = (const char *)r->body + sizeof(v);
	json_t *root;

	if (r->len < sizeof(v))
		return -EINVAL;
	if (r->c->versioned)
		return -EALREADY;
	memcpy(&v, r->body, sizeof(v));
	if (le16toh(v.major) != 0) {
		vfu_say(s, "client wants protocol version %u.%u; this is 0.0", le16toh(v.major), le16toh(v.minor));
		return -EINVAL;
	}
	if (r->len > sizeof(v)) {
		if (json[r->len - sizeof(v) - 1])
			return -EINVAL;
		root = json_loads(json, 0, NULL);
		if (!json_is_object(root)) {
			json_decref(root);
			vfu_say(s, "client's version text is no JSON object");
			return -EINVAL;
		}
		json_decref(root);
	}
	v.major = v.minor = 0;
	r->c->versioned = true;
	vfu_reply(s, r, &v, sizeof(v), text, sizeof(text));
	return 0;
}

static int do_dma_map(struct vfu_server *s, struct request *r)
{
	struct vfio_user_dma_map a;
	int rc = 0;

	if (r->len != sizeof(a))
		return -EINVAL;
	memcpy(&a, r->body, sizeof(a));
	if (!le64toh(a.size) || le64toh(a.address) + (le64toh(a.size) - 1) < le64toh(a.address) || le32toh(a.flags) > 3)
		return -EINVAL;
	if (r->c->nfds > 1)
		return -EINVAL;
	/* Without a descriptor the memory is not reachable (ROMs, other devices): an access of the card is a DMA fault. */
	if (r->c->nfds == 1 && le32toh(a.flags))
		rc = s->cfg.ops->dma_map(s->cfg.arg, le64toh(a.address), le64toh(a.size), r->c->fds[0],
					 le64toh(a.offset), le32toh(a.flags));
	if (!rc)
		vfu_reply(s, r, NULL, 0, NULL, 0);
	return rc;
}

static int do_dma_unmap(struct vfu_server *s, struct request *r)
{
	struct vfio_user_dma_unmap a;
	int rc;

	if (r->len < sizeof(a))
		return -EINVAL;
	memcpy(&a, r->body, sizeof(a));
	if (le32toh(a.flags) == VFIO_USER_DMA_UNMAP_ALL) {
		if (a.address || a.size)
			return -EINVAL;
		rc = s->cfg.ops->dma_unmap_all(s->cfg.arg);
	} else if (le32toh(a.flags)) {
		return -ENOTSUP; /* dirty pages are logged by the card's own means */
	} else if (!le64toh(a.size) || le64toh(a.address) + (le64toh(a.size) - 1) < le64toh(a.address)) {
		return -EINVAL;
	} else {
		rc = s->cfg.ops->dma_unmap(s->cfg.arg, le64toh(a.address), le64toh(a.size));
	}
	if (!rc)
		vfu_reply(s, r, &a, sizeof(a), NULL, 0);
	return rc;
}

static int do_get_info(struct vfu_server *s, struct request *r)
{
	struct vfio_user_device_info a = { .argsz = htole32(sizeof(a)),
					   .flags = htole32(VFIO_DEVICE_FLAGS_RESET | VFIO_DEVICE_FLAGS_PCI),
					   .num_regions = htole32(VFU_REGIONS),
					   .num_irqs = htole32(VFIO_PCI_NUM_IRQS) };

	if (r->len < sizeof(a))
		return -EINVAL;
	vfu_reply(s, r, &a, sizeof(a), NULL, 0);
	return 0;
}

static int do_get_region_info(struct vfu_server *s, struct request *r)
{
	struct vfio_user_region_info a;
	uint64_t size;

	if (r->len < sizeof(a))
		return -EINVAL;
	memcpy(&a, r->body, sizeof(a));
	if (le32toh(a.index) >= VFU_REGIONS)
		return -EINVAL;
	size = s->cfg.region_size[le32toh(a.index)];
	a.argsz = htole32(sizeof(a));
	a.flags = htole32(size ? VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE : 0);
	a.cap_offset = 0;
	a.size = htole64(size);
	a.offset = 0;
	vfu_reply(s, r, &a, sizeof(a), NULL, 0);
	return 0;
}

static unsigned int irq_count(const struct vfu_server *s, uint32_t index)
{
	return index == VFIO_PCI_MSIX_IRQ_INDEX ? s->cfg.msix_vectors : 0;
}

static int do_get_irq_info(struct vfu_server *s, struct request *r)
{
	struct vfio_user_irq_info a;
	unsigned int count;

	if (r->len < sizeof(a))
		return -EINVAL;
	memcpy(&a, r->body, sizeof(a));
	if (le32toh(a.index) >= VFIO_PCI_NUM_IRQS)
		return -EINVAL;
	count = irq_count(s, le32toh(a.index));
	a.argsz = htole32(sizeof(a));
	a.flags = htole32(count ? VFIO_IRQ_INFO_EVENTFD : 0);
	a.count = htole32(count);
	vfu_reply(s, r, &a, sizeof(a), NULL, 0);
	return 0;
}

static int tie(struct vfu_server *s, struct request *r, uint32_t start, uint32_t count)
{
	struct conn *c = r->c;
	int rc = 0;

	/* Either a descriptor for each vector, or none: untie. */
	if (c->nfds && c->nfds != count)
		return -EINVAL;
	for (uint32_t i = 0; !rc && i < count; i++) {
		rc = s->cfg.ops->set_irq(s->cfg.arg, start + i, c->nfds ? c->fds[i] : -1);
		if (!rc && c->nfds)
			c->fds[i] = -1; /* the function's now */
	}
	return rc;
}

static int do_set_irqs(struct vfu_server *s, struct request *r)
{
	uint32_t start, count, data, action;
	struct vfio_user_irq_set a;
	int rc = 0;

	if (r->len < sizeof(a))
		return -EINVAL;
	memcpy(&a, r->body, sizeof(a));
	start = le32toh(a.start);
	count = le32toh(a.count);
	data = le32toh(a.flags) & VFIO_IRQ_SET_DATA_TYPE_MASK;
	action = le32toh(a.flags) & VFIO_IRQ_SET_ACTION_TYPE_MASK;
	if (le32toh(a.index) >= VFIO_PCI_NUM_IRQS ||
	    (le32toh(a.flags) & ~(VFIO_IRQ_SET_DATA_TYPE_MASK | VFIO_IRQ_SET_ACTION_TYPE_MASK)))
		return -EINVAL;
	if (start > irq_count(s, le32toh(a.index)) || count > irq_count(s, le32toh(a.index)) - start)
		return -EINVAL;
	if (action != VFIO_IRQ_SET_ACTION_TRIGGER) {
		if (count) /* MSI-X is masked in the table only */
			return -ENOTSUP;
		vfu_reply(s, r, NULL, 0, NULL, 0);
		return 0;
	}
	switch (data) {
	case VFIO_IRQ_SET_DATA_NONE:
		if (count == 0) /* the whole index off */
			for (unsigned int v = 0; !rc && v < irq_count(s, le32toh(a.index)); v++)
				rc = s->cfg.ops->set_irq(s->cfg.arg, v, -1);
		for (uint32_t i = 0; !rc && i < count; i++)
			rc = s->cfg.ops->trigger_irq(s->cfg.arg, start + i);
		break;
	case VFIO_IRQ_SET_DATA_BOOL:
		if (r->len != sizeof(a) + count)
			return -EINVAL;
		for (uint32_t i = 0; !rc && i < count; i++)
			if (r->body[sizeof(a) + i])
				rc = s->cfg.ops->trigger_irq(s->cfg.arg, start + i);
		break;
	case VFIO_IRQ_SET_DATA_EVENTFD:
		rc = tie(s, r, start, count);
		break;
	default:
		return -EINVAL;
	}
	if (!rc)
		vfu_reply(s, r, NULL, 0, NULL, 0);
	return rc;
}

static int check_region(const struct vfu_server *s, uint32_t region, uint64_t offset, uint32_t count)
{
	if (region >= VFU_REGIONS || !count || count > VFU_MAX_XFER)
		return -EINVAL;
	if (offset > s->cfg.region_size[region] || count > s->cfg.region_size[region] - offset)
		return -EINVAL;
	return 0;
}

static int do_region_read(struct vfu_server *s, struct request *r)
{
	struct vfio_user_region_access a;
	uint8_t *buf;
	int rc;

	if (r->len != sizeof(a))
		return -EINVAL;
	memcpy(&a, r->body, sizeof(a));
	rc = check_region(s, le32toh(a.region), le64toh(a.offset), le32toh(a.count));
	if (rc)
		return rc;
	buf = malloc(le32toh(a.count));
	if (!buf)
		return -ENOMEM;
	rc = s->cfg.ops->region_read(s->cfg.arg, le32toh(a.region), le64toh(a.offset), buf, le32toh(a.count));
	if (!rc)
		vfu_reply(s, r, &a, sizeof(a), buf, le32toh(a.count));
	free(buf);
	return rc;
}

static int do_region_write(struct vfu_server *s, struct request *r)
{
	struct vfio_user_region_access a;
	int rc;

	if (r->len < sizeof(a))
		return -EINVAL;
	memcpy(&a, r->body, sizeof(a));
	rc = check_region(s, le32toh(a.region), le64toh(a.offset), le32toh(a.count));
	if (!rc && r->len != sizeof(a) + le32toh(a.count))
		rc = -EINVAL;
	if (!rc)
		rc = s->cfg.ops->region_write(s->cfg.arg, le32toh(a.region), le64toh(a.offset), r->body + sizeof(a),
					      le32toh(a.count));
	if (!rc)
		vfu_reply(s, r, &a, sizeof(a), NULL, 0);
	return rc;
}

static int do_write_multi(struct vfu_server *s, struct request *r)
{
	struct vfio_user_write_one w;
	uint64_t n, i;
	int rc = 0;

	if (r->len < sizeof(n))
		return -EINVAL;
	memcpy(&n, r->body, sizeof(n));
	n = le64toh(n);
	if (n > VFU_MAX_XFER / sizeof(w) || r->len != sizeof(n) + n * sizeof(w))
		return -EINVAL;
	for (i = 0; !rc && i < n; i++) {
		memcpy(&w, r->body + sizeof(n) + i * sizeof(w), sizeof(w));
		rc = le32toh(w.count) > sizeof(w.data)
			? -EINVAL
			: check_region(s, le32toh(w.region), le64toh(w.offset), le32toh(w.count));
		if (!rc)
			rc = s->cfg.ops->region_write(s->cfg.arg, le32toh(w.region), le64toh(w.offset), w.data,
						      le32toh(w.count));
	}
	n = htole64(n);
	if (!rc)
		vfu_reply(s, r, &n, sizeof(n), NULL, 0);
	return rc;
}

static int do_reset(struct vfu_server *s, struct request *r)
{
	int rc = s->cfg.ops->reset(s->cfg.arg);

	if (!rc)
		vfu_reply(s, r, NULL, 0, NULL, 0);
	return rc;
}

int vfu_command(struct vfu_server *s, struct request *r)
{
	static int (*const handlers[])(struct vfu_server *s, struct request *r) = {
		[VFIO_USER_VERSION] = do_version,
		[VFIO_USER_DMA_MAP] = do_dma_map,
		[VFIO_USER_DMA_UNMAP] = do_dma_unmap,
		[VFIO_USER_GET_INFO] = do_get_info,
		[VFIO_USER_GET_REGION_INFO] = do_get_region_info,
		[VFIO_USER_GET_IRQ_INFO] = do_get_irq_info,
		[VFIO_USER_SET_IRQS] = do_set_irqs,
		[VFIO_USER_REGION_READ] = do_region_read,
		[VFIO_USER_REGION_WRITE] = do_region_write,
		[VFIO_USER_RESET] = do_reset,
		[VFIO_USER_REGION_WRITE_MULTI] = do_write_multi,
	};

	if (r->h.command >= sizeof(handlers) / sizeof(handlers[0]) || !handlers[r->h.command])
		return -ENOTSUP;
	if (r->h.command != VFIO_USER_SET_IRQS && r->h.command != VFIO_USER_DMA_MAP && r->c->nfds)
		return -EINVAL;
	return handlers[r->h.command](s, r);
}
