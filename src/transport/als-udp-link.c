/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#define G_LOG_DOMAIN "als-transport"

#include "config.h"

#include "transport/als-udp-link.h"

#include <string.h>
#include "transport/als-lane-tcp.h"
#include "transport/als-mtu-search.h"
#include "transport/als-segment-codec.h"
#include "transport/als-segments.h"
#include "transport/als-wire.h"

#define BATCH_PACKETS 64
/* A full socket buffer is asked again after this. */
#define REFUSED_REST_US 1000
/* Control may be given so much beyond what bulk sees. */
#define CONTROL_EXTRA_ROOM (4 * 1024)
/* als_link_close (): so long for what is queued, then so many CLOSE packets. */
#define CLOSE_DRAIN_US (1 * G_USEC_PER_SEC)
#define CLOSE_REPEATS 3
#define CLOSE_SPACING_US (30 * 1000)
#define WIRE_CONTROL_BYTES 512

typedef enum
{
  STATE_HELLO,
  STATE_OPEN,
  STATE_DRAINING, /* closing: what is queued still leaves */
  STATE_LEAVING,  /* CLOSE is being said */
  STATE_CLOSED,
} State;

typedef struct
{
  AlsLink parent;
  AlsLinkConfig config;
  AlsLinkOutput output;
  gpointer output_data;
  State state;
  AlsWire *wire;
  AlsSegments *segments;
  AlsLaneTcp *lanes[ALS_N_LANES];
  int64_t now_us;          /* of the call being served */

  gboolean dirty;          /* something was given since the last poll */
  gboolean room_wanted;    /* the queue was over half full: say when it is not */
  gboolean nonsense;
  gboolean heard_close;
  gboolean polling;
  int64_t refused_until_us;
  int64_t drain_end_us;
  int64_t next_close_us;
  guint closes_said;

  uint8_t *batch;
  size_t batch_len;
  AlsPacket packets[BATCH_PACKETS];
  AlsSegmentsPacket numbers[BATCH_PACKETS];
  guint n_packets;
} AlsUdpLink;

static const char *const state_names[] = { "hello", "open", "draining", "leaving", "closed" };

static void
set_state (AlsUdpLink *self, State state)
{
  g_debug ("path %u: %s to %s", self->config.path_id, state_names[self->state],
           state_names[state]);
  self->state = state;
}

static void
end (AlsUdpLink *self, AlsLinkEnd reason)
{
  const AlsLinkEvents *events = self->parent.events;

  if (self->state == STATE_CLOSED)
    return;
  set_state (self, STATE_CLOSED);
  self->parent.events = NULL;
  if (events != NULL && events->closed != NULL)
    events->closed (&self->parent, reason, self->parent.events_data);
}

/* From the layers below */

static void
stream_cb (AlsLane lane, const uint8_t *data, size_t len, gpointer user_data)
{
  AlsUdpLink *self = user_data;

  if (!self->nonsense && !als_lane_tcp_feed (self->lanes[lane], data, len))
    self->nonsense = TRUE;
}

static void
tcp_ack_cb (AlsLane lane, const uint8_t *tcp_header, gpointer user_data)
{
  AlsUdpLink *self = user_data;

  if (!self->nonsense && !als_lane_tcp_feed_ack (self->lanes[lane], tcp_header))
    self->nonsense = TRUE;
}

static void
datagram_cb (const uint8_t *data, size_t len, gpointer user_data)
{
  AlsUdpLink *self = user_data;
  const AlsLinkEvents *events = self->parent.events;

  if (events != NULL && events->datagram != NULL && self->state == STATE_OPEN)
    events->datagram (&self->parent, data, len, self->parent.events_data);
}

static void
close_cb (gpointer user_data)
{
  AlsUdpLink *self = user_data;

  self->heard_close = TRUE;
}

static gboolean
tcp_packet_cb (AlsLane lane, const uint8_t *data, size_t len, gboolean ack, gpointer user_data)
{
  AlsUdpLink *self = user_data;

  if (!ack)
    return als_segments_append (self->segments, lane, data, len);
  als_segments_set_tcp_ack (self->segments, lane, data);
  return TRUE;
}

static void
frame_cb (AlsLane lane, const uint8_t *data, size_t len, gpointer user_data)
{
  AlsUdpLink *self = user_data;
  const AlsLinkEvents *events = self->parent.events;

  if (events != NULL && events->frame != NULL)
    events->frame (&self->parent, lane, data, len, self->parent.events_data);
}

