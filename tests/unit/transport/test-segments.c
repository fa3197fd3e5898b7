/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The segment layer against packets made by hand: what a peer with the keys might send. */
#include "transport/als-segments.h"

#include <string.h>
#include "transport/als-segment-codec.h"

#define START_US (G_USEC_PER_SEC)

typedef struct
{
  AlsSegments *segments;
  GByteArray *got[ALS_N_LANES];
  guint datagrams, closes;
} Side;

static void
stream_cb (AlsLane lane, const uint8_t *data, size_t len, gpointer user_data)
{
  Side *side = user_data;

  g_byte_array_append (side->got[lane], data, (guint) len);
}

static void
tcp_ack_cb (AlsLane lane, const uint8_t *tcp_header, gpointer user_data)
{
}

static void
datagram_cb (const uint8_t *data, size_t len, gpointer user_data)
{
  Side *side = user_data;

  g_assert_cmpuint (len, <=, ALS_DATAGRAM_MAX);
  side->datagrams++;
}

static void
closed_cb (gpointer user_data)
{
  Side *side = user_data;

  side->closes++;
}

static const AlsSegmentsEvents events = { stream_cb, tcp_ack_cb, datagram_cb, closed_cb };

static void
side_init (Side *side)
{
  memset (side, 0, sizeof *side);
  side->segments = als_segments_new (&events, side);
  for (guint i = 0; i < ALS_N_LANES; i++)
    side->got[i] = g_byte_array_new ();
  als_segments_start (side->segments, 20 * 1000, START_US);
}

static void
side_clear (Side *side)
{
  als_segments_free (side->segments);
  for (guint i = 0; i < ALS_N_LANES; i++)
    g_byte_array_unref (side->got[i]);
}

/* The next packet that is no probe. */
static size_t
build (Side *side, uint8_t *out, int64_t now_us)
{
  AlsSegmentsPacket packet;
  size_t len;

  als_segments_poll (side->segments, now_us);
  do
    len = als_segments_build (side->segments, out, &packet, now_us);
  while (len > 0 && packet.alone);
  return len;
}

static gboolean
receive_numbered (Side *side, uint32_t number, const uint8_t *records, size_t len)
{
  AlsPacketHeader header = { .kind = ALS_PACKET_NUMBERED, .number = number, .floor = UINT16_MAX };
  uint8_t plain[2000];
  size_t at = als_packet_write_header (plain, &header);

  memcpy (plain + at, records, len);
  return als_segments_receive (side->segments, plain, at + len, START_US);
}

static void
test_bad_packets (void)
{
  static const struct
  {
    const char *what;
    size_t len;
    uint8_t bytes[16];
  } cases[] = {
    { "unknown kind", 1, { 77 } },
    { "truncated number", 3, { ALS_PACKET_NUMBERED, 0, 0 } },
    { "unknown record", 8, { ALS_PACKET_NUMBERED, 0, 0, 0, 1, 0, 0, 99 } },
    { "stream without bytes", 14, { ALS_PACKET_NUMBERED, 0, 0, 0, 1, 0, 0, ALS_RECORD_STREAM } },
    { "stream longer than the packet", 15,
      { ALS_PACKET_NUMBERED, 0, 0, 0, 1, 0, 0, ALS_RECORD_STREAM, 0, 0, 0, 0, 0, 9, 1 } },
    { "stream in a packet without number", 9,
      { ALS_PACKET_BARE, ALS_RECORD_STREAM, 0, 0, 0, 0, 0, 1, 1 } },
    { "stream beyond the window", 15,
      { ALS_PACKET_NUMBERED, 0, 0, 0, 1, 0, 0, ALS_RECORD_STREAM, 0x7f, 0, 0, 0, 0, 1, 1 } },
    { "lane that is none", 10,
      { ALS_PACKET_NUMBERED, 0, 0, 0, 1, 0, 0, ALS_RECORD_TCP_ACK, 9, 0 } },
    { "acknowledgement of what was never sent", 13,
      { ALS_PACKET_BARE, ALS_RECORD_ACK, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0 } },
    { "too many ranges", 13,
      { ALS_PACKET_BARE, ALS_RECORD_ACK, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 200 } },
    { "fragment beyond its datagram", 15,
      { ALS_PACKET_NUMBERED, 0, 0, 0, 1, 0, 0, ALS_RECORD_FRAGMENT, 0, 1, 0, 4, 0, 4, 0 } },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      Side side;

      side_init (&side);
      g_test_message ("%s", cases[i].what);
      g_assert_false (als_segments_receive (side.segments, cases[i].bytes, cases[i].len, START_US));
      side_clear (&side);
    }
}

static void
test_repeated_number (void)
{
  Side side;
  uint8_t record[64];
  size_t len = als_packet_write_datagram (record, (const uint8_t *) "picture", 7);

  side_init (&side);
  g_assert_true (receive_numbered (&side, 3, record, len));
  g_assert_true (receive_numbered (&side, 3, record, len));
  g_assert_cmpuint (side.datagrams, ==, 1);
  side_clear (&side);
}

