/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Two UDP links over an emulated line, in invented time. */
#include "als-test-link-pair.h"
#include "transport/als-udp-link.h"

#include <string.h>
#include "transport/als-segment-codec.h"
#include "transport/als-wire.h"

#define MS 1000
#define SECOND G_USEC_PER_SEC

static AlsTestLinkPair *
pair_new (double mbits, int64_t rtt_us, double loss)
{
  AlsTestLinkPair *pair = als_test_link_pair_new (als_udp_link_new, ALS_CARRIER_DATAGRAMS, 11);

  als_test_net_set (pair->net, mbits, rtt_us, loss);
  als_test_link_pair_connect (pair);
  return pair;
}

/* What END got on the bulk lane during DURATION_US, in Mbit/s. */
static double
measure (AlsTestLinkPair *pair, guint end, int64_t duration_us)
{
  uint64_t before = pair->ends[end].bytes_got[ALS_LANE_BULK];

  als_test_link_pair_run (pair, duration_us);
  return (double) (pair->ends[end].bytes_got[ALS_LANE_BULK] - before) * 8 / (double) duration_us;
}

/* Everything given arrives, both ways, and then nothing moves any more. */
static void
run_dry (AlsTestLinkPair *pair)
{
  for (guint i = 0; i < 2; i++)
    {
      pair->ends[i].bulk_frame = 0;
      pair->ends[i].control_every_us = pair->ends[i].datagram_every_us = 0;
    }
  als_test_link_pair_run (pair, 20 * SECOND);
  for (guint i = 0; i < 2; i++)
    for (guint lane = 0; lane < ALS_N_LANES; lane++)
      g_assert_cmpuint (pair->ends[1 - i].frames_got[lane], ==, pair->ends[i].frames_sent[lane]);
}

static void
test_ready (void)
{
  g_autoptr (AlsTestLinkPair) pair = pair_new (10, 40 * MS, 0);
  AlsLinkStats stats;

  g_assert_cmpuint (als_link_get_room (pair->ends[0].link, ALS_LANE_BULK), >=, ALS_FRAME_MAX);
  als_test_link_pair_send (pair, 0, ALS_LANE_CHAT, 1);
  als_test_link_pair_send (pair, 1, ALS_LANE_BULK, ALS_FRAME_MAX);
  als_test_link_pair_run (pair, SECOND);
  g_assert_cmpuint (pair->ends[1].frames_got[ALS_LANE_CHAT], ==, 1);
  g_assert_cmpuint (pair->ends[0].frames_got[ALS_LANE_BULK], ==, 1);
  als_link_get_stats (pair->ends[0].link, &stats);
  g_assert_cmpuint (stats.mtu, ==, 1472);
  g_assert_cmpuint (stats.queued_bytes, ==, 0);
  g_assert_cmpint (stats.min_rtt_us, >=, 40 * MS);
  g_assert_cmpint (stats.min_rtt_us, <, 45 * MS);
  g_assert_cmpuint (stats.acked_bytes, ==, 1 + 2);
}

static void
test_no_hello (void)
{
  g_autoptr (AlsTestLinkPair) pair = als_test_link_pair_new (als_udp_link_new,
                                                             ALS_CARRIER_DATAGRAMS, 1);
  uint8_t byte = 0;

  als_test_net_get_line (pair->net, 0)->dead = TRUE;
  g_assert_cmpuint (als_link_get_room (pair->ends[0].link, ALS_LANE_CONTROL), ==, 0);
  g_assert_false (als_link_send_frame (pair->ends[0].link, ALS_LANE_CONTROL, &byte, 1));
  g_assert_false (als_link_send_datagram (pair->ends[0].link, &byte, 1));
  als_test_link_pair_run (pair, 15 * SECOND);
  g_assert_true (pair->ends[0].closed && pair->ends[1].closed);
  g_assert_cmpint (pair->ends[0].end, ==, ALS_LINK_END_HELLO_FAILED);
  g_assert_cmpint (als_link_get_deadline (pair->ends[0].link), ==, INT64_MAX);
}

