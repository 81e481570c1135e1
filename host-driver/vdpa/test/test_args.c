/* SPDX-License-Identifier: Apache-2.0 */
/* Device arguments, names, entries of the dirty page log. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "vdpa_args.h"
#include "vdpa_dirty.h"
#include "vdpa_names.h"

static void ids(void **state)
{
	struct vdpa_args a, b;
	char text[128], err[128];

	(void)state;
	vdpa_args_parse("socket=/s,iface0=/a,iface1=/b", true, &a, NULL, 0);
	b = a;
	assert_int_equal(vdpa_args_ids(&a, "/run/fn0.sock", err, sizeof(err)), 0);
	assert_int_equal(vdpa_args_ids(&b, "/run/fn0.sock", err, sizeof(err)), 0);
	assert_memory_equal(&a, &b, sizeof(a));
	assert_true(a.port[0].vhost_pci_id != a.port[1].vhost_pci_id);
	vdpa_args_parse("iface=/a", false, &b, NULL, 0);
	assert_int_equal(vdpa_args_ids(&b, "0000:03:00.0", err, sizeof(err)), 0);
	assert_true(a.port[0].vhost_pci_id != b.port[0].vhost_pci_id);
	/* One that is given, and is another port's default. */
	snprintf(text, sizeof(text), "socket=/s,iface0=/a,iface1=/b,vhost_pci_id1=0x%llx",
		 (unsigned long long)a.port[0].vhost_pci_id);
	assert_int_equal(vdpa_args_parse(text, true, &b, NULL, 0), 0);
	assert_int_equal(vdpa_args_ids(&b, "/run/fn0.sock", err, sizeof(err)), -EINVAL);
	assert_non_null(strstr(err, "vhost_pci_id1=0x"));
	assert_non_null(strstr(err, "is what port 0 has"));
	assert_int_equal(vdpa_args_ids(&b, "/run/card2/fn0.sock", err, sizeof(err)), 0);
	assert_true(b.port[1].vhost_pci_id == a.port[0].vhost_pci_id);
}

#define ALLOWED(text, args) assert_int_equal(vdpa_args_parse(text, true, args, NULL, 0), 0)

