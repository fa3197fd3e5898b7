/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* The search on a local network, in invented time. */

#include "signal/als-lan-search.h"

#include <errno.h>
#include <string.h>

#define S INT64_C (1000000)
#define START (100 * S)

static AlsLanTopic topic;

static AlsLanEndpoint
make_endpoint (guint host, uint16_t port)
{
  AlsLanEndpoint endpoint = { .port = port, .ip = { 192, 0, (uint8_t) (host >> 8), (uint8_t) host } };

  return endpoint;
}

static gboolean
hear (AlsLanSearch *search, AlsLanType type, guint host, uint16_t port, int64_t now_us)
{
  AlsLanEndpoint from = make_endpoint (host, 5353);
  AlsLanMessage message = { .type = type, .port = port };

  als_lan_message_sign (&message, &topic, NULL);
  return als_lan_search_hear (search, &message, &from, now_us);
}

/* How often it speaks from START on for DURATION_US; the first times go to TIMES. */
static guint
count_says (AlsLanSearch *search, int64_t duration_us, int64_t *times, guint n_times)
{
  int64_t now_us;
  guint n = 0;

  while ((now_us = als_lan_search_get_deadline (search)) < START + duration_us)
    {
      g_assert_true (als_lan_search_take_say (search, now_us));
      g_assert_false (als_lan_search_take_say (search, now_us));
      if (n < n_times)
        times[n] = now_us - START;
      n++;
    }
  return n;
}

static void
test_hurries_then_rests (void)
{
  static const int64_t expected_us[] = { 0, 50000, 150000, 350000 };
  AlsLanSearch search;
  int64_t times[4];

  for (guint is_patient = 0; is_patient < 2; is_patient++)
    {
      guint n;

      als_lan_search_start (&search, &topic, is_patient != 0, is_patient != 0, START);
      n = count_says (&search, 600 * S, times, G_N_ELEMENTS (times));
      g_assert_cmpmem (times, sizeof times, expected_us, sizeof expected_us);
      /* Ten minutes of waiting cost a datagram in half a minute; of asking, one in five seconds. */
      g_assert_cmpuint (n, <=, is_patient != 0 ? 4 + 26 : 7 + 150);
      g_assert_cmpuint (n, >=, is_patient != 0 ? 4 + 15 : 7 + 95);
    }
}

static void
test_restarts (void)
{
  AlsLanSearch search;
  int64_t deadline_us;

  als_lan_search_start (&search, &topic, TRUE, TRUE, START);
  count_says (&search, 5 * S, NULL, 0);
  deadline_us = als_lan_search_get_deadline (&search);
  g_assert_cmpint (deadline_us, >, START + 20 * S);
  for (guint i = 0; i < 100; i++)
    als_lan_search_restart (&search, START + 5 * S + i * 1000);
  g_assert_cmpint (als_lan_search_get_deadline (&search), ==, START + 5 * S);
  g_assert_true (als_lan_search_take_say (&search, START + 5 * S + 100000));
  /* However often the network changes. */
  als_lan_search_restart (&search, START + 5 * S + 200000);
  g_assert_cmpint (als_lan_search_get_deadline (&search), >=, START + 6 * S);
}

static void
test_dials_who_is_heard (void)
{
  AlsLanEndpoint endpoint = make_endpoint (7, 4000);

  for (guint is_inviter = 0; is_inviter < 2; is_inviter++)
    {
      AlsLanType theirs = is_inviter != 0 ? ALS_LAN_ASK : ALS_LAN_ANNOUNCE;
      AlsLanType ours = is_inviter != 0 ? ALS_LAN_ANNOUNCE : ALS_LAN_ASK;
      AlsLanSearch search;

      als_lan_search_start (&search, &topic, is_inviter != 0, FALSE, START);
      g_assert_false (hear (&search, ours, 7, 4000, START));
      g_assert_cmpint (als_lan_search_take_dial (&search, START), ==, -1);
      /* Both dial at once, and the joiner answers once, so that the inviter knows. */
      g_assert_true (hear (&search, theirs, 7, 4000, START));
      g_assert_cmpint (als_lan_search_take_dial (&search, START), ==, 0);
      g_assert_cmpint (als_lan_search_find (&search, &endpoint), ==, 0);
      /* Heard again, it is not dialled twice. */
      g_assert_cmpint (hear (&search, theirs, 7, 4000, START + 50000), ==, is_inviter != 0);
      g_assert_cmpint (als_lan_search_take_dial (&search, START + 50000), ==, -1);
      als_lan_search_dialled (&search, 0, ALS_LAN_DIAL_UP, START + 50000);
      hear (&search, theirs, 7, 4000, START + 60000);
      g_assert_cmpint (als_lan_search_take_dial (&search, START + 60 * S), ==, -1);
    }
}

