/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* A punched path over TCP: what AlsPunchPlan says, done with an AlsPunchDoor,
 * and told through the path it belongs to. */

#pragma once

#include "path/punch/als-punch-path.h"

G_BEGIN_DECLS

typedef struct _AlsPunchTcp AlsPunchTcp;

/* PATH: not owned, outlives it. CONFIG: its pool and mapper, too. */
AlsPunchTcp *als_punch_tcp_new        (AlsPath *path, const AlsPunchPathConfig *config);
void         als_punch_tcp_start      (AlsPunchTcp *self);
void         als_punch_tcp_receive    (AlsPunchTcp *self, const uint8_t *data, size_t len);
void         als_punch_tcp_settle     (AlsPunchTcp *self);
void         als_punch_tcp_get_report (AlsPunchTcp *self, AlsPathReport *report);
void         als_punch_tcp_free       (AlsPunchTcp *self);

G_END_DECLS