static const AlsSegmentsEvents segments_events = { stream_cb, tcp_ack_cb, datagram_cb, close_cb };
static const AlsLaneTcpEvents tcp_events = { tcp_packet_cb, frame_cb };

/* Room */

/* Bytes of frames not sent yet that go before, or with, those of LANE. */
static uint64_t
get_unsent (const AlsUdpLink *self, AlsLane lane)
{
  uint64_t unsent = 0;

  for (guint i = 0; i <= lane; i++)
    unsent += als_lane_tcp_get_unsent (self->lanes[i])
              + als_segments_get_unsent (self->segments, i);
  if (lane == ALS_LANE_BULK)
    unsent += als_segments_get_unsent_datagrams (self->segments);
  return unsent;
}

static uint64_t
get_limit (const AlsUdpLink *self, AlsLane lane)
{
  uint64_t limit = als_segments_get_pacing_rate (self->segments) * ALS_LINK_QUEUE_US
                   / G_USEC_PER_SEC;

  return MAX (limit, ALS_FRAME_MAX) + (lane == ALS_LANE_CONTROL ? CONTROL_EXTRA_ROOM : 0);
}

static size_t
udp_link_get_room (AlsLink *link, AlsLane lane)
{
  AlsUdpLink *self = (AlsUdpLink *) link;
  uint64_t unsent, limit;

  if (self->state != STATE_OPEN)
    return 0;
  unsent = get_unsent (self, lane);
  limit = get_limit (self, lane);
  if (unsent >= limit / 2)
    self->room_wanted = TRUE;
  return unsent < limit ? (size_t) (limit - unsent) : 0;
}

static void
tell_room (AlsUdpLink *self)
{
  const AlsLinkEvents *events = self->parent.events;

  if (!self->room_wanted || self->state != STATE_OPEN
      || get_unsent (self, ALS_LANE_BULK) >= get_limit (self, ALS_LANE_BULK) / 2)
    return;
  self->room_wanted = FALSE;
  if (events != NULL && events->room != NULL)
    events->room (&self->parent, self->parent.events_data);
}

/* Packets out */

static void
put_batch (AlsUdpLink *self)
{
  guint taken;

  if (self->n_packets == 0)
    return;
  taken = self->output (self->packets, self->n_packets, self->output_data);
  /* The largest is just not carried here; ordinary ones may go a moment later. */
  if (taken < self->n_packets && !(self->n_packets == 1 && self->numbers[0].alone))
    self->refused_until_us = self->now_us + REFUSED_REST_US;
  for (guint i = taken; i < self->n_packets; i++)
    als_segments_refused (self->segments, &self->numbers[i]);
  self->n_packets = 0;
  self->batch_len = 0;
}

/* Seals a packet into the batch. */
static gboolean
put_packet (AlsUdpLink *self, const uint8_t *plain, size_t len, const AlsSegmentsPacket *packet)
{
  uint8_t *out;
  size_t sealed;

  if (packet->alone)
    put_batch (self);
  out = self->batch + self->batch_len;
  sealed = als_wire_seal (self->wire, plain, len, out, self->now_us);
  if (sealed == 0)
    return FALSE;
  self->packets[self->n_packets] = (AlsPacket){ out, sealed };
  self->numbers[self->n_packets++] = *packet;
  self->batch_len += sealed;
  if (packet->alone || self->n_packets == BATCH_PACKETS)
    put_batch (self);
  return TRUE;
}

static void
send_segments (AlsUdpLink *self)
{
  uint8_t plain[ALS_MTU_MAX];
  AlsSegmentsPacket packet;
  size_t len;

  while (self->now_us >= self->refused_until_us
         && (len = als_segments_build (self->segments, plain, &packet, self->now_us)) > 0)
    {
      g_assert (len + ALS_WIRE_OVERHEAD <= ALS_MTU_MAX);
      if (!put_packet (self, plain, len, &packet))
        {
          als_segments_refused (self->segments, &packet);
          self->refused_until_us = self->now_us + REFUSED_REST_US;
          break;
        }
    }
  put_batch (self);
}

static void
send_wire_control (AlsUdpLink *self)
{
  uint8_t out[WIRE_CONTROL_BYTES];
  size_t len;

  while ((len = als_wire_poll (self->wire, out, self->now_us)) > 0)
    {
      AlsPacket packet = { out, len };

      self->output (&packet, 1, self->output_data);
    }
}

/* Hello and goodbye */

