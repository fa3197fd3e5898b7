/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "server/als-http-upgrade.h"

#include <string.h>

#define KEY "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define REST "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
#define PROTOCOL "Sec-WebSocket-Protocol: alongside.1\r\n"
#define GOOD "GET / HTTP/1.1\r\nHost: a\r\n" REST KEY PROTOCOL "\r\n"

/* Feeds TEXT in pieces and yields the verdict; LEFT: what was not the request's. */
static AlsHttpUpgradeVerdict
feed (AlsHttpUpgrade *http, const char *text, size_t len, size_t piece, size_t *left)
{
  size_t at = 0;

  while (at < len)
    {
      size_t n = MIN (piece, len - at);
      size_t used;
      AlsHttpUpgradeVerdict verdict
          = als_http_upgrade_feed (http, (const uint8_t *)text + at, n, &used);

      g_assert_cmpuint (used, <=, n);
      at += used;
      if (verdict != ALS_HTTP_UPGRADE_MORE)
        {
          *left = len - at;
          return verdict;
        }
      g_assert_cmpuint (used, ==, n);
    }
  *left = 0;
  return ALS_HTTP_UPGRADE_MORE;
}

static void
assert_status (const char *text, const char *status)
{
  for (size_t piece = 1; piece <= 8192; piece *= 8)
    {
      g_autoptr (AlsHttpUpgrade) http = als_http_upgrade_new ("alongside.1");
      AlsHttpUpgradeVerdict verdict;
      size_t left;

      verdict = feed (http, text, strlen (text), piece, &left);
      if (status == NULL)
        {
          g_assert_cmpint (verdict, ==, ALS_HTTP_UPGRADE_MORE);
          continue;
        }
      g_assert_cmpint (verdict, !=, ALS_HTTP_UPGRADE_MORE);
      if (!g_str_has_prefix (als_http_upgrade_get_answer (http) + strlen ("HTTP/1.1 "), status))
        g_error ("%s was answered with %s", text, als_http_upgrade_get_answer (http));
      g_assert_true ((verdict == ALS_HTTP_UPGRADE_SWITCH) == (strcmp (status, "101") == 0));
      g_assert_true ((verdict == ALS_HTTP_UPGRADE_HEALTH) == (strcmp (status, "200") == 0));
    }
}

