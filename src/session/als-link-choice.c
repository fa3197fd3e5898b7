/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#define G_LOG_DOMAIN "als-session"

#include "config.h"

#include "session/als-link-choice.h"

/* Design §4, "Much worse". */
#define RTT_FACTOR 2
#define RTT_MARGIN_US (50 * 1000)
#define WORSE_FOR_US (3 * G_USEC_PER_SEC)
#define POOR_INTERVALS (WORSE_FOR_US / ALS_GOODPUT_INTERVAL_US)
#define GOODPUT_FACTOR 2
/* For one that was never used: what it could do is hardly known. */
#define UNUSED_BAN_US (10 * (int64_t) G_USEC_PER_SEC)
/* The first time; twice as long each time after it. */
#define BAN_US (60 * (int64_t) G_USEC_PER_SEC)
#define MAX_DOUBLINGS 4
#define FORGIVEN_INTERVALS (10 * G_USEC_PER_SEC / ALS_GOODPUT_INTERVAL_US)

/* A link that was full so long, slower than this or losing more than one packet of so many, makes
 * way for another's trial. A fast line that loses nothing is not bothered. */
#define FULL_INTERVALS (2 * G_USEC_PER_SEC / ALS_GOODPUT_INTERVAL_US)
#define SLOW_GOODPUT (10 * 1000 * 1000 / 8)
#define DOUBTFUL_LOSS 5000
/* A congestion control finds its rate in less. */
#define TRIAL_US (2500 * 1000)
/* From one interval to the next; it is still finding its rate then. */
#define STARTING_GROWTH 1.25
/* In a row; a single one may be a burst out of a full buffer. */
#define WON_INTERVALS 2
/* Fewer round trips do not condemn a path. */
#define ENOUGH_SAMPLES 3

static gboolean
is_candidate (const AlsLinkCandidate *candidate, guint allowed_kinds)
{
  return candidate->usable && (allowed_kinds & 1u << candidate->kind) != 0;
}

static gboolean
is_banned (const AlsLinkCandidate *candidate, int64_t now_us)
{
  return candidate->banned_until_us > now_us;
}

static gboolean
is_better (const AlsLinkCandidate *a, const AlsLinkCandidate *b, guint current)
{
  if (a->silent != b->silent)
    return b->silent;
  if (a->kind != b->kind)
    return a->kind > b->kind;
  if (a->lan != b->lan)
    return a->lan;
  if (a->number == current || b->number == current)
    return a->number == current;
  return a->number < b->number;
}

static gboolean
is_slower (const AlsLinkCandidate *a, gboolean a_in_use, const AlsLinkCandidate *b)
{
  int64_t rtt_us = a_in_use || a->least_rtt_us == 0 ? a->rtt_us : a->least_rtt_us;

  return rtt_us != 0 && b->rtt_us != 0 && rtt_us > RTT_FACTOR * b->rtt_us + RTT_MARGIN_US;
}

static void
forget_full (AlsLinkCandidate *candidate)
{
  candidate->found_rate = FALSE;
  candidate->starting_goodput = 0;
  candidate->n_poor = candidate->n_full = 0;
  candidate->sent = candidate->lost = 0;
}

static void
ban (AlsLinkCandidate *candidate, const char *why, int64_t now_us)
{
  g_info ("path %u (%s) is much worse than another: %s", candidate->number,
          als_path_kind_to_string (candidate->kind), why);
  if (candidate->used)
    {
      candidate->banned_until_us = now_us + (BAN_US << MIN (candidate->n_bans, MAX_DOUBLINGS));
      candidate->n_bans++;
    }
  else
    candidate->banned_until_us = now_us + UNUSED_BAN_US;
  candidate->slow_since_us = 0;
  candidate->trial_until_us = 0;
  forget_full (candidate);
}

static AlsLinkCandidate *
find_number (AlsLinkCandidate **candidates, guint n, guint number)
{
  for (guint i = 0; i < n; i++)
    if (candidates[i]->number == number)
      return candidates[i];
  return NULL;
}

