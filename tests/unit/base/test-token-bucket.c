/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/als-backoff.h"
#include "base/als-token-bucket.h"

static void
test_rate (void)
{
  AlsTokenBucket bucket;

  als_token_bucket_init (&bucket, 1000, 100, 0);
  g_assert_true (als_token_bucket_take (&bucket, 100, 0));
  g_assert_false (als_token_bucket_take (&bucket, 1, 0));
  g_assert_cmpint (als_token_bucket_when (&bucket, 50, 0), ==, 50000);
  g_assert_true (als_token_bucket_take (&bucket, 50, 50000));
  als_token_bucket_force (&bucket, 100, 50000);
  g_assert_cmpint (als_token_bucket_when (&bucket, 1, 50000), >=, 151000);
  g_assert_false (als_token_bucket_take (&bucket, 101, 10 * G_USEC_PER_SEC));
}

static void
test_backoff (void)
{
  AlsBackoff backoff;
  int64_t delay = 0;

  als_backoff_init (&backoff, 1000, 8000);
  g_assert_cmpint (als_backoff_next (&backoff), <=, 1250);
  for (guint i = 0; i < 50; i++)
    delay = als_backoff_next (&backoff);
  g_assert_cmpint (delay, >=, 6000);
  g_assert_cmpint (delay, <=, 10000);
  als_backoff_reset (&backoff);
  g_assert_cmpint (als_backoff_next (&backoff), <=, 1250);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/base/token-bucket/holds-its-rate", test_rate);
  g_test_add_func ("/base/backoff/doubles-up-to-its-limit", test_backoff);
  return g_test_run ();
}
