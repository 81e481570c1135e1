/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by crt0.S, soc.ld's symbols and hal_soc.c. */
#ifndef VHP_HAL_SOC_H
#define VHP_HAL_SOC_H

#define STACK_GUARD 0x5ac3b91e

#endif
