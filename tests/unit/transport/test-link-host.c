/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Hosts over carriers in memory, each carrier in a thread of its own or in ours. */
#include "base/als-mailbox.h"
#include "crypto/als-crypto.h"
#include "transport/als-link-host.h"

#include <string.h>

/* --- a carrier whose other end is in another thread --- */

#define TEST_TYPE_CARRIER (test_carrier_get_type ())
G_DECLARE_FINAL_TYPE (TestCarrier, test_carrier, TEST, CARRIER, AlsCarrier)

struct _TestCarrier
{
  AlsCarrier parent;
  AlsMailbox *inbox;     /* owned; in our context */
  AlsMailbox *peer;      /* owned; the other end's */
  guint refuse_one_in;   /* 0: never */
  guint n_sent;
  GSource *writable;     /* owned; NULL: nothing was refused lately */
  gint closed;           /* atomic */
  gint held;             /* atomic: it is not to deliver */
  GQueue unread;         /* (element-type GBytes): what came meanwhile */
};

G_DEFINE_FINAL_TYPE (TestCarrier, test_carrier, ALS_TYPE_CARRIER)

static gint n_carriers; /* atomic */

static void
drop_writable (TestCarrier *self)
{
  if (self->writable != NULL)
    g_source_destroy (self->writable);
  g_clear_pointer (&self->writable, g_source_unref);
}

static gboolean
tell_writable (gpointer user_data)
{
  drop_writable (user_data);
  als_carrier_writable (user_data);
  return G_SOURCE_REMOVE;
}

static guint
test_carrier_send (AlsCarrier *carrier, const AlsPacket *packets, guint n)
{
  TestCarrier *self = TEST_CARRIER (carrier);

  g_assert_true (g_main_context_is_owner (als_carrier_get_context (carrier)));
  for (guint i = 0; i < n; i++)
    {
      if (self->refuse_one_in != 0 && ++self->n_sent % self->refuse_one_in == 0)
        {
          drop_writable (self);
          self->writable = g_timeout_source_new (1);
          g_source_set_callback (self->writable, tell_writable, self, NULL);
          g_source_attach (self->writable, als_carrier_get_context (carrier));
          return i;
        }
      als_mailbox_post (self->peer, g_bytes_new (packets[i].data, packets[i].len));
    }
  return n;
}

static void
test_carrier_close (AlsCarrier *carrier)
{
  TestCarrier *self = TEST_CARRIER (carrier);

  g_assert_true (g_main_context_is_owner (als_carrier_get_context (carrier)));
  drop_writable (self);
  als_mailbox_close (self->inbox);
  g_atomic_int_set (&self->closed, TRUE);
}

static void
deliver (AlsCarrier *self, GBytes *bytes)
{
  size_t len;
  const uint8_t *data = g_bytes_get_data (bytes, &len);

  /* A stream knows no boundaries. */
  for (size_t n; len > 0; data += n, len -= n)
    {
      n = als_carrier_get_carrier_type (self) == ALS_CARRIER_STREAM ? MIN (len, 4999) : len;
      als_carrier_received (self, data, n);
    }
  g_bytes_unref (bytes);
}

static void
test_carrier_set_reading (AlsCarrier *carrier, gboolean reading)
{
  TestCarrier *self = TEST_CARRIER (carrier);

  g_assert_true (g_main_context_is_owner (als_carrier_get_context (carrier)));
  if (g_atomic_int_get (&self->held) == !reading)
    return; /* the beginning */
  g_atomic_int_set (&self->held, !reading);
  /* Never from within a call: what waits comes with what the mailbox says next. */
  if (reading)
    als_mailbox_post (self->inbox, g_bytes_new (NULL, 0));
}

static void
test_carrier_finalize (GObject *object)
{
  TestCarrier *self = TEST_CARRIER (object);

  als_mailbox_close (self->inbox);
  als_mailbox_unref (self->inbox);
  als_mailbox_unref (self->peer);
  g_queue_clear_full (&self->unread, (GDestroyNotify) g_bytes_unref);
  g_atomic_int_add (&n_carriers, -1);
  G_OBJECT_CLASS (test_carrier_parent_class)->finalize (object);
}

static void
test_carrier_class_init (TestCarrierClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = test_carrier_finalize;
  ALS_CARRIER_CLASS (klass)->send = test_carrier_send;
  ALS_CARRIER_CLASS (klass)->close = test_carrier_close;
  ALS_CARRIER_CLASS (klass)->set_reading = test_carrier_set_reading;
}

