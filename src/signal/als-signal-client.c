/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* The effects beside AlsSignalTalk: connections, time and signals. */

#define G_LOG_DOMAIN "als-signal"

#include "config.h"

#include "signal/als-signal-client.h"

#include <libsoup/soup.h>
#include "base/als-deadline-source.h"
#include "signal/als-relay-carrier.h"
#include "signal/als-signal-round.h"
#include "signal/als-signal-talk.h"

#define SOFTWARE_NAME "Alongside/" PACKAGE_VERSION
/* RFC 6585, 4; not in libsoup 3.2. */
#define TOO_MANY_REQUESTS 429

struct _AlsSignalClient
{
  GObject parent_instance;

  GMainContext *context;
  char **uris;
  AlsSignalRound round;            /* over `uris` */
  guint n_versions;                /* attempts in a row that failed for another version */
  AlsSignalState state;
  guint generation;                /* counts starts and stops */
  AlsSignalTalk talk;
  GError *refusal;                 /* (nullable): of our number by a server that was left for another */
  SoupSession *session;
  GCancellable *attempt;           /* while connecting; tells attempts apart */
  SoupWebsocketConnection *socket; /* once connected */
  GSource *timer;                  /* CONNECTING: the limit; RETRYING: the delay; CONNECTED: the talk */
  GSource *poke;                   /* the network has changed */
  GNetworkMonitor *monitor;
  gulong monitor_handler;
  AlsRelayCarrier *relay;          /* while paired */
  gboolean relay_taken;
  GPtrArray *servers;              /* (element-type AlsIceServer) */
  GPtrArray *public_servers;       /* the same, of WELCOME */
  gboolean foreign_peers;          /* of the last PAIRED ... */
  char *origin;                    /* (nullable): ... and the address it told us */
};

G_DEFINE_FINAL_TYPE (AlsSignalClient, als_signal_client, G_TYPE_OBJECT)
G_DEFINE_QUARK (als-signal-client-error-quark, als_signal_client_error)

enum
{
  STATE_CHANGED,
  REGISTERED,
  WAITING,
  PAIRED,
  MESSAGE,
  UNPAIRED,
  FAILED,
  N_SIGNALS,
};

static guint signals[N_SIGNALS];

static void connect_now (AlsSignalClient *self);
static void ask_elsewhere (AlsSignalClient *self);

static void
set_state (AlsSignalClient *self, AlsSignalState state)
{
  static const char *const names[] = { "disconnected", "connecting", "connected", "retrying" };

  if (self->state == state)
    return;
  g_debug ("%s -> %s", names[self->state], names[state]);
  self->state = state;
  g_signal_emit (self, signals[STATE_CHANGED], 0);
}

static void
update_timer (AlsSignalClient *self)
{
  if (self->state == ALS_SIGNAL_CONNECTED)
    als_deadline_source_set (self->timer, MIN (als_signal_talk_get_deadline (&self->talk),
                                               als_signal_round_get_deadline (&self->round, &self->talk)));
}

static gboolean
is_writable (AlsSignalClient *self)
{
  return self->socket != NULL
         && soup_websocket_connection_get_state (self->socket) == SOUP_WEBSOCKET_STATE_OPEN;
}

static void
flush (AlsSignalClient *self)
{
  GBytes *bytes;

  while ((bytes = g_queue_pop_head (&self->talk.out)) != NULL)
    {
      size_t len;
      const void *data = g_bytes_get_data (bytes, &len);

      if (is_writable (self))
        soup_websocket_connection_send_binary (self->socket, data, len);
      g_bytes_unref (bytes);
    }
}

static gboolean
release_cb (gpointer user_data)
{
  g_object_unref (user_data);
  return G_SOURCE_REMOVE;
}

/* libsoup is not done with the connection yet when it says "closed". */
static void
retired_closed_cb (SoupWebsocketConnection *socket, gpointer user_data)
{
  g_autoptr (GSource) source = g_idle_source_new ();

  g_source_set_static_name (source, "als-signal-release");
  g_source_set_callback (source, release_cb, socket, NULL);
  g_source_attach (source, g_main_context_get_thread_default ());
}

