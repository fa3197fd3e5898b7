/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#include "config.h"

#include "session/als-link-life.h"

#define MS ((int64_t) 1000)

static const int64_t PING_INTERVAL_US[] = { 2000 * MS, 1000 * MS, 250 * MS };
/* With the pace, a death is noticed within two seconds while data flows, within five (4.6) on an
 * idle link. */
static const int64_t SILENCE_US[] = { 5000 * MS, 3600 * MS, 1700 * MS };
/* The others, asked then, have time to answer before the link is given up. */
static const int64_t DOUBT_US[] = { 2000 * MS, 1000 * MS, 400 * MS };
#define DOUBT_RTT_FACTOR 2
/* Until the round trip is known well enough to compare paths by it. */
#define FIRST_PINGS 3
#define FIRST_INTERVAL_US (200 * MS)
/* A long way round is no death. */
#define RTT_FACTOR 3
#define MAX_SILENCE_US (10000 * MS)

void
als_link_life_init (AlsLinkLife *self, int64_t now_us)
{
  *self = (AlsLinkLife){ 0 };
  self->last_ping_us = now_us - PING_INTERVAL_US[ALS_LINK_PACE_STANDBY]; /* at once */
}

int64_t
als_link_life_get_ping_due (const AlsLinkLife *self, AlsLinkPace pace)
{
  int64_t interval_us = PING_INTERVAL_US[pace];

  if (self->next_cookie < FIRST_PINGS)
    interval_us = MIN (interval_us, FIRST_INTERVAL_US);
  return self->last_ping_us + interval_us;
}

uint64_t
als_link_life_ping (AlsLinkLife *self, int64_t now_us)
{
  uint64_t cookie = self->next_cookie++;

  if (self->next_cookie - self->answered > ALS_LINK_LIFE_MAX_PINGS)
    self->answered = self->next_cookie - ALS_LINK_LIFE_MAX_PINGS;
  self->sent_us[cookie % ALS_LINK_LIFE_MAX_PINGS] = now_us;
  self->last_ping_us = now_us;
  return cookie;
}

gboolean
als_link_life_pong (AlsLinkLife *self, uint64_t cookie, int64_t now_us)
{
  int64_t sample_us;

  if (cookie >= self->next_cookie)
    return FALSE;
  if (cookie < self->answered)
    return TRUE;
  self->answered = cookie + 1;
  sample_us = MAX (now_us - self->sent_us[cookie % ALS_LINK_LIFE_MAX_PINGS], 1);
  self->rtt_us = self->rtt_us == 0 ? sample_us : (self->rtt_us * 7 + sample_us) / 8;
  self->recent_us[self->n_samples++ % ALS_LINK_LIFE_RECENT] = sample_us;
  return TRUE;
}

int64_t
als_link_life_get_least_rtt (const AlsLinkLife *self)
{
  int64_t least_us = self->recent_us[0];

  for (guint i = 1; i < MIN (self->n_samples, ALS_LINK_LIFE_RECENT); i++)
    least_us = MIN (least_us, self->recent_us[i]);
  return least_us;
}

int64_t
als_link_life_get_doubt (const AlsLinkLife *self, AlsLinkPace pace)
{
  if (self->answered == self->next_cookie)
    return INT64_MAX;
  return self->sent_us[self->answered % ALS_LINK_LIFE_MAX_PINGS]
         + MAX (DOUBT_US[pace], self->rtt_us * DOUBT_RTT_FACTOR);
}

int64_t
als_link_life_get_death (const AlsLinkLife *self, AlsLinkPace pace)
{
  int64_t silence_us = SILENCE_US[pace];

  if (self->answered == self->next_cookie)
    return INT64_MAX;
  silence_us = MAX (silence_us, MIN (self->rtt_us * RTT_FACTOR, MAX_SILENCE_US));
  return self->sent_us[self->answered % ALS_LINK_LIFE_MAX_PINGS] + silence_us;
}

void
als_link_life_excuse (AlsLinkLife *self, int64_t late_us)
{
  for (uint64_t cookie = self->answered; cookie < self->next_cookie; cookie++)
    self->sent_us[cookie % ALS_LINK_LIFE_MAX_PINGS] += late_us;
}
