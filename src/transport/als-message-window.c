/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#include "config.h"

#include "transport/als-message-window.h"

#define FIRST_LIMIT_BYTES (16 * 1024)
#define MIN_LIMIT_BYTES (6 * 1024)

/* Queue that may stand below us, both directions together; up to GROW it is only our messages'
 * own length. */
#define GROW_QUEUE_US (20 * 1000)
/* The first step of growth in time at the present rate; each further one is twice as large, while the
 * queue is no longer than NO_QUEUE: what a step does shows only a round or two later. */
#define FIRST_STEP_US (3 * 1000)
#define NO_QUEUE_US (5 * 1000)
#define TWO_MESSAGES_BYTES 2560
/* One late message is no queue: the doubling ends when so many in a row show it, nearly as in RFC 9406. When
 * the best of a round shows the beginning of one, it goes on by a quarter, as there ("conservative slow start"). */
#define START_SAMPLES 4
#define CONSERVATIVE_SHARE 4
#define SHRINK_QUEUE_US (30 * 1000)
/* A shaper lets the first kilobytes of an idle line pass at once, so that the queue shows late: the doubling
 * ends, too, when so many moments in a row carried less than the window holds of so many round trips. */
#define MOMENT_US (15 * 1000)
#define OUTGROWN_MOMENTS 2
#define OUTGROWN_ROUNDS 3
/* On a path that became wider what is under way stands in the old queue, and what is sent until that is
 * through is kept behind it, for the sake of the order. */
#define OLD_QUEUE_ROUNDS 2

/* Of each message in the mean. */
#define LASTING_SHARE (1 / 16.0)

/* What was carried is looked at so often, and not within a round trip. What it was while work was waiting
 * counts; later, without work, there may be as much more each time. */
#define CARRIED_INTERVAL_US (100 * 1000)
#define CARRIED_GROWTH 1.1

#define BASE_PART_US (60 * (int64_t) G_USEC_PER_SEC)
#define MIN_STANDING_PART_US (30 * 1000)

typedef struct
{
  GList link;          /* in messages; data is this */
  uint64_t end;        /* sent_bytes with it */
  size_t frame_bytes;
  int64_t sent_us;
} Message;

void
als_message_window_init (AlsMessageWindow *self, size_t max_bytes)
{
  *self = (AlsMessageWindow){
    .max_bytes = max_bytes,
    .limit_bytes = MIN (FIRST_LIMIT_BYTES, max_bytes),
    .starting = TRUE,
    .round_least_us = INT64_MAX,
    .base = ALS_MIN_FILTER_INIT (BASE_PART_US),
    .standing = ALS_MIN_FILTER_INIT (MIN_STANDING_PART_US),
  };
  g_queue_init (&self->messages);
}

static void
drop_oldest (AlsMessageWindow *self)
{
  Message *message = self->messages.head->data;

  g_queue_unlink (&self->messages, &message->link);
  g_free (message);
}

void
als_message_window_clear (AlsMessageWindow *self)
{
  while (self->messages.head != NULL)
    drop_oldest (self);
}

/* So long that it was no queue of ours: somebody slept, or the line was away. */
#define STALL_US (1 * G_USEC_PER_SEC)
#define STALL_FACTOR 4

static void
start_round (AlsMessageWindow *self)
{
  self->round_end = self->sent_bytes;
  self->n_round_samples = 0;
  self->round_least_us = INT64_MAX;
}

/* What was learned about the queue is void; the path itself may be as it was. */
static void
start_again (AlsMessageWindow *self)
{
  self->starting = TRUE;
  self->n_late = 0;
  self->latest_us = 0;
  self->limit_bytes = MIN (MIN_LIMIT_BYTES, self->max_bytes);
  start_round (self);
  self->srtt_us = als_min_filter_get (&self->base);
  self->lasting_us = 0;
  self->carried = 0;
  als_min_filter_reset (&self->standing);
  als_min_filter_add (&self->standing, self->srtt_us, self->standing.start_us);
}

static gboolean
is_stall (AlsMessageWindow *self, int64_t rtt_us)
{
  return self->srtt_us != 0 && rtt_us > STALL_US
         && rtt_us > STALL_FACTOR * als_min_filter_get (&self->base);
}

static void
add_sample (AlsMessageWindow *self, int64_t rtt_us, int64_t now_us)
{
  rtt_us = MAX (rtt_us, 1);
  if (is_stall (self, rtt_us))
    {
      start_again (self);
      return;
    }
  self->srtt_us = self->srtt_us == 0 ? rtt_us : (7 * self->srtt_us + rtt_us) / 8;
  als_min_filter_add (&self->base, rtt_us, now_us);
  self->standing.part_us = MAX (als_min_filter_get (&self->base) / 2, MIN_STANDING_PART_US);
  als_min_filter_add (&self->standing, rtt_us, now_us);
  self->latest_us = rtt_us;
  self->n_round_samples++;
  self->round_least_us = MIN (self->round_least_us, rtt_us);
}

