/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* In base32 (RFC 4648, 6): version, length of the rest, contents, checksum:
 * 1, 2, n and 4 bytes. */

#define G_LOG_DOMAIN "als-crypto"

#include "config.h"

#include "crypto/als-invitation-text.h"

#include <sodium.h>
#include <string.h>
#include "base/als-bytes.h"

#define VERSION 1
#define HEADER_BYTES 3
#define CHECKSUM_BYTES 4
#define CHECKSUM_DOMAIN "alongside v1 invitation text"
#define MAX_BYTES (HEADER_BYTES + ALS_INVITATION_TEXT_MAX_BYTES + CHECKSUM_BYTES)
/* Nobody pastes more by intention. */
#define MAX_TEXT_BYTES (256 * 1024)
/* Of one kind in one text: a conversation may quote itself. */
#define MAX_FOUND 16

#define ALPHABET "abcdefghijklmnopqrstuvwxyz234567"

G_STATIC_ASSERT (crypto_generichash_BYTES_MIN >= CHECKSUM_BYTES);

G_DEFINE_QUARK (als-invitation-error-quark, als_invitation_error)

static const char *
get_prefix (AlsInvitationText kind)
{
  return kind == ALS_INVITATION_TEXT_REPLY ? "alongside-reply:" : "alongside-invitation:";
}

/* Signs that chats, mails and people put between or around. */
static gboolean
is_filler (gunichar c)
{
  switch (g_unichar_type (c))
    {
    case G_UNICODE_CONTROL:
    case G_UNICODE_FORMAT:
    case G_UNICODE_SPACE_SEPARATOR:
    case G_UNICODE_LINE_SEPARATOR:
    case G_UNICODE_PARAGRAPH_SEPARATOR:
    case G_UNICODE_INITIAL_PUNCTUATION:
    case G_UNICODE_FINAL_PUNCTUATION:
      return TRUE;
    default:
      return c < 0x80 ? strchr ("<>\"'`*_|", (int) c) != NULL
                      : g_unichar_isspace (c);
    }
}

/* TEXT without fillers, in lower case. NULL: no text, or too long a one. */
static char *
normalise (const char *text)
{
  GString *out;

  if (strlen (text) > MAX_TEXT_BYTES || !g_utf8_validate (text, -1, NULL))
    return NULL;
  out = g_string_new (NULL);
  for (const char *p = text; *p != '\0'; p = g_utf8_next_char (p))
    {
      gunichar c = g_utf8_get_char (p);

      if (is_filler (c))
        continue;
      /* Wide forms of other scripts' keyboards are not what we wrote. */
      g_string_append_c (out, c < 0x80 ? g_ascii_tolower ((char) c) : '?');
    }
  return g_string_free (out, FALSE);
}

AlsInvitationText
als_invitation_text_classify (const char *text)
{
  g_autofree char *plain = normalise (text);

  if (plain == NULL)
    return ALS_INVITATION_TEXT_OTHER;
  if (strstr (plain, get_prefix (ALS_INVITATION_TEXT_REPLY)) != NULL)
    return ALS_INVITATION_TEXT_REPLY;
  if (strstr (plain, get_prefix (ALS_INVITATION_TEXT_INVITATION)) != NULL)
    return ALS_INVITATION_TEXT_INVITATION;
  return ALS_INVITATION_TEXT_OTHER;
}

static void
make_checksum (const uint8_t *data, size_t len, uint8_t out[CHECKSUM_BYTES])
{
  uint8_t hash[crypto_generichash_BYTES];

  crypto_generichash (hash, sizeof hash, data, len, (const uint8_t *) CHECKSUM_DOMAIN,
                      strlen (CHECKSUM_DOMAIN));
  memcpy (out, hash, CHECKSUM_BYTES);
}

