/* SPDX-License-Identifier: Apache-2.0 */
/* Device arguments and names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "vdpa_args.h"
#include "vdpa_names.h"

#define ALLOWED(text, args) assert_int_equal(vdpa_args_parse(text, true, args, NULL, 0), 0)

static void one_port(void **state)
{
	struct vdpa_args a;

	(void)state;
	ALLOWED("socket=/s,iface=/i,mac=02:00:00:AB:cd:ef,uuid=00112233-4455-6677-8899-AABBccddeeff,queues=2,"
		"pv_interrupt=1,gsi=24,mtu=9000,connect_timeout=100,vhost_pci_id=0xffffffffffffffff,client=1",
		&a);
	assert_int_equal(a.num_ports, 1);
	assert_string_equal(a.socket, "/s");
	assert_string_equal(a.port[0].iface, "/i");
	assert_memory_equal(a.port[0].mac, "\x02\0\0\xab\xcd\xef", 6);
	assert_true(a.port[0].uuid_hi == 0x0011223344556677ull && a.port[0].uuid_lo == 0x8899aabbccddeeffull);
	assert_true(a.port[0].client && a.port[0].pv_interrupt && a.port[0].has_gsi && a.port[0].has_mac);
	assert_int_equal(a.port[0].pairs, 2);
	assert_int_equal(a.port[0].gsi, 24);
	assert_int_equal(a.port[0].mtu, 9000);
	assert_int_equal(a.port[0].connect_timeout_ms, 100);
	assert_true(a.port[0].vhost_pci_id == UINT64_MAX);
}

static void several_ports(void **state)
{
	struct vdpa_args a;

	(void)state;
	ALLOWED("socket=/s,iface0=/a,iface2=/b,mtu=1400,mtu2=9000,client=1,client0=0", &a);
	assert_int_equal(a.num_ports, 2);
	assert_true(a.port[0].used && !a.port[1].used && a.port[2].used);
	assert_int_equal(a.port[0].mtu, 1400);
	assert_int_equal(a.port[2].mtu, 9000);
	assert_true(!a.port[0].client && a.port[2].client);

	ALLOWED("socket=/s,port=3,iface=/a", &a);
	assert_true(a.port[3].used && a.num_ports == 1);
	ALLOWED("socket=/s,port=1,iface0=/a", &a); /* port 1 is the application's */
	assert_true(a.port[0].used && a.port[1].used && !a.port[1].iface[0]);
	ALLOWED("socket=/s", &a);
	assert_true(a.port[0].used && a.num_ports == 1 && !a.port[0].iface[0]);
}

/* Every refusal names the argument. */
static void refusals(void **state)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
		{ "", "socket= is missing" },
		{ "iface=/a", "socket= is missing" },
		{ "socket=", "want a socket path" },
		{ "socket=/s,socket=/t", "given twice" },
		{ "socket=/s,bar=1", "unknown argument bar" },
		{ "socket=/s,iface8=/a", "unknown argument iface8" },
		{ "socket=/s,iface12=/a", "unknown argument iface12" },
		{ "socket=/s,iface=/a,iface=/b", "given twice" },
		{ "socket=/s,iface=/a,iface0=/b", "already names" },
		{ "socket=/s,iface0=/a,iface1=/a", "are the same socket" },
		{ "socket=/s,mac1=02:00:00:00:00:01,iface0=/a", "no iface1=" },
		{ "socket=/s,mac=1:2:3:4:5:6", "mac=1:2:3:4:5:6" },
		{ "socket=/s,mac=02:00:00:00:00:01x", "want a MAC" },
		{ "socket=/s,mac=03:00:00:00:00:01", "multicast" },
		{ "socket=/s,uuid=0011", "want a UUID" },
		{ "socket=/s,uuid=00112233-4455-6677-8899-aabbccddeef", "want a UUID" },
		{ "socket=/s,uuid=00112233-4455-6677-8899-aabbccddeeff0", "want a UUID" },
		{ "socket=/s,uuid=0011223344556677-8899-aabbccddeeff----", "want a UUID" },
		{ "socket=/s,queues=0", "from 1 to 4" },
		{ "socket=/s,queues=5", "from 1 to 4" },
		{ "socket=/s,queues=-1", "from 1 to 4" },
		{ "socket=/s,queues= 1", "from 1 to 4" },
		{ "socket=/s,queues=1k", "from 1 to 4" },
		{ "socket=/s,queues", "from 1 to 4" },
		{ "socket=/s,client=2", "want 0 or 1" },
		{ "socket=/s,pv_interrupt=yes", "want 0 or 1" },
		{ "socket=/s,mtu=67", "from 68 to 65535" },
		{ "socket=/s,mtu=65536", "from 68 to 65535" },
		{ "socket=/s,port=8", "from 0 to 7" },
		{ "socket=/s,vhost_pci_id=0x10000000000000000", "from 0 to" },
		{ "socket=/s,connect_timeout=0", "from 1 to" },
	};
	char path[256] = "socket=/s,iface=/", err[512];
	struct vdpa_args a;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		err[0] = '\0';
		assert_int_not_equal(vdpa_args_parse(cases[i].text, true, &a, err, sizeof(err)), 0);
		if (!strstr(err, cases[i].says))
			fail_msg("\"%s\" is refused with \"%s\", not \"%s\"", cases[i].text, err, cases[i].says);
	}
	memset(path + strlen(path), 'x', 120);
	assert_int_not_equal(vdpa_args_parse(path, true, &a, err, sizeof(err)), 0);
	assert_non_null(strstr(err, "at most 107 characters"));
	assert_int_not_equal(vdpa_args_parse("socket=/s,iface=/a", false, &a, err, sizeof(err)), 0);
	assert_non_null(strstr(err, "only for a simulated card"));
	assert_int_equal(vdpa_args_parse("iface=/a", false, &a, err, sizeof(err)), 0);
	assert_int_equal(vdpa_args_parse(NULL, false, &a, err, sizeof(err)), 0);
}

