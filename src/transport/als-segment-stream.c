/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#include "config.h"

#include "transport/als-segment-stream.h"

#include <string.h>

#define RING_MIN (16 * 1024)
/* A peer may leave so many holes. */
#define MAX_HELD_RANGES 4096

static void
ring_write (AlsRing *ring, uint64_t offset, const uint8_t *data, size_t len)
{
  size_t at = offset & (ring->capacity - 1);
  size_t first = MIN (len, ring->capacity - at);

  memcpy (ring->data + at, data, first);
  memcpy (ring->data, data + first, len - first);
}

static void
ring_read (const AlsRing *ring, uint64_t offset, uint8_t *out, size_t len)
{
  size_t at = offset & (ring->capacity - 1);
  size_t first = MIN (len, ring->capacity - at);

  memcpy (out, ring->data + at, first);
  memcpy (out + first, ring->data, len - first);
}

/* Makes room for [START, END), of which [START, KEEP) is kept. */
static gboolean
ring_reserve (AlsRing *ring, uint64_t start, uint64_t keep, uint64_t end)
{
  AlsRing old = *ring;
  size_t capacity = MAX (ring->capacity, RING_MIN);

  if (end - start <= ring->capacity)
    return TRUE;
  if (end - start > ring->max_capacity)
    return FALSE;
  while (capacity < end - start)
    capacity *= 2;
  ring->data = g_malloc (capacity);
  ring->capacity = capacity;
  if (old.capacity > 0)
    {
      while (start < keep)
        {
          size_t at = start & (old.capacity - 1);
          size_t len = (size_t) MIN (keep - start, (uint64_t) (old.capacity - at));

          ring_write (ring, start, old.data + at, len);
          start += len;
        }
    }
  g_free (old.data);
  return TRUE;
}

void
als_stream_sender_init (AlsStreamSender *self, uint64_t window, size_t max_bytes)
{
  *self = (AlsStreamSender){ .window = window, .ring.max_capacity = max_bytes };
}

void
als_stream_sender_clear (AlsStreamSender *self)
{
  g_clear_pointer (&self->ring.data, g_free);
  als_ranges_clear (&self->acked);
  als_ranges_clear (&self->lost);
}

gboolean
als_stream_sender_append (AlsStreamSender *self, const uint8_t *data, size_t len)
{
  if (!ring_reserve (&self->ring, self->acked_to, self->end, self->end + len))
    return FALSE;
  ring_write (&self->ring, self->end, data, len);
  self->end += len;
  return TRUE;
}

uint64_t
als_stream_sender_unsent (const AlsStreamSender *self)
{
  return self->end - self->sent_to + als_ranges_size (&self->lost);
}

gboolean
als_stream_sender_ready (const AlsStreamSender *self)
{
  return self->lost.n > 0
         || (self->sent_to < self->end && self->sent_to < self->acked_to + self->window);
}

size_t
als_stream_sender_next (AlsStreamSender *self, size_t max, uint64_t *offset)
{
  size_t len;

  if (self->lost.n > 0)
    {
      AlsRange range = self->lost.ranges[0];

      len = (size_t) MIN (range.end - range.start, (uint64_t) max);
      *offset = range.start;
      als_ranges_remove (&self->lost, range.start, range.start + len);
      return len;
    }
  len = (size_t) MIN (MIN (self->end, self->acked_to + self->window) - self->sent_to,
                      (uint64_t) max);
  *offset = self->sent_to;
  self->sent_to += len;
  return len;
}

void
als_stream_sender_copy (const AlsStreamSender *self, uint64_t offset, size_t len, uint8_t *out)
{
  g_assert (offset >= self->acked_to && offset + len <= self->end);
  ring_read (&self->ring, offset, out, len);
}

uint64_t
als_stream_sender_acked (AlsStreamSender *self, uint64_t offset, size_t len)
{
  uint64_t start = MAX (offset, self->acked_to), end = offset + len, news = 0;

  if (start >= end)
    return 0;
  if (self->lost.n > 0)
    als_ranges_remove (&self->lost, start, end);
  if (self->acked.n == 0 && start == self->acked_to)
    {
      self->acked_to = end;
      return end - start;
    }
  for (uint64_t from = start, to = end; als_ranges_first_gap (&self->acked, &from, &to);
       from = to, to = end)
    news += to - from;
  als_ranges_add (&self->acked, start, end);
  if (self->acked.ranges[0].start == self->acked_to)
    {
      self->acked_to = self->acked.ranges[0].end;
      als_ranges_remove (&self->acked, 0, self->acked_to);
    }
  return news;
}

uint64_t
als_stream_sender_lost (AlsStreamSender *self, uint64_t offset, size_t len)
{
  uint64_t end = offset + len, news = 0;

  for (uint64_t from = MAX (offset, self->acked_to), to = end;
       from < end && als_ranges_first_gap (&self->acked, &from, &to); from = to, to = end)
    {
      als_ranges_add (&self->lost, from, to);
      news += to - from;
    }
  return news;
}

void
als_stream_receiver_init (AlsStreamReceiver *self, uint64_t window)
{
  *self = (AlsStreamReceiver){ .window = window, .ring.max_capacity = window };
}

void
als_stream_receiver_clear (AlsStreamReceiver *self)
{
  g_clear_pointer (&self->ring.data, g_free);
  als_ranges_clear (&self->held);
}

uint64_t
als_stream_receiver_expand (const AlsStreamReceiver *self, uint32_t offset)
{
  int32_t distance = (int32_t) (offset - (uint32_t) self->next);

  if (distance < 0 && (uint64_t) -(int64_t) distance > self->next)
    return offset;
  return self->next + (uint64_t) (int64_t) distance;
}

gboolean
als_stream_receiver_allows (const AlsStreamReceiver *self, uint64_t offset, size_t len)
{
  return offset + len <= self->next + self->window;
}

gboolean
als_stream_receiver_put (AlsStreamReceiver *self, uint64_t offset, const uint8_t *data, size_t len,
                         AlsStreamFunc func, gpointer user_data)
{
  uint64_t end = offset + len;

  if (end <= self->next)
    return TRUE;
  if (offset > self->next)
    {
      uint64_t keep = self->held.n > 0 ? self->held.ranges[self->held.n - 1].end : self->next;

      if (self->held.n >= MAX_HELD_RANGES)
        return FALSE;
      g_return_val_if_fail (ring_reserve (&self->ring, self->next, keep, end), FALSE);
      ring_write (&self->ring, offset, data, len);
      als_ranges_add (&self->held, offset, end);
      return TRUE;
    }
  data += self->next - offset;
  len = (size_t) (end - self->next);
  self->next = end;
  func (data, len, user_data);
  /* What was held may have become the next, in part or whole. */
  while (self->held.n > 0 && self->held.ranges[0].start <= self->next)
    {
      uint64_t held_end = self->held.ranges[0].end;

      while (self->next < held_end)
        {
          size_t at = self->next & (self->ring.capacity - 1);

          len = (size_t) MIN (held_end - self->next, (uint64_t) (self->ring.capacity - at));
          self->next += len;
          func (self->ring.data + at, len, user_data);
        }
      als_ranges_remove (&self->held, 0, self->next);
    }
  return TRUE;
}
