/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Both halves of a turn-tcp path over a real coturn on loopback. */

#include "path/als-stream-carrier.h"
#include "path/turn/als-turn-carrier.h"
#include "path/turn/als-turn-path.h"
#include "path/turn/als-turn-pool-controls.h"

#include <glib/gstdio.h>
#include <string.h>

#include "als-stream-call.h"
#include "als-test-certificate.h"
#include "als-test-proxy.h"
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

typedef struct
{
  Traffic *traffic;
  uint64_t n;
  size_t size;
} More;

static gboolean
send_more_cb (gpointer user_data)
{
  More *more = user_data;

  more->traffic->size = more->size;
  more->traffic->to_send += more->n;
  pump (more->traffic);
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
        als_wait_until_ticking (G_OBJECT (sides[i]->traffic.carrier)->ref_count == 1);
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
  als_stream_call (send_more_cb, &(More){ &from->traffic, n, size });
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
  send_messages (&self->inviter, 500, 512);
  send_messages (&self->joiner, 500, 700);
  als_wait_until_ticking (get_messages (&self->joiner) == 500 && get_messages (&self->inviter) == 500);
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
  als_wait_until_ticking (get_messages (to) == 8192);
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
  als_wait_until_ticking (get_messages (&fixture.joiner) == 2048);
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
  als_wait_until_ticking (is_closed (&fixture.inviter) && is_closed (&fixture.joiner));
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
  als_wait_until_ticking (get_messages (&fixture.joiner) == 100);
  als_stream_call (close_cb, &fixture.inviter.traffic);
  als_wait_until_ticking (is_closed (&fixture.joiner));
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
  als_wait_until_ticking (is_closed (&fixture.inviter) && is_closed (&fixture.joiner));
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
  als_wait_until_ticking (get_messages (&fixture.inviter) == 2048 + 500);
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

/* --- TLS --- */

typedef struct
{
  Fixture fixture;
  char *folder;
  char *pem;
  GTlsDatabase *trust;
} TlsFixture;

/* The server's certificate is for 127.0.0.1, and its own authority. */
static void
tls_fixture_init (TlsFixture *self)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *options = NULL;

  memset (self, 0, sizeof *self);
  self->folder = g_dir_make_tmp ("als-tls-XXXXXX", &error);
  g_assert_no_error (error);
  self->pem = g_build_filename (self->folder, "server.pem", NULL);
  g_file_set_contents (self->pem, ALS_TEST_CERTIFICATE, -1, &error);
  g_assert_no_error (error);
  self->trust = g_tls_file_database_new (self->pem, &error);
  g_assert_no_error (error);
  options = g_strdup_printf ("cert=%s\npkey=%s\n", self->pem, self->pem);
  fixture_init (&self->fixture, options);
}

/* PORT: 0: the server's. */
static void
tls_fixture_add_sides (TlsFixture *self, const char *host, uint16_t port, gboolean is_trusted,
                       GProxyResolver *proxies)
{
  Fixture *fixture = &self->fixture;
  AlsPathServer *server = als_turn_server_login (&fixture->server, ALS_PATH_SERVER_TURNS, host,
                                                 600, NULL);
  GTlsDatabase *trust = is_trusted ? self->trust : NULL;

  if (port != 0)
    server->port = port;
  g_ptr_array_add (fixture->servers, server);
  side_init (&fixture->inviter, &fixture->joiner, fixture->servers, TRUE, FALSE, proxies, trust);
  side_init (&fixture->joiner, &fixture->inviter, fixture->servers, FALSE, FALSE, proxies, trust);
}

static void
tls_fixture_clear (TlsFixture *self)
{
  fixture_clear (&self->fixture);
  g_unlink (self->pem);
  g_rmdir (self->folder);
  g_free (self->pem);
  g_free (self->folder);
  g_object_unref (self->trust);
}

static void
test_tls (void)
{
  TlsFixture fixture;

  tls_fixture_init (&fixture);
  tls_fixture_add_sides (&fixture, "127.0.0.1", 0, TRUE, NULL);
  connect_both (&fixture.fixture);
  exchange (&fixture.fixture);
  send_messages (&fixture.fixture.joiner, 4096, 16384);
  als_wait_until_ticking (get_messages (&fixture.fixture.inviter) == 4096 + 500);
  /* TLS may end at somebody who looks into it: it tells no endpoint. */
  g_assert_cmpuint (als_turn_pool_get_endpoints (fixture.fixture.inviter.pool)->len, ==, 0);
  tls_fixture_clear (&fixture);
}

