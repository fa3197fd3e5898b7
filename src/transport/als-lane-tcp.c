/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#define G_LOG_DOMAIN "als-transport"

#include "config.h"

#include "transport/als-lane-tcp.h"

#include <nice/pseudotcp.h>
#include <string.h>
#include "base/als-bytes.h"

#define HEADER_BYTES 24
#define FLAG_CONTROL 2
#define CONTROL_CONNECT 0
#define OPTION_WINDOW_SCALE 3
#define OPTION_FIN_ACK 254
#define CONNECT_BYTES 7
#define MAX_WINDOW_SCALE 14

/* The largest packet it may make: the layer below cuts and orders, so few and large are best. */
#define SOCKET_MTU 60000
#define MAX_PACKET 65532
#define BULK_BUFFER_BYTES (8 * 1024 * 1024)
#define LANE_BUFFER_BYTES (512 * 1024)
/* Bytes unacknowledged that a late retransmission of the other side may lie behind. */
#define MAX_BEHIND BULK_BUFFER_BYTES

#define ACK_STEP_BYTES (4 * 1024)

#define FRAME_HEAD_BYTES 2
#define READ_BYTES (64 * 1024)

struct _AlsLaneTcp
{
  AlsLane lane;
  gboolean connects;
  const AlsLaneTcpEvents *events;
  gpointer user_data;
  PseudoTcpSocket *socket;
  gboolean broken;

  GByteArray *staged;   /* frames with their heads, from staged_at on */
  size_t staged_at;
  uint64_t taken;       /* bytes the socket took */
  uint64_t sent_to;     /* sequence numbers, widened */
  uint64_t acked_to;

  uint8_t *packet;      /* being put together, 2 bytes of length in front */
  size_t packet_len;
  gboolean connected;   /* the other side's CONNECT came */
  uint32_t expected;    /* its next sequence number */

  uint8_t *read;        /* frames being put together */
  size_t read_len;
};

/* The socket's callbacks */

static PseudoTcpWriteResult
write_packet_cb (PseudoTcpSocket *socket, const gchar *buffer, guint32 len, gpointer user_data)
{
  AlsLaneTcp *self = user_data;
  const uint8_t *data = (const uint8_t *) buffer;
  AlsReader reader;
  uint32_t seq;

  als_reader_init (&reader, data, len);
  als_reader_u32 (&reader);
  seq = als_reader_u32 (&reader);
  if (len > HEADER_BYTES)
    {
      int32_t ahead = (int32_t) (seq + (len - HEADER_BYTES) - (uint32_t) self->sent_to);

      if (ahead > 0)
        self->sent_to += (uint32_t) ahead;
    }
  if (!self->events->packet (self->lane, data, len, len == HEADER_BYTES && data[13] == 0,
                             self->user_data))
    self->broken = TRUE;
  return WR_SUCCESS;
}

static void
deliver_frames (AlsLaneTcp *self)
{
  size_t at = 0;

  while (self->read_len - at >= FRAME_HEAD_BYTES)
    {
      size_t len = (size_t) self->read[at] << 8 | self->read[at + 1];

      if (len == 0 || len > ALS_FRAME_MAX)
        {
          self->broken = TRUE;
          return;
        }
      if (self->read_len - at < FRAME_HEAD_BYTES + len)
        break;
      self->events->frame (self->lane, self->read + at + FRAME_HEAD_BYTES, len, self->user_data);
      at += FRAME_HEAD_BYTES + len;
    }
  memmove (self->read, self->read + at, self->read_len - at);
  self->read_len -= at;
}

/* Always until there is nothing left: a reader that pauses kills the connection. */
static void
readable_cb (PseudoTcpSocket *socket, gpointer user_data)
{
  AlsLaneTcp *self = user_data;

  while (!self->broken)
    {
      gint n = pseudo_tcp_socket_recv (socket, (char *) self->read + self->read_len,
                                       READ_BYTES - self->read_len);

      if (n <= 0)
        break;
      self->read_len += (size_t) n;
      deliver_frames (self);
    }
}

static void
closed_cb (PseudoTcpSocket *socket, guint32 error, gpointer user_data)
{
  AlsLaneTcp *self = user_data;

  g_debug ("lane %d: pseudo-TCP closed, error %u", self->lane, error);
  self->broken = TRUE;
}

/* Lifecycle */

