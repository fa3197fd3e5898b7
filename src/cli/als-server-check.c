/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#define G_LOG_DOMAIN "als-cli"

#include "config.h"

#include "cli/als-server-check.h"

#include <glib/gi18n.h>

#include "path/als-path-server.h"
#include "signal/als-signal-client.h"

#define CONNECT_LIMIT_S 5
#define GREET_LIMIT_S 6

/* Of a name with addresses of both kinds, of which only one leads anywhere, the error told may be the
 * other's: then each is asked by itself. */
static const GSocketFamily families[] = { G_SOCKET_FAMILY_INVALID, G_SOCKET_FAMILY_IPV4, G_SOCKET_FAMILY_IPV6 };

typedef struct
{
  AlsServerCheck *result;     /* (nullable): until it is handed over */
  GSocketClient *socket_client;
  char *web_uri;              /* nullable */
  guint16 default_port;
  guint n_families;           /* how many of families[] were tried */
  GTlsConnection *tls;        /* (nullable) */
  int64_t connecting_us;
  AlsSignalClient *client;    /* (nullable) */
  GSource *limit;
  GSource *cancelled;
} Check;

static void
check_free (gpointer data)
{
  Check *self = data;

  if (self->limit != NULL)
    g_source_destroy (self->limit);
  g_clear_pointer (&self->limit, g_source_unref);
  if (self->cancelled != NULL)
    g_source_destroy (self->cancelled);
  g_clear_pointer (&self->cancelled, g_source_unref);
  if (self->client != NULL)
    als_signal_client_stop (self->client);
  g_clear_object (&self->client);
  g_clear_object (&self->socket_client);
  g_clear_object (&self->tls);
  g_free (self->web_uri);
  g_clear_pointer (&self->result, als_server_check_free);
  g_free (self);
}

void
als_server_check_free (AlsServerCheck *self)
{
  g_free (self->uri);
  g_ptr_array_unref (self->ice_servers);
  g_free (self);
}

/* Consumes the task. */
static void
finish (GTask *task, AlsServerState state)
{
  Check *self = g_task_get_task_data (task);
  AlsServerCheck *result = g_steal_pointer (&self->result);

  if (result == NULL)
    return;
  result->state = state;
  if (self->client != NULL)
    {
      g_signal_handlers_disconnect_by_data (self->client, task);
      als_signal_client_stop (self->client);
    }
  if (self->limit != NULL)
    g_source_destroy (self->limit);
  if (self->cancelled != NULL)
    g_source_destroy (self->cancelled);
  if (g_task_return_error_if_cancelled (task))
    als_server_check_free (result);
  else
    g_task_return_pointer (task, result, (GDestroyNotify) als_server_check_free);
  g_object_unref (task);
}

/* --- what answers ------------------------------------------------------------------------- */

static void
take_ice_servers (Check *self)
{
  GPtrArray *servers = als_signal_client_get_public_servers (self->client);

  for (guint i = 0; servers != NULL && i < servers->len; i++)
    {
      const AlsIceServer *server = g_ptr_array_index (servers, i);
      AlsPathServer *known = als_path_server_new (ALS_PATH_SERVER_STUN, server->host, server->port, NULL, NULL);

      if (known != NULL)
        g_ptr_array_add (self->result->ice_servers, known);
    }
}

static void
state_changed_cb (GTask *task)
{
  Check *self = g_task_get_task_data (task);

  if (als_signal_client_get_state (self->client) != ALS_SIGNAL_CONNECTED)
    return;
  take_ice_servers (self);
  finish (task, ALS_SERVER_CHECK_OK);
}

