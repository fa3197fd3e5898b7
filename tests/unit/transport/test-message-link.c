/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Two message links over a relay or a stream of our own, which has a rate and a queue, with a clock of
 * our own. */
#include "base/als-bytes.h"
#include "crypto/als-crypto.h"
#include "transport/als-message-link.h"
#include "transport/als-wire.h"

#include <math.h>
#include <string.h>

#define MS ((int64_t) 1000)
#define S ((int64_t) G_USEC_PER_SEC)
#define MBIT_S (1000000 / 8)

typedef struct
{
  int64_t at_us;      /* when it reaches the far end */
  int64_t sent_us;
  size_t len;
  uint8_t data[];
} Message;

typedef struct _Relay Relay;

typedef struct
{
  Relay *relay;
  guint index;
  AlsLink *link;
  GQueue flying;          /* towards the other side */
  int64_t busy_until_us;  /* the relay's shaper in that direction */
  size_t flying_bytes, max_flying_bytes;
  uint64_t sent_bytes;
  guint ready, closed;
  AlsLinkEnd end;
  GPtrArray *frames[ALS_N_LANES]; /* (element-type GBytes), where kept */
  gboolean keep;
  uint64_t got_bytes[ALS_N_LANES];
  guint n_datagrams;
  gboolean feeds_bulk;    /* whenever there is room */
  gboolean answers;       /* control frames come back */
  GArray *round_trips;    /* int64_t, of control frames that came back */
  int64_t datagram_age_us; /* largest */
  gboolean frozen;        /* takes nothing, is not polled */
  gboolean in_room;
} Side;

struct _Relay
{
  Side side[2];
  AlsCarrierType carrier;
  double rate;            /* bytes a second, each direction; 0: no limit */
  int64_t one_way_us;
  int64_t now_us;
  guint refuse_one_in;    /* the output refuses at random; 0: never */
  GRand *rand;
};

static guint
relay_output (const AlsPacket *packets, guint n, gpointer user_data)
{
  Side *side = user_data;
  Relay *relay = side->relay;
  Message *message;

  g_assert_cmpuint (n, ==, 1);
  if (relay->refuse_one_in != 0 && g_rand_int_range (relay->rand, 0, (gint) relay->refuse_one_in) == 0)
    return 0;
  message = g_malloc (sizeof *message + packets->len);
  message->len = packets->len;
  message->sent_us = relay->now_us;
  memcpy (message->data, packets->data, packets->len);
  side->busy_until_us = MAX (side->busy_until_us, relay->now_us + relay->one_way_us / 2)
                        + (relay->rate > 0 ? (int64_t) (packets->len / relay->rate * 1e6) : 0);
  message->at_us = side->busy_until_us + relay->one_way_us / 2;
  side->sent_bytes += packets->len;
  side->flying_bytes += packets->len;
  side->max_flying_bytes = MAX (side->max_flying_bytes, side->flying_bytes);
  g_queue_push_tail (&side->flying, message);
  return 1;
}

static void
feed (Side *side)
{
  static const uint8_t bytes[8000];

  while (side->feeds_bulk && als_link_get_room (side->link, ALS_LANE_BULK) > 0)
    g_assert_true (als_link_send_frame (side->link, ALS_LANE_BULK, bytes, sizeof bytes));
}

static void
on_ready (AlsLink *link, gpointer user_data)
{
  ((Side *) user_data)->ready++;
  feed (user_data);
}

static void
on_room (AlsLink *link, gpointer user_data)
{
  feed (user_data);
}

static void
on_frame (AlsLink *link, AlsLane lane, const uint8_t *data, size_t len, gpointer user_data)
{
  Side *side = user_data;

  side->got_bytes[lane] += len;
  if (side->keep)
    g_ptr_array_add (side->frames[lane], g_bytes_new (data, len));
  if (lane == ALS_LANE_CONTROL && side->answers)
    g_assert_true (als_link_send_frame (link, ALS_LANE_CONTROL, data, len));
  else if (lane == ALS_LANE_CONTROL && len == sizeof (int64_t))
    {
      int64_t sent_us, took_us;

      memcpy (&sent_us, data, sizeof sent_us);
      took_us = side->relay->now_us - sent_us;
      g_array_append_val (side->round_trips, took_us);
    }
  /* A poll from within is the owner's mistake, but harmless. */
  als_link_poll (link, side->relay->now_us);
}

static void
on_datagram (AlsLink *link, const uint8_t *data, size_t len, gpointer user_data)
{
  Side *side = user_data;
  int64_t sent_us;

  side->n_datagrams++;
  memcpy (&sent_us, data, sizeof sent_us);
  side->datagram_age_us = MAX (side->datagram_age_us, side->relay->now_us - sent_us);
}

static void
on_closed (AlsLink *link, AlsLinkEnd end, gpointer user_data)
{
  Side *side = user_data;

  side->closed++;
  side->end = end;
}

static const AlsLinkEvents events = { on_ready, on_frame, on_datagram, on_room, on_closed };

static AlsLinkConfig
make_config (AlsCarrierType carrier, guint index, uint64_t rate_limit, uint64_t backlog_limit)
{
  AlsLinkConfig config = {
    .role = index == 0 ? ALS_ROLE_INVITER : ALS_ROLE_JOINER,
    .carrier = carrier,
    .kind = ALS_PATH_SIGNAL_RELAY,
    .session_secret = { 1, 2, 3 },
    .path_id = 9,
    .speaks_first = index == 0,
    .rate_limit = rate_limit,
    .backlog_limit = backlog_limit,
  };

  return config;
}

