/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* One epoll descriptor is one GSource, however many clients there are. What a
 * turn of it causes in other connections only marks them; they are flushed, and
 * freed, when the turn is over, so no pointer in it goes stale. */

#define G_LOG_DOMAIN "als-server"
#include "config.h"

#include "server/als-server.h"

#include "base/als-deadline-source.h"
#include "server/als-address-limits.h"
#include "server/als-ice-list.h"
#include "server/als-server-connection.h"

#include <errno.h>
#include <glib-unix.h>
#include <gnutls/crypto.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTS_PER_TURN 256
#define ACCEPTS_PER_TURN 64
#define LISTEN_BACKLOG 1024
#define CLOSING_TIMEOUT_US (2 * G_USEC_PER_SEC)
/* After accept () found no descriptor or memory. */
#define ACCEPT_PAUSE_US (G_USEC_PER_SEC / 5)
/* Connections over the limit that may hear why before they are closed. */
#define SPARE_CONNECTIONS 64
#define HEARTBEATS_MISSED 3

/* Deadlines of one kind last equally long, so each kind is a queue whose head is due first. */
typedef enum
{
  PATIENCE_HANDSHAKE,
  PATIENCE_SILENCE,
  PATIENCE_CLOSING,
  N_PATIENCES,
} Patience;

/* Kept alive by each client that uses it, so that a new certificate can take its place. */
typedef struct
{
  gnutls_certificate_credentials_t credentials;
} Tls;

typedef struct
{
  gboolean is_listener; /* Client and Listener begin with this */
} Ready;

typedef struct
{
  Ready ready;
  int fd;
} Listener;

typedef struct
{
  Ready ready;
  AlsServer *server;
  AlsServerConnection *connection;
  AlsRendezvousPeer *peer; /* from OPEN on */
  Tls *tls;                /* (nullable) holds on to the credentials in use */
  char *address;           /* (nullable) what it counts under */
  char *origin;            /* (nullable) all of it */
  gboolean from_proxy;
  gboolean is_dirty;
  gboolean was_heard;
  gboolean is_admitted; /* counts against the limit: those who are told that it is full do not */
  AlsWebSocketStatus close_status;
  uint32_t epoll_events;
  Patience patience;
  int64_t deadline_us;
  GList patience_link;
} Client;

struct _AlsServer
{
  const AlsServerConfig *config;
  AlsServerDoneFunc done;
  gpointer user_data;
  Tls *tls; /* (nullable) reference-counted box */
  int epoll_fd;
  GSource *epoll_source;
  GSource *deadline_source;
  GPtrArray *listeners; /* of Listener */
  GPtrArray *addresses; /* of GInetSocketAddress */
  gboolean accepts;
  int64_t accepts_again_us; /* INT64_MAX: not paused */
  AlsRendezvous *rendezvous;
  AlsAddressLimits *connect_limits;
  GHashTable *counts;           /* address -> number of clients */
  GQueue patience[N_PATIENCES]; /* of Client */
  GPtrArray *dirty;             /* of Client: to be settled at the end of the turn */
  guint n_clients;
  guint n_admitted;
  int64_t exit_us; /* INT64_MAX: stays */
  gboolean stopping;
  gboolean is_done;
};

static void
mark_dirty (Client *client)
{
  if (client->is_dirty)
    return;
  client->is_dirty = TRUE;
  g_ptr_array_add (client->server->dirty, client);
}

/* Effects of the rendezvous. */

static void
effect_send (gpointer connection, AlsLane lane, GBytes *message, gpointer user_data)
{
  Client *client = connection;

  als_server_connection_send (client->connection, lane, message);
  mark_dirty (client);
}

static size_t
effect_get_backlog (gpointer connection, AlsLane lane, gpointer user_data)
{
  return als_server_connection_get_backlog (((Client *)connection)->connection, lane);
}

static void
effect_close (gpointer connection, gpointer user_data)
{
  Client *client = connection;

  als_server_connection_close (client->connection, client->close_status);
  mark_dirty (client);
}

static void
effect_random (uint8_t *out, size_t len, gpointer user_data)
{
  if (gnutls_rnd (GNUTLS_RND_RANDOM, out, len) < 0)
    g_error ("GnuTLS has no random numbers");
}

static GPtrArray *
effect_make_servers (gboolean with_turn, gpointer user_data)
{
  AlsServer *self = user_data;

  return als_ice_list_make (self->config, with_turn, g_get_real_time () / G_USEC_PER_SEC);
}

