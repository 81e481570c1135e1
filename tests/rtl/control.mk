# SPDX-License-Identifier: Apache-2.0
#
# Benches of the control block, in SystemVerilog, Verilated alone (no hard block).

CTL_DIR := tests/rtl/control
CTL_OBJ := $(B)/obj-control
CTL_CROSS ?= riscv64-unknown-elf-
# A bench is no hardware: it blocks, and passes integers of any width.
CTL_VERILATE = verilator --binary --timing -j 2 -Wall --assert --x-assign unique --x-initial unique \
	--timescale 1ns/1ps -Wno-DECLFILENAME -Wno-UNUSED -Wno-BLKSEQ -Wno-WIDTH -Wno-INITIALDLY -Wno-SYNCASYNCNET -CFLAGS -O0

CTL_FN_SRCS := $(RTL_DIR)/lib/vhp_pkg.sv $(VHP_REGS_PKG) $(RTL_DIR)/virtio/vhp_virtio_caps_pkg.sv \
	$(RTL_DIR)/virtio/vhp_virtio_fn_pkg.sv $(RTL_DIR)/lib/vhp_ram_sp.sv $(RTL_DIR)/virtio/vhp_virtio_read.sv \
	$(RTL_DIR)/virtio/vhp_virtio_fn.sv
CTL_SRCS := $(RTL_DIR)/lib/vhp_pkg.sv $(VHP_REGS_PKG) $(REGBLOCK_PKG) $(RTL_DIR)/virtio/vhp_virtio_caps_pkg.sv \
	$(RTL_DIR)/virtio/vhp_virtio_fn_pkg.sv $(RTL_DIR)/lib/vhp_stream_fifo.sv $(RTL_DIR)/lib/vhp_ram_sp.sv $(RTL_DIR)/lib/vhp_rb_demux.sv \
	$(RTL_DIR)/virtio/vhp_virtio_read.sv $(RTL_DIR)/virtio/vhp_virtio_fn.sv $(RTL_DIR)/notify/vhp_notify.sv $(RTL_DIR)/soc/vhp_soc_dma.sv \
	$(RTL_DIR)/soc/vhp_soc.sv $(RTL_DIR)/soc/vhp_mgmt.sv $(RTL_DIR)/soc/vhp_control.sv $(REGBLOCK_SV) $(CPU_V)

$(B)/tests/tb_virtio_fn: $(CTL_FN_SRCS) $(CTL_DIR)/tb_virtio_fn.sv
$(B)/tests/tb_control: $(CTL_SRCS) $(CTL_DIR)/tb_control.sv
CTL_LOG_SRCS := $(RTL_DIR)/lib/vhp_pkg.sv $(VHP_REGS_PKG) $(RTL_DIR)/lib/vhp_stream_fifo.sv $(RTL_DIR)/aperture/vhp_dirty_log.sv
$(B)/tests/tb_dirty_log: $(CTL_LOG_SRCS) $(CTL_DIR)/tb_dirty_log.sv
$(B)/tests/tb_virtio_fn $(B)/tests/tb_control $(B)/tests/tb_dirty_log:
	@mkdir -p $(@D)
	@nice $(CTL_VERILATE) --Mdir $(B)/obj-$(@F) --top-module $(@F) -o $(abspath $@) $(RTL_DIR)/lint.vlt $^

# The program that the core runs in the bench.
$(CTL_OBJ)/proxy.hex: $(CTL_DIR)/proxy.c $(CTL_DIR)/proxy.ld $(REGS_H) firmware/bin2hex.py
	@mkdir -p $(@D)
	@$(CTL_CROSS)gcc -march=rv32im -mabi=ilp32 -misa-spec=2.2 -std=gnu17 -O1 -ffreestanding -Wall -Wextra -Werror \
	    --specs=picolibc.specs -nostartfiles -I$(REGS_INC) -T $(CTL_DIR)/proxy.ld -Wl,--no-warn-rwx-segments \
	    -o $(@:.hex=.elf) $<
	@$(CTL_CROSS)objcopy -O binary $(@:.hex=.elf) $(@:.hex=.bin)
	@$(VENV)/python3 firmware/bin2hex.py $(@:.hex=.bin) $@

TESTS += rtl-control-fn rtl-control-soc rtl-control-log
TEST_SRCS_rtl-control-fn  := $(CTL_DIR)/tb_virtio_fn.sv
TEST_SRCS_rtl-control-soc := $(CTL_DIR)/tb_control.sv
TEST_SRCS_rtl-control-log := $(CTL_DIR)/tb_dirty_log.sv
TEST_DEPS_rtl-control-fn  := $(B)/tests/tb_virtio_fn
TEST_CMD_rtl-control-fn   := $(B)/tests/tb_virtio_fn +seed=$(or $(SEED),1)
TEST_DEPS_rtl-control-soc := $(B)/tests/tb_control $(CTL_OBJ)/proxy.hex
TEST_DEPS_rtl-control-log := $(B)/tests/tb_dirty_log
TEST_CMD_rtl-control-log  := $(B)/tests/tb_dirty_log +seed=$(or $(SEED),1)
TEST_CMD_rtl-control-soc  := $(B)/tests/tb_control +seed=$(or $(SEED),1) +firmware=$(CTL_OBJ)/proxy.hex
