/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#define G_LOG_DOMAIN "als-path"

#include "config.h"

#include "path/ice/als-ice-agent.h"

#include <netinet/in.h>
#include <nice/agent.h>
#include <nice/debug.h>
#include <string.h>
#include <sys/socket.h>
#include "base/als-context-thread.h"
#include "base/als-deadline-source.h"
#include "path/als-network-watch.h"
#include "path/als-udp-sender.h"
#include "path/ice/als-ice-carrier.h"
#include "path/ice/als-ice-message.h"

#define COMPONENT_ID 1
/* Names of servers that are not known by then are gone without: our own addresses may do. */
#define LOOKUP_TIMEOUT_US (1500 * 1000)
#define MAX_LOOKUPS 8
#define MAX_ADDRESSES_OF_A_NAME 4
/* From the other side's first message; libnice itself waits for its end-of-candidates for ever. */
#define CONNECT_TIMEOUT_US (30 * G_USEC_PER_SEC)
/* Packets that are quicker than our own CONNECTED. */
#define MAX_EARLY 16

G_STATIC_ASSERT ((int) NICE_CANDIDATE_TYPE_HOST == (int) ALS_ICE_HOST);
G_STATIC_ASSERT ((int) NICE_CANDIDATE_TYPE_SERVER_REFLEXIVE == (int) ALS_ICE_SERVER_REFLEXIVE);
G_STATIC_ASSERT ((int) NICE_CANDIDATE_TYPE_PEER_REFLEXIVE == (int) ALS_ICE_PEER_REFLEXIVE);
G_STATIC_ASSERT ((int) NICE_CANDIDATE_TYPE_RELAYED == (int) ALS_ICE_RELAYED);

struct _AlsIceAgent
{
  gatomicrefcount refs;
  int holds;                 /* atomic: of the path and the carrier; the loop ends with the last */
  GMainContext *context;
  GMainLoop *loop;
  AlsMailbox *inbox;         /* GBytes from the other side; NULL: stop */
  AlsMailbox *outbox;        /* AlsIceEvent */
  AlsIcePathConfig config;
  GPtrArray *servers;        /* (element-type AlsPathServer) until gathering */
  int n_tries;               /* atomic */

  /* The agent's thread only. */
  NiceAgent *nice;           /* NULL before and after */
  guint stream_id;
  GSource *deadline;         /* for the servers' names, then for being connected */
  GCancellable *lookups;     /* of the servers' names; cancelled when gathering */
  guint n_lookups;           /* under way */
  GPtrArray *waiting;        /* (element-type GBytes) from the other side, until gathering */
  AlsIceCarrier *carrier;    /* NULL until connected and after stop */
  GPtrArray *early;          /* (element-type GBytes) until connected */
  guint n_local, n_remote;   /* candidates */
  guint n_reflexive;         /* of the local ones; a public address counts as well */
  gboolean has_stun;         /* a server was asked for our public endpoint */
  gboolean is_gathering;     /* or has gathered */
  gboolean has_remote_credentials;
  gboolean has_remote_end;
  gboolean failed;
  gboolean stopped;
};

static int n_agents; /* atomic */

static void gather (AlsIceAgent *self);

void
als_ice_event_free (AlsIceEvent *self)
{
  g_clear_pointer (&self->message, g_bytes_unref);
  g_clear_object (&self->carrier);
  g_clear_error (&self->error);
  g_free (self);
}

static AlsIceAgent *
agent_ref (AlsIceAgent *self)
{
  g_atomic_ref_count_inc (&self->refs);
  return self;
}

static void
agent_unref (AlsIceAgent *self)
{
  if (!g_atomic_ref_count_dec (&self->refs))
    return;
  als_mailbox_unref (self->inbox);
  als_mailbox_unref (self->outbox);
  g_main_loop_unref (self->loop);
  g_main_context_unref (self->context);
  g_clear_pointer (&self->servers, g_ptr_array_unref);
  g_clear_pointer (&self->early, g_ptr_array_unref);
  g_clear_pointer (&self->waiting, g_ptr_array_unref);
  g_object_unref (self->lookups);
  g_free (self);
}

