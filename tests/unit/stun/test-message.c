/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#include "stun/als-stun-message.h"
#include "stun/als-stun-auth.h"

#include "stun-vectors.h"

static AlsStunMessage *
decode_hex (const char *hex)
{
  g_autoptr (GByteArray) bytes = vector_from_hex (hex);
  g_autoptr (GError) error = NULL;
  AlsStunMessage *message = als_stun_message_decode (bytes->data, bytes->len, &error);

  g_assert_no_error (error);
  g_assert_nonnull (message);
  return message;
}

static void
assert_text (AlsStunMessage *message, AlsStunAttributeType type, const char *expected)
{
  g_autofree char *text = als_stun_message_get_text (message, type);

  g_assert_cmpstr (text, ==, expected);
}

static void
assert_refused (const uint8_t *data, size_t len, AlsStunError code)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (als_stun_message_decode (data, len, &error));
  g_assert_error (error, ALS_STUN_ERROR, (int) code);
}

static AlsStunMessage *
finish (AlsStunBuilder *builder)
{
  g_autoptr (GBytes) bytes = als_stun_builder_finish (builder);
  g_autoptr (GError) error = NULL;
  AlsStunMessage *message;

  g_assert_nonnull (bytes);
  message = als_stun_message_decode (g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes),
                                     &error);
  g_assert_no_error (error);
  return message;
}

static gboolean
verify_short (AlsStunMessage *message, const char *password)
{
  return als_stun_message_verify (message, ALS_STUN_INTEGRITY_SHA1, (const uint8_t *) password,
                                  strlen (password));
}

static void
test_request (void)
{
  g_autoptr (AlsStunMessage) message = decode_hex (VECTOR_REQUEST);
  uint32_t priority;

  g_assert_cmpint (message->kind, ==, ALS_STUN_REQUEST);
  g_assert_cmpint (message->method, ==, ALS_STUN_BINDING);
  assert_text (message, ALS_STUN_SOFTWARE, "STUN test client");
  assert_text (message, ALS_STUN_USERNAME, "evtj:h6vY");
  g_assert_true (als_stun_message_get_u32 (message, ALS_STUN_PRIORITY, &priority));
  g_assert_cmphex (priority, ==, 0x6e0001ff);
  g_assert_true (message->has_fingerprint);
  g_assert_true (verify_short (message, VECTOR_PASSWORD));
  g_assert_false (verify_short (message, "another"));
  g_assert_cmphex (als_stun_message_find_unknown (message), ==, 0);
}

static void
check_response (const char *hex, const char *ip)
{
  g_autoptr (AlsStunMessage) message = decode_hex (hex);
  AlsStunAddress mapped, expected;

  g_assert_cmpint (message->kind, ==, ALS_STUN_SUCCESS);
  g_assert_true (als_stun_address_parse (&expected, ip, 32853));
  g_assert_true (als_stun_message_get_mapped (message, &mapped));
  g_assert_true (als_stun_address_equal (&mapped, &expected));
  assert_text (message, ALS_STUN_SOFTWARE, "test vector");
  g_assert_true (message->has_fingerprint);
  g_assert_true (verify_short (message, VECTOR_PASSWORD));
}

static void
test_responses (void)
{
  check_response (VECTOR_IPV4_RESPONSE, "192.0.2.1");
  check_response (VECTOR_IPV6_RESPONSE, "2001:db8:1234:5678:11:2233:4455:6677");
}

static void
check_rebuilt (AlsStunBuilder *builder, const char *hex)
{
  g_autoptr (GByteArray) expected = vector_from_hex (hex);
  g_autoptr (GBytes) bytes = als_stun_builder_finish (builder);

  g_assert_cmpmem (g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes), expected->data,
                   expected->len);
}

