/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Both halves of a turn-tcp path over a real coturn on loopback. */

#include "path/als-stream-carrier.h"
#include "path/turn/als-turn-carrier.h"
#include "path/turn/als-turn-path.h"
#include "path/turn/als-turn-pool-controls.h"

#include <string.h>

#include "als-stream-call.h"
#include "als-turn-server.h"
#include "als-wait.h"

/* --- one side --- */

typedef struct Traffic Traffic;
struct Traffic
{
  GMutex mutex;
  Traffic *other;
  AlsCarrier *carrier;
  uint64_t received;
  uint64_t messages;
  uint64_t sent;
  uint64_t to_send;     /* messages of size bytes, numbered */
  size_t size;
  gboolean is_wrong;
  gboolean is_closed;
};

typedef struct Side Side;
struct Side
{
  Side *other;
  AlsTurnPool *pool;
  AlsPath *path;
  Traffic traffic;
  guint n_connected;
  int problem;          /* -1: not failed */
};

/* No more is under way than the carrier's limit, as a link would have it. */
static void
pump (Traffic *self)
{
  uint64_t limit = als_carrier_get_backlog_limit (self->carrier) / self->size;

  while (self->sent < self->to_send && self->sent < self->other->messages + limit)
    {
      g_autofree uint8_t *message = g_malloc0 (self->size);
      uint64_t number = GUINT64_TO_BE (self->sent);
      AlsPacket packet = { message, self->size };

      memcpy (message, &number, sizeof number);
      if (als_carrier_send (self->carrier, &packet, 1) == 0)
        return;
      self->sent++;
    }
}

static void
on_received (AlsCarrier *carrier, const uint8_t *data, size_t len, gpointer user_data)
{
  Traffic *self = user_data;
  uint64_t number = 0;

  g_mutex_lock (&self->mutex);
  memcpy (&number, data, MIN (len, sizeof number));
  self->is_wrong |= GUINT64_FROM_BE (number) != self->messages;
  self->messages++;
  self->received += len;
  g_mutex_unlock (&self->mutex);
  if (self->other->carrier != NULL)
    pump (self->other);
}

static void
on_writable (AlsCarrier *carrier, gpointer user_data)
{
  pump (user_data);
}

static void
on_closed (AlsCarrier *carrier, const GError *error, gpointer user_data)
{
  Traffic *self = user_data;

  g_mutex_lock (&self->mutex);
  self->is_closed = TRUE;
  g_mutex_unlock (&self->mutex);
}

static const AlsCarrierEvents events = { on_received, on_writable, on_closed };

static gboolean
listen_cb (gpointer user_data)
{
  Traffic *self = user_data;

  als_carrier_set_events (self->carrier, &events, self);
  return G_SOURCE_REMOVE;
}

static gboolean
pump_cb (gpointer user_data)
{
  pump (user_data);
  return G_SOURCE_REMOVE;
}

static gboolean
close_cb (gpointer user_data)
{
  als_carrier_close (((Traffic *) user_data)->carrier);
  return G_SOURCE_REMOVE;
}

static void
on_message (AlsPath *path, GBytes *message, gpointer user_data)
{
  Side *self = user_data;
  size_t len;
  const uint8_t *data = g_bytes_get_data (message, &len);

  if (self->other->path != NULL)
    als_path_remote_message (self->other->path, data, len);
}

static void
on_connected (AlsPath *path, AlsCarrier *carrier, gpointer user_data)
{
  Side *self = user_data;

  self->n_connected++;
  g_set_object (&self->traffic.carrier, carrier);
  als_stream_call (listen_cb, &self->traffic);
}

static void
on_failed (AlsPath *path, GError *error, gpointer user_data)
{
  ((Side *) user_data)->problem = error->code;
}

