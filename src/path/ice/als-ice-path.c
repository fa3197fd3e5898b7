/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#define G_LOG_DOMAIN "als-path"

#include "config.h"

#include "path/ice/als-ice-path.h"

#include "base/als-deadline-source.h"
#include "path/als-network-watch.h"
#include "path/ice/als-ice-agent.h"
#include "path/ice/als-ice-message.h"

/* A message is at most two texts of 256 bytes; no need to carry more to the decoder. */
#define MAX_MESSAGE_BYTES 1024
/* A mapping that takes longer is of no use for this attempt, and the other side waits for the end mark to
 * give up. */
#define MAPPING_LIMIT_US (3 * G_USEC_PER_SEC)
/* Of one visit, whatever they hold. */
#define MAX_MESSAGES (2 * ALS_ICE_MAX_MESSAGES)

struct _AlsIcePath
{
  AlsPath parent_instance;

  AlsIcePathConfig config;
  GPtrArray *servers;       /* (element-type AlsPathServer): until start */
  GPtrArray *early;         /* (element-type GBytes): until start */
  guint n_remote_messages;
  guint n_tries;            /* after close */
  AlsMailbox *outbox;       /* NULL after close */
  AlsIceAgent *agent;       /* NULL before start and after close */
  AlsPortMapper *mapper;    /* NULL: none, or after close */
  AlsStunAddress host;      /* whose port is mapped; NONE: not yet */
  gboolean has_gathered;    /* the end mark is due */
  gboolean has_ended;       /* and was sent */
  GSource *mapping_limit;
};

G_DEFINE_FINAL_TYPE (AlsIcePath, als_ice_path, ALS_TYPE_PATH)

static void
send_message (AlsIcePath *self, GBytes *message)
{
  g_autoptr (GBytes) owned = message;

  if (message != NULL)
    als_path_send (ALS_PATH (self), message);
}

/* The end mark waits for the mapping, or for it to be hopeless. */
static void
end_candidates (AlsIcePath *self, gboolean wait)
{
  AlsStunAddress mapped;

  if (!self->has_gathered || self->has_ended)
    return;
  if (wait && self->mapper != NULL && self->host.family != ALS_STUN_FAMILY_NONE
      && !als_port_mapper_lookup (self->mapper, FALSE, self->host.port, &mapped)
      && !als_port_mapper_is_settled (self->mapper))
    return;
  self->has_ended = TRUE;
  als_source_clear (&self->mapping_limit);
  send_message (self, als_ice_message_new_end ());
}

static gboolean
mapping_limit_cb (gpointer user_data)
{
  end_candidates (user_data, FALSE);
  return G_SOURCE_CONTINUE;
}

static void
mapped_cb (AlsPortMapper *mapper, gboolean is_tcp, guint port, const AlsStunAddress *external,
           AlsIcePath *self)
{
  g_autoptr (AlsIcePath) alive = g_object_ref (self);

  if (is_tcp || self->host.family == ALS_STUN_FAMILY_NONE || port != self->host.port
      || self->has_ended)
    return;
  send_message (self, als_ice_message_new_mapped (external, &self->host));
  end_candidates (self, TRUE);
}

static void
settled_cb (AlsPortMapper *mapper, AlsIcePath *self)
{
  end_candidates (self, TRUE);
}

/* The router maps to the address that packets to the internet leave from; only that one helps. */
static void
map_host (AlsIcePath *self, const AlsStunAddress *host)
{
  AlsStunAddress internet, source, mapped;

  if (self->mapper == NULL || self->host.family != ALS_STUN_FAMILY_NONE
      || host->family != ALS_STUN_FAMILY_IPV4
      || !als_stun_address_parse (&internet, "192.0.2.1", 9)
      || !als_network_get_source (&internet, &source) || !als_stun_address_same_ip (&source, host))
    return;
  self->host = *host;
  als_deadline_source_set (self->mapping_limit, g_get_monotonic_time () + MAPPING_LIMIT_US);
  als_port_mapper_add (self->mapper, FALSE, host->port);
  /* Somebody asked for that port before. */
  if (als_port_mapper_lookup (self->mapper, FALSE, host->port, &mapped))
    mapped_cb (self->mapper, FALSE, host->port, &mapped, self);
}

static void
use_mapper (AlsIcePath *self, AlsPortMapper *mapper)
{
  g_autoptr (GMainContext) context = g_main_context_ref_thread_default ();

  self->mapper = g_object_ref (mapper);
  self->mapping_limit = als_deadline_source_new (context, "als-ice-mapping", mapping_limit_cb, self);
  g_signal_connect (mapper, "mapped", G_CALLBACK (mapped_cb), self);
  g_signal_connect (mapper, "settled", G_CALLBACK (settled_cb), self);
}

static void
drop_mapper (AlsIcePath *self)
{
  als_source_clear (&self->mapping_limit);
  if (self->mapper == NULL)
    return;
  g_signal_handlers_disconnect_by_data (self->mapper, self);
  if (self->host.family != ALS_STUN_FAMILY_NONE)
    als_port_mapper_remove (self->mapper, FALSE, self->host.port);
  g_clear_object (&self->mapper);
}

static void
emit_event (AlsIcePath *self, AlsIceEvent *event)
{
  switch (event->type)
    {
    case ALS_ICE_EVENT_MESSAGE:
      als_path_send (ALS_PATH (self), event->message);
      break;
    case ALS_ICE_EVENT_HOST:
      map_host (self, &event->host);
      break;
    case ALS_ICE_EVENT_GATHERED:
      self->has_gathered = TRUE;
      end_candidates (self, TRUE);
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

  if (self->agent != NULL)
    self->n_tries = als_ice_agent_get_tries (self->agent);
  drop_mapper (self);
  als_mailbox_close (self->outbox);
  g_clear_pointer (&self->outbox, als_mailbox_unref);
  g_clear_pointer (&self->agent, als_ice_agent_stop);
  g_clear_pointer (&self->servers, g_ptr_array_unref);
  g_clear_pointer (&self->early, g_ptr_array_unref);
}

static void
als_ice_path_get_report (AlsPath *path, AlsPathReport *report)
{
  AlsIcePath *self = ALS_ICE_PATH (path);

  report->tries = self->agent != NULL ? als_ice_agent_get_tries (self->agent) : self->n_tries;
}

static void
als_ice_path_class_init (AlsIcePathClass *klass)
{
  AlsPathClass *path_class = ALS_PATH_CLASS (klass);

  /* Known before there is a second thread: G_DEFINE_QUARK () has no lock. */
  als_path_error_quark ();
  path_class->start = als_ice_path_start;
  path_class->remote_message = als_ice_path_remote_message;
  path_class->close = als_ice_path_close;
  path_class->get_report = als_ice_path_get_report;
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
  self->config.mapper = NULL;
  if (config->mapper != NULL && !config->force_relay && !config->loopback)
    use_mapper (self, config->mapper);
  for (guint i = 0; config->servers != NULL && i < config->servers->len; i++)
    g_ptr_array_add (self->servers,
                     als_path_server_copy (g_ptr_array_index (config->servers, i)));
  return ALS_PATH (self);
}
