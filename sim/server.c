/* SPDX-License-Identifier: Apache-2.0 */
#include "server.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define VECTORS 32u
#define FLR_CYCLES 2000000u /* 8 ms: the firmware needs microseconds; other clients wait meanwhile */
#define AFTER_FLR_CYCLES 5000u
#define COMMAND 0x04u
#define COMMAND_MEMORY 0x2u
#define COMMAND_MASTER 0x4u

struct vhp_server {
	struct vhp_model *m;
	unsigned int fn;
	struct vfu_server *vfu;
	int irq[VECTORS]; /* eventfds, -1 = not tied */
	unsigned int tied;
	bool set_up_later; /* a client came while the link was down */
	/* Of a virtual function: what vfio-pci shows instead of what the function has (no ids, BARs, memory enable). */
	bool vf, memory;
	uint32_t bar[6];
	struct vhp_server_stats st;
};

/* Each vector of each function has an address of its own, as with interrupt remapping. */
static uint64_t msix_addr(const struct vhp_server *s, unsigned int vector)
{
	return 0xfee00000u + s->fn * 0x1000u + vector * 0x10u;
}

static uint32_t msix_data(const struct vhp_server *s, unsigned int vector)
{
	return 0x4000u | s->fn << 8 | vector;
}

static void say(void *arg, const char *text)
{
	struct vhp_server *s = arg;

	fprintf(stderr, "vhp-sim: fn%u: %s\n", s->fn, text);
}

/* ------------------------------------------------------------------------------------------ configuration space */

static unsigned int pcie_cap(const struct vhp_server *s)
{
	return vhp_model_cfg(s->m)->window == VHP_WINDOW_FULL ? 0x54 : 0x70;
}

static unsigned int msix_cap(const struct vhp_server *s)
{
	return vhp_model_cfg(s->m)->window == VHP_WINDOW_FULL ? 0x48 : 0x60;
}

static uint32_t get(struct vhp_server *s, unsigned int off)
{
	uint32_t v;

	vhp_model_config_read(s->m, s->fn, off, &v);
	return v;
}

static uint64_t bar_mask(const struct vhp_server *s, unsigned int reg)
{
	uint64_t size = vhp_model_bar_size(s->fn, reg & ~1u);

	return size ? ~(size - 1) >> (reg & 1 ? 32 : 0) & 0xffffffff : 0;
}

/* A dword of configuration space as the client sees it. */
static uint32_t shown(const struct vhp_server *s, unsigned int off, uint32_t v)
{
	unsigned int reg = (off - 0x10) / 4;

	if (!s->vf)
		return v;
	if (off == 0)
		return 0x107f1af4;
	if (off == COMMAND)
		return v | (s->memory ? COMMAND_MEMORY : 0);
	if (off >= 0x10 && off < 0x28)
		return s->bar[reg] | (reg & 1 || !vhp_model_bar_size(s->fn, reg) ? 0 : reg == 2 ? 0xc : 0x4);
	return v;
}

/* The client's write to what is only shown. */
static void shadow_write(struct vhp_server *s, unsigned int off, uint32_t v, unsigned int be)
{
	uint32_t mask = 0;

	for (unsigned int i = 0; i < 4; i++)
		mask |= be >> i & 1 ? 0xffu << (8 * i) : 0;
	if (off == COMMAND && (be & 1))
		s->memory = v & COMMAND_MEMORY;
	if (off < 0x10 || off >= 0x28)
		return;
	off = (off - 0x10) / 4;
	s->bar[off] = ((s->bar[off] & ~mask) | (v & mask)) & (uint32_t)bar_mask(s, off);
}

static int config_read(struct vhp_server *s, uint64_t off, uint8_t *buf, uint32_t count)
{
	while (count) {
		uint32_t v;
		int rc;
		unsigned int skip = off & 3, n = 4 - skip < count ? 4 - skip : count;

		rc = vhp_model_config_read(s->m, s->fn, (unsigned int)off & ~3u, &v);
		if (rc == -ETIMEDOUT)
			return -EIO;
		if (!rc)
			v = shown(s, (unsigned int)off & ~3u, v);
		for (unsigned int i = 0; i < n; i++)
			buf[i] = (uint8_t)(v >> (8 * (skip + i)));
		off += n;
		buf += n;
		count -= n;
	}
	return 0;
}

