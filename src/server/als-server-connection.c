/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* The kernel is given little at a time (TCP_NOTSENT_LOWAT), so that what waits
 * waits here, where signalling overtakes relayed frames. */

#define G_LOG_DOMAIN "als-server"
#include "config.h"

#include "server/als-server-connection.h"

#include "server/als-http-upgrade.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Per turn, so that one busy client does not hold up the others. */
#define READ_BUDGET (64 * 1024)
#define READ_CHUNK (16 * 1024)
#define NOTSENT_LOWAT (16 * 1024)
/* A client that asks and never reads what it is told. */
#define MAX_SIGNAL_BACKLOG (1024 * 1024)
#define N_LANES 2
#define TLS_PRIORITIES "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"

struct _AlsServerConnection
{
  int fd;
  AlsConnectionState state;
  gnutls_session_t tls;     /* (nullable) */
  AlsHttpUpgrade *http;     /* while HTTP */
  AlsWebSocket *web_socket; /* from OPEN on */
  GQueue lanes[N_LANES];    /* of GBytes: whole frames */
  size_t backlog[N_LANES];  /* bytes, with the current frame */
  GBytes *current;          /* the frame being written */
  size_t current_sent;
  AlsLane current_lane;
  gboolean handshake_writes; /* TLS waits for the socket to take more */
  gboolean write_blocked;
  gboolean shut; /* nothing will be written any more */
  const AlsServerConnectionEvents *events;
  gpointer user_data;
};

static void web_socket_message (const uint8_t *data, size_t len, gpointer user_data);
static void web_socket_ping (const uint8_t *data, size_t len, gpointer user_data);
static void web_socket_closed (gpointer user_data);
static void web_socket_broken (AlsWebSocketStatus status, const char *text, gpointer user_data);

static const AlsWebSocketEvents web_socket_events = {
  web_socket_message,
  web_socket_ping,
  web_socket_closed,
  web_socket_broken,
};

static void
set_state (AlsServerConnection *self, AlsConnectionState state)
{
  static const char *const names[] = { "tls", "http", "open", "closing", "closed" };

  if (self->state == state)
    return;
  g_debug ("%p: %s -> %s", (void *)self, names[self->state], names[state]);
  self->state = state;
}

static gboolean
start_tls (AlsServerConnection *self, gnutls_certificate_credentials_t credentials)
{
  if (gnutls_init (&self->tls, GNUTLS_SERVER | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL) < 0)
    return FALSE;
  if (gnutls_priority_set_direct (self->tls, TLS_PRIORITIES, NULL) < 0
      || gnutls_credentials_set (self->tls, GNUTLS_CRD_CERTIFICATE, credentials) < 0)
    return FALSE;
  gnutls_transport_set_int (self->tls, self->fd);
  return TRUE;
}

