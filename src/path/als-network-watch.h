/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Tells when this machine's addresses or routes changed, by rtnetlink, which
 * works inside a sandbox too (GNetworkMonitor tells no addresses there). Also
 * after a suspension. Bursts are told once, 200 ms after their last change. */

#pragma once

#include <gio/gio.h>
#include "stun/als-stun-address.h"

G_BEGIN_DECLS

#define ALS_TYPE_NETWORK_WATCH (als_network_watch_get_type ())
G_DECLARE_FINAL_TYPE (AlsNetworkWatch, als_network_watch, ALS, NETWORK_WATCH, GObject)

/* Signals:
 *   changed ()
 * In the thread it was made in. */
AlsNetworkWatch *als_network_watch_new (void);

/* This machine's usable addresses: no loopback, no link-local IPv6; temporary and deprecated ones last;
 * ports 0. At most 32. (element-type AlsStunAddress) (transfer full) */
GArray          *als_network_list_addresses (void);
/* ADDRESS is in the same local network as one of ours. */
gboolean         als_network_is_local       (const AlsStunAddress *address);

/* The routers that default routes lead to. */
typedef struct
{
  AlsStunAddress address; /* port 0; IPv6 ones are mostly link-local */
  guint interface;        /* the index of the link it is on */
} AlsNetworkRouter;

/* Best first, at most 8. (element-type AlsNetworkRouter) (transfer full) */
GArray          *als_network_list_routers   (void);
/* The address that packets to DESTINATION (with a port) would leave from, as the kernel's routes stand;
 * nothing is sent. FALSE: no route. SOURCE: (out) (optional) (port 0). */
gboolean         als_network_get_source     (const AlsStunAddress *destination, AlsStunAddress *source);

G_END_DECLS
