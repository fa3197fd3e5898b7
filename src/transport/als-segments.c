/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#define G_LOG_DOMAIN "als-transport"

#include "config.h"

#include "transport/als-segments.h"

#include <string.h>
#include "transport/als-min-filter.h"
#include "transport/als-mtu-search.h"
#include "transport/als-ranges.h"
#include "transport/als-rate-control.h"
#include "transport/als-segment-codec.h"
#include "transport/als-segment-stream.h"
#include "transport/als-wire.h"

/* How far a lane may run ahead of its acknowledgements; both sides agree on it. */
#define BULK_WINDOW (16 * 1024 * 1024)
#define LANE_WINDOW (1024 * 1024)
/* ... and what is kept in all, unsent included. */
#define BULK_MAX_BYTES (32 * 1024 * 1024)
#define LANE_MAX_BYTES (2 * 1024 * 1024)

#define SENT_RING_MIN 256
#define SENT_RING_MAX (32 * 1024)

/* Received numbers are remembered in so many ranges. */
#define MAX_NUMBER_RANGES 256

/* An acknowledgement leaves after so many packets or so long; more packets where many come. */
#define ACK_EVERY 4
#define ACK_EVERY_MAX 32
#define ACK_DELAY_MIN_US 1000
#define ACK_DELAY_MAX_US (5 * 1000)
#define ACK_DELAY_LAZY_US (25 * 1000)

/* RFC 8985 takes a quarter of the smallest round trip, and widens it when that was too little. */
#define REORDER_MIN_US 1000
#define REORDER_STEPS_MAX 16
#define REORDER_KEEP_US (10 * G_USEC_PER_SEC)

/* With nothing acknowledged for a while, one packet asks; doubling, up to this. */
#define ASK_DEFAULT_US (300 * 1000)
#define ASK_MAX_US (500 * 1000)
#define ASK_MAX_DEAD_US (2 * G_USEC_PER_SEC)
#define DEAD_AFTER_US (10 * G_USEC_PER_SEC)

/* Control does not wait for the window of the others, within reason. */
#define CONTROL_EXTRA_BYTES (8 * ALS_MTU_MAX)
/* A record smaller than this is not worth splitting a stream for. */
#define MIN_CHUNK_BYTES 32

/* Two clocks drift apart by a millisecond or two meanwhile. */
#define WAY_PART_US (10 * G_USEC_PER_SEC)

#define DATAGRAM_SLOTS 8
#define DATAGRAM_MAX_AGE_US (250 * 1000)
/* Until the path's rate is known, a picture's worth of datagrams may wait. */
#define DATAGRAM_STARTUP_BYTES (64 * 1024)
#define DATAGRAM_MIN_BYTES (8 * 1024)
#define MAX_PROBE_REPLIES 16

#define NO_NUMBER UINT64_MAX

typedef enum
{
  SENT_NOTHING,
  SENT_IN_FLIGHT,
  SENT_ACKED,
  SENT_LOST,
} SentState;

typedef struct
{
  uint64_t offset;
  uint32_t len;
} Chunk;

typedef struct
{
  AlsRateMark mark;
  Chunk chunks[ALS_N_LANES]; /* at most one of each lane */
  uint8_t state;             /* SentState */
  uint8_t tcp_acks;          /* bit per lane */
} Sent;

typedef struct
{
  uint16_t len;
  int64_t queued_us;
} DatagramHead;

typedef struct
{
  uint16_t id, total, got;
  uint8_t data[ALS_DATAGRAM_MAX];
} DatagramSlot;

typedef struct
{
  AlsSegments *owner;
  AlsLane lane;
  AlsStreamSender sender;
  AlsStreamReceiver receiver;
  uint8_t tcp_ack[ALS_TCP_HEADER_BYTES];
  gboolean tcp_ack_waiting;
} Lane;

struct _AlsSegments
{
  const AlsSegmentsEvents *events;
  gpointer user_data;
  gboolean started;
  AlsRateControl rate;
  AlsMtuSearch mtu;
  Lane lanes[ALS_N_LANES];

  /* Sent: entry of number N is sent[N & (capacity - 1)]. */
  Sent *sent;
  guint sent_capacity;
  uint64_t next_number;
  uint64_t floor;          /* numbers below are forgotten */
  uint64_t next_floor;
  int64_t floor_us;        /* when next_floor becomes floor */
  AlsRanges acked;         /* from floor on */
  AlsRanges settled;       /* acked or lost, from 0 on */
  guint n_in_flight;
  uint64_t n_lost;

  int64_t srtt_us, rttvar_us, latest_rtt_us;
  uint32_t way_origin_us;  /* their clock less ours, and the way there, as first seen */
  AlsMinFilter way;        /* the way there without a queue, beyond that */
  int64_t queue_us;        /* on the way there, smoothed */
  int64_t rack_sent_us, rack_rtt_us;
  uint64_t rack_number;
  int64_t loss_deadline_us;
  guint reorder_steps;
  int64_t reorder_us;      /* when the steps are forgotten */
  int64_t last_sent_us, last_heard_us;
  guint asked;             /* in a row, unanswered */
  gboolean ask_now;

