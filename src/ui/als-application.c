/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#define G_LOG_DOMAIN "als-ui"

#include "config.h"

#include "ui/als-application.h"

#include "ui/als-preferences-window.h"
#include "ui/als-ui-platform.h"
#include "ui/als-ui-visit.h"
#include "ui/als-window.h"

#include <glib-unix.h>
#include <glib/gi18n.h>

/* A visit ends within 200 ms; this is for one that does not. */
#define LET_GO_MAX_MS 2000

struct _AlsApplication
{
  AdwApplication parent;
  GSettings *settings;
  GHashTable *received; /* set of URIs */
  guint terminate_sources[2];
};

G_DEFINE_FINAL_TYPE (AlsApplication, als_application, ADW_TYPE_APPLICATION)

static AlsWindow *
get_window (AlsApplication *self)
{
  GtkWindow *window = gtk_application_get_active_window (GTK_APPLICATION (self));
  GList *windows = gtk_application_get_windows (GTK_APPLICATION (self));

  if (window != NULL && ALS_IS_WINDOW (window))
    return ALS_WINDOW (window);
  for (GList *l = windows; l != NULL; l = l->next)
    if (ALS_IS_WINDOW (l->data))
      return l->data;
  return als_window_new (self);
}

/* Actions ------------------------------------------------------------------------------------- */

static void
new_window_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  gtk_window_present (GTK_WINDOW (als_window_new (user_data)));
}

static void
preferences_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  AlsApplication *self = user_data;

  gtk_window_present (GTK_WINDOW (als_preferences_window_new (GTK_WINDOW (get_window (self)),
                                                              self->settings)));
}

static void
about_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  static const char *const developers[] = { "The Alongside authors", NULL };

  adw_show_about_window (GTK_WINDOW (get_window (user_data)),
                         "application-name", _("Alongside"),
                         "application-icon", APPLICATION_ID,
                         "version", PACKAGE_VERSION,
                         "developer-name", _("The Alongside authors"),
                         "developers", developers,
                         "copyright", "© 2026 The Alongside authors",
                         "comments", _("Help somebody at their computer, or be helped at yours."),
                         "license-type", GTK_LICENSE_GPL_3_0,
                         /* Translators: your names, one a line */
                         "translator-credits", _("translator-credits"),
                         NULL);
}

static void
quit_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  g_autoptr (GList) windows = g_list_copy (gtk_application_get_windows (user_data));

  for (GList *l = windows; l != NULL; l = l->next)
    if (ALS_IS_WINDOW (l->data))
      gtk_window_close (l->data);
}

static void
present_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  gtk_window_present (GTK_WINDOW (get_window (user_data)));
}

static void
show_in_folder_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  AlsApplication *self = user_data;
  const char *uri = g_variant_get_string (parameter, NULL);
  g_autoptr (GFile) file = NULL;

  if (!g_hash_table_contains (self->received, uri))
    return;
  file = g_file_new_for_uri (uri);
  als_ui_show_in_folder (GTK_WINDOW (get_window (self)), file);
}

/* From a notification: ends what shows this screen, in every window. */
static void
stop_all_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  for (GList *l = gtk_application_get_windows (user_data); l != NULL; l = l->next)
    if (ALS_IS_WINDOW (l->data) && als_window_has_session (l->data))
      g_action_group_activate_action (G_ACTION_GROUP (l->data), "stop", NULL);
}

static const GActionEntry actions[] = {
  { "new-window", new_window_cb, NULL, NULL, NULL },
  { "preferences", preferences_cb, NULL, NULL, NULL },
  { "about", about_cb, NULL, NULL, NULL },
  { "quit", quit_cb, NULL, NULL, NULL },
  { "present", present_cb, NULL, NULL, NULL },
  { "show-in-folder", show_in_folder_cb, "s", NULL, NULL },
  { "stop-all", stop_all_cb, NULL, NULL, NULL },
};

static const struct
{
  const char *action;
  const char *accels[3];
} accels[] = {
  { "app.new-window", { "<Control>n", NULL } },
  { "app.preferences", { "<Control>comma", NULL } },
  { "app.quit", { "<Control>q", NULL } },
  { "win.close", { "<Control>w", NULL } },
  { "win.show-shortcuts", { "<Control>question", "F1", NULL } },
  { "win.copy-link", { "<Control><Shift>c", NULL } },
  { "win.send-files", { "<Control>o", NULL } },
  { "win.fullscreen", { "F11", NULL } },
  { "win.full-size", { "<Control>1", NULL } },
  { "win.stop", { "<Control><Shift>s", NULL } },
};

/* Goodbyes ------------------------------------------------------------------------------------ */

typedef struct
{
  GApplication *app; /* held */
  AlsVisit *visit;   /* owned */
  gulong handler;
  guint timeout;
} Leaving;

static void
leaving_done (Leaving *leaving)
{
  g_signal_handler_disconnect (leaving->visit, leaving->handler);
  g_clear_handle_id (&leaving->timeout, g_source_remove);
  g_application_release (leaving->app);
  g_object_unref (leaving->visit);
  g_free (leaving);
}

static void
leaving_state_cb (Leaving *leaving)
{
  if (als_visit_get_state (leaving->visit) == ALS_VISIT_ENDED)
    leaving_done (leaving);
}

static gboolean
leaving_timeout_cb (gpointer user_data)
{
  Leaving *leaving = user_data;

  leaving->timeout = 0;
  g_message ("a visit did not end in time");
  leaving_done (leaving);
  return G_SOURCE_REMOVE;
}