/* PROXIES: (nullable). SERVERS: as the pool's. */
static void
side_init (Side *self, Side *other, GPtrArray *servers, gboolean is_inviter, gboolean one_sided,
           GProxyResolver *proxies, GTlsDatabase *trust)
{
  g_autoptr (GProxyResolver) none = g_simple_proxy_resolver_new (NULL, NULL);
  AlsTurnPoolConfig config = { .servers = servers,
                               .loopback = TRUE,
                               .proxies = proxies != NULL ? proxies : none,
                               .trust = trust };
  AlsTurnPathConfig path_config = { .is_inviter = is_inviter, .one_sided = one_sided };

  memset (self, 0, sizeof *self);
  g_mutex_init (&self->traffic.mutex);
  self->traffic.size = 4096;
  self->traffic.other = &other->traffic;
  self->other = other;
  self->problem = -1;
  self->pool = als_turn_pool_new (&config);
  path_config.pool = self->pool;
  self->path = als_turn_path_new (&path_config);
  g_signal_connect (self->path, "local-message", G_CALLBACK (on_message), self);
  g_signal_connect (self->path, "connected", G_CALLBACK (on_connected), self);
  g_signal_connect (self->path, "failed", G_CALLBACK (on_failed), self);
}

static gboolean
tick_cb (gpointer user_data)
{
  return G_SOURCE_CONTINUE;
}

/* What happens in other threads is looked at every few milliseconds. */
#define wait_for(condition)                                                                        \
  G_STMT_START                                                                                     \
  {                                                                                                \
    guint tick_source = g_timeout_add (2, tick_cb, NULL);                                          \
    als_wait_until (condition);                                                                    \
    g_source_remove (tick_source);                                                                 \
  }                                                                                                \
  G_STMT_END

static gboolean
locked (Traffic *self, gsize offset)
{
  gboolean value;

  g_mutex_lock (&self->mutex);
  value = *(gboolean *) (void *) ((char *) self + offset);
  g_mutex_unlock (&self->mutex);
  return value;
}

#define is_closed(side) locked (&(side)->traffic, G_STRUCT_OFFSET (Traffic, is_closed))
#define is_wrong(side) locked (&(side)->traffic, G_STRUCT_OFFSET (Traffic, is_wrong))

static uint64_t
get_messages (Side *self)
{
  uint64_t messages;

  g_mutex_lock (&self->traffic.mutex);
  messages = self->traffic.messages;
  g_mutex_unlock (&self->traffic.mutex);
  return messages;
}

typedef struct
{
  AlsTurnServer server;
  GPtrArray *servers;
  Side inviter, joiner;
} Fixture;

static void
fixture_init (Fixture *self, const char *options)
{
  memset (self, 0, sizeof *self);
  als_turn_server_init (&self->server, options);
  self->servers = g_ptr_array_new_with_free_func ((GDestroyNotify) als_path_server_free);
}

static void
fixture_start (Fixture *self)
{
  als_turn_pool_start (self->inviter.pool);
  als_turn_pool_start (self->joiner.pool);
  als_path_start (self->inviter.path);
  als_path_start (self->joiner.path);
}

/* Both sides with one server each. */
static void
fixture_init_pair (Fixture *self, const char *options, AlsPathServerKind kind, int life_s,
                   const char *secret)
{
  fixture_init (self, options);
  g_ptr_array_add (self->servers,
                   als_turn_server_login (&self->server, kind, "127.0.0.1", life_s, secret));
  side_init (&self->inviter, &self->joiner, self->servers, TRUE, FALSE, NULL, NULL);
  side_init (&self->joiner, &self->inviter, self->servers, FALSE, FALSE, NULL, NULL);
}

static void
close_carriers (Fixture *self)
{
  Side *sides[] = { &self->inviter, &self->joiner };

  for (guint i = 0; i < 2; i++)
    if (sides[i]->traffic.carrier != NULL)
      als_stream_call (close_cb, &sides[i]->traffic);
}

static void
fixture_clear (Fixture *self)
{
  Side *sides[] = { &self->inviter, &self->joiner };

  close_carriers (self);
  for (guint i = 0; i < 2; i++)
    {
      als_path_close (sides[i]->path);
      g_clear_object (&sides[i]->path);
      als_turn_pool_close (sides[i]->pool);
      g_clear_object (&sides[i]->pool);
    }
  for (guint i = 0; i < 2; i++)
    {
      if (sides[i]->traffic.carrier != NULL)
        wait_for (G_OBJECT (sides[i]->traffic.carrier)->ref_count == 1);
      g_assert_false (is_wrong (sides[i]));
      g_clear_object (&sides[i]->traffic.carrier);
      g_mutex_clear (&sides[i]->traffic.mutex);
    }
  als_turn_server_clear (&self->server);
  g_ptr_array_unref (self->servers);
}