  /* Received. */
  AlsRanges numbers;
  uint64_t received_floor;
  uint64_t largest;        /* + 1; 0: none */
  int64_t largest_us;
  guint unacked;           /* since the last acknowledgement */
  guint ack_every;
  int64_t acked_us;        /* when that was */
  int64_t ack_deadline_us; /* INT64_MAX: nothing to acknowledge */

  GByteArray *datagrams;   /* DatagramHead and bytes, from datagrams_at on */
  size_t datagrams_at;
  uint16_t datagram_id;
  uint16_t datagram_done;  /* bytes of the first already sent as fragments */
  DatagramSlot *slots;

  uint16_t probe_replies[MAX_PROBE_REPLIES];
  guint n_probe_replies;
};

/* Lifecycle */

AlsSegments *
als_segments_new (const AlsSegmentsEvents *events, gpointer user_data)
{
  AlsSegments *self = g_new0 (AlsSegments, 1);

  self->events = events;
  self->user_data = user_data;
  self->ack_deadline_us = INT64_MAX;
  self->loss_deadline_us = INT64_MAX;
  self->ack_every = ACK_EVERY;
  self->way = (AlsMinFilter) ALS_MIN_FILTER_INIT (WAY_PART_US);
  self->sent_capacity = SENT_RING_MIN;
  self->sent = g_new0 (Sent, self->sent_capacity);
  self->datagrams = g_byte_array_new ();
  for (guint i = 0; i < ALS_N_LANES; i++)
    {
      Lane *lane = &self->lanes[i];
      gboolean bulk = i == ALS_LANE_BULK;

      lane->owner = self;
      lane->lane = i;
      als_stream_sender_init (&lane->sender, bulk ? BULK_WINDOW : LANE_WINDOW,
                              bulk ? BULK_MAX_BYTES : LANE_MAX_BYTES);
      als_stream_receiver_init (&lane->receiver, bulk ? BULK_WINDOW : LANE_WINDOW);
    }
  return self;
}

void
als_segments_free (AlsSegments *self)
{
  for (guint i = 0; i < ALS_N_LANES; i++)
    {
      als_stream_sender_clear (&self->lanes[i].sender);
      als_stream_receiver_clear (&self->lanes[i].receiver);
    }
  als_ranges_clear (&self->acked);
  als_ranges_clear (&self->settled);
  als_ranges_clear (&self->numbers);
  g_byte_array_unref (self->datagrams);
  g_free (self->slots);
  g_free (self->sent);
  g_free (self);
}

void
als_segments_start (AlsSegments *self, int64_t rtt_us, int64_t now_us)
{
  self->started = TRUE;
  self->srtt_us = rtt_us;
  self->rttvar_us = rtt_us / 2;
  self->last_heard_us = self->last_sent_us = now_us;
  als_rate_control_init (&self->rate, rtt_us, now_us);
  als_mtu_search_init (&self->mtu, now_us);
}

/* Sent packets */

static Sent *
get_sent (AlsSegments *self, uint64_t number)
{
  return &self->sent[number & (self->sent_capacity - 1)];
}

static uint64_t
get_first_in_flight (const AlsSegments *self)
{
  const AlsRange *first = self->settled.ranges;

  return self->settled.n > 0 && first->start == 0 ? first->end : 0;
}

/* Else so much is in flight, or so long ago, that the ring is full. */
static gboolean
has_numbers (const AlsSegments *self)
{
  return self->next_number - self->floor < SENT_RING_MAX;
}

/* Packets called lost are remembered for a round trip: perhaps they were only late. */
static void
update_floor (AlsSegments *self, int64_t now_us)
{
  uint64_t oldest = get_first_in_flight (self);

  if (now_us < self->floor_us && self->next_number - self->floor < SENT_RING_MAX / 2)
    return;
  self->floor = self->next_floor;
  self->next_floor = oldest;
  self->floor_us = now_us + MAX (self->srtt_us, ACK_DELAY_LAZY_US);
  als_ranges_remove (&self->acked, 0, self->floor);
}

static void
reserve_sent (AlsSegments *self)
{
  guint capacity = self->sent_capacity;
  Sent *sent;

  if (self->next_number - self->floor < capacity || capacity >= SENT_RING_MAX)
    return;
  sent = g_new0 (Sent, capacity * 2);
  for (uint64_t number = self->floor; number < self->next_number; number++)
    sent[number & (capacity * 2 - 1)] = self->sent[number & (capacity - 1)];
  g_free (self->sent);
  self->sent = sent;
  self->sent_capacity = capacity * 2;
}

static void
settle (AlsSegments *self, uint64_t number, Sent *sent, SentState state)
{
  if (sent->state == SENT_IN_FLIGHT)
    {
      self->n_in_flight--;
      als_ranges_add (&self->settled, number, number + 1);
    }
  sent->state = state;
}

