# SPDX-License-Identifier: Apache-2.0
#
# RTL sources and what is generated from rtl/soc/vhp_regs.rdl. Gives:
#   RTL_SRCS        every file of the card in compile order: packages, modules, generated modules
#   RTL_GEN         the generated ones; RTL_SRCS as prerequisites build them
#   REGS_H          the C header of all registers; C code adds -I$(REGS_INC)
#   VHP_REGS_PKG, CPU_V   single files

B    ?= build
VENV ?= /opt/venv/bin

RTL_DIR  := $(patsubst %/,%,$(dir $(lastword $(MAKEFILE_LIST))))
GEN      := $(B)/gen
REGS_INC := $(GEN)/include
RDL      := $(RTL_DIR)/soc/vhp_regs.rdl

VHP_REGS_PKG := $(GEN)/vhp_regs_pkg.sv
REGBLOCKS    := vhp_mgmt vhp_soc
REGBLOCK_PKG := $(foreach m,$(REGBLOCKS),$(GEN)/$(m)_regs_pkg.sv)
REGBLOCK_SV  := $(foreach m,$(REGBLOCKS),$(GEN)/$(m)_regs.sv)
REG_MAPS     := vhp_mgmt vhp_db_bar vhp_fn_bar vhp_soc vhp_fn vhp_lane vhp_aperture vhp_log vhp_spi vhp_boot
MAP_H        := $(foreach m,$(REG_MAPS),$(REGS_INC)/$(m)_regs.h)
REGS_H       := $(REGS_INC)/vhp_regs.h
CPU_V        := $(GEN)/VexRiscv.v

# Packages by dependency: sizes and types first, then registers, then the blocks' own.
RTL_PKGS := $(RTL_DIR)/lib/vhp_pkg.sv $(VHP_REGS_PKG) $(REGBLOCK_PKG) \
            $(filter-out $(RTL_DIR)/lib/vhp_pkg.sv,$(sort $(wildcard $(RTL_DIR)/*/*_pkg.sv)))
RTL_MODULES := $(sort $(filter-out %_pkg.sv $(RTL_DIR)/boards/%,$(wildcard $(RTL_DIR)/*/*.sv))) $(RTL_DIR)/vhp_card.sv
RTL_GEN  := $(VHP_REGS_PKG) $(REGBLOCK_PKG) $(REGBLOCK_SV) $(CPU_V)
RTL_SRCS := $(RTL_PKGS) $(RTL_MODULES) $(REGBLOCK_SV) $(CPU_V)
RTL_LINT_FLAGS := -Wall --timing $(RTL_DIR)/lint.vlt

LINT_DEPS += $(RTL_GEN) check-registers

$(GEN) $(REGS_INC):
	@mkdir -p $@

$(VHP_REGS_PKG): $(RDL) $(RTL_DIR)/soc/rdl2sv.py | $(GEN)
	@$(VENV)/python3 $(RTL_DIR)/soc/rdl2sv.py $< --package $@

# Registers that nothing stands at answer with an error, which the completer turns into UR and the SoC into a bus error.
# vhp_mgmt's many counters: read data has a register of its own.
REGBLOCK_FLAGS_vhp_mgmt := --rt-read-response
$(GEN)/%_regs.sv $(GEN)/%_regs_pkg.sv &: $(RDL) $(RTL_DIR)/rtl.mk | $(GEN)
	@$(VENV)/peakrdl regblock $(RDL) --top $* -o $(GEN) --module-name $*_regs --package-name $*_regs_pkg \
	    --cpuif passthrough --default-reset rst --err-if-bad-addr $(REGBLOCK_FLAGS_$*)

$(MAP_H): $(REGS_INC)/%_regs.h: $(RDL) | $(REGS_INC)
	@$(VENV)/peakrdl c-header $< --top $* --std gnu17 -o $@

$(REGS_H): $(MAP_H)
	@{ echo '/* SPDX-License-Identifier: Apache-2.0 */'; \
	   echo '/* Generated: every register map of rtl/soc/vhp_regs.rdl. */'; \
	   echo '#ifndef VHP_REGS_H'; echo '#define VHP_REGS_H'; \
	   for m in $(REG_MAPS); do echo "#include \"$${m}_regs.h\""; done; echo '#endif'; } > $@

# The soft core: VexRiscv RV32IM with an instruction cache, no data cache, Wishbone. See rtl/soc/README.md.
CPU_SHA256 := e1e86261c0b628a3f337dba3bac71fb5b3cd1bd469d5896b7a33b597d7c77901
$(CPU_V): | $(GEN)
	@src=$$($(VENV)/python3 -c 'import pythondata_cpu_vexriscv as p; print(p.data_location)')/VexRiscv_Lite.v; \
	echo "$(CPU_SHA256)  $$src" | sha256sum --check --quiet --strict - || \
	    { echo "rtl.mk: $$src is not the VexRiscv_Lite.v of pythondata-cpu-vexriscv 1.0.1.post407" >&2; exit 1; }; \
	cp "$$src" $@

.PHONY: registers check-registers
registers: ## write docs/registers.md from rtl/soc/vhp_regs.rdl
	@$(VENV)/python3 $(RTL_DIR)/soc/rdl2sv.py $(RDL) --markdown docs/registers.md

check-registers: | $(GEN)
	@$(VENV)/python3 $(RTL_DIR)/soc/rdl2sv.py $(RDL) --markdown $(GEN)/registers.md
	@cmp -s $(GEN)/registers.md docs/registers.md || \
	    { echo "docs/registers.md does not match rtl/soc/vhp_regs.rdl: run make registers" >&2; exit 1; }
