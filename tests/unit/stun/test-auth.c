/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#include "stun/als-stun-auth.h"

#include "stun-vectors.h"

#define COOKIE_BOTH "obMatJos2AAAD" "tail"
#define COOKIE_ALGORITHMS "obMatJos2AAAB" "tail"

static const uint16_t both[] = { ALS_STUN_PASSWORD_SHA256, ALS_STUN_PASSWORD_MD5 };

static AlsStunMessage *
finish (AlsStunBuilder *builder)
{
  g_autoptr (GBytes) bytes = als_stun_builder_finish (builder);

  g_assert_nonnull (bytes);
  return als_stun_message_decode (g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes), NULL);
}

static AlsStunAuthVerdict
challenge (AlsStunAuth *auth, AlsStunAuthTry *attempt, guint code, const char *nonce,
           const uint16_t *algorithms, size_t n_algorithms)
{
  g_auto (AlsStunBuilder) builder = { 0 };
  g_autoptr (AlsStunMessage) message = NULL;

  als_stun_builder_init (&builder, ALS_STUN_FAILURE, ALS_STUN_ALLOCATE, NULL);
  als_stun_builder_add_error (&builder, code, "");
  if (nonce != NULL)
    als_stun_builder_add_text (&builder, ALS_STUN_NONCE, nonce);
  als_stun_builder_add_text (&builder, ALS_STUN_REALM, VECTOR_REALM);
  if (n_algorithms > 0)
    als_stun_builder_add_algorithms (&builder, algorithms, n_algorithms);
  message = finish (&builder);
  return als_stun_auth_judge (auth, attempt, message);
}

static AlsStunMessage *
sign (AlsStunAuth *auth, AlsStunAuthTry *attempt)
{
  g_auto (AlsStunBuilder) builder = { 0 };

  als_stun_builder_init (&builder, ALS_STUN_REQUEST, ALS_STUN_ALLOCATE, NULL);
  als_stun_auth_sign (auth, attempt, &builder);
  return finish (&builder);
}

static AlsStunAuthVerdict
answer (AlsStunAuth *auth, AlsStunAuthTry *attempt, AlsStunClass kind, AlsStunIntegrity integrity,
        AlsStunPasswordAlgorithm algorithm, const char *password)
{
  g_auto (AlsStunBuilder) builder = { 0 };
  g_autoptr (AlsStunMessage) message = NULL;
  uint8_t key[ALS_STUN_MAX_KEY_BYTES];
  size_t len;

  als_stun_builder_init (&builder, kind, ALS_STUN_ALLOCATE, NULL);
  if (kind == ALS_STUN_FAILURE)
    als_stun_builder_add_error (&builder, 486, "");
  if (password != NULL)
    {
      als_stun_auth_derive_key (algorithm, "user", VECTOR_REALM, password, key, &len);
      als_stun_builder_add_integrity (&builder, integrity, key, len);
    }
  message = finish (&builder);
  return als_stun_auth_judge (auth, attempt, message);
}

