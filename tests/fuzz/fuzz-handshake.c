/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* A peer or server that says what it likes: u8 role, then messages, each with a
 * byte of length in front. Without the code it must never get through. */

#include "base/als-bytes.h"
#include "crypto/als-crypto.h"
#include "crypto/als-handshake.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  const AlsCode code = { 482913, "607154" };
  g_autoptr (AlsHandshake) handshake = NULL;
  g_autoptr (GBytes) share = NULL;
  AlsTries tries = { 0 };
  AlsReader reader;

  als_crypto_init ();
  als_reader_init (&reader, data, size);
  handshake = als_handshake_new (als_reader_u8 (&reader) & 1, &code, &tries);
  share = als_handshake_start (handshake, NULL);
  while (als_reader_left (&reader) > 0)
    {
      g_autoptr (GBytes) reply = NULL;
      size_t len = als_reader_u8 (&reader);
      const uint8_t *message = als_reader_bytes (&reader, MIN (len, als_reader_left (&reader)));

      if (message == NULL)
        break;
      als_handshake_receive (handshake, message, MIN (len, (size_t) (data + size - message)), &reply,
                             NULL);
      g_assert_false (als_handshake_is_done (handshake));
      g_assert_cmpuint (tries.spent, <=, 1);
      if (reply != NULL)
        g_assert_cmpuint (g_bytes_get_size (reply), <=, ALS_HANDSHAKE_MAX_MESSAGE);
    }
  return 0;
}
