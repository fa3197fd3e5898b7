/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* The packets of the segment layer, as they are before sealing:
 *
 *   u8 kind
 *   NUMBERED, LAZY   u32 number, u16 floor; records   (acknowledged; LAZY without hurry)
 *   BARE             records                          (acknowledgements only)
 *   PROBE            padding                          (its sealed size is the question)
 *   PROBE_REPLY      u16 size
 *   CLOSE
 *
 * `floor` counts down from `number`: the receiver need not tell of packets below it.
 * Records, one after the other:
 *
 *   u8 PAD           the rest is nothing
 *   u8 ACK           u32 largest, u32 arrived, u32 delay, u16 more, u8 n, n times {u16 gap, u16 more}:
 *                    LARGEST and MORE below it, then GAP + 1 missing, MORE + 1 there, ...; LARGEST
 *                    came at ARRIVED (µs of a clock of its own, low bits), DELAY µs ago
 *   u8 TCP_ACK       u8 lane, 24 bytes: the latest pure acknowledgement of its pseudo-TCP
 *   u8 DATAGRAM      u16 length, bytes
 *   u8 FRAGMENT      u16 id, u16 offset, u16 total, u16 length, bytes
 *   u8 STREAM + lane u32 offset (low bits), u16 length, bytes
 *
 * Pure; the reader gives nothing that is out of bounds. */

#pragma once

#include "base/als-bytes.h"
#include "transport/als-link.h"

G_BEGIN_DECLS

#define ALS_ACK_RANGES_MAX 32
#define ALS_TCP_HEADER_BYTES 24

typedef enum
{
  ALS_PACKET_NUMBERED = 1,
  ALS_PACKET_LAZY,
  ALS_PACKET_BARE,
  ALS_PACKET_PROBE,
  ALS_PACKET_PROBE_REPLY,
  ALS_PACKET_CLOSE,
} AlsPacketKind;

typedef enum
{
  ALS_RECORD_PAD = 0,
  ALS_RECORD_ACK = 1,
  ALS_RECORD_TCP_ACK = 2,
  ALS_RECORD_DATAGRAM = 3,
  ALS_RECORD_FRAGMENT = 4,
  ALS_RECORD_STREAM = 16, /* + lane */
} AlsRecordType;

#define ALS_NUMBERED_HEADER_BYTES 7
#define ALS_BARE_HEADER_BYTES 1
#define ALS_TCP_ACK_RECORD_BYTES (2 + ALS_TCP_HEADER_BYTES)
#define ALS_DATAGRAM_HEADER_BYTES 3
#define ALS_FRAGMENT_HEADER_BYTES 9
#define ALS_STREAM_HEADER_BYTES 7
#define ALS_ACK_HEADER_BYTES 16
#define ALS_ACK_RANGE_BYTES 4

typedef struct
{
  AlsPacketKind kind;
  uint32_t number;
  uint16_t floor;
  uint16_t probe_size;
} AlsPacketHeader;

typedef struct
{
  uint32_t first; /* both inclusive, low bits */
  uint32_t last;
} AlsAckRange;

typedef struct
{
  AlsRecordType type; /* STREAM without its lane */
  AlsLane lane;
  const uint8_t *data; /* TCP_ACK, DATAGRAM, FRAGMENT, STREAM */
  size_t len;
  uint32_t offset;     /* STREAM, FRAGMENT */
  uint16_t id, total;  /* FRAGMENT */
  uint32_t arrived_us; /* ACK */
  uint32_t delay_us;   /* ACK */
  guint n_ranges;      /* ACK: highest first */
  AlsAckRange ranges[ALS_ACK_RANGES_MAX + 1];
} AlsRecord;

/* FALSE: nonsense. */
gboolean als_packet_read_header (AlsReader *reader, AlsPacketHeader *header);
/* FALSE: nothing more, or nonsense: als_reader_done () tells which. */
gboolean als_packet_read_record (AlsReader *reader, AlsRecord *record);

/* Each returns the bytes written; the caller has made sure of the room. */
size_t   als_packet_write_header   (uint8_t *out, const AlsPacketHeader *header);
size_t   als_packet_write_ack      (uint8_t *out, uint32_t arrived_us, uint32_t delay_us,
                                    const AlsAckRange *ranges, guint n_ranges);
size_t   als_packet_write_tcp_ack  (uint8_t *out, AlsLane lane, const uint8_t *tcp_header);
size_t   als_packet_write_datagram (uint8_t *out, const uint8_t *data, size_t len);
size_t   als_packet_write_fragment (uint8_t *out, uint16_t id, uint16_t offset, uint16_t total,
                                    const uint8_t *data, size_t len);
/* The head of a stream record; LEN bytes follow it. */
size_t   als_packet_write_stream   (uint8_t *out, AlsLane lane, uint32_t offset, size_t len);

G_END_DECLS
