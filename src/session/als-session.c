/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* The session (see als-session.h): its poll, its channels' ids and windows, and
 * what its owner calls. Frames out are als-session-send.c, frames in
 * als-session-receive.c, links als-session-links.c; a channel's own state is
 * als-channel.c.
 *
 * Time passes in als_session_poll () only. What a link tells in between is
 * either dealt with at once (bytes for a channel) or noted and dealt with in
 * the poll that is asked for (whatever needs the time). */

#define G_LOG_DOMAIN "als-session"

#include "config.h"

#include "session/als-session-private.h"

#include <string.h>

#define MS ((int64_t) 1000)
#define KIB ((size_t) 1024)

/* What waits in a channel for its link. */
#define QUEUE_US (150 * MS)
#define MIN_QUEUE (64 * KIB)
#define MAX_QUEUE (4 * 1024 * KIB)
/* Unsent work before a new video frame is made (design §4). */
#define MAY_SEND_FRAME_US (50 * MS)
/* A poll so much later than asked for: the process, not the peer, stood still. */
#define STOOD_STILL_US (500 * MS)
#define MAX_POLL_ROUNDS 8

G_STATIC_ASSERT (ALS_SESSION_FRAME_MAX == ALS_FRAME_MAX);
G_STATIC_ASSERT (ALS_SESSION_N_LANES == ALS_N_LANES);

/* Asking for a poll */

static void
ask (AlsSession *self, int64_t deadline_us)
{
  if (deadline_us >= self->asked_us)
    return;
  self->asked_us = deadline_us;
  self->events->schedule (deadline_us, self->user_data);
}

void
als_session_ask_poll (AlsSession *self)
{
  if (self->polling)
    self->again = TRUE;
  else
    ask (self, 0);
}

/* Channels */

uint32_t
als_session_role_bit (const AlsSession *self, gboolean ours)
{
  return (self->config.role == ALS_ROLE_JOINER) == ours ? 1 : 0;
}

gboolean
als_session_may_open (AlsSession *self)
{
  if (self->n_ours >= ALS_SESSION_MAX_CHANNELS)
    return FALSE;
  for (guint i = 0; i < self->channels->len; i++)
    {
      AlsChannel *channel = g_ptr_array_index (self->channels, i);

      /* The oldest that the peer may not have heard of: those after it wait in its gap. */
      if (channel->ours && channel->id != UINT32_MAX && channel->open.state != ALS_NOTICE_ACKED)
        return self->next_counter - (channel->id >> 1) < ALS_SESSION_MAX_OPEN_GAP;
    }
  return self->next_counter < UINT32_MAX >> 2;
}

size_t
als_session_take_window (AlsSession *self)
{
  size_t window = CLAMP (self->window_budget / 4, ALS_SESSION_FIRST_CREDIT,
                         als_session_get_window (self));

  self->window_budget -= MIN (self->window_budget, window - ALS_SESSION_FIRST_CREDIT);
  return window;
}

void
als_session_give_id (AlsSession *self, AlsChannel *channel)
{
  channel->id = ALS_SESSION_CHANNEL_ID (self->next_counter, als_session_role_bit (self, TRUE));
  self->next_counter++;
  self->n_ours++;
  g_hash_table_insert (self->by_id, GUINT_TO_POINTER (channel->id), channel);
}

void
als_session_forget (AlsSession *self, AlsChannel *channel)
{
  guint index;

  g_assert (!channel->forgotten);
  channel->forgotten = TRUE;
  self->window_budget += channel->window - ALS_SESSION_FIRST_CREDIT;
  if (channel->id != UINT32_MAX)
    {
      g_hash_table_remove (self->by_id, GUINT_TO_POINTER (channel->id));
      if (channel->ours)
        self->n_ours--;
      else
        self->n_peers--;
      if (self->gone->len < ALS_SESSION_MAX_PENDING_GONE)
        g_array_append_val (self->gone, channel->id);
    }
  if (g_ptr_array_find (self->channels, channel, &index))
    g_ptr_array_remove_index (self->channels, index); /* gives up the list's reference */
  als_session_ask_poll (self);
}

size_t
als_session_get_window (AlsSession *self)
{
  return self->config.window_bytes;
}

