# SPDX-License-Identifier: Apache-2.0
#
# Proofs of small RTL blocks: `make formal`, and the test `formal`.

FORMAL_CMD = $(VENV)/python3 tests/formal/prove.py --out $(B)/formal --gen $(GEN) $(BLOCK)

TESTS += formal
TEST_DEPS_formal := $(VHP_REGS_PKG)
TEST_CMD_formal := $(VENV)/python3 tests/formal/prove.py --out $(B)/formal --gen $(GEN) $(if $(SEED),--seed $(SEED))