static void
test_refusals_are_dialled_again (void)
{
  AlsLanSearch search;
  int64_t now_us = START;
  guint n = 0;
  int i;

  als_lan_search_start (&search, &topic, FALSE, FALSE, START);
  search.next_say_us = INT64_MAX;
  hear (&search, ALS_LAN_ANNOUNCE, 7, 4000, START);
  while ((i = als_lan_search_take_dial (&search, now_us)) >= 0)
    {
      int64_t due_us;

      als_lan_search_dialled (&search, (guint) i, ALS_LAN_DIAL_REFUSED, now_us);
      n++;
      if (search.candidates[i].state == ALS_LAN_CANDIDATE_RESTING)
        break;
      due_us = search.candidates[i].due_us;
      g_assert_cmpint (due_us - now_us, >=, 15000);
      g_assert_cmpint (due_us - now_us, <=, 45000);
      now_us = due_us;
    }
  g_assert_cmpuint (n, >=, 5000 / 45);
  g_assert_cmpuint (n, <=, 5000 / 15 + 1);
  /* Then it rests, whatever is heard, and tries again afterwards. */
  hear (&search, ALS_LAN_ANNOUNCE, 7, 4000, now_us + 1 * S);
  g_assert_cmpint (als_lan_search_take_dial (&search, now_us + 1 * S), ==, -1);
  hear (&search, ALS_LAN_ANNOUNCE, 7, 4000, now_us + 6 * S);
  g_assert_cmpint (als_lan_search_take_dial (&search, now_us + 6 * S), ==, 0);
}

/* However a firewall, or a side that is a moment behind, says no, there is another try at once; the
 * two then pass within the seconds before a rest. */
static void
test_every_refusal_counts (void)
{
  static const int refusals[] = { 0, ECONNREFUSED, ECONNRESET, EPIPE, EHOSTUNREACH, ENETUNREACH, EACCES };
  static const int others[] = { ETIMEDOUT, EPROTO };

  for (guint i = 0; i < G_N_ELEMENTS (refusals); i++)
    {
      AlsLanSearch search;
      int64_t now_us = START;

      als_lan_search_start (&search, &topic, FALSE, FALSE, START);
      hear (&search, ALS_LAN_ANNOUNCE, 7, 4000, START);
      g_assert_cmpint (als_lan_search_take_dial (&search, START), ==, 0);
      /* It looked like a connection before its end. */
      als_lan_search_dialled (&search, 0, ALS_LAN_DIAL_UP, START);
      als_lan_search_dialled (&search, 0, als_lan_search_judge_end (refusals[i], FALSE), START);
      for (guint n = 0; n < 100; n++)
        {
          now_us += 45000;
          g_assert_cmpint (als_lan_search_take_dial (&search, now_us), ==, 0);
          als_lan_search_dialled (&search, 0, als_lan_search_judge_end (refusals[i], FALSE), now_us);
        }
      g_assert_cmpint (als_lan_search_judge_end (refusals[i], TRUE), ==, ALS_LAN_DIAL_IN_VAIN);
    }
  for (guint i = 0; i < G_N_ELEMENTS (others); i++)
    g_assert_cmpint (als_lan_search_judge_end (others[i], FALSE), ==, ALS_LAN_DIAL_IN_VAIN);
}

