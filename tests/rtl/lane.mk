# SPDX-License-Identifier: Apache-2.0
#
# Benches of rtl/lane: vhp_lanes alone, with a C model of the DMA block and C drivers of both ends (tests/rtl/lane).
# One executable for the sizes of vhp_pkg, and one for each of LANE_BUILDS (NumPorts x PairsPerPort), the ends of what may
# be built. TRACE=1 compiles waveforms in (+trace).

LANE_SEED   ?= 1
LANE_BUILDS := 1x1 3x4

LANE_TB_SV  := $(VHP_REGS_PKG) rtl/lane/vhp_lane_pkg.sv rtl/lib/vhp_rr_pick.sv rtl/lib/vhp_stream_fifo.sv \
	$(filter-out %_pkg.sv,$(wildcard rtl/lane/*.sv)) tests/rtl/lane/lane_tb.sv
LANE_TB_C   := $(wildcard tests/rtl/lane/*.c)
LANE_TB_H   := $(wildcard tests/rtl/lane/*.h)

# Executable, package, ports and pairs (empty: as the bench has them).
define LANE_TB
$(B)/obj-$(1)/c/%.o: tests/rtl/lane/%.c $(LANE_TB_H)
	@mkdir -p $$(@D)
	$(CC) -std=gnu17 -O2 -g -Wall -Wextra -Werror -Itests/rtl/lane $(if $(3),-DTB_PORTS=$(3) -DTB_PAIRS=$(4)) \
		-isystem $$(shell verilator --getenv VERILATOR_ROOT)/include/vltstd -c -o $$@ $$<

$(B)/tests/$(1): $(2) $(LANE_TB_SV) $(LANE_TB_C:tests/rtl/lane/%.c=$(B)/obj-$(1)/c/%.o) tests/rtl/lane.mk
	@mkdir -p $$(@D)
	@rm -f $$@
	nice verilator --binary --timing -O3 --assert --x-assign fast --x-initial unique -Wno-fatal $(if $(TRACE),--trace-fst) \
		--Mdir $(B)/obj-$(1) --top-module lane_tb -MAKEFLAGS "OPT_FAST='$(if $(3),-O1,-O2 -march=native)' OPT_SLOW=-O0" \
		$(2) $(LANE_TB_SV) $$(abspath $$(filter %.o,$$^)) -o $$(abspath $$@) > $(B)/obj-$(1)/log 2>&1 || \
		{ tail -40 $(B)/obj-$(1)/log; false; }
endef

$(eval $(call LANE_TB,lane_tb,rtl/lib/vhp_pkg.sv))
$(foreach b,$(LANE_BUILDS),$(eval $(call LANE_TB,lane_tb-$b,$(B)/gen/pkg-$b/vhp_pkg.sv,$(word 1,$(subst x, ,$b)),$(word 2,$(subst x, ,$b)))))

# vhp_pkg for other sizes; both must be there to be replaced.
$(B)/gen/pkg-%/vhp_pkg.sv: rtl/lib/vhp_pkg.sv
	@mkdir -p $(@D)
	@sed -E 's/(NumPorts +=) [0-9]+;/\1 $(word 1,$(subst x, ,$*));/; s/(PairsPerPort +=) [0-9]+;/\1 $(word 2,$(subst x, ,$*));/' $< > $@
	@[ "$$(grep -cE 'NumPorts +=|PairsPerPort +=' $@)" = 2 ] || { echo "$<: NumPorts and PairsPerPort are not where they were" >&2; exit 1; }

LANE_TESTS := regions random malformed
TESTS += rtl-lane $(LANE_TESTS:%=rtl-lane-%) $(LANE_BUILDS:%=rtl-lane-%)
TEST_DEPS_rtl-lane := $(B)/tests/lane_tb
TEST_CMD_rtl-lane := $(B)/tests/lane_tb +test=directed +seed=$(LANE_SEED)
$(foreach t,$(LANE_TESTS),$(eval TEST_DEPS_rtl-lane-$t := $(B)/tests/lane_tb))
$(foreach t,$(LANE_TESTS),$(eval TEST_CMD_rtl-lane-$t := $(B)/tests/lane_tb +test=$t +seed=$(LANE_SEED)))
$(foreach b,$(LANE_BUILDS),$(eval TEST_DEPS_rtl-lane-$b := $(B)/tests/lane_tb-$b))
$(foreach b,$(LANE_BUILDS),$(eval TEST_CMD_rtl-lane-$b := $(B)/tests/lane_tb-$b +test=directed +seed=$(LANE_SEED)))

# make lint reads the whole card in these sizes too.
LINT_BUILDS := $(LANE_BUILDS:%=lint-%)
LINT_DEPS += $(LINT_BUILDS)
.PHONY: $(LINT_BUILDS)
$(LINT_BUILDS): lint-%: $(B)/gen/pkg-%/vhp_pkg.sv $(RTL_SRCS)
	@verilator --lint-only -Wall --timing --top-module vhp_card $< $(filter-out rtl/lib/vhp_pkg.sv,$(RTL_SRCS)) rtl/lint.vlt 2>&1 | \
		{ ! grep -v '^- '; } || { echo "vhp_card with NumPorts x PairsPerPort = $*: see above" >&2; exit 1; }
