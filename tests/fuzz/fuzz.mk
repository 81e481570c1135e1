# SPDX-License-Identifier: Apache-2.0
#
# `make fuzz [TIME=s]`: each target in FUZZERS for TIME seconds; what it found stays in build/fuzz/.

FUZZ_DIR := $(patsubst %/,%,$(dir $(lastword $(MAKEFILE_LIST))))
FUZZERS  += fuzz-firmware

$(B)/tests/fuzz-firmware: $(FUZZ_DIR)/fuzz_firmware.c $(FWT_DIR)/sim_soc.c $(FWT_DIR)/sim_soc.h $(FW_SRCS) $(FW_HDRS) $(REGS_H)
	@mkdir -p $(@D)
	@clang -std=gnu17 -g -O1 -D_GNU_SOURCE -Wall -Wextra -Werror -fsanitize=fuzzer,address,undefined \
	    -fno-sanitize-recover=all -I$(FWT_DIR) -I$(FW_DIR) -I$(FW_DIR)/include -I$(REGS_INC) -o $@ \
	    $(FUZZ_DIR)/fuzz_firmware.c $(FWT_DIR)/sim_soc.c $(FW_SRCS)

FUZZ_CMD = $(foreach f,$(FUZZERS),mkdir -p $(B)/fuzz/$f && $(MAKE) --no-print-directory -s $(B)/tests/$f && \
	$(B)/tests/$f -max_total_time=$(or $(TIME),60) -max_len=4096 -artifact_prefix=$(B)/fuzz/ $(B)/fuzz/$f &&) true