/* Puts what the packet carried back into the queues. */
static void
requeue (AlsSegments *self, Sent *sent)
{
  for (guint i = 0; i < ALS_N_LANES; i++)
    {
      Lane *lane = &self->lanes[i];

      if (sent->chunks[i].len > 0)
        als_stream_sender_lost (&lane->sender, sent->chunks[i].offset, sent->chunks[i].len);
      if (sent->tcp_acks & (1u << i))
        lane->tcp_ack_waiting = TRUE;
    }
}

static void
mark_lost (AlsSegments *self, uint64_t number, int64_t now_us)
{
  Sent *sent = get_sent (self, number);

  settle (self, number, sent, SENT_LOST);
  self->n_lost++;
  als_rate_control_lost (&self->rate, &sent->mark);
  requeue (self, sent);
  if (als_mtu_search_lost (&self->mtu, sent->mark.size, number, now_us))
    g_debug ("large packets no longer get through");
}

static void
mark_acked (AlsSegments *self, uint64_t number, int64_t now_us)
{
  Sent *sent = get_sent (self, number);
  gboolean late = sent->state == SENT_LOST;

  if (sent->state != SENT_IN_FLIGHT && !late)
    return;
  settle (self, number, sent, SENT_ACKED);
  als_rate_control_acked (&self->rate, &sent->mark, late, now_us);
  als_mtu_search_acked (&self->mtu, sent->mark.size, number);
  for (guint i = 0; i < ALS_N_LANES; i++)
    if (sent->chunks[i].len > 0)
      als_stream_sender_acked (&self->lanes[i].sender, sent->chunks[i].offset,
                               sent->chunks[i].len);
  if (late)
    {
      self->n_lost--;
      self->reorder_steps = MIN (self->reorder_steps + 1, REORDER_STEPS_MAX);
      self->reorder_us = now_us + REORDER_KEEP_US;
    }
  if (number >= self->rack_number)
    {
      self->rack_number = number;
      self->rack_sent_us = sent->mark.sent_us;
      self->rack_rtt_us = now_us - sent->mark.sent_us;
    }
}

static int64_t
get_reorder_window (AlsSegments *self, int64_t now_us)
{
  int64_t step_us = MAX (self->rate.min_rtt_us / 4, REORDER_MIN_US);

  if (now_us >= self->reorder_us)
    self->reorder_steps = 0;
  return MIN (step_us * (1 + self->reorder_steps), MAX (self->srtt_us, step_us));
}

/* A packet is lost when one sent later has arrived and it had its time, too. */
static void
detect_losses (AlsSegments *self, int64_t now_us)
{
  int64_t wait_us = self->rack_rtt_us + get_reorder_window (self, now_us);
  uint64_t from = get_first_in_flight (self), to = self->rack_number;

  self->loss_deadline_us = INT64_MAX;
  while (from < to && als_ranges_first_gap (&self->settled, &from, &to))
    {
      for (; from < to; from++)
        {
          Sent *sent = get_sent (self, from);

          if (sent->mark.sent_us + wait_us > now_us)
            {
              self->loss_deadline_us = sent->mark.sent_us + wait_us;
              return;
            }
          mark_lost (self, from, now_us);
        }
      to = self->rack_number;
    }
}

static void
update_rtt (AlsSegments *self, int64_t rtt_us)
{
  self->latest_rtt_us = rtt_us;
  if (self->srtt_us == 0)
    {
      self->srtt_us = rtt_us;
      self->rttvar_us = rtt_us / 2;
      return;
    }
  self->rttvar_us = (3 * self->rttvar_us + ABS (self->srtt_us - rtt_us)) / 4;
  self->srtt_us = (7 * self->srtt_us + rtt_us) / 8;
}

/* The queue on the way there alone, whatever stands on the way back: what the other side sends must not look
 * like a queue of ours. */
static int64_t
update_queue (AlsSegments *self, int64_t sent_us, uint32_t arrived_us, int64_t now_us)
{
  uint32_t way_us = arrived_us - (uint32_t) sent_us;
  int64_t beyond_us, queue_us;

  if (als_min_filter_get (&self->way) == INT64_MAX)
    self->way_origin_us = way_us;
  beyond_us = (int32_t) (way_us - self->way_origin_us);
  als_min_filter_add (&self->way, beyond_us, now_us);
  queue_us = beyond_us - als_min_filter_get (&self->way);
  self->queue_us = (7 * self->queue_us + queue_us) / 8;
  return queue_us;
}

