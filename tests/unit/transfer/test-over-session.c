/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Transfers over two real sessions, in real time because of the workers, on links that come and
 * go. */
#include "config.h"

#include "als-fake-link.h"
#include "base/als-deadline-source.h"
#include "transfer-fixture.h"

#define MBIT (1000 * 1000 / 8)
#define MS ((int64_t) 1000)

typedef struct _World World;

typedef struct
{
  World *world;
  guint number;
  AlsSession *session;
  int64_t deadline_us;
} Side;

struct _World
{
  Fixture f;         /* first: also the user data of its conditions; its own sessions are not used */
  Side sides[2];
  GPtrArray *links;  /* both ends of each pair; NULL once gone */
  GPtrArray *gone;   /* to be freed */
  GSource *clock;
};

static void
schedule_cb (int64_t deadline_us, gpointer user_data)
{
  Side *side = user_data;

  side->deadline_us = deadline_us;
  als_deadline_source_set (side->world->clock, 0);
}

static void
channel_opened_cb (AlsChannel *channel, AlsChannelKind kind, gpointer user_data)
{
  Side *side = user_data;
  g_autoptr (GFile) folder = g_file_new_for_path (side->world->f.to);

  g_assert_cmpint (kind, ==, ALS_CHANNEL_FILES);
  side->world->f.incoming = als_transfer_new_incoming (channel, folder);
}

static void
datagram_cb (AlsDatagramKind kind, const uint8_t *data, size_t len, gpointer user_data)
{
}

static void
path_changed_cb (gpointer user_data)
{
}

static void
link_gone_cb (AlsLink *link, gpointer user_data)
{
  Side *side = user_data;
  guint index;

  g_assert_true (g_ptr_array_find (side->world->links, link, &index));
  g_ptr_array_index (side->world->links, index) = NULL;
  g_ptr_array_add (side->world->gone, link);
}

static void
ended_cb (AlsSessionEnd end, gpointer user_data)
{
}

static const AlsSessionEvents session_events = {
  schedule_cb, channel_opened_cb, datagram_cb, path_changed_cb, link_gone_cb, ended_cb,
};

/* Lets sessions and links do what is due, and sets the clock for what is next. */
static gboolean
clock_cb (gpointer user_data)
{
  World *self = user_data;
  int64_t now_us = g_get_monotonic_time (), next_us = INT64_MAX;

  for (guint i = 0; i < self->links->len; i++)
    {
      AlsLink *link = g_ptr_array_index (self->links, i);

      if (link != NULL)
        als_link_poll (link, now_us);
    }
  for (guint i = 0; i < 2; i++)
    if (self->sides[i].deadline_us <= now_us)
      {
        self->sides[i].deadline_us = INT64_MAX;
        als_session_poll (self->sides[i].session, now_us);
      }
  g_ptr_array_set_size (self->gone, 0);
  for (guint i = 0; i < self->links->len; i++)
    {
      AlsLink *link = g_ptr_array_index (self->links, i);

      if (link != NULL)
        next_us = MIN (next_us, als_link_get_deadline (link));
    }
  for (guint i = 0; i < 2; i++)
    next_us = MIN (next_us, self->sides[i].deadline_us);
  als_deadline_source_set (self->clock, next_us);
  return G_SOURCE_CONTINUE;
}

static void
world_init (World *self)
{
  fixture_init (&self->f);
  self->links = g_ptr_array_new ();
  self->gone = g_ptr_array_new_with_free_func ((GDestroyNotify) als_link_free);
  self->clock = als_deadline_source_new (NULL, "world", clock_cb, self);
  for (guint i = 0; i < 2; i++)
    {
      AlsSessionConfig config = { .role = i == 0 ? ALS_ROLE_INVITER : ALS_ROLE_JOINER };

      self->sides[i] = (Side){ self, i, NULL, INT64_MAX };
      self->sides[i].session
        = als_session_new (&config, &session_events, &self->sides[i], g_get_monotonic_time ());
    }
}

static void
world_clear (World *self)
{
  for (guint i = 0; i < 2; i++)
    als_session_end (self->sides[i].session);
  g_source_destroy (self->clock);
  g_source_unref (self->clock);
  for (guint i = 0; i < 2; i++)
    als_session_free (self->sides[i].session);
  for (guint i = 0; i < self->links->len; i++)
    if (g_ptr_array_index (self->links, i) != NULL)
      als_link_free (g_ptr_array_index (self->links, i));
  g_ptr_array_unref (self->links);
  g_ptr_array_unref (self->gone);
  fixture_clear (&self->f);
}

static void
world_add_path (World *self, AlsPathKind kind, uint64_t rate)
{
  AlsFakeLinkConfig config
    = { .kind = kind, .path_id = self->links->len, .rate = rate, .delay_us = 5 * MS };
  AlsLink *ends[2];

  als_fake_link_new_pair (&config, ends);
  for (guint i = 0; i < 2; i++)
    {
      g_ptr_array_add (self->links, ends[i]);
      als_session_add_link (self->sides[i].session, ends[i]);
    }
}

static void
world_send (World *self)
{
  self->f.outgoing = als_transfer_new_outgoing (self->sides[0].session, self->f.files);
  FIXTURE_WAIT (&self->f, is_incoming_offered);
  als_transfer_accept (self->f.incoming);
}

static gboolean
has_some (Fixture *f)
{
  AlsTransferInfo info;

  als_transfer_get_info (f->incoming, &info);
  return info.bytes_done >= 3 * MIB;
}

static gboolean
has_more (Fixture *f)
{
  AlsTransferInfo info;

  als_transfer_get_info (f->incoming, &info);
  return info.bytes_done >= 8 * MIB;
}