static void
test_long_term (void)
{
  g_autoptr (AlsStunMessage) message = decode_hex (VECTOR_LONG_TERM);
  g_auto (AlsStunBuilder) builder = { 0 };
  uint8_t key[ALS_STUN_MAX_KEY_BYTES];
  size_t len;

  als_stun_auth_derive_key (ALS_STUN_PASSWORD_MD5, VECTOR_USER, VECTOR_REALM,
                            VECTOR_LONG_TERM_PASSWORD, key, &len);
  g_assert_true (als_stun_message_verify (message, ALS_STUN_INTEGRITY_SHA1, key, len));
  als_stun_builder_init (&builder, ALS_STUN_REQUEST, ALS_STUN_BINDING, message->transaction);
  als_stun_builder_add_text (&builder, ALS_STUN_USERNAME, VECTOR_USER);
  als_stun_builder_add_text (&builder, ALS_STUN_NONCE, "f//499k954d6OL34oL9FSTvy64sA");
  als_stun_builder_add_text (&builder, ALS_STUN_REALM, VECTOR_REALM);
  als_stun_builder_add_integrity (&builder, ALS_STUN_INTEGRITY_SHA1, key, len);
  check_rebuilt (&builder, VECTOR_LONG_TERM);
}

static void
test_userhash (void)
{
  g_autoptr (AlsStunMessage) message = decode_hex (VECTOR_USERHASH);
  g_auto (AlsStunBuilder) builder = { 0 };
  const AlsStunAttribute *attribute = als_stun_message_find (message, ALS_STUN_USERHASH);
  uint8_t key[ALS_STUN_MAX_KEY_BYTES], hash[ALS_STUN_USERHASH_BYTES];
  g_autofree char *nonce = als_stun_message_get_text (message, ALS_STUN_NONCE);
  size_t len;

  als_stun_auth_make_userhash (VECTOR_USER, VECTOR_REALM, hash);
  g_assert_cmpmem (attribute->value, attribute->len, hash, sizeof hash);
  g_assert_cmphex (als_stun_auth_get_features (nonce), ==,
                   ALS_STUN_FEATURE_USERNAME_ANONYMITY);
  als_stun_auth_derive_key (ALS_STUN_PASSWORD_SHA256, VECTOR_USER, VECTOR_REALM,
                            VECTOR_LONG_TERM_PASSWORD, key, &len);
  g_assert_true (als_stun_message_verify (message, ALS_STUN_INTEGRITY_SHA256, key, len));
  g_assert_false (als_stun_message_verify (message, ALS_STUN_INTEGRITY_SHA1, key, len));
  als_stun_builder_init (&builder, ALS_STUN_REQUEST, ALS_STUN_BINDING, message->transaction);
  als_stun_builder_add_bytes (&builder, ALS_STUN_USERHASH, hash, sizeof hash);
  als_stun_builder_add_text (&builder, ALS_STUN_NONCE, nonce);
  als_stun_builder_add_text (&builder, ALS_STUN_REALM, VECTOR_REALM);
  als_stun_builder_add_u32 (&builder, ALS_STUN_PASSWORD_ALGORITHM, ALS_STUN_PASSWORD_SHA256 << 16);
  als_stun_builder_add_integrity (&builder, ALS_STUN_INTEGRITY_SHA256, key, len);
  check_rebuilt (&builder, VECTOR_USERHASH);
}

static void
test_every_bit (void)
{
  g_autoptr (GByteArray) bytes = vector_from_hex (VECTOR_REQUEST);

  for (guint bit = 0; bit < bytes->len * 8; bit++)
    {
      g_autoptr (AlsStunMessage) message = NULL;

      bytes->data[bit / 8] ^= 1 << bit % 8;
      /* A fingerprint whose type was hit is none. */
      message = als_stun_message_decode (bytes->data, bytes->len, NULL);
      g_assert_true (message == NULL || !message->has_fingerprint);
      bytes->data[bit / 8] ^= 1 << bit % 8;
    }
  for (guint len = 0; len < bytes->len; len++)
    g_assert_null (als_stun_message_decode (bytes->data, len, NULL));
}

