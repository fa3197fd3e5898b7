/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* How the NAT in front of us behaves over UDP (RFC 5780, 4.3 and 4.4). Pure.
 *
 * All from one socket, in an order in which no test spoils the next: first what
 * our address looks like, then what may come in without our having sent there
 * (filtering), and only then requests to the server's other address (mapping).
 * A test that is not answered takes 2.5 s; all of it 7.5 s at the most. */

#pragma once

#include "stun/als-stun-message.h"

G_BEGIN_DECLS

/* RFC 4787's words. */
typedef enum
{
  ALS_NAT_UNKNOWN,             /* the server cannot tell, or did not */
  ALS_NAT_ENDPOINT_INDEPENDENT,
  ALS_NAT_ADDRESS_DEPENDENT,
  ALS_NAT_ADDRESS_AND_PORT_DEPENDENT,
} AlsNatDependence;

typedef struct
{
  gboolean is_blocked;         /* no answer at all; the rest is unknown */
  gboolean is_translated;      /* our public endpoint is not our own */
  AlsNatDependence mapping;    /* ENDPOINT_INDEPENDENT without a NAT */
  AlsNatDependence filtering;
  AlsStunAddress endpoints[3]; /* as seen from the server's address, its other address, and that
                                * one's other port; NONE: not known. Their ports tell steps. */
} AlsNatBehaviour;

typedef struct
{
  AlsStunAddress to;
  GBytes *bytes; /* (transfer full) */
} AlsNatProbe;

typedef struct _AlsNatDiscovery AlsNatDiscovery;

/* LOCAL: the socket's own address, by which a NAT is told from none. SERVER: with a port. */
AlsNatDiscovery       *als_nat_discovery_new          (const AlsStunAddress *local,
                                                       const AlsStunAddress *server,
                                                       int64_t now_us);
void                   als_nat_discovery_free         (AlsNatDiscovery *self);
/* FALSE if nothing is to be sent now; call until then after poll and receive. */
gboolean               als_nat_discovery_take_probe   (AlsNatDiscovery *self, AlsNatProbe *probe);
/* FROM: where the datagram came from. What is not ours is ignored. */
void                   als_nat_discovery_receive      (AlsNatDiscovery *self,
                                                       const AlsStunAddress *from,
                                                       const uint8_t *data, size_t len,
                                                       int64_t now_us);
void                   als_nat_discovery_poll         (AlsNatDiscovery *self, int64_t now_us);
int64_t                als_nat_discovery_get_deadline (const AlsNatDiscovery *self);
/* (transfer none) (nullable): NULL until it is finished. */
const AlsNatBehaviour *als_nat_discovery_get_result   (const AlsNatDiscovery *self);

/* In today's words, for logs and `diagnose`. (transfer full) */
char       *als_nat_behaviour_describe     (const AlsNatBehaviour *self);
/* In the words of RFC 3489, which people still look for. */
const char *als_nat_behaviour_get_old_name (const AlsNatBehaviour *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (AlsNatDiscovery, als_nat_discovery_free)

G_END_DECLS
