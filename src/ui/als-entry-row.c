/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#define G_LOG_DOMAIN "als-ui"

#include "config.h"

#include "ui/als-entry-row.h"

struct _AlsEntryRow
{
  AdwPreferencesRow parent;
  GtkEntry *entry;
  GtkButton *button;
  GtkLabel *problem;
  gboolean is_silent; /* the text is being set by the program */
};

G_DEFINE_FINAL_TYPE (AlsEntryRow, als_entry_row, ADW_TYPE_PREFERENCES_ROW)

enum
{
  PROP_0,
  PROP_INPUT_PURPOSE,
  PROP_BUTTON_LABEL,
  N_PROPS
};
static GParamSpec *props[N_PROPS];

enum
{
  APPLY,
  CHANGED,
  N_SIGNALS
};
static guint signals[N_SIGNALS];

static gboolean
has_label (AlsEntryRow *self)
{
  return gtk_button_get_label (self->button) != NULL;
}

static void
apply_cb (AlsEntryRow *self)
{
  if (!gtk_widget_get_sensitive (GTK_WIDGET (self->button)))
    return;
  if (!has_label (self) && gtk_widget_get_visible (GTK_WIDGET (self->button)))
    {
      /* It goes, and takes the keyboard with it. */
      gtk_widget_grab_focus (GTK_WIDGET (self->entry));
      gtk_widget_set_visible (GTK_WIDGET (self->button), FALSE);
    }
  g_signal_emit (self, signals[APPLY], 0);
}

static void
changed_cb (AlsEntryRow *self)
{
  if (self->is_silent)
    return;
  gtk_widget_set_visible (GTK_WIDGET (self->button), TRUE);
  als_entry_row_set_problem (self, NULL);
  g_signal_emit (self, signals[CHANGED], 0);
}

/* The field has its name from the label. */
static void
title_cb (AlsEntryRow *self)
{
  const char *title = adw_preferences_row_get_title (ADW_PREFERENCES_ROW (self));

  gtk_accessible_update_property (GTK_ACCESSIBLE (self), GTK_ACCESSIBLE_PROPERTY_LABEL, title, -1);
}

const char *
als_entry_row_get_text (AlsEntryRow *self)
{
  return gtk_editable_get_text (GTK_EDITABLE (self->entry));
}

void
als_entry_row_set_text (AlsEntryRow *self, const char *text)
{
  self->is_silent = TRUE;
  gtk_editable_set_text (GTK_EDITABLE (self->entry), text);
  self->is_silent = FALSE;
}

void
als_entry_row_set_can_apply (AlsEntryRow *self, gboolean can_apply)
{
  gtk_widget_set_sensitive (GTK_WIDGET (self->button), can_apply);
}

void
als_entry_row_set_problem (AlsEntryRow *self, const char *sentence)
{
  gtk_label_set_label (self->problem, sentence != NULL ? sentence : "");
  gtk_widget_set_visible (GTK_WIDGET (self->problem), sentence != NULL);
  if (sentence != NULL)
    {
      gtk_widget_add_css_class (GTK_WIDGET (self->entry), "error");
      gtk_accessible_update_property (GTK_ACCESSIBLE (self->entry), GTK_ACCESSIBLE_PROPERTY_DESCRIPTION, sentence, -1);
    }
  else
    {
      gtk_widget_remove_css_class (GTK_WIDGET (self->entry), "error");
      gtk_accessible_reset_property (GTK_ACCESSIBLE (self->entry), GTK_ACCESSIBLE_PROPERTY_DESCRIPTION);
    }
}

static gboolean
als_entry_row_grab_focus (GtkWidget *widget)
{
  return gtk_widget_grab_focus (GTK_WIDGET (ALS_ENTRY_ROW (widget)->entry));
}

static void
als_entry_row_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  AlsEntryRow *self = ALS_ENTRY_ROW (object);

  switch (id)
    {
    case PROP_INPUT_PURPOSE:
      g_value_set_enum (value, gtk_entry_get_input_purpose (self->entry));
      break;
    case PROP_BUTTON_LABEL:
      g_value_set_string (value, gtk_button_get_label (self->button));
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
als_entry_row_set_property (GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  AlsEntryRow *self = ALS_ENTRY_ROW (object);

  switch (id)
    {
    case PROP_INPUT_PURPOSE:
      gtk_entry_set_input_purpose (self->entry, g_value_get_enum (value));
      break;
    case PROP_BUTTON_LABEL:
      if (g_value_get_string (value) == NULL)
        break;
      gtk_button_set_label (self->button, g_value_get_string (value));
      gtk_accessible_update_property (GTK_ACCESSIBLE (self->button), GTK_ACCESSIBLE_PROPERTY_LABEL,
                                      g_value_get_string (value), -1);
      gtk_widget_set_visible (GTK_WIDGET (self->button), TRUE);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
als_entry_row_class_init (AlsEntryRowClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  object_class->get_property = als_entry_row_get_property;
  object_class->set_property = als_entry_row_set_property;
  widget_class->grab_focus = als_entry_row_grab_focus;
  props[PROP_INPUT_PURPOSE] = g_param_spec_enum ("input-purpose", NULL, NULL, GTK_TYPE_INPUT_PURPOSE,
                                                 GTK_INPUT_PURPOSE_FREE_FORM,
                                                 G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS);
  props[PROP_BUTTON_LABEL] = g_param_spec_string ("button-label", NULL, NULL, NULL,
                                                  G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS);
  g_object_class_install_properties (object_class, N_PROPS, props);
  signals[APPLY] = g_signal_new ("apply", ALS_TYPE_ENTRY_ROW, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                                 G_TYPE_NONE, 0);
  signals[CHANGED] = g_signal_new ("changed", ALS_TYPE_ENTRY_ROW, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                                   G_TYPE_NONE, 0);
  gtk_widget_class_set_template_from_resource (widget_class, "/org/alongside/Alongside/als-entry-row.ui");
  gtk_widget_class_bind_template_child (widget_class, AlsEntryRow, entry);
  gtk_widget_class_bind_template_child (widget_class, AlsEntryRow, button);
  gtk_widget_class_bind_template_child (widget_class, AlsEntryRow, problem);
  gtk_widget_class_bind_template_callback (widget_class, apply_cb);
  gtk_widget_class_bind_template_callback (widget_class, changed_cb);
}

static void
als_entry_row_init (AlsEntryRow *self)
{
  gtk_widget_init_template (GTK_WIDGET (self));
  g_signal_connect (self, "notify::title", G_CALLBACK (title_cb), NULL);
}
