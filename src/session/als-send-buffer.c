/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#include "config.h"

#include "session/als-send-buffer.h"

#include <string.h>

#define BLOCK_BYTES (16 * 1024)

typedef struct
{
  uint64_t start, end;
  guint owner;
} Span;

#define SPAN(self, i) (&g_array_index ((self)->spans, Span, (i)))

void
als_send_buffer_init (AlsSendBuffer *self)
{
  *self = (AlsSendBuffer){ 0 };
  self->blocks = g_ptr_array_new_with_free_func (g_free);
  self->spans = g_array_new (FALSE, FALSE, sizeof (Span));
}

void
als_send_buffer_clear (AlsSendBuffer *self)
{
  g_clear_pointer (&self->blocks, g_ptr_array_unref);
  g_clear_pointer (&self->spans, g_array_unref);
}

void
als_send_buffer_append (AlsSendBuffer *self, const uint8_t *data, size_t len)
{
  while (len > 0)
    {
      uint64_t block = self->written / BLOCK_BYTES;
      size_t within = self->written % BLOCK_BYTES;
      size_t n = MIN (len, BLOCK_BYTES - within);

      if (self->blocks->len == 0)
        self->first_block = block;
      if (block - self->first_block == self->blocks->len)
        g_ptr_array_add (self->blocks, g_malloc (BLOCK_BYTES));
      memcpy ((uint8_t *) g_ptr_array_index (self->blocks, block - self->first_block) + within,
              data, n);
      self->written += n;
      data += n;
      len -= n;
    }
}

void
als_send_buffer_ack (AlsSendBuffer *self, uint64_t offset)
{
  guint n_gone = 0, n_blocks;

  g_assert (offset <= self->sent);
  if (offset <= self->acked)
    return;
  self->acked = offset;
  while (n_gone < self->spans->len && SPAN (self, n_gone)->end <= offset)
    n_gone++;
  if (n_gone > 0)
    g_array_remove_range (self->spans, 0, n_gone);
  if (self->spans->len > 0)
    SPAN (self, 0)->start = offset;

  n_blocks = self->blocks->len;
  if (offset < self->written)
    n_blocks = MIN (n_blocks, (guint) (offset / BLOCK_BYTES - self->first_block));
  if (n_blocks > 0)
    {
      g_ptr_array_remove_range (self->blocks, 0, n_blocks);
      self->first_block += n_blocks;
    }
}

uint64_t
als_send_buffer_peek_lost (const AlsSendBuffer *self, uint64_t *offset)
{
  for (guint i = 0; i < self->spans->len; i++)
    if (SPAN (self, i)->owner == ALS_NO_OWNER)
      {
        *offset = SPAN (self, i)->start;
        return SPAN (self, i)->end - SPAN (self, i)->start;
      }
  return 0;
}

void
als_send_buffer_copy (const AlsSendBuffer *self, uint64_t offset, size_t len, AlsWriter *writer)
{
  g_assert (offset >= self->acked && len <= self->written - offset);
  while (len > 0)
    {
      size_t within = offset % BLOCK_BYTES;
      size_t n = MIN (len, BLOCK_BYTES - within);
      const uint8_t *block
          = g_ptr_array_index (self->blocks, offset / BLOCK_BYTES - self->first_block);

      als_writer_bytes (writer, block + within, n);
      offset += n;
      len -= n;
    }
}

/* Joins span I with the one before it, if they are alike. */
static void
join (AlsSendBuffer *self, guint i)
{
  if (i > 0 && i < self->spans->len && SPAN (self, i - 1)->owner == SPAN (self, i)->owner)
    {
      SPAN (self, i - 1)->end = SPAN (self, i)->end;
      g_array_remove_index (self->spans, i);
    }
}

void
als_send_buffer_mark_sent (AlsSendBuffer *self, uint64_t offset, size_t len, guint owner)
{
  Span span = { offset, offset + len, owner };
  guint i;

  g_assert (len > 0);
  if (offset == self->sent)
    {
      g_assert (span.end <= self->written);
      self->sent = span.end;
      g_array_append_val (self->spans, span);
      join (self, self->spans->len - 1);
      return;
    }
  for (i = 0; i < self->spans->len && SPAN (self, i)->start != offset; i++)
    ;
  g_assert (i < self->spans->len && SPAN (self, i)->owner == ALS_NO_OWNER
            && span.end <= SPAN (self, i)->end);
  if (span.end == SPAN (self, i)->end)
    {
      SPAN (self, i)->owner = owner;
      join (self, i + 1);
    }
  else
    {
      SPAN (self, i)->start = span.end;
      g_array_insert_val (self->spans, i, span);
    }
  join (self, i);
}

gboolean
als_send_buffer_lose (AlsSendBuffer *self, guint owner)
{
  gboolean any = FALSE;

  for (guint i = 0; i < self->spans->len; i++)
    if (SPAN (self, i)->owner == owner)
      {
        SPAN (self, i)->owner = ALS_NO_OWNER;
        any = TRUE;
      }
  for (guint i = self->spans->len; any && i > 1; i--)
    join (self, i - 1);
  return any;
}

gboolean
als_send_buffer_has_owner (const AlsSendBuffer *self, guint owner)
{
  for (guint i = 0; i < self->spans->len; i++)
    if (SPAN (self, i)->owner == owner)
      return TRUE;
  return FALSE;
}
