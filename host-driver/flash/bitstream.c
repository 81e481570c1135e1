/* SPDX-License-Identifier: Apache-2.0 */
#include "bitstream.h"

#include <errno.h>
#include <string.h>

#define SYNC_WORD 0xaa995566u
#define NO_OPERATION 0x20000000u

/* ---------------------------------------------------------------------------------------------- header of a .bit file */

struct cursor {
	const uint8_t *data;
	size_t size, at;
};

static bool take(struct cursor *c, size_t n, const uint8_t **p)
{
	if (n > c->size - c->at)
		return false;
	*p = c->data + c->at;
	c->at += n;
	return true;
}

static bool take_number(struct cursor *c, unsigned int bytes, uint32_t *value)
{
	const uint8_t *p;

	if (!take(c, bytes, &p))
		return false;
	*value = 0;
	while (bytes--)
		*value = *value << 8 | *p++;
	return true;
}

/* A letter, a length, a text that ends with a zero byte. */
static bool take_text(struct cursor *c, char letter, char *text, size_t room)
{
	const uint8_t *p, *s;
	uint32_t len;
	size_t n;

	if (!take(c, 1, &p) || *p != (uint8_t)letter || !take_number(c, 2, &len) || !take(c, len, &s))
		return false;
	n = strnlen((const char *)s, len);
	if (n >= room)
		n = room - 1;
	memcpy(text, s, n);
	text[n] = '\0';
	for (size_t i = 0; i < n; i++)
		if (text[i] < ' ' || text[i] > '~')
			text[i] = '?';
	return true;
}

int bit_file_parse(const uint8_t *data, size_t size, struct bit_file *bit, struct flash_err *err)
{
	struct cursor c = { data, size, 0 };
	const uint8_t *p;
	uint32_t len;

	memset(bit, 0, sizeof(*bit));
	if (!take_number(&c, 2, &len) || len != 9 || !take(&c, len, &p) || p[0] != 0x0f || !take_number(&c, 2, &len) ||
	    len != 1)
		return flash_fail(err, -EBADMSG, "not a .bit file: it does not begin as one");
	if (!take_text(&c, 'a', bit->design, sizeof(bit->design)) ||
	    !take_text(&c, 'b', bit->part, sizeof(bit->part)) || !take_text(&c, 'c', bit->date, sizeof(bit->date)) ||
	    !take_text(&c, 'd', bit->time, sizeof(bit->time)) || !take(&c, 1, &p) || *p != 'e' ||
	    !take_number(&c, 4, &len))
		return flash_fail(err, -EBADMSG, "the header of the .bit file is broken at byte %zu", c.at);
	if (len != size - c.at)
		return flash_fail(err, -EBADMSG, "the .bit file says that it has %u bytes of data, but %zu are there",
				  len, size - c.at);
	bit->offset = c.at;
	bit->size = len;
	return 0;
}

/* ----------------------------------------------------------------------------------------------------------- packets */

enum {
	REG_CMD = 0x04,
	REG_IDCODE = 0x0c,
	REG_AXSS = 0x0d,
	REG_WBSTAR = 0x10
};
enum {
	CMD_DESYNC = 13,
	CMD_IPROG = 15
};

static bool tells(uint32_t reg)
{
	return reg == REG_CMD || reg == REG_IDCODE || reg == REG_AXSS || reg == REG_WBSTAR;
}

static void written(struct bitstream_walk *w, uint32_t word)
{
	struct bitstream_info *i = &w->info;

	switch (w->reg) {
	case REG_IDCODE: /* a part of several dies has one per die, all the same */
		if (!i->has_idcode)
			i->idcode = word & 0x0fffffff;
		i->has_idcode = true;
		break;
	case REG_AXSS:
		if (!i->has_usr_access)
			i->usr_access = word;
		i->has_usr_access = true;
		break;
	case REG_WBSTAR:
		w->wbstar = word;
		break;
	case REG_CMD:
		if (word == CMD_IPROG && !i->has_jump) {
			i->has_jump = true;
			i->jump = w->wbstar;
		} else if (word == CMD_DESYNC) {
			i->complete = true;
			i->end = w->at;
		}
		break;
	}
}

static void take_word(struct bitstream_walk *w, uint32_t word)
{
	uint32_t type = word >> 29, op = word >> 27 & 3;

	if (w->info.complete) {
		if (word == NO_OPERATION)
			w->info.end = w->at;
		else
			w->over = true;
	} else if (w->payload > 0) {
		w->payload--;
		written(w, word);
	} else if (type == 1) {
		w->reg = word >> 13 & 0x1f;
		w->payload = op == 2 ? word & 0x7ff : 0;
	} else if (type == 2) {
		w->payload = op == 2 ? word & 0x07ffffff : 0;
	} else {
		w->over = true; /* not a packet: nothing behind it can be trusted */
	}
}

void bitstream_begin(struct bitstream_walk *w)
{
	memset(w, 0, sizeof(*w));
}

uint64_t bitstream_skip(struct bitstream_walk *w, uint64_t most)
{
	uint64_t words = most / 4;

	if (w->over || w->have != 0 || w->payload <= 1 || tells(w->reg))
		return 0;
	if (words > w->payload - 1)
		words = w->payload - 1;
	w->payload -= (uint32_t)words;
	w->at += 4 * words;
	return 4 * words;
}

bool bitstream_feed(struct bitstream_walk *w, const uint8_t *data, size_t len)
{
	while (len > 0 && !w->over) {
		size_t frames = bitstream_skip(w, len);

		if (frames > 0) {
			data += frames;
			len -= frames;
			continue;
		}
		w->word = w->word << 8 | *data++;
		w->at++;
		len--;
		if (!w->info.synced) {
			w->info.synced = w->at >= 4 && w->word == SYNC_WORD;
			w->info.sync = w->at - 4;
		} else if (++w->have == 4) {
			w->have = 0;
			take_word(w, w->word);
		}
	}
	return !w->over;
}

struct bitstream_info bitstream_inspect(const uint8_t *data, size_t len)
{
	struct bitstream_walk w;

	bitstream_begin(&w);
	bitstream_feed(&w, data, len);
	return w.info;
}
