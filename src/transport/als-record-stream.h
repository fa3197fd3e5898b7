/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Records over a byte stream: a 16-bit length before each. This is the way back
 * from bytes, however they were cut, to records. The first error sticks. Pure. */

#pragma once

#include <glib.h>
#include <stdint.h>

G_BEGIN_DECLS

#define ALS_RECORD_HEADER_BYTES 2

typedef struct
{
  size_t max_bytes;      /* longest record taken now; the owner may change it */
  const uint8_t *input;  /* borrowed: what is left of the last feed */
  size_t input_len;
  GByteArray *partial;   /* a record, its header too, that was cut */
  gboolean partial_done; /* the last record given lies there */
  gboolean failed;
} AlsRecordStream;

void           als_record_stream_init  (AlsRecordStream *self, size_t max_bytes);
void           als_record_stream_clear (AlsRecordStream *self);
/* DATA has to stay until als_record_stream_next () gave NULL, after which nothing of it is used. */
void           als_record_stream_feed  (AlsRecordStream *self, const uint8_t *data, size_t len);
/* The next whole record, valid until the next call here. NULL: none, or SELF has failed. */
const uint8_t *als_record_stream_next  (AlsRecordStream *self, size_t *len);
void           als_record_write_header (uint8_t *out, size_t len);

G_END_DECLS
