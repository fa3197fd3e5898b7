/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#define G_LOG_DOMAIN "als-ui"

#include "config.h"

#include "ui/als-consent-dialog.h"

#include "ui/als-ui-platform.h"

#include <glib/gi18n.h>

struct _AlsConsentDialog
{
  AdwMessageDialog parent;
  AlsVisit *visit;     /* owned, NULL once answered */
  GSettings *settings; /* owned */
  GtkWidget *warning;
  GtkLabel *warning_label;
  GtkWidget *no_screen;
};

G_DEFINE_FINAL_TYPE (AlsConsentDialog, als_consent_dialog, ADW_TYPE_MESSAGE_DIALOG)

static void
update_heading (AlsConsentDialog *self)
{
  const char *peer = als_visit_get_peer_name (self->visit);
  g_autofree char *heading = NULL;

  if (peer == NULL || *peer == '\0')
    adw_message_dialog_set_heading (ADW_MESSAGE_DIALOG (self), _("Somebody Wants to Help You"));
  else
    {
      /* Translators: %s is the name that the other person gave */
      heading = g_strdup_printf (_("“%s” Wants to Help You"), peer);
      adw_message_dialog_set_heading (ADW_MESSAGE_DIALOG (self), heading);
    }
}

static void
state_changed_cb (AlsConsentDialog *self)
{
  if (als_visit_get_state (self->visit) == ALS_VISIT_ASKING)
    return;
  g_signal_handlers_disconnect_by_data (self->visit, self);
  g_clear_object (&self->visit);
  gtk_window_destroy (GTK_WINDOW (self));
}

static void
response_cb (AlsConsentDialog *self, const char *response)
{
  AlsVisitPermission permission = ALS_VISIT_NOTHING;
  g_autoptr (AlsVisit) visit = g_steal_pointer (&self->visit);

  if (visit == NULL)
    return;
  g_signal_handlers_disconnect_by_data (visit, self);
  if (g_str_equal (response, "screen"))
    permission = ALS_VISIT_SEE_SCREEN;
  else if (g_str_equal (response, "files"))
    permission = ALS_VISIT_FILES_ONLY;
  g_settings_set_boolean (self->settings, "scam-warning-seen", TRUE);
  als_visit_answer (visit, permission);
}

static void
als_consent_dialog_dispose (GObject *object)
{
  AlsConsentDialog *self = ALS_CONSENT_DIALOG (object);

  if (self->visit != NULL)
    g_signal_handlers_disconnect_by_data (self->visit, self);
  g_clear_object (&self->visit);
  g_clear_object (&self->settings);
  G_OBJECT_CLASS (als_consent_dialog_parent_class)->dispose (object);
}

static void
als_consent_dialog_class_init (AlsConsentDialogClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = als_consent_dialog_dispose;
  gtk_widget_class_set_template_from_resource (widget_class,
    "/org/alongside/Alongside/als-consent-dialog.ui");
  gtk_widget_class_bind_template_child (widget_class, AlsConsentDialog, warning);
  gtk_widget_class_bind_template_child (widget_class, AlsConsentDialog, warning_label);
  gtk_widget_class_bind_template_child (widget_class, AlsConsentDialog, no_screen);
  gtk_widget_class_bind_template_callback (widget_class, response_cb);
}

static void
als_consent_dialog_init (AlsConsentDialog *self)
{
  gtk_widget_init_template (GTK_WIDGET (self));
}

AlsConsentDialog *
als_consent_dialog_new (GtkWindow *parent, AlsVisit *visit, GSettings *settings)
{
  AlsConsentDialog *self = g_object_new (ALS_TYPE_CONSENT_DIALOG, "transient-for", parent, NULL);
  gboolean can_capture = als_ui_can_capture_screen (gtk_widget_get_display (GTK_WIDGET (parent)));

  self->visit = g_object_ref (visit);
  self->settings = g_object_ref (settings);
  g_signal_connect_swapped (visit, "notify::state", G_CALLBACK (state_changed_cb), self);
  g_signal_connect_swapped (visit, "notify::peer-name", G_CALLBACK (update_heading), self);
  update_heading (self);
  if (g_settings_get_boolean (settings, "scam-warning-seen"))
    gtk_label_set_label (self->warning_label,
      _("If you did not ask this person for help, decline."));
  else
    gtk_widget_add_css_class (self->warning, "als-first-time");
  adw_message_dialog_set_response_enabled (ADW_MESSAGE_DIALOG (self), "screen", can_capture);
  gtk_widget_set_visible (self->no_screen, !can_capture);
  als_ui_prepare_dialog (GTK_WINDOW (self));
  return self;
}
