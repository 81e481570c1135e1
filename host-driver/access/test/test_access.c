/* SPDX-License-Identifier: Apache-2.0 */
/* The access layer's socket back end against a mock server that keeps the protocol, or breaks it. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cmocka_suites.h"
#include "fake_function.h"
#include "mock_server.h"

int tests_run, tests_failed;

static char err[512];

static struct vhp_dev *open_mock(struct mock *m, enum mock_fault fault)
{
	struct vhp_dev *dev;

	mock_start(m, fault);
	if (vhp_dev_open_socket(m->path, &dev, err, sizeof(err)) != 0)
		fail_msg("%s", err);
	return dev;
}

/* ---------------------------------------------------------------------------------------------------- socket: fine */

static void registers(void **state)
{
	const enum mock_fault kinds[] = { MOCK_FINE, MOCK_TRICKLE, MOCK_COMMAND_FIRST };

	(void)state;
	for (unsigned int k = 0; k < 3; k++) {
		struct mock m;
		struct vhp_dev *dev = open_mock(&m, kinds[k]);
		uint8_t out[200], in[200];
		uint64_t v;

		assert_int_equal(vhp_dev_info(dev)->vendor, 0x1af4);
		assert_int_equal(vhp_dev_info(dev)->device, 0x107f);
		assert_int_equal(vhp_dev_info(dev)->revision, 1);
		assert_int_equal(vhp_dev_info(dev)->num_msix, MOCK_VECTORS);
		assert_int_equal(vhp_dev_bar_size(dev, 0), MOCK_BAR0_SIZE);
		/* Bus mastering and memory decoding were switched on. */
		assert_int_equal(vhp_dev_read(dev, VHP_BAR_CONFIG, 4, 2, &v), 0);
		assert_int_equal(v & 6, 6);
		for (unsigned int width = 1; width <= 8; width *= 2) {
			uint64_t value = 0x8877665544332211 >> (64 - 8 * width);

			assert_int_equal(vhp_dev_write(dev, 0, 0x101, width, 0x8877665544332211 >> (64 - 8 * width)),
					 0);
			assert_int_equal(vhp_dev_read(dev, 0, 0x101, width, &v), 0);
			assert_int_equal(v, value);
		}
		/* Larger than the server's max_data_xfer_size of 64. */
		for (unsigned int i = 0; i < sizeof(out); i++)
			out[i] = (uint8_t)(i * 7);
		assert_int_equal(vhp_dev_write_buf(dev, 0, 0x200, out, sizeof(out)), 0);
		assert_int_equal(vhp_dev_read_buf(dev, 0, 0x200, in, sizeof(in)), 0);
		assert_memory_equal(in, out, sizeof(in));
		if (kinds[k] == MOCK_COMMAND_FIRST)
			assert_int_equal(m.seen->refusals, 4 + 4); /* four words, four pieces of the buffer */
		assert_true(vhp_dev_alive(dev));
		assert_null(vhp_dev_failure(dev));
		vhp_dev_close(dev);
		mock_stop(&m);
	}
}

static void ranges(void **state)
{
	struct mock m;
	struct vhp_dev *dev = open_mock(&m, MOCK_FINE);
	uint8_t buf[8];
	uint64_t v;

	(void)state;
	/* The mock ends with an error if any of these reaches it. */
	assert_int_equal(vhp_dev_read(dev, 0, MOCK_BAR0_SIZE - 3, 4, &v), -ERANGE);
	assert_int_equal(v, 0xffffffff);
	assert_int_equal(vhp_dev_read(dev, 0, UINT64_MAX - 1, 4, &v), -ERANGE);
	assert_int_equal(vhp_dev_read(dev, 2, 0, 4, &v), -ERANGE);
	assert_int_equal(vhp_dev_read(dev, 8, 0, 4, &v), -ERANGE);
	assert_int_equal(vhp_dev_write(dev, 0, MOCK_BAR0_SIZE, 1, 0), -ERANGE);
	assert_int_equal(vhp_dev_read(dev, 0, 0, 3, &v), -EINVAL);
	assert_int_equal(vhp_dev_read_buf(dev, 0, 2, buf, 4), -EINVAL);
	assert_int_equal(vhp_dev_write_buf(dev, 0, 0, buf, 6), -EINVAL);
	vhp_dev_doorbell(dev, 0, MOCK_BAR0_SIZE - 1, 1);
	assert_int_equal(vhp_dev_dma_map(dev, UINT64_MAX, 2, 0, 0, NULL), -EINVAL);
	assert_int_equal(vhp_dev_dma_map(dev, 0, 4096, -1, 0, NULL), -EBADF);
	assert_int_equal(vhp_dev_set_irqs(dev, MOCK_VECTORS, 1, (int[]){ -1 }), -EINVAL);
	assert_int_equal(vhp_dev_set_irqs(dev, 1, UINT32_MAX, (int[]){ -1 }), -EINVAL);
	assert_int_equal(vhp_dev_mmap_info(dev, 0, 0, (int[1]){ 0 }, &v, &v), -ENOTSUP);
	assert_int_equal(vhp_dev_read(dev, 0, 0, 4, &v), 0);
	assert_int_equal(m.seen->doorbells, 0);
	vhp_dev_close(dev);
	mock_stop(&m);
}

