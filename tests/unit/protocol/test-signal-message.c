/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "protocol/als-signal-message.h"

#include <string.h>

static AlsIceServer *
ice_server (AlsIceServerKind kind,
            const char *host,
            uint16_t port,
            const char *username,
            const char *credential)
{
  AlsIceServer *server = g_new0 (AlsIceServer, 1);

  server->kind = kind;
  server->host = g_strdup (host);
  server->port = port;
  server->username = g_strdup (username);
  server->credential = g_strdup (credential);
  return server;
}

/* A message of TYPE with every field that TYPE carries set. */
static AlsSignalMessage *
sample (AlsSignalType type)
{
  AlsSignalMessage *message = als_signal_message_new (type);

  switch (type)
    {
    case ALS_SIGNAL_HELLO:
      message->version = ALS_SIGNAL_PROTOCOL_VERSION;
      message->text = g_strdup ("alongside 0.1 – grüße");
      break;
    case ALS_SIGNAL_REGISTER:
      message->has_token = TRUE;
      memset (message->token, 7, sizeof message->token);
      break;
    case ALS_SIGNAL_JOIN:
      message->number = 999999;
      break;
    case ALS_SIGNAL_MEET:
      memset (message->meeting_id, 9, sizeof message->meeting_id);
      message->is_inviter = TRUE;
      break;
    case ALS_SIGNAL_PEER_MESSAGE:
    case ALS_SIGNAL_RELAY:
      message->payload = g_bytes_new_static ("\0sealed", 7);
      break;
    case ALS_SIGNAL_UNPAIR:
      message->reason = ALS_SIGNAL_UNPAIR_RELAY_ABUSE;
      break;
    case ALS_SIGNAL_PING:
    case ALS_SIGNAL_PONG:
      message->cookie = G_GUINT64_CONSTANT (0x0123456789abcdef);
      break;
    case ALS_SIGNAL_WELCOME:
      message->version = ALS_SIGNAL_PROTOCOL_VERSION;
      message->heartbeat_s = 20;
      break;
    case ALS_SIGNAL_REGISTERED:
      message->number = 42;
      message->has_token = TRUE;
      memset (message->token, 3, sizeof message->token);
      message->keep_s = 120;
      break;
    case ALS_SIGNAL_WAITING:
      message->keep_s = 30;
      break;
    case ALS_SIGNAL_PAIRED:
      message->relay_rate = 1250000;
      message->relay_backlog = 65536;
      message->servers = g_ptr_array_new_with_free_func ((GDestroyNotify)als_ice_server_free);
      g_ptr_array_add (message->servers,
                       ice_server (ALS_ICE_SERVER_STUN, "stun.example", 3478, NULL, NULL));
      g_ptr_array_add (message->servers,
                       ice_server (ALS_ICE_SERVER_TURNS, "192.0.2.1", 443, "17:a", "c2VjcmV0"));
      break;
    case ALS_SIGNAL_ERROR:
      message->code = ALS_SIGNAL_CODE_BUSY;
      message->text = g_strdup ("somebody else is there");
      break;
    case ALS_SIGNAL_UNREGISTER:
    default:
      break;
    }
  return message;
}

static const AlsSignalType types[] = {
  ALS_SIGNAL_HELLO,   ALS_SIGNAL_REGISTER,     ALS_SIGNAL_UNREGISTER, ALS_SIGNAL_JOIN,
  ALS_SIGNAL_MEET,    ALS_SIGNAL_PEER_MESSAGE, ALS_SIGNAL_RELAY,      ALS_SIGNAL_UNPAIR,
  ALS_SIGNAL_PING,    ALS_SIGNAL_PONG,         ALS_SIGNAL_WELCOME,    ALS_SIGNAL_REGISTERED,
  ALS_SIGNAL_WAITING, ALS_SIGNAL_PAIRED,       ALS_SIGNAL_ERROR,
};

static gboolean
has_open_end (AlsSignalType type)
{
  return type == ALS_SIGNAL_PEER_MESSAGE || type == ALS_SIGNAL_RELAY;
}

static AlsSignalMessage *
decode (GBytes *bytes, GError **error)
{
  return als_signal_message_decode (g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes),
                                    error);
}

