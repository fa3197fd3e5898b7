/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* One decoder for one format: RTP packets in order in, BGRx frames out. A fixed
 * pipeline with a thread of its own. */

#pragma once

#include "media/als-media.h"
#include "media/als-pixels.h"

G_BEGIN_DECLS

typedef struct _AlsVideoDecoder AlsVideoDecoder;

/* Both in the pipeline's thread, and not after als_video_decoder_free (). */
typedef struct
{
  /* FRAME: (transfer full) */
  void (*decoded) (AlsScreenFrame *frame, gpointer user_data);
  void (*failed)  (const GError *error, gpointer user_data);
} AlsVideoDecoderEvents;

typedef struct
{
  AlsVideoCodec codec;
  guint width, height;   /* of the picture; the coded one may be larger by one */
  AlsPixelPool *pool;
} AlsVideoDecoderConfig;

AlsVideoDecoder *als_video_decoder_new         (const AlsVideoDecoderConfig *config,
                                                const AlsVideoDecoderEvents *events,
                                                gpointer user_data, GError **error);
/* PACKET: (transfer full) */
void             als_video_decoder_push        (AlsVideoDecoder *self, GBytes *packet);
/* Bytes pushed and not yet looked at. */
size_t           als_video_decoder_get_backlog (AlsVideoDecoder *self);
void             als_video_decoder_free        (AlsVideoDecoder *self);

G_END_DECLS
