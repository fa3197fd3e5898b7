/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#include "stun/als-turn-data.h"

#include <string.h>

#define SECOND_US ((int64_t) G_USEC_PER_SEC)

static AlsTurnData *
start (void)
{
  g_autoptr (AlsStunAuth) auth = als_stun_auth_new ("user", "secret");
  AlsTurnData *data = als_turn_data_new (auth, 77, 30 * SECOND_US);

  als_turn_data_start (data, SECOND_US);
  g_assert_cmpint (als_turn_data_get_state (data), ==, ALS_TURN_DATA_BINDING);
  return data;
}

static AlsStunMessage *
take_bind (AlsTurnData *data)
{
  g_autoptr (GBytes) bytes = als_turn_data_take_output (data);
  AlsStunMessage *message;
  uint32_t id;

  g_assert_nonnull (bytes);
  message = als_stun_message_decode (g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes), NULL);
  g_assert_cmpint (message->method, ==, ALS_STUN_CONNECTION_BIND);
  g_assert_true (als_stun_message_get_u32 (message, ALS_STUN_CONNECTION_ID, &id));
  g_assert_cmpuint (id, ==, 77);
  g_assert_null (als_turn_data_take_output (data));
  return message;
}

/* CODE 0: success. BEHIND: follows in the same read. */
static void
reply (AlsTurnData *data, const AlsStunMessage *request, guint code, const char *behind)
{
  g_auto (AlsStunBuilder) builder = { 0 };
  g_autoptr (GByteArray) bytes = g_byte_array_new ();
  g_autoptr (GBytes) message = NULL;
  uint8_t key[ALS_STUN_MAX_KEY_BYTES];
  size_t len;

  als_stun_builder_init (&builder, code == 0 ? ALS_STUN_SUCCESS : ALS_STUN_FAILURE,
                         ALS_STUN_CONNECTION_BIND, request->transaction);
  if (code != 0)
    als_stun_builder_add_error (&builder, code, "");
  if (code == 401 || code == 438)
    {
      als_stun_builder_add_text (&builder, ALS_STUN_NONCE, "nonce");
      als_stun_builder_add_text (&builder, ALS_STUN_REALM, "realm");
    }
  else
    {
      als_stun_auth_derive_key (ALS_STUN_PASSWORD_MD5, "user", "realm", "secret", key, &len);
      als_stun_builder_add_integrity (&builder, ALS_STUN_INTEGRITY_SHA1, key, len);
    }
  message = als_stun_builder_finish (&builder);
  g_byte_array_append (bytes, g_bytes_get_data (message, NULL), (guint) g_bytes_get_size (message));
  g_byte_array_append (bytes, (const guint8 *) behind, (guint) strlen (behind));
  als_turn_data_feed (data, bytes->data, bytes->len, SECOND_US);
}

static void
assert_failed (AlsTurnData *data, AlsTurnError code)
{
  g_assert_cmpint (als_turn_data_get_state (data), ==, ALS_TURN_DATA_FAILED);
  g_assert_error (als_turn_data_get_error (data), ALS_TURN_ERROR, (int) code);
  g_assert_cmpint (als_turn_data_get_deadline (data), ==, INT64_MAX);
  g_assert_null (als_turn_data_take_output (data));
}

static void
test_bound (void)
{
  g_autoptr (AlsTurnData) data = start ();
  g_autoptr (AlsStunMessage) first = take_bind (data);
  g_autoptr (AlsStunMessage) second = NULL;
  g_autoptr (GBytes) rest = NULL;

  g_assert_cmpint (als_turn_data_get_deadline (data), ==, 30 * SECOND_US);
  reply (data, first, 401, "");
  second = take_bind (data);
  reply (data, second, 0, "hello");
  g_assert_cmpint (als_turn_data_get_state (data), ==, ALS_TURN_DATA_BOUND);
  rest = als_turn_data_take_rest (data);
  g_assert_cmpmem (g_bytes_get_data (rest, NULL), g_bytes_get_size (rest), "hello", 5);
  g_assert_cmpint (als_turn_data_get_deadline (data), ==, INT64_MAX);
  als_turn_data_close (data);
  g_assert_cmpint (als_turn_data_get_state (data), ==, ALS_TURN_DATA_BOUND);
}

static void
test_refused (void)
{
  for (guint i = 0; i < 2; i++)
    {
      g_autoptr (AlsTurnData) data = start ();
      g_autoptr (AlsStunMessage) first = take_bind (data);
      g_autoptr (AlsStunMessage) second = NULL;

      reply (data, first, 401, "");
      second = take_bind (data);
      reply (data, second, i == 0 ? 401 : 400, "");
      assert_failed (data, i == 0 ? ALS_TURN_ERROR_WRONG_CREDENTIALS : ALS_TURN_ERROR_BAD_REQUEST);
    }
}

static void
test_ends (void)
{
  g_autoptr (AlsTurnData) late = start ();
  g_autoptr (AlsTurnData) closed = start ();
  g_autoptr (AlsTurnData) garbage = start ();

  als_turn_data_poll (late, 30 * SECOND_US - 1);
  g_assert_cmpint (als_turn_data_get_state (late), ==, ALS_TURN_DATA_BINDING);
  als_turn_data_poll (late, 30 * SECOND_US);
  assert_failed (late, ALS_TURN_ERROR_TIMED_OUT);
  als_turn_data_close (closed);
  assert_failed (closed, ALS_TURN_ERROR_CLOSED);
  als_turn_data_feed (garbage, (const uint8_t *) "peer's own bytes", 16, SECOND_US);
  assert_failed (garbage, ALS_TURN_ERROR_BAD_ANSWER);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/turn/data/is-bound-and-hands-over-what-follows", test_bound);
  g_test_add_func ("/turn/data/a-refused-bind-has-a-name", test_refused);
  g_test_add_func ("/turn/data/silence-an-end-and-garbage-end-it", test_ends);
  return g_test_run ();
}
