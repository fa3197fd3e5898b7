/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Bounds-checked reading and writing of bytes in network order.
 *
 * Everything from outside is read through AlsReader and everything to it is
 * written through AlsWriter. The first failure sticks; later calls return
 * zero or NULL; the caller asks once at the end. Neither is thread-safe. */

#pragma once

#include <glib.h>
#include <stdint.h>

G_BEGIN_DECLS

typedef struct
{
  const uint8_t *data; /* borrowed */
  size_t len;
  size_t pos;
  gboolean failed;
} AlsReader;

void           als_reader_init      (AlsReader *self, const uint8_t *data, size_t len);
uint8_t        als_reader_u8        (AlsReader *self);
uint16_t       als_reader_u16       (AlsReader *self);
uint32_t       als_reader_u32       (AlsReader *self);
uint64_t       als_reader_u64       (AlsReader *self);
/* (transfer none) (nullable): LEN bytes inside the input. */
const uint8_t *als_reader_bytes     (AlsReader *self, size_t len);
/* Copies LEN bytes to OUT; OUT is zeroed on failure. */
void           als_reader_copy      (AlsReader *self, uint8_t *out, size_t len);
/* A 16-bit length, then that many bytes, MAX_LEN at the most. */
const uint8_t *als_reader_blob      (AlsReader *self, size_t max_len, size_t *len);
/* The same as valid UTF-8 without NUL or control characters. (transfer full) (nullable) */
char          *als_reader_text      (AlsReader *self, size_t max_len);
/* What is left, perhaps nothing. */
const uint8_t *als_reader_rest      (AlsReader *self, size_t *len);
size_t         als_reader_left      (const AlsReader *self);
void           als_reader_fail      (AlsReader *self);
/* TRUE when nothing failed and nothing is left over. */
gboolean       als_reader_done      (const AlsReader *self);

typedef struct
{
  GByteArray *bytes;
  size_t limit;    /* no more than this many bytes may be written */
  gboolean failed;
} AlsWriter;

/* LIMIT: bytes; 0 means 1 MiB. */
void    als_writer_init  (AlsWriter *self, size_t limit);
void    als_writer_clear (AlsWriter *self);
void    als_writer_u8    (AlsWriter *self, uint8_t value);
void    als_writer_u16   (AlsWriter *self, uint16_t value);
void    als_writer_u32   (AlsWriter *self, uint32_t value);
void    als_writer_u64   (AlsWriter *self, uint64_t value);
void    als_writer_bytes (AlsWriter *self, const void *data, size_t len);
void    als_writer_blob  (AlsWriter *self, const void *data, size_t len);
void    als_writer_text  (AlsWriter *self, const char *text);
/* (transfer full) (nullable): NULL if anything failed; empties the writer either way. */
GBytes *als_writer_steal (AlsWriter *self);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (AlsWriter, als_writer_clear)

G_END_DECLS
