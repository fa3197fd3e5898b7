/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* What a router is asked for mappings with, and what it answers: PCP (RFC
 * 6887) and its forerunner NAT-PMP (RFC 6886), which share a port and tell
 * each other apart by their first byte. Bytes in, struct out. */

#pragma once

#include "stun/als-stun-address.h"

G_BEGIN_DECLS

#define ALS_PCP_PORT 5351
/* Where servers announce that they lost their state. */
#define ALS_PCP_ANNOUNCE_PORT 5350
#define ALS_PCP_NONCE_BYTES 12
/* RFC 6887, 7: longer ones are not of this protocol. */
#define ALS_PCP_MAX_BYTES 1100

typedef enum
{
  ALS_PCP_NAT_PMP = 0,
  ALS_PCP_PCP = 2,
} AlsPcpVersion;

typedef enum
{
  ALS_PCP_ANNOUNCE, /* PCP: nothing but the header. NAT-PMP: the router's external address */
  ALS_PCP_MAP,
} AlsPcpOpcode;

/* RFC 6887, 7.4; NAT-PMP's are told by these names too. */
typedef enum
{
  ALS_PCP_SUCCESS = 0,
  ALS_PCP_UNSUPP_VERSION = 1,
  ALS_PCP_NOT_AUTHORIZED = 2,
  ALS_PCP_MALFORMED_REQUEST = 3,
  ALS_PCP_UNSUPP_OPCODE = 4,
  ALS_PCP_UNSUPP_OPTION = 5,
  ALS_PCP_MALFORMED_OPTION = 6,
  ALS_PCP_NETWORK_FAILURE = 7,
  ALS_PCP_NO_RESOURCES = 8,
  ALS_PCP_UNSUPP_PROTOCOL = 9,
  ALS_PCP_USER_EX_QUOTA = 10,
  ALS_PCP_CANNOT_PROVIDE_EXTERNAL = 11,
  ALS_PCP_ADDRESS_MISMATCH = 12, /* there is another NAT between it and us */
  ALS_PCP_EXCESSIVE_REMOTE_PEERS = 13,
  ALS_PCP_UNKNOWN_ERROR = 255,
} AlsPcpResult;

typedef struct
{
  AlsPcpVersion version;
  gboolean is_tcp;
  uint16_t internal_port;
  uint32_t lifetime_s;          /* 0: remove it */
  AlsStunAddress client;        /* PCP: the address the request is sent from */
  AlsStunAddress external;      /* wished for; NONE: any of the client's family */
  uint8_t nonce[ALS_PCP_NONCE_BYTES];
} AlsPcpMapRequest;

typedef struct
{
  AlsPcpVersion version;
  AlsPcpOpcode opcode;
  AlsPcpResult result;
  uint32_t epoch_s;             /* since the server lost its state */
  gboolean has_map;             /* what follows is there; also with an error */
  gboolean is_tcp;
  uint16_t internal_port;
  uint32_t lifetime_s;          /* with an error: for so long it stays one (PCP) */
  AlsStunAddress external;      /* MAP: NAT-PMP tells no address, only the port. ANNOUNCE: no port */
  uint8_t nonce[ALS_PCP_NONCE_BYTES];
} AlsPcpResponse;

/* (transfer full) */
GBytes     *als_pcp_encode_map         (const AlsPcpMapRequest *request);
/* NAT-PMP asks for the external address apart. (transfer full) */
GBytes     *als_pcp_encode_address     (void);
/* FALSE if it is no response of either protocol. */
gboolean    als_pcp_decode             (AlsPcpResponse *response, const uint8_t *data, size_t len);
const char *als_pcp_result_to_string   (AlsPcpResult result);

G_END_DECLS
