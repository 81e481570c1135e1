/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Program of the control bench: does on the core what the bench asks through the mailbox. Request words: op, a, b;
 * reply words: result, extra. The bench so reaches every register by the firmware's own path.
 */
#include <stdint.h>

#include "vhp_regs.h"

#define SOC(reg) (*(volatile uint32_t *)(0x40000000u + __builtin_offsetof(vhp_soc_t, reg)))
#define REQUEST ((volatile uint32_t *)0x40010000u)
#define REPLY ((volatile uint32_t *)0x40010800u)

enum op {
	OP_READ = 1,	/* word at a */
	OP_WRITE = 2,	/* b to word a */
	OP_WRITE8 = 3,	/* b to byte a */
	OP_WRITE16 = 4, /* b to halfword a */
	OP_CPU = 5,	/* instructions and RAM: 0, or the number of the first step that failed */
	OP_SLEEP = 6,	/* sleep with the timer a us ahead, interrupts on: number of interrupts; extra: us slept */
	OP_SPIN = 7,	/* stay awake for a us */
	OP_CALL = 8,	/* jump to a: mcause of the trap; extra: mepc */
	OP_IRQ =
		9, /* irq_enable is 1 << a, interrupts on, until one comes or b us pass: interrupts; extra: irq_pending */
};

static volatile uint32_t irqs, cause, epc, resume, seen;

__attribute__((interrupt("machine"), aligned(4))) static void trap(void)
{
	uint32_t mcause, mepc;

	__asm__ volatile("csrr %0, mcause" : "=r"(mcause));
	__asm__ volatile("csrr %0, mepc" : "=r"(mepc));
	if (mcause & 0x80000000u) {
		irqs++;
		seen = SOC(irq_pending);
		SOC(irq_enable) = 0;
		return;
	}
	cause = mcause;
	epc = mepc;
	__asm__ volatile("csrw mepc, %0" : : "r"(resume));
}

static void interrupts(int on)
{
	if (on)
		__asm__ volatile("csrs mstatus, %0" : : "r"(8));
	else
		__asm__ volatile("csrc mstatus, %0" : : "r"(8));
}

static void sleep(void)
{
	SOC(sleep) = 1;
	__asm__ volatile("wfi");
	(void)SOC(irq_pending); /* held until a cause wakes the core */
}

static uint32_t test_cpu(uint32_t seed)
{
	static volatile uint8_t mem[16384] __attribute__((aligned(4)));
	volatile uint32_t *words = (volatile uint32_t *)mem;
	uint32_t x = seed | 1;

	for (uint32_t i = 0; i < sizeof(mem) / 4; i++) {
		x = x * 1664525u + 1013904223u;
		words[i] = x;
	}
	x = seed | 1;
	for (uint32_t i = 0; i < sizeof(mem) / 4; i++) {
		x = x * 1664525u + 1013904223u;
		if (words[i] != x)
			return 1;
	}
	for (uint32_t i = 0; i < 64; i++)
		mem[i] = (uint8_t)(i * 7);
	if (words[1] != 0x312a231cu)
		return 2;
	*(volatile uint16_t *)(mem + 6) = 0xbeef;
	if (words[1] != 0xbeef231cu || mem[7] != 0xbe || *(volatile int8_t *)(mem + 7) != (int8_t)0xbe)
		return 3;
	volatile int32_t a = -1000003, b = 37;
	if (a * b != -37000111 || a / b != -27027 || a % b != -4 || (uint32_t)a / 7u != 613423899u)
		return 4;
	if ((uint32_t)(((uint64_t)(uint32_t)a * (uint32_t)b) >> 32) != 36 || (a >> 3) != -125001)
		return 5;
	return 0;
}

__attribute__((noreturn, used)) static void run(void)
{
	__asm__ volatile("csrw mtvec, %0" : : "r"(trap));
	__asm__ volatile("csrw 0xbc0, %0" : : "r"(1)); /* line 0 of the core's interrupt array */
	__asm__ volatile("csrw mie, %0" : : "r"(1u << 11));
	SOC(fw_status) = 0x01020301;
	SOC(config_enable) = 1;
	for (;;) {
		uint32_t result = 0, extra = 0, a, b, start;

		SOC(irq_enable) = VHP_SOC__IRQ_PENDING__MBOX_bm;
		while (!(SOC(irq_pending) & VHP_SOC__IRQ_PENDING__MBOX_bm))
			sleep();
		a = REQUEST[1];
		b = REQUEST[2];
		switch (REQUEST[0]) {
		case OP_READ:
			result = *(volatile uint32_t *)a;
			break;
		case OP_WRITE:
			*(volatile uint32_t *)a = b;
			break;
		case OP_WRITE8:
			*(volatile uint8_t *)a = (uint8_t)b;
			break;
		case OP_WRITE16:
			*(volatile uint16_t *)a = (uint16_t)b;
			break;
		case OP_CPU:
			result = test_cpu(a);
			break;
		case OP_SLEEP:
			irqs = 0;
			start = SOC(time_us);
			SOC(timer_value) = start + a;
			SOC(timer_ctrl) = 1;
			SOC(irq_enable) = VHP_SOC__IRQ_PENDING__TIMER_bm;
			(void)SOC(irq_enable);
			interrupts(1);
			sleep();
			extra = SOC(time_us) - start;
			interrupts(0);
			result = irqs;
			SOC(timer_ctrl) = 0;
			break;
		case OP_SPIN:
			start = SOC(time_us);
			while (SOC(time_us) - start < a)
				;
			break;
		case OP_CALL:
			cause = 0;
			resume = (uint32_t)&&back;
			__asm__ goto("jr %0" : : "r"(a) : "memory", "ra" : back);
back:
			result = cause;
			extra = epc;
			break;
		case OP_IRQ:
			irqs = 0;
			seen = 0;
			start = SOC(time_us);
			SOC(irq_enable) = 1u << a;
			(void)SOC(irq_enable); /* stores are buffered: now the old causes are off */
			interrupts(1);
			while (!irqs && SOC(time_us) - start < b)
				;
			interrupts(0);
			SOC(irq_enable) = 0;
			result = irqs;
			extra = seen;
			break;
		default:
			result = 0xffffffffu;
		}
		REPLY[0] = result;
		REPLY[1] = extra;
		SOC(mbox_done) = 1;
	}
}

__attribute__((naked, noreturn, section(".start"))) void start(void)
{
	__asm__ volatile("li sp, 0x10000\n\tj %0" : : "i"(run));
}
