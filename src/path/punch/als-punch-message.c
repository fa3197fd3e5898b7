/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#include "config.h"

#include "path/punch/als-punch-message.h"

#include <string.h>
#include "base/als-bytes.h"

#define MAX_STEP 64

#define FLAG_SETTLED 0x01
#define FLAG_SECRET 0x02
#define FLAGS_ENDPOINTS (FLAG_SETTLED | FLAG_SECRET)

#define FLAG_FRESH 0x01
#define FLAG_LAST 0x02
#define FLAGS_GO (FLAG_FRESH | FLAG_LAST)

static gboolean
is_valid_endpoint (const AlsPunchEndpoint *self)
{
  if (self->kind < ALS_PUNCH_HOST || self->kind > ALS_PUNCH_PREDICTED
      || als_stun_address_get_ip_bytes (&self->address) == 0 || self->address.port == 0)
    return FALSE;
  if (self->kind == ALS_PUNCH_PREDICTED)
    return self->step != 0 && self->step >= -MAX_STEP && self->step <= MAX_STEP;
  return self->step == 0;
}

static gboolean
read_endpoint (AlsReader *reader, AlsPunchEndpoint *self)
{
  self->kind = als_reader_u8 (reader);
  self->address.family = als_reader_u8 (reader);
  self->step = (int8_t) als_reader_u8 (reader);
  self->address.port = als_reader_u16 (reader);
  als_reader_copy (reader, self->address.ip, als_stun_address_get_ip_bytes (&self->address));
  return !reader->failed && is_valid_endpoint (self);
}

static gboolean
read_endpoints (AlsReader *reader, AlsPunchMessage *self)
{
  uint8_t flags = als_reader_u8 (reader);

  self->is_settled = (flags & FLAG_SETTLED) != 0;
  self->has_secret = (flags & FLAG_SECRET) != 0;
  self->nat = als_reader_u8 (reader);
  if (self->has_secret)
    als_reader_copy (reader, self->secret, sizeof self->secret);
  self->n_endpoints = als_reader_u8 (reader);
  if (reader->failed || (flags & ~FLAGS_ENDPOINTS) != 0 || self->nat >= ALS_PUNCH_N_NATS
      || self->n_endpoints > ALS_PUNCH_MAX_ENDPOINTS)
    return FALSE;
  for (guint i = 0; i < self->n_endpoints; i++)
    if (!read_endpoint (reader, &self->endpoints[i]))
      return FALSE;
  return TRUE;
}

gboolean
als_punch_message_decode (AlsPunchMessage *self, const uint8_t *data, size_t len, GError **error)
{
  gboolean is_valid = TRUE;
  uint8_t flags;
  AlsReader reader;

  memset (self, 0, sizeof *self);
  als_reader_init (&reader, data, len);
  self->type = als_reader_u8 (&reader);
  switch (self->type)
    {
    case ALS_PUNCH_ENDPOINTS:
      is_valid = read_endpoints (&reader, self);
      break;
    case ALS_PUNCH_PING:
    case ALS_PUNCH_PONG:
      self->serial = als_reader_u8 (&reader);
      break;
    case ALS_PUNCH_GO:
      self->serial = als_reader_u8 (&reader);
      flags = als_reader_u8 (&reader);
      self->is_fresh = (flags & FLAG_FRESH) != 0;
      self->is_last = (flags & FLAG_LAST) != 0;
      is_valid = (flags & ~FLAGS_GO) == 0;
      break;
    default:
      is_valid = FALSE;
    }
  if (is_valid && len <= ALS_PUNCH_MAX_MESSAGE_BYTES && als_reader_done (&reader))
    return TRUE;
  g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, "malformed punch message");
  return FALSE;
}

static void
write_endpoints (AlsWriter *writer, const AlsPunchMessage *self)
{
  if (self->n_endpoints > ALS_PUNCH_MAX_ENDPOINTS || self->nat >= ALS_PUNCH_N_NATS)
    {
      writer->failed = TRUE;
      return;
    }
  als_writer_u8 (writer, (self->is_settled ? FLAG_SETTLED : 0) | (self->has_secret ? FLAG_SECRET : 0));
  als_writer_u8 (writer, self->nat);
  if (self->has_secret)
    als_writer_bytes (writer, self->secret, sizeof self->secret);
  als_writer_u8 (writer, (uint8_t) self->n_endpoints);
  for (guint i = 0; i < self->n_endpoints; i++)
    {
      const AlsPunchEndpoint *endpoint = &self->endpoints[i];

      if (!is_valid_endpoint (endpoint))
        writer->failed = TRUE;
      als_writer_u8 (writer, endpoint->kind);
      als_writer_u8 (writer, endpoint->address.family);
      als_writer_u8 (writer, (uint8_t) endpoint->step);
      als_writer_u16 (writer, endpoint->address.port);
      als_writer_bytes (writer, endpoint->address.ip,
                        als_stun_address_get_ip_bytes (&endpoint->address));
    }
}