void
als_message_window_set_rtt (AlsMessageWindow *self, int64_t rtt_us, int64_t now_us)
{
  add_sample (self, rtt_us, now_us);
}

void
als_message_window_sent (AlsMessageWindow *self, size_t len, size_t frame_bytes, int64_t now_us)
{
  Message *message = g_new0 (Message, 1);

  self->sent_bytes += len;
  message->link.data = message;
  message->end = self->sent_bytes;
  message->frame_bytes = frame_bytes;
  message->sent_us = now_us;
  g_queue_push_tail_link (&self->messages, &message->link);
}

/* Of two short messages: on a slow path this is no queue yet. */
static int64_t
get_own_length (AlsMessageWindow *self)
{
  return (int64_t) (TWO_MESSAGES_BYTES * (double) G_USEC_PER_SEC
                    / (als_message_window_get_rate (self) + 1));
}

/* The next step: doubled while no queue shows, and never more than an eighth. */
static size_t
grow (AlsMessageWindow *self, int64_t queue_us)
{
  size_t first = (size_t) (als_message_window_get_rate (self) * (double) FIRST_STEP_US
                           / G_USEC_PER_SEC);

  if (queue_us > MAX (NO_QUEUE_US, get_own_length (self)))
    self->step_bytes = 0;
  self->step_bytes = MIN (MAX (2 * self->step_bytes, first), self->limit_bytes / 8);
  return self->step_bytes;
}

/* The doubling is over: what stands in the queue beyond what is enough goes at once. */
static void
end_start (AlsMessageWindow *self)
{
  self->starting = FALSE;
  self->n_outgrown = 0;
  self->ended_at_bytes = self->limit_bytes;
  if (self->bounds[0] > 0 && self->bounds[1] > 0)
    self->limit_bytes = (size_t) CLAMP (MAX (self->bounds[0], self->bounds[1]), self->limit_bytes / 2.0,
                                        (double) self->limit_bytes);
}

static void
judge_moment (AlsMessageWindow *self, size_t in_flight, int64_t now_us)
{
  int64_t base_us = als_min_filter_get (&self->base), took_us = now_us - self->moment_us;
  gboolean tells = self->starting && self->moment_from > 0 && !self->moment_starved && self->n_unjudged == 0;

  if (took_us < MAX (MOMENT_US, base_us))
    return;
  self->bounds[1] = self->bounds[0];
  self->bounds[0] = !tells ? 0
                           : (double) (self->acked_bytes - self->moment_from) / (double) took_us
                               * (double) MAX (OUTGROWN_ROUNDS * base_us, base_us + GROW_QUEUE_US);
  self->n_outgrown = tells && (double) in_flight > self->bounds[0] ? self->n_outgrown + 1 : 0;
  self->moment_us = now_us;
  self->moment_from = self->acked_bytes;
  self->moment_starved = FALSE;
  if (self->n_outgrown >= OUTGROWN_MOMENTS)
    end_start (self);
}

/* Is the doubling over? Or did it end for no good reason, a busy machine's perhaps: the window that
 * showed a queue then shows none now. */
static void
judge_start (AlsMessageWindow *self, int64_t grow_queue_us, size_t in_flight, gboolean round)
{
  gboolean used = in_flight >= self->limit_bytes / 4 * 3;
  int64_t base_us = als_min_filter_get (&self->base);

  if (self->latest_us != 0)
    self->n_late = self->latest_us - base_us > grow_queue_us ? self->n_late + 1 : 0;
  self->latest_us = 0;
  if (self->starting && self->n_unjudged == 0 && self->n_late >= START_SAMPLES)
    end_start (self);
  else if (!self->starting && round && used && self->limit_bytes >= self->ended_at_bytes
           && self->n_round_samples >= START_SAMPLES && self->round_least_us - base_us < NO_QUEUE_US)
    self->starting = TRUE;
}

static void
end_round (AlsMessageWindow *self)
{
  start_round (self);
  self->n_unjudged -= self->n_unjudged > 0;
}

static void
adjust (AlsMessageWindow *self, size_t acked, size_t in_flight_before, int64_t now_us)
{
  int64_t standing_us = als_min_filter_get (&self->standing);
  int64_t queue_us = standing_us - als_min_filter_get (&self->base);
  int64_t grow_queue_us = CLAMP (get_own_length (self), GROW_QUEUE_US, SHRINK_QUEUE_US);
  /* Half is enough to say that a larger one would be used: an encoder that stays below what we
   * tell would otherwise never learn of more. */
  gboolean used = in_flight_before * 2 >= self->limit_bytes;
  gboolean round = self->acked_bytes >= self->round_end;
  gboolean conservative;

  judge_moment (self, in_flight_before, now_us);
  judge_start (self, grow_queue_us, in_flight_before, round);
  conservative = self->n_unjudged == 0 && self->n_round_samples >= START_SAMPLES
                 && self->round_least_us - als_min_filter_get (&self->base) > NO_QUEUE_US;
  if (round)
    end_round (self);
  if (self->starting && used)
    self->limit_bytes += conservative ? acked / CONSERVATIVE_SHARE : acked;
  else if (round && queue_us > SHRINK_QUEUE_US)
    /* By half at the most, and the excess alone. */
    self->limit_bytes -= (size_t) (self->limit_bytes
                                   * MIN (0.5, (queue_us - SHRINK_QUEUE_US) / (double) standing_us));
  else if (round && used && queue_us < grow_queue_us)
    self->limit_bytes += grow (self, queue_us);
  if (round && queue_us >= grow_queue_us)
    self->step_bytes = 0;
  self->limit_bytes = CLAMP (self->limit_bytes, MIN (MIN_LIMIT_BYTES, self->max_bytes),
                             self->max_bytes);
}

