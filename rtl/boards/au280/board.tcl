# SPDX-License-Identifier: Apache-2.0
#
# Alveo U280. Keys: rtl/boards/vivado/boards.tcl.

set board {
    title    {Alveo U280}
    part     xcu280-fsvh2892-2L-e
    idcode   0x04b7d093
    block    pcie4c
    speed    8.0_GT/s
    lanes    16
    width    512
    slr      SLR0
    hbm      1
    flash    {interface SPIx4 mib 128 start 0x01002000 golden maker}
}
