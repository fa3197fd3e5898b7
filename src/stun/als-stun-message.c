/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#define G_LOG_DOMAIN "als-stun"

#include "config.h"

#include "stun/als-stun-message.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define SHA1_BYTES 20
#define SHA256_BYTES 32
#define FINGERPRINT_XOR 0x5354554eu /* RFC 8489, 14.7 */
#define MIN_ERROR_CLASS 3           /* RFC 8489, 14.8 */
#define MAX_ERROR_CLASS 6

G_DEFINE_QUARK (als-stun-error-quark, als_stun_error)

/* --- both ways --- */

/* The CRC-32 of ITU V.42, as in Ethernet. */
static uint32_t
crc32_of (const uint8_t *data, size_t len, uint32_t crc)
{
  for (size_t i = 0; i < len; i++)
    {
      crc ^= data[i];
      for (guint bit = 0; bit < 8; bit++)
        crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
    }
  return crc;
}

/* The message up to here, with the length its header had when this attribute was its last. */
static void
make_header (uint8_t header[4], const uint8_t *message, size_t covered, size_t attribute_bytes)
{
  size_t body = covered - ALS_STUN_HEADER_BYTES + 4 + attribute_bytes;

  header[0] = message[0];
  header[1] = message[1];
  header[2] = (uint8_t) (body >> 8);
  header[3] = (uint8_t) body;
}

static uint32_t
make_fingerprint (const uint8_t *message, size_t covered)
{
  uint8_t header[4];
  uint32_t crc;

  make_header (header, message, covered, 4);
  crc = crc32_of (header, sizeof header, ~0u);
  return ~crc32_of (message + sizeof header, covered - sizeof header, crc) ^ FINGERPRINT_XOR;
}

static size_t
make_integrity (AlsStunIntegrity integrity, const uint8_t *key, size_t key_len,
                const uint8_t *message, size_t covered, uint8_t digest[SHA256_BYTES])
{
  gboolean sha256 = integrity == ALS_STUN_INTEGRITY_SHA256;
  gsize len = sha256 ? SHA256_BYTES : SHA1_BYTES;
  GHmac *hmac = g_hmac_new (sha256 ? G_CHECKSUM_SHA256 : G_CHECKSUM_SHA1, key, key_len);
  uint8_t header[4];

  make_header (header, message, covered, len);
  g_hmac_update (hmac, header, sizeof header);
  g_hmac_update (hmac, message + sizeof header, (gssize) (covered - sizeof header));
  g_hmac_get_digest (hmac, digest, &len);
  g_hmac_unref (hmac);
  return len;
}

static gboolean
is_xored (uint16_t type)
{
  return type == ALS_STUN_XOR_MAPPED_ADDRESS || type == ALS_STUN_XOR_MAPPED_ADDRESS_OLD
         || type == ALS_STUN_XOR_PEER_ADDRESS || type == ALS_STUN_XOR_RELAYED_ADDRESS;
}

/* RFC 8489, 14.2: its own inverse. */
static void
xor_address (AlsStunAddress *address, const uint8_t *transaction)
{
  uint8_t mask[16] = { ALS_STUN_MAGIC_COOKIE >> 24, ALS_STUN_MAGIC_COOKIE >> 16 & 0xff,
                       ALS_STUN_MAGIC_COOKIE >> 8 & 0xff, ALS_STUN_MAGIC_COOKIE & 0xff };

  memcpy (mask + 4, transaction, ALS_STUN_TRANSACTION_BYTES);
  address->port ^= ALS_STUN_MAGIC_COOKIE >> 16;
  for (size_t i = 0; i < als_stun_address_get_ip_bytes (address); i++)
    address->ip[i] ^= mask[i];
}

static gboolean
is_known (uint16_t type)
{
  switch (type)
    {
    case ALS_STUN_MAPPED_ADDRESS:
    case ALS_STUN_CHANGE_REQUEST:
    case ALS_STUN_USERNAME:
    case ALS_STUN_MESSAGE_INTEGRITY:
    case ALS_STUN_ERROR_CODE:
    case ALS_STUN_UNKNOWN_ATTRIBUTES:
    case ALS_STUN_CHANNEL_NUMBER:
    case ALS_STUN_LIFETIME:
    case ALS_STUN_XOR_PEER_ADDRESS:
    case ALS_STUN_DATA_ATTRIBUTE:
    case ALS_STUN_REALM:
    case ALS_STUN_NONCE:
    case ALS_STUN_XOR_RELAYED_ADDRESS:
    case ALS_STUN_REQUESTED_ADDRESS_FAMILY:
    case ALS_STUN_EVEN_PORT:
    case ALS_STUN_REQUESTED_TRANSPORT:
    case ALS_STUN_DONT_FRAGMENT:
    case ALS_STUN_MESSAGE_INTEGRITY_SHA256:
    case ALS_STUN_PASSWORD_ALGORITHM:
    case ALS_STUN_USERHASH:
    case ALS_STUN_XOR_MAPPED_ADDRESS:
    case ALS_STUN_RESERVATION_TOKEN:
    case ALS_STUN_PRIORITY:
    case ALS_STUN_USE_CANDIDATE:
    case ALS_STUN_PADDING:
    case ALS_STUN_RESPONSE_PORT:
    case ALS_STUN_CONNECTION_ID:
      return TRUE;
    default:
      return FALSE;
    }
}

