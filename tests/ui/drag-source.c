/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A window that gives the files named as arguments to whoever they are dropped on, as a file
 * manager does; ends once they were given. */

#include <gtk/gtk.h>

static GdkContentProvider *
prepare_cb (GtkDragSource *source, double x, double y, gpointer user_data)
{
  GSList *files = user_data;
  GValue value = G_VALUE_INIT;
  GdkContentProvider *provider;

  g_value_init (&value, GDK_TYPE_FILE_LIST);
  g_value_take_boxed (&value, g_boxed_copy (GDK_TYPE_FILE_LIST, files));
  provider = gdk_content_provider_new_for_value (&value);
  g_value_unset (&value);
  return provider;
}

static void
drag_begin_cb (GtkDragSource *source, GdkDrag *drag, gpointer user_data)
{
  g_print ("dragging\n");
}

static void
drag_end_cb (GtkDragSource *source, GdkDrag *drag, gboolean delete_data, gpointer user_data)
{
  g_main_loop_quit (user_data);
}

static gboolean
tell_drawn_cb (GtkWidget *widget, GdkFrameClock *clock, gpointer user_data)
{
  g_print ("ready\n");
  return G_SOURCE_REMOVE;
}

int
main (int argc, char **argv)
{
  g_autoptr (GMainLoop) loop = g_main_loop_new (NULL, FALSE);
  GSList *files = NULL;
  GtkDragSource *source;
  GtkWidget *window, *label;

  gtk_init ();
  for (int i = argc - 1; i > 0; i--)
    files = g_slist_prepend (files, g_file_new_for_path (argv[i]));
  window = gtk_window_new ();
  gtk_window_set_default_size (GTK_WINDOW (window), 160, 90);
  gtk_window_set_decorated (GTK_WINDOW (window), FALSE);
  label = gtk_label_new ("files");
  gtk_window_set_child (GTK_WINDOW (window), label);
  source = gtk_drag_source_new ();
  g_signal_connect (source, "prepare", G_CALLBACK (prepare_cb), files);
  g_signal_connect (source, "drag-begin", G_CALLBACK (drag_begin_cb), NULL);
  g_signal_connect (source, "drag-end", G_CALLBACK (drag_end_cb), loop);
  gtk_widget_add_controller (label, GTK_EVENT_CONTROLLER (source));
  gtk_widget_add_tick_callback (label, tell_drawn_cb, NULL, NULL);
  gtk_window_present (GTK_WINDOW (window));
  g_main_loop_run (loop);
  g_slist_free_full (files, g_object_unref);
  return 0;
}
