/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Finding each other, and meeting again, where there are two servers: real ones (environment ALS_SIGNALD). */

#include <signal.h>
#include <string.h>
#include "als-signal-recorder.h"
#include "als-test-server.h"
#include "als-wait.h"

static const uint8_t meeting[ALS_SIGNAL_MEETING_BYTES] = { 7, 7, 7 };

typedef struct
{
  AlsTestServer *servers[2];
  char *uris[2];
  AlsSignalRecorder inviter, joiner;
} World;

static void
start_side (World *world, AlsSignalRecorder *side, guint first)
{
  const char *const uris[] = { world->uris[first], world->uris[1 - first], NULL };

  als_signal_recorder_init (side, uris);
  als_signal_client_start (side->client);
  als_wait_until (als_signal_recorder_is_connected (side));
}

static void
world_init (World *world, guint inviter_first, guint joiner_first)
{
  for (guint i = 0; i < 2; i++)
    {
      world->servers[i] = als_test_server_start (NULL, NULL);
      world->uris[i] = g_strdup_printf ("ws://127.0.0.1:%u",
                                        als_test_server_get_port (world->servers[i]));
    }
  start_side (world, &world->inviter, inviter_first);
  start_side (world, &world->joiner, joiner_first);
}

static void
kill_server (World *world, guint i)
{
  als_test_server_signal (world->servers[i], SIGKILL);
  als_test_server_wait (world->servers[i]);
}

static void
world_clear (World *world)
{
  als_signal_recorder_clear (&world->joiner);
  als_signal_recorder_clear (&world->inviter);
  for (guint i = 0; i < 2; i++)
    {
      als_test_server_free (world->servers[i]);
      g_free (world->uris[i]);
    }
}

static void
wait_for_meeting (World *world, guint n, int limit_s)
{
  int64_t began_us = g_get_monotonic_time ();

  while (world->inviter.n_paired < n || world->joiner.n_paired < n)
    {
      g_main_context_iteration (NULL, FALSE);
      g_usleep (1000);
      g_assert_cmpint (g_get_monotonic_time () - began_us, <, limit_s * G_USEC_PER_SEC);
    }
  g_assert_cmpstr (als_signal_client_get_uri (world->inviter.client), ==,
                   als_signal_client_get_uri (world->joiner.client));
  g_test_message ("met after %d ms", (int) ((g_get_monotonic_time () - began_us) / 1000));
}

static void
ask (World *world)
{
  als_signal_client_meet (world->inviter.client, meeting, TRUE);
  als_signal_client_meet (world->joiner.client, meeting, FALSE);
}

/* Both lose the server they are at. */
static void
test_one_dies (void)
{
  World world;

  world_init (&world, 0, 0);
  ask (&world);
  wait_for_meeting (&world, 1, 5);
  kill_server (&world, 0);
  als_wait_until (world.inviter.n_unpaired == 1 && world.joiner.n_unpaired == 1);
  ask (&world);
  wait_for_meeting (&world, 2, 5);
  g_assert_cmpstr (als_signal_client_get_uri (world.inviter.client), ==, world.uris[1]);
  world_clear (&world);
}

/* Each is at a server that works, but not at the other's. */
static void
test_each_is_at_another (void)
{
  World world;

  world_init (&world, 0, 1);
  ask (&world);
  wait_for_meeting (&world, 1, 20);
  /* Nothing failed: nobody was disturbed by the moving. */
  g_assert_cmpuint (world.inviter.n_failed, ==, 0);
  g_assert_cmpuint (world.joiner.n_failed, ==, 0);
  world_clear (&world);
}

/* The inviter is stuck where the joiner cannot come: it moves, too, and finds the joiner, who tries the dead
 * one now and then. */
