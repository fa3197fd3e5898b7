/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#include "config.h"

#include "transport/als-rate-control.h"

#define INITIAL_CWND (10 * 1472)
#define MIN_CWND (4 * 1472)
#define DEFAULT_RTT_US (100 * 1000)

/* 2/ln 2: the smallest gain that doubles the rate each round. */
#define STARTUP_GAIN 2.77
#define STARTUP_CWND_GAIN 2.0
#define STARTUP_CWND_GAIN_QUEUEING 1.5
#define CWND_GAIN 1.75
/* A little under the estimate, so that queues of others' making drain. */
#define PACING_MARGIN 0.99
#define FULL_GROWTH 1.25
#define FULL_ROUNDS 3
#define FULL_LOSS 0.05
/* Of the round trip. */
#define FULL_QUEUE 0.25
/* Rounds with a queue from end to end that carry less than this share refute the estimate. */
#define REFUTED_SHARE 0.75
#define REFUTED_ROUNDS 2
/* An estimate is doubtful, and the window does not grow by it, while a queue stands and less than this share of
 * it comes through. */
#define DOUBTFUL_SHARE 0.5
static const double cycle_gains[] = { 1.25, 0.75, 1, 1, 1, 1, 1, 1 };

/* The other side collects acknowledgements for this long. */
#define ACK_DELAY_US (5 * 1000)
#define UNQUEUED_PART_US (200 * 1000)
#define MIN_RTT_WINDOW_US (10 * G_USEC_PER_SEC)
/* Half a path's worth in flight for a tenth of a second each ten: under 1 % of the rate. */
#define PROBE_RTT_US (100 * 1000)
#define PROBE_RTT_GAIN 0.5

/* Timers fire late; so much may be made good in one burst. */
#define PACER_SLACK_US (2 * 1000)
#define BURST_US 1000
#define BURST_MIN (2 * 1472)
#define BURST_MAX (64 * 1024)

/* Acknowledgements that stand in a queue of the other side's making take longer: as much more is under way. */
static double
get_bdp (const AlsRateControl *self, double gain)
{
  int64_t rtt_us = als_min_filter_get (&self->unqueued_rtt);

  rtt_us = rtt_us == INT64_MAX ? self->min_rtt_us : MAX (self->min_rtt_us, rtt_us);
  return gain * self->bandwidth * (double) rtt_us / G_USEC_PER_SEC;
}

static double
get_burst (double rate)
{
  return CLAMP (rate * BURST_US / G_USEC_PER_SEC, BURST_MIN, BURST_MAX);
}

static void
set_state (AlsRateControl *self, AlsRateState state, int64_t now_us)
{
  self->state = state;
  switch (state)
    {
    case ALS_RATE_STARTUP:
      self->pacing_gain = STARTUP_GAIN;
      self->cwnd_gain = STARTUP_CWND_GAIN;
      break;
    case ALS_RATE_DRAIN:
      self->pacing_gain = 1 / STARTUP_GAIN;
      self->cwnd_gain = STARTUP_CWND_GAIN;
      break;
    case ALS_RATE_PROBE_BW:
      self->cycle = 2;
      self->cycle_start_us = now_us;
      self->pacing_gain = cycle_gains[self->cycle];
      self->cwnd_gain = CWND_GAIN;
      break;
    case ALS_RATE_PROBE_RTT:
      self->pacing_gain = 1;
      self->cwnd_gain = PROBE_RTT_GAIN;
      self->probe_rtt_end_us = 0;
      break;
    default:
      g_assert_not_reached ();
    }
}

static void
update_pacing (AlsRateControl *self)
{
  double rate;

  if (self->bandwidth <= 0)
    rate = STARTUP_GAIN * self->initial_rate;
  else
    rate = self->pacing_gain * PACING_MARGIN * self->bandwidth;
  /* Start-up never slows down: its first samples are small. */
  if (self->full_pipe || rate > self->pacing_rate)
    self->pacing_rate = MAX (rate, 1000);
}

