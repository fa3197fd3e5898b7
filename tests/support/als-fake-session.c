/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Channels as queues between two ends in one process. */

#include "config.h"

#include "als-fake-session.h"

#include <string.h>

#define DEFAULT_CHUNK_BYTES (16 * 1024)
#define DEFAULT_QUEUE_BYTES (256 * 1024)

struct _AlsSession
{
  FakeSessions *pair;
  guint side;
};

struct _AlsChannel
{
  AlsSession *session;
  AlsChannel *other;
  const AlsChannelEvents *events;
  gpointer user_data;
  gboolean is_new;       /* the other side does not know it yet; of the end that opened */
  GByteArray *queue;     /* written here, not yet delivered */
  uint64_t written;
  uint64_t delivered;
  size_t unconsumed;     /* delivered to this end */
  gboolean wants_room;
  gboolean finished;     /* by this end */
  gboolean told_finished;/* the other end knows */
  guint32 reset_code;    /* by this end, to be told */
  gboolean is_gone;      /* for this end */
};

struct _FakeSessions
{
  FakeSessionConfig config;
  AlsSession ends[2];
  gboolean held[2];
  gboolean ended;
  GPtrArray *channels;   /* both ends of each */
  GSource *pump;
  GMainContext *context;
  size_t most_waiting;
};

static gboolean pump_cb (gpointer user_data);

static void
kick (FakeSessions *self)
{
  if (self->pump != NULL)
    return;
  self->pump = g_idle_source_new ();
  g_source_set_priority (self->pump, G_PRIORITY_DEFAULT);
  g_source_set_callback (self->pump, pump_cb, self, NULL);
  g_source_attach (self->pump, self->context);
}

static void
close_end (AlsChannel *self, guint32 code)
{
  if (self->is_gone)
    return;
  self->is_gone = TRUE;
  if (self->events != NULL)
    self->events->closed (self, code, self->user_data);
}

/* One step of what SELF sends; TRUE when there is more to do at once. */
static gboolean
deliver (FakeSessions *pair, AlsChannel *self)
{
  AlsChannel *to = self->other;
  g_autofree uint8_t *data = NULL;
  size_t n;

  if (pair->held[self->session->side])
    return FALSE;
  if (self->is_new)
    {
      self->is_new = FALSE;
      pair->config.channel_opened (to->session->side, to, pair->config.user_data);
      return TRUE;
    }
  if (self->reset_code != 0)
    {
      close_end (to, self->reset_code);
      self->reset_code = 0;
      return FALSE;
    }
  if (to->is_gone || self->told_finished)
    return FALSE;
  n = MIN (self->queue->len, pair->config.chunk_bytes);
  n = MIN (n, pair->config.window_bytes - to->unconsumed);
  if (n == 0 && self->queue->len == 0 && self->finished)
    {
      self->told_finished = TRUE;
      to->events->finished (to, to->user_data);
      if (to->told_finished)
        {
          close_end (to, 0);
          close_end (self, 0);
        }
      return FALSE;
    }
  if (n == 0)
    return FALSE;
  data = g_memdup2 (self->queue->data, n);
  g_byte_array_remove_range (self->queue, 0, (guint) n);
  if (pair->config.tamper != NULL)
    pair->config.tamper (self->session->side, self->delivered, data, n, pair->config.user_data);
  self->delivered += n;
  to->unconsumed += n;
  pair->most_waiting = MAX (pair->most_waiting, to->unconsumed);
  to->events->received (to, data, n, to->user_data);
  if (!self->is_gone && self->wants_room && self->queue->len <= pair->config.queue_bytes / 2)
    {
      self->wants_room = FALSE;
      self->events->writable (self, self->user_data);
    }
  return TRUE;
}

static gboolean
pump_cb (gpointer user_data)
{
  FakeSessions *self = user_data;
  gboolean more = FALSE;

  g_clear_pointer (&self->pump, g_source_unref);
  for (guint i = 0; i < self->channels->len && !self->ended; i++)
    more |= deliver (self, g_ptr_array_index (self->channels, i));
  if (more)
    kick (self);
  return G_SOURCE_REMOVE;
}

static void
free_channel (gpointer data)
{
  AlsChannel *self = data;

  g_byte_array_unref (self->queue);
  g_free (self);
}