size_t
als_session_get_queue_limit (AlsSession *self)
{
  uint64_t queue;

  if (self->current == NULL)
    return MIN_QUEUE;
  queue = self->current_stats.rate * QUEUE_US / G_USEC_PER_SEC;
  return CLAMP (queue, MIN_QUEUE, MAX_QUEUE);
}

void
als_session_count_received (AlsSession *self, size_t len)
{
  self->received_bytes += len;
}

AlsChannel *
als_session_open_channel (AlsSession *self, AlsChannelKind kind, AlsLane lane)
{
  AlsChannel *channel;

  g_return_val_if_fail (kind > 0 && kind <= G_MAXUINT8 && lane < ALS_N_LANES, NULL);
  if (self->ended)
    return NULL;
  channel = als_channel_new (self, TRUE, kind, lane, als_session_take_window (self));
  g_ptr_array_add (self->channels, channel);
  als_session_ask_poll (self);
  return channel;
}

/* The poll */

static int64_t
get_deadline (AlsSession *self)
{
  int64_t deadline_us = INT64_MAX;
  gboolean any_work = FALSE;

  for (guint i = 0; i < self->links->len; i++)
    {
      AlsSessionLink *sl = g_ptr_array_index (self->links, i);

      if (sl->settle_us != 0)
        deadline_us = MIN (deadline_us, sl->settle_us);
      if (sl->gone_us != 0)
        deadline_us = MIN (deadline_us, sl->gone_us);
      if (sl->ready && !sl->left && !self->ended)
        {
          AlsLinkPace pace = als_session_get_pace (self, sl);

          deadline_us = MIN (deadline_us, als_link_life_get_ping_due (&sl->life, pace));
          deadline_us = MIN (deadline_us, als_session_get_death (self, sl));
        }
    }
  if (self->ended || self->current == NULL)
    return deadline_us;
  deadline_us = MIN (deadline_us, als_session_get_doubt (self));
  for (guint i = 0; i < self->channels->len && !any_work; i++)
    any_work = als_channel_has_work (g_ptr_array_index (self->channels, i), self->current->number,
                                     TRUE);
  if (any_work)
    {
      deadline_us = MIN (deadline_us, self->bucket_us + ALS_GOODPUT_INTERVAL_US);
      if (self->sync_until_us > self->now_us)
        deadline_us = MIN (deadline_us, self->sync_until_us);
      if (self->bulk_retry_us > self->now_us)
        deadline_us = MIN (deadline_us, self->bulk_retry_us);
    }
  if (self->ack_us > self->now_us)
    deadline_us = MIN (deadline_us, self->ack_us);
  return MIN (deadline_us, als_link_choice_get_deadline (
                               (AlsLinkCandidate **) self->candidates->pdata,
                               self->candidates->len, self->now_us));
}

static void
pump (AlsSession *self)
{
  for (guint i = 0; i < self->links->len; i++)
    {
      AlsSessionLink *sl = g_ptr_array_index (self->links, i);

      if (sl->ready && !sl->closed && !sl->closing)
        als_session_link_send_notices (sl);
    }
  if (self->current == NULL)
    return;
  als_session_send_notices (self, self->current);
  als_session_pump_channels (self);
}

static void
tell_writable (AlsSession *self)
{
  g_autoptr (GPtrArray) waiting = NULL;

  for (guint i = 0; i < self->channels->len; i++)
    {
      AlsChannel *channel = g_ptr_array_index (self->channels, i);

      if (channel->wants_writable && !channel->is_reset)
        {
          if (waiting == NULL)
            waiting = g_ptr_array_new_with_free_func ((GDestroyNotify) als_channel_unref);
          g_ptr_array_add (waiting, als_channel_ref (channel));
        }
    }
  for (guint i = 0; waiting != NULL && i < waiting->len; i++)
    als_channel_tell_writable (g_ptr_array_index (waiting, i));
}