static const AlsRendezvousEffects effects = {
  effect_send, effect_get_backlog, effect_close, effect_random, effect_make_servers,
};

/* TLS. */

static void
tls_clear (gpointer data)
{
  Tls *tls = data;

  if (tls->credentials != NULL)
    gnutls_certificate_free_credentials (tls->credentials);
}

static void
tls_unref (Tls *tls)
{
  g_rc_box_release_full (tls, tls_clear);
}

static Tls *
tls_load (const char *cert, const char *key, GError **error)
{
  Tls *tls = g_rc_box_new0 (Tls);
  int result = gnutls_certificate_allocate_credentials (&tls->credentials);

  if (result >= 0)
    result
        = gnutls_certificate_set_x509_key_file (tls->credentials, cert, key, GNUTLS_X509_FMT_PEM);
  if (result >= 0)
    return tls;
  g_set_error (error, ALS_SERVER_CONFIG_ERROR, ALS_SERVER_CONFIG_ERROR_INVALID,
               "the certificate %s with the key %s cannot be used: %s", cert, key,
               gnutls_strerror (result));
  tls_unref (tls);
  return NULL;
}

gboolean
als_server_reload_tls (AlsServer *self, GError **error)
{
  Tls *tls;

  if (self->config->tls_cert == NULL)
    return TRUE;
  tls = tls_load (self->config->tls_cert, self->config->tls_key, error);
  if (tls == NULL)
    return FALSE;
  g_clear_pointer (&self->tls, tls_unref);
  self->tls = tls;
  return TRUE;
}

/* Who connects. */

/* An IPv4 address by itself; of IPv6 the first half, which is what one customer is given. */
static char *
address_key (GInetAddress *address)
{
  const guint8 *bytes = g_inet_address_to_bytes (address);
  static const guint8 mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

  if (g_inet_address_get_family (address) == G_SOCKET_FAMILY_IPV4)
    return g_inet_address_to_string (address);
  if (memcmp (bytes, mapped, sizeof mapped) == 0)
    return g_strdup_printf ("%u.%u.%u.%u", bytes[12], bytes[13], bytes[14], bytes[15]);
  return g_strdup_printf ("%02x%02x:%02x%02x:%02x%02x:%02x%02x", bytes[0], bytes[1], bytes[2],
                          bytes[3], bytes[4], bytes[5], bytes[6], bytes[7]);
}

static gboolean
is_proxy (AlsServer *self, GInetAddress *address)
{
  for (guint i = 0; i < self->config->trusted_proxies->len; i++)
    if (g_inet_address_mask_matches (g_ptr_array_index (self->config->trusted_proxies, i), address))
      return TRUE;
  return FALSE;
}

static guint
get_count (AlsServer *self, const char *address)
{
  return GPOINTER_TO_UINT (g_hash_table_lookup (self->counts, address));
}

static void
count (AlsServer *self, const char *address, int change)
{
  guint n = get_count (self, address) + change;

  if (n > 0)
    g_hash_table_insert (self->counts, g_strdup (address), GUINT_TO_POINTER (n));
  else
    g_hash_table_remove (self->counts, address);
}

/* ADDRESS: (nullable): a proxy that says nothing useful. */
static void
set_address (Client *client, GInetAddress *address)
{
  client->address = address != NULL ? address_key (address) : g_strdup ("proxy");
  if (address != NULL) /* IPv4 in IPv6 is IPv4 */
    client->origin = strchr (client->address, '.') != NULL ? g_strdup (client->address)
                                                           : g_inet_address_to_string (address);
  count (client->server, client->address, 1);
}

/* Events of connections. */

