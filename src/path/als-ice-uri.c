/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#define G_LOG_DOMAIN "als-path"

#include "config.h"

#include "path/als-ice-uri.h"

#include <gio/gio.h>
#include <string.h>

/* RFC 1035, 2.3.4. */
#define MAX_NAME_BYTES 253
#define MAX_PARAMETERS 8
/* RFC 8489, 14.3. */
#define MAX_LOGIN_BYTES 508

G_DEFINE_QUARK (als-ice-uri-error-quark, als_ice_uri_error)

typedef struct
{
  char *transport;
  char *username;
  char *credential; /* secret */
} Parameters;

static void
wipe (char *text)
{
  if (text != NULL)
    explicit_bzero (text, strlen (text));
  g_free (text);
}

static void
parameters_clear (Parameters *self)
{
  g_free (self->transport);
  g_free (self->username);
  wipe (self->credential);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Parameters, parameters_clear)

static gboolean
fail (GError **error, AlsIceUriError code, const char *message)
{
  g_set_error_literal (error, ALS_ICE_URI_ERROR, code, message);
  return FALSE;
}

/* REST: what follows the scheme. */
static gboolean
parse_scheme (const char *text, AlsPathServerKind *kind, const char **rest)
{
  static const struct
  {
    const char *scheme;
    AlsPathServerKind kind;
  } schemes[] = {
    { "stun:", ALS_PATH_SERVER_STUN },
    { "turn:", ALS_PATH_SERVER_TURN },
    { "turns:", ALS_PATH_SERVER_TURNS },
  };

  for (guint i = 0; i < G_N_ELEMENTS (schemes); i++)
    if (g_ascii_strncasecmp (text, schemes[i].scheme, strlen (schemes[i].scheme)) == 0)
      {
        *kind = schemes[i].kind;
        *rest = text + strlen (schemes[i].scheme);
        return TRUE;
      }
  return FALSE;
}

static gboolean
is_name (const char *host)
{
  size_t len = strlen (host);

  if (len == 0 || len > MAX_NAME_BYTES || host[0] == '.' || host[0] == '-')
    return FALSE;
  for (const char *p = host; *p != '\0'; p++)
    if (!g_ascii_isalnum (*p) && *p != '.' && *p != '-' && *p != '_')
      return FALSE;
  return TRUE;
}

static gboolean
is_ipv6 (const char *host)
{
  g_autoptr (GInetAddress) address = g_inet_address_new_from_string (host);

  return address != NULL && g_inet_address_get_family (address) == G_SOCKET_FAMILY_IPV6;
}

/* TEXT: HOST[:PORT]. PORT: unchanged where none stands there. */
static gboolean
parse_host_port (const char *text, char **host, uint16_t *port, GError **error)
{
  g_autofree char *name = NULL;
  const char *end;
  guint64 number;

  if (text[0] == '[')
    {
      end = strchr (text, ']');
      if (end == NULL)
        return fail (error, ALS_ICE_URI_ERROR_HOST, "the bracket is not closed");
      name = g_strndup (text + 1, end - text - 1);
      if (!is_ipv6 (name))
        return fail (error, ALS_ICE_URI_ERROR_HOST, "no IPv6 address in the brackets");
      end++;
      if (*end != '\0' && *end != ':')
        return fail (error, ALS_ICE_URI_ERROR_HOST, "something follows the brackets");
    }
  else
    {
      end = strchrnul (text, ':');
      name = g_strndup (text, end - text);
      if (!is_name (name))
        return fail (error, ALS_ICE_URI_ERROR_HOST, "no host name or address");
    }
  if (*end == ':')
    {
      if (!g_ascii_string_to_unsigned (end + 1, 10, 1, G_MAXUINT16, &number, NULL))
        return fail (error, ALS_ICE_URI_ERROR_PORT, "the port is no number from 1 to 65535");
      *port = (uint16_t) number;
    }
  *host = g_steal_pointer (&name);
  return TRUE;
}

static gboolean
parse_parameter (Parameters *self, const char *word, GError **error)
{
  const char *equals = strchr (word, '=');
  g_autofree char *name = NULL;
  char *value = NULL;
  char **slot = NULL;

  if (equals == NULL)
    return fail (error, ALS_ICE_URI_ERROR_PARAMETER, "a parameter has no value");
  name = g_ascii_strdown (word, equals - word);
  if (g_str_equal (name, "transport"))
    slot = &self->transport;
  else if (g_str_equal (name, "username"))
    slot = &self->username;
  else if (g_str_equal (name, "credential"))
    slot = &self->credential;
  if (slot == NULL || *slot != NULL)
    return fail (error, ALS_ICE_URI_ERROR_PARAMETER, "a parameter is unknown or stands there twice");
  value = g_uri_unescape_string (equals + 1, NULL);
  if (value == NULL || *value == '\0' || strlen (value) > MAX_LOGIN_BYTES
      || !g_utf8_validate (value, -1, NULL))
    {
      wipe (value);
      return fail (error, ALS_ICE_URI_ERROR_PARAMETER, "a parameter's value is empty or badly encoded");
    }
  *slot = value;
  return TRUE;
}

