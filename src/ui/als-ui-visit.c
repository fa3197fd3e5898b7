/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#define G_LOG_DOMAIN "als-ui"

#include "config.h"

#include "ui/als-ui-visit.h"

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
  AlsVisitConfig config = {
    .servers = (const char *const *) servers,
    .listen = always_listen || g_settings_get_boolean (settings, "listen"),
    .allowed_kinds = get_allowed_kinds (settings),
    .loopback = g_settings_get_boolean (settings, "loopback-only"),
    .name = *name != '\0' ? name : NULL,
    .download_folder = *folder != '\0' ? folder : NULL,
    .screen = ALS_SCREEN_X11,
  };
  AlsVisit *visit = als_visit_new (&config);

  g_signal_connect_object (settings, "changed::allowed-paths",
                           G_CALLBACK (allowed_paths_changed_cb), visit, G_CONNECT_SWAPPED);
  return visit;
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