static void
drop_hold (AlsIceAgent *self)
{
  if (g_atomic_int_dec_and_test (&self->holds))
    g_main_loop_quit (self->loop);
}

static void
carrier_released_cb (gpointer user_data)
{
  drop_hold (user_data);
  agent_unref (user_data);
}

static void
post_message (AlsIceAgent *self, GBytes *message)
{
  AlsIceEvent *event;

  if (message == NULL)
    return;
  event = g_new0 (AlsIceEvent, 1);
  event->type = ALS_ICE_EVENT_MESSAGE;
  event->message = message;
  als_mailbox_post (self->outbox, event);
}

static void
fail (AlsIceAgent *self, AlsPathProblem problem, const char *text)
{
  AlsIceEvent *event;

  if (self->failed || self->stopped)
    return;
  g_debug ("%s: %s", self->config.force_relay ? "turn-udp" : "direct-udp", text);
  self->failed = TRUE;
  als_deadline_source_set (self->deadline, INT64_MAX);
  event = g_new0 (AlsIceEvent, 1);
  event->type = ALS_ICE_EVENT_FAILED;
  event->error = g_error_new_literal (ALS_PATH_ERROR, problem, text);
  if (self->carrier != NULL)
    {
      als_ice_carrier_detach (self->carrier);
      als_carrier_broke (ALS_CARRIER (self->carrier), event->error);
    }
  als_mailbox_post (self->outbox, event);
}

/* Why nothing came through, as far as can be told from this side. */
static void
fail_in_silence (AlsIceAgent *self, const char *text)
{
  if (self->has_remote_end && g_atomic_int_get (&self->n_tries) == 0)
    fail (self, ALS_PATH_PROBLEM_PEER_ENDPOINT, "the other side told no address to try");
  else if (self->has_stun && self->n_reflexive == 0)
    fail (self, ALS_PATH_PROBLEM_SERVER_UNREACHABLE, "UDP seems to be blocked: no server answers");
  else
    fail (self, ALS_PATH_PROBLEM_SILENCE, text);
}

static gboolean
deadline_cb (gpointer user_data)
{
  AlsIceAgent *self = user_data;

  if (self->is_gathering)
    fail_in_silence (self, "no way found in time");
  else if (!self->stopped && !self->failed)
    gather (self);
  return G_SOURCE_CONTINUE;
}

static void
tune_sockets (AlsIceAgent *self)
{
  g_autoptr (GPtrArray) sockets = nice_agent_get_sockets (self->nice, self->stream_id,
                                                          COMPONENT_ID);

  for (guint i = 0; sockets != NULL && i < sockets->len; i++)
    {
      GSocket *socket = g_ptr_array_index (sockets, i);

      if (g_socket_get_socket_type (socket) != G_SOCKET_TYPE_DATAGRAM)
        continue;
      als_udp_socket_tune (socket);
    }
}

static GSocketAddress *
to_socket_address (const NiceAddress *address)
{
  struct sockaddr_storage storage = { 0 };

  nice_address_copy_to_sockaddr (address, (struct sockaddr *) &storage);
  return g_socket_address_new_from_native (&storage, sizeof storage);
}

static void
note_candidate (AlsIceAgent *self, AlsIceCandidateType type, GSocketAddress *address)
{
  AlsIceEvent *event;

  if (type != ALS_ICE_HOST || als_ice_address_is_public (address))
    self->n_reflexive++;
  if (type != ALS_ICE_HOST)
    return;
  event = g_new0 (AlsIceEvent, 1);
  event->type = ALS_ICE_EVENT_HOST;
  als_stun_address_from_gio (&event->host, address);
  als_mailbox_post (self->outbox, event);
}

