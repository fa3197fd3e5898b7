/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#define G_LOG_DOMAIN "als-ui"

#include "config.h"

#include "ui/als-connection-window.h"

#include "ui/als-ui-format.h"
#include "ui/als-ui-platform.h"

#include <glib/gi18n.h>

/* Facts on a network are no more than that. */
#define MAX_FACTS 10

/* Best first, always in this order, so that no row moves away under a pointer. */
static const AlsPathMethod order[ALS_N_METHODS] = {
  ALS_METHOD_LAN,      ALS_METHOD_TCP_PUNCH, ALS_METHOD_ICE,          ALS_METHOD_UDP_PUNCH,
  ALS_METHOD_TURN_UDP, ALS_METHOD_TURN_TCP,  ALS_METHOD_SIGNAL_RELAY,
};

typedef struct
{
  AdwActionRow *row;
  GtkImage *icon;
} MethodRow;

typedef struct
{
  AdwExpanderRow *row;
  AdwActionRow *facts[MAX_FACTS]; /* nullable */
} NetworkRow;

struct _AlsConnectionWindow
{
  AdwWindow parent;
  AlsVisit *visit; /* owned, nullable */
  AdwToastOverlay *toasts;
  GtkButton *copy_button;
  GtkImage *icon;
  GtkLabel *kind;
  GtkLabel *quality;
  GtkWidget *searching;
  GtkWidget *advice_box;
  GtkLabel *advice;
  AdwPreferencesGroup *methods_group;
  AdwPreferencesGroup *networks_group;
  MethodRow methods[ALS_N_METHODS];
  NetworkRow ours, theirs;
};

G_DEFINE_FINAL_TYPE (AlsConnectionWindow, als_connection_window, ADW_TYPE_WINDOW)

static const char *
get_state_icon (AlsAttemptState state)
{
  switch (state)
    {
    case ALS_ATTEMPT_IN_USE:
      return "emblem-ok-symbolic";
    case ALS_ATTEMPT_STANDBY:
      return "media-playback-pause-symbolic";
    case ALS_ATTEMPT_TRYING:
      return "content-loading-symbolic";
    case ALS_ATTEMPT_FAILED:
      return "window-close-symbolic";
    case ALS_ATTEMPT_OFF:
    default:
      return "action-unavailable-symbolic";
    }
}

/* In the largest letters of the page. */
static const char *
name_kind (AlsPathKind kind)
{
  switch (kind)
    {
    case ALS_PATH_SIGNAL_RELAY:
      return _("Through the Rendezvous Server");
    case ALS_PATH_TURN_TCP:
    case ALS_PATH_TURN_UDP:
      return _("Through a Relay Server");
    case ALS_PATH_DIRECT_UDP:
    case ALS_PATH_DIRECT_TCP:
      return _("Straight to the Other Computer");
    case ALS_PATH_NONE:
    case ALS_N_PATH_KINDS:
    default:
      return _("Looking for a Way");
    }
}

/* (transfer full) */
static char *
describe_quality (AlsConnectionWindow *self, AlsPathKind kind)
{
  gint64 rtt_us = als_visit_get_rtt_us (self->visit);
  g_autofree char *time = NULL;

  if (kind == ALS_PATH_NONE)
    return g_strdup (_("Nothing is lost meanwhile"));
  time = als_ui_format_round_trip (rtt_us);
  if (time == NULL)
    return g_strdup (_("Encrypted end to end"));
  /* Translators: %s is a time such as "42 ms" */
  return g_strdup_printf (_("Encrypted end to end · round trip %s"), time);
}

static void
update_path (AlsConnectionWindow *self)
{
  AlsPathKind kind = als_visit_get_state (self->visit) == ALS_VISIT_RECONNECTING
                       ? ALS_PATH_NONE : als_visit_get_path_kind (self->visit);
  g_autofree char *quality = describe_quality (self, kind);

  gtk_label_set_label (self->kind, name_kind (kind));
  gtk_label_set_label (self->quality, quality);
  gtk_image_set_from_icon_name (self->icon,
                                kind == ALS_PATH_NONE ? "network-wired-acquiring-symbolic"
                                : kind >= ALS_PATH_DIRECT_UDP ? "network-transmit-receive-symbolic"
                                                              : "network-server-symbolic");
}

