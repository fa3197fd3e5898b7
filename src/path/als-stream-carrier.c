/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Plain sockets are read and written by system calls of many packets; other
 * streams (TLS) by GIO's pollable interfaces. Either way at most one packet is
 * kept here: the one that the kernel took the beginning of, or that TLS has
 * sealed and could not write. */

#define G_LOG_DOMAIN "als-path"

#include "config.h"

#include "path/als-stream-carrier.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include "base/als-context-thread.h"
#include "base/als-deadline-source.h"
#include "path/als-stream-socket.h"

#define READ_BYTES (256 * 1024)
/* Of one carrier before the others have their turn. */
#define READS_AT_ONCE 4
#define MAX_BATCH 64
/* Work waits above, where it can still be ordered. */
#define UNSENT_BYTES (128 * 1024)
/* How long a closed connection may take to end on the other side, too. */
#define LINGER_US ((int64_t) 2 * G_USEC_PER_SEC)

struct _AlsStreamCarrier
{
  AlsCarrier parent_instance;

  GIOStream *stream;            /* NULL after close */
  GSocket *socket;              /* (nullable): plain */
  GPollableInputStream *input;  /* inside the stream, where it is not plain */
  GPollableOutputStream *output;
  GByteArray *unsent;           /* what is left of the packet that was begun */
  size_t unsent_pos;
  uint64_t written_bytes;
  GSource *readable;            /* NULL while not reading */
  GSource *writable;            /* NULL unless full */
  GSource *broken;              /* tells of an error that a write met */
  GError *error;                /* (nullable): it broke */
};

G_DEFINE_FINAL_TYPE (AlsStreamCarrier, als_stream_carrier, ALS_TYPE_CARRIER)

/* --- the thread --- */

typedef struct
{
  GMainContext *context;
  uint8_t *buffer; /* READ_BYTES: all carriers read in one thread, one after the other */
} StreamThread;

static gpointer
stream_thread_func (gpointer user_data)
{
  StreamThread *self = user_data;

  for (;;)
    g_main_context_iteration (self->context, TRUE);
  return NULL;
}

static StreamThread *
get_thread (void)
{
  static StreamThread *thread;

  if (g_once_init_enter (&thread))
    {
      StreamThread *self = g_new0 (StreamThread, 1);

      self->context = g_main_context_new ();
      self->buffer = g_malloc (READ_BYTES);
      g_thread_unref (als_context_thread_new ("als-streams", self->context, stream_thread_func, self));
      g_once_init_leave (&thread, self);
    }
  return thread;
}

GMainContext *
als_stream_carrier_get_thread_context (void)
{
  return get_thread ()->context;
}

/* --- the end --- */

static void
stop_watching (AlsStreamCarrier *self)
{
  als_source_clear (&self->readable);
  als_source_clear (&self->writable);
}

/* ERROR: (transfer full) */
static void
note_break (AlsStreamCarrier *self, GError *error)
{
  stop_watching (self);
  if (self->error == NULL)
    self->error = error;
  else
    g_error_free (error);
}

static void
tell_break (AlsStreamCarrier *self)
{
  g_autoptr (AlsStreamCarrier) keep = g_object_ref (self);

  als_source_clear (&self->broken);
  if (self->stream != NULL)
    als_carrier_broke (ALS_CARRIER (self), self->error);
}

static gboolean
broken_cb (gpointer user_data)
{
  tell_break (user_data);
  return G_SOURCE_REMOVE;
}

/* Nobody is called from within a call. ERROR: (transfer full) */
static void
break_soon (AlsStreamCarrier *self, GError *error)
{
  note_break (self, error);
  if (self->broken != NULL)
    return;
  self->broken = g_idle_source_new ();
  g_source_set_priority (self->broken, G_PRIORITY_DEFAULT);
  g_source_set_static_name (self->broken, "als-stream-broken");
  g_source_set_callback (self->broken, broken_cb, self, NULL);
  g_source_attach (self->broken, als_carrier_get_context (ALS_CARRIER (self)));
}

/* --- writing --- */

static GError *
error_from_errno (int number)
{
  return g_error_new_literal (G_IO_ERROR, g_io_error_from_errno (number), g_strerror (number));
}

/* SOCKET: (nullable): NULL: by OUTPUT, and only the first vector. Bytes that were taken, 0 if it is
 * full, -1 with an error. */