static void
test_all_attributes (void)
{
  static const AlsStunAttributeType addresses[]
      = { ALS_STUN_MAPPED_ADDRESS, ALS_STUN_XOR_MAPPED_ADDRESS, ALS_STUN_XOR_MAPPED_ADDRESS_OLD,
          ALS_STUN_XOR_PEER_ADDRESS, ALS_STUN_XOR_RELAYED_ADDRESS, ALS_STUN_ALTERNATE_SERVER,
          ALS_STUN_RESPONSE_ORIGIN, ALS_STUN_OTHER_ADDRESS };
  static const AlsStunAttributeType numbers[]
      = { ALS_STUN_LIFETIME, ALS_STUN_CONNECTION_ID, ALS_STUN_CHANGE_REQUEST };
  static const char *const ips[] = { "203.0.113.7", "2001:db8::7" };
  static const uint16_t unknown[] = { 0x7001, 0x7002 }, algorithms[] = { 2, 1 };

  for (guint family = 0; family < G_N_ELEMENTS (ips); family++)
    {
      g_auto (AlsStunBuilder) builder = { 0 };
      g_autoptr (AlsStunMessage) message = NULL;
      g_autofree char *reason = NULL;
      AlsStunAddress address, found;
      uint16_t types[4];
      uint32_t value;
      size_t n;
      guint code;

      g_assert_true (als_stun_address_parse (&address, ips[family], 4321));
      als_stun_builder_init (&builder, ALS_STUN_FAILURE, ALS_STUN_CONNECTION_BIND, NULL);
      for (guint i = 0; i < G_N_ELEMENTS (addresses); i++)
        als_stun_builder_add_address (&builder, addresses[i], &address);
      for (guint i = 0; i < G_N_ELEMENTS (numbers); i++)
        als_stun_builder_add_u32 (&builder, numbers[i], 0x01020304 + i);
      als_stun_builder_add_u8 (&builder, ALS_STUN_REQUESTED_TRANSPORT, ALS_STUN_TRANSPORT_TCP);
      als_stun_builder_add_u8 (&builder, ALS_STUN_REQUESTED_ADDRESS_FAMILY, ALS_STUN_FAMILY_IPV6);
      als_stun_builder_add_bytes (&builder, ALS_STUN_EVEN_PORT, "\x80", 1);
      als_stun_builder_add_flag (&builder, ALS_STUN_DONT_FRAGMENT);
      als_stun_builder_add_bytes (&builder, ALS_STUN_PADDING, "pad", 3);
      als_stun_builder_add_error (&builder, 438, "Stale Nonce");
      als_stun_builder_add_unknown (&builder, unknown, G_N_ELEMENTS (unknown));
      als_stun_builder_add_algorithms (&builder, algorithms, G_N_ELEMENTS (algorithms));
      als_stun_builder_add_text (&builder, ALS_STUN_SOFTWARE, "tests");
      als_stun_builder_add_fingerprint (&builder);
      message = finish (&builder);

      g_assert_cmpint (message->kind, ==, ALS_STUN_FAILURE);
      g_assert_cmpint (message->method, ==, ALS_STUN_CONNECTION_BIND);
      for (guint i = 0; i < G_N_ELEMENTS (addresses); i++)
        {
          g_assert_true (als_stun_message_get_address (message, addresses[i], &found));
          g_assert_true (als_stun_address_equal (&address, &found));
        }
      for (guint i = 0; i < G_N_ELEMENTS (numbers); i++)
        {
          g_assert_true (als_stun_message_get_u32 (message, numbers[i], &value));
          g_assert_cmphex (value, ==, 0x01020304 + i);
        }
      g_assert_true (als_stun_message_get_u32 (message, ALS_STUN_REQUESTED_TRANSPORT, &value));
      g_assert_cmphex (value, ==, 0x06000000);
      g_assert_cmpuint (als_stun_message_find (message, ALS_STUN_EVEN_PORT)->len, ==, 1);
      g_assert_cmpuint (als_stun_message_find (message, ALS_STUN_DONT_FRAGMENT)->len, ==, 0);
      g_assert_cmpuint (als_stun_message_find (message, ALS_STUN_PADDING)->len, ==, 3);
      g_assert_true (als_stun_message_get_error (message, &code, &reason));
      g_assert_cmpuint (code, ==, 438);
      g_assert_cmpstr (reason, ==, "Stale Nonce");
      g_assert_cmpuint (als_stun_message_get_unknown (message, types, 4), ==, 2);
      g_assert_cmphex (types[1], ==, 0x7002);
      g_assert_true (als_stun_message_get_algorithms (message, types, 4, &n));
      g_assert_cmpuint (n, ==, 2);
      g_assert_cmpuint (types[0], ==, 2);
      g_assert_cmphex (als_stun_message_find_unknown (message), ==, 0);
    }
}

