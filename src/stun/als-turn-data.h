/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* The second connection of a relayed one (RFC 6062, 4.3): ConnectionBind, and
 * from its confirmation on the peer's bytes as they are. Pure.
 *
 * Nothing may be sent before it is bound; and that it is bound proves nothing
 * about the peer: only its own bytes do. */

#pragma once

#include "stun/als-turn-session.h"

G_BEGIN_DECLS

typedef enum
{
  ALS_TURN_DATA_IDLE,
  ALS_TURN_DATA_BINDING,
  ALS_TURN_DATA_BOUND,  /* feed it nothing more */
  ALS_TURN_DATA_FAILED,
} AlsTurnDataState;

typedef struct _AlsTurnData AlsTurnData;

/* AUTH: the session's, copied. CONNECTION_ID, BIND_BY_US: the event's. */
AlsTurnData     *als_turn_data_new          (const AlsStunAuth *auth, uint32_t connection_id,
                                             int64_t bind_by_us);
void             als_turn_data_free         (AlsTurnData *self);
void             als_turn_data_start        (AlsTurnData *self, int64_t now_us);
void             als_turn_data_feed         (AlsTurnData *self, const uint8_t *data, size_t len,
                                             int64_t now_us);
/* The connection has ended. */
void             als_turn_data_close        (AlsTurnData *self);
void             als_turn_data_poll         (AlsTurnData *self, int64_t now_us);
int64_t          als_turn_data_get_deadline (const AlsTurnData *self);
/* (transfer full) (nullable) */
GBytes          *als_turn_data_take_output  (AlsTurnData *self);
/* What the peer sent right behind the confirmation. (transfer full) (nullable) */
GBytes          *als_turn_data_take_rest    (AlsTurnData *self);
AlsTurnDataState als_turn_data_get_state    (const AlsTurnData *self);
/* ALS_TURN_ERROR once it has failed. (transfer none) (nullable) */
const GError    *als_turn_data_get_error    (const AlsTurnData *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (AlsTurnData, als_turn_data_free)

G_END_DECLS
