/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* The links of a session: their births, signs of life, and ends, and which of them
 * we send on. Whether one is alive says als-link-life.c, which is best
 * als-link-choice.c; here it is done. */

#define G_LOG_DOMAIN "als-session"

#include "config.h"

#include "session/als-session-private.h"

#include <string.h>

#define MS ((int64_t) 1000)

/* After a switch by choice, what the old link was given may still be acknowledged. */
#define SETTLE_RTTS 2
#define SETTLE_US (200 * MS)
/* After a death, how long repeating bulk waits for the peer to say what it has. */
#define SYNC_US (100 * MS)
#define UNKNOWN_RTT_US (200 * MS)
/* A link that was left: how long the peer's LEAVE is awaited, and then its end. */
#define LEAVE_US (1000 * MS)
#define CLOSE_US (1000 * MS)
/* A break ends for the links one after another: the one in use has so long after the first other. */
#define GRACE_US (300 * MS)
/* A link is busy, for its signs of life, so long after a datagram. */
#define DATAGRAM_BUSY_US (1000 * MS)

static void
note_ready (AlsSessionLink *sl)
{
  AlsLinkStats stats;

  if (sl->ready)
    return;
  als_link_get_stats (sl->link, &stats);
  sl->ready = TRUE;
  sl->sync_due = TRUE;
  sl->path_id = stats.path_id;
  sl->candidate.kind = stats.kind;
  sl->candidate.lan = stats.lan;
}

static void
link_ready_cb (AlsLink *link, gpointer user_data)
{
  AlsSessionLink *sl = user_data;

  note_ready (sl);
  als_session_ask_poll (sl->session);
}

static void
link_room_cb (AlsLink *link, gpointer user_data)
{
  AlsSessionLink *sl = user_data;

  als_session_ask_poll (sl->session);
}

static void
link_closed_cb (AlsLink *link, AlsLinkEnd end, gpointer user_data)
{
  AlsSessionLink *sl = user_data;

  sl->closed = TRUE;
  als_session_ask_poll (sl->session);
}

const AlsLinkEvents als_session_link_events = {
  .ready = link_ready_cb,
  .frame = als_session_frame_cb,
  .datagram = als_session_datagram_cb,
  .room = link_room_cb,
  .closed = link_closed_cb,
};

/* Links */

static void
lose (AlsSession *self, AlsSessionLink *sl)
{
  sl->settle_us = 0;
  for (guint i = 0; i < self->channels->len; i++)
    als_channel_lose (g_ptr_array_index (self->channels, i), sl->number);
}

static gboolean
is_used (AlsSession *self, const AlsSessionLink *sl)
{
  for (guint i = 0; i < self->channels->len; i++)
    if (als_channel_uses (g_ptr_array_index (self->channels, i), sl->number))
      return TRUE;
  return FALSE;
}

AlsLinkPace
als_session_get_pace (AlsSession *self, const AlsSessionLink *sl)
{
  if ((sl->datagram_us != 0 && sl->datagram_us + DATAGRAM_BUSY_US > self->now_us)
      || is_used (self, sl))
    return ALS_LINK_PACE_BUSY;
  return sl == self->current ? ALS_LINK_PACE_IDLE : ALS_LINK_PACE_STANDBY;
}

/* From now on nothing new goes there. */
static void
leave (AlsSession *self, AlsSessionLink *sl)
{
  if (sl->left)
    return;
  sl->left = TRUE;
  sl->leave_due = sl->ready;
  sl->gone_us = self->now_us + LEAVE_US;
  if (sl->ready)
    g_array_append_val (self->leaves, sl->path_id);
}

void
als_session_close_link (AlsSession *self, AlsSessionLink *sl)
{
  if (sl->closing)
    return;
  sl->closing = TRUE;
  sl->gone_us = self->now_us + CLOSE_US;
  if (!sl->closed)
    als_link_close (sl->link);
}

static gboolean
is_usable (const AlsSession *self, const AlsSessionLink *sl)
{
  return sl->ready && !sl->left && !sl->closed && !sl->peer_left
         && (self->config.allowed_kinds & 1u << sl->candidate.kind) != 0;
}

static void
ping (AlsSession *self, AlsSessionLink *sl)
{
  AlsSessionFrame frame = { .type = ALS_SESSION_FRAME_PING };

  frame.cookie = als_link_life_ping (&sl->life, self->now_us);
  als_session_link_send (sl, &frame);
}

/* Links often have one fate. If all others were asked and none has answered, there is nowhere to
 * go, and the link in use gets the time of an idle one: a short break may end. */
