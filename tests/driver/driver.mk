# SPDX-License-Identifier: Apache-2.0
#
# Both ends of a port without DPDK, against a running vhp-sim. DRIVER_LIB is for other tests too: add DRIVER_CFLAGS,
# link it before $(ACCESS_LIB) $(ACCESS_LIBS).

DRIVER_DIR    := $(patsubst %/,%,$(dir $(lastword $(MAKEFILE_LIST))))
DRIVER_LIB    := $(B)/lib/libvhp_testends.a
DRIVER_CFLAGS := -I$(DRIVER_DIR) $(ACCESS_CFLAGS)
DRIVER_OBJ    := $(B)/obj/driver
DRIVER_LIB_O  := $(patsubst $(DRIVER_DIR)/%.c,$(DRIVER_OBJ)/%.o,$(wildcard $(DRIVER_DIR)/lib_*.c))
DRIVER_TESTS  := conformance lifecycle aperture traffic malformed trap flash ports

$(DRIVER_OBJ)/%.o: $(DRIVER_DIR)/%.c $(REGS_H)
	@mkdir -p $(@D)
	@$(CC) $(CFLAGS_COMMON) -MMD -MP $(DRIVER_CFLAGS) -c $< -o $@

$(DRIVER_LIB): $(DRIVER_LIB_O)
	@mkdir -p $(@D)
	@rm -f $@ && ar rcs $@ $^

-include $(wildcard $(DRIVER_OBJ)/*.d)

# The firmware with a defect on request, for drv-trap.
FAULTY_HEX := $(FW_OUT)/faulty.hex
$(DRIVER_OBJ)/trap.o: DRIVER_CFLAGS += -DFAULTY_HEX='"$(FAULTY_HEX)"'
$(FAULTY_HEX): $(DRIVER_DIR)/faulty_main.c $(DRIVER_DIR)/faulty.h $(FIRMWARE_HEX)
	@$(FW_CROSS)gcc $(FW_CFLAGS) -I$(DRIVER_DIR) $(FW_LDFLAGS) -o $(FW_OUT)/faulty.elf $< $(FW_SRCS) $(filter-out %/main.c,$(FW_SOC))
	@$(FW_CROSS)objcopy -O binary $(FW_OUT)/faulty.elf $(FW_OUT)/faulty.bin
	@$(VENV)/python3 $(FW_DIR)/bin2hex.py $(FW_OUT)/faulty.bin $@

define driver_test
$(B)/tests/drv-$1: $(DRIVER_OBJ)/$1.o $(DRIVER_LIB) $(ACCESS_LIB)
	@mkdir -p $$(@D)
	@$$(CC) -o $$@ $$^ -lcmocka -ljansson $(ACCESS_LIBS)

TESTS += drv-$1
TEST_DEPS_drv-$1 := $(B)/tests/drv-$1 $(B)/bin/vhp-sim $(FIRMWARE_HEX)
TEST_CMD_drv-$1  := $(B)/tests/drv-$1
TEST_TIMEOUT_drv-$1 := 1800
endef

$(foreach t,$(DRIVER_TESTS),$(eval $(call driver_test,$t)))
TEST_DEPS_drv-trap += $(FAULTY_HEX)