static void
update_method (MethodRow *method, const AlsConnectionReport *report, AlsPathMethod wanted)
{
  const AlsConnectionAttempt *attempt = NULL;
  g_autofree char *sentence = NULL;

  for (guint i = 0; report != NULL && i < MIN (report->n_attempts, ALS_N_METHODS); i++)
    if (report->attempts[i].method == wanted)
      attempt = &report->attempts[i];
  gtk_widget_set_visible (GTK_WIDGET (method->row), attempt != NULL);
  if (attempt == NULL)
    return;
  sentence = als_connection_attempt_describe (attempt);
  adw_action_row_set_subtitle (method->row, sentence);
  gtk_image_set_from_icon_name (method->icon, get_state_icon (attempt->state));
  if (attempt->state == ALS_ATTEMPT_IN_USE)
    gtk_widget_add_css_class (GTK_WIDGET (method->icon), "success");
  else
    gtk_widget_remove_css_class (GTK_WIDGET (method->icon), "success");
  if (attempt->state == ALS_ATTEMPT_FAILED || attempt->state == ALS_ATTEMPT_OFF)
    gtk_widget_add_css_class (GTK_WIDGET (method->icon), "dim-label");
  else
    gtk_widget_remove_css_class (GTK_WIDGET (method->icon), "dim-label");
}

static void
update_network (NetworkRow *network, const AlsNetworkReport *report)
{
  g_autoptr (GPtrArray) facts = report != NULL ? als_network_report_list_facts (report) : NULL;
  const AlsNetworkFact *first = facts != NULL ? g_ptr_array_index (facts, 0) : NULL;

  /* UDP comes first, and says the most in one line. */
  adw_expander_row_set_subtitle (network->row, first != NULL ? first->sentence : _("Still finding out…"));
  adw_expander_row_set_enable_expansion (network->row, facts != NULL);
  for (guint i = 0; i < MAX_FACTS; i++)
    {
      const AlsNetworkFact *fact = facts != NULL && i < facts->len ? g_ptr_array_index (facts, i) : NULL;

      if (fact != NULL && network->facts[i] == NULL)
        {
          network->facts[i] = g_object_new (ADW_TYPE_ACTION_ROW, "use-markup", FALSE,
                                            "title-selectable", FALSE, NULL);
          adw_expander_row_add_row (network->row, GTK_WIDGET (network->facts[i]));
        }
      if (network->facts[i] != NULL)
        gtk_widget_set_visible (GTK_WIDGET (network->facts[i]), fact != NULL);
      if (fact == NULL)
        continue;
      adw_preferences_row_set_title (ADW_PREFERENCES_ROW (network->facts[i]), fact->title);
      adw_action_row_set_subtitle (network->facts[i], fact->sentence);
    }
}

static void
update_report (AlsConnectionWindow *self)
{
  const AlsConnectionReport *report = als_visit_get_connection (self->visit);
  g_autofree char *advice = report != NULL ? als_connection_report_advise (report) : NULL;

  gtk_widget_set_visible (self->searching, report == NULL);
  gtk_widget_set_visible (GTK_WIDGET (self->methods_group), report != NULL && report->n_attempts > 0);
  gtk_widget_set_visible (GTK_WIDGET (self->networks_group), report != NULL);
  gtk_widget_set_sensitive (GTK_WIDGET (self->copy_button), report != NULL);
  gtk_widget_set_visible (self->advice_box, advice != NULL);
  gtk_label_set_label (self->advice, advice != NULL ? advice : "");
  for (guint i = 0; i < ALS_N_METHODS; i++)
    update_method (&self->methods[i], report, order[i]);
  update_network (&self->ours, report != NULL ? report->ours : NULL);
  update_network (&self->theirs, report != NULL ? report->theirs : NULL);
}

static void
copy_clicked_cb (AlsConnectionWindow *self)
{
  const AlsConnectionReport *report = als_visit_get_connection (self->visit);
  g_autofree char *text = NULL;

  if (report == NULL)
    return;
  text = als_connection_report_to_text (report);
  gdk_clipboard_set_text (gtk_widget_get_clipboard (GTK_WIDGET (self)), text);
  adw_toast_overlay_add_toast (self->toasts, adw_toast_new (_("Report copied")));
}

