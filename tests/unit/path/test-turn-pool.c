/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* The pool of control connections against servers on loopback that misbehave. */

#include "path/turn/als-turn-pool-controls.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "als-fake-turn.h"
#include "als-wait.h"

typedef struct
{
  AlsFakeTurn server;
  GPtrArray *servers;
  AlsTurnPool *pool;
  guint n_changed;
} Fixture;

static void
on_changed (AlsTurnPool *pool, gpointer user_data)
{
  ++*(guint *) user_data;
}

static AlsTurnPool *
make_pool (GPtrArray *servers, uint16_t local_port)
{
  g_autoptr (GProxyResolver) none = g_simple_proxy_resolver_new (NULL, NULL);
  AlsTurnPoolConfig config
      = { .servers = servers, .local_port = local_port, .loopback = TRUE, .proxies = none };

  return als_turn_pool_new (&config);
}

static void
fixture_init (Fixture *self, AlsFakeTurnManner manner)
{
  memset (self, 0, sizeof *self);
  als_fake_turn_init (&self->server, G_SOCKET_FAMILY_IPV4, 0);
  self->server.manner = manner;
  self->servers = g_ptr_array_new_with_free_func ((GDestroyNotify) als_path_server_free);
  g_ptr_array_add (self->servers, als_path_server_new (ALS_PATH_SERVER_TURN, "127.0.0.1",
                                                       self->server.port, "user", "secret"));
}

static void
fixture_start (Fixture *self)
{
  self->pool = make_pool (self->servers, 0);
  g_signal_connect (self->pool, "changed", G_CALLBACK (on_changed), &self->n_changed);
  als_turn_pool_start (self->pool);
  g_assert_cmpuint (als_turn_pool_get_local_port (self->pool), !=, 0);
  g_assert_cmpuint (self->n_changed, ==, 0);
}

static void
fixture_settle (Fixture *self)
{
  als_wait_until (als_turn_pool_is_settled (self->pool));
}

static void
fixture_clear (Fixture *self)
{
  als_turn_pool_close (self->pool);
  g_object_unref (self->pool);
  als_wait_until (self->server.n_open == 0);
  als_fake_turn_clear (&self->server);
  g_ptr_array_unref (self->servers);
}

static guint
count_allocated (AlsTurnPool *pool)
{
  g_autoptr (GPtrArray) controls = als_turn_pool_list_allocated (pool);

  return controls->len;
}

static AlsPathProblem
get_problem (AlsTurnPool *pool)
{
  guint tries, refusals;

  return als_turn_pool_get_problem (pool, &tries, &refusals);
}

static void
expect_own_endpoint (Fixture *self)
{
  GArray *endpoints = als_turn_pool_get_endpoints (self->pool);
  AlsTcpEndpoint *endpoint;

  g_assert_cmpuint (endpoints->len, ==, 1);
  endpoint = &g_array_index (endpoints, AlsTcpEndpoint, 0);
  g_assert_cmpuint (endpoint->local.port, ==, als_turn_pool_get_local_port (self->pool));
  g_assert_cmpuint (endpoint->server.port, ==, self->server.port);
  g_assert_true (als_stun_address_equal (&endpoint->local, &endpoint->mapped));
}

static void
test_allocates (gconstpointer user_data)
{
  Fixture fixture;

  fixture_init (&fixture, GPOINTER_TO_UINT (user_data));
  fixture_start (&fixture);
  fixture_settle (&fixture);
  g_assert_cmpuint (count_allocated (fixture.pool), ==, 1);
  g_assert_cmpint (get_problem (fixture.pool), ==, ALS_PATH_PROBLEM_NONE);
  expect_own_endpoint (&fixture);
  als_wait_until (fixture.n_changed > 0);
  als_turn_pool_close (fixture.pool);
  /* Given back by itself. */
  als_wait_until (fixture.server.n_given_back == 1);
  fixture_clear (&fixture);
}

