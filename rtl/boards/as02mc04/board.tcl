# SPDX-License-Identifier: Apache-2.0
#
# AS02MC04 (Alibaba Cloud, XCKU3P). Keys: rtl/boards/vivado/boards.tcl.

set board {
    title    {AS02MC04 (Alibaba Cloud, XCKU3P)}
    part     xcku3p-ffvb676-1-e
    idcode   0x04a63093
    block    pcie4
    speed    8.0_GT/s
    lanes    8
    width    256
    quad     GTY_Quad_225
    hbm      0
    flash    {interface SPIx4 mib 32 start 0x01002000 golden own}
}
