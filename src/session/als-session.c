/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* The session (see als-session.h). This file holds the links, the frames and
 * the order in which work goes out; a channel's own state is als-channel.c,
 * the choice among links als-link-choice.c, their signs of life
 * als-link-life.c.
 *
 * Time passes in als_session_poll () only. What a link tells in between is
 * either dealt with at once (bytes for a channel) or noted and dealt with in
 * the poll that is asked for (whatever needs the time). */

#define G_LOG_DOMAIN "als-session"

#include "config.h"

#include "base/als-plant.h"
#include "session/als-session-private.h"

#include <string.h>

#define MS ((int64_t) 1000)
#define KIB ((size_t) 1024)

/* Design §4: cumulative acknowledgements, soon but not one for each frame. */
#define ACK_DELAY_US (20 * MS)
/* A frame takes no longer than this on the link. */
#define FRAME_US (20 * MS)
#define MIN_FRAME_DATA (1 * KIB)
/* What waits in a channel for its link. */
#define QUEUE_US (150 * MS)
#define MIN_QUEUE (64 * KIB)
#define MAX_QUEUE (4 * 1024 * KIB)
/* After a switch by choice, what the old link was given may still be acknowledged. */
#define SETTLE_RTTS 2
#define SETTLE_US (200 * MS)
/* After a death, how long repeating bulk waits for the peer to say what it has. */
#define SYNC_US (100 * MS)
#define UNKNOWN_RTT_US (200 * MS)
/* A link that was left: how long the peer's LEAVE is awaited, and then its end. */
#define LEAVE_US (1000 * MS)
#define CLOSE_US (1000 * MS)
/* A link is busy, for its signs of life, so long after a datagram. */
#define DATAGRAM_BUSY_US (1000 * MS)
/* While datagrams go, files leave this much of the link's queue free for them. */
#define BULK_BESIDE_DATAGRAMS_US (20 * MS)
#define BULK_RETRY_US (5 * MS)
/* Unsent work before a new video frame is made (design §4). */
#define MAY_SEND_FRAME_US (50 * MS)
/* A poll so much later than asked for: the process, not the peer, stood still. */
#define STOOD_STILL_US (500 * MS)
/* Channels whose OPEN may overtake one another. */
#define MAX_OPEN_GAP 1024
#define MAX_PENDING_GONE 1024
#define MAX_POLL_ROUNDS 8

G_STATIC_ASSERT (ALS_SESSION_FRAME_MAX == ALS_FRAME_MAX);
G_STATIC_ASSERT (ALS_SESSION_N_LANES == ALS_N_LANES);

typedef struct
{
  AlsSession *session;
  AlsLink *link;           /* borrowed */
  guint number;            /* from 1, never used twice */
  AlsLinkCandidate candidate;
  AlsLinkLife life;
  uint32_t path_id;
  gboolean ready;
  gboolean closed;         /* told by the link */
  gboolean closing;        /* als_link_close () was called */
  gboolean removed;        /* by als_session_remove_link () */
  gboolean left;           /* we said LEAVE, or must not use it any more */
  gboolean peer_left;
  int64_t gone_us;         /* closed or not, it is gone then; 0: unset */
  int64_t settle_us;       /* what is in flight on it is repeated elsewhere then; 0: unset */
  int64_t datagram_us;     /* the last one was given to it then */

  gboolean leave_due;
  gboolean sync_due;
  gboolean pong_due;
  uint64_t pong_cookie;
  gboolean pong_came;      /* not yet told to life */
  uint64_t came_cookie;
} SessionLink;

struct _AlsSession
{
  AlsSessionConfig config;
  const AlsSessionEvents *events;
  gpointer user_data;
  int64_t now_us;          /* of the last poll */
  int64_t asked_us;        /* what `schedule` was told last; INT64_MAX: nothing */
  gboolean polling;
  gboolean again;          /* another round of the present poll is needed */
  gboolean ended;

