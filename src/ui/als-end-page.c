/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#define G_LOG_DOMAIN "als-ui"

#include "config.h"

#include "ui/als-end-page.h"

#include "ui/als-transfer-list.h"
#include "ui/als-ui-errors.h"

#include <glib/gi18n.h>

struct _AlsEndPage
{
  AdwBin parent;
  AlsVisit *visit; /* owned, nullable */
  AdwStatusPage *status;
  GtkButton *start_button;
  GtkWidget *again_button;
  AlsTransferList *transfers;
};

G_DEFINE_FINAL_TYPE (AlsEndPage, als_end_page, ADW_TYPE_BIN)

void
als_end_page_set_visit (AlsEndPage *self, AlsVisit *visit, gboolean may_retry)
{
  const GError *error;
  AlsUiErrorText text;
  gboolean can_retry;

  g_set_object (&self->visit, visit);
  als_transfer_list_set_visit (self->transfers, visit);
  if (visit == NULL)
    return;
  error = als_visit_get_error (visit);
  als_ui_error_describe (error, als_visit_get_is_inviter (visit), &text);
  adw_status_page_set_title (self->status, text.title);
  adw_status_page_set_description (self->status, text.sentence);
  adw_status_page_set_icon_name (self->status,
                                 g_error_matches (error, ALS_VISIT_ERROR, ALS_VISIT_ERROR_STOPPED) ||
                                 g_error_matches (error, ALS_VISIT_ERROR, ALS_VISIT_ERROR_PEER_LEFT)
                                   ? "emblem-ok-symbolic"
                                   : "dialog-warning-symbolic");
  can_retry = text.next == ALS_UI_NEXT_TRY_AGAIN && may_retry;
  gtk_widget_set_visible (self->again_button, can_retry);
  gtk_button_set_label (self->start_button, als_visit_get_is_inviter (visit) ? _("New Code")
                                                                             : _("Start Page"));
  if (can_retry)
    gtk_widget_remove_css_class (GTK_WIDGET (self->start_button), "suggested-action");
  else
    gtk_widget_add_css_class (GTK_WIDGET (self->start_button), "suggested-action");
}

char *
als_end_page_get_details (AlsEndPage *self)
{
  g_autofree char *error = NULL;

  if (self->visit == NULL)
    return g_strdup ("");
  error = als_ui_error_to_details (als_visit_get_error (self->visit));
  return g_strdup_printf ("Alongside %s\nGTK %u.%u.%u, libadwaita %u.%u.%u\nside: %s\nerror: %s\n"
                          "path: %s\nround trip: %" G_GINT64_FORMAT " µs\nreach: %d\n",
                          PACKAGE_VERSION, gtk_get_major_version (), gtk_get_minor_version (),
                          gtk_get_micro_version (), adw_get_major_version (),
                          adw_get_minor_version (), adw_get_micro_version (),
                          als_visit_get_is_inviter (self->visit) ? "inviter" : "joiner", error,
                          als_path_kind_to_string (als_visit_get_path_kind (self->visit)),
                          als_visit_get_rtt_us (self->visit), als_visit_get_reach (self->visit));
}

static void
als_end_page_dispose (GObject *object)
{
  AlsEndPage *self = ALS_END_PAGE (object);

  if (self->transfers != NULL)
    als_end_page_set_visit (self, NULL, FALSE);
  G_OBJECT_CLASS (als_end_page_parent_class)->dispose (object);
}

static void
als_end_page_class_init (AlsEndPageClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  g_type_ensure (ALS_TYPE_TRANSFER_LIST);
  G_OBJECT_CLASS (klass)->dispose = als_end_page_dispose;
  gtk_widget_class_set_template_from_resource (widget_class,
    "/org/alongside/Alongside/als-end-page.ui");
  gtk_widget_class_bind_template_child (widget_class, AlsEndPage, status);
  gtk_widget_class_bind_template_child (widget_class, AlsEndPage, start_button);
  gtk_widget_class_bind_template_child (widget_class, AlsEndPage, again_button);
  gtk_widget_class_bind_template_child (widget_class, AlsEndPage, transfers);
}

static void
als_end_page_init (AlsEndPage *self)
{
  gtk_widget_init_template (GTK_WIDGET (self));
}
