/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#include "config.h"

#include "protocol/als-network-message.h"

#include <string.h>

#include "base/als-bytes.h"

#define MESSAGE_BYTES (2 + 1 + 1 + 1 + 2 + 1 + 2 + 4)
#define MAX_DEPENDENCE 3
#define ALL_MAPPINGS 7

#define FLAG_UDP_KNOWN 0x0001
#define FLAG_UDP_BLOCKED 0x0002
#define FLAG_UDP_TRANSLATED 0x0004
#define FLAG_TCP_KNOWN 0x0008
#define FLAG_TCP_TRANSLATED 0x0010
#define FLAG_IPV4 0x0020
#define FLAG_IPV6 0x0040
#define FLAG_PROXY 0x0080
#define ALL_FLAGS 0x00ff

G_DEFINE_QUARK (als-network-message-error-quark, als_network_message_error)

static uint8_t
read_dependence (AlsReader *reader)
{
  uint8_t value = als_reader_u8 (reader);

  if (value > MAX_DEPENDENCE)
    als_reader_fail (reader);
  return value;
}

gboolean
als_network_message_decode (AlsNetworkMessage *self, const uint8_t *data, size_t len,
                            GError **error)
{
  AlsReader reader;
  uint16_t flags;

  memset (self, 0, sizeof *self);
  als_reader_init (&reader, data, len);
  flags = als_reader_u16 (&reader);
  if ((flags & ~ALL_FLAGS) != 0)
    als_reader_fail (&reader);
  self->udp_known = (flags & FLAG_UDP_KNOWN) != 0;
  self->udp_is_blocked = (flags & FLAG_UDP_BLOCKED) != 0;
  self->udp_is_translated = (flags & FLAG_UDP_TRANSLATED) != 0;
  self->tcp_known = (flags & FLAG_TCP_KNOWN) != 0;
  self->tcp_is_translated = (flags & FLAG_TCP_TRANSLATED) != 0;
  self->has_ipv4 = (flags & FLAG_IPV4) != 0;
  self->has_ipv6 = (flags & FLAG_IPV6) != 0;
  self->uses_proxy = (flags & FLAG_PROXY) != 0;
  self->udp_mapping = read_dependence (&reader);
  self->udp_filtering = read_dependence (&reader);
  self->tcp_mapping = read_dependence (&reader);
  self->tcp_port_step = (int16_t) als_reader_u16 (&reader);
  self->mappings = als_reader_u8 (&reader);
  if (self->mappings > ALL_MAPPINGS)
    als_reader_fail (&reader);
  self->mtu = als_reader_u16 (&reader);
  self->server_rtt_us = als_reader_u32 (&reader);
  if (als_reader_done (&reader))
    return TRUE;
  g_set_error (error, ALS_NETWORK_MESSAGE_ERROR, 0, "malformed network message of %zu bytes", len);
  return FALSE;
}

GBytes *
als_network_message_encode (const AlsNetworkMessage *self)
{
  g_auto (AlsWriter) writer = { 0 };
  uint16_t flags = 0;

  flags |= self->udp_known ? FLAG_UDP_KNOWN : 0;
  flags |= self->udp_is_blocked ? FLAG_UDP_BLOCKED : 0;
  flags |= self->udp_is_translated ? FLAG_UDP_TRANSLATED : 0;
  flags |= self->tcp_known ? FLAG_TCP_KNOWN : 0;
  flags |= self->tcp_is_translated ? FLAG_TCP_TRANSLATED : 0;
  flags |= self->has_ipv4 ? FLAG_IPV4 : 0;
  flags |= self->has_ipv6 ? FLAG_IPV6 : 0;
  flags |= self->uses_proxy ? FLAG_PROXY : 0;
  als_writer_init (&writer, MESSAGE_BYTES);
  als_writer_u16 (&writer, flags);
  als_writer_u8 (&writer, MIN (self->udp_mapping, MAX_DEPENDENCE));
  als_writer_u8 (&writer, MIN (self->udp_filtering, MAX_DEPENDENCE));
  als_writer_u8 (&writer, MIN (self->tcp_mapping, MAX_DEPENDENCE));
  als_writer_u16 (&writer, (uint16_t) CLAMP (self->tcp_port_step, G_MININT16, G_MAXINT16));
  als_writer_u8 (&writer, self->mappings & ALL_MAPPINGS);
  als_writer_u16 (&writer, (uint16_t) MIN (self->mtu, G_MAXUINT16));
  als_writer_u32 (&writer, self->server_rtt_us);
  return als_writer_steal (&writer);
}
