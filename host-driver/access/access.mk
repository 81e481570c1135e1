# SPDX-License-Identifier: Apache-2.0
#
# Access layer, as two static libraries for our own programs and plugins:
#   ACCESS_LIB      socket back end, virtio structures, mailbox client; needs ACCESS_LIBS, no DPDK
#   ACCESS_PCI_LIB  kernel VFIO back end; needs DPDK (host-driver/abi/abi.mk) and ACCESS_LIB after it
# C code that uses them adds ACCESS_CFLAGS and $(REGS_H) as an order-only prerequisite.

ACCESS_DIR     := $(HOST_DIR)/access
ACCESS_OBJ     := $(B)/obj/access
ACCESS_LIB     := $(B)/lib/libvhp_access.a
ACCESS_PCI_LIB := $(B)/lib/libvhp_access_pci.a
ACCESS_CFLAGS  := -I$(ACCESS_DIR) -Ifirmware/include -I$(REGS_INC)
ACCESS_LIBS    := -ljansson -lpthread
ACCESS_SRCS    := vhp_access.c vhp_access_socket.c vfio_user_client.c vhp_virtio_pci.c vhp_mbox_client.c

$(ACCESS_OBJ) $(B)/lib $(B)/bin $(B)/tests:
	@mkdir -p $@

# Position independent: the plugins are shared objects.
$(ACCESS_OBJ)/%.o: $(ACCESS_DIR)/%.c | $(ACCESS_OBJ) $(REGS_H)
	@$(CC) $(CFLAGS_COMMON) -fPIC -fvisibility=hidden -MMD -MP $(ACCESS_CFLAGS) -c $< -o $@

$(ACCESS_OBJ)/vhp_access_pci.o: $(ACCESS_DIR)/vhp_access_pci.c $(DPDK_SDK) | $(ACCESS_OBJ) $(REGS_H)
	@$(CC) $(CFLAGS_COMMON) -fPIC -fvisibility=hidden -MMD -MP $(DPDK_CFLAGS) $(ACCESS_CFLAGS) -c $< -o $@

$(ACCESS_LIB): $(ACCESS_SRCS:%.c=$(ACCESS_OBJ)/%.o) | $(B)/lib
	@rm -f $@ && ar rcs $@ $^

$(ACCESS_PCI_LIB): $(ACCESS_OBJ)/vhp_access_pci.o | $(B)/lib
	@rm -f $@ && ar rcs $@ $^

-include $(wildcard $(ACCESS_OBJ)/*.d)

# The sources themselves under sanitizers, against a mock server in a process of its own.
DRV_ACCESS := $(B)/tests/drv-access
$(DRV_ACCESS): $(addprefix $(ACCESS_DIR)/test/,test_access.c test_mailbox.c test_virtio_pci.c fake_function.c mock_server.c) \
               $(ACCESS_SRCS:%=$(ACCESS_DIR)/%) $(wildcard $(ACCESS_DIR)/*.h $(ACCESS_DIR)/test/*.h) tests/cmocka_suites.h \
               | $(B)/tests $(REGS_H)
	@$(CC) $(CFLAGS_COMMON) -O1 -fsanitize=address,undefined -fno-sanitize-recover=undefined $(ACCESS_CFLAGS) -Itests \
	    $(filter %.c,$^) -o $@ -lcmocka $(ACCESS_LIBS)

TESTS               += drv-access
TEST_DEPS_drv-access := $(DRV_ACCESS)
TEST_CMD_drv-access  := $(DRV_ACCESS)

# Doorbell pages of function 0 as a front end gets them; runs in the guest of sys-vfio-fn0.
RING_PAGE := $(B)/tests/ring_page
$(RING_PAGE): $(ACCESS_DIR)/test/ring_page.c $(ACCESS_PCI_LIB) $(ACCESS_LIB) $(DPDK_SDK) | $(B)/tests $(REGS_H)
	@$(CC) $(CFLAGS_COMMON) $(DPDK_CFLAGS) $(ACCESS_CFLAGS) $(filter %.c %.a,$^) -o $@ -Wl,--as-needed -lrte_bus_pci -lrte_eal \
	    -lrte_log $(shell pkg-config --libs-only-L libdpdk) $(ACCESS_LIBS)
