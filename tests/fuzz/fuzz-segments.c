/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* The opened packets of the UDP link, as a peer with the keys might send them, with the
 * pseudo-TCP above: packets of a 16-bit length each, one after the other, to a link that
 * sends as well. */

#include <string.h>
#include "base/als-bytes.h"
#include "transport/als-lane-tcp.h"
#include "transport/als-mtu-search.h"
#include "transport/als-segment-codec.h"
#include "transport/als-segments.h"

#define MAX_PACKETS 256

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

typedef struct
{
  AlsSegments *segments;
  AlsLaneTcp *lanes[ALS_N_LANES]; /* NULL for bulk: its buffers would take most of the time */
  gboolean nonsense;
} Side;

static void
stream_cb (AlsLane lane, const uint8_t *data, size_t len, gpointer user_data)
{
  Side *side = user_data;

  if (!side->nonsense && side->lanes[lane] != NULL)
    side->nonsense = !als_lane_tcp_feed (side->lanes[lane], data, len);
}

static void
tcp_ack_cb (AlsLane lane, const uint8_t *tcp_header, gpointer user_data)
{
  Side *side = user_data;

  if (!side->nonsense && side->lanes[lane] != NULL)
    side->nonsense = !als_lane_tcp_feed_ack (side->lanes[lane], tcp_header);
}

static void
datagram_cb (const uint8_t *data, size_t len, gpointer user_data)
{
  g_assert (len > 0 && len <= ALS_DATAGRAM_MAX);
}

static void
closed_cb (gpointer user_data)
{
}

static gboolean
packet_cb (AlsLane lane, const uint8_t *data, size_t len, gboolean ack, gpointer user_data)
{
  Side *side = user_data;

  if (!ack)
    return als_segments_append (side->segments, lane, data, len);
  als_segments_set_tcp_ack (side->segments, lane, data);
  return TRUE;
}

static void
frame_cb (AlsLane lane, const uint8_t *data, size_t len, gpointer user_data)
{
  g_assert (len > 0 && len <= ALS_FRAME_MAX);
}

static const AlsSegmentsEvents segments_events = { stream_cb, tcp_ack_cb, datagram_cb, closed_cb };
static const AlsLaneTcpEvents tcp_events = { packet_cb, frame_cb };

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  static const uint8_t frame[1000];
  AlsReader reader;
  Side side = { 0 };
  int64_t now_us = G_USEC_PER_SEC;
  uint8_t out[ALS_MTU_MAX];
  AlsSegmentsPacket packet;

  /* The first byte says which of the two connects. */
  als_reader_init (&reader, data, size);
  side.segments = als_segments_new (&segments_events, &side);
  for (guint i = 0; i < ALS_LANE_BULK; i++)
    side.lanes[i] = als_lane_tcp_new (i, i == 0 && size > 0 && data[0] & 1, &tcp_events, &side);
  als_reader_u8 (&reader);
  als_segments_start (side.segments, 20 * 1000, now_us);
  for (guint i = 0; i < ALS_LANE_BULK; i++)
    als_lane_tcp_start (side.lanes[i]);
  for (guint i = 0; i < MAX_PACKETS && als_reader_left (&reader) > 0 && !side.nonsense; i++)
    {
      size_t len;
      const uint8_t *plain = als_reader_blob (&reader, UINT16_MAX, &len);

      if (plain == NULL)
        break;
      now_us += 3000;
      side.nonsense |= !als_segments_receive (side.segments, plain, len, now_us);
      als_lane_tcp_put_frame (side.lanes[i % 2], frame, sizeof frame);
      als_lane_tcp_flush (side.lanes[i % 2], 0);
      als_segments_append (side.segments, ALS_LANE_BULK, frame, sizeof frame);
      als_segments_poll (side.segments, now_us);
      while ((len = als_segments_build (side.segments, out, &packet, now_us)) > 0)
        g_assert (len <= ALS_MTU_MAX);
    }
  for (guint i = 0; i < ALS_LANE_BULK; i++)
    als_lane_tcp_free (side.lanes[i]);
  als_segments_free (side.segments);
  return 0;
}