static Relay *
relay_new_over (AlsCarrierType carrier, double rate, int64_t one_way_us, uint64_t rate_limit,
                uint64_t backlog_limit)
{
  Relay *relay = g_new0 (Relay, 1);

  relay->carrier = carrier;
  relay->rate = rate;
  relay->one_way_us = one_way_us;
  relay->now_us = 1000 * S;
  relay->rand = g_rand_new_with_seed (3);
  for (guint i = 0; i < 2; i++)
    {
      AlsLinkConfig config = make_config (carrier, i, rate_limit, backlog_limit);
      Side *side = &relay->side[i];

      side->relay = relay;
      side->index = i;
      g_queue_init (&side->flying);
      for (guint lane = 0; lane < ALS_N_LANES; lane++)
        side->frames[lane] = g_ptr_array_new_with_free_func ((GDestroyNotify) g_bytes_unref);
      side->round_trips = g_array_new (FALSE, FALSE, sizeof (int64_t));
      side->link = als_message_link_new (&config, relay_output, side, relay->now_us);
      als_link_set_events (side->link, &events, side);
    }
  return relay;
}

static Relay *
relay_new (double rate, int64_t one_way_us, uint64_t rate_limit, uint64_t backlog_limit)
{
  return relay_new_over (ALS_CARRIER_MESSAGES, rate, one_way_us, rate_limit, backlog_limit);
}

static void
relay_free (Relay *relay)
{
  for (guint i = 0; i < 2; i++)
    {
      Side *side = &relay->side[i];

      als_link_free (side->link);
      g_queue_clear_full (&side->flying, g_free);
      for (guint lane = 0; lane < ALS_N_LANES; lane++)
        g_ptr_array_unref (side->frames[lane]);
      g_array_unref (side->round_trips);
    }
  g_rand_free (relay->rand);
  g_free (relay);
}

static void
relay_poll (Relay *relay)
{
  for (guint i = 0; i < 2; i++)
    if (!relay->side[i].frozen)
      als_link_poll (relay->side[i].link, relay->now_us);
}

/* A stream's bytes come cut anyhow. */
static void
deliver (Relay *relay, AlsLink *to, const uint8_t *data, size_t len)
{
  while (len > 0)
    {
      size_t n = len;

      if (relay->carrier == ALS_CARRIER_STREAM)
        n = (size_t) g_rand_int_range (relay->rand, 1, 40000);
      n = MIN (n, len);
      als_link_receive (to, data, n, relay->now_us);
      data += n;
      len -= n;
    }
}

/* Does what is due next; FALSE: nothing is before UNTIL_US. */
static gboolean
relay_step (Relay *relay, int64_t until_us)
{
  int64_t next_us = INT64_MAX;
  Side *from = NULL;

  relay_poll (relay);
  for (guint i = 0; i < 2; i++)
    if (!relay->side[i].frozen)
      next_us = MIN (next_us, als_link_get_deadline (relay->side[i].link));
  for (guint i = 0; i < 2; i++)
    {
      Message *message = g_queue_peek_head (&relay->side[i].flying);

      if (message != NULL && !relay->side[!i].frozen && message->at_us <= next_us)
        {
          next_us = message->at_us;
          from = &relay->side[i];
        }
    }
  g_assert_cmpint (next_us, >=, from != NULL ? 0 : relay->now_us + 1);
  if (next_us > until_us)
    {
      relay->now_us = MAX (relay->now_us, until_us);
      return FALSE;
    }
  relay->now_us = MAX (relay->now_us, next_us);
  if (from != NULL)
    {
      g_autofree Message *message = g_queue_pop_head (&from->flying);

      from->flying_bytes -= message->len;
      deliver (relay, relay->side[!from->index].link, message->data, message->len);
    }
  return TRUE;
}

static void
relay_run (Relay *relay, int64_t duration_us)
{
  int64_t until_us = relay->now_us + duration_us;

  while (relay_step (relay, until_us))
    ;
}

static void
send_stamped (Side *side, AlsLane lane)
{
  g_assert_true (als_link_send_frame (side->link, lane, (const uint8_t *) &side->relay->now_us,
                                      sizeof side->relay->now_us));
}

static gboolean
send_datagram (Side *side)
{
  uint8_t data[ALS_DATAGRAM_MAX] = { 0 };

  memcpy (data, &side->relay->now_us, sizeof side->relay->now_us);
  return als_link_send_datagram (side->link, data, sizeof data);
}

static int
compare_times (gconstpointer a, gconstpointer b)
{
  int64_t x = *(const int64_t *) a, y = *(const int64_t *) b;

  return x < y ? -1 : x > y;
}

static int64_t
percentile (GArray *times, double share)
{
  g_array_sort (times, compare_times);
  g_assert_cmpuint (times->len, >, 50);
  return g_array_index (times, int64_t, (guint) (share * (times->len - 1)));
}