/* Holes in the numbers are told, thirty-two at a time, and cost no more than that. */
static void
test_many_holes (void)
{
  Side side;
  uint8_t record[64], out[ALS_FRAME_MAX];
  size_t len = als_packet_write_datagram (record, (const uint8_t *) "x", 1);
  AlsReader reader;
  AlsPacketHeader header;
  AlsRecord ack;

  side_init (&side);
  for (uint32_t i = 0; i < 20000; i++)
    g_assert_true (receive_numbered (&side, 2 * i, record, len));
  len = build (&side, out, START_US);
  als_reader_init (&reader, out, len);
  g_assert_true (als_packet_read_header (&reader, &header));
  g_assert_cmpint (header.kind, ==, ALS_PACKET_BARE);
  g_assert_true (als_packet_read_record (&reader, &ack));
  g_assert_cmpint (ack.type, ==, ALS_RECORD_ACK);
  g_assert_cmpuint (ack.n_ranges, ==, ALS_ACK_RANGES_MAX + 1);
  for (guint i = 0; i < ack.n_ranges; i++)
    {
      g_assert_cmpuint (ack.ranges[i].first, ==, 2 * (19999 - i));
      g_assert_cmpuint (ack.ranges[i].last, ==, ack.ranges[i].first);
    }
  g_assert_true (als_reader_done (&reader));
  side_clear (&side);
}

static void
test_order_of_lanes (void)
{
  Side from, to;
  uint8_t data[400], out[2000];
  size_t len;

  side_init (&from);
  side_init (&to);
  memset (data, 'b', sizeof data);
  g_assert_true (als_segments_append (from.segments, ALS_LANE_BULK, data, sizeof data));
  memset (data, 'h', sizeof data);
  g_assert_true (als_segments_append (from.segments, ALS_LANE_CHAT, data, sizeof data));
  memset (data, 'c', sizeof data);
  g_assert_true (als_segments_append (from.segments, ALS_LANE_CONTROL, data, sizeof data));
  len = build (&from, out, START_US);
  g_assert_true (als_segments_receive (to.segments, out, len, START_US));
  g_assert_cmpuint (to.got[ALS_LANE_CONTROL]->len, ==, 402);
  g_assert_cmpuint (to.got[ALS_LANE_BULK]->len, ==, 0);
  len = build (&from, out, START_US + 10 * 1000);
  g_assert_true (als_segments_receive (to.segments, out, len, START_US));
  g_assert_cmpuint (to.got[ALS_LANE_CHAT]->len, ==, 402);
  side_clear (&from);
  side_clear (&to);
}

/* Only after a later packet arrived, and then only after its time. */
static void
test_loss_by_time (void)
{
  Side from;
  uint8_t data[400] = { 0 }, out[2000];
  int64_t now_us = START_US;
  const AlsAckRange second = { 1, 1 };
  AlsPacketHeader bare = { .kind = ALS_PACKET_BARE }, header;
  AlsReader reader;
  AlsRecord record;
  AlsLinkStats stats = { 0 };
  size_t len;

  side_init (&from);
  als_segments_append (from.segments, ALS_LANE_CONTROL, data, sizeof data);
  g_assert_cmpuint (build (&from, out, now_us), >, 400);
  als_segments_append (from.segments, ALS_LANE_CONTROL, data, sizeof data);
  g_assert_cmpuint (build (&from, out, now_us), >, 400);
  g_assert_cmpuint (build (&from, out, now_us), ==, 0);

  now_us += 20 * 1000;
  len = als_packet_write_header (out, &bare);
  len += als_packet_write_ack (out + len, 0, 0, &second, 1);
  g_assert_true (als_segments_receive (from.segments, out, len, now_us));
  g_assert_cmpuint (build (&from, out, now_us), ==, 0);
  als_segments_get_stats (from.segments, &stats);
  g_assert_cmpuint (stats.lost_packets, ==, 0);

  /* A quarter of the smallest round trip later. */
  g_assert_cmpint (als_segments_get_deadline (from.segments), <=, now_us + 10 * 1000);
  now_us += 5 * 1000;
  len = build (&from, out, now_us);
  g_assert_cmpuint (len, >, 400);
  als_segments_get_stats (from.segments, &stats);
  g_assert_cmpuint (stats.lost_packets, ==, 1);
  als_reader_init (&reader, out, len);
  g_assert_true (als_packet_read_header (&reader, &header));
  g_assert_cmpuint (header.number, ==, 2);
  g_assert_true (als_packet_read_record (&reader, &record));
  g_assert_cmpint (record.type, ==, ALS_RECORD_STREAM);
  g_assert_cmpuint (record.offset, ==, 0);
  side_clear (&from);
}

static void
test_close (void)
{
  Side side;
  const uint8_t plain[] = { ALS_PACKET_CLOSE };

  side_init (&side);
  g_assert_true (als_segments_receive (side.segments, plain, sizeof plain, START_US));
  g_assert_cmpuint (side.closes, ==, 1);
  side_clear (&side);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/transport/segments/refuses-nonsense", test_bad_packets);
  g_test_add_func ("/transport/segments/reads-a-number-once", test_repeated_number);
  g_test_add_func ("/transport/segments/tells-at-most-so-many-holes", test_many_holes);
  g_test_add_func ("/transport/segments/control-goes-first", test_order_of_lanes);
  g_test_add_func ("/transport/segments/calls-lost-by-time", test_loss_by_time);
  g_test_add_func ("/transport/segments/hears-close", test_close);
  return g_test_run ();
}
