/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Which link a side sends on (design §4): the best kind, LAN first within a
 * kind, the present one among equals; but not one that is much worse than
 * another, for a minute after that was found, and longer each time. One that we
 * do not send on is judged by its least round trip of late, since a few slow ones
 * say little; if it never was used, it is judged again soon.
 *
 * What a link could carry is known of those only that have carried something. So
 * when the present one is full, and loses packets or is slow, another gets the
 * work for a moment: a trial. It stays if it carries twice as much. Pure policy. */

#pragma once

#include "path/als-path-kind.h"
#include <stdint.h>

G_BEGIN_DECLS

typedef struct
{
  guint number;            /* of the link; higher is newer */
  AlsPathKind kind;
  gboolean lan;
  gboolean usable;         /* ready, alive, and nobody left it */
  int64_t rtt_us;          /* 0 while unknown */
  int64_t least_rtt_us;    /* of the last few; 0: as rtt_us */
  guint n_rtt_samples;
  gboolean silent;         /* asked when the one in use fell silent, and has not answered yet */
  uint64_t goodput;        /* bytes a second it carried when there was enough to carry; 0: unknown */

  /* The policy's own. */
  gboolean used;           /* we have sent on it */
  int64_t banned_until_us;
  guint n_bans;            /* since it last did well for long */
  int64_t slow_since_us;   /* round trip much worse than another's; 0: not */
  gboolean passed_over;    /* in the present choice */
  gboolean found_rate;     /* since work began to wait; until then each interval carries more ... */
  uint64_t starting_goodput; /* ... than this, of the last one */
  guint n_poor;            /* intervals in a row with under half of another's goodput */
  guint n_full;            /* intervals in a row with work waiting all the time ... */
  uint64_t sent, lost;     /* ... and packets in them, where they are counted */
  int64_t trial_until_us;  /* 0: not on trial */
  guint trial_against;     /* number of the one it stands in for */
  int64_t next_trial_us;
  guint n_trials;          /* in vain */
  guint n_won;             /* intervals in a row of the present trial that carried twice as much */
} AlsLinkCandidate;

/* What a link did during an ALS_GOODPUT_INTERVAL_US. */
typedef struct
{
  uint64_t goodput;        /* bytes a second */
  gboolean saturated;      /* work was waiting all the time */
  uint64_t sent, lost;     /* packets; 0: nobody counts them */
} AlsLinkInterval;

#define ALS_GOODPUT_INTERVAL_US (500 * 1000)

/* CURRENT: number of the link we send on, 0 for none. Returns the number of the one to use, 0 for
 * none. May ban candidates. */
guint als_link_choice_choose       (AlsLinkCandidate **candidates, guint n, guint current,
                                    guint allowed_kinds, int64_t now_us);
/* Reports what CURRENT did. To be followed by als_link_choice_choose (). */
void  als_link_choice_note_interval (AlsLinkCandidate **candidates, guint n, guint current,
                                     guint allowed_kinds, const AlsLinkInterval *interval,
                                     int64_t now_us);
/* When a decision may change by itself; INT64_MAX: never. */
int64_t als_link_choice_get_deadline (AlsLinkCandidate **candidates, guint n, int64_t now_us);

G_END_DECLS
