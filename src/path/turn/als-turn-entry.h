/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* One server of a pool: the connections to it that stand, and the allocation
 * that one of them holds. Private to the pool. */

#pragma once

#include "path/turn/als-turn-control.h"
#include "path/turn/als-turn-dialler.h"
#include "path/turn/als-turn-pool.h"

G_BEGIN_DECLS

typedef struct _AlsTurnEntry AlsTurnEntry;

/* Something that the pool's owner wants to know. May come from within a call. */
typedef void (*AlsTurnEntryFunc) (gpointer user_data);

/* Connects. MEANS: the pool's, stays. */
AlsTurnEntry *als_turn_entry_new  (const AlsPathServer *server, const AlsTurnDialMeans *means,
                                   AlsTurnEntryFunc changed, gpointer user_data);
/* Gives the allocation back. */
void          als_turn_entry_free (AlsTurnEntry *self);
/* The same server with another login. What was allocated goes on under the old one. */
void          als_turn_entry_renew (AlsTurnEntry *self, const AlsPathServer *server);
/* ADDRESSES: (element-type AlsStunAddress): this machine's. Connections from others are made
 * anew. */
void          als_turn_entry_network_changed (AlsTurnEntry *self, GArray *addresses);

const AlsPathServer *als_turn_entry_get_server (const AlsTurnEntry *self);
/* A first round is over. */
gboolean als_turn_entry_is_settled     (const AlsTurnEntry *self);
/* It is there or on its way. */
gboolean als_turn_entry_has_allocation (const AlsTurnEntry *self);
/* The last allocation. */
gboolean als_turn_entry_was_refused    (const AlsTurnEntry *self);
/* Only a proxy leads there. */
gboolean als_turn_entry_needs_proxy    (const AlsTurnEntry *self);
gboolean als_turn_entry_has_control    (const AlsTurnEntry *self, AlsTurnControl *control);
/* Connections and allocations begun; nos. */
guint    als_turn_entry_get_tries      (const AlsTurnEntry *self);
guint    als_turn_entry_get_refusals   (const AlsTurnEntry *self);
/* Adds what it told about connections from the local port.
 * ENDPOINTS: (element-type AlsTcpEndpoint) */
void     als_turn_entry_list_endpoints (const AlsTurnEntry *self, GArray *endpoints);
/* Adds references to those with an allocation. CONTROLS: (element-type AlsTurnControl) */
void     als_turn_entry_list_allocated (const AlsTurnEntry *self, GPtrArray *controls);

G_END_DECLS
