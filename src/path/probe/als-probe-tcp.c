/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#define G_LOG_DOMAIN "als-path"

#include "config.h"

#include "path/probe/als-probe-tcp.h"

#include <string.h>
#include <sys/socket.h>

#include "base/als-deadline-source.h"
#include "path/als-network-watch.h"
#include "path/probe/als-probe-udp.h"
#include "stun/als-stun-stream.h"

#define LIMIT_US (4 * G_USEC_PER_SEC)
/* The servers, and the other address and port of one. */
#define MAX_CONNECTIONS (ALS_PROBE_MAX_SERVERS + 2)
/* NATs that count up go by one or two; what is further apart is taken for chance. */
#define MAX_STEP 8
#define READ_BYTES 2048

typedef struct
{
  AlsProbeTcp *owner;
  GSocket *socket;        /* (nullable): kept, since it holds the mapping */
  GSource *source;
  AlsStunStream *stream;
  AlsProbeTcpView view;
  int64_t started_us;
  gboolean is_connected;
  gboolean is_over;
  uint8_t transaction[ALS_STUN_TRANSACTION_BYTES];
} Connection;

struct _AlsProbeTcp
{
  Connection connections[MAX_CONNECTIONS];
  guint n_connections;
  AlsStunAddress local;   /* NONE before the first socket */
  gboolean has_other;     /* a server's other address was tried */
  int64_t rtt_us;
  GSource *limit;
  gboolean is_done;
  void (*done) (gpointer user_data);
  gpointer user_data;
};

/* --- judging ------------------------------------------------------------------------------ */

static int
find_step (const AlsProbeTcpView *views, guint n)
{
  int step = 0;

  for (guint i = 1; i < n; i++)
    {
      int apart = (int) views[i].order - (int) views[i - 1].order;
      int moved = (int) views[i].mapped.port - (int) views[i - 1].mapped.port;

      if (apart <= 0 || moved % apart != 0 || (step != 0 && moved / apart != step)
          || !als_stun_address_same_ip (&views[i].mapped, &views[i - 1].mapped))
        return 0;
      step = moved / apart;
    }
  return ABS (step) <= MAX_STEP ? step : 0;
}

void
als_probe_tcp_judge (const AlsProbeTcpView *views, guint n, AlsProbeTcpResult *result)
{
  AlsStunAddress servers[MAX_CONNECTIONS], mapped[MAX_CONNECTIONS];

  n = MIN (n, MAX_CONNECTIONS);
  memset (result, 0, sizeof *result);
  if (n == 0)
    return;
  for (guint i = 0; i < n; i++)
    {
      servers[i] = views[i].server;
      mapped[i] = views[i].mapped;
      result->is_translated |= !als_stun_address_equal (&views[i].mapped, &views[i].local);
    }
  result->is_known = TRUE;
  if (!result->is_translated)
    {
      result->mapping = ALS_NAT_ENDPOINT_INDEPENDENT;
      return;
    }
  result->mapping = als_probe_judge_views (servers, mapped, n);
  if (result->mapping == ALS_NAT_ADDRESS_AND_PORT_DEPENDENT)
    result->port_step = find_step (views, n);
}

/* --- connections ---------------------------------------------------------------------------- */

static void begin_connection (AlsProbeTcp *self, const AlsStunAddress *server);

static gboolean
report_cb (gpointer user_data)
{
  AlsProbeTcp *self = user_data;

  if (self->is_done)
    return G_SOURCE_CONTINUE;
  self->is_done = TRUE;
  self->done (self->user_data);
  return G_SOURCE_CONTINUE;
}

static void
finish_connection (Connection *connection)
{
  AlsProbeTcp *self = connection->owner;

  connection->is_over = TRUE;
  als_source_clear (&connection->source);
  for (guint i = 0; i < self->n_connections; i++)
    if (!self->connections[i].is_over)
      return;
  als_deadline_source_set (self->limit, 0);
}

