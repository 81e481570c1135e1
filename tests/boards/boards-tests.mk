# SPDX-License-Identifier: Apache-2.0
#
# Boards: tops, constraints and Vivado scripts, without Vivado.

TESTS += boards
TEST_DEPS_boards := $(B)/boards/sources
TEST_CMD_boards := $(VENV)/python3 tests/boards/boards.py --sources $(B)/boards/sources --build $(B)
