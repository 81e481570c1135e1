# SPDX-License-Identifier: Apache-2.0
#
# Benches of rtl/pcie: one executable, one test per part.

PCIE_BENCH_SRCS := rtl/lib/vhp_pkg.sv rtl/virtio/vhp_virtio_caps_pkg.sv rtl/pcie/vhp_pcie_pkg.sv \
	rtl/lib/vhp_stream_fifo.sv rtl/lib/vhp_stream_reg.sv rtl/lib/vhp_rr_pick.sv \
	$(VHP_REGS_PKG) $(filter-out rtl/pcie/vhp_pcie_pkg.sv,$(sort $(wildcard rtl/pcie/*.sv))) \
	$(sort $(wildcard rtl/aperture/*.sv))
VERILATE_SRCS_pcie-bench := $(PCIE_BENCH_SRCS)
VERILATE_CFLAGS_pcie-bench := -Itests/rtl/pcie -I$(REGS_INC)
$(eval $(call VERILATE_TOP,pcie-bench,pcie_bench,tests/rtl/pcie/pcie_bench.sv,$(sort $(wildcard tests/rtl/pcie/*.c)),))
$(B)/tests/pcie-bench: tests/rtl/pcie/bench.h

PCIE_TESTS := completer requester msix flr pcie-defects pcie-rate pcie-aperture
TESTS += $(PCIE_TESTS:%=rtl-%)
$(foreach t,$(PCIE_TESTS),$(eval TEST_DEPS_rtl-$(t) := $(B)/tests/pcie-bench))
$(foreach t,$(PCIE_TESTS),$(eval TEST_CMD_rtl-$(t) := $(B)/tests/pcie-bench $(t:pcie-%=%)))
