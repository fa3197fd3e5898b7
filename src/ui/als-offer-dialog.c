/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#define G_LOG_DOMAIN "als-ui"

#include "config.h"

#include "ui/als-offer-dialog.h"

#include "ui/als-ui-platform.h"

#include <glib/gi18n.h>

#define MAX_NAMES_SHOWN 6

struct _AlsOfferDialog
{
  AdwMessageDialog parent;
  AlsVisitTransfer *transfer; /* owned, NULL once answered */
  GtkListBox *files;
};

G_DEFINE_FINAL_TYPE (AlsOfferDialog, als_offer_dialog, ADW_TYPE_MESSAGE_DIALOG)

static void
transfer_changed_cb (AlsOfferDialog *self)
{
  AlsTransferInfo info;

  als_visit_transfer_get_info (self->transfer, &info);
  if (info.state == ALS_TRANSFER_OFFERED)
    return;
  g_signal_handlers_disconnect_by_data (self->transfer, self);
  g_clear_object (&self->transfer);
  gtk_window_destroy (GTK_WINDOW (self));
}

static void
response_cb (AlsOfferDialog *self, const char *response)
{
  g_autoptr (AlsVisitTransfer) transfer = g_steal_pointer (&self->transfer);

  if (transfer == NULL)
    return;
  g_signal_handlers_disconnect_by_data (transfer, self);
  if (g_str_equal (response, "accept"))
    als_visit_transfer_accept (transfer);
  else
    als_visit_transfer_decline (transfer);
}

static GtkWidget *
make_file_row (const char *name, const char *size)
{
  GtkWidget *row = gtk_list_box_row_new ();
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 12);
  GtkWidget *name_label = gtk_label_new (name);
  GtkWidget *size_label = gtk_label_new (size);
  g_autofree char *text = *size != '\0' ? g_strdup_printf ("%s, %s", name, size) : g_strdup (name);

  gtk_widget_add_css_class (box, "als-file-row");
  gtk_label_set_ellipsize (GTK_LABEL (name_label), PANGO_ELLIPSIZE_MIDDLE);
  gtk_label_set_xalign (GTK_LABEL (name_label), 0);
  gtk_widget_set_hexpand (name_label, TRUE);
  als_ui_show_text_as_tooltip (GTK_LABEL (name_label));
  gtk_widget_add_css_class (size_label, "dim-label");
  gtk_widget_add_css_class (size_label, "numeric");
  gtk_box_append (GTK_BOX (box), name_label);
  gtk_box_append (GTK_BOX (box), size_label);
  gtk_list_box_row_set_child (GTK_LIST_BOX_ROW (row), box);
  gtk_list_box_row_set_activatable (GTK_LIST_BOX_ROW (row), FALSE);
  gtk_widget_set_focusable (row, FALSE);
  gtk_accessible_update_property (GTK_ACCESSIBLE (row), GTK_ACCESSIBLE_PROPERTY_LABEL, text, -1);
  return row;
}

static void
als_offer_dialog_dispose (GObject *object)
{
  AlsOfferDialog *self = ALS_OFFER_DIALOG (object);

  if (self->transfer != NULL)
    g_signal_handlers_disconnect_by_data (self->transfer, self);
  g_clear_object (&self->transfer);
  G_OBJECT_CLASS (als_offer_dialog_parent_class)->dispose (object);
}

static void
als_offer_dialog_class_init (AlsOfferDialogClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = als_offer_dialog_dispose;
  gtk_widget_class_set_template_from_resource (widget_class,
    "/org/alongside/Alongside/als-offer-dialog.ui");
  gtk_widget_class_bind_template_child (widget_class, AlsOfferDialog, files);
  gtk_widget_class_bind_template_callback (widget_class, response_cb);
}

static void
als_offer_dialog_init (AlsOfferDialog *self)
{
  gtk_widget_init_template (GTK_WIDGET (self));
}

static void
fill (AlsOfferDialog *self, const char *peer, const char *folder)
{
  AlsTransferInfo info;
  g_autofree char *heading = NULL;
  g_autofree char *body = NULL;
  g_autofree char *total = NULL;

  als_visit_transfer_get_info (self->transfer, &info);
  total = g_format_size (info.bytes_total);
  if (peer == NULL || *peer == '\0')
    peer = _("The other person");
  /* Translators: %1$s is the name of the other person, %2$u a number of files */
  heading = g_strdup_printf (ngettext ("%1$s Sends %2$u File", "%1$s Sends %2$u Files",
                                       info.n_files), peer, info.n_files);
  /* Translators: %1$s is a size such as 3.4 MB, %2$s a folder such as Downloads */
  body = g_strdup_printf (_("%1$s in all, to be saved in “%2$s”. Nothing that is there is overwritten. Only accept files that you expect."),
                          total, folder);
  adw_message_dialog_set_heading (ADW_MESSAGE_DIALOG (self), heading);
  adw_message_dialog_set_body (ADW_MESSAGE_DIALOG (self), body);

  for (guint i = 0; i < MIN (info.n_files, MAX_NAMES_SHOWN); i++)
    {
      g_autofree char *size = g_format_size (als_visit_transfer_get_size (self->transfer, i));

      gtk_list_box_append (self->files,
                           make_file_row (als_visit_transfer_get_name (self->transfer, i), size));
    }
  if (info.n_files > MAX_NAMES_SHOWN)
    {
      guint n = info.n_files - MAX_NAMES_SHOWN;
      g_autofree char *more = g_strdup_printf (ngettext ("and %u more file", "and %u more files", n),
                                               n);

      gtk_list_box_append (self->files, make_file_row (more, ""));
    }
}

AlsOfferDialog *
als_offer_dialog_new (GtkWindow *parent, AlsVisitTransfer *transfer, const char *peer,
                      const char *folder)
{
  AlsOfferDialog *self = g_object_new (ALS_TYPE_OFFER_DIALOG, "transient-for", parent, NULL);

  self->transfer = g_object_ref (transfer);
  fill (self, peer, folder);
  g_signal_connect_swapped (transfer, "changed", G_CALLBACK (transfer_changed_cb), self);
  als_ui_prepare_dialog (GTK_WINDOW (self));
  return self;
}
