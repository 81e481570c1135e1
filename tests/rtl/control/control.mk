# SPDX-License-Identifier: Apache-2.0
#
# Benches of the control block, in SystemVerilog, Verilated alone (no hard block).

CTL_DIR := tests/rtl/control
CTL_VERILATE = verilator --binary --timing -j 2 -Wall -Wno-fatal --assert --x-assign unique --x-initial unique --timescale 1ns/1ps \
	-Wno-DECLFILENAME -Wno-UNUSED -Wno-BLKSEQ -Wno-INITIALDLY -CFLAGS -O1

CTL_FN_SRCS := $(RTL_DIR)/lib/vhp_pkg.sv $(VHP_REGS_PKG) $(RTL_DIR)/virtio/vhp_virtio_caps_pkg.sv \
	$(RTL_DIR)/lib/vhp_ram_sp.sv $(RTL_DIR)/virtio/vhp_virtio_fn.sv
$(B)/tests/tb_virtio_fn: $(CTL_FN_SRCS) $(CTL_DIR)/tb_virtio_fn.sv
	@mkdir -p $(@D)
	@nice $(CTL_VERILATE) --Mdir $(B)/obj-tb_virtio_fn --top-module tb_virtio_fn -o $(abspath $@) $(RTL_DIR)/lint.vlt $^

TESTS += rtl-control-fn
TEST_DEPS_rtl-control-fn := $(B)/tests/tb_virtio_fn
TEST_CMD_rtl-control-fn  := $(B)/tests/tb_virtio_fn +seed=$(or $(SEED),1)
