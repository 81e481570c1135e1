/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file
 * The SoC's address space and the DMA port. Registers come from rtl/soc/vhp_regs.rdl (generated vhp_regs.h); the
 * generated structs are only used for offsets, as they are packed and must not be accessed through pointers.
 */
#ifndef VHP_HW_H
#define VHP_HW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hal.h"
#include "vhp_regs.h"

#define HW_SOC 0x40000000u
#define HW_MBOX_REQUEST 0x40010000u
#define HW_MBOX_REPLY 0x40010800u
#define HW_FN 0x40020000u
#define HW_FN_STEP 0x1000u
#define HW_LANE 0x40040000u
#define HW_DMA_BUF 0x40050000u
#define HW_DMA_BUF_SIZE 4096u
#define HW_APERTURE 0x40060000u
#define HW_APERTURE_STEP 0x400u
#define HW_LOG 0x40068000u

#define SOC_REG(reg) (HW_SOC + (uint32_t)offsetof(vhp_soc_t, reg))
#define FN_REG(port, reg) (HW_FN + (port) * HW_FN_STEP + (uint32_t)offsetof(vhp_fn_t, reg))
#define LANE_REG(reg) (HW_LANE + (uint32_t)offsetof(vhp_lane_t, reg))
#define APERTURE_REG(port, reg) (HW_APERTURE + (port) * HW_APERTURE_STEP + (uint32_t)offsetof(vhp_aperture_t, reg))
#define LOG_REG(reg) (HW_LOG + (uint32_t)offsetof(vhp_log_t, reg))

/** Field @p f (a name of vhp_regs.h without suffix) of register value @p v, and the reverse. */
#define GET(f, v) (((v) & f##_bm) >> f##_bp)
#define PUT(f, x) (((uint32_t)(x) << f##_bp) & f##_bm)

#define FN_IRQS(n) (((1u << (n)) - 1) << VHP_SOC__IRQ_PENDING__FN_bp)

/** vhp_pkg::dma_status_e, and -1 for a DMA port that does not answer. */
typedef int hw_dma_status;
#define HW_DMA_OK 0
#define HW_DMA_STUCK (-1)

static inline uint64_t hw_read64(uint32_t addr)
{
	return hal_read(addr) | (uint64_t)hal_read(addr + 4) << 32;
}

static inline void hw_write64(uint32_t addr, uint64_t v)
{
	hal_write(addr, (uint32_t)v);
	hal_write(addr + 4, (uint32_t)(v >> 32));
}

/** Copy between memory and word-wide device memory; @p addr is a multiple of 4, the last word is padded with 0. */
void hw_copy_in(void *dst, uint32_t addr, uint32_t len);
void hw_copy_out(uint32_t addr, const void *src, uint32_t len);

/** Read or write @p len (1..HW_DMA_BUF_SIZE) bytes at @p iova of function @p fn's host memory; waits for the end. */
hw_dma_status hw_dma_read(uint8_t fn, uint64_t iova, void *dst, uint32_t len);
hw_dma_status hw_dma_write(uint8_t fn, uint64_t iova, const void *src, uint32_t len);
/** Send an MSI-X message, in order behind the DMA writes before it. */
hw_dma_status hw_dma_msix(uint8_t fn, uint16_t vector);

#endif
