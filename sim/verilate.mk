# SPDX-License-Identifier: Apache-2.0
#
# Verilate any top that has the hard block's ports, together with the C model of sim/.
#
#   $(eval $(call VERILATE_TOP,NAME,MODULE,SV,CSRC,VFLAGS))
#
#   NAME    executable $(B)/tests/NAME (or $(VERILATE_OUT_NAME)); objects in $(B)/obj-NAME
#   MODULE  top module; ports of rtl/vhp_card.sv under the same names
#   SV      further SystemVerilog files (the bench top)
#   CSRC    C sources with main() and the bench's DPI-C functions (C17, see sim/vhp_model.h)
#   VFLAGS  further Verilator options, e.g. -GName=1, or a waiver file
#
# Warnings are printed here and are errors in `make lint`.
#
# VERILATE_SRCS_NAME overrides the RTL read (default: RTL_SRCS of rtl/rtl.mk), VERILATE_CFLAGS_NAME and
# VERILATE_LIBS_NAME add to the C compile and the link. Tracing is compiled in (vhp_verilated_trace).

VERILATOR ?= verilator
VERILATOR_FLAGS := --cc --prefix Vtop -O3 -Wall -Wno-fatal --assert --threads 1 --trace-fst --x-assign fast --x-initial unique \
	--noassert-case --timescale 1ns/1ps -CFLAGS "-DVL_USER_STOP -DVL_USER_FATAL -DVL_USER_FINISH"
VERILATOR_ROOT_DIR = $(shell $(VERILATOR) --getenv VERILATOR_ROOT)
VERILATE_OPT := OPT_FAST='-O3 -march=native' OPT_SLOW='-O0' OPT_GLOBAL='-O2'
SIM_CXXFLAGS = -std=gnu++17 -O2 -Wall -isystem $(VERILATOR_ROOT_DIR)/include -isystem $(VERILATOR_ROOT_DIR)/include/vltstd \
	-DVM_TRACE=1 -DVM_TRACE_FST=1

define VERILATE_TOP
VERILATE_OUT_$(1) ?= $(B)/tests/$(1)
VERILATE_SRCS_$(1) ?= $$(RTL_SRCS)

$(B)/obj-$(1)/Vtop.mk: $$(VERILATE_SRCS_$(1)) $(3) $$(wildcard rtl/lint.vlt) sim/verilate.mk
	@mkdir -p $$(@D)
	$$(VERILATOR) $$(VERILATOR_FLAGS) --Mdir $$(@D) --top-module $(2) -I$(B)/gen $(5) \
		$$(wildcard rtl/lint.vlt) $$(VERILATE_SRCS_$(1)) $(3)
	@touch $$@

$(B)/obj-$(1)/built: $(B)/obj-$(1)/Vtop.mk
	+flock $$(@D)/lock $$(MAKE) -s -C $$(@D) -f Vtop.mk $$(VERILATE_OPT) libVtop.a libverilated.a
	@touch $$@

$(B)/obj-$(1)/shim.o: sim/shim.cpp sim/edge.h $(B)/obj-$(1)/Vtop.mk
	$$(CXX) $$(SIM_CXXFLAGS) -Isim -I$$(@D) -c -o $$@ $$<

$$(VERILATE_OUT_$(1)): $(B)/obj-$(1)/built $(B)/obj-$(1)/shim.o $(4) $(B)/obj-sim/libvhpsim.a $$(SIM_HDRS)
	@mkdir -p $$(@D)
	$$(foreach c,$(4),$$(CC) $$(SIM_CFLAGS) $$(VERILATE_CFLAGS_$(1)) -I$(B)/obj-$(1) -I$$(VERILATOR_ROOT_DIR)/include/vltstd \
		-c -o $(B)/obj-$(1)/$$(notdir $$(basename $$(c))).c.o $$(c) &&) true
	$$(CXX) -o $$@ $$(foreach c,$(4),$(B)/obj-$(1)/$$(notdir $$(basename $$(c))).c.o) $(B)/obj-$(1)/shim.o \
		-Wl,--start-group $(B)/obj-$(1)/libVtop.a $(B)/obj-$(1)/libverilated.a $(B)/obj-sim/libvhpsim.a -Wl,--end-group \
		$$(VERILATE_LIBS_$(1)) -ljansson -lz -lpthread -lm
endef
