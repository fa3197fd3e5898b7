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
#define BAN_US (60 * G_USEC_PER_SEC)
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
  if (a->kind != b->kind)
    return a->kind > b->kind;
  if (a->lan != b->lan)
    return a->lan;
  if (a->number == current || b->number == current)
    return a->number == current;
  return a->number < b->number;
}

static gboolean
is_slower (const AlsLinkCandidate *a, const AlsLinkCandidate *b)
{
  return a->rtt_us != 0 && b->rtt_us != 0 && a->rtt_us > RTT_FACTOR * b->rtt_us + RTT_MARGIN_US;
}

static void
ban (AlsLinkCandidate *candidate, const char *why, int64_t now_us)
{
  g_info ("path %u (%s) is much worse than another: %s", candidate->number,
          als_path_kind_to_string (candidate->kind), why);
  candidate->banned_until_us = now_us + BAN_US;
  candidate->slow_since_us = 0;
  candidate->n_poor = 0;
}

static AlsLinkCandidate *
find_best (AlsLinkCandidate **candidates, guint n, guint current, guint allowed_kinds,
           gboolean banned_too, const AlsLinkCandidate *but, int64_t now_us)
{
  AlsLinkCandidate *best = NULL;

  for (guint i = 0; i < n; i++)
    {
      if (candidates[i] == but || !is_candidate (candidates[i], allowed_kinds)
          || (!banned_too && is_banned (candidates[i], now_us)))
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
                const AlsLinkCandidate *than, int64_t now_us)
{
  for (guint i = 0; i < n; i++)
    if (candidates[i] != than && is_candidate (candidates[i], allowed_kinds)
        && !is_banned (candidates[i], now_us) && candidates[i]->n_rtt_samples >= ENOUGH_SAMPLES
        && is_slower (than, candidates[i]))
      return TRUE;
  return FALSE;
}

guint
als_link_choice_choose (AlsLinkCandidate **candidates, guint n, guint current, guint allowed_kinds,
                        int64_t now_us)
{
  AlsLinkCandidate *best, *doubtful = NULL;
  gboolean have_current = FALSE;

  for (guint i = 0; i < n; i++)
    if (candidates[i]->number == current && is_candidate (candidates[i], allowed_kinds))
      have_current = TRUE;
    else
      candidates[i]->slow_since_us = 0;
  if (!have_current)
    current = 0;

  while ((best = find_best (candidates, n, current, allowed_kinds, FALSE, doubtful, now_us))
         != NULL)
    {
      if (!any_is_quicker (candidates, n, allowed_kinds, best, now_us))
        {
          best->slow_since_us = 0;
          return best->number;
        }
      if (best->number == current)
        {
          if (best->slow_since_us == 0)
            best->slow_since_us = now_us;
          if (now_us < best->slow_since_us + WORSE_FOR_US)
            return current;
          ban (best, "round trip", now_us);
        }
      else if (best->n_rtt_samples >= ENOUGH_SAMPLES)
        ban (best, "round trip", now_us);
      else if (doubtful == NULL && current != 0)
        doubtful = best; /* it may show more before it is judged */
      else
        return best->number;
    }
  best = find_best (candidates, n, current, allowed_kinds, TRUE, NULL, now_us);
  return best != NULL ? best->number : 0;
}

void
als_link_choice_note_goodput (AlsLinkCandidate **candidates, guint n, guint current,
                              guint allowed_kinds, uint64_t goodput, gboolean saturated,
                              int64_t now_us)
{
  AlsLinkCandidate *self = NULL;
  gboolean poor = FALSE;

  for (guint i = 0; i < n; i++)
    if (candidates[i]->number == current)
      self = candidates[i];
  if (self == NULL)
    return;
  if (!saturated)
    {
      self->n_poor = 0;
      return;
    }
  self->goodput = self->goodput == 0 ? goodput : (self->goodput * 3 + goodput) / 4;
  for (guint i = 0; i < n; i++)
    if (candidates[i] != self && is_candidate (candidates[i], allowed_kinds)
        && !is_banned (candidates[i], now_us) && goodput < candidates[i]->goodput / 2)
      poor = TRUE;
  self->n_poor = poor ? self->n_poor + 1 : 0;
  if (self->n_poor >= POOR_INTERVALS)
    ban (self, "goodput", now_us);
}

int64_t
als_link_choice_get_deadline (AlsLinkCandidate **candidates, guint n, int64_t now_us)
{
  int64_t deadline_us = INT64_MAX;

  for (guint i = 0; i < n; i++)
    {
      if (is_banned (candidates[i], now_us))
        deadline_us = MIN (deadline_us, candidates[i]->banned_until_us);
      if (candidates[i]->slow_since_us != 0 && candidates[i]->slow_since_us + WORSE_FOR_US > now_us)
        deadline_us = MIN (deadline_us, candidates[i]->slow_since_us + WORSE_FOR_US);
    }
  return deadline_us;
}