void
als_session_poll (AlsSession *self, int64_t now_us)
{
  guint rounds = 0;

  g_return_if_fail (!self->polling);
  self->polling = TRUE;
  if (self->asked_us != INT64_MAX && self->asked_us > 0
      && now_us - self->asked_us > STOOD_STILL_US)
    for (guint i = 0; i < self->links->len; i++)
      als_link_life_excuse (&((AlsSessionLink *) g_ptr_array_index (self->links, i))->life,
                            now_us - self->asked_us);
  self->asked_us = INT64_MAX;
  self->now_us = now_us;
  do
    {
      self->again = FALSE;
      if (!self->ended)
        als_session_doubt_current (self);
      for (guint i = 0; i < self->links->len && !self->ended; i++)
        als_session_look_after_link (self, g_ptr_array_index (self->links, i));
      if (!self->ended)
        als_session_choose_link (self);
      als_session_reap_links (self);
      if (!self->ended)
        pump (self);
      if (!self->ended)
        tell_writable (self);
    }
  while (self->again && ++rounds < MAX_POLL_ROUNDS);
  self->polling = FALSE;
  ask (self, self->again ? now_us : get_deadline (self));
}

/* For its owner */

static void
channel_unref (gpointer data)
{
  als_channel_unref (data);
}

AlsSession *
als_session_new (const AlsSessionConfig *config, const AlsSessionEvents *events, gpointer user_data,
                 int64_t now_us)
{
  AlsSession *self = g_new0 (AlsSession, 1);

  self->config = *config;
  if (self->config.allowed_kinds == 0)
    self->config.allowed_kinds = ALS_PATH_ALL;
  if (self->config.window_bytes == 0)
    self->config.window_bytes = ALS_CHANNEL_WINDOW;
  self->config.window_bytes = CLAMP (self->config.window_bytes, ALS_SESSION_FIRST_CREDIT,
                                     ALS_CHANNEL_WINDOW);
  self->events = events;
  self->user_data = user_data;
  self->now_us = now_us;
  self->asked_us = INT64_MAX;
  self->no_path_since_us = MAX (now_us, 1);
  self->links = g_ptr_array_new_with_free_func (g_free);
  self->candidates = g_ptr_array_new ();
  self->next_number = 1;
  self->channels = g_ptr_array_new_with_free_func (channel_unref);
  self->by_id = g_hash_table_new (NULL, NULL);
  self->gone = g_array_new (FALSE, FALSE, sizeof (uint32_t));
  self->leaves = g_array_new (FALSE, FALSE, sizeof (uint32_t));
  self->window_budget = ALS_SESSION_WINDOW_BUDGET;
  als_writer_init (&self->writer, ALS_SESSION_FRAME_MAX);
  return self;
}

void
als_session_free (AlsSession *self)
{
  for (guint i = 0; i < self->links->len; i++)
    als_link_set_events (((AlsSessionLink *) g_ptr_array_index (self->links, i))->link, NULL, NULL);
  g_ptr_array_unref (self->links);
  g_ptr_array_unref (self->candidates);
  g_hash_table_unref (self->by_id);
  g_ptr_array_unref (self->channels);
  g_array_unref (self->gone);
  g_array_unref (self->leaves);
  als_writer_clear (&self->writer);
  g_free (self);
}

void
als_session_add_link (AlsSession *self, AlsLink *link)
{
  AlsSessionLink *sl = g_new0 (AlsSessionLink, 1);

  sl->session = self;
  sl->link = link;
  sl->number = sl->candidate.number = self->next_number++;
  als_link_life_init (&sl->life, self->now_us);
  g_ptr_array_add (self->links, sl);
  g_ptr_array_add (self->candidates, &sl->candidate);
  als_link_set_events (link, &als_session_link_events, sl);
  if (self->ended)
    als_session_close_link (self, sl);
  als_session_ask_poll (self);
}

void
als_session_remove_link (AlsSession *self, AlsLink *link)
{
  for (guint i = 0; i < self->links->len; i++)
    {
      AlsSessionLink *sl = g_ptr_array_index (self->links, i);

      if (sl->link == link)
        sl->removed = TRUE;
    }
  als_session_ask_poll (self);
}

gboolean
als_session_is_much_worse (AlsSession *self, AlsLink *link)
{
  for (guint i = 0; i < self->links->len; i++)
    {
      const AlsSessionLink *sl = g_ptr_array_index (self->links, i);

      if (sl->link == link)
        return sl->candidate.banned_until_us > self->now_us;
    }
  return FALSE;
}