static int reset(void *arg);

static int config_write(struct vhp_server *s, uint64_t off, const uint8_t *buf, uint32_t count)
{
	int rc = 0;

	while (!rc && count) {
		unsigned int reg = (unsigned int)off & ~3u, skip = off & 3, n = 4 - skip < count ? 4 - skip : count;
		unsigned int be = ((1u << n) - 1) << skip;
		uint32_t v = 0;

		for (unsigned int i = 0; i < n; i++)
			v |= (uint32_t)buf[i] << (8 * (skip + i));
		off += n;
		buf += n;
		count -= n;
		/* MSI-X is switched by SET_IRQS alone, and a reset keeps what the host has set up: both as vfio-pci does. */
		if (reg == msix_cap(s))
			continue;
		if (reg == pcie_cap(s) + 8 && (be & 2) && (v & 0x8000)) {
			rc = reset(s);
			continue;
		}
		if (s->vf)
			shadow_write(s, reg, v, be);
		rc = vhp_model_config_write(s->m, s->fn, reg, v, be);
	}
	/* As on a bus: what goes to a card that is not there is lost. */
	return vhp_model_config_enabled(s->m) ? rc : 0;
}

/* Table and BARs are reachable while the client has memory space off, as for the kernel. Returns the old command. */
static uint32_t memory_on(struct vhp_server *s)
{
	uint32_t command = get(s, COMMAND) & 0xffff;

	if (s->vf)
		return COMMAND_MEMORY; /* its memory is on by VF MSE */
	if (!(command & COMMAND_MEMORY))
		vhp_model_config_write(s->m, s->fn, COMMAND, command | COMMAND_MEMORY, 0x3);
	return command;
}

static bool written(void *arg)
{
	struct vhp_server *s = arg;

	/* A read that has come back has pushed the writes before it. */
	(void)vhp_model_read32(s->m, s->fn, 0, 0x9000);
	return true;
}

static void memory_back(struct vhp_server *s, uint32_t command)
{
	if (command & COMMAND_MEMORY)
		return;
	written(s);
	vhp_model_config_write(s->m, s->fn, COMMAND, command, 0x3);
}

/* ------------------------------------------------------------------------------------------ interrupts */

static int program_vector(struct vhp_server *s, unsigned int vector)
{
	bool on = s->irq[vector] >= 0;

	return vhp_model_msix_entry(s->m, s->fn, vector, on ? msix_addr(s, vector) : 0, on ? msix_data(s, vector) : 0,
				    !on);
}

static bool is_eventfd(int fd)
{
	char link[64], target[64] = "";
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, target, sizeof(target) - 1);
	return n > 0 && strcmp(target, "anon_inode:[eventfd]") == 0;
}

static int set_irq(void *arg, unsigned int vector, int fd)
{
	struct vhp_server *s = arg;
	uint32_t command;
	int old, rc;

	if (fd >= 0 && !is_eventfd(fd))
		return -EINVAL;
	old = s->irq[vector];
	if (old < 0 && fd < 0)
		return 0;
	s->irq[vector] = fd;
	s->tied += (fd >= 0) - (old >= 0);
	if (old >= 0)
		close(old);
	if (old >= 0 && fd >= 0)
		return 0; /* the table entry stays */
	command = memory_on(s);
	rc = program_vector(s, vector);
	if (!rc && (s->tied == 0 || (s->tied == 1 && fd >= 0)))
		rc = vhp_model_msix_control(s->m, s->fn, s->tied != 0, false);
	memory_back(s, command);
	if (rc && fd >= 0) { /* the descriptor stays the caller's */
		s->irq[vector] = -1;
		s->tied--;
	}
	return rc;
}

static void signal_client(struct vhp_server *s, unsigned int vector)
{
	struct pollfd p = { .fd = s->irq[vector], .events = POLLOUT };
	uint64_t one = 1;

	/* A counter that is full must not stop the simulation; it is signalled in any case. */
	if (poll(&p, 1, 0) == 1 && (p.revents & POLLOUT) && write(p.fd, &one, sizeof(one)) == sizeof(one))
		s->st.irqs++;
}

