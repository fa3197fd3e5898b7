/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#include "config.h"

#include "session/als-receive-buffer.h"

typedef struct
{
  uint64_t start;
  GByteArray *bytes; /* owned; NULL once taken */
} Run;

#define RUN(self, i) ((Run *) g_ptr_array_index ((self)->runs, (i)))

static void
run_free (gpointer data)
{
  Run *run = data;

  g_clear_pointer (&run->bytes, g_byte_array_unref);
  g_free (run);
}

static uint64_t
run_end (const Run *run)
{
  return run->start + run->bytes->len;
}

void
als_receive_buffer_init (AlsReceiveBuffer *self)
{
  *self = (AlsReceiveBuffer){ 0 };
  self->runs = g_ptr_array_new_with_free_func (run_free);
}

void
als_receive_buffer_clear (AlsReceiveBuffer *self)
{
  g_clear_pointer (&self->runs, g_ptr_array_unref);
  self->stored_bytes = 0;
}

gboolean
als_receive_buffer_store (AlsReceiveBuffer *self, uint64_t offset, const uint8_t *data, size_t len)
{
  uint64_t end = offset + len;
  guint i = 0;

  if (offset < self->delivered)
    {
      data += MIN (self->delivered - offset, len);
      offset = MIN (self->delivered, end);
    }
  while (offset < end)
    {
      uint64_t until = end;
      size_t n;

      /* The first run that ends beyond OFFSET: nothing before it is touched. */
      while (i < self->runs->len && run_end (RUN (self, i)) <= offset)
        i++;
      if (i < self->runs->len && RUN (self, i)->start <= offset)
        {
          n = MIN (end, run_end (RUN (self, i))) - offset;
          data += n;
          offset += n;
          continue;
        }
      if (i < self->runs->len)
        until = MIN (end, RUN (self, i)->start);
      n = until - offset;
      if (i > 0 && run_end (RUN (self, i - 1)) == offset)
        g_byte_array_append (RUN (self, i - 1)->bytes, data, (guint) n);
      else
        {
          Run *run;

          if (self->runs->len >= ALS_RECEIVE_MAX_RUNS)
            return FALSE;
          run = g_new (Run, 1);
          run->start = offset;
          run->bytes = g_byte_array_new ();
          g_byte_array_append (run->bytes, data, (guint) n);
          g_ptr_array_insert (self->runs, (gint) i, run);
        }
      self->stored_bytes += n;
      data += n;
      offset += n;
    }
  return TRUE;
}

GByteArray *
als_receive_buffer_take (AlsReceiveBuffer *self, size_t *skip)
{
  while (self->runs->len > 0 && RUN (self, 0)->start <= self->delivered)
    {
      Run *run = RUN (self, 0);
      GByteArray *bytes = NULL;

      self->stored_bytes -= run->bytes->len;
      if (run_end (run) > self->delivered)
        {
          *skip = self->delivered - run->start;
          bytes = g_steal_pointer (&run->bytes);
        }
      g_ptr_array_remove_index (self->runs, 0);
      if (bytes != NULL)
        return bytes;
    }
  return NULL;
}

uint64_t
als_receive_buffer_get_end (const AlsReceiveBuffer *self)
{
  if (self->runs->len > 0)
    return MAX (self->delivered, run_end (RUN (self, self->runs->len - 1)));
  return self->delivered;
}
