/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#define G_LOG_DOMAIN "als-path"

#include "config.h"

#include "path/turn/als-turn-control.h"

#include "base/als-deadline-source.h"
#include "path/als-stream-socket.h"
#include "path/turn/als-turn-stream.h"
#include "stun/als-turn-data.h"

struct _AlsTurnControl
{
  GObject parent_instance;

  AlsTurnWay *way;
  AlsTurnSession *session;
  AlsTurnStream *stream;   /* NULL once it is over */
  GSource *deadline;
  int64_t answer_by_us;    /* INT64_MAX: the first answer has come */
  gboolean is_leaving;
  gboolean is_busy;        /* telling events: what comes of them is told in the same turn */
  AlsStunAddress local;
  AlsStunAddress server;
};

G_DEFINE_FINAL_TYPE (AlsTurnControl, als_turn_control, G_TYPE_OBJECT)

enum
{
  EVENT,
  N_SIGNALS,
};

static guint signals[N_SIGNALS];

static gboolean
is_over (AlsTurnControl *self)
{
  AlsTurnState state = als_turn_session_get_state (self->session);

  return state == ALS_TURN_STATE_LEFT || state == ALS_TURN_STATE_FAILED;
}

static void
flush (AlsTurnControl *self)
{
  GBytes *bytes;

  while ((bytes = als_turn_session_take_output (self->session)) != NULL)
    {
      if (self->stream != NULL)
        als_turn_stream_write (self->stream, bytes);
      g_bytes_unref (bytes);
    }
}

/* Anything but a challenge, which the session keeps to itself, answers. */
static void
note_answer (AlsTurnControl *self, const AlsTurnEvent *event)
{
  if (event->type != ALS_TURN_EVENT_REFUSED)
    self->answer_by_us = INT64_MAX;
}

static void
tell_events (AlsTurnControl *self)
{
  AlsTurnEvent *event;

  if (self->is_busy)
    return;
  self->is_busy = TRUE;
  while ((event = als_turn_session_take_event (self->session)) != NULL)
    {
      note_answer (self, event);
      if (!self->is_leaving)
        g_signal_emit (self, signals[EVENT], 0, event);
      als_turn_event_free (event);
      flush (self);
    }
  self->is_busy = FALSE;
}

static void
plan (AlsTurnControl *self)
{
  if (is_over (self))
    {
      g_clear_pointer (&self->stream, als_turn_stream_free);
      /* Once more to let go of itself. */
      als_deadline_source_set (self->deadline, self->is_leaving ? 0 : INT64_MAX);
      return;
    }
  als_deadline_source_set (self->deadline,
                           MIN (als_turn_session_get_deadline (self->session), self->answer_by_us));
}

/* After whatever happened to the session from outside a call. */
static void
update (AlsTurnControl *self)
{
  g_object_ref (self);
  flush (self);
  tell_events (self);
  plan (self);
  g_object_unref (self);
}

static gboolean
deadline_cb (gpointer user_data)
{
  AlsTurnControl *self = user_data;
  int64_t now_us = g_get_monotonic_time ();

  if (now_us >= self->answer_by_us)
    {
      self->answer_by_us = INT64_MAX;
      als_turn_session_give_up (self->session);
    }
  als_turn_session_poll (self->session, now_us);
  update (self);
  return G_SOURCE_CONTINUE;
}

/* After a call of ours: events wait until it has returned. */
static void
update_soon (AlsTurnControl *self)
{
  flush (self);
  als_deadline_source_set (self->deadline, 0);
}

static void
on_received (const uint8_t *data, size_t len, gpointer user_data)
{
  AlsTurnControl *self = user_data;

  als_turn_session_feed (self->session, data, len, g_get_monotonic_time ());
  update (self);
}

static void
on_closed (gpointer user_data)
{
  AlsTurnControl *self = user_data;

  als_turn_session_close (self->session);
  update (self);
}

static const AlsTurnStreamEvents stream_events = { on_received, on_closed };

static void
als_turn_control_finalize (GObject *object)
{
  AlsTurnControl *self = ALS_TURN_CONTROL (object);

  als_source_clear (&self->deadline);
  g_clear_pointer (&self->stream, als_turn_stream_free);
  als_turn_session_free (self->session);
  als_turn_way_free (self->way);
  G_OBJECT_CLASS (als_turn_control_parent_class)->finalize (object);
}

static void
als_turn_control_class_init (AlsTurnControlClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = als_turn_control_finalize;
  signals[EVENT] = g_signal_new ("event", ALS_TYPE_TURN_CONTROL, G_SIGNAL_RUN_LAST, 0, NULL, NULL,
                                 NULL, G_TYPE_NONE, 1, G_TYPE_POINTER);
}

static void
als_turn_control_init (AlsTurnControl *self)
{
}

