/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* The race, walked through minutes of invented time in a world where each
 * method works, fails after a while, or never says a word. */

#include "path/als-path-race.h"

#define SECOND G_USEC_PER_SEC
#define MINUTE (60 * SECOND)

enum
{
  SIGNAL,
  TURN_TCP,
  TURN_UDP,
  ICE,
  UDP_PUNCH,
  TCP_PUNCH,
  LAN,
  N_METHODS,
};

static const AlsRaceMethod methods[N_METHODS] = {
  [SIGNAL] = { .rank = 0, .is_relay = TRUE },
  [TURN_TCP] = { .rank = 2, .is_relay = TRUE, .limit_us = 20 * SECOND },
  [TURN_UDP] = { .rank = 3, .is_relay = TRUE, .limit_us = 20 * SECOND },
  [ICE] = { .rank = 4, .limit_us = 20 * SECOND },
  [UDP_PUNCH] = { .rank = 4, .after = 1 << ICE | 1 << TCP_PUNCH, .limit_us = 20 * SECOND },
  [TCP_PUNCH] = { .rank = 6, .limit_us = 20 * SECOND },
  [LAN] = { .rank = 7, .limit_us = 20 * SECOND },
};

/* How an attempt ends: connected or failed after so long; 0: it does not end. */
typedef struct
{
  int64_t connects_us;
  int64_t fails_us;
} Fate;

typedef struct
{
  AlsPathRace race;
  int64_t now_us;
  Fate fates[N_METHODS];
  int64_t ends_us[N_METHODS];     /* of the attempt under way; 0: none */
  gboolean is_up[N_METHODS];
  guint n_begun[N_METHODS], n_stopped[N_METHODS];
  int64_t begun_us[N_METHODS];    /* the last one */
  int64_t gap_min_us[N_METHODS], gap_max_us[N_METHODS];
  guint n_now, n_at_once;         /* under way: now, and at the most */
} World;

static const Fate fails = { .fails_us = 5 * SECOND };

static void
world_init (World *self, guint max_at_once)
{
  *self = (World){ .now_us = 1000 * SECOND };
  als_path_race_init (&self->race, methods, N_METHODS, max_at_once);
  for (guint i = 0; i < N_METHODS; i++)
    {
      als_path_race_set_possible (&self->race, i, TRUE, self->now_us);
      self->fates[i] = fails;
      self->gap_min_us[i] = INT64_MAX;
    }
  /* As the rendezvous connection is: there from the beginning, and begun by nobody. */
  als_path_race_connected (&self->race, SIGNAL, self->now_us);
  als_path_race_start (&self->race, self->now_us);
}

static void
begin (World *self, guint method)
{
  const Fate *fate = &self->fates[method];

  g_assert_false (self->is_up[method]);
  if (self->n_begun[method] > 0)
    {
      int64_t gap_us = self->now_us - self->begun_us[method];

      self->gap_min_us[method] = MIN (self->gap_min_us[method], gap_us);
      self->gap_max_us[method] = MAX (self->gap_max_us[method], gap_us);
    }
  self->n_begun[method]++;
  self->begun_us[method] = self->now_us;
  self->n_now++;
  self->n_at_once = MAX (self->n_at_once, self->n_now);
  self->ends_us[method] = fate->connects_us > 0 ? self->now_us + fate->connects_us
                          : fate->fails_us > 0  ? self->now_us + fate->fails_us
                                                : INT64_MAX;
}

static void
poll (World *self)
{
  for (guint i = 0; i < 100; i++)
    {
      AlsRaceStep step = als_path_race_poll (&self->race, self->now_us);

      if (step.action == ALS_RACE_WAIT)
        {
          g_assert_cmpint (als_path_race_get_deadline (&self->race), >, self->now_us);
          return;
        }
      if (step.action == ALS_RACE_BEGIN)
        begin (self, step.method);
      else
        {
          self->n_stopped[step.method]++;
          self->ends_us[step.method] = 0;
          self->n_now--;
        }
    }
  g_assert_not_reached ();
}