static void
test_strangers_are_not_heard (void)
{
  AlsLanMessage message = { .type = ALS_LAN_ASK, .port = 4000 };
  AlsLanEndpoint group = { .port = 1, .ip = { 239, 255, 0, 1 } };
  AlsLanEndpoint nobody = { .port = 1 };
  AlsLanTopic other;
  AlsLanSearch search;

  als_lan_topic_from_number (&other, 654321);
  als_lan_search_start (&search, &topic, TRUE, TRUE, START);
  als_lan_message_sign (&message, &other, NULL);
  {
    AlsLanEndpoint from = make_endpoint (9, 1);

    g_assert_false (als_lan_search_hear (&search, &message, &from, START));
    als_lan_message_sign (&message, &topic, NULL);
    g_assert_false (als_lan_search_hear (&search, &message, &group, START));
    g_assert_false (als_lan_search_hear (&search, &message, &nobody, START));
    g_assert_cmpint (als_lan_search_take_dial (&search, START + S), ==, -1);
    g_assert_true (als_lan_search_hear (&search, &message, &from, START));
  }
  als_lan_search_stop (&search);
  g_assert_false (hear (&search, ALS_LAN_ASK, 9, 4000, START));
  g_assert_cmpint (als_lan_search_get_deadline (&search), ==, INT64_MAX);
}

static void
test_flood_is_bounded (void)
{
  AlsLanSearch search;
  guint n_answers = 0, n_dials = 0, n_from_one = 0;

  /* One source, one second. */
  als_lan_search_start (&search, &topic, TRUE, TRUE, START);
  for (guint i = 0; i < 10000; i++)
    n_from_one += hear (&search, ALS_LAN_ASK, 1, 4000, START + i * 100) ? 1 : 0;
  g_assert_cmpuint (n_from_one, <=, 8 + 4);
  /* Forged ones, each another, one second; each dial fails slowly. */
  als_lan_search_start (&search, &topic, TRUE, TRUE, START);
  for (guint i = 0; i < 10000; i++)
    {
      n_answers += hear (&search, ALS_LAN_ASK, 256 + i, 4000, START + i * 100) ? 1 : 0;
      n_dials += als_lan_search_take_dial (&search, START + i * 100) >= 0 ? 1 : 0;
    }
  g_assert_cmpuint (n_answers, <=, 200);
  g_assert_cmpuint (n_dials, ==, ALS_LAN_MAX_CANDIDATES);
}

/* The right one comes to its turn among others with our number. */
static void
test_others_give_way (void)
{
  AlsLanEndpoint right = make_endpoint (50, 4000);
  AlsLanSearch search;
  int64_t now_us = START;
  int i;

  als_lan_search_start (&search, &topic, FALSE, FALSE, START);
  search.next_say_us = INT64_MAX;
  /* Of one address no more than two. */
  for (guint port = 1; port < 100; port++)
    hear (&search, ALS_LAN_ANNOUNCE, 1, (uint16_t) port, now_us);
  for (guint host = 2; host < 50; host++)
    hear (&search, ALS_LAN_ANNOUNCE, host, 1, now_us);
  g_assert_cmpint (als_lan_search_find (&search, &right), ==, -1);
  for (guint n = 0; n < ALS_LAN_MAX_CANDIDATES; n++)
    {
      i = als_lan_search_take_dial (&search, now_us);
      g_assert_cmpint (i, >=, 0);
      g_assert_cmpint (search.candidates[i].endpoint.ip[3], ==, n < 2 ? 1 : n);
      als_lan_search_dialled (&search, (guint) i, ALS_LAN_DIAL_IN_VAIN, now_us);
    }
  g_assert_true (hear (&search, ALS_LAN_ANNOUNCE, 50, 4000, now_us));
  i = als_lan_search_take_dial (&search, now_us);
  g_assert_cmpint (i, >=, 0);
  g_assert_cmpint (i, ==, als_lan_search_find (&search, &right));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  als_lan_topic_from_number (&topic, 482913);
  g_test_add_func ("/signal/lan-search/hurries-then-rests", test_hurries_then_rests);
  g_test_add_func ("/signal/lan-search/changed-network-is-searched-anew", test_restarts);
  g_test_add_func ("/signal/lan-search/both-dial-who-is-heard", test_dials_who_is_heard);
  g_test_add_func ("/signal/lan-search/refusals-are-dialled-again-for-a-while",
                   test_refusals_are_dialled_again);
  g_test_add_func ("/signal/lan-search/whatever-way-somebody-refuses", test_every_refusal_counts);
  g_test_add_func ("/signal/lan-search/strangers-are-not-heard", test_strangers_are_not_heard);
  g_test_add_func ("/signal/lan-search/flood-is-bounded", test_flood_is_bounded);
  g_test_add_func ("/signal/lan-search/others-with-our-number-give-way", test_others_give_way);
  return g_test_run ();
}
