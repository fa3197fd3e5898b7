/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* What comes out does not depend on how the input was cut, and keeps the limits. */

#include "server/als-web-socket.h"

#define MAX_MESSAGE 300

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static void
note (GChecksum *sum, char kind, const uint8_t *data, size_t len)
{
  uint32_t length = (uint32_t)len;

  g_checksum_update (sum, (const guchar *)&kind, 1);
  g_checksum_update (sum, (const guchar *)&length, sizeof length);
  if (len > 0)
    g_checksum_update (sum, data, (gssize)len);
}

static void
on_message (const uint8_t *data, size_t len, gpointer user_data)
{
  g_assert_cmpuint (len, <=, MAX_MESSAGE);
  note (user_data, 'm', data, len);
}

static void
on_ping (const uint8_t *data, size_t len, gpointer user_data)
{
  g_assert_cmpuint (len, <=, 125);
  note (user_data, 'p', data, len);
  g_bytes_unref (als_web_socket_make_pong (data, len));
}

static void
on_closed (gpointer user_data)
{
  note (user_data, 'c', NULL, 0);
}

static void
on_broken (AlsWebSocketStatus status, const char *text, gpointer user_data)
{
  note (user_data, 'b', (const uint8_t *)&status, sizeof status);
}

static const AlsWebSocketEvents events = { on_message, on_ping, on_closed, on_broken };

static char *
run (const uint8_t *data, size_t size, size_t piece)
{
  g_autoptr (GChecksum) sum = g_checksum_new (G_CHECKSUM_SHA256);
  g_autoptr (AlsWebSocket) ws = als_web_socket_new (MAX_MESSAGE, &events, sum);

  for (size_t at = 0; at < size; at += piece)
    als_web_socket_feed (ws, data + at, MIN (piece, size - at));
  return g_strdup (g_checksum_get_string (sum));
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autofree char *whole = run (data, size, MAX (size, 1));
  g_autofree char *cut = run (data, size, 3);

  g_assert_cmpstr (whole, ==, cut);
  return 0;
}
