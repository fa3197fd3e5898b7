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
note_interval (AlsLinkCandidate *all, guint n, guint current, const AlsLinkInterval *interval,
               int64_t now_us)
{
  AlsLinkCandidate *pointers[8];

  for (guint i = 0; i < n; i++)
    pointers[i] = &all[i];
  als_link_choice_note_interval (pointers, n, current, ALS_PATH_ALL, interval, now_us);
}

static void
note (AlsLinkCandidate *all, guint n, guint current, uint64_t goodput, gboolean saturated,
      int64_t now_us)
{
  AlsLinkInterval interval = { .goodput = goodput, .saturated = saturated };

  note_interval (all, n, current, &interval, now_us);
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

/* A better kind that has not been sent on yet: its smoothed round trip is bad from the start. */
static void
test_slow_start_does_not_condemn_an_unused_path (void)
{
  AlsLinkCandidate all[] = {
    candidate (1, ALS_PATH_SIGNAL_RELAY, 20 * MS),
    candidate (2, ALS_PATH_DIRECT_UDP, 400 * MS),
  };
  int64_t now_us = SECOND;

  all[1].least_rtt_us = 300 * MS;
  g_assert_cmpuint (choose (all, 2, 1, ALS_PATH_ALL, now_us), ==, 1);
  g_assert_cmpuint (choose (all, 2, 1, ALS_PATH_ALL, now_us + 2999 * MS), ==, 1);
  g_assert_cmpint (all[1].banned_until_us, ==, 0);
  all[1].least_rtt_us = 30 * MS; /* one quick answer suffices */
  g_assert_cmpuint (choose (all, 2, 1, ALS_PATH_ALL, now_us + 2999 * MS), ==, 2);
  g_assert_cmpint (all[1].slow_since_us, ==, 0);
}

static void
test_slow_unused_path_is_judged_again_soon (void)
{
  AlsLinkCandidate all[] = {
    candidate (1, ALS_PATH_SIGNAL_RELAY, 20 * MS),
    candidate (2, ALS_PATH_TURN_UDP, 300 * MS),
    candidate (3, ALS_PATH_DIRECT_UDP, 300 * MS),
  };
  int64_t now_us = SECOND;

  for (guint i = 0; i < 30; i++, now_us += 100 * MS)
    {
      g_assert_cmpuint (choose (all, 3, 1, ALS_PATH_ALL, now_us), ==, 1);
      g_assert_cmpint (all[2].banned_until_us, ==, 0);
    }
  /* The quick one goes: a slow one at once, judged or not. */
  all[0].usable = FALSE;
  g_assert_cmpuint (choose (all, 3, 1, ALS_PATH_ALL, now_us), ==, 3);
  all[0].usable = TRUE;
  all[2].slow_since_us = now_us - 3 * SECOND;
  g_assert_cmpuint (choose (all, 3, 1, ALS_PATH_ALL, now_us), ==, 1);
  g_assert_cmpint (all[2].banned_until_us, ==, now_us + 10 * SECOND);
  g_assert_cmpuint (all[2].n_bans, ==, 0);
  all[2].rtt_us = 20 * MS;
  g_assert_cmpuint (choose (all, 3, 1, ALS_PATH_ALL, now_us + 9 * SECOND), ==, 1);
  g_assert_cmpuint (choose (all, 3, 1, ALS_PATH_ALL, now_us + 10 * SECOND), ==, 3);
}

static void
test_silent_paths_come_last (void)
{
  AlsLinkCandidate all[] = {
    candidate (1, ALS_PATH_SIGNAL_RELAY, 500 * MS),
    candidate (2, ALS_PATH_DIRECT_UDP, 20 * MS),
    candidate (3, ALS_PATH_DIRECT_TCP, 20 * MS),
  };

  all[1].silent = all[2].silent = TRUE;
  g_assert_cmpuint (choose (all, 3, 0, ALS_PATH_ALL, 1), ==, 1);
  g_assert_cmpuint (choose (all, 3, 1, ALS_PATH_ALL, 10 * SECOND), ==, 1);
  all[1].silent = FALSE;
  g_assert_cmpuint (choose (all, 3, 1, ALS_PATH_ALL, 10 * SECOND), ==, 2);
  all[0].usable = all[1].usable = FALSE; /* better than nothing */
  g_assert_cmpuint (choose (all, 3, 2, ALS_PATH_ALL, 10 * SECOND), ==, 3);
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
    note (all, 2, 1, 4000000, TRUE, now_us);
  /* Work was not waiting all the time: that says nothing. */
  for (guint i = 0; i < 20; i++, now_us += ALS_GOODPUT_INTERVAL_US)
    {
      note (all, 2, 2, 1500000, i % 6 != 5, now_us);
      g_assert_cmpuint (choose (all, 2, 2, ALS_PATH_ALL, now_us), ==, 2);
    }
  for (guint i = 0; i < 6; i++, now_us += ALS_GOODPUT_INTERVAL_US)
    {
      note (all, 2, 2, 1900000, TRUE, now_us);
      g_assert_cmpuint (choose (all, 2, 2, ALS_PATH_ALL, now_us), ==, i < 3 ? 2 : 1);
    }
  g_assert_cmpint (all[1].banned_until_us, >, now_us + 50 * SECOND);
}

/* A world of two paths: how fast each is, and what the policy makes of it. */
typedef struct
{
  AlsLinkCandidate all[2];      /* UDP, TCP */
  uint64_t goodput[2];
  uint64_t lost;                /* of 1,000 packets by TCP in each interval */
  guint current;
  guint n_switches;
  guint intervals[2];           /* on each */
} World;

static World
make_world (uint64_t udp, uint64_t tcp, uint64_t lost)
{
  return (World){
    .all = { candidate (1, ALS_PATH_DIRECT_UDP, 40 * MS), candidate (2, ALS_PATH_DIRECT_TCP, 40 * MS) },
    .goodput = { udp, tcp },
    .lost = lost,
    .current = 2,
  };
}

static void
live (World *world, guint n, gboolean saturated, int64_t *now_us)
{
  for (guint i = 0; i < n; i++)
    {
      AlsLinkInterval interval = { .goodput = world->goodput[world->current - 1],
                                   .saturated = saturated };
      guint chosen;

      if (world->current == 2)
        {
          interval.sent = 1000;
          interval.lost = world->lost;
        }
      *now_us += ALS_GOODPUT_INTERVAL_US;
      note_interval (world->all, 2, world->current, &interval, *now_us);
      chosen = choose (world->all, 2, world->current, ALS_PATH_ALL, *now_us);
      world->n_switches += chosen != world->current;
      world->current = chosen;
      world->intervals[chosen - 1]++;
    }
}

/* Cubic on a line that loses, from the start: nobody knows yet what UDP could do there. */
static void
test_lossy_tcp_makes_way (void)
{
  World world = make_world (9 * 1000 * 1000, 300 * 1000, 10);
  int64_t now_us = SECOND;

  live (&world, 20, FALSE, &now_us);
  g_assert_cmpuint (world.current, ==, 2); /* while nothing is full nobody minds */
  live (&world, 10, TRUE, &now_us);
  g_assert_cmpuint (world.current, ==, 1);
  g_assert_cmpint (world.all[1].banned_until_us, >, now_us + 50 * SECOND);
  /* Ten minutes: it looks at the better kind again, less often each time. */
  world.n_switches = 0;
  world.intervals[0] = world.intervals[1] = 0;
  live (&world, 1200, TRUE, &now_us);
  g_assert_cmpuint (world.n_switches, <=, 2 * 4);
  g_assert_cmpuint (world.intervals[1], <=, 4 * 7);
  /* The line is good again: it comes back, and stays. */
  world.goodput[1] = 9 * 1000 * 1000;
  world.lost = 0;
  world.n_switches = 0;
  live (&world, 2400, TRUE, &now_us);
  g_assert_cmpuint (world.current, ==, 2);
  g_assert_cmpuint (world.n_switches, ==, 1);
}

/* Both lines lose, and neither way does twice as well as the other. */
static void
test_equals_stay_where_they_are (void)
{
  World world = make_world (9 * 1000 * 1000, 6 * 1000 * 1000, 10);
  int64_t now_us = SECOND;

  live (&world, 1200, TRUE, &now_us);
  g_assert_cmpuint (world.current, ==, 2);
  g_assert_cmpuint (world.n_switches, <=, 2 * 4);
  g_assert_cmpuint (world.intervals[0], <=, 4 * 6);
}

/* Its rate doubles in every interval, and when it is there it loses what was too much. */
static void
test_search_for_the_rate_is_not_judged (void)
{
  World world = make_world (12 * 1000 * 1000, 100 * 1000, 0);
  int64_t now_us = SECOND;

  for (; world.goodput[1] < 12 * 1000 * 1000; world.goodput[1] *= 2)
    live (&world, 1, TRUE, &now_us);
  world.goodput[1] = 12 * 1000 * 1000;
  world.lost = 200;
  live (&world, 2, TRUE, &now_us);
  world.lost = 0;
  live (&world, 60, TRUE, &now_us);
  g_assert_cmpuint (world.n_switches, ==, 0);
}

static void
test_fast_line_is_not_bothered (void)
{
  World world = make_world (800 * 1000 * 1000, 50 * 1000 * 1000, 0);
  int64_t now_us = SECOND;

  live (&world, 1200, TRUE, &now_us);
  g_assert_cmpuint (world.n_switches, ==, 0);
}

static void
test_trials_have_limits (void)
{
  World world = make_world (1000 * 1000, 1000 * 1000, 10);
  int64_t now_us = SECOND;

  /* Not on the relay, nor where the way is much longer. */
  world.all[0].kind = ALS_PATH_SIGNAL_RELAY;
  live (&world, 20, TRUE, &now_us);
  g_assert_cmpuint (world.n_switches, ==, 0);
  world.all[0].kind = ALS_PATH_TURN_UDP;
  world.all[0].rtt_us = 200 * MS;
  live (&world, 20, TRUE, &now_us);
  g_assert_cmpuint (world.n_switches, ==, 0);
  world.all[0].rtt_us = 40 * MS;
  live (&world, 1, TRUE, &now_us);
  g_assert_cmpuint (world.current, ==, 1);
  /* One that dies on trial is not used, nor tried again at once. */
  world.all[0].usable = FALSE;
  g_assert_cmpuint (choose (world.all, 2, 1, ALS_PATH_ALL, now_us), ==, 2);
  world.all[0].usable = TRUE;
  live (&world, 20, TRUE, &now_us);
  g_assert_cmpuint (world.current, ==, 2);
  /* If the other dies, there is no trial any more. */
  now_us += 60 * SECOND;
  live (&world, 1, TRUE, &now_us);
  g_assert_cmpuint (world.current, ==, 1);
  world.all[1].usable = FALSE;
  g_assert_cmpuint (choose (world.all, 2, 1, ALS_PATH_ALL, now_us), ==, 1);
  g_assert_cmpint (world.all[0].trial_until_us, ==, 0);
  world.all[1].usable = TRUE;
  g_assert_cmpuint (choose (world.all, 2, 1, ALS_PATH_ALL, now_us), ==, 2);
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
  g_assert_cmpint (als_link_life_get_death (&life, ALS_LINK_PACE_IDLE), ==, now_us + 3600 * MS);
  als_link_life_excuse (&life, SECOND);
  g_assert_cmpint (als_link_life_get_death (&life, ALS_LINK_PACE_IDLE), ==, now_us + 4600 * MS);
  /* A later answer stands for the earlier ones. */
  g_assert_true (als_link_life_pong (&life, life.next_cookie - 1, now_us + SECOND));
  g_assert_cmpint (als_link_life_get_death (&life, ALS_LINK_PACE_BUSY), ==, INT64_MAX);
}

static void
test_least_round_trip_of_late (void)
{
  static const int ROUND_TRIPS_MS[] = { 300, 200, 250, 400, 500, 600, 700 };
  static const int LEAST_MS[] = { 300, 200, 200, 200, 200, 250, 400 };
  AlsLinkLife life;
  int64_t now_us = 5 * SECOND;

  als_link_life_init (&life, now_us);
  g_assert_cmpint (als_link_life_get_least_rtt (&life), ==, 0);
  for (guint i = 0; i < G_N_ELEMENTS (LEAST_MS); i++, now_us += SECOND)
    {
      uint64_t cookie = als_link_life_ping (&life, now_us);

      g_assert_true (als_link_life_pong (&life, cookie, now_us + ROUND_TRIPS_MS[i] * MS));
      g_assert_cmpint (als_link_life_get_least_rtt (&life), ==, LEAST_MS[i] * MS);
    }
}

static void
test_doubt_comes_before_death (void)
{
  AlsLinkLife life;
  int64_t now_us = 5 * SECOND;

  als_link_life_init (&life, now_us);
  for (guint i = 0; i < 5; i++)
    als_link_life_pong (&life, als_link_life_ping (&life, now_us), now_us + 300 * MS);
  g_assert_cmpint (als_link_life_get_doubt (&life, ALS_LINK_PACE_BUSY), ==, INT64_MAX);
  als_link_life_ping (&life, now_us);
  als_link_life_ping (&life, now_us + 250 * MS);
  g_assert_cmpint (als_link_life_get_doubt (&life, ALS_LINK_PACE_BUSY), ==, now_us + 600 * MS);
  g_assert_cmpint (als_link_life_get_doubt (&life, ALS_LINK_PACE_IDLE), ==, now_us + SECOND);
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
  g_test_add_func ("/session/link-choice/lossy-tcp-makes-way-for-what-is-better", test_lossy_tcp_makes_way);
  g_test_add_func ("/session/link-choice/a-trial-that-shows-no-better-ends", test_equals_stay_where_they_are);
  g_test_add_func ("/session/link-choice/a-fast-line-without-loss-is-not-bothered",
                   test_fast_line_is_not_bothered);
  g_test_add_func ("/session/link-choice/search-for-the-rate-is-not-judged",
                   test_search_for_the_rate_is_not_judged);
  g_test_add_func ("/session/link-choice/trials-have-limits", test_trials_have_limits);
  g_test_add_func ("/session/link-choice/a-slow-start-does-not-condemn-an-unused-path",
                   test_slow_start_does_not_condemn_an_unused_path);
  g_test_add_func ("/session/link-choice/a-slow-unused-path-is-judged-again-soon",
                   test_slow_unused_path_is_judged_again_soon);
  g_test_add_func ("/session/link-choice/silent-paths-come-last", test_silent_paths_come_last);
  g_test_add_func ("/session/link-life/silence-is-a-death", test_silence_is_a_death);
  g_test_add_func ("/session/link-life/the-least-round-trip-of-late-is-known",
                   test_least_round_trip_of_late);
  g_test_add_func ("/session/link-life/doubt-comes-before-death", test_doubt_comes_before_death);
  return g_test_run ();
}