/* What was said still leaves, then the connection closes; libsoup gives that five seconds. */
static void
drop_socket (AlsSignalClient *self, gushort code)
{
  SoupWebsocketConnection *socket = g_steal_pointer (&self->socket);

  if (socket == NULL)
    return;
  g_signal_handlers_disconnect_by_data (socket, self);
  if (soup_websocket_connection_get_state (socket) == SOUP_WEBSOCKET_STATE_CLOSED)
    {
      g_object_unref (socket);
      return;
    }
  g_signal_connect (socket, "closed", G_CALLBACK (retired_closed_cb), NULL);
  if (soup_websocket_connection_get_state (socket) == SOUP_WEBSOCKET_STATE_OPEN)
    soup_websocket_connection_close (socket, code, NULL);
}

static void
end_relay (AlsSignalClient *self, const char *reason)
{
  g_autoptr (AlsRelayCarrier) relay = g_steal_pointer (&self->relay);
  g_autoptr (GError) error = NULL;

  if (relay == NULL)
    return;
  error = g_error_new_literal (G_IO_ERROR, G_IO_ERROR_CONNECTION_CLOSED, reason);
  als_relay_carrier_end (relay, error);
}

static void
end_attempt (AlsSignalClient *self)
{
  g_autoptr (GCancellable) attempt = g_steal_pointer (&self->attempt);

  if (attempt != NULL)
    g_cancellable_cancel (attempt);
}

/* The connection, or the attempt at one, has ended with ERROR (transfer full). */
static void
fail (AlsSignalClient *self, GError *reason)
{
  g_autoptr (AlsSignalClient) keep = g_object_ref (self);
  g_autoptr (GError) error = reason;
  guint generation = self->generation;
  gboolean is_final = FALSE;
  gboolean was_paired;

  g_debug ("%s", error->message);
  end_attempt (self);
  drop_socket (self, SOUP_WEBSOCKET_CLOSE_GOING_AWAY);
  was_paired = als_signal_talk_lost (&self->talk);
  if (g_error_matches (error, ALS_SIGNAL_CLIENT_ERROR, ALS_SIGNAL_ERROR_VERSION))
    is_final = ++self->n_versions >= g_strv_length (self->uris);
  else
    self->n_versions = 0;
  als_deadline_source_set (self->timer, INT64_MAX);
  end_relay (self, error->message);
  if (was_paired && self->generation == generation)
    g_signal_emit (self, signals[UNPAIRED], 0, (guint) ALS_SIGNAL_UNPAIR_LOST);
  if (self->generation == generation)
    g_signal_emit (self, signals[FAILED], 0, error);
  if (self->generation != generation)
    return;
  if (is_final)
    {
      als_signal_client_stop (self);
      g_signal_emit (self, signals[STATE_CHANGED], 0);
      return;
    }
  als_deadline_source_set (self->timer, als_signal_round_failed (&self->round, g_get_monotonic_time ()));
  set_state (self, ALS_SIGNAL_RETRYING);
}

static gboolean
send_relay (const uint8_t *data, size_t len, gpointer user_data)
{
  AlsSignalClient *self = user_data;

  if (!als_signal_talk_send (&self->talk, ALS_SIGNAL_RELAY, data, len))
    return FALSE;
  flush (self);
  return TRUE;
}

static void
paired (AlsSignalClient *self, const AlsSignalMessage *message)
{
  g_autoptr (GUri) uri = g_uri_parse (self->uris[self->round.index], G_URI_FLAGS_NONE, NULL);

  als_signal_round_answered (&self->round);
  g_clear_pointer (&self->servers, g_ptr_array_unref);
  self->servers = g_ptr_array_ref (message->servers);
  self->foreign_peers = message->foreign_peers;
  g_free (self->origin);
  self->origin = message->foreign_peers ? g_strdup (message->text) : NULL;
  self->relay_taken = FALSE;
  self->relay = als_relay_carrier_new (self->context, uri != NULL ? g_uri_get_host (uri) : NULL, FALSE,
                                       message->relay_rate, message->relay_backlog, send_relay,
                                       self);
  g_signal_emit (self, signals[PAIRED], 0);
}

