/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#include "signal/als-lan-message.h"
#include "signal/als-lan-stream.h"

#include <string.h>

static void
fill (AlsLanMessage *message, AlsLanType type)
{
  memset (message, 0, sizeof *message);
  message->type = type;
  message->port = type == ALS_LAN_ANNOUNCE || type == ALS_LAN_ASK ? 4001 : 0;
  for (guint i = 0; i < ALS_LAN_NONCE_BYTES; i++)
    message->nonce[i] = (uint8_t) i;
}

/* Computed by another program. */
static void
test_known_bytes (void)
{
  static const char expected[] =
    "414c534c01020fa1000102030405060708090a0b0c0d0e0f"
    "c2b03ee65c4eaba82afa1369dded3b23";
  g_autoptr (GString) hex = g_string_new (NULL);
  uint8_t out[ALS_LAN_MESSAGE_BYTES];
  AlsLanMessage message;
  AlsLanTopic topic;

  fill (&message, ALS_LAN_ASK);
  als_lan_topic_from_number (&topic, 482913);
  als_lan_message_sign (&message, &topic, NULL);
  als_lan_message_encode (&message, out);
  for (guint i = 0; i < sizeof out; i++)
    g_string_append_printf (hex, "%02x", out[i]);
  g_assert_cmpstr (hex->str, ==, expected);
}

static void
test_round_trip (void)
{
  for (guint type = ALS_LAN_ANNOUNCE; type <= ALS_LAN_TAKE; type++)
    {
      uint8_t data[ALS_LAN_MESSAGE_BYTES + 1] = { 0 };
      AlsLanMessage in, out;

      fill (&in, type);
      als_lan_message_encode (&in, data);
      g_assert_true (als_lan_message_decode (&out, data, ALS_LAN_MESSAGE_BYTES));
      g_assert_cmpint (out.type, ==, in.type);
      g_assert_cmpuint (out.port, ==, in.port);
      g_assert_cmpmem (out.nonce, sizeof out.nonce, in.nonce, sizeof in.nonce);
      g_assert_cmpmem (out.tag, sizeof out.tag, in.tag, sizeof in.tag);
      for (guint len = 0; len < ALS_LAN_MESSAGE_BYTES; len++)
        g_assert_false (als_lan_message_decode (&out, data, len));
      g_assert_false (als_lan_message_decode (&out, data, ALS_LAN_MESSAGE_BYTES + 1));
    }
}

static void
test_refusals (void)
{
  static const struct { guint at; uint8_t value; } changes[] = {
    { 0, 'a' }, { 4, 2 }, { 5, 0 }, { 5, 7 }, { 5, ALS_LAN_HELLO },
  };
  AlsLanMessage message;

  for (guint i = 0; i < G_N_ELEMENTS (changes); i++)
    {
      uint8_t data[ALS_LAN_MESSAGE_BYTES];

      fill (&message, ALS_LAN_ASK);
      als_lan_message_encode (&message, data);
      data[changes[i].at] = changes[i].value;
      g_assert_false (als_lan_message_decode (&message, data, sizeof data));
    }
  fill (&message, ALS_LAN_ANNOUNCE);
  message.port = 0;
  {
    uint8_t data[ALS_LAN_MESSAGE_BYTES];

    als_lan_message_encode (&message, data);
    g_assert_false (als_lan_message_decode (&message, data, sizeof data));
  }
}

static void
test_tag (void)
{
  static const uint8_t meeting[ALS_SIGNAL_MEETING_BYTES] = { 0, 0, 0, 5 };
  static const uint8_t theirs[ALS_LAN_NONCE_BYTES] = { 1 };
  AlsLanTopic number, other, id;
  AlsLanMessage message;

  als_lan_topic_from_number (&number, 5);
  als_lan_topic_from_number (&other, 6);
  /* The same bytes as the number's, of another kind. */
  als_lan_topic_from_meeting (&id, meeting);
  fill (&message, ALS_LAN_ASK);
  als_lan_message_sign (&message, &number, NULL);
  g_assert_true (als_lan_message_check (&message, &number, NULL));
  g_assert_false (als_lan_message_check (&message, &other, NULL));
  g_assert_false (als_lan_message_check (&message, &id, NULL));
  g_assert_false (als_lan_message_check (&message, &number, theirs));
  message.port++;
  g_assert_false (als_lan_message_check (&message, &number, NULL));
  message.port--;
  message.nonce[15]++;
  g_assert_false (als_lan_message_check (&message, &number, NULL));
  message.nonce[15]--;
  /* Nobody's words come back as the other role's. */
  message.type = ALS_LAN_ANNOUNCE;
  g_assert_false (als_lan_message_check (&message, &number, NULL));
  message.type = ALS_LAN_ASK;
  message.tag[15] ^= 1;
  g_assert_false (als_lan_message_check (&message, &number, NULL));
}