static gboolean
receive_ack (AlsSegments *self, const AlsRecord *record, int64_t now_us)
{
  int32_t distance = (int32_t) (record->ranges[0].last - (uint32_t) self->next_number);
  uint64_t last, largest;
  gboolean newest_is_new = FALSE, news = FALSE;
  int64_t rtt_us = 0, queue_us = 0;

  if (distance >= 0)
    return FALSE;
  if ((uint64_t) -(int64_t) distance > self->next_number)
    return FALSE;
  largest = last = self->next_number - (uint64_t) -(int64_t) distance;
  for (guint i = 0; i < record->n_ranges; i++)
    {
      const AlsAckRange *range = &record->ranges[i];
      uint64_t below = (uint32_t) (record->ranges[0].last - range->last);
      uint64_t span = (uint32_t) (range->last - range->first);
      uint64_t from, to, end;

      if (below > largest || largest - below < self->floor)
        break;
      last = largest - below;
      end = last + 1;
      from = MAX (span > last ? 0 : last - span, self->floor);
      for (to = end; from < to && als_ranges_first_gap (&self->acked, &from, &to); to = end)
        {
          news = TRUE;
          if (to == largest + 1)
            newest_is_new = get_sent (self, largest)->state == SENT_IN_FLIGHT;
          for (uint64_t number = from; number < to; number++)
            mark_acked (self, number, now_us);
          from = to;
        }
      als_ranges_add (&self->acked, MAX (span > last ? 0 : last - span, self->floor), end);
    }
  if (!news)
    return TRUE;
  if (newest_is_new)
    {
      int64_t sent_us = get_sent (self, largest)->mark.sent_us;

      rtt_us = MAX (now_us - sent_us - (int64_t) record->delay_us, 1);
      update_rtt (self, rtt_us);
      queue_us = update_queue (self, sent_us, record->arrived_us, now_us);
    }
  self->asked = 0;
  self->ask_now = FALSE;
  self->last_heard_us = now_us;
  detect_losses (self, now_us);
  als_rate_control_finish (&self->rate, rtt_us, queue_us, now_us);
  update_floor (self, now_us);
  return TRUE;
}

static int64_t
get_ask_deadline (const AlsSegments *self)
{
  int64_t interval_us, max_us = ASK_MAX_US;

  if (self->n_in_flight == 0)
    return INT64_MAX;
  if (self->last_sent_us - self->last_heard_us > DEAD_AFTER_US)
    max_us = ASK_MAX_DEAD_US;
  interval_us = ASK_DEFAULT_US;
  if (self->srtt_us > 0)
    interval_us = self->srtt_us + MAX (4 * self->rttvar_us, 1000) + ACK_DELAY_LAZY_US;
  max_us = MAX (max_us, interval_us);
  interval_us = MIN (interval_us << MIN (self->asked, 10), max_us);
  return MAX (self->last_sent_us, self->last_heard_us) + interval_us;
}

/* Receiving */

static void
stream_cb (const uint8_t *data, size_t len, gpointer user_data)
{
  Lane *lane = user_data;

  lane->owner->events->stream (lane->lane, data, len, lane->owner->user_data);
}

static void
receive_fragment (AlsSegments *self, const AlsRecord *record)
{
  DatagramSlot *slot;

  if (self->slots == NULL)
    self->slots = g_new0 (DatagramSlot, DATAGRAM_SLOTS);
  slot = &self->slots[record->id % DATAGRAM_SLOTS];
  if (slot->id != record->id || slot->total != record->total)
    {
      slot->id = record->id;
      slot->total = record->total;
      slot->got = 0;
    }
  memcpy (slot->data + record->offset, record->data, record->len);
  /* No packet is read twice, so no byte is counted twice. */
  slot->got += record->len;
  if (slot->got < slot->total)
    return;
  slot->got = 0;
  self->events->datagram (slot->data, slot->total, self->user_data);
  slot->total = 0;
}

/* FALSE: seen before. */
static gboolean
receive_number (AlsSegments *self, const AlsPacketHeader *header, int64_t now_us)
{
  int32_t distance = (int32_t) (header->number - (uint32_t) self->largest);
  uint64_t number, floor;
  gboolean in_order;
  int64_t delay_us;

  if (distance < 0 && (uint64_t) -(int64_t) distance > self->largest)
    return FALSE;
  number = self->largest + (uint64_t) (int64_t) distance;
  if (number < self->received_floor || als_ranges_contains (&self->numbers, number))
    return FALSE;
  in_order = number == self->largest;
  als_ranges_add (&self->numbers, number, number + 1);
  if (number >= self->largest)
    {
      self->largest = number + 1;
      self->largest_us = now_us;
    }
  floor = number > header->floor ? number - header->floor : 0;
  if (header->floor < UINT16_MAX && floor > self->received_floor)
    {
      self->received_floor = floor;
      als_ranges_remove (&self->numbers, 0, floor);
    }
  if (self->numbers.n > MAX_NUMBER_RANGES)
    als_ranges_remove (&self->numbers, 0, self->numbers.ranges[0].end);

  delay_us = header->kind == ALS_PACKET_LAZY
                 ? ACK_DELAY_LAZY_US
                 : CLAMP (self->srtt_us / 8, ACK_DELAY_MIN_US, ACK_DELAY_MAX_US);
  if (header->kind == ALS_PACKET_NUMBERED)
    self->unacked++;
  if (!in_order || self->unacked >= self->ack_every)
    delay_us = 0;
  self->ack_deadline_us = MIN (self->ack_deadline_us, now_us + delay_us);
  return TRUE;
}

