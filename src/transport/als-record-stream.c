/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#include "config.h"

#include "transport/als-record-stream.h"

#include "base/als-bytes.h"

void
als_record_stream_init (AlsRecordStream *self, size_t max_bytes)
{
  *self = (AlsRecordStream){ .max_bytes = max_bytes, .partial = g_byte_array_new () };
}

void
als_record_stream_clear (AlsRecordStream *self)
{
  g_clear_pointer (&self->partial, g_byte_array_unref);
}

void
als_record_stream_feed (AlsRecordStream *self, const uint8_t *data, size_t len)
{
  g_return_if_fail (self->input_len == 0);
  self->input = data;
  self->input_len = len;
}

/* The length in the header at DATA; 0: there is no such record. */
static size_t
read_header (AlsRecordStream *self, const uint8_t *data)
{
  AlsReader reader;
  size_t len;

  als_reader_init (&reader, data, ALS_RECORD_HEADER_BYTES);
  len = als_reader_u16 (&reader);
  if (len > self->max_bytes)
    len = 0;
  self->failed |= len == 0;
  return len;
}

/* Moves bytes on until PARTIAL holds WANTED of them. */
static gboolean
complete (AlsRecordStream *self, size_t wanted)
{
  size_t n = MIN (wanted - self->partial->len, self->input_len);

  if (n > 0)
    {
      g_byte_array_append (self->partial, self->input, (guint) n);
      self->input += n;
      self->input_len -= n;
    }
  return self->partial->len == wanted;
}

static const uint8_t *
next_partial (AlsRecordStream *self, size_t *len)
{
  if (self->partial->len < ALS_RECORD_HEADER_BYTES && !complete (self, ALS_RECORD_HEADER_BYTES))
    return NULL;
  *len = read_header (self, self->partial->data);
  if (self->failed || !complete (self, ALS_RECORD_HEADER_BYTES + *len))
    return NULL;
  self->partial_done = TRUE;
  return self->partial->data + ALS_RECORD_HEADER_BYTES;
}

const uint8_t *
als_record_stream_next (AlsRecordStream *self, size_t *len)
{
  const uint8_t *record;

  if (self->partial_done)
    {
      g_byte_array_set_size (self->partial, 0);
      self->partial_done = FALSE;
    }
  *len = 0;
  if (self->failed)
    {
      self->input_len = 0;
      return NULL;
    }
  if (self->partial->len == 0 && self->input_len >= ALS_RECORD_HEADER_BYTES)
    {
      *len = read_header (self, self->input);
      if (!self->failed && self->input_len - ALS_RECORD_HEADER_BYTES >= *len)
        {
          record = self->input + ALS_RECORD_HEADER_BYTES;
          self->input += ALS_RECORD_HEADER_BYTES + *len;
          self->input_len -= ALS_RECORD_HEADER_BYTES + *len;
          return record;
        }
    }
  record = self->failed ? NULL : next_partial (self, len);
  if (self->failed)
    self->input_len = 0;
  if (record == NULL)
    *len = 0;
  return record;
}

void
als_record_write_header (uint8_t *out, size_t len)
{
  out[0] = (uint8_t) (len >> 8);
  out[1] = (uint8_t) len;
}
