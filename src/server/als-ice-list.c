/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Logins are made, not stored: the user name says until when it is good, the
 * password is its HMAC under a secret shared with the TURN server. */

#define G_LOG_DOMAIN "als-server"
#include "config.h"

#include "server/als-ice-list.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <string.h>

#define SHA1_BYTES 20

char *
als_ice_list_credential (const char *secret, const char *username)
{
  guint8 mac[SHA1_BYTES];

  if (gnutls_hmac_fast (GNUTLS_MAC_SHA1, secret, strlen (secret), username, strlen (username), mac)
      < 0)
    g_error ("GnuTLS has no HMAC-SHA1");
  return g_base64_encode (mac, sizeof mac);
}

/* TURN without a login still answers Bindings. Our Bindings do not go over TLS. */
static gboolean
is_told_as_stun (const AlsServerConfig *config, const AlsIceServer *turn)
{
  if (turn->kind == ALS_ICE_SERVER_TURNS)
    return FALSE;
  for (guint i = 0; i < config->ice_servers->len; i++)
    {
      const AlsIceServer *other = g_ptr_array_index (config->ice_servers, i);

      if (other->kind == ALS_ICE_SERVER_STUN && other->port == turn->port
          && g_str_equal (other->host, turn->host))
        return FALSE;
    }
  return TRUE;
}

GPtrArray *
als_ice_list_make (const AlsServerConfig *config, gboolean with_turn, int64_t unix_time_s)
{
  GPtrArray *servers = g_ptr_array_new_with_free_func ((GDestroyNotify)als_ice_server_free);
  g_autofree char *username = NULL;
  uint64_t random;

  if (gnutls_rnd (GNUTLS_RND_NONCE, &random, sizeof random) < 0)
    g_error ("GnuTLS has no random numbers");
  username = g_strdup_printf ("%" G_GINT64_FORMAT ":%016" G_GINT64_MODIFIER "x",
                              unix_time_s + config->turn_ttl_s, random);
  for (guint i = 0; i < config->ice_servers->len; i++)
    {
      const AlsIceServer *known = g_ptr_array_index (config->ice_servers, i);
      gboolean is_turn = known->kind != ALS_ICE_SERVER_STUN;
      AlsIceServer *server;

      if (is_turn && !with_turn && !is_told_as_stun (config, known))
        continue;
      server = g_new0 (AlsIceServer, 1);
      server->kind = with_turn ? known->kind : ALS_ICE_SERVER_STUN;
      server->host = g_strdup (known->host);
      server->port = known->port;
      if (is_turn && with_turn)
        {
          server->username = g_strdup (username);
          server->credential = als_ice_list_credential (config->turn_secret, username);
        }
      g_ptr_array_add (servers, server);
    }
  return servers;
}
