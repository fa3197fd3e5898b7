/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#define G_LOG_DOMAIN "als-signal"

#include "config.h"

#include "signal/als-signal-round.h"

/* Name, TCP, proxy, TLS, upgrade and WELCOME, all together. */
#define CONNECT_TIMEOUT_US (8 * G_USEC_PER_SEC)
/* The same where another server may be quicker: a slow line has its time in the next round. */
#define IMPATIENT_US (2500 * 1000)
#define FIRST_DELAY_US (250 * 1000)
#define MAX_DELAY_US (15 * G_USEC_PER_SEC)
/* A server that drops us sooner after its WELCOME is not called a good one. */
#define GOOD_AFTER_US (10 * G_USEC_PER_SEC)
/* Whoever waits under a number is there already, or comes again soon. */
#define JOIN_STAY_US (3 * G_USEC_PER_SEC)
/* A single server waits so long for somebody behind a number. */
#define JOIN_LIMIT_US (30 * G_USEC_PER_SEC)
/* Those who meet come and go both, and have no common clock. So one stays as long as the other needs for a
 * whole round: then both are at one server at some moment. After a while it is less urgent: their session
 * lives on another path, or is lost. */
#define MEET_STAY_US (12 * G_USEC_PER_SEC)
#define MEET_HURRY_US (INT64_C (600) * G_USEC_PER_SEC)
#define MEET_PATIENCE 5

void
als_signal_round_init (AlsSignalRound *self, guint n_servers)
{
  *self = (AlsSignalRound){ .n_servers = n_servers };
  als_backoff_init (&self->backoff, FIRST_DELAY_US, MAX_DELAY_US);
}

static void
begin_anew (AlsSignalRound *self)
{
  self->n_failed = 0;
  self->welcomed_us = 0;
  als_backoff_reset (&self->backoff);
}

void
als_signal_round_start (AlsSignalRound *self)
{
  begin_anew (self);
  self->index = 0;
}

int64_t
als_signal_round_get_limit_us (const AlsSignalRound *self)
{
  return self->n_servers > 1 && self->n_failed < self->n_servers ? IMPATIENT_US : CONNECT_TIMEOUT_US;
}

void
als_signal_round_welcomed (AlsSignalRound *self, int64_t now_us)
{
  self->welcomed_us = self->arrived_us = now_us;
}

static void
pass (AlsSignalRound *self)
{
  self->index = (self->index + 1) % self->n_servers;
  self->n_passed++;
}

/* A good server is tried again, after a moment; else the next one at once, and the next round after a
 * delay. */
int64_t
als_signal_round_failed (AlsSignalRound *self, int64_t now_us)
{
  gboolean was_good = self->welcomed_us != 0 && now_us - self->welcomed_us >= GOOD_AFTER_US;

  self->welcomed_us = 0;
  if (was_good)
    {
      begin_anew (self);
      return now_us + als_backoff_next (&self->backoff);
    }
  self->n_failed++;
  pass (self);
  return self->n_failed % self->n_servers == 0 ? now_us + als_backoff_next (&self->backoff) : now_us;
}

void
als_signal_round_asked (AlsSignalRound *self, AlsSignalAsk ask, int64_t now_us)
{
  if (ask == ALS_SIGNAL_ASK_JOIN)
    als_signal_round_answered (self);
  self->arrived_us = now_us;
  if (self->asked_us == 0)
    self->asked_us = now_us;
}

void
als_signal_round_answered (AlsSignalRound *self)
{
  self->asked_us = self->waiting_us = 0;
  self->n_passed = 0;
  self->was_refused = FALSE;
}

void
als_signal_round_waits (AlsSignalRound *self, int64_t now_us)
{
  if (self->waiting_us == 0)
    self->waiting_us = now_us;
}

gboolean
als_signal_round_refused (AlsSignalRound *self)
{
  self->was_refused = TRUE;
  return self->n_passed + 1 < self->n_servers;
}

int64_t
als_signal_round_get_deadline (const AlsSignalRound *self, const AlsSignalTalk *talk)
{
  int64_t stay_us = MEET_STAY_US;

  if (self->n_servers < 2 || talk->ask == ALS_SIGNAL_ASK_NOTHING || talk->wants_number
      || talk->is_paired)
    return INT64_MAX;
  if (talk->ask == ALS_SIGNAL_ASK_JOIN)
    return self->arrived_us + JOIN_STAY_US;
  if (self->arrived_us - self->asked_us >= MEET_HURRY_US)
    stay_us *= MEET_PATIENCE;
  if (talk->is_inviter)
    stay_us = self->n_servers * (stay_us + CONNECT_TIMEOUT_US);
  return self->arrived_us + stay_us;
}

gboolean
als_signal_round_may_move (const AlsSignalRound *self, const AlsSignalTalk *talk, int64_t now_us)
{
  int64_t limit_us = MAX (JOIN_LIMIT_US, self->n_servers * (JOIN_STAY_US + IMPATIENT_US));

  if (talk->ask != ALS_SIGNAL_ASK_JOIN)
    return TRUE;
  if (self->was_refused && self->n_passed + 1 >= self->n_servers)
    return FALSE;
  return self->waiting_us == 0 || now_us - self->waiting_us < limit_us;
}

void
als_signal_round_move (AlsSignalRound *self)
{
  begin_anew (self);
  pass (self);
}
