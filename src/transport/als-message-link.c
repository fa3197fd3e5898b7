/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* A sealed message holds items, each of one byte of type and what follows:
 *
 *   ACK       u64 bytes of sealed messages received ever, u32 µs since the last of them
 *   DATAGRAM  u16 length, bytes
 *   FRAME     u16 length, bytes: a frame of a lane, or its last piece
 *   PIECE     u16 length, bytes: a piece of a frame, more follow
 *
 * Over a byte stream each sealed message is a record (AlsRecordStream), several of
 * them are handed down at once, and the window is all that limits what is under
 * way: the connection below has its own congestion control, but it would fill
 * whatever queue the path has, and everything would wait in it.
 *
 * Every sealed message counts for the acknowledgement, one that only acknowledges
 * too; but only content, or much of anything, calls for an answer. So what is under
 * way is known exactly, and two silent sides stay silent. */

#define G_LOG_DOMAIN "als-transport"

#include "config.h"

#include "transport/als-message-link.h"

#include <sodium.h>
#include <string.h>

#include "base/als-bytes.h"
#include "base/als-token-bucket.h"
#include "transport/als-message-window.h"
#include "transport/als-record-stream.h"
#include "transport/als-wire.h"

/* Largest plain message, and the time on the wire that one may take; the design allows 20 ms. */
#define MAX_RECORD_BYTES (16 * 1024)
#define MIN_RECORD_BYTES 1280
#define RECORD_US (10 * 1000)
/* At least so many make a window: each tells one round trip, and a start is judged by a few of them. */
#define WINDOW_RECORDS 8

/* Records of a stream that are handed down together; each as long as one, in time. */
#define MAX_BATCH_BYTES (128 * 1024)

/* Where nobody states one: as much as a session keeps unacknowledged. */
#define DEFAULT_BACKLOG_BYTES (16 * 1024 * 1024)
/* Of the backlog, kept free for acknowledgements. */
#define ACK_RESERVE_BYTES (4 * 1024)

/* The relay counts more than we do (frames around our messages). */
#define RATE_SHARE 0.97
#define BURST_US (10 * 1000)
/* How far control may run ahead of the bucket. */
#define CONTROL_DEBT_BYTES 2048

#define ACK_DELAY_US (25 * 1000)
#define ACK_BYTES (4 * 1024)
/* An acknowledgement later than this says nothing about the round trip. */
#define MAX_SAMPLE_DELAY_US (100 * 1000)

#define MIN_ROOM_BYTES 1024
/* What chat and control may have waiting, however much bulk does. */
#define CHAT_EXTRA_BYTES (2 * 1024)
#define CONTROL_EXTRA_BYTES (4 * 1024)

/* A picture comes at once and may be larger than 50 ms: what comes this soon after its first
 * datagram is taken up to so much, and then nothing more until it has left. */
#define DATAGRAM_BURST_US (10 * 1000)
#define MAX_DATAGRAM_BURST_BYTES (192 * 1024)
#define MAX_DATAGRAM_AGE_US (1 * G_USEC_PER_SEC)
/* After this long behind datagrams, chat and files get a quarter of the next message. */
#define MAX_STARVED_US (100 * 1000)

#define RETRY_US (20 * 1000)
#define CLOSE_US (200 * 1000)

#define UNKNOWN_RATE (128 * 1024)

enum
{
  ITEM_ACK = 1,
  ITEM_DATAGRAM = 2,
  ITEM_FRAME = 0x10, /* and lane */
  ITEM_PIECE = 0x20, /* and lane */
};

#define LANE_MASK 0x0f
#define ACK_ITEM_BYTES (1 + 8 + 4)
#define ITEM_HEADER_BYTES (1 + 2)
#define MAX_SEALED_BYTES (MAX_RECORD_BYTES + ACK_ITEM_BYTES + ALS_WIRE_OVERHEAD)

typedef enum
{
  STATE_HELLO,
  STATE_READY,
  STATE_CLOSING, /* what is queued may leave until close_us */
  STATE_CLOSED,
} State;

typedef struct
{
  GList link;        /* in its queue; data is the item */
  int64_t queued_us; /* the first poll with it, whose clock can be trusted; INT64_MAX: not yet */
  size_t len;
  size_t sent;
  uint8_t data[];
} Queued;

