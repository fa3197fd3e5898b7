/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#define G_LOG_DOMAIN "als-path"

#include "config.h"

#include "path/punch/als-punch-tcp.h"

#include "base/als-deadline-source.h"
#include "path/als-stream-carrier.h"
#include "path/punch/als-punch-door.h"
#include "path/punch/als-punch-endpoints.h"
#include "path/punch/als-punch-plan.h"

/* Connections that came in, were yielded, and still live; of addresses that the other side did not name. */
#define MAX_YIELDED 16
#define MAX_YIELDED_STRANGE 8

struct _AlsPunchTcp
{
  AlsPath *path;
  AlsPunchPathConfig config; /* its objects are the path's */
  AlsPunchPlan *plan;
  AlsPunchDoor *door;        /* NULL before start and once settled */
  gboolean has_no_door;      /* nobody can listen here: to be told */
  GSource *deadline;
  GPtrArray *yielded;        /* (element-type GWeakRef) of carriers whose connection came in */
  guint n_refused;           /* because there were too many of these */
};

/* --- what we know of ourselves ---------------------------------------------- */

/* What servers and routers told; they may lie. */
static void
add_learned (AlsPunchTcp *self, GArray *endpoints)
{
  AlsStunAddress external;

  if (self->config.pool != NULL)
    {
      GArray *learned = als_turn_pool_get_endpoints (self->config.pool);

      for (guint i = 0; i < learned->len; i++)
        als_punch_endpoints_add (endpoints, ALS_PUNCH_PUBLIC,
                                 &g_array_index (learned, AlsTcpEndpoint, i).mapped);
    }
  if (self->config.mapper != NULL
      && als_port_mapper_lookup (self->config.mapper, TRUE, als_punch_door_get_port (self->door),
                                 &external))
    als_punch_endpoints_add (endpoints, ALS_PUNCH_MAPPING, &external);
}

static gboolean
is_settled (AlsPunchTcp *self)
{
  return (self->config.pool == NULL || als_turn_pool_is_settled (self->config.pool))
         && (self->config.mapper == NULL || als_port_mapper_is_settled (self->config.mapper));
}

static void
wake (AlsPunchTcp *self)
{
  als_deadline_source_set (self->deadline, 0);
}

static void
tell_local (AlsPunchTcp *self)
{
  g_autoptr (GArray) endpoints = g_array_new (FALSE, FALSE, sizeof (AlsPunchEndpoint));
  uint16_t port;

  if (self->door == NULL)
    return;
  add_learned (self, endpoints);
  port = als_punch_door_get_port (self->door);
  als_punch_endpoints_add_hosts (endpoints, self->config.loopback, port, port);
  als_punch_plan_set_local (self->plan, (AlsPunchEndpoint *) endpoints->data, endpoints->len,
                            is_settled (self), g_get_monotonic_time ());
  wake (self);
}

static void
mapped_cb (AlsPortMapper *mapper, gboolean is_tcp, guint port, gpointer external, AlsPunchTcp *self)
{
  if (is_tcp)
    tell_local (self);
}

/* --- what the plan says ------------------------------------------------------ */

static void
fail (AlsPunchTcp *self, AlsPathProblem problem)
{
  if (problem == ALS_PATH_PROBLEM_NO_ENDPOINT && self->config.pool != NULL
      && als_turn_pool_uses_proxy (self->config.pool))
    problem = ALS_PATH_PROBLEM_PROXY;
  g_clear_pointer (&self->door, als_punch_door_free);
  als_path_fail (self->path, problem, als_path_problem_to_string (problem));
}

/* May end in the path being closed, and us with it. */
static gboolean
deadline_cb (gpointer user_data)
{
  AlsPunchTcp *self = user_data;
  g_autoptr (AlsPath) keep = g_object_ref (self->path);
  AlsPunchAction action;

  if (self->has_no_door)
    {
      fail (self, ALS_PATH_PROBLEM_INTERNAL);
      return G_SOURCE_CONTINUE;
    }
  while (self->door != NULL
         && als_punch_plan_take_action (self->plan, g_get_monotonic_time (), &action))
    {
      g_autoptr (GBytes) message = action.message;

      switch (action.type)
        {
        case ALS_PUNCH_DO_SEND:
          als_path_send (self->path, message);
          break;
        case ALS_PUNCH_DO_DIAL:
          als_punch_door_dial (self->door, action.dial, &action.address);
          break;
        case ALS_PUNCH_DO_DROP:
          als_punch_door_drop (self->door, action.dial);
          break;
        case ALS_PUNCH_DO_FAIL:
          fail (self, action.problem);
          break;
        }
      if (als_path_is_over (keep))
        return G_SOURCE_CONTINUE;
    }
  if (self->door != NULL)
    als_deadline_source_set (self->deadline, als_punch_plan_get_deadline (self->plan));
  return G_SOURCE_CONTINUE;
}

/* --- what the door says ------------------------------------------------------ */

static void
weak_ref_free (gpointer data)
{
  g_weak_ref_clear (data);
  g_free (data);
}

static guint
count_yielded (AlsPunchTcp *self)
{
  for (guint i = self->yielded->len; i > 0; i--)
    {
      g_autoptr (GObject) carrier = g_weak_ref_get (g_ptr_array_index (self->yielded, i - 1));

      if (carrier == NULL)
        g_ptr_array_remove_index_fast (self->yielded, i - 1);
    }
  return self->yielded->len;
}

