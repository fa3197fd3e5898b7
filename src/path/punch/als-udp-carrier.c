/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#define G_LOG_DOMAIN "als-path"

#include "config.h"

#include "path/punch/als-udp-carrier.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include "base/als-context-thread.h"
#include "base/als-deadline-source.h"
#include "path/als-udp-sender.h"

/* Of one carrier before the rest of its thread has its turn. */
#define MAX_BATCH 32
#define BATCHES_AT_ONCE 8
/* Longer datagrams are nobody's of ours. */
#define MAX_DATAGRAM_BYTES 9216

typedef struct
{
  GMainContext *context;
  GMainLoop *loop;
  uint8_t *buffers;     /* MAX_BATCH datagrams */
} CarrierThread;

struct _AlsUdpCarrier
{
  AlsCarrier parent_instance;

  CarrierThread *thread;
  GSocket *socket;      /* NULL after close */
  AlsUdpSender sender;
  GSource *readable;
  GSource *writable;    /* while the socket is full */
  uint8_t key[ALS_PUNCH_KEY_BYTES];
  uint8_t accept[ALS_PUNCH_PROBE_BYTES];
};

G_DEFINE_FINAL_TYPE (AlsUdpCarrier, als_udp_carrier, ALS_TYPE_CARRIER)

static int n_threads; /* atomic */

/* --- the thread --------------------------------------------------------------- */

static gpointer
thread_func (gpointer data)
{
  CarrierThread *self = data;

  g_main_loop_run (self->loop);
  /* What others still had to do in this thread. */
  while (g_main_context_iteration (self->context, FALSE))
    ;
  g_main_loop_unref (self->loop);
  g_main_context_unref (self->context);
  g_free (self->buffers);
  g_free (self);
  g_atomic_int_add (&n_threads, -1);
  return NULL;
}

static CarrierThread *
thread_new (void)
{
  CarrierThread *self = g_new0 (CarrierThread, 1);

  self->context = g_main_context_new ();
  self->loop = g_main_loop_new (self->context, FALSE);
  self->buffers = g_malloc (MAX_BATCH * MAX_DATAGRAM_BYTES);
  g_atomic_int_inc (&n_threads);
  return self;
}

/* A source that does not keep the carrier alive: dropping the last reference ends it. */
static void
weak_ref_free (gpointer data)
{
  g_weak_ref_clear (data);
  g_free (data);
}

static GSource *
watch (AlsUdpCarrier *self, GIOCondition condition, const char *name, GSourceFunc func)
{
  GSource *source = g_socket_create_source (self->socket, condition, NULL);
  GWeakRef *ref = g_new0 (GWeakRef, 1);

  g_weak_ref_init (ref, self);
  g_source_set_static_name (source, name);
  g_source_set_callback (source, func, ref, weak_ref_free);
  return source;
}

/* --- receiving ----------------------------------------------------------------- */

/* A packet of the search, late or repeated: not for the link. */
static gboolean
is_of_the_search (AlsUdpCarrier *self, const uint8_t *data, size_t len)
{
  AlsPacket accept = { self->accept, sizeof self->accept };
  AlsPunchProbe probe;

  if (len != ALS_PUNCH_PROBE_BYTES || !als_punch_probe_decode (&probe, self->key, data, len))
    return FALSE;
  if (probe.type == ALS_PUNCH_NOMINATE && probe.from_inviter)
    als_carrier_send (ALS_CARRIER (self), &accept, 1);
  return TRUE;
}

/* FALSE: nothing more is there. */
static gboolean
receive_batch (AlsUdpCarrier *self)
{
  struct mmsghdr messages[MAX_BATCH];
  struct iovec vectors[MAX_BATCH];
  int n;

  memset (messages, 0, sizeof messages);
  for (guint i = 0; i < MAX_BATCH; i++)
    {
      vectors[i] = (struct iovec){ self->thread->buffers + i * MAX_DATAGRAM_BYTES, MAX_DATAGRAM_BYTES };
      messages[i].msg_hdr.msg_iov = &vectors[i];
      messages[i].msg_hdr.msg_iovlen = 1;
    }
  n = recvmmsg (self->sender.fd, messages, MAX_BATCH, MSG_DONTWAIT, NULL);
  if (n < 0)
    /* What ICMP says of an earlier packet proves nothing: anybody can say it. */
    return errno == EINTR || errno == ECONNREFUSED;
  for (int i = 0; i < n && self->socket != NULL; i++)
    if (!(messages[i].msg_hdr.msg_flags & MSG_TRUNC)
        && !is_of_the_search (self, vectors[i].iov_base, messages[i].msg_len))
      als_carrier_received (ALS_CARRIER (self), vectors[i].iov_base, messages[i].msg_len);
  return n == MAX_BATCH;
}