static void
send_messages (Side *from, uint64_t n, size_t size)
{
  from->traffic.size = size;
  from->traffic.to_send += n;
  als_stream_call (pump_cb, &from->traffic);
}

static void
connect_both (Fixture *self)
{
  AlsPathReport report;

  fixture_start (self);
  als_wait_until ((self->inviter.n_connected == 1 && self->joiner.n_connected == 1)
                  || self->inviter.problem >= 0 || self->joiner.problem >= 0);
  g_assert_cmpint (self->inviter.problem, ==, -1);
  g_assert_cmpint (self->joiner.problem, ==, -1);
  als_path_get_report (self->inviter.path, &report);
  g_test_message ("connected after %.0f ms, %u tries", (double) report.took_us / 1000,
                  report.tries);
}

static void
exchange (Fixture *self)
{
  send_messages (&self->inviter, 500, 4096);
  send_messages (&self->joiner, 500, 3000);
  wait_for (get_messages (&self->joiner) == 500 && get_messages (&self->inviter) == 500);
}

/* --- the tests --- */

static void
test_both_ways (void)
{
  Fixture fixture;

  fixture_init_pair (&fixture, "", ALS_PATH_SERVER_TURN, 600, NULL);
  connect_both (&fixture);
  exchange (&fixture);
  g_assert_cmpint (als_carrier_get_carrier_type (fixture.inviter.traffic.carrier), ==,
                   ALS_CARRIER_MESSAGES);
  g_assert_cmpint (als_carrier_get_kind (fixture.inviter.traffic.carrier), ==, ALS_PATH_TURN_TCP);
  fixture_clear (&fixture);
}

static void
test_bulk_is_striped (gconstpointer user_data)
{
  Fixture fixture;
  Side *from, *to;
  int64_t start_us;

  fixture_init_pair (&fixture, "", ALS_PATH_SERVER_TURN, 600, NULL);
  from = GPOINTER_TO_INT (user_data) ? &fixture.inviter : &fixture.joiner;
  to = from->other;
  connect_both (&fixture);
  start_us = g_get_monotonic_time ();
  send_messages (from, 8192, 16384);
  wait_for (get_messages (to) == 8192);
  g_test_message ("%.0f Mbit/s, %u streams",
                  8192.0 * 16384 * 8 / (double) (g_get_monotonic_time () - start_us),
                  als_turn_carrier_count_streams (ALS_TURN_CARRIER (from->traffic.carrier)));
  g_assert_cmpuint (als_turn_carrier_count_streams (ALS_TURN_CARRIER (from->traffic.carrier)), >=,
                    4);
  g_assert_cmpuint (als_turn_carrier_count_streams (ALS_TURN_CARRIER (to->traffic.carrier)), >=, 4);
  fixture_clear (&fixture);
}

static void
test_quota_leaves_what_there_is (void)
{
  Fixture fixture;

  /* Both have the same user name: one allocation each, and no more. */
  fixture_init_pair (&fixture, "user-quota=2\n", ALS_PATH_SERVER_TURN, 600, NULL);
  connect_both (&fixture);
  /* coturn's buffer hardly holds a packet of the loopback: this takes a second or more. */
  send_messages (&fixture.inviter, 2048, 16384);
  wait_for (get_messages (&fixture.joiner) == 2048);
  g_assert_cmpuint (
      als_turn_carrier_count_streams (ALS_TURN_CARRIER (fixture.inviter.traffic.carrier)), ==, 1);
  g_assert_cmpint (fixture.inviter.problem, ==, -1);
  fixture_clear (&fixture);
}

static void
expect_failures (Fixture *fixture, AlsPathProblem inviter, AlsPathProblem joiner)
{
  fixture_start (fixture);
  als_wait_until (fixture->inviter.problem >= 0 && fixture->joiner.problem >= 0);
  g_assert_cmpstr (als_path_problem_to_string (fixture->inviter.problem), ==,
                   als_path_problem_to_string (inviter));
  g_assert_cmpstr (als_path_problem_to_string (fixture->joiner.problem), ==,
                   als_path_problem_to_string (joiner));
  g_assert_cmpuint (fixture->inviter.n_connected + fixture->joiner.n_connected, ==, 0);
}

