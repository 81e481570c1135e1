# SPDX-License-Identifier: Apache-2.0
#
# Bench of rtl/flash and rtl/boards/vhp_config, in SystemVerilog, against the flash model of sim/ (through DPI).

FLASH_SRCS := $(RTL_DIR)/lib/vhp_pkg.sv $(VHP_REGS_PKG) $(RTL_DIR)/lib/vhp_stream_fifo.sv $(RTL_DIR)/lib/vhp_rb_demux.sv \
	$(RTL_DIR)/lib/vhp_rb_target.sv $(sort $(wildcard $(RTL_DIR)/flash/*.sv)) $(RTL_DIR)/boards/vhp_config.sv tests/rtl/flash/primitives.sv \
	tests/rtl/flash/tb_flash.sv

$(B)/obj-tb_flash/c/nor_dpi.o: tests/rtl/flash/nor_dpi.c sim/nor.h
	@mkdir -p $(@D)
	@$(CC) $(SIM_CFLAGS) -c -o $@ $<

$(B)/tests/tb_flash: $(FLASH_SRCS) $(B)/obj-tb_flash/c/nor_dpi.o $(B)/obj-sim/nor.o \
		$(B)/obj-sim/nor_array.o tests/rtl/flash.mk
	@mkdir -p $(@D)
	@nice verilator --binary --timing -j 2 -Wall --assert --x-assign unique --x-initial unique --timescale 1ns/1ps \
		-Wno-DECLFILENAME -Wno-UNUSED -Wno-BLKSEQ -Wno-WIDTH -Wno-INITIALDLY -Wno-PINCONNECTEMPTY -Wno-SYNCASYNCNET -CFLAGS -O0 \
		--Mdir $(B)/obj-$(@F) --top-module $(@F) -o $(abspath $@) $(RTL_DIR)/lint.vlt $(FLASH_SRCS) \
		$(abspath $(filter %.o,$^))

TESTS += rtl-flash
TEST_DEPS_rtl-flash := $(B)/tests/tb_flash
TEST_CMD_rtl-flash  := $(B)/tests/tb_flash +seed=$(or $(SEED),1)
