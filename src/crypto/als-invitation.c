/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#define G_LOG_DOMAIN "als-crypto"

#include "config.h"

#include "crypto/als-invitation.h"

#include <sodium.h>
#include <string.h>
#include "base/als-bytes.h"
#include "crypto/als-cpace.h"

#define CHANNEL "alongside v1 invitation"
#define JOINER "joiner"
#define INVITER "inviter"

/* Domains of what is made from the intermediate session key. */
#define DOMAIN_TAG_KEY "alongside v1 invitation tag key"
#define DOMAIN_SEAL_KEY "alongside v1 invitation seal key"
#define DOMAIN_SECRET "alongside v1 invitation session secret"

#define N_DIGITS 6
#define SID_BYTES 16
#define REFERENCE_BYTES 8 /* of a reply: which invitation */
#define TAG_BYTES 32
#define SEAL_BYTES crypto_aead_chacha20poly1305_ietf_ABYTES

/* What both sides make of digits and shares. */
typedef struct
{
  uint8_t tag_key[crypto_generichash_KEYBYTES];
  uint8_t seal_key[crypto_aead_chacha20poly1305_ietf_KEYBYTES];
  uint8_t secret[ALS_SESSION_SECRET_BYTES];
} Keys;

/* The contents of an invitation, and their hash: its name. */
typedef struct
{
  uint8_t sid[SID_BYTES];
  uint8_t share[ALS_CPACE_POINT_BYTES];
  uint32_t created_s;
  uint8_t hash[crypto_generichash_BYTES];
} Contents;

struct _AlsInvitation
{
  Contents contents;
  char digits[N_DIGITS + 1];
  uint8_t scalar[ALS_CPACE_SCALAR_BYTES];
  int64_t expiry_us;
  char *text;
  gboolean is_used;
};

struct _AlsInvitationOffer
{
  Contents contents;
  GBytes *addresses;
};

/* --- what both sides do -------------------------------------------------- */

static void
make_generator (const char *digits, const Contents *contents,
                uint8_t generator[ALS_CPACE_POINT_BYTES])
{
  /* lv_cat: what this is, the initiator, the responder */
  static const uint8_t ci[] = "\x17" CHANNEL "\x06" JOINER "\x07" INVITER;

  G_STATIC_ASSERT (sizeof CHANNEL - 1 == 0x17);
  als_cpace_generator (digits, ci, sizeof ci - 1, contents->sid, SID_BYTES, generator);
}

static void
draw_share (const char *digits, const Contents *contents, uint8_t scalar[ALS_CPACE_SCALAR_BYTES],
            uint8_t share[ALS_CPACE_POINT_BYTES])
{
  uint8_t generator[ALS_CPACE_POINT_BYTES];

  make_generator (digits, contents, generator);
  crypto_core_ristretto255_scalar_random (scalar);
  /* Neither a scalar below the order nor a hashed generator gives the identity. */
  if (!als_cpace_multiply (scalar, generator, share))
    g_error ("ristretto255 does not work here");
  sodium_memzero (generator, sizeof generator);
}

static void
derive (const uint8_t isk[ALS_CPACE_ISK_BYTES], const Contents *contents, const char *domain,
        uint8_t *out, size_t len)
{
  crypto_generichash_state state;

  crypto_generichash_init (&state, isk, ALS_CPACE_ISK_BYTES, len);
  crypto_generichash_update (&state, (const uint8_t *) domain, strlen (domain));
  crypto_generichash_update (&state, contents->hash, sizeof contents->hash);
  crypto_generichash_final (&state, out, len);
  sodium_memzero (&state, sizeof state);
}