static void
test_bad_certificate (gconstpointer user_data)
{
  gboolean is_trusted = GPOINTER_TO_INT (user_data);
  TlsFixture fixture;

  tls_fixture_init (&fixture);
  /* Either nobody has signed it, or it names another host. */
  tls_fixture_add_sides (&fixture, is_trusted ? "localhost" : "127.0.0.1", 0, is_trusted, NULL);
  expect_failures (&fixture.fixture, ALS_PATH_PROBLEM_SERVER_UNREACHABLE,
                   ALS_PATH_PROBLEM_SERVER_UNREACHABLE);
  tls_fixture_clear (&fixture);
}

/* --- proxies --- */

/* From here no way leads to 192.0.2.1 but through the proxy. */
static void
test_proxy (gconstpointer user_data)
{
  g_autoptr (GProxyResolver) resolver = NULL;
  g_autofree char *uri = NULL;
  AlsTestProxy proxy;
  Fixture fixture;

  als_test_proxy_init (&proxy, GPOINTER_TO_INT (user_data));
  uri = als_test_proxy_get_uri (&proxy);
  resolver = g_simple_proxy_resolver_new (uri, NULL);
  fixture_init (&fixture, "");
  g_ptr_array_add (fixture.servers, als_turn_server_login (&fixture.server, ALS_PATH_SERVER_TURN,
                                                           "192.0.2.1", 600, NULL));
  side_init (&fixture.inviter, &fixture.joiner, fixture.servers, TRUE, FALSE, resolver, NULL);
  side_init (&fixture.joiner, &fixture.inviter, fixture.servers, FALSE, FALSE, resolver, NULL);
  connect_both (&fixture);
  exchange (&fixture);
  send_messages (&fixture.inviter, 2048, 16384);
  als_wait_until_ticking (get_messages (&fixture.joiner) == 2048 + 500);
  g_assert_true (als_turn_pool_uses_proxy (fixture.inviter.pool));
  g_assert_cmpuint (als_turn_pool_get_endpoints (fixture.inviter.pool)->len, ==, 0);
  g_assert_cmpint (g_atomic_int_get (&proxy.n_connections), >=, 4);
  fixture_clear (&fixture);
  als_test_proxy_clear (&proxy);
}

static void
test_tls_by_proxy (gconstpointer user_data)
{
  g_autoptr (GProxyResolver) resolver = NULL;
  g_autofree char *uri = NULL;
  AlsTestProxy proxy;
  TlsFixture fixture;

  als_test_proxy_init (&proxy, GPOINTER_TO_INT (user_data));
  uri = als_test_proxy_get_uri (&proxy);
  resolver = g_simple_proxy_resolver_new (uri, NULL);
  tls_fixture_init (&fixture);
  /* Nobody listens there, but the proxy knows better. */
  proxy.from_port = als_turn_server_find_port ();
  proxy.to_port = fixture.fixture.server.tls_port;
  tls_fixture_add_sides (&fixture, "127.0.0.1", proxy.from_port, TRUE, resolver);
  connect_both (&fixture.fixture);
  exchange (&fixture.fixture);
  g_assert_true (als_turn_pool_uses_proxy (fixture.fixture.joiner.pool));
  tls_fixture_clear (&fixture);
  als_test_proxy_clear (&proxy);
}

static void
test_refusing_proxy (gconstpointer user_data)
{
  g_autoptr (GProxyResolver) resolver = NULL;
  g_autofree char *uri = NULL;
  AlsTestProxy proxy;
  Fixture fixture;

  als_test_proxy_init (&proxy, GPOINTER_TO_INT (user_data));
  proxy.refuses = TRUE;
  uri = als_test_proxy_get_uri (&proxy);
  resolver = g_simple_proxy_resolver_new (uri, NULL);
  fixture_init (&fixture, "");
  g_ptr_array_add (fixture.servers, als_turn_server_login (&fixture.server, ALS_PATH_SERVER_TURN,
                                                           "192.0.2.1", 600, NULL));
  side_init (&fixture.inviter, &fixture.joiner, fixture.servers, TRUE, FALSE, resolver, NULL);
  side_init (&fixture.joiner, &fixture.inviter, fixture.servers, FALSE, FALSE, resolver, NULL);
  expect_failures (&fixture, ALS_PATH_PROBLEM_SERVER_UNREACHABLE,
                   ALS_PATH_PROBLEM_SERVER_UNREACHABLE);
  fixture_clear (&fixture);
  als_test_proxy_clear (&proxy);
}

