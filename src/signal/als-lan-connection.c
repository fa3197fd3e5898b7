/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#define G_LOG_DOMAIN "als-signal"

#include "config.h"

#include "signal/als-lan-connection.h"

#include <errno.h>
#include <glib-unix.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/als-deadline-source.h"
#include "signal/als-lan-multicast.h"

/* Bytes handed to the kernel and not sent yet: what comes later must not wait behind much. */
#define NOTSENT_BYTES (128 * 1024)
#define MAX_RELAY_BACKLOG (256 * 1024)
/* The rest is small; a side that does not read so much of it is gone. */
#define MAX_SIGNAL_BACKLOG (1024 * 1024)
#define READ_BYTES (64 * 1024)
/* Bytes read at one wake-up, so that a fast sender does not keep us from the rest. */
#define MAX_READS 8
#define LEAVE_LIMIT_US (2 * G_USEC_PER_SEC)
/* At once, of the whole process: guests that are turned away may be many. */
#define MAX_LEAVING 32
#define LISTEN_BACKLOG 16

typedef enum
{
  CONNECTING,
  GREETING,
  STREAM,
  LEAVING, /* nobody listens; what was sent still leaves */
  CLOSED,
} State;

struct _AlsLanConnection
{
  State state;
  int fd;
  gboolean is_accepted;
  AlsLanEndpoint remote;
  const AlsLanConnectionEvents *events;
  gpointer user_data;
  GSource *in, *out;                    /* out: while there is something to wait for */
  GSource *limit;                       /* while LEAVING; holds the reference that its owner gave up */
  uint8_t greeting[ALS_LAN_MESSAGE_BYTES];
  guint n_greeting;
  AlsLanStream stream;
  GQueue signal_queue, relay_queue;     /* (element-type GBytes) */
  size_t signal_backlog, relay_backlog; /* bytes in them */
  gboolean wants_room;                  /* a relayed frame was turned away */
  GBytes *writing;
  gboolean writing_is_relay;
  size_t written;
  gboolean is_shut;
};

static gint n_leaving; /* atomic */

static void flush (AlsLanConnection *self);

static void
set_option (int fd, int level, int option, int value)
{
  if (setsockopt (fd, level, option, &value, sizeof value) != 0)
    g_debug ("socket option %d/%d: %s", level, option, g_strerror (errno));
}

