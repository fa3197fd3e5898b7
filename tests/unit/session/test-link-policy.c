/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#include "session/als-link-choice.h"
#include "session/als-link-life.h"

#define MS ((int64_t) 1000)
#define SECOND ((int64_t) G_USEC_PER_SEC)

static AlsLinkCandidate
candidate (guint number, AlsPathKind kind, int64_t rtt_us)
{
  return (AlsLinkCandidate){
    .number = number, .kind = kind, .usable = TRUE, .rtt_us = rtt_us, .n_rtt_samples = 5,
  };
}

static guint
choose (AlsLinkCandidate *all, guint n, guint current, guint allowed, int64_t now_us)
{
  AlsLinkCandidate *pointers[8];

  for (guint i = 0; i < n; i++)
    pointers[i] = &all[i];
  return als_link_choice_choose (pointers, n, current, allowed, now_us);
}

static void
note (AlsLinkCandidate *all, guint n, guint current, uint64_t goodput, gboolean saturated,
      int64_t now_us)
{
  AlsLinkCandidate *pointers[8];

  for (guint i = 0; i < n; i++)
    pointers[i] = &all[i];
  als_link_choice_note_goodput (pointers, n, current, ALS_PATH_ALL, goodput, saturated, now_us);
}

static void
test_best_kind_wins (void)
{
  AlsLinkCandidate all[] = {
    candidate (1, ALS_PATH_SIGNAL_RELAY, 20 * MS),
    candidate (2, ALS_PATH_DIRECT_UDP, 20 * MS),
    candidate (3, ALS_PATH_DIRECT_UDP, 20 * MS),
    candidate (4, ALS_PATH_DIRECT_TCP, 20 * MS),
  };

  g_assert_cmpuint (choose (all, 4, 0, ALS_PATH_ALL, 1), ==, 4);
  g_assert_cmpuint (choose (all, 3, 0, ALS_PATH_ALL, 1), ==, 2);
  g_assert_cmpuint (choose (all, 3, 3, ALS_PATH_ALL, 1), ==, 3); /* equals do not take turns */
  all[1].lan = TRUE;
  g_assert_cmpuint (choose (all, 3, 3, ALS_PATH_ALL, 1), ==, 2);
  all[1].usable = FALSE;
  g_assert_cmpuint (choose (all, 3, 2, ALS_PATH_ALL, 1), ==, 3);
  g_assert_cmpuint (choose (all, 4, 4, 1u << ALS_PATH_SIGNAL_RELAY, 1), ==, 1);
  g_assert_cmpuint (choose (all, 4, 4, 1u << ALS_PATH_TURN_UDP, 1), ==, 0);
}

static void
test_new_path_shows_its_round_trip_first (void)
{
  AlsLinkCandidate all[] = {
    candidate (1, ALS_PATH_SIGNAL_RELAY, 20 * MS),
    candidate (2, ALS_PATH_DIRECT_UDP, 0),
  };

  all[1].n_rtt_samples = 0;
  g_assert_cmpuint (choose (all, 2, 1, ALS_PATH_ALL, 1), ==, 1);
  g_assert_cmpuint (choose (all, 2, 0, ALS_PATH_ALL, 1), ==, 2);
  all[1].n_rtt_samples = 1;
  all[1].rtt_us = 30 * MS;
  g_assert_cmpuint (choose (all, 2, 1, ALS_PATH_ALL, 1), ==, 2);
}

static void
test_much_longer_round_trip_loses_for_a_minute (void)
{
  AlsLinkCandidate all[] = {
    candidate (1, ALS_PATH_SIGNAL_RELAY, 20 * MS),
    candidate (2, ALS_PATH_DIRECT_UDP, 89 * MS),
  };
  int64_t now_us = SECOND;

  g_assert_cmpuint (choose (all, 2, 2, ALS_PATH_ALL, now_us), ==, 2);
  all[1].rtt_us = 91 * MS;
  g_assert_cmpuint (choose (all, 2, 2, ALS_PATH_ALL, now_us), ==, 2);
  g_assert_cmpuint (choose (all, 2, 2, ALS_PATH_ALL, now_us + 2999 * MS), ==, 2);
  now_us += 3 * SECOND;
  g_assert_cmpuint (choose (all, 2, 2, ALS_PATH_ALL, now_us), ==, 1);
  all[1].rtt_us = 20 * MS;
  g_assert_cmpuint (choose (all, 2, 1, ALS_PATH_ALL, now_us + 59 * SECOND), ==, 1);
  all[0].usable = FALSE; /* better than nothing */
  g_assert_cmpuint (choose (all, 2, 1, ALS_PATH_ALL, now_us + 59 * SECOND), ==, 2);
  all[0].usable = TRUE;
  g_assert_cmpuint (choose (all, 2, 1, ALS_PATH_ALL, now_us + 60 * SECOND), ==, 2);
}

