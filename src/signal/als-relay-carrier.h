/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* The signal-relay path: messages through the rendezvous connection, or through
 * the one that two sides on a local network have instead. It paces nothing: the
 * link above keeps to the limits that PAIRED stated; where none are stated it
 * is told when there is room again. */

#pragma once

#include "path/als-carrier.h"

G_BEGIN_DECLS

#define ALS_TYPE_RELAY_CARRIER (als_relay_carrier_get_type ())
G_DECLARE_FINAL_TYPE (AlsRelayCarrier, als_relay_carrier, ALS, RELAY_CARRIER, AlsCarrier)

/* Sends one frame; FALSE: it cannot be sent. */
typedef gboolean (*AlsRelayFunc) (const uint8_t *data, size_t len, gpointer user_data);

AlsRelayCarrier *als_relay_carrier_new  (GMainContext *context, const char *remote, gboolean lan,
                                         uint32_t rate, uint32_t backlog_bytes,
                                         AlsRelayFunc func, gpointer user_data);
/* The relay has ended; the function is not called again. */
void             als_relay_carrier_end  (AlsRelayCarrier *self, const GError *error);

G_END_DECLS
