# SPDX-License-Identifier: Apache-2.0
#
# make install, make uninstall: what goes where below DESTDIR$(PREFIX). One list for both, so that they cannot differ.
# @NAMES@ in *.in files are filled when they are installed.

INSTALL_DIR := $(HOST_DIR)/install
DPDK_RELEASE = $(shell pkg-config --modversion libdpdk | cut -d. -f1-2)

# Bash completion, from what the programs say of themselves, as the manual pages.
COMPLETIONS := $(addprefix $(B)/completions/,vhpctl vhp-sim vhp-vdpad)
ALL         += $(COMPLETIONS)
$(COMPLETIONS): $(B)/completions/%: $(B)/bin/% $(INSTALL_DIR)/completion.py
	@mkdir -p $(@D)
	@python3 $(INSTALL_DIR)/completion.py $< >$@

install_to = $(foreach f,$2,$1 $f $3/$(notdir $(f:.in=)))
INSTALL_LIST = \
	$(call install_to,755,$(filter $(B)/bin/%,$(ALL)),bin) \
	$(call install_to,644,$(filter $(B)/lib/%.so,$(ALL)),lib/vhost-pci-net) \
	$(call install_to,644,$(FIRMWARE_HEX) $(FIRMWARE_HEX:.hex=.bin),share/vhost-pci-net) \
	$(foreach f,$(filter $(B)/man/%,$(ALL)),644 $f share/man/man$(subst .,,$(suffix $f))/$(notdir $f)) \
	$(call install_to,644,$(COMPLETIONS),share/bash-completion/completions) \
	$(call install_to,644,$(INSTALL_DIR)/vhost-pci-net.pc.in,lib/pkgconfig) \
	$(call install_to,644,$(INSTALL_DIR)/vhp-vdpad@.service.in,lib/systemd/system) \
	$(call install_to,644,$(INSTALL_DIR)/60-vhost-pci-net.rules.in,lib/udev/rules.d) \
	644 $(INSTALL_DIR)/modules-load.conf lib/modules-load.d/vhost-pci-net.conf \
	644 $(INSTALL_DIR)/sysusers.conf lib/sysusers.d/vhost-pci-net.conf \
	$(call install_to,644,README.md LICENSE $(sort $(wildcard docs/*.md)),share/doc/vhost-pci-net) \
	$(call install_to,644,$(sort $(wildcard docs/examples/*)),share/doc/vhost-pci-net/examples)

INSTALL_CMD = $(INSTALL_DIR)/install "$(DESTDIR)" "$(PREFIX)" "$(VERSION)" "$(DPDK_RELEASE)"

TESTS            += install
TEST_DEPS_install = $(ALL)
TEST_CMD_install  = python3 $(INSTALL_DIR)/test/test_install.py $(B)
