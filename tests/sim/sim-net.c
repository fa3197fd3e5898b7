/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#include "config.h"

#include "sim-net.h"

#include <string.h>

#define PACKET(self, i) (&g_array_index ((self)->heap, SimPacket, (i)))

/* First byte of a sealed packet (AlsWire): kind, and the epoch's low bits. */
#define SEALED_DATA 0xa0
#define SEALED_CONTROL 0xb0
#define EPOCH_MASK 0x0f

/* A stream waits so long for what was lost on its way. */
#define REPAIR_US (400 * 1000)

void
sim_net_init (SimNet *self, guint64 seed)
{
  *self = (SimNet){ 0 };
  self->heap = g_array_new (FALSE, FALSE, sizeof (SimPacket));
  self->random = seed * 0x9e3779b97f4a7c15u + 1;
}

void
sim_net_clear (SimNet *self)
{
  for (guint i = 0; i < self->heap->len; i++)
    g_free (PACKET (self, i)->data);
  g_clear_pointer (&self->heap, g_array_unref);
}

/* splitmix64 */
guint64
sim_net_random (SimNet *self)
{
  guint64 x = self->random += 0x9e3779b97f4a7c15u;

  x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
  x = (x ^ x >> 27) * 0x94d049bb133111ebu;
  return x ^ x >> 31;
}

int64_t
sim_net_between (SimNet *self, int64_t min, int64_t max)
{
  return min + (int64_t) (sim_net_random (self) % (guint64) (max - min + 1));
}

gboolean
sim_net_chance (SimNet *self, guint percent)
{
  return sim_net_random (self) % 100 < percent;
}

void
sim_line_init (SimLine *self, const SimLineConfig *config, SimLineType type)
{
  *self = (SimLine){ .config = *config, .type = type };
  self->counters = g_byte_array_new ();
}

void
sim_line_clear (SimLine *self)
{
  g_clear_pointer (&self->counters, g_byte_array_unref);
}

size_t
sim_line_get_queue (const SimLine *self, int64_t now_us)
{
  if (self->busy_until_us <= now_us)
    return 0;
  return (size_t) ((self->busy_until_us - now_us) * self->config.rate / G_USEC_PER_SEC);
}

static gboolean
check_packet (SimLine *self, const uint8_t *data, size_t len)
{
  guint8 kind = len > 9 ? data[0] & ~EPOCH_MASK : 0;
  guint8 epoch = len > 9 ? data[0] & EPOCH_MASK : 0;
  guint64 counter = 0;
  guint old = self->counters->len;

  if (kind != SEALED_DATA && kind != SEALED_CONTROL)
    return TRUE; /* a hello, in clear */
  for (guint i = 1; i <= 8; i++)
    counter = counter << 8 | data[i];
  if (epoch != self->epoch)
    {
      self->epoch = epoch;
      old = 0;
      g_byte_array_set_size (self->counters, 0);
    }
  if (counter > 1u << 30)
    return FALSE;
  if (counter / 8 >= self->counters->len)
    {
      g_byte_array_set_size (self->counters, (guint) (counter / 8 + 1));
      memset (self->counters->data + old, 0, self->counters->len - old);
    }
  if (self->counters->data[counter / 8] & 1u << counter % 8)
    return FALSE;
  self->counters->data[counter / 8] |= (guint8) (1u << counter % 8);
  return TRUE;
}

gboolean
sim_line_check (SimLine *self, const uint8_t *data, size_t len)
{
  if (self->type != SIM_LINE_STREAM)
    return check_packet (self, data, len);
  /* Whole records, each with its length before it. */
  while (len >= 2)
    {
      size_t n = (size_t) data[0] << 8 | data[1];

      if (n + 2 > len || !check_packet (self, data + 2, n))
        return FALSE;
      data += 2 + n;
      len -= 2 + n;
    }
  return len == 0;
}

static gboolean
is_earlier (const SimPacket *a, const SimPacket *b)
{
  return a->at_us != b->at_us ? a->at_us < b->at_us : a->order < b->order;
}

