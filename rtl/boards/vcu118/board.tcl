# SPDX-License-Identifier: Apache-2.0
#
# VCU118. Keys: rtl/boards/vivado/boards.tcl.

set board {
    title    {VCU118}
    part     xcvu9p-flga2104-2L-e
    idcode   0x04b31093
    block    pcie4
    speed    8.0_GT/s
    lanes    16
    width    512
    location X1Y2
    slr      SLR1
    hbm      0
    flash    {interface SPIx8 mib 256 start 0x08000000 golden own}
}
