/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#define G_LOG_DOMAIN "als-cli"

#include "config.h"

#include "cli/als-cli-settings.h"

#include <string.h>

#include "path/als-ice-uri.h"
#include "visit/als-connection-report.h"

/* (transfer full) (nullable) */
static GSettings *
open_settings (const char *key)
{
  GSettingsSchemaSource *source = g_settings_schema_source_get_default ();
  g_autoptr (GSettingsSchema) schema
      = source != NULL ? g_settings_schema_source_lookup (source, APPLICATION_ID, TRUE) : NULL;

  if (schema == NULL || !g_settings_schema_has_key (schema, key))
    return NULL;
  return g_settings_new (APPLICATION_ID);
}

GStrv
als_cli_settings_get_strv (const char *key)
{
  g_autoptr (GSettings) settings = open_settings (key);

  return settings != NULL ? g_settings_get_strv (settings, key) : g_new0 (char *, 1);
}

gboolean
als_cli_settings_get_boolean (const char *key)
{
  g_autoptr (GSettings) settings = open_settings (key);

  return settings == NULL || g_settings_get_boolean (settings, key);
}

guint16
als_cli_settings_get_port (const char *key)
{
  g_autoptr (GSettings) settings = open_settings (key);
  guint16 port = 0;

  if (settings != NULL)
    g_settings_get (settings, key, "q", &port);
  return port;
}

/* What is the same already is not written again. */
static void
keep (const char *key, GVariant *value)
{
  g_autoptr (GVariant) owned = g_variant_ref_sink (value);
  g_autoptr (GSettings) settings = open_settings (key);
  g_autoptr (GVariant) old = settings != NULL ? g_settings_get_value (settings, key) : NULL;

  if (old != NULL && !g_variant_equal (old, owned))
    g_settings_set_value (settings, key, owned);
}

static void
servers_known_cb (AlsVisit *visit, GParamSpec *pspec, gpointer user_data)
{
  const char *const *servers = als_visit_get_known_ice_servers (visit);

  if (servers != NULL && servers[0] != NULL)
    keep ("last-ice-servers", g_variant_new_strv (servers, -1));
}

static void
port_known_cb (AlsVisit *visit, GParamSpec *pspec, gpointer user_data)
{
  guint port = als_visit_get_local_port (visit);

  if (port != 0)
    keep ("last-local-port", g_variant_new_uint16 ((guint16) port));
}

void
als_cli_settings_learn_from (AlsVisit *visit)
{
  g_signal_connect (visit, "notify::known-ice-servers", G_CALLBACK (servers_known_cb), NULL);
  g_signal_connect (visit, "notify::local-port", G_CALLBACK (port_known_cb), NULL);
}

void
als_cli_settings_sync (void)
{
  g_settings_sync ();
}

/* (transfer full) */
static char *
make_stun_uri (const char *given)
{
  return g_str_has_prefix (given, "stun:") ? g_strdup (given) : g_strconcat ("stun:", given, NULL);
}

/* What is wrong with it is told. */
static gboolean
check_uri (const char *uri)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (AlsPathServer) server = als_ice_uri_parse (uri, &error);
  g_autofree char *sentence = NULL;

  if (server != NULL)
    return TRUE;
  sentence = als_connection_describe_bad_server (uri, error);
  g_printerr ("%s\n", sentence);
  return FALSE;
}

gboolean
als_cli_check_stun (char **given)
{
  for (guint i = 0; given != NULL && given[i] != NULL; i++)
    {
      g_autofree char *uri = make_stun_uri (given[i]);

      if (!check_uri (uri))
        return FALSE;
    }
  return TRUE;
}

GStrv
als_cli_settings_get_ice_servers (char **given)
{
  static const char *const keys[] = { "ice-servers", "last-ice-servers" };
  g_autoptr (GStrvBuilder) builder = g_strv_builder_new ();

  for (guint i = 0; given != NULL && given[i] != NULL; i++)
    {
      g_autofree char *uri = make_stun_uri (given[i]);

      g_strv_builder_add (builder, uri);
    }
  for (guint k = 0; k < G_N_ELEMENTS (keys); k++)
    {
      GStrv list = als_cli_settings_get_strv (keys[k]);

      for (guint i = 0; list[i] != NULL; i++)
        if (check_uri (list[i]))
          g_strv_builder_add (builder, list[i]);
      als_cli_settings_free_ice_servers (list);
    }
  return g_strv_builder_end (builder);
}

void
als_cli_settings_free_ice_servers (GStrv servers)
{
  for (guint i = 0; servers[i] != NULL; i++)
    explicit_bzero (servers[i], strlen (servers[i]));
  g_strfreev (servers);
}
