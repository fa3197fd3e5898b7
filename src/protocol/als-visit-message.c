/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#include "config.h"

#include "protocol/als-visit-message.h"

#include <string.h>

#include "base/als-bytes.h"

#define MAX_PERMISSION 2

G_DEFINE_QUARK (als-visit-message-error-quark, als_visit_message_error)

void
als_visit_message_clear (AlsVisitMessage *self)
{
  g_clear_pointer (&self->name, g_free);
}

gboolean
als_visit_message_decode (AlsVisitMessage *self, const uint8_t *data, size_t len, GError **error)
{
  AlsReader reader;

  memset (self, 0, sizeof *self);
  als_reader_init (&reader, data, len);
  if (len > ALS_VISIT_MAX_MESSAGE)
    als_reader_fail (&reader);
  self->type = als_reader_u8 (&reader);
  switch (self->type)
    {
    case ALS_VISIT_MESSAGE_HELLO:
      self->version = als_reader_u16 (&reader);
      self->name = als_reader_text (&reader, ALS_VISIT_MAX_NAME);
      break;
    case ALS_VISIT_MESSAGE_CONSENT:
      self->permission = als_reader_u8 (&reader);
      if (self->permission > MAX_PERMISSION)
        als_reader_fail (&reader);
      break;
    case ALS_VISIT_MESSAGE_PEER:
      self->peer = als_reader_rest (&reader, &self->peer_len);
      break;
    default:
      als_reader_fail (&reader);
    }
  if (als_reader_done (&reader))
    return TRUE;
  als_visit_message_clear (self);
  g_set_error (error, ALS_VISIT_MESSAGE_ERROR, 0, "malformed visit message of %zu bytes", len);
  return FALSE;
}

GBytes *
als_visit_message_encode (const AlsVisitMessage *self)
{
  g_auto (AlsWriter) body = { 0 };
  g_auto (AlsWriter) whole = { 0 };
  g_autoptr (GBytes) bytes = NULL;

  als_writer_init (&body, ALS_VISIT_MAX_MESSAGE);
  als_writer_u8 (&body, self->type);
  if (self->type == ALS_VISIT_MESSAGE_HELLO)
    {
      const char *name = self->name != NULL ? self->name : "";
      const char *end = name + MIN (strlen (name), ALS_VISIT_MAX_NAME);

      while (end > name && (*end & 0xc0) == 0x80)
        end--;
      als_writer_u16 (&body, self->version);
      als_writer_blob (&body, name, (size_t) (end - name));
    }
  else if (self->type == ALS_VISIT_MESSAGE_CONSENT)
    als_writer_u8 (&body, self->permission);
  else
    als_writer_bytes (&body, self->peer, self->peer_len);
  bytes = als_writer_steal (&body);
  if (bytes == NULL)
    return NULL;
  als_writer_init (&whole, ALS_VISIT_MAX_MESSAGE + 2);
  als_writer_blob (&whole, g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes));
  return als_writer_steal (&whole);
}