/* IS_JOINING: until now. */
static void
heard (AlsSignalClient *self, AlsSignalHeard what, const AlsSignalMessage *message, GError *error,
       gboolean is_joining)
{
  switch (what)
    {
    case ALS_SIGNAL_HEARD_NOTHING:
      break;
    case ALS_SIGNAL_HEARD_WELCOME:
      als_signal_round_welcomed (&self->round, g_get_monotonic_time ());
      self->n_versions = 0;
      if (message->servers != NULL)
        {
          g_ptr_array_unref (self->public_servers);
          self->public_servers = g_ptr_array_ref (message->servers);
        }
      set_state (self, ALS_SIGNAL_CONNECTED);
      break;
    case ALS_SIGNAL_HEARD_REGISTERED:
      g_signal_emit (self, signals[REGISTERED], 0, (guint) message->number);
      break;
    case ALS_SIGNAL_HEARD_WAITING:
      als_signal_round_waits (&self->round, g_get_monotonic_time ());
      g_signal_emit (self, signals[WAITING], 0, (guint) message->keep_s);
      break;
    case ALS_SIGNAL_HEARD_PAIRED:
      paired (self, message);
      break;
    case ALS_SIGNAL_HEARD_MESSAGE:
      g_signal_emit (self, signals[MESSAGE], 0, message->payload);
      break;
    case ALS_SIGNAL_HEARD_RELAY:
      if (self->relay != NULL)
        {
          g_autoptr (AlsCarrier) relay = g_object_ref (ALS_CARRIER (self->relay));
          size_t len;
          const uint8_t *data = g_bytes_get_data (message->payload, &len);

          als_carrier_received (relay, data, len);
        }
      break;
    case ALS_SIGNAL_HEARD_RELAY_ENDED:
      end_relay (self, "the server ended the relay");
      break;
    case ALS_SIGNAL_HEARD_UNPAIRED:
      {
        guint generation = self->generation;

        end_relay (self, "the other side left");
        if (self->generation == generation)
          g_signal_emit (self, signals[UNPAIRED], 0, (guint) message->reason);
      }
      break;
    case ALS_SIGNAL_HEARD_REFUSAL:
      if (!is_joining || !als_signal_round_refused (&self->round))
        {
          g_signal_emit (self, signals[FAILED], 0, error);
          break;
        }
      if (self->refusal == NULL)
        self->refusal = g_error_copy (error);
      ask_elsewhere (self);
      break;
    case ALS_SIGNAL_HEARD_END:
      fail (self, g_error_copy (error));
      break;
    }
}

static void
message_cb (SoupWebsocketConnection *socket, SoupWebsocketDataType type, GBytes *bytes,
            AlsSignalClient *self)
{
  g_autoptr (AlsSignalClient) keep = g_object_ref (self);
  g_autoptr (AlsSignalMessage) message = NULL;
  g_autoptr (GError) error = NULL;
  size_t len;
  const uint8_t *data = g_bytes_get_data (bytes, &len);
  gboolean is_joining = self->talk.ask == ALS_SIGNAL_ASK_JOIN;
  AlsSignalHeard what;

  if (type != SOUP_WEBSOCKET_DATA_BINARY || len > ALS_SIGNAL_MAX_MESSAGE)
    {
      fail (self, g_error_new_literal (ALS_SIGNAL_CLIENT_ERROR, ALS_SIGNAL_ERROR_PROTOCOL,
                                       type != SOUP_WEBSOCKET_DATA_BINARY
                                         ? "the server sent text"
                                         : "the server sent too long a message"));
      return;
    }
  what = als_signal_talk_receive (&self->talk, data, len, g_get_monotonic_time (), &message,
                                  &error);
  flush (self);
  heard (self, what, message, error, is_joining);
  update_timer (self);
}

static void
error_cb (SoupWebsocketConnection *socket, GError *cause, AlsSignalClient *self)
{
  gboolean is_nonsense = cause->domain == SOUP_WEBSOCKET_ERROR;

  fail (self, g_error_new (ALS_SIGNAL_CLIENT_ERROR,
                           is_nonsense ? ALS_SIGNAL_ERROR_PROTOCOL : ALS_SIGNAL_ERROR_UNREACHABLE,
                           "connection broken: %s", cause->message));
}

