/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* A rendezvous server of this machine's own, for when none is configured:
 * found through a lock file in the user's runtime folder or else started as a
 * child process (alongside-signald --private), which ends by itself a while
 * after its last client has gone. */

#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/* LISTEN: also reachable from the local network. Yields the URI. */
void  als_private_server_find_async  (gboolean listen, GCancellable *cancellable,
                                      GAsyncReadyCallback callback, gpointer user_data);
/* (transfer full) */
char *als_private_server_find_finish (GAsyncResult *result, GError **error);

G_END_DECLS
