/* SPDX-License-Identifier: Apache-2.0 */
#include "vdpa.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include <rte_thread.h>

#define STOP UINT32_MAX
#define PF(bit) (1ull << (bit))
#define NOTIFIER_PF                                                                          \
	(PF(VHOST_USER_PROTOCOL_F_BACKEND_REQ) | PF(VHOST_USER_PROTOCOL_F_BACKEND_SEND_FD) | \
	 PF(VHOST_USER_PROTOCOL_F_HOST_NOTIFIER))
#define NOTIFIER_GRACE_MS 500

/* ------------------------------------------------------------------------------------------------------- kick relay */

/*
 * The descriptors are whatever the front end sent, so nothing here may block or depend on what they are: they are
 * watched edge-triggered and emptied only if that works without waiting.
 */
static void empty(int fd)
{
	uint64_t count;
	struct iovec iov = { &count, sizeof(count) };

	(void)!preadv2(fd, &iov, 1, -1, RWF_NOWAIT);
}

static uint32_t relay_thread(void *arg)
{
	struct vdpa_port *port = arg;

	for (;;) {
		struct epoll_event ev[VHP_MBOX_MAX_VRINGS + 1];
		int n = epoll_wait(port->relay.epoll_fd, ev, VHP_MBOX_MAX_VRINGS + 1, -1);

		if (n < 0 && errno != EINTR) {
			PORT_LOG(port, ERR, "the kick relay ends: %s", strerror(errno));
			return 0;
		}
		for (int i = 0; i < n; i++) {
			uint32_t vring = (uint32_t)ev[i].data.u64;

			if (vring == STOP)
				return 0;
			empty((int)(ev[i].data.u64 >> 32));
			vdpa_card_doorbell(port->card, port->index, vring);
			atomic_fetch_add_explicit(&port->relayed[vring], 1, memory_order_relaxed);
		}
	}
}

static int add(struct vdpa_port *port, int fd, uint32_t what, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.u64 = (uint64_t)(uint32_t)fd << 32 | what };

	return epoll_ctl(port->relay.epoll_fd, EPOLL_CTL_ADD, fd, &ev) ? -errno : 0;
}

/*
 * Our own duplicate, because rte_vhost closes its descriptor while the front end still holds the same one: epoll would
 * then go on reporting something that cannot be removed.
 */
int vdpa_relay_add(struct vdpa_front *front, unsigned int vring, int kick_fd)
{
	struct vdpa_vring *q = &front->vring[vring];
	struct vdpa_port *port = front->port;
	int rc;

	vdpa_relay_remove(front, vring);
	if (kick_fd < 0)
		return 0; /* the front end means to be polled: the first doorbell is all it gets */
	q->kick_fd = fcntl(kick_fd, F_DUPFD_CLOEXEC, 3);
	if (q->kick_fd < 0)
		return -errno;
	if (!port->relay.runs || port->active != front)
		return 0;
	rc = add(port, q->kick_fd, vring, EPOLLIN | EPOLLET);
	if (rc)
		PORT_LOG(port, ERR, "vring %u: the kick descriptor cannot be watched: %s", vring, strerror(-rc));
	return rc;
}

void vdpa_relay_remove(struct vdpa_front *front, unsigned int vring)
{
	struct vdpa_vring *q = &front->vring[vring];
	struct vdpa_port *port = front->port;

	if (q->kick_fd < 0)
		return;
	if (port->relay.runs && port->active == front)
		epoll_ctl(port->relay.epoll_fd, EPOLL_CTL_DEL, q->kick_fd, NULL);
	close(q->kick_fd);
	q->kick_fd = -1;
}

