/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "crypto/als-crypto.h"
#include "crypto/als-key-schedule.h"

#include <string.h>

static const uint8_t secret[32] = { 1, 2, 3 };

static const AlsKeyContext base = { .purpose = ALS_KEY_PURPOSE_SEAL, .path_id = 7, .carrier = 1,
                                    .from_inviter = TRUE, .epoch = 3, .inviter_nonce = { 4 },
                                    .joiner_nonce = { 5 } };

static gboolean
same (const AlsKeyContext *a, const AlsKeyContext *b)
{
  uint8_t one[ALS_KEY_BYTES], two[ALS_KEY_BYTES];

  als_key_derive (secret, a, one);
  als_key_derive (secret, b, two);
  return memcmp (one, two, ALS_KEY_BYTES) == 0;
}

static void
test_every_field_counts (void)
{
  static const uint8_t other_secret[32] = { 1, 2, 4 };
  uint8_t one[ALS_KEY_BYTES], two[ALS_KEY_BYTES];
  AlsKeyContext c[8];

  for (guint i = 0; i < G_N_ELEMENTS (c); i++)
    c[i] = base;
  g_assert_true (same (&base, &c[0]));
  c[0].purpose = ALS_KEY_PURPOSE_HELLO;
  c[1].path_id = 7 << 8;
  c[2].carrier = 2;
  c[3].from_inviter = FALSE;
  c[4].epoch = 4;
  c[5].inviter_nonce[15] = 1;
  c[6].joiner_nonce[15] = 1;
  memcpy (c[7].inviter_nonce, base.joiner_nonce, ALS_NONCE_BYTES);
  memcpy (c[7].joiner_nonce, base.inviter_nonce, ALS_NONCE_BYTES);
  for (guint i = 0; i < G_N_ELEMENTS (c); i++)
    g_assert_false (same (&base, &c[i]));
  als_key_derive (secret, &base, one);
  als_key_derive (other_secret, &base, two);
  g_assert_cmpint (memcmp (one, two, ALS_KEY_BYTES), !=, 0);
}

static void
test_hello_and_signal_know_less (void)
{
  AlsKeyContext a = base, b = base;

  a.purpose = b.purpose = ALS_KEY_PURPOSE_HELLO;
  b.epoch = 9;
  b.inviter_nonce[0] = 9;
  g_assert_true (same (&a, &b));
  b.path_id = 9;
  g_assert_false (same (&a, &b));
  a.purpose = b.purpose = ALS_KEY_PURPOSE_SIGNAL;
  g_assert_true (same (&a, &b));
  b.from_inviter = FALSE;
  g_assert_false (same (&a, &b));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  als_crypto_init ();
  g_test_add_func ("/crypto/key-schedule/every-field-gives-another-key", test_every_field_counts);
  g_test_add_func ("/crypto/key-schedule/hello-needs-no-nonces-and-signalling-no-path", test_hello_and_signal_know_less);
  return g_test_run ();
}