char *
als_invitation_text_encode (AlsInvitationText kind, const uint8_t *data, size_t len)
{
  uint8_t bytes[MAX_BYTES];
  size_t n = HEADER_BYTES + len;
  GString *text = g_string_new (get_prefix (kind));
  guint bits = 0, n_bits = 0;

  g_assert (len <= ALS_INVITATION_TEXT_MAX_BYTES);
  bytes[0] = VERSION;
  bytes[1] = (uint8_t) ((len + CHECKSUM_BYTES) >> 8);
  bytes[2] = (uint8_t) (len + CHECKSUM_BYTES);
  memcpy (bytes + HEADER_BYTES, data, len);
  make_checksum (bytes, n, bytes + n);
  n += CHECKSUM_BYTES;
  for (size_t i = 0; i < n; i++)
    {
      bits = (bits << 8 | bytes[i]) & 0xfff;
      for (n_bits += 8; n_bits >= 5; n_bits -= 5)
        g_string_append_c (text, ALPHABET[bits >> (n_bits - 5) & 31]);
    }
  if (n_bits > 0)
    g_string_append_c (text, ALPHABET[bits << (5 - n_bits) & 31]);
  return g_string_free (text, FALSE);
}

/* As many whole bytes as are there, MAX_BYTES at the most. */
static size_t
read_base32 (const char *text, uint8_t out[MAX_BYTES])
{
  guint bits = 0, n_bits = 0;
  size_t n = 0;

  for (; n < MAX_BYTES && *text != '\0'; text++)
    {
      const char *at = strchr (ALPHABET, *text);

      if (at == NULL)
        break;
      bits = (bits << 5 | (guint) (at - ALPHABET)) & 0xfff;
      n_bits += 5;
      if (n_bits >= 8)
        {
          n_bits -= 8;
          out[n++] = (uint8_t) (bits >> n_bits);
        }
    }
  return n;
}

/* TEXT begins right behind the prefix. */
static GBytes *
decode_one (const char *text, GError **error)
{
  uint8_t bytes[MAX_BYTES], checksum[CHECKSUM_BYTES];
  AlsReader reader;
  size_t n = read_base32 (text, bytes), len;
  const uint8_t *contents;
  uint8_t version;

  als_reader_init (&reader, bytes, n);
  version = als_reader_u8 (&reader);
  len = als_reader_u16 (&reader);
  if (!reader.failed && version != VERSION)
    {
      g_set_error (error, ALS_INVITATION_ERROR, ALS_INVITATION_ERROR_VERSION,
                   "made for version %u", version);
      return NULL;
    }
  if (!reader.failed
      && (len < CHECKSUM_BYTES || len > ALS_INVITATION_TEXT_MAX_BYTES + CHECKSUM_BYTES))
    {
      g_set_error_literal (error, ALS_INVITATION_ERROR, ALS_INVITATION_ERROR_DAMAGED,
                           "a length out of bounds");
      return NULL;
    }
  contents = als_reader_bytes (&reader, reader.failed ? 0 : len);
  if (contents == NULL || reader.failed)
    {
      g_set_error_literal (error, ALS_INVITATION_ERROR, ALS_INVITATION_ERROR_CUT_OFF,
                           "its end is missing");
      return NULL;
    }
  len -= CHECKSUM_BYTES;
  make_checksum (bytes, HEADER_BYTES + len, checksum);
  if (memcmp (checksum, contents + len, sizeof checksum) != 0)
    {
      g_set_error_literal (error, ALS_INVITATION_ERROR, ALS_INVITATION_ERROR_DAMAGED,
                           "the checksum differs");
      return NULL;
    }
  return g_bytes_new (contents, len);
}

GBytes *
als_invitation_text_decode (AlsInvitationText kind, const char *text, GError **error)
{
  g_autofree char *plain = normalise (text);
  const char *prefix = get_prefix (kind);
  const char *at = plain != NULL ? strstr (plain, prefix) : NULL;
  g_autoptr (GError) first = NULL;

  if (at == NULL)
    {
      gboolean is_other = als_invitation_text_classify (text) != ALS_INVITATION_TEXT_OTHER;

      g_set_error_literal (error, ALS_INVITATION_ERROR,
                           is_other ? ALS_INVITATION_ERROR_OTHER_KIND
                                    : ALS_INVITATION_ERROR_NONE_FOUND,
                           is_other ? "one of the other kind" : "nothing of ours in that text");
      return NULL;
    }
  /* The first whole one counts; else what is wrong with the first. */
  for (guint i = 0; i < MAX_FOUND && at != NULL; i++)
    {
      GBytes *bytes = decode_one (at + strlen (prefix), first == NULL ? &first : NULL);

      if (bytes != NULL)
        return bytes;
      at = strstr (at + strlen (prefix), prefix);
    }
  g_propagate_error (error, g_steal_pointer (&first));
  return NULL;
}
