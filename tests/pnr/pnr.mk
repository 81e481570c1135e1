# SPDX-License-Identifier: Apache-2.0
#
# The first half of `make pnr`, inside the toolchain root: netlists of the blocks.

.PHONY: pnr-netlists
pnr-netlists: $(RTL_SRCS)
	@mkdir -p $(B)/pnr
	@$(VENV)/python3 tests/pnr/netlist.py --out $(B)/pnr $(or $(BLOCK),$(shell tests/pnr/run.py --list)) -- $(RTL_SRCS) \
	    >$(B)/pnr/netlists.log
