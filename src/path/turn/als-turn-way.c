/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#define G_LOG_DOMAIN "als-path"

#include "config.h"

#include "path/turn/als-turn-way.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "base/als-deadline-source.h"
#include "path/als-stream-socket.h"

AlsTurnWay *
als_turn_way_copy (const AlsTurnWay *self)
{
  AlsTurnWay *copy = g_new0 (AlsTurnWay, 1);

  copy->host = g_strdup (self->host);
  copy->port = self->port;
  g_set_object (&copy->address, self->address);
  copy->proxy = g_strdup (self->proxy);
  copy->is_tls = self->is_tls;
  copy->loopback = self->loopback;
  g_set_object (&copy->trust, self->trust);
  return copy;
}

void
als_turn_way_free (AlsTurnWay *self)
{
  if (self == NULL)
    return;
  g_free (self->host);
  g_clear_object (&self->address);
  g_free (self->proxy);
  g_clear_object (&self->trust);
  g_free (self);
}

char *
als_turn_way_to_string (const AlsTurnWay *self)
{
  g_autofree char *address
      = self->address != NULL
            ? g_socket_connectable_to_string (G_SOCKET_CONNECTABLE (self->address))
            : NULL;

  return g_strdup_printf ("%s port %u%s%s%s%s", self->host, self->port,
                          address != NULL ? " at " : "", address != NULL ? address : "",
                          self->is_tls ? ", TLS" : "", self->proxy != NULL ? ", by proxy" : "");
}

GSocket *
als_turn_way_bind_socket (GSocketFamily family, gboolean loopback, uint16_t port, GError **error)
{
  g_autoptr (GSocket) socket
      = g_socket_new (family, G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_TCP, error);
  g_autoptr (GInetAddress) any = loopback ? g_inet_address_new_loopback (family)
                                          : g_inet_address_new_any (family);
  g_autoptr (GSocketAddress) local = g_inet_socket_address_new (any, port);
  struct sockaddr_storage native;

  if (socket == NULL)
    return NULL;
  g_socket_set_blocking (socket, FALSE);
  if (family == G_SOCKET_FAMILY_IPV6)
    g_socket_set_option (socket, IPPROTO_IPV6, IPV6_V6ONLY, 1, NULL);
  if (!g_socket_set_option (socket, SOL_SOCKET, SO_REUSEADDR, 1, error)
      || !g_socket_set_option (socket, SOL_SOCKET, SO_REUSEPORT, 1, error)
      || !g_socket_address_to_native (local, &native, sizeof native, error))
    return NULL;
  /* g_socket_bind () takes SO_REUSEPORT away from streams, and a port where somebody listens
   * cannot be shared without it. */
  if (bind (g_socket_get_fd (socket), (struct sockaddr *) &native,
            (socklen_t) g_socket_address_get_native_size (local)) != 0)
    {
      g_set_error (error, G_IO_ERROR, g_io_error_from_errno (errno), "port %u: %s", port,
                   g_strerror (errno));
      return NULL;
    }
  return g_steal_pointer (&socket);
}

/* --- going it --- */

typedef struct
{
  AlsTurnWay *way;
  uint16_t local_port;
  GCancellable *cancellable; /* ours: the caller's or the deadline's */
  GCancellable *caller;      /* (nullable) */
  gulong caller_id;
  GSource *deadline;
  gboolean is_late;
  GSource *connecting;       /* NULL unless a socket of ours is */
  GSocket *socket;           /* (nullable): the same */
  GIOStream *stream;         /* (nullable): what stands so far */
} Dial;

static void
dial_free (gpointer data)
{
  Dial *self = data;

  if (self->caller != NULL)
    g_cancellable_disconnect (self->caller, self->caller_id);
  g_clear_object (&self->caller);
  als_source_clear (&self->deadline);
  als_source_clear (&self->connecting);
  if (self->stream != NULL)
    als_stream_abort (self->stream);
  g_clear_object (&self->stream);
  g_clear_object (&self->socket);
  g_object_unref (self->cancellable);
  als_turn_way_free (self->way);
  g_free (self);
}

/* ERROR: (transfer full). Gives up the reference to TASK. */
static void
dial_fail (GTask *task, GError *error)
{
  Dial *self = g_task_get_task_data (task);

  als_source_clear (&self->connecting);
  if (self->is_late)
    {
      g_error_free (error);
      error = g_error_new_literal (G_IO_ERROR, G_IO_ERROR_TIMED_OUT, "no answer");
    }
  g_task_return_error (task, error);
  g_object_unref (task);
}

static void
dial_succeed (GTask *task)
{
  Dial *self = g_task_get_task_data (task);

  g_task_return_pointer (task, g_steal_pointer (&self->stream), g_object_unref);
  g_object_unref (task);
}

static void
handshake_cb (GObject *object, GAsyncResult *result, gpointer user_data)
{
  GTask *task = user_data;
  GError *error = NULL;

  if (!g_tls_connection_handshake_finish (G_TLS_CONNECTION (object), result, &error))
    dial_fail (task, error);
  else
    dial_succeed (task);
}

/* STREAM: (transfer full) */
static void
dial_go_on (GTask *task, GIOStream *stream)
{
  Dial *self = g_task_get_task_data (task);
  g_autoptr (GSocketConnectable) identity = NULL;
  g_autoptr (GIOStream) plain = stream;
  GError *error = NULL;

  if (!self->way->is_tls)
    {
      self->stream = g_steal_pointer (&plain);
      dial_succeed (task);
      return;
    }
  identity = g_network_address_new (self->way->host, self->way->port);
  self->stream = g_tls_client_connection_new (plain, identity, &error);
  if (self->stream == NULL)
    {
      als_stream_abort (plain);
      dial_fail (task, error);
      return;
    }
  if (self->way->trust != NULL)
    g_tls_connection_set_database (G_TLS_CONNECTION (self->stream), self->way->trust);
  /* Nobody handles accept-certificate: a certificate is good or the connection ends. */
  g_tls_connection_handshake_async (G_TLS_CONNECTION (self->stream), G_PRIORITY_DEFAULT,
                                    self->cancellable, handshake_cb, task);
}