/* All or nothing: a packet that is not understood must not be acknowledged. */
static gboolean
check_records (AlsSegments *self, AlsReader reader, gboolean numbered)
{
  AlsRecord record;

  while (als_packet_read_record (&reader, &record))
    {
      if (record.type != ALS_RECORD_ACK && record.type != ALS_RECORD_PAD && !numbered)
        return FALSE;
      if (record.type == ALS_RECORD_STREAM)
        {
          const AlsStreamReceiver *receiver = &self->lanes[record.lane].receiver;

          if (!als_stream_receiver_allows (receiver,
                                           als_stream_receiver_expand (receiver, record.offset),
                                           record.len))
            return FALSE;
        }
    }
  return als_reader_done (&reader);
}

static gboolean
receive_records (AlsSegments *self, AlsReader *reader, int64_t now_us)
{
  AlsRecord record;

  while (als_packet_read_record (reader, &record))
    switch (record.type)
      {
      case ALS_RECORD_ACK:
        if (!receive_ack (self, &record, now_us))
          return FALSE;
        break;
      case ALS_RECORD_TCP_ACK:
        self->events->tcp_ack (record.lane, record.data, self->user_data);
        break;
      case ALS_RECORD_DATAGRAM:
        self->events->datagram (record.data, record.len, self->user_data);
        break;
      case ALS_RECORD_FRAGMENT:
        receive_fragment (self, &record);
        break;
      case ALS_RECORD_STREAM:
        {
          Lane *lane = &self->lanes[record.lane];
          uint64_t offset = als_stream_receiver_expand (&lane->receiver, record.offset);

          if (!als_stream_receiver_put (&lane->receiver, offset, record.data, record.len,
                                        stream_cb, lane))
            return FALSE;
          break;
        }
      case ALS_RECORD_PAD:
      default:
        break;
      }
  return TRUE;
}

gboolean
als_segments_receive (AlsSegments *self, const uint8_t *plain, size_t len, int64_t now_us)
{
  AlsReader reader;
  AlsPacketHeader header;

  als_reader_init (&reader, plain, len);
  if (!als_packet_read_header (&reader, &header))
    return FALSE;
  switch (header.kind)
    {
    case ALS_PACKET_NUMBERED:
    case ALS_PACKET_LAZY:
      if (!check_records (self, reader, TRUE))
        return FALSE;
      return !receive_number (self, &header, now_us) || receive_records (self, &reader, now_us);
    case ALS_PACKET_BARE:
      return check_records (self, reader, FALSE) && receive_records (self, &reader, now_us);
    case ALS_PACKET_PROBE:
      if (self->n_probe_replies < MAX_PROBE_REPLIES)
        self->probe_replies[self->n_probe_replies++] = (uint16_t) MIN (len + ALS_WIRE_OVERHEAD,
                                                                       UINT16_MAX);
      return TRUE;
    case ALS_PACKET_PROBE_REPLY:
      als_mtu_search_confirmed (&self->mtu, header.probe_size);
      return als_reader_done (&reader);
    case ALS_PACKET_CLOSE:
      self->events->closed (self->user_data);
      return TRUE;
    default:
      return FALSE;
    }
}

/* Sending */

gboolean
als_segments_append (AlsSegments *self, AlsLane lane, const uint8_t *data, size_t len)
{
  AlsStreamSender *sender = &self->lanes[lane].sender;
  uint8_t head[2] = { (uint8_t) (len >> 8), (uint8_t) len };

  g_return_val_if_fail (len > 0 && len <= UINT16_MAX, FALSE);
  if (sender->end - sender->acked_to + sizeof head + len > sender->ring.max_capacity)
    return FALSE;
  als_stream_sender_append (sender, head, sizeof head);
  return als_stream_sender_append (sender, data, len);
}

void
als_segments_set_tcp_ack (AlsSegments *self, AlsLane lane, const uint8_t *tcp_header)
{
  memcpy (self->lanes[lane].tcp_ack, tcp_header, ALS_TCP_HEADER_BYTES);
  self->lanes[lane].tcp_ack_waiting = TRUE;
}

uint64_t
als_segments_get_unsent (const AlsSegments *self, AlsLane lane)
{
  return als_stream_sender_unsent (&self->lanes[lane].sender);
}

uint64_t
als_segments_get_unsent_datagrams (const AlsSegments *self)
{
  return self->datagrams->len - self->datagrams_at;
}

uint64_t
als_segments_get_kept (const AlsSegments *self, AlsLane lane)
{
  return self->lanes[lane].sender.end - self->lanes[lane].sender.acked_to;
}

gboolean
als_segments_send_datagram (AlsSegments *self, const uint8_t *data, size_t len, int64_t now_us)
{
  DatagramHead head = { .len = (uint16_t) len, .queued_us = now_us };
  uint64_t unsent = als_segments_get_unsent_datagrams (self)
                    + als_segments_get_unsent (self, ALS_LANE_CONTROL)
                    + als_segments_get_unsent (self, ALS_LANE_CHAT);
  uint64_t limit = als_segments_get_pacing_rate (self) * ALS_LINK_QUEUE_US / G_USEC_PER_SEC;

  limit = MAX (limit, self->rate.full_pipe ? DATAGRAM_MIN_BYTES : DATAGRAM_STARTUP_BYTES);
  if (!self->started || unsent >= limit)
    return FALSE;
  /* What was sent makes place, once it is more than what waits. */
  if (self->datagrams_at > self->datagrams->len / 2)
    {
      g_byte_array_remove_range (self->datagrams, 0, (guint) self->datagrams_at);
      self->datagrams_at = 0;
    }
  g_byte_array_append (self->datagrams, (const uint8_t *) &head, sizeof head);
  g_byte_array_append (self->datagrams, data, (guint) len);
  return TRUE;
}