static void
test_a_proxy_is_not_needed (void)
{
  g_autoptr (GProxyResolver) resolver = NULL;
  g_autofree char *uri = NULL;
  AlsTestProxy proxy;
  Fixture fixture;

  als_test_proxy_init (&proxy, FALSE);
  uri = als_test_proxy_get_uri (&proxy);
  resolver = g_simple_proxy_resolver_new (uri, NULL);
  fixture_init (&fixture, "");
  g_ptr_array_add (fixture.servers, als_turn_server_login (&fixture.server, ALS_PATH_SERVER_TURN,
                                                           "127.0.0.1", 600, NULL));
  side_init (&fixture.inviter, &fixture.joiner, fixture.servers, TRUE, FALSE, resolver, NULL);
  side_init (&fixture.joiner, &fixture.inviter, fixture.servers, FALSE, FALSE, NULL, NULL);
  connect_both (&fixture);
  g_assert_false (als_turn_pool_uses_proxy (fixture.inviter.pool));
  g_assert_cmpuint (als_turn_pool_get_endpoints (fixture.inviter.pool)->len, ==, 1);
  fixture_clear (&fixture);
  als_test_proxy_clear (&proxy);
}

/* --- IPv6 --- */

static gboolean
has_ipv6 (void)
{
  g_autoptr (GInetAddress) loopback = g_inet_address_new_loopback (G_SOCKET_FAMILY_IPV6);
  g_autoptr (GSocketAddress) address = g_inet_socket_address_new (loopback, 0);
  g_autoptr (GSocket) socket
      = g_socket_new (G_SOCKET_FAMILY_IPV6, G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_TCP, NULL);

  return socket != NULL && g_socket_bind (socket, address, FALSE, NULL);
}

static void
test_ipv4_meets_ipv6 (void)
{
  g_autoptr (GPtrArray) ipv6
      = g_ptr_array_new_with_free_func ((GDestroyNotify) als_path_server_free);
  Fixture fixture;

  if (!has_ipv6 ())
    {
      g_test_skip ("no IPv6 here");
      return;
    }
  /* One server with both; each side has one of them. */
  fixture_init (&fixture, "listening-ip=::1\nrelay-ip=127.0.0.1\nrelay-ip=::1\n");
  g_ptr_array_add (fixture.servers, als_turn_server_login (&fixture.server, ALS_PATH_SERVER_TURN,
                                                           "127.0.0.1", 600, NULL));
  g_ptr_array_add (ipv6, als_turn_server_login (&fixture.server, ALS_PATH_SERVER_TURN, "::1", 600,
                                                NULL));
  side_init (&fixture.inviter, &fixture.joiner, fixture.servers, TRUE, FALSE, NULL, NULL);
  side_init (&fixture.joiner, &fixture.inviter, ipv6, FALSE, FALSE, NULL, NULL);
  connect_both (&fixture);
  exchange (&fixture);
  fixture_clear (&fixture);
}

/* One side's server relays both families, and gives IPv4 unasked; the other's relays IPv6 only. */
static void
test_other_family (gconstpointer user_data)
{
  gboolean inviter_has_both = GPOINTER_TO_INT (user_data);
  g_autoptr (GPtrArray) others
      = g_ptr_array_new_with_free_func ((GDestroyNotify) als_path_server_free);
  AlsTurnServer other;
  Fixture fixture;

  if (!has_ipv6 ())
    {
      g_test_skip ("no IPv6 here");
      return;
    }
  fixture_init (&fixture, "listening-ip=::1\nrelay-ip=127.0.0.1\nrelay-ip=::1\n");
  als_turn_server_init (&other, "listening-ip=::1\nrelay-ip=::1\n");
  g_ptr_array_add (fixture.servers, als_turn_server_login (&fixture.server, ALS_PATH_SERVER_TURN,
                                                           "127.0.0.1", 600, NULL));
  g_ptr_array_add (others, als_turn_server_login (&other, ALS_PATH_SERVER_TURN, "::1", 600, NULL));
  side_init (&fixture.inviter, &fixture.joiner, inviter_has_both ? fixture.servers : others, TRUE,
             FALSE, NULL, NULL);
  side_init (&fixture.joiner, &fixture.inviter, inviter_has_both ? others : fixture.servers, FALSE,
             FALSE, NULL, NULL);
  connect_both (&fixture);
  exchange (&fixture);
  send_messages (&fixture.inviter, 4096, 16384);
  als_wait_until_ticking (get_messages (&fixture.joiner) == 4096 + 500);
  fixture_clear (&fixture);
  als_turn_server_clear (&other);
}

