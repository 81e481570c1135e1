# SPDX-License-Identifier: Apache-2.0
#
# build/bin/vhpctl.

CTL_DIR := $(HOST_DIR)/ctl
VHPCTL  := $(B)/bin/vhpctl
ALL     += $(VHPCTL)

$(VHPCTL): $(CTL_DIR)/vhpctl.c $(CTL_DIR)/telemetry.c $(CTL_DIR)/telemetry.h | $(B)/bin
	@$(CC) $(CFLAGS_COMMON) $(filter %.c,$^) -o $@ -ljansson
