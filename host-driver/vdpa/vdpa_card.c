/* SPDX-License-Identifier: Apache-2.0 */
#include "vdpa.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <rte_common.h>
#include <rte_dev.h>
#include <rte_thread.h>

#include "vhp_mgmt_regs.h"

/* A simulated card answers in simulated time, and its time passes as fast as the machine is idle. */
#define BOOT_TIMEOUT_MS(card) ((card)->socket ? 120000u : 5000u)
#define CALL_TIMEOUT_MS(card) ((card)->socket ? 120000u : 1000u)
/* Until a lost simulated card is looked for again, or a PCI function asked whether it is there. */
#define WATCH_PERIOD_MS 1000
#define FIRST_FREE_IOVA 0x100000000ull /* above the 32-bit windows of PCI and MSI */
#define FREE_IOVA_ALIGN 0x40000000ull

/* --------------------------------------------------------------------------------------------------- attaching */

/* Everything that a former owner may have left running. Waits for a request that it left in the mailbox. */
static int quiet_card(struct vdpa_card *card, struct vhp_mbox *mbox, char *err, size_t errlen)
{
	struct vhp_mbox_port_stop stop = { 0 };
	struct vhp_mbox_vring_bases bases;

	for (unsigned int port = 0; port < card->num_ports; port++) {
		int rc, tries = 100;

		do {
			rc = vhp_mbox_call(mbox, VHP_OP_PORT_STOP, (uint16_t)port, &stop, sizeof(stop), &bases,
					   sizeof(bases), CALL_TIMEOUT_MS(card));
		} while (rc == -EBUSY && --tries && !usleep(50000));
		if (rc && rc != VHP_ST_TIMEOUT) {
			snprintf(err, errlen, "cannot stop port %u of the card: %s", port, vhp_mbox_strstatus(rc));
			return rc < 0 ? rc : -EIO;
		}
	}
	return 0;
}

static int read_card(struct vdpa_card *card, struct vhp_mbox *mbox, char *err, size_t errlen)
{
	const struct vhp_dev_info *info = vhp_dev_info(mbox->dev);
	uint64_t caps;
	int rc;

	rc = vhp_dev_read(mbox->dev, 0, offsetof(vhp_mgmt_t, caps), 4, &caps);
	if (rc) {
		snprintf(err, errlen, "cannot read the card's registers: %s", strerror(-rc));
		return rc;
	}
	rc = vhp_mbox_call(mbox, VHP_OP_CARD_INFO, 0, NULL, 0, &card->info, sizeof(card->info), CALL_TIMEOUT_MS(card));
	if (rc) {
		snprintf(err, errlen, "the firmware does not tell its card information: %s", vhp_mbox_strstatus(rc));
		return rc < 0 ? rc : -EIO;
	}
	card->info.build[sizeof(card->info.build) - 1] = '\0';
	card->num_ports = card->info.num_ports;
	card->pairs = card->info.pairs;
	card->max_queue_size = card->info.max_queue_size;
	card->max_regions = (unsigned int)((caps & VHP_MGMT__CAPS__MAX_REGIONS_bm) >> VHP_MGMT__CAPS__MAX_REGIONS_bp);
	if (card->max_regions > VHP_MBOX_MAX_REGIONS)
		card->max_regions = VHP_MBOX_MAX_REGIONS;

	if (card->num_ports == 0 || card->num_ports > VDPA_MAX_PORTS || card->pairs == 0 ||
	    card->pairs > VHP_MBOX_MAX_VRINGS / 2 || card->max_regions == 0 ||
	    info->num_msix < VHP_PEER_VECTOR(card->num_ports - 1, 2 * card->pairs - 1) + 1) {
		snprintf(
			err, errlen,
			"the card says it has %u ports, %u queue pairs, %u regions and %u interrupt vectors: this driver "
			"cannot work with that",
			card->num_ports, card->pairs, card->max_regions, info->num_msix);
		return -EPROTO;
	}
	return 0;
}

/*
 * While it is held, the card refuses to load another image (vhpctl flash boot). If this process dies, the reset of function 0
 * that VFIO then does lets go of it.
 */
static int hold_image(struct vhp_dev *dev, bool hold)
{
	return vhp_dev_write(dev, 0, offsetof(vhp_mgmt_t, boot_hold), 4, hold ? VHP_MGMT__BOOT_HOLD__HOLD_bm : 0);
}

