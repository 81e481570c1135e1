/* SPDX-License-Identifier: Apache-2.0 */
#include "mock_card.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "vhp_boot_regs.h"
#include "vhp_spi_regs.h"

#define SPI(reg) ((uint32_t)offsetof(vhp_spi_t, reg))
#define BOOT(reg) (0x1000u + (uint32_t)offsetof(vhp_boot_t, reg))
#define SPEED_UP 1000000u
#define HALF 1u

static uint8_t clocks(struct mock_card *m, unsigned int chip, bool sck, bool cs_n, uint8_t out, uint8_t tri,
		      unsigned int count)
{
	uint8_t in = 0xf;

	while (count--)
		in = nor_cycle(m->nor[chip], sck, cs_n, out, tri);
	return in;
}

static bool changes(const struct mock_card *m)
{
	return m->index >= 5 && (m->opcode == 0x34 || m->opcode == 0x12 || m->opcode == 0x21 || m->opcode == 0xdc);
}

static void select_chips(struct mock_card *m, uint32_t ssr)
{
	for (unsigned int i = 0; i < m->chips; i++) {
		bool rises = ssr >> i & 1, cut;

		if (!((m->ssr ^ ssr) & 1u << i))
			continue;
		cut = rises && changes(m) && ++m->changes == m->cut_at;
		if (cut)
			m->writes_left = 0;
		if (!cut || m->cut != MOCK_BEFORE)
			clocks(m, i, false, rises, 0xf, 0xf, 4);
		if (cut && m->cut == MOCK_AFTER)
			nor_settle(m->nor[i]);
	}
	if ((m->ssr ^ ssr) & 3)
		m->index = 0;
	m->ssr = ssr;
}

/* Where four lanes begin, as the core decodes it from the opcode. */
static bool quad(uint8_t opcode, unsigned int index)
{
	return (opcode == 0x34 && index >= 5) || (opcode == 0x6c && index >= 6);
}

static uint8_t shift_byte(struct mock_card *m, uint8_t byte)
{
	uint8_t back = 0xff, opcode = m->index == 0 ? byte : m->opcode;
	bool wide = quad(opcode, m->index), dummy = opcode == 0x6c && m->index == 5, reading = opcode == 0x6c;

	m->opcode = opcode;
	m->index++;
	for (unsigned int c = 0; c < m->chips; c++) {
		uint8_t got = 0, tri = dummy || (wide && reading) ? 0xf : wide ? 0x0 : 0x2;

		if (m->ssr >> c & 1)
			continue;
		for (int at = wide ? 4 : 7; at >= 0; at -= wide ? 4 : 1) {
			uint8_t out = wide ? byte >> at & 0xf : (uint8_t)((byte >> at & 1) | 0xc);
			uint8_t in = clocks(m, c, false, false, out, tri, HALF);

			clocks(m, c, true, false, out, tri, HALF);
			got = wide ? (uint8_t)(got << 4 | (in & 0xf)) : (uint8_t)(got << 1 | (in >> 1 & 1));
		}
		clocks(m, c, false, false, 0xf, tri, 1);
		back = got;
	}
	/* A chip that never ends what it does. */
	return m->never_ready && opcode == 0x05 && m->index > 1 ? back | 1 : back;
}

static void run(struct mock_card *m)
{
	if (m->never_empty || !(m->cr & VHP_SPI__CR__SPE_bm) || !(m->cr & VHP_SPI__CR__MASTER_bm) ||
	    m->cr & VHP_SPI__CR__INHIBIT_bm)
		return;
	for (unsigned int i = 0; i < m->tx_level; i++) {
		uint8_t back = shift_byte(m, m->tx[i]);

		if (m->rx_level == m->depth)
			m->overruns++;
		else
			m->rx[m->rx_level++] = back;
	}
	m->tx_level = 0;
}