static void
take_other (AlsProbeTcp *self, Connection *connection, const AlsStunMessage *message)
{
  const AlsStunAddress *server = &connection->view.server;
  AlsStunAddress other;

  /* Strangers must not be connected to at a server's word: another address of its family is all
   * that it may name, and only one of the servers may. */
  if (self->has_other || !als_stun_message_get_address (message, ALS_STUN_OTHER_ADDRESS, &other)
      || !als_stun_address_may_name (server, &other)
      || als_stun_address_same_ip (&other, server) || other.port == server->port)
    return;
  self->has_other = TRUE;
  begin_connection (self, &other);
  other.port = server->port;
  begin_connection (self, &other);
}

static void
read_answer (Connection *connection)
{
  AlsProbeTcp *self = connection->owner;

  for (;;)
    {
      uint8_t data[READ_BYTES];
      g_autoptr (GError) error = NULL, bad = NULL;
      g_autoptr (AlsStunMessage) message = NULL;
      gssize len = g_socket_receive (connection->socket, (char *) data, sizeof data, NULL, &error);

      if (len < 0 && g_error_matches (error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK))
        return;
      if (len <= 0)
        break;
      als_stun_stream_feed (connection->stream, data, (size_t) len);
      message = als_stun_stream_next (connection->stream, &bad);
      if (message == NULL && bad == NULL)
        continue;
      if (message != NULL && message->kind == ALS_STUN_SUCCESS && message->method == ALS_STUN_BINDING
          && memcmp (message->transaction, connection->transaction, sizeof message->transaction) == 0
          && als_stun_message_get_mapped (message, &connection->view.mapped))
        take_other (self, connection, message);
      break;
    }
  finish_connection (connection);
}

static gboolean
ask (Connection *connection)
{
  g_auto (AlsStunBuilder) builder = { 0 };
  g_autoptr (GBytes) bytes = NULL;
  size_t len;
  const void *data;

  als_stun_builder_init (&builder, ALS_STUN_REQUEST, ALS_STUN_BINDING, NULL);
  memcpy (connection->transaction, builder.transaction, sizeof connection->transaction);
  als_stun_builder_add_fingerprint (&builder);
  bytes = als_stun_builder_finish (&builder);
  data = g_bytes_get_data (bytes, &len);
  /* Into an empty socket buffer: whole or not at all. */
  return g_socket_send (connection->socket, data, len, NULL, NULL) == (gssize) len;
}

static gboolean ready_cb (GSocket *socket, GIOCondition condition, gpointer user_data);

static void
watch (Connection *connection, GIOCondition condition)
{
  als_source_clear (&connection->source);
  connection->source = g_socket_create_source (connection->socket, condition, NULL);
  g_source_set_static_name (connection->source, "als-probe-tcp");
  g_source_set_callback (connection->source, G_SOURCE_FUNC (ready_cb), connection, NULL);
  g_source_attach (connection->source, g_main_context_get_thread_default ());
}

static gboolean
ready_cb (GSocket *socket, GIOCondition condition, gpointer user_data)
{
  Connection *connection = user_data;
  int64_t took_us;

  if (connection->is_connected)
    {
      read_answer (connection);
      return G_SOURCE_CONTINUE;
    }
  if (!g_socket_check_connect_result (socket, NULL))
    {
      finish_connection (connection);
      return G_SOURCE_CONTINUE;
    }
  connection->is_connected = TRUE;
  took_us = MAX (g_get_monotonic_time () - connection->started_us, 1);
  if (connection->owner->rtt_us == 0 || took_us < connection->owner->rtt_us)
    connection->owner->rtt_us = took_us;
  if (ask (connection))
    watch (connection, G_IO_IN);
  else
    finish_connection (connection);
  return G_SOURCE_REMOVE;
}