static void
test_everything_arrives (gconstpointer user_data)
{
  AlsCarrierType carrier = (AlsCarrierType) GPOINTER_TO_UINT (user_data);
  gboolean stated = carrier == ALS_CARRIER_MESSAGES;
  Relay *relay = relay_new_over (carrier, MBIT_S, 10 * MS, stated ? MBIT_S : 0,
                                 stated ? 64 * 1024 : 0);
  GPtrArray *sent[2][ALS_N_LANES];
  AlsLinkStats stats;
  uint64_t total = 0;

  relay->refuse_one_in = 5;
  g_assert_cmpuint (als_link_get_room (relay->side[0].link, ALS_LANE_CONTROL), ==, 0);
  g_assert_false (als_link_send_frame (relay->side[0].link, ALS_LANE_CONTROL, (uint8_t *) "x", 1));
  g_assert_false (als_link_send_datagram (relay->side[0].link, (uint8_t *) "x", 1));
  relay_run (relay, S);
  for (guint i = 0; i < 2; i++)
    {
      g_assert_cmpuint (relay->side[i].ready, ==, 1);
      relay->side[i].keep = TRUE;
      for (guint lane = 0; lane < ALS_N_LANES; lane++)
        sent[i][lane] = g_ptr_array_new_with_free_func ((GDestroyNotify) g_bytes_unref);
    }
  for (guint n = 0; n < 1500; n++)
    for (guint i = 0; i < 2; i++)
      {
        AlsLane lane = (AlsLane) g_rand_int_range (relay->rand, 0, ALS_N_LANES);
        size_t len = n % 50 == 0 ? ALS_FRAME_MAX : (size_t) g_rand_int_range (relay->rand, 1, 600);
        g_autofree uint8_t *data = g_malloc (len);

        for (size_t at = 0; at < len; at++)
          data[at] = (uint8_t) g_rand_int (relay->rand);
        while (als_link_get_room (relay->side[i].link, lane) == 0)
          relay_run (relay, 5 * MS);
        g_assert_true (als_link_send_frame (relay->side[i].link, lane, data, len));
        g_ptr_array_add (sent[i][lane], g_bytes_new (data, len));
        total += i == 0 ? len : 0;
        relay_run (relay, MS / 10);
      }
  relay_run (relay, 5 * S);
  for (guint i = 0; i < 2; i++)
    for (guint lane = 0; lane < ALS_N_LANES; lane++)
      {
        GPtrArray *got = relay->side[!i].frames[lane];

        g_assert_cmpuint (got->len, ==, sent[i][lane]->len);
        for (guint n = 0; n < got->len; n++)
          g_assert_true (g_bytes_equal (got->pdata[n], sent[i][lane]->pdata[n]));
        g_ptr_array_unref (sent[i][lane]);
      }
  als_link_get_stats (relay->side[0].link, &stats);
  g_assert_cmpuint (stats.acked_bytes, ==, total);
  g_assert_cmpuint (stats.queued_bytes, ==, 0);
  g_assert_cmpuint (stats.path_id, ==, 9);
  g_assert_cmpint (stats.kind, ==, ALS_PATH_SIGNAL_RELAY);
  relay_free (relay);
}

static void
test_idle_costs_nothing (void)
{
  Relay *relay = relay_new (0, 20 * MS, MBIT_S, 64 * 1024);
  uint64_t sent;

  relay_run (relay, S);
  send_stamped (&relay->side[0], ALS_LANE_CONTROL);
  relay_run (relay, S);
  sent = relay->side[0].sent_bytes + relay->side[1].sent_bytes;
  for (guint i = 0; i < 2; i++)
    g_assert_cmpint (als_link_get_deadline (relay->side[i].link), ==, INT64_MAX);
  relay_run (relay, 3600 * S);
  g_assert_cmpuint (relay->side[0].sent_bytes + relay->side[1].sent_bytes, ==, sent);
  relay_free (relay);
}

/* Over every whole second, and nearly used up. The relay itself is far faster. */
static void
test_pacing_holds_the_rate (void)
{
  static const double rates[] = { 1 * MBIT_S, 10 * MBIT_S };

  for (guint r = 0; r < G_N_ELEMENTS (rates); r++)
    {
      Relay *relay = relay_new (0, 20 * MS, (uint64_t) rates[r], 64 * 1024);
      uint64_t before;

      relay->side[0].feeds_bulk = relay->side[1].feeds_bulk = TRUE;
      relay_run (relay, 5 * S);
      before = relay->side[1].got_bytes[ALS_LANE_BULK];
      for (guint second = 0; second < 10; second++)
        {
          uint64_t start = relay->side[0].sent_bytes;

          relay_run (relay, S);
          g_assert_cmpfloat ((double) (relay->side[0].sent_bytes - start), <=, rates[r]);
        }
      g_assert_cmpfloat ((double) (relay->side[1].got_bytes[ALS_LANE_BULK] - before), >=,
                         0.9 * 10 * rates[r]);
      relay_free (relay);
    }
}

static void
test_backlog_is_kept (void)
{
  static const uint64_t backlogs[] = { 8 * 1024, 64 * 1024 };

  for (guint b = 0; b < G_N_ELEMENTS (backlogs); b++)
    {
      Relay *relay = relay_new (MBIT_S, 200 * MS, 10 * MBIT_S, backlogs[b]);

      relay->side[0].feeds_bulk = relay->side[1].feeds_bulk = TRUE;
      relay_run (relay, 20 * S);
      /* The peer stops: its side of the relay fills, up to what is stated, and no byte more. */
      relay->side[1].frozen = TRUE;
      relay_run (relay, 20 * S);
      g_assert_cmpuint (relay->side[0].max_flying_bytes, <=, backlogs[b]);
      g_assert_cmpuint (als_link_get_room (relay->side[0].link, ALS_LANE_BULK), ==, 0);
      g_assert_cmpuint (als_link_get_room (relay->side[0].link, ALS_LANE_CONTROL), >, 0);
      g_assert_cmpint (als_link_get_deadline (relay->side[0].link), ==, INT64_MAX);
      /* And goes on. */
      relay->side[1].frozen = FALSE;
      {
        uint64_t before = relay->side[1].got_bytes[ALS_LANE_BULK], got;

        relay_run (relay, 20 * S);
        got = relay->side[1].got_bytes[ALS_LANE_BULK] - before;
        g_test_message ("backlog %u KiB, round trip 400 ms: %.2f Mbit/s", (guint) backlogs[b] / 1024,
                        got / 20.0 / MBIT_S);
        g_assert_cmpuint (got, >, b == 0 ? 20 * 4000 : 20 * MBIT_S * 7 / 10);
      }
      for (guint i = 0; i < 2; i++)
        {
          g_assert_cmpuint (relay->side[i].max_flying_bytes, <=, backlogs[b]);
          g_assert_cmpuint (relay->side[i].closed, ==, 0);
        }
      relay_free (relay);
    }
}

