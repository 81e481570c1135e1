# SPDX-License-Identifier: Apache-2.0
#
# Host software: access layer, DPDK drivers, daemon, vhpctl. Each subfolder has its own fragment; abi/ and access/ come
# first because the others use their variables; so does flash/.

HOST_DIR   := host-driver
HOST_FIRST := $(wildcard $(HOST_DIR)/abi/abi.mk) $(HOST_DIR)/access/access.mk $(HOST_DIR)/flash/flash.mk

include $(HOST_FIRST)
include $(filter-out $(HOST_FIRST),$(sort $(wildcard $(HOST_DIR)/*/*.mk)))
