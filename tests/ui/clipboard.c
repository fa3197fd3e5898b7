/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The clipboard for test scripts: "clipboard get" prints its text, "clipboard set TEXT" says "ready"
 * once TEXT is in it, and stays until somebody else copies something. */

#include <gtk/gtk.h>

static void
read_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autofree char *text = gdk_clipboard_read_text_finish (GDK_CLIPBOARD (source), result, NULL);

  g_print ("%s", text != NULL ? text : "");
  g_main_loop_quit (user_data);
}

static void
local_cb (GdkClipboard *clipboard, GParamSpec *pspec, gpointer user_data)
{
  if (!gdk_clipboard_is_local (clipboard))
    g_main_loop_quit (user_data);
}

int
main (int argc, char **argv)
{
  g_autoptr (GMainLoop) loop = g_main_loop_new (NULL, FALSE);
  GdkClipboard *clipboard;

  gtk_init ();
  clipboard = gdk_display_get_clipboard (gdk_display_get_default ());
  if (argc == 2 && g_str_equal (argv[1], "get"))
    gdk_clipboard_read_text_async (clipboard, NULL, read_cb, loop);
  else if (argc == 3 && g_str_equal (argv[1], "set"))
    {
      gdk_clipboard_set_text (clipboard, argv[2]);
      gdk_display_sync (gdk_display_get_default ());
      g_signal_connect (clipboard, "notify::local", G_CALLBACK (local_cb), loop);
      g_print ("ready\n");
    }
  else
    return 2;
  g_main_loop_run (loop);
  return 0;
}
