/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* The datagram carrier over a UDP socket that found its other end. It lives in
 * a thread of its own, which ends when the last reference is gone. */

#pragma once

#include "path/als-carrier.h"
#include "path/punch/als-punch-probe.h"

G_BEGIN_DECLS

#define ALS_TYPE_UDP_CARRIER (als_udp_carrier_get_type ())
G_DECLARE_FINAL_TYPE (AlsUdpCarrier, als_udp_carrier, ALS, UDP_CARRIER, AlsCarrier)

/* SOCKET: connected to the other end; the carrier's from now on. ACCEPT: said in answer to each NOMINATE
 * under KEY, since the first may have been lost; other packets of the search are dropped. */
AlsCarrier *als_udp_carrier_new   (GSocket *socket, const char *remote, gboolean lan,
                                   const uint8_t *key, const uint8_t *accept);
/* Threads that have not ended: for tests. */
guint       als_udp_carrier_count (void);

G_END_DECLS
