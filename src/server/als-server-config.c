/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* The configuration file: groups, keys and values as in a key file, and no
 * more. GKeyFile forgets where a key stood and quotes lines it cannot read; here
 * every group and key is known, what is not is an error that names the line (a
 * limit that is misspelt is no limit), and messages never hold a value, since
 * one of them is a secret. */

#define G_LOG_DOMAIN "als-server"
#include "config.h"

#include "server/als-server-config.h"

#include <math.h>
#include <string.h>

#define MAX_FILE_BYTES (64 * 1024)
#define MAX_LISTEN 16
#define MAX_HOST 255
#define MAX_SECRET 1024

G_DEFINE_QUARK (als - server - config - error - quark, als_server_config_error)

typedef enum
{
  KEY_UINT,
  KEY_UINT16,
  KEY_DOUBLE,
  KEY_BOOLEAN,
  KEY_TEXT,
  KEY_LISTEN,
  KEY_PROXIES,
  KEY_ICE_STUN,
  KEY_ICE_TURN,
  KEY_ICE_TURNS,
} KeyKind;

typedef struct
{
  const char *group;
  const char *key;
  KeyKind kind;
  size_t offset;
  double min;
  double max;
} Key;

#define AT(field) G_STRUCT_OFFSET (AlsServerConfig, field)

static const Key keys[] = {
  { "server", "listen", KEY_LISTEN },
  { "server", "tls-cert", KEY_TEXT, AT (tls_cert) },
  { "server", "tls-key", KEY_TEXT, AT (tls_key) },
  { "server", "trusted-proxies", KEY_PROXIES },
  { "server", "exit-after", KEY_UINT, AT (exit_after_s), 0, 86400 },
  { "server", "exit-after-start", KEY_UINT, AT (exit_after_start_s), 0, 86400 },
  { "limits", "connections", KEY_UINT, AT (max_connections), 1, 1000000 },
  { "limits", "connections-per-address", KEY_UINT, AT (max_connections_per_address), 1, 1000000 },
  { "limits", "connect-burst", KEY_UINT, AT (connect_burst), 1, 1000000 },
  { "limits", "connect-interval", KEY_DOUBLE, AT (connect_interval_s), 0.0001, 86400 },
  { "limits", "handshake-timeout", KEY_UINT, AT (handshake_timeout_s), 1, 3600 },
  { "limits", "join-burst", KEY_UINT, AT (rendezvous.join_burst), 1, 1000000 },
  { "limits", "join-interval", KEY_DOUBLE, AT (rendezvous.join_interval_s), 0.0001, 86400 },
  { "limits", "numbers", KEY_UINT, AT (rendezvous.max_numbers), 1, 900000 },
  { "rendezvous", "heartbeat", KEY_UINT16, AT (rendezvous.heartbeat_s), 1, 3600 },
  { "rendezvous", "keep", KEY_UINT, AT (rendezvous.keep_s), 0, 86400 },
  { "rendezvous", "relay-rate", KEY_UINT, AT (rendezvous.relay_rate), 16384, 1000000000 },
  { "rendezvous", "relay-backlog", KEY_UINT, AT (rendezvous.relay_backlog), 65536, 16777216 },
  { "ice", "stun", KEY_ICE_STUN },
  { "ice", "turn", KEY_ICE_TURN },
  { "ice", "turns", KEY_ICE_TURNS },
  { "ice", "turn-secret", KEY_TEXT, AT (turn_secret) },
  { "ice", "turn-ttl", KEY_UINT, AT (turn_ttl_s), 60, 604800 },
  { "ice", "turn-accepts-foreign-peers", KEY_BOOLEAN, AT (rendezvous.foreign_peers) },
  { "ice", "turn-burst", KEY_UINT, AT (rendezvous.turn_burst), 0, 1000000 },
  { "ice", "turn-interval", KEY_DOUBLE, AT (rendezvous.turn_interval_s), 0.0001, 86400 },
};

