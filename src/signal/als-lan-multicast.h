/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* The datagrams of the local network: multicast out of and into every
 * interface, in both families, and unicast answers. Lives in the thread it was
 * made in. */

#pragma once

#include "signal/als-lan-search.h"

G_BEGIN_DECLS

/* Administratively scoped (RFC 2365), crosses this many routers at the most. */
#define ALS_LAN_GROUP_IPV4 "239.255.154.17"
/* Transient groups (RFC 4291, 2.7) of the link and of the site. */
#define ALS_LAN_GROUP_LINK "ff12::9a11:de55"
#define ALS_LAN_GROUP_SITE "ff15::9a11:de55"
#define ALS_LAN_PORT 19482
#define ALS_LAN_HOPS 8

typedef struct _AlsLanMulticast AlsLanMulticast;

/* INTERFACE: its index, where it came in. */
typedef void (*AlsLanMulticastFunc) (const uint8_t *data, size_t len, const AlsLanEndpoint *from,
                                     guint interface, gpointer user_data);

/* LOOPBACK: stays within this machine. NULL: no socket can be had at all. */
AlsLanMulticast *als_lan_multicast_new  (gboolean loopback, AlsLanMulticastFunc func,
                                         gpointer user_data, GError **error);
void             als_lan_multicast_free (AlsLanMulticast *self);
/* Speaks and listens on the interfaces that there are now; none before the first call. */
void             als_lan_multicast_refresh (AlsLanMulticast *self);
void             als_lan_multicast_say  (AlsLanMulticast *self, gboolean is_v6, const uint8_t *data,
                                         size_t len);
/* To the address TO and, since a firewall there may not let that in, to all on INTERFACE. */
void             als_lan_multicast_answer (AlsLanMulticast *self, const AlsLanEndpoint *to,
                                           guint interface, const uint8_t *data, size_t len);

/* Socket addresses. FALSE: of neither family. */
gboolean         als_lan_endpoint_from_native (AlsLanEndpoint *self, gconstpointer address);
/* OUT: a struct sockaddr_storage; returns its length. */
guint            als_lan_endpoint_to_native   (const AlsLanEndpoint *self, gpointer out);
/* For people and logs. (transfer full) */
char            *als_lan_endpoint_to_string   (const AlsLanEndpoint *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (AlsLanMulticast, als_lan_multicast_free)

G_END_DECLS
