# SPDX-License-Identifier: Apache-2.0
#
# The model library, vhp-sim and the model's own tests.

B ?= build
CC ?= gcc
CXX ?= g++
include sim/verilate.mk

SIM_HDRS := $(wildcard sim/*.h) host-driver/access/vfio_user_proto.h
SIM_CFLAGS = -std=c17 -D_GNU_SOURCE -DVHP_VERSION='"$(VERSION)"' -O2 -g -Wall -Wextra -Werror -Isim -I$(B)/gen/include -Ifirmware/include -Ihost-driver/access
SIM_LIB_SRCS := sim/hardblock.c sim/hb_request.c sim/hb_complete.c sim/hb_config.c sim/hb_sriov.c sim/rootcomplex.c sim/memmap.c sim/model.c \
	sim/vfio_user.c sim/vfio_user_commands.c sim/server.c sim/nor.c sim/nor_array.c sim/fpga.c sim/flash.c sim/options.c
SIM_LIB_OBJS := $(SIM_LIB_SRCS:sim/%.c=$(B)/obj-sim/%.o)

$(B)/obj-sim/%.o: sim/%.c $(SIM_HDRS)
	@mkdir -p $(@D)
	$(CC) $(SIM_CFLAGS) -O3 -c -o $@ $<

# The golden image of a new flash: goes on at the user slot, as that of an Alveo board; a slot without an image ends the load.
$(B)/obj-sim/golden.o: rtl/boards/standin
	@mkdir -p $(@D)
	$< --board sim --usr-access 0x474f4c44 --size 4096 --jump 0x01002000 --watchdog 0x100000 -o $(@D)/golden.bin
	cd $(@D) && ld -r -b binary -z noexecstack -o golden.o golden.bin

$(B)/obj-sim/libvhpsim.a: $(SIM_LIB_OBJS) $(B)/obj-sim/golden.o
	@rm -f $@
	ar rcs $@ $^

# The configuration-space window is a parameter of the card, so there is a program for each; vhp-sim starts the other one
# for --config-window full. They differ in a few generated files only, which a compiler cache notices.
VERILATE_OUT_vhp-sim := $(B)/bin/vhp-sim
VERILATE_OUT_vhp-sim-full := $(B)/bin/vhp-sim-full
VERILATE_CFLAGS_vhp-sim := -DVHP_CONFIG_FULL=0
VERILATE_CFLAGS_vhp-sim-full := -DVHP_CONFIG_FULL=1
$(eval $(call VERILATE_TOP,vhp-sim,vhp_card,,sim/main.c,-GConfigFull=0))
$(eval $(call VERILATE_TOP,vhp-sim-full,vhp_card,,sim/main.c,-GConfigFull=1))
ALL += $(B)/bin/vhp-sim $(B)/bin/vhp-sim-full

# Tests of the models and of the server.
$(B)/tests/sim-model: $(addprefix sim/tests/,model.c model_card.c model_config.c model_reads.c) $(B)/obj-sim/libvhpsim.a \
		$(SIM_HDRS) sim/tests/model_card.h
	@mkdir -p $(@D)
	$(CC) $(SIM_CFLAGS) -o $@ $(filter %.c %.a,$^) -ljansson

TESTS += sim-model
TEST_DEPS_sim-model := $(B)/tests/sim-model
TEST_CMD_sim-model := $(B)/tests/sim-model

$(B)/tests/sim-nor: sim/tests/nor.c $(B)/obj-sim/nor.o $(B)/obj-sim/nor_array.o $(SIM_HDRS)
	@mkdir -p $(@D)
	$(CC) $(SIM_CFLAGS) -o $@ $(filter %.c %.o,$^)

TESTS += sim-nor
TEST_DEPS_sim-nor := $(B)/tests/sim-nor
TEST_CMD_sim-nor := $(B)/tests/sim-nor

$(B)/tests/sim-config: sim/tests/fpga.c $(B)/obj-sim/fpga.o $(SIM_HDRS)
	@mkdir -p $(@D)
	$(CC) $(SIM_CFLAGS) -o $@ $< $(B)/obj-sim/fpga.o

TESTS += sim-config
TEST_DEPS_sim-config := $(B)/tests/sim-config
TEST_CMD_sim-config := $(B)/tests/sim-config

$(B)/tests/sim-vfio-user: sim/tests/vfio_user.c sim/tests/vfio_user_client.c sim/tests/vfio_user_client.h sim/bits.h
	@mkdir -p $(@D)
	$(CC) $(SIM_CFLAGS) -o $@ $(filter %.c,$^) -ljansson

TESTS += sim-vfio-user
TEST_DEPS_sim-vfio-user := $(B)/tests/sim-vfio-user $(B)/bin/vhp-sim $(B)/fw/firmware.hex
TEST_CMD_sim-vfio-user := $(B)/tests/sim-vfio-user $(B)/bin/vhp-sim $(B)/fw/firmware.hex
