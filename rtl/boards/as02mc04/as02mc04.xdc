# SPDX-License-Identifier: Apache-2.0
#
# AS02MC04 (Alibaba Cloud, XCKU3P): pins, clock, configuration. Where each pin comes from: docs/porting.md.

# Lanes
set_property PACKAGE_PIN P2   [get_ports {pcie_rx_p[0]}]
set_property PACKAGE_PIN P1   [get_ports {pcie_rx_n[0]}]
set_property PACKAGE_PIN R5   [get_ports {pcie_tx_p[0]}]
set_property PACKAGE_PIN R4   [get_ports {pcie_tx_n[0]}]
set_property PACKAGE_PIN T2   [get_ports {pcie_rx_p[1]}]
set_property PACKAGE_PIN T1   [get_ports {pcie_rx_n[1]}]
set_property PACKAGE_PIN U5   [get_ports {pcie_tx_p[1]}]
set_property PACKAGE_PIN U4   [get_ports {pcie_tx_n[1]}]
set_property PACKAGE_PIN V2   [get_ports {pcie_rx_p[2]}]
set_property PACKAGE_PIN V1   [get_ports {pcie_rx_n[2]}]
set_property PACKAGE_PIN W5   [get_ports {pcie_tx_p[2]}]
set_property PACKAGE_PIN W4   [get_ports {pcie_tx_n[2]}]
set_property PACKAGE_PIN Y2   [get_ports {pcie_rx_p[3]}]
set_property PACKAGE_PIN Y1   [get_ports {pcie_rx_n[3]}]
set_property PACKAGE_PIN AA5  [get_ports {pcie_tx_p[3]}]
set_property PACKAGE_PIN AA4  [get_ports {pcie_tx_n[3]}]
set_property PACKAGE_PIN AB2  [get_ports {pcie_rx_p[4]}]
set_property PACKAGE_PIN AB1  [get_ports {pcie_rx_n[4]}]
set_property PACKAGE_PIN AC5  [get_ports {pcie_tx_p[4]}]
set_property PACKAGE_PIN AC4  [get_ports {pcie_tx_n[4]}]
set_property PACKAGE_PIN AD2  [get_ports {pcie_rx_p[5]}]
set_property PACKAGE_PIN AD1  [get_ports {pcie_rx_n[5]}]
set_property PACKAGE_PIN AD7  [get_ports {pcie_tx_p[5]}]
set_property PACKAGE_PIN AD6  [get_ports {pcie_tx_n[5]}]
set_property PACKAGE_PIN AE4  [get_ports {pcie_rx_p[6]}]
set_property PACKAGE_PIN AE3  [get_ports {pcie_rx_n[6]}]
set_property PACKAGE_PIN AE9  [get_ports {pcie_tx_p[6]}]
set_property PACKAGE_PIN AE8  [get_ports {pcie_tx_n[6]}]
set_property PACKAGE_PIN AF2  [get_ports {pcie_rx_p[7]}]
set_property PACKAGE_PIN AF1  [get_ports {pcie_rx_n[7]}]
set_property PACKAGE_PIN AF7  [get_ports {pcie_tx_p[7]}]
set_property PACKAGE_PIN AF6  [get_ports {pcie_tx_n[7]}]

# Reference clock, 100 MHz
set_property PACKAGE_PIN T7   [get_ports pcie_refclk_p]
set_property PACKAGE_PIN T6   [get_ports pcie_refclk_n]
create_clock -name pcie_refclk -period 10.000 [get_ports pcie_refclk_p]

# PERST#
set_property -dict {PACKAGE_PIN A9 IOSTANDARD LVCMOS33 PULLUP true} [get_ports pcie_perst_n]
set_false_path -from [get_ports pcie_perst_n]

# Configuration
set_property CFGBVS GND [current_design]
set_property CONFIG_VOLTAGE 1.8 [current_design]
set_property BITSTREAM.GENERAL.COMPRESS TRUE [current_design]
set_property CONFIG_MODE SPIx4 [current_design]
set_property BITSTREAM.CONFIG.SPI_BUSWIDTH 4 [current_design]
set_property BITSTREAM.CONFIG.SPI_FALL_EDGE YES [current_design]
set_property BITSTREAM.CONFIG.CONFIGRATE 63.8 [current_design]
set_property BITSTREAM.CONFIG.EXTMASTERCCLK_EN DISABLE [current_design]
set_property BITSTREAM.CONFIG.UNUSEDPIN PULLUP [current_design]
set_property BITSTREAM.CONFIG.OVERTEMPSHUTDOWN ENABLE [current_design]
