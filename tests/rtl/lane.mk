# SPDX-License-Identifier: Apache-2.0
#
# Benches of rtl/lane: vhp_lanes alone, with a C model of the DMA block and C drivers of both ends (tests/rtl/lane).

LANE_TB_SV  := rtl/lib/vhp_pkg.sv rtl/lane/vhp_lane_pkg.sv rtl/lib/vhp_rr_pick.sv rtl/lib/vhp_stream_fifo.sv \
	$(filter-out %_pkg.sv,$(wildcard rtl/lane/*.sv)) tests/rtl/lane/lane_tb.sv
LANE_TB_C   := $(wildcard tests/rtl/lane/*.c)
LANE_TB_DIR := $(B)/obj-lane_tb

LANE_TB_O := $(patsubst tests/rtl/lane/%.c,$(LANE_TB_DIR)/c/%.o,$(LANE_TB_C))

$(LANE_TB_DIR)/c/%.o: tests/rtl/lane/%.c $(wildcard tests/rtl/lane/*.h)
	@mkdir -p $(@D)
	$(CC) -std=gnu17 -O2 -g -Wall -Wextra -Werror -Itests/rtl/lane \
		-isystem $(shell verilator --getenv VERILATOR_ROOT)/include/vltstd -c -o $@ $<

$(B)/tests/lane_tb: $(LANE_TB_SV) $(LANE_TB_O) tests/rtl/lane.mk
	@mkdir -p $(@D) $(LANE_TB_DIR)
	@rm -f $@
	nice verilator --binary --timing -O3 --assert --x-assign fast --x-initial unique -Wno-fatal --trace-fst \
		--Mdir $(LANE_TB_DIR) --top-module lane_tb -MAKEFLAGS "OPT_FAST='-O2 -march=native' OPT_SLOW=-O0" \
		$(LANE_TB_SV) $(abspath $(LANE_TB_O)) -o $(abspath $@) > $(LANE_TB_DIR)/log 2>&1 || { tail -40 $(LANE_TB_DIR)/log; false; }

LANE_SEED ?= 1
TESTS += rtl-lane rtl-lane-random rtl-lane-malformed
TEST_DEPS_rtl-lane := $(B)/tests/lane_tb
TEST_CMD_rtl-lane := $(B)/tests/lane_tb +test=directed +seed=$(LANE_SEED)
TEST_DEPS_rtl-lane-random := $(B)/tests/lane_tb
TEST_CMD_rtl-lane-random := $(B)/tests/lane_tb +test=random +seed=$(LANE_SEED)
TEST_DEPS_rtl-lane-malformed := $(B)/tests/lane_tb
TEST_CMD_rtl-lane-malformed := $(B)/tests/lane_tb +test=malformed +seed=$(LANE_SEED)