static void
new_candidate_cb (NiceAgent *nice, NiceCandidate *candidate, AlsIceAgent *self)
{
  g_autoptr (GSocketAddress) address = to_socket_address (&candidate->addr);
  g_autofree char *line = NULL;

  if (candidate->transport != NICE_CANDIDATE_TRANSPORT_UDP
      || (candidate->type == NICE_CANDIDATE_TYPE_RELAYED) != self->config.force_relay
      || !als_ice_address_is_dialable (address, self->config.loopback))
    return;
  if (self->n_local == ALS_ICE_MAX_CANDIDATES)
    return;
  self->n_local++;
  note_candidate (self, (AlsIceCandidateType) candidate->type, address);
  line = nice_agent_generate_local_candidate_sdp (nice, candidate);
  g_return_if_fail (g_str_has_prefix (line, "a="));
  post_message (self, als_ice_message_new_candidate (line + strlen ("a=")));
}

static void
gathering_done_cb (NiceAgent *nice, guint stream_id, AlsIceAgent *self)
{
  tune_sockets (self);
  if (self->n_local == 0)
    {
      if (self->config.force_relay)
        fail (self, ALS_PATH_PROBLEM_SERVER_UNREACHABLE, "no relay answers");
      else
        fail (self, ALS_PATH_PROBLEM_NO_ENDPOINT, "no local address");
    }
  else
    {
      AlsIceEvent *event = g_new0 (AlsIceEvent, 1);

      event->type = ALS_ICE_EVENT_GATHERED;
      als_mailbox_post (self->outbox, event);
    }
}

static void
update_route (AlsIceAgent *self)
{
  NiceCandidate *local, *remote;
  g_autoptr (GSocket) socket = NULL;

  if (!nice_agent_get_selected_pair (self->nice, self->stream_id, COMPONENT_ID, &local, &remote))
    return;
  if (!self->config.force_relay)
    socket = nice_agent_get_selected_socket (self->nice, self->stream_id, COMPONENT_ID);
  als_ice_carrier_set_route (self->carrier, socket, &remote->addr);
}

static void
connected (AlsIceAgent *self)
{
  NiceCandidate *local, *remote;
  g_autoptr (GSocketAddress) local_address = NULL;
  g_autoptr (GSocketAddress) remote_address = NULL;
  g_autofree char *text = NULL;
  AlsIceEvent *event;
  gboolean lan;

  if (self->carrier != NULL || self->failed || self->stopped
      || !nice_agent_get_selected_pair (self->nice, self->stream_id, COMPONENT_ID, &local, &remote))
    return;
  local_address = to_socket_address (&local->addr);
  remote_address = to_socket_address (&remote->addr);
  text = g_socket_connectable_to_string (G_SOCKET_CONNECTABLE (remote_address));
  lan = als_ice_addresses_share_lan (
    g_inet_socket_address_get_address (G_INET_SOCKET_ADDRESS (local_address)),
    (AlsIceCandidateType) local->type,
    g_inet_socket_address_get_address (G_INET_SOCKET_ADDRESS (remote_address)),
    (AlsIceCandidateType) remote->type);
  als_deadline_source_set (self->deadline, INT64_MAX);
  tune_sockets (self);
  g_atomic_int_inc (&self->holds);
  self->carrier = als_ice_carrier_new (self->nice, self->stream_id,
                                       self->config.force_relay ? ALS_PATH_TURN_UDP
                                                                : ALS_PATH_DIRECT_UDP,
                                       self->context, text, lan, carrier_released_cb,
                                       agent_ref (self));
  update_route (self);
  for (guint i = 0; i < self->early->len; i++)
    {
      size_t len;
      const uint8_t *data = g_bytes_get_data (g_ptr_array_index (self->early, i), &len);

      als_carrier_received (ALS_CARRIER (self->carrier), data, len);
    }
  g_ptr_array_set_size (self->early, 0);
  event = g_new0 (AlsIceEvent, 1);
  event->type = ALS_ICE_EVENT_CONNECTED;
  event->carrier = g_object_ref (ALS_CARRIER (self->carrier));
  als_mailbox_post (self->outbox, event);
}

