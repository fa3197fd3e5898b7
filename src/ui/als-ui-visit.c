/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#define G_LOG_DOMAIN "als-ui"

#include "config.h"

#include "ui/als-ui-visit.h"

#include "path/als-ice-uri.h"

/* Unknown names alone would forbid every path or allow all of them: they are told and left out. */
static guint
get_allowed_kinds (GSettings *settings)
{
  g_auto (GStrv) names = g_settings_get_strv (settings, "allowed-paths");
  guint kinds = 0;

  for (guint i = 0; names[i] != NULL; i++)
    {
      guint kind = als_path_kinds_parse (names[i]);

      if (kind == 0)
        g_message ("allowed-paths: “%s” is no kind of path", names[i]);
      kinds |= kind;
    }
  return kinds != 0 ? kinds : ALS_PATH_ALL;
}

static void
allowed_paths_changed_cb (AlsVisit *visit, const char *key, GSettings *settings)
{
  als_visit_set_allowed_kinds (visit, get_allowed_kinds (settings));
}

/* What works without a rendezvous server the next time. */
static void
servers_known_cb (AlsVisit *visit, GParamSpec *pspec, GSettings *settings)
{
  const char *const *servers = als_visit_get_known_ice_servers (visit);

  if (servers != NULL && servers[0] != NULL)
    g_settings_set_strv (settings, "last-ice-servers", servers);
}

static void
port_known_cb (AlsVisit *visit, GParamSpec *pspec, GSettings *settings)
{
  guint port = als_visit_get_local_port (visit);

  if (port != 0)
    g_settings_set (settings, "last-local-port", "q", (guint16) port);
}

/* The user's own, then those that a server named last. Bad ones are told and left out. (transfer full) */
static GStrv
get_ice_servers (GSettings *settings)
{
  static const char *const keys[] = { "ice-servers", "last-ice-servers" };
  g_autoptr (GStrvBuilder) builder = g_strv_builder_new ();

  for (guint k = 0; k < G_N_ELEMENTS (keys); k++)
    {
      g_auto (GStrv) list = g_settings_get_strv (settings, keys[k]);

      for (guint i = 0; list[i] != NULL; i++)
        {
          g_autoptr (GError) error = NULL;
          g_autoptr (AlsPathServer) server = als_ice_uri_parse (list[i], &error);

          if (server != NULL)
            g_strv_builder_add (builder, list[i]);
          else
            g_message ("%s: an entry is left out: %s", keys[k], error->message);
        }
    }
  return g_strv_builder_end (builder);
}

static gboolean always_listen; /* by --listen, for as long as the program runs */

void
als_ui_visit_always_listen (void)
{
  always_listen = TRUE;
}

AlsVisit *
als_ui_visit_new (GSettings *settings)
{
  g_auto (GStrv) servers = g_settings_get_strv (settings, "servers");
  g_autofree char *name = g_settings_get_string (settings, "name");
  g_autofree char *folder = g_settings_get_string (settings, "download-folder");
  g_auto (GStrv) ice_servers = get_ice_servers (settings);
  g_auto (GStrv) ntp_servers = g_settings_get_strv (settings, "ntp-servers");
  guint16 local_port = 0, last_local_port = 0;
  AlsVisitConfig config = {
    .servers = (const char *const *) servers,
    .listen = always_listen || g_settings_get_boolean (settings, "listen"),
    .allowed_kinds = get_allowed_kinds (settings),
    .loopback = g_settings_get_boolean (settings, "loopback-only"),
    .name = *name != '\0' ? name : NULL,
    .download_folder = *folder != '\0' ? folder : NULL,
    .screen = ALS_SCREEN_X11,
    .ice_servers = (const char *const *) ice_servers,
    .no_port_mapping = !g_settings_get_boolean (settings, "port-mapping"),
    .no_lan = !g_settings_get_boolean (settings, "lan-search"),
    .ntp_servers = (const char *const *) ntp_servers,
  };
  AlsVisit *visit;

  g_settings_get (settings, "local-port", "q", &local_port);
  g_settings_get (settings, "last-local-port", "q", &last_local_port);
  config.local_port = local_port;
  config.last_local_port = last_local_port;
  visit = als_visit_new (&config);
  g_signal_connect_object (visit, "notify::known-ice-servers", G_CALLBACK (servers_known_cb), settings, 0);
  g_signal_connect_object (visit, "notify::local-port", G_CALLBACK (port_known_cb), settings, 0);
  g_signal_connect_object (settings, "changed::allowed-paths",
                           G_CALLBACK (allowed_paths_changed_cb), visit, G_CONNECT_SWAPPED);
  return visit;
}

gboolean
als_ui_visit_watch (AlsVisit **watched, AlsVisit *visit, const char *const *properties, GCallback func,
                    gpointer object)
{
  if (*watched == visit)
    return FALSE;
  if (*watched != NULL)
    g_signal_handlers_disconnect_by_data (*watched, object);
  g_set_object (watched, visit);
  for (guint i = 0; visit != NULL && properties[i] != NULL; i++)
    {
      g_autofree char *signal = g_strconcat ("notify::", properties[i], NULL);

      g_signal_connect_swapped (visit, signal, func, object);
    }
  return TRUE;
}

char *
als_ui_dup_download_folder (GSettings *settings)
{
  g_autofree char *folder = g_settings_get_string (settings, "download-folder");
  const char *downloads = g_get_user_special_dir (G_USER_DIRECTORY_DOWNLOAD);

  if (*folder == '\0')
    return downloads != NULL ? g_path_get_basename (downloads) : g_strdup ("Downloads");
  return g_path_get_basename (folder);
}

gboolean
als_ui_is_server_address (const char *text)
{
  g_autoptr (GUri) uri = g_uri_parse (text, G_URI_FLAGS_NONE, NULL);

  return uri != NULL && g_uri_get_host (uri) != NULL && *g_uri_get_host (uri) != '\0' &&
         (g_str_equal (g_uri_get_scheme (uri), "ws") || g_str_equal (g_uri_get_scheme (uri), "wss"));
}