static uint32_t boot_read(const struct mock_card *m, uint32_t offset)
{
	static const char name[16] = "sim";
	uint32_t word = 0;

	if (offset >= BOOT(board) && offset < BOOT(board) + sizeof(name)) {
		memcpy(&word, name + (offset - BOOT(board)), 4);
		return word;
	}
	switch (offset) {
	case BOOT(id):
		return 0x56485046;
	case BOOT(version):
		return 0x00010000;
	case BOOT(image):
		return m->image;
	case BOOT(idcode):
		return m->idcode;
	case BOOT(flash):
		return 27u | m->chips << 8;
	case BOOT(start):
		return m->start;
	case BOOT(address):
		return m->address;
	case BOOT(status):
		return (uint32_t)m->held | (uint32_t)m->loading << 1 | m->refused << 16 | m->reason << 24;
	}
	return 0;
}

static uint32_t mock_read(struct flash_bar *bar, uint32_t offset)
{
	struct mock_card *m = (struct mock_card *)bar;
	uint32_t v;

	if (m->all_ones || m->writes_left == 0)
		return UINT32_MAX;
	switch (offset) {
	case SPI(cr):
		return m->cr;
	case SPI(sr):
		return (m->rx_level == 0 ? VHP_SPI__SR__RX_EMPTY_bm : 0u) |
			(m->rx_level == m->depth ? VHP_SPI__SR__RX_FULL_bm : 0u) |
			(m->tx_level == 0 ? VHP_SPI__SR__TX_EMPTY_bm : 0u) |
			(m->tx_level == m->depth ? VHP_SPI__SR__TX_FULL_bm : 0u) | VHP_SPI__SR__SLAVE_UNSELECTED_bm;
	case SPI(drr):
		if (m->rx_level == 0)
			return 0;
		v = m->rx[0];
		memmove(m->rx, m->rx + 1, --m->rx_level);
		return v;
	case SPI(ssr):
		return m->ssr;
	default:
		return boot_read(m, offset);
	}
}

static void mock_write(struct flash_bar *bar, uint32_t offset, uint32_t value)
{
	struct mock_card *m = (struct mock_card *)bar;

	if (m->all_ones || m->writes_left == 0)
		return;
	if (m->writes_left > 0)
		m->writes_left--;
	switch (offset) {
	case SPI(srr):
		if (value != 0xa)
			break;
		select_chips(m, UINT32_MAX);
		m->cr = VHP_SPI__CR__MANUAL_SS_bm | VHP_SPI__CR__INHIBIT_bm;
		m->tx_level = m->rx_level = 0;
		break;
	case SPI(cr):
		if (value & VHP_SPI__CR__TX_RESET_bm)
			m->tx_level = 0;
		if (value & VHP_SPI__CR__RX_RESET_bm)
			m->rx_level = 0;
		m->cr = value & ~(VHP_SPI__CR__TX_RESET_bm | VHP_SPI__CR__RX_RESET_bm);
		break;
	case SPI(dtr):
		if (m->tx_level < m->depth)
			m->tx[m->tx_level++] = (uint8_t)value;
		break;
	case SPI(ssr):
		select_chips(m, value);
		break;
	case BOOT(address):
		m->address = value;
		break;
	case BOOT(boot):
		m->reason = value != 0x49505247 ? 1 : m->held ? 2 : m->address % 256 ? 3 : (m->ssr & 3) != 3 ? 4 : 0;
		m->refused += m->reason != 0;
		m->loading = m->reason == 0;
		break;
	}
	run(m);
}

static void mock_bar_close(struct flash_bar *bar)
{
	(void)bar;
}

static const struct flash_bar_ops mock_ops = { mock_read, mock_write, mock_bar_close };

void mock_power_cycle(struct mock_card *m)
{
	for (unsigned int i = 0; i < m->chips; i++)
		nor_power_fail(m->nor[i], m->seed + i);
	m->cut_at = 0;
	m->cr = VHP_SPI__CR__MANUAL_SS_bm | VHP_SPI__CR__INHIBIT_bm;
	m->ssr = UINT32_MAX;
	m->tx_level = m->rx_level = m->index = 0;
	m->writes_left = -1;
	m->loading = false;
}

