# SPDX-License-Identifier: Apache-2.0
#
# Alveo U250. Keys: rtl/boards/vivado/boards.tcl.

set board {
    title    {Alveo U250}
    part     xcu250-figd2104-2L-e
    idcode   0x04b57093
    block    pcie4
    speed    8.0_GT/s
    lanes    16
    width    512
    slr      SLR1
    hbm      0
    flash    {interface SPIx4 mib 128 start 0x01002000 golden maker}
}
