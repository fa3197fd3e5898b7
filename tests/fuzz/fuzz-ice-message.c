/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* ICE messages from the other side; what decodes must encode to the same bytes. */

#include <stdint.h>
#include "path/ice/als-ice-message.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autoptr (AlsIceMessage) message = als_ice_message_decode (data, size, NULL);
  g_autoptr (GBytes) input = g_bytes_new (data, size);
  g_autoptr (GBytes) output = NULL;

  if (message == NULL)
    return 0;
  switch (message->type)
    {
    case ALS_ICE_CREDENTIALS:
      output = als_ice_message_new_credentials (message->ufrag, message->password);
      break;
    case ALS_ICE_CANDIDATE:
      output = als_ice_message_new_candidate (message->line);
      als_ice_address_is_dialable (message->address, FALSE);
      break;
    case ALS_ICE_END_OF_CANDIDATES:
      output = als_ice_message_new_end ();
      break;
    }
  g_assert_true (output != NULL && g_bytes_equal (input, output));
  return 0;
}