typedef struct
{
  GQueue items;
  size_t bytes;      /* not yet sent */
} Queue;

typedef struct
{
  AlsLink parent;
  AlsWire *wire;
  AlsLinkOutput output;
  gpointer output_data;
  AlsPathKind kind;
  gboolean lan;
  gboolean is_stream;
  AlsRecordStream records;
  uint64_t rate_limit;    /* 0: none */
  size_t backlog_limit;   /* of what is no acknowledgement */
  State state;
  AlsLinkEnd end;         /* decided, told by the next poll */
  gboolean ended;
  gboolean busy;          /* in an upcall: a poll waits for the caller's own */
  int64_t now_us;
  int64_t close_us;       /* CLOSING: INT64_MAX before the first poll in it */

  Queue lanes[ALS_N_LANES];
  Queue datagrams;
  int64_t low_served_us;  /* when chat or bulk last left */
  gboolean room_came;

  uint8_t *packet;        /* sealed, of a stream several records; given to the output, or refused by it */
  size_t packet_len;      /* 0: none was refused */
  int64_t packet_us;      /* when the first of it was sealed */
  int64_t retry_us;
  AlsTokenBucket bucket;

  AlsMessageWindow window;

  uint64_t received_bytes; /* of sealed messages, ever */
  uint64_t reported_bytes; /* in our last acknowledgement */
  int64_t received_us;     /* the last one */
  int64_t ack_due_us;      /* INT64_MAX: not due */
  GByteArray *partial[ALS_N_LANES]; /* a frame's pieces so far */
} AlsMessageLink;

/* --- queues --- */

static void
queue_push (Queue *queue, const uint8_t *data, size_t len)
{
  Queued *item = g_malloc (sizeof *item + len);

  item->link = (GList){ .data = item };
  item->queued_us = INT64_MAX;
  item->len = len;
  item->sent = 0;
  memcpy (item->data, data, len);
  g_queue_push_tail_link (&queue->items, &item->link);
  queue->bytes += len;
}

static Queued *
queue_head (Queue *queue)
{
  return queue->items.head != NULL ? queue->items.head->data : NULL;
}

static void
queue_drop_head (Queue *queue)
{
  Queued *item = queue_head (queue);

  queue->bytes -= item->len - item->sent;
  g_queue_unlink (&queue->items, &item->link);
  g_free (item);
}

static void
queue_clear (Queue *queue)
{
  while (queue_head (queue) != NULL)
    queue_drop_head (queue);
}

static void
queue_stamp (Queue *queue, int64_t now_us)
{
  for (GList *l = queue->items.tail; l != NULL; l = l->prev)
    {
      Queued *item = l->data;

      if (item->queued_us != INT64_MAX)
        return;
      item->queued_us = now_us;
    }
}

static int64_t
queue_age (Queue *queue, int64_t now_us)
{
  Queued *item = queue_head (queue);

  return item != NULL && item->queued_us != INT64_MAX ? now_us - item->queued_us : 0;
}

/* --- rates and room --- */

static uint64_t
get_rate (AlsMessageLink *self)
{
  uint64_t limit = (uint64_t) (self->rate_limit * RATE_SHARE);
  uint64_t shown = als_message_window_get_rate (&self->window);

  if (shown == 0)
    return limit != 0 ? limit : UNKNOWN_RATE;
  return limit != 0 ? MIN (limit, shown) : shown;
}

static size_t
bytes_in (AlsMessageLink *self, int64_t duration_us)
{
  return (size_t) (get_rate (self) * (double) duration_us / G_USEC_PER_SEC);
}

/* The bucket follows the stated rate and what the window shows. */
static void
set_pace (AlsMessageLink *self)
{
  double rate = self->rate_limit * RATE_SHARE;
  double shown = als_message_window_get_pacing_rate (&self->window);

  if (shown > 0)
    rate = rate > 0 ? MIN (rate, shown) : shown;
  else if (rate <= 0)
    rate = UNKNOWN_RATE;
  als_token_bucket_set_rate (&self->bucket, rate,
                             MAX (rate * BURST_US / G_USEC_PER_SEC, MIN_RECORD_BYTES),
                             self->now_us);
}

