/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory that a front end takes back. Its files are mapped here by rte_vhost, and it can shorten them at any time; the next
 * access behind their end is a SIGBUS, in whichever thread of ours or of rte_vhost. That must cost the front end its
 * connection, not the process and every other port: the handler puts a page of zeros under the access and leaves the rest to
 * the card's event thread.
 *
 * A signal has one handler in a process, so this is the one part of the driver that is not per card.
 */
#include "vdpa.h"

#include <errno.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <rte_common.h>

#define MAX_FRONTS 512u

static struct sigaction former;
static _Atomic(struct vdpa_front *) fronts[MAX_FRONTS];
/* The front end whose message makes rte_vhost map memory just now, and the thread that does it. */
static _Atomic(struct vdpa_front *) mapping;
static atomic_int mapping_thread;

/* Async-signal-safe, as all that the handler calls. */
static struct vdpa_front *owner(uintptr_t at)
{
	for (unsigned int i = 0; i < MAX_FRONTS; i++) {
		struct vdpa_front *front = atomic_load(&fronts[i]);

		for (unsigned int g = 0; front && g < RTE_DIM(front->guard); g++) {
			uintptr_t start = atomic_load(&front->guard[g].start);

			if (at >= start && at - start < atomic_load(&front->guard[g].size))
				return front;
		}
	}
	return atomic_load(&mapping_thread) == gettid() ? atomic_load(&mapping) : NULL;
}

/* Huge pages can only be replaced whole: the kernel says EINVAL to less. */
static bool fill(uintptr_t at)
{
	static const size_t sizes[] = { VDPA_PAGE_SIZE, 2u << 20, 1u << 30 };

	for (unsigned int i = 0; i < RTE_DIM(sizes); i++) {
		void *page = (void *)(at & ~(uintptr_t)(sizes[i] - 1));

		if (mmap(page, sizes[i], PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0) != MAP_FAILED)
			return true;
		if (errno != EINVAL)
			break;
	}
	return false;
}

static void on_sigbus(int sig, siginfo_t *info, void *context)
{
	uintptr_t at = (uintptr_t)info->si_addr;
	/* Not a machine check of memory that is there: BUS_MCEERR_*. */
	struct vdpa_front *front = info->si_code == BUS_ADRERR ? owner(at) : NULL;
	int saved = errno;

	if (front && fill(at)) {
		atomic_store(&front->memory_lost, true);
		eventfd_write(front->port->card->event_fd, 1);
	} else if (former.sa_flags & SA_SIGINFO) {
		former.sa_sigaction(sig, info, context);
	} else if (former.sa_handler != SIG_DFL && former.sa_handler != SIG_IGN) {
		former.sa_handler(sig);
	} else {
		signal(sig, SIG_DFL); /* the access is repeated, and ends the process */
	}
	errno = saved;
}

static void install(void)
{
	struct sigaction sa = { .sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO | SA_ONSTACK };

	sigemptyset(&sa.sa_mask);
	sigaction(SIGBUS, &sa, &former);
}

void vdpa_guard_init(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, install);
}

void vdpa_guard_add(struct vdpa_front *front)
{
	for (unsigned int i = 0; i < MAX_FRONTS; i++) {
		struct vdpa_front *none = NULL;

		if (atomic_compare_exchange_strong(&fronts[i], &none, front))
			return;
	}
	PORT_LOG(front->port, WARNING, "more than %u front ends: one that shortens its memory ends this process",
		 MAX_FRONTS);
}

void vdpa_guard_remove(struct vdpa_front *front)
{
	vdpa_guard_mapped(front);
	for (unsigned int i = 0; i < MAX_FRONTS; i++) {
		struct vdpa_front *own = front;

		if (atomic_compare_exchange_strong(&fronts[i], &own, NULL))
			break;
	}
}

void vdpa_guard_mapping(struct vdpa_front *front)
{
	atomic_store(&mapping_thread, gettid());
	atomic_store(&mapping, front);
}

void vdpa_guard_mapped(struct vdpa_front *front)
{
	struct vdpa_front *own = front;

	atomic_compare_exchange_strong(&mapping, &own, NULL);
}

void vdpa_guard_set(struct vdpa_front *front, unsigned int slot, uint64_t start, uint64_t size)
{
	struct vdpa_guard *g = &front->guard[slot];

	atomic_store(&g->size, 0);
	atomic_store(&g->start, (uintptr_t)start);
	atomic_store(&g->size, (size_t)size);
}
