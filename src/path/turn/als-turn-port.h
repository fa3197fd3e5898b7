/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* A local TCP port of the pool's own, for both families. Private to the pool. */

#pragma once

#include <glib.h>
#include <stdint.h>

G_BEGIN_DECLS

typedef struct _AlsTurnPort AlsTurnPort;

/* WANTED: 0: any. Where it is taken: any, too. (transfer full) (nullable) */
AlsTurnPort *als_turn_port_take       (uint16_t wanted, gboolean loopback);
void         als_turn_port_release    (AlsTurnPort *self);
uint16_t     als_turn_port_get_number (const AlsTurnPort *self);

G_END_DECLS