static void doorbells(void **state)
{
	struct mock m;
	struct vhp_dev *dev = open_mock(&m, MOCK_FINE);
	uint64_t v;

	(void)state;
	for (unsigned int i = 0; i < 1000; i++)
		vhp_dev_doorbell(dev, 0, 0x1000 + 2 * (i % 8), (uint16_t)i);
	/* The reply to a read proves that all before it arrived, in order. */
	assert_int_equal(vhp_dev_read(dev, 0, 0x1000 + 2 * 7, 2, &v), 0);
	assert_int_equal(v, 999);
	assert_int_equal(m.seen->doorbells, 1000);
	assert_int_equal(m.seen->doorbell_offset, 0x1000 + 2 * 7);
	assert_int_equal(m.seen->doorbell_value, 999);
	vhp_dev_close(dev);
	mock_stop(&m);
}

/* Every offset, length and end near a few lines: exactly the range arrives, and nothing at or behind the end is read. */
static void window_steps(void **state)
{
	(void)state;
	for (unsigned int width = 8; width <= VHP_WINDOW_LINE; width *= 2) {
		for (uint64_t from = 0; from < 140; from++) {
			for (size_t len = 1; from + len <= 200; len++) {
				uint64_t ends[] = { from + len, from + len + 1, 200, 256 };

				for (unsigned int e = 0; e < 4; e++) {
					uint64_t at = from;

					while (at < from + len) {
						struct vhp_window_step s =
							vhp_window_read_step(at, from + len - at, width, ends[e]);

						assert_true(s.take > 0 && at + s.take <= from + len);
						assert_true(s.skip + s.take <= s.touch && s.touch <= width);
						assert_true((at - s.skip) % s.touch == 0 &&
							    (s.touch & (s.touch - 1)) == 0);
						assert_true(at - s.skip + s.touch <= ends[e]);
						assert_true(s.touch == 1 || at % (s.touch / 2) + s.take > s.touch / 2);
						at += s.take;
					}
				}
				for (uint64_t at = from; at < from + len;) {
					unsigned int n = vhp_window_write_step(at, from + len - at, width);

					assert_true(n > 0 && at % n == 0 && at + n <= from + len && n <= width);
					at += n;
				}
			}
		}
	}
}

/* Posted writes and line reads against the server's memory. */
static void window(void **state)
{
	uint8_t data[1000], got[1000];
	struct vhp_dev *dev;
	struct mock m;

	(void)state;
	mock_start(&m, MOCK_FINE);
	assert_int_equal(vhp_dev_open_socket(m.path, &dev, NULL, 0), 0);
	assert_null(vhp_dev_bar_address(dev, 0));
	for (unsigned int i = 0; i < 40; i++) {
		uint64_t at = 0x2000 + i * 7;
		size_t len = sizeof(data) - i * 23;

		for (size_t k = 0; k < len; k++)
			data[k] = (uint8_t)(k * 13 + i);
		assert_int_equal(vhp_dev_window_write(dev, 0, at, data, len), 0);
		assert_int_equal(vhp_dev_window_read(dev, 0, at, got, len, at + len + i % 3), 0);
		assert_memory_equal(data, got, len);
	}
	/* The last byte of the BAR, and the first one behind it. */
	assert_int_equal(vhp_dev_window_write(dev, 0, MOCK_BAR0_SIZE - 1, "x", 1), 0);
	assert_int_equal(vhp_dev_window_read(dev, 0, MOCK_BAR0_SIZE - 1, got, 1, MOCK_BAR0_SIZE), 0);
	assert_int_equal(got[0], 'x');
	assert_int_equal(vhp_dev_window_write(dev, 0, MOCK_BAR0_SIZE - 1, "xy", 2), -ERANGE);
	assert_int_equal(vhp_dev_window_read(dev, 0, MOCK_BAR0_SIZE - 1, got, 2, MOCK_BAR0_SIZE), -ERANGE);
	assert_int_equal(got[1], 0xff);
	assert_int_equal(vhp_dev_window_write(dev, 2, 0, "x", 1), -ERANGE);
	vhp_dev_close(dev);
	mock_stop(&m);
}

struct worker {
	struct vhp_dev *dev;
	uint64_t at;
	unsigned int wrong;
};

