# SPDX-License-Identifier: Apache-2.0
#
# Firmware on the host: the portable sources with a simulated card around them, under sanitizers.

FWT_DIR  := $(patsubst %/,%,$(dir $(lastword $(MAKEFILE_LIST))))
FWT_SRCS := $(wildcard $(FWT_DIR)/*.c)
FWT_BIN  := $(B)/tests/fw-unit

$(FWT_BIN): $(FWT_SRCS) $(wildcard $(FWT_DIR)/*.h) tests/cmocka_suites.h $(FW_SRCS) $(FW_HDRS) $(REGS_H)
	@mkdir -p $(@D)
	@$(CC) $(CFLAGS_COMMON) -fsanitize=address,undefined -fno-sanitize-recover=all -I$(FW_DIR) -I$(FW_DIR)/include \
	    -I$(REGS_INC) -Itests -o $@ $(FWT_SRCS) $(FW_SRCS) -lcmocka

TESTS += fw-unit
TEST_DEPS_fw-unit := $(FWT_BIN)
TEST_CMD_fw-unit  := $(FWT_BIN)