static gboolean
readable_cb (GSocket *socket, GIOCondition condition, gpointer user_data)
{
  g_autoptr (AlsUdpCarrier) self = g_weak_ref_get (user_data);

  if (self == NULL)
    return G_SOURCE_REMOVE;
  for (guint i = 0; i < BATCHES_AT_ONCE && self->socket != NULL && receive_batch (self); i++)
    ;
  return G_SOURCE_CONTINUE;
}

/* --- sending -------------------------------------------------------------------- */

static gboolean
writable_cb (GSocket *socket, GIOCondition condition, gpointer user_data)
{
  g_autoptr (AlsUdpCarrier) self = g_weak_ref_get (user_data);

  if (self == NULL)
    return G_SOURCE_REMOVE;
  als_source_clear (&self->writable);
  als_carrier_writable (ALS_CARRIER (self));
  return G_SOURCE_REMOVE;
}

static guint
als_udp_carrier_send (AlsCarrier *carrier, const AlsPacket *packets, guint n)
{
  AlsUdpCarrier *self = ALS_UDP_CARRIER (carrier);
  gboolean is_full;
  guint done = als_udp_sender_send (&self->sender, packets, n, &is_full);

  if (is_full && self->writable == NULL)
    {
      self->writable = watch (self, G_IO_OUT, "als-udp-writable", G_SOURCE_FUNC (writable_cb));
      g_source_attach (self->writable, self->thread->context);
    }
  return done;
}

/* --- lifecycle -------------------------------------------------------------------- */

static void
als_udp_carrier_close (AlsCarrier *carrier)
{
  AlsUdpCarrier *self = ALS_UDP_CARRIER (carrier);

  als_source_clear (&self->readable);
  als_source_clear (&self->writable);
  g_clear_object (&self->socket);
}

static void
als_udp_carrier_finalize (GObject *object)
{
  AlsUdpCarrier *self = ALS_UDP_CARRIER (object);
  CarrierThread *thread = self->thread;

  als_udp_carrier_close (ALS_CARRIER (self));
  explicit_bzero (self->key, sizeof self->key);
  G_OBJECT_CLASS (als_udp_carrier_parent_class)->finalize (object);
  als_main_loop_quit (thread->loop);
}

static void
als_udp_carrier_class_init (AlsUdpCarrierClass *klass)
{
  AlsCarrierClass *carrier_class = ALS_CARRIER_CLASS (klass);

  G_OBJECT_CLASS (klass)->finalize = als_udp_carrier_finalize;
  carrier_class->send = als_udp_carrier_send;
  carrier_class->close = als_udp_carrier_close;
}

static void
als_udp_carrier_init (AlsUdpCarrier *self)
{
}

AlsCarrier *
als_udp_carrier_new (GSocket *socket, const char *remote, gboolean lan, const uint8_t *key,
                     const uint8_t *accept)
{
  AlsUdpCarrier *self = g_object_new (ALS_TYPE_UDP_CARRIER, NULL);

  self->thread = thread_new ();
  als_carrier_setup (ALS_CARRIER (self), ALS_CARRIER_DATAGRAMS, ALS_PATH_DIRECT_UDP,
                     self->thread->context, remote, lan);
  memcpy (self->key, key, sizeof self->key);
  memcpy (self->accept, accept, sizeof self->accept);
  self->socket = g_object_ref (socket);
  self->sender.fd = g_socket_get_fd (socket);
  g_socket_set_blocking (socket, FALSE);
  als_udp_socket_tune (socket);
  self->readable = watch (self, G_IO_IN, "als-udp-readable", G_SOURCE_FUNC (readable_cb));
  g_source_attach (self->readable, self->thread->context);
  g_thread_unref (als_context_thread_new ("als-udp", self->thread->context, thread_func, self->thread));
  return ALS_CARRIER (self);
}

guint
als_udp_carrier_count (void)
{
  return (guint) g_atomic_int_get (&n_threads);
}