void
als_rate_control_init (AlsRateControl *self, int64_t rtt_us, int64_t now_us)
{
  *self = (AlsRateControl){
    .min_rtt_us = rtt_us,
    .min_rtt_stamp_us = now_us,
    .round_queue_us = INT64_MAX,
    .unqueued_rtt = ALS_MIN_FILTER_INIT (UNQUEUED_PART_US),
    .delivered_us = now_us,
    .first_sent_us = now_us,
    .cwnd = INITIAL_CWND,
    .next_send_us = now_us,
    .initial_rate = (double) INITIAL_CWND * G_USEC_PER_SEC
                    / (double) (rtt_us > 0 ? rtt_us : DEFAULT_RTT_US),
  };
  set_state (self, ALS_RATE_STARTUP, now_us);
  update_pacing (self);
}

void
als_rate_control_charge (AlsRateControl *self, uint32_t size, int64_t now_us)
{
  int64_t slack_us = PACER_SLACK_US;

  self->next_send_us = MAX (self->next_send_us, now_us - slack_us);
  self->next_send_us += (int64_t) (size * (double) G_USEC_PER_SEC / self->pacing_rate);
}

void
als_rate_control_sent (AlsRateControl *self, AlsRateMark *mark, uint32_t size, int64_t now_us)
{
  if (self->inflight == 0)
    {
      self->first_sent_us = now_us;
      self->delivered_us = now_us;
    }
  *mark = (AlsRateMark){
    .sent_us = now_us,
    .first_sent_us = self->first_sent_us,
    .delivered_us = self->delivered_us,
    .delivered = self->delivered,
    .size = size,
    .app_limited = self->app_limited_until > 0,
  };
  self->inflight += size;
  als_rate_control_charge (self, size, now_us);
}

void
als_rate_control_unsent (AlsRateControl *self, const AlsRateMark *mark)
{
  self->inflight -= MIN (self->inflight, mark->size);
}

void
als_rate_control_lost (AlsRateControl *self, const AlsRateMark *mark)
{
  self->inflight -= MIN (self->inflight, mark->size);
  self->lost_now += mark->size;
}

void
als_rate_control_acked (AlsRateControl *self, const AlsRateMark *mark, gboolean late,
                        int64_t now_us)
{
  if (!late)
    self->inflight -= MIN (self->inflight, mark->size);
  self->delivered += mark->size;
  self->delivered_us = now_us;
  self->acked_now += mark->size;
  if (self->sample_valid && mark->delivered < self->sample.delivered)
    return;
  self->sample = *mark;
  self->sample_valid = TRUE;
  self->first_sent_us = mark->sent_us;
}

static gboolean
is_queueing (const AlsRateControl *self, int64_t queue_us)
{
  return (double) queue_us > FULL_QUEUE * (double) self->min_rtt_us + ACK_DELAY_US;
}

/* A round is over. Modems and shapers let the first kilobytes of an idle line pass at once; that
 * looks like a fast line and fills the buffer of the real one. While a queue stands, what comes
 * through is what the line carries: then the estimate comes down without waiting until the filter
 * forgets it, which, with the queue as the round trip, would take seconds. */
static void
check_estimate (AlsRateControl *self)
{
  double carried = self->rounds_max[self->filter_round];

  if (self->state != ALS_RATE_PROBE_RTT && !self->round_app_limited && carried > 0
      && self->round_queue_us != INT64_MAX && is_queueing (self, self->round_queue_us)
      && carried < REFUTED_SHARE * self->bandwidth)
    self->refuted_rounds++;
  else
    self->refuted_rounds = 0;
  self->round_queue_us = INT64_MAX;
  self->round_app_limited = FALSE;
  if (self->refuted_rounds < REFUTED_ROUNDS)
    return;
  for (guint i = 0; i < ALS_RATE_FILTER_ROUNDS; i++)
    self->rounds_max[i] = MIN (self->rounds_max[i], carried);
  self->bandwidth = carried;
  self->refuted_rounds = 0;
}

