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

/* RFC 7741, 4.2 and 4.3. */
static gboolean
vp8_starts_key (const uint8_t *payload, size_t len)
{
  AlsReader reader;
  uint8_t required, extended = 0, header;

  als_reader_init (&reader, payload, len);
  required = als_reader_u8 (&reader);
  if (required & 0x80)
    extended = als_reader_u8 (&reader);
  if ((extended & 0x80) && (als_reader_u8 (&reader) & 0x80))
    als_reader_u8 (&reader);
  if (extended & 0x40)
    als_reader_u8 (&reader);
  if (extended & 0x30)
    als_reader_u8 (&reader);
  header = als_reader_u8 (&reader);
  /* S, and partition 0; then P of the frame header: 0 in a key frame. */
  return !reader.failed && (required & 0x1f) == 0x10 && (header & 0x01) == 0;
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
