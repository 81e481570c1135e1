/* SPDX-License-Identifier: Apache-2.0 */
/* Between faulty_main.c and trap.c. */
#ifndef VHP_FAULTY_H
#define VHP_FAULTY_H

#define FAULT_ILLEGAL 0xdead0001ull
#define FAULT_LOAD 0xdead0002ull
#define FAULT_STACK 0xdead0003ull

#endif
