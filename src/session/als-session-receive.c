/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* What comes in: frames to channels and links. Nothing here needs the time. */

#define G_LOG_DOMAIN "als-session"

#include "config.h"

#include "session/als-session-private.h"

static gboolean
was_opened_by_peer (const AlsSession *self, uint32_t counter)
{
  return counter < self->peer_floor
         || (counter - self->peer_floor < ALS_SESSION_MAX_OPEN_GAP && self->peer_opened[counter % ALS_SESSION_MAX_OPEN_GAP]);
}

/* FALSE: there never was such a channel. */
static gboolean
existed (const AlsSession *self, uint32_t id)
{
  if ((id & 1) == als_session_role_bit (self, TRUE))
    return id >> 1 < self->next_counter;
  return was_opened_by_peer (self, id >> 1);
}

static gboolean
on_open (AlsSession *self, const AlsSessionFrame *frame)
{
  uint32_t counter = frame->channel >> 1;
  AlsChannel *channel = g_hash_table_lookup (self->by_id, GUINT_TO_POINTER (frame->channel));

  if ((frame->channel & 1) != als_session_role_bit (self, FALSE))
    return FALSE;
  if (channel != NULL)
    {
      channel->ack_due = TRUE;
      return channel->kind == frame->kind && channel->lane == frame->lane;
    }
  if (was_opened_by_peer (self, counter))
    {
      if (self->gone->len < ALS_SESSION_MAX_PENDING_GONE)
        g_array_append_val (self->gone, frame->channel);
      return TRUE;
    }
  if (counter - self->peer_floor >= ALS_SESSION_MAX_OPEN_GAP || self->n_peers >= ALS_SESSION_MAX_PEER_CHANNELS)
    return FALSE;
  self->peer_opened[counter % ALS_SESSION_MAX_OPEN_GAP] = 1;
  while (self->peer_opened[self->peer_floor % ALS_SESSION_MAX_OPEN_GAP])
    self->peer_opened[self->peer_floor++ % ALS_SESSION_MAX_OPEN_GAP] = 0;

  channel = als_channel_new (self, FALSE, frame->kind, frame->lane, als_session_take_window (self));
  channel->id = frame->channel;
  channel->ack_due = TRUE;
  self->n_peers++;
  g_ptr_array_add (self->channels, channel);
  g_hash_table_insert (self->by_id, GUINT_TO_POINTER (channel->id), channel);
  self->events->channel_opened (channel, channel->kind, self->user_data);
  return TRUE;
}

static gboolean
on_acks (AlsSession *self, const AlsSessionFrame *frame)
{
  for (guint i = 0; i < frame->n_acks && !self->ended; i++)
    {
      AlsSessionAck ack;
      AlsChannel *channel;

      als_session_frame_get_ack (frame, i, &ack);
      channel = g_hash_table_lookup (self->by_id, GUINT_TO_POINTER (ack.channel));
      if (channel != NULL ? !als_channel_take_ack (channel, &ack) : !existed (self, ack.channel))
        return FALSE;
    }
  return TRUE;
}

/* The peer says where it stands, because a link is new or gone: what it said before may be lost. A
 * channel that it has forgotten is not in its list, and the answer to our FIN or RESET was in vain:
 * ask again. */
static gboolean
on_sync (AlsSession *self, const AlsSessionFrame *frame)
{
  if (!on_acks (self, frame))
    return FALSE;
  self->sync_until_us = 0;
  for (guint i = 0; i < self->channels->len; i++)
    als_channel_repeat_end (g_ptr_array_index (self->channels, i));
  return TRUE;
}