static void
note_yielded (AlsPunchTcp *self, AlsCarrier *carrier)
{
  GWeakRef *ref = g_new0 (GWeakRef, 1);

  g_weak_ref_init (ref, carrier);
  g_ptr_array_add (self->yielded, ref);
}

static void
connected_cb (GSocket *socket, gboolean initiated, gpointer user_data)
{
  AlsPunchTcp *self = user_data;
  g_autoptr (GSocketAddress) local = g_socket_get_local_address (socket, NULL);
  g_autoptr (GSocketAddress) remote = g_socket_get_remote_address (socket, NULL);
  g_autoptr (GSocketConnection) connection = NULL;
  g_autoptr (AlsCarrier) carrier = NULL;
  g_autofree char *text = NULL;
  AlsStunAddress from, to;
  guint most;

  wake (self);
  if (local == NULL || remote == NULL || !als_stun_address_from_gio (&from, local)
      || !als_stun_address_from_gio (&to, remote))
    return;
  most = als_punch_plan_knows (self->plan, &to) ? MAX_YIELDED : MAX_YIELDED_STRANGE;
  if (!initiated && count_yielded (self) >= most)
    {
      self->n_refused++;
      return;
    }
  text = als_stun_address_to_string (&to);
  g_debug ("punch: connected with %s, %s", text, initiated ? "dialled" : "came in");
  connection = g_socket_connection_factory_create_connection (socket);
  carrier = als_stream_carrier_new (G_IO_STREAM (connection), ALS_PATH_DIRECT_TCP, text,
                                    als_punch_plan_is_lan (self->plan, &from, &to), initiated, NULL);
  if (!initiated)
    note_yielded (self, carrier);
  als_path_connected (self->path, carrier);
}

static void
dialled_cb (guint dial, AlsPunchResult result, gpointer user_data)
{
  AlsPunchTcp *self = user_data;

  als_punch_plan_dialled (self->plan, dial, result, g_get_monotonic_time ());
  wake (self);
}

static void
accepted_cb (gboolean turned_away, gpointer user_data)
{
  als_punch_plan_accepted (((AlsPunchTcp *) user_data)->plan, turned_away);
}

static gboolean
is_expected_cb (const AlsStunAddress *address, gpointer user_data)
{
  return als_punch_plan_knows (((AlsPunchTcp *) user_data)->plan, address);
}

static const AlsPunchDoorEvents door_events = { connected_cb, dialled_cb, accepted_cb,
                                                is_expected_cb };

/* --- public ----------------------------------------------------------------- */

AlsPunchTcp *
als_punch_tcp_new (AlsPath *path, const AlsPunchPathConfig *config)
{
  AlsPunchTcp *self = g_new0 (AlsPunchTcp, 1);
  g_autoptr (GMainContext) context = g_main_context_ref_thread_default ();
  AlsPunchPlanConfig plan_config = {
    .is_inviter = config->is_inviter,
    .loopback = config->loopback,
    .mark_us = config->mark_us,
    .mark_step_us = config->mark_step_us,
    .seed = g_random_int (),
  };

  self->path = path;
  self->config = *config;
  self->plan = als_punch_plan_new (&plan_config, g_get_monotonic_time ());
  self->deadline = als_deadline_source_new (context, "als-punch-tcp", deadline_cb, self);
  self->yielded = g_ptr_array_new_with_free_func (weak_ref_free);
  return self;
}

void
als_punch_tcp_start (AlsPunchTcp *self)
{
  AlsPunchPathConfig *config = &self->config;
  g_autoptr (GError) error = NULL;
  uint16_t port = config->pool != NULL ? als_turn_pool_get_local_port (config->pool) : 0;

  self->door = als_punch_door_open (port, config->loopback, &door_events, self, &error);
  if (self->door == NULL)
    {
      g_message ("punch: nobody can listen here: %s", error->message);
      self->has_no_door = TRUE;
      wake (self);
      return;
    }
  if (config->pool != NULL)
    g_signal_connect_swapped (config->pool, "changed", G_CALLBACK (tell_local), self);
  if (config->mapper != NULL)
    {
      g_signal_connect (config->mapper, "mapped", G_CALLBACK (mapped_cb), self);
      g_signal_connect_swapped (config->mapper, "settled", G_CALLBACK (tell_local), self);
      als_port_mapper_add (config->mapper, TRUE, als_punch_door_get_port (self->door));
    }
  tell_local (self);
}

void
als_punch_tcp_receive (AlsPunchTcp *self, const uint8_t *data, size_t len)
{
  if (self->door == NULL)
    return;
  als_punch_plan_receive (self->plan, data, len, g_get_monotonic_time ());
  wake (self);
}

void
als_punch_tcp_settle (AlsPunchTcp *self)
{
  if (self->config.pool != NULL)
    g_signal_handlers_disconnect_by_data (self->config.pool, self);
  if (self->config.mapper != NULL)
    g_signal_handlers_disconnect_by_data (self->config.mapper, self);
  als_deadline_source_set (self->deadline, INT64_MAX);
  g_clear_pointer (&self->door, als_punch_door_free);
}

void
als_punch_tcp_get_report (AlsPunchTcp *self, AlsPathReport *report)
{
  als_punch_plan_get_report (self->plan, report);
  report->strangers += self->n_refused;
}

void
als_punch_tcp_free (AlsPunchTcp *self)
{
  als_punch_tcp_settle (self);
  als_source_clear (&self->deadline);
  als_punch_plan_free (self->plan);
  g_ptr_array_unref (self->yielded);
  g_free (self);
}