/* Bound to the probe's one endpoint, which the first makes. */
static gboolean
open_connection (Connection *connection)
{
  AlsProbeTcp *self = connection->owner;
  g_autoptr (GSocketAddress) wanted = NULL, bound = NULL, server = NULL;
  g_autoptr (GError) error = NULL;
  AlsStunAddress local = self->local;

  if (local.family == ALS_STUN_FAMILY_NONE)
    {
      if (!als_network_get_source (&connection->view.server, &local))
        return FALSE;
      local.port = 0;
    }
  connection->socket = g_socket_new (local.family == ALS_STUN_FAMILY_IPV6 ? G_SOCKET_FAMILY_IPV6
                                                                          : G_SOCKET_FAMILY_IPV4,
                                     G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_TCP, NULL);
  if (connection->socket == NULL)
    return FALSE;
  g_socket_set_blocking (connection->socket, FALSE);
  wanted = als_stun_address_to_gio (&local);
  if (!g_socket_set_option (connection->socket, SOL_SOCKET, SO_REUSEPORT, 1, NULL)
      || !g_socket_bind (connection->socket, wanted, TRUE, NULL))
    return FALSE;
  bound = g_socket_get_local_address (connection->socket, NULL);
  if (bound == NULL || !als_stun_address_from_gio (&self->local, bound))
    return FALSE;
  connection->view.local = self->local;
  server = als_stun_address_to_gio (&connection->view.server);
  if (!g_socket_connect (connection->socket, server, NULL, &error)
      && !g_error_matches (error, G_IO_ERROR, G_IO_ERROR_PENDING))
    return FALSE;
  return TRUE;
}

static void
begin_connection (AlsProbeTcp *self, const AlsStunAddress *server)
{
  Connection *connection;

  for (guint i = 0; i < self->n_connections; i++)
    if (als_stun_address_equal (&self->connections[i].view.server, server))
      return;
  if (self->n_connections == MAX_CONNECTIONS)
    return;
  connection = &self->connections[self->n_connections];
  connection->owner = self;
  connection->view.order = self->n_connections++;
  connection->view.server = *server;
  connection->stream = als_stun_stream_new ();
  connection->started_us = g_get_monotonic_time ();
  if (open_connection (connection))
    watch (connection, G_IO_OUT);
  else
    finish_connection (connection);
}

AlsProbeTcp *
als_probe_tcp_new (const AlsStunAddress *servers, guint n_servers, void (*done) (gpointer user_data),
                   gpointer user_data)
{
  AlsProbeTcp *self = g_new0 (AlsProbeTcp, 1);

  self->done = done;
  self->user_data = user_data;
  self->limit = als_deadline_source_new (g_main_context_get_thread_default (), "als-probe-tcp-limit",
                                         report_cb, self);
  als_deadline_source_set (self->limit, n_servers > 0 ? g_get_monotonic_time () + LIMIT_US : 0);
  for (guint i = 0; i < MIN (n_servers, ALS_PROBE_MAX_SERVERS); i++)
    begin_connection (self, &servers[i]);
  return self;
}

void
als_probe_tcp_free (AlsProbeTcp *self)
{
  als_source_clear (&self->limit);
  for (guint i = 0; i < self->n_connections; i++)
    {
      Connection *connection = &self->connections[i];

      als_source_clear (&connection->source);
      if (connection->socket != NULL)
        g_socket_close (connection->socket, NULL);
      g_clear_object (&connection->socket);
      als_stun_stream_free (connection->stream);
    }
  g_free (self);
}

gboolean
als_probe_tcp_is_done (AlsProbeTcp *self)
{
  return self->is_done;
}

void
als_probe_tcp_get_result (AlsProbeTcp *self, AlsProbeTcpResult *result)
{
  AlsProbeTcpView views[MAX_CONNECTIONS];
  guint n = 0;

  for (guint i = 0; i < self->n_connections; i++)
    if (self->connections[i].view.mapped.family != ALS_STUN_FAMILY_NONE)
      views[n++] = self->connections[i].view;
  als_probe_tcp_judge (views, n, result);
  result->rtt_us = self->rtt_us;
}