AlsServerConfig *
als_server_config_new (void)
{
  AlsServerConfig *self = g_new0 (AlsServerConfig, 1);

  self->listen = g_ptr_array_new_with_free_func (g_object_unref);
  self->trusted_proxies = g_ptr_array_new_with_free_func (g_object_unref);
  self->ice_servers = g_ptr_array_new_with_free_func ((GDestroyNotify)als_ice_server_free);
  self->max_connections = 20000;
  self->max_connections_per_address = 64;
  self->connect_burst = 60;
  self->connect_interval_s = 0.2;
  self->handshake_timeout_s = 10;
  self->turn_ttl_s = 12 * 3600;
  als_rendezvous_options_init (&self->rendezvous);
  return self;
}

static void
clear_secret (char **secret)
{
  if (*secret != NULL)
    explicit_bzero (*secret, strlen (*secret));
  g_clear_pointer (secret, g_free);
}

void
als_server_config_free (AlsServerConfig *self)
{
  if (self == NULL)
    return;
  g_ptr_array_unref (self->listen);
  g_ptr_array_unref (self->trusted_proxies);
  g_ptr_array_unref (self->ice_servers);
  g_free (self->tls_cert);
  g_free (self->tls_key);
  clear_secret (&self->turn_secret);
  g_free (self);
}

static gboolean
fail (GError **error, const char *what)
{
  g_set_error_literal (error, ALS_SERVER_CONFIG_ERROR, ALS_SERVER_CONFIG_ERROR_INVALID, what);
  return FALSE;
}

/* Splits HOST:PORT or [HOST]:PORT. */
static gboolean
parse_host_port (const char *text, guint64 min_port, char **host, uint16_t *port)
{
  const char *colon = strrchr (text, ':');
  guint64 number;
  gsize len;

  if (colon == NULL
      || !g_ascii_string_to_unsigned (colon + 1, 10, min_port, UINT16_MAX, &number, NULL))
    return FALSE;
  len = colon - text;
  if (len > 2 && text[0] == '[' && text[len - 1] == ']')
    {
      text++;
      len -= 2;
    }
  else if (memchr (text, ':', len) != NULL)
    return FALSE;
  if (len == 0 || len > MAX_HOST)
    return FALSE;
  for (gsize i = 0; i < len; i++)
    if (!g_ascii_isgraph (text[i]) || strchr ("[]/@%\"", text[i]) != NULL)
      return FALSE;
  *host = g_strndup (text, len);
  *port = (uint16_t)number;
  return TRUE;
}

gboolean
als_server_config_add_listen (AlsServerConfig *self, const char *address, GError **error)
{
  g_autofree char *host = NULL;
  g_autoptr (GInetAddress) inet = NULL;
  uint16_t port;

  if (!parse_host_port (address, 0, &host, &port)
      || (inet = g_inet_address_new_from_string (host)) == NULL)
    return fail (error,
                 "not ADDRESS:PORT with a numeric address, such as 0.0.0.0:8443 or [::]:8443");
  if (self->listen->len >= MAX_LISTEN)
    return fail (error, "too many addresses to listen on");
  g_ptr_array_add (self->listen, g_inet_socket_address_new (inet, port));
  return TRUE;
}

static gboolean
add_proxy (AlsServerConfig *self, const char *text, GError **error)
{
  GInetAddressMask *mask = g_inet_address_mask_new_from_string (text, NULL);

  if (mask == NULL)
    return fail (error, "not an address or ADDRESS/BITS");
  g_ptr_array_add (self->trusted_proxies, mask);
  return TRUE;
}

