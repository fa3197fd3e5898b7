/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#include "path/ice/als-ice-message.h"

#include <string.h>

#define PASSWORD "abcdefghijklmnopqrstuv"

static AlsIceMessage *
decode (GBytes *bytes)
{
  size_t len;
  const uint8_t *data = g_bytes_get_data (bytes, &len);

  return als_ice_message_decode (data, len, NULL);
}

static AlsIceMessage *
decode_line (const char *line)
{
  g_autoptr (GBytes) bytes = als_ice_message_new_candidate (line);

  g_assert_nonnull (bytes);
  return decode (bytes);
}

static void
test_round_trip (void)
{
  static const char line[] = "candidate:1 1 UDP 1853824767 2001:db8::7 50000 typ srflx raddr "
                             "10.0.0.2 rport 50000";
  g_autoptr (GBytes) bytes = als_ice_message_new_credentials ("a+/9", PASSWORD);
  g_autoptr (GBytes) end = als_ice_message_new_end ();
  g_autoptr (AlsIceMessage) credentials = decode (bytes);
  g_autoptr (AlsIceMessage) candidate = decode_line (line);
  g_autoptr (AlsIceMessage) last = decode (end);
  g_autofree char *address = NULL;

  g_assert_cmpint (credentials->type, ==, ALS_ICE_CREDENTIALS);
  g_assert_cmpstr (credentials->ufrag, ==, "a+/9");
  g_assert_cmpstr (credentials->password, ==, PASSWORD);
  g_assert_cmpint (candidate->type, ==, ALS_ICE_CANDIDATE);
  g_assert_cmpint (candidate->candidate_type, ==, ALS_ICE_SERVER_REFLEXIVE);
  g_assert_cmpstr (candidate->line, ==, line);
  address = g_socket_connectable_to_string (G_SOCKET_CONNECTABLE (candidate->address));
  g_assert_cmpstr (address, ==, "[2001:db8::7]:50000");
  g_assert_cmpint (last->type, ==, ALS_ICE_END_OF_CANDIDATES);
}

static void
test_credentials_are_checked (void)
{
  g_autofree char *longest = g_strnfill (256, 'x');
  g_autofree char *too_long = g_strnfill (257, 'x');
  g_autoptr (GBytes) fits = als_ice_message_new_credentials (longest, longest);
  static const char bad[][32] = {
    "\1\0\3abc\0\26" PASSWORD,   /* short ufrag */
    "\1\0\4abcd\0\3abc",         /* short password */
    "\1\0\4ab d\0\26" PASSWORD,  /* not an ice-char */
    "\1\0\4abcd",                /* nothing more */
  };

  g_assert_nonnull (fits);
  g_assert_null (als_ice_message_new_credentials (too_long, longest));
  g_assert_null (als_ice_message_new_credentials ("abcd", "short"));
  for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      g_autoptr (GError) error = NULL;

      g_assert_null (als_ice_message_decode ((const uint8_t *) bad[i], sizeof bad[i] - 1, &error));
      g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA);
    }
}

static void
test_malformed_candidates_are_refused (void)
{
  static const char *const bad[] = {
    "",
    "candidate:",
    "a=candidate:1 1 UDP 1 192.0.2.1 5000 typ host",
    "candidate:1 1 UDP 1 192.0.2.1 5000 typ",
    "candidate:1 1 UDP 1 192.0.2.1 5000 typ moon",
    "candidate:1 1 UDP 1 192.0.2.1 5000 kind host",
    "candidate:1 1 TCP 1 192.0.2.1 5000 typ host",
    "candidate:1 2 UDP 1 192.0.2.1 5000 typ host",
    "candidate:1 1 UDP -1 192.0.2.1 5000 typ host",
    "candidate:1 1 UDP 4294967296 192.0.2.1 5000 typ host",
    "candidate:1 1 UDP 1 192.0.2.1 0 typ host",
    "candidate:1 1 UDP 1 192.0.2.1 65536 typ host",
    "candidate:1 1 UDP 1 192.0.2.1 5000 typ host raddr",
    "candidate:\xc3\xa9 1 UDP 1 192.0.2.1 5000 typ host",
    "candidate:012345678901234567890123456789012 1 UDP 1 192.0.2.1 5000 typ host",
  };
  g_autofree char *fill = g_strnfill (300, 'x');
  g_autofree char *too_long = g_strconcat ("candidate:", fill, NULL);

  for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      g_autoptr (AlsIceMessage) message = decode_line (bad[i]);

      g_test_message ("%s", bad[i]);
      g_assert_null (message);
    }
  g_assert_null (als_ice_message_new_candidate (too_long));
}