static void
test_wrong_password (void)
{
  Fixture fixture;

  fixture_init_pair (&fixture, "", ALS_PATH_SERVER_TURN, 600, "not this one");
  expect_failures (&fixture, ALS_PATH_PROBLEM_SERVER_REFUSED, ALS_PATH_PROBLEM_SERVER_REFUSED);
  /* Our endpoint is known all the same. */
  g_assert_cmpuint (als_turn_pool_get_endpoints (fixture.inviter.pool)->len, ==, 1);
  fixture_clear (&fixture);
}

static void
test_expired_login (void)
{
  Fixture fixture;

  fixture_init_pair (&fixture, "", ALS_PATH_SERVER_TURN, -60, NULL);
  expect_failures (&fixture, ALS_PATH_PROBLEM_SERVER_REFUSED, ALS_PATH_PROBLEM_SERVER_REFUSED);
  fixture_clear (&fixture);
}

static void
test_one_allocation_for_two (void)
{
  Fixture fixture;

  fixture_init_pair (&fixture, "user-quota=1\n", ALS_PATH_SERVER_TURN, 600, NULL);
  fixture_start (&fixture);
  als_wait_until (fixture.inviter.problem >= 0 && fixture.joiner.problem >= 0);
  /* Whoever was late is refused, and the other side hears of it. */
  g_assert_true ((fixture.inviter.problem == ALS_PATH_PROBLEM_SERVER_REFUSED)
                 != (fixture.joiner.problem == ALS_PATH_PROBLEM_SERVER_REFUSED));
  g_assert_true ((fixture.inviter.problem == ALS_PATH_PROBLEM_PEER_ENDPOINT)
                 != (fixture.joiner.problem == ALS_PATH_PROBLEM_PEER_ENDPOINT));
  fixture_clear (&fixture);
}

static void
test_server_killed (void)
{
  Fixture fixture;

  fixture_init_pair (&fixture, "", ALS_PATH_SERVER_TURN, 600, NULL);
  connect_both (&fixture);
  exchange (&fixture);
  als_turn_server_kill (&fixture.server);
  wait_for (is_closed (&fixture.inviter) && is_closed (&fixture.joiner));
  als_wait_until (fixture.inviter.problem == ALS_PATH_PROBLEM_DIED
                  && fixture.joiner.problem == ALS_PATH_PROBLEM_DIED);
  fixture_clear (&fixture);
}

static void
test_closing_is_told (void)
{
  Fixture fixture;

  fixture_init_pair (&fixture, "", ALS_PATH_SERVER_TURN, 600, NULL);
  connect_both (&fixture);
  send_messages (&fixture.inviter, 100, 16384);
  wait_for (get_messages (&fixture.joiner) == 100);
  als_stream_call (close_cb, &fixture.inviter.traffic);
  wait_for (is_closed (&fixture.joiner));
  g_assert_cmpuint (get_messages (&fixture.joiner), ==, 100);
  fixture_clear (&fixture);
}

static void
test_path_closed_under_its_carrier (void)
{
  Fixture fixture;

  fixture_init_pair (&fixture, "", ALS_PATH_SERVER_TURN, 600, NULL);
  connect_both (&fixture);
  als_path_close (fixture.inviter.path);
  wait_for (is_closed (&fixture.inviter) && is_closed (&fixture.joiner));
  fixture_clear (&fixture);
}

static void
test_one_sided (gconstpointer user_data)
{
  gboolean inviter_has = GPOINTER_TO_INT (user_data);
  g_autoptr (GPtrArray) stun
      = g_ptr_array_new_with_free_func ((GDestroyNotify) als_path_server_free);
  Fixture fixture;

  fixture_init (&fixture, "");
  g_ptr_array_add (fixture.servers, als_turn_server_login (&fixture.server, ALS_PATH_SERVER_TURN,
                                                           "127.0.0.1", 600, NULL));
  g_ptr_array_add (stun, als_path_server_new (ALS_PATH_SERVER_STUN, "127.0.0.1",
                                              fixture.server.port, NULL, NULL));
  side_init (&fixture.inviter, &fixture.joiner, inviter_has ? fixture.servers : stun, TRUE, TRUE,
             NULL, NULL);
  side_init (&fixture.joiner, &fixture.inviter, inviter_has ? stun : fixture.servers, FALSE, TRUE,
             NULL, NULL);
  connect_both (&fixture);
  exchange (&fixture);
  send_messages (&fixture.joiner, 2048, 16384);
  wait_for (get_messages (&fixture.inviter) == 2048 + 500);
  fixture_clear (&fixture);
}