/* The list of WELCOME is optional, comes last, and holds no logins. */
static void
test_welcome_servers (void)
{
  g_autoptr (AlsSignalMessage) in = sample (ALS_SIGNAL_WELCOME);
  g_autoptr (GBytes) plain = als_signal_message_encode (in);
  g_autoptr (GBytes) bytes = NULL;
  g_autoptr (GBytes) none = NULL;
  g_autoptr (AlsSignalMessage) out = NULL;
  g_autoptr (AlsSignalMessage) old = decode (plain, NULL);
  g_autoptr (GError) error = NULL;

  g_assert_cmpuint (g_bytes_get_size (plain), ==, 5);
  g_assert_null (old->servers);
  in->servers = g_ptr_array_new_with_free_func ((GDestroyNotify)als_ice_server_free);
  none = als_signal_message_encode (in);
  g_assert_true (g_bytes_equal (none, plain));
  for (guint i = 0; i < 2; i++)
    g_ptr_array_add (in->servers, ice_server (ALS_ICE_SERVER_STUN, i == 0 ? "stun.example" : "::1",
                                              (uint16_t)(3478 + i), NULL, NULL));
  bytes = als_signal_message_encode (in);
  out = decode (bytes, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (out->heartbeat_s, ==, in->heartbeat_s);
  g_assert_cmpuint (out->servers->len, ==, 2);
  g_assert_cmpstr (((AlsIceServer *)g_ptr_array_index (out->servers, 1))->host, ==, "::1");
  g_ptr_array_add (in->servers, ice_server (ALS_ICE_SERVER_TURN, "turn.example", 3478, "u", "p"));
  g_assert_null (als_signal_message_encode (in));
}

static void
test_hello_words (void)
{
  g_assert_true (als_signal_hello_has_word ("Name/1 a b", "b"));
  g_assert_true (als_signal_hello_has_word ("Name/1 a b", "a"));
  g_assert_false (als_signal_hello_has_word ("Name/1 a b", "Name/1"));
  g_assert_false (als_signal_hello_has_word ("Name/1 ab", "a"));
  g_assert_false (als_signal_hello_has_word ("", "a"));
  g_assert_false (als_signal_hello_has_word (NULL, "a"));
}

static void
test_round_trip (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (types); i++)
    {
      g_autoptr (AlsSignalMessage) in = sample (types[i]);
      g_autoptr (GBytes) bytes = als_signal_message_encode (in);
      g_autoptr (GBytes) again = NULL;
      g_autoptr (AlsSignalMessage) out = NULL;
      g_autoptr (GError) error = NULL;

      g_assert_nonnull (bytes);
      out = decode (bytes, &error);
      g_assert_no_error (error);
      g_assert_cmpint (out->type, ==, in->type);
      g_assert_cmpuint (out->version, ==, in->version);
      g_assert_cmpuint (out->number, ==, in->number);
      g_assert_cmpint (out->has_token, ==, in->has_token);
      g_assert_cmpmem (out->token, sizeof out->token, in->token, sizeof in->token);
      g_assert_cmpmem (out->meeting_id, sizeof out->meeting_id, in->meeting_id,
                       sizeof in->meeting_id);
      g_assert_cmpint (out->is_inviter, ==, in->is_inviter);
      g_assert_true (out->payload == in->payload || g_bytes_equal (out->payload, in->payload));
      g_assert_cmpuint (out->reason, ==, in->reason);
      g_assert_cmpuint (out->cookie, ==, in->cookie);
      g_assert_cmpuint (out->heartbeat_s, ==, in->heartbeat_s);
      g_assert_cmpuint (out->keep_s, ==, in->keep_s);
      g_assert_cmpuint (out->relay_rate, ==, in->relay_rate);
      g_assert_cmpuint (out->relay_backlog, ==, in->relay_backlog);
      g_assert_cmpuint (out->code, ==, in->code);
      g_assert_cmpstr (out->text, ==, in->text);
      again = als_signal_message_encode (out);
      g_assert_true (g_bytes_equal (bytes, again));
    }
}

