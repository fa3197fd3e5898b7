/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "protocol/als-media-message.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

/* What a decoder takes an encoder gives back. */
int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  AlsMediaStream stream = { 0 };
  AlsMediaMessage message;

  while (als_media_stream_next (&stream, &data, &size, &message, NULL))
    {
      g_autoptr (GBytes) bytes = als_media_message_encode (&message);
      AlsMediaMessage again;

      g_assert_nonnull (bytes);
      g_assert_true (als_media_message_decode (
          &again, (const uint8_t *) g_bytes_get_data (bytes, NULL) + 2, g_bytes_get_size (bytes) - 2,
          NULL));
      g_assert_cmpmem (&message, sizeof message, &again, sizeof again);
    }
  return 0;
}