static void
closed_cb (SoupWebsocketConnection *socket, AlsSignalClient *self)
{
  fail (self, g_error_new_literal (ALS_SIGNAL_CLIENT_ERROR, ALS_SIGNAL_ERROR_UNREACHABLE,
                                   "the server closed the connection"));
}

static gboolean
is_loopback_host (const char *uri_text)
{
  g_autoptr (GUri) uri = g_uri_parse (uri_text, G_URI_FLAGS_NONE, NULL);
  g_autoptr (GInetAddress) address = NULL;
  const char *host = uri != NULL ? g_uri_get_host (uri) : NULL;

  if (host == NULL)
    return FALSE;
  address = g_inet_address_new_from_string (host);
  return address != NULL ? g_inet_address_get_is_loopback (address)
                         : g_ascii_strcasecmp (host, "localhost") == 0;
}

static GError *
explain (AlsSignalClient *self, const GError *cause, guint status)
{
  AlsSignalError code = ALS_SIGNAL_ERROR_UNREACHABLE;

  if (status == SOUP_STATUS_SERVICE_UNAVAILABLE || status == TOO_MANY_REQUESTS)
    code = ALS_SIGNAL_ERROR_REFUSED;
  else if (cause->domain == SOUP_WEBSOCKET_ERROR)
    code = ALS_SIGNAL_ERROR_PROTOCOL;
  else if (!g_network_monitor_get_network_available (self->monitor)
           && !is_loopback_host (self->uris[self->round.index]))
    code = ALS_SIGNAL_ERROR_OFFLINE;
  return g_error_new (ALS_SIGNAL_CLIENT_ERROR, code, "no connection: %s", cause->message);
}

typedef struct
{
  AlsSignalClient *client; /* owned */
  GCancellable *attempt;   /* owned */
  SoupMessage *message;    /* owned */
} Attempt;

static void
attempt_free (Attempt *self)
{
  g_object_unref (self->client);
  g_object_unref (self->attempt);
  g_object_unref (self->message);
  g_free (self);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Attempt, attempt_free)

static void
connected_cb (GObject *object, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (Attempt) attempt = user_data;
  g_autoptr (GError) error = NULL;
  AlsSignalClient *self = attempt->client;
  g_autoptr (SoupWebsocketConnection) socket =
    soup_session_websocket_connect_finish (SOUP_SESSION (object), result, &error);

  if (self->attempt != attempt->attempt)
    return;
  g_clear_object (&self->attempt);
  if (socket == NULL)
    {
      fail (self, explain (self, error, soup_message_get_status (attempt->message)));
      return;
    }
  if (g_strcmp0 (soup_websocket_connection_get_protocol (socket), ALS_SIGNAL_SUBPROTOCOL) != 0)
    {
      fail (self, g_error_new_literal (ALS_SIGNAL_CLIENT_ERROR, ALS_SIGNAL_ERROR_PROTOCOL,
                                       "no rendezvous server answers there"));
      return;
    }
  soup_websocket_connection_set_max_incoming_payload_size (socket, ALS_SIGNAL_MAX_MESSAGE);
  self->socket = g_steal_pointer (&socket);
  g_signal_connect (self->socket, "message", G_CALLBACK (message_cb), self);
  g_signal_connect (self->socket, "error", G_CALLBACK (error_cb), self);
  g_signal_connect (self->socket, "closed", G_CALLBACK (closed_cb), self);
  als_signal_talk_open (&self->talk, SOFTWARE_NAME " " ALS_SIGNAL_TAKES_SERVERS " " ALS_SIGNAL_TAKES_FOREIGN_PEERS,
                        g_get_monotonic_time ());
  flush (self);
}