static void
test_old (void)
{
  g_autoptr (AlsStunAuth) auth = als_stun_auth_new ("user", "secret");
  g_autoptr (AlsStunMessage) first = NULL;
  g_autoptr (AlsStunMessage) second = NULL;
  AlsStunAuthTry attempt = { 0 };
  uint8_t key[ALS_STUN_MAX_KEY_BYTES];
  size_t len;

  first = sign (auth, &attempt);
  g_assert_cmpuint (first->n_attributes, ==, 0);
  g_assert_cmpint (challenge (auth, &attempt, 401, "n1", NULL, 0), ==, ALS_STUN_AUTH_AGAIN);
  second = sign (auth, &attempt);
  als_stun_auth_derive_key (ALS_STUN_PASSWORD_MD5, "user", VECTOR_REALM, "secret", key, &len);
  g_assert_cmpuint (len, ==, 16);
  g_assert_true (als_stun_message_verify (second, ALS_STUN_INTEGRITY_SHA1, key, len));
  g_assert_nonnull (als_stun_message_find (second, ALS_STUN_USERNAME));
  g_assert_cmpint (answer (auth, &attempt, ALS_STUN_SUCCESS, ALS_STUN_INTEGRITY_SHA1,
                           ALS_STUN_PASSWORD_MD5, "secret"), ==, ALS_STUN_AUTH_ACCEPTED);
  g_assert_cmpint (answer (auth, &attempt, ALS_STUN_FAILURE, ALS_STUN_INTEGRITY_SHA1,
                           ALS_STUN_PASSWORD_MD5, NULL), ==, ALS_STUN_AUTH_ACCEPTED);
  /* Forgers. */
  g_assert_cmpint (answer (auth, &attempt, ALS_STUN_SUCCESS, ALS_STUN_INTEGRITY_SHA1,
                           ALS_STUN_PASSWORD_MD5, "guess"), ==, ALS_STUN_AUTH_FORGED);
  g_assert_cmpint (answer (auth, &attempt, ALS_STUN_SUCCESS, ALS_STUN_INTEGRITY_SHA1,
                           ALS_STUN_PASSWORD_MD5, NULL), ==, ALS_STUN_AUTH_FORGED);
  g_assert_cmpint (answer (auth, &attempt, ALS_STUN_FAILURE, ALS_STUN_INTEGRITY_SHA1,
                           ALS_STUN_PASSWORD_MD5, "guess"), ==, ALS_STUN_AUTH_FORGED);
}

static void
test_refused (void)
{
  g_autoptr (AlsStunAuth) auth = als_stun_auth_new ("user", "secret");
  g_autoptr (AlsStunAuth) nobody = als_stun_auth_new (NULL, NULL);
  AlsStunAuthTry attempt = { 0 }, other = { 0 };

  g_assert_cmpint (challenge (auth, &attempt, 401, "n1", NULL, 0), ==, ALS_STUN_AUTH_AGAIN);
  als_stun_message_free (sign (auth, &attempt));
  g_assert_cmpint (challenge (auth, &attempt, 401, "n2", NULL, 0), ==, ALS_STUN_AUTH_REFUSED);
  g_assert_cmpint (challenge (nobody, &other, 401, "n1", NULL, 0), ==, ALS_STUN_AUTH_REFUSED);
}

static void
test_stale (void)
{
  g_autoptr (AlsStunAuth) auth = als_stun_auth_new ("user", "secret");
  g_autoptr (AlsStunMessage) again = NULL;
  g_autofree char *nonce = NULL;
  AlsStunAuthTry attempt = { 0 };

  challenge (auth, &attempt, 401, "n1", NULL, 0);
  als_stun_message_free (sign (auth, &attempt));
  g_assert_cmpint (challenge (auth, &attempt, 438, "n2", NULL, 0), ==, ALS_STUN_AUTH_AGAIN);
  again = sign (auth, &attempt);
  nonce = als_stun_message_get_text (again, ALS_STUN_NONCE);
  g_assert_cmpstr (nonce, ==, "n2");
  g_assert_cmpint (challenge (auth, &attempt, 438, "n3", NULL, 0), ==, ALS_STUN_AUTH_STALE);
}

static void
test_borrowed (void)
{
  g_autoptr (AlsStunAuth) auth = als_stun_auth_new ("user", "secret");
  g_autoptr (AlsStunAuth) copy = NULL;
  AlsStunAuthTry attempt = { 0 }, other = { .is_borrowed = TRUE };

  challenge (auth, &attempt, 401, "n1", NULL, 0);
  copy = als_stun_auth_copy (auth);
  g_assert_true (als_stun_auth_has_challenge (copy));
  als_stun_message_free (sign (copy, &other));
  g_assert_true (other.is_signed);
  g_assert_cmpint (challenge (copy, &other, 401, "n2", NULL, 0), ==, ALS_STUN_AUTH_AGAIN);
  als_stun_message_free (sign (copy, &other));
  g_assert_cmpint (challenge (copy, &other, 401, "n3", NULL, 0), ==, ALS_STUN_AUTH_REFUSED);
}