/* Codes that are final and that leave the connection standing. */
static void
test_refused (gconstpointer user_data)
{
  Fixture fixture;

  fixture_init (&fixture, ALS_FAKE_TURN_REFUSES);
  fixture.server.code = GPOINTER_TO_UINT (user_data);
  fixture_start (&fixture);
  fixture_settle (&fixture);
  g_assert_cmpuint (count_allocated (fixture.pool), ==, 0);
  g_assert_cmpuint (fixture.server.n_bindings, ==, 1);
  g_assert_cmpint (get_problem (fixture.pool), ==, ALS_PATH_PROBLEM_SERVER_REFUSED);
  expect_own_endpoint (&fixture);
  fixture_clear (&fixture);
}

static void
test_wrong_password (void)
{
  Fixture fixture;

  fixture_init (&fixture, ALS_FAKE_TURN_HONEST);
  fixture.server.password = "another";
  fixture_start (&fixture);
  fixture_settle (&fixture);
  g_assert_cmpuint (count_allocated (fixture.pool), ==, 0);
  g_assert_cmpint (get_problem (fixture.pool), ==, ALS_PATH_PROBLEM_SERVER_REFUSED);
  expect_own_endpoint (&fixture);
  fixture_clear (&fixture);
}

static void
test_new_login (void)
{
  Fixture fixture;

  fixture_init (&fixture, ALS_FAKE_TURN_HONEST);
  g_ptr_array_set_size (fixture.servers, 0);
  g_ptr_array_add (fixture.servers,
                   als_path_server_new (ALS_PATH_SERVER_TURN, "127.0.0.1", fixture.server.port,
                                        "user", "old"));
  fixture_start (&fixture);
  fixture_settle (&fixture);
  g_assert_cmpuint (count_allocated (fixture.pool), ==, 0);
  g_ptr_array_set_size (fixture.servers, 0);
  g_ptr_array_add (fixture.servers,
                   als_path_server_new (ALS_PATH_SERVER_TURN, "127.0.0.1", fixture.server.port,
                                        "user", "secret"));
  als_turn_pool_set_servers (fixture.pool, fixture.servers);
  als_wait_until (count_allocated (fixture.pool) == 1);
  /* And what works stays, whatever login comes. */
  g_ptr_array_set_size (fixture.servers, 0);
  g_ptr_array_add (fixture.servers,
                   als_path_server_new (ALS_PATH_SERVER_TURN, "127.0.0.1", fixture.server.port,
                                        "user", "newer"));
  als_turn_pool_set_servers (fixture.pool, fixture.servers);
  als_turn_pool_set_servers (fixture.pool, NULL);
  g_assert_cmpuint (count_allocated (fixture.pool), ==, 1);
  g_assert_cmpuint (fixture.server.n_allocations, ==, 1);
  fixture_clear (&fixture);
}

/* Nothing comes of them, within the time that each wait has. */
static void
test_useless (gconstpointer user_data)
{
  Fixture fixture;
  int64_t start_us = g_get_monotonic_time ();

  fixture_init (&fixture, GPOINTER_TO_UINT (user_data));
  fixture_start (&fixture);
  fixture_settle (&fixture);
  g_assert_cmpint (g_get_monotonic_time () - start_us, <, 6 * G_USEC_PER_SEC);
  g_assert_cmpuint (count_allocated (fixture.pool), ==, 0);
  g_assert_cmpuint (als_turn_pool_get_endpoints (fixture.pool)->len, ==, 0);
  g_assert_cmpint (get_problem (fixture.pool), ==, ALS_PATH_PROBLEM_SERVER_UNREACHABLE);
  fixture_clear (&fixture);
}

