/* SPDX-License-Identifier: Apache-2.0 */
#include "vhp_mbox_client.h"

#include <endian.h>
#include <errno.h>
#include <string.h>
#include <time.h>

#include "vhost_pci.h"
#include "vhp_access_impl.h"
#include "vhp_mgmt_regs.h"

#define BAR 0u
#define REG(name) offsetof(vhp_mgmt_t, name)
#define FIELD(value, name) (((value) & VHP_MGMT__##name##_bm) >> VHP_MGMT__##name##_bp)

#define KNOWN_MAJOR 1u
#define FW_BOOTING 0u
#define FW_RUNNING 1u

/* Poll quickly while the firmware is likely just answering, then give the processor away. */
#define FIRST_PAUSE_NS 20000
#define LAST_PAUSE_NS 2000000

_Static_assert(sizeof(((vhp_mgmt_t *)0)->mbox_request) == VHP_MBOX_SIZE, "mailbox buffer");

struct wait {
	struct timespec end;
	long pause;
};

static struct wait wait_for(unsigned int ms)
{
	struct wait w = { .pause = FIRST_PAUSE_NS };

	clock_gettime(CLOCK_MONOTONIC, &w.end);
	w.end.tv_sec += ms / 1000;
	w.end.tv_nsec += (long)(ms % 1000) * 1000000;
	if (w.end.tv_nsec >= 1000000000) {
		w.end.tv_sec++;
		w.end.tv_nsec -= 1000000000;
	}
	return w;
}

/* False once the time is over; the caller looks one last time after that. */
static bool wait_more(struct wait *w)
{
	struct timespec now, pause = { .tv_nsec = w->pause };

	clock_gettime(CLOCK_MONOTONIC, &now);
	if (now.tv_sec > w->end.tv_sec || (now.tv_sec == w->end.tv_sec && now.tv_nsec >= w->end.tv_nsec))
		return false;
	nanosleep(&pause, NULL);
	if (w->pause < LAST_PAUSE_NS)
		w->pause *= 2;
	return true;
}

static int read_reg(struct vhp_mbox *m, uint64_t offset, uint32_t *value)
{
	uint64_t v;
	int rc = vhp_dev_read(m->dev, BAR, offset, 4, &v);

	*value = (uint32_t)v;
	return rc;
}

int vhp_mbox_open(struct vhp_mbox *m, struct vhp_dev *dev, unsigned int timeout_ms, char *err, size_t errlen)
{
	const struct vhp_dev_info *info = vhp_dev_info(dev);
	struct wait w = wait_for(timeout_ms);
	uint32_t id = 0, version = 0, fw = 0;
	int rc;

	*m = (struct vhp_mbox){ .dev = dev };
	if (info->vendor != VHP_PEER_PCI_VENDOR || info->device != VHP_PEER_PCI_DEVICE)
		return vhp_fail(err, errlen, -ENODEV, "%s: %04x:%04x is not function 0 of the card", info->name,
				info->vendor, info->device);
	rc = read_reg(m, REG(id), &id);
	if (rc == 0)
		rc = read_reg(m, REG(version), &version);
	if (rc < 0)
		return vhp_fail(err, errlen, rc, "%s: cannot read the registers: %s", info->name, strerror(-rc));
	if (id != VHP_MGMT__ID__VALUE_reset || FIELD(version, VERSION__MAJOR) != KNOWN_MAJOR)
		return vhp_fail(err, errlen, -EPROTO,
				"%s: register map id 0x%08x version %u.%u; this driver knows id 0x%08x version %u",
				info->name, id, FIELD(version, VERSION__MAJOR), FIELD(version, VERSION__MINOR),
				VHP_MGMT__ID__VALUE_reset, KNOWN_MAJOR);
	for (;;) {
		bool last = !wait_more(&w);

		rc = read_reg(m, REG(fw_status), &fw);
		if (rc < 0)
			return vhp_fail(err, errlen, rc, "%s: cannot read the registers: %s", info->name,
					strerror(-rc));
		if (FIELD(fw, FW_STATUS__STATE) == FW_RUNNING)
			break;
		if (FIELD(fw, FW_STATUS__STATE) != FW_BOOTING)
			return vhp_fail(err, errlen, -EIO,
					"%s: the firmware stopped with a fatal error (status 0x%08x)", info->name, fw);
		if (last)
			return vhp_fail(err, errlen, -ETIMEDOUT, "%s: the firmware is still booting after %u ms",
					info->name, timeout_ms);
	}
	pthread_mutex_init(&m->lock, NULL);
	return 0;
}

void vhp_mbox_close(struct vhp_mbox *m)
{
	pthread_mutex_destroy(&m->lock);
}

