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
popup_route (AlsWindow *window)
{
  /* The menu button of the footer is the last one in the window. */
  gtk_menu_button_popup (GTK_MENU_BUTTON (als_ui_find (
    als_ui_find (GTK_WIDGET (window), g_type_from_name ("AlsRouteButton"), NULL),
    GTK_TYPE_MENU_BUTTON, NULL)));
}

static void
route_popover (AlsWindow *window)
{
  viewing (window);
  popup_route (window);
}

static void
add_attempt (AlsConnectionReport *report, AlsPathMethod method, AlsAttemptState state,
             AlsPathProblem problem, guint tries)
{
  AlsConnectionAttempt *attempt = &report->attempts[report->n_attempts++];

  attempt->method = method;
  attempt->state = state;
  attempt->report.problem = problem;
  attempt->report.tries = tries;
}

static AlsNetworkReport *
make_network (AlsNatDependence mapping, AlsNatDependence filtering, guint mappings)
{
  AlsNetworkReport network = {
    .udp_known = TRUE, .tcp_known = TRUE, .tcp_is_translated = TRUE, .tcp_mapping = mapping,
    .mappings = mappings, .has_ipv4 = TRUE, .mtu = 1492, .server_rtt_us = 18 * 1000,
  };

  network.udp.is_translated = TRUE;
  network.udp.mapping = mapping;
  network.udp.filtering = filtering;
  g_assert_true (als_stun_address_parse (&network.udp.endpoints[0], "192.0.2.7", 4));
  return als_network_report_copy (&network);
}

static void
show_connection (AlsWindow *window)
{
  GtkMenuButton *button;

  popup_route (window);
  button = GTK_MENU_BUTTON (als_ui_find (als_ui_find (GTK_WIDGET (window), g_type_from_name ("AlsRouteButton"), NULL),
                                         GTK_TYPE_MENU_BUTTON, NULL));
  /* The only button there, in any language. */
  g_signal_emit_by_name (als_ui_find (GTK_WIDGET (gtk_menu_button_get_popover (button)), GTK_TYPE_BUTTON, NULL),
                         "clicked");
}

static void
connection_empty (AlsWindow *window)
{
  viewing (window);
  als_fake_visit_set_path (als_window_get_join (window), ALS_PATH_NONE, NULL, 0);
  show_connection (window);
}

static void
connection (AlsWindow *window)
{
  g_autoptr (AlsConnectionReport) report = als_connection_report_new ();

  add_attempt (report, ALS_METHOD_TURN_TCP, ALS_ATTEMPT_IN_USE, ALS_PATH_PROBLEM_NONE, 1);
  report->attempts[0].rtt_us = 42 * 1000;
  report->attempts[0].rate = 1200 * 1000;
  add_attempt (report, ALS_METHOD_SIGNAL_RELAY, ALS_ATTEMPT_STANDBY, ALS_PATH_PROBLEM_NONE, 1);
  report->attempts[1].rtt_us = 61 * 1000;
  add_attempt (report, ALS_METHOD_TCP_PUNCH, ALS_ATTEMPT_FAILED, ALS_PATH_PROBLEM_RESETS, 6);
  add_attempt (report, ALS_METHOD_ICE, ALS_ATTEMPT_FAILED, ALS_PATH_PROBLEM_SILENCE, 48);
  add_attempt (report, ALS_METHOD_UDP_PUNCH, ALS_ATTEMPT_TRYING, ALS_PATH_PROBLEM_NONE, 612);
  add_attempt (report, ALS_METHOD_LAN, ALS_ATTEMPT_OFF, ALS_PATH_PROBLEM_PEER_ENDPOINT, 0);
  add_attempt (report, ALS_METHOD_TURN_UDP, ALS_ATTEMPT_FAILED, ALS_PATH_PROBLEM_SERVER_UNREACHABLE, 2);
  report->ours = make_network (ALS_NAT_ADDRESS_AND_PORT_DEPENDENT, ALS_NAT_ADDRESS_AND_PORT_DEPENDENT, 0);
  report->theirs = make_network (ALS_NAT_ADDRESS_DEPENDENT, ALS_NAT_ADDRESS_AND_PORT_DEPENDENT, 0);
  viewing (window);
  als_fake_visit_set_path (als_window_get_join (window), ALS_PATH_TURN_TCP, "192.0.2.1:443", 42 * 1000);
  als_fake_visit_set_connection (als_window_get_join (window), report);
  show_connection (window);
}