/* Open function 0 and make it quiet; the result replaces card->dev. */
static int attach(struct vdpa_card *card, char *err, size_t errlen)
{
	struct vhp_mbox *mbox = &card->mbox; /* nobody uses it while card->dev is NULL */
	struct vhp_dev *dev = NULL;
	int rc;

	rc = card->socket ? vhp_dev_open_socket(card->socket, &dev, err, errlen)
			  : vhp_dev_open_pci(card->pci, true, &dev, err, errlen);
	if (rc)
		return rc;
	rc = vhp_mbox_open(mbox, dev, BOOT_TIMEOUT_MS(card), err, errlen);
	if (rc)
		goto close_dev;
	rc = read_card(card, mbox, err, errlen);
	if (!rc)
		rc = quiet_card(card, mbox, err, errlen);
	if (rc)
		goto close_mbox;
	rc = vhp_dev_set_irqs(dev, VDPA_EVENT_VECTOR, 1, &card->event_fd);
	if (rc) {
		snprintf(err, errlen, "cannot tie the event interrupt (MSI-X vector 0): %s", strerror(-rc));
		goto close_mbox;
	}
	rc = hold_image(dev, true);
	if (rc) {
		snprintf(err, errlen, "cannot hold the card's image: %s", strerror(-rc));
		goto close_mbox;
	}

	card->num_ranges = 0; /* nobody maps while the card is lost */
	vdpa_log_attach(card, dev, mbox);
	pthread_rwlock_wrlock(&card->dev_lock);
	card->dev = dev;
	atomic_store(&card->lost, false);
	pthread_rwlock_unlock(&card->dev_lock);
	return 0;

close_mbox:
	vhp_mbox_close(mbox);
close_dev:
	vhp_dev_close(dev);
	return rc;
}

static void detach(struct vdpa_card *card)
{
	pthread_rwlock_wrlock(&card->dev_lock);
	if (card->dev) {
		hold_image(card->dev, false);
		vhp_mbox_close(&card->mbox);
		vhp_dev_close(card->dev);
		card->dev = NULL;
	}
	pthread_rwlock_unlock(&card->dev_lock);
}

/* ---------------------------------------------------------------------------------------------------- requests */

static struct vhp_dev *use_dev(struct vdpa_card *card)
{
	pthread_rwlock_rdlock(&card->dev_lock);
	if (card->dev && !atomic_load_explicit(&card->lost, memory_order_relaxed))
		return card->dev;
	pthread_rwlock_unlock(&card->dev_lock);
	return NULL;
}

static void leave_dev(struct vdpa_card *card)
{
	pthread_rwlock_unlock(&card->dev_lock);
}

static const char *op_name(enum vhp_mbox_op op)
{
	static const char *const names[] = {
		[VHP_OP_PORT_CONFIG] = "PORT_CONFIG", [VHP_OP_PEER_FEATURES] = "PEER_FEATURES",
		[VHP_OP_PEER_MEM] = "PEER_MEM",	      [VHP_OP_PEER_VRING] = "PEER_VRING",
		[VHP_OP_PORT_START] = "PORT_START",   [VHP_OP_PORT_STOP] = "PORT_STOP",
		[VHP_OP_PORT_STATUS] = "PORT_STATUS", [VHP_OP_PORT_STATS] = "PORT_STATS",
		[VHP_OP_CARD_INFO] = "CARD_INFO",     [VHP_OP_VRING_BASES] = "VRING_BASES",
		[VHP_OP_LOG_RING] = "LOG_RING",	      [VHP_OP_LOG_ENABLE] = "LOG_ENABLE",
		[VHP_OP_LOG_SYNC] = "LOG_SYNC",
	};

	return op < RTE_DIM(names) && names[op] ? names[op] : "?";
}

static int request(struct vdpa_card *card, enum vhp_mbox_op op, unsigned int port, const void *req, size_t len,
		   void *reply, size_t reply_len, uint16_t *detail)
{
	unsigned int timeout = CALL_TIMEOUT_MS(card);
	int rc;

	if (op == VHP_OP_PORT_STOP && port < VDPA_MAX_PORTS)
		timeout += card->args.port[port].connect_timeout_ms ? card->args.port[port].connect_timeout_ms : 5000;
	if (!use_dev(card))
		return -ENODEV;
	rc = vhp_mbox_call(&card->mbox, (uint16_t)op, (uint16_t)port, req, len, reply, reply_len, timeout);
	*detail = card->mbox.detail;
	if (rc < 0 && !vhp_dev_alive(card->dev))
		rc = -ENODEV;
	leave_dev(card);
	return rc;
}

int vdpa_card_try(struct vdpa_card *card, enum vhp_mbox_op op, unsigned int port, const void *req, size_t len,
		  void *reply, size_t reply_len)
{
	uint16_t detail;

	return request(card, op, port, req, len, reply, reply_len, &detail);
}