static void
update_bandwidth (AlsRateControl *self, int64_t rtt_us, int64_t queue_us)
{
  const AlsRateMark *mark = &self->sample;
  int64_t interval_us = MAX (mark->sent_us - mark->first_sent_us,
                             self->delivered_us - mark->delivered_us);
  double rate;

  if (mark->delivered >= self->next_round_delivered)
    {
      self->next_round_delivered = self->delivered;
      self->round_start = TRUE;
      check_estimate (self);
    }
  if (rtt_us > 0)
    self->round_queue_us = MIN (self->round_queue_us, queue_us);
  self->round_app_limited |= mark->app_limited;
  /* Shorter than any round trip: acknowledgements came in a heap. */
  if (interval_us <= 0 || interval_us < self->min_rtt_us)
    return;
  rate = (double) (self->delivered - mark->delivered) * G_USEC_PER_SEC / (double) interval_us;
  self->latest_rate = rate;
  if (mark->app_limited && rate < self->bandwidth)
    return;
  if (self->round_start)
    {
      self->filter_round = (self->filter_round + 1) % ALS_RATE_FILTER_ROUNDS;
      self->rounds_max[self->filter_round] = 0;
    }
  self->rounds_max[self->filter_round] = MAX (self->rounds_max[self->filter_round], rate);
  self->bandwidth = 0;
  for (guint i = 0; i < ALS_RATE_FILTER_ROUNDS; i++)
    self->bandwidth = MAX (self->bandwidth, self->rounds_max[i]);
}

static void
check_full_pipe (AlsRateControl *self, gboolean queueing)
{
  gboolean losing = (double) self->round_lost > FULL_LOSS * (double) self->round_acked;

  if (!self->round_start)
    return;
  self->round_lost = self->round_acked = 0;
  /* A queue that stands or overflows tells as much, whoever limits us just then; but not beside
   * a trickle: that sees no more than jitter. */
  if (self->full_pipe
      || (self->sample.app_limited && !((losing || queueing) && self->inflight > self->cwnd / 2)))
    return;
  if (self->bandwidth >= self->full_bandwidth * FULL_GROWTH)
    {
      self->full_bandwidth = self->bandwidth;
      self->full_rounds = 0;
      return;
    }
  /* With a queue to be seen once is enough: it should not stand for long. */
  self->full_pipe = ++self->full_rounds >= FULL_ROUNDS || queueing;
}

static void
advance_cycle (AlsRateControl *self, int64_t now_us)
{
  gboolean over = now_us - self->cycle_start_us > self->min_rtt_us;

  if (self->lost_now > 0)
    self->lost_in_cycle = TRUE;
  if (self->pacing_gain > 1)
    over = over && (self->lost_in_cycle || self->inflight >= get_bdp (self, self->pacing_gain));
  else if (self->pacing_gain < 1)
    over = over || self->inflight <= get_bdp (self, 1);
  if (!over)
    return;
  self->cycle = (self->cycle + 1) % G_N_ELEMENTS (cycle_gains);
  self->cycle_start_us = now_us;
  self->lost_in_cycle = FALSE;
  self->pacing_gain = cycle_gains[self->cycle];
}

static void
update_min_rtt (AlsRateControl *self, int64_t rtt_us, int64_t now_us)
{
  gboolean expired = now_us - self->min_rtt_stamp_us > MIN_RTT_WINDOW_US;

  if (rtt_us > 0 && (self->min_rtt_us == 0 || rtt_us <= self->min_rtt_us))
    {
      self->min_rtt_us = rtt_us;
      self->min_rtt_stamp_us = now_us;
    }
  else if (expired && self->state != ALS_RATE_PROBE_RTT && rtt_us > 0)
    {
      /* With little in flight this is as short as it gets. */
      self->min_rtt_stamp_us = now_us;
      if (self->inflight <= get_bdp (self, PROBE_RTT_GAIN))
        {
          self->min_rtt_us = rtt_us;
        }
      else
        {
          set_state (self, ALS_RATE_PROBE_RTT, now_us);
          self->cycle_start_us = now_us;
        }
    }
  if (self->state != ALS_RATE_PROBE_RTT)
    return;
  if (self->probe_rtt_end_us == 0)
    {
      if (self->inflight <= MAX (get_bdp (self, PROBE_RTT_GAIN), MIN_CWND))
        {
          self->probe_rtt_end_us = now_us + PROBE_RTT_US;
          /* From here on the smallest counts, even if it is larger than the old one. */
          self->min_rtt_us = rtt_us > 0 ? rtt_us : self->min_rtt_us;
        }
    }
  else if (now_us >= self->probe_rtt_end_us)
    {
      self->min_rtt_stamp_us = now_us;
      set_state (self, self->full_pipe ? ALS_RATE_PROBE_BW : ALS_RATE_STARTUP, now_us);
    }
}

