/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* AlsIcePath between two network namespaces of this process's own:
 *
 *     a: 10.9.0.1/24, fd09::1/64  als-a ======= als-b  10.9.0.2/24, fd09::2/64 :b
 *
 * joined by veth, MTU 1500. A thread lives in the namespace it was made in, so
 * one process holds both ends. They end with the process. */

#include <string.h>
#include <unistd.h>
#include "als-ice-pair.h"
#include "als-test-namespaces.h"

/* libnice's limit, and the longest time between two of its checks. */
#define CONSENT_US (16 * G_USEC_PER_SEC)

static void
join_namespaces (void)
{
  als_test_namespaces_join (0, "als-a", 1, "als-b");
  als_test_namespace_enter (0);
  als_test_run ("ip addr add 10.9.0.1/24 dev als-a");
  als_test_run ("ip addr add fd09::1/64 dev als-a nodad");
  als_test_namespace_enter (1);
  als_test_run ("ip addr add 10.9.0.2/24 dev als-b");
  als_test_run ("ip addr add fd09::2/64 dev als-b nodad");
}

static gboolean
skip (void)
{
  return als_test_namespaces_skip (NULL);
}

static void
connect_ends (AlsIceEnd *a, AlsIceEnd *b, gboolean force_relay, GPtrArray *servers)
{
  AlsIceEnd *ends[2] = { a, b };

  for (guint i = 0; i < 2; i++)
    {
      AlsIcePathConfig config = { .is_controlling = i == 0, .force_relay = force_relay,
                                  .servers = servers };

      als_ice_end_open (ends[i], ends[1 - i], &config);
    }
  for (guint i = 0; i < 2; i++)
    {
      als_test_namespace_enter (i);
      als_path_start (ends[i]->path);
    }
  als_ice_wait (als_ice_is_connected, a, 20, "the inviter's connection");
  als_ice_wait (als_ice_is_connected, b, 20, "the joiner's connection");
}

static void
clear_ends (AlsIceEnd *a, AlsIceEnd *b)
{
  als_ice_end_clear (a);
  als_ice_end_clear (b);
  als_ice_wait (als_ice_no_threads, NULL, 20, "agent threads to end");
}

static void
test_direct_over_veth (void)
{
  AlsIceEnd a = { 0 }, b = { 0 };
  AlsPathReport report;

  if (skip ())
    return;
  connect_ends (&a, &b, FALSE, NULL);
  g_assert_cmpint (als_carrier_get_kind (a.carrier), ==, ALS_PATH_DIRECT_UDP);
  g_assert_true (als_carrier_is_lan (a.carrier));
  g_assert_true (als_carrier_is_lan (b.carrier));
  g_test_message ("remote: %s", als_carrier_get_remote (a.carrier));
  /* libnice checks a pair every 20 ms; nothing that is waited for may be on the way. */
  als_path_get_report (a.path, &report);
  g_test_message ("connected after %.1f ms", report.took_us / 1e3);
  g_assert_cmpint (report.took_us, <, 500 * 1000);
  g_assert_cmpuint (report.tries, >=, 2);
  als_ice_end_exchange (&a, 2000, 50, 1400, 1400);
  als_ice_end_exchange (&b, 2000, 50, 1400, 1400);
  /* 1472 bytes fill an IPv4 packet of 1500, 1452 an IPv6 one; both kinds are lost above. */
  als_ice_end_exchange (&a, 10, 10, 1452, 1452);
  clear_ends (&a, &b);
}

static void
add_stun (GPtrArray *servers, const char *host)
{
  g_ptr_array_add (servers, als_path_server_new (ALS_PATH_SERVER_STUN, host, 3478, NULL, NULL));
}

