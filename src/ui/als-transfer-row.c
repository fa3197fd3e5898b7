/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#define G_LOG_DOMAIN "als-ui"

#include "config.h"

#include "ui/als-transfer-row.h"

#include "ui/als-ui-format.h"
#include "ui/als-ui-platform.h"

#include <glib/gi18n.h>

struct _AlsTransferRow
{
  GtkListBoxRow parent;
  AlsVisitTransfer *transfer; /* owned */
  GtkImage *icon;
  GtkLabel *title;
  GtkLabel *subtitle;
  GtkProgressBar *progress;
  GtkWidget *cancel_button;
  GtkWidget *open_button;
  GtkWidget *folder_button;
};

G_DEFINE_FINAL_TYPE (AlsTransferRow, als_transfer_row, GTK_TYPE_LIST_BOX_ROW)

static void
update_row (AlsTransferRow *self)
{
  g_autofree char *title = als_ui_format_transfer_title (self->transfer);
  g_autofree char *subtitle = als_ui_format_transfer_state (self->transfer);
  g_autofree char *name = g_strdup_printf ("%s, %s", title, subtitle);
  GFile *saved = als_visit_transfer_get_saved (self->transfer, 0);
  AlsTransferInfo info;
  gboolean is_over, is_saved;
  double fraction;

  als_visit_transfer_get_info (self->transfer, &info);
  is_over = info.state == ALS_TRANSFER_DONE || info.state == ALS_TRANSFER_FAILED;
  is_saved = info.state == ALS_TRANSFER_DONE && info.incoming && saved != NULL;
  fraction = info.bytes_total > 0 ? (double) info.bytes_done / (double) info.bytes_total : 0;

  gtk_label_set_label (self->title, title);
  gtk_label_set_label (self->subtitle, subtitle);
  gtk_accessible_update_property (GTK_ACCESSIBLE (self), GTK_ACCESSIBLE_PROPERTY_LABEL, name, -1);
  if (info.state == ALS_TRANSFER_FAILED)
    gtk_widget_add_css_class (GTK_WIDGET (self->subtitle), "error");
  gtk_image_set_from_icon_name (self->icon,
                                info.state == ALS_TRANSFER_DONE     ? "emblem-ok-symbolic"
                                : info.state == ALS_TRANSFER_FAILED ? "dialog-warning-symbolic"
                                : info.incoming                     ? "folder-download-symbolic"
                                                                    : "document-send-symbolic");
  gtk_progress_bar_set_fraction (self->progress, CLAMP (fraction, 0, 1));
  gtk_widget_set_visible (GTK_WIDGET (self->progress), info.state == ALS_TRANSFER_ACTIVE);
  gtk_widget_set_visible (self->cancel_button, !is_over);
  gtk_widget_set_visible (self->open_button, is_saved && info.n_files == 1);
  gtk_widget_set_visible (self->folder_button, is_saved);
}

static void
cancel_clicked_cb (AlsTransferRow *self)
{
  als_visit_transfer_cancel (self->transfer);
}

static void
open_clicked_cb (AlsTransferRow *self)
{
  GFile *saved = als_visit_transfer_get_saved (self->transfer, 0);

  if (saved != NULL)
    als_ui_open_file (GTK_WINDOW (gtk_widget_get_root (GTK_WIDGET (self))), saved);
}

static void
folder_clicked_cb (AlsTransferRow *self)
{
  GFile *saved = als_visit_transfer_get_saved (self->transfer, 0);

  if (saved != NULL)
    als_ui_show_in_folder (GTK_WINDOW (gtk_widget_get_root (GTK_WIDGET (self))), saved);
}

static void
als_transfer_row_dispose (GObject *object)
{
  AlsTransferRow *self = ALS_TRANSFER_ROW (object);

  if (self->transfer != NULL)
    g_signal_handlers_disconnect_by_data (self->transfer, self);
  g_clear_object (&self->transfer);
  G_OBJECT_CLASS (als_transfer_row_parent_class)->dispose (object);
}

static void
als_transfer_row_class_init (AlsTransferRowClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = als_transfer_row_dispose;
  gtk_widget_class_set_template_from_resource (widget_class,
    "/org/alongside/Alongside/als-transfer-row.ui");
  gtk_widget_class_bind_template_child (widget_class, AlsTransferRow, icon);
  gtk_widget_class_bind_template_child (widget_class, AlsTransferRow, title);
  gtk_widget_class_bind_template_child (widget_class, AlsTransferRow, subtitle);
  gtk_widget_class_bind_template_child (widget_class, AlsTransferRow, progress);
  gtk_widget_class_bind_template_child (widget_class, AlsTransferRow, cancel_button);
  gtk_widget_class_bind_template_child (widget_class, AlsTransferRow, open_button);
  gtk_widget_class_bind_template_child (widget_class, AlsTransferRow, folder_button);
  gtk_widget_class_bind_template_callback (widget_class, cancel_clicked_cb);
  gtk_widget_class_bind_template_callback (widget_class, open_clicked_cb);
  gtk_widget_class_bind_template_callback (widget_class, folder_clicked_cb);
}

static void
als_transfer_row_init (AlsTransferRow *self)
{
  gtk_widget_init_template (GTK_WIDGET (self));
  als_ui_show_text_as_tooltip (self->title);
}

GtkWidget *
als_transfer_row_new (AlsVisitTransfer *transfer)
{
  AlsTransferRow *self = g_object_new (ALS_TYPE_TRANSFER_ROW, NULL);

  self->transfer = g_object_ref (transfer);
  g_signal_connect_swapped (transfer, "changed", G_CALLBACK (update_row), self);
  update_row (self);
  return GTK_WIDGET (self);
}
