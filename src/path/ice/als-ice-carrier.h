/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* The datagram carrier over a connected NiceAgent. Lives in the agent's
 * thread. Over a direct route it sends on the selected socket itself, many
 * packets in one call; through a relay libnice wraps them. */

#pragma once

#include <nice/agent.h>
#include "path/als-carrier.h"

G_BEGIN_DECLS

#define ALS_TYPE_ICE_CARRIER (als_ice_carrier_get_type ())
G_DECLARE_FINAL_TYPE (AlsIceCarrier, als_ice_carrier, ALS, ICE_CARRIER, AlsCarrier)

/* RELEASED is called from whichever thread drops the last reference: until then the
 * thread must go on iterating CONTEXT. (transfer full) */
AlsIceCarrier *als_ice_carrier_new       (NiceAgent *nice, guint stream_id, AlsPathKind kind,
                                          GMainContext *context, const char *remote, gboolean lan,
                                          GDestroyNotify released, gpointer user_data);
/* The selected pair; SOCKET NULL: send through libnice. */
void           als_ice_carrier_set_route (AlsIceCarrier *self, GSocket *socket,
                                          const NiceAddress *remote);
/* The agent is going away: what is sent from now on is lost. */
void           als_ice_carrier_detach    (AlsIceCarrier *self);

G_END_DECLS
