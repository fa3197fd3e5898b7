/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#define G_LOG_DOMAIN "als-visit"

#include "config.h"

#include "visit/als-visit-means.h"

#include "path/ice/als-ice-path.h"
#include "path/punch/als-punch-path.h"
#include "path/turn/als-turn-path.h"

/* More are left out: each costs connections. */
#define MAX_SERVERS 8

struct _AlsVisitMeans
{
  AlsVisitMeansConfig config; /* its objects are owned */
  GPtrArray *servers;         /* (element-type AlsPathServer): of the pairing, then of the settings */
  AlsTurnPool *pool;          /* NULL before the first servers */
  AlsPortMapper *mapper;      /* (nullable) */
  gboolean foreign_peers;     /* the pairing's TURN servers let in who has no allocation there */
  char *origin;               /* (nullable): the address we come from, as the rendezvous server told it */
};

static GPtrArray *
new_servers (void)
{
  return g_ptr_array_new_with_free_func ((GDestroyNotify) als_path_server_free);
}

/* The same one, or one that answers Bindings there anyway. */
static gboolean
has_server (GPtrArray *servers, const AlsPathServer *server)
{
  for (guint i = 0; i < servers->len; i++)
    {
      const AlsPathServer *known = g_ptr_array_index (servers, i);

      if (known->port == server->port && g_str_equal (known->host, server->host)
          && (known->kind == server->kind
              || (known->kind == ALS_PATH_SERVER_TURN && server->kind == ALS_PATH_SERVER_STUN)))
        return TRUE;
    }
  return FALSE;
}

/* Of two entries for one server the first one counts: the pairing's login is newer than the settings'. */
static void
copy_servers (GPtrArray *to, GPtrArray *from)
{
  for (guint i = 0; from != NULL && i < from->len && to->len < MAX_SERVERS; i++)
    if (!has_server (to, g_ptr_array_index (from, i)))
      g_ptr_array_add (to, als_path_server_copy (g_ptr_array_index (from, i)));
}

AlsVisitMeans *
als_visit_means_new (const AlsVisitMeansConfig *config)
{
  AlsVisitMeans *self = g_new0 (AlsVisitMeans, 1);

  self->config = *config;
  self->config.servers = new_servers ();
  copy_servers (self->config.servers, config->servers);
  if (config->proxies != NULL)
    g_object_ref (config->proxies);
  if (config->trust != NULL)
    g_object_ref (config->trust);
  self->servers = new_servers ();
  copy_servers (self->servers, self->config.servers);
  if (!config->loopback && !config->no_port_mapping)
    self->mapper = als_port_mapper_new ();
  return self;
}

void
als_visit_means_free (AlsVisitMeans *self)
{
  if (self->pool != NULL)
    als_turn_pool_close (self->pool);
  g_clear_object (&self->pool);
  if (self->mapper != NULL)
    als_port_mapper_close (self->mapper);
  g_clear_object (&self->mapper);
  g_clear_object (&self->config.proxies);
  g_clear_object (&self->config.trust);
  g_ptr_array_unref (self->config.servers);
  g_ptr_array_unref (self->servers);
  g_free (self->origin);
  g_free (self);
}

static void
start_pool (AlsVisitMeans *self)
{
  AlsTurnPoolConfig config = {
    .servers = self->servers,
    .local_port = self->config.local_port,
    .loopback = self->config.loopback,
    .proxies = self->config.proxies,
    .trust = self->config.trust,
  };

  self->pool = als_turn_pool_new (&config);
  als_turn_pool_start (self->pool);
  if (self->mapper != NULL)
    als_port_mapper_add (self->mapper, TRUE, als_turn_pool_get_local_port (self->pool));
}

void
als_visit_means_set_servers (AlsVisitMeans *self, GPtrArray *servers)
{
  g_ptr_array_set_size (self->servers, 0);
  copy_servers (self->servers, servers);
  copy_servers (self->servers, self->config.servers);
  if (self->pool == NULL)
    start_pool (self);
  else
    als_turn_pool_set_servers (self->pool, self->servers);
}

void
als_visit_means_set_foreign_peers (AlsVisitMeans *self, gboolean foreign_peers, const char *origin)
{
  self->foreign_peers = foreign_peers;
  g_free (self->origin);
  self->origin = g_strdup (origin);
}