static void
connect_now (AlsSignalClient *self)
{
  const char *uri_text = self->uris[self->round.index];
  g_autoptr (GUri) uri = g_uri_parse (uri_text, SOUP_HTTP_URI_FLAGS, NULL);
  const char *scheme = uri != NULL ? g_uri_get_scheme (uri) : NULL;
  char *protocols[] = { ALS_SIGNAL_SUBPROTOCOL, NULL };
  guint generation = self->generation;
  Attempt *attempt;

  set_state (self, ALS_SIGNAL_CONNECTING);
  if (self->generation != generation)
    return;
  if (uri == NULL || (!g_str_equal (scheme, "ws") && !g_str_equal (scheme, "wss"))
      || g_uri_get_host (uri) == NULL || *g_uri_get_host (uri) == '\0')
    {
      fail (self, g_error_new_literal (ALS_SIGNAL_CLIENT_ERROR, ALS_SIGNAL_ERROR_UNREACHABLE,
                                       "not a ws:// or wss:// address"));
      return;
    }
  als_deadline_source_set (self->timer, g_get_monotonic_time () + als_signal_round_get_limit_us (&self->round));
  self->attempt = g_cancellable_new ();
  attempt = g_new0 (Attempt, 1);
  attempt->client = g_object_ref (self);
  attempt->attempt = g_object_ref (self->attempt);
  attempt->message = soup_message_new_from_uri (SOUP_METHOD_GET, uri);
  soup_message_add_flags (attempt->message, SOUP_MESSAGE_NO_REDIRECT);
  soup_session_websocket_connect_async (self->session, attempt->message, NULL, protocols,
                                        G_PRIORITY_DEFAULT, self->attempt, connected_cb, attempt);
}

/* The question goes along. */
static void
move_on (AlsSignalClient *self)
{
  g_debug ("the other side is not here");
  drop_socket (self, SOUP_WEBSOCKET_CLOSE_GOING_AWAY);
  als_signal_talk_lost (&self->talk);
  als_signal_round_move (&self->round);
  connect_now (self);
}

/* One server has refused to bring us to the number; the next one may know better. */
static void
ask_elsewhere (AlsSignalClient *self)
{
  uint32_t number = self->talk.ask_number;

  move_on (self);
  als_signal_talk_join (&self->talk, number);
}

/* Nobody waits under the number at any server. */
static void
give_up (AlsSignalClient *self)
{
  g_autoptr (GError) error = g_steal_pointer (&self->refusal);

  if (error == NULL)
    error = g_error_new_literal (ALS_SIGNAL_CLIENT_ERROR, ALS_SIGNAL_ERROR_NO_SUCH_NUMBER,
                                 "nobody waits under that number at any of the servers");
  als_signal_client_cancel (self);
  g_signal_emit (self, signals[FAILED], 0, error);
}

static gboolean
timer_cb (gpointer user_data)
{
  g_autoptr (AlsSignalClient) self = g_object_ref (user_data);

  switch (self->state)
    {
    case ALS_SIGNAL_DISCONNECTED:
      break;
    case ALS_SIGNAL_RETRYING:
      connect_now (self);
      break;
    case ALS_SIGNAL_CONNECTING:
      fail (self, g_error_new_literal (ALS_SIGNAL_CLIENT_ERROR, ALS_SIGNAL_ERROR_UNREACHABLE,
                                       "no answer in time"));
      break;
    case ALS_SIGNAL_CONNECTED:
      if (!als_signal_talk_poll (&self->talk, g_get_monotonic_time ()))
        {
          fail (self, g_error_new_literal (ALS_SIGNAL_CLIENT_ERROR, ALS_SIGNAL_ERROR_UNREACHABLE,
                                           "the server has fallen silent"));
          break;
        }
      if (g_get_monotonic_time () >= als_signal_round_get_deadline (&self->round, &self->talk))
        {
          if (als_signal_round_may_move (&self->round, &self->talk, g_get_monotonic_time ()))
            move_on (self);
          else
            give_up (self);
          break;
        }
      flush (self);
      update_timer (self);
      break;
    }
  return G_SOURCE_CONTINUE;
}

static gboolean
poke_cb (gpointer user_data)
{
  AlsSignalClient *self = user_data;

  if (self->state == ALS_SIGNAL_RETRYING)
    als_deadline_source_set (self->timer, 0);
  return G_SOURCE_CONTINUE;
}

void
als_signal_client_doubt (AlsSignalClient *self)
{
  if (self->state == ALS_SIGNAL_RETRYING)
    als_deadline_source_set (self->timer, 0);
  if (self->state != ALS_SIGNAL_CONNECTED)
    return;
  als_signal_talk_doubt (&self->talk, g_get_monotonic_time ());
  flush (self);
  update_timer (self);
}