/* Control goes there and back while files go both ways; the relay shapes to the stated rate. */
static void
test_control_beside_bulk (void)
{
  static const struct { double rate; int64_t p99_us; } rows[] = {
    { 10 * MBIT_S, 40 * MS + 50 * MS },
    { 1 * MBIT_S, 40 * MS + 60 * MS },
  };

  for (guint r = 0; r < G_N_ELEMENTS (rows); r++)
    for (guint both = 0; both < 2; both++)
      {
        Relay *relay = relay_new (rows[r].rate, 20 * MS, (uint64_t) rows[r].rate, 64 * 1024);
        int64_t p50_us, p99_us;
        double share;

        relay->side[0].feeds_bulk = TRUE;
        relay->side[1].feeds_bulk = both == 1;
        relay->side[1].answers = TRUE;
        relay_run (relay, 5 * S);
        relay->side[1].got_bytes[ALS_LANE_BULK] = 0;
        for (guint n = 0; n < 1000; n++)
          {
            send_stamped (&relay->side[0], ALS_LANE_CONTROL);
            relay_run (relay, 10 * MS + g_rand_int_range (relay->rand, 0, 10000));
          }
        relay_run (relay, S);
        g_assert_cmpuint (relay->side[0].round_trips->len, ==, 1000);
        p50_us = percentile (relay->side[0].round_trips, 0.5);
        p99_us = percentile (relay->side[0].round_trips, 0.99);
        share = relay->side[1].got_bytes[ALS_LANE_BULK] / (16 * rows[r].rate);
        g_test_message ("%.0f Mbit/s, files %s: control round trip p50 %.1f ms, p99 %.1f ms; files %.0f %%",
                        rows[r].rate / MBIT_S, both ? "both ways" : "one way", p50_us / 1e3,
                        p99_us / 1e3, share * 100);
        g_assert_cmpint (p99_us, <=, rows[r].p99_us);
        g_assert_cmpfloat (share, >, 0.75);
        relay_free (relay);
      }
}

/* Nobody states a rate: a stream, or messages striped over several connections. What is below has a
 * queue without end, as drop-tail queues on slow lines nearly have. */
static void
test_nothing_stated (gconstpointer data)
{
  static const struct { double rate; int64_t one_way_us; double share; int64_t p99_us; } rows[] = {
    { 1 * MBIT_S, 20 * MS, 0.85, 40 * MS + 70 * MS },
    { 10 * MBIT_S, 1 * MS, 0.9, 2 * MS + 50 * MS },
    { 10 * MBIT_S, 20 * MS, 0.9, 40 * MS + 50 * MS },
    { 100 * MBIT_S, 20 * MS, 0.9, 40 * MS + 50 * MS },
    { 10 * MBIT_S, 100 * MS, 0.9, 200 * MS + 90 * MS },
    { 1000 * MBIT_S, 5 * MS, 0.9, 10 * MS + 50 * MS },
  };

  for (guint r = 0; r < G_N_ELEMENTS (rows); r++)
    {
      Relay *relay = relay_new_over ((AlsCarrierType) GPOINTER_TO_UINT (data), rows[r].rate,
                                     rows[r].one_way_us, 0, 0);
      AlsLinkStats stats;
      int64_t p99_us;
      double share, told;

      relay->side[0].feeds_bulk = TRUE;
      relay->side[1].answers = TRUE;
      relay_run (relay, 3 * S);
      relay->side[1].got_bytes[ALS_LANE_BULK] = 0;
      for (guint n = 0; n < 200; n++)
        {
          send_stamped (&relay->side[0], ALS_LANE_CONTROL);
          relay_run (relay, 25 * MS);
        }
      share = relay->side[1].got_bytes[ALS_LANE_BULK] / (5 * rows[r].rate);
      als_link_get_stats (relay->side[0].link, &stats);
      told = stats.rate / rows[r].rate;
      p99_us = percentile (relay->side[0].round_trips, 0.99);
      g_test_message ("%.0f Mbit/s, %" G_GINT64_FORMAT " ms: files %.0f %%, rate told %.0f %%, control p99 %.1f ms",
                      rows[r].rate / MBIT_S, 2 * rows[r].one_way_us / MS, share * 100, told * 100,
                      p99_us / 1e3);
      g_assert_cmpfloat (share, >=, rows[r].share);
      g_assert_cmpint (p99_us, <=, rows[r].p99_us);
      g_assert_cmpfloat (told, >=, 0.75);
      g_assert_cmpfloat (told, <=, 1.2);
      relay_free (relay);
    }
}

/* One message is held up on the way, as on any wireless network: that is no queue, and a file that begins
 * then finds its rate as quickly as ever. */
static void
test_one_late_message_slows_no_start (void)
{
  double share[2];

  for (guint late = 0; late < 2; late++)
    {
      Relay *relay = relay_new_over (ALS_CARRIER_STREAM, 100 * MBIT_S, 50 * MS, 0, 0);

      relay_run (relay, S);
      send_stamped (&relay->side[0], ALS_LANE_CONTROL);
      if (late)
        relay->side[0].busy_until_us = relay->now_us + 80 * MS;
      relay_run (relay, 300 * MS);
      relay->side[0].feeds_bulk = TRUE;
      feed (&relay->side[0]);
      relay_run (relay, 1500 * MS);
      share[late] = relay->side[1].got_bytes[ALS_LANE_BULK] / (1.5 * relay->rate);
      relay_free (relay);
    }
  g_test_message ("of the first 1.5 s: %.0f %%, after a late message %.0f %%", share[0] * 100, share[1] * 100);
  g_assert_cmpfloat (share[0], >, 0.35);
  g_assert_cmpfloat (share[1], >, 0.8 * share[0]);
}

