/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Files that are dropped on the window or pasted into it. */

#define G_LOG_DOMAIN "als-ui"

#include "config.h"

#include "ui/als-window-private.h"

#include <glib/gi18n.h>

static GPtrArray *
files_from_value (const GValue *value)
{
  GPtrArray *files = g_ptr_array_new_with_free_func (g_object_unref);

  for (GSList *l = g_value_get_boxed (value); l != NULL; l = l->next)
    g_ptr_array_add (files, g_object_ref (l->data));
  return files;
}

void
als_window_send_files (AlsWindow *self, GPtrArray *files)
{
  g_autoptr (GPtrArray) regular = g_ptr_array_new_with_free_func (g_object_unref);
  guint n_left_out = 0;

  if (!als_window_has_session (self))
    {
      als_window_show_toast (self, _("Connect first, then drop the files again."));
      return;
    }
  for (guint i = 0; i < files->len; i++)
    {
      GFile *file = g_ptr_array_index (files, i);

      /* Whatever else is wrong with a file, the transfer finds out and tells. */
      if (!g_file_is_native (file) ||
          g_file_query_file_type (file, G_FILE_QUERY_INFO_NONE, NULL) == G_FILE_TYPE_DIRECTORY)
        n_left_out++;
      else
        g_ptr_array_add (regular, g_object_ref (file));
    }
  if (n_left_out > 0)
    als_window_show_toast (self, _("Folders and files from the network cannot be sent: compress or copy them first."));
  if (regular->len > 0)
    als_visit_send_files (self->session, regular);
}

static gboolean
drop_cb (AlsWindow *self, const GValue *value)
{
  g_autoptr (GPtrArray) files = files_from_value (value);

  /* A drop is not followed by "leave". */
  gtk_widget_set_visible (self->drop_overlay, FALSE);
  als_window_send_files (self, files);
  return als_window_has_session (self);
}

static GdkDragAction
enter_cb (AlsWindow *self)
{
  g_autofree char *text = NULL;
  const char *peer = self->session != NULL ? als_visit_get_peer_name (self->session) : NULL;

  if (!als_window_has_session (self))
    text = g_strdup (_("Connect first, then drop the files."));
  else if (peer == NULL || *peer == '\0')
    text = g_strdup (_("Drop to send"));
  else
    /* Translators: %s is the name of the other person */
    text = g_strdup_printf (_("Drop to send to %s"), peer);
  gtk_label_set_label (self->drop_label, text);
  gtk_widget_set_visible (self->drop_overlay, TRUE);
  return GDK_ACTION_COPY;
}

static void
leave_cb (AlsWindow *self)
{
  gtk_widget_set_visible (self->drop_overlay, FALSE);
}

void
als_window_init_dnd (AlsWindow *self)
{
  GtkDropTarget *target = gtk_drop_target_new (GDK_TYPE_FILE_LIST, GDK_ACTION_COPY);

  g_signal_connect_swapped (target, "drop", G_CALLBACK (drop_cb), self);
  g_signal_connect_swapped (target, "enter", G_CALLBACK (enter_cb), self);
  g_signal_connect_swapped (target, "leave", G_CALLBACK (leave_cb), self);
  gtk_widget_add_controller (GTK_WIDGET (self->toasts), GTK_EVENT_CONTROLLER (target));
}

static void
read_value_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (AlsWindow) self = user_data;
  const GValue *value = gdk_clipboard_read_value_finish (GDK_CLIPBOARD (source), result, NULL);

  if (value != NULL)
    {
      g_autoptr (GPtrArray) files = files_from_value (value);

      als_window_send_files (self, files);
    }
}

void
als_window_paste_files (AlsWindow *self)
{
  gdk_clipboard_read_value_async (gtk_widget_get_clipboard (GTK_WIDGET (self)), GDK_TYPE_FILE_LIST,
                                  G_PRIORITY_DEFAULT, NULL, read_value_cb, g_object_ref (self));
}
