/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* One channel: its two directions, each with offsets, credit and an end. Which
 * link its frames travel on, and when, is the session's. */

#define G_LOG_DOMAIN "als-session"

#include "config.h"

#include "base/als-plant.h"
#include "session/als-session-private.h"

/* What is promised to take when `writable` is called, if the window allows it. */
#define WRITABLE_BYTES (16 * 1024)
/* What came in order is acknowledged, and credit is given back, at once after so much. */
#define ACK_AFTER_BYTES (64 * 1024)

AlsChannel *
als_channel_new (AlsSession *session, gboolean ours, AlsChannelKind kind, AlsLane lane,
                 size_t window)
{
  AlsChannel *self = g_new0 (AlsChannel, 1);

  self->ref_count = 1;
  self->session = session;
  self->id = UINT32_MAX;
  self->ours = ours;
  self->kind = kind;
  self->lane = lane;
  self->open.state = ours ? ALS_NOTICE_DUE : ALS_NOTICE_ACKED;
  self->window = window;
  self->send_limit = ALS_SESSION_FIRST_CREDIT;
  self->granted = ALS_SESSION_FIRST_CREDIT;
  self->peer_final = UINT64_MAX;
  als_send_buffer_init (&self->send);
  als_receive_buffer_init (&self->receive);
  return self;
}

AlsChannel *
als_channel_ref (AlsChannel *self)
{
  self->ref_count++;
  return self;
}

void
als_channel_unref (AlsChannel *self)
{
  if (--self->ref_count > 0)
    return;
  als_send_buffer_clear (&self->send);
  als_receive_buffer_clear (&self->receive);
  g_free (self);
}

static gboolean
is_deaf (AlsChannel *self)
{
  return self->forgotten || self->is_reset;
}

/* Receiving */

static void
want_ack (AlsChannel *self, gboolean now)
{
  self->ack_due = TRUE;
  self->ack_now |= now;
  als_session_ask_poll (self->session);
}

uint64_t
als_channel_get_grant (AlsChannel *self)
{
  return MAX (self->granted, self->consumed + self->window);
}

void
als_channel_get_ack (AlsChannel *self, AlsSessionAck *ack)
{
  self->granted = als_channel_get_grant (self);
  self->acked = self->receive.delivered;
  self->ack_due = self->ack_now = FALSE;
  ack->channel = self->id;
  ack->delivered = self->receive.delivered;
  ack->limit = self->granted;
  ack->finished = self->finished;
}

/* The end of both directions. */
static void
check_over (AlsChannel *self)
{
  if (!is_deaf (self) && self->finished && self->fin.state == ALS_NOTICE_ACKED)
    {
      als_session_forget (self->session, self);
      als_channel_tell_closed (self, 0);
    }
}

static void
check_finished (AlsChannel *self)
{
  if (is_deaf (self) || self->finished || self->receive.delivered != self->peer_final)
    return;
  self->finished = TRUE;
  want_ack (self, TRUE);
  if (self->events != NULL && self->events->finished != NULL)
    self->events->finished (self, self->events_data);
  check_over (self);
}

static void
deliver (AlsChannel *self, const uint8_t *data, size_t len)
{
  self->receive.delivered += len;
  als_session_count_received (self->session, len);
  want_ack (self, self->receive.delivered - self->acked >= ACK_AFTER_BYTES);
  if (self->events != NULL && self->events->received != NULL)
    self->events->received (self, data, len, self->events_data);
  else
    als_channel_consume (self, len); /* nobody wants it */
}

gboolean
als_channel_take_data (AlsChannel *self, uint64_t offset, const uint8_t *data, size_t len)
{
  g_autoptr (AlsChannel) keep = als_channel_ref (self);
  uint64_t end = offset + len;
  GByteArray *run;
  size_t skip;

  if (end > self->granted || end > self->peer_final)
    return FALSE;
  if (is_deaf (self))
    return TRUE;
  if (end <= self->receive.delivered)
    {
      want_ack (self, FALSE); /* sent again: the acknowledgement may have been lost */
      return TRUE;
    }
  if (offset > self->receive.delivered)
    return als_receive_buffer_store (&self->receive, offset, data, len);

  skip = self->receive.delivered - offset;
  deliver (self, data + skip, len - skip);
  while (!is_deaf (self) && (run = als_receive_buffer_take (&self->receive, &skip)) != NULL)
    {
      /* In pieces as if it had come now, so that a reset takes effect between two of them. */
      while (skip < run->len && !is_deaf (self))
        {
          size_t n = MIN (run->len - skip, ALS_SESSION_DATA_MAX);

          deliver (self, run->data + skip, n);
          skip += n;
        }
      g_byte_array_unref (run);
    }
  check_finished (self);
  return TRUE;
}