static gssize
write_to (GSocket *socket, GPollableOutputStream *output, struct iovec *vectors, guint n,
          GError **error)
{
  struct msghdr message = { .msg_iov = vectors, .msg_iovlen = n };
  g_autoptr (GError) local_error = NULL;
  gssize taken;

  if (socket != NULL)
    {
      do
        taken = sendmsg (g_socket_get_fd (socket), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
      while (taken < 0 && errno == EINTR);
      if (taken >= 0)
        return taken;
      if (errno == EAGAIN || errno == EWOULDBLOCK)
        return 0;
      *error = error_from_errno (errno);
      return -1;
    }
  taken = g_pollable_output_stream_write_nonblocking (output, vectors[0].iov_base,
                                                      vectors[0].iov_len, NULL, &local_error);
  if (taken >= 0)
    return taken;
  if (g_error_matches (local_error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK))
    return 0;
  *error = g_steal_pointer (&local_error);
  return -1;
}

/* As write_to. */
static gssize
write_some (AlsStreamCarrier *self, struct iovec *vectors, guint n, GError **error)
{
  gssize taken = write_to (self->socket, self->output, vectors, n, error);

  if (taken > 0)
    self->written_bytes += (uint64_t) taken;
  return taken;
}

static void
keep_unsent (AlsStreamCarrier *self, const AlsPacket *packet, size_t from)
{
  g_byte_array_append (self->unsent, packet->data + from, (guint) (packet->len - from));
  self->unsent_pos = 0;
}

/* TRUE when nothing is left of it. */
static gboolean
flush_unsent (AlsStreamCarrier *self)
{
  while (self->unsent->len > 0)
    {
      struct iovec vector = { self->unsent->data + self->unsent_pos,
                              self->unsent->len - self->unsent_pos };
      GError *error = NULL;
      gssize taken = write_some (self, &vector, 1, &error);

      if (taken < 0)
        break_soon (self, error);
      if (taken <= 0)
        return FALSE;
      self->unsent_pos += (size_t) taken;
      if (self->unsent_pos == self->unsent->len)
        g_byte_array_set_size (self->unsent, 0);
    }
  return TRUE;
}

static gboolean writable_cb (GObject *object, gpointer user_data);

static gboolean
socket_writable_cb (GSocket *socket, GIOCondition condition, gpointer user_data)
{
  return writable_cb (NULL, user_data);
}

static void
watch_writable (AlsStreamCarrier *self)
{
  if (self->writable != NULL || self->error != NULL)
    return;
  if (self->socket != NULL)
    self->writable = g_socket_create_source (self->socket, G_IO_OUT, NULL);
  else
    self->writable = g_pollable_output_stream_create_source (self->output, NULL);
  g_source_set_static_name (self->writable, "als-stream-writable");
  g_source_set_callback (self->writable,
                         self->socket != NULL ? G_SOURCE_FUNC (socket_writable_cb)
                                              : G_SOURCE_FUNC (writable_cb),
                         self, NULL);
  g_source_attach (self->writable, als_carrier_get_context (ALS_CARRIER (self)));
}

static gboolean
writable_cb (GObject *object, gpointer user_data)
{
  AlsStreamCarrier *self = user_data;
  g_autoptr (AlsStreamCarrier) keep = g_object_ref (self);

  if (!flush_unsent (self))
    return self->error == NULL ? G_SOURCE_CONTINUE : G_SOURCE_REMOVE;
  als_source_clear (&self->writable);
  als_carrier_writable (ALS_CARRIER (self));
  return G_SOURCE_REMOVE;
}

/* The vectors are the packets', in order. What is begun is taken. */
static guint
count_taken (AlsStreamCarrier *self, const AlsPacket *packets, guint n, size_t bytes)
{
  for (guint i = 0; i < n; i++)
    {
      if (bytes < packets[i].len)
        {
          if (bytes > 0)
            keep_unsent (self, &packets[i], bytes);
          return bytes > 0 ? i + 1 : i;
        }
      bytes -= packets[i].len;
    }
  return n;
}

static guint
als_stream_carrier_send (AlsCarrier *carrier, const AlsPacket *packets, guint n)
{
  AlsStreamCarrier *self = ALS_STREAM_CARRIER (carrier);
  guint done = 0;

  if (self->error != NULL)
    return n;
  if (!flush_unsent (self))
    {
      watch_writable (self);
      return self->error != NULL ? n : 0;
    }
  while (done < n && self->unsent->len == 0)
    {
      struct iovec vectors[MAX_BATCH];
      guint n_now = self->socket != NULL ? MIN (n - done, MAX_BATCH) : 1;
      GError *error = NULL;
      gssize taken;

      if (packets[done].len == 0)
        {
          done++;
          continue;
        }
      for (guint i = 0; i < n_now; i++)
        vectors[i] = (struct iovec){ (void *) packets[done + i].data, packets[done + i].len };
      taken = write_some (self, vectors, n_now, &error);
      if (taken < 0)
        {
          break_soon (self, error);
          return n;
        }
      if (taken == 0 && self->output != NULL)
        {
          /* TLS may have sealed it, and must be given the same bytes again. */
          keep_unsent (self, &packets[done], 0);
          done++;
        }
      else if (taken == 0)
        break;
      else
        done += count_taken (self, packets + done, n_now, (size_t) taken);
    }
  if (done < n || self->unsent->len > 0)
    watch_writable (self);
  return done;
}

/* --- reading --- */

/* Bytes, 0 at the end, -1 with an error that may be WOULD_BLOCK. */
static gssize
read_some (AlsStreamCarrier *self, uint8_t *buffer, GError **error)
{
  gssize len;

  if (self->socket == NULL)
    return g_pollable_input_stream_read_nonblocking (self->input, buffer, READ_BYTES, NULL, error);
  do
    len = recv (g_socket_get_fd (self->socket), buffer, READ_BYTES, MSG_DONTWAIT);
  while (len < 0 && errno == EINTR);
  if (len < 0)
    *error = error_from_errno (errno);
  return len;
}

static gboolean
readable_cb (GObject *object, gpointer user_data)
{
  AlsStreamCarrier *self = user_data;
  g_autoptr (AlsStreamCarrier) keep = g_object_ref (self);
  uint8_t *buffer = get_thread ()->buffer;

  for (guint i = 0; i < READS_AT_ONCE && self->readable != NULL; i++)
    {
      g_autoptr (GError) error = NULL;
      gssize len = read_some (self, buffer, &error);

      if (len > 0)
        {
          als_carrier_received (ALS_CARRIER (self), buffer, (size_t) len);
          continue;
        }
      if (len < 0 && g_error_matches (error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK))
        break;
      if (len == 0)
        error = g_error_new_literal (G_IO_ERROR, G_IO_ERROR_CONNECTION_CLOSED,
                                     "the other end closed the connection");
      note_break (self, g_steal_pointer (&error));
      tell_break (self);
      return G_SOURCE_REMOVE;
    }
  return G_SOURCE_CONTINUE;
}

static gboolean
socket_readable_cb (GSocket *socket, GIOCondition condition, gpointer user_data)
{
  return readable_cb (NULL, user_data);
}

static void
als_stream_carrier_set_reading (AlsCarrier *carrier, gboolean reading)
{
  AlsStreamCarrier *self = ALS_STREAM_CARRIER (carrier);

  if (!reading)
    {
      als_source_clear (&self->readable);
      return;
    }
  if (self->readable != NULL || self->stream == NULL || self->error != NULL)
    return;
  if (self->socket != NULL)
    self->readable = g_socket_create_source (self->socket, G_IO_IN, NULL);
  else
    self->readable = g_pollable_input_stream_create_source (self->input, NULL);
  g_source_set_static_name (self->readable, "als-stream-readable");
  g_source_set_callback (self->readable,
                         self->socket != NULL ? G_SOURCE_FUNC (socket_readable_cb)
                                              : G_SOURCE_FUNC (readable_cb),
                         self, NULL);
  g_source_attach (self->readable, als_carrier_get_context (carrier));
}

static void
als_stream_carrier_get_loss (AlsCarrier *carrier, uint64_t *sent_packets, uint64_t *lost_packets)
{
  AlsStreamCarrier *self = ALS_STREAM_CARRIER (carrier);
  GSocket *below = self->stream != NULL ? als_stream_get_socket (self->stream) : NULL;
  struct tcp_info info = { 0 };
  socklen_t len = sizeof info;

  if (below == NULL
      || getsockopt (g_socket_get_fd (below), IPPROTO_TCP, TCP_INFO, &info, &len) != 0
      || info.tcpi_snd_mss == 0)
    return;
  *sent_packets = self->written_bytes / info.tcpi_snd_mss + info.tcpi_total_retrans;
  *lost_packets = info.tcpi_total_retrans;
}

/* --- lingering --- */

/* Closing with something unread would be a reset, and a reset takes back what the other side has
 * not read yet: so what was begun is written, the end is announced, and what still comes is thrown
 * away. */
typedef struct
{
  GIOStream *stream;
  GSocket *socket;      /* inside the stream */
  GByteArray *unsent;
  size_t unsent_pos;
  GSource *readable;
  GSource *writable;    /* NULL once all is written */
  GSource *deadline;
} Linger;

static void
linger_free (Linger *self)
{
  als_source_clear (&self->readable);
  als_source_clear (&self->writable);
  als_source_clear (&self->deadline);
  als_stream_abort (self->stream);
  g_object_unref (self->stream);
  g_byte_array_unref (self->unsent);
  g_free (self);
}

static gboolean
linger_readable_cb (GSocket *socket, GIOCondition condition, gpointer user_data)
{
  Linger *self = user_data;
  gssize len;

  do
    len = recv (g_socket_get_fd (socket), get_thread ()->buffer, READ_BYTES, MSG_DONTWAIT);
  while (len < 0 && errno == EINTR);
  if (len > 0 || (len < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)))
    return G_SOURCE_CONTINUE;
  if (len == 0 && self->writable != NULL)
    {
      /* It has said all, and may still listen. */
      als_source_clear (&self->readable);
      return G_SOURCE_REMOVE;
    }
  linger_free (self);
  return G_SOURCE_REMOVE;
}

