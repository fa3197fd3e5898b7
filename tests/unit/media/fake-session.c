/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#include "config.h"

#include "fake-session.h"

#include "protocol/als-media-message.h"

#include <string.h>

struct _AlsChannel
{
  AlsSession *session;
  AlsChannel *peer;
  const AlsChannelEvents *events;
  gpointer events_data;
  GByteArray *incoming;
  AlsMediaStream seen;     /* of what comes in */
  uint64_t written;
  gboolean finished, told_finished;
};

struct _AlsSession
{
  FakeNet *net;
};

typedef struct
{
  FakeNet net;
  AlsSession session;
  AlsChannel ends[2];      /* sharer, viewer */
  gboolean is_open;
  GQueue datagrams;        /* (element-type GBytes) */
  GSource *source;
  GRand *rand;
} Net;

static void
count_messages (Net *self, AlsChannel *end, const uint8_t *data, size_t len)
{
  AlsMediaMessage message;

  while (als_media_stream_next (&end->seen, &data, &len, &message, NULL))
    switch (message.type)
      {
      case ALS_MEDIA_NACK: self->net.n_nacks++; break;
      case ALS_MEDIA_KEYFRAME: self->net.n_keyframes++; break;
      case ALS_MEDIA_MARK: self->net.n_marks++; break;
      case ALS_MEDIA_FORMAT: self->net.n_formats++; break;
      case ALS_MEDIA_STOP: self->net.n_stops++; break;
      default: break;
      }
}

static gboolean
deliver_cb (gpointer user_data)
{
  Net *self = user_data;
  guint n = self->datagrams.length;

  g_source_set_ready_time (self->source, -1);
  while (n-- > 0)
    {
      g_autoptr (GBytes) bytes = g_queue_pop_head (&self->datagrams);
      size_t len;
      const uint8_t *data = g_bytes_get_data (bytes, &len);

      if (self->net.receiver != NULL)
        als_screen_receiver_datagram (self->net.receiver, data, len);
    }
  for (guint i = 0; i < 2 && self->is_open && !self->net.hold_channel; i++)
    {
      AlsChannel *end = &self->ends[i];

      /* In pieces that have nothing to do with the messages. */
      while (end->events != NULL && end->incoming->len > 0)
        {
          uint8_t piece[7];
          guint len = MIN (end->incoming->len, sizeof piece);

          memcpy (piece, end->incoming->data, len);
          g_byte_array_remove_range (end->incoming, 0, len);
          count_messages (self, end, piece, len);
          end->events->received (end, piece, len, end->events_data);
        }
      if (end->peer->finished && !end->told_finished && end->events != NULL)
        {
          end->told_finished = TRUE;
          end->events->finished (end, end->events_data);
        }
    }
  return G_SOURCE_CONTINUE;
}

static gboolean
dispatch (GSource *source, GSourceFunc callback, gpointer user_data)
{
  return callback (user_data);
}

static GSourceFuncs source_funcs = { NULL, NULL, dispatch, NULL, NULL, NULL };

static void
wake (Net *self)
{
  g_source_set_ready_time (self->source, 0);
}

FakeNet *
fake_net_new (void)
{
  Net *self = g_new0 (Net, 1);

  self->session.net = &self->net;
  for (guint i = 0; i < 2; i++)
    {
      self->ends[i].session = &self->session;
      self->ends[i].peer = &self->ends[1 - i];
      self->ends[i].incoming = g_byte_array_new ();
    }
  self->net.may_send_frame = TRUE;
  self->net.rate = 4 * 1000 * 1000;
  self->net.rtt_us = 1000;
  self->rand = g_rand_new_with_seed (7);
  self->source = g_source_new (&source_funcs, sizeof (GSource));
  g_source_set_callback (self->source, deliver_cb, self, NULL);
  g_source_attach (self->source, NULL);
  return &self->net;
}

void
fake_net_free (FakeNet *net)
{
  Net *self = (Net *) net;

  g_source_destroy (self->source);
  g_source_unref (self->source);
  g_queue_clear_full (&self->datagrams, (GDestroyNotify) g_bytes_unref);
  for (guint i = 0; i < 2; i++)
    g_byte_array_unref (self->ends[i].incoming);
  g_rand_free (self->rand);
  g_free (self);
}

AlsSession *
fake_net_get_session (FakeNet *net)
{
  return &((Net *) net)->session;
}

AlsChannel *
fake_net_get_incoming (FakeNet *net)
{
  Net *self = (Net *) net;

  return self->is_open ? &self->ends[1] : NULL;
}

void
fake_net_write (FakeNet *net, gboolean to_viewer, const void *data, size_t len)
{
  Net *self = (Net *) net;

  g_byte_array_append (self->ends[to_viewer ? 1 : 0].incoming, data, (guint) len);
  wake (self);
}

void
fake_net_close (FakeNet *net)
{
  Net *self = (Net *) net;

  self->is_open = FALSE;
  for (guint i = 0; i < 2; i++)
    if (self->ends[i].events != NULL)
      self->ends[i].events->closed (&self->ends[i], 0, self->ends[i].events_data);
}

void
als_session_get_stats (AlsSession *self, AlsSessionStats *stats)
{
  memset (stats, 0, sizeof *stats);
  stats->kind = ALS_PATH_DIRECT_UDP;
  stats->rate = self->net->rate;
  stats->rtt_us = self->net->rtt_us;
}

gboolean
als_session_send_datagram (AlsSession *session, AlsDatagramKind kind, const uint8_t *data,
                           size_t len)
{
  Net *self = (Net *) session->net;

  g_assert_cmpint (kind, ==, ALS_DATAGRAM_VIDEO);
  if (self->net.refuses)
    return FALSE;
  self->net.n_datagrams++;
  self->net.max_datagram = MAX (self->net.max_datagram, len);
  if (self->net.drop_next > 0)
    self->net.drop_next--;
  else if ((guint) g_rand_int_range (self->rand, 0, 100) >= self->net.loss_percent)
    {
      g_queue_push_tail (&self->datagrams, g_bytes_new (data, len));
      wake (self);
    }
  return TRUE;
}

gboolean
als_session_may_send_frame (AlsSession *self)
{
  return self->net->may_send_frame;
}

AlsChannel *
als_session_open_channel (AlsSession *session, AlsChannelKind kind, AlsLane lane)
{
  Net *self = (Net *) session->net;

  g_assert_cmpint (kind, ==, ALS_CHANNEL_MEDIA);
  g_assert_cmpint (lane, ==, ALS_LANE_CONTROL);
  self->net.n_opened++;
  self->is_open = TRUE;
  return &self->ends[0];
}

void
als_channel_set_events (AlsChannel *self, const AlsChannelEvents *events, gpointer user_data)
{
  self->events = events;
  self->events_data = user_data;
  wake ((Net *) self->session->net);
}

size_t
als_channel_write (AlsChannel *self, const void *data, size_t len)
{
  g_assert_false (self->finished);
  g_byte_array_append (self->peer->incoming, data, (guint) len);
  self->written += len;
  wake ((Net *) self->session->net);
  return len;
}

void
als_channel_consume (AlsChannel *self, size_t len)
{
}

void
als_channel_finish (AlsChannel *self)
{
  self->finished = TRUE;
  wake ((Net *) self->session->net);
}

AlsSession *
als_channel_get_session (AlsChannel *self)
{
  return self->session;
}