  GPtrArray *links;        /* (element-type SessionLink) */
  GPtrArray *candidates;   /* of the links, in the same order */
  guint next_number;
  SessionLink *current;    /* what we send on; nullable */
  AlsLinkStats current_stats;
  int64_t no_path_since_us;
  int64_t sync_until_us;   /* bulk is repeated from then on at the latest; 0: at once */
  guint switches;

  int64_t bucket_us;       /* goodput interval's start */
  uint64_t bucket_acked, bucket_sent_packets, bucket_lost_packets;
  gboolean bucket_starved; /* there was room without work in it */
  int64_t bulk_retry_us;

  GPtrArray *channels;     /* (element-type AlsChannel) in order of age */
  GHashTable *by_id;
  guint cursor[ALS_N_LANES];
  guint n_ours, n_peers;   /* with an id */
  uint32_t next_counter;
  size_t window_budget;
  uint32_t peer_floor;     /* all of the peer's counters below it were opened */
  uint8_t peer_opened[MAX_OPEN_GAP]; /* counter modulo its size, from the floor on */
  GArray *gone;            /* (element-type uint32_t) ids to say GONE for */
  int64_t ack_us;          /* acknowledgements that are due leave then; 0: none is due */
  uint64_t sent_bytes, received_bytes;
  int64_t picture_us;      /* when a video frame was asked for, or a datagram sent, last; 0: never */

  AlsWriter writer;
  GArray *leaves;          /* (element-type uint32_t) path ids to say LEAVE for on the current link */
};

static void end_session (AlsSession *self, AlsSessionEnd end, gboolean say_goodbye);

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

/* Frames out */

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

static gboolean
send_control (SessionLink *sl, const AlsSessionFrame *frame)
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
send_acks (AlsSession *self, SessionLink *sl, gboolean all)
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
      if (!send_control (sl, &frame))
        return FALSE;
      for (guint i = 0; i < frame.n_acks; i++)
        als_channel_get_ack (named[i], &acks[i]);
      if (last)
        return TRUE;
    }
}

static gboolean
send_gones (AlsSession *self, SessionLink *sl)
{
  guint n = 0;

  while (n < self->gone->len)
    {
      AlsSessionFrame frame = {
        .type = ALS_SESSION_FRAME_GONE,
        .channel = g_array_index (self->gone, uint32_t, n),
      };

      if (!send_control (sl, &frame))
        break;
      n++;
    }
  if (n > 0)
    g_array_remove_range (self->gone, 0, n);
  return self->gone->len == 0;
}

static gboolean
send_leave (SessionLink *on, uint32_t path_id)
{
  AlsSessionFrame frame = { .type = ALS_SESSION_FRAME_LEAVE, .path_id = path_id };

  return send_control (on, &frame);
}

