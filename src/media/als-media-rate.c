/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#include "config.h"

#include "media/als-media-rate.h"

/* Before the link knows anything. */
#define START_KBPS 1500
/* Part of the link's rate; the rest is for control, acknowledgements and peaks. */
#define SHARE_PERCENT 75
#define SHARE_CONGESTED_PERCENT 50
#define CONGESTED_US (100 * 1000)
/* Up by half at the most in one step, down at once. */
#define MAX_RISE_PERCENT 150
/* Smaller changes are not worth an encoder's trouble. */
#define MIN_CHANGE_PERCENT 10

void
als_media_rate_init (AlsMediaRate *self, guint max_fps)
{
  self->max_fps = max_fps;
  self->bitrate_kbps = START_KBPS;
  self->fps = max_fps;
  self->checked_us = 0;
}

/* Fewer and better pictures on a slow link: text must stay readable. */
static guint
fps_for (guint bitrate_kbps, guint max_fps)
{
  guint fps = bitrate_kbps < 250 ? 8 : bitrate_kbps < 500 ? 12 : bitrate_kbps < 1000 ? 20 : max_fps;

  return MIN (fps, max_fps);
}

gboolean
als_media_rate_update (AlsMediaRate *self, uint64_t link_rate, int64_t queue_delay_us,
                       int64_t now_us)
{
  guint share = queue_delay_us > CONGESTED_US ? SHARE_CONGESTED_PERCENT : SHARE_PERCENT;
  uint64_t target;
  guint change;

  if (self->checked_us != 0 && now_us < self->checked_us + ALS_MEDIA_RATE_CHECK_US)
    return FALSE;
  self->checked_us = now_us;
  if (link_rate == 0)
    return FALSE;
  target = MIN (link_rate, G_MAXUINT32) * 8 / 1000 * share / 100;
  target = MIN (target, (uint64_t) self->bitrate_kbps * MAX_RISE_PERCENT / 100);
  target = CLAMP (target, ALS_MEDIA_RATE_MIN_KBPS, ALS_MEDIA_RATE_MAX_KBPS);
  change = target > self->bitrate_kbps ? target - self->bitrate_kbps : self->bitrate_kbps - target;
  if (change == 0
      || (change * 100 < self->bitrate_kbps * MIN_CHANGE_PERCENT
          && target != ALS_MEDIA_RATE_MIN_KBPS && target != ALS_MEDIA_RATE_MAX_KBPS))
    return FALSE;
  self->bitrate_kbps = (guint) target;
  self->fps = fps_for (self->bitrate_kbps, self->max_fps);
  return TRUE;
}
