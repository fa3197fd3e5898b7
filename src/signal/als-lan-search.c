/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#define G_LOG_DOMAIN "als-signal"

#include "config.h"

#include "signal/als-lan-search.h"

#include <errno.h>
#include <string.h>

/* One datagram may be lost, and hurry costs little while somebody waits; then nearly silence: many
 * offices may run this at once. */
static const int64_t quick_steps_us[] = { 50000, 100000, 200000, 400000, 800000, 1600000 };
#define PATIENT_QUICK_STEPS 3
#define KEEN_INTERVAL_US (5 * G_USEC_PER_SEC)
#define PATIENT_INTERVAL_US (30 * G_USEC_PER_SEC)
#define RESTART_INTERVAL_US G_USEC_PER_SEC

/* Tags that are checked, a second: a flood costs no more than this. */
#define CHECK_RATE 1000
#define SOURCE_CHECK_RATE 50
#define ANSWER_RATE 4
#define ANSWER_BURST 8
/* The same, whoever asks. */
#define ALL_ANSWERS_RATE 100

/* After a refusal at once again, while the other side may be a moment behind; the kernel repeats what
 * gets no answer. */
#define REDIAL_MIN_US 15000
#define REDIAL_MAX_US 45000
#define DIAL_LIMIT_US (5 * G_USEC_PER_SEC)
#define REST_US (5 * G_USEC_PER_SEC)
/* After so long without an answer it gives way to others who are heard. */
#define CHANCE_US G_USEC_PER_SEC
/* Of one address: an old program and the one started after it. */
#define MAX_OF_ONE_ADDRESS 2

static gboolean
same_address (const AlsLanEndpoint *a, const AlsLanEndpoint *b)
{
  return a->is_v6 == b->is_v6 && a->scope == b->scope
         && memcmp (a->ip, b->ip, a->is_v6 ? 16 : 4) == 0;
}

gboolean
als_lan_endpoint_equal (const AlsLanEndpoint *a, const AlsLanEndpoint *b)
{
  return a->port == b->port && same_address (a, b);
}

void
als_lan_search_start (AlsLanSearch *self, const AlsLanTopic *topic, gboolean is_inviter,
                      gboolean is_patient, int64_t now_us)
{
  memset (self, 0, sizeof *self);
  self->is_on = TRUE;
  self->topic = *topic;
  self->is_inviter = is_inviter;
  self->is_patient = is_patient;
  self->next_say_us = now_us;
  self->restarted_us = now_us;
  als_token_bucket_init (&self->checks, CHECK_RATE, CHECK_RATE, now_us);
  als_token_bucket_init (&self->answers, ALL_ANSWERS_RATE, ALL_ANSWERS_RATE, now_us);
}

void
als_lan_search_stop (AlsLanSearch *self)
{
  explicit_bzero (self, sizeof *self);
}

void
als_lan_search_restart (AlsLanSearch *self, int64_t now_us)
{
  if (!self->is_on)
    return;
  for (guint i = 0; i < ALS_LAN_MAX_CANDIDATES; i++)
    if (self->candidates[i].state == ALS_LAN_CANDIDATE_RESTING)
      self->candidates[i].state = ALS_LAN_CANDIDATE_NONE;
  if (self->n_said == 0)
    return;
  self->next_say_us = MAX (now_us, self->restarted_us + RESTART_INTERVAL_US);
  self->restarted_us = self->next_say_us;
  self->n_said = 0;
}

int64_t
als_lan_search_get_deadline (const AlsLanSearch *self)
{
  int64_t deadline_us;

  if (!self->is_on)
    return INT64_MAX;
  deadline_us = self->next_say_us;
  for (guint i = 0; i < ALS_LAN_MAX_CANDIDATES; i++)
    if (self->candidates[i].state == ALS_LAN_CANDIDATE_DUE)
      deadline_us = MIN (deadline_us, self->candidates[i].due_us);
  return deadline_us;
}

