/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#include "config.h"

#include "path/punch/als-punch-probe.h"

#include <string.h>
#include "base/als-bytes.h"
#include "path/punch/als-punch-message.h"

/* Not STUN's, whose first byte is below 4. */
#define MAGIC 0xa15e9a7eu
#define HEAD_BYTES 24
#define MAC_BYTES (ALS_PUNCH_PROBE_BYTES - HEAD_BYTES)
#define SHA256_BYTES 32

static void
make_hmac (const uint8_t *key, size_t key_len, const uint8_t *data, size_t len, uint8_t *out)
{
  GHmac *hmac = g_hmac_new (G_CHECKSUM_SHA256, key, key_len);
  size_t out_len = SHA256_BYTES;

  g_hmac_update (hmac, data, (gssize) len);
  g_hmac_get_digest (hmac, out, &out_len);
  g_hmac_unref (hmac);
}

void
als_punch_probe_make_key (const uint8_t *inviter_secret, const uint8_t *joiner_secret, uint8_t *key)
{
  make_hmac (inviter_secret, ALS_PUNCH_SECRET_BYTES, joiner_secret, ALS_PUNCH_SECRET_BYTES, key);
}

void
als_punch_probe_encode (const AlsPunchProbe *self, const uint8_t *key, uint8_t *out)
{
  g_auto (AlsWriter) writer = { 0 };
  uint8_t mac[SHA256_BYTES];

  als_writer_init (&writer, HEAD_BYTES);
  als_writer_u32 (&writer, MAGIC);
  als_writer_u8 (&writer, self->type);
  als_writer_u8 (&writer, self->from_inviter ? 1 : 0);
  als_writer_u16 (&writer, 0);
  als_writer_u64 (&writer, self->nonce);
  als_writer_u64 (&writer, self->echo);
  memcpy (out, writer.bytes->data, HEAD_BYTES);
  make_hmac (key, ALS_PUNCH_KEY_BYTES, out, HEAD_BYTES, mac);
  memcpy (out + HEAD_BYTES, mac, MAC_BYTES);
}

gboolean
als_punch_probe_decode (AlsPunchProbe *self, const uint8_t *key, const uint8_t *data, size_t len)
{
  uint8_t mac[SHA256_BYTES], theirs[MAC_BYTES], role, differs = 0;
  uint16_t reserved;
  AlsReader reader;

  memset (self, 0, sizeof *self);
  als_reader_init (&reader, data, len);
  if (als_reader_u32 (&reader) != MAGIC)
    return FALSE;
  self->type = als_reader_u8 (&reader);
  role = als_reader_u8 (&reader);
  reserved = als_reader_u16 (&reader);
  self->from_inviter = role == 1;
  self->nonce = als_reader_u64 (&reader);
  self->echo = als_reader_u64 (&reader);
  als_reader_copy (&reader, theirs, sizeof theirs);
  if (!als_reader_done (&reader) || self->type < ALS_PUNCH_PROBE || self->type > ALS_PUNCH_ACCEPT
      || role > 1 || reserved != 0)
    return FALSE;
  make_hmac (key, ALS_PUNCH_KEY_BYTES, data, HEAD_BYTES, mac);
  for (guint i = 0; i < MAC_BYTES; i++)
    differs |= mac[i] ^ theirs[i];
  return differs == 0;
}