static void
update_cwnd (AlsRateControl *self, gboolean queueing)
{
  gboolean settled = self->full_pipe || self->state == ALS_RATE_PROBE_RTT;
  /* The estimate may be of a burst that a shaper let through: the queue of that shows at once. */
  gboolean stays = queueing && (self->state == ALS_RATE_STARTUP || self->state == ALS_RATE_DRAIN
                                || self->latest_rate < DOUBTFUL_SHARE * self->bandwidth);
  double grown = (double) (self->cwnd + (stays ? 0 : self->acked_now)), target;

  queueing = queueing && !self->full_pipe;
  if (self->bandwidth <= 0 || self->min_rtt_us == 0)
    {
      self->cwnd += self->acked_now;
      return;
    }
  target = get_bdp (self, queueing ? MIN (self->cwnd_gain, STARTUP_CWND_GAIN_QUEUEING)
                                   : self->cwnd_gain);
  if (self->state != ALS_RATE_PROBE_RTT)
    target += 3 * get_burst (self->bandwidth) + self->bandwidth * ACK_DELAY_US / G_USEC_PER_SEC;
  target = MAX (target, MIN_CWND);
  if (settled || (queueing && self->delivered >= INITIAL_CWND))
    self->cwnd = (uint64_t) MIN (grown, target);
  else if (self->cwnd < target || self->delivered < INITIAL_CWND)
    self->cwnd += self->acked_now;
}

void
als_rate_control_finish (AlsRateControl *self, int64_t rtt_us, int64_t queue_us, int64_t now_us)
{
  if (rtt_us > 0)
    {
      self->unqueued_rtt.part_us = MAX (self->min_rtt_us, UNQUEUED_PART_US);
      als_min_filter_add (&self->unqueued_rtt, rtt_us - queue_us, now_us);
    }
  self->round_start = FALSE;
  self->round_lost += self->lost_now;
  self->round_acked += self->acked_now;
  if (self->app_limited_until > 0 && self->delivered > self->app_limited_until)
    self->app_limited_until = 0;
  if (self->sample_valid)
    {
      update_bandwidth (self, rtt_us, queue_us);
      check_full_pipe (self, is_queueing (self, queue_us));
    }
  if (self->state == ALS_RATE_STARTUP && self->full_pipe)
    set_state (self, ALS_RATE_DRAIN, now_us);
  if (self->state == ALS_RATE_DRAIN && self->inflight <= get_bdp (self, 1))
    set_state (self, ALS_RATE_PROBE_BW, now_us);
  if (self->state == ALS_RATE_PROBE_BW)
    advance_cycle (self, now_us);
  update_min_rtt (self, rtt_us, now_us);
  update_pacing (self);
  update_cwnd (self, is_queueing (self, queue_us));
  self->sample_valid = FALSE;
  self->acked_now = 0;
  self->lost_now = 0;
}

void
als_rate_control_app_limited (AlsRateControl *self)
{
  self->app_limited_until = MAX (self->delivered + self->inflight, 1);
}

gboolean
als_rate_control_has_window (const AlsRateControl *self)
{
  return self->inflight < self->cwnd;
}

int64_t
als_rate_control_get_when (const AlsRateControl *self)
{
  return self->next_send_us;
}

int64_t
als_rate_control_get_wake_up (const AlsRateControl *self)
{
  double burst_us = get_burst (self->pacing_rate) * G_USEC_PER_SEC / self->pacing_rate;

  return self->next_send_us + (int64_t) MIN (burst_us, BURST_US);
}

uint64_t
als_rate_control_get_rate (const AlsRateControl *self)
{
  /* In start-up nobody knows yet: twice what was seen may be tried. Whoever gives us little, and
   * follows this, would otherwise never find out. */
  if (!self->full_pipe)
    return (uint64_t) (2 * MAX (self->initial_rate, self->bandwidth));
  return (uint64_t) self->bandwidth;
}