/* --- from bytes --- */

static gboolean
refuse (GError **error, AlsStunError code, const char *message)
{
  g_set_error_literal (error, ALS_STUN_ERROR, code, message);
  return FALSE;
}

/* RFC 8489, 14.5 to 14.7: what follows an integrity counts only if it is a stronger one or the
 * fingerprint. */
static gboolean
is_after_integrity (uint16_t type, gboolean sha1, gboolean sha256)
{
  if (type == ALS_STUN_FINGERPRINT)
    return FALSE;
  return sha256 || (sha1 && type != ALS_STUN_MESSAGE_INTEGRITY_SHA256);
}

static gboolean
read_attributes (AlsStunMessage *self, AlsReader *reader, GError **error)
{
  gboolean sha1 = FALSE, sha256 = FALSE;

  while (als_reader_left (reader) > 0)
    {
      size_t start = reader->pos;
      uint16_t type = als_reader_u16 (reader);
      uint16_t len = als_reader_u16 (reader);
      const uint8_t *value = als_reader_bytes (reader, len);

      als_reader_bytes (reader, (4 - len % 4u) % 4u);
      if (reader->failed)
        return refuse (error, ALS_STUN_ERROR_MALFORMED, "an attribute is longer than its message");
      if (self->has_fingerprint)
        return refuse (error, ALS_STUN_ERROR_MALFORMED, "attributes behind the fingerprint");
      if (type == ALS_STUN_FINGERPRINT)
        {
          AlsReader crc;

          als_reader_init (&crc, value, len);
          if (len != 4 || als_reader_u32 (&crc) != make_fingerprint (self->bytes, start))
            return refuse (error, ALS_STUN_ERROR_FINGERPRINT, "the fingerprint is wrong");
          self->has_fingerprint = TRUE;
        }
      if (is_after_integrity (type, sha1, sha256))
        continue;
      sha1 |= type == ALS_STUN_MESSAGE_INTEGRITY;
      sha256 |= type == ALS_STUN_MESSAGE_INTEGRITY_SHA256;
      if (self->n_attributes == ALS_STUN_MAX_ATTRIBUTES)
        return refuse (error, ALS_STUN_ERROR_TOO_LARGE, "too many attributes");
      self->attributes[self->n_attributes++] = (AlsStunAttribute){ type, len, value };
    }
  return TRUE;
}

AlsStunMessage *
als_stun_message_decode (const uint8_t *data, size_t len, GError **error)
{
  g_autoptr (AlsStunMessage) self = NULL;
  AlsReader reader;
  uint16_t type, body;
  uint32_t cookie;

  if (len > ALS_STUN_MAX_MESSAGE_BYTES)
    {
      refuse (error, ALS_STUN_ERROR_TOO_LARGE, "the message is too large");
      return NULL;
    }
  self = g_malloc0 (sizeof *self + len);
  self->len = len;
  if (len > 0)
    memcpy (self->bytes, data, len);
  als_reader_init (&reader, self->bytes, len);
  type = als_reader_u16 (&reader);
  body = als_reader_u16 (&reader);
  cookie = als_reader_u32 (&reader);
  als_reader_copy (&reader, self->transaction, sizeof self->transaction);
  if (reader.failed || type & 0xc000 || cookie != ALS_STUN_MAGIC_COOKIE)
    {
      refuse (error, ALS_STUN_ERROR_NOT_STUN, "this is not STUN");
      return NULL;
    }
  if (body % 4 != 0 || body != als_reader_left (&reader))
    {
      refuse (error, ALS_STUN_ERROR_MALFORMED, "the message's length is wrong");
      return NULL;
    }
  /* RFC 8489, 5: the class's two bits lie among the method's. */
  self->kind = (type >> 7 & 2) | (type >> 4 & 1);
  self->method = (uint16_t) ((type >> 2 & 0xf80) | (type >> 1 & 0x70) | (type & 0xf));
  return read_attributes (self, &reader, error) ? g_steal_pointer (&self) : NULL;
}

