/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#include "config.h"

#include "path/turn/als-turn-message.h"

#include <string.h>
#include "base/als-bytes.h"

#define MESSAGE_OFFER 1
#define FLAG_FINAL 0x01u
#define FLAG_ONE_SIDED 0x02u
#define GREETING_MAGIC 0x414c5352u /* "ALSR" */

static void
read_address (AlsReader *reader, AlsStunAddress *address)
{
  uint8_t family = als_reader_u8 (reader);

  memset (address, 0, sizeof *address);
  if (family != ALS_STUN_FAMILY_IPV4 && family != ALS_STUN_FAMILY_IPV6)
    {
      als_reader_fail (reader);
      return;
    }
  address->family = family;
  als_reader_copy (reader, address->ip, als_stun_address_get_ip_bytes (address));
  address->port = als_reader_u16 (reader);
  if (!als_stun_address_is_usable (address))
    als_reader_fail (reader);
}

static guint
read_addresses (AlsReader *reader, AlsStunAddress *addresses)
{
  guint n = als_reader_u8 (reader);

  if (n > ALS_TURN_MAX_OFFERED)
    {
      als_reader_fail (reader);
      return 0;
    }
  for (guint i = 0; i < n; i++)
    read_address (reader, &addresses[i]);
  return n;
}

gboolean
als_turn_offer_decode (AlsTurnOffer *offer, const uint8_t *data, size_t len, GError **error)
{
  AlsReader reader;
  uint8_t type, flags;

  memset (offer, 0, sizeof *offer);
  als_reader_init (&reader, data, len);
  type = als_reader_u8 (&reader);
  flags = als_reader_u8 (&reader);
  if (type != MESSAGE_OFFER || (flags & ~(FLAG_FINAL | FLAG_ONE_SIDED)) != 0)
    als_reader_fail (&reader);
  offer->is_final = (flags & FLAG_FINAL) != 0;
  offer->one_sided = (flags & FLAG_ONE_SIDED) != 0;
  als_reader_copy (&reader, offer->token, sizeof offer->token);
  offer->n_relayed = read_addresses (&reader, offer->relayed);
  offer->n_public = read_addresses (&reader, offer->public);
  if (als_reader_done (&reader))
    return TRUE;
  g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, "malformed TURN path message");
  return FALSE;
}

static void
write_addresses (AlsWriter *writer, const AlsStunAddress *addresses, guint n)
{
  als_writer_u8 (writer, (uint8_t) n);
  for (guint i = 0; i < n; i++)
    {
      als_writer_u8 (writer, (uint8_t) addresses[i].family);
      als_writer_bytes (writer, addresses[i].ip, als_stun_address_get_ip_bytes (&addresses[i]));
      als_writer_u16 (writer, addresses[i].port);
    }
}

GBytes *
als_turn_offer_encode (const AlsTurnOffer *offer)
{
  g_auto (AlsWriter) writer = { 0 };

  als_writer_init (&writer, ALS_TURN_MESSAGE_MAX_BYTES);
  als_writer_u8 (&writer, MESSAGE_OFFER);
  als_writer_u8 (&writer, (uint8_t) ((offer->is_final ? FLAG_FINAL : 0)
                                     | (offer->one_sided ? FLAG_ONE_SIDED : 0)));
  als_writer_bytes (&writer, offer->token, sizeof offer->token);
  write_addresses (&writer, offer->relayed, offer->n_relayed);
  write_addresses (&writer, offer->public, offer->n_public);
  return als_writer_steal (&writer);
}

void
als_turn_greeting_encode (uint8_t out[ALS_TURN_GREETING_BYTES], AlsTurnGreetingType type,
                          guint stripe, const uint8_t token[ALS_TURN_TOKEN_BYTES])
{
  out[0] = (uint8_t) (GREETING_MAGIC >> 24);
  out[1] = (uint8_t) (GREETING_MAGIC >> 16);
  out[2] = (uint8_t) (GREETING_MAGIC >> 8);
  out[3] = (uint8_t) GREETING_MAGIC;
  out[4] = (uint8_t) type;
  out[5] = (uint8_t) stripe;
  memcpy (out + 6, token, ALS_TURN_TOKEN_BYTES);
}

gboolean
als_turn_greeting_decode (const uint8_t data[ALS_TURN_GREETING_BYTES], AlsTurnGreetingType type,
                          const uint8_t token[ALS_TURN_TOKEN_BYTES], guint *stripe)
{
  AlsReader reader;
  uint32_t magic;
  uint8_t said, index, difference = 0;
  const uint8_t *theirs;

  als_reader_init (&reader, data, ALS_TURN_GREETING_BYTES);
  magic = als_reader_u32 (&reader);
  said = als_reader_u8 (&reader);
  index = als_reader_u8 (&reader);
  theirs = als_reader_bytes (&reader, ALS_TURN_TOKEN_BYTES);
  for (guint i = 0; i < ALS_TURN_TOKEN_BYTES; i++)
    difference |= theirs[i] ^ token[i];
  if (magic != GREETING_MAGIC || said != type || index >= ALS_TURN_MAX_STRIPES || difference != 0)
    return FALSE;
  *stripe = index;
  return TRUE;
}
