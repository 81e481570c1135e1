/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The card's side of the driver (vdpa_card.c, vdpa_port.c, vdpa_log.c) against a mailbox and a rte_vhost that do what the test
 * says: what a working card and a quick machine never show.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <rte_dev.h>
#include <rte_thread.h>
#include <semaphore.h>

#include "vdpa.h"
#include "vhp_mgmt_regs.h"

#define VID 5
#define GUEST_SIZE 0x100000u
#define PAGES (GUEST_SIZE / VDPA_DIRTY_PAGE)

int vdpa_logtype;

/* ------------------------------------------------------------------------------------------------- what is around it */

static struct {
	atomic_bool dead;
	uint64_t *ring; /**< the log ring, as the card would write it */
	uint32_t head;
	int stop_status, vring_status;	    /**< of PORT_STOP, PEER_VRING */
	struct vhp_mbox_vring_bases bases;  /**< that the card reports */
	uint16_t base[VHP_MBOX_MAX_VRINGS]; /**< that rte_vhost was told */
	bool marked[PAGES];
	unsigned int marks_elsewhere;
} fake;

static const struct vhp_dev_info info = { .num_msix = 32 };

int vhp_dev_open_pci(struct rte_pci_device *pci, bool own, struct vhp_dev **dev, char *err, size_t errlen)
{
	(void)pci, (void)own, (void)err, (void)errlen;
	*dev = (struct vhp_dev *)&fake;
	return 0;
}

int vhp_dev_open_socket(const char *path, struct vhp_dev **dev, char *err, size_t errlen)
{
	(void)path;
	return vhp_dev_open_pci(NULL, true, dev, err, errlen);
}

void vhp_dev_close(struct vhp_dev *dev)
{
	(void)dev;
}

const struct vhp_dev_info *vhp_dev_info(const struct vhp_dev *dev)
{
	(void)dev;
	return &info;
}

bool vhp_dev_alive(struct vhp_dev *dev)
{
	(void)dev;
	return !atomic_load(&fake.dead);
}

const char *vhp_dev_failure(struct vhp_dev *dev)
{
	(void)dev;
	return "it was pulled out";
}

int vhp_dev_watch_fd(struct vhp_dev *dev)
{
	(void)dev;
	return -ENOTSUP;
}

int vhp_dev_read(struct vhp_dev *dev, unsigned int bar, uint64_t offset, unsigned int width, uint64_t *value)
{
	(void)dev, (void)bar, (void)width;
	*value = offset == offsetof(vhp_mgmt_t, caps) ? (uint64_t)8 << VHP_MGMT__CAPS__MAX_REGIONS_bp : 0;
	return 0;
}

int vhp_dev_write(struct vhp_dev *dev, unsigned int bar, uint64_t offset, unsigned int width, uint64_t value)
{
	(void)dev, (void)bar, (void)offset, (void)width, (void)value;
	return 0;
}

void vhp_dev_doorbell(struct vhp_dev *dev, unsigned int bar, uint64_t offset, uint16_t value)
{
	(void)dev, (void)bar, (void)offset, (void)value;
}

int vhp_dev_dma_map(struct vhp_dev *dev, uint64_t iova, uint64_t size, int fd, uint64_t offset, void *va)
{
	(void)dev, (void)iova, (void)size, (void)fd, (void)offset;
	fake.ring = fake.ring ? fake.ring : va; /* the log ring is the first */
	return 0;
}

int vhp_dev_dma_unmap(struct vhp_dev *dev, uint64_t iova, uint64_t size)
{
	(void)dev, (void)iova, (void)size;
	return 0;
}

int vhp_dev_set_irqs(struct vhp_dev *dev, unsigned int first, unsigned int count, const int *fds)
{
	(void)dev, (void)first, (void)count, (void)fds;
	return 0;
}

int vhp_dev_mmap_info(struct vhp_dev *dev, unsigned int bar, uint64_t offset, int *fd, uint64_t *fd_offset,
		      uint64_t *size)
{
	(void)dev, (void)bar, (void)offset, (void)fd, (void)fd_offset, (void)size;
	return -ENOTSUP;
}

int vhp_mbox_open(struct vhp_mbox *mbox, struct vhp_dev *dev, unsigned int timeout_ms, char *err, size_t errlen)
{
	(void)timeout_ms, (void)err, (void)errlen;
	mbox->dev = dev;
	return 0;
}

void vhp_mbox_close(struct vhp_mbox *mbox)
{
	(void)mbox;
}

int vhp_mbox_event(struct vhp_mbox *mbox, struct vhp_mbox_event *event)
{
	(void)mbox, (void)event;
	return 0;
}

const char *vhp_mbox_strstatus(int status)
{
	(void)status;
	return "as the test says";
}