int vdpa_card_call(struct vdpa_card *card, enum vhp_mbox_op op, unsigned int port, const void *req, size_t len,
		   void *reply, size_t reply_len)
{
	uint16_t detail = 0;
	int rc = request(card, op, port, req, len, reply, reply_len, &detail);

	if (rc == VHP_ST_TIMEOUT) {
		CARD_LOG(card, WARNING, "port %u: %s: %s", port, op_name(op), vhp_mbox_strstatus(rc));
		return VDPA_FORCED;
	}
	if (rc > 0) {
		CARD_LOG(card, ERR, "port %u: the card refused %s: %s (byte %u of the request)", port, op_name(op),
			 vhp_mbox_strstatus(rc), detail);
		return -EIO;
	}
	if (rc < 0 && rc != -ENODEV)
		CARD_LOG(card, ERR, "port %u: no answer to %s: %s", port, op_name(op), strerror(-rc));
	return rc;
}

int vdpa_card_set_call(struct vdpa_card *card, unsigned int port, unsigned int vring, int fd)
{
	struct vhp_dev *dev = use_dev(card);
	int rc;

	if (!dev)
		return -ENODEV;
	rc = vhp_dev_set_irqs(dev, VHP_PEER_VECTOR(port, vring), 1, &fd);
	leave_dev(card);
	return rc;
}

int vdpa_card_image_held(struct vdpa_card *card)
{
	struct vhp_dev *dev = use_dev(card);
	uint64_t value;
	int rc;

	if (!dev)
		return -ENODEV;
	rc = vhp_dev_read(dev, 0, offsetof(vhp_mgmt_t, boot_hold), 4, &value);
	leave_dev(card);
	return rc ? rc : (value & VHP_MGMT__BOOT_HOLD__HOLD_bm) != 0;
}

void vdpa_card_doorbell(struct vdpa_card *card, unsigned int port, unsigned int vring)
{
	struct vhp_dev *dev = use_dev(card);

	if (!dev)
		return;
	vhp_dev_doorbell(dev, VDPA_DOORBELL_BAR, VDPA_DOORBELL_PAGE(port, vring), (uint16_t)vring);
	leave_dev(card);
}

int vdpa_card_doorbell_page(struct vdpa_card *card, unsigned int port, unsigned int vring, int *fd, uint64_t *offset,
			    uint64_t *size)
{
	struct vhp_dev *dev = use_dev(card);
	int rc;

	if (!dev)
		return -ENODEV;
	rc = vhp_dev_mmap_info(dev, VDPA_DOORBELL_BAR, VDPA_DOORBELL_PAGE(port, vring), fd, offset, size);
	leave_dev(card);
	return rc;
}

/* ------------------------------------------------------------------------------------------------- DMA mappings */

static bool overlaps(const struct vdpa_card *card, uint64_t iova, uint64_t size, uint64_t *end)
{
	for (unsigned int i = 0; i < card->num_ranges; i++) {
		const struct vdpa_range *r = &card->ranges[i];

		if (iova <= r->iova + (r->size - 1) && r->iova <= iova + (size - 1)) {
			*end = r->iova + r->size;
			return true;
		}
	}
	return false;
}

static int map_at(struct vdpa_card *card, struct vhp_dev *dev, uint64_t iova, uint64_t size, int fd, uint64_t offset,
		  void *va)
{
	int rc = vhp_dev_dma_map(dev, iova, size, fd, offset, va);

	if (!rc)
		card->ranges[card->num_ranges++] = (struct vdpa_range){ iova, size };
	return rc;
}

/*
 * All ports of function 0 share one IOMMU domain and every guest's memory begins at 0. So the IOVA is the
 * guest-physical address for whoever comes first; a range that is taken, or that the IOMMU cannot express, goes to the
 * first free place above 4 GiB. The card's region table translates.
 */
int vdpa_card_map(struct vdpa_card *card, uint64_t gpa, uint64_t size, int fd, uint64_t offset, void *va,
		  uint64_t *iova)
{
	struct vhp_dev *dev = use_dev(card);
	uint64_t at = gpa, end;
	int rc = -EEXIST;

	if (!dev)
		return -ENODEV;
	pthread_mutex_lock(&card->iova_lock);
	if (card->num_ranges == RTE_DIM(card->ranges)) {
		rc = -ENOSPC;
		goto out;
	}
	if (!overlaps(card, at, size, &end))
		rc = map_at(card, dev, at, size, fd, offset, va);
	if (rc == -EEXIST || rc == -EINVAL || rc == -ERANGE) {
		at = FIRST_FREE_IOVA;
		while (at + (size - 1) > at && overlaps(card, at, size, &end))
			at = RTE_ALIGN_CEIL(end, FREE_IOVA_ALIGN);
		rc = at + (size - 1) < at ? -ENOSPC : map_at(card, dev, at, size, fd, offset, va);
	}
out:
	pthread_mutex_unlock(&card->iova_lock);
	leave_dev(card);
	*iova = at;
	return rc;
}

