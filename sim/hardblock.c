/* SPDX-License-Identifier: Apache-2.0 */
#include "hardblock.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static void print_words(FILE *f, const char *what, const uint32_t *w, unsigned int n)
{
	fprintf(f, "  %s", what);
	for (unsigned int i = n; i-- > 0;)
		fprintf(f, "%s%08x", i + 1 == n ? " 0x" : "_", w[i]);
	fputc('\n', f);
}

void hb_violation(struct vhp_model *m, const char *rule, const struct hb_beat *beat, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (m->cfg.on_violation && m->cfg.on_violation(m->cfg.arg, rule, text))
		return;
	fflush(stdout);
	fprintf(stderr, "model: cycle %llu: rule %s broken: %s (seed %llu)\n", (unsigned long long)m->cycle, rule, text,
		(unsigned long long)m->cfg.seed);
	if (beat) {
		print_words(stderr, "tdata", beat->data, 16);
		print_words(stderr, "tuser", beat->user, beat->user_words);
		fprintf(stderr, "  tkeep 0x%04x tlast %d\n", beat->keep, beat->last);
	}
	if (m->ops && m->ops->flush)
		m->ops->flush(m->top);
	fflush(NULL);
	exit(1);
}

static unsigned int first_one(unsigned int be)
{
	return be ? (unsigned int)__builtin_ctz(be) : 0;
}

static unsigned int last_one(unsigned int be)
{
	return be ? 31u - (unsigned int)__builtin_clz(be) : 0;
}

unsigned int hb_be_bytes(unsigned int dwords, unsigned int first_be, unsigned int last_be, unsigned int *offset)
{
	*offset = first_one(first_be);
	if (dwords == 1)
		return first_be ? last_one(first_be) - first_one(first_be) + 1 : 1;
	return dwords * 4 - first_one(first_be) - (3 - last_one(last_be));
}

const char *hb_be_fault(unsigned int dwords, uint64_t addr, unsigned int first_be, unsigned int last_be)
{
	if (dwords == 1)
		return last_be ? "one dword, but last_be is not 0" : NULL;
	if (!first_be || !last_be)
		return "more than one dword, but first_be or last_be is 0";
	/* PCIe 2.2.5: holes are allowed within two dwords of one quadword only. */
	if (dwords == 2 && (addr & 4) == 0)
		return NULL;
	if (((first_be | (first_be - 1)) & 0xf) != 0xf || ((last_be + 1) & last_be) != 0)
		return "byte enables with holes";
	return NULL;
}

static void rule_name(char *buf, size_t n, const struct hb_sink *s, const char *rule)
{
	snprintf(buf, n, "%s-%s", s->name, rule);
}

static void sink_violation(struct vhp_model *m, struct hb_sink *s, const struct hb_beat *beat, const char *rule,
			   const char *text)
{
	char name[32];

	rule_name(name, sizeof(name), s, rule);
	hb_violation(m, name, beat, "%s", text);
}

/* is_sop and is_eop are optional without straddle; a card that drives them drives them right in the whole packet. */
static void check_framing(struct vhp_model *m, struct hb_sink *s, const struct hb_beat *b, unsigned int lsb)
{
	unsigned int sop = bits_get(b->user, lsb, 2), sop_ptr = bits_get(b->user, lsb + 2, 4);
	unsigned int eop = bits_get(b->user, lsb + 6, 2), eop0 = bits_get(b->user, lsb + 8, 4);

	if (b->first)
		s->sop_used = sop != 0;
	if (!s->sop_used && (sop || eop || sop_ptr)) {
		sink_violation(m, s, b, "framing", "is_eop or sop_ptr driven in a packet without is_sop");
		return;
	}
	if (!s->sop_used)
		return;
	if (sop != (b->first ? 1u : 0u) || sop_ptr)
		sink_violation(m, s, b, "framing", "is_sop must be 1 with sop_ptr 0 in the first beat, else 0");
	if (eop != (b->last ? 1u : 0u) || (b->last && eop0 != b->valid_dw - 1))
		sink_violation(m, s, b, "framing", "is_eop and eop0_ptr must mark the last dword of the last beat");
}

bool hb_sink_sample(struct vhp_model *m, struct hb_sink *s, bool valid, bool ready, const uint32_t *data, uint16_t keep,
		    bool last, const uint32_t *user, unsigned int user_words, unsigned int sop_lsb, struct hb_beat *b)
{
	*b = (struct hb_beat){ .data = data, .user = user, .user_words = user_words, .keep = keep, .last = last };
	if (!valid) {
		if (s->waiting) {
			s->waiting = false;
			sink_violation(m, s, NULL, "valid-drop", "tvalid fell before the beat was taken");
		}
		return false;
	}
	b->first = !s->in_pkt;
	b->valid_dw = (unsigned int)__builtin_popcount(keep);
	if (s->waiting &&
	    (memcmp(s->wait_data, data, sizeof(s->wait_data)) || memcmp(s->wait_user, user, user_words * 4) ||
	     s->wait_keep != keep || s->wait_last != last)) {
		sink_violation(m, s, b, "unstable", "the beat changed while tready was 0");
		s->waiting = false;
	}
	if (!ready) {
		if (!s->waiting) {
			memcpy(s->wait_data, data, sizeof(s->wait_data));
			memcpy(s->wait_user, user, user_words * 4);
			s->wait_keep = keep;
			s->wait_last = last;
			s->waiting = true;
		}
		return false;
	}
	s->waiting = false;
	if (b->first) {
		s->dwords = 0;
		s->drop = false;
		s->expect = 0;
		memcpy(s->first_user, user, user_words * 4);
	}
	s->in_pkt = !last;
	if (keep == 0 || (keep & (keep + 1)) != 0 || (!last && keep != 0xffff)) {
		sink_violation(m, s, b, "tkeep", "tkeep must be all ones, in the last beat contiguous from dword 0");
		s->drop = true;
	}
	check_framing(m, s, b, sop_lsb);
	if (s->drop)
		return true;
	if (s->dwords + b->valid_dw > sizeof(s->pkt) / 4) {
		sink_violation(m, s, b, "length", "packet longer than any TLP");
		s->drop = true;
		return true;
	}
	memcpy(&s->pkt[s->dwords], data, b->valid_dw * 4);
	s->dwords += b->valid_dw;
	return true;
}

bool hb_sink_length(struct vhp_model *m, struct hb_sink *s, const struct hb_beat *b)
{
	char name[32];

	if (s->drop)
		return false;
	if (b->last ? s->dwords == s->expect : s->dwords < s->expect)
		return true;
	s->drop = true;
	rule_name(name, sizeof(name), s, "length");
	hb_violation(m, name, b, "%u dwords %s, the descriptor's dword count asks for %u", s->dwords,
		     b->last ? "with tlast" : "and no tlast", s->expect);
	return false;
}