static size_t
get_queued (AlsMessageLink *self)
{
  size_t bytes = self->packet_len + self->datagrams.bytes;

  for (guint i = 0; i < ALS_N_LANES; i++)
    bytes += self->lanes[i].bytes;
  return bytes;
}

static size_t
left_of (size_t limit, size_t used)
{
  return limit > used ? limit - used : 0;
}

static size_t
message_link_get_room (AlsLink *link, AlsLane lane)
{
  AlsMessageLink *self = (AlsMessageLink *) link;
  size_t limit, queued = get_queued (self);

  if (self->state != STATE_READY)
    return 0;
  limit = MAX (bytes_in (self, ALS_LINK_QUEUE_US), MIN_ROOM_BYTES);
  switch (lane)
    {
    case ALS_LANE_CONTROL:
      return MAX (left_of (limit + CONTROL_EXTRA_BYTES, queued),
                  left_of (CONTROL_EXTRA_BYTES, self->lanes[ALS_LANE_CONTROL].bytes));
    case ALS_LANE_CHAT:
      return MAX (left_of (limit, queued),
                  left_of (CHAT_EXTRA_BYTES, self->lanes[ALS_LANE_CHAT].bytes));
    default:
      return left_of (limit, queued);
    }
}

static gboolean
message_link_send_frame (AlsLink *link, AlsLane lane, const uint8_t *data, size_t len)
{
  AlsMessageLink *self = (AlsMessageLink *) link;

  if (message_link_get_room (link, lane) == 0)
    return FALSE;
  queue_push (&self->lanes[lane], data, len);
  return TRUE;
}

static gboolean
message_link_send_datagram (AlsLink *link, const uint8_t *data, size_t len)
{
  AlsMessageLink *self = (AlsMessageLink *) link;

  if (self->state != STATE_READY)
    return FALSE;
  if (self->datagrams.bytes + len > bytes_in (self, ALS_LINK_QUEUE_US)
      && (queue_age (&self->datagrams, self->now_us) > DATAGRAM_BURST_US
          || self->datagrams.bytes + len > MAX_DATAGRAM_BURST_BYTES))
    return FALSE;
  queue_push (&self->datagrams, data, len);
  return TRUE;
}

/* --- sending --- */

/* Where the next sealed bytes go. */
static uint8_t *
packet_end (AlsMessageLink *self)
{
  return self->packet + self->packet_len + (self->is_stream ? ALS_RECORD_HEADER_BYTES : 0);
}

static void
packet_add (AlsMessageLink *self, size_t len)
{
  if (self->packet_len == 0)
    self->packet_us = self->now_us;
  if (self->is_stream)
    {
      als_record_write_header (self->packet + self->packet_len, len);
      self->packet_len += ALS_RECORD_HEADER_BYTES;
    }
  self->packet_len += len;
}

/* TRUE when nothing is in the way of the next packet. */
static gboolean
flush_packet (AlsMessageLink *self)
{
  AlsPacket packet = { self->packet, self->packet_len };

  if (self->packet_len == 0)
    return TRUE;
  if (self->output (&packet, 1, self->output_data) == 0)
    {
      self->retry_us = self->now_us + RETRY_US;
      return FALSE;
    }
  self->packet_len = 0;
  return TRUE;
}

static void
send_wire_packets (AlsMessageLink *self)
{
  size_t len;

  while (flush_packet (self)
         && (len = als_wire_poll (self->wire, packet_end (self), self->now_us)) > 0)
    packet_add (self, len);
}

static void
put_ack (AlsMessageLink *self, AlsWriter *writer)
{
  als_writer_u8 (writer, ITEM_ACK);
  als_writer_u64 (writer, self->received_bytes);
  als_writer_u32 (writer, (uint32_t) MIN (self->now_us - self->received_us, UINT32_MAX));
}

