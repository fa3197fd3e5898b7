/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "media/als-rtp-reorder.h"

#include <string.h>

#define RTT_US 20000

/* A key frame begins with this, any other frame with the next. */
static const uint8_t key_payload[] = { 0x10, 0x50, 0x02, 0x00, 0x9d, 0x01, 0x2a };
static const uint8_t other_payload[] = { 0x10, 0x51, 0x02, 0x00 };

static AlsRtpReorder *reorder;
static int64_t now_us;

static void
begin (void)
{
  now_us = G_USEC_PER_SEC;
  g_clear_pointer (&reorder, als_rtp_reorder_free);
  reorder = als_rtp_reorder_new (ALS_VIDEO_CODEC_VP8, now_us);
}

static void
push (uint16_t seq, gboolean is_key)
{
  uint8_t data[32] = { 0x80, 0x80 | ALS_RTP_PAYLOAD_TYPE, seq >> 8, seq & 0xff, 0, 0, 0, 1, 0, 0, 0, 1 };
  const uint8_t *payload = is_key ? key_payload : other_payload;
  size_t len = is_key ? sizeof key_payload : sizeof other_payload;
  g_autoptr (GBytes) bytes = NULL;
  AlsRtpPacket packet;

  memcpy (data + 12, payload, len);
  bytes = g_bytes_new (data, 12 + len);
  g_assert_true (als_rtp_packet_parse (&packet, g_bytes_get_data (bytes, NULL), 12 + len));
  als_rtp_reorder_push (reorder, &packet, bytes, now_us);
}

/* The next packet's number, or -1. */
static int
pop (void)
{
  g_autoptr (GBytes) bytes = als_rtp_reorder_pop (reorder, RTT_US, now_us);
  const uint8_t *data;

  if (bytes == NULL)
    return -1;
  data = g_bytes_get_data (bytes, NULL);
  return data[2] << 8 | data[3];
}

static guint
missing (uint16_t *first)
{
  uint16_t list[ALS_MEDIA_MAX_NACK] = { 0 };
  guint n = als_rtp_reorder_get_missing (reorder, RTT_US, now_us, list);

  if (first != NULL)
    *first = list[0];
  return n;
}

static void
test_order (void)
{
  begin ();
  push (0, TRUE);
  push (2, FALSE);
  push (1, FALSE);
  push (1, FALSE);
  for (int i = 0; i < 3; i++)
    g_assert_cmpint (pop (), ==, i);
  push (0, TRUE);
  g_assert_cmpint (pop (), ==, -1);
  g_assert_cmpuint (missing (NULL), ==, 0);
  g_assert_cmpint (als_rtp_reorder_get_deadline (reorder, RTT_US), ==, INT64_MAX);
  /* Numbers wrap. */
  for (guint i = 3; i < 70000; i++)
    {
      push ((uint16_t) i, FALSE);
      g_assert_cmpint (pop (), ==, (int) (i & 0xffff));
    }
}

static void
test_nack (void)
{
  uint16_t first;

  begin ();
  push (0, TRUE);
  g_assert_cmpint (pop (), ==, 0);
  push (3, FALSE);
  g_assert_cmpint (pop (), ==, -1);
  /* They may only have been overtaken. */
  g_assert_cmpuint (missing (NULL), ==, 0);
  now_us = als_rtp_reorder_get_deadline (reorder, RTT_US);
  g_assert_cmpuint (missing (&first), ==, 2);
  g_assert_cmpuint (first, ==, 1);
  g_assert_cmpuint (missing (NULL), ==, 0);
  push (1, FALSE);
  g_assert_cmpint (pop (), ==, 1);
  /* The other one again, after a round trip and a bit. */
  now_us = als_rtp_reorder_get_deadline (reorder, RTT_US);
  g_assert_cmpuint (missing (&first), ==, 1);
  g_assert_cmpuint (first, ==, 2);
  push (2, FALSE);
  g_assert_cmpint (pop (), ==, 2);
  g_assert_cmpint (pop (), ==, 3);
  g_assert_false (als_rtp_reorder_wants_key (reorder, now_us));
}

