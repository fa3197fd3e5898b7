/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* What a visit knows of its networks: servers, changes, and how the two are connected. */

#define G_LOG_DOMAIN "als-visit"

#include "config.h"

#include "visit/als-visit-core-private.h"

#include <string.h>

#include "path/als-ice-uri.h"

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
  gboolean changed = self->connection == NULL;

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

static void
network_changed_cb (AlsNetworkWatch *watch, AlsVisitCore *self)
{
  if (self->linger != NULL)
    return;
  g_debug ("the network changed");
  als_visit_means_network_changed (self->means);
  als_visit_paths_network_changed (self->paths);
  if (!self->is_inviter)
    als_core_say_peer (self, ALS_PEER_MOVED);
}

/* The settings' servers; bad ones are the settings page's to complain about. (transfer full) */
static GPtrArray *
parse_servers (char **uris)
{
  GPtrArray *servers = g_ptr_array_new_with_free_func ((GDestroyNotify) als_path_server_free);

  for (guint i = 0; uris != NULL && uris[i] != NULL; i++)
    {
      g_autoptr (GError) error = NULL;
      AlsPathServer *server = als_ice_uri_parse (uris[i], &error);

      if (server != NULL)
        g_ptr_array_add (servers, server);
      else
        g_message ("a STUN or TURN server of the settings is left out: %s", error->message);
    }
  return servers;
}

void
als_core_begin_network (AlsVisitCore *self)
{
  g_autoptr (GPtrArray) servers = parse_servers (self->ice_servers);
  AlsVisitMeansConfig config = {
    .is_inviter = self->is_inviter,
    .loopback = self->loopback,
    .servers = servers,
    .local_port = self->local_port,
    .no_port_mapping = self->no_port_mapping,
    .proxies = self->proxies,
    .trust = self->trust,
  };

  self->means = als_visit_means_new (&config);
  self->watch = als_network_watch_new ();
  g_signal_connect (self->watch, "changed", G_CALLBACK (network_changed_cb), self);
}

void
als_core_end_network (AlsVisitCore *self)
{
  if (self->watch != NULL)
    g_signal_handlers_disconnect_by_data (self->watch, self);
  g_clear_object (&self->watch);
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

void
als_core_use_pairing (AlsVisitCore *self, AlsCoreVia via)
{
  g_autoptr (GPtrArray) servers = NULL;

  if (via == ALS_VIA_SERVER)
    servers = make_servers (als_signal_client_get_servers (self->client));
  else
    servers = make_servers (self->client != NULL
                                ? als_signal_client_get_public_servers (self->client) : NULL);

  als_visit_means_set_servers (self->means, servers);
  als_visit_paths_paired (self->paths,
                          via == ALS_VIA_LAN ? ALS_METHOD_LAN : ALS_METHOD_SIGNAL_RELAY,
                          als_core_via_take_relay (self, via));
}
