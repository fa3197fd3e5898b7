/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#define G_LOG_DOMAIN "als-ui"

#include "config.h"

#include "ui/als-start-page.h"

#include "ui/als-ui-errors.h"
#include "ui/als-ui-format.h"

#include "ui/als-ui-platform.h"

#include <glib/gi18n.h>

struct _AlsStartPage
{
  AdwBin parent;
  AlsVisit *invite; /* owned, nullable */
  guint expiry_source;
  guint wrong_tries; /* since this code is shown */
  GtkStack *code_stack;
  GtkLabel *code_label;
  GtkLabel *expiry;
  GtkWidget *reach_box;
  GtkImage *reach_icon;
  GtkLabel *reach_label;
  GtkLabel *busy_title;
  GtkLabel *busy_sentence;
  GtkButton *busy_button;
  GtkLabel *failed_title;
  GtkLabel *failed_sentence;
  GtkButton *failed_button;
  GtkLabel *wrong_label;
  GtkEntry *entry;
  GtkWidget *connect_button;
  GtkLabel *error_label;
};

enum
{
  CONNECT_REQUESTED,
  N_SIGNALS,
};
static guint signals[N_SIGNALS];

G_DEFINE_FINAL_TYPE (AlsStartPage, als_start_page, ADW_TYPE_BIN)

/* The countdown: by the minute, in the last one by the second, and only while it is seen -------- */

static gboolean expiry_cb (gpointer user_data);

static void
stop_expiry (AlsStartPage *self)
{
  g_clear_handle_id (&self->expiry_source, g_source_remove);
}

static void
update_expiry (AlsStartPage *self)
{
  gint64 expires = self->invite != NULL ? als_visit_get_code_expires (self->invite) : 0;
  gint64 left_ms = (expires - g_get_real_time ()) / 1000;
  g_autofree char *text = NULL;
  guint seconds, step_ms;

  stop_expiry (self);
  if (expires == 0)
    {
      gtk_label_set_label (self->expiry, "");
      return;
    }
  seconds = (guint) (MAX (left_ms, 0) + 999) / 1000;
  if (seconds > 60)
    {
      guint minutes = (seconds + 59) / 60;

      text = g_strdup_printf (ngettext ("Works for %u more minute, then a new one appears here",
                                        "Works for %u more minutes, then a new one appears here",
                                        minutes), minutes);
      step_ms = (guint) (left_ms - (gint64) (minutes - 1) * 60 * 1000);
    }
  else
    {
      text = g_strdup_printf (ngettext ("Works for %u more second, then a new one appears here",
                                        "Works for %u more seconds, then a new one appears here",
                                        seconds), seconds);
      step_ms = 1000;
    }
  gtk_label_set_label (self->expiry, text);
  if (gtk_widget_get_mapped (GTK_WIDGET (self)) && left_ms > 0)
    {
      self->expiry_source = g_timeout_add (MAX (step_ms, 100), expiry_cb, self);
      g_source_set_name_by_id (self->expiry_source, "als-start-page-expiry");
    }
}

static gboolean
expiry_cb (gpointer user_data)
{
  AlsStartPage *self = user_data;

  self->expiry_source = 0;
  update_expiry (self);
  return G_SOURCE_REMOVE;
}

/* The code ------------------------------------------------------------------------------------ */

static void
update_reach (AlsStartPage *self)
{
  switch (als_visit_get_reach (self->invite))
    {
    case ALS_VISIT_REACH_MACHINE:
      gtk_image_set_from_icon_name (self->reach_icon, "computer-symbolic");
      gtk_label_set_markup (self->reach_label,
        /* Translators: keep the link's address; it opens the preferences */
        _("This code works on <b>this computer only</b>, because no server is set. <a href=\"als:preferences\">Change that…</a>"));
      break;
    case ALS_VISIT_REACH_NETWORK:
      gtk_image_set_from_icon_name (self->reach_icon, "network-workgroup-symbolic");
      gtk_label_set_markup (self->reach_label,
        /* Translators: keep the link's address; it opens the preferences */
        _("This code works on <b>this network only</b>. For the whole internet, <a href=\"als:preferences\">set a server…</a>"));
      break;
    case ALS_VISIT_REACH_ANYWHERE:
    default:
      gtk_image_set_from_icon_name (self->reach_icon, "network-server-symbolic");
      gtk_label_set_label (self->reach_label,
        _("This code works anywhere on the internet."));
      break;
    }
}