int vhp_mbox_call(struct vhp_mbox *mbox, uint16_t op, uint16_t port, const void *req, size_t len, void *reply,
		  size_t replylen, unsigned int timeout_ms)
{
	const struct vhp_mbox_card_info card = { .num_ports = 2, .pairs = 2, .max_queue_size = 256 };
	const struct vhp_mbox_log_state log = { .head = fake.head };

	(void)mbox, (void)port, (void)len, (void)timeout_ms, (void)req;
	if (atomic_load(&fake.dead))
		return -ENODEV;
	switch (op) {
	case VHP_OP_CARD_INFO:
		memcpy(reply, &card, replylen);
		break;
	case VHP_OP_LOG_RING:
	case VHP_OP_LOG_SYNC:
		if (reply) /* the ring is given; without, taken away */
			memcpy(reply, &log, replylen);
		break;
	case VHP_OP_VRING_BASES:
		memcpy(reply, &fake.bases, replylen);
		break;
	case VHP_OP_PORT_STOP:
		memcpy(reply, &fake.bases, replylen);
		return fake.stop_status;
	case VHP_OP_PEER_VRING:
		return fake.vring_status;
	}
	return 0;
}

/* Without EAL there are no processors for control threads. */
int rte_thread_create_control(rte_thread_t *thread, const char *name, rte_thread_func start, void *arg)
{
	(void)name;
	return rte_thread_create(thread, NULL, start, arg);
}

int rte_vhost_get_vring_base(int vid, uint16_t queue, uint16_t *avail, uint16_t *used)
{
	(void)vid;
	*avail = *used = fake.base[queue];
	return 0;
}

int rte_vhost_set_vring_base(int vid, uint16_t queue, uint16_t avail, uint16_t used)
{
	assert_int_equal(vid, VID);
	assert_int_equal(avail, used);
	fake.base[queue] = used;
	return 0;
}

int rte_vhost_get_log_base(int vid, uint64_t *base, uint64_t *size)
{
	(void)vid;
	*base = (uint64_t)(uintptr_t)fake.marked;
	*size = PAGES / 8;
	return 0;
}

void rte_vhost_log_write(int vid, uint64_t addr, uint64_t len)
{
	if (vid != VID || addr + len > GUEST_SIZE)
		fake.marks_elsewhere++;
	else
		memset(&fake.marked[addr / VDPA_DIRTY_PAGE], 1, len / VDPA_DIRTY_PAGE);
}

void vdpa_front_refuse(struct vdpa_front *front, const char *fmt, ...)
{
	(void)fmt;
	front->phase = VDPA_REFUSED;
}

bool vdpa_front_logs(const struct vdpa_front *front)
{
	return front->features >> VHOST_F_LOG_ALL & 1;
}

void vdpa_front_close(struct vdpa_front *front)
{
	(void)front;
}

void vdpa_conn_close(struct vdpa_front *front)
{
	(void)front;
}

int vdpa_relay_start(struct vdpa_port *port)
{
	(void)port;
	return 0;
}

void vdpa_relay_stop(struct vdpa_port *port)
{
	(void)port;
}

void vdpa_notifier_stop(struct vdpa_port *port)
{
	(void)port;
}

void vdpa_port_renegotiate(struct vdpa_port *port)
{
	(void)port;
}

/* ------------------------------------------------------------------------------------------------------- a card in use */

static struct rig {
	struct rte_device device;
	struct vdpa_card card;
	struct vdpa_port port;
	struct vring_used used[2];
	uint8_t guest[VDPA_DIRTY_PAGE];
} *rig;

static int open_card(void **state)
{
	struct vdpa_front *front;
	char err[256];

	memset(&fake, 0, sizeof(fake));
	rig = calloc(1, sizeof(*rig));
	*state = rig;
	rig->device.name = "0000:03:00.0";
	rig->card.rte_dev = &rig->device;
	rig->card.port[0] = &rig->port;
	rig->port.card = &rig->card;
	rig->port.args = &rig->card.args.port[0];
	pthread_mutex_init(&rig->port.lock, NULL);
	pthread_mutex_init(&rig->port.events_lock, NULL);
	front = &rig->port.front[0];
	rig->port.front[1].vid = -1;
	*front = (struct vdpa_front){ .port = &rig->port, .vid = VID, .conn_fd = -1, .num_regions = 1 };
	front->features = 1ull << VHOST_F_LOG_ALL;
	front->regions[0] = (struct vdpa_region){ .size = GUEST_SIZE, .hva = rig->guest, .fd = -1 };
	for (unsigned int i = 0; i < 2; i++)
		front->vring[i] = (struct vdpa_vring){
			.ready = true, .call_fd = -1, .kick_fd = -1, .num = 256, .used_hva = &rig->used[i]
		};
	rig->port.active = front;
	if (vdpa_card_open(&rig->card, err, sizeof(err))) {
		printf("%s\n", err);
		return -1;
	}
	assert_int_equal(vdpa_port_up(&rig->port), 0);
	return 0;
}

static int close_card(void **state)
{
	vdpa_port_down(&rig->port);
	vdpa_card_close(&rig->card);
	free(*state);
	return 0;
}

static void card_writes(uint64_t page)
{
	fake.ring[fake.head++ & ((1u << rig->card.log.size_log2) - 1)] = page * VDPA_DIRTY_PAGE | 1;
}

