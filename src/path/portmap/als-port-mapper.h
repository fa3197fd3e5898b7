/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Mappings on this network's router, asked for by PCP, NAT-PMP and UPnP-IGD
 * side by side; the first that answers serves, its lease is renewed, and it is
 * removed at the end. The object belongs to one thread (the engine's) and
 * never blocks it. */

#pragma once

#include <gio/gio.h>
#include "stun/als-stun-address.h"

G_BEGIN_DECLS

typedef enum
{
  ALS_PORT_MAP_PCP = 1 << 0,
  ALS_PORT_MAP_NAT_PMP = 1 << 1,
  ALS_PORT_MAP_UPNP = 1 << 2,
} AlsPortMapProtocol;

typedef enum
{
  ALS_PORT_MAP_PROBLEM_NONE,
  ALS_PORT_MAP_PROBLEM_NO_ROUTER,  /* this network has none */
  ALS_PORT_MAP_PROBLEM_SILENCE,    /* the router knows none of the protocols, or they are switched off */
  ALS_PORT_MAP_PROBLEM_REFUSED,    /* it said no */
  ALS_PORT_MAP_PROBLEM_PRIVATE,    /* it maps, but is itself behind another router or the provider's NAT */
} AlsPortMapProblem;

#define ALS_TYPE_PORT_MAPPER (als_port_mapper_get_type ())
G_DECLARE_FINAL_TYPE (AlsPortMapper, als_port_mapper, ALS, PORT_MAPPER, GObject)

/* Signals:
 *   mapped   (gboolean is_tcp, guint internal_port, const AlsStunAddress *external)
 *   unmapped (gboolean is_tcp, guint internal_port)   it was lost
 *   settled  ()                                       every protocol has answered or given up
 */
AlsPortMapper *als_port_mapper_new            (void);
/* Only some protocols, or leases of another length: for tests and support. */
AlsPortMapper *als_port_mapper_new_full       (guint protocols, uint32_t lease_s);
/* Asks for a mapping of this machine's port and keeps it. The same port again: nothing. */
void           als_port_mapper_add            (AlsPortMapper *self, gboolean is_tcp, uint16_t port);
void           als_port_mapper_remove         (AlsPortMapper *self, gboolean is_tcp, uint16_t port);
/* FALSE: none (yet). */
gboolean       als_port_mapper_lookup         (AlsPortMapper *self, gboolean is_tcp, uint16_t port,
                                               AlsStunAddress *external);
/* Set of AlsPortMapProtocol that gave a mapping. */
guint          als_port_mapper_get_protocols  (AlsPortMapper *self);
/* FALSE until a mapping was asked for. */
gboolean       als_port_mapper_is_settled     (AlsPortMapper *self);
/* Why there is no mapping, as things stand; NONE if there is one, or while trying. */
AlsPortMapProblem als_port_mapper_get_problem (AlsPortMapper *self);
/* The result that the router gave with its refusal by PCP or NAT-PMP (als-pcp-codec.h); 0: none. */
guint          als_port_mapper_get_refusal  (AlsPortMapper *self);
/* Another router, perhaps: all anew. */
void           als_port_mapper_network_changed (AlsPortMapper *self);
/* Removes the mappings in the background, within 2 s; not even the thread's main loop is needed for it. No
 * signal after it returns. Idempotent. */
void           als_port_mapper_close          (AlsPortMapper *self);
/* Waits until all closed mappers of the process have removed theirs, 2 s at the most. exit () does so by
 * itself. Any thread. */
void           als_port_mapper_flush          (void);
const char    *als_port_map_problem_to_string (AlsPortMapProblem problem);

G_END_DECLS
