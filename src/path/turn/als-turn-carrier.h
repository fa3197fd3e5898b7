/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* A MESSAGES carrier over one to eight byte streams: each message is a numbered
 * record on one of them, and the other end puts them in order again. A stream
 * that is lost ends it, since nothing is sent twice. Lives in the thread for
 * streams. */

#pragma once

#include "path/als-carrier.h"
#include "base/als-mailbox.h"

G_BEGIN_DECLS

#define ALS_TYPE_TURN_CARRIER (als_turn_carrier_get_type ())
G_DECLARE_FINAL_TYPE (AlsTurnCarrier, als_turn_carrier, ALS, TURN_CARRIER, AlsCarrier)

/* To whoever made it; in its context. */
typedef struct
{
  guint wanted_stripes; /* 0: it has ended. As many would help, here or at the other end */
} AlsTurnCarrierNote;

/* NOTES: (element-type AlsTurnCarrierNote), g_free () them; a reference is taken.
 * CAN_WIDEN: this end is the one that makes connections. */
AlsTurnCarrier *als_turn_carrier_new        (const char *remote, gboolean can_widen,
                                             AlsMailbox *notes);
/* Any thread. STREAM: from now on its own. EARLY: (nullable) (transfer none): read already. */
void            als_turn_carrier_add_stream (AlsTurnCarrier *self, GIOStream *stream,
                                             GBytes *early);
/* Any thread: it breaks, if it has not been closed. */
void            als_turn_carrier_end        (AlsTurnCarrier *self);

/* For tests and the bench. */
guint           als_turn_carrier_count_streams (AlsTurnCarrier *self);

G_END_DECLS
