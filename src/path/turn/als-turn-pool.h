/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* One side's control connections to TURN and STUN servers over TCP, all from
 * one local port, shared by turn-tcp and punched paths of a visit.
 *
 * A connection without a proxy and without TLS also tells our public TCP
 * endpoint, whether Allocate was granted or not; several servers (or addresses
 * of one) tell how a NAT chooses ports. Connections stay open while the pool
 * lives: they hold the mapping. One thread: the engine's. */

#pragma once

#include <gio/gio.h>
#include "path/als-path-server.h"
#include "stun/als-stun-address.h"

G_BEGIN_DECLS

#define ALS_TYPE_TURN_POOL (als_turn_pool_get_type ())
G_DECLARE_FINAL_TYPE (AlsTurnPool, als_turn_pool, ALS, TURN_POOL, GObject)

typedef struct
{
  GPtrArray *servers;         /* (element-type AlsPathServer) (nullable), copied */
  uint16_t local_port;        /* TCP; 0: any. Where it is taken: any, too */
  gboolean loopback;          /* tests: 127.0.0.1 and ::1 only */
  GProxyResolver *proxies;    /* (nullable): the system's */
  GTlsDatabase *trust;        /* (nullable): the system's */
} AlsTurnPoolConfig;

/* What one server told about one connection of ours from the local port. */
typedef struct
{
  AlsStunAddress server;
  AlsStunAddress local;
  AlsStunAddress mapped;
} AlsTcpEndpoint;

/* Signals:
 *   changed ()  an endpoint was learned, an allocation was granted, refused or lost, or it settled
 */
AlsTurnPool          *als_turn_pool_new            (const AlsTurnPoolConfig *config);
/* Connects to all servers at once; each attempt ends within 5 s. */
void                  als_turn_pool_start          (AlsTurnPool *self);
/* New credentials or servers (a new pairing): what works stays. */
void                  als_turn_pool_set_servers    (AlsTurnPool *self, GPtrArray *servers);
/* The network changed: connections from an address that has gone are made anew. */
void                  als_turn_pool_network_changed (AlsTurnPool *self);
/* Gives allocations back; bounded, in the background. Idempotent. */
void                  als_turn_pool_close          (AlsTurnPool *self);
/* Every server has answered or failed. */
gboolean              als_turn_pool_is_settled     (AlsTurnPool *self);
/* Bound with SO_REUSEADDR and SO_REUSEPORT, for both families; never 0 after start. */
uint16_t              als_turn_pool_get_local_port (AlsTurnPool *self);
/* (element-type AlsTcpEndpoint): none that came through a proxy. (transfer none) */
GArray               *als_turn_pool_get_endpoints  (AlsTurnPool *self);
/* At least one server was reached only through a proxy. */
gboolean              als_turn_pool_uses_proxy     (AlsTurnPool *self);

G_END_DECLS
