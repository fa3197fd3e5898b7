/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Two sides' paths in one thread, over socket pairs: attempts are what the tests make of them
 * (als_visit_means_* below stand in for the real ones), sessions and links are real. */

#include <gio/gio.h>
#include <string.h>
#include <sys/socket.h>

#include "als-wait.h"
#include "base/als-deadline-source.h"
#include "path/als-stream-carrier.h"
#include "visit/als-visit-paths.h"

/* --- a path that does what it is told --------------------------------------- */

#define TEST_TYPE_PATH (test_path_get_type ())
G_DECLARE_FINAL_TYPE (TestPath, test_path, TEST, PATH, AlsPath)

struct _TestPath
{
  AlsPath parent_instance;

  gboolean is_started, is_settled, is_closed;
  GString *heard;
};

G_DEFINE_FINAL_TYPE (TestPath, test_path, ALS_TYPE_PATH)

static void
test_path_start (AlsPath *path)
{
  TEST_PATH (path)->is_started = TRUE;
}

static void
test_path_remote_message (AlsPath *path, const uint8_t *data, size_t len)
{
  g_string_append_len (TEST_PATH (path)->heard, (const char *) data, (gssize) len);
}

static void
test_path_settle (AlsPath *path)
{
  TEST_PATH (path)->is_settled = TRUE;
}

static void
test_path_close (AlsPath *path)
{
  TEST_PATH (path)->is_closed = TRUE;
}

static void
test_path_finalize (GObject *object)
{
  g_string_free (TEST_PATH (object)->heard, TRUE);
  G_OBJECT_CLASS (test_path_parent_class)->finalize (object);
}

static void
test_path_class_init (TestPathClass *klass)
{
  ALS_PATH_CLASS (klass)->start = test_path_start;
  ALS_PATH_CLASS (klass)->remote_message = test_path_remote_message;
  ALS_PATH_CLASS (klass)->settle = test_path_settle;
  ALS_PATH_CLASS (klass)->close = test_path_close;
  G_OBJECT_CLASS (klass)->finalize = test_path_finalize;
}

static void
test_path_init (TestPath *self)
{
  self->heard = g_string_new (NULL);
}

/* --- what attempts are made of ----------------------------------------------- */

struct _AlsVisitMeans
{
  guint possible;       /* set of 1 << AlsPathMethod */
  TestPath *last[ALS_N_METHODS];
  guint n_made;
};

gboolean
als_visit_means_can (AlsVisitMeans *self, AlsPathMethod method, AlsPathProblem *problem)
{
  gboolean can = (self->possible & 1u << method) != 0;

  *problem = can ? ALS_PATH_PROBLEM_NONE : ALS_PATH_PROBLEM_NO_SERVER;
  return can;
}

AlsPath *
als_visit_means_make_path (AlsVisitMeans *self, AlsPathMethod method)
{
  g_clear_object (&self->last[method]);
  self->last[method] = g_object_new (TEST_TYPE_PATH, NULL);
  self->n_made++;
  return g_object_ref (ALS_PATH (self->last[method]));
}

/* --- a side -------------------------------------------------------------------- */

typedef struct _Side Side;
struct _Side
{
  Side *other;
  AlsVisitMeans means;
  AlsSession *session;
  AlsVisitPaths *paths;
  GSource *poll;
  gboolean is_deaf;     /* peer messages go nowhere */
  guint n_failed;       /* PATH_FAILED that it heard */
  guint8 problem;       /* of the last one */
  AlsChannel *channel;
  GString *heard;
};

static void
schedule_cb (int64_t deadline_us, gpointer user_data)
{
  als_deadline_source_set (((Side *) user_data)->poll, deadline_us);
}

static gboolean
poll_cb (gpointer user_data)
{
  Side *side = user_data;

  als_deadline_source_set (side->poll, INT64_MAX);
  als_session_poll (side->session, g_get_monotonic_time ());
  return G_SOURCE_CONTINUE;
}

static void
received_cb (AlsChannel *channel, const uint8_t *data, size_t len, gpointer user_data)
{
  als_channel_consume (channel, len);
  g_string_append_len (((Side *) user_data)->heard, (const char *) data, (gssize) len);
}

static const AlsChannelEvents channel_events = { received_cb, NULL, NULL, NULL };

static void
channel_opened_cb (AlsChannel *channel, AlsChannelKind kind, gpointer user_data)
{
  als_channel_set_events (channel, &channel_events, user_data);
}

