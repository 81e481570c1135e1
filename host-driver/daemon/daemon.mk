# SPDX-License-Identifier: Apache-2.0
#
# build/bin/vhp-vdpad. It loads the vDPA plugin at run time.

VDPAD := $(B)/bin/vhp-vdpad
ALL   += $(VDPAD)

$(VDPAD): $(HOST_DIR)/daemon/vhp_vdpad.c $(DPDK_SDK) | $(B)/bin
	@$(CC) $(CFLAGS_COMMON) $(DPDK_CFLAGS) $< -o $@ -Wl,--as-needed -lrte_vhost -lrte_eal
