/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#define G_LOG_DOMAIN "als-ui-test"

#include "config.h"

#include "als-ui-states.h"

#include "als-fake-visit.h"

#include "ui/als-preferences-window.h"

static const char *const one_file[] = { "Invoice October.pdf", NULL };
static const char *const many_files[] = { "Holiday 2026-08-14 at the lake with grandma.jpg", "b.png",
                                          "notes.txt", "archive.tar.xz", "e", "f", "g", "h", NULL };
static const char *const two_files[] = { "driver.zip", "read me first.txt", NULL };

static void
start (AlsWindow *window)
{
  als_fake_visit_set_reach (als_window_get_invite (window), ALS_VISIT_REACH_ANYWHERE);
}

static void
start_this_machine (AlsWindow *window)
{
  als_fake_visit_set_reach (als_window_get_invite (window), ALS_VISIT_REACH_MACHINE);
}

static void
start_this_network (AlsWindow *window)
{
  als_fake_visit_set_reach (als_window_get_invite (window), ALS_VISIT_REACH_NETWORK);
  als_fake_visit_wrong_code (als_window_get_invite (window), 2);
}

static void
start_no_server (AlsWindow *window)
{
  als_fake_visit_set_code (als_window_get_invite (window), NULL, 0);
  als_fake_visit_set_state (als_window_get_invite (window), ALS_VISIT_REACHING_SERVER);
  als_fake_visit_set_problem (als_window_get_invite (window), ALS_VISIT_ERROR_SERVER);
}

static void
start_burnt (AlsWindow *window)
{
  als_fake_visit_set_code (als_window_get_invite (window), NULL, 0);
  als_fake_visit_end (als_window_get_invite (window), ALS_VISIT_ERROR_BURNT_CODE);
}

static void
press_connect (AlsWindow *window)
{
  g_signal_emit_by_name (als_ui_find (GTK_WIDGET (window), GTK_TYPE_ENTRY, NULL), "activate");
}

static void
joining (AlsWindow *window)
{
  als_window_fill_code (window, "739-104 882 615");
  press_connect (window);
}

static void
start_bad_code (AlsWindow *window)
{
  als_window_fill_code (window, "48291x");
  press_connect (window);
}

static void
start_wrong_code (AlsWindow *window)
{
  joining (window);
  als_fake_visit_set_tries_left (als_window_get_join (window), 2);
  als_fake_visit_end (als_window_get_join (window), ALS_VISIT_ERROR_WRONG_CODE);
}

static void
wait_server (AlsWindow *window)
{
  joining (window);
  als_fake_visit_set_problem (als_window_get_join (window), ALS_VISIT_ERROR_SERVER);
}

static void
wait_looking (AlsWindow *window)
{
  joining (window);
  als_fake_visit_set_state (als_window_get_join (window), ALS_VISIT_LOOKING);
}

static void
wait_checking (AlsWindow *window)
{
  joining (window);
  als_fake_visit_set_state (als_window_get_join (window), ALS_VISIT_CHECKING);
}

static void
wait_asking (AlsWindow *window)
{
  joining (window);
  als_fake_visit_set_peer (als_window_get_join (window), "Bernd");
  als_fake_visit_set_state (als_window_get_join (window), ALS_VISIT_ASKING);
}

static void
inviter_checking (AlsWindow *window)
{
  als_fake_visit_set_code (als_window_get_invite (window), NULL, 0);
  als_fake_visit_set_state (als_window_get_invite (window), ALS_VISIT_CHECKING);
}

static void
consent (AlsWindow *window)
{
  inviter_checking (window);
  als_fake_visit_set_peer (als_window_get_invite (window), "Anna");
  als_fake_visit_set_state (als_window_get_invite (window), ALS_VISIT_ASKING);
}

static void
sharing (AlsWindow *window)
{
  AlsVisit *visit = als_window_get_invite (window);

  als_fake_visit_set_code (visit, NULL, 0);
  als_fake_visit_set_peer (visit, "Anna");
  als_fake_visit_set_permission (visit, ALS_VISIT_SEE_SCREEN);
  als_fake_visit_set_state (visit, ALS_VISIT_ACTIVE);
  als_fake_visit_set_sharing (visit, TRUE);
  als_fake_visit_set_path (visit, ALS_PATH_SIGNAL_RELAY, NULL, 42 * 1000);
}