static void
test_idle (void)
{
  g_autoptr (AlsTestLinkPair) pair = pair_new (10, 40 * MS, 0);
  uint64_t packets, polls;

  als_test_link_pair_send (pair, 0, ALS_LANE_BULK, ALS_FRAME_MAX);
  als_test_link_pair_run (pair, 3 * SECOND);
  packets = pair->ends[0].packets + pair->ends[1].packets;
  polls = pair->ends[0].polls + pair->ends[1].polls;
  als_test_link_pair_run (pair, 600 * SECOND);
  g_assert_cmpuint (pair->ends[0].packets + pair->ends[1].packets, ==, packets);
  g_assert_cmpuint (pair->ends[0].polls + pair->ends[1].polls, <=, polls + 2);
  /* ... and wakes up again. */
  als_test_link_pair_send (pair, 0, ALS_LANE_CONTROL, 100);
  als_test_link_pair_run (pair, 25 * MS);
  g_assert_cmpuint (pair->ends[1].frames_got[ALS_LANE_CONTROL], ==, 1);
}

/* Control's round trip beside a file that fills the line. */
static void
test_control_beside_bulk (void)
{
  static const double losses[] = { 0, 0.01 };

  for (guint i = 0; i < G_N_ELEMENTS (losses); i++)
    {
      g_autoptr (AlsTestLinkPair) pair = pair_new (10, 40 * MS, losses[i]);
      double mbits;

      pair->ends[0].bulk_frame = ALS_FRAME_MAX;
      pair->ends[0].control_every_us = 20 * MS;
      mbits = measure (pair, 1, 20 * SECOND);
      g_test_message ("10 Mbit/s, 40 ms, loss %.0f %%: bulk %.2f Mbit/s; control %d of %u echoed, "
                      "p50 %.1f ms, p99 %.1f ms, max %.1f ms",
                      losses[i] * 100, mbits, (int) pair->ends[0].control_us->len,
                      (guint) (20 * SECOND / (20 * MS)),
                      (double) als_test_end_get_control (&pair->ends[0], 50) / 1000,
                      (double) als_test_end_get_control (&pair->ends[0], 99) / 1000,
                      (double) als_test_end_get_control (&pair->ends[0], 100) / 1000);
      g_assert_cmpfloat (mbits, >=, 8);
      g_assert_cmpuint (pair->ends[0].control_us->len, >=, 990);
      /* A lost one takes a round trip longer; one in fifty is, here. */
      g_assert_cmpint (als_test_end_get_control (&pair->ends[0], losses[i] > 0 ? 95 : 99), <=,
                       90 * MS);
      run_dry (pair);
    }
}

static void
test_datagrams_beside_bulk (void)
{
  g_autoptr (AlsTestLinkPair) pair = pair_new (10, 40 * MS, 0);
  AlsTestEnd *from = &pair->ends[0], *to = &pair->ends[1];
  double mbits;

  from->bulk_frame = ALS_FRAME_MAX;
  als_test_link_pair_run (pair, 2 * SECOND);
  /* 4.4 Mbit/s of pictures. */
  from->datagram_every_us = 2 * MS;
  mbits = measure (pair, 1, 5 * SECOND);
  g_test_message ("bulk %.2f Mbit/s; datagrams %u of %u got, %u refused, at most %.1f ms", mbits,
                  (guint) to->datagrams_got, (guint) from->datagrams_sent,
                  (guint) from->datagrams_refused, (double) to->datagram_max_us / 1000);
  g_assert_cmpfloat (mbits, >=, 3.5);
  g_assert_cmpuint (from->datagrams_refused, <=, 25);
  g_assert_cmpuint (to->datagrams_got, >=, from->datagrams_sent * 95 / 100);
  g_assert_cmpint (to->datagram_max_us, <=, 120 * MS);
  run_dry (pair);
}

