/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#define G_LOG_DOMAIN "als-path"

#include "config.h"

#include "path/turn/als-turn-stream.h"

#include "base/als-deadline-source.h"
#include "path/als-stream-socket.h"

#define READ_BYTES 4096
/* A server that reads nothing; requests are a few hundred bytes. */
#define MAX_UNSENT_BYTES (256 * 1024)

struct _AlsTurnStream
{
  GIOStream *stream;   /* NULL once stolen */
  GPollableInputStream *input;
  GPollableOutputStream *output;
  const AlsTurnStreamEvents *events;
  gpointer user_data;
  GMainContext *context;
  GByteArray *unsent;
  GSource *readable;
  GSource *writable;   /* NULL unless there is something unsent */
  gboolean *is_gone;   /* (nullable): a callback wants to know */
};

static void
tell_closed (AlsTurnStream *self)
{
  als_source_clear (&self->readable);
  als_source_clear (&self->writable);
  self->events->closed (self->user_data);
}

static gboolean
readable_cb (GObject *object, gpointer user_data)
{
  AlsTurnStream *self = user_data;
  uint8_t buffer[READ_BYTES];
  g_autoptr (GError) error = NULL;
  gboolean is_gone = FALSE;
  gssize len = g_pollable_input_stream_read_nonblocking (self->input, buffer, sizeof buffer, NULL,
                                                         &error);

  if (len < 0 && g_error_matches (error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK))
    return G_SOURCE_CONTINUE;
  self->is_gone = &is_gone;
  if (len > 0)
    self->events->received (buffer, (size_t) len, self->user_data);
  else
    tell_closed (self);
  if (is_gone)
    return G_SOURCE_REMOVE;
  self->is_gone = NULL;
  return self->readable != NULL ? G_SOURCE_CONTINUE : G_SOURCE_REMOVE;
}

static gboolean
writable_cb (GObject *object, gpointer user_data)
{
  AlsTurnStream *self = user_data;

  while (self->unsent->len > 0)
    {
      g_autoptr (GError) error = NULL;
      gssize len = g_pollable_output_stream_write_nonblocking (self->output, self->unsent->data,
                                                               self->unsent->len, NULL, &error);

      if (len < 0 && g_error_matches (error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK))
        return G_SOURCE_CONTINUE;
      if (len <= 0)
        {
          tell_closed (self);
          return G_SOURCE_REMOVE;
        }
      g_byte_array_remove_range (self->unsent, 0, (guint) len);
    }
  als_source_clear (&self->writable);
  return G_SOURCE_REMOVE;
}

AlsTurnStream *
als_turn_stream_new (GIOStream *stream, const AlsTurnStreamEvents *events, gpointer user_data)
{
  AlsTurnStream *self = g_new0 (AlsTurnStream, 1);
  GSocket *socket = als_stream_get_socket (stream);

  self->stream = g_object_ref (stream);
  self->input = G_POLLABLE_INPUT_STREAM (g_io_stream_get_input_stream (stream));
  self->output = G_POLLABLE_OUTPUT_STREAM (g_io_stream_get_output_stream (stream));
  self->events = events;
  self->user_data = user_data;
  self->context = g_main_context_ref_thread_default ();
  self->unsent = g_byte_array_new ();
  if (socket != NULL)
    g_socket_set_timeout (socket, 0);
  self->readable = g_pollable_input_stream_create_source (self->input, NULL);
  g_source_set_static_name (self->readable, "als-turn-readable");
  g_source_set_callback (self->readable, G_SOURCE_FUNC (readable_cb), self, NULL);
  g_source_attach (self->readable, self->context);
  return self;
}

void
als_turn_stream_free (AlsTurnStream *self)
{
  if (self == NULL)
    return;
  if (self->is_gone != NULL)
    *self->is_gone = TRUE;
  als_source_clear (&self->readable);
  als_source_clear (&self->writable);
  if (self->stream != NULL)
    als_stream_abort (self->stream);
  g_clear_object (&self->stream);
  g_byte_array_unref (self->unsent);
  g_main_context_unref (self->context);
  g_free (self);
}

void
als_turn_stream_write (AlsTurnStream *self, GBytes *bytes)
{
  if (self->stream == NULL || self->readable == NULL
      || self->unsent->len + g_bytes_get_size (bytes) > MAX_UNSENT_BYTES)
    return;
  g_byte_array_append (self->unsent, g_bytes_get_data (bytes, NULL),
                       (guint) g_bytes_get_size (bytes));
  if (self->writable != NULL)
    return;
  self->writable = g_pollable_output_stream_create_source (self->output, NULL);
  g_source_set_static_name (self->writable, "als-turn-writable");
  g_source_set_callback (self->writable, G_SOURCE_FUNC (writable_cb), self, NULL);
  g_source_attach (self->writable, self->context);
}

gboolean
als_turn_stream_flush (AlsTurnStream *self)
{
  gssize len = 1;

  while (self->stream != NULL && self->unsent->len > 0 && len > 0)
    {
      len = g_pollable_output_stream_write_nonblocking (self->output, self->unsent->data,
                                                        self->unsent->len, NULL, NULL);
      if (len > 0)
        g_byte_array_remove_range (self->unsent, 0, (guint) len);
    }
  return self->unsent->len == 0;
}

GIOStream *
als_turn_stream_steal (AlsTurnStream *self)
{
  als_source_clear (&self->readable);
  als_source_clear (&self->writable);
  return g_steal_pointer (&self->stream);
}
