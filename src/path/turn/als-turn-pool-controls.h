/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* What turn-tcp needs of the pool beyond endpoints. */

#pragma once

#include "path/als-path.h"
#include "path/turn/als-turn-control.h"
#include "path/turn/als-turn-pool.h"

G_BEGIN_DECLS

/* Those with an allocation, in the order of the servers. (element-type AlsTurnControl)
 * (transfer full) */
GPtrArray     *als_turn_pool_list_allocated (AlsTurnPool *self);
/* The login that CONTROL was made with. (nullable) (transfer none) */
const AlsPathServer *als_turn_pool_find_server (AlsTurnPool *self, AlsTurnControl *control);
/* Why there is no allocation; NONE while that is open. TRIES: connections begun. REFUSALS: nos. */
AlsPathProblem als_turn_pool_get_problem    (AlsTurnPool *self, guint *tries, guint *refusals);

gboolean       als_turn_pool_is_loopback    (AlsTurnPool *self);

G_END_DECLS