/* In the thread that made the first monitor of this process. */
static void
network_changed_cb (GNetworkMonitor *monitor, gboolean available, gpointer user_data)
{
  if (available)
    als_deadline_source_set (user_data, 0);
}

static void
source_unref_closure (gpointer data, GClosure *closure)
{
  g_source_unref (data);
}

static void
als_signal_client_dispose (GObject *object)
{
  AlsSignalClient *self = ALS_SIGNAL_CLIENT (object);

  als_signal_client_stop (self);
  if (self->monitor_handler != 0)
    g_signal_handler_disconnect (self->monitor, self->monitor_handler);
  self->monitor_handler = 0;
  G_OBJECT_CLASS (als_signal_client_parent_class)->dispose (object);
}

static void
als_signal_client_finalize (GObject *object)
{
  AlsSignalClient *self = ALS_SIGNAL_CLIENT (object);

  g_source_destroy (self->timer);
  g_source_unref (self->timer);
  g_source_destroy (self->poke);
  g_source_unref (self->poke);
  als_signal_talk_clear (&self->talk);
  g_clear_error (&self->refusal);
  g_strfreev (self->uris);
  g_ptr_array_unref (self->servers);
  g_ptr_array_unref (self->public_servers);
  g_free (self->origin);
  g_object_unref (self->session);
  g_main_context_unref (self->context);
  G_OBJECT_CLASS (als_signal_client_parent_class)->finalize (object);
}

static void
als_signal_client_class_init (AlsSignalClientClass *klass)
{
  static const struct { const char *name; guint n; GType type; } kinds[N_SIGNALS] = {
    [STATE_CHANGED] = { "state-changed", 0, G_TYPE_NONE },
    [REGISTERED] = { "registered", 1, G_TYPE_UINT },
    [WAITING] = { "waiting", 1, G_TYPE_UINT },
    [PAIRED] = { "paired", 0, G_TYPE_NONE },
    [UNPAIRED] = { "unpaired", 1, G_TYPE_UINT },
  };
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->dispose = als_signal_client_dispose;
  object_class->finalize = als_signal_client_finalize;
  for (guint i = 0; i < N_SIGNALS; i++)
    if (kinds[i].name != NULL)
      signals[i] = g_signal_new (kinds[i].name, ALS_TYPE_SIGNAL_CLIENT, G_SIGNAL_RUN_LAST, 0, NULL,
                                 NULL, NULL, G_TYPE_NONE, kinds[i].n, kinds[i].type);
  /* Boxed types are no constants. */
  signals[MESSAGE] = g_signal_new ("message", ALS_TYPE_SIGNAL_CLIENT, G_SIGNAL_RUN_LAST, 0, NULL,
                                   NULL, NULL, G_TYPE_NONE, 1, G_TYPE_BYTES);
  signals[FAILED] = g_signal_new ("failed", ALS_TYPE_SIGNAL_CLIENT, G_SIGNAL_RUN_LAST, 0, NULL,
                                  NULL, NULL, G_TYPE_NONE, 1, G_TYPE_ERROR);
}

static void
als_signal_client_init (AlsSignalClient *self)
{
  self->context = g_main_context_ref_thread_default ();
  self->timer = als_deadline_source_new (self->context, "als-signal-timer", timer_cb, self);
  self->poke = als_deadline_source_new (self->context, "als-signal-network", poke_cb, self);
  self->servers = g_ptr_array_new_with_free_func ((GDestroyNotify) als_ice_server_free);
  self->public_servers = g_ptr_array_ref (self->servers);
  als_signal_talk_init (&self->talk);
  self->session = soup_session_new_with_options ("user-agent", SOFTWARE_NAME, NULL);
  /* Sealed bytes do not compress, and a compressed message has no size until it is unpacked. */
  soup_session_remove_feature_by_type (self->session, SOUP_TYPE_WEBSOCKET_EXTENSION_MANAGER);
  self->monitor = g_network_monitor_get_default ();
  self->monitor_handler = g_signal_connect_data (self->monitor, "network-changed",
                                                 G_CALLBACK (network_changed_cb),
                                                 g_source_ref (self->poke), source_unref_closure,
                                                 0);
}

