/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Which server is tried when, through minutes that take no time. */

#include "signal/als-signal-round.h"

#define S G_USEC_PER_SEC

static void
init (AlsSignalRound *round, AlsSignalTalk *talk, guint n_servers, AlsSignalAsk ask)
{
  als_signal_round_init (round, n_servers);
  als_signal_round_start (round);
  als_signal_talk_init (talk);
  talk->ask = ask;
}

static void
test_dead_servers (void)
{
  AlsSignalRound round;
  AlsSignalTalk talk;
  int64_t now_us = 100 * S;

  init (&round, &talk, 3, ALS_SIGNAL_ASK_NOTHING);
  for (guint i = 0; i < 3; i++)
    {
      g_assert_cmpuint (round.index, ==, i);
      /* Silence is not listened to for long while another one may answer. */
      g_assert_cmpint (als_signal_round_get_limit_us (&round), <=, 3 * S);
      now_us += als_signal_round_get_limit_us (&round);
      if (i < 2)
        g_assert_cmpint (als_signal_round_failed (&round, now_us), ==, now_us);
    }
  g_assert_cmpint (als_signal_round_failed (&round, now_us), >, now_us);
  g_assert_cmpuint (round.index, ==, 0);
  g_assert_cmpint (als_signal_round_get_limit_us (&round), ==, 8 * S);
  init (&round, &talk, 1, ALS_SIGNAL_ASK_NOTHING);
  g_assert_cmpint (als_signal_round_get_limit_us (&round), ==, 8 * S);
}

static void
test_good_server (void)
{
  AlsSignalRound round;
  AlsSignalTalk talk;

  init (&round, &talk, 2, ALS_SIGNAL_ASK_NOTHING);
  als_signal_round_welcomed (&round, 100 * S);
  g_assert_cmpint (als_signal_round_failed (&round, 120 * S), >, 120 * S);
  g_assert_cmpuint (round.index, ==, 0);
  als_signal_round_welcomed (&round, 121 * S);
  als_signal_round_failed (&round, 122 * S);
  g_assert_cmpuint (round.index, ==, 1);
}

static void
test_nobody (void)
{
  AlsSignalRound round;
  AlsSignalTalk talk;
  int64_t now_us = 100 * S, begin_us = now_us;
  guint n_visits[2] = { 0 };

  init (&round, &talk, 2, ALS_SIGNAL_ASK_JOIN);
  als_signal_round_asked (&round, ALS_SIGNAL_ASK_JOIN, now_us);
  for (;;)
    {
      now_us += S / 10;
      als_signal_round_welcomed (&round, now_us);
      als_signal_round_waits (&round, now_us);
      n_visits[round.index]++;
      g_assert_cmpint (als_signal_round_get_deadline (&round, &talk), >, now_us);
      now_us = als_signal_round_get_deadline (&round, &talk);
      if (!als_signal_round_may_move (&round, &talk, now_us))
        break;
      als_signal_round_move (&round);
    }
  g_assert_cmpint (now_us - begin_us, >=, 30 * S);
  g_assert_cmpint (now_us - begin_us, <, 35 * S);
  g_assert_cmpuint (n_visits[0], >=, 4);
  g_assert_cmpuint (n_visits[1], >=, 4);
}

/* A single one says so itself. */
static void
test_one_server (void)
{
  AlsSignalRound round;
  AlsSignalTalk talk;

  init (&round, &talk, 1, ALS_SIGNAL_ASK_JOIN);
  als_signal_round_asked (&round, ALS_SIGNAL_ASK_JOIN, 100 * S);
  als_signal_round_welcomed (&round, 100 * S);
  als_signal_round_waits (&round, 100 * S);
  g_assert_cmpint (als_signal_round_get_deadline (&round, &talk), ==, INT64_MAX);
  g_assert_false (als_signal_round_refused (&round));
}