/* What is said on a link whether we send on it or not. */
static void
send_link_notices (SessionLink *sl)
{
  if (sl->pong_due)
    {
      AlsSessionFrame frame = { .type = ALS_SESSION_FRAME_PONG, .cookie = sl->pong_cookie };

      sl->pong_due = !send_control (sl, &frame);
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

static void
send_session_notices (AlsSession *self, SessionLink *sl)
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
  SessionLink *sl = self->current;

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
static void
pump_channels (AlsSession *self)
{
  SessionLink *sl = self->current;
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

/* Channels */

static uint32_t
role_bit (const AlsSession *self, gboolean ours)
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
        return self->next_counter - (channel->id >> 1) < MAX_OPEN_GAP;
    }
  return self->next_counter < UINT32_MAX >> 2;
}

static size_t
take_window (AlsSession *self)
{
  size_t window = CLAMP (self->window_budget / 4, ALS_SESSION_FIRST_CREDIT,
                         als_session_get_window (self));

  self->window_budget -= MIN (self->window_budget, window - ALS_SESSION_FIRST_CREDIT);
  return window;
}

void
als_session_give_id (AlsSession *self, AlsChannel *channel)
{
  channel->id = ALS_SESSION_CHANNEL_ID (self->next_counter, role_bit (self, TRUE));
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
      if (self->gone->len < MAX_PENDING_GONE)
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
  channel = als_channel_new (self, TRUE, kind, lane, take_window (self));
  g_ptr_array_add (self->channels, channel);
  als_session_ask_poll (self);
  return channel;
}

/* Frames in */

static gboolean
was_opened_by_peer (const AlsSession *self, uint32_t counter)
{
  return counter < self->peer_floor
         || (counter - self->peer_floor < MAX_OPEN_GAP && self->peer_opened[counter % MAX_OPEN_GAP]);
}

/* FALSE: there never was such a channel. */
static gboolean
existed (const AlsSession *self, uint32_t id)
{
  if ((id & 1) == role_bit (self, TRUE))
    return id >> 1 < self->next_counter;
  return was_opened_by_peer (self, id >> 1);
}

static gboolean
on_open (AlsSession *self, const AlsSessionFrame *frame)
{
  uint32_t counter = frame->channel >> 1;
  AlsChannel *channel = g_hash_table_lookup (self->by_id, GUINT_TO_POINTER (frame->channel));

  if ((frame->channel & 1) != role_bit (self, FALSE))
    return FALSE;
  if (channel != NULL)
    {
      channel->ack_due = TRUE;
      return channel->kind == frame->kind && channel->lane == frame->lane;
    }
  if (was_opened_by_peer (self, counter))
    {
      if (self->gone->len < MAX_PENDING_GONE)
        g_array_append_val (self->gone, frame->channel);
      return TRUE;
    }
  if (counter - self->peer_floor >= MAX_OPEN_GAP || self->n_peers >= ALS_SESSION_MAX_PEER_CHANNELS)
    return FALSE;
  self->peer_opened[counter % MAX_OPEN_GAP] = 1;
  while (self->peer_opened[self->peer_floor % MAX_OPEN_GAP])
    self->peer_opened[self->peer_floor++ % MAX_OPEN_GAP] = 0;

  channel = als_channel_new (self, FALSE, frame->kind, frame->lane, take_window (self));
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
      if (frame->type != ALS_SESSION_FRAME_GONE && self->gone->len < MAX_PENDING_GONE)
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

static SessionLink *
find_path (AlsSession *self, uint32_t path_id)
{
  for (guint i = 0; i < self->links->len; i++)
    {
      SessionLink *sl = g_ptr_array_index (self->links, i);

      if (sl->ready && sl->path_id == path_id)
        return sl;
    }
  return NULL;
}

static gboolean
on_leave (AlsSession *self, uint32_t path_id)
{
  SessionLink *left = find_path (self, path_id);

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
on_frame (AlsSession *self, SessionLink *sl, const AlsSessionFrame *frame)
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
      send_link_notices (sl);
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
      end_session (self, ALS_SESSION_END_PEER, FALSE);
      return TRUE;

    default:
      return FALSE;
    }
}

static void
link_frame_cb (AlsLink *link, AlsLane lane, const uint8_t *data, size_t len, gpointer user_data)
{
  SessionLink *sl = user_data;
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
  end_session (self, ALS_SESSION_END_PROTOCOL, TRUE);
}

static void
link_datagram_cb (AlsLink *link, const uint8_t *data, size_t len, gpointer user_data)
{
  SessionLink *sl = user_data;
  AlsSession *self = sl->session;

  if (!self->ended && len > 1 && self->events->datagram != NULL)
    self->events->datagram (data[0], data + 1, len - 1, self->user_data);
}

static void
note_ready (SessionLink *sl)
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
  SessionLink *sl = user_data;

  note_ready (sl);
  als_session_ask_poll (sl->session);
}

static void
link_room_cb (AlsLink *link, gpointer user_data)
{
  SessionLink *sl = user_data;

  als_session_ask_poll (sl->session);
}

static void
link_closed_cb (AlsLink *link, AlsLinkEnd end, gpointer user_data)
{
  SessionLink *sl = user_data;

  sl->closed = TRUE;
  als_session_ask_poll (sl->session);
}

static const AlsLinkEvents link_events = {
  .ready = link_ready_cb,
  .frame = link_frame_cb,
  .datagram = link_datagram_cb,
  .room = link_room_cb,
  .closed = link_closed_cb,
};

/* Links */

