/* SPDX-License-Identifier: Apache-2.0 */
/* A driver for vhp-vdpad --plugin whose card is gone as soon as the program serves. */
#include <pthread.h>
#include <stddef.h>
#include <unistd.h>

#include <bus_vdev_driver.h>
#include <rte_dev.h>

static struct rte_vdev_device *card;

static void *leave(void *arg)
{
	(void)arg;
	sleep(1);
	rte_dev_event_callback_process(card->device.name, RTE_DEV_EVENT_ADD); /* not this one's business */
	rte_dev_event_callback_process(card->device.name, RTE_DEV_EVENT_REMOVE);
	return NULL;
}

static int probe(struct rte_vdev_device *vdev)
{
	pthread_t thread;

	card = vdev;
	return pthread_create(&thread, NULL, leave, NULL);
}

static int remove_card(struct rte_vdev_device *vdev)
{
	(void)vdev;
	return 0;
}

static struct rte_vdev_driver driver = {
	.probe = probe,
	.remove = remove_card,
};

RTE_PMD_REGISTER_VDEV(vdpa_vhost_pci, driver);
