/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#include "config.h"

#include "media/als-rtp.h"

#include "base/als-bytes.h"

/* RFC 6184, 5.2 and RFC 6190: types of NAL units. */
#define NAL_SPS 7
#define NAL_STAP_A 24

gboolean
als_rtp_packet_parse (AlsRtpPacket *self, const uint8_t *data, size_t len)
{
  AlsReader reader;
  uint8_t first, second;

  als_reader_init (&reader, data, len);
  first = als_reader_u8 (&reader);
  second = als_reader_u8 (&reader);
  self->seq = als_reader_u16 (&reader);
  self->timestamp = als_reader_u32 (&reader);
  self->ssrc = als_reader_u32 (&reader);
  self->is_last = (second & 0x80) != 0;
  /* RFC 3550, 5.1: version 2. Our payloaders use neither padding nor extensions nor
   * contributing sources, so whoever does is not one of us. */
  if (first != 0x80 || (second & 0x7f) != ALS_RTP_PAYLOAD_TYPE)
    als_reader_fail (&reader);
  self->payload = als_reader_rest (&reader, &self->payload_len);
  return als_reader_done (&reader) && self->payload_len > 0;
}

/* RFC 7741, 4.2: reads the descriptor. TRUE: the first bytes of a frame follow. */
static gboolean
vp8_begins_frame (AlsReader *reader)
{
  uint8_t required = als_reader_u8 (reader), extended = 0;

  if (required & 0x80)
    extended = als_reader_u8 (reader);
  if ((extended & 0x80) && (als_reader_u8 (reader) & 0x80))
    als_reader_u8 (reader);
  if (extended & 0x40)
    als_reader_u8 (reader);
  if (extended & 0x30)
    als_reader_u8 (reader);
  /* S, and partition 0. */
  return !reader->failed && (required & 0x1f) == 0x10;
}

static gboolean
vp8_starts_key (const uint8_t *payload, size_t len)
{
  AlsReader reader;

  als_reader_init (&reader, payload, len);
  /* RFC 7741, 4.3: P is 0 in a key frame. */
  return vp8_begins_frame (&reader) && (als_reader_u8 (&reader) & 0x01) == 0 && !reader.failed;
}

/* Our encoders put parameter sets before each IDR picture, and nowhere else. */
static gboolean
h264_starts_key (const uint8_t *payload, size_t len)
{
  guint type = payload[0] & 0x1f;

  if (type == NAL_STAP_A)
    return len > 3 && (payload[3] & 0x1f) == NAL_SPS;
  return type == NAL_SPS;
}

gboolean
als_rtp_packet_starts_key (const AlsRtpPacket *self, AlsVideoCodec codec)
{
  return codec == ALS_VIDEO_CODEC_VP8 ? vp8_starts_key (self->payload, self->payload_len)
                                      : h264_starts_key (self->payload, self->payload_len);
}

/* RFC 6386, 9.1: tag, start code, then 14 bits each way, the low byte first. */
gboolean
als_rtp_packet_has_wrong_size (const AlsRtpPacket *self, AlsVideoCodec codec, guint width,
                               guint height)
{
  AlsReader reader;
  uint32_t tag;
  guint size[2];

  als_reader_init (&reader, self->payload, self->payload_len);
  if (codec != ALS_VIDEO_CODEC_VP8 || !vp8_begins_frame (&reader))
    return FALSE;
  tag = als_reader_u8 (&reader);
  if (!reader.failed && (tag & 0x01) != 0)
    return FALSE;
  als_reader_bytes (&reader, 2);
  if (als_reader_u8 (&reader) != 0x9d || als_reader_u8 (&reader) != 0x01
      || als_reader_u8 (&reader) != 0x2a)
    als_reader_fail (&reader);
  for (guint i = 0; i < 2; i++)
    {
      size[i] = als_reader_u8 (&reader);
      size[i] |= (als_reader_u8 (&reader) & 0x3fu) << 8;
    }
  return reader.failed || size[0] != width || size[1] != height;
}
