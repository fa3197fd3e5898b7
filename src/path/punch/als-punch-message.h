/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* What the two halves of a punched path say to each other: bytes to a struct
 * and back. Pure. They come sealed, but from a peer that may be hostile, so
 * each address is looked at again before it is dialled. */

#pragma once

#include <gio/gio.h>
#include "stun/als-stun-address.h"

G_BEGIN_DECLS

#define ALS_PUNCH_MAX_ENDPOINTS 32
#define ALS_PUNCH_MAX_MESSAGE_BYTES 1024
#define ALS_PUNCH_SECRET_BYTES 32

typedef enum
{
  ALS_PUNCH_ENDPOINTS = 1, /* all that is known now: replaces the former list */
  ALS_PUNCH_PING = 2,      /* answered at once by PONG with its serial */
  ALS_PUNCH_PONG = 3,
  ALS_PUNCH_GO = 4,        /* dial now; answered by PONG, too */
} AlsPunchMessageType;

typedef enum
{
  ALS_PUNCH_HOST = 1,      /* of a network card */
  ALS_PUNCH_PUBLIC = 2,    /* as a server saw it */
  ALS_PUNCH_MAPPING = 3,   /* asked of the router */
  ALS_PUNCH_PREDICTED = 4, /* where the next connection will come from, and each STEP ports on */
} AlsPunchEndpointKind;

/* How a NAT chooses the port for a new destination. */
typedef enum
{
  ALS_PUNCH_NAT_UNKNOWN,
  ALS_PUNCH_NAT_EASY,       /* the same for all, or there is no NAT */
  ALS_PUNCH_NAT_SEQUENTIAL, /* another each time, which can be foretold */
  ALS_PUNCH_NAT_RANDOM,
  ALS_PUNCH_N_NATS,
} AlsPunchNat;

typedef struct
{
  AlsPunchEndpointKind kind;
  AlsStunAddress address;
  int step;                 /* PREDICTED: -64 to 64, not 0; else 0 */
} AlsPunchEndpoint;

typedef struct
{
  AlsPunchMessageType type;

  gboolean is_settled;      /* ENDPOINTS: nothing more is being asked */
  AlsPunchNat nat;
  gboolean has_secret;      /* this side's half of the probes' key (UDP) */
  uint8_t secret[ALS_PUNCH_SECRET_BYTES];
  AlsPunchEndpoint endpoints[ALS_PUNCH_MAX_ENDPOINTS];
  guint n_endpoints;

  uint8_t serial;           /* PING, PONG, GO */

  gboolean is_fresh;        /* GO: all again, not only what is new */
  gboolean is_last;         /* GO: no other round follows */
} AlsPunchMessage;

gboolean als_punch_message_decode      (AlsPunchMessage *self, const uint8_t *data, size_t len,
                                        GError **error);
/* (transfer full) (nullable): NULL for what the decoder would refuse. */
GBytes  *als_punch_message_encode      (const AlsPunchMessage *self);
/* Adds an endpoint whose address is not there yet; what does not fit is left out. */
void     als_punch_message_add         (AlsPunchMessage *self, const AlsPunchEndpoint *endpoint);
gboolean als_punch_message_same_endpoints (const AlsPunchMessage *a, const AlsPunchMessage *b);
/* Of a PREDICTED one: the address N steps on. FALSE: there is no such port. */
gboolean als_punch_endpoint_foretell   (const AlsPunchEndpoint *self, guint n, AlsStunAddress *address);
/* Another machine can have it: neither loopback (unless LOOPBACK: then nothing else), multicast,
 * unspecified, link-local (whose card nobody can name to another), nor IPv4 inside IPv6. */
gboolean als_punch_address_is_dialable (const AlsStunAddress *address, gboolean loopback);
/* Addresses that mean something in one local network only. */
gboolean als_punch_address_is_private  (const AlsStunAddress *address);
/* LOCAL and REMOTE, ends of one connection, are in one local network. REMOTE_IS_HOST: the other side
 * named it as the address of its network card. */
gboolean als_punch_addresses_share_lan (const AlsStunAddress *local, const AlsStunAddress *remote,
                                        gboolean remote_is_host);

G_END_DECLS