static void
test_only_strangers_addresses_are_dialled (void)
{
  static const struct { const char *address; gboolean dialable, on_loopback; } cases[] = {
    { "192.0.2.1", TRUE, TRUE },          { "10.0.0.1", TRUE, TRUE },
    { "2001:db8::1", TRUE, TRUE },        { "fd00::1", TRUE, TRUE },
    { "127.0.0.1", FALSE, TRUE },         { "127.9.9.9", FALSE, TRUE },
    { "::1", FALSE, TRUE },               { "169.254.1.1", FALSE, TRUE },
    { "fe80::1", FALSE, TRUE },           { "0.0.0.0", FALSE, FALSE },
    { "0.1.2.3", FALSE, FALSE },          { "::", FALSE, FALSE },
    { "224.0.0.1", FALSE, FALSE },        { "ff02::1", FALSE, FALSE },
    { "255.255.255.255", FALSE, FALSE },  { "::ffff:127.0.0.1", FALSE, FALSE },
    { "1b1c-5d6f.local", FALSE, FALSE },  { "localhost", FALSE, FALSE },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *line = g_strdup_printf ("candidate:1 1 UDP 1 %s 5000 typ host",
                                               cases[i].address);
      g_autoptr (AlsIceMessage) message = decode_line (line);

      g_test_message ("%s", cases[i].address);
      g_assert_nonnull (message);
      g_assert_true (als_ice_address_is_dialable (message->address, FALSE) == cases[i].dialable);
      g_assert_true (als_ice_address_is_dialable (message->address, TRUE) == cases[i].on_loopback);
    }
}

static gboolean
share_lan (const char *local, AlsIceCandidateType local_type, const char *remote,
           AlsIceCandidateType remote_type)
{
  g_autoptr (GInetAddress) a = g_inet_address_new_from_string (local);
  g_autoptr (GInetAddress) b = g_inet_address_new_from_string (remote);

  return als_ice_addresses_share_lan (a, local_type, b, remote_type);
}

static void
test_lan_is_told_from_internet (void)
{
  g_assert_true (share_lan ("192.168.1.2", ALS_ICE_HOST, "192.168.7.3", ALS_ICE_HOST));
  g_assert_true (share_lan ("fd00::1", ALS_ICE_HOST, "fd01::1", ALS_ICE_HOST));
  g_assert_true (share_lan ("127.0.0.1", ALS_ICE_HOST, "127.0.0.1", ALS_ICE_PEER_REFLEXIVE));
  /* The peer's check came before its candidate. */
  g_assert_true (share_lan ("192.168.1.2", ALS_ICE_HOST, "192.168.1.3", ALS_ICE_PEER_REFLEXIVE));
  g_assert_false (share_lan ("192.168.1.2", ALS_ICE_HOST, "10.1.1.3", ALS_ICE_PEER_REFLEXIVE));
  g_assert_false (share_lan ("192.168.1.2", ALS_ICE_HOST, "192.0.2.3", ALS_ICE_SERVER_REFLEXIVE));
  g_assert_false (share_lan ("192.0.2.2", ALS_ICE_HOST, "192.0.2.3", ALS_ICE_HOST));
  g_assert_false (share_lan ("192.168.1.2", ALS_ICE_HOST, "fd00::1", ALS_ICE_HOST));
  g_assert_false (share_lan ("192.168.1.2", ALS_ICE_RELAYED, "192.168.1.3", ALS_ICE_RELAYED));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/path/ice-message/round-trip", test_round_trip);
  g_test_add_func ("/path/ice-message/credentials-are-checked", test_credentials_are_checked);
  g_test_add_func ("/path/ice-message/malformed-candidates-are-refused",
                   test_malformed_candidates_are_refused);
  g_test_add_func ("/path/ice-message/only-strangers-addresses-are-dialled",
                   test_only_strangers_addresses_are_dialled);
  g_test_add_func ("/path/ice-message/lan-is-told-from-internet", test_lan_is_told_from_internet);
  return g_test_run ();
}
