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

G_END_DECLS
