# SPDX-License-Identifier: Apache-2.0
#
# Firmware image for the card's RAM: $(FIRMWARE_HEX), 32-bit words for $readmemh.
# FW_SRCS are the portable sources, which the unit tests and fuzzers build for the host too.

FW_DIR  := $(patsubst %/,%,$(dir $(lastword $(MAKEFILE_LIST))))
FW_CROSS ?= riscv64-unknown-elf-
FW_SRCS := $(addprefix $(FW_DIR)/,card.c port.c fn.c lane.c aperture.c dirty_log.c ctrl.c mbox.c virtq.c \
	region_map.c hw.c)
FW_SOC  := $(addprefix $(FW_DIR)/,main.c hal_soc.c string.c crt0.S)
FW_HDRS := $(wildcard $(FW_DIR)/*.h $(FW_DIR)/include/*.h)
FW_OUT  := $(B)/fw
FW_ELF  := $(FW_OUT)/firmware.elf
FIRMWARE_HEX := $(FW_OUT)/firmware.hex

# -misa-spec=2.2: CSR instructions without zicsr in -march, which would select another multilib's libgcc.
FW_CFLAGS := -march=rv32im -mabi=ilp32 -misa-spec=2.2 -mcmodel=medlow -std=gnu17 -O2 -g -flto -ffreestanding \
	-fno-common -fno-tree-loop-distribute-patterns -ffunction-sections -fdata-sections -Wall -Wextra -Werror -Wstack-usage=1024 \
	-I$(FW_DIR) -I$(FW_DIR)/include -I$(REGS_INC) --specs=picolibc.specs
FW_LDFLAGS := -nostartfiles -T $(FW_DIR)/soc.ld -Wl,--gc-sections -Wl,--fatal-warnings -Wl,--no-warn-rwx-segments

ALL += $(FIRMWARE_HEX)

$(FW_ELF): $(FW_SRCS) $(FW_SOC) $(FW_HDRS) $(REGS_H) $(FW_DIR)/soc.ld $(FW_DIR)/firmware.mk
	@mkdir -p $(@D)
	@$(FW_CROSS)gcc $(FW_CFLAGS) $(FW_LDFLAGS) -Wl,-Map=$(FW_OUT)/firmware.map -o $@ $(FW_SRCS) $(FW_SOC)
	@$(FW_CROSS)size $@ | awk 'NR == 2 { printf "firmware: %d bytes of program and constants, %d of data, %d left for the stack\n", \
	    $$1, $$2 + $$3, 65536 - $$1 - 2 * $$2 - $$3 }'

$(FIRMWARE_HEX): $(FW_ELF) $(FW_DIR)/bin2hex.py
	@$(FW_CROSS)objcopy -O binary $< $(FW_OUT)/firmware.bin
	@$(VENV)/python3 $(FW_DIR)/bin2hex.py $(FW_OUT)/firmware.bin $@

.PHONY: firmware
firmware: $(FIRMWARE_HEX) ## the firmware's image only