void vhp_server_msix(struct vhp_server *s, uint64_t addr, uint32_t data)
{
	uint64_t vector = (addr - msix_addr(s, 0)) / 0x10;

	if (vector >= VECTORS || addr != msix_addr(s, (unsigned int)vector) ||
	    data != msix_data(s, (unsigned int)vector)) {
		s->st.irqs_foreign++;
		fprintf(stderr, "vhp-sim: fn%u: message 0x%08x to 0x%llx, which is in no table entry\n", s->fn, data,
			(unsigned long long)addr);
		return;
	}
	if (s->irq[vector] >= 0)
		signal_client(s, (unsigned int)vector);
	else
		s->st.irqs_untied++;
}

static int trigger_irq(void *arg, unsigned int vector)
{
	struct vhp_server *s = arg;

	if (s->irq[vector] < 0)
		return -EINVAL;
	signal_client(s, vector);
	return 0;
}

/* ------------------------------------------------------------------------------------------ reset */

struct flr_wait {
	struct vhp_model *m;
	unsigned int fn;
};

static bool flr_over(void *arg)
{
	const struct flr_wait *w = arg;

	return !vhp_model_flr_busy(w->m, w->fn);
}

static int flr(struct vhp_server *s)
{
	struct flr_wait w = { s->m, s->fn };
	int rc = vhp_model_flr(s->m, s->fn);

	if (!rc)
		rc = vhp_model_run_until(s->m, flr_over, &w, FLR_CYCLES);
	if (rc) {
		if (rc == -ETIMEDOUT)
			say(s, "function level reset did not end");
		return rc;
	}
	/* A host leaves the function alone for 100 ms; the firmware is back at rest long before. */
	vhp_model_run_idle(s->m, AFTER_FLR_CYCLES);
	return 0;
}

/* What a kernel sets up before a driver comes: BARs, payload sizes, memory space; bus mastership stays off. */
static int set_up(struct vhp_server *s)
{
	int rc = vhp_model_enable(s->m, s->fn);

	return rc ? rc : vhp_model_config_write(s->m, s->fn, COMMAND, COMMAND_MEMORY, 0x3);
}

static int reset(void *arg)
{
	struct vhp_server *s = arg;
	uint32_t command = get(s, COMMAND) & 0xffff, line = get(s, 0x3c), bar[6];
	uint32_t devctl = get(s, pcie_cap(s) + 8) & 0xffff;
	int rc;

	if (!vhp_model_config_enabled(s->m))
		return -EIO;
	for (unsigned int i = 0; i < 6; i++)
		bar[i] = get(s, 0x10 + i * 4);
	rc = flr(s);
	if (rc)
		return rc;
	for (unsigned int i = 0; !rc && i < 6; i++)
		rc = vhp_model_config_write(s->m, s->fn, 0x10 + i * 4, bar[i], 0xf);
	if (!rc)
		rc = vhp_model_config_write(s->m, s->fn, pcie_cap(s) + 8, devctl & 0x7fff, 0x3);
	if (!rc)
		rc = vhp_model_config_write(s->m, s->fn, 0x3c, line, 0x1);
	if (!rc && s->tied) {
		vhp_model_config_write(s->m, s->fn, COMMAND, COMMAND_MEMORY, 0x3);
		for (unsigned int v = 0; v < VECTORS; v++)
			if (s->irq[v] >= 0)
				program_vector(s, v);
		written(s);
		rc = vhp_model_msix_control(s->m, s->fn, true, false);
	}
	return rc ? rc : vhp_model_config_write(s->m, s->fn, COMMAND, command, 0x3);
}

static void connected(void *arg)
{
	struct vhp_server *s = arg;

	s->memory = true;
	memset(s->bar, 0, sizeof(s->bar));
	s->set_up_later = !vhp_model_config_enabled(s->m);
	if (!s->set_up_later && set_up(s))
		say(s, "the card does not answer configuration requests");
}

static void untie_all(struct vhp_server *s)
{
	for (unsigned int v = 0; v < VECTORS; v++) {
		if (s->irq[v] >= 0)
			close(s->irq[v]);
		s->irq[v] = -1;
	}
	s->tied = 0;
}

