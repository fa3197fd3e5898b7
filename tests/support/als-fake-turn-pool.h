/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* An AlsTurnPool and an AlsPortMapper that know what they are told, for tests of what uses them. */

#pragma once

#include "path/portmap/als-port-mapper.h"
#include "path/turn/als-turn-pool.h"

G_BEGIN_DECLS

AlsTurnPool   *als_fake_turn_pool_new   (uint16_t local_port);
/* MAPPED: what a server told about us; emits `changed`. */
void           als_fake_turn_pool_learn (AlsTurnPool *self, const AlsStunAddress *mapped);
void           als_fake_turn_pool_settle (AlsTurnPool *self, gboolean uses_proxy);
AlsPortMapper *als_fake_port_mapper_new (void);
/* Emits `mapped` for a port that was asked for. */
void           als_fake_port_mapper_map (AlsPortMapper *self, const AlsStunAddress *external);

G_END_DECLS