/* FALSE: the other side's share is no proper one. */
static gboolean
agree (const Contents *contents, const uint8_t *scalar, gboolean is_inviter,
       const uint8_t joiner_share[ALS_CPACE_POINT_BYTES], Keys *keys)
{
  AlsCpaceParty joiner = { joiner_share, JOINER }, inviter = { contents->share, INVITER };
  uint8_t k[ALS_CPACE_POINT_BYTES], isk[ALS_CPACE_ISK_BYTES];

  if (sodium_memcmp (joiner_share, contents->share, ALS_CPACE_POINT_BYTES) == 0
      || !als_cpace_multiply (scalar, is_inviter ? joiner_share : contents->share, k))
    return FALSE;
  als_cpace_isk (contents->sid, SID_BYTES, k, &joiner, &inviter, isk);
  derive (isk, contents, DOMAIN_TAG_KEY, keys->tag_key, sizeof keys->tag_key);
  derive (isk, contents, DOMAIN_SEAL_KEY, keys->seal_key, sizeof keys->seal_key);
  derive (isk, contents, DOMAIN_SECRET, keys->secret, sizeof keys->secret);
  sodium_memzero (k, sizeof k);
  sodium_memzero (isk, sizeof isk);
  return TRUE;
}

/* Over all there is. The seal alone proves no key: one ciphertext may open under several. */
static void
make_tag (const Keys *keys, const Contents *contents, const uint8_t *joiner_share,
          const uint8_t *sealed, size_t sealed_len, uint8_t tag[TAG_BYTES])
{
  crypto_generichash_state state;

  crypto_generichash_init (&state, keys->tag_key, sizeof keys->tag_key, TAG_BYTES);
  crypto_generichash_update (&state, contents->hash, sizeof contents->hash);
  crypto_generichash_update (&state, joiner_share, ALS_CPACE_POINT_BYTES);
  crypto_generichash_update (&state, sealed, sealed_len);
  crypto_generichash_final (&state, tag, TAG_BYTES);
  sodium_memzero (&state, sizeof state);
}

/* The key is used once. */
static const uint8_t zero_nonce[crypto_aead_chacha20poly1305_ietf_NPUBBYTES] = { 0 };

static gboolean
read_digits (const char *text, char digits[N_DIGITS + 1])
{
  guint n = 0;

  memset (digits, 0, N_DIGITS + 1);
  if (!g_utf8_validate (text, -1, NULL))
    return FALSE;
  for (const char *p = text; *p != '\0'; p = g_utf8_next_char (p))
    {
      gunichar c = g_utf8_get_char (p);

      if (g_unichar_isdigit (c) && n < N_DIGITS)
        digits[n++] = (char) ('0' + g_unichar_digit_value (c));
      else if (g_unichar_isdigit (c)
               || (!g_unichar_isspace (c) && g_unichar_type (c) != G_UNICODE_DASH_PUNCTUATION
                   && g_unichar_type (c) != G_UNICODE_FORMAT))
        return FALSE;
    }
  return n == N_DIGITS;
}

gboolean
als_invitation_check_digits (const char *digits)
{
  char read[N_DIGITS + 1];
  gboolean ok = read_digits (digits, read);

  sodium_memzero (read, sizeof read);
  return ok;
}

/* --- inviter ------------------------------------------------------------- */

AlsInvitation *
als_invitation_new (GBytes *addresses, int64_t real_us, int64_t now_us)
{
  AlsInvitation *self = g_new0 (AlsInvitation, 1);
  g_auto (AlsWriter) writer = { 0 };
  g_autoptr (GBytes) bytes = NULL;
  size_t len;
  const uint8_t *data;

  g_assert (g_bytes_get_size (addresses) <= ALS_INVITATION_MAX_ADDRESSES);
  g_snprintf (self->digits, sizeof self->digits, "%06u", randombytes_uniform (1000000));
  randombytes_buf (self->contents.sid, sizeof self->contents.sid);
  self->contents.created_s = (uint32_t) (real_us / G_USEC_PER_SEC);
  self->expiry_us = now_us + (int64_t) ALS_INVITATION_LIFETIME_S * G_USEC_PER_SEC;
  draw_share (self->digits, &self->contents, self->scalar, self->contents.share);
  als_writer_init (&writer, ALS_INVITATION_TEXT_MAX_BYTES);
  als_writer_u32 (&writer, self->contents.created_s);
  als_writer_bytes (&writer, self->contents.sid, sizeof self->contents.sid);
  als_writer_bytes (&writer, self->contents.share, sizeof self->contents.share);
  data = g_bytes_get_data (addresses, &len);
  als_writer_blob (&writer, data, len);
  bytes = als_writer_steal (&writer);
  data = g_bytes_get_data (bytes, &len);
  crypto_generichash (self->contents.hash, sizeof self->contents.hash, data, len, NULL, 0);
  self->text = als_invitation_text_encode (ALS_INVITATION_TEXT_INVITATION, data, len);
  return self;
}

