/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#define G_LOG_DOMAIN "als-ui"

#include "config.h"

#include "ui/als-preferences-window.h"

#include "path/als-ice-uri.h"
#include "ui/als-entry-row.h"
#include "ui/als-ui-platform.h"
#include "ui/als-ui-visit.h"
#include "visit/als-connection-report.h"

#include <glib/gi18n.h>

struct _AlsPreferencesWindow
{
  AdwPreferencesWindow parent;
  GSettings *settings; /* owned */
  AlsEntryRow *name;
  AdwActionRow *folder;
  AlsEntryRow *servers;
  GtkSwitch *listen;
  AlsEntryRow *ice_servers;
  AlsEntryRow *local_port;
  GtkSwitch *port_mapping;
  GtkSwitch *lan_search;
};

G_DEFINE_FINAL_TYPE (AlsPreferencesWindow, als_preferences_window, ADW_TYPE_PREFERENCES_WINDOW)

static void
update_folder (AlsPreferencesWindow *self)
{
  g_autofree char *path = g_settings_get_string (self->settings, "download-folder");
  const char *downloads = g_get_user_special_dir (G_USER_DIRECTORY_DOWNLOAD);
  const char *shown = downloads != NULL ? downloads : _("Downloads");
  g_autofree char *escaped = g_markup_escape_text (*path != '\0' ? path : shown, -1);

  adw_action_row_set_subtitle (self->folder, escaped);
}

static void
folder_chosen_cb (GFile *folder, gpointer user_data)
{
  AlsPreferencesWindow *self = user_data;
  g_autofree char *path = g_file_get_path (folder);

  if (path != NULL && self->settings != NULL)
    g_settings_set_string (self->settings, "download-folder", path);
}

static void
folder_clicked_cb (AlsPreferencesWindow *self)
{
  als_ui_choose_folder (GTK_WINDOW (self), _("Folder for Received Files"), folder_chosen_cb, self);
}

static void
name_applied_cb (AlsPreferencesWindow *self)
{
  g_autofree char *name = g_strdup (als_entry_row_get_text (self->name));

  g_settings_set_string (self->settings, "name", g_strstrip (name));
}

/* (transfer full) (nullable) */
typedef char *(*CheckFunc) (const char *word);

static char *
check_server (const char *word)
{
  if (als_ui_is_server_address (word))
    return NULL;
  /* Translators: %s is what was typed; ws:// and wss:// stay as they are */
  return g_strdup_printf (_("“%s” is no server address: it starts with wss:// or ws://"), word);
}

static char *
check_ice_server (const char *word)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (AlsPathServer) server = als_ice_uri_parse (word, &error);

  return server != NULL ? NULL : als_connection_describe_bad_server (word, error);
}

/* Nothing is stored before all of it is right. */
static void
apply_list (AlsPreferencesWindow *self, AlsEntryRow *row, const char *key, CheckFunc check)
{
  g_auto (GStrv) words = g_strsplit_set (als_entry_row_get_text (row), " ,;", -1);
  g_autoptr (GStrvBuilder) builder = g_strv_builder_new ();
  g_auto (GStrv) list = NULL;

  for (guint i = 0; words[i] != NULL; i++)
    {
      g_autofree char *sentence = *words[i] != '\0' ? check (words[i]) : NULL;

      if (sentence != NULL)
        {
          als_entry_row_set_problem (row, sentence);
          return;
        }
      if (*words[i] != '\0')
        g_strv_builder_add (builder, words[i]);
    }
  als_entry_row_set_problem (row, NULL);
  list = g_strv_builder_end (builder);
  g_settings_set_strv (self->settings, key, (const char *const *) list);
}

static void
servers_applied_cb (AlsPreferencesWindow *self)
{
  apply_list (self, self->servers, "servers", check_server);
}

static void
ice_servers_applied_cb (AlsPreferencesWindow *self)
{
  apply_list (self, self->ice_servers, "ice-servers", check_ice_server);
}

