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

static void
test_servers_name_nobody_further_inside (void)
{
  /* From the inside out; each may name what stands beside or behind it. */
  static const char *const inside_out[][3] = {
    { "127.0.0.1", "127.9.9.9", "127.0.0.53" },
    { "169.254.1.1", "169.254.9.9", "169.254.2.2" },
    { "192.168.1.1", "10.0.0.1", "100.64.0.1" },
    { "198.51.100.1", "203.0.113.1", "8.8.8.8" },
    { "::1", "::1", "::1" },
    { "fe80::1", "fe80::2", "fe80::3" },
    { "fd00::1", "fc00::1", "fd12::1" },
    { "2001:db8::1", "2000::1", "2a00::1" },
  };
  static const char *const never[] = { "0.1.2.3", "240.0.0.1", "224.0.0.1", "255.255.255.255",
                                       "::ffff:198.51.100.1", "::ffff:127.0.0.1", "::", "ff02::1" };
  AlsStunAddress server, named;

  for (guint i = 0; i < 8; i++)
    {
      als_stun_address_parse (&server, inside_out[i][0], 3478);
      for (guint j = 0; j < 8; j++)
        for (guint k = 0; k < 3; k++)
          {
            als_stun_address_parse (&named, inside_out[j][k], 80);
            g_assert_cmpint (als_stun_address_may_name (&server, &named), ==, i / 4 == j / 4 && j >= i);
          }
      for (guint j = 0; j < G_N_ELEMENTS (never); j++)
        {
          als_stun_address_parse (&named, never[j], 80);
          g_assert_false (als_stun_address_may_name (&server, &named));
        }
      als_stun_address_parse (&named, inside_out[i][1], 0);
      g_assert_false (als_stun_address_may_name (&server, &named));
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/stun/address/both-families-survive-both-ways", test_forms);
  g_test_add_func ("/stun/address/no-address-equals-nothing", test_nothing);
  g_test_add_func ("/stun/address/servers-name-nobody-further-inside",
                   test_servers_name_nobody_further_inside);
  return g_test_run ();
}
