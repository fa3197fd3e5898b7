/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Datagrams or messages over a socket that keeps their boundaries. */

#pragma once

#include "path/als-carrier.h"

#define ALS_TYPE_FD_CARRIER (als_fd_carrier_get_type ())
G_DECLARE_FINAL_TYPE (AlsFdCarrier, als_fd_carrier, ALS, FD_CARRIER, AlsCarrier)

/* FD: connected, nonblocking, the carrier's from now on. To be called in any thread before CONTEXT
 * knows of it. (transfer full) */
AlsCarrier *als_fd_carrier_new (int fd, AlsCarrierType type, AlsPathKind kind,
                                GMainContext *context);
