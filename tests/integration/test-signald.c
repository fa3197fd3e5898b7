/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* The real server on loopback, and clients of every kind. */

#include "support/als-test-server.h"
#include "support/als-test-ws.h"

#include <glib/gstdio.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define GENEROUS "[limits]\nconnections-per-address=2000\nconnect-burst=5000\njoin-burst=1000\n"

static void
expect (AlsTestWs *ws, AlsSignalType type)
{
  als_signal_message_free (als_test_ws_expect (ws, type));
}

static void
expect_payload (AlsTestWs *ws, AlsSignalType type, const char *payload)
{
  g_autoptr (AlsSignalMessage) message = als_test_ws_expect (ws, type);

  g_assert_cmpmem (g_bytes_get_data (message->payload, NULL), g_bytes_get_size (message->payload),
                   payload, strlen (payload));
}

/* What two clients do, from number to relayed frames. */
static void
use (uint16_t port, gboolean tls, size_t piece)
{
  g_autoptr (AlsTestWs) inviter = als_test_ws_open (port, tls);
  g_autoptr (AlsTestWs) joiner = als_test_ws_open (port, tls);
  g_autofree char *large = g_strnfill (ALS_SIGNAL_MAX_RELAY, 'z');

  als_test_ws_set_piece (inviter, piece);
  als_test_ws_set_piece (joiner, piece);
  als_test_ws_join (joiner, als_test_ws_register (inviter));
  expect (inviter, ALS_SIGNAL_PAIRED);
  expect (joiner, ALS_SIGNAL_PAIRED);
  als_test_ws_say_bytes (joiner, ALS_SIGNAL_PEER_MESSAGE, "a share", 7);
  expect_payload (inviter, ALS_SIGNAL_PEER_MESSAGE, "a share");
  als_test_ws_say_bytes (inviter, ALS_SIGNAL_PEER_MESSAGE, "a tag", 5);
  expect_payload (joiner, ALS_SIGNAL_PEER_MESSAGE, "a tag");
  als_test_ws_say_bytes (inviter, ALS_SIGNAL_RELAY, large, strlen (large));
  expect_payload (joiner, ALS_SIGNAL_RELAY, large);
  als_test_ws_say_type (joiner, ALS_SIGNAL_UNPAIR);
  expect (inviter, ALS_SIGNAL_UNPAIR);
}

static void
test_pair (void)
{
  g_autoptr (AlsTestServer) server = als_test_server_start (NULL, NULL);

  use (als_test_server_get_port (server), FALSE, 0);
}

static void
test_pieces (void)
{
  g_autoptr (AlsTestServer) server = als_test_server_start (NULL, NULL);
  g_autoptr (AlsTestWs) ws = als_test_ws_connect (als_test_server_get_port (server), FALSE, 0);

  als_test_ws_set_piece (ws, 1);
  als_test_ws_upgrade (ws, NULL);
  use (als_test_server_get_port (server), FALSE, 1000);
  /* A message in three frames with a ping in between. */
  als_test_ws_frame (ws, 0x02, TRUE, "\x01\x00\x01", 3);
  als_test_ws_frame (ws, 0x89, TRUE, "ping", 4);
  als_test_ws_frame (ws, 0x00, TRUE, "\x00", 1);
  als_test_ws_frame (ws, 0x80, TRUE, "\x01x", 2);
  expect (ws, ALS_SIGNAL_WELCOME);
}

/* The last line of the request and the first frames in one write. */
static void
test_impatient (void)
{
  static const char request[]
      = "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        "Sec-WebSocket-Protocol: alongside.1\r\n\r\n"
        "\x82\x86\0\0\0\0\x01\0\x01\0\x01y";
  g_autoptr (AlsTestServer) server = als_test_server_start (NULL, NULL);
  g_autoptr (AlsTestWs) ws = als_test_ws_connect (als_test_server_get_port (server), FALSE, 0);
  g_autofree char *answer = NULL;

  als_test_ws_write (ws, request, sizeof request - 1);
  als_test_ws_frame (ws, 0x88, TRUE, "\x03\xe8", 2);
  answer = als_test_ws_read_all (ws);
  g_assert_true (g_str_has_prefix (answer, "HTTP/1.1 101 "));
  g_assert_nonnull (strstr (answer, "\r\n\r\n\x82\x05\x20"));
}

/* The relays' secret is nobody's to find. */
static void
test_no_core (void)
{
  g_autoptr (AlsTestServer) server = als_test_server_start (NULL, NULL);
  g_autofree char *children = g_strdup_printf ("/proc/self/task/%d/children", (int) getpid ());
  g_autofree char *pids = NULL, *file = NULL, *limits = NULL;
  g_auto (GStrv) lines = NULL;
  guint n = 0;

  g_assert_true (g_file_get_contents (children, &pids, NULL, NULL));
  file = g_strdup_printf ("/proc/%d/limits", atoi (pids));
  g_assert_true (g_file_get_contents (file, &limits, NULL, NULL));
  lines = g_strsplit (limits, "\n", -1);
  for (guint i = 0; lines[i] != NULL; i++)
    if (g_str_has_prefix (lines[i], "Max core file size"))
      {
        unsigned soft = 1, hard = 1;

        g_assert_cmpint (sscanf (lines[i], "Max core file size %u %u", &soft, &hard), ==, 2);
        g_assert_cmpuint (soft + hard, ==, 0);
        n++;
      }
  g_assert_cmpuint (n, ==, 1);
}