static void
update_busy (AlsStartPage *self, const char *title, const char *sentence, const char *button)
{
  gtk_widget_set_visible (GTK_WIDGET (self->busy_button), button != NULL);
  if (button != NULL)
    gtk_button_set_label (self->busy_button, button);
  gtk_label_set_label (self->busy_title, title);
  gtk_label_set_label (self->busy_sentence, sentence);
  als_ui_show_stack_page (self->code_stack, "busy");
}

static void
update_code (AlsStartPage *self)
{
  const char *code = als_visit_get_code (self->invite);
  g_autofree char *spelt = NULL;
  g_autofree char *name = NULL;

  if (code == NULL)
    {
      update_busy (self, _("One moment…"), _("The code is being made."), NULL);
      return;
    }
  spelt = als_ui_format_spell_digits (code);
  /* Translators: %s is the code, digit by digit, for screen readers */
  name = g_strdup_printf (_("Your code: %s"), spelt);
  gtk_label_set_label (self->code_label, code);
  gtk_accessible_update_property (GTK_ACCESSIBLE (self->code_label), GTK_ACCESSIBLE_PROPERTY_LABEL,
                                  name, -1);
  update_reach (self);
  als_ui_show_stack_page (self->code_stack, "code");
}

static void
update_invite (AlsStartPage *self)
{
  const char *peer;
  g_autofree char *text = NULL;
  AlsUiErrorText error;

  if (self->invite == NULL)
    {
      update_busy (self, _("One moment…"), _("The code is being made."), NULL);
      update_expiry (self);
      return;
    }
  switch (als_visit_get_state (self->invite))
    {
    case ALS_VISIT_CODE_READY:
      update_code (self);
      break;
    case ALS_VISIT_CHECKING:
      update_busy (self, _("Somebody Typed Your Code"),
                   _("The two computers check it. You will be asked before anything is shown."),
                   _("New Code"));
      break;
    case ALS_VISIT_ASKING:
      peer = als_visit_get_peer_name (self->invite);
      if (peer == NULL || *peer == '\0')
        peer = _("Somebody");
      /* Translators: %s is the name of the other person */
      text = g_strdup_printf (_("%s Asks to Help You"), peer);
      update_busy (self, text, _("It is your move: answer the question."), NULL);
      break;
    case ALS_VISIT_ENDED:
      als_ui_error_describe (als_visit_get_error (self->invite), TRUE, &error);
      gtk_label_set_label (self->failed_title, error.title);
      gtk_label_set_label (self->failed_sentence, error.sentence);
      gtk_button_set_label (self->failed_button, error.next == ALS_UI_NEXT_TRY_AGAIN
                                                   ? _("Try Again")
                                                   : _("New Code"));
      als_ui_show_stack_page (self->code_stack, "failed");
      break;
    case ALS_VISIT_IDLE:
    case ALS_VISIT_REACHING_SERVER:
    default:
      if (als_visit_get_problem (self->invite) != NULL)
        {
          als_ui_error_describe (als_visit_get_problem (self->invite), TRUE, &error);
          text = g_strdup_printf ("%s %s", error.sentence, _("Trying again by itself…"));
          update_busy (self, error.title, text, _("Try Now"));
        }
      else
        update_busy (self, _("One moment…"),
                     _("Waiting for the server to give a number for your code."), NULL);
      break;
    }
  update_expiry (self);
}

