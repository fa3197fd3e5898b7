/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#include "path/turn/als-turn-message.h"

#include <string.h>

static AlsTurnOffer
make_offer (void)
{
  AlsTurnOffer offer = { .is_final = TRUE, .one_sided = TRUE, .n_relayed = 2, .n_public = 1 };

  memset (offer.token, 7, sizeof offer.token);
  als_stun_address_parse (&offer.relayed[0], "192.0.2.1", 50000);
  als_stun_address_parse (&offer.relayed[1], "2001:db8::1", 50001);
  als_stun_address_parse (&offer.public[0], "198.51.100.7", 4000);
  return offer;
}

static void
test_offer (void)
{
  AlsTurnOffer offer = make_offer (), again;
  g_autoptr (GBytes) bytes = als_turn_offer_encode (&offer);
  g_autoptr (GError) error = NULL;

  g_assert_true (als_turn_offer_decode (&again, g_bytes_get_data (bytes, NULL),
                                        g_bytes_get_size (bytes), &error));
  g_assert_no_error (error);
  g_assert_cmpmem (&again, sizeof again, &offer, sizeof offer);
}

static void
test_full_offer_fits (void)
{
  AlsTurnOffer offer = make_offer ();
  g_autoptr (GBytes) bytes = NULL;

  offer.n_relayed = offer.n_public = ALS_TURN_MAX_OFFERED;
  for (guint i = 0; i < ALS_TURN_MAX_OFFERED; i++)
    {
      als_stun_address_parse (&offer.relayed[i], "2001:db8::1", (uint16_t) (50000 + i));
      als_stun_address_parse (&offer.public[i], "2001:db8::2", (uint16_t) (50000 + i));
    }
  bytes = als_turn_offer_encode (&offer);
  g_assert_nonnull (bytes);
  g_assert_cmpuint (g_bytes_get_size (bytes), <=, ALS_TURN_MESSAGE_MAX_BYTES);
}

static void
expect_malformed (const uint8_t *data, size_t len)
{
  g_autoptr (GError) error = NULL;
  AlsTurnOffer offer;

  g_assert_false (als_turn_offer_decode (&offer, data, len, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA);
}

static void
test_malformed (void)
{
  AlsTurnOffer offer = make_offer ();
  g_autoptr (GBytes) bytes = als_turn_offer_encode (&offer);
  size_t len;
  const uint8_t *good = g_bytes_get_data (bytes, &len);
  g_autofree uint8_t *data = g_malloc0 (len + 1);

  memcpy (data, good, len);
  for (size_t i = 0; i < len; i++)
    expect_malformed (data, i);
  expect_malformed (data, len + 1);
  data[0] = 2; /* another type */
  expect_malformed (data, len);
  data[0] = good[0];
  data[1] = 4; /* an unknown flag */
  expect_malformed (data, len);
  data[1] = good[1];
  data[18] = ALS_TURN_MAX_OFFERED + 1;
  expect_malformed (data, len);
  data[18] = good[18];
  data[19] = 3; /* an unknown family */
  expect_malformed (data, len);
  data[19] = good[19];
  data[20] = 224; /* multicast */
  expect_malformed (data, len);
  data[20] = good[20];
  data[24] = data[25] = 0; /* port 0 */
  expect_malformed (data, len);
}

static void
test_greeting (void)
{
  uint8_t token[ALS_TURN_TOKEN_BYTES], other[ALS_TURN_TOKEN_BYTES];
  uint8_t greeting[ALS_TURN_GREETING_BYTES];
  guint stripe = 0;

  memset (token, 1, sizeof token);
  memset (other, 1, sizeof other);
  other[ALS_TURN_TOKEN_BYTES - 1] = 2;
  als_turn_greeting_encode (greeting, ALS_TURN_GREETING_ACCEPT, 5, token);
  g_assert_true (als_turn_greeting_decode (greeting, ALS_TURN_GREETING_ACCEPT, token, &stripe));
  g_assert_cmpuint (stripe, ==, 5);
  g_assert_false (als_turn_greeting_decode (greeting, ALS_TURN_GREETING_CONNECT, token, &stripe));
  g_assert_false (als_turn_greeting_decode (greeting, ALS_TURN_GREETING_ACCEPT, other, &stripe));
  greeting[5] = ALS_TURN_MAX_STRIPES;
  g_assert_false (als_turn_greeting_decode (greeting, ALS_TURN_GREETING_ACCEPT, token, &stripe));
  greeting[5] = 5;
  greeting[0] ^= 1;
  g_assert_false (als_turn_greeting_decode (greeting, ALS_TURN_GREETING_ACCEPT, token, &stripe));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/path/turn-message/an-offer-comes-through", test_offer);
  g_test_add_func ("/path/turn-message/the-largest-offer-fits", test_full_offer_fits);
  g_test_add_func ("/path/turn-message/what-is-malformed-is-refused", test_malformed);
  g_test_add_func ("/path/turn-message/a-greeting-needs-the-token", test_greeting);
  return g_test_run ();
}
