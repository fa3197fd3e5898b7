/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* magic, version, type, port, nonce, tag: 4, 1, 1, 2, 16 and 16 bytes. */

#define G_LOG_DOMAIN "als-signal"

#include "config.h"

#include "signal/als-lan-message.h"

#include <string.h>
#include "base/als-bytes.h"
#include "protocol/als-signal-message.h"

#define MAGIC 0x414c534cu /* "ALSL" */
#define VERSION 1
#define DOMAIN "alongside lan v1"

enum
{
  TOPIC_NUMBER = 1,
  TOPIC_MEETING = 2,
};

G_STATIC_ASSERT (ALS_LAN_TOPIC_BYTES == 1 + ALS_SIGNAL_MEETING_BYTES);

void
als_lan_topic_from_number (AlsLanTopic *self, uint32_t number)
{
  memset (self, 0, sizeof *self);
  self->bytes[0] = TOPIC_NUMBER;
  for (guint i = 0; i < 4; i++)
    self->bytes[1 + i] = (uint8_t) (number >> (24 - 8 * i));
}

void
als_lan_topic_from_meeting (AlsLanTopic *self, const uint8_t *meeting_id)
{
  self->bytes[0] = TOPIC_MEETING;
  memcpy (self->bytes + 1, meeting_id, ALS_SIGNAL_MEETING_BYTES);
}

static gboolean
has_port (AlsLanType type)
{
  return type == ALS_LAN_ANNOUNCE || type == ALS_LAN_ASK;
}

gboolean
als_lan_message_decode (AlsLanMessage *self, const uint8_t *data, size_t len)
{
  AlsReader reader;
  uint32_t magic;
  uint8_t version;

  als_reader_init (&reader, data, len);
  magic = als_reader_u32 (&reader);
  version = als_reader_u8 (&reader);
  self->type = als_reader_u8 (&reader);
  self->port = als_reader_u16 (&reader);
  als_reader_copy (&reader, self->nonce, sizeof self->nonce);
  als_reader_copy (&reader, self->tag, sizeof self->tag);
  return als_reader_done (&reader) && magic == MAGIC && version == VERSION
         && self->type >= ALS_LAN_ANNOUNCE && self->type <= ALS_LAN_TAKE
         && (self->port != 0) == has_port (self->type);
}

void
als_lan_message_encode (const AlsLanMessage *self, uint8_t *out)
{
  g_auto (AlsWriter) writer = { 0 };
  g_autoptr (GBytes) bytes = NULL;

  als_writer_init (&writer, ALS_LAN_MESSAGE_BYTES);
  als_writer_u32 (&writer, MAGIC);
  als_writer_u8 (&writer, VERSION);
  als_writer_u8 (&writer, (uint8_t) self->type);
  als_writer_u16 (&writer, self->port);
  als_writer_bytes (&writer, self->nonce, sizeof self->nonce);
  als_writer_bytes (&writer, self->tag, sizeof self->tag);
  bytes = als_writer_steal (&writer);
  memcpy (out, g_bytes_get_data (bytes, NULL), ALS_LAN_MESSAGE_BYTES);
}

static void
make_tag (const AlsLanMessage *self, const AlsLanTopic *topic, const uint8_t *theirs, uint8_t *tag)
{
  static const uint8_t nobody[ALS_LAN_NONCE_BYTES] = { 0 };
  g_autoptr (GHmac) hmac = g_hmac_new (G_CHECKSUM_SHA256, topic->bytes, sizeof topic->bytes);
  uint8_t head[] = { (uint8_t) self->type, (uint8_t) (self->port >> 8), (uint8_t) self->port };
  uint8_t digest[32];
  gsize len = sizeof digest;

  g_hmac_update (hmac, (const guchar *) DOMAIN, strlen (DOMAIN));
  g_hmac_update (hmac, head, sizeof head);
  g_hmac_update (hmac, self->nonce, sizeof self->nonce);
  g_hmac_update (hmac, theirs != NULL ? theirs : nobody, ALS_LAN_NONCE_BYTES);
  g_hmac_get_digest (hmac, digest, &len);
  memcpy (tag, digest, ALS_LAN_TAG_BYTES);
}

void
als_lan_message_sign (AlsLanMessage *self, const AlsLanTopic *topic, const uint8_t *theirs)
{
  make_tag (self, topic, theirs, self->tag);
}

gboolean
als_lan_message_check (const AlsLanMessage *self, const AlsLanTopic *topic, const uint8_t *theirs)
{
  uint8_t tag[ALS_LAN_TAG_BYTES];
  uint8_t difference = 0;

  make_tag (self, topic, theirs, tag);
  for (guint i = 0; i < sizeof tag; i++)
    difference |= tag[i] ^ self->tag[i];
  return difference == 0;
}