static void
set_wrong_tries (AlsStartPage *self, guint tries)
{
  g_autofree char *text = NULL;

  self->wrong_tries = tries;
  if (tries > 0)
    text = g_strdup_printf (ngettext ("Somebody typed this code wrong %u time. Read it to them once more.",
                                      "Somebody typed this code wrong %u times. Read it to them once more.",
                                      tries), tries);
  gtk_label_set_label (self->wrong_label, text != NULL ? text : "");
  gtk_widget_set_visible (GTK_WIDGET (self->wrong_label), tries > 0);
}

static void
wrong_code_cb (AlsStartPage *self)
{
  set_wrong_tries (self, self->wrong_tries + 1);
}

static void
code_changed_cb (AlsStartPage *self)
{
  if (als_visit_get_code (self->invite) != NULL &&
      g_strcmp0 (als_visit_get_code (self->invite), gtk_label_get_label (self->code_label)) != 0)
    set_wrong_tries (self, 0);
  update_invite (self);
}

void
als_start_page_set_invite (AlsStartPage *self, AlsVisit *invite)
{
  static const char *const notifies[] = { "notify::state", "notify::code-expires", "notify::reach",
                                          "notify::problem", "notify::peer-name" };

  if (self->invite == invite && invite != NULL)
    return;
  if (self->invite != NULL)
    g_signal_handlers_disconnect_by_data (self->invite, self);
  g_set_object (&self->invite, invite);
  set_wrong_tries (self, 0);
  if (invite != NULL)
    {
      for (guint i = 0; i < G_N_ELEMENTS (notifies); i++)
        g_signal_connect_swapped (invite, notifies[i], G_CALLBACK (update_invite), self);
      g_signal_connect_swapped (invite, "notify::code", G_CALLBACK (code_changed_cb), self);
      g_signal_connect_swapped (invite, "wrong-code", G_CALLBACK (wrong_code_cb), self);
    }
  else
    gtk_label_set_label (self->code_label, "");
  update_invite (self);
}

static gboolean
link_activated_cb (AlsStartPage *self, const char *uri)
{
  gtk_widget_activate_action (GTK_WIDGET (self), "app.preferences", NULL);
  return TRUE;
}

/* The field ----------------------------------------------------------------------------------- */

static void
entry_changed_cb (AlsStartPage *self)
{
  gtk_widget_set_sensitive (self->connect_button,
                            gtk_entry_get_text_length (self->entry) > 0);
  als_start_page_set_error (self, NULL);
}

static void
connect_cb (AlsStartPage *self)
{
  const char *text = gtk_editable_get_text (GTK_EDITABLE (self->entry));

  if (*text != '\0')
    g_signal_emit (self, signals[CONNECT_REQUESTED], 0, text);
}

void
als_start_page_fill_code (AlsStartPage *self, const char *text)
{
  g_autofree char *grouped = als_ui_format_group_digits (text);

  gtk_editable_set_text (GTK_EDITABLE (self->entry), grouped);
  gtk_editable_set_position (GTK_EDITABLE (self->entry), -1);
  gtk_widget_grab_focus (self->connect_button);
}

void
als_start_page_set_error (AlsStartPage *self, const char *sentence)
{
  gtk_widget_set_visible (GTK_WIDGET (self->error_label), sentence != NULL);
  gtk_accessible_update_state (GTK_ACCESSIBLE (self->entry), GTK_ACCESSIBLE_STATE_INVALID,
                               sentence != NULL ? GTK_ACCESSIBLE_INVALID_TRUE
                                                : GTK_ACCESSIBLE_INVALID_FALSE, -1);
  if (sentence == NULL)
    {
      gtk_widget_remove_css_class (GTK_WIDGET (self->entry), "error");
      return;
    }
  gtk_label_set_label (self->error_label, sentence);
  gtk_accessible_update_property (GTK_ACCESSIBLE (self->entry),
                                  GTK_ACCESSIBLE_PROPERTY_DESCRIPTION, sentence, -1);
  gtk_widget_add_css_class (GTK_WIDGET (self->entry), "error");
  gtk_widget_grab_focus (GTK_WIDGET (self->entry));
}

