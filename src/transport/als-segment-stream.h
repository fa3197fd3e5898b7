/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* The two halves of one lane's byte stream below pseudo-TCP: the sender keeps
 * bytes until they are acknowledged and knows which are to be sent again; the
 * receiver puts them in order. Each lane has its own, so a hole in one holds
 * no other back. Pure. */

#pragma once

#include "transport/als-ranges.h"

G_BEGIN_DECLS

typedef struct
{
  uint8_t *data;     /* a ring: the byte at offset O is data[O & (capacity - 1)] */
  size_t capacity;   /* a power of two, or 0 */
  size_t max_capacity;
} AlsRing;

typedef struct
{
  AlsRing ring;
  uint64_t acked_to; /* everything before is acknowledged */
  uint64_t sent_to;
  uint64_t end;
  uint64_t window;   /* how far sent_to may be ahead of acked_to */
  AlsRanges acked;   /* beyond acked_to */
  AlsRanges lost;    /* to be sent again */
} AlsStreamSender;

typedef void (*AlsStreamFunc) (const uint8_t *data, size_t len, gpointer user_data);

typedef struct
{
  AlsRing ring;
  uint64_t next;     /* everything before was delivered */
  uint64_t window;   /* how far beyond `next` a byte may lie */
  AlsRanges held;
} AlsStreamReceiver;

/* WINDOW and MAX_BYTES are powers of two. */
void     als_stream_sender_init     (AlsStreamSender *self, uint64_t window, size_t max_bytes);
void     als_stream_sender_clear    (AlsStreamSender *self);
/* FALSE, and nothing taken: over MAX_BYTES would be kept. */
gboolean als_stream_sender_append   (AlsStreamSender *self, const uint8_t *data, size_t len);
/* Bytes never sent, or lost. */
uint64_t als_stream_sender_unsent   (const AlsStreamSender *self);
/* Whether something may go now. */
gboolean als_stream_sender_ready    (const AlsStreamSender *self);
/* Chooses what goes next, lost bytes first, at most MAX bytes; 0: nothing may go. */
size_t   als_stream_sender_next     (AlsStreamSender *self, size_t max, uint64_t *offset);
void     als_stream_sender_copy     (const AlsStreamSender *self, uint64_t offset, size_t len,
                                     uint8_t *out);
/* Both return how many bytes are news. */
uint64_t als_stream_sender_acked    (AlsStreamSender *self, uint64_t offset, size_t len);
uint64_t als_stream_sender_lost     (AlsStreamSender *self, uint64_t offset, size_t len);

void     als_stream_receiver_init   (AlsStreamReceiver *self, uint64_t window);
void     als_stream_receiver_clear  (AlsStreamReceiver *self);
/* OFFSET from its low 32 bits. */
uint64_t als_stream_receiver_expand (const AlsStreamReceiver *self, uint32_t offset);
/* FALSE: beyond the window. */
gboolean als_stream_receiver_allows (const AlsStreamReceiver *self, uint64_t offset, size_t len);
/* FUNC gets what is in order now. FALSE: too many holes, nothing taken. */
gboolean als_stream_receiver_put    (AlsStreamReceiver *self, uint64_t offset, const uint8_t *data,
                                     size_t len, AlsStreamFunc func, gpointer user_data);

G_END_DECLS
