# SPDX-License-Identifier: Apache-2.0
#
# DPDK net driver of the vhost-pci-net function: build/lib/librte_net_vhost_pci.so

NET_DIR  := $(HOST_DIR)/net
NET_OBJ  := $(B)/obj/net
NET_PMD  := $(B)/lib/librte_net_vhost_pci.so
NET_SRCS := $(notdir $(wildcard $(NET_DIR)/*.c))

ALL += $(NET_PMD)

$(NET_OBJ):
	@mkdir -p $@

$(NET_OBJ)/%.o: $(NET_DIR)/%.c $(DPDK_SDK) | $(NET_OBJ) $(REGS_H)
	@$(CC) $(CFLAGS_COMMON) -O3 -fPIC -fvisibility=hidden -MMD -MP $(DPDK_CFLAGS) -I$(ACCESS_DIR) -Ifirmware/include \
	    -I$(REGS_INC) -c $< -o $@

$(NET_PMD): $(NET_SRCS:%.c=$(NET_OBJ)/%.o) $(ACCESS_PCI_LIB) $(ACCESS_LIB) | $(B)/lib
	@$(CC) $(DPDK_LDFLAGS) -o $@ $^ -Wl,--as-needed -lrte_ethdev -lrte_net -lrte_bus_vdev -lrte_bus_pci \
	    -lrte_mempool -lrte_ring -lrte_mbuf -lrte_kvargs -lrte_eal -lrte_log $(ACCESS_LIBS)

-include $(wildcard $(NET_OBJ)/*.d)

# The port in stock programs on the simulated card.
NET_OTHER := $(B)/tests/other_release.so
$(NET_OTHER): $(NET_DIR)/test/other_release.c | $(B)/tests
	@$(CC) $(CFLAGS_COMMON) -fPIC -shared $< -o $@

TESTS             += drv-net
TEST_DEPS_drv-net := $(B)/bin/vhp-sim $(B)/fw/firmware.hex $(NET_PMD) $(NET_OTHER)
TEST_CMD_drv-net  := python3 $(NET_DIR)/test/port.py
TEST_WEIGHT_drv-net := 2

# Both data paths in memory, under sanitizers: against a device, and (driver copy) against a peer's rings.
NET_SANITIZE := -O1 -fsanitize=address,undefined -fno-sanitize-recover=undefined
NET_UNIT_OBJ := $(patsubst %.c,$(NET_OBJ)/unit-%.o,$(filter-out vpnet_probe.c,$(NET_SRCS)))

$(NET_OBJ)/unit-%.o: $(NET_DIR)/%.c $(DPDK_SDK) | $(NET_OBJ) $(REGS_H)
	@$(CC) $(CFLAGS_COMMON) $(NET_SANITIZE) -MMD -MP $(DPDK_CFLAGS) -I$(ACCESS_DIR) -Ifirmware/include -I$(REGS_INC) \
	    -c $< -o $@

$(NET_OBJ)/unit-%.o: $(NET_DIR)/test/%.c $(DPDK_SDK) | $(NET_OBJ) $(REGS_H)
	@$(CC) $(CFLAGS_COMMON) $(NET_SANITIZE) -MMD -MP $(DPDK_CFLAGS) -I$(ACCESS_DIR) -Ifirmware/include -I$(REGS_INC) \
	    -Itests -c $< -o $@

# net_unit,NAME,SOURCES: a test of these in test/, and of what all have.
define net_unit
$(B)/tests/drv-net-$1: $(patsubst %,$(NET_OBJ)/unit-%.o,unit $2) $(NET_UNIT_OBJ) $(ACCESS_LIB) | $(B)/tests
	@$$(CC) $(NET_SANITIZE) $$^ -o $$@ -Wl,--as-needed -lcmocka -lrte_ethdev -lrte_net -lrte_mempool -lrte_ring -lrte_mbuf \
	    -lrte_eal -lrte_log -lrte_kvargs $$(ACCESS_LIBS)
TESTS                += drv-net-$1
TEST_DEPS_drv-net-$1 := $(B)/tests/drv-net-$1
TEST_CMD_drv-net-$1  := $(B)/tests/drv-net-$1
endef
$(eval $(call net_unit,ring,ring_device test_ring test_ring_offload))
$(eval $(call net_unit,mirror,mirror_peer test_mirror test_mirror_connect test_mirror_hostile))

# Driver copy through the simulated card's aperture.
TESTS                  += drv-net-copy
TEST_DEPS_drv-net-copy := $(B)/bin/vhp-sim $(B)/fw/firmware.hex $(B)/bin/vhp-vdpad $(B)/bin/vhpctl $(NET_PMD) \
                          $(B)/lib/librte_vdpa_vhost_pci.so
TEST_CMD_drv-net-copy  := python3 $(NET_DIR)/test/copy.py

# Checksums and segmentation, both ways to copy.
TESTS                     += drv-net-offload
TEST_DEPS_drv-net-offload := $(TEST_DEPS_drv-net-copy)
TEST_CMD_drv-net-offload  := python3 $(NET_DIR)/test/offload.py
TEST_WEIGHT_drv-net-offload := 2

# rx interrupts, with a program of our own: no stock one that sleeps is packaged.
NET_SLEEP := $(B)/tests/rx_sleep
$(NET_SLEEP): $(NET_DIR)/test/rx_sleep.c | $(B)/tests
	@$(CC) $(CFLAGS_COMMON) $(DPDK_CFLAGS) $< -o $@ -Wl,--as-needed -lrte_ethdev -lrte_mempool -lrte_mbuf -lrte_eal

TESTS                   += drv-net-sleep
TEST_DEPS_drv-net-sleep := $(B)/bin/vhp-sim $(B)/fw/firmware.hex $(B)/bin/vhp-vdpad $(NET_PMD) $(NET_SLEEP)
TEST_CMD_drv-net-sleep  := python3 $(NET_DIR)/test/sleep.py
TEST_WEIGHT_drv-net-sleep := 2
