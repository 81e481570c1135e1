# SPDX-License-Identifier: Apache-2.0
#
# Guest images, the demo and the tests with whole programs: stock QEMU, Linux and DPDK around the simulated card.

SYS_DIR  := $(patsubst %/,%,$(dir $(lastword $(MAKEFILE_LIST))))
SYS_SIM  := $(B)/bin/vhp-sim $(B)/fw/firmware.hex
SYS_VDPA := $(B)/bin/vhp-vdpad $(B)/bin/vhpctl $(B)/lib/librte_vdpa_vhost_pci.so
SYS_NET  := $(B)/lib/librte_net_vhost_pci.so
GUEST_STAMP := $(B)/guest/stamp
STREAM_PMD  := $(B)/tests/stream_pmd
GUEST_OWN   := $(SYS_NET) $(B)/lib/librte_vdpa_vhost_pci.so $(B)/bin/vhp-vdpad $(B)/bin/vhpctl $(STREAM_PMD)

$(GUEST_STAMP): $(addprefix $(SYS_DIR)/,guest/build guest/init guest/tcpcat.c guest/stream.c stream.h) $(GUEST_OWN)
	@$(SYS_DIR)/guest/build $(B)/guest $(GUEST_OWN)
	@touch $@

$(STREAM_PMD): $(SYS_DIR)/stream_pmd.c $(SYS_DIR)/stream.h
	@mkdir -p $(@D)
	@$(CC) $(CFLAGS_COMMON) $(DPDK_CFLAGS) $< -o $@ -Wl,--as-needed -lrte_ethdev -lrte_mempool -lrte_mbuf -lrte_eal

DEMO_DEPS := $(SYS_SIM) $(SYS_VDPA) $(GUEST_STAMP)
DEMO_CMD  = python3 $(SYS_DIR)/demo.py

define sys_test
TESTS += $1
TEST_DEPS_$1 := $2
TEST_CMD_$1  := python3 $(SYS_DIR)/$3
# The card, guests or testpmd that polls.
TEST_WEIGHT_$1 := 2
endef
$(eval $(call sys_test,sys-rig,$(GUEST_STAMP),demo.py --test --software))
$(eval $(call sys_test,sys-enumerate,$(SYS_SIM) $(B)/bin/vhp-sim-full $(GUEST_STAMP),enumerate.py))
$(eval $(call sys_test,sys-demo,$(DEMO_DEPS),demo.py --test))
$(eval $(call sys_test,sys-virtio-user,$(SYS_SIM) $(SYS_VDPA) $(SYS_NET),virtio_user.py))
$(eval $(call sys_test,sys-vfio-fn0,$(SYS_SIM) $(GUEST_STAMP) $(B)/tests/ring_page,vfio_fn0.py))
$(eval $(call sys_test,sys-bad-input,$(SYS_SIM) $(SYS_VDPA) $(SYS_NET) $(GUEST_STAMP),bad_input.py))
$(eval $(call sys_test,sys-ports,$(SYS_SIM) $(SYS_VDPA) $(SYS_NET) $(STREAM_PMD),ports.py))
$(eval $(call sys_test,sys-guests,$(SYS_SIM) $(SYS_VDPA) $(GUEST_STAMP),guests.py))
TEST_TIMEOUT_sys-guests := 2400
$(eval $(call sys_test,sys-modes,$(SYS_SIM) $(SYS_VDPA) $(GUEST_STAMP),modes.py))
TEST_TIMEOUT_sys-modes := 2400
$(eval $(call sys_test,sys-migration,$(SYS_SIM) $(SYS_VDPA) $(SYS_NET) $(GUEST_STAMP) $(STREAM_PMD),migration.py))
TEST_TIMEOUT_sys-migration := 2400
$(eval $(call sys_test,flash,$(SYS_SIM) $(B)/bin/vhpctl $(GUEST_STAMP),flash.py))
# 300,000 accesses through the Verilated card, one after the other.
TEST_TIMEOUT_flash := 3000
TEST_WEIGHT_flash  := 1

TESTS          += docs
TEST_DEPS_docs := $(B)/bin/vhp-sim $(B)/bin/vhp-vdpad $(B)/bin/vhpctl
TEST_CMD_docs  := python3 $(SYS_DIR)/docs.py

# One guest, and a card that mostly sleeps.
TEST_WEIGHT_sys-enumerate := 1