/* More than the line carries: refused here, not queued. */
static void
test_datagram_flood (void)
{
  g_autoptr (AlsTestLinkPair) pair = pair_new (5, 40 * MS, 0);
  AlsTestEnd *from = &pair->ends[0], *to = &pair->ends[1];

  from->datagram_every_us = MS / 2;
  from->control_every_us = 50 * MS;
  als_test_link_pair_run (pair, 3 * SECOND);
  to->datagram_max_us = 0;
  g_array_set_size (from->control_us, 0);
  als_test_link_pair_run (pair, 5 * SECOND);
  g_test_message ("%u got of %u, %u refused; at most %.1f ms; control p99 %.1f ms",
                  (guint) to->datagrams_got, (guint) from->datagrams_sent,
                  (guint) from->datagrams_refused, (double) to->datagram_max_us / 1000,
                  (double) als_test_end_get_control (from, 99) / 1000);
  g_assert_cmpuint (from->datagrams_refused, >, from->datagrams_sent);
  g_assert_cmpuint (to->datagrams_got * 1100 * 8, >=, 8 * 5000000 * 7 / 10);
  g_assert_cmpint (to->datagram_max_us, <=, 150 * MS);
  g_assert_cmpint (als_test_end_get_control (from, 99), <=, 90 * MS);
}

/* A hole in bulk holds no control back: with every tenth packet lost, control that was not
 * itself lost is as quick as on a clean line. */
static void
test_lanes_independent (void)
{
  g_autoptr (AlsTestLinkPair) pair = pair_new (20, 100 * MS, 0);

  als_test_net_get_line (pair->net, 0)->loss = 0.1;
  pair->ends[0].bulk_frame = ALS_FRAME_MAX;
  pair->ends[1].control_every_us = 50 * MS;
  als_test_link_pair_run (pair, 10 * SECOND);
  /* The question goes the clean way; the answer shares the way of the bulk. */
  g_test_message ("control p50 %.1f ms, p80 %.1f ms, p99 %.1f ms",
                  (double) als_test_end_get_control (&pair->ends[1], 50) / 1000,
                  (double) als_test_end_get_control (&pair->ends[1], 80) / 1000,
                  (double) als_test_end_get_control (&pair->ends[1], 99) / 1000);
  g_assert_cmpint (als_test_end_get_control (&pair->ends[1], 50), <=, 150 * MS);
  g_assert_cmpuint (pair->ends[1].frames_got[ALS_LANE_BULK], >, 100);
  run_dry (pair);
}

static void
test_rough_lines (void)
{
  static const struct
  {
    const char *what;
    double mbits, loss;
    guint burst;
    int64_t jitter_us;
    double duplicate, at_least;
  } cases[] = {
    { "bursts of 8 lost", 20, 0.01, 8, 0, 0, 15 },
    { "5 ms of jitter, reordering", 20, 0, 0, 5 * MS, 0, 15 },
    { "20 ms of jitter, reordering", 20, 0, 0, 20 * MS, 0, 10 },
    { "one in five twice", 20, 0, 0, 0, 0.2, 12 },
    { "all of it", 20, 0.02, 4, 5 * MS, 0.1, 10 },
    { "one in ten lost", 20, 0.1, 0, 0, 0, 8 },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (AlsTestLinkPair) pair = pair_new (cases[i].mbits, 40 * MS, cases[i].loss);
      AlsLinkStats stats;
      double mbits;

      for (guint end = 0; end < 2; end++)
        {
          AlsTestNetLine *line = als_test_net_get_line (pair->net, end);

          line->burst = cases[i].burst;
          line->jitter_us = cases[i].jitter_us;
          line->duplicate = cases[i].duplicate;
        }
      pair->ends[0].bulk_frame = 9000;
      pair->ends[1].control_every_us = 10 * MS;
      als_test_link_pair_run (pair, 2 * SECOND);
      mbits = measure (pair, 1, 4 * SECOND);
      als_link_get_stats (pair->ends[0].link, &stats);
      g_test_message ("%s: %.1f Mbit/s, %u called lost of %u", cases[i].what, mbits,
                      (guint) stats.lost_packets, (guint) pair->ends[0].packets);
      g_assert_cmpfloat (mbits, >=, cases[i].at_least);
      run_dry (pair);
    }
}

