/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* The session of a visit: its beginning, its time, and what it says. */

#define G_LOG_DOMAIN "als-visit"

#include "config.h"

#include "visit/als-visit-core-private.h"

#include <sodium.h>

#include "base/als-deadline-source.h"

#define STATS_INTERVAL_MS 500
/* Without a path and without the server's relay for so long, though paired: both meet again. */
#define MEET_AGAIN_US (1 * G_USEC_PER_SEC)

static gboolean
poll_cb (gpointer user_data)
{
  AlsVisitCore *self = user_data;

  self->poll_deadline_us = INT64_MAX;
  als_session_poll (self->session, g_get_monotonic_time ());
  return G_SOURCE_CONTINUE;
}

static void
schedule_cb (int64_t deadline_us, gpointer user_data)
{
  AlsVisitCore *self = user_data;

  if (deadline_us < self->poll_deadline_us)
    {
      self->poll_deadline_us = deadline_us;
      als_deadline_source_set (self->poll_source, deadline_us);
    }
}

static void
channel_opened_cb (AlsChannel *channel, AlsChannelKind kind, gpointer user_data)
{
  AlsVisitCore *self = user_data;

  if (kind == ALS_CHANNEL_VISIT && !self->is_inviter && self->channel == NULL)
    als_core_begin_talk (self, channel);
  else if (!als_core_take_work (self, channel, kind))
    als_channel_reset (channel, 1);
}

static void
datagram_cb (AlsDatagramKind kind, const uint8_t *data, size_t len, gpointer user_data)
{
  AlsVisitCore *self = user_data;

  if (kind == ALS_DATAGRAM_VIDEO && self->receiver != NULL)
    als_screen_receiver_datagram (self->receiver, data, len);
}

/* Reads the session's figures; TRUE when something a person sees has changed. */
static gboolean
update_stats (AlsVisitCore *self)
{
  AlsSessionStats old = self->stats;
  const char *remote = NULL;

  als_session_get_stats (self->session, &self->stats);
  if (self->stats.link != NULL)
    remote = als_visit_paths_get_remote (self->paths, self->stats.link);
  if (g_strcmp0 (remote, self->path_remote) != 0)
    {
      g_free (self->path_remote);
      self->path_remote = g_strdup (remote);
    }
  /* Links of this kind come from one port only. */
  if (self->stats.kind == ALS_PATH_DIRECT_TCP)
    self->worked_port = als_visit_means_get_local_port (self->means);
  return old.kind != self->stats.kind || old.link != self->stats.link
         || ABS (old.rtt_us - self->stats.rtt_us) > 500;
}

/* Nobody introduces the two at the moment. A path brings the attempts at the others; without one they
 * look for each other wherever they may. */
static void
path_without_pairing (AlsVisitCore *self)
{
  if (self->stats.kind != ALS_PATH_NONE)
    als_visit_paths_reachable (self->paths);
  else if (self->by_invitation)
    {
      als_core_meet_somewhere (self);
      als_core_mark_again (self);
    }
}

static void
path_changed_cb (gpointer user_data)
{
  AlsVisitCore *self = user_data;
  AlsPathKind before;

  if (self->linger != NULL)
    return;
  before = self->stats.kind;
  update_stats (self);
  als_core_update_connection (self);
  g_debug ("path: %s", als_path_kind_to_string (self->stats.kind));
  /* What has died may have taken the way to the server along. */
  if (self->client != NULL && self->stats.kind < before)
    als_signal_client_doubt (self->client);
  if (self->stats.kind != ALS_PATH_NONE)
    als_core_end_marks (self);
  if (!als_core_is_paired (self))
    path_without_pairing (self);
  /* Who met without a server has not begun to: it could have disturbed the ports. */
  if (self->stats.kind != ALS_PATH_NONE)
    als_core_probe_network (self);
  if (self->sender != NULL)
    als_screen_sender_path_changed (self->sender);
  if (self->state == ALS_VISIT_ACTIVE && self->stats.kind == ALS_PATH_NONE)
    als_core_set_state (self, ALS_VISIT_RECONNECTING, ALS_NO_PATH_LIMIT_S);
  else if (self->state == ALS_VISIT_RECONNECTING && self->stats.kind != ALS_PATH_NONE)
    als_core_set_state (self, ALS_VISIT_ACTIVE, 0);
  else if (self->state == ALS_VISIT_ASKING)
    als_core_set_state (self, ALS_VISIT_ASKING,
                        self->stats.kind == ALS_PATH_NONE ? ALS_GREET_LIMIT_S
                                                          : als_core_get_answer_limit_s (self));
  else
    als_core_tell (self);
}