static void
test_carrier_init (TestCarrier *self)
{
  g_atomic_int_inc (&n_carriers);
}

static void
test_carrier_items (GPtrArray *items, gpointer user_data)
{
  g_autoptr (AlsCarrier) self = g_object_ref (user_data);

  for (guint i = 0; i < items->len; i++)
    g_queue_push_tail (&TEST_CARRIER (self)->unread, g_ptr_array_index (items, i));
  while (!g_atomic_int_get (&TEST_CARRIER (self)->held)
         && !g_queue_is_empty (&TEST_CARRIER (self)->unread))
    deliver (self, g_queue_pop_head (&TEST_CARRIER (self)->unread));
}

static void
make_carriers (AlsCarrierType type, AlsPathKind kind, GMainContext *contexts[2],
               TestCarrier *carriers[2])
{
  for (guint i = 0; i < 2; i++)
    {
      carriers[i] = g_object_new (TEST_TYPE_CARRIER, NULL);
      als_carrier_setup (ALS_CARRIER (carriers[i]), type, kind, contexts[i], "192.0.2.7:5000", TRUE);
      if (type == ALS_CARRIER_MESSAGES)
        als_carrier_set_limits (ALS_CARRIER (carriers[i]), 4 * 1000 * 1000, 64 * 1024);
      carriers[i]->inbox = als_mailbox_new (contexts[i], "test-carrier", test_carrier_items,
                                            carriers[i], (GDestroyNotify) g_bytes_unref);
    }
  for (guint i = 0; i < 2; i++)
    carriers[i]->peer = als_mailbox_ref (carriers[!i]->inbox);
  carriers[0]->refuse_one_in = type == ALS_CARRIER_DATAGRAMS ? 0 : 7;
}

/* --- threads --- */

typedef struct
{
  GMainContext *context;
  GMainLoop *loop;
  GThread *thread;
  AlsMailbox *quit;
  GMutex lock;
  GCond started_cond;
  gboolean started;
} Worker;

static gpointer
worker_main (gpointer data)
{
  Worker *self = data;

  g_main_context_push_thread_default (self->context);
  g_mutex_lock (&self->lock);
  self->started = TRUE;
  g_cond_signal (&self->started_cond);
  g_mutex_unlock (&self->lock);
  g_main_loop_run (self->loop);
  while (g_main_context_iteration (self->context, FALSE))
    ;
  g_main_context_pop_thread_default (self->context);
  return NULL;
}

static void
quit_worker (GPtrArray *items, gpointer user_data)
{
  g_main_loop_quit (((Worker *) user_data)->loop);
}

static void
worker_start (Worker *self)
{
  self->context = g_main_context_new ();
  self->loop = g_main_loop_new (self->context, FALSE);
  g_mutex_init (&self->lock);
  g_cond_init (&self->started_cond);
  self->started = FALSE;
  self->quit = als_mailbox_new (self->context, "quit", quit_worker, self, NULL);
  self->thread = g_thread_new ("worker", worker_main, self);
  /* As every thread that has carriers, it owns its context by then. */
  g_mutex_lock (&self->lock);
  while (!self->started)
    g_cond_wait (&self->started_cond, &self->lock);
  g_mutex_unlock (&self->lock);
}

/* Behind everything posted so far. */
static void
worker_stop (Worker *self)
{
  als_mailbox_post (self->quit, self);
  g_thread_join (self->thread);
  als_mailbox_close (self->quit);
  als_mailbox_unref (self->quit);
  g_mutex_clear (&self->lock);
  g_cond_clear (&self->started_cond);
  g_main_loop_unref (self->loop);
  g_main_context_unref (self->context);
}

/* --- ends --- */

typedef struct
{
  AlsLink *link;
  guint ready, closed, rooms;
  AlsLinkEnd end;
  uint32_t next[ALS_N_LANES];     /* frame to give */
  uint32_t expected[ALS_N_LANES]; /* frame to get */
  guint datagrams;
  uint32_t wanted[ALS_N_LANES];   /* frames to give in all */
} End;

typedef struct
{
  Worker workers[2];
  gboolean own_threads;
  TestCarrier *carriers[2];
  End ends[2];
} Pair;

static gboolean tiny_frames;

static size_t
frame_len (AlsLane lane, uint32_t n)
{
  if (tiny_frames)
    return 8;
  return lane == ALS_LANE_BULK ? ALS_FRAME_MAX - n % 1000 : 8 + n % 500;
}