AlsLaneTcp *
als_lane_tcp_new (AlsLane lane, gboolean connects, const AlsLaneTcpEvents *events,
                  gpointer user_data)
{
  AlsLaneTcp *self = g_new0 (AlsLaneTcp, 1);
  guint buffer_bytes = lane == ALS_LANE_BULK ? BULK_BUFFER_BYTES : LANE_BUFFER_BYTES;
  PseudoTcpCallbacks callbacks = {
    .user_data = self,
    .PseudoTcpReadable = readable_cb,
    .PseudoTcpClosed = closed_cb,
    .WritePacket = write_packet_cb,
  };

  self->lane = lane;
  self->connects = connects;
  self->events = events;
  self->user_data = user_data;
  self->staged = g_byte_array_new ();
  self->socket = pseudo_tcp_socket_new ((guint32) lane, &callbacks);
  g_object_set (self->socket, "rcv-buf", buffer_bytes, "snd-buf", buffer_bytes, "ack-delay", 0u,
                "no-delay", TRUE, NULL);
  pseudo_tcp_socket_notify_mtu (self->socket, SOCKET_MTU);
  return self;
}

void
als_lane_tcp_free (AlsLaneTcp *self)
{
  g_object_unref (self->socket);
  g_byte_array_unref (self->staged);
  g_free (self->packet);
  g_free (self->read);
  g_free (self);
}

void
als_lane_tcp_start (AlsLaneTcp *self)
{
  if (self->connects)
    pseudo_tcp_socket_connect (self->socket);
}

/* Receiving */

static gboolean
check_connect (AlsLaneTcp *self, const uint8_t *data, size_t len)
{
  if (len != CONNECT_BYTES || data[0] != CONTROL_CONNECT || data[1] != OPTION_WINDOW_SCALE
      || data[2] != 1 || data[3] > MAX_WINDOW_SCALE || data[4] != OPTION_FIN_ACK || data[5] != 1)
    return FALSE;
  self->connected = TRUE;
  self->expected = CONNECT_BYTES;
  return TRUE;
}

/* What an honest socket sends over an ordered stream. */
static gboolean
check_packet (AlsLaneTcp *self, const uint8_t *data, size_t len)
{
  AlsReader reader;
  uint32_t seq, ack;
  uint8_t flags;

  als_reader_init (&reader, data, len);
  if (als_reader_u32 (&reader) != (uint32_t) self->lane)
    return FALSE;
  seq = als_reader_u32 (&reader);
  ack = als_reader_u32 (&reader);
  als_reader_u8 (&reader);
  flags = als_reader_u8 (&reader);
  als_reader_u16 (&reader);
  als_reader_u64 (&reader);
  if (reader.failed || (int32_t) (ack - (uint32_t) self->sent_to) > 0)
    return FALSE;
  len -= HEADER_BYTES;
  data += HEADER_BYTES;
  if (flags == FLAG_CONTROL)
    {
      if (!self->connected ? seq != 0 || !check_connect (self, data, len)
                           : seq != 0 || len != CONNECT_BYTES || data[0] != CONTROL_CONNECT)
        return FALSE;
    }
  else if (flags != 0 || !self->connected)
    {
      return FALSE;
    }
  else if (len > 0)
    {
      uint32_t behind = self->expected - seq;

      if (behind == 0)
        self->expected += (uint32_t) len;
      else if (behind > MAX_BEHIND || len > behind)
        return FALSE;
    }
  if ((int32_t) (ack - (uint32_t) self->acked_to) > 0)
    self->acked_to += ack - (uint32_t) self->acked_to;
  return TRUE;
}

static gboolean
notify (AlsLaneTcp *self, const uint8_t *data, size_t len)
{
  if (!check_packet (self, data, len))
    {
      self->broken = TRUE;
      return FALSE;
    }
  if (self->read == NULL)
    self->read = g_malloc (READ_BYTES);
  pseudo_tcp_socket_notify_packet (self->socket, (const gchar *) data, (guint32) len);
  return !self->broken;
}

gboolean
als_lane_tcp_feed (AlsLaneTcp *self, const uint8_t *data, size_t len)
{
  if (self->packet == NULL)
    self->packet = g_malloc (2 + MAX_PACKET + 2);
  while (len > 0 && !self->broken)
    {
      size_t whole = 2, part;
      uint8_t *packet = self->packet + 2; /* with its length at +2: the rest is aligned */

      if (self->packet_len >= 2)
        whole += (size_t) packet[0] << 8 | packet[1];
      part = MIN (len, whole - self->packet_len);
      memcpy (packet + self->packet_len, data, part);
      self->packet_len += part;
      data += part;
      len -= part;
      if (self->packet_len < whole)
        continue;
      if (whole == 2)
        {
          whole += (size_t) packet[0] << 8 | packet[1];
          if (whole < 2 + HEADER_BYTES || whole > 2 + MAX_PACKET)
            self->broken = TRUE;
          continue;
        }
      self->packet_len = 0;
      notify (self, packet + 2, whole - 2);
    }
  return !self->broken;
}

