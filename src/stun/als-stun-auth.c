/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#define G_LOG_DOMAIN "als-stun"

#include "config.h"

#include "stun/als-stun-auth.h"

#include <string.h>

#define NONCE_COOKIE "obMatJos2"
#define FEATURE_CHARS 4 /* 24 bits in base64 */
#define MAX_ALGORITHMS 8

struct _AlsStunAuth
{
  char *username; /* (nullable) */
  char *password; /* (nullable); wiped */
  char *realm;    /* (nullable): no challenge yet */
  char *nonce;
  guint features;
  uint16_t algorithms[MAX_ALGORITHMS]; /* the server's, to be sent back */
  size_t n_algorithms;                 /* 0: it speaks RFC 5389 */
  AlsStunPasswordAlgorithm algorithm;
  uint8_t key[ALS_STUN_MAX_KEY_BYTES]; /* wiped */
  size_t key_len;
};

static void
wipe_text (char **text)
{
  if (*text != NULL)
    explicit_bzero (*text, strlen (*text));
  g_clear_pointer (text, g_free);
}

AlsStunAuth *
als_stun_auth_new (const char *username, const char *password)
{
  AlsStunAuth *self = g_new0 (AlsStunAuth, 1);

  self->username = g_strdup (username);
  self->password = g_strdup (password);
  self->algorithm = ALS_STUN_PASSWORD_MD5;
  return self;
}

AlsStunAuth *
als_stun_auth_copy (const AlsStunAuth *self)
{
  AlsStunAuth *copy = g_memdup2 (self, sizeof *self);

  copy->username = g_strdup (self->username);
  copy->password = g_strdup (self->password);
  copy->realm = g_strdup (self->realm);
  copy->nonce = g_strdup (self->nonce);
  return copy;
}

void
als_stun_auth_free (AlsStunAuth *self)
{
  if (self == NULL)
    return;
  wipe_text (&self->password);
  g_free (self->username);
  g_free (self->realm);
  g_free (self->nonce);
  explicit_bzero (self->key, sizeof self->key);
  g_free (self);
}

gboolean
als_stun_auth_has_challenge (const AlsStunAuth *self)
{
  return self->realm != NULL;
}

static size_t
hash_parts (GChecksumType type, const char *const *parts, uint8_t *hash, gsize len)
{
  GChecksum *checksum = g_checksum_new (type);

  for (guint i = 0; parts[i] != NULL; i++)
    g_checksum_update (checksum, (const guchar *) parts[i], (gssize) strlen (parts[i]));
  g_checksum_get_digest (checksum, hash, &len);
  g_checksum_free (checksum);
  return len;
}

gboolean
als_stun_auth_derive_key (AlsStunPasswordAlgorithm algorithm, const char *username,
                          const char *realm, const char *password,
                          uint8_t key[ALS_STUN_MAX_KEY_BYTES], size_t *len)
{
  const char *const parts[] = { username, ":", realm, ":", password, NULL };

  switch (algorithm)
    {
    case ALS_STUN_PASSWORD_MD5:
      *len = hash_parts (G_CHECKSUM_MD5, parts, key, ALS_STUN_MAX_KEY_BYTES);
      return TRUE;
    case ALS_STUN_PASSWORD_SHA256:
      *len = hash_parts (G_CHECKSUM_SHA256, parts, key, ALS_STUN_MAX_KEY_BYTES);
      return TRUE;
    default:
      *len = 0;
      return FALSE;
    }
}

void
als_stun_auth_make_userhash (const char *username, const char *realm,
                             uint8_t hash[ALS_STUN_USERHASH_BYTES])
{
  const char *const parts[] = { username, ":", realm, NULL };

  hash_parts (G_CHECKSUM_SHA256, parts, hash, ALS_STUN_USERHASH_BYTES);
}

guint
als_stun_auth_get_features (const char *nonce)
{
  g_autofree guchar *bits = NULL;
  char text[FEATURE_CHARS + 1] = { 0 };
  gsize len;

  if (!g_str_has_prefix (nonce, NONCE_COOKIE)
      || strlen (nonce) < strlen (NONCE_COOKIE) + FEATURE_CHARS)
    return 0;
  memcpy (text, nonce + strlen (NONCE_COOKIE), FEATURE_CHARS);
  bits = g_base64_decode (text, &len);
  /* Bit 0 is the rightmost one. */
  return len == 3 ? (guint) bits[0] << 16 | (guint) bits[1] << 8 | bits[2] : 0;
}

static gboolean
use_sha256 (const AlsStunAuth *self)
{
  return self->n_algorithms > 0;
}

static gboolean
take_algorithms (AlsStunAuth *self, const AlsStunMessage *response)
{
  self->n_algorithms = 0;
  self->algorithm = ALS_STUN_PASSWORD_MD5;
  if (!als_stun_message_get_algorithms (response, self->algorithms, MAX_ALGORITHMS,
                                        &self->n_algorithms))
    /* Promised by the nonce and not there: somebody took it out (RFC 8489, 9.2.5). */
    return als_stun_message_find (response, ALS_STUN_PASSWORD_ALGORITHMS) == NULL
           && !(self->features & ALS_STUN_FEATURE_PASSWORD_ALGORITHMS);
  /* Somebody put it in. */
  if (!(self->features & ALS_STUN_FEATURE_PASSWORD_ALGORITHMS))
    {
      self->n_algorithms = 0;
      return TRUE;
    }
  for (size_t i = 0; i < self->n_algorithms; i++)
    if (self->algorithms[i] == ALS_STUN_PASSWORD_MD5
        || self->algorithms[i] == ALS_STUN_PASSWORD_SHA256)
      {
        self->algorithm = self->algorithms[i];
        return TRUE;
      }
  return FALSE;
}