static void disconnected(void *arg)
{
	struct vhp_server *s = arg;

	untie_all(s);
	s->set_up_later = false;
	if (vhp_model_config_enabled(s->m))
		flr(s);
	vhp_model_mem_unmap_all(s->m, s->fn);
}

void vhp_server_link_down(struct vhp_server *s)
{
	if (vfu_has_client(s->vfu))
		say(s, "the card has gone from under the client");
	untie_all(s);
}

void vhp_server_link_up(struct vhp_server *s)
{
	if (s->set_up_later)
		connected(s);
}

/* ------------------------------------------------------------------------------------------ operations */

static int region_read(void *arg, unsigned int region, uint64_t offset, void *buf, uint32_t count)
{
	struct vhp_server *s = arg;

	if (region == VFU_REGION_CONFIG)
		return config_read(s, offset, buf, count);
	vhp_model_bar_read(s->m, s->fn, region, offset, buf, count); /* UR reads as all ones */
	return 0;
}

static int region_write(void *arg, unsigned int region, uint64_t offset, const void *buf, uint32_t count)
{
	struct vhp_server *s = arg;

	if (region == VFU_REGION_CONFIG)
		return config_write(s, offset, buf, count);
	/* The table belongs to the server: a client reaches its vectors by SET_IRQS. */
	if (region == 0 && offset < 0x9000 + 8 && offset + count > 0x8000)
		return 0;
	vhp_model_bar_write(s->m, s->fn, region, offset, buf, count);
	return 0;
}

static int dma_map(void *arg, uint64_t iova, uint64_t size, int fd, uint64_t offset, unsigned int perm)
{
	struct vhp_server *s = arg;
	unsigned int p = (perm & VFU_PERM_READ ? VHP_MEM_READ : 0) | (perm & VFU_PERM_WRITE ? VHP_MEM_WRITE : 0);

	return vhp_model_mem_map_fd(s->m, s->fn, iova, size, fd, offset, p);
}

static int dma_unmap(void *arg, uint64_t iova, uint64_t size)
{
	struct vhp_server *s = arg;
	int rc = vhp_model_mem_unmap(s->m, s->fn, iova, size);

	return rc < 0 ? rc : 0;
}

static int dma_unmap_all(void *arg)
{
	struct vhp_server *s = arg;

	vhp_model_mem_unmap_all(s->m, s->fn);
	return 0;
}

int vhp_server_create(struct vhp_model *m, unsigned int fn, const char *dir, struct vhp_server **server)
{
	static const struct vfu_ops ops = {
		.region_read = region_read,
		.region_write = region_write,
		.dma_map = dma_map,
		.dma_unmap = dma_unmap,
		.dma_unmap_all = dma_unmap_all,
		.set_irq = set_irq,
		.trigger_irq = trigger_irq,
		.reset = reset,
		.connected = connected,
		.disconnected = disconnected,
	};
	struct vhp_server *s = calloc(1, sizeof(*s));
	struct vfu_config cfg = { .msix_vectors = VECTORS, .ops = &ops, .arg = s, .log = say };
	char path[4096];
	int rc;

	if (!s)
		return -ENOMEM;
	s->m = m;
	s->fn = fn;
	s->vf = fn >= VHP_MODEL_FIRST_VF;
	for (unsigned int v = 0; v < VECTORS; v++)
		s->irq[v] = -1;
	for (unsigned int bar = 0; bar < 6; bar++)
		cfg.region_size[bar] = vhp_model_bar_size(fn, bar);
	cfg.region_size[VFU_REGION_CONFIG] = 4096;
	if (snprintf(path, sizeof(path), "%s/fn%u.sock", dir, fn) >= (int)sizeof(path)) {
		free(s);
		return -ENAMETOOLONG;
	}
	cfg.path = path;
	rc = vfu_create(&cfg, &s->vfu);
	if (rc)
		free(s);
	else
		*server = s;
	return rc;
}

void vhp_server_destroy(struct vhp_server *s)
{
	if (!s)
		return;
	vfu_destroy(s->vfu);
	free(s);
}

struct vfu_server *vhp_server_vfu(struct vhp_server *s)
{
	return s->vfu;
}

const struct vhp_server_stats *vhp_server_stats(const struct vhp_server *s)
{
	return &s->st;
}