static void
test_nobody_listens (void)
{
  Fixture fixture;

  fixture_init (&fixture, ALS_FAKE_TURN_HONEST);
  als_fake_turn_clear (&fixture.server);
  fixture_start (&fixture);
  fixture_settle (&fixture);
  g_assert_cmpint (get_problem (fixture.pool), ==, ALS_PATH_PROBLEM_SERVER_UNREACHABLE);
  als_fake_turn_init (&fixture.server, G_SOCKET_FAMILY_IPV4, 0);
  fixture_clear (&fixture);
}

static void
test_no_server (void)
{
  AlsTurnPool *pool = make_pool (NULL, 0);
  guint n_changed = 0;

  g_signal_connect (pool, "changed", G_CALLBACK (on_changed), &n_changed);
  als_turn_pool_start (pool);
  als_wait_until (n_changed == 1);
  g_assert_true (als_turn_pool_is_settled (pool));
  g_assert_cmpint (get_problem (pool), ==, ALS_PATH_PROBLEM_NO_SERVER);
  g_object_unref (pool);
}

static void
test_redirected (void)
{
  Fixture fixture;
  AlsFakeTurn other;

  als_fake_turn_init (&other, G_SOCKET_FAMILY_IPV4, 0);
  fixture_init (&fixture, ALS_FAKE_TURN_REDIRECTS);
  als_stun_address_parse (&fixture.server.alternate, "127.0.0.1", other.port);
  fixture_start (&fixture);
  als_wait_until (count_allocated (fixture.pool) == 1);
  g_assert_cmpuint (other.n_allocations, ==, 1);
  /* Two endpoints from two servers: what a NAT does with ports shows. */
  als_wait_until (als_turn_pool_get_endpoints (fixture.pool)->len == 2);
  fixture_clear (&fixture);
  als_fake_turn_clear (&other);
}

static void
test_sent_round (void)
{
  Fixture fixture;

  fixture_init (&fixture, ALS_FAKE_TURN_REDIRECTS);
  als_stun_address_parse (&fixture.server.alternate, "127.0.0.1", fixture.server.port);
  fixture_start (&fixture);
  fixture_settle (&fixture);
  g_assert_cmpuint (fixture.server.n_connections, ==, 3);
  g_assert_cmpint (get_problem (fixture.pool), ==, ALS_PATH_PROBLEM_SERVER_REFUSED);
  fixture_clear (&fixture);
}

static void
test_only_ipv6 (void)
{
  Fixture fixture;

  fixture_init (&fixture, ALS_FAKE_TURN_ONLY_IPV6);
  fixture_start (&fixture);
  als_wait_until (count_allocated (fixture.pool) == 1);
  g_assert_cmpuint (fixture.server.n_allocates, ==, 2);
  fixture_clear (&fixture);
}

static void
test_hung_up (void)
{
  Fixture fixture;

  fixture_init (&fixture, ALS_FAKE_TURN_HONEST);
  fixture_start (&fixture);
  fixture_settle (&fixture);
  als_fake_turn_hang_up (&fixture.server);
  als_wait_until (count_allocated (fixture.pool) == 0);
  /* After a pause it comes again by itself. */
  als_wait_until (count_allocated (fixture.pool) == 1);
  g_assert_cmpuint (fixture.server.n_connections, ==, 2);
  fixture_clear (&fixture);
}

static void
test_lost_allocation (void)
{
  Fixture fixture;

  fixture_init (&fixture, ALS_FAKE_TURN_HONEST);
  fixture.server.lifetime_s = 1;
  fixture_start (&fixture);
  fixture_settle (&fixture);
  g_assert_cmpuint (count_allocated (fixture.pool), ==, 1);
  /* The server does not know of it any more when it is to be refreshed. */
  fixture.server.manner = ALS_FAKE_TURN_REFUSES;
  fixture.server.code = 437;
  als_wait_until (count_allocated (fixture.pool) == 0);
  fixture.server.manner = ALS_FAKE_TURN_HONEST;
  als_wait_until (count_allocated (fixture.pool) == 1);
  g_assert_cmpuint (fixture.server.n_connections, ==, 2);
  fixture_clear (&fixture);
}

