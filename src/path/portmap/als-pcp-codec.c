/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#include "config.h"

#include "path/portmap/als-pcp-codec.h"

#include <netinet/in.h>
#include <string.h>
#include "base/als-bytes.h"

/* RFC 6887, 7.1 and 7.2; RFC 6886, 3.2 and 3.3. */
#define PCP_RESPONSE 0x80
#define PCP_OPCODE_ANNOUNCE 0
#define PCP_OPCODE_MAP 1
#define NAT_PMP_ADDRESS 0
#define NAT_PMP_MAP_UDP 1
#define NAT_PMP_MAP_TCP 2

static const uint8_t mapped_prefix[12] = { [10] = 0xff, [11] = 0xff };

/* RFC 6887, 5: IPv4 addresses travel as IPv4-mapped ones; none is all zeros. */
static void
put_address (AlsWriter *writer, const AlsStunAddress *address, AlsStunFamily family)
{
  static const uint8_t zeros[16];

  if (family == ALS_STUN_FAMILY_IPV4)
    als_writer_bytes (writer, mapped_prefix, sizeof mapped_prefix);
  if (address->family != family)
    als_writer_bytes (writer, zeros, family == ALS_STUN_FAMILY_IPV4 ? 4 : 16);
  else
    als_writer_bytes (writer, address->ip, als_stun_address_get_ip_bytes (address));
}

static void
take_address (AlsReader *reader, AlsStunAddress *address)
{
  uint8_t bytes[16];

  als_reader_copy (reader, bytes, sizeof bytes);
  if (memcmp (bytes, mapped_prefix, sizeof mapped_prefix) == 0)
    {
      address->family = ALS_STUN_FAMILY_IPV4;
      memcpy (address->ip, bytes + 12, 4);
    }
  else
    {
      address->family = ALS_STUN_FAMILY_IPV6;
      memcpy (address->ip, bytes, 16);
    }
}

GBytes *
als_pcp_encode_map (const AlsPcpMapRequest *request)
{
  AlsStunFamily family = request->client.family;
  g_auto (AlsWriter) writer = { 0 };

  g_return_val_if_fail (request->version == ALS_PCP_NAT_PMP || family != ALS_STUN_FAMILY_NONE, NULL);
  als_writer_init (&writer, ALS_PCP_MAX_BYTES);
  als_writer_u8 (&writer, request->version);
  if (request->version == ALS_PCP_NAT_PMP)
    {
      als_writer_u8 (&writer, request->is_tcp ? NAT_PMP_MAP_TCP : NAT_PMP_MAP_UDP);
      als_writer_u16 (&writer, 0);
      als_writer_u16 (&writer, request->internal_port);
      als_writer_u16 (&writer, request->external.port);
      als_writer_u32 (&writer, request->lifetime_s);
      return als_writer_steal (&writer);
    }
  als_writer_u8 (&writer, PCP_OPCODE_MAP);
  als_writer_u16 (&writer, 0);
  als_writer_u32 (&writer, request->lifetime_s);
  put_address (&writer, &request->client, family);
  als_writer_bytes (&writer, request->nonce, sizeof request->nonce);
  als_writer_u8 (&writer, request->is_tcp ? IPPROTO_TCP : IPPROTO_UDP);
  als_writer_u8 (&writer, 0);
  als_writer_u16 (&writer, 0);
  als_writer_u16 (&writer, request->internal_port);
  als_writer_u16 (&writer, request->external.port);
  put_address (&writer, &request->external, family);
  return als_writer_steal (&writer);
}

GBytes *
als_pcp_encode_address (void)
{
  static const uint8_t request[] = { ALS_PCP_NAT_PMP, NAT_PMP_ADDRESS };

  return g_bytes_new_static (request, sizeof request);
}

/* RFC 6886, 3.5. */
static AlsPcpResult
nat_pmp_result (uint16_t code)
{
  static const AlsPcpResult results[] = {
    ALS_PCP_SUCCESS,         ALS_PCP_UNSUPP_VERSION, ALS_PCP_NOT_AUTHORIZED,
    ALS_PCP_NETWORK_FAILURE, ALS_PCP_NO_RESOURCES,   ALS_PCP_UNSUPP_OPCODE,
  };

  return code < G_N_ELEMENTS (results) ? results[code] : ALS_PCP_UNKNOWN_ERROR;
}