static gboolean
all_others_are_silent (AlsSession *self, const AlsSessionLink *but)
{
  gboolean any = FALSE;

  for (guint i = 0; i < self->links->len; i++)
    {
      const AlsSessionLink *sl = g_ptr_array_index (self->links, i);

      if (sl == but || !is_usable (self, sl))
        continue;
      if (!sl->asked)
        return FALSE;
      any = TRUE;
    }
  return any;
}

int64_t
als_session_get_death (AlsSession *self, const AlsSessionLink *sl)
{
  AlsLinkPace pace = als_session_get_pace (self, sl);
  int64_t death_us = als_link_life_get_death (&sl->life, pace), idle_us;

  if (sl != self->current || pace != ALS_LINK_PACE_BUSY || !self->in_doubt)
    return death_us;
  idle_us = als_link_life_get_death (&sl->life, ALS_LINK_PACE_IDLE);
  if (all_others_are_silent (self, sl))
    return idle_us;
  return MIN (idle_us, MAX (death_us, self->answered_us + GRACE_US + sl->life.rtt_us));
}

int64_t
als_session_get_doubt (AlsSession *self)
{
  if (self->current == NULL || self->in_doubt || self->current->left)
    return INT64_MAX;
  return als_link_life_get_doubt (&self->current->life, als_session_get_pace (self, self->current));
}

void
als_session_doubt_current (AlsSession *self)
{
  const AlsSessionLink *current = self->current;

  if (current != NULL && self->in_doubt && !current->left
      && (als_link_life_get_doubt (&current->life, als_session_get_pace (self, current))
          > self->now_us))
    self->in_doubt = FALSE; /* it has answered */
  if (als_session_get_doubt (self) > self->now_us)
    return;
  self->in_doubt = TRUE;
  self->answered_us = 0;
  for (guint i = 0; i < self->links->len; i++)
    {
      AlsSessionLink *sl = g_ptr_array_index (self->links, i);

      if (sl == current || !is_usable (self, sl))
        continue;
      sl->asked = TRUE;
      sl->asked_cookie = sl->life.next_cookie;
      ping (self, sl);
    }
}

static void
give_up (AlsSession *self, AlsSessionLink *sl)
{
  g_info ("path %u (%s) gives no sign of life", sl->path_id,
          als_path_kind_to_string (sl->candidate.kind));
  leave (self, sl);
  lose (self, sl);
}

/* The link in use, and those that did not answer in its place. */
static void
give_up_all (AlsSession *self)
{
  for (guint i = 0; i < self->links->len; i++)
    {
      AlsSessionLink *sl = g_ptr_array_index (self->links, i);

      if (sl != self->current && sl->asked && is_usable (self, sl)
          && als_link_life_get_death (&sl->life, ALS_LINK_PACE_BUSY) <= self->now_us)
        give_up (self, sl);
    }
  give_up (self, self->current);
}

/* What happened to the links since the last poll. */
void
als_session_look_after_link (AlsSession *self, AlsSessionLink *sl)
{
  AlsLinkPace pace;

  if (!sl->ready && !sl->closed && als_link_get_room (sl->link, ALS_LANE_CONTROL) > 0)
    note_ready (sl);
  if (sl->pong_came)
    {
      sl->pong_came = FALSE;
      als_link_life_pong (&sl->life, sl->came_cookie, self->now_us);
      if (sl->asked && sl->came_cookie >= sl->asked_cookie)
        {
          if (all_others_are_silent (self, self->current))
            self->answered_us = self->now_us;
          sl->asked = FALSE;
        }
    }
  if (sl->closed)
    {
      if (!sl->left && sl->ready)
        g_array_append_val (self->leaves, sl->path_id);
      sl->left = TRUE;
      lose (self, sl);
      return;
    }
  if (sl->settle_us != 0 && sl->settle_us <= self->now_us)
    lose (self, sl);
  if (sl->removed || sl->peer_left)
    leave (self, sl);
  if (sl->left)
    {
      /* Orderly, when both have left it and nothing is owed there any more. */
      if (sl->gone_us <= self->now_us || (sl->peer_left && !sl->leave_due && !is_used (self, sl)))
        {
          lose (self, sl);
          als_session_close_link (self, sl);
        }
      return;
    }
  if (!sl->ready)
    return;
  pace = als_session_get_pace (self, sl);
  if (als_session_get_death (self, sl) <= self->now_us)
    {
      if (sl == self->current && all_others_are_silent (self, sl))
        give_up_all (self);
      else
        give_up (self, sl);
    }
  else if (als_link_life_get_ping_due (&sl->life, pace) <= self->now_us)
    ping (self, sl);
}