int vdpa_relay_start(struct vdpa_port *port)
{
	struct vdpa_relay *relay = &port->relay;
	char name[RTE_THREAD_NAME_SIZE];
	rte_thread_t thread;
	int rc = 0;

	relay->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	relay->stop_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (relay->epoll_fd < 0 || relay->stop_fd < 0)
		rc = -errno;
	if (!rc)
		rc = add(port, relay->stop_fd, STOP, EPOLLIN);
	for (unsigned int i = 0; !rc && i < VHP_MBOX_MAX_VRINGS; i++) {
		if (port->active->vring[i].ready && port->active->vring[i].kick_fd >= 0)
			rc = add(port, port->active->vring[i].kick_fd, i, EPOLLIN | EPOLLET);
	}
	snprintf(name, sizeof(name), "vhp-kick%u", port->index);
	if (!rc && rte_thread_create_control(&thread, name, relay_thread, port))
		rc = -EAGAIN;
	if (rc) {
		PORT_LOG(port, ERR, "cannot start the kick relay: %s", strerror(-rc));
		if (relay->epoll_fd >= 0)
			close(relay->epoll_fd);
		if (relay->stop_fd >= 0)
			close(relay->stop_fd);
		return rc;
	}
	relay->thread = (pthread_t)thread.opaque_id;
	relay->runs = true;
	return 0;
}

void vdpa_relay_stop(struct vdpa_port *port)
{
	struct vdpa_relay *relay = &port->relay;

	if (!relay->runs)
		return;
	eventfd_write(relay->stop_fd, 1);
	rte_thread_join((rte_thread_t){ .opaque_id = (uintptr_t)relay->thread }, NULL);
	close(relay->epoll_fd);
	close(relay->stop_fd);
	relay->runs = false;
}

/* ---------------------------------------------------------------------------------------------------- host notifier */

/*
 * Gives the front end the doorbell pages. The exchange waits for the front end's answer, which may itself be waiting for
 * the control thread, so it has a thread of its own.
 */
static uint32_t notifier_thread(void *arg)
{
	struct vdpa_port *port = arg;
	int rc = rte_vhost_host_notifier_ctrl(port->notifier.vid, RTE_VHOST_QUEUE_ALL, true);

	if (rc)
		PORT_LOG(port, INFO, "the front end does not map the doorbell pages (%s): kicks are relayed",
			 strerror(-rc));
	else
		PORT_LOG(port, INFO, "the front end has the doorbell pages");
	atomic_store(&port->notifier_on, rc == 0);
	atomic_store(&port->notifier.done, true);
	return 0;
}

void vdpa_notifier_start(struct vdpa_port *port)
{
	uint64_t protocol = port->active->protocol, offset, size;
	rte_thread_t thread;
	int fd;

	if (port->notifier.started) /* an earlier exchange was never answered */
		return;
	if ((protocol & NOTIFIER_PF) != NOTIFIER_PF ||
	    vdpa_card_doorbell_page(port->card, port->index, 0, &fd, &offset, &size))
		return;
	port->notifier.vid = port->active->vid;
	atomic_store(&port->notifier.done, false);
	if (rte_thread_create_control(&thread, "vhp-notify", notifier_thread, port)) {
		PORT_LOG(port, WARNING, "cannot start the notifier thread: kicks are relayed");
		return;
	}
	port->notifier.thread = (pthread_t)thread.opaque_id;
	port->notifier.started = true;
}

void vdpa_notifier_stop(struct vdpa_port *port)
{
	const struct timespec ms = { .tv_nsec = 1000000 };

	if (!port->notifier.started)
		return;
	for (unsigned int i = 0; i < NOTIFIER_GRACE_MS && !atomic_load(&port->notifier.done); i++)
		nanosleep(&ms, NULL);
	if (!atomic_load(&port->notifier.done)) {
		PORT_LOG(port, WARNING, "the front end has not answered about the doorbell pages");
		return; /* joined when it did */
	}
	rte_thread_join((rte_thread_t){ .opaque_id = (uintptr_t)port->notifier.thread }, NULL);
	port->notifier.started = false;
	atomic_store(&port->notifier_on, false);
}