static void
end_attempts (World *self)
{
  for (guint i = 0; i < N_METHODS; i++)
    if (self->ends_us[i] != 0 && self->ends_us[i] <= self->now_us)
      {
        self->ends_us[i] = 0;
        self->n_now--;
        self->is_up[i] = self->fates[i].connects_us > 0;
        if (self->is_up[i])
          als_path_race_connected (&self->race, i, self->now_us);
        else
          als_path_race_failed (&self->race, i, self->now_us);
      }
}

static void
run (World *self, int64_t span_us)
{
  int64_t end_us = self->now_us + span_us;

  for (;;)
    {
      int64_t next_us;

      poll (self);
      next_us = als_path_race_get_deadline (&self->race);
      for (guint i = 0; i < N_METHODS; i++)
        if (self->ends_us[i] != 0)
          next_us = MIN (next_us, self->ends_us[i]);
      if (next_us > end_us)
        break;
      self->now_us = next_us;
      end_attempts (self);
    }
  self->now_us = end_us;
}

static void
die (World *self, guint method)
{
  self->is_up[method] = FALSE;
  als_path_race_failed (&self->race, method, self->now_us);
}

static void
test_all_begin_at_once (void)
{
  World world;

  world_init (&world, 8);
  run (&world, 0);
  for (guint i = TURN_TCP; i < N_METHODS; i++)
    g_assert_cmpuint (world.n_begun[i], ==, i == UDP_PUNCH ? 0 : 1);
  g_assert_cmpuint (world.n_begun[SIGNAL], ==, 0);
}

static void
test_best_first_where_few_may_run (void)
{
  World world;

  world_init (&world, 2);
  run (&world, 0);
  g_assert_cmpuint (world.n_begun[LAN], ==, 1);
  g_assert_cmpuint (world.n_begun[TCP_PUNCH], ==, 1);
  run (&world, 10 * MINUTE);
  g_assert_cmpuint (world.n_at_once, ==, 2);
  for (guint i = TURN_TCP; i < N_METHODS; i++)
    g_assert_cmpuint (world.n_begun[i], >, 1);
}

static void
test_nothing_more_above_the_best (void)
{
  World world;

  world_init (&world, 8);
  world.fates[LAN] = (Fate){ .connects_us = 30000 };
  run (&world, 10 * MINUTE);
  /* All began once, side by side; then the best was up, and a relay. */
  for (guint i = TURN_TCP; i < N_METHODS; i++)
    g_assert_cmpuint (world.n_begun[i], ==, i == UDP_PUNCH ? 0 : 1);
  g_assert_cmpint (als_path_race_get_deadline (&world.race), ==, INT64_MAX);
}

static void
test_better_ones_are_looked_for_with_back_off (void)
{
  World world;

  world_init (&world, 8);
  world.fates[ICE] = (Fate){ .connects_us = 60000 };
  run (&world, 10 * MINUTE);
  /* 5 s each and 2, 4, 8, 16, 32, 60, 60 … s between them. */
  g_assert_cmpuint (world.n_begun[TCP_PUNCH], >=, 11);
  g_assert_cmpuint (world.n_begun[TCP_PUNCH], <=, 16);
  g_assert_cmpint (world.gap_min_us[TCP_PUNCH], >=, 6 * SECOND);
  g_assert_cmpint (world.gap_max_us[TCP_PUNCH], <=, 81 * SECOND);
  g_assert_cmpint (world.gap_max_us[TCP_PUNCH], >=, 45 * SECOND);
  /* Nothing worse than what is there. */
  g_assert_cmpuint (world.n_begun[ICE], ==, 1);
  g_assert_cmpuint (world.n_begun[TURN_UDP], ==, 1);
  g_assert_cmpuint (world.n_begun[UDP_PUNCH], ==, 0);
}