/* As much of a lane as LEFT takes; returns the bytes of frames. */
static size_t
put_lane (AlsMessageLink *self, AlsLane lane, AlsWriter *writer, size_t left)
{
  Queue *queue = &self->lanes[lane];
  size_t put = 0;

  while (queue_head (queue) != NULL && left > ITEM_HEADER_BYTES)
    {
      Queued *item = queue_head (queue);
      size_t n = MIN (item->len - item->sent, left - ITEM_HEADER_BYTES);
      gboolean whole = n == item->len - item->sent;

      als_writer_u8 (writer, (uint8_t) ((whole ? ITEM_FRAME : ITEM_PIECE) | lane));
      als_writer_blob (writer, item->data + item->sent, n);
      item->sent += n;
      queue->bytes -= n;
      left -= n + ITEM_HEADER_BYTES;
      put += n;
      if (whole)
        queue_drop_head (queue);
    }
  return put;
}

static void
put_datagrams (AlsMessageLink *self, AlsWriter *writer, size_t left)
{
  Queued *item;

  while ((item = queue_head (&self->datagrams)) != NULL && item->len + ITEM_HEADER_BYTES <= left)
    {
      als_writer_u8 (writer, ITEM_DATAGRAM);
      als_writer_blob (writer, item->data, item->len);
      left -= item->len + ITEM_HEADER_BYTES;
      queue_drop_head (&self->datagrams);
    }
}

static size_t
get_record_bytes (AlsMessageLink *self)
{
  size_t limit = als_message_window_get_limit (&self->window) / WINDOW_RECORDS;

  return CLAMP (MIN (bytes_in (self, RECORD_US), limit), MIN_RECORD_BYTES, MAX_RECORD_BYTES);
}

static gboolean
has_low (AlsMessageLink *self)
{
  return self->lanes[ALS_LANE_CHAT].bytes > 0 || self->lanes[ALS_LANE_BULK].bytes > 0;
}

/* TRUE: chat and files have waited behind datagrams for long. */
static gboolean
is_low_starved (AlsMessageLink *self)
{
  int64_t waited_us = MAX (queue_age (&self->lanes[ALS_LANE_CHAT], self->now_us),
                           queue_age (&self->lanes[ALS_LANE_BULK], self->now_us));

  return MIN (waited_us, self->now_us - self->low_served_us) > MAX_STARVED_US;
}

/* Control, then datagrams, then chat, then files. */
static size_t
put_content (AlsMessageLink *self, AlsWriter *writer, size_t limit, gboolean control_only)
{
  size_t start = writer->bytes->len, frames, low;
  size_t datagram_limit = limit;

#define LEFT(of) left_of ((of), writer->bytes->len - start)
  frames = put_lane (self, ALS_LANE_CONTROL, writer, limit);
  if (control_only)
    return frames;
  if (is_low_starved (self))
    datagram_limit = limit / 4 * 3;
  put_datagrams (self, writer, LEFT (datagram_limit));
  low = put_lane (self, ALS_LANE_CHAT, writer, LEFT (limit));
  low += put_lane (self, ALS_LANE_BULK, writer, LEFT (limit));
#undef LEFT
  if (low > 0)
    self->low_served_us = self->now_us;
  return frames + low;
}

static gboolean
is_ack_due (AlsMessageLink *self)
{
  return self->now_us >= self->ack_due_us;
}

/* How far below zero the bucket may be for control to go on. */
static double
get_control_debt (AlsMessageLink *self)
{
  return get_record_bytes (self) + ALS_WIRE_OVERHEAD + CONTROL_DEBT_BYTES;
}

typedef enum
{
  MAY_NOTHING,
  MAY_CONTROL,
  MAY_ALL,
} May;

/* What the bucket and the bytes under way allow now, in messages of up to *LIMIT plain bytes. */
static May
what_may_leave (AlsMessageLink *self, size_t *limit)
{
  size_t in_flight = als_message_window_get_in_flight (&self->window);
  size_t left = left_of (self->backlog_limit, in_flight + ALS_WIRE_OVERHEAD + ACK_ITEM_BYTES);
  double tokens;

  als_token_bucket_take (&self->bucket, 0, self->now_us);
  tokens = self->bucket.tokens;
  *limit = MIN (get_record_bytes (self), left);
  if (*limit < MIN_RECORD_BYTES || tokens < -get_control_debt (self))
    return MAY_NOTHING;
  return tokens < 0 || in_flight >= als_message_window_get_limit (&self->window)
           ? MAY_CONTROL : MAY_ALL;
}

