/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#define G_LOG_DOMAIN "als-ui"

#include "config.h"

#include "ui/als-screen-view.h"

#include "ui/als-screen-paintable.h"

#include "ui/als-ui-platform.h"

#include <glib/gi18n.h>

struct _AlsScreenView
{
  AdwBin parent;
  AlsVisit *visit;              /* owned, nullable */
  AlsScreenReceiver *receiver;  /* owned, nullable: the one whose frames we take */
  AlsScreenPaintable *paintable;
  GtkStack *stack;
  GtkPicture *picture;
  GtkWidget *frozen;
  GtkLabel *frozen_label;
  AdwStatusPage *waiting;
};

G_DEFINE_FINAL_TYPE (AlsScreenView, als_screen_view, ADW_TYPE_BIN)

static void
update_view (AlsScreenView *self)
{
  gboolean has_picture = als_screen_paintable_has_picture (self->paintable);
  gboolean is_live = self->visit != NULL &&
                     als_visit_get_state (self->visit) == ALS_VISIT_ACTIVE &&
                     als_visit_get_screen (self->visit) != NULL;
  gboolean is_reconnecting = self->visit != NULL &&
                             als_visit_get_state (self->visit) == ALS_VISIT_RECONNECTING;

  als_ui_show_stack_page (self->stack, has_picture ? "picture" : "waiting");
  if (is_reconnecting)
    {
      adw_status_page_set_title (self->waiting, _("Looking for a New Path"));
      adw_status_page_set_description (self->waiting,
        _("The connection was lost. Both computers are looking for another way to each other."));
      gtk_label_set_label (self->frozen_label,
        _("The connection was lost. Looking for another way…"));
    }
  else
    {
      adw_status_page_set_title (self->waiting, _("Waiting for the First Picture"));
      adw_status_page_set_description (self->waiting,
        _("The other person allowed it. Their screen appears here in a moment."));
      gtk_label_set_label (self->frozen_label,
        _("Their screen is hidden at the moment. This was the last picture."));
    }
  gtk_widget_set_visible (self->frozen, has_picture && !is_live);
  if (has_picture && !is_live)
    gtk_widget_add_css_class (GTK_WIDGET (self->picture), "als-frozen");
  else
    gtk_widget_remove_css_class (GTK_WIDGET (self->picture), "als-frozen");
}

static void
frame_cb (AlsScreenReceiver *receiver, gpointer user_data)
{
  AlsScreenView *self = user_data;
  g_autoptr (AlsScreenFrame) frame = als_screen_receiver_take_frame (receiver);
  gboolean had_picture = als_screen_paintable_has_picture (self->paintable);

  if (frame == NULL)
    return;
  als_screen_paintable_set_frame (self->paintable, frame);
  if (!had_picture)
    update_view (self);
}

static void
drop_receiver (AlsScreenView *self)
{
  if (self->receiver != NULL)
    als_screen_receiver_set_notify (self->receiver, NULL, NULL, NULL, NULL);
  g_clear_object (&self->receiver);
}

static void
screen_changed_cb (AlsScreenView *self)
{
  AlsScreenReceiver *receiver = als_visit_get_screen (self->visit);

  if (receiver != NULL && receiver != self->receiver)
    {
      drop_receiver (self);
      self->receiver = g_object_ref (receiver);
      als_screen_receiver_set_notify (receiver, g_main_context_get_thread_default (), frame_cb,
                                      self, NULL);
      frame_cb (receiver, self);
    }
  update_view (self);
}

static void
state_changed_cb (AlsScreenView *self)
{
  update_view (self);
}

void
als_screen_view_set_visit (AlsScreenView *self, AlsVisit *visit)
{
  if (self->visit == visit)
    return;
  drop_receiver (self);
  if (self->visit != NULL)
    g_signal_handlers_disconnect_by_data (self->visit, self);
  g_set_object (&self->visit, visit);
  als_screen_paintable_set_frame (self->paintable, NULL);
  if (visit != NULL)
    {
      g_signal_connect_swapped (visit, "notify::screen", G_CALLBACK (screen_changed_cb), self);
      g_signal_connect_swapped (visit, "notify::state", G_CALLBACK (state_changed_cb), self);
      screen_changed_cb (self);
    }
  update_view (self);
}

void
als_screen_view_set_full_size (AlsScreenView *self, gboolean full_size)
{
  gtk_picture_set_can_shrink (self->picture, !full_size);
  gtk_widget_set_halign (GTK_WIDGET (self->picture), full_size ? GTK_ALIGN_CENTER : GTK_ALIGN_FILL);
  gtk_widget_set_valign (GTK_WIDGET (self->picture), full_size ? GTK_ALIGN_CENTER : GTK_ALIGN_FILL);
}

static void
scale_changed_cb (AlsScreenView *self)
{
  als_screen_paintable_set_scale (self->paintable,
                                  gtk_widget_get_scale_factor (GTK_WIDGET (self)));
}

static void
als_screen_view_realize (GtkWidget *widget)
{
  AlsScreenView *self = ALS_SCREEN_VIEW (widget);

  GTK_WIDGET_CLASS (als_screen_view_parent_class)->realize (widget);
  als_screen_paintable_set_in_software (self->paintable,
    GSK_IS_CAIRO_RENDERER (gtk_native_get_renderer (gtk_widget_get_native (widget))));
}

static void
als_screen_view_dispose (GObject *object)
{
  AlsScreenView *self = ALS_SCREEN_VIEW (object);

  drop_receiver (self);
  if (self->visit != NULL)
    g_signal_handlers_disconnect_by_data (self->visit, self);
  g_clear_object (&self->visit);
  g_clear_object (&self->paintable);
  G_OBJECT_CLASS (als_screen_view_parent_class)->dispose (object);
}

static void
als_screen_view_class_init (AlsScreenViewClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = als_screen_view_dispose;
  widget_class->realize = als_screen_view_realize;
  gtk_widget_class_set_template_from_resource (widget_class,
    "/org/alongside/Alongside/als-screen-view.ui");
  gtk_widget_class_bind_template_child (widget_class, AlsScreenView, stack);
  gtk_widget_class_bind_template_child (widget_class, AlsScreenView, picture);
  gtk_widget_class_bind_template_child (widget_class, AlsScreenView, frozen);
  gtk_widget_class_bind_template_child (widget_class, AlsScreenView, frozen_label);
  gtk_widget_class_bind_template_child (widget_class, AlsScreenView, waiting);
}

static void
als_screen_view_init (AlsScreenView *self)
{
  gtk_widget_init_template (GTK_WIDGET (self));
  self->paintable = als_screen_paintable_new ();
  gtk_picture_set_paintable (self->picture, GDK_PAINTABLE (self->paintable));
  g_signal_connect (self, "notify::scale-factor", G_CALLBACK (scale_changed_cb), NULL);
  scale_changed_cb (self);
  update_view (self);
}
