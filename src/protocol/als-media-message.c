/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#include "config.h"

#include "protocol/als-media-message.h"

#include "base/als-bytes.h"

#include <string.h>

G_DEFINE_QUARK (als-media-message-error-quark, als_media_message_error)

static gboolean
is_size (guint size)
{
  return size >= ALS_MEDIA_MIN_SIZE && size <= ALS_MEDIA_MAX_SIZE;
}

gboolean
als_media_message_decode (AlsMediaMessage *self, const uint8_t *data, size_t len, GError **error)
{
  AlsReader reader;

  memset (self, 0, sizeof *self);
  als_reader_init (&reader, data, len);
  self->type = als_reader_u8 (&reader);
  switch (self->type)
    {
    case ALS_MEDIA_CAPS:
      self->codecs = als_reader_u32 (&reader);
      break;
    case ALS_MEDIA_FORMAT:
      self->generation = als_reader_u32 (&reader);
      self->codec = als_reader_u8 (&reader);
      self->width = als_reader_u16 (&reader);
      self->height = als_reader_u16 (&reader);
      if (self->generation == 0 || !is_size (self->width) || !is_size (self->height)
          || (self->codec != ALS_VIDEO_CODEC_VP8 && self->codec != ALS_VIDEO_CODEC_H264))
        als_reader_fail (&reader);
      break;
    case ALS_MEDIA_KEYFRAME:
      self->generation = als_reader_u32 (&reader);
      break;
    case ALS_MEDIA_NACK:
      self->generation = als_reader_u32 (&reader);
      self->n_missing = als_reader_u8 (&reader);
      if (self->n_missing == 0 || self->n_missing > ALS_MEDIA_MAX_NACK)
        {
          self->n_missing = 0;
          als_reader_fail (&reader);
        }
      for (guint i = 0; i < self->n_missing; i++)
        self->missing[i] = als_reader_u16 (&reader);
      break;
    case ALS_MEDIA_MARK:
      self->generation = als_reader_u32 (&reader);
      self->next_seq = als_reader_u16 (&reader);
      break;
    case ALS_MEDIA_STOP:
      break;
    default:
      als_reader_fail (&reader);
      break;
    }
  if (als_reader_done (&reader))
    return TRUE;
  g_set_error (error, ALS_MEDIA_MESSAGE_ERROR, 0, "Malformed media message of type %d",
               (int) self->type);
  return FALSE;
}

GBytes *
als_media_message_encode (const AlsMediaMessage *self)
{
  g_auto (AlsWriter) writer = { 0 };
  g_autoptr (GBytes) body = NULL;
  size_t len;
  const uint8_t *data;

  als_writer_init (&writer, ALS_MEDIA_MAX_MESSAGE);
  als_writer_u8 (&writer, (uint8_t) self->type);
  switch (self->type)
    {
    case ALS_MEDIA_CAPS:
      als_writer_u32 (&writer, self->codecs);
      break;
    case ALS_MEDIA_FORMAT:
      if (self->generation == 0 || !is_size (self->width) || !is_size (self->height))
        return NULL;
      als_writer_u32 (&writer, self->generation);
      als_writer_u8 (&writer, (uint8_t) self->codec);
      als_writer_u16 (&writer, self->width);
      als_writer_u16 (&writer, self->height);
      break;
    case ALS_MEDIA_KEYFRAME:
      als_writer_u32 (&writer, self->generation);
      break;
    case ALS_MEDIA_NACK:
      if (self->n_missing == 0 || self->n_missing > ALS_MEDIA_MAX_NACK)
        return NULL;
      als_writer_u32 (&writer, self->generation);
      als_writer_u8 (&writer, (uint8_t) self->n_missing);
      for (guint i = 0; i < self->n_missing; i++)
        als_writer_u16 (&writer, self->missing[i]);
      break;
    case ALS_MEDIA_MARK:
      als_writer_u32 (&writer, self->generation);
      als_writer_u16 (&writer, self->next_seq);
      break;
    case ALS_MEDIA_STOP:
      break;
    default:
      return NULL;
    }
  body = als_writer_steal (&writer);
  if (body == NULL)
    return NULL;
  data = g_bytes_get_data (body, &len);
  als_writer_init (&writer, 2 + ALS_MEDIA_MAX_MESSAGE);
  als_writer_blob (&writer, data, len);
  return als_writer_steal (&writer);
}

gboolean
als_media_stream_next (AlsMediaStream *self, const uint8_t **data, size_t *len,
                       AlsMediaMessage *out, GError **error)
{
  while (!self->failed)
    {
      size_t want = 2, n;

      if (self->len >= 2)
        want += (size_t) self->bytes[0] << 8 | self->bytes[1];
      if (want > sizeof self->bytes || (self->len >= 2 && want == 2))
        {
          g_set_error (error, ALS_MEDIA_MESSAGE_ERROR, 0, "Media message of %zu bytes", want - 2);
          self->failed = TRUE;
          return FALSE;
        }
      if (self->len >= 2 && self->len == want)
        {
          self->len = 0;
          if (als_media_message_decode (out, self->bytes + 2, want - 2, error))
            return TRUE;
          self->failed = TRUE;
          return FALSE;
        }
      n = MIN (want - self->len, *len);
      if (n == 0)
        return FALSE;
      memcpy (self->bytes + self->len, *data, n);
      self->len += n;
      *data += n;
      *len -= n;
    }
  g_set_error_literal (error, ALS_MEDIA_MESSAGE_ERROR, 0, "The media channel has lost its sense");
  return FALSE;
}
