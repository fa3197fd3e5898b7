/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Long-term credentials (RFC 8489, 9.2): the challenge remembered, requests
 * signed, answers judged. Pure. Copies of the password and the key are wiped. */

#pragma once

#include "stun/als-stun-message.h"

G_BEGIN_DECLS

typedef struct _AlsStunAuth AlsStunAuth;

#define ALS_STUN_MAX_KEY_BYTES 32

/* RFC 8489, 9.2.1: what a nonce that starts with "obMatJos2" promises. */
#define ALS_STUN_FEATURE_PASSWORD_ALGORITHMS 0x1u
#define ALS_STUN_FEATURE_USERNAME_ANONYMITY 0x2u

typedef enum
{
  ALS_STUN_AUTH_ACCEPTED, /* a genuine answer, or an error other than these */
  ALS_STUN_AUTH_AGAIN,    /* send it once more, signed anew */
  ALS_STUN_AUTH_REFUSED,  /* these credentials are not taken, or no longer */
  ALS_STUN_AUTH_STALE,    /* the new nonce is called stale as well */
  ALS_STUN_AUTH_FORGED,   /* integrity missing or wrong, a challenge that cannot be met, or one
                           * that was weakened on its way */
} AlsStunAuthVerdict;

/* What has been tried for one request; starts as zeros. */
typedef struct
{
  gboolean is_signed;
  gboolean is_borrowed;   /* the nonce comes from another connection: one 401 is a challenge */
  gboolean was_stale;
} AlsStunAuthTry;

/* USERNAME and PASSWORD: (nullable): without them every challenge is a refusal. */
AlsStunAuth       *als_stun_auth_new           (const char *username, const char *password);
/* With the challenge. (transfer full) */
AlsStunAuth       *als_stun_auth_copy          (const AlsStunAuth *self);
void               als_stun_auth_free          (AlsStunAuth *self);
gboolean           als_stun_auth_has_challenge (const AlsStunAuth *self);
/* Adds user, realm, nonce and integrity if there is a challenge; nothing else may follow but a
 * fingerprint. */
void               als_stun_auth_sign          (AlsStunAuth *self, AlsStunAuthTry *attempt,
                                                AlsStunBuilder *builder);
AlsStunAuthVerdict als_stun_auth_judge         (AlsStunAuth *self, AlsStunAuthTry *attempt,
                                                const AlsStunMessage *response);

/* The key of a user; LEN bytes are written. FALSE for an unknown algorithm. */
gboolean als_stun_auth_derive_key  (AlsStunPasswordAlgorithm algorithm, const char *username,
                                    const char *realm, const char *password,
                                    uint8_t key[ALS_STUN_MAX_KEY_BYTES], size_t *len);
void     als_stun_auth_make_userhash (const char *username, const char *realm,
                                      uint8_t hash[ALS_STUN_USERHASH_BYTES]);
/* The features a nonce promises; 0 for a nonce of old. */
guint    als_stun_auth_get_features  (const char *nonce);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (AlsStunAuth, als_stun_auth_free)

G_END_DECLS
