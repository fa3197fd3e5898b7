/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "protocol/als-network-message.h"
#include "protocol/als-peer-message.h"
#include "protocol/als-visit-message.h"

static void
test_hello (void)
{
  AlsVisitMessage hello = { .type = ALS_VISIT_MESSAGE_HELLO, .version = 1, .name = (char *) "Jürgen" };
  g_autoptr (GBytes) bytes = als_visit_message_encode (&hello);
  g_auto (AlsVisitMessage) read = { 0 };
  const uint8_t *data = g_bytes_get_data (bytes, NULL);

  g_assert_cmpuint (data[0] << 8 | data[1], ==, g_bytes_get_size (bytes) - 2);
  g_assert_true (als_visit_message_decode (&read, data + 2, g_bytes_get_size (bytes) - 2, NULL));
  g_assert_cmpstr (read.name, ==, "Jürgen");
  g_assert_cmpuint (read.version, ==, 1);
}

static void
test_long_name_is_cut_between_characters (void)
{
  g_autoptr (GString) name = g_string_new (NULL);
  AlsVisitMessage hello = { .type = ALS_VISIT_MESSAGE_HELLO, .version = 1 };
  g_autoptr (GBytes) bytes = NULL;
  g_auto (AlsVisitMessage) read = { 0 };

  g_string_append (name, "x");
  for (guint i = 0; i < 200; i++)
    g_string_append (name, "ü");
  hello.name = name->str;
  bytes = als_visit_message_encode (&hello);
  g_assert_true (als_visit_message_decode (&read, (const uint8_t *) g_bytes_get_data (bytes, NULL) + 2,
                                           g_bytes_get_size (bytes) - 2, NULL));
  g_assert_cmpuint (strlen (read.name), ==, ALS_VISIT_MAX_NAME - 1);
}

static void
test_a_peer_message_within (void)
{
  g_autofree uint8_t *inner = g_malloc0 (ALS_VISIT_MAX_PEER + 1);
  AlsVisitMessage message = { .type = ALS_VISIT_MESSAGE_PEER, .peer = inner,
                              .peer_len = ALS_PEER_MAX_MESSAGE };
  g_autoptr (GBytes) bytes = als_visit_message_encode (&message);
  AlsVisitMessage read;

  g_assert_true (als_visit_message_decode (&read, (const uint8_t *) g_bytes_get_data (bytes, NULL) + 2,
                                           g_bytes_get_size (bytes) - 2, NULL));
  g_assert_cmpmem (read.peer, read.peer_len, inner, ALS_PEER_MAX_MESSAGE);
  message.peer_len = ALS_VISIT_MAX_PEER + 1;
  g_assert_null (als_visit_message_encode (&message));
}

static void
test_nonsense_is_refused (void)
{
  static const struct { const char *data; size_t len; } bad[] = {
    { "", 0 }, { "\1", 1 }, { "\1\0\1\0\5Anna", 9 }, { "\2\3", 2 }, { "\2\1x", 3 }, { "\7", 1 },
    { "\1\0\1\0\4An\na", 9 },
  };

  for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      g_autoptr (GError) error = NULL;
      g_auto (AlsVisitMessage) message = { 0 };

      g_assert_false (als_visit_message_decode (&message, (const uint8_t *) bad[i].data, bad[i].len,
                                                &error));
      g_assert_nonnull (error);
    }
}

static void
test_peer_message (void)
{
  AlsPeerMessage path = { .type = ALS_PEER_PATH, .method = 4, .attempt = 77,
                          .payload = (const uint8_t *) "abc", .payload_len = 3 };
  AlsPeerMessage failed = { .type = ALS_PEER_PATH_FAILED, .method = 5, .attempt = 3, .problem = 6 };
  AlsPeerMessage read;
  g_autoptr (GBytes) bytes_failed = als_peer_message_encode (&failed);
  g_autoptr (GBytes) bytes = als_peer_message_encode (&path);

  g_assert_true (als_peer_message_decode (&read, g_bytes_get_data (bytes, NULL),
                                          g_bytes_get_size (bytes), NULL));
  g_assert_cmpuint (read.attempt, ==, 77);
  g_assert_cmpmem (read.payload, read.payload_len, "abc", 3);
  path.payload_len = ALS_PEER_MAX_PAYLOAD + 1;
  path.payload = g_malloc0 (path.payload_len);
  g_assert_null (als_peer_message_encode (&path));
  g_free ((gpointer) path.payload);
  g_assert_false (als_peer_message_decode (&read, (const uint8_t *) "\3x", 2, NULL));
  g_assert_false (als_peer_message_decode (&read, (const uint8_t *) "\7", 1, NULL));
  g_assert_false (als_peer_message_decode (&read, (const uint8_t *) "\2\5\0\0\0\1", 6, NULL));
  g_assert_true (als_peer_message_decode (&read, g_bytes_get_data (bytes_failed, NULL),
                                          g_bytes_get_size (bytes_failed), NULL));
  g_assert_cmpuint (read.method, ==, 5);
  g_assert_cmpuint (read.problem, ==, 6);
}

static void
test_network_message (void)
{
  AlsNetworkMessage message = { .udp_known = TRUE, .udp_mapping = 1, .udp_filtering = 3, .tcp_known = TRUE,
                                .tcp_is_translated = TRUE, .tcp_mapping = 2, .tcp_port_step = -3,
                                .mappings = 5, .has_ipv6 = TRUE, .mtu = 1500, .server_rtt_us = 40000 };
  AlsNetworkMessage read;
  g_autoptr (GBytes) bytes = als_network_message_encode (&message);

  g_assert_true (als_network_message_decode (&read, g_bytes_get_data (bytes, NULL),
                                             g_bytes_get_size (bytes), NULL));
  g_assert_cmpmem (&read, sizeof read, &message, sizeof message);
  g_assert_false (als_network_message_decode (&read, g_bytes_get_data (bytes, NULL),
                                              g_bytes_get_size (bytes) - 1, NULL));
  g_assert_false (als_network_message_decode (&read, (const uint8_t *) "\0\0\4\0\0\0\0\0\0\0\0\0\0\0", 14,
                                              NULL));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/protocol/visit/hello", test_hello);
  g_test_add_func ("/protocol/visit/long-name-is-cut-between-characters",
                   test_long_name_is_cut_between_characters);
  g_test_add_func ("/protocol/visit/a-peer-message-within", test_a_peer_message_within);
  g_test_add_func ("/protocol/visit/nonsense-is-refused", test_nonsense_is_refused);
  g_test_add_func ("/protocol/peer/round-trip-and-limits", test_peer_message);
  g_test_add_func ("/protocol/network/round-trip-and-limits", test_network_message);
  return g_test_run ();
}