/* With servers of both families and names that nobody knows: none of them may hold it up for long. */
static void
test_ipv6_only (void)
{
  g_autoptr (GPtrArray) servers = g_ptr_array_new_with_free_func ((GDestroyNotify) als_path_server_free);
  AlsIceEnd a = { 0 }, b = { 0 };
  AlsPathReport report;

  if (skip ())
    return;
  add_stun (servers, "198.51.100.1");
  add_stun (servers, "fd09::9");
  add_stun (servers, "stun.invalid");
  for (guint i = 0; i < 2; i++)
    {
      als_test_namespace_enter (i);
      als_test_run ("ip addr del 10.9.0.%u/24 dev als-%c", i + 1, 'a' + i);
    }
  connect_ends (&a, &b, FALSE, servers);
  g_assert_true (g_str_has_prefix (als_carrier_get_remote (a.carrier), "[fd09::2]:")
                 || g_str_has_prefix (als_carrier_get_remote (a.carrier), "fd09::2"));
  g_assert_true (als_carrier_is_lan (a.carrier));
  als_path_get_report (a.path, &report);
  g_test_message ("%s after %.1f ms", als_carrier_get_remote (a.carrier), report.took_us / 1e3);
  g_assert_cmpint (report.took_us, <, 2500 * 1000);
  als_ice_end_exchange (&a, 100, 10, 1200, 1200);
  clear_ends (&a, &b);
  for (guint i = 0; i < 2; i++)
    {
      als_test_namespace_enter (i);
      als_test_run ("ip addr add 10.9.0.%u/24 dev als-%c", i + 1, 'a' + i);
    }
}

static void
test_blocked_udp_is_named (void)
{
  g_autoptr (GPtrArray) servers = g_ptr_array_new_with_free_func ((GDestroyNotify) als_path_server_free);
  AlsIceEnd a = { 0 }, b = { 0 };

  if (als_test_namespaces_skip ("nft"))
    return;
  add_stun (servers, "10.9.0.2");
  als_test_namespace_enter (0);
  als_test_run ("nft 'add table inet cut; add chain inet cut out { type filter hook output priority 0; };"
                " add rule inet cut out meta l4proto udp drop'");
  als_test_namespace_enter (1);
  als_test_run ("nft 'add table inet cut; add chain inet cut out { type filter hook output priority 0; };"
                " add rule inet cut out meta l4proto udp drop'");
  als_ice_end_open (&a, &b, &(AlsIcePathConfig){ .is_controlling = TRUE, .servers = servers });
  als_ice_end_open (&b, &a, &(AlsIcePathConfig){ .servers = servers });
  als_test_namespace_enter (0);
  als_path_start (a.path);
  als_test_namespace_enter (1);
  als_path_start (b.path);
  als_ice_wait (als_ice_has_failed, &a, 40, "the failure");
  g_assert_error (a.error, ALS_PATH_ERROR, ALS_PATH_PROBLEM_SERVER_UNREACHABLE);
  clear_ends (&a, &b);
  als_test_namespace_enter (0);
  als_test_run ("nft flush ruleset");
  als_test_namespace_enter (1);
  als_test_run ("nft flush ruleset");
}

static gboolean
has_arrived (gpointer user_data)
{
  return g_atomic_int_get (&((AlsIceEnd *) user_data)->n_received) > 0;
}

static void
test_too_long_a_datagram_is_lost (void)
{
  AlsIceEnd a = { 0 }, b = { 0 };

  if (skip ())
    return;
  connect_ends (&a, &b, FALSE, NULL);
  als_ice_end_send (&a, 1, 1473, 1473);
  als_ice_end_send (&a, 3, 1473, 1473);
  als_ice_end_send (&a, 1, 100, 100);
  als_ice_wait (has_arrived, &b, 5, "the short datagram");
  /* And only this: order is kept on a wire. */
  g_assert_cmpint (g_atomic_int_get (&b.n_received), ==, 1);
  clear_ends (&a, &b);
}

static gboolean
is_closed (gpointer user_data)
{
  return g_atomic_int_get (&((AlsIceEnd *) user_data)->closed) != 0;
}

/* As a full queue may lose them: libnice would take two of them in a row for the end of the path. Whether
 * the other side still answers is asked by the session. */
