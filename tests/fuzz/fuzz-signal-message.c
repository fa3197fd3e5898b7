/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Whatever decodes must encode, and decode to the same bytes again. */

#include "protocol/als-signal-message.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autoptr (AlsSignalMessage) message = als_signal_message_decode (data, size, NULL);
  g_autoptr (GBytes) bytes = NULL;

  if (message == NULL)
    return 0;
  bytes = als_signal_message_encode (message);
  /* What follows the version of another version's greeting is not kept. */
  if ((message->type == ALS_SIGNAL_HELLO || message->type == ALS_SIGNAL_WELCOME)
      && message->version != ALS_SIGNAL_PROTOCOL_VERSION)
    return 0;
  g_assert_nonnull (bytes);
  g_assert_cmpmem (g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes), data, size);
  return 0;
}