static void
open_link (AlsUdpLink *self)
{
  const AlsLinkEvents *events = self->parent.events;

  als_segments_start (self->segments, als_wire_get_rtt (self->wire), self->now_us);
  for (guint i = 0; i < ALS_N_LANES; i++)
    als_lane_tcp_start (self->lanes[i]);
  set_state (self, STATE_OPEN);
  if (events != NULL && events->ready != NULL)
    events->ready (&self->parent, self->parent.events_data);
}

static gboolean
is_drained (const AlsUdpLink *self)
{
  for (guint i = 0; i < ALS_N_LANES; i++)
    if (!als_lane_tcp_is_done (self->lanes[i]))
      return FALSE;
  return TRUE;
}

static void
say_close (AlsUdpLink *self)
{
  const uint8_t plain[1] = { ALS_PACKET_CLOSE };
  const AlsSegmentsPacket packet = { .number = UINT64_MAX };

  put_packet (self, plain, sizeof plain, &packet);
  put_batch (self);
  self->closes_said++;
  self->next_close_us = self->now_us + CLOSE_SPACING_US;
}

static void
advance_close (AlsUdpLink *self)
{
  if (self->state == STATE_DRAINING && (is_drained (self) || self->now_us >= self->drain_end_us))
    {
      set_state (self, STATE_LEAVING);
      self->next_close_us = self->now_us;
    }
  if (self->state != STATE_LEAVING || self->now_us < self->next_close_us)
    return;
  if (self->closes_said < CLOSE_REPEATS)
    say_close (self);
  if (self->closes_said == CLOSE_REPEATS)
    end (self, ALS_LINK_END_CLOSED);
}

static void
udp_link_close (AlsLink *link)
{
  AlsUdpLink *self = (AlsUdpLink *) link;

  if (self->state == STATE_HELLO)
    {
      end (self, ALS_LINK_END_CLOSED);
    }
  else if (self->state == STATE_OPEN)
    {
      set_state (self, STATE_DRAINING);
      self->drain_end_us = self->now_us + CLOSE_DRAIN_US;
      self->dirty = TRUE;
    }
}

/* The machine's face */

static void
udp_link_receive (AlsLink *link, const uint8_t *data, size_t len, int64_t now_us)
{
  AlsUdpLink *self = (AlsUdpLink *) link;
  const uint8_t *plain;
  size_t plain_len;

  self->now_us = MAX (self->now_us, now_us);
  if (self->state == STATE_CLOSED
      || als_wire_receive (self->wire, data, len, self->now_us, &plain, &plain_len)
             != ALS_WIRE_PLAIN)
    return;
  /* Not before `ready`: the other side repeats it. */
  if (self->state == STATE_HELLO && als_wire_is_ready (self->wire))
    open_link (self);
  if (self->state == STATE_HELLO && plain_len > 0 && plain[0] != ALS_PACKET_CLOSE)
    return;
  if (!als_segments_receive (self->segments, plain, plain_len, self->now_us))
    self->nonsense = TRUE;
  if (self->nonsense)
    {
      g_debug ("path %u: nonsense from the other side", self->config.path_id);
      if (self->state != STATE_HELLO)
        say_close (self);
      end (self, ALS_LINK_END_PROTOCOL);
    }
  else if (self->heard_close)
    {
      end (self, ALS_LINK_END_CLOSED);
    }
}

static void
udp_link_poll (AlsLink *link, int64_t now_us)
{
  AlsUdpLink *self = (AlsUdpLink *) link;

  /* Upcalls from here may get back to here. */
  if (self->polling)
    return;
  self->now_us = MAX (self->now_us, now_us);
  if (self->state == STATE_CLOSED)
    return;
  self->polling = TRUE;
  send_wire_control (self);
  if (als_wire_has_failed (self->wire))
    end (self, ALS_LINK_END_HELLO_FAILED);
  else if (self->state == STATE_HELLO && als_wire_is_ready (self->wire))
    open_link (self);

  if (self->state == STATE_OPEN || self->state == STATE_DRAINING)
    {
      als_segments_poll (self->segments, self->now_us);
      /* Twice: `room` lets the session give more. */
      for (guint i = 0; i < 2 && self->state != STATE_CLOSED; i++)
        {
          self->dirty = FALSE;
          for (guint lane = 0; lane < ALS_N_LANES; lane++)
            if (!als_lane_tcp_flush (self->lanes[lane],
                                     als_segments_get_kept (self->segments, lane)))
              self->nonsense = TRUE;
          send_segments (self);
          tell_room (self);
          if (!self->dirty)
            break;
        }
    }
  if (self->nonsense)
    end (self, ALS_LINK_END_PROTOCOL);
  advance_close (self);
  self->polling = FALSE;
}

