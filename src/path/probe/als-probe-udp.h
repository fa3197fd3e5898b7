/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* The UDP half of a network probe: each server is asked from a socket of its
 * own how the NAT behaves (AlsNatDiscovery), all of them from one shared socket
 * which endpoint they see, and the first that answers takes part in a search
 * for the largest packet. Over when nothing is left to wait for, 7.5 s at the
 * most. Lives in the thread it was made in. */

#pragma once

#include "stun/als-nat-discovery.h"

G_BEGIN_DECLS

#define ALS_PROBE_MAX_SERVERS 4

typedef struct
{
  gboolean is_known;   /* somebody was asked */
  AlsNatBehaviour nat;
  int64_t rtt_us;      /* the shortest, 0: unknown */
  uint32_t mtu;        /* IP packet, 0: unknown */
} AlsProbeUdpResult;

typedef struct _AlsProbeUdp AlsProbeUdp;

/* SERVERS: of one family, at most ALS_PROBE_MAX_SERVERS are used. DONE: called once, never by this call;
 * it must not free the probe. */
AlsProbeUdp *als_probe_udp_new        (const AlsStunAddress *servers, guint n_servers,
                                       void (*done) (gpointer user_data), gpointer user_data);
void         als_probe_udp_free       (AlsProbeUdp *self);
gboolean     als_probe_udp_is_done    (AlsProbeUdp *self);
/* What is known so far. */
void         als_probe_udp_get_result (AlsProbeUdp *self, AlsProbeUdpResult *result);

/* Pure: what N servers' views of one socket tell of its mapping. UNKNOWN with fewer than two addresses. */
AlsNatDependence als_probe_judge_views (const AlsStunAddress *servers, const AlsStunAddress *mapped,
                                        guint n);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (AlsProbeUdp, als_probe_udp_free)

G_END_DECLS