static void
give (End *end)
{
  static uint8_t data[ALS_FRAME_MAX];

  for (guint lane = 0; lane < ALS_N_LANES; lane++)
    while (end->next[lane] < end->wanted[lane] && als_link_get_room (end->link, lane) > 0)
      {
        memcpy (data, &end->next[lane], 4);
        g_assert_true (als_link_send_frame (end->link, lane, data, frame_len (lane, end->next[lane])));
        end->next[lane]++;
      }
}

static void
on_ready (AlsLink *link, gpointer user_data)
{
  End *end = user_data;

  end->ready++;
  g_assert_cmpuint (als_link_get_room (link, ALS_LANE_CONTROL), >, 0);
  give (end);
}

static void
on_frame (AlsLink *link, AlsLane lane, const uint8_t *data, size_t len, gpointer user_data)
{
  End *end = user_data;
  uint32_t n;

  memcpy (&n, data, 4);
  g_assert_cmpuint (n, ==, end->expected[lane]);
  g_assert_cmpuint (len, ==, frame_len (lane, n));
  end->expected[lane]++;
}

static void
on_datagram (AlsLink *link, const uint8_t *data, size_t len, gpointer user_data)
{
  ((End *) user_data)->datagrams++;
}

static void
on_room (AlsLink *link, gpointer user_data)
{
  ((End *) user_data)->rooms++;
  give (user_data);
}

static void
on_closed (AlsLink *link, AlsLinkEnd reason, gpointer user_data)
{
  End *end = user_data;

  end->closed++;
  end->end = reason;
}

static const AlsLinkEvents events = { on_ready, on_frame, on_datagram, on_room, on_closed };

static AlsPathKind
kind_of (AlsCarrierType type)
{
  static const AlsPathKind kinds[] = { [ALS_CARRIER_DATAGRAMS] = ALS_PATH_DIRECT_UDP,
                                       [ALS_CARRIER_STREAM] = ALS_PATH_DIRECT_TCP,
                                       [ALS_CARRIER_MESSAGES] = ALS_PATH_SIGNAL_RELAY };

  return kinds[type];
}

/* SECOND_ENGINE: the context of the second end's owner. */
static void
pair_init_with (Pair *pair, AlsCarrierType type, gboolean own_threads, GMainContext *second_engine)
{
  GMainContext *contexts[2] = { g_main_context_default (), g_main_context_default () };

  memset (pair, 0, sizeof *pair);
  pair->own_threads = own_threads;
  for (guint i = 0; own_threads && i < 2; i++)
    {
      worker_start (&pair->workers[i]);
      contexts[i] = pair->workers[i].context;
    }
  make_carriers (type, kind_of (type),
                 contexts, pair->carriers);
  for (guint i = 0; i < 2; i++)
    {
      AlsLinkConfig config = { .role = i == 0 ? ALS_ROLE_INVITER : ALS_ROLE_JOINER,
                               .session_secret = { 5, 6 }, .path_id = 3, .speaks_first = i == 0 };

      pair->ends[i].link = als_link_host_new (ALS_CARRIER (pair->carriers[i]), &config,
                                              i == 0 ? g_main_context_default () : second_engine);
      als_link_set_events (pair->ends[i].link, &events, &pair->ends[i]);
    }
}

static void
pair_init (Pair *pair, AlsCarrierType type, gboolean own_threads)
{
  pair_init_with (pair, type, own_threads, g_main_context_default ());
}

static void
pair_free_links (Pair *pair)
{
  for (guint i = 0; i < 2; i++)
    g_clear_pointer (&pair->ends[i].link, als_link_free);
}

static void
pair_clear (Pair *pair)
{
  pair_free_links (pair);
  for (guint i = 0; pair->own_threads && i < 2; i++)
    worker_stop (&pair->workers[i]);
  for (guint i = 0; i < 2; i++)
    {
      g_assert_true (g_atomic_int_get (&pair->carriers[i]->closed));
      g_object_unref (pair->carriers[i]);
    }
  g_assert_cmpint (g_atomic_int_get (&n_carriers), ==, 0);
}

static void
wait_for_both_ready (Pair *pair)
{
  while (pair->ends[0].ready == 0 || pair->ends[1].ready == 0)
    g_main_context_iteration (NULL, TRUE);
}

static gboolean
has_all (const End *to, const End *from)
{
  for (guint lane = 0; lane < ALS_N_LANES; lane++)
    if (to->expected[lane] < from->wanted[lane])
      return FALSE;
  return TRUE;
}