static void
datagram_cb (AlsDatagramKind kind, const uint8_t *data, size_t len, gpointer user_data)
{
}

static void
link_gone_cb (AlsLink *link, gpointer user_data)
{
  als_visit_paths_link_gone (((Side *) user_data)->paths, link);
}

static void
ended_cb (AlsSessionEnd end, gpointer user_data)
{
}

static const AlsSessionEvents session_events = { schedule_cb, channel_opened_cb, datagram_cb, NULL,
                                                 link_gone_cb, ended_cb };

typedef struct
{
  Side *to;
  GBytes *bytes;
} Delivery;

static gboolean
deliver_cb (gpointer user_data)
{
  Delivery *delivery = user_data;
  AlsPeerMessage message;

  g_assert_true (als_peer_message_decode (&message, g_bytes_get_data (delivery->bytes, NULL),
                                          g_bytes_get_size (delivery->bytes), NULL));
  if (message.type == ALS_PEER_PATH_FAILED)
    {
      delivery->to->n_failed++;
      delivery->to->problem = message.problem;
    }
  if (delivery->to->paths != NULL)
    als_visit_paths_message (delivery->to->paths, &message);
  g_bytes_unref (delivery->bytes);
  g_free (delivery);
  return G_SOURCE_REMOVE;
}

static gboolean
send_peer_cb (GBytes *bytes, gpointer user_data)
{
  Side *side = user_data;
  Delivery *delivery;

  if (side->other->is_deaf)
    return FALSE;
  delivery = g_new0 (Delivery, 1);
  delivery->to = side->other;
  delivery->bytes = g_bytes_ref (bytes);
  g_idle_add_full (G_PRIORITY_DEFAULT, deliver_cb, delivery, NULL);
  return TRUE;
}

static void
side_init (Side *side, Side *other, AlsRole role, guint possible)
{
  static const uint8_t secret[32] = { 7 };
  AlsSessionConfig session = { .role = role };
  AlsVisitPathsConfig paths = { .role = role, .session_secret = secret,
                                .allowed_kinds = ALS_PATH_ALL, .send_peer = send_peer_cb };

  memset (side, 0, sizeof *side);
  side->other = other;
  side->means.possible = possible;
  side->heard = g_string_new (NULL);
  side->poll = als_deadline_source_new (g_main_context_default (), "poll", poll_cb, side);
  side->session = als_session_new (&session, &session_events, side, g_get_monotonic_time ());
  paths.means = &side->means;
  paths.session = side->session;
  paths.user_data = side;
  side->paths = als_visit_paths_new (&paths);
}

static void
side_clear (Side *side)
{
  als_source_clear (&side->poll);
  als_session_free (side->session);
  g_clear_pointer (&side->paths, als_visit_paths_free);
  for (guint i = 0; i < ALS_N_METHODS; i++)
    g_clear_object (&side->means.last[i]);
  g_string_free (side->heard, TRUE);
}

static AlsConnectionAttempt
report_of (Side *side, AlsPathMethod method)
{
  g_autoptr (AlsConnectionReport) report = als_connection_report_new ();
  AlsSessionStats stats;

  als_session_get_stats (side->session, &stats);
  als_visit_paths_report (side->paths, stats.link, stats.kind, report);
  for (guint i = 0; i < report->n_attempts; i++)
    if (report->attempts[i].method == method)
      return report->attempts[i];
  g_assert_not_reached ();
}

static gboolean
uses (Side *side, AlsPathKind kind)
{
  AlsSessionStats stats;

  als_session_get_stats (side->session, &stats);
  return stats.kind == kind;
}

static guint
count_links (Side *side)
{
  AlsSessionStats stats;

  als_session_get_stats (side->session, &stats);
  return stats.n_links;
}

typedef struct
{
  Side inviter, joiner;
} Pair;

#define TCP ALS_METHOD_TCP_PUNCH

static Pair *
pair_new (guint possible)
{
  Pair *pair = g_new0 (Pair, 1);

  side_init (&pair->inviter, &pair->joiner, ALS_ROLE_INVITER, possible);
  side_init (&pair->joiner, &pair->inviter, ALS_ROLE_JOINER, possible);
  als_visit_paths_paired (pair->inviter.paths, ALS_METHOD_SIGNAL_RELAY, NULL);
  als_visit_paths_paired (pair->joiner.paths, ALS_METHOD_SIGNAL_RELAY, NULL);
  return pair;
}