static void
state_changed_cb (NiceAgent *nice, guint stream_id, guint component_id, guint state,
                  AlsIceAgent *self)
{
  g_debug ("%s: %s", self->config.force_relay ? "turn-udp" : "direct-udp",
           nice_component_state_to_string (state));
  if (state == NICE_COMPONENT_STATE_CONNECTED || state == NICE_COMPONENT_STATE_READY)
    connected (self);
  else if (state == NICE_COMPONENT_STATE_FAILED && self->carrier != NULL)
    fail (self, ALS_PATH_PROBLEM_DIED, "the other side no longer answers");
  else if (state == NICE_COMPONENT_STATE_FAILED)
    fail_in_silence (self, "no way to the other side");
}

static void
new_selected_pair_cb (NiceAgent *nice, guint stream_id, guint component_id, NiceCandidate *local,
                      NiceCandidate *remote, AlsIceAgent *self)
{
  if (self->carrier != NULL)
    update_route (self);
}

static void
received_cb (NiceAgent *nice, guint stream_id, guint component_id, guint len, char *data,
             gpointer user_data)
{
  AlsIceAgent *self = user_data;

  if (self->failed || self->stopped)
    return;
  if (self->carrier != NULL)
    als_carrier_received (ALS_CARRIER (self->carrier), (const uint8_t *) data, len);
  else if (self->early->len < MAX_EARLY)
    g_ptr_array_add (self->early, g_bytes_new (data, len));
}

static void
remote_credentials (AlsIceAgent *self, const AlsIceMessage *message)
{
  if (self->has_remote_credentials)
    {
      g_debug ("repeated ICE credentials ignored");
      return;
    }
  self->has_remote_credentials = TRUE;
  nice_agent_set_remote_credentials (self->nice, self->stream_id, message->ufrag,
                                     message->password);
  als_deadline_source_set (self->deadline, g_get_monotonic_time () + CONNECT_TIMEOUT_US);
}

static void
remote_candidate (AlsIceAgent *self, const AlsIceMessage *message)
{
  g_autofree char *line = g_strconcat ("a=", message->line, NULL);
  NiceCandidate *candidate;
  GSList list = { NULL, NULL };

  if (!self->has_remote_credentials || self->has_remote_end
      || self->n_remote == ALS_ICE_MAX_CANDIDATES)
    {
      g_debug ("ICE candidate out of turn ignored");
      return;
    }
  self->n_remote++;
  if ((message->candidate_type == ALS_ICE_RELAYED && !self->config.force_relay)
      || !als_ice_address_is_dialable (message->address, self->config.loopback))
    return;
  candidate = nice_agent_parse_remote_candidate_sdp (self->nice, self->stream_id, line);
  if (candidate == NULL)
    return;
  g_atomic_int_inc (&self->n_tries);
  list.data = candidate;
  nice_agent_set_remote_candidates (self->nice, self->stream_id, COMPONENT_ID, &list);
  nice_candidate_free (candidate);
}

static void
remote_message (AlsIceAgent *self, GBytes *bytes)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (AlsIceMessage) message = NULL;
  size_t len;
  const uint8_t *data = g_bytes_get_data (bytes, &len);

  if (self->failed)
    return;
  message = als_ice_message_decode (data, len, &error);
  if (message == NULL)
    {
      g_debug ("from the other side: %s", error->message);
      return;
    }
  switch (message->type)
    {
    case ALS_ICE_CREDENTIALS:
      remote_credentials (self, message);
      break;
    case ALS_ICE_CANDIDATE:
      remote_candidate (self, message);
      break;
    case ALS_ICE_END_OF_CANDIDATES:
      if (self->has_remote_credentials && !self->has_remote_end)
        nice_agent_peer_candidate_gathering_done (self->nice, self->stream_id);
      self->has_remote_end = self->has_remote_credentials;
      break;
    }
}