gboolean
als_lan_search_take_say (AlsLanSearch *self, int64_t now_us)
{
  guint n_quick = self->is_patient ? PATIENT_QUICK_STEPS : G_N_ELEMENTS (quick_steps_us);
  int64_t interval_us = self->is_patient ? PATIENT_INTERVAL_US : KEEN_INTERVAL_US;

  if (!self->is_on || now_us < self->next_say_us)
    return FALSE;
  if (self->n_said < n_quick)
    interval_us = quick_steps_us[self->n_said];
  else
    interval_us += (int64_t) (interval_us * g_random_double_range (-0.2, 0.2));
  self->n_said++;
  self->next_say_us = now_us + interval_us;
  return TRUE;
}

int
als_lan_search_take_dial (AlsLanSearch *self, int64_t now_us)
{
  for (guint i = 0; self->is_on && i < ALS_LAN_MAX_CANDIDATES; i++)
    {
      AlsLanCandidate *candidate = &self->candidates[i];

      if (candidate->state != ALS_LAN_CANDIDATE_DUE || now_us < candidate->due_us)
        continue;
      candidate->state = ALS_LAN_CANDIDATE_DIALLING;
      return (int) i;
    }
  return -1;
}

static void
rest (AlsLanCandidate *candidate, int64_t now_us)
{
  candidate->state = ALS_LAN_CANDIDATE_RESTING;
  candidate->due_us = now_us + REST_US;
}

void
als_lan_search_dialled (AlsLanSearch *self, guint i, AlsLanDialResult result, int64_t now_us)
{
  AlsLanCandidate *candidate = &self->candidates[i];

  if (!self->is_on || candidate->state == ALS_LAN_CANDIDATE_NONE)
    return;
  switch (result)
    {
    case ALS_LAN_DIAL_UP:
      candidate->state = ALS_LAN_CANDIDATE_UP;
      break;
    case ALS_LAN_DIAL_REFUSED:
      candidate->due_us = now_us + g_random_int_range (REDIAL_MIN_US, REDIAL_MAX_US);
      candidate->state = ALS_LAN_CANDIDATE_DUE;
      if (candidate->due_us >= candidate->give_up_us)
        rest (candidate, now_us);
      break;
    case ALS_LAN_DIAL_IN_VAIN:
      rest (candidate, now_us);
      break;
    }
}

AlsLanDialResult
als_lan_search_judge_end (int reason, gboolean was_welcome)
{
  /* Firewalls say no in many ways (resets; unreachable, over IPv6 a lack of permission), and an early
   * connection may be reset or closed without a word by a side that held it for failed. */
  if (was_welcome || reason == ETIMEDOUT || reason == EPROTO)
    return ALS_LAN_DIAL_IN_VAIN;
  return ALS_LAN_DIAL_REFUSED;
}

int
als_lan_search_find (const AlsLanSearch *self, const AlsLanEndpoint *endpoint)
{
  for (guint i = 0; self->is_on && i < ALS_LAN_MAX_CANDIDATES; i++)
    if (self->candidates[i].state != ALS_LAN_CANDIDATE_NONE
        && als_lan_endpoint_equal (&self->candidates[i].endpoint, endpoint))
      return (int) i;
  return -1;
}

/* The place of FROM, perhaps that of whoever was not heard for longest. */
static AlsLanSource *
find_source (AlsLanSearch *self, const AlsLanEndpoint *from, int64_t now_us)
{
  AlsLanSource *oldest = &self->sources[0];

  for (guint i = 0; i < ALS_LAN_MAX_SOURCES; i++)
    {
      AlsLanSource *source = &self->sources[i];

      if (source->heard_us != 0 && same_address (&source->endpoint, from))
        {
          source->heard_us = now_us;
          return source;
        }
      if (source->heard_us < oldest->heard_us)
        oldest = source;
    }
  oldest->endpoint = *from;
  oldest->heard_us = MAX (now_us, 1);
  als_token_bucket_init (&oldest->checks, SOURCE_CHECK_RATE, SOURCE_CHECK_RATE, now_us);
  als_token_bucket_init (&oldest->answers, ANSWER_RATE, ANSWER_BURST, now_us);
  return oldest;
}