static void
drop_datagram (AlsSegments *self, const DatagramHead *head)
{
  self->datagrams_at += sizeof *head + head->len;
  self->datagram_done = 0;
  if (self->datagrams_at == self->datagrams->len)
    {
      g_byte_array_set_size (self->datagrams, 0);
      self->datagrams_at = 0;
    }
}

static gboolean
peek_datagram (AlsSegments *self, DatagramHead *head, int64_t now_us)
{
  while (als_segments_get_unsent_datagrams (self) > 0)
    {
      memcpy (head, self->datagrams->data + self->datagrams_at, sizeof *head);
      if (self->datagram_done > 0 || now_us - head->queued_us <= DATAGRAM_MAX_AGE_US)
        return TRUE;
      drop_datagram (self, head);
    }
  return FALSE;
}

typedef struct
{
  uint8_t *out;
  size_t len;
  size_t max;
  Sent *sent;
} Builder;

static void
put_ack (AlsSegments *self, Builder *b, int64_t now_us)
{
  AlsAckRange ranges[ALS_ACK_RANGES_MAX + 1];
  guint n = 0;

  for (guint i = self->numbers.n; i > 0 && n < G_N_ELEMENTS (ranges); i--)
    {
      const AlsRange *range = &self->numbers.ranges[i - 1];
      uint64_t first = range->start, last = range->end - 1;

      if (last - first > UINT16_MAX)
        first = last - UINT16_MAX;
      if (n > 0 && ranges[n - 1].first - (uint32_t) last - 2 > UINT16_MAX)
        break;
      if (b->len + ALS_ACK_HEADER_BYTES + (n + 1) * ALS_ACK_RANGE_BYTES > b->max)
        break;
      ranges[n++] = (AlsAckRange){ (uint32_t) first, (uint32_t) last };
    }
  /* About one a millisecond on a fast path. */
  if (self->unacked >= self->ack_every && now_us - self->acked_us < ACK_DELAY_MIN_US)
    self->ack_every = MIN (self->ack_every * 2, ACK_EVERY_MAX);
  else if (self->unacked < self->ack_every || now_us - self->acked_us > 2 * ACK_DELAY_MIN_US)
    self->ack_every = MAX (self->ack_every / 2, ACK_EVERY);
  self->acked_us = now_us;
  self->unacked = 0;
  self->ack_deadline_us = INT64_MAX;
  if (n > 0)
    b->len += als_packet_write_ack (b->out + b->len, (uint32_t) self->largest_us,
                                    (uint32_t) CLAMP (now_us - self->largest_us, 0, UINT32_MAX),
                                    ranges, n);
}

static void
put_tcp_acks (AlsSegments *self, Builder *b)
{
  for (guint i = 0; i < ALS_N_LANES; i++)
    {
      Lane *lane = &self->lanes[i];

      if (!lane->tcp_ack_waiting || b->len + ALS_TCP_ACK_RECORD_BYTES > b->max)
        continue;
      b->len += als_packet_write_tcp_ack (b->out + b->len, i, lane->tcp_ack);
      lane->tcp_ack_waiting = FALSE;
      b->sent->tcp_acks |= (uint8_t) (1u << i);
    }
}

static gboolean
put_chunk (AlsSegments *self, Builder *b, AlsLane i, uint64_t offset, size_t len)
{
  b->len += als_packet_write_stream (b->out + b->len, i, (uint32_t) offset, len);
  als_stream_sender_copy (&self->lanes[i].sender, offset, len, b->out + b->len);
  b->len += len;
  b->sent->chunks[i] = (Chunk){ offset, (uint32_t) len };
  return TRUE;
}

static gboolean
put_lane (AlsSegments *self, Builder *b, AlsLane i)
{
  AlsStreamSender *sender = &self->lanes[i].sender;
  uint64_t offset;
  size_t len;

  if (!als_stream_sender_ready (sender)
      || b->len + ALS_STREAM_HEADER_BYTES + MIN_CHUNK_BYTES > b->max)
    return FALSE;
  len = als_stream_sender_next (sender, b->max - b->len - ALS_STREAM_HEADER_BYTES, &offset);
  return put_chunk (self, b, i, offset, len);
}

