# SPDX-License-Identifier: Apache-2.0
#
# Alveo U50. Keys: rtl/boards/vivado/boards.tcl.

set board {
    title    {Alveo U50}
    part     xcu50-fsvh2104-2-e
    idcode   0x04b77093
    block    pcie4c
    speed    8.0_GT/s
    lanes    16
    width    512
    slr      SLR0
    hbm      1
    flash    {interface SPIx4 mib 128 start 0x01002000 golden maker}
}
