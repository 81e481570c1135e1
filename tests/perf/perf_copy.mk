# SPDX-License-Identifier: Apache-2.0
#
# make bench, second part: what a packet costs on PCIe if the card copies it, and if the driver does.

BENCH_DEPS += $(B)/bin/vhp-sim $(B)/fw/firmware.hex $(B)/bin/vhp-vdpad $(B)/bin/vhpctl $(B)/lib/librte_net_vhost_pci.so \
	$(B)/lib/librte_vdpa_vhost_pci.so
BENCH_CMD  += && python3 tests/perf/copy_cost.py --json $(B)/bench/bench.json
