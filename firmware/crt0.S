/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Start at address 0. The image holds .data's initial values apart from .data itself, so that a reset starts the same
 * program again although RAM was not loaded again. Machine interrupts stay off: causes are polled, WFI only waits.
 */
#include "hal_soc.h"

	.option norvc
	.section .text.start, "ax"
	.globl _start
_start:
	csrci	mstatus, 8
	.option push
	.option norelax
	la	gp, __global_pointer$
	.option pop
	la	sp, __stack_top
	la	t0, trap_entry
	csrw	mtvec, t0

	la	t0, __data_start
	la	t1, __data_end
	la	t2, __data_load
1:	bgeu	t0, t1, 2f
	lw	t3, 0(t2)
	sw	t3, 0(t0)
	addi	t0, t0, 4
	addi	t2, t2, 4
	j	1b
2:	la	t0, __bss_start
	la	t1, __bss_end
3:	bgeu	t0, t1, 4f
	sw	zero, 0(t0)
	addi	t0, t0, 4
	j	3b
4:	la	t0, __stack_guard
	li	t1, STACK_GUARD
	sw	t1, 0(t0)
	sw	t1, 4(t0)

	/* External interrupts wake WFI: all 32 lines of the core's own mask register, then machine external. */
	li	t0, -1
	csrw	0xbc0, t0
	li	t0, 0x800
	csrs	mie, t0
	call	main
5:	j	5b

	/* An exception is a fault of the firmware and never returned from: a fresh stack, then the record. */
	.balign	4
trap_entry:
	la	sp, __stack_top
	csrr	a0, mcause
	csrr	a1, mepc
	csrr	a2, mtval
	j	soc_trap