static void
test_quota (void)
{
  Fixture fixture;

  fixture_init (&fixture, ALS_FAKE_TURN_REFUSES);
  fixture.server.code = 486;
  fixture_start (&fixture);
  fixture_settle (&fixture);
  g_assert_cmpint (get_problem (fixture.pool), ==, ALS_PATH_PROBLEM_SERVER_REFUSED);
  fixture.server.manner = ALS_FAKE_TURN_HONEST;
  /* Asked once more, over the same connection. */
  als_wait_until (count_allocated (fixture.pool) == 1);
  g_assert_cmpuint (fixture.server.n_connections, ==, 1);
  fixture_clear (&fixture);
}

static void
test_both_families (void)
{
  Fixture fixture;
  AlsFakeTurn ipv6;

  fixture_init (&fixture, ALS_FAKE_TURN_HONEST);
  als_fake_turn_init (&ipv6, G_SOCKET_FAMILY_IPV6, fixture.server.port);
  g_ptr_array_set_size (fixture.servers, 0);
  g_ptr_array_add (fixture.servers, als_path_server_new (ALS_PATH_SERVER_TURN, "localhost",
                                                         fixture.server.port, "user", "secret"));
  fixture_start (&fixture);
  fixture_settle (&fixture);
  g_assert_cmpuint (als_turn_pool_get_endpoints (fixture.pool)->len, ==, 2);
  g_assert_cmpuint (fixture.server.n_allocations + ipv6.n_allocations, ==, 1);
  fixture_clear (&fixture);
  als_wait_until (ipv6.n_open == 0);
  als_fake_turn_clear (&ipv6);
}

static void
test_stun_server (void)
{
  Fixture fixture;

  fixture_init (&fixture, ALS_FAKE_TURN_HONEST);
  g_ptr_array_set_size (fixture.servers, 0);
  g_ptr_array_add (fixture.servers, als_path_server_new (ALS_PATH_SERVER_STUN, "127.0.0.1",
                                                         fixture.server.port, NULL, NULL));
  fixture_start (&fixture);
  fixture_settle (&fixture);
  expect_own_endpoint (&fixture);
  g_assert_cmpuint (fixture.server.n_bindings, ==, 1);
  g_assert_cmpuint (fixture.server.n_allocates, ==, 0);
  g_assert_cmpint (get_problem (fixture.pool), ==, ALS_PATH_PROBLEM_NO_SERVER);
  fixture_clear (&fixture);
}

static void
test_two_visits (void)
{
  AlsTurnPool *first = make_pool (NULL, 0), *second;
  uint16_t port;

  als_turn_pool_start (first);
  port = als_turn_pool_get_local_port (first);
  second = make_pool (NULL, port);
  als_turn_pool_start (second);
  g_assert_cmpuint (als_turn_pool_get_local_port (second), !=, port);
  g_assert_cmpuint (als_turn_pool_get_local_port (second), !=, 0);
  als_turn_pool_close (first);
  g_object_unref (second);
  second = make_pool (NULL, port);
  als_turn_pool_start (second);
  g_assert_cmpuint (als_turn_pool_get_local_port (second), ==, port);
  g_object_unref (first);
  g_object_unref (second);
}

static void
test_closed_at_once (void)
{
  Fixture fixture;

  fixture_init (&fixture, ALS_FAKE_TURN_HONEST);
  fixture_start (&fixture);
  als_turn_pool_close (fixture.pool);
  als_turn_pool_network_changed (fixture.pool);
  als_turn_pool_set_servers (fixture.pool, fixture.servers);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  g_assert_cmpuint (fixture.n_changed, ==, 0);
  fixture_clear (&fixture);
}