static gboolean
add_ice_server (AlsServerConfig *self, AlsIceServerKind kind, const char *text, GError **error)
{
  g_autoptr (AlsIceServer) server = g_new0 (AlsIceServer, 1);

  server->kind = kind;
  if (!parse_host_port (text, 1, &server->host, &server->port))
    return fail (error, "not HOST:PORT");
  if (self->ice_servers->len >= ALS_SIGNAL_MAX_SERVERS)
    return fail (error, "too many STUN and TURN servers: 8 can be told to an app");
  g_ptr_array_add (self->ice_servers, g_steal_pointer (&server));
  return TRUE;
}

static gboolean
take_list (AlsServerConfig *self, const Key *key, const char *value, GError **error)
{
  g_auto (GStrv) items = g_strsplit (value, ";", -1);

  for (guint i = 0; items[i] != NULL; i++)
    {
      const char *item = g_strstrip (items[i]);
      gboolean ok;

      if (*item == '\0')
        continue;
      switch (key->kind)
        {
        case KEY_LISTEN:
          ok = als_server_config_add_listen (self, item, error);
          break;
        case KEY_PROXIES:
          ok = add_proxy (self, item, error);
          break;
        case KEY_ICE_STUN:
          ok = add_ice_server (self, ALS_ICE_SERVER_STUN, item, error);
          break;
        case KEY_ICE_TURN:
          ok = add_ice_server (self, ALS_ICE_SERVER_TURN, item, error);
          break;
        default:
          ok = add_ice_server (self, ALS_ICE_SERVER_TURNS, item, error);
          break;
        }
      if (!ok)
        return FALSE;
    }
  return TRUE;
}

static gboolean
take_number (AlsServerConfig *self, const Key *key, const char *value, GError **error)
{
  gpointer field = (char *)self + key->offset;
  guint64 whole = 0;
  double number = 0;
  char *end = NULL;
  gboolean ok;

  if (key->kind == KEY_DOUBLE)
    {
      number = g_ascii_strtod (value, &end);
      ok = end != value && *end == '\0' && isfinite (number) && number >= key->min
           && number <= key->max;
    }
  else
    ok = g_ascii_string_to_unsigned (value, 10, (guint64)key->min, (guint64)key->max, &whole, NULL);
  if (!ok)
    {
      g_set_error (error, ALS_SERVER_CONFIG_ERROR, ALS_SERVER_CONFIG_ERROR_INVALID,
                   "not a number between %g and %g", key->min, key->max);
      return FALSE;
    }
  if (key->kind == KEY_DOUBLE)
    *(double *)field = number;
  else if (key->kind == KEY_UINT16)
    *(uint16_t *)field = (uint16_t)whole;
  else
    *(guint *)field = (guint)whole;
  return TRUE;
}

static gboolean
take_boolean (AlsServerConfig *self, const Key *key, const char *value, GError **error)
{
  gboolean *field = (gboolean *)(void *)((char *)self + key->offset);

  *field = g_str_equal (value, "true");
  return *field || g_str_equal (value, "false") || fail (error, "neither true nor false");
}

static gboolean
take_value (AlsServerConfig *self, const Key *key, const char *value, GError **error)
{
  char **field = (char **)(void *)((char *)self + key->offset);

  switch (key->kind)
    {
    case KEY_UINT:
    case KEY_UINT16:
    case KEY_DOUBLE:
      return take_number (self, key, value, error);
    case KEY_BOOLEAN:
      return take_boolean (self, key, value, error);
    case KEY_TEXT:
      if (*value == '\0' || strlen (value) > MAX_SECRET)
        return fail (error, "empty or too long");
      clear_secret (field);
      *field = g_strdup (value);
      return TRUE;
    case KEY_LISTEN:
    case KEY_PROXIES:
    case KEY_ICE_STUN:
    case KEY_ICE_TURN:
    case KEY_ICE_TURNS:
    default:
      return take_list (self, key, value, error);
    }
}

static const Key *
find_key (const char *group, const char *name)
{
  for (guint i = 0; i < G_N_ELEMENTS (keys); i++)
    if (g_strcmp0 (group, keys[i].group) == 0 && (name == NULL || strcmp (name, keys[i].key) == 0))
      return &keys[i];
  return NULL;
}

