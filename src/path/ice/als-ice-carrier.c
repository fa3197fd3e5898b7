/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#define G_LOG_DOMAIN "als-path"

#include "config.h"

#include "path/ice/als-ice-carrier.h"

#include <netinet/in.h>
#include "path/als-udp-sender.h"

/* Packets given to libnice at once. */
#define MAX_BATCH 64

struct _AlsIceCarrier
{
  AlsCarrier parent_instance;

  NiceAgent *nice;                 /* NULL once detached */
  guint stream_id;
  GSocket *socket;                 /* NULL: through libnice */
  AlsUdpSender sender;             /* on the socket */
  GSource *writable_source;        /* while the socket is full */
  GDestroyNotify released;
  gpointer user_data;
};

G_DEFINE_FINAL_TYPE (AlsIceCarrier, als_ice_carrier, ALS_TYPE_CARRIER)

static gboolean
writable_cb (GSocket *socket, GIOCondition condition, gpointer user_data)
{
  AlsIceCarrier *self = user_data;

  g_clear_pointer (&self->writable_source, g_source_unref);
  als_carrier_writable (ALS_CARRIER (self));
  return G_SOURCE_REMOVE;
}

static void
stop_watching (AlsIceCarrier *self)
{
  if (self->writable_source != NULL)
    g_source_destroy (self->writable_source);
  g_clear_pointer (&self->writable_source, g_source_unref);
}

static void
watch_writable (AlsIceCarrier *self)
{
  if (self->writable_source != NULL)
    return;
  self->writable_source = g_socket_create_source (self->socket, G_IO_OUT, NULL);
  g_source_set_static_name (self->writable_source, "als-ice-writable");
  g_source_set_callback (self->writable_source, G_SOURCE_FUNC (writable_cb), self, NULL);
  g_source_attach (self->writable_source, als_carrier_get_context (ALS_CARRIER (self)));
}

static guint
send_direct (AlsIceCarrier *self, const AlsPacket *packets, guint n)
{
  gboolean is_full;
  guint done = als_udp_sender_send (&self->sender, packets, n, &is_full);

  if (is_full)
    watch_writable (self);
  return done;
}

static void
send_through_agent (AlsIceCarrier *self, const AlsPacket *packets, guint n)
{
  for (guint done = 0; done < n; done += MAX_BATCH)
    {
      guint n_now = MIN (n - done, MAX_BATCH);
      NiceOutputMessage messages[MAX_BATCH];
      GOutputVector vectors[MAX_BATCH];

      for (guint i = 0; i < n_now; i++)
        {
          vectors[i].buffer = packets[done + i].data;
          vectors[i].size = packets[done + i].len;
          messages[i].buffers = &vectors[i];
          messages[i].n_buffers = 1;
        }
      /* What it does not take is a lost datagram: it tells no writability. */
      nice_agent_send_messages_nonblocking (self->nice, self->stream_id, 1, messages, n_now, NULL,
                                            NULL);
    }
}

static guint
als_ice_carrier_send (AlsCarrier *carrier, const AlsPacket *packets, guint n)
{
  AlsIceCarrier *self = ALS_ICE_CARRIER (carrier);

  if (self->nice == NULL)
    return n;
  if (self->socket != NULL)
    return send_direct (self, packets, n);
  send_through_agent (self, packets, n);
  return n;
}

static void
als_ice_carrier_close (AlsCarrier *carrier)
{
  als_ice_carrier_detach (ALS_ICE_CARRIER (carrier));
}

static void
als_ice_carrier_finalize (GObject *object)
{
  AlsIceCarrier *self = ALS_ICE_CARRIER (object);
  GDestroyNotify released = self->released;
  gpointer user_data = self->user_data;

  als_ice_carrier_detach (self);
  G_OBJECT_CLASS (als_ice_carrier_parent_class)->finalize (object);
  released (user_data);
}

static void
als_ice_carrier_class_init (AlsIceCarrierClass *klass)
{
  AlsCarrierClass *carrier_class = ALS_CARRIER_CLASS (klass);

  G_OBJECT_CLASS (klass)->finalize = als_ice_carrier_finalize;
  carrier_class->send = als_ice_carrier_send;
  carrier_class->close = als_ice_carrier_close;
}

static void
als_ice_carrier_init (AlsIceCarrier *self)
{
}

AlsIceCarrier *
als_ice_carrier_new (NiceAgent *nice, guint stream_id, AlsPathKind kind, GMainContext *context,
                     const char *remote, gboolean lan, GDestroyNotify released, gpointer user_data)
{
  AlsIceCarrier *self = g_object_new (ALS_TYPE_ICE_CARRIER, NULL);

  als_carrier_setup (ALS_CARRIER (self), ALS_CARRIER_DATAGRAMS, kind, context, remote, lan);
  self->nice = g_object_ref (nice);
  self->stream_id = stream_id;
  self->released = released;
  self->user_data = user_data;
  return self;
}

void
als_ice_carrier_set_route (AlsIceCarrier *self, GSocket *socket, const NiceAddress *remote)
{
  if (self->nice == NULL)
    return;
  if (self->socket != socket)
    {
      /* Whoever waits for room in the old socket finds it in the new one. */
      gboolean was_full = self->writable_source != NULL;

      stop_watching (self);
      g_set_object (&self->socket, socket);
      self->sender.no_segmentation = FALSE;
      if (was_full && socket != NULL)
        watch_writable (self);
      else if (was_full)
        als_carrier_writable (ALS_CARRIER (self));
    }
  if (socket == NULL)
    return;
  self->sender.fd = g_socket_get_fd (socket);
  nice_address_copy_to_sockaddr (remote, (struct sockaddr *) &self->sender.remote);
  self->sender.remote_len = self->sender.remote.ss_family == AF_INET6
                                ? sizeof (struct sockaddr_in6)
                                : sizeof (struct sockaddr_in);
}

void
als_ice_carrier_detach (AlsIceCarrier *self)
{
  stop_watching (self);
  g_clear_object (&self->socket);
  g_clear_object (&self->nice);
}
