/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* What a visit knows of its networks: servers, changes, and how the two are connected. */

#define G_LOG_DOMAIN "als-visit"

#include "config.h"

#include "visit/als-visit-core-private.h"

#include <string.h>

#include "base/als-deadline-source.h"
#include "path/als-ice-uri.h"
#include "protocol/als-network-message.h"

/* The probe waits until the paths have had theirs, and bursts of changes are over. */
#define PROBE_AFTER_MS 2500

static gboolean
attempts_differ (const AlsConnectionAttempt *a, const AlsConnectionAttempt *b)
{
  return a->method != b->method || a->state != b->state
         || memcmp (&a->report, &b->report, sizeof a->report) != 0 || a->is_lan != b->is_lan
         || a->mtu != b->mtu || a->n_attempts != b->n_attempts
         || ABS (a->rtt_us - b->rtt_us) > MAX (1000, a->rtt_us / 10)
         || a->rate / 2 > b->rate || b->rate / 2 > a->rate;
}

gboolean
als_core_update_connection (AlsVisitCore *self)
{
  g_autoptr (AlsConnectionReport) now = als_connection_report_new ();
  gboolean changed = self->connection == NULL || self->networks_changed;

  self->networks_changed = FALSE;
  now->ours = self->ours != NULL ? als_network_report_copy (self->ours) : NULL;
  now->theirs = self->theirs != NULL ? als_network_report_copy (self->theirs) : NULL;
  als_visit_paths_report (self->paths, self->stats.link, self->stats.kind, now);
  changed = changed || now->n_attempts != self->connection->n_attempts;
  for (guint i = 0; i < now->n_attempts && !changed; i++)
    changed = attempts_differ (&now->attempts[i], &self->connection->attempts[i]);
  if (!changed)
    return FALSE;
  g_clear_pointer (&self->connection, als_connection_report_unref);
  self->connection = g_steal_pointer (&now);
  return TRUE;
}

/* --- what the networks are like ---------------------------------------------- */

static void
tell_network (AlsVisitCore *self)
{
  const AlsNetworkReport *ours = self->ours;
  AlsNetworkMessage network = {
    .udp_known = ours->udp_known,
    .udp_is_blocked = ours->udp.is_blocked,
    .udp_is_translated = ours->udp.is_translated,
    .udp_mapping = (uint8_t) ours->udp.mapping,
    .udp_filtering = (uint8_t) ours->udp.filtering,
    .tcp_known = ours->tcp_known,
    .tcp_is_translated = ours->tcp_is_translated,
    .tcp_mapping = (uint8_t) ours->tcp_mapping,
    .tcp_port_step = ours->tcp_port_step,
    .mappings = (uint8_t) ours->mappings,
    .has_ipv4 = ours->has_ipv4,
    .has_ipv6 = ours->has_ipv6,
    .uses_proxy = ours->uses_proxy,
    .mtu = ours->mtu,
    .server_rtt_us = (uint32_t) CLAMP (ours->server_rtt_us, 0, G_MAXUINT32),
  };
  AlsPeerMessage message = { .type = ALS_PEER_NETWORK };
  g_autoptr (GBytes) payload = als_network_message_encode (&network);
  g_autoptr (GBytes) bytes = NULL;

  message.payload = g_bytes_get_data (payload, &message.payload_len);
  bytes = als_peer_message_encode (&message);
  als_core_send_peer (bytes, self);
}