static gboolean
has_something_for (AlsMessageLink *self, May may)
{
  if (may == MAY_NOTHING)
    return FALSE;
  return self->lanes[ALS_LANE_CONTROL].bytes > 0
         || (may == MAY_ALL && (self->datagrams.bytes > 0 || has_low (self)));
}

static void
send_message (AlsMessageLink *self, May may, size_t limit)
{
  g_auto (AlsWriter) writer = { 0 };
  size_t frames = 0, len;

  als_writer_init (&writer, MAX_RECORD_BYTES + ACK_ITEM_BYTES);
  if (self->received_bytes != self->reported_bytes)
    {
      put_ack (self, &writer);
      self->reported_bytes = self->received_bytes;
      self->ack_due_us = INT64_MAX;
    }
  if (may != MAY_NOTHING)
    frames = put_content (self, &writer, limit, may == MAY_CONTROL);
  len = als_wire_seal (self->wire, writer.bytes->data, writer.bytes->len, packet_end (self),
                       self->now_us);
  packet_add (self, len);
  als_message_window_sent (&self->window, len, frames, self->now_us);
  als_token_bucket_force (&self->bucket, len, self->now_us);
}

static void
look_at_queues (AlsMessageLink *self)
{
  for (guint i = 0; i < ALS_N_LANES; i++)
    queue_stamp (&self->lanes[i], self->now_us);
  queue_stamp (&self->datagrams, self->now_us);
  while (queue_age (&self->datagrams, self->now_us) > MAX_DATAGRAM_AGE_US)
    queue_drop_head (&self->datagrams);
}

/* Another message may be added to the packet. */
static gboolean
packet_has_room (AlsMessageLink *self)
{
  if (!self->is_stream)
    return FALSE;
  return self->packet_len < MIN (bytes_in (self, RECORD_US), MAX_BATCH_BYTES);
}

static void
send_messages (AlsMessageLink *self)
{
  gboolean more = flush_packet (self);

  look_at_queues (self);
  while (more)
    {
      size_t limit;
      May may = what_may_leave (self, &limit);

      if (!has_something_for (self, may))
        may = MAY_NOTHING;
      if (get_queued (self) == self->packet_len)
        als_message_window_starved (&self->window);
      if (may == MAY_NOTHING && !is_ack_due (self))
        break;
      if (may != MAY_NOTHING)
        self->room_came = TRUE;
      send_message (self, may, limit);
      more = packet_has_room (self) || flush_packet (self);
    }
  if (more)
    flush_packet (self);
}

/* --- receiving --- */

static void
end_link (AlsMessageLink *self, AlsLinkEnd end)
{
  if (self->ended || self->state == STATE_CLOSED)
    return;
  self->ended = TRUE;
  self->end = end;
}

static gboolean
receive_ack (AlsMessageLink *self, AlsReader *reader)
{
  uint64_t total = als_reader_u64 (reader);
  uint32_t delay_us = als_reader_u32 (reader);

  if (reader->failed)
    return FALSE;
  if (!als_message_window_acked (&self->window, total,
                                 delay_us <= MAX_SAMPLE_DELAY_US ? (int64_t) delay_us : -1,
                                 self->now_us))
    return FALSE;
  set_pace (self);
  return TRUE;
}

static gboolean
receive_frame (AlsMessageLink *self, uint8_t type, AlsReader *reader)
{
  guint lane = type & LANE_MASK;
  gboolean more = (type & ~LANE_MASK) == ITEM_PIECE;
  GByteArray *partial;
  const uint8_t *data;
  size_t len;

  data = als_reader_blob (reader, ALS_FRAME_MAX, &len);
  if (data == NULL || len == 0 || lane >= ALS_N_LANES)
    return FALSE;
  partial = self->partial[lane];
  if (partial->len + len > ALS_FRAME_MAX)
    return FALSE;
  if (more || partial->len > 0)
    {
      g_byte_array_append (partial, data, (guint) len);
      data = partial->data;
      len = partial->len;
    }
  if (!more && self->parent.events != NULL)
    self->parent.events->frame (&self->parent, lane, data, len, self->parent.events_data);
  if (!more)
    g_byte_array_set_size (partial, 0);
  return TRUE;
}

