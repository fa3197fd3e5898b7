/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#include "config.h"

#include "crypto/als-cpace.h"

#include <sodium.h>
#include <string.h>

/* draft-irtf-cfrg-cpace-21, 8.3 and 7.2. */
#define DSI "CPaceRistretto255"
#define DSI_ISK "CPaceRistretto255_ISK"

/* s_in_bytes of SHA-512: the password is to fill the first block alone. */
#define HASH_BLOCK_BYTES 128

G_STATIC_ASSERT (ALS_CPACE_SCALAR_BYTES == crypto_core_ristretto255_SCALARBYTES);
G_STATIC_ASSERT (ALS_CPACE_POINT_BYTES == crypto_core_ristretto255_BYTES);
G_STATIC_ASSERT (ALS_CPACE_ISK_BYTES == crypto_hash_sha512_BYTES);

typedef crypto_hash_sha512_state Hash;

static void
hash_bytes (Hash *hash, const void *data, size_t len)
{
  crypto_hash_sha512_update (hash, data, len);
}

/* A.1.1: a length in LEB128. Returns how many bytes that is. */
static size_t
encode_len (size_t len, uint8_t out[10])
{
  size_t n = 0;

  do
    {
      out[n++] = (uint8_t) ((len & 0x7f) | (len > 0x7f ? 0x80 : 0));
      len >>= 7;
    }
  while (len > 0);
  return n;
}

/* A.1.3: one element of lv_cat. */
static void
hash_lv (Hash *hash, const void *data, size_t len)
{
  uint8_t prefix[10];

  hash_bytes (hash, prefix, encode_len (len, prefix));
  hash_bytes (hash, data, len);
}

static size_t
lv_len (size_t len)
{
  uint8_t prefix[10];

  return encode_len (len, prefix) + len;
}

void
als_cpace_generator (const char *prs, const uint8_t *ci, size_t ci_len, const uint8_t *sid,
                     size_t sid_len, uint8_t *generator)
{
  static const uint8_t zeros[HASH_BLOCK_BYTES] = { 0 };
  size_t prs_len = strlen (prs);
  size_t used = 1 + lv_len (prs_len) + lv_len (strlen (DSI));
  uint8_t digest[crypto_hash_sha512_BYTES];
  Hash hash;

  crypto_hash_sha512_init (&hash);
  hash_lv (&hash, DSI, strlen (DSI));
  hash_lv (&hash, prs, prs_len);
  hash_lv (&hash, zeros, used < HASH_BLOCK_BYTES ? HASH_BLOCK_BYTES - used : 0);
  hash_lv (&hash, ci, ci_len);
  hash_lv (&hash, sid, sid_len);
  crypto_hash_sha512_final (&hash, digest);
  crypto_core_ristretto255_from_hash (generator, digest);
  sodium_memzero (digest, sizeof digest);
  sodium_memzero (&hash, sizeof hash);
}

gboolean
als_cpace_multiply (const uint8_t *scalar, const uint8_t *point, uint8_t *out)
{
  /* Refuses non-canonical encodings and a result that is the identity. */
  if (crypto_scalarmult_ristretto255 (out, scalar, point) == 0)
    return TRUE;
  sodium_memzero (out, ALS_CPACE_POINT_BYTES);
  return FALSE;
}

static void
hash_party (Hash *hash, const AlsCpaceParty *party)
{
  hash_lv (hash, party->point, ALS_CPACE_POINT_BYTES);
  hash_lv (hash, party->ad, strlen (party->ad));
}

static void
isk_begin (Hash *hash, const uint8_t *sid, size_t sid_len, const uint8_t *k)
{
  crypto_hash_sha512_init (hash);
  hash_lv (hash, DSI_ISK, strlen (DSI_ISK));
  hash_lv (hash, sid, sid_len);
  hash_lv (hash, k, ALS_CPACE_POINT_BYTES);
}

void
als_cpace_isk (const uint8_t *sid, size_t sid_len, const uint8_t *k, const AlsCpaceParty *a,
               const AlsCpaceParty *b, uint8_t *isk)
{
  Hash hash;

  isk_begin (&hash, sid, sid_len, k);
  hash_party (&hash, a);
  hash_party (&hash, b);
  crypto_hash_sha512_final (&hash, isk);
  sodium_memzero (&hash, sizeof hash);
}

/* A.3.1 over lv_cat (point, ad): shares have one length, so that the first
 * difference is in them, or in what stands beside them. */
static gboolean
is_larger (const AlsCpaceParty *a, const AlsCpaceParty *b)
{
  int order = memcmp (a->point, b->point, ALS_CPACE_POINT_BYTES);
  size_t a_len = strlen (a->ad), b_len = strlen (b->ad);

  if (order == 0 && a_len != b_len)
    return a_len > b_len; /* the prefix is compared before the text */
  return order != 0 ? order > 0 : strcmp (a->ad, b->ad) > 0;
}

void
als_cpace_isk_symmetric (const uint8_t *sid, size_t sid_len, const uint8_t *k,
                         const AlsCpaceParty *a, const AlsCpaceParty *b, uint8_t *isk)
{
  gboolean swap = !is_larger (a, b);
  Hash hash;

  isk_begin (&hash, sid, sid_len, k);
  hash_bytes (&hash, "oc", 2);
  hash_party (&hash, swap ? b : a);
  hash_party (&hash, swap ? a : b);
  crypto_hash_sha512_final (&hash, isk);
  sodium_memzero (&hash, sizeof hash);
}
