/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#define G_LOG_DOMAIN "als-signal"

#include "config.h"

#include "signal/als-lan-stream.h"

#include "base/als-bytes.h"

#define HEADER_BYTES 4
/* Taken bytes at the front are given up when there are so many of them. */
#define MAX_WASTE (64 * 1024)

void
als_lan_stream_init (AlsLanStream *self)
{
  *self = (AlsLanStream) { .bytes = g_byte_array_new () };
}

void
als_lan_stream_clear (AlsLanStream *self)
{
  g_clear_pointer (&self->bytes, g_byte_array_unref);
}

void
als_lan_stream_push (AlsLanStream *self, const uint8_t *data, size_t len)
{
  if (!self->failed)
    g_byte_array_append (self->bytes, data, (guint) len);
}

static gboolean
is_between_two (AlsSignalType type)
{
  switch ((int) type)
    {
    case ALS_SIGNAL_PEER_MESSAGE:
    case ALS_SIGNAL_RELAY:
    case ALS_SIGNAL_UNPAIR:
    case ALS_SIGNAL_PING:
    case ALS_SIGNAL_PONG:
      return TRUE;
    default:
      return FALSE;
    }
}

static AlsSignalMessage *
fail (AlsLanStream *self)
{
  self->failed = TRUE;
  g_byte_array_set_size (self->bytes, 0);
  self->start = 0;
  return NULL;
}

AlsSignalMessage *
als_lan_stream_take (AlsLanStream *self)
{
  g_autoptr (AlsSignalMessage) message = NULL;
  const uint8_t *data;
  AlsReader reader;
  size_t len;

  if (self->failed)
    return NULL;
  if (self->start == self->bytes->len || self->start >= MAX_WASTE)
    {
      g_byte_array_remove_range (self->bytes, 0, (guint) self->start);
      self->start = 0;
    }
  als_reader_init (&reader, self->bytes->data + self->start, self->bytes->len - self->start);
  len = als_reader_u32 (&reader);
  if (reader.failed)
    return NULL;
  if (len == 0 || len > ALS_LAN_STREAM_MAX)
    return fail (self);
  data = als_reader_bytes (&reader, len);
  if (data == NULL)
    return NULL;
  message = als_signal_message_decode (data, len, NULL);
  if (message == NULL || !is_between_two (message->type))
    return fail (self);
  self->start += HEADER_BYTES + len;
  return g_steal_pointer (&message);
}

GBytes *
als_lan_stream_frame (const AlsSignalMessage *message)
{
  g_autoptr (GBytes) bytes = als_signal_message_encode (message);
  g_auto (AlsWriter) writer = { 0 };
  size_t len;
  const void *data;

  if (bytes == NULL)
    return NULL;
  data = g_bytes_get_data (bytes, &len);
  als_writer_init (&writer, HEADER_BYTES + ALS_LAN_STREAM_MAX);
  als_writer_u32 (&writer, (uint32_t) len);
  als_writer_bytes (&writer, data, len);
  return als_writer_steal (&writer);
}