static void
nice_closed_cb (GObject *object, GAsyncResult *result, gpointer user_data)
{
  AlsIceAgent *self = user_data;

  g_clear_object (&self->nice);
  drop_hold (self);
  agent_unref (self);
}

static void
stop (AlsIceAgent *self)
{
  g_autoptr (AlsIceCarrier) carrier = g_steal_pointer (&self->carrier);
  g_autoptr (GError) error = NULL;

  self->stopped = TRUE;
  g_cancellable_cancel (self->lookups);
  als_deadline_source_set (self->deadline, INT64_MAX);
  if (carrier != NULL && !self->failed)
    {
      error = g_error_new_literal (G_IO_ERROR, G_IO_ERROR_CLOSED, "path closed");
      als_ice_carrier_detach (carrier);
      als_carrier_broke (ALS_CARRIER (carrier), error);
    }
  g_signal_handlers_disconnect_by_data (self->nice, self);
  nice_agent_attach_recv (self->nice, self->stream_id, COMPONENT_ID, self->context, NULL, NULL);
  /* Gives TURN allocations back; libnice gives up by itself after a few seconds. */
  nice_agent_close_async (self->nice, nice_closed_cb, agent_ref (self));
}

static void
inbox_cb (GPtrArray *items, gpointer user_data)
{
  AlsIceAgent *self = user_data;

  for (guint i = 0; i < items->len; i++)
    {
      g_autoptr (GBytes) message = g_ptr_array_index (items, i);

      if (self->stopped)
        continue;
      if (message == NULL)
        stop (self);
      else if (!self->is_gathering)
        g_ptr_array_add (self->waiting, g_steal_pointer (&message));
      else
        remote_message (self, message);
    }
}

/* Returns how many relays there are. */
static guint
add_relays (AlsIceAgent *self)
{
  /* Over TCP where UDP is blocked: the relay's far side is UDP either way. */
  static const NiceRelayType types[] = { NICE_RELAY_TYPE_TURN_UDP, NICE_RELAY_TYPE_TURN_TCP };
  guint n_relays = 0;

  for (guint i = 0; i < self->servers->len; i++)
    {
      const AlsPathServer *server = g_ptr_array_index (self->servers, i);

      /* libnice 0.1.21 knows TURN over TLS only for compatibilities older than RFC 5245. */
      if (server->kind != ALS_PATH_SERVER_TURN || !g_hostname_is_ip_address (server->host))
        continue;
      for (guint j = 0; j < G_N_ELEMENTS (types) && n_relays < NICE_CANDIDATE_MAX_TURN_SERVERS; j++)
        if (nice_agent_set_relay_info (self->nice, self->stream_id, COMPONENT_ID, server->host,
                                       server->port, server->username, server->password, types[j]))
          n_relays++;
    }
  return n_relays;
}

static gboolean
is_routed (const AlsPathServer *server)
{
  AlsStunAddress address;

  return als_stun_address_parse (&address, server->host, server->port)
         && als_network_get_source (&address, NULL);
}

/* libnice asks one server, so it should be of a family that this host has a route for; IPv4 first, which
 * is the one with NATs. A TURN server answers Binding requests, too. */
static void
set_stun_server (AlsIceAgent *self)
{
  const AlsPathServer *best = NULL;
  guint best_rank = 0;

  for (guint i = 0; i < self->servers->len; i++)
    {
      const AlsPathServer *server = g_ptr_array_index (self->servers, i);
      guint rank = 1;

      if (server->kind == ALS_PATH_SERVER_TURNS || !g_hostname_is_ip_address (server->host))
        continue;
      if (is_routed (server))
        rank += 4;
      if (strchr (server->host, ':') == NULL)
        rank += 2;
      if (server->kind == ALS_PATH_SERVER_STUN)
        rank += 1;
      if (rank > best_rank)
        {
          best = server;
          best_rank = rank;
        }
    }
  self->has_stun = best != NULL;
  if (best != NULL)
    g_object_set (self->nice, "stun-server", best->host, "stun-server-port", (guint) best->port,
                  NULL);
}