static void
test_lost_checks_do_not_end_it (void)
{
  AlsIceEnd a = { 0 }, b = { 0 };
  int64_t end_us;

  if (als_test_namespaces_skip ("nft"))
    return;
  connect_ends (&a, &b, FALSE, NULL);
  for (guint i = 0; i < 2; i++)
    {
      als_test_namespace_enter (i);
      /* The magic cookie of RFC 8489, after eight bytes of UDP and four of STUN. */
      als_test_run ("nft 'add table inet cut; add chain inet cut out { type filter hook output priority 0; };"
                    " add rule inet cut out meta l4proto udp @th,96,32 0x2112a442 drop'");
    }
  end_us = g_get_monotonic_time () + CONSENT_US;
  while (g_get_monotonic_time () < end_us)
    als_ice_end_exchange (&a, 100, 10, 100, 1400);
  g_assert_false (is_closed (&a) || is_closed (&b));
  for (guint i = 0; i < 2; i++)
    {
      als_test_namespace_enter (i);
      als_test_run ("nft flush ruleset");
    }
  clear_ends (&a, &b);
}

static void
test_nobody_there (void)
{
  AlsIceEnd a = { 0 }, b = { 0 };

  if (skip ())
    return;
  als_ice_end_open (&a, &b, &(AlsIcePathConfig){ .is_controlling = TRUE });
  als_ice_end_open (&b, &a, &(AlsIcePathConfig){ 0 });
  als_test_namespace_enter (0);
  als_path_start (a.path);
  als_test_namespace_enter (1);
  als_path_start (b.path);
  /* The joiner's candidates arrive; it hears none of ours and is gone. */
  a.mute = TRUE;
  while (b.n_messages < 4)
    g_main_context_iteration (NULL, TRUE);
  als_path_close (b.path);
  als_path_remote_message (a.path, (const uint8_t *) "\3", 1);
  als_ice_wait (als_ice_has_failed, &a, 60, "the failure");
  g_assert_error (a.error, ALS_PATH_ERROR, ALS_PATH_PROBLEM_SILENCE);
  clear_ends (&a, &b);
}

/* coturn in namespace a. */

#define TURN_PORT 3478

static GPtrArray *
make_servers (const char *password)
{
  GPtrArray *servers = g_ptr_array_new_with_free_func ((GDestroyNotify) als_path_server_free);

  g_ptr_array_add (servers, als_path_server_new (ALS_PATH_SERVER_STUN, "10.9.0.1", TURN_PORT, NULL,
                                                 NULL));
  g_ptr_array_add (servers, als_path_server_new (ALS_PATH_SERVER_TURN, "10.9.0.1", TURN_PORT,
                                                 "guest", password));
  return servers;
}

static gboolean
is_listening (void)
{
  g_autoptr (GSocketClient) client = g_socket_client_new ();
  g_autoptr (GSocketConnection) connection = NULL;

  g_socket_client_set_enable_proxy (client, FALSE);
  connection = g_socket_client_connect_to_host (client, "10.9.0.1", TURN_PORT, NULL, NULL);
  return connection != NULL;
}

static GSubprocess *
start_turn (const char *folder)
{
  g_autofree char *config = g_build_filename (folder, "turn.conf", NULL);
  g_autofree char *text = g_strdup_printf ("listening-ip=10.9.0.1\nrelay-ip=10.9.0.1\n"
                                           "listening-port=%d\nlt-cred-mech\nuser=guest:test-only\n"
                                           "realm=test\nno-cli\nno-tls\nno-dtls\n"
                                           "userdb=%s/turndb\npidfile=%s/pid\nlog-file=stdout\n",
                                           TURN_PORT, folder, folder);
  g_autoptr (GError) error = NULL;
  GSubprocess *server;

  g_file_set_contents (config, text, -1, &error);
  g_assert_no_error (error);
  als_test_namespace_enter (0);
  server = g_subprocess_new (G_SUBPROCESS_FLAGS_STDOUT_SILENCE | G_SUBPROCESS_FLAGS_STDERR_SILENCE,
                             &error, "turnserver", "-c", config, NULL);
  g_assert_no_error (error);
  for (guint i = 0; i < 500 && !is_listening (); i++)
    g_usleep (20 * 1000);
  g_assert_true (is_listening ());
  return server;
}

