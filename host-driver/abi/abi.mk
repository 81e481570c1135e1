# SPDX-License-Identifier: Apache-2.0
#
# How DPDK plugins are compiled:
#   DPDK_SDK      prerequisite of every object that includes a driver header
#   DPDK_CFLAGS   for compiling; DPDK_LDFLAGS for linking a plugin, which adds its own -lrte_*
#
# The driver headers are generated for the one release of the toolchain root. `make DPDK_SDK_INCLUDE=DIR` takes the
# genuine ones of a DPDK that was built with -Denable_driver_sdk=true instead (with PKG_CONFIG_PATH set to that DPDK).

ABI_DIR := $(HOST_DIR)/abi

ifdef DPDK_SDK_INCLUDE
DPDK_SDK     :=
DPDK_SDK_DIR := $(DPDK_SDK_INCLUDE)
else
DPDK_SDK     := $(B)/gen/dpdk-sdk/.stamp
DPDK_SDK_DIR := $(B)/gen/dpdk-sdk
endif

$(B)/gen/dpdk-sdk/.stamp: $(ABI_DIR)/dpdk-24.11.txt $(ABI_DIR)/sdk.py
	@python3 $(ABI_DIR)/sdk.py $< $(@D)
	@touch $@

# -isystem: the release's own headers do not compile without warnings at our level.
DPDK_CFLAGS  = -isystem $(DPDK_SDK_DIR) $(subst -I/,-isystem /,$(shell pkg-config --cflags libdpdk)) \
               -DALLOW_INTERNAL_API -DALLOW_EXPERIMENTAL_API -I$(ABI_DIR)
DPDK_LDFLAGS = -shared -Wl,-z,defs,-z,now,-z,relro $(shell pkg-config --libs-only-L libdpdk)
