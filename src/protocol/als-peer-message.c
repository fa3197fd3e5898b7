/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#include "config.h"

#include "protocol/als-peer-message.h"

#include <string.h>

#include "base/als-bytes.h"

G_DEFINE_QUARK (als-peer-message-error-quark, als_peer_message_error)

static gboolean
has_attempt (AlsPeerMessageType type)
{
  return type == ALS_PEER_PATH || type == ALS_PEER_PATH_FAILED || type == ALS_PEER_PATH_BEGIN;
}

static gboolean
has_payload (AlsPeerMessageType type)
{
  return type == ALS_PEER_PATH || type == ALS_PEER_NETWORK;
}

gboolean
als_peer_message_decode (AlsPeerMessage *self, const uint8_t *data, size_t len, GError **error)
{
  AlsReader reader;

  memset (self, 0, sizeof *self);
  als_reader_init (&reader, data, len);
  self->type = als_reader_u8 (&reader);
  if (self->type < ALS_PEER_PATH || self->type > ALS_PEER_MOVED)
    als_reader_fail (&reader);
  if (has_attempt (self->type))
    {
      self->method = als_reader_u8 (&reader);
      self->attempt = als_reader_u32 (&reader);
    }
  if (self->type == ALS_PEER_PATH_FAILED)
    self->problem = als_reader_u8 (&reader);
  if (has_payload (self->type))
    {
      self->payload = als_reader_rest (&reader, &self->payload_len);
      if (self->payload_len > ALS_PEER_MAX_PAYLOAD)
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

  if (self->payload_len > ALS_PEER_MAX_PAYLOAD)
    return NULL;
  als_writer_init (&writer, ALS_PEER_MAX_MESSAGE);
  als_writer_u8 (&writer, self->type);
  if (has_attempt (self->type))
    {
      als_writer_u8 (&writer, self->method);
      als_writer_u32 (&writer, self->attempt);
    }
  if (self->type == ALS_PEER_PATH_FAILED)
    als_writer_u8 (&writer, self->problem);
  if (has_payload (self->type))
    als_writer_bytes (&writer, self->payload, self->payload_len);
  return als_writer_steal (&writer);
}