static void
connection_opened (AlsServerConnection *connection, const char *forwarded, gpointer user_data)
{
  Client *client = user_data;
  AlsServer *self = client->server;
  int64_t now_us = g_get_monotonic_time ();
  gboolean is_too_fast = FALSE;

  if (client->from_proxy)
    {
      g_autoptr (GInetAddress) address = NULL;

      if (forwarded != NULL)
        address = g_inet_address_new_from_string (forwarded);
      /* A proxy that says nothing useful is one client, and feels the limits of one. */
      set_address (client, address);
      is_too_fast = !als_address_limits_take (self->connect_limits, client->address, now_us);
    }
  client->peer = als_rendezvous_add (self->rendezvous, client, client->address, now_us);
  als_rendezvous_set_origin (client->peer, client->origin);
  if (self->stopping)
    als_rendezvous_refuse (self->rendezvous, client->peer, ALS_SIGNAL_CODE_SHUTTING_DOWN,
                           "the server shuts down", now_us);
  else if (self->n_admitted >= self->config->max_connections)
    als_rendezvous_refuse (self->rendezvous, client->peer, ALS_SIGNAL_CODE_FULL,
                           "the server is full", now_us);
  else if (is_too_fast
           || get_count (self, client->address) > self->config->max_connections_per_address)
    als_rendezvous_refuse (self->rendezvous, client->peer, ALS_SIGNAL_CODE_FULL,
                           "too many connections from this address", now_us);
  else
    {
      client->is_admitted = TRUE;
      self->n_admitted++;
    }
}

static void
connection_message (AlsServerConnection *connection,
                    const uint8_t *data,
                    size_t len,
                    gpointer user_data)
{
  Client *client = user_data;

  als_rendezvous_receive (client->server->rendezvous, client->peer, data, len,
                          g_get_monotonic_time ());
}

static void
connection_heard (AlsServerConnection *connection, gpointer user_data)
{
  ((Client *)user_data)->was_heard = TRUE;
}

static void
connection_broken (AlsServerConnection *connection,
                   AlsWebSocketStatus status,
                   const char *text,
                   gpointer user_data)
{
  Client *client = user_data;

  client->close_status = status;
  als_rendezvous_refuse (client->server->rendezvous, client->peer, ALS_SIGNAL_CODE_BAD_MESSAGE,
                         text, g_get_monotonic_time ());
}

static const AlsServerConnectionEvents connection_events = {
  connection_opened,
  connection_message,
  connection_heard,
  connection_broken,
};

/* Patience. */

static int64_t
patience_us (AlsServer *self, Patience patience)
{
  switch (patience)
    {
    case PATIENCE_HANDSHAKE:
      return self->config->handshake_timeout_s * G_USEC_PER_SEC;
    case PATIENCE_SILENCE:
      return HEARTBEATS_MISSED * self->config->rendezvous.heartbeat_s * G_USEC_PER_SEC;
    case PATIENCE_CLOSING:
    case N_PATIENCES:
    default:
      return CLOSING_TIMEOUT_US;
    }
}

static void
start_patience (Client *client, Patience patience, int64_t now_us)
{
  client->patience = patience;
  client->deadline_us = now_us + patience_us (client->server, patience);
  client->patience_link.data = client;
  g_queue_push_tail_link (&client->server->patience[patience], &client->patience_link);
}

static void
update_patience (Client *client)
{
  AlsServer *self = client->server;
  AlsConnectionState state = als_server_connection_get_state (client->connection);
  Patience patience = PATIENCE_HANDSHAKE;

  if (state == ALS_CONNECTION_OPEN)
    patience = PATIENCE_SILENCE;
  else if (state == ALS_CONNECTION_CLOSING)
    patience = PATIENCE_CLOSING;
  if (patience == client->patience && !(patience == PATIENCE_SILENCE && client->was_heard))
    return;
  client->was_heard = FALSE;
  g_queue_unlink (&self->patience[client->patience], &client->patience_link);
  start_patience (client, patience, g_get_monotonic_time ());
}

static void
lose_patience (Client *client, int64_t now_us)
{
  switch (client->patience)
    {
    case PATIENCE_HANDSHAKE:
      als_server_connection_time_out (client->connection);
      break;
    case PATIENCE_SILENCE:
      als_rendezvous_refuse (client->server->rendezvous, client->peer, ALS_SIGNAL_CODE_IDLE,
                             "nothing was heard for too long", now_us);
      break;
    case PATIENCE_CLOSING:
    case N_PATIENCES:
    default:
      als_server_connection_abort (client->connection);
      break;
    }
  mark_dirty (client);
}

/* Clients. */