void mock_open(struct mock_card *m, unsigned int chips, uint32_t start)
{
	struct nor_config cfg;

	memset(m, 0, sizeof(*m));
	m->bar.ops = &mock_ops;
	m->bar.how = "mock";
	m->bar.scale = MOCK_SCALE;
	snprintf(m->bar.name, sizeof(m->bar.name), "mock");
	m->chips = chips;
	m->depth = 256;
	m->start = start;
	m->idcode = 0x04b37093;
	m->image = 0x1111;
	nor_defaults(&cfg, SPEED_UP);
	/* Two user clocks a bit: there is no other way to be quick. */
	cfg.output_delay = 0;
	cfg.min_period = cfg.min_period_read = 1;
	for (unsigned int i = 0; i < chips; i++)
		if (nor_create(&cfg, NULL, &m->nor[i]) < 0)
			abort();
	mock_power_cycle(m);
}

void mock_close(struct mock_card *m)
{
	for (unsigned int i = 0; i < m->chips; i++)
		nor_destroy(m->nor[i]);
}

uint8_t mock_command(struct mock_card *m, unsigned int chip, const uint8_t *bytes, unsigned int len)
{
	uint8_t back = 0;

	select_chips(m, UINT32_MAX & ~(1u << chip));
	for (unsigned int i = 0; i < len; i++)
		back = shift_byte(m, bytes[i]);
	select_chips(m, UINT32_MAX);
	clocks(m, chip, false, true, 0xf, 0xf, 5000);
	return back;
}

/* ------------------------------------------------------------------------------------------------- the flash as a whole */

void mock_peek(struct mock_card *m, uint32_t address, uint8_t *to, size_t size)
{
	uint8_t part[2][4096];

	for (size_t done = 0, n; done < size; done += n) {
		uint32_t at = (address + (uint32_t)done) / m->chips;

		n = size - done < sizeof(part[0]) ? size - done : sizeof(part[0]);
		for (unsigned int i = 0; i < m->chips; i++)
			if (!nor_read(m->nor[i], at, part[i], (uint32_t)(n / m->chips)))
				abort();
		for (size_t k = 0; k < n; k++) {
			unsigned int up = k % 2 ? 0 : 4;

			to[done + k] = m->chips == 1
				? part[0][k]
				: (uint8_t)((part[0][k / 2] >> up & 0xf) | (part[1][k / 2] >> up & 0xf) << 4);
		}
	}
}

void mock_poke(struct mock_card *m, uint32_t address, const uint8_t *from, size_t size)
{
	for (size_t i = 0; i < size; i += m->chips) {
		uint8_t low = from[i], high;

		if (m->chips == 2) {
			low = (uint8_t)(from[i] << 4 | (from[i + 1] & 0xf));
			high = (uint8_t)((from[i] & 0xf0) | from[i + 1] >> 4);
			nor_write(m->nor[1], (address + (uint32_t)i) / 2, &high, 1);
		}
		nor_write(m->nor[0], (address + (uint32_t)i) / m->chips, &low, 1);
	}
}

bool mock_holds(struct mock_card *m, uint32_t address, const uint8_t *data, size_t size)
{
	uint8_t *is = malloc(size + 1);
	bool same;

	if (!is)
		abort();
	mock_peek(m, address, is, size);
	same = memcmp(is, data, size) == 0;
	free(is);
	return same;
}

static void put_word(uint8_t *to, uint32_t word)
{
	for (unsigned int i = 0; i < 4; i++)
		to[i] = (uint8_t)(word >> (24 - 8 * i));
}

uint8_t *mock_image(unsigned int *seed, uint32_t usr_access, size_t size, unsigned int pads)
{
	const uint32_t head[] = { 0x000000bb, 0x11220044, 0xaa995566, 0x20000000, 0x30018001,
				  0x04b37093, 0x3001a001, usr_access, 0x30004000, 0 };
	const size_t n = sizeof(head) / sizeof(head[0]), words = size / 4 - pads - n - 4;
	uint8_t *data = malloc(size), *at = data;

	if (!data)
		abort();
	for (size_t i = 0; i < pads; i++, at += 4)
		put_word(at, 0xffffffff);
	for (size_t i = 0; i < n; i++, at += 4)
		put_word(at, i == n - 1 ? 0x50000000u | (uint32_t)words : head[i]);
	for (size_t i = 0; i < words; i++, at += 4)
		put_word(at, (uint32_t)rand_r(seed) << 16 ^ (uint32_t)rand_r(seed));
	put_word(at, 0x20000000);
	put_word(at + 4, 0x30008001);
	put_word(at + 8, 13);
	put_word(at + 12, 0x20000000);
	return data;
}
