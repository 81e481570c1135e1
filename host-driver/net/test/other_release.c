/* SPDX-License-Identifier: Apache-2.0 */
/* Preloaded: the process believes that it runs on another DPDK release. */

unsigned int rte_version_year(void);
unsigned int rte_version_month(void);
const char *rte_version(void);

unsigned int rte_version_year(void)
{
	return 25;
}

unsigned int rte_version_month(void)
{
	return 7;
}

const char *rte_version(void)
{
	return "DPDK 25.07.0";
}
