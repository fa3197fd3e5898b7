/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#define G_LOG_DOMAIN "als-path"

#include "config.h"

#include "path/ice/als-ice-path.h"

#include "path/ice/als-ice-agent.h"
#include "path/ice/als-ice-message.h"

/* A message is at most two texts of 256 bytes; no need to carry more to the decoder. */
#define MAX_MESSAGE_BYTES 1024
/* Of one visit, whatever they hold. */
#define MAX_MESSAGES (2 * ALS_ICE_MAX_MESSAGES)

struct _AlsIcePath
{
  AlsPath parent_instance;

  AlsIcePathConfig config;
  GPtrArray *servers;       /* (element-type AlsPathServer): until start */
  GPtrArray *early;         /* (element-type GBytes): until start */
  guint n_remote_messages;
  AlsMailbox *outbox;       /* NULL after close */
  AlsIceAgent *agent;       /* NULL before start and after close */
};

G_DEFINE_FINAL_TYPE (AlsIcePath, als_ice_path, ALS_TYPE_PATH)

static void
emit_event (AlsIcePath *self, AlsIceEvent *event)
{
  switch (event->type)
    {
    case ALS_ICE_EVENT_MESSAGE:
      als_path_send (ALS_PATH (self), event->message);
      break;
    case ALS_ICE_EVENT_CONNECTED:
      als_path_connected (ALS_PATH (self), event->carrier);
      break;
    case ALS_ICE_EVENT_FAILED:
      als_path_fail (ALS_PATH (self), event->error->code, event->error->message);
      break;
    }
}

static void
outbox_cb (GPtrArray *items, gpointer user_data)
{
  g_autoptr (AlsIcePath) self = g_object_ref (user_data);

  for (guint i = 0; i < items->len; i++)
    {
      g_autoptr (AlsIceEvent) event = g_ptr_array_index (items, i);

      if (self->outbox != NULL)
        emit_event (self, event);
    }
}

static void
als_ice_path_start (AlsPath *path)
{
  AlsIcePath *self = ALS_ICE_PATH (path);

  self->agent = als_ice_agent_start (&self->config, g_steal_pointer (&self->servers),
                                     self->outbox);
  for (guint i = 0; i < self->early->len; i++)
    als_ice_agent_post (self->agent, g_bytes_ref (g_ptr_array_index (self->early, i)));
  g_clear_pointer (&self->early, g_ptr_array_unref);
}

static void
als_ice_path_remote_message (AlsPath *path, const uint8_t *data, size_t len)
{
  AlsIcePath *self = ALS_ICE_PATH (path);
  GBytes *message;

  if (len > MAX_MESSAGE_BYTES || self->n_remote_messages == MAX_MESSAGES)
    {
      g_message ("ICE message ignored: %s", len > MAX_MESSAGE_BYTES ? "too long" : "too many");
      return;
    }
  self->n_remote_messages++;
  message = g_bytes_new (data, len);
  if (self->agent != NULL)
    als_ice_agent_post (self->agent, message);
  else
    g_ptr_array_add (self->early, message);
}

static void
als_ice_path_close (AlsPath *path)
{
  AlsIcePath *self = ALS_ICE_PATH (path);

  als_mailbox_close (self->outbox);
  g_clear_pointer (&self->outbox, als_mailbox_unref);
  g_clear_pointer (&self->agent, als_ice_agent_stop);
  g_clear_pointer (&self->servers, g_ptr_array_unref);
  g_clear_pointer (&self->early, g_ptr_array_unref);
}

static void
als_ice_path_class_init (AlsIcePathClass *klass)
{
  AlsPathClass *path_class = ALS_PATH_CLASS (klass);

  path_class->start = als_ice_path_start;
  path_class->remote_message = als_ice_path_remote_message;
  path_class->close = als_ice_path_close;
}

static void
als_ice_path_init (AlsIcePath *self)
{
  g_autoptr (GMainContext) context = g_main_context_ref_thread_default ();

  self->servers = g_ptr_array_new_with_free_func ((GDestroyNotify) als_path_server_free);
  self->early = g_ptr_array_new_with_free_func ((GDestroyNotify) g_bytes_unref);
  self->outbox = als_mailbox_new (context, "als-ice-outbox", outbox_cb, self,
                                  (GDestroyNotify) als_ice_event_free);
}

AlsPath *
als_ice_path_new (const AlsIcePathConfig *config)
{
  AlsIcePath *self = g_object_new (ALS_TYPE_ICE_PATH, NULL);

  self->config = *config;
  self->config.servers = NULL;
  for (guint i = 0; config->servers != NULL && i < config->servers->len; i++)
    g_ptr_array_add (self->servers,
                     als_path_server_copy (g_ptr_array_index (config->servers, i)));
  return ALS_PATH (self);
}