static void
link_gone_cb (AlsLink *link, gpointer user_data)
{
  AlsVisitCore *self = user_data;

  if (self->paths != NULL)
    als_visit_paths_link_gone (self->paths, link);
}

static void
session_ended_cb (AlsSessionEnd end, gpointer user_data)
{
  AlsVisitCore *self = user_data;

  if (end == ALS_SESSION_END_LOCAL)
    return;
  self->ended_by_session = TRUE;
  if (end == ALS_SESSION_END_PROTOCOL)
    als_core_peer_broke_rules (self);
  else
    als_core_finish (self, ALS_VISIT_ERROR_PEER_LEFT, "the other side ended the visit");
}

static const AlsSessionEvents session_events = { schedule_cb,  channel_opened_cb,
                                                 datagram_cb,  path_changed_cb,
                                                 link_gone_cb, session_ended_cb };

static gboolean
tick_cb (gpointer user_data)
{
  AlsVisitCore *self = user_data;
  gboolean changed;

  if (self->linger == NULL && als_core_is_paired (self) && self->stats.no_path_since_us != 0
      && g_get_monotonic_time () - self->stats.no_path_since_us > MEET_AGAIN_US
      && !als_visit_paths_has_relay (self->paths))
    {
      g_debug ("paired, but no path is left: meets again");
      als_core_via_unpair (self, ALS_VIA_SERVER);
      als_core_via_unpair (self, ALS_VIA_LAN);
      als_core_meet_again (self);
    }
  if (self->linger != NULL)
    return G_SOURCE_CONTINUE;
  als_visit_paths_tick (self->paths, self->stats.kind);
  changed = update_stats (self);
  changed |= als_core_tick_invitation (self);
  changed |= als_core_update_connection (self);
  if (changed)
    als_core_tell (self);
  return G_SOURCE_CONTINUE;
}

void
als_core_begin_session (AlsVisitCore *self, uint8_t *secret)
{
  AlsSessionConfig session_config = { 0 };
  AlsVisitPathsConfig paths_config = { 0 };

  als_session_secret_to_meeting_id (secret, self->meeting_id);
  als_core_begin_peer (self, secret);
  als_core_begin_work (self);
  self->is_confirmed = TRUE;
  self->poll_deadline_us = INT64_MAX;
  self->poll_source = als_deadline_source_new (g_main_context_get_thread_default (),
                                               "als-session-poll", poll_cb, self);
  session_config.role = self->is_inviter ? ALS_ROLE_INVITER : ALS_ROLE_JOINER;
  session_config.allowed_kinds = self->allowed_kinds;
  self->session = als_session_new (&session_config, &session_events, self, g_get_monotonic_time ());
  paths_config.role = session_config.role;
  paths_config.session_secret = secret;
  paths_config.allowed_kinds = self->allowed_kinds;
  als_core_begin_network (self);
  paths_config.means = self->means;
  paths_config.session = self->session;
  paths_config.send_peer = als_core_send_peer;
  paths_config.user_data = self;
  self->paths = als_visit_paths_new (&paths_config);
  sodium_memzero (secret, ALS_SESSION_SECRET_BYTES);

  if (self->is_inviter)
    als_core_begin_talk (
        self, als_session_open_channel (self->session, ALS_CHANNEL_VISIT, ALS_LANE_CONTROL));
  self->ticker = als_core_add_timeout (STATS_INTERVAL_MS, "als-visit-stats", tick_cb, self);
  als_core_set_state (self, ALS_VISIT_CHECKING, ALS_GREET_LIMIT_S);
}
