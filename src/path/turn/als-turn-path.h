/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* The turn-tcp path (RFC 6062): both sides allocate, each permits the other's
 * relayed address, one connects. Its one carrier is of type MESSAGES: records
 * with numbers, spread over up to eight relayed connections, since one moves
 * 64 KiB a round trip at most (coturn's socket buffers). */

#pragma once

#include "path/als-path.h"
#include "path/turn/als-turn-pool.h"

G_BEGIN_DECLS

#define ALS_TYPE_TURN_PATH (als_turn_path_get_type ())
G_DECLARE_FINAL_TYPE (AlsTurnPath, als_turn_path, ALS, TURN_PATH, AlsPath)

typedef struct
{
  gboolean is_inviter;
  AlsTurnPool *pool;         /* a reference is taken */
  gboolean one_sided;        /* the operator's TURN server lets foreign peers in: a side without an
                              * allocation connects plainly to the other's relayed address */
  const char *origin;        /* (nullable): in digits, where we come from as others see us: who reaches no
                              * server is told by none */
} AlsTurnPathConfig;

AlsPath *als_turn_path_new (const AlsTurnPathConfig *config);

G_END_DECLS
