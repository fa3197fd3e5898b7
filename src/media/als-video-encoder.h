/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* One encoder for one size: I420 in, RTP packets out. Lives in the engine's
 * thread; a pipeline of its own encodes in another, one frame at a time. */

#pragma once

#include <gst/gst.h>

#include "media/als-media.h"

G_BEGIN_DECLS

/* Whole RTP packet; the session's kind byte comes on top (ALS_DATAGRAM_MAX). */
#define ALS_RTP_MAX_BYTES 1090

typedef struct _AlsVideoEncoder AlsVideoEncoder;

/* In the thread where it was made; each may free the encoder. None after als_video_encoder_free (). */
typedef struct
{
  /* PACKETS: (element-type GBytes) all of one frame, the receiver's to keep or unref. */
  void (*encoded) (GPtrArray *packets, gpointer user_data);
  void (*failed)  (const GError *error, gpointer user_data);
} AlsVideoEncoderEvents;

typedef struct
{
  const char *encoder;   /* element factory */
  guint width, height;   /* coded size: even */
  guint fps;
  guint bitrate_kbps;
  guint32 ssrc;
} AlsVideoEncoderConfig;

AlsVideoEncoder *als_video_encoder_new         (const AlsVideoEncoderConfig *config,
                                                const AlsVideoEncoderEvents *events,
                                                gpointer user_data, GError **error);
/* I420 as GstVideoInfo lays it out; its time is set here. */
void             als_video_encoder_push        (AlsVideoEncoder *self, GstBuffer *buffer,
                                                int64_t time_us);
/* A frame was pushed and the encoder has not begun with it. */
gboolean         als_video_encoder_is_busy     (AlsVideoEncoder *self);
/* The next frame pushed becomes a key frame. */
void             als_video_encoder_force_key   (AlsVideoEncoder *self);
void             als_video_encoder_set_bitrate (AlsVideoEncoder *self, guint bitrate_kbps);
void             als_video_encoder_free        (AlsVideoEncoder *self);

G_END_DECLS