static int call(struct vhp_mbox *m, struct vhp_mbox_hdr *h, const void *req, size_t len, void *reply, size_t replylen,
		unsigned int timeout_ms)
{
	union {
		struct vhp_mbox_hdr hdr;
		uint8_t bytes[VHP_MBOX_SIZE];
	} buffer = { 0 };
	struct wait w = wait_for(timeout_ms);
	uint32_t busy = 0, length;
	int rc;

	rc = read_reg(m, REG(mbox), &busy);
	if (rc < 0)
		return rc;
	if (busy & VHP_MGMT__MBOX__BUSY_bm)
		return -EBUSY;

	buffer.hdr = (struct vhp_mbox_hdr){
		.op = htole16(h->op),
		.port = htole16(h->port),
		.length = htole32((uint32_t)len),
		.seq = htole32(h->seq),
	};
	if (len > 0)
		memcpy(buffer.bytes + sizeof(buffer.hdr), req, len);
	rc = vhp_dev_write_buf(m->dev, BAR, REG(mbox_request), &buffer, (sizeof(buffer.hdr) + len + 3) & ~(size_t)3);
	if (rc == 0)
		rc = vhp_dev_write(m->dev, BAR, REG(mbox), 4, VHP_MGMT__MBOX__BUSY_bm);
	if (rc < 0)
		return rc;
	for (;;) {
		bool last = !wait_more(&w);

		rc = read_reg(m, REG(mbox), &busy);
		if (rc < 0)
			return rc;
		if (!(busy & VHP_MGMT__MBOX__BUSY_bm))
			break;
		if (last)
			return -ETIMEDOUT;
	}

	rc = vhp_dev_read_buf(m->dev, BAR, REG(mbox_reply), &buffer, sizeof(buffer.hdr));
	if (rc < 0)
		return rc;
	length = le32toh(buffer.hdr.length);
	if (le16toh(buffer.hdr.op) != h->op || le16toh(buffer.hdr.port) != h->port ||
	    le32toh(buffer.hdr.seq) != h->seq || length > VHP_MBOX_SIZE - sizeof(buffer.hdr))
		return -EPROTO;
	h->status = le16toh(buffer.hdr.status);
	h->detail = le16toh(buffer.hdr.detail);
	if (replylen > 0)
		memset(reply, 0, replylen);
	if (length > replylen)
		length = (uint32_t)replylen;
	if (length > 0) {
		rc = vhp_dev_read_buf(m->dev, BAR, REG(mbox_reply) + sizeof(buffer.hdr),
				      buffer.bytes + sizeof(buffer.hdr), (length + 3u) & ~3u);
		if (rc < 0)
			return rc;
		memcpy(reply, buffer.bytes + sizeof(buffer.hdr), length);
	}
	return 0;
}

int vhp_mbox_call(struct vhp_mbox *m, uint16_t op, uint16_t port, const void *req, size_t len, void *reply,
		  size_t replylen, unsigned int timeout_ms)
{
	struct vhp_mbox_hdr h = { .op = op, .port = port };
	int rc;

	if (len > VHP_MBOX_SIZE - sizeof(h))
		return -EMSGSIZE;
	pthread_mutex_lock(&m->lock);
	h.seq = ++m->seq;
	rc = call(m, &h, req, len, reply, replylen, timeout_ms);
	if (rc == 0 && h.status != VHP_ST_OK) {
		m->detail = h.detail;
		rc = h.status;
	}
	pthread_mutex_unlock(&m->lock);
	return rc;
}

int vhp_mbox_event(struct vhp_mbox *m, struct vhp_mbox_event *event)
{
	uint32_t value = 0;
	int rc;

	pthread_mutex_lock(&m->lock);
	rc = read_reg(m, REG(event), &value);
	if (rc == 0 && FIELD(value, EVENT__EVENT_TYPE) != 0) {
		*event = (struct vhp_mbox_event){
			.type = (uint8_t)FIELD(value, EVENT__EVENT_TYPE),
			.port = (uint8_t)FIELD(value, EVENT__PORT),
			.arg = (uint16_t)FIELD(value, EVENT__ARG),
		};
		rc = vhp_dev_write(m->dev, BAR, REG(event_ack), 4, VHP_MGMT__EVENT_ACK__ACK_bm);
		if (rc == 0)
			rc = 1;
	}
	pthread_mutex_unlock(&m->lock);
	return rc;
}

const char *vhp_mbox_strstatus(int status)
{
	static const char *const names[] = {
		[VHP_ST_OK] = "ok",
		[VHP_ST_UNKNOWN_OP] = "unknown request",
		[VHP_ST_BAD_LENGTH] = "wrong length",
		[VHP_ST_BAD_PORT] = "no such port",
		[VHP_ST_BAD_ARGUMENT] = "bad argument",
		[VHP_ST_WRONG_STATE] = "not possible in this state",
		[VHP_ST_NOT_MAPPED] = "ring outside the memory regions",
		[VHP_ST_TIMEOUT] = "done by force after the time limit",
		[VHP_ST_NO_SPACE] = "the memory regions do not fit the aperture",
	};

	if (status < 0)
		return strerror(-status);
	return (size_t)status < sizeof(names) / sizeof(names[0]) ? names[status] : "unknown status";
}