static void
test_old_mapped (void)
{
  g_auto (AlsStunBuilder) builder = { 0 };
  g_autoptr (AlsStunMessage) message = NULL;
  AlsStunAddress address, found;

  g_assert_true (als_stun_address_parse (&address, "198.51.100.3", 99));
  als_stun_builder_init (&builder, ALS_STUN_SUCCESS, ALS_STUN_BINDING, NULL);
  als_stun_builder_add_address (&builder, ALS_STUN_MAPPED_ADDRESS, &address);
  message = finish (&builder);
  g_assert_true (als_stun_message_get_mapped (message, &found));
  g_assert_true (als_stun_address_equal (&address, &found));
}

static void
test_wrong_forms (void)
{
  g_auto (AlsStunBuilder) builder = { 0 };
  g_autoptr (AlsStunMessage) message = NULL;
  AlsStunAddress address;
  uint16_t types[2];
  uint32_t value;
  size_t n;
  guint code;

  als_stun_builder_init (&builder, ALS_STUN_FAILURE, ALS_STUN_BINDING, NULL);
  als_stun_builder_add_bytes (&builder, ALS_STUN_XOR_MAPPED_ADDRESS, "\0\1\0\1\1\1\1\1\1", 9);
  als_stun_builder_add_bytes (&builder, ALS_STUN_OTHER_ADDRESS, "\0\2\0\1\1\1\1\1", 8);
  als_stun_builder_add_bytes (&builder, ALS_STUN_RESPONSE_ORIGIN, "\0\3\0\1\1\1\1\1", 8);
  als_stun_builder_add_bytes (&builder, ALS_STUN_LIFETIME, "\0\0\1", 3);
  als_stun_builder_add_bytes (&builder, ALS_STUN_ERROR_CODE, "\0\0\2\1no", 6);
  als_stun_builder_add_bytes (&builder, ALS_STUN_REALM, "a\nb", 3);
  als_stun_builder_add_bytes (&builder, ALS_STUN_NONCE, "\xff\xfe", 2);
  als_stun_builder_add_bytes (&builder, ALS_STUN_PASSWORD_ALGORITHMS, "\0\2\xff\xff", 4);
  als_stun_builder_add_flag (&builder, 0x7fff);
  message = finish (&builder);
  g_assert_false (als_stun_message_get_mapped (message, &address));
  g_assert_false (als_stun_message_get_address (message, ALS_STUN_OTHER_ADDRESS, &address));
  g_assert_false (als_stun_message_get_address (message, ALS_STUN_RESPONSE_ORIGIN, &address));
  g_assert_cmpint (address.family, ==, ALS_STUN_FAMILY_NONE);
  g_assert_false (als_stun_message_get_u32 (message, ALS_STUN_LIFETIME, &value));
  g_assert_false (als_stun_message_get_u32 (message, ALS_STUN_CONNECTION_ID, &value));
  g_assert_false (als_stun_message_get_error (message, &code, NULL));
  assert_text (message, ALS_STUN_REALM, NULL);
  assert_text (message, ALS_STUN_NONCE, NULL);
  g_assert_false (als_stun_message_get_algorithms (message, types, 2, &n));
  g_assert_cmphex (als_stun_message_find_unknown (message), ==, 0x7fff);
}

