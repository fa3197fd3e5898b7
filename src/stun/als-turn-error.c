/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#define G_LOG_DOMAIN "als-stun"

#include "config.h"

#include "stun/als-turn-error.h"

G_DEFINE_QUARK (als-turn-error-quark, als_turn_error)

static const struct
{
  guint code;
  AlsTurnError error;
  const char *name;
} named[] = {
  { 300, ALS_TURN_ERROR_ALTERNATE_SERVER, "try another server" },
  { 400, ALS_TURN_ERROR_BAD_REQUEST, "bad request" },
  { 401, ALS_TURN_ERROR_WRONG_CREDENTIALS, "wrong or expired credentials" },
  { 403, ALS_TURN_ERROR_FORBIDDEN, "forbidden" },
  { 404, ALS_TURN_ERROR_UNSUPPORTED, "not found" },
  { 405, ALS_TURN_ERROR_UNSUPPORTED, "method not allowed" },
  { 420, ALS_TURN_ERROR_UNSUPPORTED, "unknown attribute" },
  { 437, ALS_TURN_ERROR_NO_ALLOCATION, "allocation mismatch" },
  { 438, ALS_TURN_ERROR_STALE_NONCE, "stale nonce" },
  { 440, ALS_TURN_ERROR_FAMILY, "address family not supported" },
  { 441, ALS_TURN_ERROR_OTHER_USER, "another user's allocation" },
  { 442, ALS_TURN_ERROR_NO_TCP, "transport not supported" },
  { 443, ALS_TURN_ERROR_PEER_FAMILY, "peer of another address family" },
  { 446, ALS_TURN_ERROR_CONNECTION_EXISTS, "connection exists already" },
  { 447, ALS_TURN_ERROR_PEER_UNREACHABLE, "connection failed or timed out" },
  { 486, ALS_TURN_ERROR_QUOTA, "allocation quota reached" },
  { 500, ALS_TURN_ERROR_SERVER, "server error" },
  { 508, ALS_TURN_ERROR_FULL, "insufficient capacity" },
};

AlsTurnRemedy
als_turn_error_get_remedy (AlsTurnError code)
{
  switch (code)
    {
    case ALS_TURN_ERROR_SERVER:
    case ALS_TURN_ERROR_QUOTA:
      return ALS_TURN_REMEDY_LATER;
    case ALS_TURN_ERROR_CLOSED:
    case ALS_TURN_ERROR_NO_ALLOCATION:
    case ALS_TURN_ERROR_STALE_NONCE:
    case ALS_TURN_ERROR_OTHER_USER:
      return ALS_TURN_REMEDY_NEW_CONNECTION;
    case ALS_TURN_ERROR_WRONG_CREDENTIALS:
      return ALS_TURN_REMEDY_NEW_LOGIN;
    case ALS_TURN_ERROR_FAMILY:
    case ALS_TURN_ERROR_PEER_FAMILY:
      return ALS_TURN_REMEDY_OTHER_FAMILY;
    case ALS_TURN_ERROR_FORBIDDEN:
    case ALS_TURN_ERROR_PEER_UNREACHABLE:
      return ALS_TURN_REMEDY_OTHER_PEER;
    case ALS_TURN_ERROR_CONNECTION_EXISTS:
    case ALS_TURN_ERROR_BAD_REQUEST:
      return ALS_TURN_REMEDY_NONE;
    case ALS_TURN_ERROR_TIMED_OUT:
    case ALS_TURN_ERROR_BAD_ANSWER:
    case ALS_TURN_ERROR_ALTERNATE_SERVER:
    case ALS_TURN_ERROR_UNSUPPORTED:
    case ALS_TURN_ERROR_NO_TCP:
    case ALS_TURN_ERROR_FULL:
    case ALS_TURN_ERROR_OTHER:
    default:
      return ALS_TURN_REMEDY_OTHER_SERVER;
    }
}

GError *
als_turn_error_from_response (const AlsStunMessage *response)
{
  g_autofree char *reason = NULL;
  guint code;

  if (!als_stun_message_get_error (response, &code, &reason))
    return g_error_new_literal (ALS_TURN_ERROR, ALS_TURN_ERROR_BAD_ANSWER,
                                "a failure without an error code");
  for (guint i = 0; i < G_N_ELEMENTS (named); i++)
    if (named[i].code == code)
      return g_error_new (ALS_TURN_ERROR, named[i].error, "%u, %s (%s)", code, named[i].name,
                          reason != NULL ? reason : "");
  return g_error_new (ALS_TURN_ERROR, ALS_TURN_ERROR_OTHER, "%u (%s)", code,
                      reason != NULL ? reason : "");
}
