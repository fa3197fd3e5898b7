/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#define G_LOG_DOMAIN "als-test"

#include "config.h"

#include "path/als-ice-uri.h"

#include <string.h>

static void
test_forms_of_the_rfcs (void)
{
  static const struct
  {
    const char *uri;
    AlsPathServerKind kind;
    const char *host;
    uint16_t port;
    const char *username, *password;
  } cases[] = {
    { "stun:example.org", ALS_PATH_SERVER_STUN, "example.org", 3478, NULL, NULL },
    { "STUN:example.org:443", ALS_PATH_SERVER_STUN, "example.org", 443, NULL, NULL },
    { "stun:192.0.2.7:1", ALS_PATH_SERVER_STUN, "192.0.2.7", 1, NULL, NULL },
    { "stun:[2001:db8::7]", ALS_PATH_SERVER_STUN, "2001:db8::7", 3478, NULL, NULL },
    { "stun:[2001:db8::7]:65535", ALS_PATH_SERVER_STUN, "2001:db8::7", 65535, NULL, NULL },
    { "turn:t.example?username=a&credential=b", ALS_PATH_SERVER_TURN, "t.example", 3478, "a", "b" },
    { "turn:t.example:80?transport=tcp&username=1700000000%3Aab&credential=x%2By%3D%26",
      ALS_PATH_SERVER_TURN, "t.example", 80, "1700000000:ab", "x+y=&" },
    { "turns:t.example?credential=b&username=a&transport=tcp", ALS_PATH_SERVER_TURNS, "t.example",
      5349, "a", "b" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (AlsPathServer) server = als_ice_uri_parse (cases[i].uri, &error), again = NULL;
      g_autofree char *uri = NULL;

      g_assert_no_error (error);
      g_assert_cmpint (server->kind, ==, cases[i].kind);
      g_assert_cmpstr (server->host, ==, cases[i].host);
      g_assert_cmpuint (server->port, ==, cases[i].port);
      g_assert_cmpstr (server->username, ==, cases[i].username);
      g_assert_cmpstr (server->password, ==, cases[i].password);
      uri = als_ice_uri_make (server);
      again = als_ice_uri_parse (uri, &error);
      g_assert_no_error (error);
      g_assert_cmpstr (again->host, ==, server->host);
      g_assert_cmpstr (again->password, ==, server->password);
    }
}

static void
test_bad_ones_are_named (void)
{
  static const struct
  {
    const char *uri;
    AlsIceUriError code;
  } cases[] = {
    { "", ALS_ICE_URI_ERROR_SCHEME },
    { "example.org", ALS_ICE_URI_ERROR_SCHEME },
    { "https://example.org", ALS_ICE_URI_ERROR_SCHEME },
    { "stuns:example.org", ALS_ICE_URI_ERROR_SCHEME },
    { "stun:", ALS_ICE_URI_ERROR_HOST },
    { "stun://example.org", ALS_ICE_URI_ERROR_HOST },
    { "stun:user@example.org", ALS_ICE_URI_ERROR_HOST },
    { "stun:a b", ALS_ICE_URI_ERROR_HOST },
    { "stun:[::1", ALS_ICE_URI_ERROR_HOST },
    { "stun:[192.0.2.1]", ALS_ICE_URI_ERROR_HOST },
    { "stun:[::1]x", ALS_ICE_URI_ERROR_HOST },
    { "stun:.example", ALS_ICE_URI_ERROR_HOST },
    { "stun:example.org:", ALS_ICE_URI_ERROR_PORT },
    { "stun:example.org:0", ALS_ICE_URI_ERROR_PORT },
    { "stun:example.org:65536", ALS_ICE_URI_ERROR_PORT },
    { "stun:2001:db8::7", ALS_ICE_URI_ERROR_PORT },
    { "stun:example.org:80x", ALS_ICE_URI_ERROR_PORT },
    { "turn:example.org", ALS_ICE_URI_ERROR_LOGIN },
    { "turn:example.org?username=a", ALS_ICE_URI_ERROR_LOGIN },
    { "stun:example.org?username=a&credential=b", ALS_ICE_URI_ERROR_LOGIN },
    { "turn:example.org?username=&credential=b", ALS_ICE_URI_ERROR_PARAMETER },
    { "turn:example.org?username=%00&credential=b", ALS_ICE_URI_ERROR_PARAMETER },
    { "turn:example.org?username=%ff&credential=b", ALS_ICE_URI_ERROR_PARAMETER },
    { "turn:example.org?username=a&username=b", ALS_ICE_URI_ERROR_PARAMETER },
    { "turn:example.org?password=a", ALS_ICE_URI_ERROR_PARAMETER },
    { "turn:example.org?x", ALS_ICE_URI_ERROR_PARAMETER },
    { "turn:example.org?username=a&credential=b&transport=sctp", ALS_ICE_URI_ERROR_PARAMETER },
    { "turns:example.org?username=a&credential=b&transport=udp", ALS_ICE_URI_ERROR_PARAMETER },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GError) error = NULL;

      g_assert_null (als_ice_uri_parse (cases[i].uri, &error));
      g_test_message ("%s: %s", cases[i].uri, error->message);
      g_assert_error (error, ALS_ICE_URI_ERROR, (int) cases[i].code);
    }
}

static void
test_endless_one_is_refused (void)
{
  g_autofree char *rest = g_strnfill (100 * 1000, 'a');
  g_autofree char *uri = g_strconcat ("stun:", rest, NULL);
  g_autoptr (GError) error = NULL;

  g_assert_null (als_ice_uri_parse (uri, &error));
  g_assert_nonnull (error);
}

static void
test_public_form_has_no_login (void)
{
  g_autoptr (AlsPathServer) turn = als_ice_uri_parse ("turn:[::1]:99?username=joe&credential=hush", NULL);
  g_autoptr (AlsPathServer) tls = als_ice_uri_parse ("turns:t.example?username=joe&credential=hush", NULL);
  g_autofree char *uri = als_ice_uri_make_public (turn);

  g_assert_cmpstr (uri, ==, "stun:[::1]:99");
  g_assert_null (als_ice_uri_make_public (tls));
}

static void
test_errors_do_not_repeat_logins (void)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (als_ice_uri_parse ("turn:h?credential=hush&nonsense=hush", &error));
  g_assert_null (strstr (error->message, "hush"));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/path/ice-uri/forms-of-the-rfcs", test_forms_of_the_rfcs);
  g_test_add_func ("/path/ice-uri/bad-ones-are-named", test_bad_ones_are_named);
  g_test_add_func ("/path/ice-uri/endless-one-is-refused", test_endless_one_is_refused);
  g_test_add_func ("/path/ice-uri/public-form-has-no-login", test_public_form_has_no_login);
  g_test_add_func ("/path/ice-uri/errors-do-not-repeat-logins", test_errors_do_not_repeat_logins);
  return g_test_run ();
}