static void
client_new (AlsServer *self, int fd, GInetAddress *address, gboolean from_proxy)
{
  Client *client = g_new0 (Client, 1);
  struct epoll_event event = { .events = EPOLLIN, .data.ptr = client };

  client->server = self;
  client->from_proxy = from_proxy;
  client->close_status = ALS_WEB_SOCKET_NORMAL;
  if (!from_proxy)
    set_address (client, address);
  if (self->tls != NULL)
    client->tls = g_rc_box_acquire (self->tls);
  client->connection = als_server_connection_new (
      fd, self->tls != NULL ? self->tls->credentials : NULL, &connection_events, client);
  client->epoll_events = event.events;
  start_patience (client, PATIENCE_HANDSHAKE, g_get_monotonic_time ());
  self->n_clients++;
  self->exit_us = INT64_MAX;
  if (epoll_ctl (self->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
    {
      g_warning ("epoll takes no more descriptors: %s", g_strerror (errno));
      als_server_connection_abort (client->connection);
      mark_dirty (client);
    }
}

static void
dismiss (Client *client)
{
  if (!client->is_admitted)
    return;
  client->is_admitted = FALSE;
  client->server->n_admitted--;
}

static void
client_free (Client *client)
{
  AlsServer *self = client->server;

  dismiss (client);
  if (client->peer != NULL)
    als_rendezvous_remove (self->rendezvous, client->peer, g_get_monotonic_time ());
  g_queue_unlink (&self->patience[client->patience], &client->patience_link);
  als_server_connection_free (client->connection);
  if (client->address != NULL)
    count (self, client->address, -1);
  g_free (client->address);
  g_free (client->origin);
  if (client->tls != NULL)
    tls_unref (client->tls);
  g_free (client);
  self->n_clients--;
  if (self->n_clients == 0 && self->config->exit_after_s > 0)
    self->exit_us = g_get_monotonic_time () + self->config->exit_after_s * G_USEC_PER_SEC;
}

static void
settle (Client *client)
{
  AlsServer *self = client->server;
  struct epoll_event event = { .events = EPOLLIN, .data.ptr = client };

  als_server_connection_flush (client->connection);
  if (als_server_connection_get_state (client->connection) == ALS_CONNECTION_CLOSED)
    {
      client_free (client);
      return;
    }
  client->is_dirty = FALSE;
  if (als_server_connection_get_state (client->connection) == ALS_CONNECTION_CLOSING)
    dismiss (client);
  update_patience (client);
  if (als_server_connection_wants_write (client->connection))
    event.events |= EPOLLOUT;
  if (event.events == client->epoll_events)
    return;
  client->epoll_events = event.events;
  epoll_ctl (self->epoll_fd, EPOLL_CTL_MOD, als_server_connection_get_fd (client->connection),
             &event);
}

static void
finish (AlsServer *self)
{
  if (self->is_done)
    return;
  self->is_done = TRUE;
  self->done (self->user_data);
}

/* The end of each turn. */
static void
settle_all (AlsServer *self)
{
  int64_t deadline_us;

  /* Freeing one may make its partner dirty: the array grows meanwhile. */
  for (guint i = 0; i < self->dirty->len; i++)
    settle (g_ptr_array_index (self->dirty, i));
  g_ptr_array_set_size (self->dirty, 0);

  deadline_us = MIN (als_rendezvous_get_deadline (self->rendezvous), self->exit_us);
  deadline_us = MIN (deadline_us, self->accepts_again_us);
  for (guint i = 0; i < N_PATIENCES; i++)
    if (self->patience[i].head != NULL)
      deadline_us = MIN (deadline_us, ((Client *)self->patience[i].head->data)->deadline_us);
  als_deadline_source_set (self->deadline_source, deadline_us);
  if (self->stopping && self->n_clients == 0)
    finish (self);
}

/* Accepting. */

static void
set_accepting (AlsServer *self, gboolean accepts)
{
  if (self->accepts == accepts)
    return;
  self->accepts = accepts;
  for (guint i = 0; i < self->listeners->len; i++)
    {
      Listener *listener = g_ptr_array_index (self->listeners, i);
      struct epoll_event event = { .events = accepts ? EPOLLIN : 0, .data.ptr = listener };

      epoll_ctl (self->epoll_fd, EPOLL_CTL_MOD, listener->fd, &event);
    }
}

static void
take_client (AlsServer *self, int fd, const struct sockaddr_storage *from, socklen_t from_len)
{
  g_autoptr (GSocketAddress) address = g_socket_address_new_from_native ((gpointer)from, from_len);
  GInetAddress *inet = g_inet_socket_address_get_address (G_INET_SOCKET_ADDRESS (address));
  g_autofree char *key = address_key (inet);
  gboolean from_proxy = is_proxy (self, inet);
  guint most = self->config->max_connections_per_address;

  if (self->n_clients >= self->config->max_connections + SPARE_CONNECTIONS
      || (!from_proxy
          && (get_count (self, key) >= most + MIN (most, SPARE_CONNECTIONS)
              || !als_address_limits_take (self->connect_limits, key, g_get_monotonic_time ()))))
    {
      close (fd);
      return;
    }
  client_new (self, fd, inet, from_proxy);
}

static void
accept_some (AlsServer *self, Listener *listener)
{
  for (guint i = 0; i < ACCEPTS_PER_TURN; i++)
    {
      struct sockaddr_storage from;
      socklen_t from_len = sizeof from;
      int fd = accept4 (listener->fd, (struct sockaddr *)&from, &from_len,
                        SOCK_NONBLOCK | SOCK_CLOEXEC);

      if (fd >= 0)
        {
          take_client (self, fd, &from, from_len);
          continue;
        }
      if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
        {
          g_warning ("no connection can be accepted for a moment: %s (%u clients)",
                     g_strerror (errno), self->n_clients);
          set_accepting (self, FALSE);
          self->accepts_again_us = g_get_monotonic_time () + ACCEPT_PAUSE_US;
          return;
        }
      if (errno == EAGAIN || errno == EWOULDBLOCK)
        return;
      /* Anything else is the fate of that one connection. */
    }
}

static gboolean
epoll_ready_cb (int fd, GIOCondition condition, gpointer user_data)
{
  AlsServer *self = user_data;
  struct epoll_event events[EVENTS_PER_TURN];
  int n = epoll_wait (self->epoll_fd, events, EVENTS_PER_TURN, 0);

  for (int i = 0; i < n; i++)
    {
      Ready *ready = events[i].data.ptr;
      Client *client;

      if (ready->is_listener)
        {
          accept_some (self, (Listener *)ready);
          continue;
        }
      client = (Client *)ready;
      if ((events[i].events & ~(uint32_t)EPOLLOUT) != 0
          || als_server_connection_get_state (client->connection) == ALS_CONNECTION_TLS)
        als_server_connection_read (client->connection);
      mark_dirty (client);
    }
  settle_all (self);
  return G_SOURCE_CONTINUE;
}

static gboolean
deadline_cb (gpointer user_data)
{
  AlsServer *self = user_data;
  int64_t now_us = g_get_monotonic_time ();

  als_rendezvous_poll (self->rendezvous, now_us);
  for (guint i = 0; i < N_PATIENCES; i++)
    for (GList *link = self->patience[i].head;
         link != NULL && ((Client *)link->data)->deadline_us <= now_us; link = link->next)
      lose_patience (link->data, now_us);
  if (self->accepts_again_us <= now_us)
    {
      self->accepts_again_us = INT64_MAX;
      set_accepting (self, !self->stopping);
    }
  if (self->exit_us <= now_us)
    {
      self->exit_us = INT64_MAX;
      als_server_stop (self);
    }
  settle_all (self);
  return G_SOURCE_CONTINUE;
}

/* Lifecycle. */

static void
listener_free (gpointer data)
{
  Listener *listener = data;

  close (listener->fd);
  g_free (listener);
}

static gboolean
fail_listen (GSocketAddress *address, GError **error)
{
  int code = errno;
  g_autofree char *text = g_socket_connectable_to_string (G_SOCKET_CONNECTABLE (address));

  g_set_error (error, G_IO_ERROR, g_io_error_from_errno (code), "cannot listen on %s: %s", text,
               g_strerror (code));
  return FALSE;
}

static gboolean
add_listener (AlsServer *self, GSocketAddress *address, GError **error)
{
  Listener *listener = g_new0 (Listener, 1);
  struct epoll_event event = { .events = EPOLLIN, .data.ptr = listener };
  gboolean is_v6 = g_socket_address_get_family (address) == G_SOCKET_FAMILY_IPV6;
  struct sockaddr_storage native;
  socklen_t len = sizeof native;
  int one = 1;

  listener->ready.is_listener = TRUE;
  listener->fd = socket (is_v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (listener->fd < 0)
    {
      g_free (listener);
      return fail_listen (address, error);
    }
  g_ptr_array_add (self->listeners, listener);
  setsockopt (listener->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  /* [::] is IPv6 only: who wants both says so, whatever the system's setting. */
  if (is_v6)
    setsockopt (listener->fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
  if (!g_socket_address_to_native (address, &native, sizeof native, error))
    return FALSE;
  if (bind (listener->fd, (struct sockaddr *)&native, g_socket_address_get_native_size (address))
          < 0
      || listen (listener->fd, LISTEN_BACKLOG) < 0
      || getsockname (listener->fd, (struct sockaddr *)&native, &len) < 0
      || epoll_ctl (self->epoll_fd, EPOLL_CTL_ADD, listener->fd, &event) < 0)
    return fail_listen (address, error);
  g_ptr_array_add (self->addresses, g_socket_address_new_from_native (&native, len));
  return TRUE;
}

AlsServer *
als_server_new (const AlsServerConfig *config,
                GMainContext *context,
                AlsServerDoneFunc done,
                gpointer user_data,
                GError **error)
{
  g_autoptr (AlsServer) self = g_new0 (AlsServer, 1);
  int64_t now_us = g_get_monotonic_time ();

  self->config = config;
  self->done = done;
  self->user_data = user_data;
  self->accepts = TRUE;
  self->accepts_again_us = INT64_MAX;
  self->exit_us = INT64_MAX;
  self->listeners = g_ptr_array_new_with_free_func (listener_free);
  self->addresses = g_ptr_array_new_with_free_func (g_object_unref);
  self->counts = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  self->dirty = g_ptr_array_new ();
  self->rendezvous = als_rendezvous_new (&config->rendezvous, &effects, self, now_us);
  self->connect_limits
      = als_address_limits_new (config->connect_burst, config->connect_interval_s, now_us);
  self->epoll_fd = epoll_create1 (EPOLL_CLOEXEC);
  if (self->epoll_fd < 0)
    {
      g_set_error (error, G_IO_ERROR, g_io_error_from_errno (errno), "epoll: %s",
                   g_strerror (errno));
      return NULL;
    }
  if (!als_server_reload_tls (self, error))
    return NULL;
  for (guint i = 0; i < config->listen->len; i++)
    if (!add_listener (self, g_ptr_array_index (config->listen, i), error))
      return NULL;
  self->deadline_source
      = als_deadline_source_new (context, "als-server-deadline", deadline_cb, self);
  self->epoll_source = g_unix_fd_source_new (self->epoll_fd, G_IO_IN);
  g_source_set_static_name (self->epoll_source, "als-server-epoll");
  g_source_set_callback (self->epoll_source, G_SOURCE_FUNC (epoll_ready_cb), self, NULL);
  g_source_attach (self->epoll_source, context);
  if (config->exit_after_start_s > 0)
    self->exit_us = now_us + config->exit_after_start_s * G_USEC_PER_SEC;
  settle_all (self);
  return g_steal_pointer (&self);
}

void
als_server_free (AlsServer *self)
{
  if (self == NULL)
    return;
  als_source_clear (&self->epoll_source);
  als_source_clear (&self->deadline_source);
  for (guint i = 0; i < N_PATIENCES; i++)
    while (self->patience[i].head != NULL)
      client_free (self->patience[i].head->data);
  g_ptr_array_unref (self->dirty);
  g_ptr_array_unref (self->listeners);
  g_ptr_array_unref (self->addresses);
  g_hash_table_unref (self->counts);
  als_rendezvous_free (self->rendezvous);
  als_address_limits_free (self->connect_limits);
  g_clear_pointer (&self->tls, tls_unref);
  if (self->epoll_fd >= 0)
    close (self->epoll_fd);
  g_free (self);
}

void
als_server_stop (AlsServer *self)
{
  int64_t now_us = g_get_monotonic_time ();

  if (self->stopping)
    return;
  self->stopping = TRUE;
  set_accepting (self, FALSE);
  for (guint i = 0; i < N_PATIENCES; i++)
    for (GList *link = self->patience[i].head; link != NULL; link = link->next)
      {
        Client *client = link->data;

        client->close_status = ALS_WEB_SOCKET_GOING_AWAY;
        if (client->peer != NULL)
          als_rendezvous_refuse (self->rendezvous, client->peer, ALS_SIGNAL_CODE_SHUTTING_DOWN,
                                 "the server shuts down", now_us);
        else
          als_server_connection_abort (client->connection);
        mark_dirty (client);
      }
  /* At once where nobody is connected, else when the last one is gone. */
  als_deadline_source_set (self->deadline_source, 0);
}

GPtrArray *
als_server_get_addresses (AlsServer *self)
{
  return self->addresses;
}

guint
als_server_get_n_clients (AlsServer *self)
{
  return self->n_clients;
}