static void
test_give_up (void)
{
  begin ();
  push (0, TRUE);
  g_assert_cmpint (pop (), ==, 0);
  push (2, FALSE);
  now_us += G_USEC_PER_SEC;
  g_assert_cmpint (pop (), ==, -1);
  g_assert_true (als_rtp_reorder_wants_key (reorder, now_us));
  g_assert_false (als_rtp_reorder_wants_key (reorder, now_us));
  /* Nothing is let through until it comes; it is asked for again. */
  push (3, FALSE);
  g_assert_cmpint (pop (), ==, -1);
  now_us = als_rtp_reorder_get_deadline (reorder, RTT_US);
  g_assert_true (als_rtp_reorder_wants_key (reorder, now_us));
  push (4, FALSE);
  push (6, TRUE);
  g_assert_cmpint (pop (), ==, 6);
  push (7, FALSE);
  g_assert_cmpint (pop (), ==, 7);
  g_assert_cmpint (als_rtp_reorder_get_deadline (reorder, RTT_US), ==, INT64_MAX);
}

static void
test_key_ends_waiting (void)
{
  begin ();
  push (0, TRUE);
  g_assert_cmpint (pop (), ==, 0);
  push (2, FALSE);
  g_assert_cmpint (pop (), ==, -1);
  push (3, TRUE);
  g_assert_cmpint (pop (), ==, 3);
  g_assert_false (als_rtp_reorder_wants_key (reorder, now_us));
}

static void
test_mark (void)
{
  uint16_t first;

  begin ();
  push (0, TRUE);
  g_assert_cmpint (pop (), ==, 0);
  als_rtp_reorder_mark (reorder, 1, now_us);
  g_assert_cmpint (als_rtp_reorder_get_deadline (reorder, RTT_US), ==, INT64_MAX);
  als_rtp_reorder_mark (reorder, 4, now_us);
  now_us = als_rtp_reorder_get_deadline (reorder, RTT_US);
  g_assert_cmpuint (missing (&first), ==, 3);
  g_assert_cmpuint (first, ==, 1);
  /* One that lies lasts no longer than its window. */
  als_rtp_reorder_mark (reorder, 30000, now_us);
  g_assert_cmpint (pop (), ==, -1);
  g_assert_true (als_rtp_reorder_wants_key (reorder, now_us));
}

static void
test_far_ahead (void)
{
  begin ();
  push (0, TRUE);
  g_assert_cmpint (pop (), ==, 0);
  push (20000, FALSE);
  g_assert_cmpint (pop (), ==, -1);
  g_assert_true (als_rtp_reorder_wants_key (reorder, now_us));
  push (20001, TRUE);
  g_assert_cmpint (pop (), ==, 20001);
  /* And back, when nothing else comes for long. */
  for (uint16_t seq = 5; seq < 20; seq++, now_us += 100000)
    {
      push (seq, TRUE);
      if (pop () >= 0)
        return;
    }
  g_assert_not_reached ();
}

static void
test_parse (void)
{
  static const struct
  {
    uint8_t data[20];
    size_t len;
    gboolean is_good;
  } cases[] = {
    { { 0x80, 96, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 9 }, 13, TRUE },
    { { 0x80, 96, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3 }, 12, FALSE },
    { { 0x80, 97, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 9 }, 13, FALSE },
    { { 0x40, 96, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 9 }, 13, FALSE },
    { { 0xa0, 96, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 9 }, 13, FALSE },
    { { 0x81, 96, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 9 }, 13, FALSE },
    { { 0x80, 96, 0 }, 3, FALSE },
  };
  AlsRtpPacket packet;

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    g_assert_cmpint (als_rtp_packet_parse (&packet, cases[i].data, cases[i].len), ==,
                     cases[i].is_good);
}

static gboolean
starts_key (AlsVideoCodec codec, const char *payload, size_t len)
{
  AlsRtpPacket packet = { .payload = (const uint8_t *) payload, .payload_len = len };

  return als_rtp_packet_starts_key (&packet, codec);
}