static void
local_port_applied_cb (AlsPreferencesWindow *self)
{
  g_autofree char *text = g_strdup (als_entry_row_get_text (self->local_port));
  guint64 port = 0;

  g_strstrip (text);
  /* Lower ones need rights that we do not want. */
  if (*text != '\0' && !g_ascii_string_to_unsigned (text, 10, 1024, G_MAXUINT16, &port, NULL))
    {
      als_entry_row_set_problem (self->local_port, _("A port is a number from 1024 to 65535"));
      return;
    }
  als_entry_row_set_problem (self->local_port, NULL);
  g_settings_set (self->settings, "local-port", "q", (guint16) port);
}

static void
als_preferences_window_dispose (GObject *object)
{
  AlsPreferencesWindow *self = ALS_PREFERENCES_WINDOW (object);

  g_clear_object (&self->settings);
  G_OBJECT_CLASS (als_preferences_window_parent_class)->dispose (object);
}

static void
als_preferences_window_class_init (AlsPreferencesWindowClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = als_preferences_window_dispose;
  g_type_ensure (ALS_TYPE_ENTRY_ROW);
  gtk_widget_class_set_template_from_resource (widget_class,
    "/org/alongside/Alongside/als-preferences-window.ui");
  gtk_widget_class_bind_template_child (widget_class, AlsPreferencesWindow, name);
  gtk_widget_class_bind_template_child (widget_class, AlsPreferencesWindow, folder);
  gtk_widget_class_bind_template_child (widget_class, AlsPreferencesWindow, servers);
  gtk_widget_class_bind_template_child (widget_class, AlsPreferencesWindow, listen);
  gtk_widget_class_bind_template_child (widget_class, AlsPreferencesWindow, ice_servers);
  gtk_widget_class_bind_template_child (widget_class, AlsPreferencesWindow, local_port);
  gtk_widget_class_bind_template_child (widget_class, AlsPreferencesWindow, port_mapping);
  gtk_widget_class_bind_template_child (widget_class, AlsPreferencesWindow, lan_search);
  gtk_widget_class_bind_template_callback (widget_class, folder_clicked_cb);
  gtk_widget_class_bind_template_callback (widget_class, name_applied_cb);
  gtk_widget_class_bind_template_callback (widget_class, servers_applied_cb);
  gtk_widget_class_bind_template_callback (widget_class, ice_servers_applied_cb);
  gtk_widget_class_bind_template_callback (widget_class, local_port_applied_cb);
}

static void
als_preferences_window_init (AlsPreferencesWindow *self)
{
  gtk_widget_init_template (GTK_WIDGET (self));
}

AlsPreferencesWindow *
als_preferences_window_new (GtkWindow *parent, GSettings *settings)
{
  AlsPreferencesWindow *self = g_object_new (ALS_TYPE_PREFERENCES_WINDOW, "transient-for", parent,
                                             NULL);
  g_autofree char *name = g_settings_get_string (settings, "name");
  g_auto (GStrv) servers = g_settings_get_strv (settings, "servers");
  g_auto (GStrv) ice_servers = g_settings_get_strv (settings, "ice-servers");
  g_autofree char *text = g_strjoinv (", ", servers);
  g_autofree char *ice_text = g_strjoinv (", ", ice_servers);
  guint16 port = 0;

  g_settings_get (settings, "local-port", "q", &port);
  self->settings = g_object_ref (settings);
  als_entry_row_set_text (self->name, name);
  als_entry_row_set_text (self->servers, text);
  als_entry_row_set_text (self->ice_servers, ice_text);
  if (port != 0)
    {
      g_autofree char *port_text = g_strdup_printf ("%u", port);

      als_entry_row_set_text (self->local_port, port_text);
    }
  g_settings_bind (settings, "port-mapping", self->port_mapping, "active", G_SETTINGS_BIND_DEFAULT);
  g_settings_bind (settings, "lan-search", self->lan_search, "active", G_SETTINGS_BIND_DEFAULT);
  g_settings_bind (settings, "listen", self->listen, "active", G_SETTINGS_BIND_DEFAULT);
  g_signal_connect_object (settings, "changed::download-folder", G_CALLBACK (update_folder), self,
                           G_CONNECT_SWAPPED);
  update_folder (self);
  return self;
}