/* All messages of some tens of milliseconds are late, as on a busy machine, while a file finds its rate. */
static void
test_short_hold_up_ends_no_start (void)
{
  double share[2];

  for (guint late = 0; late < 2; late++)
    {
      Relay *relay = relay_new_over (ALS_CARRIER_MESSAGES, 100 * MBIT_S, 50 * MS, 0, 0);

      relay_run (relay, S);
      relay->side[0].feeds_bulk = TRUE;
      feed (&relay->side[0]);
      for (guint i = 0; i < 40; i++)
        {
          relay_run (relay, 5 * MS);
          if (late && i > 10)
            relay->side[0].busy_until_us = relay->now_us + 90 * MS;
        }
      relay_run (relay, 1500 * MS);
      share[late] = relay->side[1].got_bytes[ALS_LANE_BULK] / (1.7 * relay->rate);
      relay_free (relay);
    }
  g_test_message ("of the first 1.7 s: %.0f %%, after a hold-up %.0f %%", share[0] * 100, share[1] * 100);
  g_assert_cmpfloat (share[1], >, 0.5 * share[0]);
}

/* Other connections join the first, which was full: what they carry is not found step by step. */
static void
test_wider_path_is_used (void)
{
  Relay *relay = relay_new (10 * MBIT_S, 50 * MS, 0, 0);
  uint64_t before;

  relay_run (relay, S);
  relay->side[0].feeds_bulk = TRUE;
  feed (&relay->side[0]);
  relay_run (relay, 3 * S);
  relay->rate = 80 * MBIT_S;
  als_link_widened (relay->side[0].link);
  relay_run (relay, 600 * MS);
  before = relay->side[1].got_bytes[ALS_LANE_BULK];
  relay_run (relay, S);
  g_test_message ("%.0f %% of it", (relay->side[1].got_bytes[ALS_LANE_BULK] - before) * 100 / relay->rate);
  g_assert_cmpfloat (relay->side[1].got_bytes[ALS_LANE_BULK] - before, >, 0.9 * relay->rate);
  /* And no queue stays. */
  relay->side[1].answers = TRUE;
  relay_run (relay, S);
  send_stamped (&relay->side[0], ALS_LANE_CONTROL);
  relay_run (relay, S);
  g_assert_cmpuint (relay->side[0].round_trips->len, ==, 1);
  g_assert_cmpint (g_array_index (relay->side[0].round_trips, int64_t, 0), <, 150 * MS);
  relay_free (relay);
}

/* A stream below takes what it has room for and then stands still, as TCP does after a loss. */
static void
test_stall_is_told (void)
{
  Relay *relay = relay_new_over (ALS_CARRIER_STREAM, 10 * MBIT_S, 20 * MS, 0, 0);
  AlsLinkStats stats;

  relay_run (relay, S);
  g_assert_true (send_datagram (&relay->side[0]));
  relay_run (relay, 30 * MS);
  als_link_get_stats (relay->side[0].link, &stats);
  g_assert_cmpint (stats.queue_delay_us, ==, 0);
  relay->side[1].frozen = TRUE;
  g_assert_true (send_datagram (&relay->side[0]));
  relay_run (relay, 500 * MS);
  als_link_poll (relay->side[0].link, relay->now_us);
  als_link_get_stats (relay->side[0].link, &stats);
  g_assert_cmpint (stats.queue_delay_us, >, 350 * MS);
  relay->side[1].frozen = FALSE;
  relay_run (relay, S);
  als_link_get_stats (relay->side[0].link, &stats);
  g_assert_cmpint (stats.queue_delay_us, ==, 0);
  g_assert_cmpuint (relay->side[1].n_datagrams, ==, 2);
  /* A long one beside files: a second later the rate told is the true one again. */
  relay->side[0].feeds_bulk = TRUE;
  feed (&relay->side[0]);
  relay_run (relay, 3 * S);
  relay->side[1].frozen = TRUE;
  relay_run (relay, 20 * S);
  relay->side[1].frozen = FALSE;
  relay_run (relay, 3 * S);
  als_link_get_stats (relay->side[0].link, &stats);
  g_assert_cmpfloat ((double) stats.rate, >=, 0.8 * 10 * MBIT_S);
  relay_free (relay);
}

/* A stranger on the port: not one byte for it, and no place for long. */
static void
test_stranger_on_the_port (void)
{
  static const char *const sayings[] = {
    "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "\x16\x03\x01\x02",
    "SSH-2.0-OpenSSH_9.2\r\n",
    "\x01\x01x",
    NULL, /* silence */
  };

  for (guint i = 0; i < G_N_ELEMENTS (sayings); i++)
    {
      Relay *relay = relay_new_over (ALS_CARRIER_STREAM, 0, MS, 0, 0);
      Side *listener = &relay->side[1];

      relay->side[0].frozen = TRUE;
      if (sayings[i] != NULL)
        als_link_receive (listener->link, (const uint8_t *) sayings[i], strlen (sayings[i]),
                          relay->now_us);
      relay_run (relay, sayings[i] != NULL ? MS : 5 * S - 1);
      g_assert_cmpuint (listener->closed, ==, sayings[i] != NULL);
      relay_run (relay, MS);
      g_assert_cmpuint (listener->closed, ==, 1);
      g_assert_cmpint (listener->end, ==, ALS_LINK_END_HELLO_FAILED);
      g_assert_cmpuint (listener->sent_bytes, ==, 0);
      relay_free (relay);
    }
}

