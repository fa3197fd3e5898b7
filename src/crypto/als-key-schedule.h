/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* key = KDF (session secret; path id, carrier, direction, epoch, purpose, both
 * hello nonces) (design §5). */

#pragma once

#include <glib.h>
#include <stdint.h>
#include "crypto/als-seal.h"

G_BEGIN_DECLS

#define ALS_NONCE_BYTES 16

typedef enum
{
  ALS_KEY_PURPOSE_HELLO = 1,  /* MAC key of hellos: no nonces, no epoch */
  ALS_KEY_PURPOSE_SEAL = 2,
  ALS_KEY_PURPOSE_SIGNAL = 3, /* signalling after the confirmation: one key a direction for the whole session,
                               * whose counter goes on from meeting to meeting */
} AlsKeyPurpose;

typedef struct
{
  AlsKeyPurpose purpose;
  uint32_t path_id;
  uint8_t carrier;             /* AlsCarrierType */
  gboolean from_inviter;       /* direction */
  uint32_t epoch;
  uint8_t inviter_nonce[ALS_NONCE_BYTES];
  uint8_t joiner_nonce[ALS_NONCE_BYTES];
} AlsKeyContext;

/* KEY: ALS_KEY_BYTES. */
void als_key_derive (const uint8_t *session_secret, const AlsKeyContext *context, uint8_t *key);

G_END_DECLS