static void numberings(void **state)
{
	char text[64];

	(void)state;
	assert_true(vdpa_peer_bits(1ull << 26 | 1 << 15 | 1ull << 32) == (1ull << 27 | 1 << 15));
	assert_true(vdpa_peer_bits(1ull << 27) == 0); /* ANY_LAYOUT is no peer feature bit */
	assert_true(vdpa_peer_bits_to_vhost(1ull << 27 | 1 << 7) == (1ull << 26 | 1 << 7));
	vdpa_feature_names(1ull << 32 | 1 << 15 | 1ull << 63, VDPA_BITS_VHOST_NET, text, sizeof(text));
	assert_string_equal(text, "MRG_RXBUF, VERSION_1, bit 63");
	vdpa_feature_names(0, VDPA_BITS_PEER, text, sizeof(text));
	assert_string_equal(text, "none");
	vdpa_feature_names(UINT64_MAX, VDPA_BITS_VHOST_NET, text, sizeof(text)); /* cut off, not beyond */
	assert_int_equal(strlen(text), sizeof(text) - 1);
	assert_string_equal(vdpa_bit_name(VDPA_BITS_DEVICE, 33), "PV_INTERRUPT");
	assert_string_equal(vdpa_bit_name(VDPA_BITS_VHOST_NET, 33), "IOMMU_PLATFORM");
	assert_null(vdpa_bit_name(VDPA_BITS_PEER, 64));
	assert_string_equal(vdpa_stop_reason(255), "unknown reason");
	assert_string_equal(vdpa_port_state(99), "unknown state");
	assert_string_equal(vdpa_port_error(99), "unknown error");
}

/* vhp_pkg::stop_reason_e is the list; ours must be as long, and its landmarks at the same places. */
static void stop_reasons(void **state)
{
	FILE *f = fopen("rtl/lib/vhp_pkg.sv", "r");
	unsigned int value, last = 0;
	char line[512], name[64];

	(void)state;
	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, " Stop%63[A-Za-z] = 8'd%u", name, &value) != 2)
			continue;
		last = value;
		assert_string_not_equal(vdpa_stop_reason(value), "unknown reason");
		if (!strcmp(name, "Region"))
			assert_non_null(strstr(vdpa_stop_reason(value), "outside the memory regions"));
		if (!strcmp(name, "ReadTimeout"))
			assert_non_null(strstr(vdpa_stop_reason(value), "timed out"));
	}
	fclose(f);
	assert_true(last > 0);
	assert_string_equal(vdpa_stop_reason(last + 1), "unknown reason");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_port),   cmocka_unit_test(several_ports), cmocka_unit_test(refusals),
		cmocka_unit_test(numberings), cmocka_unit_test(stop_reasons),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL), all = (int)(sizeof(tests) / sizeof(tests[0]));

	printf("%d passed, %d failed\n", all - failed, failed);
	return failed != 0;
}
