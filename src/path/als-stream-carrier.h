/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* A STREAM carrier over a connected socket or stream (TLS, proxy), living in
 * the process's thread for streams. Its unsent queue is short
 * (TCP_NOTSENT_LOWAT), Nagle is off, BBR is asked for where the kernel lets us.
 * Packets are taken whole or not at all; what was taken before a close is still
 * written after it. */

#pragma once

#include "path/als-carrier.h"

G_BEGIN_DECLS

#define ALS_TYPE_STREAM_CARRIER (als_stream_carrier_get_type ())
G_DECLARE_FINAL_TYPE (AlsStreamCarrier, als_stream_carrier, ALS, STREAM_CARRIER, AlsCarrier)

/* STREAM: (transfer none), used by nobody else from now on. INITIATED: this end's connect
 * returned. EARLY: (nullable): bytes that were read already and come first. */
AlsCarrier   *als_stream_carrier_new         (GIOStream *stream, AlsPathKind kind, const char *remote,
                                              gboolean lan, gboolean initiated, GBytes *early);
/* Just before a close: taken even where the carrier is full. */
void          als_stream_carrier_add_last    (AlsStreamCarrier *self, const uint8_t *data, size_t len);
/* Of the thread for streams, which is there as long as the process. (transfer none) */
GMainContext *als_stream_carrier_get_thread_context (void);

G_END_DECLS
