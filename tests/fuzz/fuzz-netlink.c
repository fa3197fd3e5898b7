/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Messages of rtnetlink from whatever plays the kernel. */

#include "path/als-netlink.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autoptr (AlsNetlinkTables) tables = als_netlink_tables_new ();

  als_netlink_parse (tables, data, size);
  for (guint i = 0; i < tables->addresses->len; i++)
    {
      const AlsNetlinkAddress *entry = &g_array_index (tables->addresses, AlsNetlinkAddress, i);

      g_assert (entry->address.family == entry->network.family);
      g_assert (als_netlink_same_prefix (&entry->network, &entry->network, entry->prefix));
    }
  for (guint i = 0; i < tables->routes->len; i++)
    g_assert (g_array_index (tables->routes, AlsNetlinkRoute, i).router.family
              != ALS_STUN_FAMILY_NONE);
  return 0;
}