static unsigned int marked(void)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < PAGES; i++)
		n += fake.marked[i];
	return n;
}

/* ----------------------------------------------------------------------------------------------------- dirty pages */

/* The driver in VM B disconnects while rte_vhost replaces the log. */
static void stopped_in_a_pause(void **state)
{
	(void)state;
	vdpa_log_pause(&rig->port, VID, true);
	card_writes(3);
	vdpa_port_down(&rig->port);
	assert_int_equal(marked(), 0);
	vdpa_log_pause(&rig->port, VID, false);
	assert_int_equal(marked(), PAGES);
	assert_int_equal(fake.marks_elsewhere, 0);
}

static void lost_in_a_pause(void **state)
{
	(void)state;
	vdpa_log_pause(&rig->port, VID, true);
	vdpa_port_card_lost(&rig->port);
	vdpa_log_pause(&rig->port, VID, false);
	assert_int_equal(marked(), PAGES);
}

/* Down and up again, as when that driver resets; and the pages that come after. */
static void restarted_in_a_pause(void **state)
{
	(void)state;
	vdpa_log_pause(&rig->port, VID, true);
	card_writes(3);
	vdpa_port_down(&rig->port);
	assert_int_equal(vdpa_port_up(&rig->port), 0);
	assert_int_equal(marked(), 0);
	vdpa_log_pause(&rig->port, VID, false);
	assert_int_equal(marked(), PAGES);
	memset(fake.marked, 0, sizeof(fake.marked));
	card_writes(7);
	vdpa_port_down(&rig->port);
	assert_int_equal(marked(), 1);
	assert_true(fake.marked[7]);
}

/* A pause in which nothing came costs nothing, and a bitmap that is gone is not touched. */
static void paused_for_nothing(void **state)
{
	(void)state;
	vdpa_log_pause(&rig->port, VID, true);
	vdpa_log_pause(&rig->port, VID, false);
	assert_int_equal(marked(), 0);
	vdpa_log_pause(&rig->port, VID, true);
	card_writes(1);
	vdpa_port_down(&rig->port);
	vdpa_log_forget(&rig->port, VID);
	vdpa_log_pause(&rig->port, VID, false);
	assert_int_equal(marked(), 0);
	assert_int_equal(fake.marks_elsewhere, 0);
}

/* ------------------------------------------------------------------------------------- a lane that does not stop */

static void forced(void **state)
{
	(void)state;
	fake.bases = (struct vhp_mbox_vring_bases){ { 3, 4 }, { 3, 4 } };
	rig->used[0].idx = 9; /* the lane went on after the card last looked */
	rig->used[1].idx = 8;
	fake.vring_status = VHP_ST_TIMEOUT;
	vdpa_port_vring_off(&rig->port, 1);
	assert_int_equal(fake.base[1], 8);
	fake.vring_status = 0;
	fake.stop_status = VHP_ST_TIMEOUT;
	vdpa_port_down(&rig->port);
	assert_int_equal(fake.base[0], 9);
	assert_false(rig->port.started);
}

static void not_forced(void **state)
{
	(void)state;
	fake.bases = (struct vhp_mbox_vring_bases){ { 3, 4 }, { 3, 4 } };
	rig->used[0].idx = 9;
	vdpa_port_down(&rig->port);
	assert_int_equal(fake.base[0], 3);
	assert_int_equal(fake.base[1], 4);
}

/* ------------------------------------------------------------------------------------------- a PCI function that dies */

static sem_t told;
static char gone[64];

static void on_device(const char *name, enum rte_dev_event_type event, void *arg)
{
	(void)arg;
	if (event != RTE_DEV_EVENT_REMOVE)
		return;
	snprintf(gone, sizeof(gone), "%s", name);
	sem_post(&told);
}

static void dies_in_silence(void **state)
{
	(void)state;
	sem_init(&told, 0, 0);
	assert_int_equal(rte_dev_event_callback_register(NULL, on_device, NULL), 0);
	rig->used[0].idx = 6;
	vdpa_log_stop(&rig->port);	/* whose timer would wake the thread */
	atomic_store(&fake.dead, true); /* no event, no hang-up, nobody asks it anything */
	sem_wait(&told);
	assert_string_equal(gone, "0000:03:00.0");
	assert_true(atomic_load(&rig->card.lost));
	assert_int_equal(rig->port.active->phase, VDPA_CARD_LOST);
	assert_int_equal(fake.base[0], 6);
	assert_int_equal(atomic_load(&rig->card.lost_count), 1);
	rte_dev_event_callback_unregister(NULL, on_device, NULL);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, open_card, close_card)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(stopped_in_a_pause), CASE(lost_in_a_pause), CASE(restarted_in_a_pause),
		CASE(paused_for_nothing), CASE(forced),		 CASE(not_forced),
		CASE(dies_in_silence),
	};
	int failed = cmocka_run_group_tests_name("card", tests, NULL, NULL);

	printf("%zu passed, %d failed\n", sizeof(tests) / sizeof(tests[0]) - (size_t)failed, failed);
	return failed != 0;
}
