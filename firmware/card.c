/* SPDX-License-Identifier: Apache-2.0 */
/* The main loop's body: causes in, work of each port, how long nothing has to be done. */
#include "card.h"

#include "hw.h"

/* Lane counters are 32 bits: at 16 GB/s bytes run over after 0.26 s, so sum them more often while lanes run. */
#define SUM_RUNNING_US 100000u
/* time_us runs over after 71 minutes. */
#define SUM_STOPPED_US 1000000000u

static void update_time(struct card *card)
{
	uint32_t low = hal_read(SOC_REG(time_us));

	card->now += (uint32_t)(low - card->now_low);
	card->now_low = low;
}

void card_event(enum vhp_event_type type, const struct port *port, uint16_t arg)
{
	hal_write(SOC_REG(event_push), (uint32_t)type | (uint32_t)port->index << 8 | (uint32_t)arg << 16);
}

static void set_fw_status(uint32_t state)
{
	hal_write(SOC_REG(fw_status),
		  PUT(VHP_MGMT__FW_STATUS__STATE, state) | PUT(VHP_MGMT__FW_STATUS__PATCH, FW_VERSION_PATCH) |
			  PUT(VHP_MGMT__FW_STATUS__MINOR, FW_VERSION_MINOR) |
			  PUT(VHP_MGMT__FW_STATUS__MAJOR, FW_VERSION_MAJOR));
}

void card_init(struct card *card)
{
	uint32_t caps = hal_read(SOC_REG(caps)), lanes;

	card->num_ports = (uint8_t)GET(VHP_SOC__CAPS__NUM_PORTS, caps);
	card->pairs = (uint8_t)GET(VHP_SOC__CAPS__PAIRS, caps);
	card->queue_size_log2 = (uint8_t)GET(VHP_SOC__CAPS__QUEUE_SIZE_LOG2, caps);
	card->max_regions = (uint8_t)GET(VHP_SOC__CAPS__MAX_REGIONS, caps);
	if (card->num_ports == 0 || card->num_ports > MAX_PORTS || card->pairs == 0 || card->pairs > MAX_PAIRS ||
	    card->queue_size_log2 == 0 || card->max_regions == 0)
		hal_fatal(HAL_FATAL_SIZES, caps);
	card->peer_flr = false;
	card->flr_seen = 0;
	card->mbox_waiting = false;
	card->now = 0;
	card->now_low = 0;
	update_time(card);

	set_fw_status(0);
	lanes = card->num_ports * card->pairs * 2u;
	for (unsigned int i = 0; i < lanes; i++)
		hal_write(LANE_REG(lane[i].ctrl), 0);
	for (unsigned int i = 0; i < card->num_ports; i++) {
		port_init(card, i);
		port_default_config(&card->port[i]);
		fn_init(&card->port[i]);
		lanes_clear_regions(&card->port[i]);
	}
	for (unsigned int i = 0; i < card->num_ports; i++)
		hal_write(APERTURE_REG(i, ctrl), 0);
	log_forget(card);
	hal_write(LANE_REG(event), 0xffffffffu);
	hal_write(LANE_REG(event_enable), lanes < 32 ? (1u << lanes) - 1 : 0xffffffffu);
	hal_write(SOC_REG(timer_ctrl), 0);
	hal_write(SOC_REG(irq_enable),
		  VHP_SOC__IRQ_PENDING__TIMER_bm | VHP_SOC__IRQ_PENDING__MBOX_bm | VHP_SOC__IRQ_PENDING__LANE_bm |
			  VHP_SOC__IRQ_PENDING__FLR_bm | FN_IRQS(card->num_ports));
	hal_write(SOC_REG(config_enable), VHP_SOC__CONFIG_ENABLE__ENABLE_bm);
	set_fw_status(1);
}