static void
test_loss_does_not_collapse (void)
{
  g_autoptr (AlsTestLinkPair) pair = pair_new (20, 100 * MS, 0.02);
  double mbits;

  pair->ends[0].bulk_frame = ALS_FRAME_MAX;
  als_test_link_pair_run (pair, 2 * SECOND);
  mbits = measure (pair, 1, 5 * SECOND);
  g_test_message ("20 Mbit/s, 100 ms, 2 %% lost: %.1f Mbit/s", mbits);
  g_assert_cmpfloat (mbits, >=, 15);
}

static void
test_both_ways (void)
{
  g_autoptr (AlsTestLinkPair) pair = pair_new (20, 40 * MS, 0.005);
  double there, back;

  pair->ends[0].bulk_frame = pair->ends[1].bulk_frame = ALS_FRAME_MAX;
  als_test_link_pair_run (pair, 2 * SECOND);
  back = -(double) pair->ends[0].bytes_got[ALS_LANE_BULK];
  there = measure (pair, 1, 4 * SECOND);
  back = (back + (double) pair->ends[0].bytes_got[ALS_LANE_BULK]) * 8 / (4 * SECOND);
  g_test_message ("%.1f and %.1f Mbit/s", there, back);
  g_assert_cmpfloat (there, >=, 14);
  g_assert_cmpfloat (back, >=, 14);
  run_dry (pair);
}

/* What the other side sends stands before our acknowledgements: no reason to start slowly. */
static void
test_queue_on_the_way_back (void)
{
  g_autoptr (AlsTestLinkPair) pair = pair_new (100, 100 * MS, 0.01);
  AlsLinkStats stats;
  double mbits;

  als_test_link_pair_send (pair, 0, ALS_LANE_CHAT, 1);
  als_test_link_pair_run (pair, SECOND);
  als_test_net_get_line (pair->net, 1)->delay_us += 80 * MS;
  pair->ends[0].bulk_frame = ALS_FRAME_MAX;
  als_test_link_pair_run (pair, 2 * SECOND);
  mbits = measure (pair, 1, 2 * SECOND);
  als_link_get_stats (pair->ends[0].link, &stats);
  g_test_message ("%.1f Mbit/s, a queue of %.1f ms", mbits, stats.queue_delay_us / 1e3);
  g_assert_cmpfloat (mbits, >=, 70);
  run_dry (pair);
}

static void
test_slow_line (void)
{
  g_autoptr (AlsTestLinkPair) pair = pair_new (0.5, 100 * MS, 0);
  double mbits;

  pair->ends[0].bulk_frame = ALS_FRAME_MAX;
  pair->ends[0].control_every_us = 200 * MS;
  als_test_link_pair_run (pair, 5 * SECOND);
  g_array_set_size (pair->ends[0].control_us, 0);
  mbits = measure (pair, 1, 20 * SECOND);
  g_test_message ("0.5 Mbit/s: %.2f Mbit/s, control p99 %.0f ms", mbits,
                  (double) als_test_end_get_control (&pair->ends[0], 99) / 1000);
  g_assert_cmpfloat (mbits, >=, 0.35);
  run_dry (pair);
}

static void
test_mtu (void)
{
  static const uint32_t mtus[] = { 1472, 1372, 1252, 600 };

  for (guint i = 0; i < G_N_ELEMENTS (mtus); i++)
    {
      g_autoptr (AlsTestLinkPair) pair = als_test_link_pair_new (als_udp_link_new,
                                                                 ALS_CARRIER_DATAGRAMS, 3);
      AlsLinkStats stats;

      als_test_net_set (pair->net, 20, 20 * MS, 0);
      als_test_net_get_line (pair->net, 0)->mtu = als_test_net_get_line (pair->net, 1)->mtu
          = mtus[i];
      als_test_link_pair_connect (pair);
      /* Datagrams of full size get through whatever the size of packets. */
      pair->ends[0].datagram_every_us = 10 * MS;
      als_test_link_pair_run (pair, 3 * SECOND);
      als_link_get_stats (pair->ends[0].link, &stats);
      g_assert_cmpuint (stats.mtu, ==, mtus[i] == 600 ? 512 : mtus[i]);
      g_assert_cmpuint (pair->ends[0].datagrams_refused, ==, 0);
      g_assert_cmpuint (pair->ends[1].datagrams_got, >=, pair->ends[0].datagrams_sent - 5);
    }
}

