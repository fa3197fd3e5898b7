/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#include "config.h"

#include "protocol/als-peer-message.h"

#include <string.h>

#include "base/als-bytes.h"

G_DEFINE_QUARK (als-peer-message-error-quark, als_peer_message_error)

gboolean
als_peer_message_decode (AlsPeerMessage *self, const uint8_t *data, size_t len, GError **error)
{
  AlsReader reader;

  memset (self, 0, sizeof *self);
  als_reader_init (&reader, data, len);
  self->type = als_reader_u8 (&reader);
  switch (self->type)
    {
    case ALS_PEER_PATH:
      self->kind = als_reader_u8 (&reader);
      self->attempt = als_reader_u32 (&reader);
      self->payload = als_reader_rest (&reader, &self->payload_len);
      if (self->payload_len > ALS_PEER_MAX_PAYLOAD)
        als_reader_fail (&reader);
      break;
    case ALS_PEER_PATH_FAILED:
      self->kind = als_reader_u8 (&reader);
      self->attempt = als_reader_u32 (&reader);
      break;
    case ALS_PEER_BYE:
      break;
    default:
      als_reader_fail (&reader);
    }
  if (als_reader_done (&reader))
    return TRUE;
  g_set_error (error, ALS_PEER_MESSAGE_ERROR, 0, "malformed peer message of %zu bytes", len);
  return FALSE;
}

GBytes *
als_peer_message_encode (const AlsPeerMessage *self)
{
  g_auto (AlsWriter) writer = { 0 };

  als_writer_init (&writer, ALS_PEER_MAX_PAYLOAD + 6);
  als_writer_u8 (&writer, self->type);
  if (self->type != ALS_PEER_BYE)
    {
      als_writer_u8 (&writer, self->kind);
      als_writer_u32 (&writer, self->attempt);
    }
  if (self->type == ALS_PEER_PATH)
    als_writer_bytes (&writer, self->payload, self->payload_len);
  return als_writer_steal (&writer);
}