void
als_stun_message_free (AlsStunMessage *self)
{
  g_free (self);
}

const AlsStunAttribute *
als_stun_message_find (const AlsStunMessage *self, AlsStunAttributeType type)
{
  for (guint i = 0; i < self->n_attributes; i++)
    if (self->attributes[i].type == type)
      return &self->attributes[i];
  return NULL;
}

static gboolean
read_attribute (const AlsStunMessage *self, AlsStunAttributeType type, AlsReader *reader)
{
  const AlsStunAttribute *attribute = als_stun_message_find (self, type);

  if (attribute == NULL)
    return FALSE;
  als_reader_init (reader, attribute->value, attribute->len);
  return TRUE;
}

gboolean
als_stun_message_get_address (const AlsStunMessage *self, AlsStunAttributeType type,
                              AlsStunAddress *address)
{
  AlsReader reader;

  memset (address, 0, sizeof *address);
  if (!read_attribute (self, type, &reader))
    return FALSE;
  als_reader_u8 (&reader);
  address->family = als_reader_u8 (&reader);
  address->port = als_reader_u16 (&reader);
  als_reader_copy (&reader, address->ip, als_stun_address_get_ip_bytes (address));
  if (als_stun_address_get_ip_bytes (address) == 0 || !als_reader_done (&reader))
    {
      memset (address, 0, sizeof *address);
      return FALSE;
    }
  if (is_xored (type))
    xor_address (address, self->transaction);
  return TRUE;
}

gboolean
als_stun_message_get_mapped (const AlsStunMessage *self, AlsStunAddress *address)
{
  return als_stun_message_get_address (self, ALS_STUN_XOR_MAPPED_ADDRESS, address)
         || als_stun_message_get_address (self, ALS_STUN_XOR_MAPPED_ADDRESS_OLD, address)
         || als_stun_message_get_address (self, ALS_STUN_MAPPED_ADDRESS, address);
}

gboolean
als_stun_message_get_u32 (const AlsStunMessage *self, AlsStunAttributeType type, uint32_t *value)
{
  AlsReader reader;

  *value = 0;
  if (!read_attribute (self, type, &reader))
    return FALSE;
  *value = als_reader_u32 (&reader);
  return als_reader_done (&reader);
}

static char *
read_text (AlsReader *reader, size_t max_len)
{
  size_t len;
  const uint8_t *bytes = als_reader_rest (reader, &len);

  if (bytes == NULL || len > max_len || !g_utf8_validate_len ((const char *) bytes, len, NULL))
    return NULL;
  for (size_t i = 0; i < len; i++)
    if (bytes[i] < 0x20 || bytes[i] == 0x7f)
      return NULL;
  return g_strndup ((const char *) bytes, len);
}

char *
als_stun_message_get_text (const AlsStunMessage *self, AlsStunAttributeType type)
{
  AlsReader reader;

  if (!read_attribute (self, type, &reader))
    return NULL;
  return read_text (&reader, type == ALS_STUN_USERNAME ? ALS_STUN_MAX_USERNAME_BYTES
                                                       : ALS_STUN_MAX_TEXT_BYTES);
}

gboolean
als_stun_message_get_error (const AlsStunMessage *self, guint *code, char **reason)
{
  AlsReader reader;
  guint hundreds, number;

  *code = 0;
  if (reason != NULL)
    *reason = NULL;
  if (!read_attribute (self, ALS_STUN_ERROR_CODE, &reader))
    return FALSE;
  als_reader_u16 (&reader);
  hundreds = als_reader_u8 (&reader) & 0x07;
  number = als_reader_u8 (&reader);
  if (reader.failed || hundreds < MIN_ERROR_CLASS || hundreds > MAX_ERROR_CLASS || number > 99)
    return FALSE;
  *code = hundreds * 100 + number;
  if (reason != NULL)
    *reason = read_text (&reader, ALS_STUN_MAX_TEXT_BYTES);
  return TRUE;
}

size_t
als_stun_message_get_unknown (const AlsStunMessage *self, uint16_t *types, size_t max_types)
{
  AlsReader reader;
  size_t n = 0;

  if (!read_attribute (self, ALS_STUN_UNKNOWN_ATTRIBUTES, &reader))
    return 0;
  while (n < max_types && als_reader_left (&reader) >= 2)
    types[n++] = als_reader_u16 (&reader);
  return n;
}

