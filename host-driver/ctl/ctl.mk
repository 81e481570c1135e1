# SPDX-License-Identifier: Apache-2.0
#
# build/bin/vhpctl.

VHPCTL_DIR := $(HOST_DIR)/ctl
VHPCTL  := $(B)/bin/vhpctl
ALL     += $(VHPCTL)

VHPCTL_SRCS := $(addprefix $(VHPCTL_DIR)/,vhpctl.c bind.c flash_command.c flash_reload.c flash_show.c flash_transfer.c \
               image_command.c show.c sysfs.c telemetry.c) \
               $(HOST_DIR)/vdpa/vdpa_values.c $(FLASH_SRCS)

$(VHPCTL): $(VHPCTL_SRCS) $(ACCESS_LIB) $(wildcard $(VHPCTL_DIR)/*.h) $(FLASH_HDRS) $(HOST_DIR)/vdpa/vdpa_values.h | $(B)/bin $(REGS_H)
	@$(CC) $(CFLAGS_COMMON) -I$(HOST_DIR)/vdpa $(FLASH_CFLAGS) $(VHPCTL_SRCS) $(ACCESS_LIB) -o $@ $(FLASH_LIBS)

# Manual pages, from what the programs say of themselves.
MAN_PAGES := $(B)/man/vhpctl.1 $(B)/man/vhpctl-flash.1 $(B)/man/vhpctl-image.1 $(B)/man/vhp-sim.1 $(B)/man/vhp-vdpad.8
ALL       += $(MAN_PAGES)

$(B)/man/vhpctl.1 $(B)/man/vhpctl-flash.1 $(B)/man/vhpctl-image.1: $(VHPCTL)
$(B)/man/vhp-sim.1: $(B)/bin/vhp-sim
$(B)/man/vhp-vdpad.8: $(B)/bin/vhp-vdpad
$(MAN_PAGES): $(VHPCTL_DIR)/man.py
	@mkdir -p $(@D)
	@COLUMNS=80 python3 $(VHPCTL_DIR)/man.py $(filter $(B)/bin/%,$^) $(subst .,,$(suffix $@)) \
	    $(filter flash image,$(subst -, ,$(basename $(@F)))) >$@

# Binding, against a device tree of its own.
BIND_TEST := $(B)/tests/drv-bind
$(BIND_TEST): $(addprefix $(VHPCTL_DIR)/,test/test_bind.c bind.c show.c sysfs.c bind.h show.h sysfs.h) | $(B)/tests
	@$(CC) $(CFLAGS_COMMON) -O1 -fsanitize=address,undefined -fno-sanitize-recover=undefined -I$(VHPCTL_DIR) $(filter %.c,$^) -o $@ \
	    -lcmocka -ljansson

TESTS             += drv-bind
TEST_DEPS_drv-bind := $(BIND_TEST)
TEST_CMD_drv-bind  := $(BIND_TEST)
