/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#include "config.h"

#include "path/als-path-race.h"

#define RETRY_FIRST_US (2 * G_USEC_PER_SEC)
#define RETRY_MAX_US (60 * G_USEC_PER_SEC)
/* The same for what costs the network a lot. */
#define COSTLY_FIRST_US (20 * G_USEC_PER_SEC)
#define COSTLY_MAX_US (300 * G_USEC_PER_SEC)
/* However often the network changes, a method begins no more often. */
#define MIN_GAP_US (1 * G_USEC_PER_SEC)
/* A path that lived this long is looked for again at once: it worked. */
#define PROVEN_US (10 * G_USEC_PER_SEC)
/* What works has connected by then, mostly within 100 ms: the costly methods wait no longer. */
#define HEAD_START_US (5 * G_USEC_PER_SEC)

void
als_path_race_init (AlsPathRace *self, const AlsRaceMethod *methods, guint n_methods,
                    guint max_at_once)
{
  g_return_if_fail (n_methods <= ALS_RACE_MAX_METHODS && max_at_once > 0);
  *self = (AlsPathRace){ .n_methods = n_methods, .max_at_once = max_at_once };
  for (guint i = 0; i < n_methods; i++)
    {
      self->entries[i].config = methods[i];
      self->entries[i].began_us = INT64_MIN;
      if (methods[i].after != 0)
        als_backoff_init (&self->entries[i].backoff, COSTLY_FIRST_US, COSTLY_MAX_US);
      else
        als_backoff_init (&self->entries[i].backoff, RETRY_FIRST_US, RETRY_MAX_US);
    }
}

static gboolean
is_costly (const AlsRaceEntry *entry)
{
  return entry->config.after != 0;
}

/* The best rank in use; relays only count if RELAYS. */
static guint
best_rank (const AlsPathRace *self, gboolean relays)
{
  guint rank = 0;

  for (guint i = 0; i < self->n_methods; i++)
    {
      const AlsRaceEntry *entry = &self->entries[i];

      if (entry->state == ALS_RACE_UP && entry->is_good && (relays || !entry->config.is_relay))
        rank = MAX (rank, entry->config.rank);
    }
  return rank;
}

static gboolean
has_relay (const AlsPathRace *self)
{
  for (guint i = 0; i < self->n_methods; i++)
    if (self->entries[i].state == ALS_RACE_UP && self->entries[i].config.is_relay)
      return TRUE;
  return FALSE;
}

/* From when on the methods that ENTRY waits for count as failed. */
static int64_t
after_us (const AlsPathRace *self, const AlsRaceEntry *entry)
{
  int64_t when_us = INT64_MIN;

  for (guint i = 0; i < self->n_methods; i++)
    {
      const AlsRaceEntry *other = &self->entries[i];

      if (!(entry->config.after & (1u << i)) || !other->is_possible || other->has_failed
          || other->state == ALS_RACE_UP)
        continue;
      if (other->state != ALS_RACE_TRYING)
        return INT64_MAX;
      when_us = MAX (when_us, other->began_us + HEAD_START_US);
    }
  return when_us;
}

/* An attempt would help. */
static gboolean
is_wanted (const AlsPathRace *self, const AlsRaceEntry *entry)
{
  if (!entry->is_possible || entry->config.rank == 0)
    return FALSE;
  if (is_costly (entry))
    return best_rank (self, FALSE) == 0;
  return entry->config.rank > best_rank (self, TRUE)
         || (entry->config.is_relay && !has_relay (self));
}

/* When the method may begin, as things stand; INT64_MAX: not. */
static int64_t
begin_us (const AlsPathRace *self, const AlsRaceEntry *entry)
{
  int64_t when_us = entry->due_us;

  if (!self->is_running || entry->state != ALS_RACE_IDLE || !is_wanted (self, entry))
    return INT64_MAX;
  if (is_costly (entry))
    when_us = MAX (when_us, after_us (self, entry));
  return when_us;
}

static guint
count_trying (const AlsPathRace *self)
{
  guint n = 0;

  for (guint i = 0; i < self->n_methods; i++)
    if (self->entries[i].state == ALS_RACE_TRYING || self->entries[i].state == ALS_RACE_STOPPING)
      n++;
  return n;
}

static void
set_idle (AlsRaceEntry *entry, int64_t due_us)
{
  entry->state = ALS_RACE_IDLE;
  entry->due_us = due_us;
  if (entry->began_us != INT64_MIN)
    entry->due_us = MAX (entry->due_us, entry->began_us + MIN_GAP_US);
}

void
als_path_race_set_possible (AlsPathRace *self, guint method, gboolean is_possible, int64_t now_us)
{
  AlsRaceEntry *entry = &self->entries[method];

  if (entry->is_possible == !!is_possible)
    return;
  entry->is_possible = !!is_possible;
  if (!is_possible && entry->state == ALS_RACE_TRYING)
    entry->state = ALS_RACE_STOPPING;
  if (is_possible)
    {
      als_backoff_reset (&entry->backoff);
      entry->has_failed = FALSE;
      if (entry->state == ALS_RACE_IDLE)
        set_idle (entry, now_us);
    }
}