static gboolean
receive_datagram (AlsMessageLink *self, AlsReader *reader)
{
  size_t len;
  const uint8_t *data = als_reader_blob (reader, ALS_DATAGRAM_MAX, &len);

  if (data == NULL || len == 0)
    return FALSE;
  if (self->parent.events != NULL)
    self->parent.events->datagram (&self->parent, data, len, self->parent.events_data);
  return TRUE;
}

/* FALSE: authenticated nonsense. *CONTENT: something calls for an acknowledgement. */
static gboolean
receive_items (AlsMessageLink *self, const uint8_t *plain, size_t len, gboolean *content)
{
  AlsReader reader;
  gboolean ok = TRUE;

  als_reader_init (&reader, plain, len);
  *content = FALSE;
  while (ok && als_reader_left (&reader) > 0)
    {
      uint8_t type = als_reader_u8 (&reader);

      if (type == ITEM_ACK)
        ok = receive_ack (self, &reader);
      else if (type == ITEM_DATAGRAM)
        ok = receive_datagram (self, &reader);
      else if ((type & ~LANE_MASK) == ITEM_FRAME || (type & ~LANE_MASK) == ITEM_PIECE)
        ok = receive_frame (self, type, &reader);
      else
        ok = FALSE;
      *content |= type != ITEM_ACK;
    }
  return ok && als_reader_done (&reader);
}

/* What came makes no sense, and nobody with the keys said it. */
static void
end_broken (AlsMessageLink *self)
{
  end_link (self, als_wire_is_keyed (self->wire) ? ALS_LINK_END_CARRIER
                                                 : ALS_LINK_END_HELLO_FAILED);
}

static void
receive_message (AlsMessageLink *self, const uint8_t *data, size_t len)
{
  const uint8_t *plain;
  gboolean content;
  size_t plain_len;

  if (als_wire_receive (self->wire, data, len, self->now_us, &plain, &plain_len) != ALS_WIRE_PLAIN)
    {
      if (als_wire_is_broken (self->wire))
        end_broken (self);
      return;
    }
  self->received_bytes += len;
  self->received_us = self->now_us;
  self->busy = TRUE;
  if (!receive_items (self, plain, plain_len, &content))
    end_link (self, ALS_LINK_END_PROTOCOL);
  self->busy = FALSE;
  if (self->received_bytes - self->reported_bytes >= ACK_BYTES)
    self->ack_due_us = self->now_us;
  else if (content)
    self->ack_due_us = MIN (self->ack_due_us, self->now_us + ACK_DELAY_US);
}

/* Before the keys a record is a hello or an answer to it, or it is a stranger's. */
static void
limit_records (AlsMessageLink *self)
{
  self->records.max_bytes = als_wire_is_keyed (self->wire) ? MAX_SEALED_BYTES : ALS_WIRE_MAX_CLEAR;
}

static void
receive_bytes (AlsMessageLink *self, const uint8_t *data, size_t len)
{
  const uint8_t *record;
  size_t record_len;

  als_record_stream_feed (&self->records, data, len);
  while (limit_records (self),
         (record = als_record_stream_next (&self->records, &record_len)) != NULL)
    if (!self->ended)
      receive_message (self, record, record_len);
  if (self->records.failed)
    end_broken (self);
}

static void
message_link_receive (AlsLink *link, const uint8_t *data, size_t len, int64_t now_us)
{
  AlsMessageLink *self = (AlsMessageLink *) link;

  if (self->state == STATE_CLOSED || self->ended)
    return;
  self->now_us = MAX (self->now_us, now_us);
  if (self->is_stream)
    receive_bytes (self, data, len);
  else
    receive_message (self, data, len);
}

/* --- the rest of a link --- */

static void
close_now (AlsMessageLink *self, AlsLinkEnd end)
{
  const AlsLinkEvents *events = g_steal_pointer (&self->parent.events);

  self->state = STATE_CLOSED;
  self->ended = FALSE;
  for (guint i = 0; i < ALS_N_LANES; i++)
    queue_clear (&self->lanes[i]);
  queue_clear (&self->datagrams);
  self->packet_len = 0;
  if (events != NULL && events->closed != NULL)
    events->closed (&self->parent, end, self->parent.events_data);
}

