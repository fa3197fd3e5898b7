/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Offers that have to be answered, one dialog at a time, and the news that a
 * transfer is complete. */

#define G_LOG_DOMAIN "als-ui"

#include "config.h"

#include "ui/als-window-private.h"

#include "ui/als-offer-dialog.h"
#include "ui/als-ui-format.h"
#include "ui/als-ui-platform.h"
#include "ui/als-ui-visit.h"

#include <glib/gi18n.h>

static void show_next_offer (AlsWindow *self);

static void
offer_dialog_gone_cb (AlsWindow *self)
{
  g_clear_weak_pointer (&self->offer_dialog);
  show_next_offer (self);
}

static void
show_next_offer (AlsWindow *self)
{
  g_autofree char *folder = NULL;

  while (self->offer_dialog == NULL && self->session != NULL && !g_queue_is_empty (&self->offers))
    {
      g_autoptr (AlsVisitTransfer) transfer = g_queue_pop_head (&self->offers);
      AlsTransferInfo info;

      als_visit_transfer_get_info (transfer, &info);
      if (info.state != ALS_TRANSFER_OFFERED)
        continue;
      folder = als_ui_dup_download_folder (self->settings);
      g_set_weak_pointer (&self->offer_dialog,
                          GTK_WINDOW (als_offer_dialog_new (GTK_WINDOW (self), transfer,
                                                 als_visit_get_peer_name (self->session),
                                                 folder)));
      g_signal_connect_object (self->offer_dialog, "destroy", G_CALLBACK (offer_dialog_gone_cb),
                               self, G_CONNECT_SWAPPED);
      gtk_window_present (self->offer_dialog);
    }
}

static void
tell_done (AlsWindow *self, AlsVisitTransfer *transfer)
{
  GtkApplication *app = gtk_window_get_application (GTK_WINDOW (self));
  g_autofree char *files = als_ui_format_transfer_title (transfer);
  GFile *saved = als_visit_transfer_get_saved (transfer, 0);
  g_autofree char *text = NULL;
  g_autofree char *escaped = NULL;
  g_autofree char *uri = NULL;
  AlsTransferInfo info;
  AdwToast *toast;

  als_visit_transfer_get_info (transfer, &info);
  /* Translators: %s is the name of a file, perhaps with "and 2 more" */
  text = info.incoming ? g_strdup_printf (_("Received %s"), files)
                       : g_strdup_printf (_("Sent %s"), files);
  /* A toast takes its title for markup; the name is the other side's. */
  escaped = g_markup_escape_text (text, -1);
  toast = adw_toast_new (escaped);
  if (info.incoming && saved != NULL)
    {
      uri = g_file_get_uri (saved);
      als_application_add_received (ALS_APPLICATION (app), saved);
      adw_toast_set_button_label (toast, _("Show in Folder"));
      adw_toast_set_action_name (toast, "app.show-in-folder");
      adw_toast_set_action_target (toast, "s", uri);
    }
  adw_toast_overlay_add_toast (self->toasts, toast);

  if (!gtk_window_is_active (GTK_WINDOW (self)))
    {
      g_autoptr (GNotification) notification = g_notification_new (text);

      g_notification_set_default_action (notification, "app.present");
      if (uri != NULL)
        g_notification_add_button_with_target (notification, _("Show in Folder"),
                                               "app.show-in-folder", "s", uri);
      als_ui_notify (G_APPLICATION (app), NULL, notification);
    }
}

static void
transfer_changed_cb (AlsWindow *self, AlsVisitTransfer *transfer)
{
  AlsTransferInfo info;

  als_visit_transfer_get_info (transfer, &info);
  if (info.state == ALS_TRANSFER_DONE || info.state == ALS_TRANSFER_FAILED)
    g_signal_handlers_disconnect_by_func (transfer, transfer_changed_cb, self);
  if (info.state == ALS_TRANSFER_DONE)
    tell_done (self, transfer);
}

static void
transfer_added_cb (AlsWindow *self, AlsVisitTransfer *transfer)
{
  AlsTransferInfo info;

  g_signal_connect_object (transfer, "changed", G_CALLBACK (transfer_changed_cb), self,
                           G_CONNECT_SWAPPED);
  als_visit_transfer_get_info (transfer, &info);
  if (info.incoming && info.state == ALS_TRANSFER_OFFERED)
    {
      g_queue_push_tail (&self->offers, g_object_ref (transfer));
      show_next_offer (self);
    }
}

void
als_window_watch_transfers (AlsWindow *self, AlsVisit *visit)
{
  GListModel *transfers = als_visit_get_transfers (visit);

  for (guint i = 0; i < g_list_model_get_n_items (transfers); i++)
    {
      g_autoptr (AlsVisitTransfer) transfer = g_list_model_get_item (transfers, i);

      transfer_added_cb (self, transfer);
    }
  g_signal_connect_object (visit, "transfer-added", G_CALLBACK (transfer_added_cb), self,
                           G_CONNECT_SWAPPED);
}

void
als_window_unwatch_transfers (AlsWindow *self, AlsVisit *visit)
{
  g_signal_handlers_disconnect_by_func (visit, transfer_added_cb, self);
  g_queue_clear_full (&self->offers, g_object_unref);
}
