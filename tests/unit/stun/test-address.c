/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#include "stun/als-stun-address.h"

static void
check (const char *ip, uint16_t port, const char *text, gboolean usable)
{
  AlsStunAddress address, back;
  g_autoptr (GSocketAddress) gio = NULL;
  g_autofree char *string = NULL;

  g_assert_true (als_stun_address_parse (&address, ip, port));
  gio = als_stun_address_to_gio (&address);
  g_assert_true (als_stun_address_from_gio (&back, gio));
  g_assert_true (als_stun_address_equal (&address, &back));
  string = als_stun_address_to_string (&address);
  g_assert_cmpstr (string, ==, text);
  g_assert_cmpint (als_stun_address_is_usable (&address), ==, usable);
}

static void
test_forms (void)
{
  check ("192.0.2.1", 80, "192.0.2.1:80", TRUE);
  check ("2001:db8::1", 443, "[2001:db8::1]:443", TRUE);
  check ("192.0.2.1", 0, "192.0.2.1:0", FALSE);
  check ("224.0.0.1", 80, "224.0.0.1:80", FALSE);
  check ("255.255.255.255", 80, "255.255.255.255:80", FALSE);
  check ("0.0.0.0", 80, "0.0.0.0:80", FALSE);
  check ("::", 80, "[::]:80", FALSE);
  check ("ff02::1", 80, "[ff02::1]:80", FALSE);
}

static void
test_nothing (void)
{
  AlsStunAddress address, other;

  g_assert_false (als_stun_address_parse (&address, "example.org", 80));
  g_assert_false (als_stun_address_is_usable (&address));
  g_assert_null (als_stun_address_to_gio (&address));
  g_assert_false (als_stun_address_equal (&address, &address));
  g_assert_true (als_stun_address_parse (&address, "192.0.2.1", 1));
  g_assert_true (als_stun_address_parse (&other, "192.0.2.1", 2));
  g_assert_false (als_stun_address_equal (&address, &other));
  g_assert_true (als_stun_address_same_ip (&address, &other));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/stun/address/both-families-survive-both-ways", test_forms);
  g_test_add_func ("/stun/address/no-address-equals-nothing", test_nothing);
  return g_test_run ();
}