static void
test_network_changed (void)
{
  Fixture fixture;

  fixture_init (&fixture, ALS_FAKE_TURN_HONEST);
  fixture_start (&fixture);
  fixture_settle (&fixture);
  /* The address is still there. */
  als_turn_pool_network_changed (fixture.pool);
  g_assert_cmpuint (count_allocated (fixture.pool), ==, 1);
  als_fake_turn_hang_up (&fixture.server);
  als_wait_until (count_allocated (fixture.pool) == 0);
  als_turn_pool_network_changed (fixture.pool);
  als_wait_until (count_allocated (fixture.pool) == 1);
  fixture_clear (&fixture);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_data_func ("/path/turn-pool/allocates-and-gives-back",
                        GUINT_TO_POINTER (ALS_FAKE_TURN_HONEST), test_allocates);
  g_test_add_data_func ("/path/turn-pool/a-server-may-be-slow-of-speech",
                        GUINT_TO_POINTER (ALS_FAKE_TURN_BYTE_BY_BYTE), test_allocates);
  g_test_add_data_func ("/path/turn-pool/no-relaying-still-tells-our-endpoint",
                        GUINT_TO_POINTER (403), test_refused);
  g_test_add_data_func ("/path/turn-pool/no-tcp-still-tells-our-endpoint",
                        GUINT_TO_POINTER (442), test_refused);
  g_test_add_data_func ("/path/turn-pool/an-unknown-error-still-tells-our-endpoint",
                        GUINT_TO_POINTER (699), test_refused);
  g_test_add_func ("/path/turn-pool/a-wrong-password-still-tells-our-endpoint",
                   test_wrong_password);
  g_test_add_func ("/path/turn-pool/a-new-login-is-used-and-what-works-stays", test_new_login);
  g_test_add_data_func ("/path/turn-pool/silence-ends", GUINT_TO_POINTER (ALS_FAKE_TURN_SILENT),
                        test_useless);
  g_test_add_data_func ("/path/turn-pool/garbage-ends", GUINT_TO_POINTER (ALS_FAKE_TURN_GARBAGE),
                        test_useless);
  g_test_add_data_func ("/path/turn-pool/closing-at-once-ends",
                        GUINT_TO_POINTER (ALS_FAKE_TURN_CLOSES_AT_ONCE), test_useless);
  g_test_add_data_func ("/path/turn-pool/closing-at-the-request-ends",
                        GUINT_TO_POINTER (ALS_FAKE_TURN_CLOSES_AT_REQUEST), test_useless);
  g_test_add_data_func ("/path/turn-pool/closing-at-the-login-ends",
                        GUINT_TO_POINTER (ALS_FAKE_TURN_CLOSES_AT_LOGIN), test_useless);
  g_test_add_func ("/path/turn-pool/nobody-listens", test_nobody_listens);
  g_test_add_func ("/path/turn-pool/no-server-is-settled-at-once", test_no_server);
  g_test_add_func ("/path/turn-pool/a-redirection-is-followed", test_redirected);
  g_test_add_func ("/path/turn-pool/a-circle-of-redirections-ends", test_sent_round);
  g_test_add_func ("/path/turn-pool/a-server-may-relay-ipv6-only", test_only_ipv6);
  g_test_add_func ("/path/turn-pool/a-lost-server-comes-back", test_hung_up);
  g_test_add_func ("/path/turn-pool/a-lost-allocation-is-made-anew", test_lost_allocation);
  g_test_add_func ("/path/turn-pool/a-reached-quota-is-asked-again-later", test_quota);
  g_test_add_func ("/path/turn-pool/both-families-side-by-side", test_both_families);
  g_test_add_func ("/path/turn-pool/a-stun-server-is-asked-for-endpoints-only", test_stun_server);
  g_test_add_func ("/path/turn-pool/two-visits-have-two-ports", test_two_visits);
  g_test_add_func ("/path/turn-pool/closing-is-quiet-at-any-time", test_closed_at_once);
  g_test_add_func ("/path/turn-pool/a-changed-network-mends-what-was-lost", test_network_changed);
  return g_test_run ();
}