/* TLS. */

static void
write_pem (const char *path, gnutls_datum_t *pem)
{
  g_autoptr (GError) error = NULL;

  g_file_set_contents (path, (const char *)pem->data, pem->size, &error);
  g_assert_no_error (error);
  gnutls_free (pem->data);
}

static void
make_certificate (const char *cert_file, const char *key_file)
{
  gnutls_x509_crt_t cert;
  gnutls_x509_privkey_t key;
  gnutls_datum_t pem;
  guint8 serial = 1;

  gnutls_x509_privkey_init (&key);
  g_assert_cmpint (gnutls_x509_privkey_generate (
                       key, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS (GNUTLS_ECC_CURVE_SECP256R1), 0),
                   >=, 0);
  gnutls_x509_crt_init (&cert);
  gnutls_x509_crt_set_version (cert, 3);
  gnutls_x509_crt_set_serial (cert, &serial, 1);
  gnutls_x509_crt_set_activation_time (cert, time (NULL) - 3600);
  gnutls_x509_crt_set_expiration_time (cert, time (NULL) + 3600);
  gnutls_x509_crt_set_dn (cert, "CN=localhost", NULL);
  gnutls_x509_crt_set_key (cert, key);
  g_assert_cmpint (gnutls_x509_crt_sign2 (cert, cert, key, GNUTLS_DIG_SHA256, 0), >=, 0);
  gnutls_x509_crt_export2 (cert, GNUTLS_X509_FMT_PEM, &pem);
  write_pem (cert_file, &pem);
  gnutls_x509_privkey_export2 (key, GNUTLS_X509_FMT_PEM, &pem);
  write_pem (key_file, &pem);
  gnutls_x509_crt_deinit (cert);
  gnutls_x509_privkey_deinit (key);
}

