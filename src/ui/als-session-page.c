/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#define G_LOG_DOMAIN "als-ui"

#include "config.h"

#include "ui/als-session-page.h"

#include "ui/als-route-button.h"
#include "ui/als-screen-view.h"
#include "ui/als-transfer-list.h"

#include "ui/als-ui-platform.h"

#include <glib/gi18n.h>

struct _AlsSessionPage
{
  AdwBin parent;
  AlsVisit *visit; /* owned, nullable */
  GtkWidget *banner;
  GtkLabel *banner_label;
  GtkStack *stack;
  AdwStatusPage *status;
  GtkButton *share_button;
  GtkWidget *drop_hint;
  AlsTransferList *transfers;
  AlsScreenView *screen;
  AlsTransferList *view_transfers;
  GtkWidget *fullscreen_bar;
  GtkLabel *fullscreen_label;
  GtkWidget *footer;
  AlsRouteButton *route;
  GtkWidget *send_button;
  GtkToggleButton *files_button;
  GtkWidget *full_size_button;
  GtkWidget *fullscreen_button;
  gboolean fullscreen;
};

G_DEFINE_FINAL_TYPE (AlsSessionPage, als_session_page, ADW_TYPE_BIN)

gboolean
als_session_page_is_viewing (AlsVisit *visit)
{
  return visit != NULL && !als_visit_get_is_inviter (visit) &&
         (als_visit_get_permission (visit) == ALS_VISIT_SEE_SCREEN ||
          als_visit_get_screen (visit) != NULL);
}

/* What the sharing side reads about itself. */
static void
describe_inviter (AlsSessionPage *self, const char *peer)
{
  g_autofree char *title = NULL;
  const char *description, *icon = "folder-publicshare-symbolic";
  gboolean may_see = als_visit_get_permission (self->visit) == ALS_VISIT_SEE_SCREEN;

  if (als_visit_get_is_sharing (self->visit))
    {
      /* Translators: %s is the name of the other person */
      title = g_strdup_printf (_("%s can see your screen"), peer);
      description = _("Everything on your screen is visible to them. They cannot click or type. Stop ends it at once.");
      icon = "video-display-symbolic";
    }
  else if (may_see)
    {
      /* Translators: %s is the name of the other person */
      title = g_strdup_printf (_("Your screen is hidden from %s"), peer);
      description = _("They see nothing new. Files can still be sent both ways.");
      icon = "view-conceal-symbolic";
    }
  else
    {
      /* Translators: %s is the name of the other person */
      title = g_strdup_printf (_("Exchanging files with %s"), peer);
      description = _("They cannot see your screen.");
    }
  adw_status_page_set_title (self->status, title);
  adw_status_page_set_description (self->status, description);
  adw_status_page_set_icon_name (self->status, icon);
  gtk_widget_set_visible (GTK_WIDGET (self->share_button), may_see);
  gtk_button_set_label (self->share_button, als_visit_get_is_sharing (self->visit)
                                              ? _("Hide My Screen")
                                              : _("Show My Screen Again"));
}

static void
describe_joiner (AlsSessionPage *self, const char *peer)
{
  /* Translators: %s is the name of the other person */
  g_autofree char *title = g_strdup_printf (_("Exchanging files with %s"), peer);

  adw_status_page_set_title (self->status, title);
  adw_status_page_set_description (self->status, _("They chose not to show their screen."));
  adw_status_page_set_icon_name (self->status, "folder-publicshare-symbolic");
  gtk_widget_set_visible (GTK_WIDGET (self->share_button), FALSE);
}

static void
update_page (AlsSessionPage *self)
{
  const char *peer = als_visit_get_peer_name (self->visit);
  gboolean is_viewing = als_session_page_is_viewing (self->visit);
  gboolean is_sharing = als_visit_get_is_sharing (self->visit);
  gboolean is_reconnecting = als_visit_get_state (self->visit) == ALS_VISIT_RECONNECTING;
  g_autofree char *banner = NULL;

  if (peer == NULL || *peer == '\0')
    peer = _("The other person");
  if (als_visit_get_is_inviter (self->visit))
    describe_inviter (self, peer);
  else
    describe_joiner (self, peer);

  if (is_reconnecting)
    {
      /* Translators: %s is the name of the other person */
      banner = g_strdup_printf (_("Connection to %s lost. Looking for another way…"), peer);
      adw_status_page_set_title (self->status, _("Looking for a New Path"));
      adw_status_page_set_icon_name (self->status, "network-wireless-acquiring-symbolic");
      adw_status_page_set_description (self->status,
        _("Both computers are looking for a new path to each other. Transfers go on by themselves."));
    }
  else if (is_sharing)
    /* Translators: %s is the name of the other person */
    banner = g_strdup_printf (_("%s can see your screen"), peer);
  else
    /* Translators: %s is the name of the other person */
    banner = g_strdup_printf (_("Connected with %s"), peer);
  gtk_label_set_label (self->banner_label, banner);
  /* The list needs the room. */
  if (g_list_model_get_n_items (als_visit_get_transfers (self->visit)) > 0)
    adw_status_page_set_icon_name (self->status, NULL);
  if (is_sharing)
    gtk_widget_add_css_class (self->banner, "als-sharing");
  else
    gtk_widget_remove_css_class (self->banner, "als-sharing");

  g_free (banner);
  /* Translators: %s is the name of the other person */
  banner = g_strdup_printf (_("You see the screen of %s"), peer);
  gtk_label_set_label (self->fullscreen_label, banner);

  als_screen_view_set_visit (self->screen, is_viewing ? self->visit : NULL);
  als_ui_show_stack_page (self->stack, is_viewing ? "view" : "talk");
  gtk_widget_set_visible (self->banner, !is_viewing);
  gtk_widget_set_visible (self->footer, !self->fullscreen || !is_viewing);
  gtk_widget_set_visible (self->fullscreen_bar, self->fullscreen);
  gtk_widget_set_visible (self->send_button, is_viewing);
  gtk_widget_set_visible (GTK_WIDGET (self->files_button), is_viewing);
  gtk_widget_set_visible (self->full_size_button, is_viewing);
  gtk_widget_set_visible (self->fullscreen_button, is_viewing);
}

