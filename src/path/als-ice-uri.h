/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* STUN and TURN servers as people write them (RFC 7064, RFC 7065):
 *
 *   stun:HOST[:PORT]
 *   turn:HOST[:PORT]?username=NAME&credential=PASSWORD[&transport=udp|tcp]
 *   turns:HOST[:PORT]?username=NAME&credential=PASSWORD[&transport=tcp]
 *
 * An IPv6 address stands in brackets. The RFCs leave logins to others; ours are
 * percent-encoded parameters. Which transport is used is decided by what gets
 * through, so the parameter is checked and otherwise ignored. */

#pragma once

#include "path/als-path-server.h"

G_BEGIN_DECLS

#define ALS_ICE_URI_MAX_BYTES 2048
#define ALS_ICE_URI_DEFAULT_PORT 3478
#define ALS_ICE_URI_DEFAULT_TLS_PORT 5349

#define ALS_ICE_URI_ERROR (als_ice_uri_error_quark ())
GQuark als_ice_uri_error_quark (void);

typedef enum
{
  ALS_ICE_URI_ERROR_SCHEME,    /* not stun:, turn: or turns: */
  ALS_ICE_URI_ERROR_HOST,      /* none, or no name or address */
  ALS_ICE_URI_ERROR_PORT,      /* not from 1 to 65535 */
  ALS_ICE_URI_ERROR_LOGIN,     /* turn: without one, stun: with one */
  ALS_ICE_URI_ERROR_PARAMETER, /* unknown, twice, badly encoded, or a transport we do not speak */
  ALS_ICE_URI_N_ERRORS,
} AlsIceUriError;

/* (transfer full) (nullable). The error's message never holds a login. */
AlsPathServer *als_ice_uri_parse       (const char *text, GError **error);
/* Without its login, as a server to be asked for our address; NULL for turns:, which answers within TLS
 * only. (transfer full) (nullable) */
char          *als_ice_uri_make_public (const AlsPathServer *server);
/* As a setting would hold it, login included: secret. (transfer full) */
char          *als_ice_uri_make        (const AlsPathServer *server);

G_END_DECLS