static void
test_black_hole (void)
{
  g_autoptr (AlsTestLinkPair) pair = pair_new (20, 40 * MS, 0.001);
  AlsLinkStats stats;
  double mbits;

  pair->ends[0].bulk_frame = ALS_FRAME_MAX;
  als_test_link_pair_run (pair, 2 * SECOND);
  als_test_net_get_line (pair->net, 0)->mtu = als_test_net_get_line (pair->net, 1)->mtu = 1372;
  als_test_link_pair_run (pair, 3 * SECOND);
  als_link_get_stats (pair->ends[0].link, &stats);
  g_assert_cmpuint (stats.mtu, ==, 1372);
  mbits = measure (pair, 1, 2 * SECOND);
  g_test_message ("after the black hole: %.1f Mbit/s", mbits);
  g_assert_cmpfloat (mbits, >=, 15);
  run_dry (pair);
}

static void
set_dead (AlsTestLinkPair *pair, gboolean there, gboolean back)
{
  als_test_net_get_line (pair->net, 0)->dead = there;
  als_test_net_get_line (pair->net, 1)->dead = back;
}

static void
test_blackout (void)
{
  g_autoptr (AlsTestLinkPair) pair = pair_new (20, 40 * MS, 0);
  double mbits;

  pair->ends[0].bulk_frame = ALS_FRAME_MAX;
  pair->ends[0].control_every_us = 20 * MS;
  als_test_link_pair_run (pair, 2 * SECOND);
  set_dead (pair, TRUE, TRUE);
  als_test_link_pair_run (pair, 3 * SECOND);
  set_dead (pair, FALSE, FALSE);
  als_test_link_pair_run (pair, 1 * SECOND);
  mbits = measure (pair, 1, 2 * SECOND);
  g_test_message ("a second after 3 s of silence: %.1f Mbit/s", mbits);
  g_assert_cmpfloat (mbits, >=, 14);
  run_dry (pair);
}

/* One way dead: little is sent, nothing more is taken, nothing is lost in the end. */
static void
test_half_dead (void)
{
  for (guint way = 0; way < 2; way++)
    {
      g_autoptr (AlsTestLinkPair) pair = pair_new (20, 40 * MS, 0);
      uint64_t packets;

      pair->ends[0].bulk_frame = ALS_FRAME_MAX;
      als_test_link_pair_run (pair, 2 * SECOND);
      set_dead (pair, way == 0, way == 1);
      als_test_link_pair_run (pair, SECOND);
      als_test_link_pair_run (pair, 10 * MS);
      packets = pair->ends[0].packets + pair->ends[1].packets;
      g_assert_cmpuint (als_link_get_room (pair->ends[0].link, ALS_LANE_BULK), ==, 0);
      als_test_link_pair_run (pair, 20 * SECOND);
      packets = pair->ends[0].packets + pair->ends[1].packets - packets;
      g_test_message ("%u packets in 20 s", (guint) packets);
      g_assert_cmpuint (packets, <=, 120);
      g_assert_false (pair->ends[0].closed || pair->ends[1].closed);
      set_dead (pair, FALSE, FALSE);
      als_test_link_pair_run (pair, 4 * SECOND);
      g_assert_cmpfloat (measure (pair, 1, SECOND), >=, 14);
      run_dry (pair);
    }
}

static void
test_full_socket (void)
{
  g_autoptr (AlsTestLinkPair) pair = pair_new (20, 20 * MS, 0);

  pair->capacity = 2;
  pair->ends[0].bulk_frame = ALS_FRAME_MAX;
  als_test_link_pair_run (pair, 2 * SECOND);
  g_assert_cmpfloat (measure (pair, 1, 2 * SECOND), >=, 12);
  run_dry (pair);
}

static void
test_many_small (void)
{
  g_autoptr (AlsTestLinkPair) pair = pair_new (50, 40 * MS, 0.01);

  pair->ends[0].bulk_frame = 20;
  als_test_link_pair_run (pair, 3 * SECOND);
  g_assert_cmpuint (pair->ends[1].frames_got[ALS_LANE_BULK], >, 100000);
  run_dry (pair);
}

