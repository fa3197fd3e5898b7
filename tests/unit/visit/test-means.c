/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Which servers a visit uses: those of the pairing and those of the settings. Nobody listens there. */

#include "visit/als-visit-means.h"

static AlsPathServer *
add (GPtrArray *servers, AlsPathServerKind kind, uint16_t port, const char *login)
{
  AlsPathServer *server = als_path_server_new (kind, "127.0.0.1", port, login, login);

  g_ptr_array_add (servers, server);
  return server;
}

static GPtrArray *
new_servers (void)
{
  return g_ptr_array_new_with_free_func ((GDestroyNotify) als_path_server_free);
}

/* Also the order in which they are used. */
static void
check (AlsVisitMeans *means, guint i, AlsPathServerKind kind, uint16_t port, const char *login)
{
  const AlsPathServer *server = g_ptr_array_index (als_visit_means_get_servers (means), i);

  g_assert_cmpint (server->kind, ==, kind);
  g_assert_cmpuint (server->port, ==, port);
  g_assert_cmpstr (server->username, ==, login);
}

static void
test_known_twice (void)
{
  g_autoptr (GPtrArray) settings = new_servers (), pairing = new_servers (), none = new_servers ();
  AlsVisitMeansConfig config = { .is_inviter = TRUE, .loopback = TRUE, .servers = settings };
  AlsVisitMeans *means;

  /* What the last pairing told, without its logins. */
  add (settings, ALS_PATH_SERVER_STUN, 9, NULL);
  add (settings, ALS_PATH_SERVER_STUN, 10, NULL);
  add (settings, ALS_PATH_SERVER_STUN, 11, NULL);
  add (settings, ALS_PATH_SERVER_STUN, 11, NULL);
  add (settings, ALS_PATH_SERVER_TURN, 12, "old");
  add (pairing, ALS_PATH_SERVER_STUN, 9, NULL);
  add (pairing, ALS_PATH_SERVER_TURN, 10, "new");
  add (pairing, ALS_PATH_SERVER_TURNS, 11, "new");
  add (pairing, ALS_PATH_SERVER_TURN, 12, "new");
  means = als_visit_means_new (&config);
  als_visit_means_set_servers (means, pairing);
  g_assert_cmpuint (als_visit_means_get_servers (means)->len, ==, 5);
  check (means, 0, ALS_PATH_SERVER_STUN, 9, NULL);
  check (means, 1, ALS_PATH_SERVER_TURN, 10, "new");
  check (means, 2, ALS_PATH_SERVER_TURNS, 11, "new");
  check (means, 3, ALS_PATH_SERVER_TURN, 12, "new");
  check (means, 4, ALS_PATH_SERVER_STUN, 11, NULL);
  /* Without a rendezvous server. */
  als_visit_means_set_servers (means, none);
  g_assert_cmpuint (als_visit_means_get_servers (means)->len, ==, 4);
  check (means, 3, ALS_PATH_SERVER_TURN, 12, "old");
  als_visit_means_free (means);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/visit/means/a-server-that-is-known-twice-is-used-once", test_known_twice);
  return g_test_run ();
}