/* The socket has data that its window does not let go. */
static gboolean
has_unsent (const AlsLaneTcp *self)
{
  return self->sent_to >= CONNECT_BYTES && self->taken > self->sent_to - CONNECT_BYTES;
}

gboolean
als_lane_tcp_feed_ack (AlsLaneTcp *self, const uint8_t *tcp_header)
{
  uint32_t aligned[HEADER_BYTES / sizeof (uint32_t)];
  uint32_t ack;

  /* Overtook the stream. */
  if (!self->connected || self->broken)
    return !self->broken;
  memcpy (aligned, tcp_header, HEADER_BYTES);
  /* Twice the same would count as a duplicate acknowledgement, and a sequence number that
   * overtook its stream would be answered with one: three are a loss to the socket. */
  if ((int32_t) (GUINT32_FROM_BE (aligned[2]) - (uint32_t) self->acked_to) <= 0)
    return TRUE;
  aligned[1] = GUINT32_TO_BE (self->expected);
  /* The socket opens its window by one segment for each acknowledgement. Here one stands for
   * many, and congestion is looked after below: when data waits for that, it counts as many. */
  ack = GUINT32_FROM_BE (aligned[2]);
  while (ack - (uint32_t) self->acked_to > ACK_STEP_BYTES
         && ack - (uint32_t) self->acked_to <= MAX_BEHIND && has_unsent (self))
    {
      aligned[2] = GUINT32_TO_BE ((uint32_t) self->acked_to + ACK_STEP_BYTES);
      if (!notify (self, (const uint8_t *) aligned, HEADER_BYTES))
        return FALSE;
    }
  aligned[2] = GUINT32_TO_BE (ack);
  return notify (self, (const uint8_t *) aligned, HEADER_BYTES);
}

/* Sending */

/* The socket may let go of a whole buffer when an acknowledgement comes; that must fit as well. */
static uint64_t
get_max_below (AlsLane lane)
{
  return lane == ALS_LANE_BULK ? 2 * BULK_BUFFER_BYTES : 2 * LANE_BUFFER_BYTES;
}

void
als_lane_tcp_put_frame (AlsLaneTcp *self, const uint8_t *data, size_t len)
{
  uint8_t head[FRAME_HEAD_BYTES] = { (uint8_t) (len >> 8), (uint8_t) len };

  if (self->staged_at > self->staged->len / 2)
    {
      g_byte_array_remove_range (self->staged, 0, (guint) self->staged_at);
      self->staged_at = 0;
    }
  g_byte_array_append (self->staged, head, sizeof head);
  g_byte_array_append (self->staged, data, (guint) len);
}

gboolean
als_lane_tcp_flush (AlsLaneTcp *self, uint64_t kept_below)
{
  while (self->staged_at < self->staged->len && !self->broken
         && kept_below < get_max_below (self->lane))
    {
      gint n = pseudo_tcp_socket_send (self->socket,
                                       (const char *) self->staged->data + self->staged_at,
                                       (guint32) (self->staged->len - self->staged_at));

      if (n <= 0)
        break;
      self->taken += (guint) n;
      self->staged_at += (size_t) n;
    }
  if (self->staged_at == self->staged->len)
    {
      g_byte_array_set_size (self->staged, 0);
      self->staged_at = 0;
    }
  return !self->broken;
}

uint64_t
als_lane_tcp_get_unsent (const AlsLaneTcp *self)
{
  uint64_t unsent = self->staged->len - self->staged_at;

  if (self->sent_to >= CONNECT_BYTES)
    unsent += self->taken - (self->sent_to - CONNECT_BYTES);
  return unsent;
}

uint64_t
als_lane_tcp_get_acked (const AlsLaneTcp *self)
{
  return self->acked_to > CONNECT_BYTES ? self->acked_to - CONNECT_BYTES : 0;
}

gboolean
als_lane_tcp_is_done (const AlsLaneTcp *self)
{
  return self->staged->len == 0 && als_lane_tcp_get_acked (self) == self->taken;
}
