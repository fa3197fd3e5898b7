/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "media/als-media-rate.h"

/* Checks for TIME_US; the link carries RATE bytes a second. */
static void
run (AlsMediaRate *rate, int64_t *now_us, int64_t time_us, uint64_t link_rate, int64_t delay_us)
{
  int64_t end_us = *now_us + time_us;

  for (; *now_us < end_us; *now_us += 10000)
    als_media_rate_update (rate, link_rate, delay_us, *now_us);
}

static void
test_follows (void)
{
  AlsMediaRate rate;
  int64_t now_us = 1;

  als_media_rate_init (&rate, 30);
  /* 10 Mbit/s: three quarters. */
  run (&rate, &now_us, 5 * G_USEC_PER_SEC, 1250000, 0);
  g_assert_cmpuint (rate.bitrate_kbps, >=, 6800);
  g_assert_cmpuint (rate.bitrate_kbps, <=, 7500);
  g_assert_cmpuint (rate.fps, ==, 30);
  run (&rate, &now_us, 5 * G_USEC_PER_SEC, 100 * 1000 * 1000, 0);
  g_assert_cmpuint (rate.bitrate_kbps, ==, ALS_MEDIA_RATE_MAX_KBPS);
  /* Down at the next check. */
  run (&rate, &now_us, ALS_MEDIA_RATE_CHECK_US + 10000, 62500, 0);
  g_assert_cmpuint (rate.bitrate_kbps, ==, 375);
  g_assert_cmpuint (rate.fps, <, 15);
  run (&rate, &now_us, G_USEC_PER_SEC, 1, 0);
  g_assert_cmpuint (rate.bitrate_kbps, ==, ALS_MEDIA_RATE_MIN_KBPS);
}

static void
test_congested (void)
{
  AlsMediaRate rate;
  int64_t now_us = 1;

  als_media_rate_init (&rate, 30);
  run (&rate, &now_us, 5 * G_USEC_PER_SEC, 500000, 200000);
  g_assert_cmpuint (rate.bitrate_kbps, ==, 2000);
}

static void
test_unknown (void)
{
  AlsMediaRate rate;
  int64_t now_us = 1;
  guint before;

  als_media_rate_init (&rate, 30);
  before = rate.bitrate_kbps;
  run (&rate, &now_us, G_USEC_PER_SEC, 0, 0);
  g_assert_cmpuint (rate.bitrate_kbps, ==, before);
}

static void
test_steady (void)
{
  AlsMediaRate rate;
  int64_t now_us = 1;
  guint n_changes = 0;

  als_media_rate_init (&rate, 30);
  run (&rate, &now_us, 5 * G_USEC_PER_SEC, 500000, 0);
  for (guint i = 0; i < 100; i++, now_us += ALS_MEDIA_RATE_CHECK_US)
    n_changes += als_media_rate_update (&rate, 500000 + (i % 2) * 25000, 0, now_us) ? 1 : 0;
  g_assert_cmpuint (n_changes, <=, 1);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/media/rate/follows-the-link-within-bounds", test_follows);
  g_test_add_func ("/media/rate/takes-less-while-a-queue-stands", test_congested);
  g_test_add_func ("/media/rate/stays-while-the-link-knows-nothing", test_unknown);
  g_test_add_func ("/media/rate/does-not-follow-noise", test_steady);
  return g_test_run ();
}
