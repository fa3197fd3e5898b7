/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#define G_LOG_DOMAIN "als-ui"

#include "config.h"

#include "ui/als-ui-platform.h"

#include <glib/gi18n.h>

/* Opening and showing ------------------------------------------------------------------------- */

static void
launch_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GError) error = NULL;

  if (!g_app_info_launch_default_for_uri_finish (result, &error))
    g_message ("nothing opens this file: %s", error->message);
}

void
als_ui_open_file (GtkWindow *parent, GFile *file)
{
  g_autofree char *uri = g_file_get_uri (file);
  GdkDisplay *display = gtk_widget_get_display (GTK_WIDGET (parent));
  g_autoptr (GdkAppLaunchContext) context = gdk_display_get_app_launch_context (display);

  g_app_info_launch_default_for_uri_async (uri, G_APP_LAUNCH_CONTEXT (context), NULL, launch_cb,
                                           NULL);
}

typedef struct
{
  GtkWindow *parent;
  GFile *file;
} ShowRequest;

static void
show_request_free (ShowRequest *request)
{
  g_object_unref (request->parent);
  g_object_unref (request->file);
  g_free (request);
}

static void
show_items_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  ShowRequest *request = user_data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply = g_dbus_connection_call_finish (G_DBUS_CONNECTION (source), result,
                                                              &error);

  if (reply == NULL)
    {
      g_autoptr (GFile) folder = g_file_get_parent (request->file);

      if (folder != NULL)
        als_ui_open_file (request->parent, folder);
    }
  show_request_free (request);
}

static void
show_bus_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  ShowRequest *request = user_data;
  g_autoptr (GDBusConnection) bus = g_bus_get_finish (result, NULL);
  g_autofree char *uri = g_file_get_uri (request->file);
  const char *uris[] = { uri, NULL };

  if (bus == NULL)
    {
      show_request_free (request);
      return;
    }
  g_dbus_connection_call (bus, "org.freedesktop.FileManager1", "/org/freedesktop/FileManager1",
                          "org.freedesktop.FileManager1", "ShowItems",
                          g_variant_new ("(^ass)", uris, ""), NULL, G_DBUS_CALL_FLAGS_NONE, -1,
                          NULL, show_items_cb, request);
}

void
als_ui_show_in_folder (GtkWindow *parent, GFile *file)
{
  ShowRequest *request = g_new0 (ShowRequest, 1);

  request->parent = g_object_ref (parent);
  request->file = g_object_ref (file);
  g_bus_get (G_BUS_TYPE_SESSION, NULL, show_bus_cb, request);
}

/* Notifications ------------------------------------------------------------------------------- */

typedef struct
{
  GApplication *app;
  char *id;
  GNotification *notification;
} NotifyRequest;

static void
notify_request_free (NotifyRequest *request)
{
  g_object_unref (request->app);
  g_free (request->id);
  g_object_unref (request->notification);
  g_free (request);
}

static void
has_owner_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  NotifyRequest *request = user_data;
  g_autoptr (GVariant) reply = g_dbus_connection_call_finish (G_DBUS_CONNECTION (source), result,
                                                              NULL);
  gboolean has_owner = FALSE;

  if (reply != NULL)
    g_variant_get (reply, "(b)", &has_owner);
  if (has_owner)
    g_application_send_notification (request->app, request->id, request->notification);
  notify_request_free (request);
}

/* GIO warns on the terminal when no service shows notifications; so it is asked first. In a
 * sandbox the portal takes them, whoever shows them. */
void
als_ui_notify (GApplication *app, const char *id, GNotification *notification)
{
  GDBusConnection *bus = g_application_get_dbus_connection (app);
  NotifyRequest *request;

  if (g_file_test ("/.flatpak-info", G_FILE_TEST_EXISTS))
    {
      g_application_send_notification (app, id, notification);
      return;
    }
  if (bus == NULL)
    return;
  request = g_new0 (NotifyRequest, 1);
  request->app = g_object_ref (app);
  request->id = g_strdup (id);
  request->notification = g_object_ref (notification);
  g_dbus_connection_call (bus, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                          "org.freedesktop.DBus", "NameHasOwner",
                          g_variant_new ("(s)", "org.freedesktop.Notifications"),
                          G_VARIANT_TYPE ("(b)"), G_DBUS_CALL_FLAGS_NONE, -1, NULL, has_owner_cb,
                          request);
}

/* The screen ---------------------------------------------------------------------------------- */

gboolean
als_ui_can_capture_screen (GdkDisplay *display)
{
  /* Under Wayland, X11 capture would show an empty screen: XWayland's. */
  return g_str_equal (G_OBJECT_TYPE_NAME (display), "GdkX11Display");
}

/* Dialogs ------------------------------------------------------------------------------------- */

/* A button with a mnemonic is named twice by GTK 4.8, by its label and by being labelled by it. */
static void
name_buttons_once (GtkWidget *widget)
{
  if (GTK_IS_BUTTON (widget) && gtk_button_get_label (GTK_BUTTON (widget)) != NULL)
    {
      g_auto (GStrv) parts = g_strsplit (gtk_button_get_label (GTK_BUTTON (widget)), "_", -1);
      g_autofree char *name = g_strjoinv ("", parts);

      gtk_accessible_reset_relation (GTK_ACCESSIBLE (widget), GTK_ACCESSIBLE_RELATION_LABELLED_BY);
      gtk_accessible_update_property (GTK_ACCESSIBLE (widget), GTK_ACCESSIBLE_PROPERTY_LABEL, name,
                                      -1);
      return;
    }
  for (GtkWidget *child = gtk_widget_get_first_child (widget); child != NULL;
       child = gtk_widget_get_next_sibling (child))
    name_buttons_once (child);
}