static void
test_costly_waits_for_the_cheap (void)
{
  World world;

  world_init (&world, 8);
  world.fates[ICE] = (Fate){ .fails_us = 3 * SECOND };
  world.fates[TCP_PUNCH] = (Fate){ .fails_us = 4 * SECOND };
  world.fates[TURN_UDP] = (Fate){ .connects_us = 100000 };
  run (&world, 4 * SECOND - 1);
  g_assert_cmpuint (world.n_begun[UDP_PUNCH], ==, 0);
  run (&world, 1);
  g_assert_cmpuint (world.n_begun[UDP_PUNCH], ==, 1);
  run (&world, 10 * MINUTE);
  g_assert_cmpuint (world.n_begun[UDP_PUNCH], <=, 6);
  g_assert_cmpuint (world.n_begun[UDP_PUNCH], >=, 3);
}

static void
test_costly_waits_no_longer_than_a_head_start (void)
{
  World world;

  world_init (&world, 8);
  world.fates[ICE] = (Fate){ 0 };
  world.fates[TCP_PUNCH] = (Fate){ 0 };
  run (&world, 5 * SECOND - 1);
  g_assert_cmpuint (world.n_begun[UDP_PUNCH], ==, 0);
  run (&world, 1);
  g_assert_cmpuint (world.n_begun[UDP_PUNCH], ==, 1);
}

static void
test_costly_needs_not_wait_for_the_impossible (void)
{
  World world;

  world_init (&world, 8);
  als_path_race_set_possible (&world.race, TCP_PUNCH, FALSE, world.now_us);
  world.fates[ICE] = (Fate){ .fails_us = SECOND };
  run (&world, SECOND);
  g_assert_cmpuint (world.n_begun[UDP_PUNCH], ==, 1);
}

static void
test_costly_is_stopped_by_success (void)
{
  World world;

  world_init (&world, 8);
  world.fates[ICE] = (Fate){ 0 };
  world.fates[TCP_PUNCH] = (Fate){ .connects_us = 7 * SECOND };
  world.fates[UDP_PUNCH] = (Fate){ 0 };
  run (&world, 6 * SECOND);
  g_assert_cmpuint (world.n_begun[UDP_PUNCH], ==, 1);
  run (&world, SECOND);
  g_assert_cmpuint (world.n_stopped[UDP_PUNCH], ==, 1);
  /* ICE costs little and would be a second way. */
  g_assert_cmpuint (world.n_stopped[ICE], ==, 0);
}

static void
test_silent_attempt_is_stopped (void)
{
  World world;

  world_init (&world, 8);
  world.fates[ICE] = (Fate){ 0 };
  run (&world, 20 * SECOND - 1);
  g_assert_cmpuint (world.n_stopped[ICE], ==, 0);
  run (&world, 10 * SECOND);
  g_assert_cmpuint (world.n_stopped[ICE], ==, 1);
  g_assert_cmpuint (world.n_begun[ICE], ==, 2);
}

static void
test_dead_path_is_looked_for_at_once (void)
{
  World world;

  world_init (&world, 8);
  world.fates[TCP_PUNCH] = (Fate){ .connects_us = 60000 };
  run (&world, MINUTE);
  die (&world, TCP_PUNCH);
  run (&world, 0);
  g_assert_cmpuint (world.n_begun[TCP_PUNCH], ==, 2);
  /* And whatever else would be better than the relay. */
  g_assert_cmpuint (world.n_begun[ICE], ==, 2);
}

static void
test_path_that_dies_young_is_not_hunted (void)
{
  World world;

  world_init (&world, 8);
  world.fates[LAN] = (Fate){ .connects_us = 60000 };
  run (&world, SECOND);
  for (guint i = 0; i < 600; i++)
    {
      if (world.is_up[LAN])
        die (&world, LAN);
      run (&world, SECOND);
    }
  g_assert_cmpuint (world.n_begun[LAN], <=, 16);
}

