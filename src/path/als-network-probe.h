/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* What this machine's network is like, asked of STUN servers, the router and
 * the system: for diagnosis, and to choose how to punch. */

#pragma once

#include <gio/gio.h>
#include "path/als-path-server.h"
#include "path/portmap/als-port-mapper.h"
#include "stun/als-nat-discovery.h"

G_BEGIN_DECLS

typedef struct
{
  gboolean udp_known, tcp_known;
  AlsNatBehaviour udp;              /* endpoints are our own public ones: not told to the other side */
  gboolean tcp_is_translated;
  AlsNatDependence tcp_mapping;     /* filtering over TCP is not measured */
  int tcp_port_step;                /* between two servers; 0: none or unknown */
  gboolean udp6_known, tcp6_known;  /* over IPv6, where the others are about IPv4 */
  AlsNatBehaviour udp6;             /* like `udp` */
  gboolean tcp6_is_translated;
  guint mappings;                   /* set of AlsPortMapProtocol */
  gboolean mapping_asked;           /* the router was; FALSE: switched off, or not known (theirs) */
  AlsPortMapProblem mapping_problem; /* why there is none */
  guint mapping_refusal;            /* AlsPcpResult that came with it; 0: none */
  gboolean has_ipv4, has_ipv6;      /* a route to the internet, as far as can be told */
  gboolean uses_proxy;              /* the way to the server is a proxy */
  uint32_t mtu;                     /* IP packet to the server, 0: unknown */
  int64_t server_rtt_us;            /* 0: unknown */
} AlsNetworkReport;

AlsNetworkReport *als_network_report_copy (const AlsNetworkReport *self);
void              als_network_report_free (AlsNetworkReport *self);

/* Ends within 8 s whatever happens. SERVERS: (element-type AlsPathServer). MAPPER: (nullable). */
void              als_network_probe_async  (GPtrArray *servers, AlsPortMapper *mapper,
                                            gboolean loopback, GCancellable *cancellable,
                                            GAsyncReadyCallback callback, gpointer user_data);
AlsNetworkReport *als_network_probe_finish (GAsyncResult *result, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (AlsNetworkReport, als_network_report_free)

G_END_DECLS
