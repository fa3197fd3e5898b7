/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* What goes out: frames, acknowledgements and notices, and the order in which
 * work is given to the link (design §4). */

#define G_LOG_DOMAIN "als-session"

#include "config.h"

#include "base/als-plant.h"
#include "session/als-session-private.h"

#define MS ((int64_t) 1000)
#define KIB ((size_t) 1024)

/* Design §4: cumulative acknowledgements, soon but not one for each frame. */
#define ACK_DELAY_US (20 * MS)
/* A frame takes no longer than this on the link. */
#define FRAME_US (20 * MS)
#define MIN_FRAME_DATA (1 * KIB)
/* A link is busy, for its signs of life, so long after a datagram. */
#define DATAGRAM_BUSY_US (1000 * MS)
/* While datagrams go, files leave this much of the link's queue free for them. */
#define BULK_BESIDE_DATAGRAMS_US (20 * MS)
#define BULK_RETRY_US (5 * MS)

static void
reset_writer (AlsWriter *writer)
{
  g_byte_array_set_size (writer->bytes, 0);
  writer->failed = FALSE;
}

gboolean
als_session_send_frame (AlsSession *self, AlsLink *link, AlsLane lane, const AlsSessionFrame *frame)
{
  reset_writer (&self->writer);
  als_session_frame_write (frame, &self->writer);
  g_assert (!self->writer.failed);
  return als_link_send_frame (link, lane, self->writer.bytes->data, self->writer.bytes->len);
}

gboolean
als_session_send_data (AlsSession *self, AlsLink *link, AlsChannel *channel, uint64_t offset,
                       size_t len)
{
  AlsSessionFrame frame = {
    .type = ALS_SESSION_FRAME_DATA,
    .channel = channel->id,
    .offset = offset,
  };

  reset_writer (&self->writer);
  als_session_frame_write (&frame, &self->writer);
  als_send_buffer_copy (&channel->send, offset, len, &self->writer);
  g_assert (!self->writer.failed);
  if (!als_link_send_frame (link, channel->lane, self->writer.bytes->data,
                            self->writer.bytes->len))
    return FALSE;
  if (offset == channel->send.sent)
    self->sent_bytes += len;
  return TRUE;
}

gboolean
als_session_link_send (AlsSessionLink *sl, const AlsSessionFrame *frame)
{
  if (als_link_get_room (sl->link, ALS_LANE_CONTROL) == 0)
    return FALSE;
  return als_session_send_frame (sl->session, sl->link, ALS_LANE_CONTROL, frame);
}

/* Whether CHANNEL can be acknowledged: a peer that has not heard of it must not hear of its
 * offsets. */
static gboolean
is_known (AlsChannel *channel)
{
  return !channel->is_reset && channel->open.state == ALS_NOTICE_ACKED;
}

static gboolean
send_acks (AlsSession *self, AlsSessionLink *sl, gboolean all)
{
  AlsSessionAck acks[ALS_SESSION_MAX_ACKS];
  AlsChannel *named[ALS_SESSION_MAX_ACKS];
  guint next = 0;

  if (all && als_plant ("ack-lost"))
    {
      for (guint i = 0; i < self->channels->len; i++)
        als_channel_get_ack (g_ptr_array_index (self->channels, i), &acks[0]);
      return TRUE;
    }
  for (;;)
    {
      AlsSessionFrame frame = { .type = ALS_SESSION_FRAME_ACK, .acks = acks };
      gboolean last;

      for (; next < self->channels->len && frame.n_acks < ALS_SESSION_MAX_ACKS; next++)
        {
          AlsChannel *channel = g_ptr_array_index (self->channels, next);

          if (!is_known (channel) || (!all && !channel->ack_due))
            continue;
          named[frame.n_acks] = channel;
          acks[frame.n_acks].channel = channel->id;
          acks[frame.n_acks].delivered = channel->receive.delivered;
          acks[frame.n_acks].limit = als_channel_get_grant (channel);
          acks[frame.n_acks].finished = channel->finished;
          frame.n_acks++;
        }
      last = next == self->channels->len;
      if (last && all)
        frame.type = ALS_SESSION_FRAME_SYNC;
      else if (frame.n_acks == 0)
        return TRUE;
      if (!als_session_link_send (sl, &frame))
        return FALSE;
      for (guint i = 0; i < frame.n_acks; i++)
        als_channel_get_ack (named[i], &acks[i]);
      if (last)
        return TRUE;
    }
}

static gboolean
send_gones (AlsSession *self, AlsSessionLink *sl)
{
  guint n = 0;

  while (n < self->gone->len)
    {
      AlsSessionFrame frame = {
        .type = ALS_SESSION_FRAME_GONE,
        .channel = g_array_index (self->gone, uint32_t, n),
      };

      if (!als_session_link_send (sl, &frame))
        break;
      n++;
    }
  if (n > 0)
    g_array_remove_range (self->gone, 0, n);
  return self->gone->len == 0;
}