/* TRUE: something was put, or the next does not fit here any more. */
static gboolean
put_datagrams (AlsSegments *self, Builder *b, int64_t now_us, gboolean *full)
{
  DatagramHead head;
  gboolean any = FALSE;

  while (peek_datagram (self, &head, now_us))
    {
      const uint8_t *data = self->datagrams->data + self->datagrams_at + sizeof head;
      size_t whole = ALS_DATAGRAM_HEADER_BYTES + head.len;
      size_t most = b->max - ALS_NUMBERED_HEADER_BYTES, room = b->max - b->len, len;

      if (self->datagram_done == 0 && whole <= room)
        {
          b->len += als_packet_write_datagram (b->out + b->len, data, head.len);
          drop_datagram (self, &head);
          any = TRUE;
          continue;
        }
      /* In one piece in the next packet, if it can be. */
      if ((self->datagram_done == 0 && whole <= most)
          || room < ALS_FRAGMENT_HEADER_BYTES + MIN_CHUNK_BYTES)
        {
          *full = TRUE;
          return any;
        }
      if (self->datagram_done == 0)
        self->datagram_id++;
      len = MIN (room - ALS_FRAGMENT_HEADER_BYTES, (size_t) (head.len - self->datagram_done));
      b->len += als_packet_write_fragment (b->out + b->len, self->datagram_id, self->datagram_done,
                                           head.len, data + self->datagram_done, len);
      self->datagram_done += (uint16_t) len;
      if (self->datagram_done == head.len)
        drop_datagram (self, &head);
      any = TRUE;
    }
  return any;
}

/* The oldest packet in flight, again: whether it arrives says what became of the rest. */
static gboolean
put_oldest (AlsSegments *self, Builder *b)
{
  Sent *oldest = get_sent (self, get_first_in_flight (self));
  gboolean any = FALSE;

  for (guint i = 0; i < ALS_N_LANES; i++)
    {
      AlsStreamSender *sender = &self->lanes[i].sender;
      uint64_t offset = MAX (oldest->chunks[i].offset, sender->acked_to);
      uint64_t end = oldest->chunks[i].offset + oldest->chunks[i].len;

      if (oldest->chunks[i].len == 0 || offset >= end
          || b->len + ALS_STREAM_HEADER_BYTES + MIN_CHUNK_BYTES > b->max)
        continue;
      any |= put_chunk (self, b, i, offset,
                        (size_t) MIN (end - offset,
                                      (uint64_t) (b->max - b->len - ALS_STREAM_HEADER_BYTES)));
    }
  for (guint i = 0; i < ALS_N_LANES; i++)
    if (oldest->tcp_acks & (1u << i))
      self->lanes[i].tcp_ack_waiting = TRUE;
  return any;
}

static size_t
build_probe (AlsSegments *self, uint8_t *out, AlsSegmentsPacket *packet, int64_t now_us)
{
  uint32_t size;

  /* After all the data that may go now. */
  if (now_us < als_mtu_search_get_deadline (&self->mtu))
    return 0;
  size = als_mtu_search_poll (&self->mtu, self->srtt_us, als_segments_get_rate (self), now_us);
  if (size == 0)
    return 0;
  als_rate_control_charge (&self->rate, size, now_us);
  memset (out, 0, size - ALS_WIRE_OVERHEAD);
  out[0] = ALS_PACKET_PROBE;
  packet->alone = TRUE;
  return size - ALS_WIRE_OVERHEAD;
}

static gboolean
is_control_ready (const AlsSegments *self)
{
  return als_stream_sender_ready (&self->lanes[ALS_LANE_CONTROL].sender) && has_numbers (self)
         && self->rate.inflight < self->rate.cwnd + CONTROL_EXTRA_BYTES;
}

static gboolean
is_anything_ready (const AlsSegments *self)
{
  return has_numbers (self)
         && (als_stream_sender_ready (&self->lanes[ALS_LANE_CONTROL].sender)
             || als_stream_sender_ready (&self->lanes[ALS_LANE_CHAT].sender)
             || als_segments_get_unsent_datagrams (self) > 0
             || als_stream_sender_ready (&self->lanes[ALS_LANE_BULK].sender));
}