static void
test_not_one_sided_by_itself (void)
{
  g_autoptr (GPtrArray) stun
      = g_ptr_array_new_with_free_func ((GDestroyNotify) als_path_server_free);
  Fixture fixture;

  fixture_init (&fixture, "");
  g_ptr_array_add (fixture.servers, als_turn_server_login (&fixture.server, ALS_PATH_SERVER_TURN,
                                                           "127.0.0.1", 600, NULL));
  g_ptr_array_add (stun, als_path_server_new (ALS_PATH_SERVER_STUN, "127.0.0.1",
                                              fixture.server.port, NULL, NULL));
  side_init (&fixture.inviter, &fixture.joiner, fixture.servers, TRUE, FALSE, NULL, NULL);
  side_init (&fixture.joiner, &fixture.inviter, stun, FALSE, TRUE, NULL, NULL);
  expect_failures (&fixture, ALS_PATH_PROBLEM_PEER_ENDPOINT, ALS_PATH_PROBLEM_NO_SERVER);
  fixture_clear (&fixture);
}

static void
test_two_servers (void)
{
  g_autoptr (GPtrArray) others
      = g_ptr_array_new_with_free_func ((GDestroyNotify) als_path_server_free);
  AlsTurnServer other;
  Fixture fixture;

  fixture_init (&fixture, "");
  als_turn_server_init (&other, "");
  g_ptr_array_add (fixture.servers, als_turn_server_login (&fixture.server, ALS_PATH_SERVER_TURN,
                                                           "127.0.0.1", 600, NULL));
  g_ptr_array_add (others, als_turn_server_login (&other, ALS_PATH_SERVER_TURN, "127.0.0.1", 600,
                                                  NULL));
  side_init (&fixture.inviter, &fixture.joiner, fixture.servers, TRUE, FALSE, NULL, NULL);
  side_init (&fixture.joiner, &fixture.inviter, others, FALSE, FALSE, NULL, NULL);
  connect_both (&fixture);
  exchange (&fixture);
  fixture_clear (&fixture);
  als_turn_server_clear (&other);
}

int
main (int argc, char **argv)
{
  g_autofree char *program = g_find_program_in_path ("turnserver");

  g_test_init (&argc, &argv, NULL);
  if (program == NULL)
    {
      g_print ("1..0 # SKIP no turnserver\n");
      return 0;
    }
  g_test_add_func ("/path/turn-tcp/messages-pass-both-ways", test_both_ways);
  g_test_add_data_func ("/path/turn-tcp/bulk-of-the-inviter-is-striped", GINT_TO_POINTER (TRUE),
                        test_bulk_is_striped);
  g_test_add_data_func ("/path/turn-tcp/bulk-of-the-joiner-is-striped", GINT_TO_POINTER (FALSE),
                        test_bulk_is_striped);
  g_test_add_func ("/path/turn-tcp/a-quota-leaves-what-there-is", test_quota_leaves_what_there_is);
  g_test_add_func ("/path/turn-tcp/a-wrong-password-is-refused", test_wrong_password);
  g_test_add_func ("/path/turn-tcp/an-expired-login-is-refused", test_expired_login);
  g_test_add_func ("/path/turn-tcp/one-allocation-is-not-enough", test_one_allocation_for_two);
  g_test_add_func ("/path/turn-tcp/a-killed-server-ends-it", test_server_killed);
  g_test_add_func ("/path/turn-tcp/an-end-comes-after-the-last-message", test_closing_is_told);
  g_test_add_func ("/path/turn-tcp/a-closed-path-ends-its-carrier",
                   test_path_closed_under_its_carrier);
  g_test_add_data_func ("/path/turn-tcp/only-the-inviter-has-a-relay", GINT_TO_POINTER (TRUE),
                        test_one_sided);
  g_test_add_data_func ("/path/turn-tcp/only-the-joiner-has-a-relay", GINT_TO_POINTER (FALSE),
                        test_one_sided);
  g_test_add_func ("/path/turn-tcp/one-sided-is-for-the-willing", test_not_one_sided_by_itself);
  g_test_add_func ("/path/turn-tcp/each-side-may-have-its-own-server", test_two_servers);
  return g_test_run ();
}
