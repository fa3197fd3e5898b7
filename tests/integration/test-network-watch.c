/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* AlsNetworkWatch in a namespace of its own, whose addresses and routes come
 * and go:
 *
 *     10.9.0.1/24, fd09::1/64  als-a ======= als-b  (the other namespace) */

#include "als-test-namespaces.h"
#include "als-wait.h"
#include "path/als-network-watch.h"

static guint n_changes;

static void
changed_cb (AlsNetworkWatch *watch, gpointer unused)
{
  n_changes++;
}

static AlsNetworkWatch *
make_watch (void)
{
  AlsNetworkWatch *watch = als_network_watch_new ();

  n_changes = 0;
  g_signal_connect (watch, "changed", G_CALLBACK (changed_cb), NULL);
  return watch;
}

static gboolean
quit_cb (gpointer user_data)
{
  *(gboolean *) user_data = TRUE;
  return G_SOURCE_REMOVE;
}

/* Nothing can be waited for here but that nothing comes: longer than a burst. */
static void
run_ms (guint ms)
{
  gboolean done = FALSE;

  g_timeout_add (ms, quit_cb, &done);
  while (!done)
    g_main_context_iteration (NULL, TRUE);
}

static char *
list (void)
{
  g_autoptr (GArray) addresses = als_network_list_addresses ();
  GString *text = g_string_new (NULL);

  for (guint i = 0; i < addresses->len; i++)
    {
      g_autofree char *one
        = als_stun_address_to_string (&g_array_index (addresses, AlsStunAddress, i));

      g_string_append_printf (text, "%s%s", i > 0 ? " " : "", one);
    }
  return g_string_free (text, FALSE);
}

static void
assert_list (const char *expected)
{
  g_autofree char *found = list ();

  g_assert_cmpstr (found, ==, expected);
}

static void
test_lists_what_is_usable (void)
{
  if (als_test_namespaces_skip (NULL))
    return;
  als_test_run ("ip addr add fd09::3/64 dev als-a nodad preferred_lft 0");
  assert_list ("10.9.0.1:0 [fd09::1]:0 [fd09::3]:0");
  als_test_run ("ip addr del fd09::3/64 dev als-a");
  als_test_run ("ip addr add fd09::3/64 dev als-a nodad");
  als_test_run ("ip link add als-idle type veth peer name als-void");
  /* Up, but its other end is not: no carrier. */
  als_test_run ("ip link set als-idle up");
  als_test_run ("ip addr add 10.77.0.1/24 dev als-idle");
  assert_list ("10.9.0.1:0 [fd09::3]:0 [fd09::1]:0");
  als_test_run ("ip link del als-idle");
  als_test_run ("ip addr del fd09::3/64 dev als-a");
}

static void
test_tells_who_is_on_the_link (void)
{
  static const struct
  {
    const char *ip;
    gboolean is_local;
  } rows[] = {
    { "10.9.0.200", TRUE }, { "10.9.1.1", FALSE },    { "fd09::77", TRUE },
    { "fd0a::1", FALSE },   { "198.51.100.1", FALSE }, { "127.0.0.1", TRUE },
  };

  if (als_test_namespaces_skip (NULL))
    return;
  for (guint i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      AlsStunAddress address;

      g_assert_true (als_stun_address_parse (&address, rows[i].ip, 0));
      g_assert_cmpint (als_network_is_local (&address), ==, rows[i].is_local);
    }
}

static void
test_routers_and_sources (void)
{
  AlsStunAddress far_away, source;
  g_autoptr (GArray) routers = NULL;

  if (als_test_namespaces_skip (NULL))
    return;
  als_stun_address_parse (&far_away, "198.51.100.1", 9);
  g_assert_false (als_network_get_source (&far_away, &source));
  als_test_run ("ip route add default via 10.9.0.2 metric 700");
  als_test_run ("ip route add default via 10.9.0.3 metric 50");
  als_test_run ("ip -6 route add default via fe80::2 dev als-a metric 200");
  routers = als_network_list_routers ();
  g_assert_cmpuint (routers->len, ==, 3);
  g_assert_cmpuint (g_array_index (routers, AlsNetworkRouter, 0).address.ip[3], ==, 3);
  g_assert_cmpint (g_array_index (routers, AlsNetworkRouter, 1).address.family, ==,
                   ALS_STUN_FAMILY_IPV6);
  g_assert_cmpuint (g_array_index (routers, AlsNetworkRouter, 1).interface, !=, 0);
  g_assert_cmpuint (g_array_index (routers, AlsNetworkRouter, 2).address.ip[3], ==, 2);
  g_assert_true (als_network_get_source (&far_away, &source));
  g_assert_cmpuint (source.ip[3], ==, 1);
  als_stun_address_parse (&far_away, "2001:db8::1", 9);
  g_assert_true (als_network_get_source (&far_away, &source));
  g_assert_cmpint (source.family, ==, ALS_STUN_FAMILY_IPV6);
  als_test_run ("ip route del default via 10.9.0.2");
  als_test_run ("ip route del default via 10.9.0.3");
  als_test_run ("ip -6 route del default");
}