static void one_port(void **state)
{
	struct vdpa_args a;

	(void)state;
	ALLOWED("socket=/s,iface=/i,mac=02:00:00:AB:cd:ef,uuid=00112233-4455-6677-8899-AABBccddeeff,queues=2,"
		"pv_interrupt=1,aperture=on,offloads=on,renegotiate=1,gsi=24,mtu=9000,connect_timeout=100,vhost_pci_id=0xffffffffffffffff,client=1",
		&a);
	assert_int_equal(a.num_ports, 1);
	assert_string_equal(a.socket, "/s");
	assert_string_equal(a.port[0].iface, "/i");
	assert_memory_equal(a.port[0].mac, "\x02\0\0\xab\xcd\xef", 6);
	assert_true(a.port[0].uuid_hi == 0x0011223344556677ull && a.port[0].uuid_lo == 0x8899aabbccddeeffull);
	assert_true(a.port[0].client && a.port[0].pv_interrupt && a.port[0].has_mac && a.port[0].has_id);
	assert_true(a.port[0].aperture && a.port[0].renegotiate && a.port[0].offloads);
	assert_int_equal(a.port[0].pairs, 2);
	assert_int_equal(a.port[0].num_gsi, 1);
	assert_int_equal(a.port[0].gsi[0], 24);
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
	ALLOWED("socket=/s,iface0=/a,gsi0=24:0x1a:28:30", &a);
	assert_true(a.port[0].num_gsi == 4 && a.port[0].gsi[1] == 26 && a.port[0].gsi[3] == 30);
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
		{ "socket=/s,pv_interrupt=maybe", "want 0 or 1" },
		{ "socket=/s,aperture=", "aperture=: want 0 or 1" },
		{ "socket=/s,gsi=24:", "like 24:26:28" },
		{ "socket=/s,gsi=1:2:3:4:5", "up to 4 of them" },
		{ "socket=/s,gsi=4294967295", "from 0 to 4294967280" },
		{ "socket=/s,mac=00:00:00:00:00:00", "cannot have the address 0" },
		{ "socket=/s,iface0=/a,vhost_pci_id0=7,iface1=/b,vhost_pci_id1=7", "each port needs its own" },
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
	assert_true(vdpa_peer_bits(0xff83) == 0xff83 && vdpa_peer_bits_to_vhost(0xff83) == 0xff83);
	/* Segmentation without checksums, ECN without TSO: not offered, and not told. */
	assert_true(vdpa_usable_offloads(1ull << 32 | 0xff83) == (1ull << 32 | 0xff83));
	assert_true(vdpa_usable_offloads(0xff82) == 0x8782);
	assert_true(vdpa_usable_offloads(0xff81) == 0xf801);
	assert_true(vdpa_usable_offloads(0xe403) == 0xc403);
	assert_true(vdpa_usable_offloads(0x5603) == 0x5403);
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

/* The same checks serve the programs' options: the sentence names the option. */
static void single_values(void **state)
{
	char err[128];

	(void)state;
	assert_int_equal(vdpa_args_check("mac", "--mac", "02:00:00:00:00:01", err, sizeof(err)), 0);
	assert_int_not_equal(vdpa_args_check("mac", "--mac", "1", err, sizeof(err)), 0);
	assert_string_equal(err, "--mac 1: want a MAC address like 02:56:48:50:00:01");
	assert_int_not_equal(vdpa_args_check("iface", "--iface", "a,b", err, sizeof(err)), 0);
	assert_string_equal(err, "--iface a,b: a comma cannot be part of it");
	assert_int_not_equal(vdpa_args_check("mac1", "--mac", "02:00:00:00:00:01", err, sizeof(err)), 0);
	assert_int_not_equal(vdpa_args_check("nothing", "--nothing", "1", err, sizeof(err)), 0);
}

/* ------------------------------------------------------------------------------------------------------ dirty pages */

#define RING_LOG2 6u
static uint64_t ring[1 << RING_LOG2];
static const struct vdpa_dirty_region low[] = { { 0, 0x8000, 0x100000000ull }, { 0x100000000ull, 0x4000, 0x8000 } };
static const struct vdpa_dirty_region same[] = { { 0, 0x8000, 0x200000000ull } };
static struct vdpa_dirty_port ports[3];
static struct {
	unsigned int count, port[256];
	uint64_t gpa[256];
} marked;

static void mark(void *arg, unsigned int port, uint64_t gpa)
{
	assert_ptr_equal(arg, &marked);
	assert_true(marked.count < 256);
	marked.port[marked.count] = port;
	marked.gpa[marked.count++] = gpa;
}

static int fresh(void **state)
{
	(void)state;
	memset(ring, 0, sizeof(ring));
	memset(&marked, 0, sizeof(marked));
	ports[0] = (struct vdpa_dirty_port){ true, 2, low };
	ports[1] = (struct vdpa_dirty_port){ true, 1, same };
	ports[2] = (struct vdpa_dirty_port){ false, 0, NULL };
	return 0;
}

static struct vdpa_dirty_taken take(uint32_t tail, uint32_t head)
{
	return vdpa_dirty_take(ring, RING_LOG2, tail, head, ports, 3, mark, &marked);
}

/* Entry: bits 63:12 of the IOVA, port + 1; every port by its own regions; entries are cleared. */
static void dirty_pages(void **state)
{
	struct vdpa_dirty_taken t;

	(void)state;
	ring[0] = 0x100003000ull | 1;
	ring[1] = 0xb000 | 1;
	ring[2] = 0x200007000ull | 2;
	ring[3] = 0x5000 | 3; /* does not log: nobody's business */
	t = take(0, 4);
	assert_true(t.entries == 4 && t.bad == 0 && t.lost == 0 && marked.count == 3);
	assert_true(marked.gpa[0] == 0x3000 && marked.gpa[1] == 0x100003000ull && marked.gpa[2] == 0x7000);
	assert_true(marked.port[1] == 0 && marked.port[2] == 1);
	for (unsigned int i = 0; i < 4; i++)
		assert_true(ring[i] == 0);
	t = take(4, 4);
	assert_true(t.entries == 0 && t.lost == 0);
}

/* Free running indices wrap with the ring and at 2^32; a full ring is taken whole. */
static void dirty_wraps(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 1 << RING_LOG2; i++)
		ring[i] = 0x200000000ull | (uint64_t)(i % 8) << 12 | 2;
	assert_true(take(0xfffffff0u, 0x30).entries == 64);
	assert_int_equal(marked.count, 64);
	assert_true(marked.gpa[0] == 0x0000 && marked.gpa[1] == 0x1000);
}

/* Whatever is not an entry stands for a page that is not known: all pages of the ports in question. */
static void dirty_nonsense(void **state)
{
	static const struct {
		uint64_t entry;
		uint32_t lost;
	} cases[] = {
		{ 0, 3 },			  /* not written */
		{ 0x100000000ull, 3 },		  /* no port */
		{ 0x100000000ull | 4, 3 },	  /* no such port */
		{ 0x100000000ull | 0x10 | 1, 3 }, /* reserved bits */
		{ 0x100008000ull | 1, 1 },	  /* behind a region */
		{ 0x300000000ull | 2, 2 },	  /* in none */
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct vdpa_dirty_taken t;

		fresh(state);
		ring[0] = cases[i].entry;
		ring[1] = 0x100000000ull | 1;
		t = take(0, 2);
		assert_true(t.entries == 2 && t.bad == 1 && t.lost == cases[i].lost && marked.count == 1);
	}
	fresh(state);
	assert_true(take(0, 65).lost == 3); /* more than the ring holds */
	assert_true(take(1, 0).lost == 3);
	assert_int_equal(marked.count, 0);
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
		cmocka_unit_test(one_port),
		cmocka_unit_test(ids),
		cmocka_unit_test(several_ports),
		cmocka_unit_test(refusals),
		cmocka_unit_test(single_values),
		cmocka_unit_test(numberings),
		cmocka_unit_test(stop_reasons),
		cmocka_unit_test_setup(dirty_pages, fresh),
		cmocka_unit_test_setup(dirty_wraps, fresh),
		cmocka_unit_test_setup(dirty_nonsense, fresh),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL), all = (int)(sizeof(tests) / sizeof(tests[0]));

	printf("%d passed, %d failed\n", all - failed, failed);
	return failed != 0;
}