static void
test_close (void)
{
  g_autoptr (AlsTestLinkPair) pair = pair_new (10, 40 * MS, 0.1);

  als_test_link_pair_send (pair, 0, ALS_LANE_CHAT, 1000);
  als_link_close (pair->ends[0].link);
  g_assert_cmpuint (als_link_get_room (pair->ends[0].link, ALS_LANE_CHAT), ==, 0);
  als_test_link_pair_run (pair, 2 * SECOND);
  g_assert_true (pair->ends[0].closed && pair->ends[1].closed);
  g_assert_cmpint (pair->ends[0].end, ==, ALS_LINK_END_CLOSED);
  g_assert_cmpint (pair->ends[1].end, ==, ALS_LINK_END_CLOSED);
  g_assert_cmpuint (pair->ends[1].frames_got[ALS_LANE_CHAT], ==, 1);
}

static void
test_close_early (void)
{
  g_autoptr (AlsTestLinkPair) pair = als_test_link_pair_new (als_udp_link_new,
                                                             ALS_CARRIER_DATAGRAMS, 1);
  AlsLinkStats stats;

  als_link_close (pair->ends[0].link);
  g_assert_true (pair->ends[0].closed);
  g_assert_cmpint (pair->ends[0].end, ==, ALS_LINK_END_CLOSED);
  als_link_get_stats (pair->ends[0].link, &stats);
  g_assert_cmpuint (stats.rate, ==, 0);
  als_link_close (pair->ends[0].link);
}

/* Anybody may send anything to a UDP port. */
static void
test_strangers (void)
{
  g_autoptr (AlsTestLinkPair) pair = pair_new (20, 20 * MS, 0);
  g_autoptr (GRand) rand = g_rand_new_with_seed (9);

  pair->ends[0].bulk_frame = ALS_FRAME_MAX;
  for (guint i = 0; i < 2000; i++)
    {
      uint8_t garbage[1600];
      size_t len = (size_t) g_rand_int_range (rand, 0, sizeof garbage);

      for (size_t j = 0; j < len; j++)
        garbage[j] = (uint8_t) g_rand_int (rand);
      als_link_receive (pair->ends[i % 2].link, garbage, len, pair->now_us);
      als_test_link_pair_run (pair, MS);
    }
  g_assert_false (pair->ends[0].closed || pair->ends[1].closed);
  g_assert_cmpfloat (measure (pair, 1, SECOND), >=, 14);
  run_dry (pair);
}

/* A peer that holds the keys, and then says what it likes: a wire of its own. */
typedef struct
{
  AlsWire *wire;
  AlsLink *link;
  AlsLinkEnd end;
  gboolean closed;
  guint frames;
  int64_t now_us;
} Hostile;

static guint
hostile_output_cb (const AlsPacket *packets, guint n, gpointer user_data)
{
  Hostile *hostile = user_data;
  const uint8_t *plain;
  size_t len;

  for (guint i = 0; i < n; i++)
    als_wire_receive (hostile->wire, packets[i].data, packets[i].len, hostile->now_us, &plain,
                      &len);
  return n;
}

static void
hostile_frame_cb (AlsLink *link, AlsLane lane, const uint8_t *data, size_t len, gpointer user_data)
{
  Hostile *hostile = user_data;

  hostile->frames++;
}

static void
hostile_closed_cb (AlsLink *link, AlsLinkEnd reason, gpointer user_data)
{
  Hostile *hostile = user_data;

  hostile->closed = TRUE;
  hostile->end = reason;
}

static const AlsLinkEvents hostile_events = { .frame = hostile_frame_cb,
                                              .closed = hostile_closed_cb };