static void
failed_cb (GTask *task, const GError *error)
{
  AlsServerState state = ALS_SERVER_CHECK_FAILED;

  if (error->domain == ALS_SIGNAL_CLIENT_ERROR)
    switch ((AlsSignalError) error->code)
      {
      case ALS_SIGNAL_ERROR_VERSION:
        state = ALS_SERVER_CHECK_VERSION;
        break;
      case ALS_SIGNAL_ERROR_PROTOCOL:
        state = ALS_SERVER_CHECK_NOT_OURS;
        break;
      case ALS_SIGNAL_ERROR_RATE_LIMITED:
      case ALS_SIGNAL_ERROR_REFUSED:
      case ALS_SIGNAL_ERROR_BUSY:
        state = ALS_SERVER_CHECK_BUSY;
        break;
      case ALS_SIGNAL_ERROR_OFFLINE:
        state = ALS_SERVER_CHECK_NO_ROUTE;
        break;
      case ALS_SIGNAL_ERROR_UNREACHABLE: /* TCP and TLS answered a moment ago */
      case ALS_SIGNAL_ERROR_NO_SUCH_NUMBER:
      default:
        state = ALS_SERVER_CHECK_NOT_OURS;
        break;
      }
  g_debug ("server: %s", error->message);
  finish (task, state);
}

static gboolean
limit_cb (gpointer user_data)
{
  /* It took the connection and then said nothing that a rendezvous server says. */
  finish (user_data, ALS_SERVER_CHECK_NOT_OURS);
  return G_SOURCE_REMOVE;
}

static gboolean
cancelled_cb (GCancellable *cancellable, gpointer user_data)
{
  finish (user_data, ALS_SERVER_CHECK_FAILED);
  return G_SOURCE_REMOVE;
}

static GSource *
attach (GSource *source, gpointer callback, GTask *task)
{
  g_source_set_callback (source, callback, task, NULL);
  g_source_attach (source, g_task_get_context (task));
  return source;
}

static void
greet (GTask *task)
{
  Check *self = g_task_get_task_data (task);
  const char *uris[] = { self->result->uri, NULL };

  self->limit = attach (g_timeout_source_new_seconds (GREET_LIMIT_S), limit_cb, task);
  if (g_task_get_cancellable (task) != NULL)
    self->cancelled = attach (g_cancellable_source_new (g_task_get_cancellable (task)), cancelled_cb, task);
  self->client = als_signal_client_new (uris);
  g_signal_connect_swapped (self->client, "state-changed", G_CALLBACK (state_changed_cb), task);
  g_signal_connect_swapped (self->client, "failed", G_CALLBACK (failed_cb), task);
  als_signal_client_start (self->client);
}

/* --- the way there -------------------------------------------------------------------------- */

static void
event_cb (GSocketClient *client, GSocketClientEvent event, GSocketConnectable *connectable,
          GIOStream *connection, gpointer user_data)
{
  Check *self = user_data;

  switch (event)
    {
    case G_SOCKET_CLIENT_CONNECTING:
      self->connecting_us = g_get_monotonic_time ();
      break;
    case G_SOCKET_CLIENT_CONNECTED:
      self->result->rtt_us = MAX (g_get_monotonic_time () - self->connecting_us, 1);
      break;
    case G_SOCKET_CLIENT_PROXY_NEGOTIATING:
      self->result->via_proxy = TRUE;
      break;
    case G_SOCKET_CLIENT_TLS_HANDSHAKING:
      g_set_object (&self->tls, G_TLS_CONNECTION (connection));
      break;
    case G_SOCKET_CLIENT_RESOLVING:
    case G_SOCKET_CLIENT_RESOLVED:
    case G_SOCKET_CLIENT_PROXY_NEGOTIATED:
    case G_SOCKET_CLIENT_TLS_HANDSHAKED:
    case G_SOCKET_CLIENT_COMPLETE:
    default:
      break;
    }
}

