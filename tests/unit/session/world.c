/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#include "config.h"

#include "world.h"

#include <string.h>

typedef struct
{
  World *world;
  guint side;
} Side;

static Side sides[2];

static uint8_t
byte_at (guint side, AlsChannelKind kind, uint64_t offset)
{
  uint64_t x = (offset / 8 + 1) * 0x9e3779b97f4a7c15u + side * 77 + kind * 7919;

  return (uint8_t) (x >> (offset % 8 * 8));
}

static Port *
port_new (World *world, guint side, AlsChannel *channel, AlsChannelKind kind)
{
  Port *self = g_new0 (Port, 1);

  self->world = world;
  self->side = side;
  self->channel = channel;
  self->kind = kind;
  g_ptr_array_add (world->ports, self);
  return self;
}

void
port_write (Port *self)
{
  while (self->channel != NULL && self->written < self->to_write)
    {
      uint8_t bytes[4096];
      size_t n = MIN (sizeof bytes, self->to_write - self->written), taken;

      for (size_t i = 0; i < n; i++)
        bytes[i] = byte_at (self->side, self->kind, self->written + i);
      taken = als_channel_write (self->channel, bytes, n);
      self->written += taken;
      if (taken < n)
        return;
    }
  if (self->channel != NULL && self->finish)
    als_channel_finish (self->channel);
}

static void
received_cb (AlsChannel *channel, const uint8_t *data, size_t len, gpointer user_data)
{
  Port *self = user_data;

  g_assert_false (self->finished || self->closed);
  for (size_t i = 0; i < len; i++)
    g_assert_cmpuint (data[i], ==, byte_at (!self->side, self->kind, self->received + i));
  self->received += len;
  self->received_us = self->world->now_us;
  if (self->hold)
    self->held += len;
  else
    als_channel_consume (channel, len);
  if (self->world->echo && self->side == 1)
    {
      self->to_write += len;
      port_write (self);
    }
}

static void
writable_cb (AlsChannel *channel, gpointer user_data)
{
  Port *self = user_data;

  self->n_writable++;
  port_write (self);
}

static void
finished_cb (AlsChannel *channel, gpointer user_data)
{
  Port *self = user_data;

  g_assert_false (self->finished || self->closed);
  self->finished = TRUE;
  if (self->world->finish_back)
    {
      self->finish = TRUE;
      port_write (self);
    }
}

static void
closed_cb (AlsChannel *channel, guint32 code, gpointer user_data)
{
  Port *self = user_data;

  g_assert_false (self->closed);
  self->closed = TRUE;
  self->code = code;
  self->channel = NULL;
}

static const AlsChannelEvents channel_events = { received_cb, writable_cb, finished_cb, closed_cb };

static void
schedule_cb (int64_t deadline_us, gpointer user_data)
{
  Side *side = user_data;

  side->world->deadline_us[side->side] = deadline_us;
}

static void
channel_opened_cb (AlsChannel *channel, AlsChannelKind kind, gpointer user_data)
{
  Side *side = user_data;
  Port *port = port_new (side->world, side->side, channel, kind);

  port->hold = side->world->hold;
  als_channel_set_events (channel, &channel_events, port);
}

static void
datagram_cb (AlsDatagramKind kind, const uint8_t *data, size_t len, gpointer user_data)
{
  Side *side = user_data;

  g_assert_cmpint (kind, ==, ALS_DATAGRAM_VIDEO);
  side->world->n_datagrams[side->side]++;
  memcpy (side->world->last_datagram, data, len);
}

static void
path_changed_cb (gpointer user_data)
{
  Side *side = user_data;

  side->world->n_path_changes[side->side]++;
}

static void
link_gone_cb (AlsLink *link, gpointer user_data)
{
  Side *side = user_data;
  guint index;

  g_assert_true (g_ptr_array_find (side->world->links, link, &index));
  g_ptr_array_index (side->world->links, index) = NULL;
  g_ptr_array_add (side->world->gone, link);
  side->world->n_gone[side->side]++;
}

static void
ended_cb (AlsSessionEnd end, gpointer user_data)
{
  Side *side = user_data;

  g_assert_false (side->world->ended[side->side]);
  side->world->ended[side->side] = TRUE;
  side->world->end[side->side] = end;
}

static const AlsSessionEvents session_events = {
  schedule_cb, channel_opened_cb, datagram_cb, path_changed_cb, link_gone_cb, ended_cb,
};

