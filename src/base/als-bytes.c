/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#include "config.h"

#include "base/als-bytes.h"

#include <string.h>

#define DEFAULT_LIMIT (1024 * 1024)

void
als_reader_init (AlsReader *self, const uint8_t *data, size_t len)
{
  self->data = data;
  self->len = len;
  self->pos = 0;
  self->failed = FALSE;
}

const uint8_t *
als_reader_bytes (AlsReader *self, size_t len)
{
  const uint8_t *at;

  if (self->failed || len > self->len - self->pos)
    {
      self->failed = TRUE;
      return NULL;
    }
  at = self->data + self->pos;
  self->pos += len;
  return at;
}

static uint64_t
read_uint (AlsReader *self, size_t len)
{
  const uint8_t *at = als_reader_bytes (self, len);
  uint64_t value = 0;

  for (size_t i = 0; at != NULL && i < len; i++)
    value = value << 8 | at[i];
  return value;
}

uint8_t
als_reader_u8 (AlsReader *self)
{
  return (uint8_t) read_uint (self, 1);
}

uint16_t
als_reader_u16 (AlsReader *self)
{
  return (uint16_t) read_uint (self, 2);
}

uint32_t
als_reader_u32 (AlsReader *self)
{
  return (uint32_t) read_uint (self, 4);
}

uint64_t
als_reader_u64 (AlsReader *self)
{
  return read_uint (self, 8);
}

void
als_reader_copy (AlsReader *self, uint8_t *out, size_t len)
{
  const uint8_t *at = als_reader_bytes (self, len);

  if (at != NULL)
    memcpy (out, at, len);
  else
    memset (out, 0, len);
}

const uint8_t *
als_reader_blob (AlsReader *self, size_t max_len, size_t *len)
{
  size_t n = als_reader_u16 (self);
  const uint8_t *at;

  if (n > max_len)
    self->failed = TRUE;
  at = als_reader_bytes (self, n);
  *len = at != NULL ? n : 0;
  return at;
}

char *
als_reader_text (AlsReader *self, size_t max_len)
{
  size_t len;
  const char *at = (const char *) als_reader_blob (self, max_len, &len);

  if (at == NULL)
    return NULL;
  if (!g_utf8_validate_len (at, len, NULL))
    {
      self->failed = TRUE;
      return NULL;
    }
  for (const char *p = at; p < at + len; p = g_utf8_next_char (p))
    if (g_unichar_iscntrl (g_utf8_get_char (p)))
      {
        self->failed = TRUE;
        return NULL;
      }
  return g_strndup (at, len);
}

const uint8_t *
als_reader_rest (AlsReader *self, size_t *len)
{
  *len = self->failed ? 0 : self->len - self->pos;
  return als_reader_bytes (self, *len);
}

size_t
als_reader_left (const AlsReader *self)
{
  return self->failed ? 0 : self->len - self->pos;
}

void
als_reader_fail (AlsReader *self)
{
  self->failed = TRUE;
}

gboolean
als_reader_done (const AlsReader *self)
{
  return !self->failed && self->pos == self->len;
}

void
als_writer_init (AlsWriter *self, size_t limit)
{
  self->bytes = g_byte_array_new ();
  self->limit = limit != 0 ? limit : DEFAULT_LIMIT;
  self->failed = FALSE;
}

void
als_writer_clear (AlsWriter *self)
{
  g_clear_pointer (&self->bytes, g_byte_array_unref);
}

void
als_writer_bytes (AlsWriter *self, const void *data, size_t len)
{
  if (self->failed || len > self->limit - self->bytes->len)
    {
      self->failed = TRUE;
      return;
    }
  if (len > 0)
    g_byte_array_append (self->bytes, data, (guint) len);
}

static void
write_uint (AlsWriter *self, uint64_t value, size_t len)
{
  uint8_t out[8];

  for (size_t i = len; i > 0; i--, value >>= 8)
    out[i - 1] = (uint8_t) value;
  als_writer_bytes (self, out, len);
}

void
als_writer_u8 (AlsWriter *self, uint8_t value)
{
  write_uint (self, value, 1);
}

void
als_writer_u16 (AlsWriter *self, uint16_t value)
{
  write_uint (self, value, 2);
}

void
als_writer_u32 (AlsWriter *self, uint32_t value)
{
  write_uint (self, value, 4);
}

void
als_writer_u64 (AlsWriter *self, uint64_t value)
{
  write_uint (self, value, 8);
}

void
als_writer_blob (AlsWriter *self, const void *data, size_t len)
{
  if (len > UINT16_MAX)
    {
      self->failed = TRUE;
      return;
    }
  als_writer_u16 (self, (uint16_t) len);
  als_writer_bytes (self, data, len);
}

void
als_writer_text (AlsWriter *self, const char *text)
{
  als_writer_blob (self, text, text != NULL ? strlen (text) : 0);
}

GBytes *
als_writer_steal (AlsWriter *self)
{
  GByteArray *bytes = g_steal_pointer (&self->bytes);

  if (bytes == NULL)
    return NULL;
  if (self->failed)
    {
      g_byte_array_unref (bytes);
      return NULL;
    }
  return g_byte_array_free_to_bytes (bytes);
}