void
als_core_peer_network (AlsVisitCore *self, const uint8_t *data, size_t len)
{
  g_autoptr (GError) error = NULL;
  AlsNetworkMessage network;
  AlsNetworkReport *theirs;

  if (!als_network_message_decode (&network, data, len, &error))
    {
      g_debug ("%s", error->message);
      return;
    }
  theirs = g_new0 (AlsNetworkReport, 1);
  theirs->udp_known = network.udp_known;
  theirs->udp.is_blocked = network.udp_is_blocked;
  theirs->udp.is_translated = network.udp_is_translated;
  theirs->udp.mapping = network.udp_mapping;
  theirs->udp.filtering = network.udp_filtering;
  theirs->tcp_known = network.tcp_known;
  theirs->tcp_is_translated = network.tcp_is_translated;
  theirs->tcp_mapping = network.tcp_mapping;
  theirs->tcp_port_step = network.tcp_port_step;
  theirs->mappings = network.mappings;
  theirs->has_ipv4 = network.has_ipv4;
  theirs->has_ipv6 = network.has_ipv6;
  theirs->uses_proxy = network.uses_proxy;
  theirs->mtu = network.mtu;
  theirs->server_rtt_us = network.server_rtt_us;
  g_clear_pointer (&self->theirs, als_network_report_free);
  self->theirs = theirs;
  self->networks_changed = TRUE;
}

static void
probed_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  AlsVisitCore *self = user_data;
  g_autoptr (GError) error = NULL;
  AlsNetworkReport *ours = als_network_probe_finish (result, &error);

  /* Cancelled: the core may be gone. */
  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    return;
  g_clear_object (&self->probing);
  if (ours == NULL)
    {
      g_debug ("the network tells nothing of itself: %s", error->message);
      return;
    }
  g_clear_pointer (&self->ours, als_network_report_free);
  self->ours = ours;
  self->networks_changed = TRUE;
  tell_network (self);
}

static gboolean
probe_cb (gpointer user_data)
{
  AlsVisitCore *self = user_data;

  als_source_clear (&self->probe_later);
  if (self->linger == NULL)
    {
      self->probing = g_cancellable_new ();
      als_network_probe_async (als_visit_means_get_servers (self->means),
                               als_visit_means_get_mapper (self->means), self->loopback,
                               self->probing, probed_cb, self);
    }
  return G_SOURCE_REMOVE;
}

static void
stop_probe (AlsVisitCore *self)
{
  als_source_clear (&self->probe_later);
  if (self->probing != NULL)
    g_cancellable_cancel (self->probing);
  g_clear_object (&self->probing);
}

/* AGAIN: it is another network. */
static void
probe_later (AlsVisitCore *self, gboolean again)
{
  if (!again && (self->ours != NULL || self->probing != NULL || self->probe_later != NULL))
    return;
  stop_probe (self);
  self->probe_later = als_core_add_timeout (PROBE_AFTER_MS, "als-visit-probe", probe_cb, self);
}

void
als_core_probe_network (AlsVisitCore *self)
{
  probe_later (self, FALSE);
}

/* --- servers and changes ------------------------------------------------------ */

static void
network_changed_cb (AlsNetworkWatch *watch, AlsVisitCore *self)
{
  if (self->linger != NULL)
    return;
  g_debug ("the network changed");
  als_visit_means_network_changed (self->means);
  if (self->client != NULL)
    als_signal_client_doubt (self->client);
  if (self->paths == NULL)
    return;
  als_visit_paths_network_changed (self->paths);
  if (self->is_marking)
    als_core_mark_again (self);
  if (!self->is_inviter)
    als_core_say_peer (self, ALS_PEER_MOVED);
  probe_later (self, TRUE);
}

/* Bad ones are the settings page's to complain about. */
static void
parse_servers (GPtrArray *servers, char **uris)
{
  for (guint i = 0; uris != NULL && uris[i] != NULL; i++)
    {
      g_autoptr (GError) error = NULL;
      AlsPathServer *server = als_ice_uri_parse (uris[i], &error);

      if (server != NULL)
        g_ptr_array_add (servers, server);
      else
        g_message ("a STUN or TURN server of the settings is left out: %s", error->message);
    }
}

/* The port that the user chose, or else the one that worked last. */
static uint16_t
choose_port (AlsVisitCore *self)
{
  if (self->local_port != 0)
    return self->local_port;
  return self->worked_port != 0 ? self->worked_port : self->last_local_port;
}