static gboolean
decode_nat_pmp (AlsPcpResponse *self, AlsReader *reader)
{
  uint8_t opcode = als_reader_u8 (reader);

  self->result = nat_pmp_result (als_reader_u16 (reader));
  self->epoch_s = als_reader_u32 (reader);
  if (reader->failed || !(opcode & PCP_RESPONSE))
    return FALSE;
  opcode &= ~PCP_RESPONSE;
  self->opcode = opcode == NAT_PMP_ADDRESS ? ALS_PCP_ANNOUNCE : ALS_PCP_MAP;
  /* An answer to another version's request has no more than this. */
  if (self->result == ALS_PCP_UNSUPP_VERSION)
    return TRUE;
  if (opcode == NAT_PMP_ADDRESS)
    {
      self->external.family = ALS_STUN_FAMILY_IPV4;
      als_reader_copy (reader, self->external.ip, 4);
      /* Errors of some servers leave it out. */
      if (self->result != ALS_PCP_SUCCESS)
        return TRUE;
      return als_reader_done (reader);
    }
  if (opcode != NAT_PMP_MAP_UDP && opcode != NAT_PMP_MAP_TCP)
    return FALSE;
  self->has_map = TRUE;
  self->is_tcp = opcode == NAT_PMP_MAP_TCP;
  self->internal_port = als_reader_u16 (reader);
  self->external.port = als_reader_u16 (reader);
  self->lifetime_s = als_reader_u32 (reader);
  return als_reader_done (reader);
}

static gboolean
decode_pcp (AlsPcpResponse *self, AlsReader *reader, size_t len)
{
  uint8_t opcode = als_reader_u8 (reader);
  uint8_t protocol, result;

  als_reader_u8 (reader);
  result = als_reader_u8 (reader);
  self->result = result <= ALS_PCP_EXCESSIVE_REMOTE_PEERS ? (AlsPcpResult) result
                                                          : ALS_PCP_UNKNOWN_ERROR;
  self->lifetime_s = als_reader_u32 (reader);
  self->epoch_s = als_reader_u32 (reader);
  als_reader_bytes (reader, 12);
  if (reader->failed || !(opcode & PCP_RESPONSE) || len % 4 != 0)
    return FALSE;
  opcode &= ~PCP_RESPONSE;
  self->opcode = opcode == PCP_OPCODE_ANNOUNCE ? ALS_PCP_ANNOUNCE : ALS_PCP_MAP;
  if (opcode == PCP_OPCODE_ANNOUNCE || self->result == ALS_PCP_UNSUPP_VERSION)
    return TRUE;
  if (opcode != PCP_OPCODE_MAP)
    return FALSE;
  self->has_map = TRUE;
  als_reader_copy (reader, self->nonce, sizeof self->nonce);
  protocol = als_reader_u8 (reader);
  als_reader_bytes (reader, 3);
  self->internal_port = als_reader_u16 (reader);
  self->external.port = als_reader_u16 (reader);
  take_address (reader, &self->external);
  self->is_tcp = protocol == IPPROTO_TCP;
  /* Options may follow; we ask for none, so none means anything to us. */
  return !reader->failed && (protocol == IPPROTO_TCP || protocol == IPPROTO_UDP);
}

gboolean
als_pcp_decode (AlsPcpResponse *response, const uint8_t *data, size_t len)
{
  AlsReader reader;
  gboolean is_valid;
  uint8_t version;

  memset (response, 0, sizeof *response);
  if (len > ALS_PCP_MAX_BYTES)
    return FALSE;
  als_reader_init (&reader, data, len);
  version = als_reader_u8 (&reader);
  response->version = (AlsPcpVersion) version;
  is_valid = !reader.failed
             && (version == ALS_PCP_NAT_PMP
                   ? decode_nat_pmp (response, &reader)
                   : version == ALS_PCP_PCP && decode_pcp (response, &reader, len));
  if (!is_valid)
    memset (response, 0, sizeof *response);
  return is_valid;
}

const char *
als_pcp_result_to_string (AlsPcpResult result)
{
  static const char *const names[] = {
    "success",          "unsupported version",  "not authorized",    "malformed request",
    "unsupported opcode", "unsupported option", "malformed option",  "network failure",
    "no resources",     "unsupported protocol", "quota exceeded",    "cannot provide external",
    "address mismatch", "excessive remote peers",
  };

  return (guint) result < G_N_ELEMENTS (names) ? names[result] : "unknown error";
}