static AlsServerState
judge_failure (Check *self, const GError *error)
{
  if (error->domain == G_RESOLVER_ERROR)
    return ALS_SERVER_CHECK_NO_NAME;
  if (error->domain == G_TLS_ERROR)
    {
      if (self->tls != NULL)
        self->result->flags = g_tls_connection_get_peer_certificate_errors (self->tls);
      return error->code == G_TLS_ERROR_BAD_CERTIFICATE ? ALS_SERVER_CHECK_CERTIFICATE
                                                        : ALS_SERVER_CHECK_TLS;
    }
  if (error->domain != G_IO_ERROR)
    return ALS_SERVER_CHECK_FAILED;
  switch (error->code)
    {
    case G_IO_ERROR_CONNECTION_REFUSED:
      return ALS_SERVER_CHECK_REFUSED;
    case G_IO_ERROR_TIMED_OUT:
      return self->result->via_proxy ? ALS_SERVER_CHECK_PROXY : ALS_SERVER_CHECK_SILENT;
    case G_IO_ERROR_HOST_UNREACHABLE:
    case G_IO_ERROR_NETWORK_UNREACHABLE:
      return ALS_SERVER_CHECK_NO_ROUTE;
    case G_IO_ERROR_PROXY_FAILED:
    case G_IO_ERROR_PROXY_AUTH_FAILED:
    case G_IO_ERROR_PROXY_NEED_AUTH:
    case G_IO_ERROR_PROXY_NOT_ALLOWED:
      return ALS_SERVER_CHECK_PROXY;
    default:
      return self->tls != NULL ? ALS_SERVER_CHECK_TLS : ALS_SERVER_CHECK_FAILED;
    }
}

static void connect_again (GTask *task);

static void
connected_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  GTask *task = user_data;
  Check *self = g_task_get_task_data (task);
  g_autoptr (GError) error = NULL;
  g_autoptr (GSocketConnection) connection
      = g_socket_client_connect_to_uri_finish (G_SOCKET_CLIENT (source), result, &error);

  AlsServerState state;

  if (connection != NULL)
    {
      g_signal_handlers_disconnect_by_data (source, self);
      g_io_stream_close_async (G_IO_STREAM (connection), G_PRIORITY_DEFAULT, NULL, NULL, NULL);
      greet (task);
      return;
    }
  g_debug ("connection: %s", error->message);
  state = judge_failure (self, error);
  if ((state == ALS_SERVER_CHECK_NO_ROUTE || (state == ALS_SERVER_CHECK_NO_NAME && self->n_families > 1))
      && self->n_families < G_N_ELEMENTS (families))
    {
      connect_again (task);
      return;
    }
  g_signal_handlers_disconnect_by_data (source, self);
  finish (task, self->n_families > 1 && state == ALS_SERVER_CHECK_NO_NAME ? ALS_SERVER_CHECK_NO_ROUTE : state);
}

static void
connect_again (GTask *task)
{
  Check *self = g_task_get_task_data (task);

  g_socket_client_set_family (self->socket_client, families[self->n_families++]);
  g_socket_client_connect_to_uri_async (self->socket_client, self->web_uri, self->default_port,
                                        g_task_get_cancellable (task), connected_cb, task);
}

/* Proxies are set for the web's schemes. (transfer full) (nullable) */
static char *
make_web_uri (const char *text, gboolean *is_tls)
{
  g_autoptr (GUri) uri = g_uri_parse (text, G_URI_FLAGS_NONE, NULL);
  const char *scheme = uri != NULL ? g_uri_get_scheme (uri) : "";

  *is_tls = g_str_equal (scheme, "wss");
  if ((!*is_tls && !g_str_equal (scheme, "ws")) || g_uri_get_host (uri) == NULL || *g_uri_get_host (uri) == '\0')
    return NULL;
  return g_uri_join (G_URI_FLAGS_NONE, *is_tls ? "https" : "http", NULL, g_uri_get_host (uri),
                     g_uri_get_port (uri) > 0 ? g_uri_get_port (uri) : *is_tls ? 443 : 80, "/", NULL, NULL);
}

void
als_server_check_async (const char *uri, GCancellable *cancellable, GAsyncReadyCallback callback,
                        gpointer user_data)
{
  GTask *task = g_task_new (NULL, cancellable, callback, user_data);
  Check *self = g_new0 (Check, 1);
  gboolean is_tls;

  g_task_set_source_tag (task, als_server_check_async);
  g_task_set_task_data (task, self, check_free);
  self->result = g_new0 (AlsServerCheck, 1);
  self->result->uri = g_strdup (uri);
  self->result->ice_servers = g_ptr_array_new_with_free_func ((GDestroyNotify) als_path_server_free);
  self->web_uri = make_web_uri (uri, &is_tls);
  self->default_port = is_tls ? 443 : 80;
  if (self->web_uri == NULL)
    {
      finish (task, ALS_SERVER_CHECK_BAD_ADDRESS);
      return;
    }
  self->socket_client = g_socket_client_new ();
  g_socket_client_set_timeout (self->socket_client, CONNECT_LIMIT_S);
  g_socket_client_set_tls (self->socket_client, is_tls);
  g_signal_connect (self->socket_client, "event", G_CALLBACK (event_cb), self);
  connect_again (task);
}

