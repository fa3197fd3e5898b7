/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#include "stun/als-stun-transaction.h"

#define MS 1000
#define START_US ((int64_t) 77 * G_USEC_PER_SEC)
#define HOUR_US ((int64_t) 3600 * G_USEC_PER_SEC)

static void
walk (AlsStunTransaction *transaction, const int64_t *sends_ms, guint n_sends, int64_t end_ms)
{
  for (guint i = 0; i < n_sends; i++)
    {
      int64_t due_us = START_US + sends_ms[i] * MS;

      g_assert_cmpint (als_stun_transaction_get_deadline (transaction), ==, due_us);
      g_assert_cmpint (als_stun_transaction_poll (transaction, due_us - 1), ==, ALS_STUN_STEP_WAIT);
      g_assert_cmpint (als_stun_transaction_poll (transaction, due_us), ==, ALS_STUN_STEP_SEND);
      g_assert_cmpint (als_stun_transaction_poll (transaction, due_us), ==, ALS_STUN_STEP_WAIT);
    }
  g_assert_cmpint (als_stun_transaction_get_deadline (transaction), ==, START_US + end_ms * MS);
  g_assert_cmpint (als_stun_transaction_poll (transaction, START_US + end_ms * MS), ==,
                   ALS_STUN_STEP_GIVE_UP);
  g_assert_cmpint (als_stun_transaction_get_deadline (transaction), ==, INT64_MAX);
  g_assert_cmpint (als_stun_transaction_poll (transaction, INT64_MAX), ==, ALS_STUN_STEP_WAIT);
}

static void
test_udp (void)
{
  static const int64_t sends_ms[] = { 0, 500, 1500, 3500, 7500, 15500, 31500 };
  AlsStunTransaction transaction;

  als_stun_transaction_init_udp (&transaction, START_US);
  walk (&transaction, sends_ms, G_N_ELEMENTS (sends_ms), 39500);
}

static void
test_tcp (void)
{
  static const int64_t sends_ms[] = { 0 };
  AlsStunTransaction transaction;

  als_stun_transaction_init_tcp (&transaction, START_US);
  walk (&transaction, sends_ms, G_N_ELEMENTS (sends_ms), 39500);
}

static void
test_slept (void)
{
  AlsStunTransaction transaction;

  als_stun_transaction_init_udp (&transaction, START_US);
  g_assert_cmpint (als_stun_transaction_poll (&transaction, START_US), ==, ALS_STUN_STEP_SEND);
  g_assert_cmpint (als_stun_transaction_poll (&transaction, START_US + HOUR_US), ==,
                   ALS_STUN_STEP_SEND);
  g_assert_cmpint (als_stun_transaction_poll (&transaction, START_US + HOUR_US), ==,
                   ALS_STUN_STEP_WAIT);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/stun/transaction/over-udp-is-sent-seven-times-and-given-up", test_udp);
  g_test_add_func ("/stun/transaction/over-tcp-is-sent-once-and-given-up", test_tcp);
  g_test_add_func ("/stun/transaction/a-computer-that-slept-does-not-send-all-at-once", test_slept);
  return g_test_run ();
}