static void
test_broken_record_ends_it (void)
{
  for (guint at = 0; at < 38; at++)
    {
      Relay *relay = relay_new_over (ALS_CARRIER_STREAM, 0, 20 * MS, 0, 0);
      Message *message;

      relay_run (relay, S);
      send_stamped (&relay->side[0], ALS_LANE_CONTROL);
      relay_poll (relay);
      message = g_queue_peek_head (&relay->side[0].flying);
      g_assert_cmpuint (message->len, >=, 38);
      message->data[at] ^= 1;
      /* What a changed length swallows shows with what follows. */
      for (guint n = 0; n < 20; n++)
        {
          relay_run (relay, 50 * MS);
          als_link_send_frame (relay->side[0].link, ALS_LANE_CONTROL, (uint8_t *) "0123456789", 10);
        }
      relay_run (relay, S);
      g_assert_cmpuint (relay->side[1].got_bytes[ALS_LANE_CONTROL], ==, 0);
      g_assert_cmpuint (relay->side[1].closed, ==, 1);
      g_assert_cmpint (relay->side[1].end, ==, ALS_LINK_END_CARRIER);
      relay_free (relay);
    }
}

/* Somebody's line is much slower than what the relay allows. */
static void
test_slow_line (void)
{
  Relay *relay = relay_new (MBIT_S, 20 * MS, 10 * MBIT_S, 64 * 1024);
  AlsLinkStats stats;
  uint64_t before;

  relay->side[0].feeds_bulk = TRUE;
  relay->side[1].answers = TRUE;
  relay_run (relay, 10 * S);
  before = relay->side[1].got_bytes[ALS_LANE_BULK];
  for (guint n = 0; n < 500; n++)
    {
      send_stamped (&relay->side[0], ALS_LANE_CONTROL);
      relay_run (relay, 20 * MS);
    }
  als_link_get_stats (relay->side[0].link, &stats);
  g_test_message ("1 of 10 Mbit/s: rate told %.2f, files %.2f Mbit/s; control p99 %.1f ms, round trip %.1f ms",
                  stats.rate / (double) MBIT_S,
                  (relay->side[1].got_bytes[ALS_LANE_BULK] - before) / 10.0 / MBIT_S,
                  percentile (relay->side[0].round_trips, 0.99) / 1e3, stats.rtt_us / 1e3);
  g_assert_cmpfloat ((double) (relay->side[1].got_bytes[ALS_LANE_BULK] - before), >=, 0.85 * 10 * MBIT_S);
  g_assert_cmpfloat ((double) stats.rate, >=, 0.6 * MBIT_S);
  g_assert_cmpfloat ((double) stats.rate, <=, 1.5 * MBIT_S);
  g_assert_cmpint (percentile (relay->side[0].round_trips, 0.99), <=, 40 * MS + 100 * MS);
  relay_free (relay);
}

static void
test_datagrams_beside_bulk (void)
{
  const double rate = 4 * MBIT_S;
  Relay *relay = relay_new (rate, 20 * MS, (uint64_t) rate, 64 * 1024);
  guint n_sent = 0;

  relay->side[0].feeds_bulk = TRUE;
  relay_run (relay, 5 * S);
  relay->side[1].got_bytes[ALS_LANE_BULK] = 0;
  /* Half the rate, in frames of eight. */
  for (guint frame = 0; frame < 280; frame++)
    {
      for (guint i = 0; i < 8; i++)
        n_sent += send_datagram (&relay->side[0]);
      relay_run (relay, 8 * ALS_DATAGRAM_MAX / (rate / 2) * 1e6);
    }
  relay_run (relay, S);
  g_test_message ("picture at half the rate beside files: %u of %u frames' datagrams, oldest %.1f ms",
                  n_sent, 280 * 8, relay->side[1].datagram_age_us / 1e3);
  g_assert_cmpuint (n_sent, ==, 280 * 8);
  g_assert_cmpuint (relay->side[1].n_datagrams, ==, n_sent);
  g_assert_cmpint (relay->side[1].datagram_age_us, <=, 20 * MS + 80 * MS);
  /* Files have the other half. */
  g_assert_cmpuint (relay->side[1].got_bytes[ALS_LANE_BULK], >, 0.35 * 10 * rate);
  relay_free (relay);
}

static void
test_datagrams_are_dropped_not_queued (void)
{
  Relay *relay = relay_new (MBIT_S, 20 * MS, MBIT_S, 64 * 1024);
  guint taken = 0;
  AlsLinkStats stats;

  relay_run (relay, S);
  relay->side[0].feeds_bulk = TRUE;
  feed (&relay->side[0]);
  /* Twice the rate, for ten seconds. */
  for (guint n = 0; n < 10 * 2 * MBIT_S / ALS_DATAGRAM_MAX; n++)
    {
      taken += send_datagram (&relay->side[0]);
      als_link_get_stats (relay->side[0].link, &stats);
      g_assert_cmpint (stats.queue_delay_us, <=, 2 * ALS_LINK_QUEUE_US);
      relay_run (relay, ALS_DATAGRAM_MAX / (2.0 * MBIT_S) * 1e6);
    }
  relay_run (relay, S);
  g_assert_cmpuint (taken, <, 10 * 1.1 * MBIT_S / ALS_DATAGRAM_MAX);
  g_assert_cmpuint (taken, >, 10 * 0.5 * MBIT_S / ALS_DATAGRAM_MAX);
  g_assert_cmpuint (relay->side[1].n_datagrams, ==, taken);
  g_assert_cmpint (relay->side[1].datagram_age_us, <=, 300 * MS);
  /* Files were not starved by it. */
  g_assert_cmpuint (relay->side[1].got_bytes[ALS_LANE_BULK], >, 10 * 0.05 * MBIT_S);
  relay_free (relay);
}