static void
make_agent (AlsIceAgent *self)
{
  g_autofree char *ufrag = NULL;
  g_autofree char *password = NULL;

  /* Without its consent checks (RFC 7675): one request each five seconds, never repeated, and the path is
   * failed when two of them are lost. The link's acknowledgements, which are sealed, tell it better. */
  self->nice = nice_agent_new_full (self->context, NICE_COMPATIBILITY_RFC5245,
                                    NICE_AGENT_OPTION_ICE_TRICKLE);
  /* It tells all passwords, ours for the relays too, wherever G_MESSAGES_DEBUG is set. */
  if (g_getenv ("NICE_DEBUG") == NULL)
    nice_debug_disable (TRUE);
  g_object_set (self->nice, "ice-tcp", FALSE, "upnp",
                self->config.upnp && !self->config.loopback && !self->config.force_relay,
                "controlling-mode", self->config.is_controlling, "force-relay",
                self->config.force_relay, NULL);
  g_signal_connect (self->nice, "new-candidate-full", G_CALLBACK (new_candidate_cb), self);
  g_signal_connect (self->nice, "candidate-gathering-done", G_CALLBACK (gathering_done_cb), self);
  g_signal_connect (self->nice, "component-state-changed", G_CALLBACK (state_changed_cb), self);
  g_signal_connect (self->nice, "new-selected-pair-full", G_CALLBACK (new_selected_pair_cb), self);
  if (self->config.loopback)
    {
      NiceAddress address;

      nice_address_init (&address);
      nice_address_set_from_string (&address, "127.0.0.1");
      nice_agent_add_local_address (self->nice, &address);
    }
  self->stream_id = nice_agent_add_stream (self->nice, 1);
  nice_agent_attach_recv (self->nice, self->stream_id, COMPONENT_ID, self->context, received_cb,
                          self);
  nice_agent_get_local_credentials (self->nice, self->stream_id, &ufrag, &password);
  post_message (self, als_ice_message_new_credentials (ufrag, password));
  explicit_bzero (password, strlen (password));
}

/* The servers' names are addresses now, or never will be. */
static void
gather (AlsIceAgent *self)
{
  g_autoptr (GPtrArray) waiting = g_steal_pointer (&self->waiting);
  guint n_relays = 0;

  self->is_gathering = TRUE;
  als_deadline_source_set (self->deadline, INT64_MAX);
  g_cancellable_cancel (self->lookups);
  if (self->config.force_relay)
    n_relays = add_relays (self);
  else
    set_stun_server (self);
  g_clear_pointer (&self->servers, g_ptr_array_unref);
  if (self->config.force_relay && n_relays == 0)
    {
      fail (self, ALS_PATH_PROBLEM_NO_SERVER, "no relay offered");
      return;
    }
  if (!nice_agent_gather_candidates (self->nice, self->stream_id))
    fail (self, ALS_PATH_PROBLEM_NO_ENDPOINT, "no local address");
  else
    tune_sockets (self);
  for (guint i = 0; i < waiting->len; i++)
    remote_message (self, g_ptr_array_index (waiting, i));
}

typedef struct
{
  AlsIceAgent *agent;
  AlsPathServer *server; /* with its name */
} Lookup;

/* Each of the name's addresses is a server. */
static void
add_addresses (AlsIceAgent *self, const AlsPathServer *server, GList *addresses)
{
  guint n = 0;

  for (GList *l = addresses; l != NULL && n < MAX_ADDRESSES_OF_A_NAME; l = l->next, n++)
    {
      g_autofree char *ip = g_inet_address_to_string (l->data);
      AlsPathServer *copy = als_path_server_new (server->kind, ip, server->port, server->username,
                                                 server->password);

      if (copy != NULL)
        g_ptr_array_add (self->servers, copy);
    }
}

