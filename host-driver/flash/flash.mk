# SPDX-License-Identifier: Apache-2.0
#
# Release images and the card's flash: sources of vhpctl, and their tests. ctl/ includes it before its own fragment uses it.

FLASH_DIR    := $(HOST_DIR)/flash
IMAGE_SRCS   := $(addprefix $(FLASH_DIR)/,bitstream.c mcs.c image.c image_verify.c)
FLASH_SRCS   := $(IMAGE_SRCS) $(addprefix $(FLASH_DIR)/,flash_bar.c flash_nor.c flash_card.c flash_guard.c flash_slot.c flash_pci.c)
FLASH_HDRS   := $(wildcard $(FLASH_DIR)/*.h)
FLASH_CFLAGS := -I$(FLASH_DIR) -I$(HOST_DIR)/ctl $(ACCESS_CFLAGS)
FLASH_LIBS   := $(ACCESS_LIBS) -lcrypto

# Slots, guard and NOR commands against the simulation's flash model; the power failing before, in and after every change.
FLASH_MOCK_SRCS := $(addprefix $(FLASH_DIR)/,test/mock_card.c flash_nor.c flash_card.c flash_guard.c flash_slot.c flash_bar.c image.c \
		bitstream.c) $(HOST_DIR)/ctl/sysfs.c sim/nor.c sim/nor_array.c

define flash_mock_test
$(B)/tests/drv-flash-$1: $(FLASH_DIR)/test/test_$2.c $(FLASH_MOCK_SRCS) $(ACCESS_LIB) $(FLASH_DIR)/test/mock_card.h $(wildcard sim/nor*.h) \
		$(FLASH_HDRS) | $(B)/tests $(REGS_H)
	@$$(CC) $$(CFLAGS_COMMON) -fsanitize=address,undefined -fno-sanitize-recover=undefined $$(FLASH_CFLAGS) -I$(FLASH_DIR)/test -Isim \
	    $$(filter %.c %.a,$$^) -o $$@ -lcmocka $$(FLASH_LIBS)

TESTS                    += drv-flash-$1
TEST_DEPS_drv-flash-$1   := $(B)/tests/drv-flash-$1
TEST_CMD_drv-flash-$1    := $(B)/tests/drv-flash-$1
endef

$(eval $(call flash_mock_test,slots,flash))
$(eval $(call flash_mock_test,power,power))

# What Linux is told when another image is loaded, against a device tree of its own.
DRV_FLASH_PCI := $(B)/tests/drv-flash-pci
$(DRV_FLASH_PCI): $(FLASH_DIR)/test/test_pci.c $(addprefix $(FLASH_DIR)/,flash_pci.c flash_bar.c) \
		$(addprefix $(HOST_DIR)/ctl/,bind.c show.c sysfs.c) $(ACCESS_LIB) $(FLASH_HDRS) | $(B)/tests $(REGS_H)
	@$(CC) $(CFLAGS_COMMON) -fsanitize=address,undefined -fno-sanitize-recover=undefined $(FLASH_CFLAGS) $(filter %.c %.a,$^) -o $@ \
	    -lcmocka $(FLASH_LIBS)

TESTS                  += drv-flash-pci
TEST_DEPS_drv-flash-pci := $(DRV_FLASH_PCI)
TEST_CMD_drv-flash-pci  := $(DRV_FLASH_PCI)

# The parser and its checks on an image that xclbinutil signed, with a bit flipped in every byte.
DRV_IMAGE := $(B)/tests/drv-image
$(DRV_IMAGE): $(FLASH_DIR)/test/test_image.c $(IMAGE_SRCS) $(FLASH_HDRS) | $(B)/tests
	@$(CC) $(CFLAGS_COMMON) -fsanitize=address,undefined -fno-sanitize-recover=undefined -I$(FLASH_DIR) $(filter %.c,$^) -o $@ \
	    -ljansson -lcrypto

TESTS               += drv-image
TEST_DEPS_drv-image := $(DRV_IMAGE)
TEST_CMD_drv-image  := echo 0 >$$VHP_TEST_DIR/fw && rtl/boards/release --board sim --standin --size 2048 --version 1 \
	--firmware $$VHP_TEST_DIR/fw --out $$VHP_TEST_DIR && $(DRV_IMAGE) $$VHP_TEST_DIR/vhost-pci-net-sim-1-standin.xclbin \
	$$VHP_TEST_DIR/development.crt

TESTS             += release
TEST_DEPS_release  = $(VHPCTL) $(FIRMWARE_HEX)
TEST_CMD_release   = python3 $(FLASH_DIR)/test/test_release.py $(B)

# On the simulated card, over its socket: killed writes, what boots then, going on.
TESTS                       += drv-flash-card
TEST_DEPS_drv-flash-card     = $(VHPCTL) $(FIRMWARE_HEX) $(B)/bin/vhp-sim
TEST_CMD_drv-flash-card      = python3 $(FLASH_DIR)/test/test_card.py $(B)
TEST_TIMEOUT_drv-flash-card := 1800