static void
pair_free (Pair *pair)
{
  pair->inviter.is_deaf = pair->joiner.is_deaf = TRUE;
  side_clear (&pair->inviter);
  side_clear (&pair->joiner);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  g_free (pair);
}

/* A connection between the two, both ends' connect or only the inviter's. */
static void
make_sockets (GIOStream *streams[2])
{
  int fds[2];

  g_assert_no_errno (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds));
  for (guint i = 0; i < 2; i++)
    {
      g_autoptr (GSocket) socket = g_socket_new_from_fd (fds[i], NULL);

      streams[i] = G_IO_STREAM (g_socket_connection_factory_create_connection (socket));
    }
}

static void
side_connect (Side *side, AlsPathMethod method, GIOStream *stream, gboolean lan, gboolean initiated)
{
  g_autoptr (AlsCarrier) carrier
      = als_stream_carrier_new (stream, ALS_PATH_DIRECT_TCP, "192.0.2.7:5000", lan, initiated, NULL);

  als_path_connected (ALS_PATH (side->means.last[method]), carrier);
}

static void
pair_connect (Pair *pair, AlsPathMethod method, gboolean lan, gboolean by_inviter, gboolean by_joiner)
{
  GIOStream *streams[2];

  make_sockets (streams);
  side_connect (&pair->inviter, method, streams[0], lan, by_inviter);
  side_connect (&pair->joiner, method, streams[1], lan, by_joiner);
  g_object_unref (streams[0]);
  g_object_unref (streams[1]);
}

static gboolean
is_begun (Side *side, AlsPathMethod method)
{
  return side->means.last[method] != NULL && side->means.last[method]->is_started;
}

static void
wait_begun (Pair *pair, AlsPathMethod method)
{
  als_wait_until (is_begun (&pair->inviter, method) && is_begun (&pair->joiner, method));
}

/* --- tests ------------------------------------------------------------------------ */

static void
test_both_make_their_half (void)
{
  Pair *pair = pair_new (1u << TCP);
  g_autoptr (GBytes) hello = g_bytes_new_static ("hello", 5);

  wait_begun (pair, TCP);
  g_assert_cmpint (report_of (&pair->inviter, TCP).state, ==, ALS_ATTEMPT_TRYING);
  g_assert_cmpint (report_of (&pair->inviter, ALS_METHOD_ICE).state, ==, ALS_ATTEMPT_OFF);
  als_path_send (ALS_PATH (pair->joiner.means.last[TCP]), hello);
  als_path_send (ALS_PATH (pair->inviter.means.last[TCP]), hello);
  als_wait_until (pair->inviter.means.last[TCP]->heard->len == 5
                  && pair->joiner.means.last[TCP]->heard->len == 5);
  pair_free (pair);
}

static void
check_connection (gboolean by_inviter, gboolean by_joiner)
{
  Pair *pair = pair_new (1u << TCP);
  AlsChannel *channel;

  wait_begun (pair, TCP);
  pair_connect (pair, TCP, FALSE, by_inviter, by_joiner);
  als_wait_until (uses (&pair->inviter, ALS_PATH_DIRECT_TCP)
                  && uses (&pair->joiner, ALS_PATH_DIRECT_TCP));
  g_assert_true (pair->inviter.means.last[TCP]->is_settled);
  g_assert_true (pair->joiner.means.last[TCP]->is_settled);
  g_assert_cmpint (report_of (&pair->inviter, TCP).state, ==, ALS_ATTEMPT_IN_USE);
  channel = als_session_open_channel (pair->inviter.session, ALS_CHANNEL_CHAT, ALS_LANE_CHAT);
  als_channel_set_events (channel, &channel_events, &pair->inviter);
  als_channel_write (channel, "words", 5);
  als_wait_until (g_str_equal (pair->joiner.heard->str, "words"));
  pair_free (pair);
}

static void
test_whoever_connected (void)
{
  check_connection (TRUE, FALSE);
  check_connection (FALSE, TRUE);
  /* A simultaneous open. */
  check_connection (TRUE, TRUE);
}

/* Several connections come up; one stays, and it is the same on both sides. */
static void
test_one_of_several_stays (void)
{
  Pair *pair = pair_new (1u << TCP);

  wait_begun (pair, TCP);
  for (guint i = 0; i < 4; i++)
    pair_connect (pair, TCP, FALSE, i % 2 == 0, TRUE);
  als_wait_until (uses (&pair->inviter, ALS_PATH_DIRECT_TCP)
                  && uses (&pair->joiner, ALS_PATH_DIRECT_TCP));
  als_wait_until (count_links (&pair->inviter) == 1 && count_links (&pair->joiner) == 1);
  g_assert_cmpuint (pair->inviter.means.n_made, ==, 1);
  g_assert_false (pair->inviter.means.last[TCP]->is_closed);
  pair_free (pair);
}

