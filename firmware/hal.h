/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file
 * Hardware layer: everything that the firmware's portable part needs of the place where it runs.
 *
 * hal_soc.c is the RV32 SoC of the card; the unit tests bring one of their own. One thread, no interrupts taken:
 * causes are polled, and hal_wait() returns when one is pending.
 */
#ifndef VHP_HAL_H
#define VHP_HAL_H

#include <stdint.h>

/** Read or write the 32-bit register at @p addr (multiple of 4) of the SoC's address space. */
uint32_t hal_read(uint32_t addr);
void hal_write(uint32_t addr, uint32_t value);

/** Wait for an enabled interrupt cause; may return early. Checks the stack guard where there is one. */
void hal_wait(void);

enum hal_fatal_code {
	HAL_FATAL_TRAP = 1,  /**< exception of the core */
	HAL_FATAL_STACK = 2, /**< stack guard overwritten */
	HAL_FATAL_SIZES = 3, /**< the card was built with sizes that the firmware cannot serve */
};

/** Record the reason for the host, stop all lanes, report state "fatal" and stay there. */
_Noreturn void hal_fatal(enum hal_fatal_code code, uint32_t arg);

#endif