static void
note_addresses (AlsTurnControl *self, GIOStream *stream)
{
  GSocket *socket = als_stream_get_socket (stream);
  g_autoptr (GSocketAddress) local = NULL;
  g_autoptr (GSocketAddress) server = NULL;

  if (socket == NULL)
    return;
  local = g_socket_get_local_address (socket, NULL);
  server = g_socket_get_remote_address (socket, NULL);
  if (local != NULL && server != NULL)
    {
      als_stun_address_from_gio (&self->local, local);
      als_stun_address_from_gio (&self->server, server);
    }
}

AlsTurnControl *
als_turn_control_new (GIOStream *stream, const AlsTurnWay *way, const char *username,
                      const char *password, gboolean allocate, AlsStunFamily family)
{
  AlsTurnControl *self = g_object_new (ALS_TYPE_TURN_CONTROL, NULL);
  g_autoptr (GMainContext) context = g_main_context_ref_thread_default ();
  int64_t now_us = g_get_monotonic_time ();

  self->way = als_turn_way_copy (way);
  self->session = als_turn_session_new (username, password, family);
  self->deadline = als_deadline_source_new (context, "als-turn-control", deadline_cb, self);
  self->answer_by_us = now_us + ALS_TURN_WAIT_US;
  note_addresses (self, stream);
  self->stream = als_turn_stream_new (stream, &stream_events, self);
  if (allocate)
    als_turn_session_start (self->session, now_us);
  else
    als_turn_session_start_binding (self->session, now_us);
  update_soon (self);
  return self;
}

gboolean
als_turn_control_allocate (AlsTurnControl *self, AlsStunFamily family)
{
  int64_t now_us = g_get_monotonic_time ();

  if (self->is_leaving || !als_turn_session_allocate (self->session, family, now_us))
    return FALSE;
  self->answer_by_us = now_us + ALS_TURN_WAIT_US;
  update_soon (self);
  return TRUE;
}

gboolean
als_turn_control_permit (AlsTurnControl *self, const AlsStunAddress *peer)
{
  gboolean ok = !self->is_leaving
                && als_turn_session_permit (self->session, peer, g_get_monotonic_time ());

  update_soon (self);
  return ok;
}

gboolean
als_turn_control_connect (AlsTurnControl *self, const AlsStunAddress *peer)
{
  gboolean ok = !self->is_leaving
                && als_turn_session_connect (self->session, peer, g_get_monotonic_time ());

  update_soon (self);
  return ok;
}

static gboolean
leave_soon_cb (gpointer user_data)
{
  AlsTurnControl *self = user_data;

  if (!is_over (self))
    als_turn_session_poll (self->session, g_get_monotonic_time ());
  update (self);
  if (!is_over (self))
    return G_SOURCE_CONTINUE;
  als_source_clear (&self->deadline);
  g_object_unref (self); /* the one that leaving took */
  return G_SOURCE_REMOVE;
}

void
als_turn_control_leave (AlsTurnControl *self)
{
  if (self->is_leaving)
    return;
  self->is_leaving = TRUE;
  self->answer_by_us = INT64_MAX;
  als_turn_session_leave (self->session, g_get_monotonic_time ());
  /* Kept until the server has answered or its time is over, whoever else lets go. */
  g_object_ref (self);
  g_source_set_callback (self->deadline, leave_soon_cb, self, NULL);
  update_soon (self);
}

AlsTurnSession *
als_turn_control_get_session (AlsTurnControl *self)
{
  return self->session;
}

const AlsTurnWay *
als_turn_control_get_way (AlsTurnControl *self)
{
  return self->way;
}

gboolean
als_turn_control_is_alive (AlsTurnControl *self)
{
  return !self->is_leaving && !is_over (self);
}

gboolean
als_turn_control_is_allocated (AlsTurnControl *self)
{
  return !self->is_leaving
         && als_turn_session_get_state (self->session) == ALS_TURN_STATE_ALLOCATED;
}

const AlsStunAddress *
als_turn_control_get_local (AlsTurnControl *self)
{
  return &self->local;
}

const AlsStunAddress *
als_turn_control_get_server (AlsTurnControl *self)
{
  return &self->server;
}

/* --- second connections --- */

typedef struct
{
  AlsTurnStream *stream;
  AlsTurnData *data;
  AlsStunAuth *auth;       /* until the connection stands */
  uint32_t connection_id;
  int64_t bind_by_us;
  GSource *deadline;
  GSource *cancelled;      /* (nullable) */
  GBytes *rest;            /* (nullable) */
} Bind;

static void
bind_free (gpointer data)
{
  Bind *self = data;

  als_source_clear (&self->deadline);
  als_source_clear (&self->cancelled);
  als_turn_stream_free (self->stream);
  als_turn_data_free (self->data);
  g_clear_pointer (&self->auth, als_stun_auth_free);
  g_clear_pointer (&self->rest, g_bytes_unref);
  g_free (self);
}

