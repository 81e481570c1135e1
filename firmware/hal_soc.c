/* SPDX-License-Identifier: Apache-2.0 */
/* Hardware layer of the card's RV32 SoC. */
#include "hal_soc.h"

#include "hw.h"

extern uint32_t __stack_guard[];
_Noreturn void soc_trap(uint32_t cause, uint32_t pc, uint32_t value);

uint32_t hal_read(uint32_t addr)
{
	return *(volatile uint32_t *)addr;
}

void hal_write(uint32_t addr, uint32_t value)
{
	*(volatile uint32_t *)addr = value;
}

void hal_wait(void)
{
	if (__stack_guard[0] != (uint32_t)STACK_GUARD || __stack_guard[1] != (uint32_t)STACK_GUARD)
		hal_fatal(HAL_FATAL_STACK, __stack_guard[0]);
	__asm__ volatile("wfi" ::: "memory");
}

/* Whoever holds a function gets it back and can let go of it: resets end, nothing else happens any more. */
static void answer_resets(unsigned int ports)
{
	uint32_t flr = hal_read(SOC_REG(flr_pending));

	if (flr != 0)
		hal_write(SOC_REG(flr_done), flr);
	for (unsigned int i = 0; i < ports; i++) {
		uint32_t events = hal_read(FN_REG(i, events));

		if (events != 0)
			hal_write(FN_REG(i, events), events);
		if ((events & VHP_FN__EVENTS__RESET_bm) || (flr >> (i + 1) & 1))
			hal_write(FN_REG(i, control), VHP_FN__CONTROL__RESET_DONE_bm);
	}
}

/* The record stands where the reply would: a host that sees state "fatal" reads it there (README.md). */
static _Noreturn void fatal(uint32_t code, uint32_t a, uint32_t b, uint32_t c)
{
	const uint32_t record[5] = { 0x46415441u, code, a, b, c };
	uint32_t status = hal_read(SOC_REG(fw_status)) & ~VHP_MGMT__FW_STATUS__STATE_bm;
	uint32_t caps = hal_read(SOC_REG(caps));

	for (unsigned int i = 0; i < 2 * GET(VHP_SOC__CAPS__NUM_PORTS, caps) * GET(VHP_SOC__CAPS__PAIRS, caps); i++)
		hal_write(LANE_REG(lane[i].ctrl), 0);
	for (unsigned int i = 0; i < GET(VHP_SOC__CAPS__NUM_PORTS, caps); i++) {
		hal_write(APERTURE_REG(i, ctrl), 0);
		hal_write(FN_REG(i, control), VHP_FN__CONTROL__NEEDS_RESET_bm);
	}
	for (unsigned int i = 0; i < 5; i++)
		hal_write(HW_MBOX_REPLY + 4 * i, record[i]);
	hal_write(SOC_REG(irq_enable), VHP_SOC__IRQ_PENDING__FLR_bm | FN_IRQS(GET(VHP_SOC__CAPS__NUM_PORTS, caps)));
	hal_write(SOC_REG(timer_ctrl), 0);
	hal_write(SOC_REG(fw_status), status | 2);
	for (;;) {
		answer_resets(GET(VHP_SOC__CAPS__NUM_PORTS, caps));
		hal_write(SOC_REG(sleep), VHP_SOC__SLEEP__SLEEP_bm);
		__asm__ volatile("wfi");
	}
}

void hal_fatal(enum hal_fatal_code code, uint32_t arg)
{
	fatal(code, arg, 0, 0);
}

void soc_trap(uint32_t cause, uint32_t pc, uint32_t value)
{
	fatal(HAL_FATAL_TRAP, cause, pc, value);
}
