/* SPDX-License-Identifier: Apache-2.0 */
/* The mailbox client against a firmware that answers as it should, wrongly, or not at all. */
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "cmocka_suites.h"
#include "fake_function.h"
#include "vhost_pci.h"
#include "vhp_mbox_client.h"
#include "vhp_mgmt_regs.h"

static char err[512];

enum {
	REPLY_FINE,
	REPLY_NEVER,
	REPLY_OP,
	REPLY_SEQ,
	REPLY_LENGTH,
	REPLY_STATUS
};

/* The firmware: adds 1 to every byte of the request. */
static void firmware(struct fake *f, uint64_t offset)
{
	struct vhp_mbox_hdr h;
	uint8_t *reply = f->bar + offsetof(vhp_mgmt_t, mbox_reply);
	const uint8_t *request = f->bar + offsetof(vhp_mgmt_t, mbox_request);

	if (offset == offsetof(vhp_mgmt_t, event_ack))
		put32(f->bar + offsetof(vhp_mgmt_t, event), 0);
	if (offset != offsetof(vhp_mgmt_t, mbox) || f->reply_error == REPLY_NEVER)
		return;
	memcpy(&h, request, sizeof(h));
	for (uint32_t i = 0; i < h.length; i++)
		reply[sizeof(h) + i] = request[sizeof(h) + i] + 1;
	h.op ^= f->reply_error == REPLY_OP;
	h.seq ^= f->reply_error == REPLY_SEQ;
	if (f->reply_error == REPLY_LENGTH)
		h.length = VHP_MBOX_SIZE;
	if (f->reply_error == REPLY_STATUS) {
		h.status = VHP_ST_BAD_ARGUMENT;
		h.detail = 12;
	}
	memcpy(reply, &h, sizeof(h));
	put32(f->bar + offsetof(vhp_mgmt_t, mbox), 0);
}

static void good_card(void)
{
	good_function();
	fake.dev.info.vendor = VHP_PEER_PCI_VENDOR;
	fake.dev.info.device = VHP_PEER_PCI_DEVICE;
	memset(fake.bar, 0, sizeof(fake.bar));
	put32(fake.bar + offsetof(vhp_mgmt_t, id), VHP_MGMT__ID__VALUE_reset);
	put32(fake.bar + offsetof(vhp_mgmt_t, version), 1 << 16);
	put32(fake.bar + offsetof(vhp_mgmt_t, fw_status), 1);
	fake.on_write = firmware;
}

static void mailbox_open(void **state)
{
	struct vhp_mbox m;

	(void)state;
	good_card();
	fake.dev.info.device = 0x107f;
	assert_int_equal(vhp_mbox_open(&m, &fake.dev, 10, err, sizeof(err)), -ENODEV);
	good_card();
	put32(fake.bar + offsetof(vhp_mgmt_t, version), 2 << 16);
	assert_int_equal(vhp_mbox_open(&m, &fake.dev, 10, err, sizeof(err)), -EPROTO);
	assert_non_null(strstr(err, "version 2.0"));
	good_card();
	put32(fake.bar + offsetof(vhp_mgmt_t, fw_status), 0);
	assert_int_equal(vhp_mbox_open(&m, &fake.dev, 10, err, sizeof(err)), -ETIMEDOUT);
	put32(fake.bar + offsetof(vhp_mgmt_t, fw_status), 2);
	assert_int_equal(vhp_mbox_open(&m, &fake.dev, 10, err, sizeof(err)), -EIO);
}

static void mailbox_call(void **state)
{
	uint8_t request[VHP_MBOX_SIZE], reply[VHP_MBOX_SIZE];
	struct vhp_mbox m;

	(void)state;
	good_card();
	assert_int_equal(vhp_mbox_open(&m, &fake.dev, 10, err, sizeof(err)), 0);
	for (unsigned int i = 0; i < sizeof(request); i++)
		request[i] = (uint8_t)(i * 3);
	for (size_t len = 0; len <= VHP_MBOX_SIZE - sizeof(struct vhp_mbox_hdr); len += 21) {
		memset(reply, 0xaa, sizeof(reply));
		assert_int_equal(vhp_mbox_call(&m, 5, 1, request, len, reply, len + 3, 1000), 0);
		for (size_t i = 0; i < len; i++)
			assert_int_equal(reply[i], (uint8_t)(request[i] + 1));
		assert_memory_equal(reply + len, "\0\0\0\xaa",
				    4); /* what the reply lacks is zero, nothing beyond is touched */
	}
	assert_int_equal(vhp_mbox_call(&m, 5, 1, request, 40, reply, 8, 1000), 0); /* a longer reply is cut off */
	assert_int_equal(vhp_mbox_call(&m, 5, 1, request, VHP_MBOX_SIZE, reply, 0, 1000), -EMSGSIZE);
	fake.reply_error = REPLY_STATUS;
	assert_int_equal(vhp_mbox_call(&m, 5, 1, request, 4, reply, 4, 1000), VHP_ST_BAD_ARGUMENT);
	assert_int_equal(m.detail, 12);
	for (fake.reply_error = REPLY_OP; fake.reply_error <= REPLY_LENGTH; fake.reply_error++)
		assert_int_equal(vhp_mbox_call(&m, 5, 1, request, 4, reply, 4, 1000), -EPROTO);
	fake.reply_error = REPLY_NEVER;
	assert_int_equal(vhp_mbox_call(&m, 5, 1, request, 4, reply, 4, 5), -ETIMEDOUT);
	assert_int_equal(vhp_mbox_call(&m, 5, 1, request, 4, reply, 4, 5), -EBUSY);
	put32(fake.bar + offsetof(vhp_mgmt_t, mbox), 0);
	fake.reply_error = REPLY_FINE;
	assert_int_equal(vhp_mbox_call(&m, 5, 1, NULL, 0, NULL, 0, 1000), 0);
	vhp_mbox_close(&m);
}

static void mailbox_events(void **state)
{
	struct vhp_mbox_event e;
	struct vhp_mbox m;

	(void)state;
	good_card();
	assert_int_equal(vhp_mbox_open(&m, &fake.dev, 10, err, sizeof(err)), 0);
	assert_int_equal(vhp_mbox_event(&m, &e), 0);
	put32(fake.bar + offsetof(vhp_mgmt_t, event), VHP_EVENT_LANE_STOPPED | 1 << 8 | 0x0703u << 16);
	assert_int_equal(vhp_mbox_event(&m, &e), 1);
	assert_int_equal(e.type, VHP_EVENT_LANE_STOPPED);
	assert_int_equal(e.port, 1);
	assert_int_equal(e.arg, 0x0703);
	assert_int_equal(vhp_mbox_event(&m, &e), 0);
	vhp_mbox_close(&m);
}

void run_mailbox_tests(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mailbox_open),
		cmocka_unit_test(mailbox_call),
		cmocka_unit_test(mailbox_events),
	};

	RUN_SUITE("mailbox", tests);
}