void
als_core_begin_network (AlsVisitCore *self)
{
  g_autoptr (GPtrArray) servers
      = g_ptr_array_new_with_free_func ((GDestroyNotify) als_path_server_free);
  AlsVisitMeansConfig config = {
    .is_inviter = self->is_inviter,
    .loopback = self->loopback,
    .servers = servers,
    .local_port = choose_port (self),
    .no_port_mapping = self->no_port_mapping,
    .proxies = self->proxies,
    .trust = self->trust,
  };

  /* An invitation has begun with it. */
  if (self->means != NULL)
    return;
  parse_servers (servers, self->ice_servers);
  parse_servers (servers, self->known_ice_servers);
  self->means = als_visit_means_new (&config);
  self->watch = als_network_watch_new ();
  g_signal_connect (self->watch, "changed", G_CALLBACK (network_changed_cb), self);
}

void
als_core_clear_networks (AlsVisitCore *self)
{
  g_clear_pointer (&self->ours, als_network_report_free);
  g_clear_pointer (&self->theirs, als_network_report_free);
  g_clear_pointer (&self->connection, als_connection_report_unref);
}

void
als_core_end_network (AlsVisitCore *self)
{
  if (self->watch != NULL)
    g_signal_handlers_disconnect_by_data (self->watch, self);
  g_clear_object (&self->watch);
  stop_probe (self);
  g_clear_pointer (&self->means, als_visit_means_free);
}

/* (element-type AlsPathServer) (transfer full) */
static GPtrArray *
make_servers (GPtrArray *ice_servers)
{
  static const AlsPathServerKind kinds[] = {
    [ALS_ICE_SERVER_STUN] = ALS_PATH_SERVER_STUN,
    [ALS_ICE_SERVER_TURN] = ALS_PATH_SERVER_TURN,
    [ALS_ICE_SERVER_TURNS] = ALS_PATH_SERVER_TURNS,
  };
  GPtrArray *servers = g_ptr_array_new_with_free_func ((GDestroyNotify) als_path_server_free);

  for (guint i = 0; ice_servers != NULL && i < ice_servers->len; i++)
    {
      const AlsIceServer *from = g_ptr_array_index (ice_servers, i);
      AlsPathServer *server = als_path_server_new (kinds[from->kind], from->host, from->port,
                                                   from->username, from->credential);

      if (server != NULL)
        g_ptr_array_add (servers, server);
    }
  return servers;
}

/* For a day without a rendezvous server. */
static void
remember_servers (AlsVisitCore *self, GPtrArray *servers)
{
  g_autoptr (GPtrArray) known = g_ptr_array_new ();

  if (servers->len == 0)
    return;
  for (guint i = 0; i < servers->len; i++)
    {
      g_autofree char *uri = als_ice_uri_make_public (g_ptr_array_index (servers, i));

      if (uri != NULL && !g_ptr_array_find_with_equal_func (known, uri, g_str_equal, NULL))
        g_ptr_array_add (known, g_steal_pointer (&uri));
    }
  g_ptr_array_add (known, NULL);
  g_strfreev (self->known_ice_servers);
  self->known_ice_servers = (char **) g_ptr_array_free (g_steal_pointer (&known), FALSE);
}

void
als_core_use_pairing (AlsVisitCore *self, AlsCoreVia via)
{
  g_autoptr (GPtrArray) servers = NULL;
  const char *origin = NULL;
  gboolean foreign_peers = via == ALS_VIA_SERVER
                           && als_signal_client_get_foreign_peers (self->client, &origin);

  als_visit_means_set_foreign_peers (self->means, foreign_peers, origin);
  if (via == ALS_VIA_SERVER)
    servers = make_servers (als_signal_client_get_servers (self->client));
  else
    servers = make_servers (self->client != NULL
                                ? als_signal_client_get_public_servers (self->client) : NULL);

  als_visit_means_set_servers (self->means, servers);
  remember_servers (self, servers);
  als_visit_paths_paired (self->paths,
                          via == ALS_VIA_LAN ? ALS_METHOD_LAN : ALS_METHOD_SIGNAL_RELAY,
                          als_core_via_take_relay (self, via));
  probe_later (self, FALSE);
  als_core_tell (self);
}