static void
test_servers (void)
{
  g_autoptr (AlsSignalMessage) in = sample (ALS_SIGNAL_PAIRED);
  g_autoptr (GBytes) bytes = NULL;
  g_autoptr (AlsSignalMessage) out = NULL;
  const AlsIceServer *server;

  in->foreign_peers = TRUE;
  in->text = g_strdup ("2001:db8::7");
  bytes = als_signal_message_encode (in);
  out = decode (bytes, NULL);

  g_assert_cmpuint (out->servers->len, ==, 2);
  server = g_ptr_array_index (out->servers, 0);
  g_assert_cmpint (server->kind, ==, ALS_ICE_SERVER_STUN);
  g_assert_cmpstr (server->host, ==, "stun.example");
  g_assert_null (server->username);
  g_assert_null (server->credential);
  server = g_ptr_array_index (out->servers, 1);
  g_assert_cmpint (server->kind, ==, ALS_ICE_SERVER_TURNS);
  g_assert_cmpuint (server->port, ==, 443);
  g_assert_cmpstr (server->username, ==, "17:a");
  g_assert_cmpstr (server->credential, ==, "c2VjcmV0");
  g_assert_true (out->foreign_peers);
  g_assert_cmpstr (out->text, ==, "2001:db8::7");

  /* Who does not say that it takes it gets nothing of it. */
  in->foreign_peers = FALSE;
  g_clear_pointer (&bytes, g_bytes_unref);
  bytes = als_signal_message_encode (in);
  g_clear_pointer (&out, als_signal_message_free);
  out = decode (bytes, NULL);
  g_assert_false (out->foreign_peers);
  g_assert_null (out->text);

  while (in->servers->len < ALS_SIGNAL_MAX_SERVERS)
    g_ptr_array_add (in->servers, ice_server (ALS_ICE_SERVER_TURN, "a", 1, NULL, NULL));
  g_clear_pointer (&bytes, g_bytes_unref);
  bytes = als_signal_message_encode (in);
  g_assert_nonnull (bytes);
  g_ptr_array_add (in->servers, ice_server (ALS_ICE_SERVER_TURN, "a", 1, NULL, NULL));
  g_assert_null (als_signal_message_encode (in));
}

/* No message is also another one with an end cut off or something added. */
static void
test_exact_length (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (types); i++)
    {
      g_autoptr (AlsSignalMessage) in = sample (types[i]);
      g_autoptr (GBytes) bytes = als_signal_message_encode (in);
      gsize len;
      const uint8_t *data = g_bytes_get_data (bytes, &len);
      g_autofree uint8_t *longer = g_malloc0 (len + 1);

      for (gsize n = 0; n < len; n++)
        {
          g_autoptr (GError) error = NULL;

          if (has_open_end (types[i]) && n > 1)
            continue;
          g_assert_null (als_signal_message_decode (data, n, &error));
          g_assert_error (error, ALS_SIGNAL_MESSAGE_ERROR, ALS_SIGNAL_CODE_BAD_MESSAGE);
        }
      memcpy (longer, data, len);
      if (!has_open_end (types[i]))
        g_assert_null (als_signal_message_decode (longer, len + 1, NULL));
    }
}

static void
assert_refused (const char *data, gsize len)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (als_signal_message_decode ((const uint8_t *)data, len, &error));
  g_assert_error (error, ALS_SIGNAL_MESSAGE_ERROR, ALS_SIGNAL_CODE_BAD_MESSAGE);
}

static void
test_refusals (void)
{
  assert_refused ("", 0);
  assert_refused ("\0", 1);
  assert_refused ("\x06", 1);                                      /* no such type */
  assert_refused ("\x04\x00\x0f\x42\x40", 5);                      /* JOIN 1000000 */
  assert_refused ("\x02\x02", 2);                                  /* REGISTER, a boolean of 2 */
  assert_refused ("\x12\x03", 2);                                  /* UNPAIR, no such reason */
  assert_refused ("\x20\x00\x01\x00\x00", 5);                      /* WELCOME, heartbeat 0 */
  assert_refused ("\x20\x00\x01\x00\x14\x00", 6);                  /* WELCOME, an empty list */
  assert_refused ("\x01\x00\x01\x00\x02\xc3\x28", 7);              /* HELLO, not UTF-8 */
  assert_refused ("\x01\x00\x01\x00\x01\x07", 6);                  /* HELLO, a control character */
  assert_refused ("\x3f\x00\x00\x00\x00", 5);                      /* ERROR 0 */
  assert_refused ("\x23\x00\x00\x00\x01\x00\x00\x00\x01\x09", 10); /* PAIRED, nine servers */
  assert_refused ("\x23\0\0\0\1\0\0\0\1\1"
                  "\4"
                  "\0\1a"
                  "\0\1"
                  "\0",
                  17); /* server kind 4 */
  assert_refused ("\x23\0\0\0\1\0\0\0\1\1"
                  "\1"
                  "\0\1a"
                  "\0\0"
                  "\0",
                  17); /* server port 0 */
  assert_refused ("\x23\0\0\0\1\0\0\0\1\1"
                  "\1"
                  "\0\0"
                  "\0\1"
                  "\0",
                  16); /* server without name */
}