static void
test_sha256 (void)
{
  g_autoptr (AlsStunAuth) auth = als_stun_auth_new ("user", "secret");
  g_autoptr (AlsStunMessage) message = NULL;
  AlsStunAuthTry attempt = { 0 };
  uint8_t key[ALS_STUN_MAX_KEY_BYTES], hash[ALS_STUN_USERHASH_BYTES];
  uint16_t algorithms[4];
  uint32_t chosen;
  size_t len, n;

  g_assert_cmpint (challenge (auth, &attempt, 401, COOKIE_BOTH, both, 2), ==, ALS_STUN_AUTH_AGAIN);
  message = sign (auth, &attempt);
  als_stun_auth_derive_key (ALS_STUN_PASSWORD_SHA256, "user", VECTOR_REALM, "secret", key, &len);
  g_assert_cmpuint (len, ==, 32);
  g_assert_true (als_stun_message_verify (message, ALS_STUN_INTEGRITY_SHA256, key, len));
  g_assert_null (als_stun_message_find (message, ALS_STUN_MESSAGE_INTEGRITY));
  g_assert_null (als_stun_message_find (message, ALS_STUN_USERNAME));
  als_stun_auth_make_userhash ("user", VECTOR_REALM, hash);
  g_assert_cmpmem (als_stun_message_find (message, ALS_STUN_USERHASH)->value, 32, hash, 32);
  g_assert_true (als_stun_message_get_algorithms (message, algorithms, 4, &n));
  g_assert_cmpuint (n, ==, 2);
  g_assert_true (als_stun_message_get_u32 (message, ALS_STUN_PASSWORD_ALGORITHM, &chosen));
  g_assert_cmphex (chosen, ==, 0x00020000);
  g_assert_cmpint (answer (auth, &attempt, ALS_STUN_SUCCESS, ALS_STUN_INTEGRITY_SHA256,
                           ALS_STUN_PASSWORD_SHA256, "secret"), ==, ALS_STUN_AUTH_ACCEPTED);
  g_assert_cmpint (answer (auth, &attempt, ALS_STUN_SUCCESS, ALS_STUN_INTEGRITY_SHA1,
                           ALS_STUN_PASSWORD_SHA256, "secret"), ==, ALS_STUN_AUTH_FORGED);
}

static void
test_bid_down (void)
{
  static const uint16_t unknown[] = { 0x7777 };
  g_autoptr (AlsStunAuth) auth = als_stun_auth_new ("user", "secret");
  AlsStunAuthTry attempt = { 0 };

  g_assert_cmpint (challenge (auth, &attempt, 401, COOKIE_ALGORITHMS, NULL, 0), ==,
                   ALS_STUN_AUTH_FORGED);
  g_assert_false (als_stun_auth_has_challenge (auth));
  g_assert_cmpint (challenge (auth, &attempt, 401, COOKIE_ALGORITHMS, unknown, 1), ==,
                   ALS_STUN_AUTH_FORGED);
  g_assert_cmpint (challenge (auth, &attempt, 401, NULL, NULL, 0), ==, ALS_STUN_AUTH_FORGED);
}

static void
test_features (void)
{
  g_assert_cmphex (als_stun_auth_get_features ("f//499k954d6OL34oL9FSTvy64sA"), ==, 0);
  g_assert_cmphex (als_stun_auth_get_features ("obMatJos2"), ==, 0);
  g_assert_cmphex (als_stun_auth_get_features ("obMatJos2AA=="), ==, 0);
  g_assert_cmphex (als_stun_auth_get_features ("obMatJos2AAAB"), ==, 1);
  g_assert_cmphex (als_stun_auth_get_features ("obMatJos2////x"), ==, 0xffffff);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/stun/auth/a-challenge-is-met-and-answers-are-verified", test_old);
  g_test_add_func ("/stun/auth/a-second-401-means-wrong-credentials", test_refused);
  g_test_add_func ("/stun/auth/stale-nonce-is-retried-once", test_stale);
  g_test_add_func ("/stun/auth/a-borrowed-nonce-may-be-challenged-once", test_borrowed);
  g_test_add_func ("/stun/auth/sha256-and-userhash-are-used-where-promised", test_sha256);
  g_test_add_func ("/stun/auth/a-weakened-challenge-is-not-met", test_bid_down);
  g_test_add_func ("/stun/auth/nonce-cookie-tells-features", test_features);
  return g_test_run ();
}