gboolean
als_channel_take_fin (AlsChannel *self, uint64_t final)
{
  g_autoptr (AlsChannel) keep = als_channel_ref (self);

  if (self->peer_final != UINT64_MAX ? final != self->peer_final
                                     : final < als_receive_buffer_get_end (&self->receive)
                                           || final > self->granted)
    return FALSE;
  if (is_deaf (self))
    return TRUE;
  self->peer_final = final;
  want_ack (self, TRUE);
  check_finished (self);
  return TRUE;
}

gboolean
als_channel_take_ack (AlsChannel *self, const AlsSessionAck *ack)
{
  g_autoptr (AlsChannel) keep = als_channel_ref (self);

  self->open.state = ALS_NOTICE_ACKED;
  if (is_deaf (self))
    return TRUE;
  if (ack->delivered > self->send.sent
      || (ack->finished
          && (!self->fin.ever_sent || ack->delivered != self->send.written)))
    return FALSE;
  als_send_buffer_ack (&self->send, ack->delivered);
  self->send_limit = MAX (self->send_limit, ack->limit);
  if (ack->finished)
    self->fin.state = ALS_NOTICE_ACKED;
  check_over (self);
  return TRUE;
}

void
als_channel_take_reset (AlsChannel *self, uint32_t code)
{
  g_autoptr (AlsChannel) keep = als_channel_ref (self);

  als_session_forget (self->session, self);
  als_channel_tell_closed (self, code);
}

gboolean
als_channel_take_gone (AlsChannel *self)
{
  g_autoptr (AlsChannel) keep = als_channel_ref (self);

  if (self->is_reset)
    {
      als_session_forget (self->session, self);
      return TRUE;
    }
  /* The peer forgets a channel after both ends only; it must have told us of its own. */
  if (!self->finished || !self->fin.ever_sent || self->send.sent != self->send.written)
    return FALSE;
  als_send_buffer_ack (&self->send, self->send.sent);
  self->fin.state = ALS_NOTICE_ACKED;
  check_over (self);
  return TRUE;
}

void
als_channel_consume (AlsChannel *self, size_t len)
{
  uint64_t more;

  if (is_deaf (self))
    return;
  g_return_if_fail (len <= self->receive.delivered - self->consumed);
  self->consumed += len;
  more = als_channel_get_grant (self) - self->granted;
  if (more > 0 && !als_plant ("credit-dropped"))
    want_ack (self, more >= MIN (ACK_AFTER_BYTES, self->window / 4));
}

/* Sending */

static gboolean
repeats (AlsChannel *self, gboolean may_repeat_bulk)
{
  return may_repeat_bulk || self->lane != ALS_LANE_BULK;
}

/* Bytes never sent that may be sent now. */
static uint64_t
get_new_bytes (AlsChannel *self)
{
  uint64_t until = MIN (self->send.written, self->send_limit);

  until = MIN (until, self->send.acked + als_session_get_window (self->session));
  return until > self->send.sent ? until - self->send.sent : 0;
}

static gboolean
open_is_due (AlsChannel *self, guint number)
{
  return self->open.state == ALS_NOTICE_DUE
         || (self->open.state == ALS_NOTICE_SENT && self->open.owner != number);
}

static gboolean
fin_is_due (AlsChannel *self)
{
  return self->fin.state == ALS_NOTICE_DUE && self->send.sent == self->send.written;
}

gboolean
als_channel_has_work (AlsChannel *self, guint number, gboolean may_repeat_bulk)
{
  uint64_t offset;

  if (open_is_due (self, number))
    return self->id != UINT32_MAX || als_session_may_open (self->session);
  if (self->is_reset)
    return self->reset.state == ALS_NOTICE_DUE;
  return (repeats (self, may_repeat_bulk) && als_send_buffer_peek_lost (&self->send, &offset) > 0)
         || get_new_bytes (self) > 0 || fin_is_due (self);
}

static gboolean
send_notice (AlsChannel *self, AlsNotice *notice, AlsSessionFrameType type, AlsLink *link,
             guint number)
{
  AlsSessionFrame frame = { .type = type, .channel = self->id };

  switch (type)
    {
    case ALS_SESSION_FRAME_OPEN:
      frame.kind = (uint8_t) self->kind;
      frame.lane = (uint8_t) self->lane;
      break;

    case ALS_SESSION_FRAME_FIN:
      frame.offset = self->send.written;
      break;

    default:
      frame.code = self->reset_code;
      break;
    }
  if (!als_session_send_frame (self->session, link, self->lane, &frame))
    return FALSE;
  notice->state = ALS_NOTICE_SENT;
  notice->owner = number;
  notice->ever_sent = TRUE;
  return TRUE;
}

