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
  GObject parent_instance;

  AlsIcePathConfig config;
  GPtrArray *servers;       /* (element-type AlsIcePathServer): until start */
  GPtrArray *early;         /* (element-type GBytes): until start */
  guint n_remote_messages;
  AlsMailbox *outbox;       /* NULL after close */
  AlsIceAgent *agent;       /* NULL before start and after close */
  gboolean failed;
};

G_DEFINE_FINAL_TYPE (AlsIcePath, als_ice_path, G_TYPE_OBJECT)

enum
{
  LOCAL_MESSAGE,
  CONNECTED,
  FAILED,
  N_SIGNALS,
};

static guint signals[N_SIGNALS];

static void
emit_event (AlsIcePath *self, AlsIceEvent *event)
{
  if (self->failed)
    return;
  switch (event->type)
    {
    case ALS_ICE_EVENT_MESSAGE:
      g_signal_emit (self, signals[LOCAL_MESSAGE], 0, event->message);
      break;
    case ALS_ICE_EVENT_CONNECTED:
      g_signal_emit (self, signals[CONNECTED], 0, event->carrier);
      break;
    case ALS_ICE_EVENT_FAILED:
      self->failed = TRUE;
      g_signal_emit (self, signals[FAILED], 0, event->error);
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
als_ice_path_dispose (GObject *object)
{
  als_ice_path_close (ALS_ICE_PATH (object));
  G_OBJECT_CLASS (als_ice_path_parent_class)->dispose (object);
}

static void
als_ice_path_class_init (AlsIcePathClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = als_ice_path_dispose;
  signals[LOCAL_MESSAGE] = g_signal_new ("local-message", ALS_TYPE_ICE_PATH, G_SIGNAL_RUN_LAST, 0,
                                         NULL, NULL, NULL, G_TYPE_NONE, 1, G_TYPE_BYTES);
  signals[CONNECTED] = g_signal_new ("connected", ALS_TYPE_ICE_PATH, G_SIGNAL_RUN_LAST, 0, NULL,
                                     NULL, NULL, G_TYPE_NONE, 1, ALS_TYPE_CARRIER);
  signals[FAILED] = g_signal_new ("failed", ALS_TYPE_ICE_PATH, G_SIGNAL_RUN_LAST, 0, NULL, NULL,
                                  NULL, G_TYPE_NONE, 1, G_TYPE_ERROR);
}

static void
als_ice_path_init (AlsIcePath *self)
{
  g_autoptr (GMainContext) context = g_main_context_ref_thread_default ();

  self->servers = g_ptr_array_new_with_free_func ((GDestroyNotify) als_ice_path_server_free);
  self->early = g_ptr_array_new_with_free_func ((GDestroyNotify) g_bytes_unref);
  self->outbox = als_mailbox_new (context, "als-ice-outbox", outbox_cb, self,
                                  (GDestroyNotify) als_ice_event_free);
}

AlsIcePath *
als_ice_path_new (const AlsIcePathConfig *config)
{
  AlsIcePath *self = g_object_new (ALS_TYPE_ICE_PATH, NULL);

  self->config = *config;
  return self;
}

void
als_ice_path_add_server (AlsIcePath *self, AlsIceServerForm form, const char *host, uint16_t port,
                         const char *username, const char *password)
{
  AlsIcePathServer *server;

  g_return_if_fail (self->servers != NULL);
  if (host == NULL || *host == '\0' || port == 0
      || (form != ALS_ICE_SERVER_FORM_STUN && (username == NULL || password == NULL)))
    return;
  server = g_new0 (AlsIcePathServer, 1);
  server->form = form;
  server->host = g_strdup (host);
  server->port = port;
  server->username = g_strdup (username);
  server->password = g_strdup (password);
  g_ptr_array_add (self->servers, server);
}

void
als_ice_path_start (AlsIcePath *self)
{
  g_return_if_fail (self->agent == NULL);
  if (self->outbox == NULL)
    return;
  self->agent = als_ice_agent_start (&self->config, g_steal_pointer (&self->servers),
                                     self->outbox);
  for (guint i = 0; i < self->early->len; i++)
    als_ice_agent_post (self->agent, g_bytes_ref (g_ptr_array_index (self->early, i)));
  g_clear_pointer (&self->early, g_ptr_array_unref);
}

void
als_ice_path_remote_message (AlsIcePath *self, const uint8_t *data, size_t len)
{
  GBytes *message;

  if (self->outbox == NULL)
    return;
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

void
als_ice_path_close (AlsIcePath *self)
{
  if (self->outbox == NULL)
    return;
  als_mailbox_close (self->outbox);
  g_clear_pointer (&self->outbox, als_mailbox_unref);
  g_clear_pointer (&self->agent, als_ice_agent_stop);
  g_clear_pointer (&self->servers, g_ptr_array_unref);
  g_clear_pointer (&self->early, g_ptr_array_unref);
}