static void
test_lost_relay_is_replaced_beside_a_direct_path (void)
{
  World world;

  world_init (&world, 8);
  world.fates[LAN] = (Fate){ .connects_us = 30000 };
  run (&world, MINUTE);
  g_assert_cmpuint (world.n_begun[TURN_UDP], ==, 1);
  als_path_race_failed (&world.race, SIGNAL, world.now_us);
  world.fates[TURN_UDP] = (Fate){ .connects_us = 50000 };
  run (&world, MINUTE);
  g_assert_true (world.is_up[TURN_UDP]);
  g_assert_cmpuint (world.n_begun[TURN_UDP], ==, 2);
  g_assert_cmpuint (world.n_begun[ICE], ==, 1);
}

static void
test_better_relay_is_looked_for_while_relayed (void)
{
  World world;

  world_init (&world, 8);
  world.fates[TURN_TCP] = (Fate){ .connects_us = 200000 };
  run (&world, 10 * MINUTE);
  g_assert_cmpuint (world.n_begun[TURN_UDP], >, 5);
  g_assert_cmpuint (world.n_begun[TURN_TCP], ==, 1);
}

static void
test_much_worse_path_does_not_end_the_search (void)
{
  World world;

  world_init (&world, 8);
  world.fates[TCP_PUNCH] = (Fate){ .connects_us = 60000 };
  run (&world, MINUTE);
  g_assert_cmpuint (world.n_begun[ICE], ==, 1);
  als_path_race_set_good (&world.race, TCP_PUNCH, FALSE, world.now_us);
  world.fates[ICE] = (Fate){ .connects_us = 60000 };
  run (&world, MINUTE);
  g_assert_true (world.is_up[ICE]);
}

static void
test_network_change_begins_all_anew (void)
{
  World world;
  guint before[N_METHODS];

  world_init (&world, 8);
  world.fates[ICE] = (Fate){ 0 };
  run (&world, 10 * MINUTE + 10 * SECOND);
  for (guint i = 0; i < N_METHODS; i++)
    before[i] = world.n_begun[i];
  als_path_race_network_changed (&world.race, world.now_us);
  run (&world, SECOND);
  for (guint i = TURN_TCP; i < N_METHODS; i++)
    g_assert_cmpuint (world.n_begun[i], ==, before[i] + (i == UDP_PUNCH ? 0 : 1));
  /* The back-off, too. */
  run (&world, 9 * SECOND);
  g_assert_cmpuint (world.n_begun[TCP_PUNCH], ==, before[TCP_PUNCH] + 2);
}

static void
test_change_leaves_what_works (void)
{
  World world;

  world_init (&world, 8);
  world.fates[LAN] = (Fate){ .connects_us = 30000 };
  run (&world, MINUTE);
  als_path_race_network_changed (&world.race, world.now_us);
  run (&world, MINUTE);
  g_assert_true (world.is_up[LAN]);
  g_assert_cmpuint (world.n_begun[LAN], ==, 1);
  g_assert_cmpuint (world.n_begun[TCP_PUNCH], ==, 1);
}

static void
test_network_that_never_settles (void)
{
  World world;

  world_init (&world, 8);
  for (guint i = 0; i < 6000; i++)
    {
      als_path_race_network_changed (&world.race, world.now_us);
      run (&world, SECOND / 10);
    }
  for (guint i = TURN_TCP; i < N_METHODS; i++)
    {
      g_assert_cmpuint (world.n_begun[i], <=, 601);
      g_assert_cmpint (world.gap_min_us[i], >=, SECOND);
    }
}

static void
test_pause_and_start (void)
{
  World world;
  guint n_begun;

  world_init (&world, 8);
  world.fates[ICE] = (Fate){ 0 };
  run (&world, 2 * SECOND);
  als_path_race_pause (&world.race, FALSE, world.now_us);
  run (&world, 10 * SECOND);
  g_assert_cmpuint (world.n_begun[TCP_PUNCH], ==, 1);
  g_assert_cmpuint (world.n_stopped[ICE], ==, 0);
  als_path_race_pause (&world.race, TRUE, world.now_us);
  run (&world, 10 * MINUTE);
  g_assert_cmpuint (world.n_stopped[ICE], ==, 1);
  g_assert_cmpint (als_path_race_get_deadline (&world.race), ==, INT64_MAX);
  n_begun = world.n_begun[TCP_PUNCH];
  als_path_race_start (&world.race, world.now_us);
  run (&world, 0);
  g_assert_cmpuint (world.n_begun[TCP_PUNCH], ==, n_begun + 1);
}

