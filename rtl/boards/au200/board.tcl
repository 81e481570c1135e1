# SPDX-License-Identifier: Apache-2.0
#
# Alveo U200. Keys: rtl/boards/vivado/boards.tcl.

set board {
    title    {Alveo U200}
    part     xcu200-fsgd2104-2-e
    idcode   0x04b37093
    block    pcie4
    speed    8.0_GT/s
    lanes    16
    width    512
    location X1Y2
    slr      SLR1
    hbm      0
    flash    {interface SPIx4 mib 128 start 0x01002000 golden maker}
}