static void
sharing_hidden (AlsWindow *window)
{
  sharing (window);
  als_fake_visit_set_sharing (als_window_get_invite (window), FALSE);
}

static void
sharing_files (AlsWindow *window)
{
  AlsVisit *visit = als_window_get_invite (window);

  sharing (window);
  als_fake_transfer_done (als_fake_visit_add_transfer (visit, TRUE, one_file));
  als_fake_transfer_progress (als_fake_visit_add_transfer (visit, FALSE, many_files), 170000000,
                              12400000, 75);
  als_fake_transfer_fail (als_fake_visit_add_transfer (visit, TRUE, two_files),
                          ALS_TRANSFER_ERROR_DISK_FULL);
  als_fake_visit_add_transfer (visit, FALSE, two_files);
}

static void
sharing_reconnecting (AlsWindow *window)
{
  sharing (window);
  als_fake_visit_set_state (als_window_get_invite (window), ALS_VISIT_RECONNECTING);
}

static void
offer (AlsWindow *window)
{
  sharing (window);
  als_fake_visit_add_transfer (als_window_get_invite (window), TRUE, many_files);
}

static void
files_only (AlsWindow *window)
{
  AlsVisit *visit;

  wait_asking (window);
  visit = als_window_get_join (window);
  als_fake_visit_set_permission (visit, ALS_VISIT_FILES_ONLY);
  als_fake_visit_set_path (visit, ALS_PATH_DIRECT_UDP, "192.0.2.44:50122", 8300);
  als_fake_visit_set_state (visit, ALS_VISIT_ACTIVE);
}

static void
viewing_waiting (AlsWindow *window)
{
  AlsVisit *visit;

  wait_asking (window);
  visit = als_window_get_join (window);
  als_fake_visit_set_permission (visit, ALS_VISIT_SEE_SCREEN);
  als_fake_visit_set_path (visit, ALS_PATH_SIGNAL_RELAY, NULL, 42 * 1000);
  als_fake_visit_set_state (visit, ALS_VISIT_ACTIVE);
  als_fake_visit_open_screen (visit);
}

static void
viewing (AlsWindow *window)
{
  AlsVisit *visit;

  viewing_waiting (window);
  visit = als_window_get_join (window);
  als_fake_visit_set_path (visit, ALS_PATH_DIRECT_UDP, "192.0.2.44:50122", 8300);
  als_fake_visit_show_screen (visit, 1920, 1080);
}

static void
viewing_full_size (AlsWindow *window)
{
  viewing (window);
  g_action_group_activate_action (G_ACTION_GROUP (window), "full-size", NULL);
}

static void
viewing_files (AlsWindow *window)
{
  AlsVisit *visit;

  viewing (window);
  visit = als_window_get_join (window);
  als_fake_transfer_done (als_fake_visit_add_transfer (visit, TRUE, one_file));
  als_fake_transfer_progress (als_fake_visit_add_transfer (visit, FALSE, two_files), 30000000,
                              3400000, 19);
}

static void
viewing_reconnecting (AlsWindow *window)
{
  viewing (window);
  als_fake_visit_set_state (als_window_get_join (window), ALS_VISIT_RECONNECTING);
}

static void
end_lost (AlsWindow *window)
{
  viewing (window);
  als_fake_visit_end (als_window_get_join (window), ALS_VISIT_ERROR_PEER_LOST);
}

static void
end_left (AlsWindow *window)
{
  sharing_files (window);
  als_fake_visit_end (als_window_get_invite (window), ALS_VISIT_ERROR_PEER_LEFT);
}

static void
end_declined (AlsWindow *window)
{
  wait_asking (window);
  als_fake_visit_end (als_window_get_join (window), ALS_VISIT_ERROR_DECLINED);
}

static void
end_server (AlsWindow *window)
{
  joining (window);
  als_fake_visit_end (als_window_get_join (window), ALS_VISIT_ERROR_SERVER);
}

static void
ask_close (AlsWindow *window)
{
  sharing (window);
  gtk_window_close (GTK_WINDOW (window));
}