gboolean
als_stun_message_get_algorithms (const AlsStunMessage *self, uint16_t *algorithms,
                                 size_t max_algorithms, size_t *n_algorithms)
{
  AlsReader reader;

  *n_algorithms = 0;
  if (!read_attribute (self, ALS_STUN_PASSWORD_ALGORITHMS, &reader))
    return FALSE;
  while (als_reader_left (&reader) > 0)
    {
      uint16_t algorithm = als_reader_u16 (&reader);
      uint16_t len = als_reader_u16 (&reader);

      als_reader_bytes (&reader, len);
      /* RFC 8489, 14.11: parameters are padded; some leave it out behind the last. */
      als_reader_bytes (&reader, MIN ((4 - len % 4u) % 4u, als_reader_left (&reader)));
      if (reader.failed)
        return FALSE;
      if (*n_algorithms < max_algorithms)
        algorithms[(*n_algorithms)++] = algorithm;
    }
  return TRUE;
}

uint16_t
als_stun_message_find_unknown (const AlsStunMessage *self)
{
  for (guint i = 0; i < self->n_attributes; i++)
    if (self->attributes[i].type < 0x8000 && !is_known (self->attributes[i].type))
      return self->attributes[i].type;
  return 0;
}

/* Takes as long for a wrong digest as for a right one. */
static gboolean
same_digest (const uint8_t *a, const uint8_t *b, size_t len)
{
  uint8_t difference = 0;

  for (size_t i = 0; i < len; i++)
    difference |= a[i] ^ b[i];
  return difference == 0;
}

gboolean
als_stun_message_verify (const AlsStunMessage *self, AlsStunIntegrity integrity,
                         const uint8_t *key, size_t key_len)
{
  const AlsStunAttribute *attribute
      = als_stun_message_find (self, integrity == ALS_STUN_INTEGRITY_SHA256
                                         ? ALS_STUN_MESSAGE_INTEGRITY_SHA256
                                         : ALS_STUN_MESSAGE_INTEGRITY);
  uint8_t digest[SHA256_BYTES];

  /* RFC 8489, 14.6: truncated ones only where a usage allows it, and none of ours does. */
  if (attribute == NULL
      || attribute->len != (integrity == ALS_STUN_INTEGRITY_SHA256 ? SHA256_BYTES : SHA1_BYTES))
    return FALSE;
  make_integrity (integrity, key, key_len, self->bytes,
                  (size_t) (attribute->value - self->bytes) - 4, digest);
  return same_digest (digest, attribute->value, attribute->len);
}

/* --- to bytes --- */

/* RFC 8489, 6: unpredictable, because strangers may answer, too. */
static void
make_transaction (uint8_t transaction[ALS_STUN_TRANSACTION_BYTES])
{
  if (getentropy (transaction, ALS_STUN_TRANSACTION_BYTES) != 0)
    g_error ("no random bytes: %s", g_strerror (errno));
}

void
als_stun_builder_init (AlsStunBuilder *self, AlsStunClass kind, uint16_t method,
                       const uint8_t *transaction)
{
  uint16_t type = (uint16_t) ((method & 0xf80) << 2 | (method & 0x70) << 1 | (method & 0xf)
                              | (kind & 2) << 7 | (kind & 1) << 4);

  if (transaction != NULL)
    memcpy (self->transaction, transaction, sizeof self->transaction);
  else
    make_transaction (self->transaction);
  als_writer_init (&self->writer, ALS_STUN_MAX_MESSAGE_BYTES);
  als_writer_u16 (&self->writer, type);
  als_writer_u16 (&self->writer, 0); /* the length, as it grows */
  als_writer_u32 (&self->writer, ALS_STUN_MAGIC_COOKIE);
  als_writer_bytes (&self->writer, self->transaction, sizeof self->transaction);
}

void
als_stun_builder_clear (AlsStunBuilder *self)
{
  als_writer_clear (&self->writer);
}

void
als_stun_builder_add_bytes (AlsStunBuilder *self, AlsStunAttributeType type, const void *data,
                            size_t len)
{
  static const uint8_t zeros[3];
  size_t body;

  if (len > ALS_STUN_MAX_MESSAGE_BYTES)
    {
      self->writer.failed = TRUE;
      return;
    }
  als_writer_u16 (&self->writer, (uint16_t) type);
  als_writer_u16 (&self->writer, (uint16_t) len);
  als_writer_bytes (&self->writer, data, len);
  als_writer_bytes (&self->writer, zeros, (4 - len % 4) % 4);
  if (self->writer.failed)
    return;
  body = self->writer.bytes->len - ALS_STUN_HEADER_BYTES;
  self->writer.bytes->data[2] = (uint8_t) (body >> 8);
  self->writer.bytes->data[3] = (uint8_t) body;
}

