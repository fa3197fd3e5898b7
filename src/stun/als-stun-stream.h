/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* STUN messages out of a TCP stream, however it is cut. Pure.
 *
 * STUN over TCP has no framing but its own header (RFC 8489, 6.2.2), so a byte
 * that cannot be there ends the stream: its error says what it looks like. */

#pragma once

#include "stun/als-stun-message.h"

G_BEGIN_DECLS

typedef struct _AlsStunStream AlsStunStream;

AlsStunStream  *als_stun_stream_new       (void);
void            als_stun_stream_free      (AlsStunStream *self);
void            als_stun_stream_feed      (AlsStunStream *self, const uint8_t *data, size_t len);
/* Call it until it gives none: NULL without an error means that more bytes are needed. The first
 * error sticks. (transfer full) (nullable) */
AlsStunMessage *als_stun_stream_next      (AlsStunStream *self, GError **error);
/* Bytes that no message was made of: what follows a confirmed ConnectionBind is the peer's.
 * (transfer full) (nullable): NULL if there are none. */
GBytes         *als_stun_stream_take_rest (AlsStunStream *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (AlsStunStream, als_stun_stream_free)

G_END_DECLS