AlsSignalClient *
als_signal_client_new (const char *const *uris)
{
  AlsSignalClient *self = g_object_new (ALS_TYPE_SIGNAL_CLIENT, NULL);

  g_assert (uris != NULL && uris[0] != NULL);
  self->uris = g_strdupv ((char **) uris);
  als_signal_round_init (&self->round, g_strv_length (self->uris));
  return self;
}

void
als_signal_client_start (AlsSignalClient *self)
{
  if (self->state != ALS_SIGNAL_DISCONNECTED)
    return;
  self->generation++;
  als_signal_round_start (&self->round);
  self->n_versions = 0;
  connect_now (self);
}

void
als_signal_client_stop (AlsSignalClient *self)
{
  if (self->state == ALS_SIGNAL_DISCONNECTED)
    return;
  self->generation++;
  self->state = ALS_SIGNAL_DISCONNECTED;
  als_deadline_source_set (self->timer, INT64_MAX);
  end_attempt (self);
  als_signal_talk_unregister (&self->talk);
  als_signal_talk_cancel (&self->talk);
  als_signal_talk_unpair (&self->talk);
  flush (self);
  drop_socket (self, SOUP_WEBSOCKET_CLOSE_NORMAL);
  als_signal_talk_lost (&self->talk);
  end_relay (self, "stopped");
}

AlsSignalState
als_signal_client_get_state (AlsSignalClient *self)
{
  return self->state;
}

const char *
als_signal_client_get_uri (AlsSignalClient *self)
{
  return self->uris[self->round.index];
}

void
als_signal_client_register (AlsSignalClient *self)
{
  als_signal_talk_register (&self->talk);
  flush (self);
}

void
als_signal_client_unregister (AlsSignalClient *self)
{
  als_signal_talk_unregister (&self->talk);
  flush (self);
}

void
als_signal_client_renumber (AlsSignalClient *self)
{
  als_signal_talk_renumber (&self->talk);
  flush (self);
}

void
als_signal_client_join (AlsSignalClient *self, guint number)
{
  als_signal_talk_join (&self->talk, number);
  flush (self);
  g_clear_error (&self->refusal);
  als_signal_round_asked (&self->round, ALS_SIGNAL_ASK_JOIN, g_get_monotonic_time ());
  update_timer (self);
  end_relay (self, "left for another");
}

void
als_signal_client_meet (AlsSignalClient *self, const uint8_t *meeting_id, gboolean is_inviter)
{
  als_signal_talk_meet (&self->talk, meeting_id, is_inviter);
  flush (self);
  als_signal_round_asked (&self->round, ALS_SIGNAL_ASK_MEET, g_get_monotonic_time ());
  update_timer (self);
  end_relay (self, "left for another");
}

void
als_signal_client_cancel (AlsSignalClient *self)
{
  als_signal_talk_cancel (&self->talk);
  flush (self);
  g_clear_error (&self->refusal);
  als_signal_round_answered (&self->round);
}

void
als_signal_client_unpair (AlsSignalClient *self)
{
  als_signal_talk_unpair (&self->talk);
  flush (self);
  end_relay (self, "unpaired");
}

gboolean
als_signal_client_send (AlsSignalClient *self, GBytes *payload)
{
  size_t len;
  const uint8_t *data = g_bytes_get_data (payload, &len);

  if (!als_signal_talk_send (&self->talk, ALS_SIGNAL_PEER_MESSAGE, data, len))
    return FALSE;
  flush (self);
  return TRUE;
}

GPtrArray *
als_signal_client_get_servers (AlsSignalClient *self)
{
  return self->servers;
}

gboolean
als_signal_client_get_foreign_peers (AlsSignalClient *self, const char **origin)
{
  *origin = self->origin;
  return self->foreign_peers;
}

GPtrArray *
als_signal_client_get_public_servers (AlsSignalClient *self)
{
  return self->public_servers;
}

AlsCarrier *
als_signal_client_take_relay (AlsSignalClient *self)
{
  if (self->relay == NULL || self->relay_taken)
    return NULL;
  self->relay_taken = TRUE;
  return ALS_CARRIER (g_object_ref (self->relay));
}
