/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#include "stun/als-stun-stream.h"

#include "stun-vectors.h"

static guint
drain (AlsStunStream *stream)
{
  guint n = 0;

  for (;;)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (AlsStunMessage) message = als_stun_stream_next (stream, &error);

      g_assert_no_error (error);
      if (message == NULL)
        return n;
      n++;
    }
}

static void
test_pieces (void)
{
  g_autoptr (GByteArray) bytes = vector_from_hex (VECTOR_REQUEST VECTOR_IPV4_RESPONSE VECTOR_USERHASH);

  for (guint piece = 1; piece <= bytes->len; piece++)
    {
      g_autoptr (AlsStunStream) stream = als_stun_stream_new ();
      guint n = 0;

      for (guint at = 0; at < bytes->len; at += piece)
        {
          als_stun_stream_feed (stream, bytes->data + at, MIN (piece, bytes->len - at));
          n += drain (stream);
        }
      g_assert_cmpuint (n, ==, 3);
      g_assert_null (als_stun_stream_take_rest (stream));
    }
}

static void
test_rest (void)
{
  g_autoptr (GByteArray) bytes = vector_from_hex (VECTOR_IPV4_RESPONSE);
  g_autoptr (AlsStunStream) stream = als_stun_stream_new ();
  g_autoptr (AlsStunMessage) message = NULL;
  g_autoptr (GBytes) rest = NULL;

  g_byte_array_append (bytes, (const guint8 *) "hello", 5);
  als_stun_stream_feed (stream, bytes->data, bytes->len);
  message = als_stun_stream_next (stream, NULL);
  g_assert_nonnull (message);
  rest = als_stun_stream_take_rest (stream);
  g_assert_cmpmem (g_bytes_get_data (rest, NULL), g_bytes_get_size (rest), "hello", 5);
}

static void
check_garbage (const char *bytes, size_t len, size_t enough, AlsStunError code, const char *word)
{
  g_autoptr (AlsStunStream) stream = als_stun_stream_new ();
  g_autoptr (GError) error = NULL;
  g_autoptr (GError) again = NULL;

  for (size_t i = 0; i < len && error == NULL; i++)
    {
      als_stun_stream_feed (stream, (const uint8_t *) bytes + i, 1);
      g_assert_null (als_stun_stream_next (stream, &error));
      g_assert_cmpint (error != NULL, ==, i + 1 == enough);
    }
  g_assert_error (error, ALS_STUN_ERROR, (int) code);
  g_assert_nonnull (strstr (error->message, word));
  g_assert_null (als_stun_stream_next (stream, &again));
  g_assert_error (again, ALS_STUN_ERROR, (int) code);
}

static void
test_garbage (void)
{
  check_garbage ("HTTP/1.1 400 Bad", 16, 1, ALS_STUN_ERROR_NOT_STUN, "HTTP");
  check_garbage ("\x15\x03\x03\x00\x02\x02\x28", 7, 5, ALS_STUN_ERROR_NOT_STUN, "TLS");
  check_garbage ("\x40\x00\x00\x04", 4, 1, ALS_STUN_ERROR_NOT_STUN, "channel");
  check_garbage ("\xff\xff", 2, 1, ALS_STUN_ERROR_NOT_STUN, "not STUN");
  check_garbage ("\x01\x01\x00\x04\x21\x12\xa4\x43", 8, 8, ALS_STUN_ERROR_NOT_STUN, "not STUN");
  check_garbage ("\x01\x01\xff\xfc\x21\x12", 6, 4, ALS_STUN_ERROR_TOO_LARGE, "too large");
  check_garbage ("\x01\x01\x00\x02\x21\x12\xa4\x42............xx", 22, 22,
                 ALS_STUN_ERROR_MALFORMED, "length");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/stun/stream/messages-come-out-however-they-are-cut", test_pieces);
  g_test_add_func ("/stun/stream/what-follows-a-message-is-handed-over", test_rest);
  g_test_add_func ("/stun/stream/garbage-is-named-at-its-first-byte", test_garbage);
  return g_test_run ();
}
