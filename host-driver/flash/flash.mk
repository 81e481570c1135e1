# SPDX-License-Identifier: Apache-2.0
#
# Release images and the card's flash: sources of vhpctl, and their tests. ctl/ includes it before its own fragment uses it.

FLASH_DIR    := $(HOST_DIR)/flash
IMAGE_SRCS   := $(addprefix $(FLASH_DIR)/,bitstream.c mcs.c image.c image_verify.c)
FLASH_SRCS   := $(IMAGE_SRCS) $(addprefix $(FLASH_DIR)/,flash_bar.c flash_nor.c flash_card.c flash_slot.c flash_pci.c)
FLASH_HDRS   := $(wildcard $(FLASH_DIR)/*.h)
FLASH_CFLAGS := -I$(FLASH_DIR) -I$(HOST_DIR)/ctl $(ACCESS_CFLAGS)
FLASH_LIBS   := $(ACCESS_LIBS) -lcrypto