void card_flr_done(struct card *card, unsigned int fn)
{
	uint32_t bit = 1u << fn;

	hal_write(SOC_REG(flr_done), bit);
	/* It goes off the register within cycles, so the function's next reset, which takes longer, is told from this one. */
	for (unsigned int i = 0; i < 8 && (hal_read(SOC_REG(flr_pending)) & bit); i++)
		;
	card->flr_seen = (uint8_t)(card->flr_seen & ~bit);
}

/* Function level resets: each once, from its appearance to our done. */
static void handle_flr(struct card *card)
{
	uint32_t fresh = hal_read(SOC_REG(flr_pending)) & ~(uint32_t)card->flr_seen;

	card->flr_seen |= (uint8_t)fresh;
	if (fresh & 1) {
		card->peer_flr = true;
		for (unsigned int i = 0; i < card->num_ports; i++)
			port_stop(&card->port[i], false);
	}
	for (unsigned int i = 0; i < card->num_ports; i++) {
		if (fresh >> (i + 1) & 1)
			port_driver_left(&card->port[i], CLOSE_FLR);
	}
}

/* Function 0 was reset: its memory is gone, and with it everything that was said of the peers. */
static void finish_peer_flr(struct card *card)
{
	for (unsigned int i = 0; i < card->num_ports; i++) {
		if (card->port[i].state != VHP_PORT_DOWN)
			return;
	}
	for (unsigned int i = 0; i < card->num_ports; i++)
		port_forget_peer(&card->port[i]);
	log_forget(card);
	card->peer_flr = false;
	card_flr_done(card, PEER_FN);
}

enum card_next card_step(struct card *card, uint32_t *wait_us)
{
	uint32_t pending = hal_read(SOC_REG(irq_pending)), wait = SUM_STOPPED_US;
	enum card_next next = CARD_IDLE;

	update_time(card);
	if (pending & VHP_SOC__IRQ_PENDING__FLR_bm)
		handle_flr(card);
	for (unsigned int i = 0; i < card->num_ports; i++) {
		if (pending >> (VHP_SOC__IRQ_PENDING__FN_bp + i) & 1)
			fn_events(&card->port[i]);
	}
	if (pending & VHP_SOC__IRQ_PENDING__LANE_bm)
		lanes_events(card);
	if ((pending & VHP_SOC__IRQ_PENDING__MBOX_bm) && !card->mbox_waiting)
		mbox_request(card);

	for (unsigned int i = 0; i < card->num_ports; i++) {
		struct port *port = &card->port[i];
		enum card_next n = port_run(port);

		if (n < next)
			next = n;
		if (n == CARD_TIMED && port->deadline - card->now < wait)
			wait = (uint32_t)(port->deadline - card->now);
		if (lanes_running(port) != 0 && wait > SUM_RUNNING_US)
			wait = SUM_RUNNING_US;
	}
	mbox_poll(card);
	if (card->peer_flr)
		finish_peer_flr(card);
	if (card->now >= card->next_sum) {
		for (unsigned int i = 0; i < card->num_ports; i++) {
			lanes_sum(&card->port[i]);
			fn_sum(&card->port[i]);
		}
		card->next_sum = card->now + SUM_RUNNING_US;
	}
	/* A sync of the log raises no cause. */
	if (card->mbox_waiting)
		next = CARD_AGAIN;
	*wait_us = wait;
	return next;
}

void card_wait(enum card_next next, uint32_t wait_us)
{
	if (next == CARD_AGAIN)
		return;
	hal_write(SOC_REG(timer_value), hal_read(SOC_REG(time_us)) + wait_us);
	hal_write(SOC_REG(timer_ctrl), VHP_SOC__TIMER_CTRL__ENABLE_bm);
	/* The hardware takes sleep back if a cause is already pending, so none is missed. */
	if (next == CARD_IDLE)
		hal_write(SOC_REG(sleep), VHP_SOC__SLEEP__SLEEP_bm);
	hal_wait();
	hal_write(SOC_REG(timer_ctrl), 0);
}