static AlsLinkCandidate *
find_best (AlsLinkCandidate **candidates, guint n, guint current, guint allowed_kinds,
           gboolean slow_too, int64_t now_us)
{
  AlsLinkCandidate *best = NULL;

  for (guint i = 0; i < n; i++)
    {
      if (!is_candidate (candidates[i], allowed_kinds)
          || (!slow_too && (candidates[i]->passed_over || is_banned (candidates[i], now_us))))
        continue;
      /* A new one shows its round trip before it replaces one that works. */
      if (current != 0 && candidates[i]->number != current && candidates[i]->n_rtt_samples == 0)
        continue;
      if (best == NULL || is_better (candidates[i], best, current))
        best = candidates[i];
    }
  return best;
}

static gboolean
any_is_quicker (AlsLinkCandidate **candidates, guint n, guint allowed_kinds,
                const AlsLinkCandidate *than, guint current, int64_t now_us)
{
  for (guint i = 0; i < n; i++)
    if (candidates[i] != than && is_candidate (candidates[i], allowed_kinds)
        && !candidates[i]->silent && !is_banned (candidates[i], now_us)
        && candidates[i]->n_rtt_samples >= ENOUGH_SAMPLES
        && is_slower (than, than->number == current, candidates[i]))
      return TRUE;
  return FALSE;
}

/* NULL: none, or not any more. */
static AlsLinkCandidate *
find_on_trial (AlsLinkCandidate **candidates, guint n, guint allowed_kinds, int64_t now_us)
{
  for (guint i = 0; i < n; i++)
    {
      AlsLinkCandidate *self = candidates[i], *against;

      if (self->trial_until_us == 0)
        continue;
      against = find_number (candidates, n, self->trial_against);
      if (now_us < self->trial_until_us && is_candidate (self, allowed_kinds) && against != NULL
          && is_candidate (against, allowed_kinds))
        return self;
      g_info ("path %u (%s) has not shown itself better", self->number,
              als_path_kind_to_string (self->kind));
      self->trial_until_us = 0;
    }
  return NULL;
}

guint
als_link_choice_choose (AlsLinkCandidate **candidates, guint n, guint current, guint allowed_kinds,
                        int64_t now_us)
{
  AlsLinkCandidate *best, *on_trial;
  gboolean have_current = FALSE;

  for (guint i = 0; i < n; i++)
    if (candidates[i]->number == current && is_candidate (candidates[i], allowed_kinds))
      have_current = candidates[i]->used = TRUE;
  if (!have_current)
    current = 0;
  for (guint i = 0; i < n; i++)
    {
      candidates[i]->passed_over = FALSE;
      if (!is_candidate (candidates[i], allowed_kinds)
          || !any_is_quicker (candidates, n, allowed_kinds, candidates[i], current, now_us))
        candidates[i]->slow_since_us = 0;
    }
  on_trial = find_on_trial (candidates, n, allowed_kinds, now_us);
  if (on_trial != NULL)
    return on_trial->number;

  while ((best = find_best (candidates, n, current, allowed_kinds, FALSE, now_us)) != NULL)
    {
      if (!any_is_quicker (candidates, n, allowed_kinds, best, current, now_us))
        return best->number;
      if (best->slow_since_us == 0)
        best->slow_since_us = now_us;
      if (now_us >= best->slow_since_us + WORSE_FOR_US && best->n_rtt_samples >= ENOUGH_SAMPLES)
        ban (best, "round trip", now_us);
      else if (best->number == current
               || (current == 0 && best->n_rtt_samples < ENOUGH_SAMPLES))
        return best->number;
      else
        best->passed_over = TRUE; /* it may show more before it is judged */
    }
  best = find_best (candidates, n, current, allowed_kinds, TRUE, now_us);
  return best != NULL ? best->number : 0;
}

/* The one that gets the work instead of CANDIDATE for a moment; NULL: none is to. */
static AlsLinkCandidate *
find_trial (AlsLinkCandidate **candidates, guint n, guint allowed_kinds,
            const AlsLinkCandidate *candidate, int64_t now_us)
{
  AlsLinkCandidate *best = NULL;

  for (guint i = 0; i < n; i++)
    {
      AlsLinkCandidate *other = candidates[i];

      /* The relay in the server is for those who have nothing else. */
      if (other == candidate || other->kind == ALS_PATH_SIGNAL_RELAY
          || !is_candidate (other, allowed_kinds) || is_banned (other, now_us)
          || other->silent || other->n_rtt_samples < ENOUGH_SAMPLES
          || is_slower (other, FALSE, candidate)
          || now_us < other->next_trial_us)
        continue;
      if (best == NULL || is_better (other, best, 0))
        best = other;
    }
  return best;
}