static void
note_lasting (AlsMessageWindow *self, int64_t lasting_us)
{
  if (is_stall (self, lasting_us))
    return;
  if (self->lasting_us == 0)
    self->lasting_us = lasting_us;
  else
    self->lasting_us += (lasting_us - self->lasting_us) * LASTING_SHARE;
}

void
als_message_window_widened (AlsMessageWindow *self)
{
  self->starting = TRUE;
  self->n_unjudged = OLD_QUEUE_ROUNDS;
  start_round (self);
}

void
als_message_window_starved (AlsMessageWindow *self)
{
  self->starved = self->moment_starved = TRUE;
}

static void
note_carried (AlsMessageWindow *self, int64_t now_us)
{
  int64_t took_us = now_us - self->carried_us;
  int64_t due_us = MAX (CARRIED_INTERVAL_US, self->srtt_us);
  double sample;

  if (took_us < due_us)
    return;
  sample = (double) (self->acked_bytes - self->carried_from) * G_USEC_PER_SEC / (double) took_us;
  if (self->starved)
    self->carried = self->carried > 0 ? MAX (self->carried * CARRIED_GROWTH, sample) : 0;
  else if (took_us > STALL_FACTOR * due_us)
    self->carried = 0; /* it was away: that tells nothing of what it carries now */
  else
    self->carried = self->carried > 0 ? (self->carried + sample) / 2 : sample;
  self->carried_us = now_us;
  self->carried_from = self->acked_bytes;
  self->starved = FALSE;
}

gboolean
als_message_window_acked (AlsMessageWindow *self, uint64_t total, int64_t delay_us, int64_t now_us)
{
  size_t in_flight = als_message_window_get_in_flight (self);
  uint64_t acked = total - self->acked_bytes;
  int64_t sent_us = 0;

  if (total < self->acked_bytes || total > self->sent_bytes)
    return FALSE;
  self->acked_bytes = total;
  while (self->messages.head != NULL && ((Message *) self->messages.head->data)->end <= total)
    {
      Message *message = self->messages.head->data;

      sent_us = message->sent_us;
      note_lasting (self, now_us - sent_us);
      self->acked_frame_bytes += message->frame_bytes;
      drop_oldest (self);
    }
  if (sent_us != 0 && delay_us >= 0)
    add_sample (self, now_us - sent_us - delay_us, now_us);
  note_carried (self, now_us);
  if (acked > 0 && self->srtt_us != 0)
    adjust (self, (size_t) acked, in_flight, now_us);
  return TRUE;
}

size_t
als_message_window_get_in_flight (const AlsMessageWindow *self)
{
  return (size_t) (self->sent_bytes - self->acked_bytes);
}

size_t
als_message_window_get_limit (const AlsMessageWindow *self)
{
  return self->limit_bytes;
}

int64_t
als_message_window_get_late (const AlsMessageWindow *self, int64_t now_us)
{
  const Message *oldest = self->messages.head != NULL ? self->messages.head->data : NULL;

  return oldest != NULL ? MAX (now_us - oldest->sent_us - self->srtt_us, 0) : 0;
}

int64_t
als_message_window_get_min_rtt (const AlsMessageWindow *self)
{
  int64_t min_us = als_min_filter_get (&self->base);

  return min_us != INT64_MAX ? min_us : 0;
}

uint64_t
als_message_window_get_rate (const AlsMessageWindow *self)
{
  double full;

  if (self->srtt_us == 0)
    return 0;
  /* What a full window amounts to: its bytes are under way until their acknowledgement comes. */
  full = self->limit_bytes * (double) G_USEC_PER_SEC
         / MAX (MAX ((double) self->srtt_us, self->lasting_us), 1000);
  /* It may never be full: then something below was in the way. */
  return (uint64_t) (self->carried > 0 ? MIN (full, self->carried) : full);
}

double
als_message_window_get_pacing_rate (const AlsMessageWindow *self)
{
  double rate = self->limit_bytes * (double) G_USEC_PER_SEC / MAX (self->srtt_us, 1000);

  return self->srtt_us == 0 ? 0 : rate * (self->starting ? 2.0 : 1.25);
}