/* One key frame is larger than 50 ms; it is useless without its last part. */
static void
test_large_picture_passes_whole (void)
{
  Relay *relay = relay_new (MBIT_S, 20 * MS, MBIT_S, 64 * 1024);
  AlsLinkStats stats;

  relay_run (relay, S);
  for (guint n = 0; n < 60; n++)
    g_assert_true (send_datagram (&relay->side[0]));
  als_link_get_stats (relay->side[0].link, &stats);
  g_assert_cmpint (stats.queue_delay_us, >, ALS_LINK_QUEUE_US);
  relay_run (relay, 100 * MS);
  g_assert_false (send_datagram (&relay->side[0]));
  relay_run (relay, S);
  g_assert_cmpuint (relay->side[1].n_datagrams, ==, 60);
  g_assert_true (send_datagram (&relay->side[0]));
  relay_free (relay);
}

static void
test_room_by_lane (void)
{
  const double rate = 10 * MBIT_S;
  Relay *relay = relay_new (rate, 20 * MS, (uint64_t) rate, 64 * 1024);
  g_autofree uint8_t *bytes = g_malloc0 (ALS_FRAME_MAX);
  AlsLink *link = relay->side[0].link;
  size_t given = 0;

  relay->side[0].feeds_bulk = TRUE;
  relay_run (relay, 5 * S);
  relay->side[0].feeds_bulk = FALSE;
  relay_run (relay, S);
  /* Without a poll in between, all of it waits. */
  while (als_link_get_room (link, ALS_LANE_BULK) > 0)
    {
      g_assert_true (als_link_send_frame (link, ALS_LANE_BULK, bytes, ALS_FRAME_MAX));
      given += ALS_FRAME_MAX;
    }
  g_assert_cmpuint (given, >=, 0.8 * rate * 0.05);
  g_assert_cmpuint (given, <=, rate * 0.05 + ALS_FRAME_MAX);
  g_assert_false (als_link_send_frame (link, ALS_LANE_BULK, bytes, 1));
  g_assert_cmpuint (als_link_get_room (link, ALS_LANE_CHAT), >=, 1024);
  g_assert_cmpuint (als_link_get_room (link, ALS_LANE_CONTROL), >=, 4096);
  for (guint n = 0; n < 4; n++)
    g_assert_true (als_link_send_frame (link, ALS_LANE_CONTROL, bytes, 1024));
  g_assert_cmpuint (als_link_get_room (link, ALS_LANE_CONTROL), ==, 0);
  relay_run (relay, S);
  g_assert_cmpuint (relay->side[1].got_bytes[ALS_LANE_CONTROL], ==, 4096);
  relay_free (relay);
}

static void
test_close_lets_the_rest_leave (void)
{
  Relay *relay = relay_new (MBIT_S, 20 * MS, MBIT_S, 64 * 1024);

  relay_run (relay, S);
  send_stamped (&relay->side[0], ALS_LANE_CHAT);
  als_link_close (relay->side[0].link);
  g_assert_cmpuint (relay->side[0].closed, ==, 0);
  g_assert_false (als_link_send_frame (relay->side[0].link, ALS_LANE_CHAT, (uint8_t *) "x", 1));
  relay_run (relay, S);
  g_assert_cmpuint (relay->side[0].closed, ==, 1);
  g_assert_cmpint (relay->side[0].end, ==, ALS_LINK_END_CLOSED);
  g_assert_cmpuint (relay->side[1].got_bytes[ALS_LANE_CHAT], ==, sizeof (int64_t));
  /* Not for ever: the peer takes nothing here. */
  relay->side[1].feeds_bulk = TRUE;
  relay->side[0].frozen = TRUE;
  feed (&relay->side[1]);
  relay_run (relay, S);
  als_link_close (relay->side[1].link);
  relay_run (relay, 300 * MS);
  g_assert_cmpuint (relay->side[1].closed, ==, 1);
  relay_free (relay);
}

static void
test_no_hello (void)
{
  Relay *relay = relay_new (0, 20 * MS, 0, 0);

  relay->side[1].frozen = TRUE;
  relay_run (relay, 9999 * MS);
  g_assert_cmpuint (relay->side[0].closed, ==, 0);
  relay_run (relay, 2 * MS);
  g_assert_cmpuint (relay->side[0].closed, ==, 1);
  g_assert_cmpint (relay->side[0].end, ==, ALS_LINK_END_HELLO_FAILED);
  g_assert_cmpint (als_link_get_deadline (relay->side[0].link), ==, INT64_MAX);
  relay_free (relay);
}

static void
test_lost_message_ends_it (void)
{
  Relay *relay = relay_new (0, 20 * MS, 0, 0);

  relay_run (relay, S);
  send_stamped (&relay->side[0], ALS_LANE_CONTROL);
  relay_poll (relay);
  g_free (g_queue_pop_head (&relay->side[0].flying));
  send_stamped (&relay->side[0], ALS_LANE_CONTROL);
  relay_run (relay, S);
  g_assert_cmpuint (relay->side[1].closed, ==, 1);
  g_assert_cmpint (relay->side[1].end, ==, ALS_LINK_END_CARRIER);
  g_assert_cmpuint (relay->side[1].got_bytes[ALS_LANE_CONTROL], ==, 0);
  relay_free (relay);
}

static guint
count_output (const AlsPacket *packets, guint n, gpointer user_data)
{
  AlsWire *peer = user_data;
  const uint8_t *plain;
  size_t len;

  als_wire_receive (peer, packets->data, packets->len, 1, &plain, &len);
  return n;
}

