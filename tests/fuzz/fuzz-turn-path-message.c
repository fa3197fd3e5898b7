/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* What the halves of a turn-tcp path say; what decodes must encode to the same bytes. */

#include <string.h>
#include "path/turn/als-turn-message.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static void
greet (const uint8_t data[ALS_TURN_GREETING_BYTES])
{
  uint8_t again[ALS_TURN_GREETING_BYTES];
  guint stripe;

  for (int type = ALS_TURN_GREETING_CONNECT; type <= ALS_TURN_GREETING_GO; type++)
    {
      if (!als_turn_greeting_decode (data, type, data + 6, &stripe))
        continue;
      als_turn_greeting_encode (again, type, stripe, data + 6);
      g_assert_cmpmem (again, sizeof again, data, ALS_TURN_GREETING_BYTES);
    }
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autoptr (GBytes) input = g_bytes_new (data, size);
  g_autoptr (GBytes) output = NULL;
  AlsTurnOffer offer;

  if (size == ALS_TURN_GREETING_BYTES)
    greet (data);
  if (!als_turn_offer_decode (&offer, data, size, NULL))
    return 0;
  output = als_turn_offer_encode (&offer);
  g_assert_true (output != NULL && g_bytes_equal (input, output));
  return 0;
}
