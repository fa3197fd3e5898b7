/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* What has to be known about an RTP packet before it is put in order: RFC 3550's
 * header, and whether its payload begins a key frame (RFC 7741 for VP8, RFC 6184
 * for H.264). The rest is the depayloader's. */

#pragma once

#include "protocol/als-media-message.h"

G_BEGIN_DECLS

#define ALS_RTP_PAYLOAD_TYPE 96

typedef struct
{
  gboolean is_last;        /* of its frame: the marker */
  uint16_t seq;
  uint32_t timestamp;      /* 90 kHz */
  uint32_t ssrc;
  const uint8_t *payload;  /* borrowed */
  size_t payload_len;
} AlsRtpPacket;

gboolean als_rtp_packet_parse          (AlsRtpPacket *self, const uint8_t *data, size_t len);
/* A decoder that knows nothing may begin with this packet. */
gboolean als_rtp_packet_starts_key     (const AlsRtpPacket *self, AlsVideoCodec codec);

/* A VP8 key frame that is not of this coded size, or does not say: it would take memory that
 * nobody agreed to. (H.264's sizes are seen by the decoder's caps.) */
gboolean als_rtp_packet_has_wrong_size (const AlsRtpPacket *self, AlsVideoCodec codec,
                                        guint width, guint height);

G_END_DECLS