static void
stop_turn (GSubprocess *server, const char *folder)
{
  static const char *const names[] = { "turn.conf", "turndb", "pid", NULL };

  g_subprocess_force_exit (server);
  g_subprocess_wait (server, NULL, NULL);
  g_object_unref (server);
  for (guint i = 0; names[i] != NULL; i++)
    {
      g_autofree char *path = g_build_filename (folder, names[i], NULL);

      unlink (path);
    }
  rmdir (folder);
}

static void
test_through_turn (void)
{
  g_autoptr (GPtrArray) servers = make_servers ("test-only");
  g_autoptr (GPtrArray) wrong = make_servers ("wrong");
  g_autofree char *folder = NULL;
  GSubprocess *turn;

  if (skip ())
    return;
  if (als_test_namespaces_skip ("turnserver"))
    return;
  folder = g_dir_make_tmp ("als-turn-XXXXXX", NULL);
  turn = start_turn (folder);
  /* The second time b reaches its relay over TCP only. */
  for (guint i = 0; i < 2; i++)
    {
      AlsIceEnd a = { 0 }, b = { 0 };

      if (i == 1)
        {
          als_test_namespace_enter (1);
          als_test_run ("nft 'add table inet cut; add chain inet cut out { type filter hook output priority 0; };"
               " add rule inet cut out udp dport 3478 drop'");
        }
      connect_ends (&a, &b, TRUE, servers);
      g_assert_cmpint (als_carrier_get_kind (a.carrier), ==, ALS_PATH_TURN_UDP);
      g_assert_cmpint (als_carrier_get_kind (b.carrier), ==, ALS_PATH_TURN_UDP);
      g_assert_false (als_carrier_is_lan (a.carrier));
      g_assert_true (g_str_has_prefix (als_carrier_get_remote (a.carrier), "10.9.0.1:"));
      als_ice_end_exchange (&a, 500, 10, 1100, 1100);
      als_ice_end_exchange (&b, 500, 10, 1, 1100);
      clear_ends (&a, &b);
    }
  {
    AlsIceEnd a = { 0 }, b = { 0 };

    als_ice_end_open (&a, &b, &(AlsIcePathConfig){ .is_controlling = TRUE, .force_relay = TRUE,
                                                   .servers = wrong });
    als_test_namespace_enter (0);
    als_path_start (a.path);
    als_ice_wait (als_ice_has_failed, &a, 30, "the refusal");
    g_assert_error (a.error, ALS_PATH_ERROR, ALS_PATH_PROBLEM_SERVER_UNREACHABLE);
    clear_ends (&a, &b);
  }
  stop_turn (turn, folder);
}

int
main (int argc, char **argv)
{
  als_test_namespaces_open (2);
  g_test_init (&argc, &argv, NULL);
  if (!als_test_namespaces_are_refused ())
    join_namespaces ();
  g_test_add_func ("/path/ice/namespaces/direct-over-veth", test_direct_over_veth);
  g_test_add_func ("/path/ice/namespaces/ipv6-only", test_ipv6_only);
  g_test_add_func ("/path/ice/namespaces/blocked-udp-is-named", test_blocked_udp_is_named);
  g_test_add_func ("/path/ice/namespaces/too-long-a-datagram-is-lost",
                   test_too_long_a_datagram_is_lost);
  g_test_add_func ("/path/ice/namespaces/through-turn", test_through_turn);
  g_test_add_func ("/path/ice/namespaces/nobody-there", test_nobody_there);
  g_test_add_func ("/path/ice/namespaces/lost-checks-do-not-end-it", test_lost_checks_do_not_end_it);
  return g_test_run ();
}