static void
test_half_the_goodput_for_three_seconds_loses (void)
{
  AlsLinkCandidate all[] = {
    candidate (1, ALS_PATH_SIGNAL_RELAY, 20 * MS),
    candidate (2, ALS_PATH_DIRECT_UDP, 20 * MS),
  };
  int64_t now_us = SECOND;

  for (guint i = 0; i < 10; i++, now_us += ALS_GOODPUT_INTERVAL_US)
    note (all, 2, 1, 1000000, TRUE, now_us);
  /* Work was not waiting all the time: that says nothing. */
  for (guint i = 0; i < 20; i++, now_us += ALS_GOODPUT_INTERVAL_US)
    {
      note (all, 2, 2, 100000, i % 6 != 5, now_us);
      g_assert_cmpuint (choose (all, 2, 2, ALS_PATH_ALL, now_us), ==, 2);
    }
  for (guint i = 0; i < 6; i++, now_us += ALS_GOODPUT_INTERVAL_US)
    {
      note (all, 2, 2, 450000, TRUE, now_us);
      g_assert_cmpuint (choose (all, 2, 2, ALS_PATH_ALL, now_us), ==, i < 3 ? 2 : 1);
    }
  g_assert_cmpint (all[1].banned_until_us, >, now_us + 50 * SECOND);
}

static void
test_silence_is_a_death (void)
{
  AlsLinkLife life;
  int64_t now_us = 5 * SECOND;

  als_link_life_init (&life, now_us);
  g_assert_cmpint (als_link_life_get_ping_due (&life, ALS_LINK_PACE_STANDBY), <=, now_us);
  g_assert_cmpint (als_link_life_get_death (&life, ALS_LINK_PACE_BUSY), ==, INT64_MAX);
  for (guint i = 0; i < 200; i++, now_us += 250 * MS)
    {
      uint64_t cookie = als_link_life_ping (&life, now_us);

      g_assert_true (als_link_life_pong (&life, cookie, now_us + 40 * MS));
      g_assert_true (als_link_life_pong (&life, cookie, now_us + 50 * MS));
      g_assert_false (als_link_life_pong (&life, cookie + 1, now_us + 50 * MS));
    }
  g_assert_cmpint (life.rtt_us, ==, 40 * MS);
  als_link_life_ping (&life, now_us);
  als_link_life_ping (&life, now_us + 250 * MS);
  g_assert_cmpint (als_link_life_get_death (&life, ALS_LINK_PACE_BUSY), <=, now_us + 1750 * MS);
  g_assert_cmpint (als_link_life_get_death (&life, ALS_LINK_PACE_IDLE), ==, now_us + 5 * SECOND);
  als_link_life_excuse (&life, SECOND);
  g_assert_cmpint (als_link_life_get_death (&life, ALS_LINK_PACE_IDLE), ==, now_us + 6 * SECOND);
  /* A later answer stands for the earlier ones. */
  g_assert_true (als_link_life_pong (&life, life.next_cookie - 1, now_us + SECOND));
  g_assert_cmpint (als_link_life_get_death (&life, ALS_LINK_PACE_BUSY), ==, INT64_MAX);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/session/link-choice/best-kind-wins", test_best_kind_wins);
  g_test_add_func ("/session/link-choice/new-path-shows-its-round-trip-first",
                   test_new_path_shows_its_round_trip_first);
  g_test_add_func ("/session/link-choice/much-longer-round-trip-loses-for-a-minute",
                   test_much_longer_round_trip_loses_for_a_minute);
  g_test_add_func ("/session/link-choice/half-the-goodput-for-three-seconds-loses",
                   test_half_the_goodput_for_three_seconds_loses);
  g_test_add_func ("/session/link-life/silence-is-a-death", test_silence_is_a_death);
  return g_test_run ();
}
