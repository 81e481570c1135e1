/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A checked stream of numbered frames. Both ends make every byte of frame n from n alone, so a receiver knows what has to be in
 * it; they take the same commands on standard input, one a line:
 *
 *   status      print a line of counters
 *   start       begin to send
 *   send N      send N frames
 *   stop        send no more; what is on its way still arrives
 *   hold, go    leave received frames where the driver put them; take them again
 *   end         print "end ..." and exit: 0 if what was received is right
 */
#ifndef STREAM_H
#define STREAM_H

#include <inttypes.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define STREAM_ETHERTYPE 0x88b5u /* IEEE: local experiments */
#define STREAM_MAX 9014u	 /* the largest that can be asked for */
#define STREAM_MIN 60u
#define STREAM_HEADER 20u /* addresses, type, direction, 0, le32 number */

struct stream {
	uint8_t way;	/* of the frames that this end sends: 'a' or 'b' */
	size_t max;	/* bytes of the largest frame, the same at both ends */
	uint64_t rate;	/* frames a second; 0: as fast as it goes */
	uint64_t quota; /* frames still to be sent */
	bool holding;
	uint64_t sent, received, next, lost, duplicate, corrupt, dropped;
	uint64_t started_us, credit, arrived_us, gap_us;
	char line[64];
	size_t line_len;
};

static inline uint64_t stream_now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_nsec / 1000u;
}

static inline uint64_t stream_mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15u;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
	return x ^ (x >> 31);
}

/* Frame `number` of direction `way`, of at most `max` bytes; returns its length. */
static inline size_t stream_make(uint8_t *frame, size_t max, uint8_t way, uint32_t number)
{
	uint64_t key = stream_mix(((uint64_t)way << 32) | number);
	size_t len = STREAM_MIN + key % (max - STREAM_MIN + 1);
	uint8_t header[STREAM_HEADER] = { 0x02,
					  0,
					  0,
					  0,
					  0,
					  way == 'a' ? 0x0b : 0x0a,
					  0x02,
					  0,
					  0,
					  0,
					  0,
					  way == 'a' ? 0x0a : 0x0b,
					  STREAM_ETHERTYPE >> 8,
					  STREAM_ETHERTYPE & 0xff,
					  way,
					  0,
					  (uint8_t)number,
					  (uint8_t)(number >> 8),
					  (uint8_t)(number >> 16),
					  (uint8_t)(number >> 24) };
	size_t i;

	memcpy(frame, header, sizeof(header));
	for (i = sizeof(header); i < len; i++) {
		if ((i & 7) == 0 || i == sizeof(header))
			key = stream_mix(key);
		frame[i] = (uint8_t)(key >> (8 * (i & 7)));
	}
	return len;
}

/* Counts a received frame; frames of other programs are left out. */
static inline void stream_check(struct stream *s, const uint8_t *frame, size_t len)
{
	uint8_t right[STREAM_MAX], way = s->way == 'a' ? 'b' : 'a';
	uint64_t now = stream_now_us();
	uint32_t number;
	size_t right_len, i;

	if (len < 14 || frame[12] != STREAM_ETHERTYPE >> 8 || frame[13] != (STREAM_ETHERTYPE & 0xff))
		return;
	if (s->received > 0 && now - s->arrived_us > s->gap_us)
		s->gap_us = now - s->arrived_us;
	s->arrived_us = now;
	s->received++;
	number = len < STREAM_HEADER
		? 0
		: frame[16] | (uint32_t)frame[17] << 8 | (uint32_t)frame[18] << 16 | (uint32_t)frame[19] << 24;
	right_len = stream_make(right, s->max, way, number);
	for (i = 0; i < len && i < right_len && frame[i] == right[i]; i++)
		;
	if (i < len || i < right_len) {
		if (s->corrupt++ < 10)
			printf("corrupt: frame %" PRIu32 " (expected %" PRIu64
			       "), %zu bytes instead of %zu, differs from byte %zu\n",
			       number, s->next, len, right_len, i);
		if (len >= STREAM_HEADER && number == s->next)
			s->next++;
		return;
	}
	if (number < s->next) {
		if (s->duplicate++ < 10)
			printf("again: frame %" PRIu32 ", expected %" PRIu64 "\n", number, s->next);
		return;
	}
	if (number > s->next && s->lost < 10)
		printf("lost: frames %" PRIu64 " to %" PRIu32 "\n", s->next, number - 1);
	s->lost += number - s->next;
	s->next = (uint64_t)number + 1;
}

/* `rate` and `max` as on the command line; false if they make no sense. */
static inline bool stream_init(struct stream *s, uint8_t way, const char *rate, const char *max)
{
	*s = (struct stream){
		.way = way, .rate = strtoul(rate, NULL, 0), .max = strtoul(max, NULL, 0), .started_us = stream_now_us()
	};
	setvbuf(stdout, NULL, _IOLBF, 0);
	return s->max >= STREAM_MIN && s->max <= STREAM_MAX;
}

/* True if a frame is due. */
static inline bool stream_due(struct stream *s)
{
	uint64_t now = stream_now_us();

	if (s->quota == 0)
		return false;
	if (s->rate == 0)
		return true;
	/* A stall is not made up for by a burst of more than 32. */
	s->credit += (now - s->started_us) * s->rate;
	s->started_us = now;
	if (s->credit > 32u * 1000000u)
		s->credit = 32u * 1000000u;
	return s->credit >= 1000000u;
}

static inline void stream_sent(struct stream *s)
{
	s->sent++;
	s->quota--;
	if (s->rate > 0)
		s->credit -= 1000000u;
}

static inline void stream_print(const struct stream *s, const char *what)
{
	printf("%s sent %" PRIu64 " received %" PRIu64 " lost %" PRIu64 " again %" PRIu64 " corrupt %" PRIu64
	       " dropped %" PRIu64 " gap_ms %" PRIu64 "\n",
	       what, s->sent, s->received, s->lost, s->duplicate, s->corrupt, s->dropped, s->gap_us / 1000u);
}

/* Reads what stands on standard input; false after "end" or at the end of input. */
static inline bool stream_commands(struct stream *s, int timeout_ms)
{
	struct pollfd p = { .fd = STDIN_FILENO, .events = POLLIN };

	while (poll(&p, 1, timeout_ms) > 0) {
		char c;

		if (read(STDIN_FILENO, &c, 1) != 1)
			return false;
		timeout_ms = 0;
		if (c != '\n') {
			if (s->line_len < sizeof(s->line) - 1)
				s->line[s->line_len++] = c;
			continue;
		}
		s->line[s->line_len] = '\0';
		s->line_len = 0;
		if (strcmp(s->line, "end") == 0)
			return false;
		if (strcmp(s->line, "start") == 0)
			s->quota = UINT64_MAX;
		else if (strncmp(s->line, "send ", 5) == 0)
			s->quota = strtoul(s->line + 5, NULL, 0);
		else if (strcmp(s->line, "stop") == 0)
			s->quota = 0;
		else if (strcmp(s->line, "hold") == 0)
			s->holding = true;
		else if (strcmp(s->line, "go") == 0)
			s->holding = false;
		else if (strcmp(s->line, "status") != 0)
			printf("unknown command '%s'\n", s->line);
		stream_print(s, s->line);
		s->gap_us = 0;
	}
	return true;
}

static inline bool stream_right(const struct stream *s)
{
	return s->received > 0 && s->lost == 0 && s->duplicate == 0 && s->corrupt == 0 && s->dropped == 0;
}

#endif