static void
prefix_place (GError **error, const char *name, guint line, const char *group, const char *key)
{
  if (key != NULL)
    g_prefix_error (error, "%s: line %u: [%s] %s: ", name, line, group, key);
  else
    g_prefix_error (error, "%s: line %u: ", name, line);
}

static gboolean
take_line (AlsServerConfig *self,
           char *line,
           char **group,
           GHashTable *seen,
           const char *name,
           guint number,
           GError **error)
{
  char *equals = strchr (line, '=');
  const Key *key;
  char *value;
  gboolean ok;

  if (*line == '\0' || *line == '#')
    return TRUE;
  if (*line == '[' && g_str_has_suffix (line, "]"))
    {
      g_free (*group);
      *group = g_strndup (line + 1, strlen (line) - 2);
      if (find_key (*group, NULL) != NULL)
        return TRUE;
      fail (error, "a group of this name is not known");
      prefix_place (error, name, number, NULL, NULL);
      return FALSE;
    }
  if (equals == NULL || *group == NULL)
    {
      fail (error, equals == NULL ? "neither a [group] nor key=value"
                                  : "a value before the first [group]");
      prefix_place (error, name, number, NULL, NULL);
      return FALSE;
    }
  *equals = '\0';
  key = find_key (*group, g_strchomp (line));
  if (key == NULL || !g_hash_table_add (seen, (gpointer)key))
    {
      fail (error, key == NULL ? "a key of this name is not known here" : "this key comes twice");
      prefix_place (error, name, number, NULL, NULL);
      return FALSE;
    }
  value = g_strchug (equals + 1);
  ok = take_value (self, key, value, error);
  if (!ok)
    prefix_place (error, name, number, *group, key->key);
  explicit_bzero (value, strlen (value));
  return ok;
}

gboolean
als_server_config_load_data (
    AlsServerConfig *self, const char *name, const char *data, size_t len, GError **error)
{
  g_autoptr (GHashTable) seen = g_hash_table_new (NULL, NULL);
  g_auto (GStrv) lines = NULL;
  g_autofree char *text = NULL;
  g_autofree char *group = NULL;

  if (len > MAX_FILE_BYTES || !g_utf8_validate_len (data, len, NULL))
    {
      fail (error, len > MAX_FILE_BYTES ? "too long" : "not UTF-8 text");
      g_prefix_error (error, "%s: ", name);
      return FALSE;
    }
  text = g_strndup (data, len);
  lines = g_strsplit (text, "\n", -1);
  explicit_bzero (text, len);
  for (guint i = 0; lines[i] != NULL; i++)
    if (!take_line (self, g_strstrip (lines[i]), &group, seen, name, i + 1, error))
      return FALSE;
  return TRUE;
}

gboolean
als_server_config_load (AlsServerConfig *self, const char *file, GError **error)
{
  g_autofree char *data = NULL;
  gsize len;
  gboolean ok;

  if (!g_file_get_contents (file, &data, &len, error))
    return FALSE;
  ok = als_server_config_load_data (self, file, data, len, error);
  explicit_bzero (data, len);
  return ok;
}

gboolean
als_server_config_check (AlsServerConfig *self, GError **error)
{
  gboolean has_turn = FALSE;

  for (guint i = 0; i < self->ice_servers->len; i++)
    has_turn
        |= ((AlsIceServer *)g_ptr_array_index (self->ice_servers, i))->kind != ALS_ICE_SERVER_STUN;
  if ((self->tls_cert == NULL) != (self->tls_key == NULL))
    return fail (error, "tls-cert and tls-key come together");
  if (has_turn && self->turn_secret == NULL)
    return fail (error, "TURN servers need turn-secret, the static-auth-secret of coturn");
  if (self->listen->len == 0)
    return fail (error, "no address to listen on");
  return TRUE;
}
