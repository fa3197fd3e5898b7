/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The model against the simplest path: a rate, a delay, no queue limit; each packet is
 * acknowledged. */
#include "transport/als-rate-control.h"

#define MS 1000
#define RTT_US (40 * MS)
#define RATE 1250000.0 /* 10 Mbit/s */
#define PACKET 1250

typedef struct
{
  AlsRateControl control;
  GQueue flight;       /* (element-type AlsRateMark) */
  GQueue acks;         /* (element-type int64_t): when each is acknowledged */
  double rate;
  int64_t rtt_us;
  int64_t now_us, free_us;
  int64_t bucket_us;   /* what a line that was idle carries at once, as time at its rate */
  guint lose_every;    /* 0: none */
  guint n_sent, n_acked;
  gboolean was_probing;
  int64_t longest_queue_us;
} Path;

static void
path_init (Path *path)
{
  *path = (Path){ .rate = RATE, .rtt_us = RTT_US, .now_us = G_USEC_PER_SEC };
  als_rate_control_init (&path->control, RTT_US, path->now_us);
}

static void
path_clear (Path *path)
{
  g_queue_clear_full (&path->flight, g_free);
  g_queue_clear_full (&path->acks, g_free);
}

static void
send (Path *path)
{
  AlsRateMark *mark = g_new0 (AlsRateMark, 1);
  int64_t *ack_us = g_new0 (int64_t, 1);

  als_rate_control_sent (&path->control, mark, PACKET, path->now_us);
  path->free_us = MAX (path->free_us, path->now_us - path->bucket_us)
                  + (int64_t) (PACKET * 1e6 / path->rate);
  path->longest_queue_us = MAX (path->longest_queue_us, path->free_us - path->now_us);
  *ack_us = MAX (path->free_us, path->now_us) + path->rtt_us;
  g_queue_push_tail (&path->flight, mark);
  g_queue_push_tail (&path->acks, ack_us);
  path->n_sent++;
}

static void
hear (Path *path)
{
  AlsRateMark *mark = g_queue_pop_head (&path->flight);
  int64_t *ack_us = g_queue_pop_head (&path->acks);

  path->n_acked++;
  if (path->lose_every > 0 && path->n_acked % path->lose_every == 0)
    als_rate_control_lost (&path->control, mark);
  else
    als_rate_control_acked (&path->control, mark, FALSE, path->now_us);
  als_rate_control_finish (&path->control, path->now_us - mark->sent_us,
                           path->now_us - mark->sent_us - path->rtt_us, path->now_us);
  path->was_probing |= path->control.state == ALS_RATE_PROBE_RTT;
  g_free (mark);
  g_free (ack_us);
}

/* A packet each EVERY_US, or (0) whenever it may go. */
static void
run (Path *path, int64_t duration_us, int64_t every_us)
{
  int64_t end_us = path->now_us + duration_us;

  for (; path->now_us < end_us; path->now_us += MS / 10)
    {
      while (!g_queue_is_empty (&path->acks)
             && *(int64_t *) g_queue_peek_head (&path->acks) <= path->now_us)
        hear (path);
      if (every_us > 0 && path->now_us % every_us == 0)
        send (path);
      else if (every_us > 0)
        als_rate_control_app_limited (&path->control);
      while (every_us == 0 && als_rate_control_has_window (&path->control)
             && als_rate_control_get_when (&path->control) <= path->now_us)
        send (path);
    }
}

static void
test_start_up (void)
{
  Path path;
  double before;

  path_init (&path);
  path.rate = 10 * RATE;
  run (&path, 2 * RTT_US + RTT_US / 2, 0);
  before = path.control.pacing_rate;
  run (&path, RTT_US, 0);
  g_assert_cmpfloat (path.control.pacing_rate, >=, 1.5 * before);
  run (&path, 20 * RTT_US, 0);
  g_assert_true (path.control.full_pipe);
  g_assert_cmpfloat (path.control.bandwidth, >=, 0.95 * path.rate);
  g_assert_cmpfloat (path.control.bandwidth, <=, 1.1 * path.rate);
  /* The queue that start-up left is gone. */
  path.longest_queue_us = 0;
  run (&path, 2 * G_USEC_PER_SEC, 0);
  g_assert_cmpint (path.longest_queue_us, <=, RTT_US * 6 / 10);
  path_clear (&path);
}

