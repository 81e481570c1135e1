# SPDX-License-Identifier: Apache-2.0
#
# `make fuzz [TIME=s]`: each target in FUZZERS for TIME seconds, from the corpus tests/fuzz/<target>.corpus; what it finds stays in
# build/fuzz/. The test fw-corpus runs every input of the corpus once. `make fuzz-corpus` puts what was found into the corpus.

FUZZ_DIR := $(patsubst %/,%,$(dir $(lastword $(MAKEFILE_LIST))))
FUZZERS  += fuzz-firmware fuzz-image
FUZZ_MAX := 2048

$(B)/tests/fuzz-firmware: $(FUZZ_DIR)/fuzz_firmware.c $(FWT_DIR)/sim_soc.c $(FWT_DIR)/sim_soc.h $(FW_SRCS) $(FW_HDRS) $(REGS_H)
	@mkdir -p $(@D)
	@clang -std=gnu17 -g -O1 -D_GNU_SOURCE -Wall -Wextra -Werror -fsanitize=fuzzer,address,undefined \
	    -fno-sanitize-recover=all -I$(FWT_DIR) -I$(FW_DIR) -I$(FW_DIR)/include -I$(REGS_INC) -o $@ \
	    $(FUZZ_DIR)/fuzz_firmware.c $(FWT_DIR)/sim_soc.c $(FW_SRCS)

$(B)/tests/fuzz-image: $(FUZZ_DIR)/fuzz_image.c $(IMAGE_SRCS) $(FLASH_HDRS)
	@mkdir -p $(@D)
	@clang -std=gnu17 -g -O1 -D_GNU_SOURCE -Wall -Wextra -Werror -fsanitize=fuzzer,address,undefined \
	    -fno-sanitize-recover=all -I$(FLASH_DIR) -o $@ $(FUZZ_DIR)/fuzz_image.c $(IMAGE_SRCS) -ljansson -lcrypto

FUZZ_CMD = $(foreach f,$(FUZZERS),$(MAKE) --no-print-directory -s $(B)/tests/$f && \
	$(FUZZ_DIR)/corpus.py unpack $(FUZZ_DIR)/$f.corpus $(B)/fuzz/$f && \
	$(B)/tests/$f -max_total_time=$(or $(TIME),60) -max_len=$(FUZZ_MAX) -artifact_prefix=$(B)/fuzz/ $(B)/fuzz/$f &&) true

.PHONY: fuzz-corpus
fuzz-corpus: $(addprefix $(B)/tests/,$(FUZZERS)) ## minimise what `make fuzz` found, into the corpus
	@for f in $(FUZZERS); do rm -rf $(B)/fuzz/min && mkdir -p $(B)/fuzz/min && \
	    $(FUZZ_DIR)/corpus.py unpack $(FUZZ_DIR)/$$f.corpus $(B)/fuzz/$$f && \
	    $(B)/tests/$$f -merge=1 -max_len=$(FUZZ_MAX) $(B)/fuzz/min $(B)/fuzz/$$f && \
	    $(FUZZ_DIR)/corpus.py pack $(B)/fuzz/min $(FUZZ_DIR)/$$f.corpus || exit 1; done

TESTS += fw-corpus
TEST_DEPS_fw-corpus := $(B)/tests/fuzz-firmware
# A crash ends it; libFuzzer counts nothing itself.
TEST_CMD_fw-corpus  := $(FUZZ_DIR)/corpus.py unpack $(FUZZ_DIR)/fuzz-firmware.corpus $$VHP_TEST_DIR/in && $(B)/tests/fuzz-firmware -runs=0 $$VHP_TEST_DIR/in && echo "$$(ls $$VHP_TEST_DIR/in | wc -l) passed, 0 failed"

TESTS += image-corpus
TEST_DEPS_image-corpus := $(B)/tests/fuzz-image
TEST_CMD_image-corpus  := $(FUZZ_DIR)/corpus.py unpack $(FUZZ_DIR)/fuzz-image.corpus $$VHP_TEST_DIR/in && $(B)/tests/fuzz-image -runs=0 $$VHP_TEST_DIR/in && echo "$$(ls $$VHP_TEST_DIR/in | wc -l) passed, 0 failed"