World *
world_new (size_t window)
{
  World *self = g_new0 (World, 1);

  self->now_us = SECOND;
  self->links = g_ptr_array_new ();
  self->gone = g_ptr_array_new_with_free_func ((GDestroyNotify) als_link_free);
  self->ports = g_ptr_array_new_with_free_func (g_free);
  for (guint i = 0; i < 2; i++)
    {
      AlsSessionConfig config = {
        .role = i == 0 ? ALS_ROLE_INVITER : ALS_ROLE_JOINER,
        .window_bytes = window,
      };

      sides[i] = (Side){ self, i };
      self->deadline_us[i] = INT64_MAX;
      self->sessions[i] = als_session_new (&config, &session_events, &sides[i], self->now_us);
    }
  return self;
}

void
world_free (World *self)
{
  for (guint i = 0; i < 2; i++)
    als_session_free (self->sessions[i]);
  for (guint i = 0; i < self->links->len; i++)
    if (g_ptr_array_index (self->links, i) != NULL)
      als_link_free (g_ptr_array_index (self->links, i));
  g_ptr_array_unref (self->links);
  g_ptr_array_unref (self->gone);
  g_ptr_array_unref (self->ports);
  g_free (self);
}

guint
world_add_path (World *self, AlsPathKind kind, uint64_t rate, int64_t delay_us)
{
  AlsFakeLinkConfig config = {
    .kind = kind, .path_id = self->links->len, .rate = rate, .delay_us = delay_us,
  };
  AlsLink *ends[2];
  guint path = self->links->len / 2;

  als_fake_link_new_pair (&config, ends);
  for (guint i = 0; i < 2; i++)
    g_ptr_array_add (self->links, ends[i]);
  for (guint i = 0; i < 2; i++)
    als_session_add_link (self->sessions[i], ends[i]);
  return path;
}

AlsLink *
world_get_link (World *self, guint path, guint side)
{
  return g_ptr_array_index (self->links, 2 * path + side);
}

Port *
world_open (World *self, guint side, AlsChannelKind kind, AlsLane lane, uint64_t bytes,
            gboolean finish)
{
  AlsChannel *channel = als_session_open_channel (self->sessions[side], kind, lane);
  Port *port = port_new (self, side, channel, kind);

  als_channel_set_events (channel, &channel_events, port);
  port->to_write = bytes;
  port->finish = finish;
  port_write (port);
  return port;
}

Port *
world_find (World *self, guint side, AlsChannelKind kind)
{
  for (guint i = 0; i < self->ports->len; i++)
    {
      Port *port = g_ptr_array_index (self->ports, i);

      if (port->side == side && port->kind == kind)
        return port;
    }
  return NULL;
}

static int64_t
next_us (World *self)
{
  int64_t at_us = MIN (self->deadline_us[0], self->deadline_us[1]);

  for (guint i = 0; i < self->links->len; i++)
    if (g_ptr_array_index (self->links, i) != NULL)
      at_us = MIN (at_us, als_link_get_deadline (g_ptr_array_index (self->links, i)));
  return at_us;
}

gboolean
world_run_until (World *self, gboolean (*done) (World *self, gpointer data), gpointer data,
                 int64_t limit_us)
{
  int64_t end_us = self->now_us + limit_us;
  guint n_still = 0;

  for (;;)
    {
      int64_t at_us;

      if (done != NULL && done (self, data))
        return TRUE;
      at_us = next_us (self);
      if (at_us > end_us)
        {
          self->now_us = end_us;
          return FALSE;
        }
      n_still = at_us > self->now_us ? 0 : n_still + 1;
      g_assert_cmpuint (n_still, <, 10000); /* time goes on */
      self->now_us = MAX (self->now_us, at_us);
      for (guint i = 0; i < self->links->len; i++)
        if (g_ptr_array_index (self->links, i) != NULL)
          als_link_poll (g_ptr_array_index (self->links, i), self->now_us);
      for (guint i = 0; i < 2; i++)
        if (self->deadline_us[i] <= self->now_us)
          {
            self->deadline_us[i] = INT64_MAX;
            als_session_poll (self->sessions[i], self->now_us);
          }
      g_ptr_array_set_size (self->gone, 0);
    }
}

void
world_run (World *self, int64_t for_us)
{
  world_run_until (self, NULL, NULL, for_us);
}

AlsPathKind
world_get_kind (World *self, guint side)
{
  AlsSessionStats stats;

  als_session_get_stats (self->sessions[side], &stats);
  return stats.kind;
}
