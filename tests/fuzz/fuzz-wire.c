/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* A stranger's packets to a wire before the keys, after them, and valid packets
 * with a few bytes changed: u8 role and carrier, then u8 what, u8 length, bytes. */

#include "base/als-bytes.h"
#include "crypto/als-crypto.h"
#include "transport/als-wire.h"

#include <string.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

enum
{
  TO_FIRST,
  TO_SECOND,
  SHAKE_HANDS,  /* the two talk until they have nothing more to say */
  ALTERED,      /* a sealed packet, with the bytes laid over it */
  N_OPS,
};

static void
talk (AlsWire *a, AlsWire *b)
{
  AlsWire *wires[2] = { a, b };

  for (gboolean said = TRUE; said;)
    {
      said = FALSE;
      for (guint side = 0; side < 2; side++)
        {
          uint8_t out[512];
          const uint8_t *plain;
          size_t len, plain_len;

          while ((len = als_wire_poll (wires[side], out, 1)) > 0)
            {
              said = TRUE;
              als_wire_receive (wires[!side], out, len, 1, &plain, &plain_len);
            }
        }
    }
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  AlsLinkConfig config = { .session_secret = { 1 }, .path_id = 3, .speaks_first = TRUE };
  AlsWire *wires[2];
  AlsReader reader;
  uint8_t first;

  als_crypto_init ();
  als_reader_init (&reader, data, size);
  first = als_reader_u8 (&reader);
  config.role = first & 1;
  config.carrier = (first >> 1) % 3;
  wires[0] = als_wire_new (&config, 0);
  config.role ^= 1;
  config.speaks_first = FALSE;
  wires[1] = als_wire_new (&config, 0);
  while (als_reader_left (&reader) > 0)
    {
      uint8_t op = als_reader_u8 (&reader) % N_OPS;
      size_t wanted = als_reader_u8 (&reader);
      size_t len = MIN (wanted, als_reader_left (&reader)), plain_len;
      const uint8_t *bytes = als_reader_bytes (&reader, len);
      const uint8_t *plain;
      static const uint8_t zeros[100];
      uint8_t packet[100 + ALS_WIRE_OVERHEAD];
      gboolean changed = FALSE;

      if (bytes == NULL)
        break;
      switch (op)
        {
        case SHAKE_HANDS:
          talk (wires[0], wires[1]);
          break;
        case ALTERED:
          if (als_wire_seal (wires[0], zeros, 100, packet, 1) == 0)
            break;
          for (size_t i = 0; i < MIN (len, sizeof packet); i++)
            {
              packet[i] ^= bytes[i];
              changed |= bytes[i] != 0;
            }
          if (als_wire_receive (wires[1], packet, sizeof packet, 1, &plain, &plain_len)
              == ALS_WIRE_PLAIN)
            g_assert_false (changed);
          break;
        default:
          g_assert_cmpint (als_wire_receive (wires[op], bytes, len, 1, &plain, &plain_len), ==,
                           ALS_WIRE_NOTHING);
          break;
        }
    }
  als_wire_free (wires[0]);
  als_wire_free (wires[1]);
  return 0;
}