static gboolean
linger_deadline_cb (gpointer user_data)
{
  linger_free (user_data);
  return G_SOURCE_REMOVE;
}

/* Nothing is left to write. FALSE: nothing is left to wait for either. */
static gboolean
linger_say_end (Linger *self)
{
  return g_socket_shutdown (self->socket, FALSE, TRUE, NULL) && self->readable != NULL;
}

static gboolean
linger_writable_cb (GSocket *socket, GIOCondition condition, gpointer user_data)
{
  Linger *self = user_data;

  while (self->unsent_pos < self->unsent->len)
    {
      struct iovec vector = { self->unsent->data + self->unsent_pos,
                              self->unsent->len - self->unsent_pos };
      g_autoptr (GError) error = NULL;
      gssize taken = write_to (
          als_stream_get_plain_socket (self->stream),
          G_POLLABLE_OUTPUT_STREAM (g_io_stream_get_output_stream (self->stream)), &vector, 1,
          &error);

      if (taken == 0)
        return G_SOURCE_CONTINUE;
      if (taken < 0)
        {
          linger_free (self);
          return G_SOURCE_REMOVE;
        }
      self->unsent_pos += (size_t) taken;
      als_deadline_source_set (self->deadline, g_get_monotonic_time () + LINGER_US);
    }
  als_source_clear (&self->writable);
  if (!linger_say_end (self))
    linger_free (self);
  return G_SOURCE_REMOVE;
}

