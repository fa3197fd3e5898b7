/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* A punched path over UDP: what AlsPunchSearch says, done with sockets, and
 * told through the path it belongs to. Servers are asked from the socket that
 * is found by the other side. */

#pragma once

#include "path/punch/als-punch-path.h"

G_BEGIN_DECLS

typedef struct _AlsPunchUdp AlsPunchUdp;

/* PATH: not owned, outlives it. CONFIG: its objects, too. */
AlsPunchUdp *als_punch_udp_new        (AlsPath *path, const AlsPunchPathConfig *config);
void         als_punch_udp_start      (AlsPunchUdp *self);
void         als_punch_udp_receive    (AlsPunchUdp *self, const uint8_t *data, size_t len);
void         als_punch_udp_settle     (AlsPunchUdp *self);
void         als_punch_udp_get_report (AlsPunchUdp *self, AlsPathReport *report);
void         als_punch_udp_free       (AlsPunchUdp *self);

G_END_DECLS