static void
arrange_dialog_cb (GtkWindow *dialog)
{
  GtkWidget *button = gtk_window_get_default_widget (dialog);

  name_buttons_once (GTK_WIDGET (dialog));
  if (button != NULL && gtk_widget_get_mapped (button))
    gtk_widget_grab_focus (button);
}

/* Its buttons are others once their room is known, so it is done then, too. */
void
als_ui_prepare_dialog (GtkWindow *dialog)
{
  g_signal_connect_after (dialog, "map", G_CALLBACK (arrange_dialog_cb), NULL);
  g_signal_connect_after (dialog, "notify::default-widget", G_CALLBACK (arrange_dialog_cb), NULL);
}

/* Stacks -------------------------------------------------------------------------------------- */

/* GTK 4.8 tells screen readers of every visible child of a stack, seen or not. */
void
als_ui_show_stack_page (GtkStack *stack, const char *name)
{
  GtkWidget *shown = gtk_stack_get_child_by_name (stack, name);

  gtk_widget_set_visible (shown, TRUE);
  gtk_stack_set_visible_child (stack, shown);
  for (GtkWidget *child = gtk_widget_get_first_child (GTK_WIDGET (stack)); child != NULL;
       child = gtk_widget_get_next_sibling (child))
    gtk_widget_set_visible (child, child == shown);
}

/* Tooltips ------------------------------------------------------------------------------------ */

static gboolean
query_tooltip_cb (GtkLabel *label, int x, int y, gboolean keyboard, GtkTooltip *tooltip)
{
  gtk_tooltip_set_text (tooltip, gtk_label_get_label (label));
  return TRUE;
}

/* Not by gtk_widget_set_tooltip_text (): up to GTK 4.8 it leaves an idle that complains when the
 * widget has lost its window before it runs. */
void
als_ui_show_text_as_tooltip (GtkLabel *label)
{
  g_signal_connect (label, "query-tooltip", G_CALLBACK (query_tooltip_cb), NULL);
  gtk_widget_set_has_tooltip (GTK_WIDGET (label), TRUE);
}

/* Choosers: GtkFileDialog is newer than GTK 4.8 ------------------------------------------------ */

G_GNUC_BEGIN_IGNORE_DEPRECATIONS

typedef struct
{
  AlsUiFolderFunc folder_func;
  AlsUiFilesFunc files_func;
  GObject *object; /* owned */
} ChooserRequest;

static void
chooser_request_free (gpointer data, GClosure *closure)
{
  ChooserRequest *request = data;

  g_object_unref (request->object);
  g_free (request);
}

static void
chooser_response_cb (GtkNativeDialog *dialog, int response, gpointer user_data)
{
  ChooserRequest *request = user_data;

  if (response == GTK_RESPONSE_ACCEPT && request->folder_func != NULL)
    {
      g_autoptr (GFile) folder = gtk_file_chooser_get_file (GTK_FILE_CHOOSER (dialog));

      if (folder != NULL)
        request->folder_func (folder, request->object);
    }
  else if (response == GTK_RESPONSE_ACCEPT)
    {
      g_autoptr (GListModel) chosen = gtk_file_chooser_get_files (GTK_FILE_CHOOSER (dialog));
      g_autoptr (GPtrArray) files = g_ptr_array_new_with_free_func (g_object_unref);

      for (guint i = 0; i < g_list_model_get_n_items (chosen); i++)
        g_ptr_array_add (files, g_list_model_get_item (chosen, i));
      if (files->len > 0)
        request->files_func (files, request->object);
    }
  g_object_unref (dialog);
}

static void
choose (GtkWindow *parent, const char *title, GtkFileChooserAction action,
        AlsUiFolderFunc folder_func, AlsUiFilesFunc files_func, gpointer object)
{
  ChooserRequest *request = g_new0 (ChooserRequest, 1);
  GtkFileChooserNative *dialog = gtk_file_chooser_native_new (title, parent, action, _("_Choose"),
                                                              NULL);

  request->folder_func = folder_func;
  request->files_func = files_func;
  request->object = g_object_ref (object);
  gtk_native_dialog_set_modal (GTK_NATIVE_DIALOG (dialog), TRUE);
  gtk_file_chooser_set_select_multiple (GTK_FILE_CHOOSER (dialog),
                                        action == GTK_FILE_CHOOSER_ACTION_OPEN);
  g_signal_connect_data (dialog, "response", G_CALLBACK (chooser_response_cb),
                         request, chooser_request_free, 0);
  gtk_native_dialog_show (GTK_NATIVE_DIALOG (dialog));
}

G_GNUC_END_IGNORE_DEPRECATIONS

void
als_ui_choose_folder (GtkWindow *parent, const char *title, AlsUiFolderFunc func, gpointer object)
{
  choose (parent, title, GTK_FILE_CHOOSER_ACTION_SELECT_FOLDER, func, NULL, object);
}

void
als_ui_choose_files (GtkWindow *parent, const char *title, AlsUiFilesFunc func, gpointer object)
{
  choose (parent, title, GTK_FILE_CHOOSER_ACTION_OPEN, NULL, func, object);
}

void
als_ui_name_lists (GtkWidget *widget, const char *name)
{
  if (GTK_IS_LIST_BOX (widget) || ADW_IS_EXPANDER_ROW (widget))
    gtk_accessible_update_property (GTK_ACCESSIBLE (widget), GTK_ACCESSIBLE_PROPERTY_LABEL, name, -1);
  for (GtkWidget *child = gtk_widget_get_first_child (widget); child != NULL;
       child = gtk_widget_get_next_sibling (child))
    als_ui_name_lists (child, name);
}
