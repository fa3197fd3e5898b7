/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* One router as a PCP and NAT-PMP server: the socket under its mappings.
 * Lives in the thread it was made in until it is detached. */

#pragma once

#include "path/als-network-watch.h"
#include "path/portmap/als-pcp-client.h"

G_BEGIN_DECLS

typedef struct _AlsPcpRouter AlsPcpRouter;

/* One of its mappings may have changed. Must not free the router. */
typedef void (*AlsPcpRouterFunc) (gpointer user_data);

/* SOURCE: our address as the router sees it. (transfer full) (nullable): no such socket. */
AlsPcpRouter *als_pcp_router_new    (const AlsNetworkRouter *router, const AlsStunAddress *source,
                                     AlsPcpRouterFunc changed, gpointer user_data);
/* Asks for a mapping. (transfer none): lives as long as the router. */
AlsPcpClient *als_pcp_router_add    (AlsPcpRouter *self, AlsPcpVersion version, gboolean is_tcp,
                                     uint16_t port, uint32_t lifetime_s);
/* Gives it back. The router frees it. */
void          als_pcp_router_remove (AlsPcpRouter *self, AlsPcpClient *client);
/* Asks for all anew; what was given up as well. */
void          als_pcp_router_again  (AlsPcpRouter *self);
/* Nobody listens there: the last datagram was refused. */
gboolean      als_pcp_router_is_deaf (AlsPcpRouter *self);
/* No callback and no sending any more, but the first requests to give everything back leave at once.
 * Another thread may have it from now on. TRUE: als_pcp_router_leave () has something to do. */
gboolean      als_pcp_router_detach (AlsPcpRouter *self);
/* Blocks until everything is given back, or LIMIT_US have passed. */
void          als_pcp_router_leave  (AlsPcpRouter *self, int64_t limit_us);
void          als_pcp_router_free   (AlsPcpRouter *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (AlsPcpRouter, als_pcp_router_free)

G_END_DECLS