static void
test_tls (void)
{
  g_autofree char *dir = g_dir_make_tmp ("als-signald-XXXXXX", NULL);
  g_autofree char *cert = g_build_filename (dir, "cert.pem", NULL);
  g_autofree char *key = g_build_filename (dir, "key.pem", NULL);
  const char *const args[] = { "--tls-cert", cert, "--tls-key", key, NULL };
  g_autoptr (AlsTestServer) server = NULL;
  g_autoptr (AlsTestWs) before = NULL;
  g_autoptr (AlsTestWs) mute = NULL;
  g_autofree char *nothing = NULL;
  uint16_t port;

  make_certificate (cert, key);
  server = als_test_server_start ("[limits]\nhandshake-timeout=3\n", args);
  port = als_test_server_get_port (server);
  mute = als_test_ws_connect (port, FALSE, 0);
  use (port, TRUE, 0);
  use (port, TRUE, 777);
  before = als_test_ws_open (port, TRUE);
  /* Plain words to a TLS port end that connection and no other. */
  for (guint i = 0; i < 3; i++)
    {
      g_autoptr (AlsTestWs) stranger = als_test_ws_connect (port, FALSE, 0);
      g_autofree char *answer = NULL;

      als_test_ws_write (stranger, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", 27);
      answer = als_test_ws_read_all (stranger);
      g_assert_null (strstr (answer, "HTTP"));
    }
  /* A new certificate, while the old one is in use. */
  make_certificate (cert, key);
  als_test_server_signal (server, SIGHUP);
  use (port, TRUE, 0);
  g_assert_cmpuint (als_test_ws_register (before), <, 1000000);
  /* Who never began to speak TLS. */
  nothing = als_test_ws_read_all (mute);
  g_assert_cmpstr (nothing, ==, "");
  g_unlink (cert);
  g_unlink (key);
  g_rmdir (dir);
}

/* Bad clients. */

static void
bad_text (AlsTestWs *ws)
{
  als_test_ws_frame (ws, 0x81, TRUE, "hello", 5);
}

static void
bad_unmasked (AlsTestWs *ws)
{
  als_test_ws_frame (ws, 0x82, FALSE, "\x03", 1);
}

static void
bad_oversized (AlsTestWs *ws)
{
  g_autofree uint8_t *data = g_malloc0 (ALS_SIGNAL_MAX_MESSAGE + 1);

  als_test_ws_frame (ws, 0x82, TRUE, data, ALS_SIGNAL_MAX_MESSAGE + 1);
}

static void
bad_endless (AlsTestWs *ws)
{
  g_autofree uint8_t *data = g_malloc0 (16384);

  als_test_ws_frame (ws, 0x02, TRUE, data, 16384);
  als_test_ws_frame (ws, 0x00, TRUE, data, 16384);
  als_test_ws_frame (ws, 0x00, TRUE, data, 16384);
}

static void
bad_crumbs (AlsTestWs *ws)
{
  als_test_ws_frame (ws, 0x02, TRUE, "", 0);
  for (guint i = 0; i < 300; i++)
    als_test_ws_frame (ws, 0x00, TRUE, "", 0);
}

static void
bad_continuation (AlsTestWs *ws)
{
  als_test_ws_frame (ws, 0x80, TRUE, "x", 1);
}

static void
bad_nesting (AlsTestWs *ws)
{
  als_test_ws_frame (ws, 0x02, TRUE, "x", 1);
  als_test_ws_frame (ws, 0x82, TRUE, "x", 1);
}

static void
bad_extension (AlsTestWs *ws)
{
  als_test_ws_frame (ws, 0xc2, TRUE, "\x03", 1);
}

static void
bad_opcode (AlsTestWs *ws)
{
  als_test_ws_frame (ws, 0x83, TRUE, "x", 1);
}

static void
bad_long_ping (AlsTestWs *ws)
{
  char data[126] = { 0 };

  als_test_ws_frame (ws, 0x89, TRUE, data, sizeof data);
}

static void
bad_huge_length (AlsTestWs *ws)
{
  als_test_ws_write (ws, "\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff\0\0\0\0zz", 16);
}

static void
bad_garbage (AlsTestWs *ws)
{
  g_autoptr (GRand) rand = g_rand_new_with_seed (3);
  uint8_t data[4096];

  for (gsize i = 0; i < sizeof data; i++)
    data[i] = (uint8_t)g_rand_int (rand);
  als_test_ws_write (ws, data, sizeof data);
}

static void
bad_message (AlsTestWs *ws)
{
  als_test_ws_frame (ws, 0x82, TRUE, "\x04\xff\xff\xff\xff", 5);
}

static void
bad_empty (AlsTestWs *ws)
{
  als_test_ws_frame (ws, 0x82, TRUE, "", 0);
}

static void
bad_no_hello (AlsTestWs *ws)
{
  als_test_ws_say_type (ws, ALS_SIGNAL_REGISTER);
}

static void
bad_version (AlsTestWs *ws)
{
  als_test_ws_frame (ws, 0x82, TRUE, "\x01\x00\x09gibberish", 12);
}

static const struct
{
  const char *name;
  void (*misbehave) (AlsTestWs *ws);
  AlsSignalCode code;
  guint close_status;
} bad_clients[] = {
  { "text", bad_text, ALS_SIGNAL_CODE_BAD_MESSAGE, 1003 },
  { "unmasked", bad_unmasked, ALS_SIGNAL_CODE_BAD_MESSAGE, 1002 },
  { "oversized", bad_oversized, ALS_SIGNAL_CODE_BAD_MESSAGE, 1009 },
  { "endless", bad_endless, ALS_SIGNAL_CODE_BAD_MESSAGE, 1009 },
  { "crumbs", bad_crumbs, ALS_SIGNAL_CODE_BAD_MESSAGE, 1002 },
  { "continuation", bad_continuation, ALS_SIGNAL_CODE_BAD_MESSAGE, 1002 },
  { "nesting", bad_nesting, ALS_SIGNAL_CODE_BAD_MESSAGE, 1002 },
  { "extension", bad_extension, ALS_SIGNAL_CODE_BAD_MESSAGE, 1002 },
  { "opcode", bad_opcode, ALS_SIGNAL_CODE_BAD_MESSAGE, 1002 },
  { "long ping", bad_long_ping, ALS_SIGNAL_CODE_BAD_MESSAGE, 1002 },
  { "huge length", bad_huge_length, ALS_SIGNAL_CODE_BAD_MESSAGE, 1009 },
  { "garbage", bad_garbage, ALS_SIGNAL_CODE_BAD_MESSAGE, 1002 },
  { "message", bad_message, ALS_SIGNAL_CODE_BAD_MESSAGE, 1000 },
  { "empty", bad_empty, ALS_SIGNAL_CODE_BAD_MESSAGE, 1000 },
  { "no hello", bad_no_hello, ALS_SIGNAL_CODE_BAD_STATE, 1000 },
  { "version", bad_version, ALS_SIGNAL_CODE_BAD_VERSION, 1000 },
};

static void
test_bad_clients (void)
{
  g_autoptr (AlsTestServer) server = als_test_server_start (NULL, NULL);
  uint16_t port = als_test_server_get_port (server);
  g_autoptr (AlsTestWs) inviter = als_test_ws_open (port, FALSE);
  g_autoptr (AlsTestWs) joiner = als_test_ws_open (port, FALSE);

  als_test_ws_join (joiner, als_test_ws_register (inviter));
  expect (inviter, ALS_SIGNAL_PAIRED);
  expect (joiner, ALS_SIGNAL_PAIRED);
  for (guint i = 0; i < G_N_ELEMENTS (bad_clients); i++)
    {
      g_autoptr (AlsTestWs) bad = als_test_ws_connect (port, FALSE, 0);

      g_test_message ("%s", bad_clients[i].name);
      als_test_ws_upgrade (bad, NULL);
      bad_clients[i].misbehave (bad);
      als_test_ws_expect_error (bad, bad_clients[i].code, TRUE);
      g_assert_cmpuint (als_test_ws_get_close_status (bad), ==, bad_clients[i].close_status);
      /* The others notice nothing. */
      als_test_ws_say_bytes (inviter, ALS_SIGNAL_PEER_MESSAGE, "still", 5);
      expect_payload (joiner, ALS_SIGNAL_PEER_MESSAGE, "still");
      als_test_ws_say_bytes (joiner, ALS_SIGNAL_RELAY, "there", 5);
      expect_payload (inviter, ALS_SIGNAL_RELAY, "there");
    }
}

static const struct
{
  const char *request;
  const char *status;
} bad_requests[] = {
  { "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 200 OK\r\n" },
  { "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 426 " },
  { "POST / HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 405 " },
  { "GET /x HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 404 " },
  { "\x16\x03\x01\x02\x00\x01\x00", "HTTP/1.1 408 " },
  { "\n", "HTTP/1.1 400 " },
};

static void
test_bad_requests (void)
{
  g_autoptr (AlsTestServer) server
      = als_test_server_start ("[limits]\nhandshake-timeout=1\n", NULL);
  uint16_t port = als_test_server_get_port (server);
  g_autofree char *long_line = g_strnfill (9000, 'a');
  g_autoptr (AlsTestWs) ws = NULL;
  g_autofree char *answer = NULL;

  for (guint i = 0; i < G_N_ELEMENTS (bad_requests); i++)
    {
      g_autoptr (AlsTestWs) bad = als_test_ws_connect (port, FALSE, 0);
      g_autofree char *bad_answer = NULL;

      als_test_ws_write (bad, bad_requests[i].request, strlen (bad_requests[i].request));
      bad_answer = als_test_ws_read_all (bad);
      g_assert_true (g_str_has_prefix (bad_answer, bad_requests[i].status));
    }
  ws = als_test_ws_connect (port, FALSE, 0);
  als_test_ws_write (ws, long_line, 9000);
  answer = als_test_ws_read_all (ws);
  g_assert_true (g_str_has_prefix (answer, "HTTP/1.1 431 "));
}

/* Nothing said at all, half a request, and silence after the greeting. */
static void
test_silence (void)
{
  g_autoptr (AlsTestServer) server
      = als_test_server_start ("[limits]\nhandshake-timeout=2\n[rendezvous]\nheartbeat=1\n", NULL);
  uint16_t port = als_test_server_get_port (server);
  g_autoptr (AlsTestWs) mute = als_test_ws_connect (port, FALSE, 0);
  g_autoptr (AlsTestWs) half = als_test_ws_connect (port, FALSE, 0);
  g_autoptr (AlsTestWs) silent = als_test_ws_open (port, FALSE);
  g_autoptr (AlsTestWs) alive = als_test_ws_open (port, FALSE);
  g_autoptr (AlsTestWs) pinging = als_test_ws_open (port, FALSE);
  g_autofree char *mute_answer = NULL;
  g_autofree char *half_answer = NULL;
  int64_t start_us = g_get_monotonic_time ();

  als_test_ws_write (half, "GET / HTTP", 10);
  mute_answer = als_test_ws_read_all (mute);
  half_answer = als_test_ws_read_all (half);
  g_assert_true (g_str_has_prefix (mute_answer, "HTTP/1.1 408 "));
  g_assert_true (g_str_has_prefix (half_answer, "HTTP/1.1 408 "));
  g_assert_cmpint (g_get_monotonic_time () - start_us, <, 8 * G_USEC_PER_SEC);
  /* Two that are heard of, each by a ping of another kind. */
  while (!als_test_ws_wait (silent, 300))
    {
      als_test_ws_frame (pinging, 0x89, TRUE, "", 0);
      als_test_ws_say_type (alive, ALS_SIGNAL_PING);
      expect (alive, ALS_SIGNAL_PONG);
    }
  als_test_ws_expect_error (silent, ALS_SIGNAL_CODE_IDLE, TRUE);
  g_assert_cmpint (g_get_monotonic_time () - start_us, >=, 2900 * 1000);
  g_assert_cmpuint (als_test_ws_register (alive), !=, als_test_ws_register (pinging));
}

/* The loss of one side reaches the other at once, without a goodbye. */
static void
test_loss (void)
{
  g_autoptr (AlsTestServer) server = als_test_server_start (NULL, NULL);
  uint16_t port = als_test_server_get_port (server);
  g_autoptr (AlsTestWs) inviter = als_test_ws_open (port, FALSE);
  AlsTestWs *joiner = als_test_ws_open (port, FALSE);
  g_autoptr (AlsSignalMessage) unpair = NULL;

  als_test_ws_join (joiner, als_test_ws_register (inviter));
  expect (inviter, ALS_SIGNAL_PAIRED);
  als_test_ws_free (joiner);
  unpair = als_test_ws_expect (inviter, ALS_SIGNAL_UNPAIR);
  g_assert_cmpuint (unpair->reason, ==, ALS_SIGNAL_UNPAIR_LOST);
}

/* The receiver's window is full, so relayed frames wait in the server; signals pass them. */
static void
test_signal_overtakes (void)
{
  enum
  {
    N_FRAMES = 60,
    FRAME = 1024
  };
  g_autoptr (AlsTestServer) server = als_test_server_start (NULL, NULL);
  uint16_t port = als_test_server_get_port (server);
  g_autoptr (AlsTestWs) sender = als_test_ws_open (port, FALSE);
  g_autoptr (AlsTestWs) receiver = als_test_ws_connect (port, FALSE, 2048);
  char frame[FRAME] = { 0 };
  guint relayed_before = 0, relayed = 0;
  gboolean was_signalled = FALSE;

  als_test_ws_upgrade (receiver, NULL);
  als_test_ws_frame (receiver, 0x82, TRUE, "\x01\x00\x01\x00\x01x", 6);
  expect (receiver, ALS_SIGNAL_WELCOME);
  als_test_ws_join (receiver, als_test_ws_register (sender));
  expect (receiver, ALS_SIGNAL_PAIRED);
  expect (sender, ALS_SIGNAL_PAIRED);
  for (guint i = 0; i < N_FRAMES; i++)
    als_test_ws_say_bytes (sender, ALS_SIGNAL_RELAY, frame, FRAME);
  /* The server has had them, and given the kernel what it takes. */
  als_test_ws_say_type (sender, ALS_SIGNAL_PING);
  expect (sender, ALS_SIGNAL_PONG);
  als_test_ws_say_bytes (sender, ALS_SIGNAL_PEER_MESSAGE, "urgent", 6);
  als_test_ws_say_type (sender, ALS_SIGNAL_PING);
  expect (sender, ALS_SIGNAL_PONG);
  while (relayed < N_FRAMES || !was_signalled)
    {
      g_autoptr (AlsSignalMessage) message = als_test_ws_hear (receiver);

      g_assert_nonnull (message);
      if (message->type == ALS_SIGNAL_RELAY)
        relayed++;
      else
        {
          g_assert_cmpint (message->type, ==, ALS_SIGNAL_PEER_MESSAGE);
          was_signalled = TRUE;
          relayed_before = relayed;
        }
    }
  g_test_message ("%u of %u frames came before", relayed_before, N_FRAMES);
  g_assert_cmpuint (relayed_before, >, 0);
  g_assert_cmpuint (relayed_before, <, N_FRAMES / 2);
}

static void
test_relay_abuse (void)
{
  g_autoptr (AlsTestServer) server = als_test_server_start (NULL, NULL);
  uint16_t port = als_test_server_get_port (server);
  g_autoptr (AlsTestWs) sender = als_test_ws_open (port, FALSE);
  g_autoptr (AlsTestWs) receiver = als_test_ws_open (port, FALSE);
  g_autofree char *frame = g_malloc0 (16384);
  guint n_relayed = 0;

  als_test_ws_join (receiver, als_test_ws_register (sender));
  expect (receiver, ALS_SIGNAL_PAIRED);
  expect (sender, ALS_SIGNAL_PAIRED);
  /* 8 MiB at once, nobody reading. */
  for (guint i = 0; i < 512; i++)
    als_test_ws_say_bytes (sender, ALS_SIGNAL_RELAY, frame, 16384);
  for (;;)
    {
      g_autoptr (AlsSignalMessage) message = als_test_ws_hear (receiver);

      g_assert_nonnull (message);
      if (message->type == ALS_SIGNAL_UNPAIR)
        {
          g_assert_cmpuint (message->reason, ==, ALS_SIGNAL_UNPAIR_RELAY_ABUSE);
          break;
        }
      n_relayed++;
    }
  expect (sender, ALS_SIGNAL_UNPAIR);
  g_assert_cmpuint (n_relayed, <, 128);
  als_test_ws_say_bytes (sender, ALS_SIGNAL_PEER_MESSAGE, "sorry", 5);
  for (;;)
    {
      g_autoptr (AlsSignalMessage) message = als_test_ws_hear (receiver);

      g_assert_nonnull (message);
      if (message->type == ALS_SIGNAL_PEER_MESSAGE)
        break;
      g_assert_cmpint (message->type, ==, ALS_SIGNAL_RELAY);
    }
}

/* Somebody asks and asks and never reads: only that connection ends. */
static void
test_never_reads (void)
{
  g_autoptr (AlsTestServer) server = als_test_server_start (NULL, NULL);
  uint16_t port = als_test_server_get_port (server);
  g_autoptr (AlsTestWs) deaf = als_test_ws_connect (port, FALSE, 2048);
  char ping[125] = { 0 };
  g_autofree char *rest = NULL;

  als_test_ws_upgrade (deaf, NULL);
  for (guint i = 0; i < 40000; i++)
    als_test_ws_frame (deaf, 0x89, TRUE, ping, sizeof ping);
  rest = als_test_ws_read_all (deaf);
  use (port, FALSE, 0);
}

/* Limits. */

static void
test_full (void)
{
  g_autoptr (AlsTestServer) server
      = als_test_server_start ("[limits]\nconnections=2\nconnect-burst=1000\n", NULL);
  uint16_t port = als_test_server_get_port (server);
  g_autoptr (AlsTestWs) a = als_test_ws_open (port, FALSE);
  AlsTestWs *b = als_test_ws_open (port, FALSE);
  g_autoptr (AlsTestWs) c = als_test_ws_connect (port, FALSE, 0);
  g_autoptr (AlsTestWs) d = NULL;

  als_test_ws_upgrade (c, NULL);
  als_test_ws_expect_error (c, ALS_SIGNAL_CODE_FULL, TRUE);
  als_test_ws_say_type (b, ALS_SIGNAL_UNREGISTER);
  als_test_ws_free (b);
  /* Room again, once the server has noticed. */
  for (guint i = 0; d == NULL && i < 100; i++)
    {
      g_autoptr (AlsTestWs) try = als_test_ws_connect (port, FALSE, 0);
      g_autoptr (AlsSignalMessage) answer = NULL;

      als_test_ws_upgrade (try, NULL);
      als_test_ws_frame (try, 0x82, TRUE, "\x01\x00\x01\x00\x01x", 6);
      answer = als_test_ws_hear (try);
      if (answer != NULL && answer->type == ALS_SIGNAL_WELCOME)
        d = g_steal_pointer (&try);
    }
  g_assert_nonnull (d);
  g_assert_cmpuint (als_test_ws_register (a), !=, als_test_ws_register (d));
}

static void
test_full_address (void)
{
  g_autoptr (AlsTestServer) server
      = als_test_server_start ("[limits]\nconnections-per-address=2\n", NULL);
  uint16_t port = als_test_server_get_port (server);
  g_autoptr (AlsTestWs) a = als_test_ws_open (port, FALSE);
  g_autoptr (AlsTestWs) b = als_test_ws_open (port, FALSE);
  g_autoptr (AlsTestWs) c = als_test_ws_connect (port, FALSE, 0);

  als_test_ws_upgrade (c, NULL);
  als_test_ws_expect_error (c, ALS_SIGNAL_CODE_FULL, TRUE);
}

static AlsTestWs *
open_through_proxy (uint16_t port, const char *forwarded)
{
  AlsTestWs *ws = als_test_ws_connect (port, FALSE, 0);

  als_test_ws_upgrade (ws, forwarded);
  als_test_ws_frame (ws, 0x82, TRUE, "\x01\x00\x01\x00\x01x", 6);
  expect (ws, ALS_SIGNAL_WELCOME);
  return ws;
}

/* Behind a proxy of ours its clients are told apart; a stranger's word counts for nothing. */
static void
test_proxy (void)
{
  for (guint trusted = 0; trusted < 2; trusted++)
    {
      const char *config = trusted
                               ? "[server]\ntrusted-proxies=127.0.0.0/8\n[limits]\njoin-burst=1\n"
                               : "[limits]\njoin-burst=1\n";
      g_autoptr (AlsTestServer) server = als_test_server_start (config, NULL);
      uint16_t port = als_test_server_get_port (server);
      g_autoptr (AlsTestWs) a
          = open_through_proxy (port, "X-Forwarded-For: 6.6.6.6, 192.0.2.1\r\n");
      g_autoptr (AlsTestWs) b = open_through_proxy (port, "X-Forwarded-For: 192.0.2.2\r\n");
      g_autoptr (AlsTestWs) again
          = open_through_proxy (port, "X-Forwarded-For: 7.7.7.7, 192.0.2.1\r\n");

      als_test_ws_join (a, 1);
      expect (a, ALS_SIGNAL_WAITING);
      als_test_ws_join (b, 2);
      if (trusted)
        expect (b, ALS_SIGNAL_WAITING);
      else
        als_test_ws_expect_error (b, ALS_SIGNAL_CODE_RATE_LIMITED, FALSE);
      als_test_ws_join (again, 3);
      als_test_ws_expect_error (again, ALS_SIGNAL_CODE_RATE_LIMITED, FALSE);
    }
}

static void
test_ice (void)
{
  g_autoptr (AlsTestServer) server
      = als_test_server_start ("[ice]\nstun=stun.example:3478\nturn=192.0.2.1:3478;[2001:db8::1]:"
                               "3478\nturns=turn.example:443\n"
                               "turn-secret=north\n",
                               NULL);
  uint16_t port = als_test_server_get_port (server);
  g_autoptr (AlsTestWs) a = als_test_ws_open (port, FALSE);
  g_autoptr (AlsTestWs) b = als_test_ws_open (port, FALSE);
  g_autoptr (AlsSignalMessage) paired = NULL;
  const AlsIceServer *stun, *turn;
  g_autofree char *mac = NULL;
  int64_t expiry_s;

  als_test_ws_join (b, als_test_ws_register (a));
  paired = als_test_ws_expect (b, ALS_SIGNAL_PAIRED);
  g_assert_cmpuint (paired->servers->len, ==, 4);
  stun = g_ptr_array_index (paired->servers, 0);
  turn = g_ptr_array_index (paired->servers, 2);
  g_assert_cmpint (stun->kind, ==, ALS_ICE_SERVER_STUN);
  g_assert_null (stun->username);
  g_assert_cmpstr (turn->host, ==, "2001:db8::1");
  expiry_s = g_ascii_strtoll (turn->username, NULL, 10) - g_get_real_time () / G_USEC_PER_SEC;
  g_assert_cmpint (expiry_s, >, 12 * 3600 - 60);
  g_assert_cmpint (expiry_s, <=, 12 * 3600);
  {
    g_autofree char *hex = g_compute_hmac_for_string (G_CHECKSUM_SHA1, (const guchar *)"north", 5,
                                                      turn->username, -1);
    guint8 bytes[20];

    for (guint i = 0; i < sizeof bytes; i++)
      bytes[i] = (guint8)(g_ascii_xdigit_value (hex[2 * i]) << 4
                          | g_ascii_xdigit_value (hex[2 * i + 1]));
    mac = g_base64_encode (bytes, sizeof bytes);
  }
  g_assert_cmpstr (turn->credential, ==, mac);
}

/* 1,000 wait for somebody, one of them is found, and all hear of the end. */
static void
test_thousand (void)
{
  enum
  {
    N = 1000
  };
  g_autoptr (AlsTestServer) server = als_test_server_start (GENEROUS, NULL);
  uint16_t port = als_test_server_get_port (server);
  g_autoptr (GHashTable) numbers = g_hash_table_new (NULL, NULL);
  g_autoptr (AlsTestWs) joiner = als_test_ws_open (port, FALSE);
  AlsTestWs *crowd[N];
  uint32_t number[N];
  struct rlimit limit;

  getrlimit (RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit (RLIMIT_NOFILE, &limit);
  if (limit.rlim_cur < N + 100)
    {
      g_test_skip ("not enough file descriptors are allowed");
      return;
    }
  for (guint i = 0; i < N; i++)
    {
      crowd[i] = als_test_ws_open (port, FALSE);
      number[i] = als_test_ws_register (crowd[i]);
      g_assert_true (g_hash_table_add (numbers, GUINT_TO_POINTER (number[i])));
    }
  als_test_ws_join (joiner, number[617]);
  expect (crowd[617], ALS_SIGNAL_PAIRED);
  expect (joiner, ALS_SIGNAL_PAIRED);
  als_test_server_signal (server, SIGTERM);
  for (guint i = 0; i < N; i++)
    {
      als_test_ws_expect_error (crowd[i], ALS_SIGNAL_CODE_SHUTTING_DOWN, TRUE);
      als_test_ws_free (crowd[i]);
    }
  /* Its partner, who was silent for longer, went first. */
  expect (joiner, ALS_SIGNAL_UNPAIR);
  als_test_ws_expect_error (joiner, ALS_SIGNAL_CODE_SHUTTING_DOWN, TRUE);
  g_clear_pointer (&joiner, als_test_ws_free);
  g_assert_cmpint (als_test_server_wait (server), ==, 0);
}

/* Without --verbose nothing that leads to a person is logged. */
static void
test_log (void)
{
  g_autoptr (AlsTestServer) server = als_test_server_start (NULL, NULL);
  uint16_t port = als_test_server_get_port (server);
  g_autoptr (AlsTestWs) inviter = als_test_ws_open (port, FALSE);
  g_autoptr (AlsTestWs) bad = als_test_ws_connect (port, FALSE, 0);
  g_autofree char *number = g_strdup_printf ("%06u", als_test_ws_register (inviter));
  g_auto (GStrv) lines = NULL;

  als_test_ws_upgrade (bad, NULL);
  bad_garbage (bad);
  als_test_ws_expect_error (bad, ALS_SIGNAL_CODE_BAD_MESSAGE, TRUE);
  als_test_server_signal (server, SIGTERM);
  als_test_ws_expect_error (inviter, ALS_SIGNAL_CODE_SHUTTING_DOWN, TRUE);
  g_clear_pointer (&inviter, als_test_ws_free);
  g_assert_cmpint (als_test_server_wait (server), ==, 0);
  g_assert_null (strstr (als_test_server_get_log (server), number));
  g_assert_null (strstr (als_test_server_get_log (server), "127.0.0.1"));
  lines = g_strsplit (g_strchomp ((char *)als_test_server_get_log (server)), "\n", -1);
  g_assert_cmpuint (g_strv_length (lines), ==, 3);
}

/* The private server. */

static void
test_private (void)
{
  g_autofree char *dir = g_dir_make_tmp ("als-signald-XXXXXX", NULL);
  g_autofree char *lock = g_build_filename (dir, "server", NULL);
  const char *const args[] = { "--private", "--lock-file", lock, NULL };
  g_autoptr (AlsTestServer) server
      = als_test_server_start ("[server]\nexit-after=1\nexit-after-start=60\n", args);
  uint16_t port = als_test_server_get_port (server);
  g_autofree char *text = NULL;
  g_autofree char *wanted = g_strdup_printf ("ws://127.0.0.1:%u\n", port);
  g_autofree char *log = NULL;
  struct stat st;

  /* A second one leaves the first alone. */
  g_assert_cmpint (als_test_server_run (args, &log), ==, 3);
  g_assert_nonnull (strstr (log, "cannot lock"));
  use (port, FALSE, 0);
  while (text == NULL || *text == '\0')
    {
      g_free (text);
      g_assert_true (g_file_get_contents (lock, &text, NULL, NULL));
    }
  g_assert_cmpstr (text, ==, wanted);
  g_assert_cmpint (g_stat (lock, &st), ==, 0);
  g_assert_cmpuint (st.st_mode & 0777, ==, 0600);
  /* Its last client has gone. */
  g_assert_cmpint (als_test_server_wait (server), ==, 0);
  g_clear_pointer (&text, g_free);
  g_assert_true (g_file_get_contents (lock, &text, NULL, NULL));
  g_assert_cmpstr (text, ==, "");
  g_unlink (lock);
  g_rmdir (dir);
}

static void
test_private_lan (void)
{
  g_autofree char *dir = g_dir_make_tmp ("als-signald-XXXXXX", NULL);
  g_autofree char *lock = g_build_filename (dir, "server", NULL);
  const char *const args[] = { "--private", "--lock-file", lock, "--listen", "0.0.0.0:0", NULL };
  g_autoptr (AlsTestServer) server = als_test_server_start (NULL, args);
  g_autofree char *wanted
      = g_strdup_printf ("ws://127.0.0.1:%u\n", als_test_server_get_port (server));
  g_autofree char *text = NULL;
  g_auto (GStrv) lines = NULL;

  while (text == NULL || *text == '\0')
    {
      g_free (text);
      g_assert_true (g_file_get_contents (lock, &text, NULL, NULL));
    }
  g_assert_true (g_str_has_prefix (text, wanted));
  lines = g_strsplit (text, "\n", -1);
  for (guint i = 1; lines[i] != NULL && *lines[i] != '\0'; i++)
    {
      g_assert_true (g_str_has_prefix (lines[i], "ws://"));
      g_assert_null (strstr (lines[i], "127.0.0.1"));
      g_assert_null (strstr (lines[i], "0.0.0.0"));
    }
  g_clear_pointer (&server, als_test_server_free);
  g_unlink (lock);
  g_rmdir (dir);
}

static void
test_wrong_options (void)
{
  const struct
  {
    const char *args[5];
    int code;
    const char *text;
  } cases[] = {
    { { NULL }, 2, "no address to listen on" },
    { { "--nonsense", NULL }, 2, "--nonsense" },
    { { "extra", NULL }, 2, "extra is not an option" },
    { { "--listen", "localhost:1", NULL }, 2, "--listen localhost:1: not ADDRESS:PORT" },
    { { "--listen", "127.0.0.1:0", "--tls-cert", "/nonexistent", NULL },
      2,
      "tls-cert and tls-key" },
    { { "--listen", "192.0.2.77:1", NULL }, 1, "cannot listen on 192.0.2.77:1" },
    { { "--config", "/nonexistent", NULL }, 2, "/nonexistent" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *log = NULL;

      g_assert_cmpint (als_test_server_run (cases[i].args, &log), ==, cases[i].code);
      g_test_message ("%s", log);
      g_assert_nonnull (strstr (log, cases[i].text));
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(name, func) g_test_add_func ("/signald/" name, func)
  ADD ("introduces-two-clients", test_pair);
  ADD ("takes-bytes-in-any-pieces", test_pieces);
  ADD ("takes-frames-right-behind-the-request", test_impatient);
  ADD ("leaves-no-core-file", test_no_core);
  ADD ("speaks-tls-and-takes-a-new-certificate", test_tls);
  ADD ("names-what-a-bad-client-did-and-goes-on", test_bad_clients);
  ADD ("answers-other-requests-with-a-status", test_bad_requests);
  ADD ("closes-the-silent", test_silence);
  ADD ("tells-of-a-lost-partner-at-once", test_loss);
  ADD ("signalling-overtakes-relayed-frames", test_signal_overtakes);
  ADD ("ends-the-relay-of-who-floods-it", test_relay_abuse);
  ADD ("ends-who-never-reads", test_never_reads);
  ADD ("says-when-it-is-full", test_full);
  ADD ("says-when-an-address-has-too-many", test_full_address);
  ADD ("believes-its-own-proxy-only", test_proxy);
  ADD ("makes-turn-logins", test_ice);
  ADD ("holds-a-thousand-and-says-goodbye", test_thousand);
  ADD ("logs-nothing-that-leads-to-a-person", test_log);
  ADD ("private-one-is-found-and-ends-by-itself", test_private);
  ADD ("private-one-tells-its-lan-address", test_private_lan);
  ADD ("wrong-options-are-named", test_wrong_options);
  return g_test_run ();
}