static void
transfer_added_cb (AlsSessionPage *self)
{
  gtk_widget_set_visible (self->drop_hint, FALSE);
  gtk_toggle_button_set_active (self->files_button, TRUE);
  update_page (self);
}

static void
share_clicked_cb (AlsSessionPage *self)
{
  als_visit_set_sharing (self->visit, !als_visit_get_is_sharing (self->visit));
}

void
als_session_page_set_visit (AlsSessionPage *self, AlsVisit *visit)
{
  static const char *const signals[] = { "notify::state", "notify::peer-name", "notify::permission",
                                         "notify::is-sharing", "notify::screen" };
  gboolean has_transfers;

  if (self->visit == visit)
    return;
  if (self->visit != NULL)
    g_signal_handlers_disconnect_by_data (self->visit, self);
  g_set_object (&self->visit, visit);
  als_transfer_list_set_visit (self->transfers, visit);
  als_transfer_list_set_visit (self->view_transfers, visit);
  als_route_button_set_visit (self->route, visit);
  if (visit == NULL)
    {
      als_screen_view_set_visit (self->screen, NULL);
      return;
    }
  has_transfers = g_list_model_get_n_items (als_visit_get_transfers (visit)) > 0;
  gtk_widget_set_visible (self->drop_hint, !has_transfers);
  gtk_toggle_button_set_active (self->files_button, has_transfers);
  for (guint i = 0; i < G_N_ELEMENTS (signals); i++)
    g_signal_connect_swapped (visit, signals[i], G_CALLBACK (update_page), self);
  g_signal_connect_swapped (visit, "transfer-added", G_CALLBACK (transfer_added_cb), self);
  update_page (self);
}

void
als_session_page_set_full_size (AlsSessionPage *self, gboolean full_size)
{
  als_screen_view_set_full_size (self->screen, full_size);
}

void
als_session_page_set_fullscreen (AlsSessionPage *self, gboolean fullscreen)
{
  self->fullscreen = fullscreen;
  if (self->visit != NULL)
    update_page (self);
}

static void
als_session_page_dispose (GObject *object)
{
  AlsSessionPage *self = ALS_SESSION_PAGE (object);

  if (self->visit != NULL)
    als_session_page_set_visit (self, NULL);
  G_OBJECT_CLASS (als_session_page_parent_class)->dispose (object);
}

static void
als_session_page_class_init (AlsSessionPageClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  g_type_ensure (ALS_TYPE_ROUTE_BUTTON);
  g_type_ensure (ALS_TYPE_SCREEN_VIEW);
  g_type_ensure (ALS_TYPE_TRANSFER_LIST);
  G_OBJECT_CLASS (klass)->dispose = als_session_page_dispose;
  gtk_widget_class_set_template_from_resource (widget_class,
    "/org/alongside/Alongside/als-session-page.ui");
  gtk_widget_class_bind_template_child (widget_class, AlsSessionPage, banner);
  gtk_widget_class_bind_template_child (widget_class, AlsSessionPage, banner_label);
  gtk_widget_class_bind_template_child (widget_class, AlsSessionPage, stack);
  gtk_widget_class_bind_template_child (widget_class, AlsSessionPage, status);
  gtk_widget_class_bind_template_child (widget_class, AlsSessionPage, share_button);
  gtk_widget_class_bind_template_child (widget_class, AlsSessionPage, drop_hint);
  gtk_widget_class_bind_template_child (widget_class, AlsSessionPage, transfers);
  gtk_widget_class_bind_template_child (widget_class, AlsSessionPage, screen);
  gtk_widget_class_bind_template_child (widget_class, AlsSessionPage, view_transfers);
  gtk_widget_class_bind_template_child (widget_class, AlsSessionPage, fullscreen_bar);
  gtk_widget_class_bind_template_child (widget_class, AlsSessionPage, fullscreen_label);
  gtk_widget_class_bind_template_child (widget_class, AlsSessionPage, footer);
  gtk_widget_class_bind_template_child (widget_class, AlsSessionPage, route);
  gtk_widget_class_bind_template_child (widget_class, AlsSessionPage, send_button);
  gtk_widget_class_bind_template_child (widget_class, AlsSessionPage, files_button);
  gtk_widget_class_bind_template_child (widget_class, AlsSessionPage, full_size_button);
  gtk_widget_class_bind_template_child (widget_class, AlsSessionPage, fullscreen_button);
  gtk_widget_class_bind_template_callback (widget_class, share_clicked_cb);
}

static void
als_session_page_init (AlsSessionPage *self)
{
  gtk_widget_init_template (GTK_WIDGET (self));
}