static void *work(void *arg)
{
	struct worker *w = arg;

	for (uint32_t i = 0; i < 500; i++) {
		uint64_t v;

		w->wrong += vhp_dev_write(w->dev, 0, w->at, 4, i) != 0;
		vhp_dev_doorbell(w->dev, 0, w->at + 4, (uint16_t)i);
		w->wrong += vhp_dev_read(w->dev, 0, w->at, 4, &v) != 0 || v != i;
		w->wrong += !vhp_dev_alive(w->dev);
	}
	return NULL;
}

static void threads(void **state)
{
	struct mock m;
	struct vhp_dev *dev = open_mock(&m, MOCK_FINE);
	struct worker w[4];
	pthread_t t[4];

	(void)state;
	for (unsigned int i = 0; i < 4; i++) {
		w[i] = (struct worker){ dev, 0x2000 + 16 * i, 0 };
		assert_int_equal(pthread_create(&t[i], NULL, work, &w[i]), 0);
	}
	for (unsigned int i = 0; i < 4; i++) {
		pthread_join(t[i], NULL);
		assert_int_equal(w[i].wrong, 0);
	}
	vhp_dev_close(dev);
	mock_stop(&m);
}

static void memory(void **state)
{
	struct mock m;
	struct vhp_dev *dev = open_mock(&m, MOCK_FINE);
	int fd = memfd_create("test", 0);

	(void)state;
	assert_true(fd >= 0 && ftruncate(fd, 8192) == 0 && pwrite(fd, "\x5a", 1, 4096) == 1);
	assert_int_equal(vhp_dev_dma_map(dev, 0x700000000, 4096, fd, 4096, NULL), 0);
	assert_int_equal(m.seen->map_iova, 0x700000000);
	assert_int_equal(m.seen->map_size, 4096);
	assert_int_equal(m.seen->map_byte, 0x5a);
	assert_int_equal(vhp_dev_dma_unmap(dev, 0x700000000, 4096), 0);
	assert_int_equal(m.seen->unmaps, 1);
	close(fd);
	vhp_dev_close(dev);
	mock_stop(&m);
}

static void interrupts(void **state)
{
	struct mock m;
	struct vhp_dev *dev = open_mock(&m, MOCK_FINE);
	int fds[8];

	(void)state;
	for (unsigned int i = 0; i < 8; i++)
		fds[i] = i == 5 ? -1 : eventfd(0, EFD_NONBLOCK);
	/* Three descriptors a message: 4-6, 7-8, none for 9, 10-11. */
	assert_int_equal(vhp_dev_set_irqs(dev, 4, 8, fds), 0);
	assert_int_equal(m.seen->irq_messages, 4);
	assert_int_equal(m.seen->irq_fds, 7);
	assert_int_equal(m.seen->irq_start, 10);
	assert_int_equal(m.seen->irq_count, 2);
	for (unsigned int i = 0; i < 8; i++) {
		eventfd_t value;

		if (i == 5)
			continue;
		assert_int_equal(eventfd_read(fds[i], &value), 0);
		assert_int_equal(value, 4 + i + 1);
		close(fds[i]);
	}
	assert_int_equal(vhp_dev_set_irqs(dev, 6, 1, (int[]){ -1 }), 0);
	assert_int_equal(m.seen->irq_start, 6);
	assert_int_equal(m.seen->irq_count, 1);
	assert_int_equal(m.seen->irq_fds, 7);
	vhp_dev_close(dev);
	mock_stop(&m);
}

static void reset(void **state)
{
	struct mock m;
	struct vhp_dev *dev = open_mock(&m, MOCK_FINE);
	uint64_t v;

	(void)state;
	assert_int_equal(vhp_dev_reset(dev), 0);
	assert_int_equal(m.seen->resets, 1);
	assert_int_equal(vhp_dev_read(dev, VHP_BAR_CONFIG, 4, 2, &v), 0);
	assert_int_equal(v & 6, 6);
	vhp_dev_close(dev);
	mock_stop(&m);
}

/* ---------------------------------------------------------------------------------------------------- socket: faults */

static void refused_at_open(void **state)
{
	static const struct {
		enum mock_fault fault;
		int code;
		const char *says;
	} cases[] = {
		{ MOCK_CLOSE_AT_ONCE, -EPROTO, "not a vfio-user server" },
		{ MOCK_MINOR_1, -EPROTO, "vfio-user 0.1" },
		{ MOCK_NOT_JSON, -EPROTO, "JSON" },
		{ MOCK_NOT_TERMINATED, -EPROTO, "terminated" },
		{ MOCK_NO_LIMIT, -EPROTO, "limit" },
		{ MOCK_NOT_PCI, -ENODEV, "not a PCI device" },
		{ MOCK_OTHER_DEVICE, -ENODEV, "1af4:1041" },
	};

	(void)state;
	for (unsigned int i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct vhp_dev *dev;
		struct mock m;

		mock_start(&m, cases[i].fault);
		assert_int_equal(vhp_dev_open_socket(m.path, &dev, err, sizeof(err)), cases[i].code);
		assert_null(dev);
		if (strstr(err, cases[i].says) == NULL || strstr(err, m.path) == NULL)
			fail_msg("case %u says: %s", i, err);
		mock_stop(&m);
	}
}