static void
become_ready (AlsMessageLink *self)
{
  self->state = STATE_READY;
  als_message_window_set_rtt (&self->window, als_wire_get_rtt (self->wire), self->now_us);
  set_pace (self);
  if (self->parent.events != NULL && self->parent.events->ready != NULL)
    self->parent.events->ready (&self->parent, self->parent.events_data);
}

static void
step (AlsMessageLink *self)
{
  send_wire_packets (self);
  if (als_wire_has_failed (self->wire))
    end_link (self, ALS_LINK_END_HELLO_FAILED);
  if (self->ended)
    {
      close_now (self, self->end);
      return;
    }
  if (self->state == STATE_HELLO && als_wire_is_ready (self->wire))
    become_ready (self);
  if (als_wire_is_keyed (self->wire))
    send_messages (self);
  if (self->state == STATE_CLOSING && self->close_us == INT64_MAX)
    self->close_us = self->now_us + CLOSE_US;
  if (self->state == STATE_CLOSING && (get_queued (self) == 0 || self->now_us >= self->close_us))
    {
      close_now (self, ALS_LINK_END_CLOSED);
      return;
    }
  while (self->room_came && self->state == STATE_READY)
    {
      self->room_came = FALSE;
      if (self->parent.events != NULL && self->parent.events->room != NULL)
        self->parent.events->room (&self->parent, self->parent.events_data);
      /* What was given by that is not to wait for the next poll. */
      send_messages (self);
    }
}

static void
message_link_poll (AlsLink *link, int64_t now_us)
{
  AlsMessageLink *self = (AlsMessageLink *) link;

  if (self->busy || self->state == STATE_CLOSED)
    return;
  self->now_us = MAX (self->now_us, now_us);
  self->busy = TRUE;
  step (self);
  self->busy = FALSE;
}

/* When the bucket lets the next thing go that waits for it. */
static int64_t
get_bucket_deadline (AlsMessageLink *self)
{
  size_t limit;
  May may = what_may_leave (self, &limit);
  gboolean control = self->lanes[ALS_LANE_CONTROL].bytes > 0;
  gboolean other = self->datagrams.bytes > 0 || has_low (self);
  double wanted = 0;

  if ((!control && !other) || limit < MIN_RECORD_BYTES)
    return INT64_MAX;
  if (has_something_for (self, may))
    return 0;
  if (!control && als_message_window_get_in_flight (&self->window)
                    >= als_message_window_get_limit (&self->window))
    return INT64_MAX;
  if (control)
    wanted = -get_control_debt (self);
  /* Rounded up, so that it is there by then. */
  return self->now_us + 1
         + (int64_t) ((wanted - self->bucket.tokens) / self->bucket.rate * G_USEC_PER_SEC);
}

static int64_t
message_link_get_deadline (AlsLink *link)
{
  AlsMessageLink *self = (AlsMessageLink *) link;
  int64_t deadline_us;

  if (self->state == STATE_CLOSED)
    return INT64_MAX;
  if (self->ended)
    return 0;
  deadline_us = als_wire_get_deadline (self->wire);
  if (self->state == STATE_CLOSING)
    deadline_us = MIN (deadline_us, get_queued (self) == 0 || self->close_us == INT64_MAX
                                      ? 0 : self->close_us);
  if (self->packet_len > 0)
    return self->retry_us; /* nothing goes past a refused packet */
  if (self->state == STATE_HELLO && als_wire_is_ready (self->wire))
    return 0;
  deadline_us = MIN (deadline_us, self->ack_due_us);
  if (self->datagrams.bytes > 0)
    deadline_us = MIN (deadline_us, self->now_us + MAX_DATAGRAM_AGE_US + 1
                                      - queue_age (&self->datagrams, self->now_us));
  if (als_wire_is_keyed (self->wire))
    deadline_us = MIN (deadline_us, get_bucket_deadline (self));
  return deadline_us;
}

