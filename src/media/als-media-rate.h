/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* How many bits the picture may take, and how often it is taken, from what the
 * link says of itself. Pure. */

#pragma once

#include <glib.h>
#include <stdint.h>

G_BEGIN_DECLS

#define ALS_MEDIA_RATE_MIN_KBPS 150
#define ALS_MEDIA_RATE_MAX_KBPS 8000
#define ALS_MEDIA_RATE_CHECK_US (250 * 1000)

typedef struct
{
  guint max_fps;
  guint bitrate_kbps;
  guint fps;
  int64_t checked_us;
} AlsMediaRate;

void     als_media_rate_init   (AlsMediaRate *self, guint max_fps);
/* LINK_RATE: bytes a second, 0: unknown. Does nothing more often than ALS_MEDIA_RATE_CHECK_US.
 * TRUE: bitrate_kbps has changed enough to tell the encoder. */
gboolean als_media_rate_update (AlsMediaRate *self, uint64_t link_rate, int64_t queue_delay_us,
                                int64_t now_us);

G_END_DECLS