static void
proxy_connected_cb (GObject *object, GAsyncResult *result, gpointer user_data)
{
  GError *error = NULL;
  GSocketConnection *connection
      = g_socket_client_connect_finish (G_SOCKET_CLIENT (object), result, &error);

  if (connection == NULL)
    dial_fail (user_data, error);
  else
    dial_go_on (user_data, G_IO_STREAM (connection));
}

static void
dial_by_proxy (GTask *task)
{
  Dial *self = g_task_get_task_data (task);
  g_autoptr (GSocketClient) client = g_socket_client_new ();
  g_autoptr (GProxyResolver) resolver = g_simple_proxy_resolver_new (self->way->proxy, NULL);
  g_autoptr (GSocketConnectable) target = NULL;

  g_socket_client_set_proxy_resolver (client, resolver);
  /* It looks the name up itself where its kind can. */
  target = self->way->address != NULL ? G_SOCKET_CONNECTABLE (g_object_ref (self->way->address))
                                      : g_network_address_new (self->way->host, self->way->port);
  g_socket_client_connect_async (client, target, self->cancellable, proxy_connected_cb, task);
}

static void
straight_connected (GTask *task)
{
  Dial *self = g_task_get_task_data (task);
  GSocketConnection *connection
      = g_socket_connection_factory_create_connection (self->socket);

  g_clear_object (&self->socket);
  dial_go_on (task, G_IO_STREAM (connection));
}

static gboolean
connecting_cb (GSocket *socket, GIOCondition condition, gpointer user_data)
{
  GTask *task = user_data;
  Dial *self = g_task_get_task_data (task);
  GError *error = NULL;

  als_source_clear (&self->connecting);
  if (g_cancellable_set_error_if_cancelled (self->cancellable, &error)
      || !g_socket_check_connect_result (socket, &error))
    dial_fail (task, error);
  else
    straight_connected (task);
  return G_SOURCE_REMOVE;
}

static gboolean
connect_socket (Dial *self, uint16_t port, GError **error)
{
  g_clear_object (&self->socket);
  self->socket = als_turn_way_bind_socket (g_socket_address_get_family (self->way->address),
                                           self->way->loopback, port, error);
  return self->socket != NULL
         && g_socket_connect (self->socket, self->way->address, NULL, error);
}

static void
dial_straight (GTask *task)
{
  Dial *self = g_task_get_task_data (task);
  GError *error = NULL;
  gboolean is_connected = connect_socket (self, self->local_port, &error);

  /* The same two endpoints were connected a moment ago, which EADDRNOTAVAIL says; GLib's code for it
   * depends on the version. */
  if (!is_connected && self->local_port != 0
      && !g_error_matches (error, G_IO_ERROR, G_IO_ERROR_PENDING))
    {
      g_clear_error (&error);
      is_connected = connect_socket (self, 0, &error);
    }
  if (is_connected)
    {
      straight_connected (task);
      return;
    }
  if (!g_error_matches (error, G_IO_ERROR, G_IO_ERROR_PENDING))
    {
      dial_fail (task, error);
      return;
    }
  g_error_free (error);
  self->connecting = g_socket_create_source (self->socket, G_IO_OUT, self->cancellable);
  g_source_set_static_name (self->connecting, "als-turn-connecting");
  g_source_set_callback (self->connecting, G_SOURCE_FUNC (connecting_cb), task, NULL);
  g_source_attach (self->connecting, g_task_get_context (task));
}

static gboolean
deadline_cb (gpointer user_data)
{
  Dial *self = user_data;

  self->is_late = TRUE;
  g_cancellable_cancel (self->cancellable);
  return G_SOURCE_REMOVE;
}

static void
caller_cancelled_cb (GCancellable *caller, gpointer user_data)
{
  g_cancellable_cancel (user_data);
}

void
als_turn_way_dial_async (const AlsTurnWay *way, uint16_t local_port, GCancellable *cancellable,
                         GAsyncReadyCallback callback, gpointer user_data)
{
  GTask *task = g_task_new (NULL, NULL, callback, user_data);
  Dial *self = g_new0 (Dial, 1);

  g_task_set_source_tag (task, als_turn_way_dial_async);
  self->way = als_turn_way_copy (way);
  self->local_port = local_port;
  self->cancellable = g_cancellable_new ();
  g_task_set_task_data (task, self, dial_free);
  self->deadline = als_deadline_source_new (g_task_get_context (task), "als-turn-dial",
                                            deadline_cb, self);
  als_deadline_source_set (self->deadline, g_get_monotonic_time () + ALS_TURN_WAIT_US);
  if (cancellable != NULL)
    {
      self->caller_id = g_cancellable_connect (cancellable, G_CALLBACK (caller_cancelled_cb),
                                               g_object_ref (self->cancellable), g_object_unref);
      self->caller = g_object_ref (cancellable);
    }
  if (way->proxy != NULL)
    dial_by_proxy (task);
  else
    dial_straight (task);
}

GIOStream *
als_turn_way_dial_finish (GAsyncResult *result, GError **error)
{
  return g_task_propagate_pointer (G_TASK (result), error);
}