void
als_start_page_clear_code (AlsStartPage *self)
{
  gtk_editable_set_text (GTK_EDITABLE (self->entry), "");
}

void
als_start_page_take_focus (AlsStartPage *self)
{
  gtk_widget_grab_focus (GTK_WIDGET (self->entry));
}

const char *
als_start_page_get_text (AlsStartPage *self)
{
  return gtk_editable_get_text (GTK_EDITABLE (self->entry));
}

/* Lifecycle ----------------------------------------------------------------------------------- */

static void
als_start_page_map (GtkWidget *widget)
{
  GTK_WIDGET_CLASS (als_start_page_parent_class)->map (widget);
  update_expiry (ALS_START_PAGE (widget));
}

static void
als_start_page_unmap (GtkWidget *widget)
{
  stop_expiry (ALS_START_PAGE (widget));
  GTK_WIDGET_CLASS (als_start_page_parent_class)->unmap (widget);
}

static void
als_start_page_dispose (GObject *object)
{
  AlsStartPage *self = ALS_START_PAGE (object);

  stop_expiry (self);
  if (self->invite != NULL)
    g_signal_handlers_disconnect_by_data (self->invite, self);
  g_clear_object (&self->invite);
  G_OBJECT_CLASS (als_start_page_parent_class)->dispose (object);
}

static void
als_start_page_class_init (AlsStartPageClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = als_start_page_dispose;
  widget_class->map = als_start_page_map;
  widget_class->unmap = als_start_page_unmap;
  signals[CONNECT_REQUESTED] =
    g_signal_new ("connect-requested", ALS_TYPE_START_PAGE, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                  G_TYPE_NONE, 1, G_TYPE_STRING);
  gtk_widget_class_set_template_from_resource (widget_class,
    "/org/alongside/Alongside/als-start-page.ui");
  gtk_widget_class_bind_template_child (widget_class, AlsStartPage, code_stack);
  gtk_widget_class_bind_template_child (widget_class, AlsStartPage, code_label);
  gtk_widget_class_bind_template_child (widget_class, AlsStartPage, expiry);
  gtk_widget_class_bind_template_child (widget_class, AlsStartPage, reach_box);
  gtk_widget_class_bind_template_child (widget_class, AlsStartPage, reach_icon);
  gtk_widget_class_bind_template_child (widget_class, AlsStartPage, reach_label);
  gtk_widget_class_bind_template_child (widget_class, AlsStartPage, busy_title);
  gtk_widget_class_bind_template_child (widget_class, AlsStartPage, busy_sentence);
  gtk_widget_class_bind_template_child (widget_class, AlsStartPage, busy_button);
  gtk_widget_class_bind_template_child (widget_class, AlsStartPage, failed_title);
  gtk_widget_class_bind_template_child (widget_class, AlsStartPage, failed_sentence);
  gtk_widget_class_bind_template_child (widget_class, AlsStartPage, failed_button);
  gtk_widget_class_bind_template_child (widget_class, AlsStartPage, wrong_label);
  gtk_widget_class_bind_template_child (widget_class, AlsStartPage, entry);
  gtk_widget_class_bind_template_child (widget_class, AlsStartPage, connect_button);
  gtk_widget_class_bind_template_child (widget_class, AlsStartPage, error_label);
  gtk_widget_class_bind_template_callback (widget_class, link_activated_cb);
  gtk_widget_class_bind_template_callback (widget_class, entry_changed_cb);
  gtk_widget_class_bind_template_callback (widget_class, connect_cb);
}

static void
als_start_page_init (AlsStartPage *self)
{
  gtk_widget_init_template (GTK_WIDGET (self));
  /* Digits read from left to right everywhere; groups of them would not by themselves. */
  gtk_widget_set_direction (GTK_WIDGET (self->code_label), GTK_TEXT_DIR_LTR);
  gtk_widget_set_direction (GTK_WIDGET (self->entry), GTK_TEXT_DIR_LTR);
  update_invite (self);
}
