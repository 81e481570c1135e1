# SPDX-License-Identifier: Apache-2.0
#
# vDPA driver: build/lib/librte_vdpa_vhost_pci.so.

VDPA_DIR  := $(HOST_DIR)/vdpa
VDPA_OBJ  := $(B)/obj/vdpa
VDPA_SRCS := vdpa_args.c vdpa_card.c vdpa_conn.c vdpa_dirty.c vdpa_front.c vdpa_guard.c vdpa_log.c vdpa_names.c \
             vdpa_ops.c vdpa_port.c vdpa_probe.c vdpa_relay.c vdpa_socket.c vdpa_tables.c vdpa_telemetry.c vdpa_values.c
VDPA_LIB  := $(B)/lib/librte_vdpa_vhost_pci.so
VDPA_LIBS := -Wl,--as-needed -lrte_vhost -lrte_bus_pci -lrte_bus_vdev -lrte_kvargs -lrte_telemetry -lrte_eal -lrte_log

ALL += $(VDPA_LIB)

$(VDPA_OBJ):
	@mkdir -p $@

$(VDPA_OBJ)/%.o: $(VDPA_DIR)/%.c $(DPDK_SDK) | $(VDPA_OBJ) $(REGS_H)
	@$(CC) $(CFLAGS_COMMON) -fPIC -fvisibility=hidden -MMD -MP $(DPDK_CFLAGS) $(ACCESS_CFLAGS) -c $< -o $@

$(VDPA_LIB): $(VDPA_SRCS:%.c=$(VDPA_OBJ)/%.o) $(ACCESS_PCI_LIB) $(ACCESS_LIB) | $(B)/lib
	@$(CC) $(DPDK_LDFLAGS) -o $@ $^ $(VDPA_LIBS) $(ACCESS_LIBS)

-include $(wildcard $(VDPA_OBJ)/*.d)

# The drivers of the far ends, which the tests command.
FAR_END := $(B)/tests/vdpa_far_end
$(FAR_END): $(VDPA_DIR)/test/far_end.c $(B)/lib/libvhp_testends.a $(ACCESS_LIB) | $(B)/tests $(REGS_H)
	@$(CC) $(CFLAGS_COMMON) $(DRIVER_CFLAGS) $^ -o $@ $(ACCESS_LIBS)

TESTS             += drv-vdpa
TEST_DEPS_drv-vdpa = $(FAR_END) $(VDPA_LIB) $(VDPAD) $(VHPCTL) $(B)/bin/vhp-sim $(B)/fw/firmware.hex
TEST_CMD_drv-vdpa  = python3 $(VDPA_DIR)/test/test_vdpa.py $(B)
TEST_WEIGHT_drv-vdpa := 2
TEST_TIMEOUT_drv-vdpa := 1800

VDPA_ARGS_TEST := $(B)/tests/drv-vdpa-args
$(VDPA_ARGS_TEST): $(VDPA_DIR)/test/test_args.c $(VDPA_DIR)/vdpa_args.c $(VDPA_DIR)/vdpa_dirty.c $(VDPA_DIR)/vdpa_names.c \
                   $(VDPA_DIR)/vdpa_values.c $(wildcard $(VDPA_DIR)/*.h) | $(B)/tests
	@$(CC) $(CFLAGS_COMMON) -O1 -fsanitize=address,undefined -fno-sanitize-recover=undefined $(DPDK_CFLAGS) -I$(VDPA_DIR) \
	    -Ifirmware/include $(filter %.c,$^) -o $@ -lcmocka -lrte_kvargs

VDPA_LOST_CARD := $(B)/tests/vdpa_lost_card.so
$(VDPA_LOST_CARD): $(VDPA_DIR)/test/lost_card.c $(DPDK_SDK) | $(B)/tests
	@$(CC) $(CFLAGS_COMMON) -fPIC $(DPDK_CFLAGS) $(DPDK_LDFLAGS) $< -o $@ -lrte_bus_vdev -lrte_eal

TESTS                  += drv-vdpa-args drv-vdpa-cli
TEST_DEPS_drv-vdpa-args = $(VDPA_ARGS_TEST)
TEST_CMD_drv-vdpa-args  = $(VDPA_ARGS_TEST)
TEST_DEPS_drv-vdpa-cli  = $(VDPA_LIB) $(VDPAD) $(VHPCTL) $(VDPA_LOST_CARD)
TEST_CMD_drv-vdpa-cli   = python3 $(VDPA_DIR)/test/test_cli.py $(B)

VDPA_CARD_TEST := $(B)/tests/drv-vdpa-card
$(VDPA_CARD_TEST): $(VDPA_DIR)/test/test_card.c $(addprefix $(VDPA_DIR)/vdpa_,card.c dirty.c log.c names.c port.c) \
                   $(wildcard $(VDPA_DIR)/*.h) $(DPDK_SDK) | $(B)/tests $(REGS_H)
	@$(CC) $(CFLAGS_COMMON) -O1 -fsanitize=address,undefined -fno-sanitize-recover=undefined $(DPDK_CFLAGS) $(ACCESS_CFLAGS) \
	    -I$(VDPA_DIR) $(filter %.c,$^) -o $@ -lcmocka -lrte_eal -lrte_log

TESTS                  += drv-vdpa-card
TEST_DEPS_drv-vdpa-card = $(VDPA_CARD_TEST)
TEST_CMD_drv-vdpa-card  = $(VDPA_CARD_TEST)

TESTS                     += drv-vdpa-restart
TEST_DEPS_drv-vdpa-restart = $(TEST_DEPS_drv-vdpa)
TEST_CMD_drv-vdpa-restart  = python3 $(VDPA_DIR)/test/test_restart.py $(B)
TEST_WEIGHT_drv-vdpa-restart := 2