static void
test_local_one_is_preferred (void)
{
  Pair *pair = pair_new (1u << TCP);

  wait_begun (pair, TCP);
  pair_connect (pair, TCP, FALSE, TRUE, FALSE);
  als_wait_until (uses (&pair->inviter, ALS_PATH_DIRECT_TCP));
  pair_connect (pair, TCP, TRUE, TRUE, FALSE);
  als_wait_until (report_of (&pair->inviter, TCP).is_lan
                  && report_of (&pair->joiner, TCP).is_lan);
  als_wait_until (count_links (&pair->inviter) == 1 && count_links (&pair->joiner) == 1);
  pair_free (pair);
}

/* Whoever comes in on the port and is not the other side: no byte is said, and the attempt goes on. */
static void
test_strangers (void)
{
  Pair *pair = pair_new (1u << TCP);
  GIOStream *ends[20][2];
  char byte;

  wait_begun (pair, TCP);
  for (guint i = 0; i < G_N_ELEMENTS (ends); i++)
    {
      make_sockets (ends[i]);
      side_connect (&pair->inviter, TCP, ends[i][0], FALSE, FALSE);
    }
  /* The seventeenth and further ones at once. */
  g_assert_cmpuint (report_of (&pair->inviter, TCP).report.strangers, ==, 4);
  g_assert_true (g_output_stream_write_all (g_io_stream_get_output_stream (ends[0][1]),
                                            "GET / HTTP/1.1\r\n\r\n", 18, NULL, NULL, NULL));
  als_wait_until (report_of (&pair->inviter, TCP).report.strangers == 5);
  g_assert_cmpint (g_input_stream_read (g_io_stream_get_input_stream (ends[0][1]), &byte, 1, NULL, NULL),
                   <=, 0);
  g_assert_cmpint (report_of (&pair->inviter, TCP).state, ==, ALS_ATTEMPT_TRYING);
  /* There is a place for the other side again. */
  pair_connect (pair, TCP, FALSE, FALSE, TRUE);
  als_wait_until (uses (&pair->inviter, ALS_PATH_DIRECT_TCP));
  /* Silent ones are not waited for. */
  als_wait_until (report_of (&pair->inviter, TCP).report.strangers == 20);
  g_assert_true (uses (&pair->inviter, ALS_PATH_DIRECT_TCP));
  for (guint i = 0; i < G_N_ELEMENTS (ends); i++)
    {
      g_object_unref (ends[i][0]);
      g_object_unref (ends[i][1]);
    }
  pair_free (pair);
}

static void
test_death_begins_anew (void)
{
  Pair *pair = pair_new (1u << TCP);
  GIOStream *streams[2];
  TestPath *first;

  wait_begun (pair, TCP);
  make_sockets (streams);
  side_connect (&pair->inviter, TCP, streams[0], FALSE, TRUE);
  side_connect (&pair->joiner, TCP, streams[1], FALSE, FALSE);
  als_wait_until (uses (&pair->inviter, ALS_PATH_DIRECT_TCP)
                  && uses (&pair->joiner, ALS_PATH_DIRECT_TCP));
  first = g_object_ref (pair->inviter.means.last[TCP]);
  shutdown (g_socket_get_fd (g_socket_connection_get_socket (G_SOCKET_CONNECTION (streams[0]))), SHUT_RDWR);
  g_object_unref (streams[0]);
  g_object_unref (streams[1]);
  als_wait_until (first->is_closed);
  g_assert_cmpint (report_of (&pair->inviter, TCP).report.problem, ==, ALS_PATH_PROBLEM_DIED);
  als_wait_until (pair->inviter.means.last[TCP] != first);
  als_wait_until (pair->joiner.means.n_made == 2);
  pair_connect (pair, TCP, FALSE, TRUE, TRUE);
  als_wait_until (uses (&pair->inviter, ALS_PATH_DIRECT_TCP)
                  && uses (&pair->joiner, ALS_PATH_DIRECT_TCP));
  g_object_unref (first);
  pair_free (pair);
}