static void
hostile_init (Hostile *hostile)
{
  AlsLinkConfig config = { .role = ALS_ROLE_INVITER, .carrier = ALS_CARRIER_DATAGRAMS,
                           .path_id = 2, .speaks_first = TRUE };

  *hostile = (Hostile){ .now_us = SECOND };
  hostile->wire = als_wire_new (&config, hostile->now_us);
  config.role = ALS_ROLE_JOINER;
  config.speaks_first = FALSE;
  hostile->link = als_udp_link_new (&config, hostile_output_cb, hostile, hostile->now_us);
  als_link_set_events (hostile->link, &hostile_events, hostile);
  while (!als_wire_is_ready (hostile->wire)
         || als_link_get_room (hostile->link, ALS_LANE_CONTROL) == 0)
    {
      uint8_t out[512];
      size_t len;

      hostile->now_us += 10 * MS;
      g_assert_cmpint (hostile->now_us, <, 10 * SECOND);
      while ((len = als_wire_poll (hostile->wire, out, hostile->now_us)) > 0)
        als_link_receive (hostile->link, out, len, hostile->now_us);
      als_link_poll (hostile->link, hostile->now_us);
    }
}

static void
hostile_clear (Hostile *hostile)
{
  als_link_free (hostile->link);
  als_wire_free (hostile->wire);
}

static void
hostile_say (Hostile *hostile, const uint8_t *plain, size_t len)
{
  uint8_t sealed[2000];

  g_assert_cmpuint (len, <=, sizeof sealed - ALS_WIRE_OVERHEAD);
  len = als_wire_seal (hostile->wire, plain, len, sealed, hostile->now_us);
  als_link_receive (hostile->link, sealed, len, hostile->now_us);
  als_link_poll (hostile->link, hostile->now_us);
}

/* A pseudo-TCP packet in the control lane's stream, whose OFFSET moves on. */
static void
hostile_say_tcp (Hostile *hostile, uint32_t number, uint32_t *offset, uint32_t conversation,
                 uint32_t seq, uint32_t ack, uint8_t flags, const char *data, size_t data_len)
{
  AlsPacketHeader header = { .kind = ALS_PACKET_NUMBERED, .number = number, .floor = UINT16_MAX };
  const uint32_t tcp[6] = { GUINT32_TO_BE (conversation), GUINT32_TO_BE (seq), GUINT32_TO_BE (ack),
                            GUINT32_TO_BE ((uint32_t) flags << 16 | 4096), GUINT32_TO_BE (1),
                            GUINT32_TO_BE (1) };
  uint8_t plain[1400];
  size_t at = als_packet_write_header (plain, &header), len = sizeof tcp + data_len;

  at += als_packet_write_stream (plain + at, ALS_LANE_CONTROL, *offset, 2 + len);
  plain[at++] = (uint8_t) (len >> 8);
  plain[at++] = (uint8_t) len;
  memcpy (plain + at, tcp, sizeof tcp);
  if (data_len > 0)
    memcpy (plain + at + sizeof tcp, data, data_len);
  at += len;
  *offset += 2 + (uint32_t) len;
  hostile_say (hostile, plain, at);
}

static void
test_hostile_peer (void)
{
  static const char connect[] = { 0, 3, 1, 7, (char) 254, 1, 0 };
  static const char good[] = { 0, 2, 'h', 'i' };
  static const struct
  {
    const char *what;
    uint32_t conversation, seq, ack;
    uint8_t flags;
    const char *data;
    size_t len;
    gboolean fine;
  } cases[] = {
    { "a good frame", 0, 7, 7, 0, good, 4, TRUE },
    { "half a frame", 0, 7, 7, 0, good, 3, TRUE },
    { "a reset", 0, 7, 7, 4, NULL, 0, FALSE },
    { "an end", 0, 7, 7, 1, NULL, 0, FALSE },
    { "another conversation", 9, 7, 7, 0, good, 4, FALSE },
    { "a gap", 0, 8, 7, 0, good, 4, FALSE },
    { "bytes from before", 0, 6, 7, 0, good, 4, FALSE },
    { "an acknowledgement of the future", 0, 7, 800, 0, good, 4, FALSE },
    { "a frame too long", 0, 7, 7, 0, "\377\377xx", 4, FALSE },
    { "a frame of nothing", 0, 7, 7, 0, "\0\0", 2, FALSE },
    { "another connect", 0, 7, 7, 2, connect, 7, FALSE },
    { "a connect without options", 0, 0, 7, 2, connect, 1, FALSE },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      Hostile hostile;
      uint32_t offset = 0;

      g_test_message ("%s", cases[i].what);
      hostile_init (&hostile);
      hostile_say_tcp (&hostile, 0, &offset, 0, 0, 0, 2, connect, sizeof connect);
      g_assert_false (hostile.closed);
      hostile_say_tcp (&hostile, 1, &offset, cases[i].conversation, cases[i].seq, cases[i].ack,
                       cases[i].flags, cases[i].data, cases[i].len);
      g_assert_cmpint (hostile.closed, ==, !cases[i].fine);
      if (hostile.closed)
        g_assert_cmpint (hostile.end, ==, ALS_LINK_END_PROTOCOL);
      g_assert_cmpuint (hostile.frames, ==, i == 0);
      hostile_clear (&hostile);
    }
}

