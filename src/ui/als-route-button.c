/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#define G_LOG_DOMAIN "als-ui"

#include "config.h"

#include "ui/als-route-button.h"

#include "ui/als-connection-window.h"
#include "ui/als-ui-format.h"
#include "ui/als-ui-visit.h"

#include <glib/gi18n.h>

struct _AlsRouteButton
{
  AdwBin parent;
  AlsVisit *visit; /* owned, nullable */
  GtkMenuButton *button;
  GtkImage *icon;
  GtkLabel *label;
  GtkLabel *short_label; /* where there is no room for the other */
  GtkLabel *kind;
  GtkLabel *kind_explained;
  GtkLabel *remote;
  GtkWidget *remote_row;
  GtkLabel *round_trip;
  GtkWidget *details;
  int named;       /* AlsPathKind that the button's name tells; -1: none */
};

G_DEFINE_FINAL_TYPE (AlsRouteButton, als_route_button, ADW_TYPE_BIN)

static const char *
explain_kind (AlsPathKind kind)
{
  switch (kind)
    {
    case ALS_PATH_SIGNAL_RELAY:
      return _("The server that introduced you passes the sealed data on. A direct path is looked for in the background.");
    case ALS_PATH_TURN_TCP:
    case ALS_PATH_TURN_UDP:
      return _("A relay server passes the sealed data on, because no direct path was found yet.");
    case ALS_PATH_DIRECT_UDP:
    case ALS_PATH_DIRECT_TCP:
      return _("Data goes straight from one computer to the other.");
    case ALS_PATH_NONE:
    case ALS_N_PATH_KINDS:
    default:
      return _("Both computers are looking for a way to each other. Nothing is lost meanwhile.");
    }
}

/* Without the round trip, which changes all the time: a screen reader would never be silent. */
static void
name_button (AlsRouteButton *self, AlsPathKind kind)
{
  g_autofree char *text = NULL, *name = NULL;

  if (self->named == (int) kind)
    return;
  self->named = (int) kind;
  /* Translators: %s is a path, and perhaps a time, such as "via the relay · 42 ms" */
  text = g_strdup_printf (_("Encrypted end to end · %s"), als_ui_format_path_kind (kind));
  /* Translators: %s is a line such as "Encrypted end to end · via the relay" */
  name = g_strdup_printf (_("Route: %s"), text);
  gtk_accessible_update_property (GTK_ACCESSIBLE (self->button), GTK_ACCESSIBLE_PROPERTY_LABEL, name, -1);
}

static void
update_route (AlsRouteButton *self)
{
  AlsPathKind kind = als_visit_get_path_kind (self->visit);
  const char *remote = als_visit_get_path_remote (self->visit);
  g_autofree char *round_trip = als_ui_format_round_trip (als_visit_get_rtt_us (self->visit));
  g_autofree char *route = NULL;
  g_autofree char *text = NULL;

  if (als_visit_get_state (self->visit) == ALS_VISIT_RECONNECTING)
    kind = ALS_PATH_NONE;
  if (kind == ALS_PATH_NONE)
    g_clear_pointer (&round_trip, g_free);
  if (round_trip != NULL)
    /* Translators: a kind of path such as "via the relay", and a time such as "42 ms" */
    route = g_strdup_printf (_("%1$s · %2$s"), als_ui_format_path_kind (kind), round_trip);
  else
    route = g_strdup (als_ui_format_path_kind (kind));
  /* Translators: %s is a path, and perhaps a time, such as "via the relay · 42 ms" */
  text = g_strdup_printf (_("Encrypted end to end · %s"), route);

  gtk_label_set_label (self->label, text);
  gtk_label_set_label (self->short_label, route);
  name_button (self, kind);
  gtk_image_set_from_icon_name (self->icon, kind == ALS_PATH_NONE
                                              ? "network-wireless-acquiring-symbolic"
                                              : "channel-secure-symbolic");
  gtk_label_set_label (self->kind, als_ui_format_path_kind (kind));
  gtk_label_set_label (self->kind_explained, explain_kind (kind));
  gtk_label_set_label (self->remote, remote != NULL ? remote : "");
  gtk_widget_set_visible (self->remote_row, remote != NULL && kind != ALS_PATH_NONE);
  gtk_label_set_label (self->round_trip, round_trip != NULL ? round_trip : _("not known yet"));
}

void
als_route_button_set_visit (AlsRouteButton *self, AlsVisit *visit)
{
  static const char *const properties[] = { "state", "path-kind", "path-remote", "rtt-us", NULL };

  if (als_ui_visit_watch (&self->visit, visit, properties, G_CALLBACK (update_route), self) && visit != NULL)
    update_route (self);
}

/* Else the address, which can be selected, would have the keyboard and be marked. */
static void
popover_mapped_cb (AlsRouteButton *self)
{
  gtk_widget_grab_focus (self->details);
}

static void
details_clicked_cb (AlsRouteButton *self)
{
  GtkRoot *root = gtk_widget_get_root (GTK_WIDGET (self));

  gtk_menu_button_popdown (self->button);
  if (self->visit != NULL && GTK_IS_WINDOW (root))
    gtk_window_present (GTK_WINDOW (als_connection_window_new (GTK_WINDOW (root), self->visit)));
}

static void
als_route_button_dispose (GObject *object)
{
  AlsRouteButton *self = ALS_ROUTE_BUTTON (object);

  als_route_button_set_visit (self, NULL);
  G_OBJECT_CLASS (als_route_button_parent_class)->dispose (object);
}

static void
als_route_button_class_init (AlsRouteButtonClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = als_route_button_dispose;
  gtk_widget_class_set_template_from_resource (widget_class,
    "/org/alongside/Alongside/als-route-button.ui");
  gtk_widget_class_bind_template_child (widget_class, AlsRouteButton, button);
  gtk_widget_class_bind_template_child (widget_class, AlsRouteButton, icon);
  gtk_widget_class_bind_template_child (widget_class, AlsRouteButton, label);
  gtk_widget_class_bind_template_child (widget_class, AlsRouteButton, short_label);
  gtk_widget_class_bind_template_child (widget_class, AlsRouteButton, kind);
  gtk_widget_class_bind_template_child (widget_class, AlsRouteButton, kind_explained);
  gtk_widget_class_bind_template_child (widget_class, AlsRouteButton, remote);
  gtk_widget_class_bind_template_child (widget_class, AlsRouteButton, remote_row);
  gtk_widget_class_bind_template_child (widget_class, AlsRouteButton, round_trip);
  gtk_widget_class_bind_template_child (widget_class, AlsRouteButton, details);
  gtk_widget_class_bind_template_callback (widget_class, popover_mapped_cb);
  gtk_widget_class_bind_template_callback (widget_class, details_clicked_cb);
}

static void
als_route_button_init (AlsRouteButton *self)
{
  self->named = -1;
  gtk_widget_init_template (GTK_WIDGET (self));
}
