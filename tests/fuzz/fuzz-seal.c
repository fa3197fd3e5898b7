/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Sealed signalling from somebody without the key, in between true messages: none opens that was not
 * sealed, none twice, and the true ones still do. u8 what, then u8 length and bytes. */

#include "base/als-bytes.h"
#include "crypto/als-crypto.h"
#include "crypto/als-seal.h"

#include <string.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  static const uint8_t key[ALS_KEY_BYTES] = { 1, 2, 3 };
  AlsSealer sealer;
  AlsOpener opener;
  AlsReader reader;

  als_crypto_init ();
  als_reader_init (&reader, data, size);
  als_sealer_init (&sealer, key);
  als_opener_init (&opener, key, als_reader_u8 (&reader) & 1);
  while (als_reader_left (&reader) > 0)
    {
      guint what = als_reader_u8 (&reader) % 3;
      size_t len = MIN (als_reader_u8 (&reader), als_reader_left (&reader));
      const uint8_t *bytes = als_reader_bytes (&reader, len);
      g_autoptr (GBytes) plain = NULL;
      g_autoptr (GBytes) sealed = NULL;
      g_autoptr (GBytes) opened = NULL;
      g_autofree uint8_t *copy = NULL;
      size_t sealed_len;

      if (bytes == NULL)
        break;
      if (what == 0)
        {
          /* Nobody makes a tag by chance. */
          g_assert_null (als_opener_open_message (&opener, bytes, len));
          continue;
        }
      plain = g_bytes_new (bytes, len);
      sealed = als_sealer_seal_message (&sealer, plain);
      sealed_len = g_bytes_get_size (sealed);
      copy = g_memdup2 (g_bytes_get_data (sealed, NULL), sealed_len);
      for (size_t i = 0; what == 2 && i < MIN (len, sealed_len); i++)
        copy[i] ^= bytes[i];
      if (memcmp (copy, g_bytes_get_data (sealed, NULL), sealed_len) != 0)
        g_assert_null (als_opener_open_message (&opener, copy, sealed_len));
      opened = als_opener_open_message (&opener, g_bytes_get_data (sealed, NULL), sealed_len);
      g_assert_true (opened != NULL && g_bytes_equal (opened, plain));
      g_assert_null (als_opener_open_message (&opener, g_bytes_get_data (sealed, NULL), sealed_len));
    }
  return 0;
}
