/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "protocol/als-visit-message.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_auto (AlsVisitMessage) message = { 0 };

  if (als_visit_message_decode (&message, data, size, NULL))
    {
      g_autoptr (GBytes) again = als_visit_message_encode (&message);

      /* What decodes is what we would have said, behind its length. */
      g_assert_cmpmem ((const uint8_t *) g_bytes_get_data (again, NULL) + 2,
                       g_bytes_get_size (again) - 2, data, size);
    }
  return 0;
}
