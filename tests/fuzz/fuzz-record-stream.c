/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* A stream of records in pieces, each a byte of length in front: what comes out is
 * the same as from the stream in one piece, and nothing is longer than allowed. */

#include "base/als-bytes.h"
#include "transport/als-record-stream.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

#define MAX_BYTES 300

static void
feed (AlsRecordStream *stream, const uint8_t *data, size_t len, GByteArray *out)
{
  const uint8_t *record;
  size_t record_len;

  als_record_stream_feed (stream, data, len);
  while ((record = als_record_stream_next (stream, &record_len)) != NULL)
    {
      uint8_t head[ALS_RECORD_HEADER_BYTES];

      g_assert_cmpuint (record_len, >, 0);
      g_assert_cmpuint (record_len, <=, MAX_BYTES);
      als_record_write_header (head, record_len);
      g_byte_array_append (out, head, sizeof head);
      g_byte_array_append (out, record, (guint) record_len);
    }
  g_assert_cmpuint (stream->partial->len, <=, ALS_RECORD_HEADER_BYTES + MAX_BYTES);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autoptr (GByteArray) whole = g_byte_array_new ();
  g_autoptr (GByteArray) cut = g_byte_array_new (), uncut = g_byte_array_new ();
  AlsRecordStream pieces, one;
  AlsReader reader;

  als_record_stream_init (&pieces, MAX_BYTES);
  als_record_stream_init (&one, MAX_BYTES);
  als_reader_init (&reader, data, size);
  while (als_reader_left (&reader) > 0)
    {
      size_t wanted = als_reader_u8 (&reader);
      size_t len = MIN (wanted, als_reader_left (&reader));
      const uint8_t *piece = als_reader_bytes (&reader, len);

      if (len == 0)
        continue;
      g_byte_array_append (whole, piece, (guint) len);
      feed (&pieces, piece, len, cut);
    }
  feed (&one, whole->data, whole->len, uncut);
  g_assert_cmpint (pieces.failed, ==, one.failed);
  g_assert_cmpmem (cut->data, cut->len, uncut->data, uncut->len);
  /* What came out is what went in, up to the first error or the last whole record. */
  g_assert_cmpuint (uncut->len, <=, whole->len);
  if (uncut->len > 0)
    g_assert_cmpmem (uncut->data, uncut->len, whole->data, uncut->len);
  als_record_stream_clear (&pieces);
  als_record_stream_clear (&one);
  return 0;
}
