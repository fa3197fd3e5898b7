/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* The relays of a turn-tcp path: allocations whose connections are ours to
 * take, and whom their servers let in. Private to als-turn-path.c. */

#pragma once

#include "path/turn/als-turn-control.h"
#include "path/turn/als-turn-message.h"
#include "path/turn/als-turn-pool.h"

G_BEGIN_DECLS

typedef struct _AlsTurnRelays AlsTurnRelays;

/* Of any relay's server. */
typedef void (*AlsTurnRelaysFunc) (AlsTurnControl *control, AlsTurnEvent *event,
                                   gpointer user_data);

typedef struct
{
  AlsTurnControl *control;
  AlsPathServer *server;   /* its login */
  gulong event_id;
  gboolean is_extra;       /* ours; else the pool's */
  GArray *permissions;     /* asked for */
} AlsTurnRelay;

AlsTurnRelays *als_turn_relays_new  (AlsTurnRelaysFunc func, gpointer user_data);
void           als_turn_relays_free (AlsTurnRelays *self);
/* All are given up; those of the pool live on in it. */
void           als_turn_relays_clear (AlsTurnRelays *self);
/* Takes those of the pool that came, and lets go of all that are lost. */
void           als_turn_relays_follow_pool (AlsTurnRelays *self, AlsTurnPool *pool);
/* An allocation that is the path's own. References are taken. */
void           als_turn_relays_add_extra (AlsTurnRelays *self, AlsTurnControl *control,
                                          const AlsPathServer *server);

guint                 als_turn_relays_count (const AlsTurnRelays *self);
AlsTurnRelay         *als_turn_relays_get   (const AlsTurnRelays *self, guint i);
/* (nullable) */
AlsTurnRelay         *als_turn_relays_find  (const AlsTurnRelays *self, AlsTurnControl *control);
const AlsStunAddress *als_turn_relay_get_address (const AlsTurnRelay *self);

/* The peer's relayed addresses, and where it plainly comes from, too, may come to ours. */
void     als_turn_relays_permit (AlsTurnRelays *self, const AlsTurnOffer *peer, gboolean plain_too);
/* What a server said to that. */
void     als_turn_relays_take_answer (AlsTurnRelays *self, AlsTurnControl *control,
                                      const AlsStunAddress *peer, gboolean is_granted);
/* Adds the addresses of all, or of those that let the peer in. FALSE while an answer is missing. */
gboolean als_turn_relays_offer (const AlsTurnRelays *self, gboolean all, AlsTurnOffer *offer);

/* One has this IP address. */
gboolean als_turn_relays_have_ip (const AlsTurnRelays *self, const AlsStunAddress *address);
/* One is of the same family as one of the peer's. */
gboolean als_turn_relays_share_family (const AlsTurnRelays *self, const AlsTurnOffer *peer);

G_END_DECLS