static void
test_loss (void)
{
  Path path;

  path_init (&path);
  path.lose_every = 50;
  run (&path, 5 * G_USEC_PER_SEC, 0);
  g_assert_cmpfloat (path.control.bandwidth, >=, 0.9 * RATE);
  g_assert_cmpuint (path.control.cwnd, >=, (uint64_t) (RATE * RTT_US / 1e6));
  path_clear (&path);
}

static void
test_app_limited (void)
{
  Path path;
  double known;

  path_init (&path);
  run (&path, 2 * G_USEC_PER_SEC, 0);
  known = path.control.bandwidth;
  /* A trickle says nothing about the path. */
  run (&path, 20 * G_USEC_PER_SEC, 50 * MS);
  g_assert_cmpfloat (path.control.bandwidth, >=, 0.99 * known);
  g_assert_cmpuint (als_rate_control_get_rate (&path.control), >=, (uint64_t) (0.99 * known));
  path_clear (&path);
}

static void
test_trickle_never_fills (void)
{
  Path path;

  path_init (&path);
  for (guint i = 0; i < 200; i++)
    {
      /* Jitter like a radio's. */
      path.rtt_us = RTT_US + (i * 37 % 5) * 10 * MS;
      run (&path, 100 * MS, 30 * MS);
    }
  g_assert_false (path.control.full_pipe);
  g_assert_cmpuint (als_rate_control_get_rate (&path.control), >=, 2 * 10 * 1472 * 25 * 9 / 10);
  path_clear (&path);
}

static void
test_follows (void)
{
  Path path;

  path_init (&path);
  run (&path, 3 * G_USEC_PER_SEC, 0);
  path.rate = RATE / 4;
  run (&path, 5 * G_USEC_PER_SEC, 0);
  g_assert_cmpfloat (path.control.bandwidth, <=, 1.3 * path.rate);
  path.rate = RATE;
  run (&path, 5 * G_USEC_PER_SEC, 0);
  g_assert_cmpfloat (path.control.bandwidth, >=, 0.9 * path.rate);
  path_clear (&path);
}

/* Modems and shapers let the first kilobytes of an idle line pass at once. */
static void
test_bucket (void)
{
  Path path;

  path_init (&path);
  path.rtt_us = MS / 2;
  path.bucket_us = 12 * MS;
  als_rate_control_init (&path.control, path.rtt_us, path.now_us);
  run (&path, G_USEC_PER_SEC / 2, 0);
  path.longest_queue_us = 0;
  run (&path, 3 * G_USEC_PER_SEC, 0);
  g_assert_cmpint (path.longest_queue_us, <=, 40 * MS);
  g_assert_cmpfloat (path.control.bandwidth, >=, 0.9 * path.rate);
  g_assert_cmpfloat (path.control.bandwidth, <=, 1.3 * path.rate);
  path_clear (&path);
}

static void
test_probes_rtt (void)
{
  Path path;
  guint before;

  path_init (&path);
  run (&path, 3 * G_USEC_PER_SEC, 0);
  path.rtt_us = RTT_US + 30 * MS;
  path.was_probing = FALSE;
  before = path.n_acked;
  run (&path, 12 * G_USEC_PER_SEC, 0);
  g_assert_true (path.was_probing);
  g_assert_cmpint (path.control.state, !=, ALS_RATE_PROBE_RTT);
  g_assert_cmpint (path.control.min_rtt_us, >=, path.rtt_us);
  /* ... which costs next to nothing. */
  g_assert_cmpfloat ((path.n_acked - before) * (double) PACKET / 12, >=, 0.93 * RATE);
  path_clear (&path);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/transport/rate-control/start-up-doubles-and-drains", test_start_up);
  g_test_add_func ("/transport/rate-control/loss-alone-does-not-slow-it", test_loss);
  g_test_add_func ("/transport/rate-control/a-trickle-is-no-measure", test_app_limited);
  g_test_add_func ("/transport/rate-control/jitter-beside-a-trickle-is-no-queue",
                   test_trickle_never_fills);
  g_test_add_func ("/transport/rate-control/follows-the-path-down-and-up", test_follows);
  g_test_add_func ("/transport/rate-control/a-burst-let-through-is-no-measure", test_bucket);
  g_test_add_func ("/transport/rate-control/finds-a-longer-round-trip-cheaply", test_probes_rtt);
  return g_test_run ();
}