void
als_application_let_go (AlsApplication *self, AlsVisit *visit)
{
  Leaving *leaving;

  if (als_visit_get_state (visit) == ALS_VISIT_ENDED)
    return;
  leaving = g_new0 (Leaving, 1);
  leaving->app = G_APPLICATION (self);
  leaving->visit = g_object_ref (visit);
  leaving->handler = g_signal_connect_swapped (visit, "notify::state",
                                               G_CALLBACK (leaving_state_cb), leaving);
  leaving->timeout = g_timeout_add (LET_GO_MAX_MS, leaving_timeout_cb, leaving);
  g_source_set_name_by_id (leaving->timeout, "als-application-let-go");
  g_application_hold (leaving->app);
  als_visit_stop (visit);
}

/* Asked by the system: nobody is there to be asked, so sessions end, but in good order. */
static gboolean
terminate_cb (gpointer user_data)
{
  g_autoptr (GList) windows = g_list_copy (gtk_application_get_windows (user_data));

  for (GList *l = windows; l != NULL; l = l->next)
    if (ALS_IS_WINDOW (l->data))
      gtk_window_destroy (l->data);
  return G_SOURCE_CONTINUE;
}

/* GApplication -------------------------------------------------------------------------------- */

static void
als_application_startup (GApplication *app)
{
  AlsApplication *self = ALS_APPLICATION (app);

  G_APPLICATION_CLASS (als_application_parent_class)->startup (app);
  gtk_window_set_default_icon_name (APPLICATION_ID);
  self->settings = g_settings_new (APPLICATION_ID);
  self->terminate_sources[0] = g_unix_signal_add (SIGTERM, terminate_cb, self);
  self->terminate_sources[1] = g_unix_signal_add (SIGINT, terminate_cb, self);
  g_action_map_add_action_entries (G_ACTION_MAP (app), actions, G_N_ELEMENTS (actions), app);
  for (guint i = 0; i < G_N_ELEMENTS (accels); i++)
    gtk_application_set_accels_for_action (GTK_APPLICATION (app), accels[i].action,
                                           accels[i].accels);
}

static void
als_application_activate (GApplication *app)
{
  gtk_window_present (GTK_WINDOW (get_window (ALS_APPLICATION (app))));
}

/* A link fills the field of the window that is there. It never connects by itself. */
static void
als_application_open (GApplication *app, GFile **files, int n_files, const char *hint)
{
  AlsWindow *window = get_window (ALS_APPLICATION (app));

  for (int i = 0; i < n_files; i++)
    if (g_file_has_uri_scheme (files[i], "alongside"))
      {
        g_autofree char *uri = g_file_get_uri (files[i]);

        als_window_fill_code (window, uri);
        break;
      }
  gtk_window_present (GTK_WINDOW (window));
}

static int
als_application_handle_local_options (GApplication *app, GVariantDict *options)
{
  if (g_variant_dict_contains (options, "version"))
    {
      g_print ("alongside %s\n", PACKAGE_VERSION);
      return 0;
    }
  if (g_variant_dict_contains (options, "listen"))
    als_ui_visit_always_listen ();
  if (g_variant_dict_contains (options, "new-instance"))
    g_application_set_flags (app, g_application_get_flags (app) | G_APPLICATION_NON_UNIQUE);
  return -1;
}

static void
als_application_finalize (GObject *object)
{
  AlsApplication *self = ALS_APPLICATION (object);

  for (guint i = 0; i < G_N_ELEMENTS (self->terminate_sources); i++)
    g_clear_handle_id (&self->terminate_sources[i], g_source_remove);
  g_clear_object (&self->settings);
  g_hash_table_unref (self->received);
  G_OBJECT_CLASS (als_application_parent_class)->finalize (object);
}

static void
als_application_class_init (AlsApplicationClass *klass)
{
  GApplicationClass *app_class = G_APPLICATION_CLASS (klass);

  G_OBJECT_CLASS (klass)->finalize = als_application_finalize;
  app_class->startup = als_application_startup;
  app_class->activate = als_application_activate;
  app_class->open = als_application_open;
  app_class->handle_local_options = als_application_handle_local_options;
}

static void
als_application_init (AlsApplication *self)
{
  static const GOptionEntry options[] = {
    { "version", 0, 0, G_OPTION_ARG_NONE, NULL, N_("Print the version"), NULL },
    { "listen", 0, 0, G_OPTION_ARG_NONE, NULL,
      N_("Without a rendezvous server: let codes work in the local network, too"), NULL },
    { "new-instance", 0, 0, G_OPTION_ARG_NONE, NULL,
      N_("Start a program of its own instead of a window of the running one"), NULL },
    { NULL },
  };

  self->received = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  g_application_add_main_option_entries (G_APPLICATION (self), options);
}

AlsApplication *
als_application_new (void)
{
  return g_object_new (ALS_TYPE_APPLICATION,
                       "application-id", APPLICATION_ID,
                       "resource-base-path", "/org/alongside/Alongside",
                       "flags", G_APPLICATION_HANDLES_OPEN,
                       NULL);
}

GSettings *
als_application_get_settings (AlsApplication *self)
{
  return self->settings;
}

void
als_application_add_received (AlsApplication *self, GFile *file)
{
  g_hash_table_add (self->received, g_file_get_uri (file));
}