static void
test_hostile_packets (void)
{
  static const uint8_t unknown[] = { 200, 1, 2, 3 };
  static const uint8_t ack_of_nothing[] = { ALS_PACKET_BARE, 1, 0, 0, 9, 9, 0, 0, 0, 0, 0, 0, 0 };
  static const uint8_t far[] = { ALS_PACKET_NUMBERED, 0, 0, 0, 1, 0, 0, 18, 9, 0, 0, 0, 0, 1, 1 };
  static const struct
  {
    const uint8_t *plain;
    size_t len;
  } cases[] = {
    { unknown, sizeof unknown },
    { unknown, 0 },
    { ack_of_nothing, sizeof ack_of_nothing },
    { far, sizeof far },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      Hostile hostile;

      hostile_init (&hostile);
      hostile_say (&hostile, cases[i].plain, cases[i].len);
      g_assert_true (hostile.closed);
      g_assert_cmpint (hostile.end, ==, ALS_LINK_END_PROTOCOL);
      hostile_clear (&hostile);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/transport/udp-link/carries-frames-once-ready", test_ready);
  g_test_add_func ("/transport/udp-link/ends-without-a-hello", test_no_hello);
  g_test_add_func ("/transport/udp-link/is-silent-when-idle", test_idle);
  g_test_add_func ("/transport/udp-link/control-is-quick-beside-a-file", test_control_beside_bulk);
  g_test_add_func ("/transport/udp-link/pictures-go-before-a-file", test_datagrams_beside_bulk);
  g_test_add_func ("/transport/udp-link/too-many-pictures-are-refused", test_datagram_flood);
  g_test_add_func ("/transport/udp-link/a-hole-in-one-lane-holds-no-other-back",
                   test_lanes_independent);
  g_test_add_func ("/transport/udp-link/rough-lines", test_rough_lines);
  g_test_add_func ("/transport/udp-link/loss-does-not-collapse-it", test_loss_does_not_collapse);
  g_test_add_func ("/transport/udp-link/both-ways-at-once", test_both_ways);
  g_test_add_func ("/transport/udp-link/a-queue-on-the-way-back-is-not-its-own", test_queue_on_the_way_back);
  g_test_add_func ("/transport/udp-link/slow-line", test_slow_line);
  g_test_add_func ("/transport/udp-link/finds-the-mtu", test_mtu);
  g_test_add_func ("/transport/udp-link/survives-a-black-hole", test_black_hole);
  g_test_add_func ("/transport/udp-link/survives-a-blackout", test_blackout);
  g_test_add_func ("/transport/udp-link/waits-on-a-half-dead-path", test_half_dead);
  g_test_add_func ("/transport/udp-link/a-full-socket-is-asked-again", test_full_socket);
  g_test_add_func ("/transport/udp-link/many-small-frames", test_many_small);
  g_test_add_func ("/transport/udp-link/closes-after-what-is-queued", test_close);
  g_test_add_func ("/transport/udp-link/closes-before-the-hello", test_close_early);
  g_test_add_func ("/transport/udp-link/strangers-are-ignored", test_strangers);
  g_test_add_func ("/transport/udp-link/a-hostile-peer-ends-the-link", test_hostile_peer);
  g_test_add_func ("/transport/udp-link/nonsense-under-the-right-key-ends-the-link",
                   test_hostile_packets);
  return g_test_run ();
}
