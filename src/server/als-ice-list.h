/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* The STUN and TURN servers told to a pair, with a login of their own. */

#pragma once

#include <glib.h>

#include "server/als-server-config.h"

G_BEGIN_DECLS

/* UNIX_TIME_S: now. Without WITH_TURN no logins: STUN servers, and
 * TURN servers as such, since they answer Bindings, too. (element-type AlsIceServer) (transfer full) */
GPtrArray *als_ice_list_make       (const AlsServerConfig *config, gboolean with_turn, int64_t unix_time_s);
/* base64 (HMAC-SHA1 (SECRET, USERNAME)): coturn's static-auth-secret. */
char      *als_ice_list_credential (const char *secret, const char *username);

G_END_DECLS
