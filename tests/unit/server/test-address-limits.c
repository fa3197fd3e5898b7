/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "server/als-address-limits.h"

static void
test_separate (void)
{
  g_autoptr (AlsAddressLimits) limits = als_address_limits_new (2, 3, 0);

  g_assert_true (als_address_limits_take (limits, "a", 0));
  g_assert_true (als_address_limits_take (limits, "a", 0));
  g_assert_false (als_address_limits_take (limits, "a", 0));
  g_assert_true (als_address_limits_take (limits, "b", 0));
  g_assert_false (als_address_limits_take (limits, "a", 3 * G_USEC_PER_SEC - 1000));
  g_assert_true (als_address_limits_take (limits, "a", 3 * G_USEC_PER_SEC + 1000));
}

static void
test_forgets (void)
{
  g_autoptr (AlsAddressLimits) limits = als_address_limits_new (2, 60, 0);

  for (guint i = 0; i < 1000; i++)
    {
      g_autofree char *address = g_strdup_printf ("%u", i);

      als_address_limits_take (limits, address, 0);
    }
  als_address_limits_take (limits, "1", 0);
  g_assert_cmpuint (als_address_limits_get_n_known (limits), ==, 1000);
  /* All but the one that has not recovered yet, and the one that asks. */
  als_address_limits_take (limits, "x", 61 * G_USEC_PER_SEC);
  g_assert_cmpuint (als_address_limits_get_n_known (limits), ==, 2);
}

static void
test_bounded (void)
{
  g_autoptr (AlsAddressLimits) limits = als_address_limits_new (1, 1, 0);
  gboolean last = TRUE;

  for (guint i = 0; i < 100001; i++)
    {
      g_autofree char *address = g_strdup_printf ("%u", i);

      last = als_address_limits_take (limits, address, 0);
      g_assert_true (last == (i < 100000));
    }
  g_assert_cmpuint (als_address_limits_get_n_known (limits), ==, 100000);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/server/address-limits/addresses-do-not-share", test_separate);
  g_test_add_func ("/server/address-limits/who-recovered-is-forgotten", test_forgets);
  g_test_add_func ("/server/address-limits/table-is-bounded", test_bounded);
  return g_test_run ();
}
