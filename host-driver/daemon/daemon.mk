# SPDX-License-Identifier: Apache-2.0
#
# build/bin/vhp-vdpad. It loads the vDPA plugin at run time; the checks of arguments are the plugin's.

VDPAD := $(B)/bin/vhp-vdpad
ALL   += $(VDPAD)

VDPAD_SRCS := $(addprefix $(HOST_DIR)/daemon/,vhp_vdpad.c options.c) $(addprefix $(HOST_DIR)/vdpa/vdpa_,args.c values.c)

$(VDPAD): $(VDPAD_SRCS) $(HOST_DIR)/daemon/vhp_vdpad.h $(addprefix $(HOST_DIR)/vdpa/vdpa_,args.h values.h) $(DPDK_SDK) | $(B)/bin
	@$(CC) $(CFLAGS_COMMON) $(DPDK_CFLAGS) -I$(HOST_DIR)/vdpa $(VDPAD_SRCS) -o $@ -Wl,--as-needed -lrte_vhost -lrte_kvargs \
	    -lrte_eal -lrte_log
