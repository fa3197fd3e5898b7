/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Packets in flight stand in a heap by the time they are due; their buffers come from a
 * pool that only grows. */

#define G_LOG_DOMAIN "netlab"
#include "config.h"

#include "netlab-line.h"

#include <string.h>

#define BUFFER_BYTES 2048
#define MAX_IN_FLIGHT 65536

typedef struct
{
  int64_t due_ns;
  guint64 number;   /* first come, first served among equals */
  guint8 *packet;
  size_t  n_bytes;
} InFlight;

struct _NetlabLine
{
  NetlabLineConfig config;
  NetlabLineStats stats;
  GRand *random;
  GArray *heap;          /* of InFlight */
  GPtrArray *pool;       /* buffers nobody uses */
  guint64 n_pushed;
  int64_t free_ns;       /* when the last byte so far will have left the sender */
  int64_t last_due_ns;
  gboolean in_burst;
};

NetlabLine *
netlab_line_new (guint32 seed)
{
  NetlabLine *self = g_new0 (NetlabLine, 1);

  self->random = g_rand_new_with_seed (seed);
  self->heap = g_array_new (FALSE, FALSE, sizeof (InFlight));
  self->pool = g_ptr_array_new_with_free_func (g_free);
  self->config.burst_packets = 1;
  self->config.queue_ms = 100;
  return self;
}

void
netlab_line_free (NetlabLine *self)
{
  for (guint i = 0; i < self->heap->len; i++)
    g_free (g_array_index (self->heap, InFlight, i).packet);
  g_array_unref (self->heap);
  g_ptr_array_unref (self->pool);
  g_rand_free (self->random);
  g_free (self);
}

NetlabLineConfig *
netlab_line_get_config (NetlabLine *self)
{
  return &self->config;
}

const NetlabLineStats *
netlab_line_get_stats (NetlabLine *self)
{
  return &self->stats;
}

static gboolean
is_before (const InFlight *a, const InFlight *b)
{
  return a->due_ns != b->due_ns ? a->due_ns < b->due_ns : a->number < b->number;
}

static void
heap_push (GArray *heap, const InFlight *item)
{
  InFlight *items;
  guint i = heap->len;

  g_array_append_vals (heap, item, 1);
  items = (InFlight *) (gpointer) heap->data;
  while (i > 0 && is_before (item, &items[(i - 1) / 2]))
    {
      items[i] = items[(i - 1) / 2];
      i = (i - 1) / 2;
    }
  items[i] = *item;
}

static InFlight
heap_pop (GArray *heap)
{
  InFlight *items = (InFlight *) (gpointer) heap->data;
  InFlight first = items[0];
  InFlight last = items[heap->len - 1];
  guint n = heap->len - 1;
  guint i = 0;

  g_array_set_size (heap, n);
  while (2 * i + 1 < n)
    {
      guint child = 2 * i + 1;

      if (child + 1 < n && is_before (&items[child + 1], &items[child]))
        child++;
      if (!is_before (&items[child], &last))
        break;
      items[i] = items[child];
      i = child;
    }
  if (n > 0)
    items[i] = last;
  return first;
}

/* Losses in bursts of a given mean length: two states, each left by chance. */
static gboolean
is_lost (NetlabLine *self)
{
  double loss = self->config.loss_percent / 100;
  double burst = MAX (1, self->config.burst_packets);

  if (loss <= 0)
    return FALSE;
  if (burst == 1 || loss >= 1)
    return g_rand_double (self->random) < loss;
  if (self->in_burst)
    self->in_burst = g_rand_double (self->random) >= 1 / burst;
  else
    self->in_burst = g_rand_double (self->random) < loss / (burst * (1 - loss));
  return self->in_burst;
}

void
netlab_line_push (NetlabLine *self, const guint8 *packet, size_t n_bytes, int64_t now_ns)
{
  const NetlabLineConfig *config = &self->config;
  InFlight item = { .number = self->n_pushed++, .n_bytes = n_bytes };
  int64_t left_ns = now_ns;

  if (config->is_cut)
    {
      self->stats.n_cut++;
      return;
    }
  if (n_bytes > BUFFER_BYTES || self->heap->len >= MAX_IN_FLIGHT)
    {
      self->stats.n_queue_full++;
      return;
    }
  if (config->rate_mbit > 0)
    {
      int64_t start_ns = MAX (now_ns, self->free_ns);

      if (start_ns - now_ns > config->queue_ms * 1e6)
        {
          self->stats.n_queue_full++;
          return;
        }
      left_ns = self->free_ns = start_ns + (int64_t) (n_bytes * 8e3 / config->rate_mbit);
    }
  /* After the queue: what is lost on the way has used its share of the rate. */
  if (is_lost (self))
    {
      self->stats.n_lost++;
      return;
    }
  item.due_ns = left_ns + (int64_t) (config->delay_ms * 1e6);
  if (config->jitter_ms > 0)
    item.due_ns += (int64_t) (g_rand_double (self->random) * config->jitter_ms * 1e6);
  if (!config->reorder)
    self->last_due_ns = item.due_ns = MAX (item.due_ns, self->last_due_ns);
  item.packet = self->pool->len > 0 ? g_ptr_array_steal_index_fast (self->pool, self->pool->len - 1)
                                    : g_malloc (BUFFER_BYTES);
  memcpy (item.packet, packet, n_bytes);
  heap_push (self->heap, &item);
}

void
netlab_line_poll (NetlabLine *self, int64_t now_ns, NetlabLineOut out, gpointer user_data)
{
  while (self->heap->len > 0 && g_array_index (self->heap, InFlight, 0).due_ns <= now_ns)
    {
      InFlight item = heap_pop (self->heap);

      /* A cut loses what is on the line as well. */
      if (self->config.is_cut)
        self->stats.n_cut++;
      else
        {
          self->stats.n_sent++;
          self->stats.n_bytes += item.n_bytes;
          out (user_data, item.packet, item.n_bytes);
        }
      g_ptr_array_add (self->pool, item.packet);
    }
}

int64_t
netlab_line_get_deadline (NetlabLine *self)
{
  return self->heap->len > 0 ? g_array_index (self->heap, InFlight, 0).due_ns : G_MAXINT64;
}