static void
test_keys (void)
{
  g_assert_true (starts_key (ALS_VIDEO_CODEC_VP8, "\x10\x50", 2));
  g_assert_false (starts_key (ALS_VIDEO_CODEC_VP8, "\x10\x51", 2));
  g_assert_false (starts_key (ALS_VIDEO_CODEC_VP8, "\x00\x50", 2));
  g_assert_false (starts_key (ALS_VIDEO_CODEC_VP8, "\x11\x50", 2));
  g_assert_false (starts_key (ALS_VIDEO_CODEC_VP8, "\x10", 1));
  /* Picture numbers of one byte and two, TL0PICIDX, TID. */
  g_assert_true (starts_key (ALS_VIDEO_CODEC_VP8, "\x90\x80\x01\x50", 4));
  g_assert_true (starts_key (ALS_VIDEO_CODEC_VP8, "\x90\xf0\x81\x01\x01\x01\x50", 7));
  g_assert_false (starts_key (ALS_VIDEO_CODEC_VP8, "\x90\xf0\x81\x01\x01\x01", 6));
  g_assert_true (starts_key (ALS_VIDEO_CODEC_H264, "\x67\x42", 2));
  g_assert_true (starts_key (ALS_VIDEO_CODEC_H264, "\x78\x00\x02\x67\x42", 5));
  g_assert_false (starts_key (ALS_VIDEO_CODEC_H264, "\x78\x00\x02", 3));
  g_assert_false (starts_key (ALS_VIDEO_CODEC_H264, "\x61\x42", 2));
}

static void
test_size (void)
{
  static const char right[] = "\x10\x50\x02\x00\x9d\x01\x2a\x40\x41\xf0\x00";
  AlsRtpPacket packet = { .payload = (const uint8_t *) right, .payload_len = 11 };

  g_assert_false (als_rtp_packet_has_wrong_size (&packet, ALS_VIDEO_CODEC_VP8, 320, 240));
  g_assert_true (als_rtp_packet_has_wrong_size (&packet, ALS_VIDEO_CODEC_VP8, 320, 242));
  g_assert_true (als_rtp_packet_has_wrong_size (&packet, ALS_VIDEO_CODEC_VP8, 640, 240));
  g_assert_false (als_rtp_packet_has_wrong_size (&packet, ALS_VIDEO_CODEC_H264, 640, 240));
  /* One that hides its size is not let through either. */
  for (packet.payload_len = 1; packet.payload_len < 11; packet.payload_len++)
    g_assert_true (als_rtp_packet_has_wrong_size (&packet, ALS_VIDEO_CODEC_VP8, 320, 240));
  /* Not a key frame; not the beginning of a frame. */
  packet = (AlsRtpPacket){ .payload = (const uint8_t *) "\x10\x51", .payload_len = 2 };
  g_assert_false (als_rtp_packet_has_wrong_size (&packet, ALS_VIDEO_CODEC_VP8, 320, 240));
  packet = (AlsRtpPacket){ .payload = (const uint8_t *) "\x00\x50", .payload_len = 2 };
  g_assert_false (als_rtp_packet_has_wrong_size (&packet, ALS_VIDEO_CODEC_VP8, 320, 240));
}

int
main (int argc, char **argv)
{
  int result;

  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/media/rtp/reorder/puts-in-order-and-drops-copies", test_order);
  g_test_add_func ("/media/rtp/reorder/asks-again-for-what-is-missing", test_nack);
  g_test_add_func ("/media/rtp/reorder/gives-up-and-waits-for-a-key-frame", test_give_up);
  g_test_add_func ("/media/rtp/reorder/key-frame-ends-the-waiting", test_key_ends_waiting);
  g_test_add_func ("/media/rtp/reorder/mark-shows-a-lost-end", test_mark);
  g_test_add_func ("/media/rtp/reorder/finds-its-place-again", test_far_ahead);
  g_test_add_func ("/media/rtp/refuses-what-we-do-not-send", test_parse);
  g_test_add_func ("/media/rtp/knows-where-key-frames-begin", test_keys);
  g_test_add_func ("/media/rtp/vp8-key-frame-of-another-size-is-found", test_size);
  result = g_test_run ();
  g_clear_pointer (&reorder, als_rtp_reorder_free);
  return result;
}
