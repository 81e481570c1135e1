/* SPDX-License-Identifier: Apache-2.0 */
#include "hw.h"

#include <string.h>

/* The requester reports every lost completion itself, so this only guards against a port that is dead. */
#define DMA_LIMIT_US 1000000u

enum {
	DMA_READ = 1,
	DMA_WRITE = 2,
	DMA_MSIX = 3
};

/* Requests and replies are aligned, DMA data need not be: the compiler then loads and stores whole words. */
static bool aligned(const void *p)
{
	return (uintptr_t)p % 4 == 0;
}

void hw_copy_in(void *dst, uint32_t addr, uint32_t len)
{
	uint8_t *p = dst;
	uint32_t word;

	for (; len >= 4 && aligned(p); len -= 4, addr += 4, p += 4) {
		word = hal_read(addr);
		memcpy(__builtin_assume_aligned(p, 4), &word, 4);
	}
	for (; len >= 4; len -= 4, addr += 4, p += 4) {
		word = hal_read(addr);
		memcpy(p, &word, 4);
	}
	if (len != 0) {
		word = hal_read(addr);
		memcpy(p, &word, len);
	}
}

void hw_copy_out(uint32_t addr, const void *src, uint32_t len)
{
	const uint8_t *p = src;
	uint32_t word;

	for (; len >= 4 && aligned(p); len -= 4, addr += 4, p += 4) {
		memcpy(&word, __builtin_assume_aligned(p, 4), 4);
		hal_write(addr, word);
	}
	for (; len >= 4; len -= 4, addr += 4, p += 4) {
		memcpy(&word, p, 4);
		hal_write(addr, word);
	}
	if (len != 0) {
		word = 0;
		memcpy(&word, p, len);
		hal_write(addr, word);
	}
}

static hw_dma_status dma_run(uint8_t fn, uint64_t iova, uint32_t len, uint32_t op)
{
	uint32_t start = hal_read(SOC_REG(time_us)), status;

	if (hal_read(SOC_REG(dma_status)) & VHP_SOC__DMA_STATUS__BUSY_bm)
		return HW_DMA_STUCK;
	hw_write64(SOC_REG(dma_addr_lo), iova);
	hal_write(SOC_REG(dma_what), PUT(VHP_SOC__DMA_WHAT__LEN, len) | PUT(VHP_SOC__DMA_WHAT__FUNC, fn));
	hal_write(SOC_REG(dma_local), 0);
	hal_write(SOC_REG(dma_go), op);
	do {
		status = hal_read(SOC_REG(dma_status));
		if (status & VHP_SOC__DMA_STATUS__DONE_bm) {
			hal_write(SOC_REG(dma_ack), 1);
			return (hw_dma_status)GET(VHP_SOC__DMA_STATUS__STATUS, status);
		}
	} while (hal_read(SOC_REG(time_us)) - start < DMA_LIMIT_US);
	return HW_DMA_STUCK;
}

hw_dma_status hw_dma_read(uint8_t fn, uint64_t iova, void *dst, uint32_t len)
{
	hw_dma_status st = dma_run(fn, iova, len, DMA_READ);

	if (st == HW_DMA_OK)
		hw_copy_in(dst, HW_DMA_BUF, len);
	return st;
}

hw_dma_status hw_dma_write(uint8_t fn, uint64_t iova, const void *src, uint32_t len)
{
	hw_copy_out(HW_DMA_BUF, src, len);
	return dma_run(fn, iova, len, DMA_WRITE);
}

hw_dma_status hw_dma_msix(uint8_t fn, uint16_t vector)
{
	return dma_run(fn, vector, 1, DMA_MSIX);
}