/* A peer with the right keys that speaks nonsense. */
static void
test_authenticated_nonsense (void)
{
  static const struct { const char *bytes; size_t len; } bad[] = {
    { "\x00", 1 }, { "\x01", 1 }, { "\x01\0\0\0\0\0\0\0\xff\0\0\0\0", 13 }, /* acknowledges what never was */
    { "\x02\0\0", 3 }, { "\x02\0\5abc", 6 }, { "\x10\0\0", 3 }, { "\x13\0\1a", 4 }, { "\x2f\0\1a", 4 },
    { "\x10\xff\xff", 3 }, { "\x30\0\1a", 4 }, { "\x10\0\1a\xff", 5 },
    { "\x02\x04\x4d", 3 + 1101 }, /* a datagram too long */
  };

  for (guint i = 0; i < G_N_ELEMENTS (bad) + 1; i++)
    {
      AlsLinkConfig config = make_config (ALS_CARRIER_MESSAGES, 0, 0, 0);
      AlsLinkConfig peer_config = make_config (ALS_CARRIER_MESSAGES, 1, 0, 0);
      AlsWire *peer = als_wire_new (&peer_config, 0);
      AlsLink *link = als_message_link_new (&config, count_output, peer, 0);
      uint8_t plain[16 * 1024] = { 0 }, sealed[sizeof plain + ALS_WIRE_OVERHEAD];
      Relay relay = { 0 };
      Side side = { .relay = &relay };
      size_t len;

      als_link_set_events (link, &events, &side);
      for (guint n = 0; n < 10; n++)
        {
          als_link_poll (link, 1);
          while ((len = als_wire_poll (peer, sealed, 1)) > 0)
            als_link_receive (link, sealed, len, 1);
        }
      g_assert_cmpuint (side.ready, ==, 1);
      if (i < G_N_ELEMENTS (bad))
        {
          /* What a long one says after its head is zeros. */
          memcpy (plain, bad[i].bytes, MIN (bad[i].len, bad[i].len > 100 ? 3 : 13));
          len = als_wire_seal (peer, plain, bad[i].len, sealed, 1);
          als_link_receive (link, sealed, len, 1);
        }
      else
        {
          /* Pieces without end. */
          memcpy (plain, "\x22\x20\x00", 3);
          for (guint n = 0; n < 3; n++)
            {
              len = als_wire_seal (peer, plain, 3 + 0x2000, sealed, 1);
              als_link_receive (link, sealed, len, 1);
              als_link_poll (link, 1);
              g_assert_cmpuint (side.closed, ==, n == 2);
            }
        }
      als_link_poll (link, 1);
      g_assert_cmpuint (side.closed, ==, 1);
      g_assert_cmpint (side.end, ==, ALS_LINK_END_PROTOCOL);
      als_link_free (link);
      als_wire_free (peer);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  als_crypto_init ();
  g_test_add_data_func ("/transport/message-link/every-frame-arrives-once-and-in-order",
                        GUINT_TO_POINTER (ALS_CARRIER_MESSAGES), test_everything_arrives);
  g_test_add_data_func ("/transport/stream-link/every-frame-arrives-once-and-in-order",
                        GUINT_TO_POINTER (ALS_CARRIER_STREAM), test_everything_arrives);
  g_test_add_data_func ("/transport/message-link/finds-the-rate-where-none-is-stated",
                        GUINT_TO_POINTER (ALS_CARRIER_MESSAGES), test_nothing_stated);
  g_test_add_data_func ("/transport/stream-link/finds-the-rate-and-keeps-the-queue-short",
                        GUINT_TO_POINTER (ALS_CARRIER_STREAM), test_nothing_stated);
  g_test_add_func ("/transport/stream-link/a-stall-below-is-told", test_stall_is_told);
  g_test_add_func ("/transport/message-link/one-late-message-slows-no-start",
                   test_one_late_message_slows_no_start);
  g_test_add_func ("/transport/message-link/a-short-hold-up-ends-no-start", test_short_hold_up_ends_no_start);
  g_test_add_func ("/transport/message-link/a-path-that-becomes-wider-is-used", test_wider_path_is_used);
  g_test_add_func ("/transport/stream-link/a-stranger-hears-nothing-and-goes", test_stranger_on_the_port);
  g_test_add_func ("/transport/stream-link/a-broken-record-ends-it", test_broken_record_ends_it);
  g_test_add_func ("/transport/message-link/idle-costs-nothing", test_idle_costs_nothing);
  g_test_add_func ("/transport/message-link/pacing-holds-the-stated-rate", test_pacing_holds_the_rate);
  g_test_add_func ("/transport/message-link/backlog-is-never-exceeded", test_backlog_is_kept);
  g_test_add_func ("/transport/message-link/control-stays-quick-beside-files", test_control_beside_bulk);
  g_test_add_func ("/transport/message-link/slow-line-is-found-out", test_slow_line);
  g_test_add_func ("/transport/message-link/picture-does-not-wait-behind-files", test_datagrams_beside_bulk);
  g_test_add_func ("/transport/message-link/datagrams-are-dropped-rather-than-queued", test_datagrams_are_dropped_not_queued);
  g_test_add_func ("/transport/message-link/large-picture-passes-whole", test_large_picture_passes_whole);
  g_test_add_func ("/transport/message-link/room-by-lane", test_room_by_lane);
  g_test_add_func ("/transport/message-link/close-lets-the-rest-leave", test_close_lets_the_rest_leave);
  g_test_add_func ("/transport/message-link/no-hello-ends-it", test_no_hello);
  g_test_add_func ("/transport/message-link/lost-message-ends-it", test_lost_message_ends_it);
  g_test_add_func ("/transport/message-link/authenticated-nonsense-ends-it", test_authenticated_nonsense);
  return g_test_run ();
}