static void
test_behind_integrity (void)
{
  g_auto (AlsStunBuilder) builder = { 0 };
  g_autoptr (AlsStunMessage) message = NULL;
  uint32_t value;

  als_stun_builder_init (&builder, ALS_STUN_SUCCESS, ALS_STUN_REFRESH, NULL);
  als_stun_builder_add_u32 (&builder, ALS_STUN_LIFETIME, 600);
  als_stun_builder_add_integrity (&builder, ALS_STUN_INTEGRITY_SHA1, (const uint8_t *) "k", 1);
  als_stun_builder_add_u32 (&builder, ALS_STUN_CONNECTION_ID, 1);
  message = finish (&builder);
  g_assert_true (als_stun_message_get_u32 (message, ALS_STUN_LIFETIME, &value));
  g_assert_false (als_stun_message_get_u32 (message, ALS_STUN_CONNECTION_ID, &value));
  g_assert_true (als_stun_message_verify (message, ALS_STUN_INTEGRITY_SHA1,
                                          (const uint8_t *) "k", 1));
}

static void
test_limits (void)
{
  g_autofree uint8_t *large = g_malloc0 (ALS_STUN_MAX_MESSAGE_BYTES + 4);
  g_auto (AlsStunBuilder) many = { 0 };
  g_auto (AlsStunBuilder) builder = { 0 };
  g_autoptr (GBytes) bytes = NULL;

  assert_refused (large, ALS_STUN_MAX_MESSAGE_BYTES + 4, ALS_STUN_ERROR_TOO_LARGE);
  assert_refused (large, 20, ALS_STUN_ERROR_NOT_STUN);
  als_stun_builder_init (&builder, ALS_STUN_REQUEST, ALS_STUN_BINDING, NULL);
  als_stun_builder_add_bytes (&builder, ALS_STUN_PADDING, large, ALS_STUN_MAX_MESSAGE_BYTES);
  g_assert_null (als_stun_builder_finish (&builder));
  als_stun_builder_init (&many, ALS_STUN_REQUEST, ALS_STUN_BINDING, NULL);
  for (guint i = 0; i <= ALS_STUN_MAX_ATTRIBUTES; i++)
    als_stun_builder_add_flag (&many, ALS_STUN_DONT_FRAGMENT);
  bytes = als_stun_builder_finish (&many);
  assert_refused (g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes),
                  ALS_STUN_ERROR_TOO_LARGE);
}

static void
test_methods (void)
{
  for (guint method = 0; method <= 0xfff; method++)
    {
      g_auto (AlsStunBuilder) builder = { 0 };
      g_autoptr (AlsStunMessage) message = NULL;

      als_stun_builder_init (&builder, method % 4, (uint16_t) method, NULL);
      message = finish (&builder);
      g_assert_cmpuint (message->method, ==, method);
      g_assert_cmpuint (message->kind, ==, method % 4);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/stun/message/rfc5769-request-is-read-and-verified", test_request);
  g_test_add_func ("/stun/message/rfc5769-responses-over-both-families-are-read", test_responses);
  g_test_add_func ("/stun/message/rfc5769-long-term-request-is-rebuilt-byte-for-byte",
                   test_long_term);
  g_test_add_func ("/stun/message/rfc8489-userhash-request-is-rebuilt-byte-for-byte",
                   test_userhash);
  g_test_add_func ("/stun/message/each-flipped-bit-and-each-cut-is-noticed", test_every_bit);
  g_test_add_func ("/stun/message/every-attribute-survives-both-ways", test_all_attributes);
  g_test_add_func ("/stun/message/old-servers-mapped-address-is-taken", test_old_mapped);
  g_test_add_func ("/stun/message/values-of-wrong-form-are-not-there", test_wrong_forms);
  g_test_add_func ("/stun/message/what-follows-the-integrity-is-ignored", test_behind_integrity);
  g_test_add_func ("/stun/message/limits-hold-both-ways", test_limits);
  g_test_add_func ("/stun/message/every-method-and-class-survives", test_methods);
  return g_test_run ();
}