void
als_path_race_start (AlsPathRace *self, int64_t now_us)
{
  self->is_running = TRUE;
  als_path_race_network_changed (self, now_us);
}

void
als_path_race_pause (AlsPathRace *self, gboolean stop, int64_t now_us)
{
  self->is_running = FALSE;
  for (guint i = 0; stop && i < self->n_methods; i++)
    if (self->entries[i].state == ALS_RACE_TRYING)
      self->entries[i].state = ALS_RACE_STOPPING;
}

void
als_path_race_network_changed (AlsPathRace *self, int64_t now_us)
{
  for (guint i = 0; i < self->n_methods; i++)
    {
      AlsRaceEntry *entry = &self->entries[i];

      als_backoff_reset (&entry->backoff);
      entry->has_failed = FALSE;
      if (entry->state == ALS_RACE_TRYING)
        entry->state = ALS_RACE_STOPPING;
      else if (entry->state == ALS_RACE_IDLE)
        set_idle (entry, now_us);
    }
}

void
als_path_race_connected (AlsPathRace *self, guint method, int64_t now_us)
{
  AlsRaceEntry *entry = &self->entries[method];

  entry->state = ALS_RACE_UP;
  entry->is_good = TRUE;
  entry->up_us = now_us;
  /* What costs goes on no longer than it is needed. */
  for (guint i = 0; i < self->n_methods; i++)
    if (self->entries[i].state == ALS_RACE_TRYING && is_costly (&self->entries[i])
        && !is_wanted (self, &self->entries[i]))
      self->entries[i].state = ALS_RACE_STOPPING;
}

void
als_path_race_set_good (AlsPathRace *self, guint method, gboolean is_good, int64_t now_us)
{
  self->entries[method].is_good = !!is_good;
}

void
als_path_race_failed (AlsPathRace *self, guint method, int64_t now_us)
{
  AlsRaceEntry *entry = &self->entries[method];

  if (entry->state == ALS_RACE_IDLE)
    return;
  if (entry->state == ALS_RACE_STOPPING)
    {
      set_idle (entry, now_us);
      return;
    }
  entry->has_failed = TRUE;
  if (entry->state == ALS_RACE_UP && now_us - entry->up_us >= PROVEN_US)
    {
      als_backoff_reset (&entry->backoff);
      entry->has_failed = FALSE;
      set_idle (entry, now_us);
    }
  else
    set_idle (entry, now_us + als_backoff_next (&entry->backoff));
}

static AlsRaceStep
stop (AlsRaceEntry *entry, guint method, int64_t due_us)
{
  set_idle (entry, due_us);
  return (AlsRaceStep){ ALS_RACE_STOP, method };
}

AlsRaceStep
als_path_race_poll (AlsPathRace *self, int64_t now_us)
{
  AlsRaceEntry *best = NULL;

  for (guint i = 0; i < self->n_methods; i++)
    {
      AlsRaceEntry *entry = &self->entries[i];

      if (entry->state == ALS_RACE_STOPPING)
        return stop (entry, i, now_us);
      if (entry->state == ALS_RACE_TRYING && entry->config.limit_us > 0
          && now_us >= entry->began_us + entry->config.limit_us)
        {
          entry->has_failed = TRUE;
          return stop (entry, i, now_us + als_backoff_next (&entry->backoff));
        }
    }
  if (count_trying (self) >= self->max_at_once)
    return (AlsRaceStep){ ALS_RACE_WAIT, 0 };
  for (guint i = 0; i < self->n_methods; i++)
    if (begin_us (self, &self->entries[i]) <= now_us
        && (best == NULL || self->entries[i].config.rank > best->config.rank))
      best = &self->entries[i];
  if (best == NULL)
    return (AlsRaceStep){ ALS_RACE_WAIT, 0 };
  best->state = ALS_RACE_TRYING;
  best->began_us = now_us;
  best->n_attempts++;
  return (AlsRaceStep){ ALS_RACE_BEGIN, (guint) (best - self->entries) };
}

int64_t
als_path_race_get_deadline (const AlsPathRace *self)
{
  gboolean is_full = count_trying (self) >= self->max_at_once;
  int64_t deadline_us = INT64_MAX;

  for (guint i = 0; i < self->n_methods; i++)
    {
      const AlsRaceEntry *entry = &self->entries[i];

      if (entry->state == ALS_RACE_STOPPING)
        return 0;
      if (entry->state == ALS_RACE_TRYING && entry->config.limit_us > 0)
        deadline_us = MIN (deadline_us, entry->began_us + entry->config.limit_us);
      if (!is_full)
        deadline_us = MIN (deadline_us, begin_us (self, entry));
    }
  return deadline_us;
}

guint
als_path_race_get_n_attempts (const AlsPathRace *self, guint method)
{
  return self->entries[method].n_attempts;
}