/* One may be lost where a thread is late. */
static gboolean
send_datagrams (gpointer user_data)
{
  Pair *pair = user_data;

  for (guint i = 0; i < 2; i++)
    if (pair->ends[!i].datagrams == 0)
      g_assert_true (als_link_send_datagram (pair->ends[i].link, (uint8_t *) "datagram", 8));
  return G_SOURCE_CONTINUE;
}

static void
carry_everything (AlsCarrierType type, gboolean own_threads)
{
  AlsLinkStats stats;
  guint again;
  Pair pair;

  pair_init (&pair, type, own_threads);
  g_assert_cmpstr (als_link_host_get_remote (pair.ends[0].link), ==, "192.0.2.7:5000");
  g_assert_cmpuint (als_link_get_room (pair.ends[0].link, ALS_LANE_CONTROL), ==, 0);
  g_assert_false (als_link_send_frame (pair.ends[0].link, ALS_LANE_CONTROL, (uint8_t *) "x", 1));
  g_assert_false (als_link_send_datagram (pair.ends[0].link, (uint8_t *) "x", 1));
  for (guint i = 0; i < 2; i++)
    {
      pair.ends[i].wanted[ALS_LANE_CONTROL] = 500;
      pair.ends[i].wanted[ALS_LANE_CHAT] = 100;
      pair.ends[i].wanted[ALS_LANE_BULK] = 60;
    }
  wait_for_both_ready (&pair);
  send_datagrams (&pair);
  again = g_timeout_add (200, send_datagrams, &pair);
  while (!has_all (&pair.ends[0], &pair.ends[1]) || !has_all (&pair.ends[1], &pair.ends[0])
         || pair.ends[0].datagrams == 0 || pair.ends[1].datagrams == 0)
    g_main_context_iteration (NULL, TRUE);
  g_source_remove (again);
  for (guint i = 0; i < 2; i++)
    {
      als_link_get_stats (pair.ends[i].link, &stats);
      g_assert_true (stats.lan);
      g_assert_cmpuint (stats.path_id, ==, 3);
      g_assert_cmpuint (stats.rate, >, 0);
      g_assert_cmpint (stats.kind, ==, kind_of (type));
      g_assert_cmpuint (pair.ends[i].ready, ==, 1);
      g_assert_cmpuint (pair.ends[i].closed, ==, 0);
    }
  pair_clear (&pair);
}

static void
test_messages_in_threads (void)
{
  carry_everything (ALS_CARRIER_MESSAGES, TRUE);
}

static void
test_messages_in_one_thread (void)
{
  carry_everything (ALS_CARRIER_MESSAGES, FALSE);
}

static void
test_datagrams_in_threads (void)
{
  carry_everything (ALS_CARRIER_DATAGRAMS, TRUE);
}

static void
test_stream_in_threads (void)
{
  carry_everything (ALS_CARRIER_STREAM, TRUE);
}

static gboolean
set_flag (gpointer user_data)
{
  *(gboolean *) user_data = TRUE;
  return G_SOURCE_REMOVE;
}

static void
run_for (guint ms)
{
  gboolean over = FALSE;

  g_timeout_add (ms, set_flag, &over);
  while (!over)
    g_main_context_iteration (NULL, TRUE);
}

/* What waits for room hears of it; what is idle hears nothing; the mirror comes to rest at zero. */
static void
test_idle_is_silent (void)
{
  AlsLinkStats stats;
  guint rooms;
  Pair pair;

  pair_init (&pair, ALS_CARRIER_MESSAGES, TRUE);
  pair.ends[0].wanted[ALS_LANE_BULK] = 20;
  wait_for_both_ready (&pair);
  do
    {
      g_main_context_iteration (NULL, TRUE);
      als_link_get_stats (pair.ends[0].link, &stats);
    }
  while (!has_all (&pair.ends[1], &pair.ends[0]) || stats.queued_bytes > 0
         || stats.acked_bytes < 20 * (ALS_FRAME_MAX - 20));
  g_assert_cmpint (stats.queue_delay_us, ==, 0);
  /* The trailing acknowledgements and their stats. */
  run_for (150);
  rooms = pair.ends[0].rooms + pair.ends[1].rooms;
  run_for (300);
  g_assert_cmpuint (pair.ends[0].rooms + pair.ends[1].rooms, ==, rooms);
  pair_clear (&pair);
}