static void nobody_there(void **state)
{
	struct vhp_dev *dev;
	char path[300];

	(void)state;
	assert_int_equal(vhp_dev_open_socket("/nowhere/fn1.sock", &dev, err, sizeof(err)), -ENOENT);
	assert_non_null(strstr(err, "/nowhere/fn1.sock"));
	assert_int_equal(vhp_dev_open_socket("/dev/null", &dev, NULL, 0), -ECONNREFUSED);
	assert_int_equal(vhp_dev_open_socket("", &dev, err, sizeof(err)), -EINVAL);
	memset(path, 'x', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(vhp_dev_open_socket(path, &dev, err, sizeof(err)), -ENAMETOOLONG);
}

/* Every kind of wrong reply ends the connection, with a reason, and everything after it fails at once. */
static void wrong_replies(void **state)
{
	(void)state;
	for (enum mock_fault fault = MOCK_AT_BAR_READ; fault < MOCK_ERROR_REPLY; fault++) {
		struct mock m;
		struct vhp_dev *dev = open_mock(&m, fault);
		struct pollfd p = { .fd = vhp_dev_watch_fd(dev), .events = POLLIN | POLLRDHUP };
		uint64_t v = 0;
		int rc = vhp_dev_read(dev, 0, 0, 4, &v);

		if (rc != -EPROTO && rc != -ENODEV)
			fail_msg("fault %u: read returns %d", fault, rc);
		assert_int_equal(v, 0xffffffff);
		assert_int_equal(poll(&p, 1, 10000), 1);
		assert_false(vhp_dev_alive(dev));
		assert_non_null(vhp_dev_failure(dev));
		assert_int_equal(vhp_dev_read(dev, VHP_BAR_CONFIG, 0, 2, &v), -ENODEV);
		assert_int_equal(vhp_dev_write(dev, 0, 0, 2, 0), -ENODEV);
		assert_int_equal(vhp_dev_dma_unmap(dev, 0, 4096), -ENODEV);
		assert_int_equal(vhp_dev_set_irqs(dev, 0, 1, (int[]){ -1 }), -ENODEV);
		assert_int_equal(vhp_dev_reset(dev), -ENODEV);
		vhp_dev_doorbell(dev, 0, 0, 1);
		vhp_dev_close(dev);
		mock_stop(&m);
	}
}

/* A refusal is an answer: the connection stays. */
static void error_replies(void **state)
{
	(void)state;
	for (enum mock_fault fault = MOCK_ERROR_REPLY; fault < MOCK_FAULTS; fault++) {
		struct mock m;
		struct vhp_dev *dev = open_mock(&m, fault);
		uint64_t v;

		assert_int_equal(vhp_dev_read(dev, 0, 0, 4, &v), -EIO);
		assert_true(vhp_dev_alive(dev));
		assert_int_equal(vhp_dev_read(dev, VHP_BAR_CONFIG, 0, 2, &v), 0);
		assert_int_equal(v, 0x1af4);
		vhp_dev_close(dev);
		mock_stop(&m);
	}
}

static void server_killed(void **state)
{
	struct mock m;
	struct vhp_dev *dev = open_mock(&m, MOCK_FINE);
	struct pollfd p = { .fd = vhp_dev_watch_fd(dev), .events = POLLIN | POLLRDHUP };

	(void)state;
	assert_int_equal(poll(&p, 1, 0), 0);
	mock_stop(&m);
	assert_int_equal(poll(&p, 1, 10000), 1);
	assert_false(vhp_dev_alive(dev));
	assert_non_null(strstr(vhp_dev_failure(dev), "closed"));
	vhp_dev_doorbell(dev, 0, 0, 1);
	vhp_dev_close(dev);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(window_steps),	   cmocka_unit_test(window),	    cmocka_unit_test(registers),
		cmocka_unit_test(ranges),	   cmocka_unit_test(doorbells),	    cmocka_unit_test(threads),
		cmocka_unit_test(memory),	   cmocka_unit_test(interrupts),    cmocka_unit_test(reset),
		cmocka_unit_test(refused_at_open), cmocka_unit_test(nobody_there),  cmocka_unit_test(wrong_replies),
		cmocka_unit_test(error_replies),   cmocka_unit_test(server_killed),
	};

	RUN_SUITE("socket", tests);
	run_virtio_tests();
	run_mailbox_tests();
	return suites_end();
}