void
als_session_reap_links (AlsSession *self)
{
  for (guint i = 0; i < self->links->len; i++)
    {
      AlsSessionLink *sl = g_ptr_array_index (self->links, i);
      AlsLink *link = sl->link;

      if (sl == self->current || !(sl->closed || (sl->closing && sl->gone_us <= self->now_us)))
        continue;
      lose (self, sl);
      als_link_set_events (link, NULL, NULL);
      g_ptr_array_remove_index (self->candidates, i);
      g_ptr_array_remove_index (self->links, i); /* frees SL */
      i--;
      self->events->link_gone (link, self->user_data);
    }
}

void
als_session_refresh_current (AlsSession *self)
{
  if (self->current != NULL)
    als_link_get_stats (self->current->link, &self->current_stats);
  else
    memset (&self->current_stats, 0, sizeof self->current_stats);
}

static void
start_bucket (AlsSession *self)
{
  self->bucket_us = self->now_us;
  self->bucket_acked = self->current_stats.acked_bytes;
  self->bucket_sent_packets = self->current_stats.sent_packets;
  self->bucket_lost_packets = self->current_stats.lost_packets;
  self->bucket_starved = FALSE;
}

static gboolean
anything_is_lost (AlsSession *self)
{
  for (guint i = 0; i < self->channels->len; i++)
    if (als_channel_uses (g_ptr_array_index (self->channels, i), ALS_NO_OWNER))
      return TRUE;
  return FALSE;
}

static void
use_link (AlsSession *self, AlsSessionLink *sl)
{
  AlsSessionLink *old = self->current;

  if (old != NULL && !old->closed)
    old->settle_us = self->now_us + SETTLE_US + SETTLE_RTTS * old->life.rtt_us
                     + self->current_stats.queue_delay_us;
  self->current = sl;
  self->in_doubt = FALSE;
  self->no_path_since_us = sl == NULL ? self->now_us : 0;
  als_session_refresh_current (self);
  start_bucket (self);
  self->bulk_retry_us = 0;
  if (sl != NULL)
    {
      sl->settle_us = 0;
      sl->sync_due = TRUE;
      if (anything_is_lost (self))
        self->sync_until_us = self->now_us + SYNC_US
                              + (sl->life.rtt_us != 0 ? sl->life.rtt_us : UNKNOWN_RTT_US);
      self->switches++;
    }
  g_info ("sending on %s", sl != NULL ? als_path_kind_to_string (sl->candidate.kind) : "no path");
  if (self->events->path_changed != NULL)
    self->events->path_changed (self->user_data);
}

static void
note_interval (AlsSession *self)
{
  const AlsLinkStats *stats = &self->current_stats;
  AlsLinkInterval interval = {
    .goodput = (stats->acked_bytes - self->bucket_acked) * G_USEC_PER_SEC
               / (uint64_t) (self->now_us - self->bucket_us),
    .saturated = !self->bucket_starved,
  };

  /* Elsewhere a loss is the link's own affair. */
  if (stats->sent_packets > 0)
    {
      interval.sent = stats->sent_packets - self->bucket_sent_packets;
      interval.lost = stats->lost_packets - self->bucket_lost_packets;
    }
  als_link_choice_note_interval ((AlsLinkCandidate **) self->candidates->pdata,
                                 self->candidates->len, self->current->number,
                                 self->config.allowed_kinds, &interval, self->now_us);
  start_bucket (self);
}

void
als_session_choose_link (AlsSession *self)
{
  AlsLinkCandidate **candidates = (AlsLinkCandidate **) self->candidates->pdata;
  guint n = self->candidates->len, number;
  AlsSessionLink *chosen = NULL;

  for (guint i = 0; i < self->links->len; i++)
    {
      AlsSessionLink *sl = g_ptr_array_index (self->links, i);

      sl->candidate.usable = sl->ready && !sl->left && !sl->closed && !sl->peer_left;
      sl->candidate.rtt_us = sl->life.rtt_us;
      sl->candidate.least_rtt_us = als_link_life_get_least_rtt (&sl->life);
      sl->candidate.silent = sl->asked && sl != self->current;
      sl->candidate.n_rtt_samples = sl->life.n_samples;
    }
  als_session_refresh_current (self);
  if (self->current != NULL && self->now_us >= self->bucket_us + ALS_GOODPUT_INTERVAL_US)
    note_interval (self);
  number = als_link_choice_choose (candidates, n,
                                   self->current != NULL ? self->current->number : 0,
                                   self->config.allowed_kinds, self->now_us);
  for (guint i = 0; i < self->links->len; i++)
    if (((AlsSessionLink *) g_ptr_array_index (self->links, i))->number == number)
      chosen = g_ptr_array_index (self->links, i);
  if (chosen != self->current)
    use_link (self, chosen);
}
