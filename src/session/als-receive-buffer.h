/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* What came too early in one direction of a channel: runs of bytes beyond the
 * first gap. Bytes in order need not pass through here. Pure. */

#pragma once

#include <glib.h>
#include <stdint.h>

G_BEGIN_DECLS

/* Gaps are made by changes of the path only; nobody has more of them at once. */
#define ALS_RECEIVE_MAX_RUNS 256

typedef struct
{
  uint64_t delivered;  /* bytes in order so far; its owner moves it on */
  GPtrArray *runs;     /* in order, beyond DELIVERED, not overlapping */
  size_t stored_bytes;
} AlsReceiveBuffer;

void     als_receive_buffer_init  (AlsReceiveBuffer *self);
void     als_receive_buffer_clear (AlsReceiveBuffer *self);
/* Keeps what is neither delivered nor here yet. FALSE: more gaps than an honest peer makes. */
gboolean als_receive_buffer_store (AlsReceiveBuffer *self, uint64_t offset, const uint8_t *data,
                                   size_t len);
/* The run that holds the byte at DELIVERED, taken out; *SKIP of its bytes are older.
 * (transfer full) (nullable) */
GByteArray *als_receive_buffer_take (AlsReceiveBuffer *self, size_t *skip);
/* Offset after the last byte that came, in order or not. */
uint64_t als_receive_buffer_get_end (const AlsReceiveBuffer *self);

G_END_DECLS
