/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#define G_LOG_DOMAIN "als-stun"

#include "config.h"

#include "stun/als-stun-stream.h"

#include <string.h>

struct _AlsStunStream
{
  GByteArray *bytes; /* not yet a message */
  size_t pos;        /* what came before has been given out */
  GError *error;     /* (nullable): sticks */
};

AlsStunStream *
als_stun_stream_new (void)
{
  AlsStunStream *self = g_new0 (AlsStunStream, 1);

  self->bytes = g_byte_array_new ();
  return self;
}

void
als_stun_stream_free (AlsStunStream *self)
{
  if (self == NULL)
    return;
  g_byte_array_unref (self->bytes);
  g_clear_error (&self->error);
  g_free (self);
}

void
als_stun_stream_feed (AlsStunStream *self, const uint8_t *data, size_t len)
{
  if (self->error != NULL || len == 0)
    return;
  if (self->pos > 0)
    {
      g_byte_array_remove_range (self->bytes, 0, (guint) self->pos);
      self->pos = 0;
    }
  g_byte_array_append (self->bytes, data, (guint) len);
}

static const char *
name_garbage (const uint8_t *bytes)
{
  if (bytes[0] >= 0x14 && bytes[0] <= 0x17)
    return "this looks like TLS, not STUN";
  if (bytes[0] >= 0x40 && bytes[0] <= 0x4f)
    return bytes[0] == 'H' ? "this looks like HTTP, not STUN" : "this looks like TURN channel data";
  return "this is not STUN";
}

/* Every byte of a header that has come is checked at once: nobody waits for the
 * rest of what cannot be a message. */
static gboolean
check_header (const uint8_t *bytes, size_t len, GError **error)
{
  static const uint8_t cookie[4] = { ALS_STUN_MAGIC_COOKIE >> 24, ALS_STUN_MAGIC_COOKIE >> 16 & 0xff,
                                     ALS_STUN_MAGIC_COOKIE >> 8 & 0xff,
                                     ALS_STUN_MAGIC_COOKIE & 0xff };
  size_t n_cookie = len > 4 ? MIN (len - 4, sizeof cookie) : 0;

  if ((len > 0 && bytes[0] & 0xc0) || memcmp (bytes + (n_cookie > 0 ? 4 : 0), cookie, n_cookie) != 0)
    {
      g_set_error_literal (error, ALS_STUN_ERROR, ALS_STUN_ERROR_NOT_STUN, name_garbage (bytes));
      return FALSE;
    }
  if (len >= 4 && ALS_STUN_HEADER_BYTES + (bytes[2] << 8 | bytes[3]) > ALS_STUN_MAX_MESSAGE_BYTES)
    {
      /* With the cookie it is a large message; before it has come, most likely garbage. */
      g_set_error_literal (error, ALS_STUN_ERROR, ALS_STUN_ERROR_TOO_LARGE,
                           bytes[0] >= 0x14 ? name_garbage (bytes) : "the message is too large");
      return FALSE;
    }
  return TRUE;
}

AlsStunMessage *
als_stun_stream_next (AlsStunStream *self, GError **error)
{
  size_t len = self->bytes->len - self->pos, whole;
  const uint8_t *bytes = len > 0 ? self->bytes->data + self->pos : NULL;
  AlsStunMessage *message;

  if (self->error == NULL && len > 0 && check_header (bytes, len, &self->error))
    {
      if (len < ALS_STUN_HEADER_BYTES)
        return NULL;
      whole = ALS_STUN_HEADER_BYTES + (size_t) (bytes[2] << 8 | bytes[3]);
      if (len < whole)
        return NULL;
      message = als_stun_message_decode (bytes, whole, &self->error);
      if (message != NULL)
        {
          self->pos += whole;
          return message;
        }
    }
  if (self->error != NULL && error != NULL)
    *error = g_error_copy (self->error);
  return NULL;
}

GBytes *
als_stun_stream_take_rest (AlsStunStream *self)
{
  size_t len = self->bytes->len - self->pos;
  GBytes *rest = len > 0 ? g_bytes_new (self->bytes->data + self->pos, len) : NULL;

  g_byte_array_set_size (self->bytes, 0);
  self->pos = 0;
  return rest;
}
