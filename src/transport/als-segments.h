/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* The reliable part of the UDP link, as packets before sealing: numbered,
 * selectively acknowledged, called lost by time (after RACK, RFC 8985), with a
 * byte stream per lane, each in order by itself, and datagrams that are paced
 * but never repeated. Scheduled by priority: acknowledgements, control, chat,
 * datagrams, bulk. One rate control and one MTU search for the path.
 *
 * A number is used once: what is lost goes again under a new one, so a round
 * trip is never ambiguous. Pure. */

#pragma once

#include "transport/als-link.h"

G_BEGIN_DECLS

typedef struct _AlsSegments AlsSegments;

typedef struct
{
  /* The next bytes of LANE. */
  void (*stream)   (AlsLane lane, const uint8_t *data, size_t len, gpointer user_data);
  /* The latest pure acknowledgement of LANE's pseudo-TCP. */
  void (*tcp_ack)  (AlsLane lane, const uint8_t *tcp_header, gpointer user_data);
  void (*datagram) (const uint8_t *data, size_t len, gpointer user_data);
  void (*closed)   (gpointer user_data);
} AlsSegmentsEvents;

typedef struct
{
  gboolean alone;  /* a probe: not to be sent in a batch */
  uint64_t number; /* for als_segments_refused () */
} AlsSegmentsPacket;

AlsSegments *als_segments_new           (const AlsSegmentsEvents *events, gpointer user_data);
void         als_segments_free          (AlsSegments *self);
/* Before this nothing leaves. RTT_US: 0 while unknown. */
void         als_segments_start         (AlsSegments *self, int64_t rtt_us, int64_t now_us);

/* FALSE: nonsense, which a peer that holds the keys never sends. */
gboolean     als_segments_receive       (AlsSegments *self, const uint8_t *plain, size_t len,
                                         int64_t now_us);
/* Handles timers; to be called before _build (). */
void         als_segments_poll          (AlsSegments *self, int64_t now_us);
/* Makes the next packet due, at most ALS_MTU_MAX bytes; 0: nothing for now. */
size_t       als_segments_build         (AlsSegments *self, uint8_t *out, AlsSegmentsPacket *packet,
                                         int64_t now_us);
/* The packet never left this machine. */
void         als_segments_refused       (AlsSegments *self, const AlsSegmentsPacket *packet);
int64_t      als_segments_get_deadline  (const AlsSegments *self);

/* A message (a pseudo-TCP packet) into LANE's stream, its length in front. FALSE: too much is
 * kept already. */
gboolean     als_segments_append        (AlsSegments *self, AlsLane lane, const uint8_t *data,
                                         size_t len);
void         als_segments_set_tcp_ack   (AlsSegments *self, AlsLane lane,
                                         const uint8_t *tcp_header);
/* FALSE: too much is unsent. */
gboolean     als_segments_send_datagram (AlsSegments *self, const uint8_t *data, size_t len,
                                         int64_t now_us);

/* Bytes given and not sent yet. */
uint64_t     als_segments_get_unsent    (const AlsSegments *self, AlsLane lane);
uint64_t     als_segments_get_unsent_datagrams (const AlsSegments *self);
/* Bytes of LANE's stream that are kept because nobody has acknowledged them. */
uint64_t     als_segments_get_kept      (const AlsSegments *self, AlsLane lane);
/* UDP payload bytes a second: what the path carries, and what the pacer lets through. */
uint64_t     als_segments_get_rate      (const AlsSegments *self);
uint64_t     als_segments_get_pacing_rate (const AlsSegments *self);
/* Fills in rtt, min_rtt, queue delay of the path, lost packets, mtu. */
void         als_segments_get_stats     (const AlsSegments *self, AlsLinkStats *stats);
/* For tests: bytes in flight and the congestion window. */
void         als_segments_get_window    (const AlsSegments *self, uint64_t *inflight,
                                         uint64_t *cwnd);

G_END_DECLS