static GSource *
linger_watch (Linger *self, GIOCondition condition, GSocketSourceFunc func)
{
  GSource *source = g_socket_create_source (self->socket, condition, NULL);

  g_source_set_static_name (source, "als-stream-linger");
  g_source_set_callback (source, G_SOURCE_FUNC (func), self, NULL);
  g_source_attach (source, get_thread ()->context);
  return source;
}

/* STREAM, UNSENT: (transfer full) */
static void
linger (GIOStream *stream, GByteArray *unsent, size_t unsent_pos)
{
  GMainContext *context = get_thread ()->context;
  Linger *self = g_new0 (Linger, 1);

  self->stream = stream;
  self->socket = als_stream_get_socket (stream);
  self->unsent = unsent;
  self->unsent_pos = unsent_pos;
  if (self->socket == NULL)
    {
      linger_free (self);
      return;
    }
  self->deadline = als_deadline_source_new (context, "als-stream-linger-end", linger_deadline_cb,
                                            self);
  als_deadline_source_set (self->deadline, g_get_monotonic_time () + LINGER_US);
  self->readable = linger_watch (self, G_IO_IN, linger_readable_cb);
  if (unsent->len > 0)
    self->writable = linger_watch (self, G_IO_OUT, linger_writable_cb);
  else if (!linger_say_end (self))
    linger_free (self);
}

