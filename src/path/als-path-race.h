/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* When which way is tried: all side by side from the start, the better ones
 * again and again while something worse is in use, the costly ones only when
 * the cheap ones have failed. Pure; knows methods by their index and rank.
 *
 *   start → poll … → connected or failed → poll …
 *
 * Ask als_path_race_poll () until it says WAIT, after every other call and at the deadline. */

#pragma once

#include <glib.h>
#include <stdint.h>
#include "base/als-backoff.h"

G_BEGIN_DECLS

#define ALS_RACE_MAX_METHODS 16

typedef struct
{
  guint rank;         /* of the path it yields; larger is better. 0: never tried */
  gboolean is_relay;  /* one relay is wanted as standby whatever else is up */
  guint after;        /* set of 1 << method; not empty: costly, begins only when these have failed and
                       * nothing better than a relay is up; stopped when something better is */
  int64_t limit_us;   /* an attempt that takes longer has failed; 0: it ends by itself */
} AlsRaceMethod;

typedef enum
{
  ALS_RACE_WAIT,
  ALS_RACE_BEGIN,     /* a new attempt at the method, which counts as under way from now on */
  ALS_RACE_STOP,      /* end the attempt that is under way; do not tell of its end */
} AlsRaceAction;

typedef struct
{
  AlsRaceAction action;
  guint method;
} AlsRaceStep;

typedef enum
{
  ALS_RACE_IDLE,
  ALS_RACE_TRYING,
  ALS_RACE_STOPPING,  /* poll has yet to say so */
  ALS_RACE_UP,
} AlsRaceState;

typedef struct
{
  AlsRaceMethod config;
  gboolean is_possible;
  gboolean is_good;     /* while UP: worth being used */
  gboolean has_failed;  /* since the start or the last change of the network */
  AlsRaceState state;
  AlsBackoff backoff;
  int64_t due_us;       /* IDLE: not before */
  int64_t began_us;     /* of the last attempt; INT64_MIN: none */
  int64_t up_us;        /* since when it is UP */
  guint n_attempts;
} AlsRaceEntry;

typedef struct
{
  AlsRaceEntry entries[ALS_RACE_MAX_METHODS];
  guint n_methods;
  guint max_at_once;
  gboolean is_running;
} AlsPathRace;

/* MAX_AT_ONCE: attempts under way at the same time. */
void         als_path_race_init            (AlsPathRace *self, const AlsRaceMethod *methods,
                                            guint n_methods, guint max_at_once);
/* Whether the method can work at all: allowed, servers known, the other side has it. Begins as FALSE.
 * An attempt under way is stopped when it no longer is. */
void         als_path_race_set_possible    (AlsPathRace *self, guint method, gboolean is_possible,
                                            int64_t now_us);
/* Both sides can talk about paths. All begin at once. Running already: as if the network had changed. */
void         als_path_race_start           (AlsPathRace *self, int64_t now_us);
/* They no longer can, or the visit is over: nothing begins. With STOP, poll ends what is under way. */
void         als_path_race_pause           (AlsPathRace *self, gboolean stop, int64_t now_us);
/* Here or there: what failed may work now, and what is under way uses addresses of yesterday. */
void         als_path_race_network_changed (AlsPathRace *self, int64_t now_us);
/* The attempt gave a working path. Good until told otherwise. */
void         als_path_race_connected       (AlsPathRace *self, guint method, int64_t now_us);
/* FALSE: up, but much worse than a lower one, so that better ones are still looked for. */
void         als_path_race_set_good        (AlsPathRace *self, guint method, gboolean is_good,
                                            int64_t now_us);
/* The attempt failed, or its path died or was given up. */
void         als_path_race_failed          (AlsPathRace *self, guint method, int64_t now_us);
AlsRaceStep  als_path_race_poll            (AlsPathRace *self, int64_t now_us);
/* 0: at once. INT64_MAX: only when something happens. */
int64_t      als_path_race_get_deadline    (const AlsPathRace *self);
guint        als_path_race_get_n_attempts  (const AlsPathRace *self, guint method);

G_END_DECLS