static void
test_one_reaches_only_one (void)
{
  World world;

  for (guint i = 0; i < 2; i++)
    {
      world.servers[i] = als_test_server_start (NULL, NULL);
      world.uris[i] = g_strdup_printf ("ws://127.0.0.1:%u",
                                       als_test_server_get_port (world.servers[i]));
    }
  start_side (&world, &world.inviter, 0);
  {
    const char *const uris[] = { "ws://127.0.0.1:1", world.uris[1], NULL };

    als_signal_recorder_init (&world.joiner, uris);
    als_signal_client_start (world.joiner.client);
    als_wait_until (als_signal_recorder_is_connected (&world.joiner));
  }
  ask (&world);
  wait_for_meeting (&world, 1, 90);
  g_assert_cmpstr (als_signal_client_get_uri (world.inviter.client), ==, world.uris[1]);
  world_clear (&world);
}

/* Takes connections and never says a word. (transfer full) */
static GSocketListener *
make_black_hole (char **uri)
{
  g_autoptr (GSocketListener) listener = g_socket_listener_new ();
  g_autoptr (GError) error = NULL;
  uint16_t port = g_socket_listener_add_any_inet_port (listener, NULL, &error);

  g_assert_no_error (error);
  *uri = g_strdup_printf ("ws://127.0.0.1:%u", port);
  return g_steal_pointer (&listener);
}

/* The first one was down when the inviter began, and works when the joiner begins: a number waits at the second
 * one only. */
static void
test_number_at_second (void)
{
  World world;
  g_autofree char *hole = NULL;
  g_autoptr (GSocketListener) listener = make_black_hole (&hole);
  int64_t begin_us = g_get_monotonic_time ();

  for (guint i = 0; i < 2; i++)
    {
      world.servers[i] = als_test_server_start (NULL, NULL);
      world.uris[i] = g_strdup_printf ("ws://127.0.0.1:%u",
                                       als_test_server_get_port (world.servers[i]));
    }
  {
    const char *const uris[] = { hole, world.uris[1], NULL };

    als_signal_recorder_init (&world.inviter, uris);
    als_signal_client_register (world.inviter.client);
    als_signal_client_start (world.inviter.client);
    als_wait_until (world.inviter.n_registered == 1);
    g_assert_cmpint (g_get_monotonic_time () - begin_us, <, 4 * G_USEC_PER_SEC);
  }
  start_side (&world, &world.joiner, 0);
  als_signal_client_join (world.joiner.client, world.inviter.number);
  wait_for_meeting (&world, 1, 5);
  g_assert_cmpstr (als_signal_client_get_uri (world.joiner.client), ==, world.uris[1]);
  g_assert_cmpuint (world.joiner.n_failed, ==, 0);
  world_clear (&world);
}

/* Both know the dead one, too. */
static void
test_number_behind_dead (void)
{
  World world;
  g_autofree char *hole = NULL;
  g_autoptr (GSocketListener) listener = make_black_hole (&hole);
  AlsSignalRecorder *sides[] = { &world.inviter, &world.joiner };
  int64_t begin_us = g_get_monotonic_time ();

  world_init (&world, 0, 0);
  for (guint i = 0; i < 2; i++)
    {
      const char *const uris[] = { hole, "ws://127.0.0.1:1", world.uris[i], world.uris[1 - i], NULL };

      als_signal_recorder_clear (sides[i]);
      als_signal_recorder_init (sides[i], uris);
      if (i == 0)
        als_signal_client_register (sides[0]->client);
      else
        als_signal_client_join (sides[1]->client, sides[0]->number);
      als_signal_client_start (sides[i]->client);
      als_wait_until (i == 0 ? sides[0]->n_registered == 1 : sides[1]->n_waiting == 1);
    }
  wait_for_meeting (&world, 1, 5);
  g_assert_cmpint (g_get_monotonic_time () - begin_us, <, 12 * G_USEC_PER_SEC);
  world_clear (&world);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/signal/meeting/one-server-dies", test_one_dies);
  g_test_add_func ("/signal/meeting/each-is-at-another-server", test_each_is_at_another);
  g_test_add_func ("/signal/meeting/one-side-reaches-one-server-only", test_one_reaches_only_one);
  g_test_add_func ("/signal/joining/the-number-is-found-at-the-second-server", test_number_at_second);
  g_test_add_func ("/signal/joining/dead-servers-are-passed-within-seconds", test_number_behind_dead);
  return g_test_run ();
}
