/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#define G_LOG_DOMAIN "als-visit"

#include "config.h"

#include "visit/als-visit-means.h"

#include "path/ice/als-ice-path.h"

struct _AlsVisitMeans
{
  AlsVisitMeansConfig config;
  GPtrArray *servers; /* (element-type AlsPathServer) */
};

AlsVisitMeans *
als_visit_means_new (const AlsVisitMeansConfig *config)
{
  AlsVisitMeans *self = g_new0 (AlsVisitMeans, 1);

  self->config = *config;
  self->servers = g_ptr_array_new_with_free_func ((GDestroyNotify) als_path_server_free);
  return self;
}

void
als_visit_means_free (AlsVisitMeans *self)
{
  g_ptr_array_unref (self->servers);
  g_free (self);
}

void
als_visit_means_set_servers (AlsVisitMeans *self, GPtrArray *servers)
{
  g_ptr_array_set_size (self->servers, 0);
  for (guint i = 0; i < servers->len; i++)
    g_ptr_array_add (self->servers, als_path_server_copy (g_ptr_array_index (servers, i)));
}

static gboolean
has_turn_server (AlsVisitMeans *self)
{
  for (guint i = 0; i < self->servers->len; i++)
    if (((AlsPathServer *) g_ptr_array_index (self->servers, i))->kind != ALS_PATH_SERVER_STUN)
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
    case ALS_METHOD_TURN_UDP:
      if (!has_turn_server (self))
        *problem = ALS_PATH_PROBLEM_NO_SERVER;
      break;
    default:
      *problem = ALS_PATH_PROBLEM_NOT_ALLOWED;
      break;
    }
  return *problem == ALS_PATH_PROBLEM_NONE;
}

AlsPath *
als_visit_means_make_path (AlsVisitMeans *self, AlsPathMethod method)
{
  AlsIcePathConfig ice = {
    .is_controlling = self->config.is_inviter,
    .force_relay = method == ALS_METHOD_TURN_UDP,
    .loopback = self->config.loopback,
    .upnp = FALSE,
    .servers = self->servers,
  };

  return als_ice_path_new (&ice);
}