void
als_session_set_allowed_kinds (AlsSession *self, guint kinds)
{
  self->config.allowed_kinds = kinds != 0 ? kinds : ALS_PATH_ALL;
  als_session_ask_poll (self);
}

void
als_session_finish (AlsSession *self, AlsSessionEnd end, gboolean say_goodbye)
{
  g_autoptr (GPtrArray) channels = NULL;
  AlsSessionFrame goodbye = { .type = ALS_SESSION_FRAME_GOODBYE };

  if (self->ended)
    return;
  if (end == ALS_SESSION_END_LOCAL && self->current != NULL)
    als_session_pump_channels (self); /* last words written before */
  self->ended = TRUE;
  for (guint i = 0; i < self->links->len; i++)
    {
      AlsSessionLink *sl = g_ptr_array_index (self->links, i);

      if (say_goodbye && sl->ready && !sl->closed && !sl->closing)
        als_session_link_send (sl, &goodbye);
      als_session_close_link (self, sl);
    }
  self->current = NULL;
  if (self->no_path_since_us == 0)
    self->no_path_since_us = self->now_us;
  channels = g_steal_pointer (&self->channels);
  self->channels = g_ptr_array_new_with_free_func (channel_unref);
  g_hash_table_remove_all (self->by_id);
  for (guint i = 0; i < channels->len; i++)
    ((AlsChannel *) g_ptr_array_index (channels, i))->forgotten = TRUE;
  for (guint i = 0; i < channels->len; i++)
    als_channel_tell_closed (g_ptr_array_index (channels, i), ALS_CHANNEL_SESSION_ENDED);
  if (self->events->ended != NULL)
    self->events->ended (end, self->user_data);
  als_session_ask_poll (self);
}

void
als_session_end (AlsSession *self)
{
  als_session_finish (self, ALS_SESSION_END_LOCAL, TRUE);
}

void
als_session_get_stats (AlsSession *self, AlsSessionStats *stats)
{
  *stats = (AlsSessionStats){
    .no_path_since_us = self->no_path_since_us,
    .sent_bytes = self->sent_bytes,
    .received_bytes = self->received_bytes,
    .switches = self->switches,
  };
  for (guint i = 0; i < self->links->len; i++)
    {
      AlsSessionLink *sl = g_ptr_array_index (self->links, i);

      if (sl->ready && !sl->left && !sl->closed)
        stats->n_links++;
    }
  if (self->current == NULL)
    return;
  als_session_refresh_current (self);
  stats->kind = self->current->candidate.kind;
  stats->link = self->current->link;
  stats->rtt_us = self->current->life.rtt_us;
  stats->rate = self->current_stats.rate;
  stats->queue_delay_us = self->current_stats.queue_delay_us;
}

gboolean
als_session_send_datagram (AlsSession *self, AlsDatagramKind kind, const uint8_t *data, size_t len)
{
  uint8_t bytes[ALS_DATAGRAM_MAX];

  if (self->ended || self->current == NULL || len > ALS_SESSION_DATAGRAM_MAX || len == 0)
    return FALSE;
  bytes[0] = (uint8_t) kind;
  memcpy (bytes + 1, data, len);
  self->picture_us = self->current->datagram_us = MAX (self->now_us, 1);
  return als_link_send_datagram (self->current->link, bytes, len + 1);
}

gboolean
als_session_may_send_frame (AlsSession *self)
{
  uint64_t unsent = 0;

  /* Files make way for the picture from the first question on, not from the first frame. */
  self->picture_us = MAX (self->now_us, 1);
  if (self->ended || self->current == NULL)
    return FALSE;
  als_session_refresh_current (self);
  for (guint i = 0; i < self->channels->len; i++)
    {
      AlsChannel *channel = g_ptr_array_index (self->channels, i);

      if (channel->lane != ALS_LANE_BULK)
        unsent += channel->send.written - channel->send.sent;
    }
  return self->current_stats.queue_delay_us
             + (int64_t) (unsent * G_USEC_PER_SEC / MAX (self->current_stats.rate, 1))
         < MAY_SEND_FRAME_US;
}
