# SPDX-License-Identifier: Apache-2.0
#
# What an FPGA image is made of, for rtl/boards/bitstream: the firmware's RAM image, then the RTL in compile order.
# Included last: needs RTL_SRCS and FIRMWARE_HEX.

BOARDS := $(sort $(notdir $(patsubst %/board.tcl,%,$(wildcard $(RTL_DIR)/boards/*/board.tcl))))

$(B)/boards/sources: $(FIRMWARE_HEX) $(RTL_SRCS)
	@mkdir -p $(@D)
	@printf '%s\n' $(FIRMWARE_HEX) $(RTL_SRCS) >$@

# Resources of the blocks against what a board's part holds.
SYNTH_BOARD_CMD = $(VENV)/python3 tests/boards/resources.py --board $(BOARD) --out $(B)/synth $(RTL_SRCS)

# Release image: of what `make bitstream` built, or with STANDIN=1 of a stand-in.
RELEASE_CMD = rtl/boards/release --board "$(BOARD)" --version "$(VERSION)" --build "$(B)" --vhpctl $(VHPCTL) \
	$(if $(STANDIN),--standin) --sign-key "$(SIGN_KEY)" --sign-cert "$(SIGN_CERT)"
release: $(FIRMWARE_HEX) $(VHPCTL)