static void
test_refusals (void)
{
  AlsSignalRound round;
  AlsSignalTalk talk;

  /* Each refuses. */
  init (&round, &talk, 2, ALS_SIGNAL_ASK_JOIN);
  als_signal_round_asked (&round, ALS_SIGNAL_ASK_JOIN, 100 * S);
  g_assert_true (als_signal_round_refused (&round));
  als_signal_round_move (&round);
  g_assert_cmpuint (round.index, ==, 1);
  g_assert_false (als_signal_round_refused (&round));
  /* One refuses, the other one knows nobody. */
  als_signal_round_asked (&round, ALS_SIGNAL_ASK_JOIN, 200 * S);
  g_assert_true (als_signal_round_refused (&round));
  als_signal_round_move (&round);
  als_signal_round_welcomed (&round, 200 * S);
  als_signal_round_waits (&round, 200 * S);
  g_assert_false (als_signal_round_may_move (&round, &talk,
                                             als_signal_round_get_deadline (&round, &talk)));
  /* The next question begins anew. */
  als_signal_round_asked (&round, ALS_SIGNAL_ASK_JOIN, 300 * S);
  als_signal_round_waits (&round, 300 * S);
  g_assert_true (als_signal_round_may_move (&round, &talk,
                                            als_signal_round_get_deadline (&round, &talk)));
}

static void
test_paired (void)
{
  AlsSignalRound round;
  AlsSignalTalk talk;

  init (&round, &talk, 2, ALS_SIGNAL_ASK_JOIN);
  als_signal_round_asked (&round, ALS_SIGNAL_ASK_JOIN, 100 * S);
  als_signal_round_welcomed (&round, 100 * S);
  talk.is_paired = TRUE;
  g_assert_cmpint (als_signal_round_get_deadline (&round, &talk), ==, INT64_MAX);
  /* Who has a number stays where it is. */
  talk.is_paired = FALSE;
  talk.wants_number = TRUE;
  g_assert_cmpint (als_signal_round_get_deadline (&round, &talk), ==, INT64_MAX);
}

/* A joiner that goes round and an inviter that stays for a round are at one server at some moment, wherever
 * each begins. */
static void
test_meeting (void)
{
  AlsSignalRound rounds[2];
  AlsSignalTalk talks[2];
  int64_t now_us = 100 * S;

  for (guint i = 0; i < 2; i++)
    {
      init (&rounds[i], &talks[i], 3, ALS_SIGNAL_ASK_MEET);
      talks[i].is_inviter = i == 0;
      als_signal_round_asked (&rounds[i], ALS_SIGNAL_ASK_MEET, now_us);
      als_signal_round_welcomed (&rounds[i], now_us);
    }
  rounds[1].index = 1;
  while (rounds[0].index != rounds[1].index)
    {
      guint i = als_signal_round_get_deadline (&rounds[0], &talks[0])
                < als_signal_round_get_deadline (&rounds[1], &talks[1]) ? 0 : 1;

      now_us = als_signal_round_get_deadline (&rounds[i], &talks[i]);
      g_assert_true (als_signal_round_may_move (&rounds[i], &talks[i], now_us));
      als_signal_round_move (&rounds[i]);
      als_signal_round_welcomed (&rounds[i], now_us);
    }
  g_assert_cmpint (now_us, <, 130 * S);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/signal/round/silent-servers-are-passed-quickly-at-first", test_dead_servers);
  g_test_add_func ("/signal/round/a-good-server-is-tried-again-before-others", test_good_server);
  g_test_add_func ("/signal/round/a-number-that-nobody-has-is-given-up-after-half-a-minute", test_nobody);
  g_test_add_func ("/signal/round/a-single-server-is-not-left", test_one_server);
  g_test_add_func ("/signal/round/a-refusal-counts-once-every-server-was-asked", test_refusals);
  g_test_add_func ("/signal/round/who-is-with-somebody-or-waits-stays", test_paired);
  g_test_add_func ("/signal/round/two-who-go-round-meet", test_meeting);
  return g_test_run ();
}
