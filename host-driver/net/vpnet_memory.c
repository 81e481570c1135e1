/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The socket back end reaches memory by file descriptor, so every page of DPDK's heap is announced with its own, and the
 * IOVA is the virtual address. (The kernel back end needs none of this: EAL keeps the container's map.)
 */
#include "vpnet.h"

#include <errno.h>
#include <rte_eal_memconfig.h>
#include <rte_errno.h>
#include <rte_malloc.h>
#include <rte_memory.h>
#include <string.h>

struct range {
	uint64_t start, size;
	int fd;
	uint64_t offset;
};

struct vpnet_memory {
	struct vpnet *net;
	char callback[RTE_ETH_NAME_MAX_LEN + 16];
	struct range last; /* grows while the next page continues it in address and file */
	uint64_t skipped;  /* bytes without a descriptor */
	bool watching;	   /* memory can change (not with --no-huge or --legacy-mem) */
	int rc;
};

static void flush(struct vpnet_memory *m)
{
	int rc;

	if (m->last.size == 0)
		return;
	rc = vhp_dev_dma_map(m->net->dev, m->last.start, m->last.size, m->last.fd, m->last.offset, NULL);
	if (rc < 0) {
		VPNET_LOG(ERR, m->net, "cannot map 0x%" PRIx64 " + 0x%" PRIx64 " for the device: %s", m->last.start,
			  m->last.size, strerror(-rc));
		m->rc = rc;
	}
	m->last.size = 0;
}

static void add_page(struct vpnet_memory *m, const struct rte_memseg *ms)
{
	size_t offset = 0;
	int fd = rte_memseg_get_fd_thread_unsafe(ms);

	if (fd < 0 || rte_memseg_get_fd_offset_thread_unsafe(ms, &offset) < 0) {
		m->skipped += ms->len;
		return;
	}
	if (m->last.size > 0 && m->last.fd == fd && m->last.start + m->last.size == ms->addr_64 &&
	    m->last.offset + m->last.size == offset) {
		m->last.size += ms->len;
		return;
	}
	flush(m);
	m->last = (struct range){ ms->addr_64, ms->len, fd, offset };
}

static int walk(const struct rte_memseg_list *msl, const struct rte_memseg *ms, void *arg)
{
	struct vpnet_memory *m = arg;

	if (msl->external)
		m->skipped += ms->len;
	else
		add_page(m, ms);
	return m->rc;
}

/* Runs with the memory lock held. */
static void changed(enum rte_mem_event event, const void *address, size_t len, void *arg)
{
	struct vpnet_memory *m = arg;
	const struct rte_memseg_list *msl = rte_mem_virt2memseg_list(address);
	uint64_t at = (uint64_t)(uintptr_t)address, end = at + len;

	if (msl == NULL || msl->external)
		return;
	if (event == RTE_MEM_EVENT_FREE) {
		int rc = vhp_dev_dma_unmap(m->net->dev, at, len);

		if (rc < 0 && rc != -ENODEV)
			VPNET_LOG(ERR, m->net, "cannot unmap 0x%" PRIx64 " + 0x%zx: %s", at, len, strerror(-rc));
		return;
	}
	while (at < end) {
		const struct rte_memseg *ms = rte_mem_virt2memseg((void *)(uintptr_t)at, msl);

		if (ms == NULL)
			break;
		add_page(m, ms);
		at += ms->len;
	}
	flush(m);
}

int vpnet_memory_open(struct vpnet *net)
{
	struct vpnet_memory *m;

	if (rte_eal_iova_mode() != RTE_IOVA_VA) {
		VPNET_LOG(ERR, net, "needs IOVA as VA: start the application with --iova-mode=va");
		return -ENOTSUP;
	}
	m = rte_zmalloc("vpnet_memory", sizeof(*m), 0);
	if (m == NULL)
		return -ENOMEM;
	m->net = net;
	snprintf(m->callback, sizeof(m->callback), "vpnet_%s", net->name);

	/* With the map locked nothing is added between the walk and the callback. */
	rte_mcfg_mem_read_lock();
	if (rte_memseg_walk_thread_unsafe(walk, m) == 0)
		flush(m);
	if (m->rc == 0) {
		m->watching = rte_mem_event_callback_register(m->callback, changed, m) == 0;
		if (!m->watching && rte_errno != ENOTSUP) {
			VPNET_LOG(ERR, net, "cannot watch memory changes: %s", rte_strerror(rte_errno));
			m->rc = -rte_errno;
		}
	}
	rte_mcfg_mem_read_unlock();
	if (m->rc == 0 && m->skipped > 0)
		VPNET_LOG(WARNING, net,
			  "%" PRIu64 " KiB of memory have no file descriptor: the device cannot reach buffers there",
			  m->skipped / 1024);
	net->memory = m;
	if (m->rc < 0) {
		int rc = m->rc;

		vpnet_memory_close(net);
		return rc;
	}
	return 0;
}

void vpnet_memory_close(struct vpnet *net)
{
	if (net->memory == NULL)
		return;
	if (net->memory->watching)
		rte_mem_event_callback_unregister(net->memory->callback, net->memory);
	rte_free(net->memory);
	net->memory = NULL; /* the device's map ends with its socket */
}