static void
test_addresses_and_routes_come_and_go (void)
{
  static const char *const changes[] = {
    "ip addr add 10.9.0.7/24 dev als-a",        "ip addr del 10.9.0.7/24 dev als-a",
    "ip addr add fd09::7/64 dev als-a nodad",   "ip addr del fd09::7/64 dev als-a",
    "ip route add default via 10.9.0.2",        "ip route replace default via 10.9.0.3",
    "ip route del default",
  };
  g_autoptr (AlsNetworkWatch) watch = NULL;

  if (als_test_namespaces_skip (NULL))
    return;
  watch = make_watch ();
  for (guint i = 0; i < G_N_ELEMENTS (changes); i++)
    {
      int64_t start_us = g_get_monotonic_time ();

      als_test_run ("%s", changes[i]);
      als_wait_until (n_changes > i);
      g_assert_cmpuint (n_changes, ==, i + 1);
      g_assert_cmpint (g_get_monotonic_time () - start_us, >=, 200 * 1000);
    }
}

static void
test_burst_is_told_once (void)
{
  g_autoptr (AlsNetworkWatch) watch = NULL;

  if (als_test_namespaces_skip (NULL))
    return;
  watch = make_watch ();
  for (guint i = 10; i < 30; i++)
    als_test_run ("ip addr add 10.9.0.%u/24 dev als-a", i);
  als_wait_until (n_changes > 0);
  run_ms (400);
  g_assert_cmpuint (n_changes, ==, 1);
  for (guint i = 10; i < 30; i++)
    als_test_run ("ip addr del 10.9.0.%u/24 dev als-a", i);
  als_wait_until (n_changes > 1);
}

static void
test_what_changes_nothing_is_not_told (void)
{
  g_autoptr (AlsNetworkWatch) watch = NULL;

  if (als_test_namespaces_skip (NULL))
    return;
  watch = make_watch ();
  /* As a router's advertisement does: the same address with another lifetime. */
  als_test_run ("ip addr change fd09::1/64 dev als-a valid_lft 3600 preferred_lft 1800");
  als_test_run ("ip link set als-a alias something");
  als_test_run ("ip route add 192.0.2.0/24 via 10.9.0.2");
  als_test_run ("ip route del 192.0.2.0/24");
  run_ms (600);
  g_assert_cmpuint (n_changes, ==, 0);
}

static void
test_cable_out_and_in_within_a_burst (void)
{
  g_autoptr (AlsNetworkWatch) watch = NULL;

  if (als_test_namespaces_skip (NULL))
    return;
  watch = make_watch ();
  als_test_namespace_enter (1);
  als_test_run ("ip link set als-b down");
  als_test_run ("ip link set als-b up");
  als_test_namespace_enter (0);
  als_wait_until (n_changes > 0);
}

static void
test_end_within_a_burst (void)
{
  AlsNetworkWatch *watch;

  if (als_test_namespaces_skip (NULL))
    return;
  watch = make_watch ();
  als_test_run ("ip addr add 10.9.0.7/24 dev als-a");
  g_main_context_iteration (NULL, TRUE);
  g_object_unref (watch);
  als_test_run ("ip addr del 10.9.0.7/24 dev als-a");
  run_ms (300);
  g_assert_cmpuint (n_changes, ==, 0);
}

int
main (int argc, char **argv)
{
  als_test_namespaces_open (2);
  g_test_init (&argc, &argv, NULL);
  if (!als_test_namespaces_are_refused ())
    {
      als_test_namespaces_join (0, "als-a", 1, "als-b");
      als_test_namespace_enter (0);
      als_test_run ("ip addr add 10.9.0.1/24 dev als-a");
      als_test_run ("ip addr add fd09::1/64 dev als-a nodad");
    }
  g_test_add_func ("/path/network/lists-what-is-usable", test_lists_what_is_usable);
  g_test_add_func ("/path/network/tells-who-is-on-the-link", test_tells_who_is_on_the_link);
  g_test_add_func ("/path/network/routers-and-sources", test_routers_and_sources);
  g_test_add_func ("/path/network-watch/addresses-and-routes-come-and-go",
                   test_addresses_and_routes_come_and_go);
  g_test_add_func ("/path/network-watch/burst-is-told-once", test_burst_is_told_once);
  g_test_add_func ("/path/network-watch/what-changes-nothing-is-not-told",
                   test_what_changes_nothing_is_not_told);
  g_test_add_func ("/path/network-watch/cable-out-and-in-within-a-burst",
                   test_cable_out_and_in_within_a_burst);
  g_test_add_func ("/path/network-watch/end-within-a-burst", test_end_within_a_burst);
  return g_test_run ();
}