gboolean
als_channel_send_one (AlsChannel *self, AlsLink *link, guint number, size_t max_data,
                      gboolean may_repeat_bulk)
{
  uint64_t offset, n = 0;

  if (!als_channel_has_work (self, number, may_repeat_bulk))
    return FALSE;
  if (open_is_due (self, number))
    {
      if (self->id == UINT32_MAX)
        als_session_give_id (self->session, self);
      return send_notice (self, &self->open, ALS_SESSION_FRAME_OPEN, link, number);
    }
  if (self->is_reset)
    return send_notice (self, &self->reset, ALS_SESSION_FRAME_RESET, link, number);
  if (repeats (self, may_repeat_bulk))
    n = als_send_buffer_peek_lost (&self->send, &offset);
  if (n == 0)
    {
      offset = self->send.sent;
      n = get_new_bytes (self);
    }
  if (n == 0)
    return send_notice (self, &self->fin, ALS_SESSION_FRAME_FIN, link, number);
  n = MIN (n, max_data);
  if (!als_session_send_data (self->session, link, self, offset, n))
    return FALSE;
  als_send_buffer_mark_sent (&self->send, offset, n, number);
  return TRUE;
}

static void
lose_notice (AlsNotice *notice, guint owner)
{
  if (notice->state == ALS_NOTICE_SENT && notice->owner == owner)
    notice->state = ALS_NOTICE_DUE;
}

void
als_channel_lose (AlsChannel *self, guint owner)
{
  als_send_buffer_lose (&self->send, owner);
  lose_notice (&self->open, owner);
  lose_notice (&self->fin, owner);
  lose_notice (&self->reset, owner);
}

void
als_channel_repeat_end (AlsChannel *self)
{
  lose_notice (&self->fin, self->fin.owner);
  lose_notice (&self->reset, self->reset.owner);
}

static gboolean
notice_uses (const AlsNotice *notice, guint owner)
{
  return notice->state == ALS_NOTICE_SENT && notice->owner == owner;
}

gboolean
als_channel_uses (AlsChannel *self, guint owner)
{
  return notice_uses (&self->open, owner) || notice_uses (&self->fin, owner)
         || notice_uses (&self->reset, owner) || als_send_buffer_has_owner (&self->send, owner);
}

/* For its owner */

void
als_channel_set_events (AlsChannel *self, const AlsChannelEvents *events, gpointer user_data)
{
  self->events = events;
  self->events_data = user_data;
}

size_t
als_channel_get_room (AlsChannel *self)
{
  uint64_t unsent = self->send.written - self->send.sent;
  uint64_t unacked = self->send.written - self->send.acked;
  size_t queue = als_session_get_queue_limit (self->session);
  size_t window = als_session_get_window (self->session);

  if (is_deaf (self) || self->finishing || unsent >= queue || unacked >= window)
    return 0;
  return MIN (queue - unsent, window - unacked);
}

size_t
als_channel_write (AlsChannel *self, const void *data, size_t len)
{
  size_t n;

  if (is_deaf (self) || self->finishing)
    return 0;
  n = MIN (len, als_channel_get_room (self));
  als_send_buffer_append (&self->send, data, n);
  if (n < len)
    self->wants_writable = TRUE;
  if (n > 0)
    als_session_ask_poll (self->session);
  return n;
}

void
als_channel_tell_writable (AlsChannel *self)
{
  size_t window = als_session_get_window (self->session);

  if (!self->wants_writable || als_channel_get_room (self) < MIN (WRITABLE_BYTES, window / 4))
    return;
  self->wants_writable = FALSE;
  if (self->events != NULL && self->events->writable != NULL)
    self->events->writable (self, self->events_data);
}

void
als_channel_tell_closed (AlsChannel *self, uint32_t code)
{
  if (!self->is_reset && self->events != NULL && self->events->closed != NULL)
    self->events->closed (self, code, self->events_data);
}

void
als_channel_finish (AlsChannel *self)
{
  if (is_deaf (self) || self->finishing)
    return;
  self->finishing = TRUE;
  self->fin.state = ALS_NOTICE_DUE;
  als_session_ask_poll (self->session);
}

void
als_channel_reset (AlsChannel *self, guint32 code)
{
  g_return_if_fail (code != 0 && code != ALS_CHANNEL_SESSION_ENDED);

  if (is_deaf (self))
    return;
  self->is_reset = TRUE;
  self->reset_code = code;
  self->reset.state = ALS_NOTICE_DUE;
  /* Nobody needs the bytes any more. */
  als_send_buffer_clear (&self->send);
  als_send_buffer_init (&self->send);
  als_receive_buffer_clear (&self->receive);
  als_receive_buffer_init (&self->receive);
  if (self->id == UINT32_MAX)
    als_session_forget (self->session, self); /* the peer has never heard of it */
  else
    als_session_ask_poll (self->session);
}

AlsSession *
als_channel_get_session (AlsChannel *self)
{
  return self->session;
}

uint64_t
als_channel_get_written (AlsChannel *self)
{
  return self->send.written;
}

uint64_t
als_channel_get_acked (AlsChannel *self)
{
  return self->send.acked;
}
