/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#include "config.h"

#include "transport/als-segment-codec.h"

#include <string.h>

static uint8_t *
put_u16 (uint8_t *out, uint16_t value)
{
  out[0] = (uint8_t) (value >> 8);
  out[1] = (uint8_t) value;
  return out + 2;
}

static uint8_t *
put_u32 (uint8_t *out, uint32_t value)
{
  return put_u16 (put_u16 (out, (uint16_t) (value >> 16)), (uint16_t) value);
}

gboolean
als_packet_read_header (AlsReader *reader, AlsPacketHeader *header)
{
  *header = (AlsPacketHeader){ .kind = als_reader_u8 (reader) };
  switch (header->kind)
    {
    case ALS_PACKET_NUMBERED:
    case ALS_PACKET_LAZY:
      header->number = als_reader_u32 (reader);
      header->floor = als_reader_u16 (reader);
      break;
    case ALS_PACKET_PROBE_REPLY:
      header->probe_size = als_reader_u16 (reader);
      break;
    case ALS_PACKET_BARE:
    case ALS_PACKET_PROBE:
    case ALS_PACKET_CLOSE:
      break;
    default:
      als_reader_fail (reader);
    }
  return !reader->failed;
}

static void
read_ack (AlsReader *reader, AlsRecord *record)
{
  uint32_t last = als_reader_u32 (reader);
  uint32_t first;
  guint n;

  record->arrived_us = als_reader_u32 (reader);
  record->delay_us = als_reader_u32 (reader);
  first = last - als_reader_u16 (reader);
  record->ranges[0] = (AlsAckRange){ first, last };
  n = als_reader_u8 (reader);
  if (n > ALS_ACK_RANGES_MAX)
    {
      als_reader_fail (reader);
      return;
    }
  record->n_ranges = n + 1;
  for (guint i = 1; i <= n; i++)
    {
      last = first - als_reader_u16 (reader) - 2;
      first = last - als_reader_u16 (reader);
      record->ranges[i] = (AlsAckRange){ first, last };
    }
}

gboolean
als_packet_read_record (AlsReader *reader, AlsRecord *record)
{
  uint8_t type;

  if (als_reader_left (reader) == 0 || reader->failed)
    return FALSE;
  type = als_reader_u8 (reader);
  record->data = NULL;
  record->len = 0;
  if (type >= ALS_RECORD_STREAM && type < ALS_RECORD_STREAM + ALS_N_LANES)
    {
      record->type = ALS_RECORD_STREAM;
      record->lane = type - ALS_RECORD_STREAM;
      record->offset = als_reader_u32 (reader);
      record->data = als_reader_blob (reader, UINT16_MAX, &record->len);
      if (record->len == 0)
        als_reader_fail (reader);
      return !reader->failed;
    }
  record->type = type;
  switch (type)
    {
    case ALS_RECORD_PAD:
      als_reader_rest (reader, &record->len);
      break;
    case ALS_RECORD_ACK:
      read_ack (reader, record);
      break;
    case ALS_RECORD_TCP_ACK:
      record->lane = als_reader_u8 (reader);
      record->len = ALS_TCP_HEADER_BYTES;
      record->data = als_reader_bytes (reader, record->len);
      if (record->lane >= ALS_N_LANES)
        als_reader_fail (reader);
      break;
    case ALS_RECORD_DATAGRAM:
      record->data = als_reader_blob (reader, ALS_DATAGRAM_MAX, &record->len);
      if (record->len == 0)
        als_reader_fail (reader);
      break;
    case ALS_RECORD_FRAGMENT:
      record->id = als_reader_u16 (reader);
      record->offset = als_reader_u16 (reader);
      record->total = als_reader_u16 (reader);
      record->data = als_reader_blob (reader, ALS_DATAGRAM_MAX, &record->len);
      if (record->len == 0 || record->total > ALS_DATAGRAM_MAX
          || record->offset + record->len > record->total)
        als_reader_fail (reader);
      break;
    default:
      als_reader_fail (reader);
    }
  return !reader->failed;
}

size_t
als_packet_write_header (uint8_t *out, const AlsPacketHeader *header)
{
  uint8_t *at = out;

  *at++ = (uint8_t) header->kind;
  if (header->kind == ALS_PACKET_NUMBERED || header->kind == ALS_PACKET_LAZY)
    at = put_u16 (put_u32 (at, header->number), header->floor);
  else if (header->kind == ALS_PACKET_PROBE_REPLY)
    at = put_u16 (at, header->probe_size);
  return (size_t) (at - out);
}

size_t
als_packet_write_ack (uint8_t *out, uint32_t arrived_us, uint32_t delay_us,
                      const AlsAckRange *ranges, guint n_ranges)
{
  uint8_t *at = out;

  g_assert (n_ranges > 0 && n_ranges <= ALS_ACK_RANGES_MAX + 1);
  *at++ = ALS_RECORD_ACK;
  at = put_u32 (at, ranges[0].last);
  at = put_u32 (at, arrived_us);
  at = put_u32 (at, delay_us);
  at = put_u16 (at, (uint16_t) (ranges[0].last - ranges[0].first));
  *at++ = (uint8_t) (n_ranges - 1);
  for (guint i = 1; i < n_ranges; i++)
    {
      at = put_u16 (at, (uint16_t) (ranges[i - 1].first - ranges[i].last - 2));
      at = put_u16 (at, (uint16_t) (ranges[i].last - ranges[i].first));
    }
  return (size_t) (at - out);
}

size_t
als_packet_write_tcp_ack (uint8_t *out, AlsLane lane, const uint8_t *tcp_header)
{
  out[0] = ALS_RECORD_TCP_ACK;
  out[1] = (uint8_t) lane;
  memcpy (out + 2, tcp_header, ALS_TCP_HEADER_BYTES);
  return ALS_TCP_ACK_RECORD_BYTES;
}

size_t
als_packet_write_datagram (uint8_t *out, const uint8_t *data, size_t len)
{
  out[0] = ALS_RECORD_DATAGRAM;
  memcpy (put_u16 (out + 1, (uint16_t) len), data, len);
  return ALS_DATAGRAM_HEADER_BYTES + len;
}

size_t
als_packet_write_fragment (uint8_t *out, uint16_t id, uint16_t offset, uint16_t total,
                           const uint8_t *data, size_t len)
{
  uint8_t *at = out;

  *at++ = ALS_RECORD_FRAGMENT;
  at = put_u16 (put_u16 (put_u16 (put_u16 (at, id), offset), total), (uint16_t) len);
  memcpy (at, data, len);
  return ALS_FRAGMENT_HEADER_BYTES + len;
}

size_t
als_packet_write_stream (uint8_t *out, AlsLane lane, uint32_t offset, size_t len)
{
  out[0] = (uint8_t) (ALS_RECORD_STREAM + lane);
  put_u16 (put_u32 (out + 1, offset), (uint16_t) len);
  return ALS_STREAM_HEADER_BYTES;
}