/* Another may have its place: it led nowhere, or has had its chance. */
static gboolean
gives_way (const AlsLanCandidate *candidate, int64_t now_us)
{
  return candidate->state == ALS_LAN_CANDIDATE_RESTING
         || (candidate->state != ALS_LAN_CANDIDATE_UP
             && now_us >= candidate->give_up_us - DIAL_LIMIT_US + CHANCE_US);
}

/* A place for a new candidate: an empty one, or that of the one which began longest ago of those
 * that give way. */
static AlsLanCandidate *
find_place (AlsLanSearch *self, const AlsLanEndpoint *endpoint, int64_t now_us)
{
  AlsLanCandidate *place = NULL;
  guint n_same = 0;

  for (guint i = 0; i < ALS_LAN_MAX_CANDIDATES; i++)
    {
      AlsLanCandidate *candidate = &self->candidates[i];

      if (candidate->state == ALS_LAN_CANDIDATE_RESTING && now_us >= candidate->due_us)
        candidate->state = ALS_LAN_CANDIDATE_NONE;
      if (candidate->state == ALS_LAN_CANDIDATE_NONE)
        {
          if (place == NULL || place->state != ALS_LAN_CANDIDATE_NONE)
            place = candidate;
          continue;
        }
      if (!gives_way (candidate, now_us))
        n_same += same_address (&candidate->endpoint, endpoint) ? 1 : 0;
      else if (place == NULL || (place->state != ALS_LAN_CANDIDATE_NONE
                                 && candidate->give_up_us < place->give_up_us))
        place = candidate;
    }
  return n_same < MAX_OF_ONE_ADDRESS ? place : NULL;
}

/* TRUE: it is new. */
static gboolean
add_candidate (AlsLanSearch *self, const AlsLanEndpoint *endpoint, int64_t now_us)
{
  int known = als_lan_search_find (self, endpoint);
  AlsLanCandidate *place;

  if (known >= 0
      && (self->candidates[known].state != ALS_LAN_CANDIDATE_RESTING
          || now_us < self->candidates[known].due_us))
    return FALSE;
  place = known >= 0 ? &self->candidates[known] : find_place (self, endpoint, now_us);
  if (place == NULL)
    return FALSE;
  *place = (AlsLanCandidate) { .endpoint = *endpoint, .state = ALS_LAN_CANDIDATE_DUE,
                               .due_us = now_us, .give_up_us = now_us + DIAL_LIMIT_US };
  return TRUE;
}

/* One that another machine can have. */
static gboolean
is_unicast (const AlsLanEndpoint *endpoint)
{
  static const uint8_t zero[16] = { 0 };

  if (endpoint->is_v6)
    return endpoint->ip[0] != 0xff && memcmp (endpoint->ip, zero, 16) != 0;
  return endpoint->ip[0] != 0 && endpoint->ip[0] < 224;
}

gboolean
als_lan_search_hear (AlsLanSearch *self, const AlsLanMessage *message, const AlsLanEndpoint *from,
                     int64_t now_us)
{
  AlsLanEndpoint endpoint = *from;
  AlsLanSource *source;
  gboolean is_new;

  /* Our own come back, too; they have the other type. */
  if (!self->is_on || !is_unicast (from)
      || message->type != (self->is_inviter ? ALS_LAN_ASK : ALS_LAN_ANNOUNCE))
    return FALSE;
  source = find_source (self, from, now_us);
  if (!als_token_bucket_take (&source->checks, 1, now_us)
      || !als_token_bucket_take (&self->checks, 1, now_us)
      || !als_lan_message_check (message, &self->topic, NULL))
    return FALSE;
  endpoint.port = message->port;
  is_new = add_candidate (self, &endpoint, now_us);
  /* A joiner answers once: the inviter is to know whom to let in. */
  return (self->is_inviter || is_new) && als_token_bucket_take (&source->answers, 1, now_us)
         && als_token_bucket_take (&self->answers, 1, now_us);
}