static void
test_room_is_never_exceeded (void)
{
  static const uint8_t frame[ALS_FRAME_MAX];
  size_t given = 0;
  Pair pair;

  pair_init (&pair, ALS_CARRIER_MESSAGES, TRUE);
  wait_for_both_ready (&pair);
  /* No word from the carrier's thread comes in between: the mirror alone says when to stop. */
  while (als_link_send_frame (pair.ends[0].link, ALS_LANE_BULK, frame, sizeof frame))
    given += sizeof frame;
  g_assert_cmpuint (given, <=, 4 * 1000 * 1000 / 20 + sizeof frame);
  g_assert_cmpuint (als_link_get_room (pair.ends[0].link, ALS_LANE_BULK), ==, 0);
  g_assert_cmpuint (als_link_get_room (pair.ends[0].link, ALS_LANE_CONTROL), >=, 4096);
  pair_clear (&pair);
}

static void
test_close (void)
{
  Pair pair;

  pair_init (&pair, ALS_CARRIER_MESSAGES, TRUE);
  pair.ends[0].wanted[ALS_LANE_CHAT] = 1;
  wait_for_both_ready (&pair);
  als_link_close (pair.ends[0].link);
  while (pair.ends[0].closed == 0)
    g_main_context_iteration (NULL, TRUE);
  g_assert_cmpint (pair.ends[0].end, ==, ALS_LINK_END_CLOSED);
  g_assert_true (g_atomic_int_get (&pair.carriers[0]->closed));
  g_assert_cmpuint (als_link_get_room (pair.ends[0].link, ALS_LANE_CONTROL), ==, 0);
  g_assert_false (als_link_send_frame (pair.ends[0].link, ALS_LANE_CONTROL, (uint8_t *) "x", 1));
  while (!has_all (&pair.ends[1], &pair.ends[0]))
    g_main_context_iteration (NULL, TRUE);
  als_link_close (pair.ends[0].link);
  run_for (20);
  g_assert_cmpuint (pair.ends[0].closed, ==, 1);
  pair_clear (&pair);
}

static gboolean
break_carrier (gpointer user_data)
{
  als_carrier_broke (user_data, NULL);
  als_carrier_broke (user_data, NULL);
  return G_SOURCE_REMOVE;
}

static void
test_carrier_breaks (void)
{
  Pair pair;

  pair_init (&pair, ALS_CARRIER_MESSAGES, TRUE);
  pair.ends[0].wanted[ALS_LANE_BULK] = 1000000;
  wait_for_both_ready (&pair);
  run_for (20);
  g_main_context_invoke (pair.workers[0].context, break_carrier, pair.carriers[0]);
  while (pair.ends[0].closed == 0)
    g_main_context_iteration (NULL, TRUE);
  g_assert_cmpint (pair.ends[0].end, ==, ALS_LINK_END_CARRIER);
  run_for (20);
  g_assert_cmpuint (pair.ends[0].closed, ==, 1);
  g_assert_cmpuint (pair.ends[1].closed, ==, 0);
  pair_clear (&pair);
}

/* The second end's owner does not come to look: what waits for it is bounded, and nothing is missing
 * when it comes. */
static void
test_busy_engine (gconstpointer user_data)
{
  AlsCarrierType type = (AlsCarrierType) GPOINTER_TO_UINT (user_data);
  g_autoptr (GMainContext) busy = g_main_context_new ();
  const uint32_t wanted = 48 * 1024 * 1024 / ALS_FRAME_MAX;
  uint64_t acked = 0;
  AlsLinkStats stats;
  Pair pair;

  pair_init_with (&pair, type, TRUE, busy);
  while (pair.ends[0].ready == 0 || pair.ends[1].ready == 0)
    {
      g_main_context_iteration (NULL, FALSE);
      g_main_context_iteration (busy, FALSE);
    }
  pair.ends[0].wanted[ALS_LANE_BULK] = wanted;
  give (&pair.ends[0]);
  if (type == ALS_CARRIER_STREAM)
    while (!g_atomic_int_get (&pair.carriers[1]->held))
      g_main_context_iteration (NULL, TRUE);
  /* Until no more is acknowledged. */
  for (guint still = 0; still < 3;)
    {
      run_for (200);
      als_link_get_stats (pair.ends[0].link, &stats);
      still = stats.acked_bytes == acked && acked > 0 ? still + 1 : 0;
      acked = stats.acked_bytes;
    }
  g_test_message ("%.1f MiB waited", acked / 1048576.0);
  g_assert_cmpuint (acked, <=, 12 * 1024 * 1024);
  g_assert_cmpuint (pair.ends[1].expected[ALS_LANE_BULK], ==, 0);
  while (pair.ends[1].expected[ALS_LANE_BULK] < wanted)
    {
      g_main_context_iteration (NULL, FALSE);
      g_main_context_iteration (busy, FALSE);
    }
  g_assert_false (g_atomic_int_get (&pair.carriers[1]->held));
  g_assert_cmpuint (pair.ends[1].closed, ==, 0);
  pair_clear (&pair);
}

