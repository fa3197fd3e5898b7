/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Messages on the ALS_CHANNEL_MEDIA channel, beside the RTP datagrams: what can
 * be decoded, what is sent, what was missed. Bytes to structs and back.
 *
 * viewer to sharer         sharer to viewer
 * CAPS (first)             FORMAT (before the first picture and at each change)
 * KEYFRAME, NACK, STOP     MARK, STOP
 *
 * On the wire each is a 16-bit length, then a type byte and its fields. */

#pragma once

#include <gio/gio.h>
#include <stdint.h>

G_BEGIN_DECLS

/* Longest message, without its length. */
#define ALS_MEDIA_MAX_MESSAGE 512
/* Pixels, either way. */
#define ALS_MEDIA_MAX_SIZE 8192
#define ALS_MEDIA_MIN_SIZE 16
#define ALS_MEDIA_MAX_NACK 128

typedef enum
{
  ALS_VIDEO_CODEC_VP8 = 1,
  ALS_VIDEO_CODEC_H264 = 2,
} AlsVideoCodec;

typedef enum
{
  ALS_MEDIA_CAPS = 1,     /* codecs */
  ALS_MEDIA_FORMAT = 2,   /* generation, codec, width, height */
  ALS_MEDIA_KEYFRAME = 3, /* generation */
  ALS_MEDIA_NACK = 4,     /* generation, n_missing, missing */
  ALS_MEDIA_MARK = 5,     /* generation, next_seq */
  ALS_MEDIA_STOP = 6,     /* no more is sent, or looked at */
} AlsMediaType;

typedef struct
{
  AlsMediaType type;
  uint32_t codecs;        /* set of 1 << AlsVideoCodec; unknown ones are ignored */
  uint32_t generation;    /* counts FORMATs from 1; the RTP packets carry it as SSRC */
  AlsVideoCodec codec;
  uint16_t width, height; /* of the picture; the coded one is rounded up to even numbers */
  uint16_t next_seq;      /* all sequence numbers before this were sent, and no more for now */
  uint16_t n_missing;
  uint16_t missing[ALS_MEDIA_MAX_NACK]; /* sequence numbers to be sent again */
} AlsMediaMessage;

#define ALS_MEDIA_MESSAGE_ERROR (als_media_message_error_quark ())
GQuark   als_media_message_error_quark (void);

/* DATA: one message without its length. */
gboolean als_media_message_decode (AlsMediaMessage *self, const uint8_t *data, size_t len,
                                   GError **error);
/* With its length. (transfer full) (nullable): NULL when a field is out of bounds. */
GBytes  *als_media_message_encode (const AlsMediaMessage *self);

/* Cuts a channel's bytes into messages. */
typedef struct
{
  uint8_t bytes[2 + ALS_MEDIA_MAX_MESSAGE];
  size_t len;
  gboolean failed; /* sticks: the rest of the stream has no meaning */
} AlsMediaStream;

/* Takes bytes from *DATA and moves it on. TRUE: OUT holds a message, call again; FALSE: all
 * was taken, or ERROR is set. */
gboolean als_media_stream_next    (AlsMediaStream *self, const uint8_t **data, size_t *len,
                                   AlsMediaMessage *out, GError **error);

G_END_DECLS