static gboolean
send_leave (AlsSessionLink *on, uint32_t path_id)
{
  AlsSessionFrame frame = { .type = ALS_SESSION_FRAME_LEAVE, .path_id = path_id };

  return als_session_link_send (on, &frame);
}

/* What is said on a link whether we send on it or not. */
void
als_session_link_send_notices (AlsSessionLink *sl)
{
  if (sl->pong_due)
    {
      AlsSessionFrame frame = { .type = ALS_SESSION_FRAME_PONG, .cookie = sl->pong_cookie };

      sl->pong_due = !als_session_link_send (sl, &frame);
    }
  if (sl->leave_due)
    sl->leave_due = !send_leave (sl, sl->path_id);
  if (sl->sync_due)
    sl->sync_due = !send_acks (sl->session, sl, TRUE);
}

static gboolean
any_ack_is_due (AlsSession *self, gboolean now)
{
  for (guint i = 0; i < self->channels->len; i++)
    {
      AlsChannel *channel = g_ptr_array_index (self->channels, i);

      if (is_known (channel) && (now ? channel->ack_now : channel->ack_due))
        return TRUE;
    }
  return FALSE;
}

void
als_session_send_notices (AlsSession *self, AlsSessionLink *sl)
{
  while (self->leaves->len > 0
         && send_leave (sl, g_array_index (self->leaves, uint32_t, self->leaves->len - 1)))
    g_array_set_size (self->leaves, self->leaves->len - 1);
  if (any_ack_is_due (self, FALSE))
    {
      if (self->ack_us == 0)
        self->ack_us = self->now_us + ACK_DELAY_US;
      if ((self->ack_us <= self->now_us || any_ack_is_due (self, TRUE))
          && send_acks (self, sl, FALSE))
        self->ack_us = 0;
    }
  else
    self->ack_us = 0;
  send_gones (self, sl);
}

static gboolean
sends_datagrams (const AlsSession *self)
{
  return self->picture_us != 0 && self->picture_us + DATAGRAM_BUSY_US > self->now_us;
}

/* The link's own estimate may be some frames old, what it was handed is not. */
static gboolean
is_in_the_way_of_datagrams (AlsLink *link)
{
  AlsLinkStats stats;

  als_link_get_stats (link, &stats);
  return stats.queue_delay_us >= BULK_BESIDE_DATAGRAMS_US
         || stats.queued_bytes * G_USEC_PER_SEC > stats.rate * BULK_BESIDE_DATAGRAMS_US;
}

static gboolean
lane_has_room (AlsSession *self, AlsLane lane)
{
  AlsSessionLink *sl = self->current;

  if (als_link_get_room (sl->link, lane) == 0)
    return FALSE;
  if (lane == ALS_LANE_BULK && sends_datagrams (self) && is_in_the_way_of_datagrams (sl->link))
    {
      self->bulk_retry_us = self->now_us + BULK_RETRY_US;
      return FALSE;
    }
  return TRUE;
}

static gboolean
may_repeat_bulk (const AlsSession *self)
{
  return self->now_us >= self->sync_until_us;
}

/* Gives the current link what it has room for: by priority, round robin within one. */
void
als_session_pump_channels (AlsSession *self)
{
  AlsSessionLink *sl = self->current;
  uint64_t frame_bytes = self->current_stats.rate * FRAME_US / G_USEC_PER_SEC;
  size_t max_data = CLAMP (frame_bytes, MIN_FRAME_DATA, ALS_SESSION_DATA_MAX);
  gboolean waiting = FALSE;

  for (guint lane = 0; lane < ALS_N_LANES; lane++)
    {
      guint n = self->channels->len;
      gboolean progress = TRUE, room = TRUE;

      while (n > 0 && progress && room)
        {
          guint start = self->cursor[lane] % n;

          progress = FALSE;
          for (guint i = 0; i < n && room; i++)
            {
              AlsChannel *channel = g_ptr_array_index (self->channels, (start + i) % n);

              if (channel->lane != lane
                  || !als_channel_has_work (channel, sl->number, may_repeat_bulk (self)))
                continue;
              room = lane_has_room (self, lane)
                     && als_channel_send_one (channel, sl->link, sl->number, max_data,
                                              may_repeat_bulk (self));
              if (room)
                {
                  progress = TRUE;
                  self->cursor[lane] = (start + i + 1) % n;
                }
              else
                waiting = TRUE;
            }
        }
    }
  if (!waiting)
    self->bucket_starved = TRUE;
}