static int
open_socket (const AlsLanEndpoint *local)
{
  int fd = socket (local->is_v6 ? AF_INET6 : AF_INET,
                   SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  struct sockaddr_storage address;
  guint len = als_lan_endpoint_to_native (local, &address);

  if (fd < 0)
    return -1;
  set_option (fd, SOL_SOCKET, SO_REUSEADDR, 1);
  set_option (fd, SOL_SOCKET, SO_REUSEPORT, 1);
  if (local->is_v6)
    set_option (fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
  if (bind (fd, (struct sockaddr *) &address, len) != 0)
    {
      int reason = errno;

      close (fd);
      errno = reason;
      return -1;
    }
  return fd;
}

int
als_lan_listen (AlsLanEndpoint *address)
{
  struct sockaddr_storage bound;
  socklen_t len = sizeof bound;
  int fd = open_socket (address);
  AlsLanEndpoint named;

  if (fd < 0)
    return -1;
  if (listen (fd, LISTEN_BACKLOG) != 0 || getsockname (fd, (struct sockaddr *) &bound, &len) != 0
      || !als_lan_endpoint_from_native (&named, &bound))
    {
      int reason = errno;

      close (fd);
      errno = reason;
      return -1;
    }
  address->port = named.port;
  return fd;
}

/* The sources are there only if its main context ended while it was leaving, which destroys them itself. */
static void
clear_cb (gpointer data)
{
  AlsLanConnection *self = data;

  g_clear_pointer (&self->in, g_source_unref);
  g_clear_pointer (&self->out, g_source_unref);
  g_clear_pointer (&self->limit, g_source_unref);
  if (self->fd >= 0)
    close (self->fd);
  als_lan_stream_clear (&self->stream);
  g_queue_clear_full (&self->signal_queue, (GDestroyNotify) g_bytes_unref);
  g_queue_clear_full (&self->relay_queue, (GDestroyNotify) g_bytes_unref);
  g_clear_pointer (&self->writing, g_bytes_unref);
}

static void
unref (AlsLanConnection *self)
{
  g_rc_box_release_full (self, clear_cb);
}

/* Nothing happens on it any more; the owner's reference stays. */
static void
shut_down (AlsLanConnection *self)
{
  self->state = CLOSED;
  als_source_clear (&self->in);
  als_source_clear (&self->out);
  if (self->fd >= 0)
    close (self->fd);
  self->fd = -1;
}

static void
left_cb (gpointer data)
{
  g_atomic_int_add (&n_leaving, -1);
  unref (data);
}

/* The last reference may go with it. */
static void
stop_leaving (AlsLanConnection *self)
{
  g_autoptr (GSource) limit = g_steal_pointer (&self->limit);

  if (limit != NULL)
    g_source_destroy (limit);
}

static void
end (AlsLanConnection *self, int reason)
{
  gboolean is_leaving = self->state == LEAVING;

  if (self->state == CLOSED)
    return;
  shut_down (self);
  if (is_leaving)
    stop_leaving (self);
  else
    self->events->ended (self, reason, self->user_data);
}

static GSource *
watch (AlsLanConnection *self, GIOCondition condition, GUnixFDSourceFunc func)
{
  GSource *source = g_unix_fd_source_new (self->fd, condition);

  g_source_set_static_name (source, "als-lan-connection");
  g_source_set_callback (source, G_SOURCE_FUNC (func), self, NULL);
  g_source_attach (source, g_main_context_get_thread_default ());
  return source;
}

/* The whole greeting is there. FALSE: stop reading for now. */
static void
greeted (AlsLanConnection *self)
{
  AlsLanMessage message;

  self->n_greeting = 0;
  if (!als_lan_message_decode (&message, self->greeting, sizeof self->greeting))
    end (self, EPROTO);
  else
    self->events->greeting (self, &message, self->user_data);
}

static void
heard (AlsLanConnection *self, const uint8_t *data, size_t len)
{
  AlsSignalMessage *message;

  als_lan_stream_push (&self->stream, data, len);
  while (self->state == STREAM && (message = als_lan_stream_take (&self->stream)) != NULL)
    {
      self->events->message (self, message, self->user_data);
      als_signal_message_free (message);
    }
  if (self->state == STREAM && self->stream.failed)
    end (self, EPROTO);
}

static gboolean
in_cb (int fd, GIOCondition condition, gpointer user_data)
{
  AlsLanConnection *self = g_rc_box_acquire (user_data);
  static _Thread_local uint8_t buffer[READ_BYTES];

  for (guint i = 0; i < MAX_READS && self->state != CLOSED; i++)
    {
      gboolean is_greeting = self->state == GREETING;
      ssize_t n = is_greeting
                    ? recv (fd, self->greeting + self->n_greeting,
                            sizeof self->greeting - self->n_greeting, MSG_DONTWAIT)
                    : recv (fd, buffer, sizeof buffer, MSG_DONTWAIT);

      if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        break;
      if (n <= 0)
        {
          end (self, n < 0 ? errno : 0);
          break;
        }
      if (self->state == STREAM)
        {
          heard (self, buffer, (size_t) n);
        }
      else if (is_greeting)
        {
          self->n_greeting += (guint) n;
          if (self->n_greeting == sizeof self->greeting)
            greeted (self);
        }
    }
  unref (self);
  return G_SOURCE_CONTINUE;
}

static void
start_reading (AlsLanConnection *self)
{
  self->state = GREETING;
  set_option (self->fd, IPPROTO_TCP, TCP_NODELAY, 1);
  set_option (self->fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, NOTSENT_BYTES);
  self->in = watch (self, G_IO_IN, in_cb);
}

/* Why there is no connection, 0 if there is. */
static int
get_failure (int fd)
{
  struct sockaddr_storage peer;
  socklen_t peer_len = sizeof peer;
  int reason = 0;
  socklen_t len = sizeof reason;

  if (getsockopt (fd, SOL_SOCKET, SO_ERROR, &reason, &len) != 0)
    return errno;
  /* SO_ERROR tells soft errors, too: a firewall's refusal of our first packet, which the other side's
   * own packet made good. */
  return reason != 0 && getpeername (fd, (struct sockaddr *) &peer, &peer_len) == 0 ? 0 : reason;
}

static gboolean
out_cb (int fd, GIOCondition condition, gpointer user_data)
{
  AlsLanConnection *self = g_rc_box_acquire (user_data);

  als_source_clear (&self->out);
  if (self->state == CONNECTING)
    {
      int reason = get_failure (fd);

      if (reason != 0)
        {
          end (self, reason);
        }
      else
        {
          start_reading (self);
          self->events->up (self, self->user_data);
        }
    }
  else
    {
      flush (self);
    }
  unref (self);
  return G_SOURCE_REMOVE;
}

static AlsLanConnection *
make (int fd, const AlsLanEndpoint *remote, const AlsLanConnectionEvents *events,
      gpointer user_data)
{
  AlsLanConnection *self = g_rc_box_new0 (AlsLanConnection);

  self->fd = fd;
  self->remote = *remote;
  self->events = events;
  self->user_data = user_data;
  als_lan_stream_init (&self->stream);
  return self;
}

AlsLanConnection *
als_lan_connection_dial (const AlsLanEndpoint *local, const AlsLanEndpoint *to,
                         const AlsLanConnectionEvents *events, gpointer user_data)
{
  int fd = open_socket (local);
  struct sockaddr_storage address;
  guint len = als_lan_endpoint_to_native (to, &address);
  AlsLanConnection *self;

  if (fd < 0)
    return NULL;
  if (connect (fd, (struct sockaddr *) &address, len) != 0 && errno != EINPROGRESS)
    {
      int reason = errno;

      close (fd);
      errno = reason;
      return NULL;
    }
  self = make (fd, to, events, user_data);
  self->out = watch (self, G_IO_OUT, out_cb);
  return self;
}

AlsLanConnection *
als_lan_connection_accept (int fd, const AlsLanEndpoint *from,
                           const AlsLanConnectionEvents *events, gpointer user_data)
{
  AlsLanConnection *self = make (fd, from, events, user_data);

  self->is_accepted = TRUE;
  start_reading (self);
  return self;
}

void
als_lan_connection_close (AlsLanConnection *self)
{
  if (self->state != CLOSED)
    shut_down (self);
  unref (self);
}

static gboolean
limit_cb (gpointer user_data)
{
  AlsLanConnection *self = user_data;

  shut_down (self);
  stop_leaving (self);
  return G_SOURCE_REMOVE;
}

void
als_lan_connection_leave (AlsLanConnection *self)
{
  if ((self->state != GREETING && self->state != STREAM)
      || g_atomic_int_get (&n_leaving) >= MAX_LEAVING)
    {
      als_lan_connection_close (self);
      return;
    }
  g_atomic_int_inc (&n_leaving);
  self->state = LEAVING;
  g_queue_clear_full (&self->relay_queue, (GDestroyNotify) g_bytes_unref);
  self->relay_backlog = 0;
  self->limit = als_deadline_source_new (g_main_context_get_thread_default (), "als-lan-leave",
                                         limit_cb, self);
  g_source_set_callback (self->limit, limit_cb, self, left_cb);
  als_deadline_source_set (self->limit, g_get_monotonic_time () + LEAVE_LIMIT_US);
  flush (self);
}

void
als_lan_connection_set_events (AlsLanConnection *self, const AlsLanConnectionEvents *events,
                               gpointer user_data)
{
  self->events = events;
  self->user_data = user_data;
}

const AlsLanEndpoint *
als_lan_connection_get_remote (AlsLanConnection *self)
{
  return &self->remote;
}

gboolean
als_lan_connection_is_up (AlsLanConnection *self)
{
  return self->state == GREETING || self->state == STREAM;
}

gboolean
als_lan_connection_is_accepted (AlsLanConnection *self)
{
  return self->is_accepted;
}

/* The next one to go. */
static void
take_next (AlsLanConnection *self)
{
  self->written = 0;
  self->writing_is_relay = self->signal_queue.length == 0;
  self->writing = g_queue_pop_head (self->writing_is_relay ? &self->relay_queue
                                                           : &self->signal_queue);
}

static void
finish_writing (AlsLanConnection *self)
{
  size_t len = g_bytes_get_size (self->writing);

  if (!self->writing_is_relay)
    self->signal_backlog -= len;
  else if (self->relay_backlog >= len)
    self->relay_backlog -= len;
  g_clear_pointer (&self->writing, g_bytes_unref);
}

/* May end the connection. */
static void
flush (AlsLanConnection *self)
{
  AlsLanConnection *keep = g_rc_box_acquire (self);

  while (self->state != CLOSED && self->state != CONNECTING && self->out == NULL)
    {
      const uint8_t *data;
      size_t len;
      ssize_t n;

      if (self->writing == NULL)
        take_next (self);
      if (self->writing == NULL)
        break;
      data = g_bytes_get_data (self->writing, &len);
      n = send (self->fd, data + self->written, len - self->written, MSG_DONTWAIT | MSG_NOSIGNAL);
      if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
        {
          end (self, errno);
          break;
        }
      self->written += n > 0 ? (size_t) n : 0;
      if (self->written == len)
        finish_writing (self);
      else
        self->out = watch (self, G_IO_OUT, out_cb);
    }
  if (self->state == LEAVING && self->writing == NULL && self->signal_queue.length == 0
      && self->relay_queue.length == 0 && !self->is_shut)
    {
      /* The other side's end is waited for: a reset would overtake what was said. */
      self->is_shut = TRUE;
      shutdown (self->fd, SHUT_WR);
    }
  if (self->state == STREAM && self->wants_room && self->relay_backlog <= MAX_RELAY_BACKLOG / 2)
    {
      self->wants_room = FALSE;
      self->events->writable (self, self->user_data);
    }
  unref (keep);
}

static gboolean
flush_cb (int fd, GIOCondition condition, gpointer user_data)
{
  return out_cb (fd, condition, user_data);
}

/* Not from within the caller's call: an end is told later. */
static void
flush_soon (AlsLanConnection *self)
{
  if (self->out == NULL)
    self->out = watch (self, G_IO_OUT, flush_cb);
}

static void
push (AlsLanConnection *self, GBytes *bytes, gboolean is_relay)
{
  size_t *backlog = is_relay ? &self->relay_backlog : &self->signal_backlog;

  *backlog += g_bytes_get_size (bytes);
  g_queue_push_tail (is_relay ? &self->relay_queue : &self->signal_queue, bytes);
  flush_soon (self);
}

void
als_lan_connection_greet (AlsLanConnection *self, const AlsLanMessage *message)
{
  uint8_t out[ALS_LAN_MESSAGE_BYTES];

  als_lan_message_encode (message, out);
  push (self, g_bytes_new (out, sizeof out), FALSE);
}

void
als_lan_connection_open_stream (AlsLanConnection *self)
{
  if (self->state == GREETING)
    self->state = STREAM;
}

gboolean
als_lan_connection_send (AlsLanConnection *self, const AlsSignalMessage *message)
{
  gboolean is_relay = message->type == ALS_SIGNAL_RELAY;
  GBytes *bytes;

  if (self->state != STREAM)
    return FALSE;
  if (is_relay && self->relay_backlog >= MAX_RELAY_BACKLOG)
    {
      self->wants_room = TRUE;
      return FALSE;
    }
  if (!is_relay && self->signal_backlog >= MAX_SIGNAL_BACKLOG)
    return FALSE;
  bytes = als_lan_stream_frame (message);
  if (bytes == NULL)
    return FALSE;
  push (self, bytes, is_relay);
  return TRUE;
}
