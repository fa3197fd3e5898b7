/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#define G_LOG_DOMAIN "als-stun"

#include "config.h"

#include "stun/als-stun-address.h"

#include <string.h>

size_t
als_stun_address_get_ip_bytes (const AlsStunAddress *self)
{
  switch (self->family)
    {
    case ALS_STUN_FAMILY_IPV4:
      return 4;
    case ALS_STUN_FAMILY_IPV6:
      return 16;
    case ALS_STUN_FAMILY_NONE:
    default:
      return 0;
    }
}

gboolean
als_stun_address_same_ip (const AlsStunAddress *a, const AlsStunAddress *b)
{
  return a->family == b->family && a->family != ALS_STUN_FAMILY_NONE
         && memcmp (a->ip, b->ip, als_stun_address_get_ip_bytes (a)) == 0;
}

gboolean
als_stun_address_equal (const AlsStunAddress *a, const AlsStunAddress *b)
{
  return als_stun_address_same_ip (a, b) && a->port == b->port;
}

static GInetAddress *
make_inet (const AlsStunAddress *self)
{
  switch (self->family)
    {
    case ALS_STUN_FAMILY_IPV4:
      return g_inet_address_new_from_bytes (self->ip, G_SOCKET_FAMILY_IPV4);
    case ALS_STUN_FAMILY_IPV6:
      return g_inet_address_new_from_bytes (self->ip, G_SOCKET_FAMILY_IPV6);
    case ALS_STUN_FAMILY_NONE:
    default:
      return NULL;
    }
}

gboolean
als_stun_address_is_usable (const AlsStunAddress *self)
{
  static const uint8_t broadcast[4] = { 255, 255, 255, 255 };
  g_autoptr (GInetAddress) inet = make_inet (self);

  return inet != NULL && self->port != 0 && !g_inet_address_get_is_multicast (inet)
         && !g_inet_address_get_is_any (inet)
         && !(self->family == ALS_STUN_FAMILY_IPV4 && memcmp (self->ip, broadcast, 4) == 0);
}

typedef enum
{
  REACH_NOWHERE,  /* nobody has it, or not on a wire: IPv4 inside IPv6 */
  REACH_MACHINE,
  REACH_LINK,
  REACH_PRIVATE,
  REACH_INTERNET,
} Reach;

static Reach
get_reach (const AlsStunAddress *self)
{
  static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
  g_autoptr (GInetAddress) inet = make_inet (self);
  const uint8_t *ip = self->ip;

  if (!als_stun_address_is_usable (self))
    return REACH_NOWHERE;
  if (self->family == ALS_STUN_FAMILY_IPV6 ? memcmp (ip, mapped, sizeof mapped) == 0
                                           : ip[0] == 0 || ip[0] >= 240)
    return REACH_NOWHERE;
  if (g_inet_address_get_is_loopback (inet))
    return REACH_MACHINE;
  if (g_inet_address_get_is_link_local (inet))
    return REACH_LINK;
  /* RFC 1918, 6598, 4193. */
  if (g_inet_address_get_is_site_local (inet)
      || (self->family == ALS_STUN_FAMILY_IPV6 ? (ip[0] & 0xfe) == 0xfc
                                               : ip[0] == 100 && (ip[1] & 0xc0) == 64))
    return REACH_PRIVATE;
  return REACH_INTERNET;
}

gboolean
als_stun_address_may_name (const AlsStunAddress *server, const AlsStunAddress *named)
{
  Reach reach = get_reach (named);

  return server->family == named->family && reach != REACH_NOWHERE && reach >= get_reach (server);
}

static gboolean
take_inet (AlsStunAddress *self, GInetAddress *inet, uint16_t port)
{
  memset (self, 0, sizeof *self);
  switch (g_inet_address_get_family (inet))
    {
    case G_SOCKET_FAMILY_IPV4:
      self->family = ALS_STUN_FAMILY_IPV4;
      break;
    case G_SOCKET_FAMILY_IPV6:
      self->family = ALS_STUN_FAMILY_IPV6;
      break;
    case G_SOCKET_FAMILY_UNIX:
    case G_SOCKET_FAMILY_INVALID:
    default:
      return FALSE;
    }
  memcpy (self->ip, g_inet_address_to_bytes (inet), als_stun_address_get_ip_bytes (self));
  self->port = port;
  return TRUE;
}

gboolean
als_stun_address_parse (AlsStunAddress *self, const char *ip, uint16_t port)
{
  g_autoptr (GInetAddress) inet = g_inet_address_new_from_string (ip);

  memset (self, 0, sizeof *self);
  return inet != NULL && take_inet (self, inet, port);
}

gboolean
als_stun_address_from_gio (AlsStunAddress *self, GSocketAddress *address)
{
  memset (self, 0, sizeof *self);
  if (!G_IS_INET_SOCKET_ADDRESS (address))
    return FALSE;
  return take_inet (self, g_inet_socket_address_get_address (G_INET_SOCKET_ADDRESS (address)),
                    g_inet_socket_address_get_port (G_INET_SOCKET_ADDRESS (address)));
}

GSocketAddress *
als_stun_address_to_gio (const AlsStunAddress *self)
{
  g_autoptr (GInetAddress) inet = make_inet (self);

  return inet != NULL ? g_inet_socket_address_new (inet, self->port) : NULL;
}

char *
als_stun_address_to_string (const AlsStunAddress *self)
{
  g_autoptr (GInetAddress) inet = make_inet (self);
  g_autofree char *ip = inet != NULL ? g_inet_address_to_string (inet) : NULL;

  if (ip == NULL)
    return g_strdup ("nowhere");
  return g_strdup_printf (self->family == ALS_STUN_FAMILY_IPV6 ? "[%s]:%u" : "%s:%u", ip,
                          self->port);
}
