/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* AlsIcePath on 127.0.0.1: two of them in one process. */

#include "als-ice-pair.h"
#include "path/ice/als-ice-message.h"

static const AlsIcePathConfig inviter = { .is_controlling = TRUE, .loopback = TRUE };
static const AlsIcePathConfig joiner = { .loopback = TRUE };

static void
open_pair (AlsIceEnd *a, AlsIceEnd *b)
{
  als_ice_end_open (a, b, &inviter);
  als_ice_end_open (b, a, &joiner);
}

static void
clear_pair (AlsIceEnd *a, AlsIceEnd *b)
{
  als_ice_end_clear (a);
  als_ice_end_clear (b);
  als_ice_wait (als_ice_no_threads, NULL, 10, "agent threads to end");
}

static void
connect_pair (AlsIceEnd *a, AlsIceEnd *b)
{
  als_ice_wait (als_ice_is_connected, a, 10, "the inviter's connection");
  als_ice_wait (als_ice_is_connected, b, 10, "the joiner's connection");
}

static void
test_datagrams_flow_both_ways (void)
{
  AlsIceEnd a = { 0 }, b = { 0 };

  open_pair (&a, &b);
  als_path_start (a.path);
  als_path_start (b.path);
  connect_pair (&a, &b);
  g_assert_cmpint (als_carrier_get_carrier_type (a.carrier), ==, ALS_CARRIER_DATAGRAMS);
  g_assert_cmpint (als_carrier_get_kind (a.carrier), ==, ALS_PATH_DIRECT_UDP);
  g_assert_true (g_str_has_prefix (als_carrier_get_remote (a.carrier), "127.0.0.1:"));
  g_assert_true (als_carrier_is_lan (a.carrier));
  als_ice_end_exchange (&a, 500, 50, 1100, 1100);
  als_ice_end_exchange (&b, 500, 50, 1100, 1100);
  /* Runs of every shape. */
  als_ice_end_exchange (&a, 300, 100, 1, 400);
  als_ice_end_exchange (&b, 200, 1, 1, 1400);
  clear_pair (&a, &b);
}

static gboolean
is_closed (gpointer user_data)
{
  return g_atomic_int_get (&((AlsIceEnd *) user_data)->closed) != 0;
}

static void
test_close_breaks_the_carrier (void)
{
  AlsIceEnd a = { 0 }, b = { 0 };

  open_pair (&a, &b);
  als_path_start (a.path);
  als_path_start (b.path);
  connect_pair (&a, &b);
  als_ice_end_exchange (&a, 1, 1, 100, 100);
  als_ice_end_exchange (&b, 1, 1, 100, 100);
  als_path_close (a.path);
  als_ice_wait (is_closed, &a, 10, "the carrier to break");
  g_assert_null (a.error);
  /* The thread stays for who still holds the carrier; sending is harmless. */
  als_ice_end_send (&a, 10, 100, 100);
  clear_pair (&a, &b);
}

static void
test_log_holds_no_password (void)
{
  if (g_test_subprocess ())
    {
      g_setenv ("G_MESSAGES_DEBUG", "all", TRUE);
      test_close_breaks_the_carrier ();
      return;
    }
  g_test_trap_subprocess (NULL, 0, G_TEST_SUBPROCESS_DEFAULT);
  g_test_trap_assert_passed ();
  g_test_trap_assert_stdout ("*als-path*");
  g_test_trap_assert_stdout_unmatched ("*password*");
  g_test_trap_assert_stderr_unmatched ("*password*");
}

static void
test_messages_may_come_before_start (void)
{
  AlsIceEnd a = { 0 }, b = { 0 };

  open_pair (&a, &b);
  als_path_start (a.path);
  while (a.n_messages < 3)
    g_main_context_iteration (NULL, TRUE);
  als_path_start (b.path);
  connect_pair (&a, &b);
  clear_pair (&a, &b);
}

static void
test_garbage_is_ignored (void)
{
  AlsIceEnd a = { 0 }, b = { 0 };
  g_autofree uint8_t *noise = g_malloc (4096);

  for (guint i = 0; i < 4096; i++)
    noise[i] = (uint8_t) (i * 2654435761u >> 13);
  open_pair (&a, &b);
  als_path_remote_message (a.path, noise, 0);
  als_path_remote_message (a.path, noise, 4096);
  als_path_start (a.path);
  for (guint i = 0; i < 20; i++)
    als_path_remote_message (a.path, noise + i, i * 10);
  als_path_remote_message (a.path, (const uint8_t *) "\3", 1);
  als_path_start (b.path);
  connect_pair (&a, &b);
  als_path_remote_message (a.path, noise, 100);
  als_ice_end_exchange (&b, 10, 10, 100, 100);
  clear_pair (&a, &b);
}

static void
remote_candidate (AlsIceEnd *end, const char *line)
{
  g_autoptr (GBytes) message = als_ice_message_new_candidate (line);

  als_path_remote_message (end->path, g_bytes_get_data (message, NULL),
                               g_bytes_get_size (message));
}

