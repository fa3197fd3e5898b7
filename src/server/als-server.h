/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* The connection core: listeners, epoll, who may connect, and how long each may
 * be silent. Joins connections to the rendezvous. One thread, one context. */

#pragma once

#include <gio/gio.h>

#include "server/als-server-config.h"

G_BEGIN_DECLS

typedef struct _AlsServer AlsServer;

/* Called when the server has nothing left to do: after als_server_stop (), or
 * when its last client has been gone for exit_after_s. */
typedef void (*AlsServerDoneFunc) (gpointer user_data);

/* CONFIG is borrowed. Listens when it returns. (transfer full) (nullable) */
AlsServer *als_server_new           (const AlsServerConfig *config, GMainContext *context,
                                     AlsServerDoneFunc done, gpointer user_data, GError **error);
void       als_server_free          (AlsServer *self);
/* Says SHUTTING_DOWN to everybody and lets them go, for a bounded time. */
void       als_server_stop          (AlsServer *self);
/* Reads certificate and key again, for connections from now on. */
gboolean   als_server_reload_tls    (AlsServer *self, GError **error);
/* (element-type GInetSocketAddress) (transfer none): with the real ports. */
GPtrArray *als_server_get_addresses (AlsServer *self);
guint      als_server_get_n_clients (AlsServer *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (AlsServer, als_server_free)

G_END_DECLS