static void
preferences (AlsWindow *window)
{
  g_action_group_activate_action (
    G_ACTION_GROUP (gtk_window_get_application (GTK_WINDOW (window))), "preferences", NULL);
}

static void
about (AlsWindow *window)
{
  g_action_group_activate_action (
    G_ACTION_GROUP (gtk_window_get_application (GTK_WINDOW (window))), "about", NULL);
}

static void
shortcuts (AlsWindow *window)
{
  g_action_group_activate_action (G_ACTION_GROUP (window), "show-shortcuts", NULL);
}

static void
route_popover (AlsWindow *window)
{
  viewing (window);
  /* The menu button of the footer is the last one in the window. */
  gtk_menu_button_popup (GTK_MENU_BUTTON (als_ui_find (
    als_ui_find (GTK_WIDGET (window), g_type_from_name ("AlsRouteButton"), NULL),
    GTK_TYPE_MENU_BUTTON, NULL)));
}

const AlsUiState als_ui_states[] = {
  { "start", start },
  { "start-this-machine", start_this_machine },
  { "start-this-network", start_this_network },
  { "start-no-server", start_no_server },
  { "start-burnt", start_burnt },
  { "start-bad-code", start_bad_code },
  { "start-wrong-code", start_wrong_code },
  { "wait-server", wait_server },
  { "wait-looking", wait_looking },
  { "wait-checking", wait_checking },
  { "wait-asking", wait_asking },
  { "inviter-checking", inviter_checking },
  { "consent", consent },
  { "sharing", sharing },
  { "sharing-hidden", sharing_hidden },
  { "sharing-files", sharing_files },
  { "sharing-reconnecting", sharing_reconnecting },
  { "offer", offer },
  { "files-only", files_only },
  { "viewing-waiting", viewing_waiting },
  { "viewing", viewing },
  { "viewing-full-size", viewing_full_size },
  { "viewing-files", viewing_files },
  { "viewing-reconnecting", viewing_reconnecting },
  { "route-popover", route_popover },
  { "end-lost", end_lost },
  { "end-left", end_left },
  { "end-declined", end_declined },
  { "end-server", end_server },
  { "ask-close", ask_close },
  { "preferences", preferences },
  { "shortcuts", shortcuts },
  { "about", about },
};
const guint als_ui_n_states = G_N_ELEMENTS (als_ui_states);

GtkWindow *
als_ui_top_window (AlsWindow *window)
{
  g_autoptr (GList) all = gtk_window_list_toplevels ();

  for (GList *l = all; l != NULL; l = l->next)
    if (GTK_IS_WINDOW (l->data) &&
        gtk_window_get_transient_for (l->data) == GTK_WINDOW (window) &&
        gtk_widget_get_visible (l->data))
      return l->data;
  return GTK_WINDOW (window);
}

static gboolean
has_text (GtkWidget *widget, const char *text)
{
  static const char *const names[] = { "label", "title", "text", "heading" };

  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    {
      GParamSpec *pspec = g_object_class_find_property (G_OBJECT_GET_CLASS (widget), names[i]);
      g_autofree char *value = NULL;

      if (pspec == NULL || pspec->value_type != G_TYPE_STRING)
        continue;
      g_object_get (widget, names[i], &value, NULL);
      if (g_strcmp0 (value, text) == 0)
        return TRUE;
    }
  return FALSE;
}

static GtkWidget *
find (GtkWidget *widget, GType type, const char *text, gboolean mapped_only)
{
  if (g_type_is_a (G_OBJECT_TYPE (widget), type) && (text == NULL || has_text (widget, text)) &&
      (!mapped_only || gtk_widget_get_mapped (widget)))
    return widget;
  for (GtkWidget *child = gtk_widget_get_first_child (widget); child != NULL;
       child = gtk_widget_get_next_sibling (child))
    {
      GtkWidget *found = find (child, type, text, mapped_only);

      if (found != NULL)
        return found;
    }
  return NULL;
}

GtkWidget *
als_ui_find (GtkWidget *widget, GType type, const char *text)
{
  GtkWidget *shown = find (widget, type, text, TRUE);

  return shown != NULL ? shown : find (widget, type, text, FALSE);
}
