/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* What two AlsIcePaths tell each other while they look for a way: credentials
 * first, then candidates one by one, then that there are no more. Bytes to
 * structs and back; which candidates are worth a try is decided here as well,
 * because an address from a stranger is a stranger. */

#pragma once

#include <gio/gio.h>
#include <stdint.h>
#include "stun/als-stun-address.h"

G_BEGIN_DECLS

/* Of each side; more are ignored. */
#define ALS_ICE_MAX_CANDIDATES 64
/* Credentials, candidates and the end mark. */
#define ALS_ICE_MAX_MESSAGES (ALS_ICE_MAX_CANDIDATES + 2)

typedef enum
{
  ALS_ICE_CREDENTIALS = 1,       /* ufrag, password */
  ALS_ICE_CANDIDATE = 2,         /* line */
  ALS_ICE_END_OF_CANDIDATES = 3,
} AlsIceMessageType;

typedef enum
{
  ALS_ICE_HOST,
  ALS_ICE_SERVER_REFLEXIVE,
  ALS_ICE_PEER_REFLEXIVE,
  ALS_ICE_RELAYED,
} AlsIceCandidateType;

typedef struct
{
  AlsIceMessageType type;
  char *ufrag;
  char *password;                     /* wiped when freed */
  char *line;                         /* RFC 8839, 5.1: "candidate:..." without "a=" */
  GSocketAddress *address;            /* the line's; (nullable): a name, such as mDNS gives */
  AlsIceCandidateType candidate_type;
} AlsIceMessage;

/* (transfer full) (nullable) */
AlsIceMessage *als_ice_message_decode          (const uint8_t *data, size_t len, GError **error);
void           als_ice_message_free            (AlsIceMessage *self);
/* (transfer full) (nullable): NULL when a field is out of bounds. */
GBytes        *als_ice_message_new_credentials (const char *ufrag, const char *password);
GBytes        *als_ice_message_new_candidate   (const char *line);
GBytes        *als_ice_message_new_end         (void);
/* A server-reflexive candidate that no server told: MAPPED leads to HOST. */
GBytes        *als_ice_message_new_mapped      (const AlsStunAddress *mapped,
                                                const AlsStunAddress *host);

/* Whether packets may be sent to an address that the other side named: no name, no multicast,
 * no unspecified, link-local or IPv4-mapped one, and none of this machine's own unless LOOPBACK. */
gboolean       als_ice_address_is_dialable     (GSocketAddress *address, gboolean loopback);
/* No private, unique-local, loopback or link-local one. */
gboolean       als_ice_address_is_public       (GSocketAddress *address);
/* Both in one local network: private or unique-local ones, and seen as host candidates or
 * else alike in their first 24 (IPv4) or 64 (IPv6) bits. */
gboolean       als_ice_addresses_share_lan     (GInetAddress *local, AlsIceCandidateType local_type,
                                                GInetAddress *remote, AlsIceCandidateType remote_type);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (AlsIceMessage, als_ice_message_free)

G_END_DECLS