static void
ended_cb (AlsConnectionWindow *self)
{
  if (als_visit_get_state (self->visit) == ALS_VISIT_ENDED)
    gtk_window_close (GTK_WINDOW (self));
  else
    update_path (self);
}

static void
als_connection_window_dispose (GObject *object)
{
  AlsConnectionWindow *self = ALS_CONNECTION_WINDOW (object);

  if (self->visit != NULL)
    g_signal_handlers_disconnect_by_data (self->visit, self);
  g_clear_object (&self->visit);
  G_OBJECT_CLASS (als_connection_window_parent_class)->dispose (object);
}

static void
als_connection_window_class_init (AlsConnectionWindowClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = als_connection_window_dispose;
  gtk_widget_class_set_template_from_resource (widget_class,
    "/org/alongside/Alongside/als-connection-window.ui");
  gtk_widget_class_bind_template_child (widget_class, AlsConnectionWindow, toasts);
  gtk_widget_class_bind_template_child (widget_class, AlsConnectionWindow, copy_button);
  gtk_widget_class_bind_template_child (widget_class, AlsConnectionWindow, icon);
  gtk_widget_class_bind_template_child (widget_class, AlsConnectionWindow, kind);
  gtk_widget_class_bind_template_child (widget_class, AlsConnectionWindow, quality);
  gtk_widget_class_bind_template_child (widget_class, AlsConnectionWindow, searching);
  gtk_widget_class_bind_template_child (widget_class, AlsConnectionWindow, advice_box);
  gtk_widget_class_bind_template_child (widget_class, AlsConnectionWindow, advice);
  gtk_widget_class_bind_template_child (widget_class, AlsConnectionWindow, methods_group);
  gtk_widget_class_bind_template_child (widget_class, AlsConnectionWindow, networks_group);
  gtk_widget_class_bind_template_callback (widget_class, copy_clicked_cb);
  gtk_widget_class_add_binding_action (widget_class, GDK_KEY_Escape, 0, "window.close", NULL);
}

static void
add_method (AlsConnectionWindow *self, guint i)
{
  MethodRow *method = &self->methods[i];

  method->row = g_object_new (ADW_TYPE_ACTION_ROW, "use-markup", FALSE, "title",
                              als_path_method_get_title (order[i]), NULL);
  method->icon = g_object_new (GTK_TYPE_IMAGE, "accessible-role", GTK_ACCESSIBLE_ROLE_PRESENTATION, NULL);
  adw_action_row_add_prefix (method->row, GTK_WIDGET (method->icon));
  adw_preferences_group_add (self->methods_group, GTK_WIDGET (method->row));
}

static void
add_network (AlsConnectionWindow *self, NetworkRow *network, const char *title)
{
  network->row = g_object_new (ADW_TYPE_EXPANDER_ROW, "use-markup", FALSE, "title", title, NULL);
  als_ui_name_lists (GTK_WIDGET (network->row), title);
  adw_preferences_group_add (self->networks_group, GTK_WIDGET (network->row));
}

static void
als_connection_window_init (AlsConnectionWindow *self)
{
  gtk_widget_init_template (GTK_WIDGET (self));
  for (guint i = 0; i < ALS_N_METHODS; i++)
    add_method (self, i);
  add_network (self, &self->ours, _("This Network"));
  add_network (self, &self->theirs, _("The Other Network"));
}

AlsConnectionWindow *
als_connection_window_new (GtkWindow *parent, AlsVisit *visit)
{
  AlsConnectionWindow *self = g_object_new (ALS_TYPE_CONNECTION_WINDOW, "transient-for", parent, NULL);

  self->visit = g_object_ref (visit);
  g_signal_connect_swapped (visit, "notify::state", G_CALLBACK (ended_cb), self);
  g_signal_connect_swapped (visit, "notify::path-kind", G_CALLBACK (update_path), self);
  g_signal_connect_swapped (visit, "notify::rtt-us", G_CALLBACK (update_path), self);
  g_signal_connect_swapped (visit, "notify::connection", G_CALLBACK (update_report), self);
  update_path (self);
  update_report (self);
  return self;
}
