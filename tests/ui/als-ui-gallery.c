/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Shows the states of a window: as PNG pictures, or one of them until it is
 * closed (--hold), for the walk through its accessible tree. */

#define G_LOG_DOMAIN "als-ui-test"

#include "config.h"

#include "als-ui-states.h"

#include <glib/gi18n.h>
#include <locale.h>

static char *out_folder;
static char *variant = (char *) "normal";
static char *locale_folder;
static int width, height;
static double text_scale = 1;
static gboolean dark, rtl, high_contrast, hold;
static char **names;

static const GOptionEntry options[] = {
  { "out", 0, 0, G_OPTION_ARG_FILENAME, &out_folder, "Folder for pictures", "DIR" },
  { "variant", 0, 0, G_OPTION_ARG_STRING, &variant, "Last part of the names of pictures", "NAME" },
  { "locale-dir", 0, 0, G_OPTION_ARG_FILENAME, &locale_folder, "Compiled translations", "DIR" },
  { "width", 0, 0, G_OPTION_ARG_INT, &width, "Width of the window", "PIXELS" },
  { "height", 0, 0, G_OPTION_ARG_INT, &height, "Height of the window", "PIXELS" },
  { "text-scale", 0, 0, G_OPTION_ARG_DOUBLE, &text_scale, "Size of text", "FACTOR" },
  { "dark", 0, 0, G_OPTION_ARG_NONE, &dark, "Dark style", NULL },
  { "rtl", 0, 0, G_OPTION_ARG_NONE, &rtl, "From right to left", NULL },
  { "high-contrast", 0, 0, G_OPTION_ARG_NONE, &high_contrast, "High contrast", NULL },
  { "hold", 0, 0, G_OPTION_ARG_NONE, &hold, "Show one state until it is closed", NULL },
  { G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_STRING_ARRAY, &names, "States", "STATE…" },
  { NULL },
};

static void
save_picture (GtkWindow *window, const char *name)
{
  g_autoptr (GdkPaintable) paintable = gtk_widget_paintable_new (GTK_WIDGET (window));
  GtkSnapshot *snapshot = gtk_snapshot_new ();
  int w = gtk_widget_get_width (GTK_WIDGET (window)), h = gtk_widget_get_height (GTK_WIDGET (window));
  g_autofree char *file = g_strdup_printf ("%s.%s.png", name, variant);
  g_autofree char *path = g_build_filename (out_folder, file, NULL);
  g_autoptr (GdkTexture) texture = NULL;
  g_autoptr (GskRenderNode) node = NULL;

  gdk_paintable_snapshot (paintable, snapshot, w, h);
  node = gtk_snapshot_free_to_node (snapshot);
  g_assert_nonnull (node);
  texture = gsk_renderer_render_texture (gtk_native_get_renderer (GTK_NATIVE (window)), node,
                                         &GRAPHENE_RECT_INIT (0, 0, w, h));
  g_assert_true (gdk_texture_save_to_png (texture, path));
  g_print ("%s %dx%d\n", path, w, h);
}

static void
show_state (AlsApplication *app, const AlsUiState *state)
{
  AlsWindow *window = als_window_new (app);
  GtkWindow *top;

  if (width > 0)
    gtk_window_set_default_size (GTK_WINDOW (window), width, height);
  gtk_window_present (GTK_WINDOW (window));
  gtk_test_widget_wait_for_draw (GTK_WIDGET (window));
  state->apply (window);
  top = als_ui_top_window (window);
  if (width > 0 && top != GTK_WINDOW (window) && gtk_window_get_resizable (top))
    gtk_window_set_default_size (top, width, height);
  for (guint i = 0; i < 3; i++)
    gtk_test_widget_wait_for_draw (GTK_WIDGET (top));
  if (hold)
    {
      /* The walk waits for this line. */
      g_print ("ready\n");
      fflush (stdout);
      return;
    }
  save_picture (top, state->name);
  if (top != GTK_WINDOW (window))
    gtk_window_destroy (top);
  /* GTK 4.8 complains about a popover that is destroyed while it is open. */
  gtk_widget_set_visible (GTK_WIDGET (window), FALSE);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  gtk_window_destroy (GTK_WINDOW (window));
}

static void
activate_cb (AlsApplication *app)
{
  guint n_shown = 0;

  gtk_widget_set_default_direction (rtl ? GTK_TEXT_DIR_RTL : GTK_TEXT_DIR_LTR);
  g_object_set (gtk_settings_get_default (), "gtk-enable-animations", FALSE, "gtk-xft-dpi",
                (int) (96 * 1024 * text_scale), NULL);
  if (high_contrast)
    g_object_set (gtk_settings_get_default (), "gtk-theme-name", "Adwaita-hc", NULL);
  adw_style_manager_set_color_scheme (adw_style_manager_get_default (),
                                      dark ? ADW_COLOR_SCHEME_FORCE_DARK
                                           : ADW_COLOR_SCHEME_FORCE_LIGHT);
  for (guint i = 0; i < als_ui_n_states; i++)
    if (names == NULL || g_strv_contains ((const char *const *) names, als_ui_states[i].name))
      {
        show_state (app, &als_ui_states[i]);
        n_shown++;
      }
  if (n_shown == 0)
    g_error ("no such state");
}

/* The application has its own activate, which would open one more window. */
static void
activate_instead_cb (AlsApplication *app, gpointer user_data)
{
  g_signal_stop_emission_by_name (app, "activate");
  activate_cb (app);
}

int
main (int argc, char *argv[])
{
  g_autoptr (GOptionContext) context = g_option_context_new (NULL);
  g_autoptr (AlsApplication) app = NULL;
  g_autoptr (GError) error = NULL;

  setlocale (LC_ALL, "");
  g_option_context_add_main_entries (context, options, NULL);
  if (!g_option_context_parse (context, &argc, &argv, &error))
    g_error ("%s", error->message);
  if (locale_folder != NULL)
    {
      bindtextdomain (GETTEXT_PACKAGE, locale_folder);
      bind_textdomain_codeset (GETTEXT_PACKAGE, "UTF-8");
      textdomain (GETTEXT_PACKAGE);
    }
  if (out_folder != NULL)
    g_mkdir_with_parents (out_folder, 0755);
  app = als_application_new ();
  g_application_set_flags (G_APPLICATION (app), G_APPLICATION_NON_UNIQUE);
  g_signal_connect (app, "activate", G_CALLBACK (activate_instead_cb), NULL);
  return g_application_run (G_APPLICATION (app), 1, argv);
}
