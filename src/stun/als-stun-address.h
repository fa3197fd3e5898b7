/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* An IP address and a port, as STUN messages carry them. Plain data. */

#pragma once

#include <gio/gio.h>
#include <stdint.h>

G_BEGIN_DECLS

typedef enum
{
  ALS_STUN_FAMILY_NONE = 0,
  ALS_STUN_FAMILY_IPV4 = 1, /* the values on the wire */
  ALS_STUN_FAMILY_IPV6 = 2,
} AlsStunFamily;

typedef struct
{
  AlsStunFamily family; /* NONE: no address */
  uint16_t port;
  uint8_t ip[16];       /* network order; IPv4 in the first four, the rest zero */
} AlsStunAddress;

/* 4, 16, or 0 for no address. */
size_t          als_stun_address_get_ip_bytes (const AlsStunAddress *self);
gboolean        als_stun_address_equal        (const AlsStunAddress *a, const AlsStunAddress *b);
/* The port does not count. */
gboolean        als_stun_address_same_ip      (const AlsStunAddress *a, const AlsStunAddress *b);
/* A peer or a server can have it: a port, and neither multicast, broadcast nor unspecified. */
gboolean        als_stun_address_is_usable    (const AlsStunAddress *self);
/* SERVER may send us on to NAMED: its family, and no further inside (this machine, this link, a private
 * network) than SERVER is itself. Nobody out there is to say what we talk to in here. */
gboolean        als_stun_address_may_name     (const AlsStunAddress *server, const AlsStunAddress *named);
/* IP: digits, no names. FALSE and no address if it is none. */
gboolean        als_stun_address_parse        (AlsStunAddress *self, const char *ip, uint16_t port);
/* FALSE and no address unless it is an internet address. */
gboolean        als_stun_address_from_gio     (AlsStunAddress *self, GSocketAddress *address);
/* (transfer full) (nullable) */
GSocketAddress *als_stun_address_to_gio       (const AlsStunAddress *self);
/* For logs and diagnosis. (transfer full) */
char           *als_stun_address_to_string    (const AlsStunAddress *self);

G_END_DECLS
