/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#include "path/als-ice-uri.h"

#include <string.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autofree char *text = g_strndup ((const char *) data, size);
  g_autoptr (GError) error = NULL;
  g_autoptr (AlsPathServer) server = als_ice_uri_parse (text, &error), again = NULL;
  g_autofree char *uri = NULL, *public = NULL;

  g_assert_true ((server == NULL) == (error != NULL));
  if (server == NULL)
    return 0;
  g_assert_cmpuint (server->port, >, 0);
  g_assert_true ((server->password != NULL) == (server->kind != ALS_PATH_SERVER_STUN));
  uri = als_ice_uri_make (server);
  /* Escapes may have made it longer than what is taken. */
  if (strlen (uri) <= ALS_ICE_URI_MAX_BYTES)
    {
      again = als_ice_uri_parse (uri, &error);
      g_assert_no_error (error);
      g_assert_cmpstr (again->host, ==, server->host);
      g_assert_cmpstr (again->username, ==, server->username);
      g_assert_cmpstr (again->password, ==, server->password);
    }
  public = als_ice_uri_make_public (server);
  g_assert_true (public == NULL || strchr (public, '?') == NULL);
  return 0;
}
