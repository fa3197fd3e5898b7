/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Puts one generation of RTP packets in order. What is missing is asked for
 * again, by sequence number; what does not come in time is given up, and
 * nothing more is let through until a key frame begins. Pure. */

#pragma once

#include "media/als-rtp.h"

G_BEGIN_DECLS

#define ALS_RTP_REORDER_WINDOW 1024 /* packets */

typedef struct _AlsRtpReorder AlsRtpReorder;

AlsRtpReorder *als_rtp_reorder_new          (AlsVideoCodec codec, int64_t now_us);
void           als_rtp_reorder_free         (AlsRtpReorder *self);
/* Takes a reference of BYTES, which PACKET was parsed from. */
void           als_rtp_reorder_push         (AlsRtpReorder *self, const AlsRtpPacket *packet,
                                             GBytes *bytes, int64_t now_us);
/* The sender says that it has sent everything before NEXT_SEQ. */
void           als_rtp_reorder_mark         (AlsRtpReorder *self, uint16_t next_seq,
                                             int64_t now_us);
/* The next packet that can be decoded. (transfer full) (nullable) */
GBytes        *als_rtp_reorder_pop          (AlsRtpReorder *self, int64_t rtt_us, int64_t now_us);
/* Sequence numbers to ask for now; returns how many. */
guint          als_rtp_reorder_get_missing  (AlsRtpReorder *self, int64_t rtt_us, int64_t now_us,
                                             uint16_t missing[ALS_MEDIA_MAX_NACK]);
/* TRUE: ask for a key frame now. */
gboolean       als_rtp_reorder_wants_key    (AlsRtpReorder *self, int64_t now_us);
/* The decoder lost its way: nothing but a key frame helps. */
void           als_rtp_reorder_need_key     (AlsRtpReorder *self, int64_t now_us);
/* When to pop, get_missing and wants_key again; INT64_MAX: after the next packet. */
int64_t        als_rtp_reorder_get_deadline (AlsRtpReorder *self, int64_t rtt_us);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (AlsRtpReorder, als_rtp_reorder_free)

G_END_DECLS
