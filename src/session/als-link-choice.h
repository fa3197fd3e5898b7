/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Which link a side sends on (design §4): the best kind, LAN first within a
 * kind, the present one among equals; but not one that is much worse than
 * another, for a minute after that was found. Pure policy. */

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
  guint n_rtt_samples;
  uint64_t goodput;        /* bytes a second it carried when there was enough to carry; 0: unknown */

  /* The policy's own. */
  int64_t banned_until_us;
  int64_t slow_since_us;   /* round trip much worse than another's; 0: not */
  guint n_poor;            /* intervals in a row with under half of another's goodput */
} AlsLinkCandidate;

#define ALS_GOODPUT_INTERVAL_US (500 * 1000)

/* CURRENT: number of the link we send on, 0 for none. Returns the number of the one to use, 0 for
 * none. May ban candidates. */
guint als_link_choice_choose       (AlsLinkCandidate **candidates, guint n, guint current,
                                    guint allowed_kinds, int64_t now_us);
/* Reports what CURRENT carried during an ALS_GOODPUT_INTERVAL_US. SATURATED: work was waiting all
 * the time. To be followed by als_link_choice_choose (). */
void  als_link_choice_note_goodput (AlsLinkCandidate **candidates, guint n, guint current,
                                    guint allowed_kinds, uint64_t goodput, gboolean saturated,
                                    int64_t now_us);
/* When a decision may change by itself; INT64_MAX: never. */
int64_t als_link_choice_get_deadline (AlsLinkCandidate **candidates, guint n, int64_t now_us);

G_END_DECLS
