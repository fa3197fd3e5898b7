/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* What can go wrong between us and a TURN server, and what can still be done. */

#pragma once

#include "stun/als-stun-message.h"

G_BEGIN_DECLS

#define ALS_TURN_ERROR (als_turn_error_quark ())
GQuark als_turn_error_quark (void);

typedef enum
{
  ALS_TURN_ERROR_TIMED_OUT,
  ALS_TURN_ERROR_CLOSED,              /* the server ended the connection */
  ALS_TURN_ERROR_BAD_ANSWER,          /* garbage, or something forged */
  ALS_TURN_ERROR_ALTERNATE_SERVER,    /* 300: the address comes along */
  ALS_TURN_ERROR_BAD_REQUEST,         /* 400 */
  ALS_TURN_ERROR_WRONG_CREDENTIALS,   /* 401 though signed: wrong or expired */
  ALS_TURN_ERROR_FORBIDDEN,           /* 403: this peer, or relaying at all */
  ALS_TURN_ERROR_UNSUPPORTED,         /* 404, 405, 420: no TURN here, or an old one */
  ALS_TURN_ERROR_NO_ALLOCATION,       /* 437: none, or one that should not be */
  ALS_TURN_ERROR_STALE_NONCE,         /* 438 twice */
  ALS_TURN_ERROR_FAMILY,              /* 440 */
  ALS_TURN_ERROR_OTHER_USER,          /* 441: the allocation is somebody else's */
  ALS_TURN_ERROR_NO_TCP,              /* 442: does not relay TCP */
  ALS_TURN_ERROR_PEER_FAMILY,         /* 443 */
  ALS_TURN_ERROR_CONNECTION_EXISTS,   /* 446 */
  ALS_TURN_ERROR_PEER_UNREACHABLE,    /* 447 */
  ALS_TURN_ERROR_QUOTA,               /* 486 */
  ALS_TURN_ERROR_SERVER,              /* 500 */
  ALS_TURN_ERROR_FULL,                /* 508 */
  ALS_TURN_ERROR_OTHER,               /* an error nobody has told us about */
} AlsTurnError;

typedef enum
{
  ALS_TURN_REMEDY_LATER,          /* the same again, after a back-off */
  ALS_TURN_REMEDY_NEW_CONNECTION, /* the same server, over a new connection and allocation */
  ALS_TURN_REMEDY_NEW_LOGIN,      /* ask for credentials again */
  ALS_TURN_REMEDY_OTHER_SERVER,
  ALS_TURN_REMEDY_OTHER_FAMILY,   /* IPv4 instead of IPv6 or the other way round */
  ALS_TURN_REMEDY_OTHER_PEER,     /* the allocation is good; this peer cannot be had now */
  ALS_TURN_REMEDY_NONE,           /* for this pair: it is there already, or it is our mistake */
} AlsTurnRemedy;

AlsTurnRemedy als_turn_error_get_remedy    (AlsTurnError code);
/* Of a failure response. (transfer full) */
GError       *als_turn_error_from_response (const AlsStunMessage *response);

G_END_DECLS
