/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* All legs of a turn-tcp path. Private to the path. */

#pragma once

#include "path/turn/als-turn-leg.h"

G_BEGIN_DECLS

typedef struct
{
  GPtrArray *legs; /* (element-type AlsTurnLeg) */
  AlsTurnLegShared shared;
} AlsTurnLegs;

void        als_turn_legs_init   (AlsTurnLegs *self, const AlsTurnLegEvents *events,
                                  gpointer user_data);
/* Drops all. */
void        als_turn_legs_clear  (AlsTurnLegs *self);
void        als_turn_legs_uninit (AlsTurnLegs *self);

/* CONTROL, PEER: (nullable). (transfer none) */
AlsTurnLeg *als_turn_legs_add       (AlsTurnLegs *self, AlsTurnControl *control,
                                     const AlsStunAddress *peer, guint stripe);
/* An outgoing one in this state. ANY_PORT: PEER's does not matter. (nullable) */
AlsTurnLeg *als_turn_legs_find      (const AlsTurnLegs *self, AlsTurnControl *control,
                                     const AlsStunAddress *peer, AlsTurnLegState state,
                                     gboolean any_port);
/* There is or was an outgoing one. */
gboolean    als_turn_legs_has_pair  (const AlsTurnLegs *self, AlsTurnControl *control,
                                     const AlsStunAddress *peer);
/* No more pairs are to be begun. */
gboolean    als_turn_legs_is_full   (const AlsTurnLegs *self);
gboolean    als_turn_legs_has_extra (const AlsTurnLegs *self);
/* An extra allocation is on its way. */
gboolean    als_turn_legs_is_allocating_extra (const AlsTurnLegs *self);
/* Any that is not dead. */
gboolean    als_turn_legs_is_trying (const AlsTurnLegs *self);
/* Came to us, and have neither been greeted nor failed. */
guint       als_turn_legs_count_arrivals (const AlsTurnLegs *self);

/* Those that began with CONTROL and do not stand. */
void        als_turn_legs_fail_all    (AlsTurnLegs *self, AlsTurnControl *control,
                                       const GError *error);
/* WINNER carries: the other outgoing ones are not needed. */
void        als_turn_legs_kill_others (AlsTurnLegs *self, const AlsTurnLeg *winner);
void        als_turn_legs_poll        (AlsTurnLegs *self, int64_t now_us);
int64_t     als_turn_legs_get_deadline (const AlsTurnLegs *self);
/* Forgets the dead; pairs that were tried in vain stay: they are not to be tried again. */
void        als_turn_legs_bury        (AlsTurnLegs *self);

G_END_DECLS