static void
bind_update (GTask *task)
{
  Bind *self = g_task_get_task_data (task);
  g_autoptr (GBytes) bytes = als_turn_data_take_output (self->data);
  AlsTurnDataState state = als_turn_data_get_state (self->data);

  if (bytes != NULL)
    als_turn_stream_write (self->stream, bytes);
  if (state == ALS_TURN_DATA_BOUND)
    {
      self->rest = als_turn_data_take_rest (self->data);
      als_source_clear (&self->deadline);
      als_source_clear (&self->cancelled);
      g_task_return_pointer (task, als_turn_stream_steal (self->stream), g_object_unref);
      g_object_unref (task);
    }
  else if (state == ALS_TURN_DATA_FAILED)
    {
      als_source_clear (&self->deadline);
      als_source_clear (&self->cancelled);
      g_clear_pointer (&self->stream, als_turn_stream_free);
      g_task_return_error (task, g_error_copy (als_turn_data_get_error (self->data)));
      g_object_unref (task);
    }
}

static void
on_bind_received (const uint8_t *data, size_t len, gpointer user_data)
{
  Bind *self = g_task_get_task_data (user_data);

  als_turn_data_feed (self->data, data, len, g_get_monotonic_time ());
  bind_update (user_data);
}

static void
on_bind_closed (gpointer user_data)
{
  Bind *self = g_task_get_task_data (user_data);

  als_turn_data_close (self->data);
  bind_update (user_data);
}

static const AlsTurnStreamEvents bind_events = { on_bind_received, on_bind_closed };

static gboolean
bind_deadline_cb (gpointer user_data)
{
  Bind *self = g_task_get_task_data (user_data);

  als_turn_data_poll (self->data, self->bind_by_us);
  bind_update (user_data);
  return G_SOURCE_REMOVE;
}

static gboolean
bind_cancelled_cb (GCancellable *cancellable, gpointer user_data)
{
  Bind *self = g_task_get_task_data (user_data);

  als_turn_data_close (self->data);
  bind_update (user_data);
  return G_SOURCE_REMOVE;
}

static void
bind_dialled_cb (GObject *object, GAsyncResult *result, gpointer user_data)
{
  GTask *task = user_data;
  Bind *self = g_task_get_task_data (task);
  int64_t now_us = g_get_monotonic_time ();
  GCancellable *cancellable = g_task_get_cancellable (task);
  GError *error = NULL;
  g_autoptr (GIOStream) stream = als_turn_way_dial_finish (result, &error);

  if (stream == NULL)
    {
      g_task_return_error (task, error);
      g_object_unref (task);
      return;
    }
  self->bind_by_us = MIN (self->bind_by_us, now_us + ALS_TURN_WAIT_US);
  self->data = als_turn_data_new (self->auth, self->connection_id, self->bind_by_us);
  self->stream = als_turn_stream_new (stream, &bind_events, task);
  self->deadline = als_deadline_source_new (g_task_get_context (task), "als-turn-bind",
                                            bind_deadline_cb, task);
  als_deadline_source_set (self->deadline, self->bind_by_us);
  if (cancellable != NULL)
    {
      self->cancelled = g_cancellable_source_new (cancellable);
      g_source_set_callback (self->cancelled, G_SOURCE_FUNC (bind_cancelled_cb), task, NULL);
      g_source_attach (self->cancelled, g_task_get_context (task));
    }
  als_turn_data_start (self->data, now_us);
  bind_update (task);
}

void
als_turn_control_bind_async (AlsTurnControl *self, const AlsTurnEvent *event,
                             GCancellable *cancellable, GAsyncReadyCallback callback,
                             gpointer user_data)
{
  GTask *task = g_task_new (self, cancellable, callback, user_data);
  Bind *bind = g_new0 (Bind, 1);

  g_task_set_source_tag (task, als_turn_control_bind_async);
  bind->auth = als_stun_auth_copy (als_turn_session_get_auth (self->session));
  bind->connection_id = event->connection_id;
  bind->bind_by_us = event->bind_by_us;
  g_task_set_task_data (task, bind, bind_free);
  als_turn_way_dial_async (self->way, 0, cancellable, bind_dialled_cb, task);
}

GIOStream *
als_turn_control_bind_finish (AlsTurnControl *self, GAsyncResult *result, GBytes **rest,
                              GError **error)
{
  Bind *bind = g_task_get_task_data (G_TASK (result));
  GIOStream *stream = g_task_propagate_pointer (G_TASK (result), error);

  *rest = stream != NULL ? g_steal_pointer (&bind->rest) : NULL;
  return stream;
}