static void
push (SimNet *self, SimPacket packet)
{
  guint i = self->heap->len;

  packet.order = self->next_order++;
  g_array_append_val (self->heap, packet);
  while (i > 0 && is_earlier (&packet, PACKET (self, (i - 1) / 2)))
    {
      *PACKET (self, i) = *PACKET (self, (i - 1) / 2);
      i = (i - 1) / 2;
    }
  *PACKET (self, i) = packet;
}

static void
send_pieces (SimNet *self, SimLine *line, SimPacket packet, const uint8_t *data)
{
  size_t left = packet.len;
  int64_t at_us = line->busy_until_us + line->config.delay_us;

  if (sim_net_random (self) % 10000 < line->config.loss)
    at_us += REPAIR_US;
  line->last_us = MAX (at_us, line->last_us);
  while (left > 0)
    {
      packet.len = (size_t) sim_net_between (self, 1, 6000);
      packet.len = MIN (left, packet.len);
      packet.at_us = line->last_us;
      packet.data = g_memdup2 (data, packet.len);
      push (self, packet);
      data += packet.len;
      left -= packet.len;
      /* The rest may come with what follows, or be cut off with the connection. */
      if (sim_net_chance (self, 20))
        line->last_us += sim_net_between (self, 0, 3000);
    }
}

gboolean
sim_net_send (SimNet *self, SimLine *line, guint path, guint to, const uint8_t *data, size_t len,
              int64_t now_us)
{
  const SimLineConfig *config = &line->config;
  gboolean fits = sim_line_get_queue (line, now_us) + len <= config->queue_bytes;
  SimPacket packet = { .path = path, .to = to, .len = len };
  guint copies = 1;

  self->n_packets++;
  if (line->type != SIM_LINE_DATAGRAMS && !fits)
    return FALSE;
  if (!fits)
    return TRUE; /* lost, as in any router */
  line->busy_until_us = MAX (line->busy_until_us, now_us)
                        + (int64_t) (len * G_USEC_PER_SEC / config->rate);
  if (line->silent)
    return TRUE;
  if (line->type == SIM_LINE_STREAM)
    {
      send_pieces (self, line, packet, data);
      return TRUE;
    }
  if (line->type == SIM_LINE_DATAGRAMS)
    {
      guint64 dice = sim_net_random (self);

      copies = dice % 10000 < config->loss ? 0 : 1;
      copies += dice / 10000 % 10000 < config->twice ? 1 : 0;
    }
  for (guint i = 0; i < copies; i++)
    {
      packet.at_us = line->busy_until_us + config->delay_us;
      if (line->type == SIM_LINE_DATAGRAMS && config->jitter_us > 0)
        packet.at_us += sim_net_between (self, 0, config->jitter_us);
      if (line->type != SIM_LINE_DATAGRAMS)
        line->last_us = packet.at_us = MAX (packet.at_us, line->last_us);
      packet.data = g_memdup2 (data, len);
      push (self, packet);
    }
  return TRUE;
}

int64_t
sim_net_get_next (const SimNet *self)
{
  return self->heap->len > 0 ? PACKET (self, 0)->at_us : INT64_MAX;
}

gboolean
sim_net_take (SimNet *self, SimPacket *packet, int64_t now_us)
{
  SimPacket last;
  guint i = 0, n;

  if (sim_net_get_next (self) > now_us)
    return FALSE;
  *packet = *PACKET (self, 0);
  n = self->heap->len - 1;
  last = *PACKET (self, n);
  g_array_set_size (self->heap, n);
  if (n == 0)
    return TRUE;
  for (;;)
    {
      guint child = 2 * i + 1;

      if (child + 1 < n && is_earlier (PACKET (self, child + 1), PACKET (self, child)))
        child++;
      if (child >= n || !is_earlier (PACKET (self, child), &last))
        break;
      *PACKET (self, i) = *PACKET (self, child);
      i = child;
    }
  *PACKET (self, i) = last;
  return TRUE;
}