static int64_t
udp_link_get_deadline (AlsLink *link)
{
  AlsUdpLink *self = (AlsUdpLink *) link;
  int64_t deadline_us;

  if (self->state == STATE_CLOSED)
    return INT64_MAX;
  if (self->dirty)
    return self->refused_until_us;
  deadline_us = als_segments_get_deadline (self->segments);
  deadline_us = MAX (deadline_us, self->refused_until_us);
  if (self->state == STATE_DRAINING)
    deadline_us = MIN (deadline_us, self->drain_end_us);
  else if (self->state == STATE_LEAVING)
    deadline_us = self->next_close_us;
  return MIN (deadline_us, als_wire_get_deadline (self->wire));
}

static gboolean
udp_link_send_frame (AlsLink *link, AlsLane lane, const uint8_t *data, size_t len)
{
  AlsUdpLink *self = (AlsUdpLink *) link;

  if (udp_link_get_room (link, lane) == 0)
    return FALSE;
  als_lane_tcp_put_frame (self->lanes[lane], data, len);
  self->dirty = TRUE;
  udp_link_get_room (link, lane);
  return TRUE;
}

static gboolean
udp_link_send_datagram (AlsLink *link, const uint8_t *data, size_t len)
{
  AlsUdpLink *self = (AlsUdpLink *) link;

  if (self->state != STATE_OPEN
      || !als_segments_send_datagram (self->segments, data, len, self->now_us))
    return FALSE;
  self->dirty = TRUE;
  return TRUE;
}

static void
udp_link_get_stats (AlsLink *link, AlsLinkStats *stats)
{
  AlsUdpLink *self = (AlsUdpLink *) link;
  uint64_t rate;

  *stats = (AlsLinkStats){
    .kind = self->config.kind,
    .lan = self->config.lan,
    .path_id = als_wire_get_path_id (self->wire),
  };
  als_segments_get_stats (self->segments, stats);
  if (stats->mtu == 0)
    return; /* no hello yet, or never */
  /* What is left of a packet for frames. */
  rate = als_segments_get_rate (self->segments);
  stats->rate = rate * (stats->mtu - ALS_WIRE_OVERHEAD - ALS_NUMBERED_HEADER_BYTES
                        - ALS_STREAM_HEADER_BYTES) / stats->mtu;
  stats->queued_bytes = get_unsent (self, ALS_LANE_BULK);
  if (rate > 0)
    stats->queue_delay_us += (int64_t) (stats->queued_bytes * G_USEC_PER_SEC / rate);
  for (guint i = 0; i < ALS_N_LANES; i++)
    stats->acked_bytes += als_lane_tcp_get_acked (self->lanes[i]);
}

static void
udp_link_free (AlsLink *link)
{
  AlsUdpLink *self = (AlsUdpLink *) link;

  for (guint i = 0; i < ALS_N_LANES; i++)
    als_lane_tcp_free (self->lanes[i]);
  als_segments_free (self->segments);
  als_wire_free (self->wire);
  g_free (self->batch);
  g_free (self);
}

static const AlsLinkClass udp_link_class = {
  .free = udp_link_free,
  .receive = udp_link_receive,
  .poll = udp_link_poll,
  .get_deadline = udp_link_get_deadline,
  .get_room = udp_link_get_room,
  .send_frame = udp_link_send_frame,
  .send_datagram = udp_link_send_datagram,
  .get_stats = udp_link_get_stats,
  .close = udp_link_close,
};

AlsLink *
als_udp_link_new (const AlsLinkConfig *config, AlsLinkOutput output, gpointer output_data,
                  int64_t now_us)
{
  AlsUdpLink *self = g_new0 (AlsUdpLink, 1);

  self->parent.klass = &udp_link_class;
  self->config = *config;
  /* The wire has it; here it is of no use. */
  memset (self->config.session_secret, 0, sizeof self->config.session_secret);
  self->output = output;
  self->output_data = output_data;
  self->now_us = now_us;
  self->refused_until_us = now_us;
  self->wire = als_wire_new (config, now_us);
  self->segments = als_segments_new (&segments_events, self);
  for (guint i = 0; i < ALS_N_LANES; i++)
    self->lanes[i] = als_lane_tcp_new (i, config->role == ALS_ROLE_INVITER, &tcp_events, self);
  self->batch = g_malloc (BATCH_PACKETS * ALS_MTU_MAX);
  return &self->parent;
}
