/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* What the machine itself knows; servers and routers tell the rest. */

#define G_LOG_DOMAIN "als-path"

#include "config.h"

#include "path/punch/als-punch-endpoints.h"

#include "path/als-network-watch.h"

void
als_punch_endpoints_add (GArray *endpoints, AlsPunchEndpointKind kind,
                         const AlsStunAddress *address)
{
  AlsPunchEndpoint endpoint = { kind, *address, 0 };

  if (address->family != ALS_STUN_FAMILY_NONE && address->port != 0)
    g_array_append_val (endpoints, endpoint);
}

static GArray *
list_loopback (void)
{
  GArray *addresses = g_array_new (FALSE, FALSE, sizeof (AlsStunAddress));
  AlsStunAddress address;

  als_stun_address_parse (&address, "127.0.0.1", 0);
  g_array_append_val (addresses, address);
  als_stun_address_parse (&address, "::1", 0);
  g_array_append_val (addresses, address);
  return addresses;
}

void
als_punch_endpoints_add_hosts (GArray *endpoints, gboolean loopback, uint16_t ipv4_port,
                               uint16_t ipv6_port)
{
  g_autoptr (GArray) addresses = loopback ? list_loopback () : als_network_list_addresses ();

  for (guint i = 0; i < addresses->len; i++)
    {
      AlsStunAddress address = g_array_index (addresses, AlsStunAddress, i);

      address.port = address.family == ALS_STUN_FAMILY_IPV6 ? ipv6_port : ipv4_port;
      als_punch_endpoints_add (endpoints, ALS_PUNCH_HOST, &address);
    }
}