GPtrArray *
als_visit_means_get_servers (AlsVisitMeans *self)
{
  return self->servers;
}

void
als_visit_means_network_changed (AlsVisitMeans *self)
{
  if (self->pool != NULL)
    als_turn_pool_network_changed (self->pool);
  if (self->mapper != NULL)
    als_port_mapper_network_changed (self->mapper);
}

/* SKIP: a kind that will not do. */
static gboolean
has_server_but (AlsVisitMeans *self, AlsPathServerKind skip)
{
  for (guint i = 0; i < self->servers->len; i++)
    if (((AlsPathServer *) g_ptr_array_index (self->servers, i))->kind != skip)
      return TRUE;
  return FALSE;
}

gboolean
als_visit_means_can (AlsVisitMeans *self, AlsPathMethod method, AlsPathProblem *problem)
{
  *problem = ALS_PATH_PROBLEM_NONE;
  switch (method)
    {
    case ALS_METHOD_ICE:
      break;
    case ALS_METHOD_TCP_PUNCH:
      if (self->pool == NULL)
        *problem = ALS_PATH_PROBLEM_INTERNAL;
      break;
    case ALS_METHOD_TURN_UDP:
      if (!has_server_but (self, ALS_PATH_SERVER_STUN))
        *problem = ALS_PATH_PROBLEM_NO_SERVER;
      break;
    case ALS_METHOD_TURN_TCP:
      if (self->pool == NULL || !has_server_but (self, ALS_PATH_SERVER_STUN))
        *problem = ALS_PATH_PROBLEM_NO_SERVER;
      break;
    case ALS_METHOD_UDP_PUNCH:
      if (!has_server_but (self, ALS_PATH_SERVER_TURNS))
        *problem = ALS_PATH_PROBLEM_NO_SERVER;
      break;
    case ALS_METHOD_SIGNAL_RELAY:
      *problem = ALS_PATH_PROBLEM_NO_SERVER;
      break;
    default:
      *problem = ALS_PATH_PROBLEM_NOT_ALLOWED;
      break;
    }
  return *problem == ALS_PATH_PROBLEM_NONE;
}

static AlsPath *
make_ice (AlsVisitMeans *self, gboolean force_relay)
{
  AlsIcePathConfig config = {
    .is_controlling = self->config.is_inviter,
    .force_relay = force_relay,
    .loopback = self->config.loopback,
    .mapper = self->mapper,
    .servers = self->servers,
  };

  return als_ice_path_new (&config);
}

AlsPath *
als_visit_means_make_marked_punch (AlsVisitMeans *self, AlsPathMethod method,
                                   const AlsVisitMarks *marks)
{
  AlsPunchPathConfig config = {
    .is_inviter = self->config.is_inviter,
    .is_udp = method == ALS_METHOD_UDP_PUNCH,
    .loopback = self->config.loopback,
    .pool = self->pool,
    .mapper = self->mapper,
    .servers = self->servers,
    .mark_us = marks->mark_us,
    .mark_step_us = marks->mark_step_us,
    .udp_port = marks->udp_port,
    .udp_secret = marks->udp_secret,
  };

  return als_punch_path_new (&config);
}

AlsPath *
als_visit_means_make_path (AlsVisitMeans *self, AlsPathMethod method)
{
  AlsTurnPathConfig turn = {
    .is_inviter = self->config.is_inviter,
    .pool = self->pool,
    .one_sided = self->foreign_peers,
    .origin = self->origin,
  };

  switch (method)
    {
    case ALS_METHOD_TURN_TCP: return als_turn_path_new (&turn);
    case ALS_METHOD_TCP_PUNCH:
    case ALS_METHOD_UDP_PUNCH: return als_visit_means_make_marked_punch (self, method, &(AlsVisitMarks){ 0 });
    default: return make_ice (self, method == ALS_METHOD_TURN_UDP);
    }
}

uint16_t
als_visit_means_get_local_port (AlsVisitMeans *self)
{
  return self->pool != NULL ? als_turn_pool_get_local_port (self->pool) : 0;
}

AlsPortMapper *
als_visit_means_get_mapper (AlsVisitMeans *self)
{
  return self->mapper;
}