static void
connection_direct (AlsWindow *window)
{
  g_autoptr (AlsConnectionReport) report = als_connection_report_new ();

  add_attempt (report, ALS_METHOD_LAN, ALS_ATTEMPT_IN_USE, ALS_PATH_PROBLEM_NONE, 1);
  report->attempts[0].rtt_us = 400;
  report->attempts[0].is_lan = TRUE;
  add_attempt (report, ALS_METHOD_SIGNAL_RELAY, ALS_ATTEMPT_STANDBY, ALS_PATH_PROBLEM_NONE, 1);
  report->ours = make_network (ALS_NAT_ENDPOINT_INDEPENDENT, ALS_NAT_ADDRESS_DEPENDENT, ALS_PORT_MAP_UPNP);
  viewing (window);
  als_fake_visit_set_path (als_window_get_join (window), ALS_PATH_DIRECT_TCP, "192.168.1.9:40123", 400);
  als_fake_visit_set_connection (als_window_get_join (window), report);
  show_connection (window);
}

static GtkWindow *
open_invitation (AlsWindow *window)
{
  start (window);
  g_action_group_activate_action (G_ACTION_GROUP (window), "without-server", NULL);
  return als_ui_top_window (window);
}

static void
invitation_choose (AlsWindow *window)
{
  open_invitation (window);
}

/* The Nth button of the pages, in any language. */
static void
press_choice (GtkWindow *dialog, guint n)
{
  GtkWidget *box = gtk_stack_get_child_by_name (GTK_STACK (als_ui_find (GTK_WIDGET (dialog), GTK_TYPE_STACK, NULL)),
                                                "choose");

  for (GtkWidget *child = gtk_widget_get_first_child (box); child != NULL; child = gtk_widget_get_next_sibling (child))
    if (GTK_IS_BUTTON (child) && n-- == 0)
      {
        g_signal_emit_by_name (child, "clicked");
        return;
      }
  g_assert_not_reached ();
}

static void
invitation_made (AlsWindow *window)
{
  GtkWindow *dialog = open_invitation (window);

  press_choice (dialog, 0);
  als_fake_visit_set_invitation (als_window_get_invite (window), "607 154");
  als_fake_visit_set_state (als_window_get_invite (window), ALS_VISIT_CODE_READY);
}

static void
invitation_trying (AlsWindow *window)
{
  g_autoptr (GError) error = NULL;

  invitation_made (window);
  als_visit_paste_reply (als_window_get_invite (window), ALS_FAKE_REPLY, &error);
  g_assert_no_error (error);
  /* In the middle of a second, so that each picture says the same. */
  als_fake_visit_set_marks (als_window_get_invite (window), 3,
                            g_get_monotonic_time () + 6500 * G_TIME_SPAN_MILLISECOND, FALSE);
}

static void
invitation_got (AlsWindow *window)
{
  press_choice (open_invitation (window), 1);
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
  { "connection", connection },
  { "connection-direct", connection_direct },
  { "connection-empty", connection_empty },
  { "end-lost", end_lost },
  { "end-left", end_left },
  { "end-declined", end_declined },
  { "end-server", end_server },
  { "ask-close", ask_close },
  { "preferences", preferences },
  { "invitation-choose", invitation_choose },
  { "invitation-made", invitation_made },
  { "invitation-trying", invitation_trying },
  { "invitation-got", invitation_got },
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
