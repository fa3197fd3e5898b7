/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "protocol/als-network-message.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  AlsNetworkMessage message;

  if (als_network_message_decode (&message, data, size, NULL))
    {
      g_autoptr (GBytes) again = als_network_message_encode (&message);

      g_assert_cmpmem (g_bytes_get_data (again, NULL), g_bytes_get_size (again), data, size);
    }
  return 0;
}