static void
lose (AlsSession *self, SessionLink *sl)
{
  sl->settle_us = 0;
  for (guint i = 0; i < self->channels->len; i++)
    als_channel_lose (g_ptr_array_index (self->channels, i), sl->number);
}

static gboolean
is_used (AlsSession *self, const SessionLink *sl)
{
  for (guint i = 0; i < self->channels->len; i++)
    if (als_channel_uses (g_ptr_array_index (self->channels, i), sl->number))
      return TRUE;
  return FALSE;
}

static AlsLinkPace
get_pace (AlsSession *self, const SessionLink *sl)
{
  if ((sl->datagram_us != 0 && sl->datagram_us + DATAGRAM_BUSY_US > self->now_us)
      || is_used (self, sl))
    return ALS_LINK_PACE_BUSY;
  return sl == self->current ? ALS_LINK_PACE_IDLE : ALS_LINK_PACE_STANDBY;
}

/* From now on nothing new goes there. */
static void
leave (AlsSession *self, SessionLink *sl)
{
  if (sl->left)
    return;
  sl->left = TRUE;
  sl->leave_due = sl->ready;
  sl->gone_us = self->now_us + LEAVE_US;
  if (sl->ready)
    g_array_append_val (self->leaves, sl->path_id);
}

static void
close_link (AlsSession *self, SessionLink *sl)
{
  if (sl->closing)
    return;
  sl->closing = TRUE;
  sl->gone_us = self->now_us + CLOSE_US;
  if (!sl->closed)
    als_link_close (sl->link);
}

/* What happened to the links since the last poll. */
static void
look_after_link (AlsSession *self, SessionLink *sl)
{
  AlsLinkPace pace;

  if (!sl->ready && !sl->closed && als_link_get_room (sl->link, ALS_LANE_CONTROL) > 0)
    note_ready (sl);
  if (sl->pong_came)
    {
      sl->pong_came = FALSE;
      als_link_life_pong (&sl->life, sl->came_cookie, self->now_us);
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
          close_link (self, sl);
        }
      return;
    }
  if (!sl->ready)
    return;
  pace = get_pace (self, sl);
  if (als_link_life_get_death (&sl->life, pace) <= self->now_us)
    {
      g_info ("path %u (%s) gives no sign of life", sl->path_id,
              als_path_kind_to_string (sl->candidate.kind));
      leave (self, sl);
      lose (self, sl);
    }
  else if (als_link_life_get_ping_due (&sl->life, pace) <= self->now_us)
    {
      AlsSessionFrame frame = { .type = ALS_SESSION_FRAME_PING };

      frame.cookie = als_link_life_ping (&sl->life, self->now_us);
      send_control (sl, &frame);
    }
}

