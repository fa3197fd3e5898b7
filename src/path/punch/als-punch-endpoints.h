/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Collecting what this side can tell of itself. (element-type AlsPunchEndpoint) */

#pragma once

#include "path/punch/als-punch-message.h"

G_BEGIN_DECLS

/* Not without an address or port. */
void als_punch_endpoints_add       (GArray *endpoints, AlsPunchEndpointKind kind,
                                    const AlsStunAddress *address);
/* This machine's addresses, or the loopback ones, with the port of their family; 0: none. */
void als_punch_endpoints_add_hosts (GArray *endpoints, gboolean loopback, uint16_t ipv4_port,
                                    uint16_t ipv6_port);

G_END_DECLS