static void
test_impossible_is_never_begun (void)
{
  World world;

  world_init (&world, 8);
  run (&world, SECOND);
  als_path_race_set_possible (&world.race, ICE, FALSE, world.now_us);
  run (&world, 10 * MINUTE);
  g_assert_cmpuint (world.n_stopped[ICE], ==, 1);
  g_assert_cmpuint (world.n_begun[ICE], ==, 1);
  als_path_race_set_possible (&world.race, ICE, TRUE, world.now_us);
  run (&world, 0);
  g_assert_cmpuint (world.n_begun[ICE], ==, 2);
  g_assert_cmpuint (als_path_race_get_n_attempts (&world.race, ICE), ==, 2);
}

static void
test_failure_that_crosses_a_stop (void)
{
  AlsPathRace race;

  als_path_race_init (&race, methods, N_METHODS, 8);
  als_path_race_set_possible (&race, ICE, TRUE, 0);
  als_path_race_start (&race, 0);
  g_assert_cmpint (als_path_race_poll (&race, 0).action, ==, ALS_RACE_BEGIN);
  als_path_race_network_changed (&race, SECOND);
  /* It failed before poll could say so: there is nothing left to stop. */
  als_path_race_failed (&race, ICE, SECOND);
  g_assert_cmpint (als_path_race_poll (&race, SECOND).action, ==, ALS_RACE_BEGIN);
  g_assert_cmpint (als_path_race_poll (&race, SECOND).action, ==, ALS_RACE_WAIT);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define TEST(name, func) g_test_add_func ("/path/race/" name, func)
  TEST ("all-begin-at-once", test_all_begin_at_once);
  TEST ("best-first-where-few-may-run", test_best_first_where_few_may_run);
  TEST ("nothing-more-above-the-best", test_nothing_more_above_the_best);
  TEST ("better-ones-are-looked-for-with-back-off", test_better_ones_are_looked_for_with_back_off);
  TEST ("costly-waits-for-the-cheap", test_costly_waits_for_the_cheap);
  TEST ("costly-waits-no-longer-than-a-head-start", test_costly_waits_no_longer_than_a_head_start);
  TEST ("costly-needs-not-wait-for-the-impossible", test_costly_needs_not_wait_for_the_impossible);
  TEST ("costly-is-stopped-by-success", test_costly_is_stopped_by_success);
  TEST ("silent-attempt-is-stopped", test_silent_attempt_is_stopped);
  TEST ("dead-path-is-looked-for-at-once", test_dead_path_is_looked_for_at_once);
  TEST ("path-that-dies-young-is-not-hunted", test_path_that_dies_young_is_not_hunted);
  TEST ("lost-relay-is-replaced-beside-a-direct-path",
        test_lost_relay_is_replaced_beside_a_direct_path);
  TEST ("better-relay-is-looked-for-while-relayed", test_better_relay_is_looked_for_while_relayed);
  TEST ("much-worse-path-does-not-end-the-search", test_much_worse_path_does_not_end_the_search);
  TEST ("network-change-begins-all-anew", test_network_change_begins_all_anew);
  TEST ("change-leaves-what-works", test_change_leaves_what_works);
  TEST ("network-that-never-settles", test_network_that_never_settles);
  TEST ("pause-and-start", test_pause_and_start);
  TEST ("impossible-is-never-begun", test_impossible_is_never_begun);
  TEST ("failure-that-crosses-a-stop", test_failure_that_crosses_a_stop);
#undef TEST
  return g_test_run ();
}