/* FALSE if it cannot be met; then there is no challenge. */
static gboolean
take_challenge (AlsStunAuth *self, const AlsStunMessage *response)
{
  char *realm = als_stun_message_get_text (response, ALS_STUN_REALM);
  char *nonce = als_stun_message_get_text (response, ALS_STUN_NONCE);

  /* A 438 may leave out the realm it gave before. */
  if (realm == NULL && als_stun_message_find (response, ALS_STUN_REALM) == NULL)
    realm = g_strdup (self->realm);
  g_free (self->realm);
  g_free (self->nonce);
  self->realm = realm;
  self->nonce = nonce;
  if (realm != NULL && nonce != NULL)
    {
      self->features = als_stun_auth_get_features (nonce);
      if (take_algorithms (self, response))
        return als_stun_auth_derive_key (self->algorithm, self->username, self->realm,
                                         self->password, self->key, &self->key_len);
    }
  g_clear_pointer (&self->realm, g_free);
  g_clear_pointer (&self->nonce, g_free);
  return FALSE;
}

void
als_stun_auth_sign (AlsStunAuth *self, AlsStunAuthTry *attempt, AlsStunBuilder *builder)
{
  attempt->is_signed = self->realm != NULL;
  if (!attempt->is_signed)
    return;
  if (self->features & ALS_STUN_FEATURE_USERNAME_ANONYMITY)
    {
      uint8_t hash[ALS_STUN_USERHASH_BYTES];

      als_stun_auth_make_userhash (self->username, self->realm, hash);
      als_stun_builder_add_bytes (builder, ALS_STUN_USERHASH, hash, sizeof hash);
    }
  else
    als_stun_builder_add_text (builder, ALS_STUN_USERNAME, self->username);
  als_stun_builder_add_text (builder, ALS_STUN_NONCE, self->nonce);
  als_stun_builder_add_text (builder, ALS_STUN_REALM, self->realm);
  if (self->n_algorithms > 0)
    {
      als_stun_builder_add_algorithms (builder, self->algorithms, self->n_algorithms);
      als_stun_builder_add_u32 (builder, ALS_STUN_PASSWORD_ALGORITHM,
                                (uint32_t) self->algorithm << 16);
    }
  als_stun_builder_add_integrity (builder,
                                  use_sha256 (self) ? ALS_STUN_INTEGRITY_SHA256
                                                    : ALS_STUN_INTEGRITY_SHA1,
                                  self->key, self->key_len);
}

static AlsStunAuthVerdict
meet_challenge (AlsStunAuth *self, const AlsStunMessage *response)
{
  if (self->username == NULL || self->password == NULL)
    return ALS_STUN_AUTH_REFUSED;
  return take_challenge (self, response) ? ALS_STUN_AUTH_AGAIN : ALS_STUN_AUTH_FORGED;
}

AlsStunAuthVerdict
als_stun_auth_judge (AlsStunAuth *self, AlsStunAuthTry *attempt, const AlsStunMessage *response)
{
  gboolean has_integrity, is_right;
  guint code = 0;

  if (response->kind == ALS_STUN_FAILURE)
    als_stun_message_get_error (response, &code, NULL);
  /* Neither can be signed by a server that does not know whether we share a key. */
  if (code == 401)
    {
      if (attempt->is_signed && !attempt->is_borrowed)
        return ALS_STUN_AUTH_REFUSED;
      attempt->is_borrowed = FALSE;
      return meet_challenge (self, response);
    }
  if (code == 438)
    {
      if (attempt->was_stale || !attempt->is_signed)
        return ALS_STUN_AUTH_STALE;
      attempt->was_stale = TRUE;
      return meet_challenge (self, response);
    }
  if (!attempt->is_signed)
    return ALS_STUN_AUTH_ACCEPTED;
  has_integrity = als_stun_message_find (response, ALS_STUN_MESSAGE_INTEGRITY) != NULL
                  || als_stun_message_find (response, ALS_STUN_MESSAGE_INTEGRITY_SHA256) != NULL;
  /* Errors come unsigned from many servers. */
  if (!has_integrity)
    return response->kind == ALS_STUN_FAILURE ? ALS_STUN_AUTH_ACCEPTED : ALS_STUN_AUTH_FORGED;
  is_right = als_stun_message_verify (response,
                                      use_sha256 (self) ? ALS_STUN_INTEGRITY_SHA256
                                                        : ALS_STUN_INTEGRITY_SHA1,
                                      self->key, self->key_len);
  return is_right ? ALS_STUN_AUTH_ACCEPTED : ALS_STUN_AUTH_FORGED;
}
