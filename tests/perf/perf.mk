# SPDX-License-Identifier: Apache-2.0
#
# make bench: vhp_pcie + vhp_lanes on the model of sim/, against the ceiling that PCIe bytes set.

VERILATE_SRCS_perf-bench := rtl/lib/vhp_pkg.sv $(VHP_REGS_PKG) rtl/virtio/vhp_virtio_caps_pkg.sv rtl/pcie/vhp_pcie_pkg.sv \
	rtl/lane/vhp_lane_pkg.sv rtl/lib/vhp_stream_fifo.sv rtl/lib/vhp_stream_reg.sv rtl/lib/vhp_rr_pick.sv \
	$(filter-out %_pkg.sv,$(sort $(wildcard rtl/pcie/*.sv rtl/lane/*.sv)))
$(eval $(call VERILATE_TOP,perf-bench,vhp_perf_top,tests/perf/vhp_perf_top.sv,tests/perf/bench.c,))

BENCH_DEPS += $(B)/tests/perf-bench
BENCH_CMD = mkdir -p $(B)/bench && $(B)/tests/perf-bench --json $(B)/bench/bench.json