GBytes *
als_punch_message_encode (const AlsPunchMessage *self)
{
  g_auto (AlsWriter) writer = { 0 };

  als_writer_init (&writer, ALS_PUNCH_MAX_MESSAGE_BYTES);
  als_writer_u8 (&writer, self->type);
  switch (self->type)
    {
    case ALS_PUNCH_ENDPOINTS:
      write_endpoints (&writer, self);
      break;
    case ALS_PUNCH_PING:
    case ALS_PUNCH_PONG:
      als_writer_u8 (&writer, self->serial);
      break;
    case ALS_PUNCH_GO:
      als_writer_u8 (&writer, self->serial);
      als_writer_u8 (&writer,
                     (self->is_fresh ? FLAG_FRESH : 0) | (self->is_last ? FLAG_LAST : 0));
      break;
    default:
      return NULL;
    }
  return als_writer_steal (&writer);
}

void
als_punch_message_add (AlsPunchMessage *self, const AlsPunchEndpoint *endpoint)
{
  for (guint i = 0; i < self->n_endpoints; i++)
    if (als_stun_address_equal (&self->endpoints[i].address, &endpoint->address))
      return;
  if (self->n_endpoints < ALS_PUNCH_MAX_ENDPOINTS)
    self->endpoints[self->n_endpoints++] = *endpoint;
}

gboolean
als_punch_message_same_endpoints (const AlsPunchMessage *a, const AlsPunchMessage *b)
{
  if (a->n_endpoints != b->n_endpoints)
    return FALSE;
  for (guint i = 0; i < a->n_endpoints; i++)
    if (a->endpoints[i].kind != b->endpoints[i].kind || a->endpoints[i].step != b->endpoints[i].step
        || !als_stun_address_equal (&a->endpoints[i].address, &b->endpoints[i].address))
      return FALSE;
  return TRUE;
}

gboolean
als_punch_endpoint_foretell (const AlsPunchEndpoint *self, guint n, AlsStunAddress *address)
{
  int port = self->address.port + self->step * (int) n;

  *address = self->address;
  address->port = (uint16_t) port;
  return port > 0 && port <= G_MAXUINT16;
}

/* --- addresses -------------------------------------------------------------- */

static gboolean
is_mapped_ipv4 (const AlsStunAddress *address)
{
  static const uint8_t prefix[12] = { [10] = 0xff, [11] = 0xff };

  return address->family == ALS_STUN_FAMILY_IPV6 && memcmp (address->ip, prefix, sizeof prefix) == 0;
}

static gboolean
is_loopback (const AlsStunAddress *address)
{
  static const uint8_t one[16] = { [15] = 1 };

  if (address->family == ALS_STUN_FAMILY_IPV4)
    return address->ip[0] == 127;
  return memcmp (address->ip, one, sizeof one) == 0;
}

gboolean
als_punch_address_is_dialable (const AlsStunAddress *address, gboolean loopback)
{
  if (!als_stun_address_is_usable (address) || is_mapped_ipv4 (address))
    return FALSE;
  if (loopback)
    return is_loopback (address);
  if (is_loopback (address))
    return FALSE;
  if (address->family == ALS_STUN_FAMILY_IPV6)
    return !(address->ip[0] == 0xfe && (address->ip[1] & 0xc0) == 0x80);
  return address->ip[0] != 0 && address->ip[0] < 224
         && !(address->ip[0] == 169 && address->ip[1] == 254);
}

gboolean
als_punch_address_is_private (const AlsStunAddress *address)
{
  if (address->family == ALS_STUN_FAMILY_IPV6)
    return (address->ip[0] & 0xfe) == 0xfc || is_loopback (address);
  return address->ip[0] == 10 || (address->ip[0] == 172 && (address->ip[1] & 0xf0) == 16)
         || (address->ip[0] == 192 && address->ip[1] == 168) || is_loopback (address);
}

gboolean
als_punch_addresses_share_lan (const AlsStunAddress *local, const AlsStunAddress *remote,
                               gboolean remote_is_host)
{
  size_t prefix_bytes = local->family == ALS_STUN_FAMILY_IPV6 ? 8 : 3;

  if (local->family != remote->family || local->family == ALS_STUN_FAMILY_NONE)
    return FALSE;
  if (memcmp (local->ip, remote->ip, prefix_bytes) == 0)
    return local->family == ALS_STUN_FAMILY_IPV6 || als_punch_address_is_private (remote);
  return remote_is_host && als_punch_address_is_private (local)
         && als_punch_address_is_private (remote);
}