static void
message_link_get_stats (AlsLink *link, AlsLinkStats *stats)
{
  AlsMessageLink *self = (AlsMessageLink *) link;
  size_t ahead = self->packet_len + self->datagrams.bytes + self->lanes[ALS_LANE_CONTROL].bytes;
  int64_t age_us = MAX (queue_age (&self->datagrams, self->now_us),
                        queue_age (&self->lanes[ALS_LANE_CONTROL], self->now_us));

  /* Nothing goes past what was refused, nor, on a stream, past what is stuck further down. */
  if (self->packet_len > 0)
    age_us = MAX (age_us, self->now_us - self->packet_us);
  if (self->is_stream)
    age_us = MAX (age_us, als_message_window_get_late (&self->window, self->now_us) - ACK_DELAY_US);

  *stats = (AlsLinkStats){
    .kind = self->kind,
    .lan = self->lan,
    .path_id = als_wire_get_path_id (self->wire),
    .rtt_us = self->window.srtt_us,
    .min_rtt_us = als_message_window_get_min_rtt (&self->window),
    .rate = get_rate (self),
    .queued_bytes = get_queued (self),
    .acked_bytes = self->window.acked_frame_bytes,
  };
  /* Files here do not count: whatever matters goes past them. */
  stats->queue_delay_us = MAX ((int64_t) (ahead * (double) G_USEC_PER_SEC / stats->rate), age_us);
}

static void
message_link_widened (AlsLink *link)
{
  AlsMessageLink *self = (AlsMessageLink *) link;

  als_message_window_widened (&self->window);
  set_pace (self);
}

static void
message_link_close (AlsLink *link)
{
  AlsMessageLink *self = (AlsMessageLink *) link;

  if (self->state == STATE_HELLO)
    end_link (self, ALS_LINK_END_CLOSED);
  if (self->state != STATE_READY)
    return;
  self->state = STATE_CLOSING;
  self->close_us = INT64_MAX; /* until the next poll, whose clock can be trusted */
}

static void
message_link_free (AlsLink *link)
{
  AlsMessageLink *self = (AlsMessageLink *) link;

  for (guint i = 0; i < ALS_N_LANES; i++)
    {
      queue_clear (&self->lanes[i]);
      g_byte_array_unref (self->partial[i]);
    }
  queue_clear (&self->datagrams);
  als_message_window_clear (&self->window);
  als_record_stream_clear (&self->records);
  als_wire_free (self->wire);
  g_free (self->packet);
  g_free (self);
}

static const AlsLinkClass message_link_class = {
  .free = message_link_free,
  .receive = message_link_receive,
  .poll = message_link_poll,
  .get_deadline = message_link_get_deadline,
  .get_room = message_link_get_room,
  .send_frame = message_link_send_frame,
  .send_datagram = message_link_send_datagram,
  .get_stats = message_link_get_stats,
  .close = message_link_close,
  .widened = message_link_widened,
};

AlsLink *
als_message_link_new (const AlsLinkConfig *config, AlsLinkOutput output, gpointer output_data,
                      int64_t now_us)
{
  AlsMessageLink *self = g_new0 (AlsMessageLink, 1);
  size_t backlog = config->backlog_limit != 0 ? (size_t) config->backlog_limit
                                              : DEFAULT_BACKLOG_BYTES;

  self->parent.klass = &message_link_class;
  self->wire = als_wire_new (config, now_us);
  self->output = output;
  self->output_data = output_data;
  self->kind = config->kind;
  self->lan = config->lan;
  self->rate_limit = config->rate_limit;
  /* One message has to fit in any case. */
  self->backlog_limit = MAX (left_of (backlog, ACK_RESERVE_BYTES), 2 * MIN_RECORD_BYTES);
  self->now_us = self->low_served_us = now_us;
  self->retry_us = self->ack_due_us = INT64_MAX;
  self->is_stream = config->carrier == ALS_CARRIER_STREAM;
  als_record_stream_init (&self->records, ALS_WIRE_MAX_CLEAR);
  self->packet = g_malloc ((self->is_stream ? MAX_BATCH_BYTES + ALS_RECORD_HEADER_BYTES : 0)
                           + MAX_SEALED_BYTES);
  for (guint i = 0; i < ALS_N_LANES; i++)
    self->partial[i] = g_byte_array_new ();
  als_message_window_init (&self->window, self->backlog_limit);
  als_token_bucket_init (&self->bucket, UNKNOWN_RATE, MIN_RECORD_BYTES, now_us);
  set_pace (self);
  return &self->parent;
}
