/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Whether a link is alive, and its round trip: pings are due at a pace that
 * depends on what the link does, and the link is dead when one of them has no
 * answer for too long. Only an answer counts: it proves both directions, which
 * data coming in does not. Pure. */

#pragma once

#include <glib.h>
#include <stdint.h>

G_BEGIN_DECLS

#define ALS_LINK_LIFE_MAX_PINGS 64
#define ALS_LINK_LIFE_RECENT 4

typedef enum
{
  ALS_LINK_PACE_STANDBY,
  ALS_LINK_PACE_IDLE,  /* we send on it, when there is something */
  ALS_LINK_PACE_BUSY,  /* the peer owes an acknowledgement, or datagrams go */
} AlsLinkPace;

typedef struct
{
  int64_t sent_us[ALS_LINK_LIFE_MAX_PINGS]; /* of cookie N at N % MAX */
  uint64_t next_cookie;
  uint64_t answered;   /* all below are, or need no answer any more */
  guint n_samples;
  int64_t rtt_us;      /* smoothed, 0 while unknown */
  int64_t recent_us[ALS_LINK_LIFE_RECENT]; /* sample N at N % RECENT */
  int64_t last_ping_us;
} AlsLinkLife;

void     als_link_life_init         (AlsLinkLife *self, int64_t now_us);
int64_t  als_link_life_get_ping_due (const AlsLinkLife *self, AlsLinkPace pace);
/* Counts a ping whether the link took it or not. Returns its cookie. */
uint64_t als_link_life_ping         (AlsLinkLife *self, int64_t now_us);
/* FALSE: there never was such a ping. */
gboolean als_link_life_pong         (AlsLinkLife *self, uint64_t cookie, int64_t now_us);
/* The least of the last few round trips; 0: unknown. */
int64_t  als_link_life_get_least_rtt (const AlsLinkLife *self);
/* When an answer is overdue, so that it may be well to ask the other links; INT64_MAX: none is
 * awaited. */
int64_t  als_link_life_get_doubt    (const AlsLinkLife *self, AlsLinkPace pace);
/* When the link is dead if no answer comes; INT64_MAX: none is awaited. */
int64_t  als_link_life_get_death    (const AlsLinkLife *self, AlsLinkPace pace);
/* The process stood still for so long: it is not the peer's silence. */
void     als_link_life_excuse       (AlsLinkLife *self, int64_t late_us);

G_END_DECLS