AlsServerConnection *
als_server_connection_new (int fd,
                           gnutls_certificate_credentials_t credentials,
                           const AlsServerConnectionEvents *events,
                           gpointer user_data)
{
  AlsServerConnection *self = g_new0 (AlsServerConnection, 1);
  int one = 1, lowat = NOTSENT_LOWAT;

  self->fd = fd;
  self->state = credentials != NULL ? ALS_CONNECTION_TLS : ALS_CONNECTION_HTTP;
  self->http = als_http_upgrade_new (ALS_SIGNAL_SUBPROTOCOL);
  self->events = events;
  self->user_data = user_data;
  setsockopt (fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  setsockopt (fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &lowat, sizeof lowat);
  if (credentials != NULL && !start_tls (self, credentials))
    set_state (self, ALS_CONNECTION_CLOSED);
  return self;
}

void
als_server_connection_free (AlsServerConnection *self)
{
  if (self == NULL)
    return;
  if (self->tls != NULL)
    gnutls_deinit (self->tls);
  close (self->fd);
  als_http_upgrade_free (self->http);
  als_web_socket_free (self->web_socket);
  for (guint i = 0; i < N_LANES; i++)
    g_queue_clear_full (&self->lanes[i], (GDestroyNotify)g_bytes_unref);
  g_clear_pointer (&self->current, g_bytes_unref);
  g_free (self);
}

int
als_server_connection_get_fd (AlsServerConnection *self)
{
  return self->fd;
}

AlsConnectionState
als_server_connection_get_state (AlsServerConnection *self)
{
  return self->state;
}

void
als_server_connection_abort (AlsServerConnection *self)
{
  if (self->web_socket != NULL)
    als_web_socket_stop (self->web_socket);
  set_state (self, ALS_CONNECTION_CLOSED);
}

/* Out. */

static void
queue_frame (AlsServerConnection *self, AlsLane lane, GBytes *frame)
{
  self->backlog[lane] += g_bytes_get_size (frame);
  g_queue_push_tail (&self->lanes[lane], frame);
  if (self->backlog[ALS_LANE_SIGNAL] > MAX_SIGNAL_BACKLOG)
    als_server_connection_abort (self);
}

void
als_server_connection_send (AlsServerConnection *self, AlsLane lane, GBytes *message)
{
  if (self->state == ALS_CONNECTION_OPEN)
    queue_frame (self, lane, als_web_socket_make_binary (message));
}

size_t
als_server_connection_get_backlog (AlsServerConnection *self, AlsLane lane)
{
  return self->backlog[lane];
}

static void
drop_relayed (AlsServerConnection *self)
{
  GBytes *frame;

  while ((frame = g_queue_pop_head (&self->lanes[ALS_LANE_RELAY])) != NULL)
    {
      self->backlog[ALS_LANE_RELAY] -= g_bytes_get_size (frame);
      g_bytes_unref (frame);
    }
}

void
als_server_connection_close (AlsServerConnection *self, AlsWebSocketStatus status)
{
  if (self->state != ALS_CONNECTION_OPEN)
    return;
  als_web_socket_stop (self->web_socket);
  drop_relayed (self);
  queue_frame (self, ALS_LANE_SIGNAL, als_web_socket_make_close (status));
  if (self->state == ALS_CONNECTION_OPEN)
    set_state (self, ALS_CONNECTION_CLOSING);
}

static void
answer_and_close (AlsServerConnection *self, const char *answer)
{
  queue_frame (self, ALS_LANE_SIGNAL, g_bytes_new (answer, strlen (answer)));
  set_state (self, ALS_CONNECTION_CLOSING);
}

void
als_server_connection_time_out (AlsServerConnection *self)
{
  g_autofree char *answer = NULL;

  if (self->state != ALS_CONNECTION_HTTP)
    {
      als_server_connection_abort (self);
      return;
    }
  answer
      = als_http_upgrade_make_refusal (408, "Request Timeout", "The request did not come in time.");
  answer_and_close (self, answer);
}

/* The number of bytes taken; 0: not now; -1: broken. */
static ssize_t
write_some (AlsServerConnection *self, const void *data, size_t len)
{
  ssize_t n;

  if (self->tls != NULL)
    {
      n = gnutls_record_send (self->tls, data, len);
      if (n >= 0)
        return n;
      return gnutls_error_is_fatal ((int)n) ? -1 : 0;
    }
  do
    n = send (self->fd, data, len, MSG_NOSIGNAL);
  while (n < 0 && errno == EINTR);
  if (n >= 0)
    return n;
  return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : -1;
}

/* A frame that has begun goes on; then signalling, then what is relayed. */
static gboolean
next_frame (AlsServerConnection *self)
{
  for (AlsLane lane = 0; self->current == NULL && lane < N_LANES; lane++)
    {
      self->current = g_queue_pop_head (&self->lanes[lane]);
      self->current_lane = lane;
      self->current_sent = 0;
    }
  return self->current != NULL;
}

static void
finish_writing (AlsServerConnection *self)
{
  if (self->shut)
    return;
  self->shut = TRUE;
  if (self->tls != NULL)
    gnutls_bye (self->tls, GNUTLS_SHUT_WR);
  /* What is still to be read must be read, or the kernel resets the connection and our last words
   * with it. */
  shutdown (self->fd, SHUT_WR);
}

void
als_server_connection_flush (AlsServerConnection *self)
{
  self->write_blocked = FALSE;
  while (self->state != ALS_CONNECTION_CLOSED && self->state != ALS_CONNECTION_TLS && !self->shut
         && next_frame (self))
    {
      size_t len;
      const uint8_t *data = g_bytes_get_data (self->current, &len);
      ssize_t n = write_some (self, data + self->current_sent, len - self->current_sent);

      if (n < 0)
        {
          als_server_connection_abort (self);
          return;
        }
      if (n == 0)
        {
          self->write_blocked = TRUE;
          return;
        }
      self->current_sent += n;
      if (self->current_sent == len)
        {
          self->backlog[self->current_lane] -= len;
          g_clear_pointer (&self->current, g_bytes_unref);
        }
    }
  if (self->state == ALS_CONNECTION_CLOSING)
    finish_writing (self);
}

gboolean
als_server_connection_wants_write (AlsServerConnection *self)
{
  return self->state == ALS_CONNECTION_TLS ? self->handshake_writes : self->write_blocked;
}

/* In. */

static void
web_socket_message (const uint8_t *data, size_t len, gpointer user_data)
{
  AlsServerConnection *self = user_data;

  self->events->heard (self, self->user_data);
  self->events->message (self, data, len, self->user_data);
}

static void
web_socket_ping (const uint8_t *data, size_t len, gpointer user_data)
{
  AlsServerConnection *self = user_data;

  self->events->heard (self, self->user_data);
  queue_frame (self, ALS_LANE_SIGNAL, als_web_socket_make_pong (data, len));
}

static void
web_socket_closed (gpointer user_data)
{
  als_server_connection_close (user_data, ALS_WEB_SOCKET_NORMAL);
}

static void
web_socket_broken (AlsWebSocketStatus status, const char *text, gpointer user_data)
{
  AlsServerConnection *self = user_data;

  self->events->broken (self, status, text, self->user_data);
}

static void
read_request (AlsServerConnection *self, const uint8_t *data, size_t len)
{
  size_t used;
  AlsHttpUpgradeVerdict verdict = als_http_upgrade_feed (self->http, data, len, &used);

  if (verdict == ALS_HTTP_UPGRADE_MORE)
    return;
  if (verdict != ALS_HTTP_UPGRADE_SWITCH)
    {
      answer_and_close (self, als_http_upgrade_get_answer (self->http));
      return;
    }
  queue_frame (self, ALS_LANE_SIGNAL,
               g_bytes_new (als_http_upgrade_get_answer (self->http),
                            strlen (als_http_upgrade_get_answer (self->http))));
  self->web_socket = als_web_socket_new (ALS_SIGNAL_MAX_MESSAGE, &web_socket_events, self);
  set_state (self, ALS_CONNECTION_OPEN);
  self->events->opened (self, als_http_upgrade_get_forwarded (self->http), self->user_data);
  g_clear_pointer (&self->http, als_http_upgrade_free);
  if (self->state == ALS_CONNECTION_OPEN && used < len)
    als_web_socket_feed (self->web_socket, data + used, len - used);
}

static void
handshake (AlsServerConnection *self)
{
  int result = gnutls_handshake (self->tls);

  if (result == GNUTLS_E_SUCCESS)
    {
      set_state (self, ALS_CONNECTION_HTTP);
      return;
    }
  if (!gnutls_error_is_fatal (result))
    {
      self->handshake_writes = gnutls_record_get_direction (self->tls) == 1;
      return;
    }
  g_debug ("%p: TLS: %s", (void *)self, gnutls_strerror (result));
  gnutls_alert_send_appropriate (self->tls, result);
  als_server_connection_abort (self);
}

/* The number of bytes read; 0: not now; -1: the end or an error. */
static ssize_t
read_some (AlsServerConnection *self, uint8_t *buffer, size_t len)
{
  ssize_t n;

  if (self->tls != NULL)
    {
      n = gnutls_record_recv (self->tls, buffer, len);
      if (n > 0)
        return n;
      if (n == 0 || n == GNUTLS_E_REHANDSHAKE || gnutls_error_is_fatal ((int)n))
        return -1;
      return 0;
    }
  do
    n = recv (self->fd, buffer, len, 0);
  while (n < 0 && errno == EINTR);
  if (n > 0)
    return n;
  return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) ? 0 : -1;
}

void
als_server_connection_read (AlsServerConnection *self)
{
  uint8_t buffer[READ_CHUNK];
  size_t total = 0;

  if (self->state == ALS_CONNECTION_TLS)
    handshake (self);
  while (self->state != ALS_CONNECTION_CLOSED
         && self->state != ALS_CONNECTION_TLS
         /* What TLS has decrypted already makes no socket readable. */
         && (total < READ_BUDGET
             || (self->tls != NULL && gnutls_record_check_pending (self->tls) > 0)))
    {
      ssize_t n = read_some (self, buffer, sizeof buffer);

      if (n == 0)
        return;
      if (n < 0)
        {
          als_server_connection_abort (self);
          return;
        }
      total += n;
      if (self->state == ALS_CONNECTION_HTTP)
        read_request (self, buffer, n);
      else if (self->state == ALS_CONNECTION_OPEN)
        als_web_socket_feed (self->web_socket, buffer, n);
    }
}