/* --- lifecycle --- */

void
als_stream_carrier_add_last (AlsStreamCarrier *self, const uint8_t *data, size_t len)
{
  if (self->stream != NULL && self->error == NULL)
    g_byte_array_append (self->unsent, data, (guint) len);
}

static void
als_stream_carrier_close (AlsCarrier *carrier)
{
  AlsStreamCarrier *self = ALS_STREAM_CARRIER (carrier);

  stop_watching (self);
  als_source_clear (&self->broken);
  if (self->stream == NULL)
    return;
  if (self->error == NULL)
    {
      flush_unsent (self);
      stop_watching (self);
      als_source_clear (&self->broken);
    }
  self->socket = NULL;
  self->input = NULL;
  self->output = NULL;
  if (self->error == NULL)
    {
      linger (g_steal_pointer (&self->stream), self->unsent, self->unsent_pos);
      self->unsent = g_byte_array_new ();
    }
  else
    als_stream_abort (self->stream);
  g_clear_object (&self->stream);
}

static void
als_stream_carrier_finalize (GObject *object)
{
  AlsStreamCarrier *self = ALS_STREAM_CARRIER (object);

  als_stream_carrier_close (ALS_CARRIER (self));
  g_byte_array_unref (self->unsent);
  g_clear_error (&self->error);
  G_OBJECT_CLASS (als_stream_carrier_parent_class)->finalize (object);
}

static void
als_stream_carrier_class_init (AlsStreamCarrierClass *klass)
{
  AlsCarrierClass *carrier_class = ALS_CARRIER_CLASS (klass);

  G_OBJECT_CLASS (klass)->finalize = als_stream_carrier_finalize;
  carrier_class->send = als_stream_carrier_send;
  carrier_class->close = als_stream_carrier_close;
  carrier_class->set_reading = als_stream_carrier_set_reading;
  carrier_class->get_loss = als_stream_carrier_get_loss;
}

static void
als_stream_carrier_init (AlsStreamCarrier *self)
{
  self->unsent = g_byte_array_new ();
}

/* None of them is needed: a kernel may have no BBR, or keep it to itself. Tests and benches name
 * what most people have (ALONGSIDE_TCP_CONGESTION=cubic). */
static void
tune_socket (GSocket *socket)
{
  const char *wanted = g_getenv ("ALONGSIDE_TCP_CONGESTION");

  if (wanted == NULL)
    wanted = "bbr";
  g_socket_set_option (socket, IPPROTO_TCP, TCP_NODELAY, 1, NULL);
  g_socket_set_option (socket, IPPROTO_TCP, TCP_NOTSENT_LOWAT, UNSENT_BYTES, NULL);
  if (setsockopt (g_socket_get_fd (socket), IPPROTO_TCP, TCP_CONGESTION, wanted,
                  (socklen_t) strlen (wanted)) != 0)
    g_debug ("no %s here: %s", wanted, g_strerror (errno));
}

AlsCarrier *
als_stream_carrier_new (GIOStream *stream, AlsPathKind kind, const char *remote, gboolean lan,
                        gboolean initiated, GBytes *early)
{
  AlsStreamCarrier *self = g_object_new (ALS_TYPE_STREAM_CARRIER, NULL);
  AlsCarrier *carrier = ALS_CARRIER (self);
  GSocket *below = als_stream_get_socket (stream);

  als_carrier_setup (carrier, ALS_CARRIER_STREAM, kind, get_thread ()->context, remote, lan);
  als_carrier_set_initiated (carrier, initiated);
  self->stream = g_object_ref (stream);
  self->socket = als_stream_get_plain_socket (stream);
  if (self->socket == NULL)
    {
      self->input = G_POLLABLE_INPUT_STREAM (g_io_stream_get_input_stream (stream));
      self->output = G_POLLABLE_OUTPUT_STREAM (g_io_stream_get_output_stream (stream));
    }
  if (below != NULL)
    {
      g_socket_set_blocking (below, FALSE);
      g_socket_set_timeout (below, 0);
      tune_socket (below);
    }
  if (early != NULL && g_bytes_get_size (early) > 0)
    als_carrier_received (carrier, g_bytes_get_data (early, NULL), g_bytes_get_size (early));
  return carrier;
}