void
als_stun_builder_add_text (AlsStunBuilder *self, AlsStunAttributeType type, const char *text)
{
  als_stun_builder_add_bytes (self, type, text, strlen (text));
}

void
als_stun_builder_add_u32 (AlsStunBuilder *self, AlsStunAttributeType type, uint32_t value)
{
  uint8_t bytes[4] = { (uint8_t) (value >> 24), (uint8_t) (value >> 16), (uint8_t) (value >> 8),
                       (uint8_t) value };

  als_stun_builder_add_bytes (self, type, bytes, sizeof bytes);
}

void
als_stun_builder_add_u8 (AlsStunBuilder *self, AlsStunAttributeType type, uint8_t value)
{
  als_stun_builder_add_u32 (self, type, (uint32_t) value << 24);
}

void
als_stun_builder_add_flag (AlsStunBuilder *self, AlsStunAttributeType type)
{
  als_stun_builder_add_bytes (self, type, "", 0);
}

void
als_stun_builder_add_address (AlsStunBuilder *self, AlsStunAttributeType type,
                              const AlsStunAddress *address)
{
  AlsStunAddress sent = *address;
  uint8_t bytes[4 + 16] = { 0, (uint8_t) address->family };

  if (is_xored ((uint16_t) type))
    xor_address (&sent, self->transaction);
  bytes[2] = (uint8_t) (sent.port >> 8);
  bytes[3] = (uint8_t) sent.port;
  memcpy (bytes + 4, sent.ip, als_stun_address_get_ip_bytes (&sent));
  if (als_stun_address_get_ip_bytes (&sent) == 0)
    self->writer.failed = TRUE;
  als_stun_builder_add_bytes (self, type, bytes, 4 + als_stun_address_get_ip_bytes (&sent));
}

void
als_stun_builder_add_error (AlsStunBuilder *self, guint code, const char *reason)
{
  g_autoptr (GByteArray) value = g_byte_array_new ();
  uint8_t head[4] = { 0, 0, (uint8_t) (code / 100), (uint8_t) (code % 100) };

  g_byte_array_append (value, head, sizeof head);
  g_byte_array_append (value, (const guint8 *) reason, (guint) strlen (reason));
  als_stun_builder_add_bytes (self, ALS_STUN_ERROR_CODE, value->data, value->len);
}

void
als_stun_builder_add_unknown (AlsStunBuilder *self, const uint16_t *types, size_t n_types)
{
  g_autoptr (GByteArray) value = g_byte_array_new ();

  for (size_t i = 0; i < n_types; i++)
    g_byte_array_append (value, (guint8[]){ (guint8) (types[i] >> 8), (guint8) types[i] }, 2);
  als_stun_builder_add_bytes (self, ALS_STUN_UNKNOWN_ATTRIBUTES, value->data, value->len);
}

void
als_stun_builder_add_algorithms (AlsStunBuilder *self, const uint16_t *algorithms,
                                 size_t n_algorithms)
{
  g_autoptr (GByteArray) value = g_byte_array_new ();

  for (size_t i = 0; i < n_algorithms; i++)
    g_byte_array_append (
        value, (guint8[]){ (guint8) (algorithms[i] >> 8), (guint8) algorithms[i], 0, 0 }, 4);
  als_stun_builder_add_bytes (self, ALS_STUN_PASSWORD_ALGORITHMS, value->data, value->len);
}

void
als_stun_builder_add_integrity (AlsStunBuilder *self, AlsStunIntegrity integrity,
                                const uint8_t *key, size_t key_len)
{
  uint8_t digest[SHA256_BYTES];
  size_t len;

  if (self->writer.failed)
    return;
  len = make_integrity (integrity, key, key_len, self->writer.bytes->data,
                        self->writer.bytes->len, digest);
  als_stun_builder_add_bytes (self,
                              integrity == ALS_STUN_INTEGRITY_SHA256
                                  ? ALS_STUN_MESSAGE_INTEGRITY_SHA256
                                  : ALS_STUN_MESSAGE_INTEGRITY,
                              digest, len);
}

void
als_stun_builder_add_fingerprint (AlsStunBuilder *self)
{
  if (!self->writer.failed)
    als_stun_builder_add_u32 (self, ALS_STUN_FINGERPRINT,
                              make_fingerprint (self->writer.bytes->data,
                                                self->writer.bytes->len));
}

GBytes *
als_stun_builder_finish (AlsStunBuilder *self)
{
  return als_writer_steal (&self->writer);
}
