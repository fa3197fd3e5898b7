/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* What the menu, buttons and keys of a window do. Consent is not here: it has
 * no action (see AlsConsentDialog and AlsOfferDialog). */

#define G_LOG_DOMAIN "als-ui"

#include "config.h"

#include "ui/als-window-private.h"

#include "ui/als-ui-platform.h"

#include <glib/gi18n.h>

static void
copy_text (AlsWindow *self, const char *text, const char *toast)
{
  gdk_clipboard_set_text (gtk_widget_get_clipboard (GTK_WIDGET (self)), text);
  als_window_show_toast (self, toast);
}

static void
copy_code_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  AlsWindow *self = user_data;
  const char *code = self->invite != NULL ? als_visit_get_code (self->invite) : NULL;

  if (code != NULL)
    copy_text (self, code, _("Code copied"));
}

static void
copy_link_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  AlsWindow *self = user_data;
  g_autofree char *uri = self->invite != NULL ? als_visit_dup_code_uri (self->invite) : NULL;

  if (uri != NULL)
    copy_text (self, uri, _("Link copied"));
}

static void
copy_details_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  AlsWindow *self = user_data;
  g_autofree char *details = als_end_page_get_details (self->end_page);

  copy_text (self, details, _("Details copied"));
}

static void
new_code_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  als_window_start_invite (user_data);
}

static void
files_chosen_cb (GPtrArray *files, gpointer user_data)
{
  als_window_send_files (user_data, files);
}

static void
send_files_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  als_ui_choose_files (user_data, _("Send Files"), files_chosen_cb, user_data);
}

static void
paste_files_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  als_window_paste_files (user_data);
}

static void
stop_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  AlsWindow *self = user_data;

  if (self->session != NULL)
    als_visit_stop (self->session);
}

/* Escape: what it ends first is what covers the most. */
static void
cancel_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  AlsWindow *self = user_data;

  if (gtk_window_is_fullscreen (GTK_WINDOW (self)))
    gtk_window_unfullscreen (GTK_WINDOW (self));
  else
    als_window_cancel_join (self);
}

static void
try_again_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  AlsWindow *self = user_data;
  g_autofree char *text = g_strdup (als_start_page_get_text (self->start_page));

  als_window_start_over (self);
  if (*text != '\0')
    als_window_connect_to (self, text);
}

static void
start_over_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  als_window_start_over (user_data);
}

static void
fullscreen_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  AlsWindow *self = user_data;

  if (gtk_window_is_fullscreen (GTK_WINDOW (self)))
    gtk_window_unfullscreen (GTK_WINDOW (self));
  else
    gtk_window_fullscreen (GTK_WINDOW (self));
}

static void
full_size_changed_cb (GSimpleAction *action, GVariant *state, gpointer user_data)
{
  AlsWindow *self = user_data;

  als_session_page_set_full_size (self->session_page, g_variant_get_boolean (state));
  g_simple_action_set_state (action, state);
}

static void
close_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  gtk_window_close (user_data);
}

/* Made when it is wanted: GTK 4.8 may give a screen reader that asks for a window that is just going
 * away the next one, and cannot name one that was never shown. */
static void
show_shortcuts_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  g_autoptr (GtkBuilder) builder
      = gtk_builder_new_from_resource ("/org/alongside/Alongside/als-shortcuts-window.ui");
  GtkWindow *window = GTK_WINDOW (gtk_builder_get_object (builder, "shortcuts_window"));

  gtk_window_set_transient_for (window, user_data);
  gtk_window_present (window);
}

static void
without_server_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  als_window_show_invitation (user_data);
}

static const GActionEntry actions[] = {
  { "without-server", without_server_cb, NULL, NULL, NULL },
  { "copy-code", copy_code_cb, NULL, NULL, NULL },
  { "copy-link", copy_link_cb, NULL, NULL, NULL },
  { "copy-details", copy_details_cb, NULL, NULL, NULL },
  { "new-code", new_code_cb, NULL, NULL, NULL },
  { "send-files", send_files_cb, NULL, NULL, NULL },
  { "paste-files", paste_files_cb, NULL, NULL, NULL },
  { "stop", stop_cb, NULL, NULL, NULL },
  { "cancel", cancel_cb, NULL, NULL, NULL },
  { "try-again", try_again_cb, NULL, NULL, NULL },
  { "start-over", start_over_cb, NULL, NULL, NULL },
  { "fullscreen", fullscreen_cb, NULL, NULL, NULL },
  { "full-size", NULL, NULL, "false", full_size_changed_cb },
  { "show-shortcuts", show_shortcuts_cb, NULL, NULL, NULL },
  { "close", close_cb, NULL, NULL, NULL },
};

static void
fullscreened_cb (AlsWindow *self)
{
  gboolean fullscreen = gtk_window_is_fullscreen (GTK_WINDOW (self));

  gtk_widget_set_visible (GTK_WIDGET (self->header), !fullscreen);
  als_session_page_set_fullscreen (self->session_page, fullscreen);
}

/* Keys of the window itself come after those of a focused entry or label, unlike accelerators of
 * the app: Ctrl+C and Ctrl+V there keep their usual meaning. */
void
als_window_install_actions (GtkWidgetClass *klass)
{
  gtk_widget_class_add_binding_action (klass, GDK_KEY_c, GDK_CONTROL_MASK, "win.copy-code", NULL);
  gtk_widget_class_add_binding_action (klass, GDK_KEY_v, GDK_CONTROL_MASK, "win.paste-files", NULL);
  gtk_widget_class_add_binding_action (klass, GDK_KEY_Escape, 0, "win.cancel", NULL);
}

void
als_window_init_actions (AlsWindow *self)
{
  g_action_map_add_action_entries (G_ACTION_MAP (self), actions, G_N_ELEMENTS (actions), self);
  g_signal_connect (self, "notify::fullscreened", G_CALLBACK (fullscreened_cb), NULL);
}

static void
set_enabled (AlsWindow *self, const char *name, gboolean enabled)
{
  GAction *action = g_action_map_lookup_action (G_ACTION_MAP (self), name);

  g_simple_action_set_enabled (G_SIMPLE_ACTION (action), enabled);
}

void
als_window_update_actions (AlsWindow *self)
{
  const char *page = gtk_stack_get_visible_child_name (self->pages);
  gboolean on_start = g_strcmp0 (page, "start") == 0;
  gboolean on_end = g_strcmp0 (page, "end") == 0;
  gboolean has_session = als_window_has_session (self);
  gboolean is_viewing = has_session && als_session_page_is_viewing (self->session);
  gboolean has_code = on_start && self->invite != NULL && als_visit_get_code (self->invite) != NULL;

  set_enabled (self, "copy-code", has_code);
  set_enabled (self, "copy-link", has_code);
  set_enabled (self, "new-code", on_start);
  set_enabled (self, "without-server", on_start);
  set_enabled (self, "copy-details", on_end);
  set_enabled (self, "start-over", on_end);
  set_enabled (self, "try-again", on_end);
  set_enabled (self, "send-files", has_session);
  set_enabled (self, "paste-files", has_session);
  set_enabled (self, "stop", has_session);
  set_enabled (self, "full-size", is_viewing);
  set_enabled (self, "fullscreen", is_viewing);
  gtk_widget_set_visible (self->stop_button, is_viewing);
}