static void
test_payload_limits (void)
{
  const struct
  {
    AlsSignalType type;
    gsize max;
  } cases[] = {
    { ALS_SIGNAL_PEER_MESSAGE, ALS_SIGNAL_MAX_PEER_MESSAGE },
    { ALS_SIGNAL_RELAY, ALS_SIGNAL_MAX_RELAY },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    for (gsize extra = 0; extra < 2; extra++)
      {
        gsize len = cases[i].max + extra;
        g_autoptr (AlsSignalMessage) message = als_signal_message_new (cases[i].type);
        g_autofree uint8_t *data = g_malloc0 (1 + len);
        g_autoptr (GBytes) bytes = NULL;
        g_autoptr (AlsSignalMessage) out = NULL;

        message->payload = g_bytes_new (data, len);
        bytes = als_signal_message_encode (message);
        data[0] = (uint8_t)cases[i].type;
        out = als_signal_message_decode (data, 1 + len, NULL);
        g_assert_true ((bytes != NULL) == (extra == 0));
        g_assert_true ((out != NULL) == (extra == 0));
      }
}

static void
test_encode_bounds (void)
{
  g_autoptr (AlsSignalMessage) join = als_signal_message_new (ALS_SIGNAL_JOIN);
  g_autoptr (AlsSignalMessage) hello = als_signal_message_new (ALS_SIGNAL_HELLO);
  g_autoptr (AlsSignalMessage) relay = als_signal_message_new (ALS_SIGNAL_RELAY);
  g_autoptr (AlsSignalMessage) unknown = als_signal_message_new (99);

  join->number = 1000000;
  g_assert_null (als_signal_message_encode (join));
  hello->version = ALS_SIGNAL_PROTOCOL_VERSION;
  hello->text = g_strnfill (257, 'a');
  g_assert_null (als_signal_message_encode (hello));
  g_assert_null (als_signal_message_encode (relay));
  g_assert_null (als_signal_message_encode (unknown));
}

static void
test_other_version (void)
{
  g_autoptr (AlsSignalMessage) hello = NULL;
  g_autoptr (AlsSignalMessage) welcome = NULL;

  hello = als_signal_message_decode ((const uint8_t *)"\x01\x00\x02\xff\xff\xff", 6, NULL);
  g_assert_nonnull (hello);
  g_assert_cmpuint (hello->version, ==, 2);
  welcome = als_signal_message_decode ((const uint8_t *)"\x20\x00\x07", 3, NULL);
  g_assert_nonnull (welcome);
  g_assert_cmpuint (welcome->version, ==, 7);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/protocol/signal-message/every-type-survives-a-round-trip", test_round_trip);
  g_test_add_func ("/protocol/signal-message/welcome-may-tell-servers-without-logins",
                   test_welcome_servers);
  g_test_add_func ("/protocol/signal-message/hello-holds-words-behind-the-name", test_hello_words);
  g_test_add_func ("/protocol/signal-message/servers-keep-kind-and-login", test_servers);
  g_test_add_func ("/protocol/signal-message/cut-or-lengthened-is-refused", test_exact_length);
  g_test_add_func ("/protocol/signal-message/nonsense-is-refused", test_refusals);
  g_test_add_func ("/protocol/signal-message/payloads-have-a-limit", test_payload_limits);
  g_test_add_func ("/protocol/signal-message/encodes-nothing-the-decoder-refuses",
                   test_encode_bounds);
  g_test_add_func ("/protocol/signal-message/greeting-of-another-version-tells-its-version",
                   test_other_version);
  return g_test_run ();
}