FakeSessions *
fake_sessions_new (const FakeSessionConfig *config)
{
  FakeSessions *self = g_new0 (FakeSessions, 1);

  self->config = *config;
  if (self->config.chunk_bytes == 0)
    self->config.chunk_bytes = DEFAULT_CHUNK_BYTES;
  if (self->config.queue_bytes == 0)
    self->config.queue_bytes = DEFAULT_QUEUE_BYTES;
  if (self->config.window_bytes == 0)
    self->config.window_bytes = ALS_CHANNEL_WINDOW;
  self->context = g_main_context_ref_thread_default ();
  self->channels = g_ptr_array_new_with_free_func (free_channel);
  for (guint i = 0; i < 2; i++)
    self->ends[i] = (AlsSession){ self, i };
  return self;
}

void
fake_sessions_end (FakeSessions *self)
{
  self->ended = TRUE;
  for (guint i = 0; i < self->channels->len; i++)
    close_end (g_ptr_array_index (self->channels, i), ALS_CHANNEL_SESSION_ENDED);
}

void
fake_sessions_free (FakeSessions *self)
{
  fake_sessions_end (self);
  if (self->pump != NULL)
    {
      g_source_destroy (self->pump);
      g_source_unref (self->pump);
    }
  g_ptr_array_unref (self->channels);
  g_main_context_unref (self->context);
  g_free (self);
}

AlsSession *
fake_sessions_get (FakeSessions *self, guint side)
{
  return &self->ends[side];
}

void
fake_sessions_hold (FakeSessions *self, guint side, gboolean hold)
{
  self->held[side] = hold;
  kick (self);
}

size_t
fake_sessions_get_most_waiting (FakeSessions *self)
{
  return self->most_waiting;
}

static AlsChannel *
new_end (AlsSession *session)
{
  AlsChannel *self = g_new0 (AlsChannel, 1);

  self->session = session;
  self->queue = g_byte_array_new ();
  g_ptr_array_add (session->pair->channels, self);
  return self;
}

AlsChannel *
als_session_open_channel (AlsSession *self, AlsChannelKind kind, AlsLane lane)
{
  AlsChannel *ours, *theirs;

  if (self->pair->ended)
    return NULL;
  ours = new_end (self);
  theirs = new_end (&self->pair->ends[1 - self->side]);
  ours->other = theirs;
  theirs->other = ours;
  ours->is_new = TRUE;
  kick (self->pair);
  return ours;
}

void
als_channel_set_events (AlsChannel *self, const AlsChannelEvents *events, gpointer user_data)
{
  self->events = events;
  self->user_data = user_data;
}

size_t
als_channel_get_room (AlsChannel *self)
{
  size_t limit = self->session->pair->config.queue_bytes;

  return limit > self->queue->len ? limit - self->queue->len : 0;
}

size_t
als_channel_write (AlsChannel *self, const void *data, size_t len)
{
  size_t n = MIN (len, als_channel_get_room (self));

  g_assert_false (self->is_gone);
  g_assert_false (self->finished);
  if (n > 0)
    g_byte_array_append (self->queue, data, (guint) n);
  self->written += n;
  self->wants_room = n < len;
  kick (self->session->pair);
  return n;
}

void
als_channel_consume (AlsChannel *self, size_t len)
{
  g_assert_false (self->is_gone);
  g_assert_cmpuint (len, <=, self->unconsumed);
  self->unconsumed -= len;
  kick (self->session->pair);
}

void
als_channel_finish (AlsChannel *self)
{
  g_assert_false (self->is_gone);
  g_assert_false (self->finished);
  self->finished = TRUE;
  kick (self->session->pair);
}

void
als_channel_reset (AlsChannel *self, guint32 code)
{
  g_assert_false (self->is_gone);
  g_assert_cmpuint (code, !=, 0);
  self->is_gone = TRUE;
  self->reset_code = code;
  kick (self->session->pair);
}

AlsSession *
als_channel_get_session (AlsChannel *self)
{
  return self->session;
}

uint64_t
als_channel_get_written (AlsChannel *self)
{
  return self->written;
}

uint64_t
als_channel_get_acked (AlsChannel *self)
{
  return self->delivered - self->other->unconsumed;
}
