/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* The link over datagrams that may be lost (design §4, "On UDP"): MTU search,
 * one congestion controller and pacer, segments with selective
 * acknowledgement, a PseudoTcpSocket per lane. Pure: the simulator runs it. */

#pragma once

#include "transport/als-link.h"

G_BEGIN_DECLS

/* (transfer full): free with als_link_free (). */
AlsLink *als_udp_link_new (const AlsLinkConfig *config, AlsLinkOutput output, gpointer output_data,
                           int64_t now_us);

G_END_DECLS
