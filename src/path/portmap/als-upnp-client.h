/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Mappings by UPnP-IGD: the near end of the program alongside-upnp, which does
 * the talking. Lives in the thread it was made in until it is detached. */

#pragma once

#include <gio/gio.h>
#include "stun/als-stun-address.h"

G_BEGIN_DECLS

typedef struct _AlsUpnpClient AlsUpnpClient;

typedef struct
{
  /* EXTERNAL: (nullable): NULL: it was refused or lost. */
  void (*mapped) (gboolean is_tcp, uint16_t port, const AlsStunAddress *external, gpointer user_data);
  /* There is no such router (any more); nothing is mapped. */
  void (*ended)  (gpointer user_data);
} AlsUpnpEvents;

/* ROUTER: IPv4; who else answers is not believed. Neither callback frees the client. (transfer full)
 * (nullable): the program does not start. */
AlsUpnpClient *als_upnp_client_new    (const AlsStunAddress *router, const AlsUpnpEvents *events,
                                       gpointer user_data);
void           als_upnp_client_add    (AlsUpnpClient *self, gboolean is_tcp, uint16_t port,
                                       uint32_t lease_s);
void           als_upnp_client_remove (AlsUpnpClient *self, gboolean is_tcp, uint16_t port);
/* No callback any more; the program begins to remove its mappings, or ends if it has none. Another thread may have the client from
 * now on. */
void           als_upnp_client_detach (AlsUpnpClient *self);
/* Blocks until the program has ended, or LIMIT_US have passed and it was killed. */
void           als_upnp_client_leave  (AlsUpnpClient *self, int64_t limit_us);
/* Ends the program at once, its mappings stay: for another client that maps the same ports again. */
void           als_upnp_client_abandon (AlsUpnpClient *self);
void           als_upnp_client_free   (AlsUpnpClient *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (AlsUpnpClient, als_upnp_client_free)

G_END_DECLS