static void
test_pieces (void)
{
  const char text[] = GOOD "\x82\x80";

  for (size_t piece = 1; piece < sizeof text; piece++)
    {
      g_autoptr (AlsHttpUpgrade) http = als_http_upgrade_new ("alongside.1");
      size_t left;

      g_assert_cmpint (feed (http, text, sizeof text - 1, piece, &left), ==,
                       ALS_HTTP_UPGRADE_SWITCH);
      g_assert_cmpuint (left, ==, 2);
      /* RFC 6455, 1.3 */
      g_assert_nonnull (
          strstr (als_http_upgrade_get_answer (http), "Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
      g_assert_true (g_str_has_suffix (als_http_upgrade_get_answer (http), "\r\n\r\n"));
    }
}

static void
test_accepted (void)
{
  assert_status (GOOD, "101");
  assert_status ("GET /v1 HTTP/1.1\r\nHost: a\r\n" REST KEY PROTOCOL "\r\n", "101");
  assert_status (
      "GET / HTTP/1.1\r\nhost:a\r\nupgrade:WebSocket\r\nCONNECTION: keep-alive , UPGRADE\r\n"
      "sec-websocket-version:13\r\n" KEY "sec-websocket-protocol: x, alongside.1\r\n"
      "Origin: http://b\r\nX-Other:\r\n\r\n",
      "101");
  assert_status ("GET / HTTP/1.1\r\nHost: a\r\n" REST KEY
                 "Sec-WebSocket-Protocol: x\r\nSec-WebSocket-Protocol: alongside.1\r\n\r\n",
                 "101");
  assert_status ("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n" REST KEY PROTOCOL "\r\n",
                 "101");
  assert_status ("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n", "200");
}

static void
test_incomplete (void)
{
  assert_status ("GET / HTTP/1.1\r\nHost: a\r\n", NULL);
  assert_status ("GET / HTTP/1.1\r\nHost: a\r\n\r", NULL);
  assert_status ("\r", NULL);
}

static void
test_refused (void)
{
  /* The request line. */
  assert_status ("GET /\r\n\r\n", "400");
  assert_status ("GET  / HTTP/1.1\r\n\r\n", "400");
  assert_status ("GET / HTTP/1.1 x\r\nHost: a\r\n\r\n", "400");
  assert_status ("\r\n\r\n", "400");
  assert_status ("G(T / HTTP/1.1\r\nHost: a\r\n\r\n", "400");
  assert_status ("GET / HTTP/1.0\r\nHost: a\r\n\r\n", "505");
  assert_status ("GET / HTTP/2.0\r\nHost: a\r\n\r\n", "505");
  assert_status ("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", "405");
  assert_status ("GET /? HTTP/1.1\r\nHost: a\r\n" REST KEY PROTOCOL "\r\n", "404");
  assert_status ("GET http://a/ HTTP/1.1\r\nHost: a\r\n" REST KEY PROTOCOL "\r\n", "404");
  /* Line ends. */
  assert_status ("GET / HTTP/1.1\nHost: a\n\n", "400");
  assert_status ("GET / HTTP/1.1\rHost: a\r\n\r\n", "400");
  /* Headers. */
  assert_status ("GET / HTTP/1.1\r\n" REST KEY PROTOCOL "\r\n", "400");
  assert_status ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n" REST KEY PROTOCOL "\r\n", "400");
  assert_status ("GET / HTTP/1.1\r\nHost: a\r\n folded\r\n" REST KEY PROTOCOL "\r\n", "400");
  assert_status ("GET / HTTP/1.1\r\nHost : a\r\n" REST KEY PROTOCOL "\r\n", "400");
  assert_status ("GET / HTTP/1.1\r\nHost: a\r\nno colon\r\n" REST KEY PROTOCOL "\r\n", "400");
  assert_status ("GET / HTTP/1.1\r\nHost: a\r\n: x\r\n" REST KEY PROTOCOL "\r\n", "400");
  assert_status ("GET / HTTP/1.1\r\nHost: a\r\nX: \x01\r\n" REST KEY PROTOCOL "\r\n", "400");
  assert_status ("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n" REST KEY PROTOCOL "\r\n",
                 "400");
  assert_status ("GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n" REST KEY PROTOCOL
                 "\r\n",
                 "400");
  /* WebSocket. */
  assert_status ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "426");
  assert_status ("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n" KEY PROTOCOL
                 "\r\n",
                 "426");
  assert_status (
      "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: close\r\n" KEY PROTOCOL
      "\r\n",
      "426");
  assert_status ("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                 "Sec-WebSocket-Version: 8\r\n" KEY PROTOCOL "\r\n",
                 "426");
  assert_status ("GET / HTTP/1.1\r\nHost: a\r\n" REST PROTOCOL "\r\n", "400");
  assert_status ("GET / HTTP/1.1\r\nHost: a\r\n" REST KEY KEY PROTOCOL "\r\n", "400");
  assert_status ("GET / HTTP/1.1\r\nHost: a\r\n" REST
                 "Sec-WebSocket-Key: dGhlIHNhbXBsZQ==\r\n" PROTOCOL "\r\n",
                 "400");
  assert_status ("GET / HTTP/1.1\r\nHost: a\r\n" REST
                 "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j*Q==\r\n" PROTOCOL "\r\n",
                 "400");
  assert_status ("GET / HTTP/1.1\r\nHost: a\r\n" REST KEY "\r\n", "400");
  assert_status ("GET / HTTP/1.1\r\nHost: a\r\n" REST KEY
                 "Sec-WebSocket-Protocol: Alongside.1\r\n\r\n",
                 "400");
}

static void
test_nul (void)
{
  g_autoptr (AlsHttpUpgrade) http = als_http_upgrade_new ("alongside.1");
  const char text[] = "GET / HTTP/1.1\r\nHost: a\0b\r\n\r\n";
  size_t left;

  g_assert_cmpint (feed (http, text, sizeof text - 1, 1, &left), ==, ALS_HTTP_UPGRADE_REFUSE);
}

static void
test_limits (void)
{
  g_autofree char *line = g_strnfill (8191, 'a');
  g_autofree char *longer = g_strnfill (8192, 'a');
  g_autoptr (GString) many = g_string_new ("GET / HTTP/1.1\r\nHost: a\r\n");

  assert_status (line, NULL);
  assert_status (longer, "431");
  for (guint i = 0; i < 64; i++)
    g_string_append (many, "X: y\r\n");
  g_string_append (many, "\r\n");
  assert_status (many->str, "400");
}

static void
test_forwarded (void)
{
  g_autoptr (AlsHttpUpgrade) http = als_http_upgrade_new ("alongside.1");
  const char text[] = "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 1.1.1.1\r\nX-Forwarded-For: "
                      "2.2.2.2,  ::3 \r\n" REST KEY PROTOCOL "\r\n";
  size_t left;

  g_assert_cmpint (feed (http, text, strlen (text), 100, &left), ==, ALS_HTTP_UPGRADE_SWITCH);
  g_assert_cmpstr (als_http_upgrade_get_forwarded (http), ==, "::3");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/server/http-upgrade/takes-any-pieces-and-leaves-the-rest", test_pieces);
  g_test_add_func ("/server/http-upgrade/switches-on-what-the-standard-allows", test_accepted);
  g_test_add_func ("/server/http-upgrade/waits-for-the-end", test_incomplete);
  g_test_add_func ("/server/http-upgrade/refuses-with-a-fitting-status", test_refused);
  g_test_add_func ("/server/http-upgrade/refuses-a-nul", test_nul);
  g_test_add_func ("/server/http-upgrade/has-limits", test_limits);
  g_test_add_func ("/server/http-upgrade/finds-what-the-last-proxy-says", test_forwarded);
  return g_test_run ();
}
