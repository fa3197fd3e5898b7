/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#include "config.h"

#include "als-fd-carrier.h"

#include <errno.h>
#include <glib-unix.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/als-deadline-source.h"

#define MAX_PACKET_BYTES (64 * 1024)
#define PACKETS_AT_ONCE 32

struct _AlsFdCarrier
{
  AlsCarrier parent_instance;

  int fd;
  GSource *readable;  /* NULL before somebody listens */
  GSource *writable;  /* NULL unless full */
};

G_DEFINE_FINAL_TYPE (AlsFdCarrier, als_fd_carrier, ALS_TYPE_CARRIER)

static GSource *
watch (AlsFdCarrier *self, GIOCondition condition, GUnixFDSourceFunc func)
{
  GSource *source = g_unix_fd_source_new (self->fd, condition);

  g_source_set_callback (source, G_SOURCE_FUNC (func), self, NULL);
  g_source_attach (source, als_carrier_get_context (ALS_CARRIER (self)));
  return source;
}

static gboolean
writable_cb (int fd, GIOCondition condition, gpointer user_data)
{
  AlsFdCarrier *self = user_data;
  g_autoptr (AlsFdCarrier) keep = g_object_ref (self);

  als_source_clear (&self->writable);
  als_carrier_writable (ALS_CARRIER (self));
  return G_SOURCE_REMOVE;
}

static guint
als_fd_carrier_send (AlsCarrier *carrier, const AlsPacket *packets, guint n)
{
  AlsFdCarrier *self = ALS_FD_CARRIER (carrier);

  for (guint i = 0; i < n; i++)
    if (send (self->fd, packets[i].data, packets[i].len, MSG_NOSIGNAL) < 0
        && (errno == EAGAIN || errno == ENOBUFS)
        && als_carrier_get_carrier_type (carrier) != ALS_CARRIER_DATAGRAMS)
      {
        if (self->writable == NULL)
          self->writable = watch (self, G_IO_OUT, writable_cb);
        return i;
      }
  return n;
}

static gboolean
readable_cb (int fd, GIOCondition condition, gpointer user_data)
{
  AlsFdCarrier *self = user_data;
  g_autoptr (AlsFdCarrier) keep = g_object_ref (self);
  static __thread uint8_t data[MAX_PACKET_BYTES];

  for (guint i = 0; i < PACKETS_AT_ONCE && self->readable != NULL; i++)
    {
      gssize len = recv (self->fd, data, sizeof data, 0);

      if (len > 0)
        als_carrier_received (ALS_CARRIER (self), data, (size_t) len);
      else if ((len < 0 && errno == EAGAIN)
               || als_carrier_get_carrier_type (ALS_CARRIER (self)) == ALS_CARRIER_DATAGRAMS)
        break;
      else
        {
          als_source_clear (&self->readable);
          als_carrier_broke (ALS_CARRIER (self), NULL);
          return G_SOURCE_REMOVE;
        }
    }
  return G_SOURCE_CONTINUE;
}

static void
als_fd_carrier_set_reading (AlsCarrier *carrier, gboolean reading)
{
  AlsFdCarrier *self = ALS_FD_CARRIER (carrier);

  if (!reading)
    als_source_clear (&self->readable);
  else if (self->readable == NULL)
    self->readable = watch (self, G_IO_IN, readable_cb);
}

static void
als_fd_carrier_close (AlsCarrier *carrier)
{
  AlsFdCarrier *self = ALS_FD_CARRIER (carrier);

  als_source_clear (&self->readable);
  als_source_clear (&self->writable);
  close (self->fd);
  self->fd = -1;
}

static void
als_fd_carrier_class_init (AlsFdCarrierClass *klass)
{
  AlsCarrierClass *carrier_class = ALS_CARRIER_CLASS (klass);

  carrier_class->send = als_fd_carrier_send;
  carrier_class->close = als_fd_carrier_close;
  carrier_class->set_reading = als_fd_carrier_set_reading;
}

static void
als_fd_carrier_init (AlsFdCarrier *self)
{
}

AlsCarrier *
als_fd_carrier_new (int fd, AlsCarrierType type, AlsPathKind kind, GMainContext *context)
{
  AlsFdCarrier *self = g_object_new (ALS_TYPE_FD_CARRIER, NULL);

  self->fd = fd;
  als_carrier_setup (ALS_CARRIER (self), type, kind, context, NULL, TRUE);
  return ALS_CARRIER (self);
}