static gboolean
parse_query (Parameters *self, const char *query, GError **error)
{
  guint n = 0;

  /* Word by word, so that no copy of the credential stays behind. */
  while (*query != '\0')
    {
      const char *end = strchrnul (query, '&');
      char *word = g_strndup (query, end - query);
      gboolean parsed = ++n <= MAX_PARAMETERS && parse_parameter (self, word, error);

      wipe (word);
      if (!parsed)
        return n <= MAX_PARAMETERS
                 ? FALSE : fail (error, ALS_ICE_URI_ERROR_PARAMETER, "too many parameters");
      query = *end == '&' ? end + 1 : end;
    }
  return TRUE;
}

static gboolean
check_parameters (const Parameters *parameters, AlsPathServerKind kind, GError **error)
{
  gboolean has_login = parameters->username != NULL && parameters->credential != NULL;

  if (kind == ALS_PATH_SERVER_STUN)
    {
      if (parameters->username != NULL || parameters->credential != NULL)
        return fail (error, ALS_ICE_URI_ERROR_LOGIN, "stun: takes no login");
      if (parameters->transport != NULL)
        return fail (error, ALS_ICE_URI_ERROR_PARAMETER, "stun: takes no parameters");
      return TRUE;
    }
  if (!has_login)
    return fail (error, ALS_ICE_URI_ERROR_LOGIN, "turn: needs username and credential");
  if (parameters->transport != NULL && g_ascii_strcasecmp (parameters->transport, "tcp") != 0
      && (kind == ALS_PATH_SERVER_TURNS || g_ascii_strcasecmp (parameters->transport, "udp") != 0))
    return fail (error, ALS_ICE_URI_ERROR_PARAMETER, "not a transport that we speak");
  return TRUE;
}

AlsPathServer *
als_ice_uri_parse (const char *text, GError **error)
{
  g_auto (Parameters) parameters = { 0 };
  g_autofree char *host = NULL, *where = NULL;
  AlsPathServerKind kind;
  AlsPathServer *server;
  const char *rest, *query;
  uint16_t port;

  if (strnlen (text, ALS_ICE_URI_MAX_BYTES + 1) > ALS_ICE_URI_MAX_BYTES
      || !parse_scheme (text, &kind, &rest))
    {
      fail (error, ALS_ICE_URI_ERROR_SCHEME, "neither stun:, turn: nor turns:");
      return NULL;
    }
  port = kind == ALS_PATH_SERVER_TURNS ? ALS_ICE_URI_DEFAULT_TLS_PORT : ALS_ICE_URI_DEFAULT_PORT;
  query = strchrnul (rest, '?');
  where = g_strndup (rest, query - rest);
  if (!parse_host_port (where, &host, &port, error)
      || !parse_query (&parameters, *query == '?' ? query + 1 : query, error)
      || !check_parameters (&parameters, kind, error))
    return NULL;
  server = als_path_server_new (kind, host, port, parameters.username, parameters.credential);
  if (server == NULL)
    fail (error, ALS_ICE_URI_ERROR_HOST, "no such server can be");
  return server;
}

/* (transfer full) */
static char *
format_host (const AlsPathServer *server)
{
  return strchr (server->host, ':') != NULL ? g_strdup_printf ("[%s]", server->host)
                                            : g_strdup (server->host);
}

char *
als_ice_uri_make_public (const AlsPathServer *server)
{
  g_autofree char *host = format_host (server);

  if (server->kind == ALS_PATH_SERVER_TURNS)
    return NULL;
  return g_strdup_printf ("stun:%s:%u", host, server->port);
}

char *
als_ice_uri_make (const AlsPathServer *server)
{
  g_autofree char *host = format_host (server);
  g_autofree char *username = NULL;
  char *credential, *uri;

  if (server->kind == ALS_PATH_SERVER_STUN)
    return als_ice_uri_make_public (server);
  username = g_uri_escape_string (server->username, NULL, FALSE);
  credential = g_uri_escape_string (server->password, NULL, FALSE);
  uri = g_strdup_printf ("%s:%s:%u?username=%s&credential=%s",
                         server->kind == ALS_PATH_SERVER_TURNS ? "turns" : "turn", host,
                         server->port, username, credential);
  wipe (credential);
  return uri;
}