static void
test_refusals_are_told (void)
{
  Pair *pair = pair_new (1u << TCP);

  pair->joiner.means.possible = 0;
  als_wait_until (pair->inviter.n_failed == 1);
  g_assert_cmpuint (pair->inviter.problem, ==, ALS_PATH_PROBLEM_NO_SERVER);
  g_assert_cmpint (report_of (&pair->inviter, TCP).state, ==, ALS_ATTEMPT_FAILED);
  g_assert_cmpint (report_of (&pair->inviter, TCP).report.problem, ==, ALS_PATH_PROBLEM_PEER_GAVE_UP);
  /* And tried again, with the other side able to. */
  pair->joiner.means.possible = 1u << TCP;
  als_wait_until (is_begun (&pair->joiner, TCP));
  als_path_fail (ALS_PATH (pair->joiner.means.last[TCP]), ALS_PATH_PROBLEM_RESETS, "no");
  als_wait_until (pair->inviter.n_failed == 2);
  g_assert_cmpint (report_of (&pair->joiner, TCP).report.problem, ==, ALS_PATH_PROBLEM_RESETS);
  pair_free (pair);
}

/* A joiner follows as often as is good for it. */
static void
test_attempts_have_a_rate (void)
{
  Pair *pair = pair_new (0);

  pair->joiner.means.possible = 1u << TCP;
  for (guint i = 1; i <= 60; i++)
    {
      AlsPeerMessage begin = { .type = ALS_PEER_PATH_BEGIN, .method = TCP, .attempt = i };

      als_visit_paths_message (pair->joiner.paths, &begin);
    }
  g_assert_cmpuint (pair->joiner.means.n_made, <=, 20);
  als_wait_until (pair->inviter.n_failed >= 40);
  pair_free (pair);
}

/* What goes on ends when the network changes, and begins anew; what works stays. */
static void
test_network_changed (void)
{
  Pair *pair = pair_new (1u << TCP | 1u << ALS_METHOD_ICE);
  TestPath *ice, *tcp;

  wait_begun (pair, TCP);
  wait_begun (pair, ALS_METHOD_ICE);
  pair_connect (pair, TCP, FALSE, TRUE, FALSE);
  als_wait_until (uses (&pair->inviter, ALS_PATH_DIRECT_TCP));
  ice = g_object_ref (pair->inviter.means.last[ALS_METHOD_ICE]);
  tcp = g_object_ref (pair->inviter.means.last[TCP]);
  als_visit_paths_network_changed (pair->inviter.paths);
  als_wait_until (ice->is_closed);
  g_assert_false (tcp->is_closed);
  g_assert_true (uses (&pair->inviter, ALS_PATH_DIRECT_TCP));
  g_object_unref (ice);
  g_object_unref (tcp);
  pair_free (pair);
}

static gboolean
say_moved_cb (gpointer user_data)
{
  AlsPeerMessage moved = { .type = ALS_PEER_MOVED };

  als_visit_paths_message (user_data, &moved);
  return G_SOURCE_CONTINUE;
}

/* Whoever says all the time that it has moved does not have all begun anew all the time. */
static void
test_moves_have_a_rate (void)
{
  Pair *pair = pair_new (1u << TCP);
  int64_t end_us = g_get_monotonic_time () + 3500 * 1000;
  guint moving;

  wait_begun (pair, TCP);
  moving = g_timeout_add (50, say_moved_cb, pair->inviter.paths);
  als_wait_until (g_get_monotonic_time () >= end_us);
  g_source_remove (moving);
  g_assert_cmpuint (pair->inviter.means.n_made, ==, 2);
  pair_free (pair);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/visit/paths/both-sides-make-their-half", test_both_make_their_half);
  g_test_add_func ("/visit/paths/whoever-connected-they-meet", test_whoever_connected);
  g_test_add_func ("/visit/paths/one-of-several-stays", test_one_of_several_stays);
  g_test_add_func ("/visit/paths/a-local-one-is-preferred", test_local_one_is_preferred);
  g_test_add_func ("/visit/paths/strangers-get-no-byte-and-no-slot-for-long", test_strangers);
  g_test_add_func ("/visit/paths/a-death-begins-anew", test_death_begins_anew);
  g_test_add_func ("/visit/paths/refusals-are-told", test_refusals_are_told);
  g_test_add_func ("/visit/paths/attempts-have-a-rate", test_attempts_have_a_rate);
  g_test_add_func ("/visit/paths/a-changed-network-ends-what-is-under-way", test_network_changed);
  g_test_add_func ("/visit/paths/moves-have-a-rate", test_moves_have_a_rate);
  return g_test_run ();
}