void vdpa_card_unmap(struct vdpa_card *card, uint64_t iova, uint64_t size)
{
	struct vhp_dev *dev = use_dev(card);
	int rc;

	if (!dev)
		return; /* its mappings went with it */
	pthread_mutex_lock(&card->iova_lock);
	rc = vhp_dev_dma_unmap(dev, iova, size);
	for (unsigned int i = 0; i < card->num_ranges; i++) {
		if (card->ranges[i].iova == iova && card->ranges[i].size == size) {
			card->ranges[i] = card->ranges[--card->num_ranges];
			break;
		}
	}
	pthread_mutex_unlock(&card->iova_lock);
	if (rc && vhp_dev_alive(dev))
		CARD_LOG(card, ERR, "cannot unmap 0x%" PRIx64 " + 0x%" PRIx64 ": %s", iova, size, strerror(-rc));
	leave_dev(card);
}

/* ------------------------------------------------------------------------------------------------- event thread */

static void read_lost_events(struct vdpa_card *card)
{
	struct vhp_dev *dev = use_dev(card);
	uint64_t lost = 0;

	if (!dev)
		return;
	if (!vhp_dev_read(dev, 0, offsetof(vhp_mgmt_t, event_lost), 4, &lost) &&
	    lost != atomic_load(&card->events_lost)) {
		CARD_LOG(card, WARNING, "the card's event queue overflowed: %" PRIu64 " events lost so far", lost);
		atomic_store(&card->events_lost, lost);
	}
	leave_dev(card);
}