/* --- strangers --- */

/* Whoever has an allocation on the same server reaches our relayed address, since permissions have
 * no ports; without the token it gets nowhere, and takes nobody's place. */
static void
test_strangers (void)
{
  Fixture fixture;
  AlsPathReport report;
  GIOStream *strangers[8];
  g_autoptr (GSocketClient) client = g_socket_client_new ();

  /* Here even plain connections come from the server's address. */
  fixture_init_pair (&fixture, "", ALS_PATH_SERVER_TURN, 600, NULL);
  connect_both (&fixture);
  for (guint i = 0; i < G_N_ELEMENTS (strangers); i++)
    {
      const char *remote = als_carrier_get_remote (fixture.inviter.traffic.carrier);
      g_autoptr (GError) error = NULL;

      strangers[i] = G_IO_STREAM (g_socket_client_connect_to_host (client, remote, 0, NULL,
                                                                   &error));
      g_assert_no_error (error);
      g_output_stream_write_all (g_io_stream_get_output_stream (strangers[i]),
                                 "ALSR\1\1AAAAAAAAAAAAAAAAGET / HTTP/1.1\r\n\r\n", 40, NULL, NULL,
                                 NULL);
    }
  exchange (&fixture);
  als_wait_until_ticking ((als_path_get_report (fixture.joiner.path, &report), report.strangers)
            == G_N_ELEMENTS (strangers));
  g_assert_cmpint (fixture.joiner.problem, ==, -1);
  for (guint i = 0; i < G_N_ELEMENTS (strangers); i++)
    g_object_unref (strangers[i]);
  fixture_clear (&fixture);
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
  g_test_add_func ("/path/turn-tcp/tls-with-a-trusted-certificate", test_tls);
  g_test_add_data_func ("/path/turn-tcp/tls-that-nobody-signed-is-refused",
                        GINT_TO_POINTER (FALSE), test_bad_certificate);
  g_test_add_data_func ("/path/turn-tcp/tls-of-another-name-is-refused", GINT_TO_POINTER (TRUE),
                        test_bad_certificate);
  g_test_add_data_func ("/path/turn-tcp/through-http-connect", GINT_TO_POINTER (FALSE),
                        test_proxy);
  g_test_add_data_func ("/path/turn-tcp/through-socks5", GINT_TO_POINTER (TRUE), test_proxy);
  g_test_add_data_func ("/path/turn-tcp/tls-through-http-connect", GINT_TO_POINTER (FALSE),
                        test_tls_by_proxy);
  g_test_add_data_func ("/path/turn-tcp/tls-through-socks5", GINT_TO_POINTER (TRUE),
                        test_tls_by_proxy);
  g_test_add_data_func ("/path/turn-tcp/an-http-proxy-may-refuse", GINT_TO_POINTER (FALSE),
                        test_refusing_proxy);
  g_test_add_data_func ("/path/turn-tcp/a-socks-proxy-may-refuse", GINT_TO_POINTER (TRUE),
                        test_refusing_proxy);
  g_test_add_func ("/path/turn-tcp/a-proxy-is-left-where-a-straight-way-leads",
                   test_a_proxy_is_not_needed);
  g_test_add_func ("/path/turn-tcp/ipv4-meets-ipv6-at-one-server", test_ipv4_meets_ipv6);
  g_test_add_data_func ("/path/turn-tcp/the-inviters-server-gives-the-other-family",
                        GINT_TO_POINTER (TRUE), test_other_family);
  g_test_add_data_func ("/path/turn-tcp/the-joiners-server-gives-the-other-family",
                        GINT_TO_POINTER (FALSE), test_other_family);
  g_test_add_func ("/path/turn-tcp/strangers-get-nowhere", test_strangers);
  return g_test_run ();
}
