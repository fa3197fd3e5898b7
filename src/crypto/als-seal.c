/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#include "config.h"

#include "crypto/als-seal.h"

#include <sodium.h>
#include <string.h>

#include "base/als-bytes.h"
#include "base/als-plant.h"

#define NONCE_BYTES crypto_aead_chacha20poly1305_ietf_NPUBBYTES
#define WINDOW_WORDS (ALS_REPLAY_WINDOW / 64)

G_STATIC_ASSERT (ALS_KEY_BYTES == crypto_aead_chacha20poly1305_ietf_KEYBYTES);
G_STATIC_ASSERT (ALS_SEAL_TAG_BYTES == crypto_aead_chacha20poly1305_ietf_ABYTES);

/* RFC 8439, 2.8: 96 bits that never repeat under a key; ours are the counter. */
static void
make_nonce (uint64_t counter, uint8_t nonce[NONCE_BYTES])
{
  memset (nonce, 0, NONCE_BYTES);
  for (guint i = 0; i < 8; i++)
    nonce[NONCE_BYTES - 1 - i] = (uint8_t) (counter >> (8 * i));
}

void
als_sealer_init (AlsSealer *self, const uint8_t *key)
{
  memcpy (self->key, key, ALS_KEY_BYTES);
  self->counter = 0;
}

void
als_opener_init (AlsOpener *self, const uint8_t *key, gboolean ordered)
{
  memcpy (self->key, key, ALS_KEY_BYTES);
  self->ordered = ordered;
  self->next = 0;
  memset (self->seen, 0, sizeof self->seen);
}

void
als_sealer_clear (AlsSealer *self)
{
  sodium_memzero (self, sizeof *self);
}

void
als_opener_clear (AlsOpener *self)
{
  sodium_memzero (self, sizeof *self);
}

void
als_sealer_seal (AlsSealer *self, const void *ad, size_t ad_len, const uint8_t *plain, size_t len,
                 uint8_t *out, uint64_t *counter)
{
  uint8_t nonce[NONCE_BYTES];

  if (self->counter == UINT64_MAX)
    g_error ("a key's counters are used up");
  *counter = self->counter++;
  if (als_plant ("counter-reused") && *counter % 1000 == 999)
    self->counter--;
  make_nonce (*counter, nonce);
  crypto_aead_chacha20poly1305_ietf_encrypt (out, NULL, plain, len, ad, ad_len, NULL, nonce,
                                             self->key);
}

static gboolean
is_new (const AlsOpener *self, uint64_t counter)
{
  if (counter == UINT64_MAX)
    return FALSE;
  if (self->ordered)
    return counter == self->next;
  if (counter >= self->next)
    return TRUE;
  if (self->next - counter > ALS_REPLAY_WINDOW)
    return FALSE;
  return (self->seen[counter / 64 % WINDOW_WORDS] >> (counter % 64) & 1) == 0;
}

static void
mark_seen (AlsOpener *self, uint64_t counter)
{
  if (self->ordered)
    {
      self->next = counter + 1;
      return;
    }
  if (counter >= self->next)
    {
      if (counter - self->next >= ALS_REPLAY_WINDOW)
        memset (self->seen, 0, sizeof self->seen);
      else
        for (uint64_t i = self->next; i <= counter; i++)
          self->seen[i / 64 % WINDOW_WORDS] &= ~((uint64_t) 1 << (i % 64));
      self->next = counter + 1;
    }
  self->seen[counter / 64 % WINDOW_WORDS] |= (uint64_t) 1 << (counter % 64);
}

gboolean
als_opener_open (AlsOpener *self, const void *ad, size_t ad_len, uint64_t counter,
                 const uint8_t *sealed, size_t len, uint8_t *out)
{
  uint8_t nonce[NONCE_BYTES];

  if (len < ALS_SEAL_TAG_BYTES || !is_new (self, counter))
    return FALSE;
  make_nonce (counter, nonce);
  if (crypto_aead_chacha20poly1305_ietf_decrypt (out, NULL, NULL, sealed, len, ad, ad_len, nonce,
                                                 self->key) != 0)
    return FALSE;
  mark_seen (self, counter);
  return TRUE;
}

GBytes *
als_sealer_seal_message (AlsSealer *self, GBytes *plain)
{
  size_t len;
  const uint8_t *data = g_bytes_get_data (plain, &len);
  uint8_t *out = g_malloc (8 + len + ALS_SEAL_TAG_BYTES);
  uint64_t counter;

  als_sealer_seal (self, NULL, 0, data, len, out + 8, &counter);
  for (guint i = 0; i < 8; i++)
    out[i] = (uint8_t) (counter >> (56 - 8 * i));
  return g_bytes_new_take (out, 8 + len + ALS_SEAL_TAG_BYTES);
}

GBytes *
als_opener_open_message (AlsOpener *self, const uint8_t *data, size_t len)
{
  AlsReader reader;
  uint64_t counter;
  const uint8_t *sealed;
  size_t sealed_len;
  g_autofree uint8_t *out = NULL;

  als_reader_init (&reader, data, len);
  counter = als_reader_u64 (&reader);
  sealed = als_reader_rest (&reader, &sealed_len);
  if (sealed == NULL || sealed_len < ALS_SEAL_TAG_BYTES)
    return NULL;
  out = g_malloc (MAX (sealed_len - ALS_SEAL_TAG_BYTES, 1));
  if (!als_opener_open (self, NULL, 0, counter, sealed, sealed_len, out))
    return NULL;
  return g_bytes_new_take (g_steal_pointer (&out), sealed_len - ALS_SEAL_TAG_BYTES);
}