AlsServerCheck *
als_server_check_finish (GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, NULL), NULL);
  return g_task_propagate_pointer (G_TASK (result), error);
}

/* --- words ------------------------------------------------------------------------------------ */

static const char *
describe_certificate (GTlsCertificateFlags flags)
{
  if ((flags & G_TLS_CERTIFICATE_EXPIRED) != 0)
    return _("its certificate has expired (or this computer’s clock is wrong)");
  if ((flags & G_TLS_CERTIFICATE_NOT_ACTIVATED) != 0)
    return _("its certificate is not valid yet (or this computer’s clock is wrong)");
  if ((flags & G_TLS_CERTIFICATE_BAD_IDENTITY) != 0)
    return _("its certificate is for another name");
  if ((flags & G_TLS_CERTIFICATE_REVOKED) != 0)
    return _("its certificate was revoked");
  if ((flags & G_TLS_CERTIFICATE_UNKNOWN_CA) != 0)
    return _("its certificate is signed by nobody that this computer trusts");
  return _("its certificate is not trusted");
}

static const char *
describe_state (const AlsServerCheck *self)
{
  switch (self->state)
    {
    case ALS_SERVER_CHECK_BAD_ADDRESS:
      return _("that is no address of a server: it starts with wss:// or ws://");
    case ALS_SERVER_CHECK_NO_NAME:
      return _("its name is not known (check the spelling, and this computer’s name service)");
    case ALS_SERVER_CHECK_REFUSED:
      return _("it refuses the connection (is the server running, and the port right?)");
    case ALS_SERVER_CHECK_SILENT:
      return _("it does not answer (it may be down, or a firewall is in the way)");
    case ALS_SERVER_CHECK_NO_ROUTE:
      return _("there is no way to it from this network");
    case ALS_SERVER_CHECK_PROXY:
      return _("the proxy does not let us through to it");
    case ALS_SERVER_CHECK_CERTIFICATE:
      return describe_certificate (self->flags);
    case ALS_SERVER_CHECK_TLS:
      return _("what answers does not speak TLS as it should (try ws:// or another port)");
    case ALS_SERVER_CHECK_NOT_OURS:
      return _("something answers there, but it is no rendezvous server");
    case ALS_SERVER_CHECK_VERSION:
      return _("the server speaks another version; update Alongside or the server");
    case ALS_SERVER_CHECK_BUSY:
      return _("the server is there, but asks us to come back later");
    case ALS_SERVER_CHECK_OK:
      return _("reachable");
    case ALS_SERVER_CHECK_FAILED:
    default:
      return _("it cannot be reached");
    }
}

char *
als_server_check_describe (const AlsServerCheck *self)
{
  GString *text = g_string_new (describe_state (self));

  if (self->state == ALS_SERVER_CHECK_OK && self->rtt_us > 0)
    {
      g_string_append (text, ", ");
      /* Translators: how long a connection takes, in milliseconds */
      g_string_append_printf (text, _("round trip %.1f ms"), (double) self->rtt_us / 1000);
    }
  if (self->via_proxy)
    {
      g_string_append (text, ", ");
      g_string_append (text, _("through a proxy"));
    }
  return g_string_free (text, FALSE);
}

const char *
als_server_check_to_string (AlsServerState state)
{
  static const char *const names[] = {
    "ok", "bad-address", "no-name", "refused", "silent", "no-route", "proxy", "certificate", "tls",
    "not-ours", "version", "busy", "failed",
  };

  return (guint) state < G_N_ELEMENTS (names) ? names[state] : "failed";
}