size_t
als_segments_build (AlsSegments *self, uint8_t *out, AlsSegmentsPacket *packet, int64_t now_us)
{
  Sent fresh = { .state = SENT_IN_FLIGHT };
  Builder b = { .out = out, .sent = &fresh };
  AlsPacketHeader header = { .kind = ALS_PACKET_BARE };
  gboolean window = als_rate_control_has_window (&self->rate);
  gboolean paced = als_rate_control_get_when (&self->rate) <= now_us;
  gboolean ack = self->ack_deadline_us <= now_us;
  gboolean control, open, ready, eager = FALSE, tcp_acks = FALSE, full = FALSE;

  *packet = (AlsSegmentsPacket){ .number = NO_NUMBER };
  if (!self->started)
    return 0;
  if (self->n_probe_replies > 0)
    {
      header.kind = ALS_PACKET_PROBE_REPLY;
      header.probe_size = self->probe_replies[--self->n_probe_replies];
      return als_packet_write_header (out, &header);
    }
  ready = is_anything_ready (self);
  if (!ready && window)
    als_rate_control_app_limited (&self->rate);
  if (self->n_in_flight == 0 || !has_numbers (self))
    self->ask_now = FALSE;
  control = is_control_ready (self);
  open = ready && window && paced;
  for (guint i = 0; i < ALS_N_LANES; i++)
    tcp_acks |= self->lanes[i].tcp_ack_waiting && has_numbers (self);
  if (!ack && !control && !open && !self->ask_now
      && !(tcp_acks && self->ack_deadline_us == INT64_MAX))
    return build_probe (self, out, packet, now_us);
  reserve_sent (self);

  b.max = self->mtu.size - ALS_WIRE_OVERHEAD;
  /* Perhaps the silence is because the path swallows large packets. */
  if (self->ask_now && self->asked > 1)
    b.max = ALS_MTU_BASE - ALS_WIRE_OVERHEAD;
  b.len = ALS_NUMBERED_HEADER_BYTES;
  if (self->ack_deadline_us != INT64_MAX)
    put_ack (self, &b, now_us);
  if (self->ask_now)
    {
      put_oldest (self, &b);
      eager = TRUE;
      self->ask_now = FALSE;
    }
  else
    {
      if (control)
        eager |= put_lane (self, &b, ALS_LANE_CONTROL);
      if (open)
        {
          eager |= put_lane (self, &b, ALS_LANE_CHAT);
          eager |= put_datagrams (self, &b, now_us, &full);
          if (!full)
            eager |= put_lane (self, &b, ALS_LANE_BULK);
        }
    }
  if (tcp_acks)
    put_tcp_acks (self, &b);

  if (!eager && fresh.tcp_acks == 0)
    {
      /* The acknowledgement alone, moved to where a shorter header ends. */
      size_t records = b.len - ALS_NUMBERED_HEADER_BYTES;

      if (records == 0)
        return 0;
      memmove (out + ALS_BARE_HEADER_BYTES, out + ALS_NUMBERED_HEADER_BYTES, records);
      als_packet_write_header (out, &header);
      als_rate_control_charge (&self->rate, (uint32_t) records + ALS_WIRE_OVERHEAD, now_us);
      return ALS_BARE_HEADER_BYTES + records;
    }
  header.kind = eager ? ALS_PACKET_NUMBERED : ALS_PACKET_LAZY;
  header.number = (uint32_t) self->next_number;
  header.floor = (uint16_t) MIN (self->next_number - self->floor, UINT16_MAX);
  als_packet_write_header (out, &header);
  als_rate_control_sent (&self->rate, &fresh.mark, (uint32_t) (b.len + ALS_WIRE_OVERHEAD), now_us);
  packet->number = self->next_number++;
  *get_sent (self, packet->number) = fresh;
  self->n_in_flight++;
  self->last_sent_us = now_us;
  return b.len;
}

void
als_segments_refused (AlsSegments *self, const AlsSegmentsPacket *packet)
{
  Sent *sent;

  if (packet->number == NO_NUMBER)
    return;
  sent = get_sent (self, packet->number);
  if (sent->state != SENT_IN_FLIGHT)
    return;
  settle (self, packet->number, sent, SENT_NOTHING);
  als_rate_control_unsent (&self->rate, &sent->mark);
  requeue (self, sent);
}

/* Time */

void
als_segments_poll (AlsSegments *self, int64_t now_us)
{
  if (!self->started)
    return;
  if (self->loss_deadline_us <= now_us)
    {
      detect_losses (self, now_us);
      als_rate_control_finish (&self->rate, 0, 0, now_us);
    }
  if (get_ask_deadline (self) <= now_us && !self->ask_now && has_numbers (self))
    {
      self->ask_now = TRUE;
      self->asked++;
    }
}

int64_t
als_segments_get_deadline (const AlsSegments *self)
{
  int64_t deadline_us = MIN (self->ack_deadline_us, self->loss_deadline_us);

  if (!self->started)
    return INT64_MAX;
  if (self->n_probe_replies > 0 || is_control_ready (self))
    return 0;
  if (self->ack_deadline_us == INT64_MAX && has_numbers (self))
    for (guint i = 0; i < ALS_N_LANES; i++)
      if (self->lanes[i].tcp_ack_waiting)
        return 0;
  if (has_numbers (self))
    deadline_us = MIN (deadline_us, get_ask_deadline (self));
  deadline_us = MIN (deadline_us, als_mtu_search_get_deadline (&self->mtu));
  if (is_anything_ready (self) && als_rate_control_has_window (&self->rate))
    deadline_us = MIN (deadline_us, als_rate_control_get_wake_up (&self->rate));
  return deadline_us;
}

uint64_t
als_segments_get_rate (const AlsSegments *self)
{
  return als_rate_control_get_rate (&self->rate);
}

uint64_t
als_segments_get_pacing_rate (const AlsSegments *self)
{
  return (uint64_t) MAX (self->rate.pacing_rate, self->rate.bandwidth);
}

void
als_segments_get_stats (const AlsSegments *self, AlsLinkStats *stats)
{
  stats->rtt_us = self->srtt_us;
  stats->min_rtt_us = self->rate.min_rtt_us;
  stats->queue_delay_us = self->queue_us;
  stats->lost_packets = self->n_lost;
  stats->mtu = self->mtu.size;
}

void
als_segments_get_window (const AlsSegments *self, uint64_t *inflight, uint64_t *cwnd)
{
  *inflight = self->rate.inflight;
  *cwnd = self->rate.cwnd;
}