static GBytes *
frame (AlsSignalType type, const char *payload)
{
  AlsSignalMessage message = { .type = type };
  GBytes *bytes;

  if (payload != NULL)
    message.payload = g_bytes_new_static (payload, strlen (payload));
  bytes = als_lan_stream_frame (&message);
  g_clear_pointer (&message.payload, g_bytes_unref);
  return bytes;
}

static void
test_stream_is_cut_anywhere (void)
{
  static const AlsSignalType types[] = { ALS_SIGNAL_PEER_MESSAGE, ALS_SIGNAL_RELAY,
                                         ALS_SIGNAL_PING, ALS_SIGNAL_PONG, ALS_SIGNAL_UNPAIR };
  g_autoptr (GByteArray) all = g_byte_array_new ();

  for (guint i = 0; i < G_N_ELEMENTS (types); i++)
    {
      g_autoptr (GBytes) bytes = frame (types[i], i < 2 ? "payload" : NULL);

      g_byte_array_append (all, g_bytes_get_data (bytes, NULL), (guint) g_bytes_get_size (bytes));
    }
  for (guint step = 1; step <= all->len; step++)
    {
      g_auto (AlsLanStream) stream = { 0 };
      guint n = 0;

      als_lan_stream_init (&stream);
      for (guint at = 0; at < all->len; at += step)
        {
          AlsSignalMessage *message;

          als_lan_stream_push (&stream, all->data + at, MIN (step, all->len - at));
          while ((message = als_lan_stream_take (&stream)) != NULL)
            {
              g_assert_cmpint (message->type, ==, types[n++]);
              als_signal_message_free (message);
            }
        }
      g_assert_cmpuint (n, ==, G_N_ELEMENTS (types));
      g_assert_false (stream.failed);
    }
}

static void
test_stream_refusals (void)
{
  static const struct { const char *data; gsize len; } cases[] = {
    { "\0\0\0\0", 4 },                    /* empty */
    { "\0\0\x80\x41", 4 },                /* one byte too long */
    { "\xff\xff\xff\xff", 4 },
    { "\0\0\0\1\x10", 5 },                /* PEER_MESSAGE without a payload */
    { "\0\0\0\1\xff", 5 },                /* no such message */
    { "\0\0\0\5\4\0\0\0\5", 9 },          /* JOIN: said to servers */
    { "\0\0\0\5\x22\0\0\0\5", 9 },        /* WAITING: said by servers */
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_auto (AlsLanStream) stream = { 0 };

      als_lan_stream_init (&stream);
      als_lan_stream_push (&stream, (const uint8_t *) cases[i].data, cases[i].len);
      g_assert_null (als_lan_stream_take (&stream));
      g_assert_true (stream.failed);
      /* It stays so. */
      als_lan_stream_push (&stream, (const uint8_t *) "\0\0\0\2\x10x", 6);
      g_assert_null (als_lan_stream_take (&stream));
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/signal/lan-message/is-the-same-everywhere", test_known_bytes);
  g_test_add_func ("/signal/lan-message/every-type-survives-a-round-trip", test_round_trip);
  g_test_add_func ("/signal/lan-message/others-are-refused", test_refusals);
  g_test_add_func ("/signal/lan-message/tag-fits-one-topic-and-one-message", test_tag);
  g_test_add_func ("/signal/lan-stream/may-be-cut-anywhere", test_stream_is_cut_anywhere);
  g_test_add_func ("/signal/lan-stream/what-breaks-the-rules-ends-it", test_stream_refusals);
  return g_test_run ();
}