static void
reap_links (AlsSession *self)
{
  for (guint i = 0; i < self->links->len; i++)
    {
      SessionLink *sl = g_ptr_array_index (self->links, i);
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

static void
refresh_current (AlsSession *self)
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
use_link (AlsSession *self, SessionLink *sl)
{
  SessionLink *old = self->current;

  if (old != NULL && !old->closed)
    old->settle_us = self->now_us + SETTLE_US + SETTLE_RTTS * old->life.rtt_us
                     + self->current_stats.queue_delay_us;
  self->current = sl;
  self->no_path_since_us = sl == NULL ? self->now_us : 0;
  refresh_current (self);
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

static void
choose_link (AlsSession *self)
{
  AlsLinkCandidate **candidates = (AlsLinkCandidate **) self->candidates->pdata;
  guint n = self->candidates->len, number;
  SessionLink *chosen = NULL;

  for (guint i = 0; i < self->links->len; i++)
    {
      SessionLink *sl = g_ptr_array_index (self->links, i);

      sl->candidate.usable = sl->ready && !sl->left && !sl->closed && !sl->peer_left;
      sl->candidate.rtt_us = sl->life.rtt_us;
      sl->candidate.n_rtt_samples = sl->life.n_samples;
    }
  refresh_current (self);
  if (self->current != NULL && self->now_us >= self->bucket_us + ALS_GOODPUT_INTERVAL_US)
    note_interval (self);
  number = als_link_choice_choose (candidates, n,
                                   self->current != NULL ? self->current->number : 0,
                                   self->config.allowed_kinds, self->now_us);
  for (guint i = 0; i < self->links->len; i++)
    if (((SessionLink *) g_ptr_array_index (self->links, i))->number == number)
      chosen = g_ptr_array_index (self->links, i);
  if (chosen != self->current)
    use_link (self, chosen);
}

/* The poll */

static int64_t
get_deadline (AlsSession *self)
{
  int64_t deadline_us = INT64_MAX;
  gboolean any_work = FALSE;

  for (guint i = 0; i < self->links->len; i++)
    {
      SessionLink *sl = g_ptr_array_index (self->links, i);

      if (sl->settle_us != 0)
        deadline_us = MIN (deadline_us, sl->settle_us);
      if (sl->gone_us != 0)
        deadline_us = MIN (deadline_us, sl->gone_us);
      if (sl->ready && !sl->left && !self->ended)
        {
          AlsLinkPace pace = get_pace (self, sl);

          deadline_us = MIN (deadline_us, als_link_life_get_ping_due (&sl->life, pace));
          deadline_us = MIN (deadline_us, als_link_life_get_death (&sl->life, pace));
        }
    }
  if (self->ended || self->current == NULL)
    return deadline_us;
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
      SessionLink *sl = g_ptr_array_index (self->links, i);

      if (sl->ready && !sl->closed && !sl->closing)
        send_link_notices (sl);
    }
  if (self->current == NULL)
    return;
  send_session_notices (self, self->current);
  pump_channels (self);
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
      als_link_life_excuse (&((SessionLink *) g_ptr_array_index (self->links, i))->life,
                            now_us - self->asked_us);
  self->asked_us = INT64_MAX;
  self->now_us = now_us;
  do
    {
      self->again = FALSE;
      for (guint i = 0; i < self->links->len && !self->ended; i++)
        look_after_link (self, g_ptr_array_index (self->links, i));
      if (!self->ended)
        choose_link (self);
      reap_links (self);
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
    als_link_set_events (((SessionLink *) g_ptr_array_index (self->links, i))->link, NULL, NULL);
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
  SessionLink *sl = g_new0 (SessionLink, 1);

  sl->session = self;
  sl->link = link;
  sl->number = sl->candidate.number = self->next_number++;
  als_link_life_init (&sl->life, self->now_us);
  g_ptr_array_add (self->links, sl);
  g_ptr_array_add (self->candidates, &sl->candidate);
  als_link_set_events (link, &link_events, sl);
  if (self->ended)
    close_link (self, sl);
  als_session_ask_poll (self);
}

void
als_session_remove_link (AlsSession *self, AlsLink *link)
{
  for (guint i = 0; i < self->links->len; i++)
    {
      SessionLink *sl = g_ptr_array_index (self->links, i);

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
      const SessionLink *sl = g_ptr_array_index (self->links, i);

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

static void
end_session (AlsSession *self, AlsSessionEnd end, gboolean say_goodbye)
{
  g_autoptr (GPtrArray) channels = NULL;
  AlsSessionFrame goodbye = { .type = ALS_SESSION_FRAME_GOODBYE };

  if (self->ended)
    return;
  if (end == ALS_SESSION_END_LOCAL && self->current != NULL)
    pump_channels (self); /* last words written before */
  self->ended = TRUE;
  for (guint i = 0; i < self->links->len; i++)
    {
      SessionLink *sl = g_ptr_array_index (self->links, i);

      if (say_goodbye && sl->ready && !sl->closed && !sl->closing)
        send_control (sl, &goodbye);
      close_link (self, sl);
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
  end_session (self, ALS_SESSION_END_LOCAL, TRUE);
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
      SessionLink *sl = g_ptr_array_index (self->links, i);

      if (sl->ready && !sl->left && !sl->closed)
        stats->n_links++;
    }
  if (self->current == NULL)
    return;
  refresh_current (self);
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
  refresh_current (self);
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