static gboolean
on_channel_frame (AlsSession *self, const AlsSessionFrame *frame)
{
  AlsChannel *channel = g_hash_table_lookup (self->by_id, GUINT_TO_POINTER (frame->channel));

  if (channel == NULL)
    {
      if (!existed (self, frame->channel))
        return FALSE;
      /* It is over; the peer has not heard so. */
      if (frame->type != ALS_SESSION_FRAME_GONE && self->gone->len < ALS_SESSION_MAX_PENDING_GONE)
        g_array_append_val (self->gone, frame->channel);
      return TRUE;
    }
  channel->open.state = ALS_NOTICE_ACKED;
  switch (frame->type)
    {
    case ALS_SESSION_FRAME_DATA:
      return als_channel_take_data (channel, frame->offset, frame->data, frame->len);

    case ALS_SESSION_FRAME_FIN:
      return als_channel_take_fin (channel, frame->offset);

    case ALS_SESSION_FRAME_RESET:
      if (frame->code == ALS_CHANNEL_SESSION_ENDED)
        return FALSE;
      als_channel_take_reset (channel, frame->code);
      return TRUE;

    default:
      return als_channel_take_gone (channel);
    }
}

static AlsSessionLink *
find_path (AlsSession *self, uint32_t path_id)
{
  for (guint i = 0; i < self->links->len; i++)
    {
      AlsSessionLink *sl = g_ptr_array_index (self->links, i);

      if (sl->ready && sl->path_id == path_id)
        return sl;
    }
  return NULL;
}

static gboolean
on_leave (AlsSession *self, uint32_t path_id)
{
  AlsSessionLink *left = find_path (self, path_id);

  if (left != NULL && !left->peer_left)
    {
      left->peer_left = TRUE;
      /* What it gave to that link may be lost; tell it what came. A new link says so by itself. */
      if (self->current != NULL && self->current != left)
        self->current->sync_due = TRUE;
    }
  return TRUE;
}

static gboolean
on_frame (AlsSession *self, AlsSessionLink *sl, const AlsSessionFrame *frame)
{
  switch (frame->type)
    {
    case ALS_SESSION_FRAME_OPEN:
      return on_open (self, frame);

    case ALS_SESSION_FRAME_DATA:
    case ALS_SESSION_FRAME_FIN:
    case ALS_SESSION_FRAME_RESET:
    case ALS_SESSION_FRAME_GONE:
      return on_channel_frame (self, frame);

    case ALS_SESSION_FRAME_SYNC:
      return on_sync (self, frame);

    case ALS_SESSION_FRAME_ACK:
      return on_acks (self, frame);

    case ALS_SESSION_FRAME_PING:
      sl->pong_due = TRUE;
      sl->pong_cookie = frame->cookie;
      als_session_link_send_notices (sl);
      return TRUE;

    case ALS_SESSION_FRAME_PONG:
      if (frame->cookie >= sl->life.next_cookie)
        return FALSE;
      sl->pong_came = TRUE;
      sl->came_cookie = frame->cookie;
      return TRUE;

    case ALS_SESSION_FRAME_LEAVE:
      return on_leave (self, frame->path_id);

    case ALS_SESSION_FRAME_GOODBYE:
      als_session_finish (self, ALS_SESSION_END_PEER, FALSE);
      return TRUE;

    default:
      return FALSE;
    }
}

void
als_session_frame_cb (AlsLink *link, AlsLane lane, const uint8_t *data, size_t len, gpointer user_data)
{
  AlsSessionLink *sl = user_data;
  AlsSession *self = sl->session;
  g_autoptr (GError) error = NULL;
  AlsSessionFrame frame;

  if (self->ended)
    return;
  if (!als_session_frame_read (&frame, data, len, &error))
    g_info ("path %u: %s", sl->path_id, error->message);
  else if (on_frame (self, sl, &frame))
    {
      als_session_ask_poll (self);
      return;
    }
  else
    g_info ("path %u: the peer broke the protocol with frame type %d", sl->path_id,
            (int) frame.type);
  als_session_finish (self, ALS_SESSION_END_PROTOCOL, TRUE);
}

void
als_session_datagram_cb (AlsLink *link, const uint8_t *data, size_t len, gpointer user_data)
{
  AlsSessionLink *sl = user_data;
  AlsSession *self = sl->session;

  if (!self->ended && len > 1 && self->events->datagram != NULL)
    self->events->datagram (data[0], data + 1, len - 1, self->user_data);
}