/* What a frame costs us is more than its bytes. */
static void
test_tiny_frames (void)
{
  g_autoptr (GMainContext) busy = g_main_context_new ();
  const uint32_t wanted = 200 * 1000;
  AlsLinkStats stats = { 0 };
  Pair pair;

  tiny_frames = TRUE;
  pair_init_with (&pair, ALS_CARRIER_STREAM, TRUE, busy);
  while (pair.ends[0].ready == 0 || pair.ends[1].ready == 0)
    {
      g_main_context_iteration (NULL, FALSE);
      g_main_context_iteration (busy, FALSE);
    }
  pair.ends[0].wanted[ALS_LANE_BULK] = wanted;
  give (&pair.ends[0]);
  while (!g_atomic_int_get (&pair.carriers[1]->held) && stats.acked_bytes < wanted * 8)
    {
      run_for (50);
      als_link_get_stats (pair.ends[0].link, &stats);
    }
  g_test_message ("%.1f MiB were acknowledged", stats.acked_bytes / 1048576.0);
  g_assert_true (g_atomic_int_get (&pair.carriers[1]->held));
  while (pair.ends[1].expected[ALS_LANE_BULK] < wanted)
    {
      g_main_context_iteration (NULL, FALSE);
      g_main_context_iteration (busy, FALSE);
    }
  g_assert_cmpuint (pair.ends[1].closed, ==, 0);
  pair_clear (&pair);
  tiny_frames = FALSE;
}

/* Freed at any moment of its life, with its thread in full swing. */
static void
test_freed_at_any_time (void)
{
  for (guint round = 0; round < 40; round++)
    {
      Pair pair;

      pair_init (&pair, (AlsCarrierType) (round % 3), round % 4 != 0);
      for (guint i = 0; i < 2; i++)
        pair.ends[i].wanted[ALS_LANE_BULK] = 1000000;
      for (guint i = 0; i < round * round / 10; i++)
        g_main_context_iteration (NULL, FALSE);
      pair_clear (&pair);
    }
}

/* The thread has gone before the link was freed: nobody is left to do it there. */
static void
test_freed_after_its_thread (void)
{
  Pair pair;

  pair_init (&pair, ALS_CARRIER_MESSAGES, TRUE);
  wait_for_both_ready (&pair);
  for (guint i = 0; i < 2; i++)
    worker_stop (&pair.workers[i]);
  pair.own_threads = FALSE;
  pair_clear (&pair);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  als_crypto_init ();
  g_test_add_func ("/transport/link-host/messages-cross-between-threads", test_messages_in_threads);
  g_test_add_func ("/transport/link-host/messages-cross-within-one-thread", test_messages_in_one_thread);
  g_test_add_func ("/transport/link-host/datagrams-cross-between-threads", test_datagrams_in_threads);
  g_test_add_func ("/transport/link-host/streams-cross-between-threads", test_stream_in_threads);
  g_test_add_func ("/transport/link-host/idle-is-silent", test_idle_is_silent);
  g_test_add_func ("/transport/link-host/mirrored-room-is-never-exceeded", test_room_is_never_exceeded);
  g_test_add_func ("/transport/link-host/close-lets-the-rest-leave-and-is-told-once", test_close);
  g_test_add_func ("/transport/link-host/broken-carrier-is-told-once", test_carrier_breaks);
  g_test_add_data_func ("/transport/link-host/busy-engine-holds-a-stream-back",
                        GUINT_TO_POINTER (ALS_CARRIER_STREAM), test_busy_engine);
  g_test_add_data_func ("/transport/link-host/busy-engine-loses-datagrams-not-frames",
                        GUINT_TO_POINTER (ALS_CARRIER_DATAGRAMS), test_busy_engine);
  g_test_add_func ("/transport/link-host/busy-engine-holds-tiny-frames-back", test_tiny_frames);
  g_test_add_func ("/transport/link-host/may-be-freed-at-any-time", test_freed_at_any_time);
  g_test_add_func ("/transport/link-host/may-be-freed-after-its-thread", test_freed_after_its_thread);
  return g_test_run ();
}