/* Nothing is left to be learned from one that was used. */
static void
use_up (AlsInvitation *self)
{
  self->is_used = TRUE;
  sodium_memzero (self->scalar, sizeof self->scalar);
  sodium_memzero (self->digits, sizeof self->digits);
}

void
als_invitation_free (AlsInvitation *self)
{
  use_up (self);
  g_free (self->text);
  g_free (self);
}

const char *
als_invitation_get_text (AlsInvitation *self)
{
  return self->text;
}

const char *
als_invitation_get_digits (AlsInvitation *self)
{
  return self->digits;
}

int64_t
als_invitation_get_expiry (AlsInvitation *self)
{
  return self->expiry_us;
}

static GBytes *
fail (GError **error, AlsInvitationError code, const char *message)
{
  g_set_error_literal (error, ALS_INVITATION_ERROR, (int) code, message);
  return NULL;
}

/* SEALED with the right tag. */
static GBytes *
unseal (const Keys *keys, const uint8_t *sealed, size_t len)
{
  uint8_t plain[ALS_INVITATION_MAX_ADDRESSES];

  if (crypto_aead_chacha20poly1305_ietf_decrypt (plain, NULL, NULL, sealed, len, NULL, 0,
                                                 zero_nonce, keys->seal_key) != 0)
    return NULL;
  return g_bytes_new (plain, len - SEAL_BYTES);
}

GBytes *
als_invitation_take_reply (AlsInvitation *self, const char *text, int64_t now_us, uint8_t *secret,
                           GError **error)
{
  g_autoptr (GBytes) bytes = NULL;
  uint8_t share[ALS_CPACE_POINT_BYTES], tag[TAG_BYTES], expected[TAG_BYTES];
  const uint8_t *reference, *sealed;
  GBytes *addresses = NULL;
  AlsReader reader;
  size_t len;
  Keys keys;

  bytes = als_invitation_text_decode (ALS_INVITATION_TEXT_REPLY, text, error);
  if (bytes == NULL)
    return NULL;
  als_reader_init (&reader, g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes));
  reference = als_reader_bytes (&reader, REFERENCE_BYTES);
  als_reader_copy (&reader, share, sizeof share);
  als_reader_copy (&reader, tag, sizeof tag);
  sealed = als_reader_blob (&reader, ALS_INVITATION_MAX_ADDRESSES + SEAL_BYTES, &len);
  if (!als_reader_done (&reader) || len < SEAL_BYTES)
    return fail (error, ALS_INVITATION_ERROR_DAMAGED, "a reply does not parse");
  if (memcmp (reference, self->contents.hash, REFERENCE_BYTES) != 0)
    return fail (error, ALS_INVITATION_ERROR_OTHER, "a reply to another invitation");
  if (self->is_used)
    return fail (error, ALS_INVITATION_ERROR_USED, "a reply was taken already");
  if (now_us >= self->expiry_us)
    {
      use_up (self);
      return fail (error, ALS_INVITATION_ERROR_OLD, "the invitation's time is over");
    }
  if (agree (&self->contents, self->scalar, TRUE, share, &keys))
    {
      make_tag (&keys, &self->contents, share, sealed, len, expected);
      if (sodium_memcmp (tag, expected, sizeof tag) == 0)
        addresses = unseal (&keys, sealed, len);
    }
  use_up (self);
  if (addresses != NULL)
    memcpy (secret, keys.secret, sizeof keys.secret);
  sodium_memzero (&keys, sizeof keys);
  sodium_memzero (expected, sizeof expected);
  return addresses != NULL
           ? addresses
           : fail (error, ALS_INVITATION_ERROR_WRONG_DIGITS, "the digits differ");
}

/* --- joiner -------------------------------------------------------------- */

