# SPDX-License-Identifier: Apache-2.0
#
# The only entry point. Where this machine lacks a tool, make starts itself again inside the toolchain root
# (sim/toolchain/root), which it builds on first use. `make help` lists the targets.

SHELL := /bin/bash
.SHELLFLAGS := -ec
.SUFFIXES:
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

.DEFAULT_GOAL := all
GOALS := $(or $(MAKECMDGOALS),all)
# Goals that need no tools.
LIGHT_GOALS := help clean distclean toolchain bitstream pnr

ifeq ($(filter-out $(LIGHT_GOALS),$(GOALS)),)
  PLACE := light
else ifndef VHP_PLACE
  PLACE := $(shell sim/toolchain/root where)
else
  PLACE := $(VHP_PLACE)
endif

ifeq ($(PLACE),outside)

# ------------------------------------------------------------------------------------------------------------------------
# The same goals, inside the root.

.PHONY: $(GOALS)
$(firstword $(GOALS)):
	+@exec sim/toolchain/root run make VHP_PLACE=inside --no-print-directory $(GOALS)
$(wordlist 2,$(words $(GOALS)),$(GOALS)): $(firstword $(GOALS))
	@:

else

# ------------------------------------------------------------------------------------------------------------------------
# Settings for the fragments.

B           ?= build
VENV        ?= /opt/venv/bin
VERSION     := 0.1.0
CC          := gcc
CXX         := g++
NPROC       := $(shell nproc)
CFLAGS_COMMON := -std=gnu17 -O2 -g -Wall -Wextra -Werror -D_GNU_SOURCE -DVHP_VERSION='"$(VERSION)"'
PREFIX      ?= /usr/local
TIME        ?= 60

export VHP_PLACE := $(PLACE)
export CCACHE_DIR ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/vhost-pci-net/ccache

# ALL: files of the default goal. TESTS: names; TEST_DEPS_<name>: files to build first; TEST_CMD_<name>: command, run from
# the top; TEST_TIMEOUT_<name>: seconds after which a hanging test is ended (default 1200); TEST_WEIGHT_<name>: processors that
# it keeps busy (default 1), "all" if it must run alone, or "last".
ALL   :=
TESTS :=

ifneq ($(PLACE),light)
-include rtl/rtl.mk sim/sim.mk firmware/firmware.mk host-driver/host-driver.mk rtl/boards/boards.mk \
	$(sort $(wildcard tests/*/*.mk))
endif

.PHONY: all help run test bench demo lint synth pnr fuzz formal bitstream release install uninstall clean distclean toolchain list-tests

all: $(ALL) ## build the simulator, firmware, programs and plugins (below build/)

demo: $(DEMO_DEPS) ## two virtual machines exchange packets through the simulated card
	@$(or $(DEMO_CMD),echo "demo: tests/system/ is not there yet"; exit 1)

# ------------------------------------------------------------------------------------------------------------------------
# Tests.

test_names := $(if $(strip $(TEST)),$(foreach t,$(TEST),$(or $(filter $(subst *,%,$t),$(TESTS)),$(error no test is called "$t"; `make list-tests` lists them))),$(TESTS))
define manifest_line
$1	$(or $(TEST_TIMEOUT_$1),1200)	$(or $(TEST_WEIGHT_$1),1)	$(strip $(TEST_DEPS_$1))	$(strip $(TEST_CMD_$1))

endef

test: ## all tests, or TEST="name ..." (a * in a name stands for any part); JOBS=1: one after the other
	$(shell mkdir -p $(B)/test)$(file >$(B)/test/manifest,$(foreach t,$(test_names),$(call manifest_line,$t)))
	+@tests/run $(B) $(JOBS)

list-tests: ## names of the tests
	@printf '%s\n' $(sort $(TESTS))

bench: $(BENCH_DEPS) ## throughput and latency of the RTL against the PCIe ceiling; JSON in build/bench/
	@$(or $(BENCH_CMD),echo "bench: not filled yet"; exit 1)

# ------------------------------------------------------------------------------------------------------------------------
# Source checks and synthesis.

lint: $(RTL_SRCS) $(LINT_DEPS) ## Verilator -Wall on the card, clang-format on C, licence headers, waivers
	@tests/lint $(RTL_SRCS)

synth: $(RTL_SRCS) ## Yosys for UltraScale+: resources and logic levels per block; BOARD=name: held against the part
	@mkdir -p $(B)/synth
	@$(if $(BOARD),$(SYNTH_BOARD_CMD),$(VENV)/python3 tests/synth.py --out $(B)/synth $(if $(BLOCK),--block "$(BLOCK)") $(RTL_SRCS))

pnr: ## datapath blocks placed and routed for an Artix-7 (nextpnr, brought by a root of its own); BLOCK="name ..."
	@env -u VHP_PLACE -u MAKEFLAGS -u MAKELEVEL $(MAKE) --no-print-directory pnr-netlists B=$(B) BLOCK="$(BLOCK)"
	@exec tests/pnr/run.py --out $(B)/pnr $(BLOCK)

fuzz: ## fuzzers of the firmware and of release images (TIME=seconds)
	@$(or $(FUZZ_CMD),echo "fuzz: no fuzz target is written yet" >&2; exit 1)

formal: ## proofs of the small RTL blocks
	@$(or $(FORMAL_CMD),echo "formal: no property is written yet" >&2; exit 1)

bitstream: ## FPGA image with this machine's Vivado, BOARD=name (rtl/boards/)
	@exec rtl/boards/bitstream "$(BOARD)" "$(B)"

release: ## signed release archive (BOARD=...)
	@$(or $(RELEASE_CMD),echo "release: not filled yet" >&2; exit 1)

install: $(ALL) ## programs, plugins, service files, manuals into DESTDIR$(PREFIX)
	@$(INSTALL_CMD) install $(INSTALL_LIST)

uninstall: ## remove what install put below DESTDIR$(PREFIX)
	@$(INSTALL_CMD) uninstall $(INSTALL_LIST)

# ------------------------------------------------------------------------------------------------------------------------
# Housekeeping.

run: export VHP_RUN_CMD = $(value CMD)
run: ## CMD='...' with all tools, in the checkout, build/bin on PATH
	@[ -n "$$VHP_RUN_CMD" ] || { echo "run: give CMD='...'" >&2; exit 1; }
	+@PATH="$(abspath $(B))/bin:$(VENV):$$PATH" exec bash -c "$$VHP_RUN_CMD"

toolchain: ## build the toolchain root, or say which tools this machine has itself
	@case $$(sim/toolchain/root where) in \
	outside) sim/toolchain/root build; echo "toolchain root: $$(sim/toolchain/root path)";; \
	native) echo "this machine has every tool itself";; *) echo "inside the toolchain root";; esac

clean: ## remove build/
	@rm -rf $(B)

help: ## this list
	@echo "make [TARGET] [VARIABLE=value]"
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 14

endif