static void
lookup_cb (GObject *object, GAsyncResult *result, gpointer user_data)
{
  Lookup *lookup = user_data;
  AlsIceAgent *self = lookup->agent;
  g_autoptr (GError) error = NULL;
  GList *addresses = g_resolver_lookup_by_name_finish (G_RESOLVER (object), result, &error);

  self->n_lookups--;
  if (addresses == NULL)
    g_debug ("a server's name: %s", error != NULL ? error->message : "no address");
  if (!self->is_gathering && !self->stopped)
    {
      add_addresses (self, lookup->server, addresses);
      if (self->n_lookups == 0)
        gather (self);
    }
  g_resolver_free_addresses (addresses);
  als_path_server_free (lookup->server);
  g_free (lookup);
  drop_hold (self);
  agent_unref (self);
}

/* libnice waits for names inside of its calls, or takes none, depending on its version. */
static void
look_up_servers (AlsIceAgent *self)
{
  g_autoptr (GResolver) resolver = g_resolver_get_default ();
  guint n_servers = self->servers->len;

  for (guint i = 0; i < n_servers && self->n_lookups < MAX_LOOKUPS; i++)
    {
      const AlsPathServer *server = g_ptr_array_index (self->servers, i);
      Lookup *lookup;

      if (g_hostname_is_ip_address (server->host))
        continue;
      lookup = g_new0 (Lookup, 1);
      lookup->agent = agent_ref (self);
      lookup->server = als_path_server_copy (server);
      self->n_lookups++;
      g_atomic_int_inc (&self->holds);
      g_resolver_lookup_by_name_async (resolver, server->host, self->lookups, lookup_cb, lookup);
    }
  if (self->n_lookups == 0)
    gather (self);
  else
    als_deadline_source_set (self->deadline, g_get_monotonic_time () + LOOKUP_TIMEOUT_US);
}

static gpointer
agent_thread (gpointer data)
{
  AlsIceAgent *self = data;

  self->deadline = als_deadline_source_new (self->context, "als-ice-deadline", deadline_cb, self);
  make_agent (self);
  look_up_servers (self);
  g_main_loop_run (self->loop);
  als_mailbox_close (self->inbox);
  g_source_destroy (self->deadline);
  g_source_unref (self->deadline);
  /* What others still had to do in this thread, and libnice's own farewells. */
  while (g_main_context_iteration (self->context, FALSE))
    ;
  agent_unref (self);
  g_atomic_int_add (&n_agents, -1);
  return NULL;
}

AlsIceAgent *
als_ice_agent_start (const AlsIcePathConfig *config, GPtrArray *servers, AlsMailbox *outbox)
{
  AlsIceAgent *self = g_new0 (AlsIceAgent, 1);

  g_atomic_ref_count_init (&self->refs);
  self->holds = 1;
  self->context = g_main_context_new ();
  self->loop = g_main_loop_new (self->context, FALSE);
  self->inbox = als_mailbox_new (self->context, "als-ice-inbox", inbox_cb, self,
                                 (GDestroyNotify) g_bytes_unref);
  self->outbox = als_mailbox_ref (outbox);
  self->config = *config;
  self->servers = servers;
  self->early = g_ptr_array_new_with_free_func ((GDestroyNotify) g_bytes_unref);
  self->waiting = g_ptr_array_new_with_free_func ((GDestroyNotify) g_bytes_unref);
  self->lookups = g_cancellable_new ();
  g_atomic_int_inc (&n_agents);
  g_thread_unref (als_context_thread_new ("als-ice", self->context, agent_thread, agent_ref (self)));
  return self;
}

void
als_ice_agent_post (AlsIceAgent *self, GBytes *message)
{
  als_mailbox_post (self->inbox, message);
}

void
als_ice_agent_stop (AlsIceAgent *self)
{
  als_mailbox_post (self->inbox, NULL);
  agent_unref (self);
}

guint
als_ice_agent_get_tries (AlsIceAgent *self)
{
  return (guint) g_atomic_int_get (&self->n_tries);
}

guint
als_ice_agent_count (void)
{
  return (guint) g_atomic_int_get (&n_agents);
}
