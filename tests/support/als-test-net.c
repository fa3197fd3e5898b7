/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#include "als-test-net.h"

typedef struct
{
  int64_t arrives_us;
  guint end; /* whom it is for */
  GBytes *bytes;
} Packet;

struct _AlsTestNet
{
  AlsTestNetLine lines[2];
  int64_t free_us[2]; /* when the line has sent all that was queued */
  guint burst_left[2];
  uint64_t sent[2];
  uint64_t overflows[2];
  GQueue packets;     /* by arrival */
  GRand *rand;
};

AlsTestNet *
als_test_net_new (guint32 seed)
{
  AlsTestNet *self = g_new0 (AlsTestNet, 1);

  self->rand = g_rand_new_with_seed (seed);
  g_queue_init (&self->packets);
  return self;
}

void
als_test_net_free (AlsTestNet *self)
{
  Packet *packet;

  while ((packet = g_queue_pop_head (&self->packets)) != NULL)
    {
      g_bytes_unref (packet->bytes);
      g_free (packet);
    }
  g_rand_free (self->rand);
  g_free (self);
}

AlsTestNetLine *
als_test_net_get_line (AlsTestNet *self, guint end)
{
  return &self->lines[end];
}

void
als_test_net_set (AlsTestNet *self, double mbits, int64_t rtt_us, double loss)
{
  for (guint i = 0; i < 2; i++)
    {
      AlsTestNetLine *line = &self->lines[i];

      line->rate = (uint64_t) (mbits * 1e6 / 8);
      line->delay_us = rtt_us / 2;
      line->loss = loss;
      line->queue_bytes = (size_t) (line->rate * (uint64_t) rtt_us / G_USEC_PER_SEC);
    }
}

static void
put (AlsTestNet *self, guint end, GBytes *bytes, int64_t arrives_us)
{
  Packet *packet = g_new0 (Packet, 1);
  GList *at = g_queue_peek_tail_link (&self->packets);

  *packet = (Packet){ arrives_us, end, g_bytes_ref (bytes) };
  while (at != NULL && ((Packet *) at->data)->arrives_us > arrives_us)
    at = at->prev;
  if (at == NULL)
    g_queue_push_head (&self->packets, packet);
  else
    g_queue_insert_after (&self->packets, at, packet);
}

static gboolean
is_lost (AlsTestNet *self, guint end)
{
  AlsTestNetLine *line = &self->lines[end];

  if (self->burst_left[end] > 0)
    {
      self->burst_left[end]--;
      return TRUE;
    }
  if (line->loss <= 0 || g_rand_double (self->rand) >= line->loss / MAX (line->burst, 1))
    return FALSE;
  self->burst_left[end] = MAX (line->burst, 1) - 1;
  return TRUE;
}

void
als_test_net_send (AlsTestNet *self, guint end, const uint8_t *data, size_t len, int64_t now_us)
{
  AlsTestNetLine *line = &self->lines[end];
  g_autoptr (GBytes) bytes = NULL;
  int64_t arrives_us;

  self->sent[end]++;
  if (line->dead || (line->mtu > 0 && len > line->mtu) || is_lost (self, end))
    return;
  arrives_us = MAX (now_us, self->free_us[end]);
  if (line->rate > 0)
    {
      double queued = (double) (arrives_us - now_us) * (double) line->rate / G_USEC_PER_SEC;

      if (line->queue_bytes > 0 && queued + (double) len > (double) line->queue_bytes)
        {
          self->overflows[end]++;
          return;
        }
      arrives_us += (int64_t) ((double) (len + ALS_TEST_NET_HEADERS) * G_USEC_PER_SEC
                               / (double) line->rate);
      self->free_us[end] = arrives_us;
    }
  arrives_us += line->delay_us;
  if (line->jitter_us > 0)
    arrives_us += (int64_t) (g_rand_double (self->rand) * (double) line->jitter_us);
  bytes = g_bytes_new (data, len);
  put (self, 1 - end, bytes, arrives_us);
  if (line->duplicate > 0 && g_rand_double (self->rand) < line->duplicate)
    put (self, 1 - end, bytes, arrives_us + line->delay_us / 10);
}

int64_t
als_test_net_get_next (AlsTestNet *self)
{
  Packet *packet = g_queue_peek_head (&self->packets);

  return packet != NULL ? packet->arrives_us : INT64_MAX;
}

GBytes *
als_test_net_take (AlsTestNet *self, int64_t now_us, guint *end)
{
  Packet *packet = g_queue_peek_head (&self->packets);
  GBytes *bytes;

  if (packet == NULL || packet->arrives_us > now_us)
    return NULL;
  g_queue_pop_head (&self->packets);
  bytes = packet->bytes;
  *end = packet->end;
  g_free (packet);
  return bytes;
}

uint64_t
als_test_net_get_sent (AlsTestNet *self, guint end)
{
  return self->sent[end];
}

uint64_t
als_test_net_get_overflows (AlsTestNet *self, guint end)
{
  return self->overflows[end];
}
