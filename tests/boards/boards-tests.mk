# SPDX-License-Identifier: Apache-2.0
#
# Boards: tops, constraints and Vivado scripts, without Vivado; the adapter to a 256-bit block.

TESTS += boards rtl-block-x8
TEST_DEPS_boards := $(B)/boards/sources
TEST_CMD_boards := $(VENV)/python3 tests/boards/boards.py --sources $(B)/boards/sources --build $(B)

# A bench is no hardware: it blocks, and passes integers of any width.
$(B)/tests/tb_block_x8: $(RTL_DIR)/lib/vhp_pkg.sv $(RTL_DIR)/pcie/vhp_pcie_pkg.sv $(RTL_DIR)/lib/vhp_stream_reg.sv \
		$(wildcard $(RTL_DIR)/boards/vhp_b*_*.sv) tests/boards/tb_block_x8.sv
	@mkdir -p $(@D)
	@nice verilator --binary --timing -j 2 -Wall --assert --x-assign unique --x-initial unique --timescale 1ns/1ps \
	    -Wno-BLKSEQ -Wno-WIDTH -Wno-INITIALDLY -Wno-UNUSED -Wno-DECLFILENAME -CFLAGS -O0 --Mdir $(B)/obj-tb_block_x8 --top-module tb_block_x8 -o $(abspath $@) \
	    $(RTL_DIR)/lint.vlt $^
TEST_DEPS_rtl-block-x8 := $(B)/tests/tb_block_x8
TEST_CMD_rtl-block-x8 := $(B)/tests/tb_block_x8 +seed=$(or $(SEED),1)
