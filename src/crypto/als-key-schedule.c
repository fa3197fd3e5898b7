/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#include "config.h"

#include "crypto/als-key-schedule.h"

#include <sodium.h>
#include <string.h>

#define DOMAIN "alongside v1 key"
#define SESSION_SECRET_BYTES 32
#define CONTEXT_BYTES (sizeof DOMAIN + 1 + 1 + 4 + 1 + 4 + 2 * ALS_NONCE_BYTES)

static uint8_t *
put_u32 (uint8_t *at, uint32_t value)
{
  for (guint i = 0; i < 4; i++)
    *at++ = (uint8_t) (value >> (24 - 8 * i));
  return at;
}

void
als_key_derive (const uint8_t *session_secret, const AlsKeyContext *context, uint8_t *key)
{
  gboolean of_path = context->purpose != ALS_KEY_PURPOSE_SIGNAL;
  gboolean of_hello = context->purpose == ALS_KEY_PURPOSE_SEAL;
  uint8_t input[CONTEXT_BYTES] = { 0 };
  uint8_t *at = input;

  /* Each field has its place, so that no two contexts give one input; what a purpose does not
   * depend on stays zero. */
  memcpy (at, DOMAIN, sizeof DOMAIN);
  at += sizeof DOMAIN;
  *at++ = (uint8_t) context->purpose;
  *at++ = context->from_inviter ? 1 : 0;
  if (of_path)
    {
      at = put_u32 (at, context->path_id);
      *at++ = context->carrier;
    }
  if (of_hello)
    {
      at = put_u32 (at, context->epoch);
      memcpy (at, context->inviter_nonce, ALS_NONCE_BYTES);
      memcpy (at + ALS_NONCE_BYTES, context->joiner_nonce, ALS_NONCE_BYTES);
    }
  crypto_generichash (key, ALS_KEY_BYTES, input, sizeof input, session_secret,
                      SESSION_SECRET_BYTES);
  sodium_memzero (input, sizeof input);
}