static gboolean
has_no_path (Fixture *f)
{
  AlsSessionStats stats[2];

  for (guint i = 0; i < 2; i++)
    als_session_get_stats (((World *) f)->sides[i].session, &stats[i]);
  return stats[0].kind == ALS_PATH_NONE && stats[1].kind == ALS_PATH_NONE;
}

static void
test_path_changes (void)
{
  World world;

  world_init (&world);
  world_add_path (&world, ALS_PATH_SIGNAL_RELAY, 300 * MBIT);
  fixture_add_file (&world.f, "a", 20 * MIB + 77, 1);
  fixture_add_file (&world.f, "b", 5, 2);
  world_send (&world);
  FIXTURE_WAIT (&world.f, has_some);
  /* Up to a better path, which breaks, with what was under way; then none at all for a while. */
  world_add_path (&world, ALS_PATH_DIRECT_UDP, 300 * MBIT);
  FIXTURE_WAIT (&world.f, has_more);
  for (guint i = 0; i < world.links->len; i += 2)
    als_fake_link_break (g_ptr_array_index (world.links, i));
  als_deadline_source_set (world.clock, 0);
  FIXTURE_WAIT (&world.f, has_no_path);
  g_assert_true (is_incoming_active (&world.f));
  world_add_path (&world, ALS_PATH_TURN_TCP, 300 * MBIT);
  FIXTURE_WAIT (&world.f, are_both_over);
  g_assert_no_error (als_transfer_get_error (world.f.outgoing));
  g_assert_no_error (als_transfer_get_error (world.f.incoming));
  fixture_assert_same (&world.f, "a", "a");
  fixture_assert_same (&world.f, "b", "b");
  world_clear (&world);
}

static gboolean
is_begun (Fixture *f)
{
  return fixture_count_to (f) > 0;
}

static gboolean
is_mid_block (Fixture *f)
{
  AlsSessionStats stats;

  als_session_get_stats (((World *) f)->sides[0].session, &stats);
  return stats.sent_bytes > 50 * 1024;
}

/* On a line where a block takes four seconds. */
static void
test_cancel_at_once (gconstpointer data)
{
  gboolean by_receiver = GPOINTER_TO_INT (data);
  AlsTransfer *mine, *theirs;
  int64_t began_us;
  World world;

  world_init (&world);
  world_add_path (&world, ALS_PATH_SIGNAL_RELAY, 2 * MBIT);
  fixture_add_file (&world.f, "a", 30 * MIB, 1);
  world_send (&world);
  FIXTURE_WAIT (&world.f, is_mid_block);
  mine = by_receiver ? world.f.incoming : world.f.outgoing;
  theirs = by_receiver ? world.f.outgoing : world.f.incoming;
  als_transfer_cancel (mine);
  began_us = g_get_monotonic_time ();
  FIXTURE_WAIT (&world.f, are_both_over);
  fixture_assert_failed (mine, ALS_TRANSFER_ERROR_CANCELLED);
  fixture_assert_failed (theirs, ALS_TRANSFER_ERROR_PEER_CANCELLED);
  g_test_message ("heard after %" G_GINT64_FORMAT " ms", (g_get_monotonic_time () - began_us) / MS);
  g_assert_cmpint (g_get_monotonic_time () - began_us, <, 2 * G_USEC_PER_SEC);
  g_assert_cmpuint (fixture_count_to (&world.f), ==, 0);
  world_clear (&world);
}

static void
test_session_ends (void)
{
  World world;

  world_init (&world);
  world_add_path (&world, ALS_PATH_DIRECT_UDP, 50 * MBIT);
  fixture_add_file (&world.f, "a", 30 * MIB, 1);
  world_send (&world);
  FIXTURE_WAIT (&world.f, is_begun);
  als_session_end (world.sides[0].session);
  fixture_assert_failed (world.f.outgoing, ALS_TRANSFER_ERROR_SESSION);
  FIXTURE_WAIT (&world.f, is_incoming_over);
  fixture_assert_failed (world.f.incoming, ALS_TRANSFER_ERROR_SESSION);
  g_assert_cmpuint (fixture_count_to (&world.f), ==, 0);
  world_clear (&world);
}

/* The sender that hears DONE ends the session; the receiver is not told a failure. */
static void
test_end_when_done (void)
{
  World world;

  world_init (&world);
  world_add_path (&world, ALS_PATH_DIRECT_UDP, 50 * MBIT);
  fixture_add_file (&world.f, "a", 10, 1);
  world_send (&world);
  FIXTURE_WAIT (&world.f, is_outgoing_over);
  als_session_end (world.sides[0].session);
  FIXTURE_WAIT (&world.f, is_incoming_over);
  g_assert_no_error (als_transfer_get_error (world.f.outgoing));
  g_assert_no_error (als_transfer_get_error (world.f.incoming));
  fixture_assert_same (&world.f, "a", "a");
  world_clear (&world);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define P "/transfer/over-session/"
  g_test_add_func (P "survives-a-switch-and-the-loss-of-all-paths", test_path_changes);
  g_test_add_data_func (P "a-senders-cancel-overtakes-its-blocks", GINT_TO_POINTER (FALSE),
                        test_cancel_at_once);
  g_test_add_data_func (P "a-receivers-cancel-is-heard-at-once", GINT_TO_POINTER (TRUE),
                        test_cancel_at_once);
  g_test_add_func (P "the-sessions-end-is-a-failure", test_session_ends);
  g_test_add_func (P "the-sessions-end-after-done-is-none", test_end_when_done);
  return g_test_run ();
}