static void
test_hostile_candidates_do_not_stop_it (void)
{
  AlsIceEnd a = { 0 }, b = { 0 };
  guint n;

  open_pair (&a, &b);
  als_path_start (b.path);
  while (b.n_messages < 1)
    g_main_context_iteration (NULL, TRUE);
  n = b.n_messages;
  g_assert_cmpuint (n, >, 0);
  remote_candidate (&a, "candidate:1 1 UDP 2130706431 0.0.0.0 9 typ host");
  remote_candidate (&a, "candidate:2 1 UDP 2130706431 224.0.0.1 9 typ host");
  remote_candidate (&a, "candidate:3 1 UDP 2130706431 abc.local 9 typ host");
  remote_candidate (&a, "candidate:4 1 UDP 2130706431 127.0.0.1 9 typ relay");
  remote_candidate (&a, "candidate:5 1 UDP 2130706431 ::1 9 typ host");
  als_path_start (a.path);
  connect_pair (&a, &b);
  clear_pair (&a, &b);
}

static void
test_relay_without_servers_fails (void)
{
  g_autoptr (GPtrArray) servers
    = g_ptr_array_new_with_free_func ((GDestroyNotify) als_path_server_free);
  AlsIcePathConfig config = { .force_relay = TRUE, .loopback = TRUE, .servers = servers };
  AlsIceEnd a = { 0 }, b = { 0 };

  /* Neither is a relay that libnice can use. */
  g_ptr_array_add (servers,
                   als_path_server_new (ALS_PATH_SERVER_STUN, "127.0.0.1", 9, NULL, NULL));
  g_ptr_array_add (servers, als_path_server_new (ALS_PATH_SERVER_TURNS, "127.0.0.1", 9, "a", "b"));
  als_ice_end_open (&a, &b, &config);
  als_path_start (a.path);
  als_ice_wait (als_ice_has_failed, &a, 5, "the failure");
  g_assert_error (a.error, ALS_PATH_ERROR, ALS_PATH_PROBLEM_NO_SERVER);
  clear_pair (&a, &b);
}

/* Closed with every number of messages exchanged, from none to all, on either side. */
static void
test_cancel_in_every_phase (void)
{
  for (guint phase = 0; phase < 12; phase++)
    {
      AlsIceEnd a = { 0 }, b = { 0 };
      AlsIceEnd *first = phase % 2 == 0 ? &a : &b;

      open_pair (&a, &b);
      if (phase >= 2)
        als_path_start (a.path);
      if (phase >= 4)
        als_path_start (b.path);
      while (phase >= 6 && a.n_messages < phase / 2 - 2)
        g_main_context_iteration (NULL, TRUE);
      if (phase >= 10)
        als_ice_wait (als_ice_is_connected, first, 10, "a connection");
      als_path_close (first->path);
      als_path_close (first->path);
      als_path_remote_message (first->path, (const uint8_t *) "\3", 1);
      clear_pair (&a, &b);
    }
}

static void
close_in_signal_cb (AlsPath *path, gpointer argument, guint *n)
{
  ++*n;
  als_path_close (path);
}

static void
test_no_signal_after_close (void)
{
  static const char *const names[] = { "local-message", "connected" };

  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    {
      AlsIceEnd a = { 0 }, b = { 0 };
      guint n = 0;

      open_pair (&a, &b);
      g_signal_connect (a.path, names[i], G_CALLBACK (close_in_signal_cb), &n);
      als_path_start (a.path);
      als_path_start (b.path);
      while (n == 0)
        g_main_context_iteration (NULL, TRUE);
      g_assert_cmpuint (n, ==, 1);
      if (i == 0)
        g_assert_null (a.carrier);
      clear_pair (&a, &b);
      g_assert_cmpuint (n, ==, 1);
    }
}

static void
test_many_at_once (void)
{
  AlsIceEnd ends[16] = { 0 };

  for (guint i = 0; i < G_N_ELEMENTS (ends); i += 2)
    {
      open_pair (&ends[i], &ends[i + 1]);
      als_path_start (ends[i].path);
      als_path_start (ends[i + 1].path);
    }
  for (guint i = 0; i < G_N_ELEMENTS (ends); i++)
    als_ice_wait (als_ice_is_connected, &ends[i], 20, "one of many connections");
  for (guint i = 0; i < G_N_ELEMENTS (ends); i++)
    als_ice_end_clear (&ends[i]);
  als_ice_wait (als_ice_no_threads, NULL, 10, "agent threads to end");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/path/ice/datagrams-flow-both-ways", test_datagrams_flow_both_ways);
  g_test_add_func ("/path/ice/close-breaks-the-carrier", test_close_breaks_the_carrier);
  g_test_add_func ("/path/ice/log-holds-no-password", test_log_holds_no_password);
  g_test_add_func ("/path/ice/messages-may-come-before-start", test_messages_may_come_before_start);
  g_test_add_func ("/path/ice/garbage-is-ignored", test_garbage_is_ignored);
  g_test_add_func ("/path/ice/hostile-candidates-do-not-stop-it",
                   test_hostile_candidates_do_not_stop_it);
  g_test_add_func ("/path/ice/relay-without-servers-fails", test_relay_without_servers_fails);
  g_test_add_func ("/path/ice/cancel-in-every-phase", test_cancel_in_every_phase);
  g_test_add_func ("/path/ice/no-signal-after-close", test_no_signal_after_close);
  g_test_add_func ("/path/ice/many-at-once", test_many_at_once);
  return g_test_run ();
}
