/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#define G_LOG_DOMAIN "als-ui"

#include "config.h"

#include "ui/als-transfer-list.h"

#include "ui/als-transfer-row.h"

#include <glib/gi18n.h>

struct _AlsTransferList
{
  AdwBin parent;
  GListModel *model; /* owned, nullable */
  GtkListBox *list;
};

G_DEFINE_FINAL_TYPE (AlsTransferList, als_transfer_list, ADW_TYPE_BIN)

static GtkWidget *
create_row (gpointer item, gpointer user_data)
{
  return als_transfer_row_new (item);
}

static void
items_changed_cb (AlsTransferList *self)
{
  gtk_widget_set_visible (GTK_WIDGET (self),
                          self->model != NULL && g_list_model_get_n_items (self->model) > 0);
}

void
als_transfer_list_set_visit (AlsTransferList *self, AlsVisit *visit)
{
  if (self->model != NULL)
    g_signal_handlers_disconnect_by_data (self->model, self);
  g_clear_object (&self->model);
  if (visit != NULL)
    self->model = g_object_ref (als_visit_get_transfers (visit));
  gtk_list_box_bind_model (self->list, self->model, create_row, NULL, NULL);
  if (self->model != NULL)
    g_signal_connect_swapped (self->model, "items-changed", G_CALLBACK (items_changed_cb), self);
  items_changed_cb (self);
}

static void
als_transfer_list_dispose (GObject *object)
{
  AlsTransferList *self = ALS_TRANSFER_LIST (object);

  if (self->list != NULL)
    als_transfer_list_set_visit (self, NULL);
  self->list = NULL;
  G_OBJECT_CLASS (als_transfer_list_parent_class)->dispose (object);
}

static void
als_transfer_list_class_init (AlsTransferListClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = als_transfer_list_dispose;
}

static void
als_transfer_list_init (AlsTransferList *self)
{
  self->list = GTK_LIST_BOX (gtk_list_box_new ());
  gtk_list_box_set_selection_mode (self->list, GTK_SELECTION_NONE);
  gtk_widget_add_css_class (GTK_WIDGET (self->list), "boxed-list");
  gtk_widget_set_valign (GTK_WIDGET (self->list), GTK_ALIGN_START);
  gtk_accessible_update_property (GTK_ACCESSIBLE (self->list), GTK_ACCESSIBLE_PROPERTY_LABEL,
                                  _("Files sent and received"), -1);
  adw_bin_set_child (ADW_BIN (self), GTK_WIDGET (self->list));
  gtk_widget_set_visible (GTK_WIDGET (self), FALSE);
}
