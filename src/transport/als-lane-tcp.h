/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* One lane's connection: libnice's PseudoTcpSocket over the ordered stream
 * that the segments give it. Frames go in and come out, a 16-bit length before
 * each; packets are checked before the socket sees them, since it asserts
 * where we want an error.
 *
 * The socket's clock is never told to it: what its timer would repair, the
 * layer below has repaired, acknowledgements leave at once, and both sides
 * always drain. So its one-second timeout cannot strike, whether our own queue
 * is long or the path silent for a while. */

#pragma once

#include "transport/als-link.h"

G_BEGIN_DECLS

typedef struct _AlsLaneTcp AlsLaneTcp;

typedef struct
{
  /* A packet for the other side's socket. ACK: it says nothing but how far we are, and
   * only the latest matters. FALSE: it could not be kept. */
  gboolean (*packet) (AlsLane lane, const uint8_t *data, size_t len, gboolean ack,
                      gpointer user_data);
  void     (*frame)  (AlsLane lane, const uint8_t *data, size_t len, gpointer user_data);
} AlsLaneTcpEvents;

/* CONNECTS: one of the two sides does. */
AlsLaneTcp *als_lane_tcp_new           (AlsLane lane, gboolean connects,
                                        const AlsLaneTcpEvents *events, gpointer user_data);
void        als_lane_tcp_free          (AlsLaneTcp *self);
void        als_lane_tcp_start         (AlsLaneTcp *self);
/* The next bytes of the stream. FALSE, here and below: nonsense, or the connection died. */
gboolean    als_lane_tcp_feed          (AlsLaneTcp *self, const uint8_t *data, size_t len);
/* An acknowledgement that came beside the stream, TCP_HEADER: 24 bytes. */
gboolean    als_lane_tcp_feed_ack      (AlsLaneTcp *self, const uint8_t *tcp_header);
/* Keeps the frame; als_lane_tcp_flush () hands all to the socket, as far as it takes it.
 * KEPT_BELOW: bytes of the lane that the segments keep. */
void        als_lane_tcp_put_frame     (AlsLaneTcp *self, const uint8_t *data, size_t len);
gboolean    als_lane_tcp_flush         (AlsLaneTcp *self, uint64_t kept_below);
/* Bytes not handed to the segments yet, and those of which the other side has told. */
uint64_t    als_lane_tcp_get_unsent    (const AlsLaneTcp *self);
uint64_t    als_lane_tcp_get_acked     (const AlsLaneTcp *self);
/* Everything ever given was acknowledged. */
gboolean    als_lane_tcp_is_done       (const AlsLaneTcp *self);

G_END_DECLS