static void
start_trial (AlsLinkCandidate *self, AlsLinkCandidate *against, int64_t now_us)
{
  g_info ("path %u (%s) is on trial against path %u (%s)", self->number,
          als_path_kind_to_string (self->kind), against->number,
          als_path_kind_to_string (against->kind));
  self->trial_until_us = now_us + TRIAL_US;
  self->trial_against = against->number;
  self->next_trial_us = now_us + (BAN_US << MIN (self->n_trials, MAX_DOUBLINGS));
  self->n_trials++;
  self->n_won = 0;
  self->goodput = 0;
  forget_full (against);
}

/* Full, but hardly for the reason that nothing could carry more. */
static gboolean
is_doubtful (const AlsLinkCandidate *self)
{
  return self->n_full >= FULL_INTERVALS
         && (self->goodput < SLOW_GOODPUT || self->lost * DOUBTFUL_LOSS > self->sent);
}

static void
end_trial (AlsLinkCandidate *self, AlsLinkCandidate *against, const AlsLinkInterval *interval,
           int64_t now_us)
{
  if (!interval->saturated || interval->goodput < against->goodput * GOODPUT_FACTOR)
    {
      self->n_won = 0;
      return;
    }
  if (++self->n_won < WON_INTERVALS)
    return;
  self->trial_until_us = 0;
  self->n_trials = 0;
  ban (against, "trial", now_us);
}

/* Work waits, but it is still finding its rate: what it carries, and what its search for the rate
 * loses, say little of the path. The interval in which it found it is still one of them. */
static gboolean
is_starting (AlsLinkCandidate *self, const AlsLinkInterval *interval)
{
  if (self->found_rate)
    return FALSE;
  self->found_rate = interval->goodput <= self->starting_goodput * STARTING_GROWTH;
  self->starting_goodput = interval->goodput;
  self->goodput = MAX (self->goodput, interval->goodput);
  return TRUE;
}

void
als_link_choice_note_interval (AlsLinkCandidate **candidates, guint n, guint current,
                               guint allowed_kinds, const AlsLinkInterval *interval,
                               int64_t now_us)
{
  AlsLinkCandidate *self = find_number (candidates, n, current), *other;
  gboolean poor = FALSE;

  if (self == NULL)
    return;
  if (!interval->saturated)
    {
      forget_full (self);
      return;
    }
  g_debug ("path %u: %" G_GUINT64_FORMAT " kB/s, full; %" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT
           " packets lost", self->number, interval->goodput / 1000, interval->lost, interval->sent);
  if (!is_starting (self, interval))
    {
      self->goodput = (self->goodput * 3 + interval->goodput) / 4;
      self->n_full++;
      self->sent += interval->sent;
      self->lost += interval->lost;
    }
  if (self->trial_until_us != 0)
    {
      other = find_number (candidates, n, self->trial_against);
      if (other != NULL)
        end_trial (self, other, interval, now_us);
      return;
    }
  for (guint i = 0; i < n; i++)
    if (candidates[i] != self && is_candidate (candidates[i], allowed_kinds)
        && !is_banned (candidates[i], now_us)
        && interval->goodput < candidates[i]->goodput / GOODPUT_FACTOR)
      poor = TRUE;
  self->n_poor = poor ? self->n_poor + 1 : 0;
  if (self->n_full >= FORGIVEN_INTERVALS && !poor)
    self->n_bans = 0;
  if (self->n_poor >= POOR_INTERVALS)
    ban (self, "goodput", now_us);
  else if (is_doubtful (self)
           && (other = find_trial (candidates, n, allowed_kinds, self, now_us)) != NULL)
    start_trial (other, self, now_us);
}

int64_t
als_link_choice_get_deadline (AlsLinkCandidate **candidates, guint n, int64_t now_us)
{
  int64_t deadline_us = INT64_MAX;

  for (guint i = 0; i < n; i++)
    {
      if (is_banned (candidates[i], now_us))
        deadline_us = MIN (deadline_us, candidates[i]->banned_until_us);
      if (candidates[i]->trial_until_us > now_us)
        deadline_us = MIN (deadline_us, candidates[i]->trial_until_us);
      if (candidates[i]->slow_since_us != 0 && candidates[i]->slow_since_us + WORSE_FOR_US > now_us)
        deadline_us = MIN (deadline_us, candidates[i]->slow_since_us + WORSE_FOR_US);
    }
  return deadline_us;
}
