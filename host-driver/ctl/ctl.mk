# SPDX-License-Identifier: Apache-2.0
#
# build/bin/vhpctl.

VHPCTL_DIR := $(HOST_DIR)/ctl
VHPCTL  := $(B)/bin/vhpctl
ALL     += $(VHPCTL)

VHPCTL_SRCS := $(addprefix $(VHPCTL_DIR)/,vhpctl.c show.c telemetry.c) $(HOST_DIR)/vdpa/vdpa_values.c

$(VHPCTL): $(VHPCTL_SRCS) $(wildcard $(VHPCTL_DIR)/*.h) $(HOST_DIR)/vdpa/vdpa_values.h | $(B)/bin
	@$(CC) $(CFLAGS_COMMON) -I$(HOST_DIR)/vdpa $(VHPCTL_SRCS) -o $@ -ljansson

# Manual pages, from what the programs say of themselves.
MAN_PAGES := $(B)/man/vhpctl.1 $(B)/man/vhp-vdpad.8
ALL       += $(MAN_PAGES)

$(B)/man/vhpctl.1: $(VHPCTL)
$(B)/man/vhp-vdpad.8: $(B)/bin/vhp-vdpad
$(MAN_PAGES): $(VHPCTL_DIR)/man.py
	@mkdir -p $(@D)
	@COLUMNS=80 python3 $(VHPCTL_DIR)/man.py $(filter $(B)/bin/%,$^) $(subst .,,$(suffix $@)) >$@
