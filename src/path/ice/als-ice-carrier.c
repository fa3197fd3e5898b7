/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#define G_LOG_DOMAIN "als-path"

#include "config.h"

#include "path/ice/als-ice-carrier.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/socket.h>

/* Packets in one sendmmsg (); a segmented run may not exceed the kernel's UDP_MAX_SEGMENTS (64). */
#define MAX_BATCH 64
/* A segmented run is one IP packet until it is cut. */
#define MAX_RUN_BYTES 60000

struct _AlsIceCarrier
{
  AlsCarrier parent_instance;

  NiceAgent *nice;                 /* NULL once detached */
  guint stream_id;
  GSocket *socket;                 /* NULL: through libnice */
  struct sockaddr_storage remote;
  socklen_t remote_len;
  gboolean no_segmentation;        /* the kernel or the device cannot */
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

/* How many of the N packets can leave as one: equally long but for a shorter last one. */
static guint
count_run (AlsIceCarrier *self, const AlsPacket *packets, guint n)
{
  size_t bytes = packets[0].len;
  guint i = 1;

  if (self->no_segmentation || packets[0].len == 0)
    return 1;
  while (i < n && packets[i].len > 0 && packets[i].len <= packets[0].len
         && bytes + packets[i].len <= MAX_RUN_BYTES)
    {
      bytes += packets[i].len;
      i++;
      if (packets[i - 1].len < packets[0].len)
        break;
    }
  return i;
}

typedef union
{
  char buffer[CMSG_SPACE (sizeof (uint16_t))];
  struct cmsghdr align;
} SegmentControl;

/* Up to MAX_BATCH packets, in one system call. Returns how many were taken; -1 with errno. */
static int
send_batch (AlsIceCarrier *self, const AlsPacket *packets, guint n, guint *first_run)
{
  struct mmsghdr messages[MAX_BATCH];
  struct iovec vectors[MAX_BATCH];
  SegmentControl controls[MAX_BATCH];
  guint n_messages = 0, n_packets = 0;
  int n_sent, n_taken = 0;

  memset (messages, 0, sizeof messages);
  while (n_packets < n)
    {
      struct msghdr *header = &messages[n_messages].msg_hdr;
      guint run = count_run (self, packets + n_packets, n - n_packets);

      if (n_messages == 0)
        *first_run = run;
      header->msg_name = &self->remote;
      header->msg_namelen = self->remote_len;
      header->msg_iov = vectors + n_packets;
      header->msg_iovlen = run;
      for (guint i = 0; i < run; i++)
        {
          vectors[n_packets + i].iov_base = (void *) packets[n_packets + i].data;
          vectors[n_packets + i].iov_len = packets[n_packets + i].len;
        }
      if (run > 1)
        {
          uint16_t segment_bytes = (uint16_t) packets[n_packets].len;
          struct cmsghdr *control;

          memset (&controls[n_messages], 0, sizeof controls[n_messages]);
          header->msg_control = controls[n_messages].buffer;
          header->msg_controllen = sizeof controls[n_messages].buffer;
          control = CMSG_FIRSTHDR (header);
          control->cmsg_level = SOL_UDP;
          control->cmsg_type = UDP_SEGMENT;
          control->cmsg_len = CMSG_LEN (sizeof segment_bytes);
          memcpy (CMSG_DATA (control), &segment_bytes, sizeof segment_bytes);
        }
      n_packets += run;
      n_messages++;
    }
  do
    n_sent = sendmmsg (g_socket_get_fd (self->socket), messages, n_messages,
                       MSG_DONTWAIT | MSG_NOSIGNAL);
  while (n_sent < 0 && errno == EINTR);
  if (n_sent < 0)
    return -1;
  for (int i = 0; i < n_sent; i++)
    n_taken += (int) messages[i].msg_hdr.msg_iovlen;
  return n_taken;
}

static guint
send_direct (AlsIceCarrier *self, const AlsPacket *packets, guint n)
{
  guint done = 0;

  while (done < n)
    {
      guint first_run = 1;
      int taken = send_batch (self, packets + done, MIN (n - done, MAX_BATCH), &first_run);

      if (taken >= 0)
        done += (guint) taken;
      else if (errno == EAGAIN || errno == EWOULDBLOCK)
        {
          watch_writable (self);
          break;
        }
      else if (first_run > 1)
        {
          g_debug ("no segmentation offload here: %s", g_strerror (errno));
          self->no_segmentation = TRUE;
        }
      else
        done++; /* too long for the interface, no route just now, ...: a lost datagram */
    }
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
      self->no_segmentation = FALSE;
      if (was_full && socket != NULL)
        watch_writable (self);
      else if (was_full)
        als_carrier_writable (ALS_CARRIER (self));
    }
  if (socket == NULL)
    return;
  nice_address_copy_to_sockaddr (remote, (struct sockaddr *) &self->remote);
  self->remote_len = self->remote.ss_family == AF_INET6 ? sizeof (struct sockaddr_in6)
                                                        : sizeof (struct sockaddr_in);
}

void
als_ice_carrier_detach (AlsIceCarrier *self)
{
  stop_watching (self);
  g_clear_object (&self->socket);
  g_clear_object (&self->nice);
}