static void take_events(struct vdpa_card *card)
{
	uint64_t count;

	if (read(card->event_fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
		CARD_LOG(card, ERR, "cannot read the event descriptor: %s", strerror(errno));

	for (;;) {
		struct vhp_mbox_event event;
		int rc;

		if (!use_dev(card))
			return;
		rc = vhp_mbox_event(&card->mbox, &event);
		leave_dev(card);
		if (rc < 1)
			break;
		atomic_fetch_add(&card->events, 1);
		if (event.port < VDPA_MAX_PORTS && card->port[event.port]) {
			vdpa_port_event(card->port[event.port], event.type, event.arg);
			vdpa_port_renegotiate(card->port[event.port]);
		} else {
			CARD_LOG(card, WARNING, "event %u for port %u, which is not in use", event.type, event.port);
		}
	}
	read_lost_events(card);
}

static void card_lost(struct vdpa_card *card)
{
	const char *why;

	if (atomic_exchange(&card->lost, true))
		return;
	atomic_fetch_add(&card->lost_count, 1);
	why = vhp_dev_failure(card->dev);
	CARD_LOG(card, ERR, "the card is gone: %s%s", why ? why : "it does not answer",
		 card->socket ? "; waiting for it to come back" : "");
	for (unsigned int i = 0; i < VDPA_MAX_PORTS; i++) {
		if (card->port[i])
			vdpa_port_card_lost(card->port[i]);
	}
	detach(card);
	/* Only a new probe brings it back, which is the program's to do: DPDK's word for it. */
	if (!card->socket)
		rte_dev_event_callback_process(card->rte_dev->name, RTE_DEV_EVENT_REMOVE);
}

static void card_back(struct vdpa_card *card)
{
	char err[256];

	/* Quietly: vhp-sim may take its time to come back. */
	if (attach(card, err, sizeof(err)))
		return;
	for (unsigned int i = 0; i < VDPA_MAX_PORTS; i++) {
		if (card->port[i] && i >= card->num_ports) {
			CARD_LOG(card, ERR, "the card that came back has only %u ports", card->num_ports);
			atomic_store(&card->lost, true);
			detach(card);
			return;
		}
	}
	atomic_fetch_add(&card->reattach_count, 1);
	CARD_LOG(card, NOTICE, "the card is back");
	for (unsigned int i = 0; i < VDPA_MAX_PORTS; i++) {
		if (card->port[i])
			vdpa_port_card_back(card->port[i]);
	}
}

enum source {
	SRC_STOP,
	SRC_EVENT,
	SRC_LOG,
	SRC_WATCH
};

static int watch(int epoll_fd, int fd, uint32_t events, enum source source)
{
	struct epoll_event ev = { .events = events, .data.u32 = source };

	return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &ev) ? -errno : 0;
}

static uint32_t event_thread(void *arg)
{
	struct vdpa_card *card = arg;
	int epoll_fd = epoll_create1(EPOLL_CLOEXEC);

	if (epoll_fd < 0 || watch(epoll_fd, card->stop_fd, EPOLLIN, SRC_STOP) ||
	    watch(epoll_fd, card->event_fd, EPOLLIN, SRC_EVENT) ||
	    watch(epoll_fd, card->log.timer_fd, EPOLLIN, SRC_LOG)) {
		CARD_LOG(card, ERR, "the event thread cannot run: %s", strerror(errno));
		goto out;
	}
	for (bool watched = false;;) {
		struct epoll_event ev;
		bool lost = atomic_load(&card->lost);
		int n;

		if (!lost && !watched) {
			/* Only the hang-up: what arrives on that socket is for whoever waits for an answer. PCI has none. */
			int fd = vhp_dev_watch_fd(card->dev);

			watched = fd < 0 || watch(epoll_fd, fd, EPOLLRDHUP, SRC_WATCH) == 0;
		}
		n = epoll_wait(epoll_fd, &ev, 1, (card->socket ? lost : !lost) ? WATCH_PERIOD_MS : -1);
		if (n < 0 && errno != EINTR)
			break;
		if (n == 0 && lost) {
			card_back(card);
			watched = false;
			continue;
		}
		if (n < 0)
			continue;
		if (n > 0 && ev.data.u32 == SRC_STOP)
			break;
		if (n > 0 && ev.data.u32 == SRC_EVENT)
			take_events(card);
		if (n > 0 && ev.data.u32 == SRC_LOG)
			vdpa_log_tick(card);
		for (unsigned int i = 0; i < VDPA_MAX_PORTS; i++) {
			if (!card->port[i])
				continue;
			vdpa_port_memory_lost(card->port[i]);
			vdpa_port_renegotiate(card->port[i]);
		}
		if (!atomic_load(&card->lost) && !vhp_dev_alive(card->dev))
			card_lost(card); /* closes the watched descriptor */
	}
out:
	if (epoll_fd >= 0)
		close(epoll_fd);
	return 0;
}

/* ------------------------------------------------------------------------------------------------ life of a card */

int vdpa_card_open(struct vdpa_card *card, char *err, size_t errlen)
{
	rte_thread_t thread;
	int rc;

	pthread_rwlock_init(&card->dev_lock, NULL);
	pthread_mutex_init(&card->iova_lock, NULL);
	vdpa_log_init(card);
	card->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	card->stop_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (card->event_fd < 0 || card->stop_fd < 0 || card->log.timer_fd < 0) {
		rc = -errno;
		snprintf(err, errlen, "cannot create an event descriptor: %s", strerror(errno));
		goto fail;
	}
	rc = attach(card, err, errlen);
	if (rc)
		goto fail;
	for (unsigned int i = 0; i < VDPA_MAX_PORTS; i++) {
		if (card->args.port[i].used && i >= card->num_ports) {
			snprintf(err, errlen, "port %u: the card has %u ports", i, card->num_ports);
			rc = -EINVAL;
			goto fail;
		}
		if (card->args.port[i].used && card->args.port[i].pairs > card->pairs) {
			snprintf(err, errlen, "queues=%u: the card has %u queue pairs per port",
				 card->args.port[i].pairs, card->pairs);
			rc = -EINVAL;
			goto fail;
		}
	}
	rc = rte_thread_create_control(&thread, "vhp-event", event_thread, card);
	if (rc) {
		snprintf(err, errlen, "cannot start the event thread: %s", strerror(rc < 0 ? -rc : rc));
		rc = -EAGAIN;
		goto fail;
	}
	card->thread = (pthread_t)thread.opaque_id;
	card->thread_runs = true;
	return 0;

fail:
	vdpa_card_close(card);
	return rc;
}

void vdpa_card_close(struct vdpa_card *card)
{
	if (card->thread_runs) {
		eventfd_write(card->stop_fd, 1);
		rte_thread_join((rte_thread_t){ .opaque_id = (uintptr_t)card->thread }, NULL);
		card->thread_runs = false;
	}
	vdpa_log_close(card);
	detach(card);
	if (card->event_fd >= 0)
		close(card->event_fd);
	if (card->stop_fd >= 0)
		close(card->stop_fd);
	card->event_fd = -1;
	card->stop_fd = -1;
	pthread_mutex_destroy(&card->iova_lock);
	pthread_rwlock_destroy(&card->dev_lock);
}
