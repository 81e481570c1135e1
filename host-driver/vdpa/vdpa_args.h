/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file
 * Device arguments of the vDPA driver.
 *
 * `key=value` settings separated by commas. A per-port key may end in the number of the card's port (`iface1=`);
 * README.md lists them. Nothing is guessed: an unknown key, a value out of range or a contradiction is an error that
 * names the argument.
 */
#ifndef VDPA_ARGS_H
#define VDPA_ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vdpa_values.h"

#define VDPA_MAX_PORTS 8u /**< doorbell and MSI-X layout of function 0 leave no room for more */

/** What management says about one port. */
struct vdpa_port_args {
	bool used;
	char iface[VDPA_IFACE_LEN]; /**< vhost-user socket; empty: an application attaches it */
	bool client;		    /**< connect to `iface` instead of listening there */
	bool pv_interrupt;
	bool aperture;	  /**< the driver may reach the peer's memory through BAR 2 */
	bool offloads;	  /**< offer checksum and segmentation offloads to the front end */
	bool renegotiate; /**< the front end is told of every feature that the driver refuses */
	bool has_mac;
	bool has_id;
	unsigned int pairs; /**< 0: as many as the card has */
	uint8_t mac[6];
	uint16_t mtu;		     /**< 0: 1500 */
	uint16_t connect_timeout_ms; /**< 0: the card's default */
	unsigned int num_gsi;	     /**< 0: not given; 1: of RX queue 0, queue i has gsi[0] + i; else one each */
	uint32_t gsi[VDPA_MAX_GSI];
	uint64_t vhost_pci_id;
	uint64_t uuid_hi, uuid_lo;
};

struct vdpa_args {
	char socket[VDPA_IFACE_LEN]; /**< vfio-user socket of function 0; empty for a PCI function */
	unsigned int num_ports;	     /**< ports with `used` */
	struct vdpa_port_args port[VDPA_MAX_PORTS];
};

/**
 * Parse @p text (may be NULL).
 *
 * @param need_socket  true: `socket=` is mandatory (vdev); false: it is refused (PCI)
 * @param[out] err     on failure one sentence that names the argument
 * @return 0; -EINVAL; -ENOMEM
 */
int vdpa_args_parse(const char *text, bool need_socket, struct vdpa_args *args, char *err, size_t errlen);

/**
 * Give each port without `vhost_pci_id=` one: the same for the same port of the same card after every start, another one for
 * every other.
 *
 * @param where  what the card is known by: its PCI address, or the absolute path of its socket
 * @return 0; -EINVAL two ports have the same then
 */
int vdpa_args_ids(struct vdpa_args *args, const char *where, char *err, size_t errlen);

/**
 * Check one value of one key, without the number of a port, as far as that is possible alone.
 *
 * @param what  how messages name it: "mac1=", "--mac"
 * @return 0; -EINVAL; -ENOENT no such key
 */
int vdpa_args_check(const char *key, const char *what, const char *value, char *err, size_t errlen);

/** The keys, as RTE_PMD_REGISTER_PARAM_STRING wants them. */
#define VDPA_ARGS_HELP                                                                                             \
	"socket=<path> port=<0..7> iface[N]=<path> client[N]=<0|1> queues[N]=<pairs> uuid[N]=<uuid> mac[N]=<mac> " \
	"vhost_pci_id[N]=<id> pv_interrupt[N]=<0|1> aperture[N]=<0|1> offloads[N]=<0|1> renegotiate[N]=<0|1> gsi[N]=<first|a:b:..> mtu[N]=<68..65535> connect_timeout[N]=<ms>"

#endif