AlsInvitationOffer *
als_invitation_offer_parse (const char *text, int64_t real_us, GError **error)
{
  g_autoptr (AlsInvitationOffer) self = NULL;
  g_autoptr (GBytes) bytes = NULL;
  AlsReader reader;
  const uint8_t *data, *addresses;
  size_t len, addresses_len;

  bytes = als_invitation_text_decode (ALS_INVITATION_TEXT_INVITATION, text, error);
  if (bytes == NULL)
    return NULL;
  self = g_new0 (AlsInvitationOffer, 1);
  data = g_bytes_get_data (bytes, &len);
  als_reader_init (&reader, data, len);
  self->contents.created_s = als_reader_u32 (&reader);
  als_reader_copy (&reader, self->contents.sid, sizeof self->contents.sid);
  als_reader_copy (&reader, self->contents.share, sizeof self->contents.share);
  addresses = als_reader_blob (&reader, ALS_INVITATION_MAX_ADDRESSES, &addresses_len);
  if (!als_reader_done (&reader)
      || crypto_core_ristretto255_is_valid_point (self->contents.share) != 1)
    {
      fail (error, ALS_INVITATION_ERROR_DAMAGED, "an invitation does not parse");
      return NULL;
    }
  self->addresses = g_bytes_new (addresses, addresses_len);
  crypto_generichash (self->contents.hash, sizeof self->contents.hash, data, len, NULL, 0);
  if (real_us != 0
      && real_us / G_USEC_PER_SEC > (int64_t) self->contents.created_s + ALS_INVITATION_LIFETIME_S)
    {
      fail (error, ALS_INVITATION_ERROR_OLD, "the invitation's time is over");
      return NULL;
    }
  return g_steal_pointer (&self);
}

void
als_invitation_offer_free (AlsInvitationOffer *self)
{
  g_clear_pointer (&self->addresses, g_bytes_unref);
  g_free (self);
}

GBytes *
als_invitation_offer_get_addresses (AlsInvitationOffer *self)
{
  return self->addresses;
}

static char *
make_reply (AlsInvitationOffer *self, const Keys *keys, const uint8_t *share, GBytes *addresses)
{
  uint8_t sealed[ALS_INVITATION_MAX_ADDRESSES + SEAL_BYTES], tag[TAG_BYTES];
  g_auto (AlsWriter) writer = { 0 };
  g_autoptr (GBytes) bytes = NULL;
  unsigned long long sealed_len;
  size_t len;
  const uint8_t *data = g_bytes_get_data (addresses, &len);

  crypto_aead_chacha20poly1305_ietf_encrypt (sealed, &sealed_len, data, len, NULL, 0, NULL,
                                             zero_nonce, keys->seal_key);
  make_tag (keys, &self->contents, share, sealed, (size_t) sealed_len, tag);
  als_writer_init (&writer, ALS_INVITATION_TEXT_MAX_BYTES);
  als_writer_bytes (&writer, self->contents.hash, REFERENCE_BYTES);
  als_writer_bytes (&writer, share, ALS_CPACE_POINT_BYTES);
  als_writer_bytes (&writer, tag, sizeof tag);
  als_writer_blob (&writer, sealed, (size_t) sealed_len);
  bytes = als_writer_steal (&writer);
  data = g_bytes_get_data (bytes, &len);
  return als_invitation_text_encode (ALS_INVITATION_TEXT_REPLY, data, len);
}

char *
als_invitation_offer_reply (AlsInvitationOffer *self, const char *digits, GBytes *addresses,
                            uint8_t *secret, GError **error)
{
  uint8_t scalar[ALS_CPACE_SCALAR_BYTES], share[ALS_CPACE_POINT_BYTES];
  char read[N_DIGITS + 1];
  char *text = NULL;
  Keys keys;

  g_assert (g_bytes_get_size (addresses) <= ALS_INVITATION_MAX_ADDRESSES);
  if (!read_digits (digits, read))
    {
      sodium_memzero (read, sizeof read);
      fail (error, ALS_INVITATION_ERROR_BAD_DIGITS, "not six digits");
      return NULL;
    }
  draw_share (read, &self->contents, scalar, share);
  if (agree (&self->contents, scalar, FALSE, share, &keys))
    {
      memcpy (secret, keys.secret, sizeof keys.secret);
      text = make_reply (self, &keys, share, addresses);
    }
  else
    {
      fail (error, ALS_INVITATION_ERROR_DAMAGED, "its share is no proper one");
    }
  sodium_memzero (&keys, sizeof keys);
  sodium_memzero (scalar, sizeof scalar);
  sodium_memzero (read, sizeof read);
  return text;
}
