/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#define G_LOG_DOMAIN "als-ui"

#include "config.h"

#include "ui/als-invitation-window.h"

#include "ui/als-ui-errors.h"
#include "ui/als-ui-format.h"
#include "ui/als-ui-platform.h"

#include <glib/gi18n.h>
#include <string.h>

/* Longer texts are none of ours. */
#define MAX_PASTED_BYTES (64 * 1024)

struct _AlsInvitationWindow
{
  AdwWindow parent;
  AlsInvitationWindowFuncs funcs;
  gpointer user_data;
  AlsVisit *visit;         /* owned, nullable: before a side was chosen */
  char *invitation;        /* joiner: what was pasted, nullable */
  GCancellable *paste;     /* of a paste under way, nullable */
  guint countdown_source;
  AdwToastOverlay *toasts;
  GtkStack *pages;
  GtkWidget *copy_invitation;
  GtkWidget *waiting;
  GtkLabel *digits;
  GtkWidget *paste_reply;
  AdwActionRow *invitation_row;
  GtkWidget *invitation_done;
  AdwEntryRow *digits_row;
  GtkWidget *reply_button;
  AdwActionRow *reply_row;
  GtkWidget *copy_reply;
  GtkWidget *status_box;
  GtkLabel *status;
  GtkLabel *status_more;
  GtkLabel *problem;
};

G_DEFINE_FINAL_TYPE (AlsInvitationWindow, als_invitation_window, ADW_TYPE_WINDOW)

/* --- the countdown: only while it is seen --------------------------------------------------------- */

static gboolean countdown_cb (gpointer user_data);

static void
update_countdown (AlsInvitationWindow *self)
{
  gint64 left_us = als_visit_get_next_mark_us (self->visit) - g_get_monotonic_time ();
  guint n = als_visit_get_n_marks (self->visit);
  g_autofree char *status = NULL, *tries = NULL, *more = NULL;
  guint seconds;

  g_clear_handle_id (&self->countdown_source, g_source_remove);
  seconds = left_us > 0 ? (guint) ((left_us + G_USEC_PER_SEC - 1) / G_USEC_PER_SEC) : 0;
  status = seconds > 0 ? g_strdup_printf (ngettext ("Both computers try together in %u second",
                                                    "Both computers try together in %u seconds", seconds),
                                          seconds)
                       : g_strdup (_("Both computers try together now…"));
  tries = g_strdup_printf (ngettext ("%u try so far.", "%u tries so far.", n), n);
  /* Translators: how often was tried, and a sentence on the clock */
  more = als_visit_get_is_clock_checked (self->visit) ? g_strdup (tries)
         : g_strdup_printf (_("%1$s %2$s"), tries,
                            _("This computer’s clock could not be checked, so it may take some more."));
  gtk_label_set_label (self->status, status);
  gtk_label_set_label (self->status_more, more);
  if (seconds > 0 && gtk_widget_get_mapped (GTK_WIDGET (self)))
    {
      self->countdown_source = g_timeout_add ((guint) (left_us % G_USEC_PER_SEC) / 1000 + 1, countdown_cb, self);
      g_source_set_name_by_id (self->countdown_source, "als-invitation-countdown");
    }
}

static gboolean
countdown_cb (gpointer user_data)
{
  AlsInvitationWindow *self = user_data;

  self->countdown_source = 0;
  update_countdown (self);
  return G_SOURCE_REMOVE;
}

/* --- what the visit says ---------------------------------------------------------------------------- */

/* SENTENCE: NULL: none. */
static void
set_problem (AlsInvitationWindow *self, const char *sentence)
{
  gtk_label_set_label (self->problem, sentence != NULL ? sentence : "");
  gtk_widget_set_visible (GTK_WIDGET (self->problem), sentence != NULL);
}

static void
show_error (AlsInvitationWindow *self, const GError *error, gboolean is_inviter)
{
  AlsUiErrorText text;

  als_ui_error_describe (error, is_inviter, &text);
  set_problem (self, text.sentence);
}

static void
update_texts (AlsInvitationWindow *self)
{
  const char *code = als_visit_get_code (self->visit);
  gboolean has_invitation = als_visit_get_invitation (self->visit) != NULL;
  g_autofree char *spelt = code != NULL ? als_ui_format_spell_digits (code) : NULL;

  gtk_widget_set_sensitive (self->copy_invitation, has_invitation);
  gtk_widget_set_sensitive (self->paste_reply, has_invitation);
  gtk_widget_set_visible (self->waiting, !has_invitation);
  gtk_label_set_label (self->digits, code != NULL ? code : "");
  if (spelt != NULL)
    gtk_accessible_update_property (GTK_ACCESSIBLE (self->digits), GTK_ACCESSIBLE_PROPERTY_LABEL, spelt, -1);
  gtk_widget_set_sensitive (self->copy_reply, als_visit_get_reply (self->visit) != NULL);
  gtk_widget_set_sensitive (GTK_WIDGET (self->reply_row), als_visit_get_reply (self->visit) != NULL);
}

static void
ended (AlsInvitationWindow *self)
{
  const GError *error = als_visit_get_error (self->visit);

  gtk_widget_set_visible (self->status_box, FALSE);
  gtk_widget_set_sensitive (self->copy_invitation, FALSE);
  gtk_widget_set_sensitive (self->paste_reply, FALSE);
  gtk_widget_set_sensitive (self->copy_reply, FALSE);
  show_error (self, error, als_visit_get_is_inviter (self->visit));
}

static void
update (AlsInvitationWindow *self)
{
  switch (als_visit_get_state (self->visit))
    {
    case ALS_VISIT_ASKING:
    case ALS_VISIT_ACTIVE:
    case ALS_VISIT_RECONNECTING:
      gtk_window_destroy (GTK_WINDOW (self));
      return;
    case ALS_VISIT_ENDED:
      update_texts (self);
      ended (self);
      return;
    case ALS_VISIT_IDLE:
    case ALS_VISIT_REACHING_SERVER:
    case ALS_VISIT_CODE_READY:
    case ALS_VISIT_LOOKING:
    case ALS_VISIT_CHECKING:
    default:
      break;
    }
  update_texts (self);
  gtk_widget_set_visible (self->status_box, als_visit_get_state (self->visit) >= ALS_VISIT_LOOKING);
  if (als_visit_get_state (self->visit) == ALS_VISIT_LOOKING && als_visit_get_is_inviter (self->visit))
    gtk_widget_set_sensitive (self->paste_reply, FALSE);
  update_countdown (self);
}

static void
set_visit (AlsInvitationWindow *self, AlsVisit *visit)
{
  static const char *const signals[] = {
    "notify::state", "notify::code", "notify::invitation", "notify::reply",
    "notify::next-mark-us", "notify::n-marks", "notify::is-clock-checked",
  };

  if (self->visit != NULL)
    g_signal_handlers_disconnect_by_data (self->visit, self);
  g_set_object (&self->visit, visit);
  if (visit == NULL)
    return;
  for (guint i = 0; i < G_N_ELEMENTS (signals); i++)
    g_signal_connect_swapped (visit, signals[i], G_CALLBACK (update), self);
  update (self);
}

/* --- pressed ---------------------------------------------------------------------------------------- */

static void
make_clicked_cb (AlsInvitationWindow *self)
{
  als_ui_show_stack_page (self->pages, "inviter");
  set_visit (self, self->funcs.make (self->user_data));
}

static void
got_clicked_cb (AlsInvitationWindow *self)
{
  als_ui_show_stack_page (self->pages, "joiner");
}

static void
copy (AlsInvitationWindow *self, const char *text, const char *toast)
{
  if (text == NULL)
    return;
  gdk_clipboard_set_text (gtk_widget_get_clipboard (GTK_WIDGET (self)), text);
  adw_toast_overlay_add_toast (self->toasts, adw_toast_new (toast));
}

static void
copy_invitation_cb (AlsInvitationWindow *self)
{
  copy (self, als_visit_get_invitation (self->visit), _("Invitation copied"));
}

static void
copy_reply_cb (AlsInvitationWindow *self)
{
  copy (self, als_visit_get_reply (self->visit), _("Reply copied"));
}

static void
take_reply (AlsInvitationWindow *self, const char *text)
{
  g_autoptr (GError) error = NULL;

  if (als_visit_classify_text (text) == ALS_VISIT_TEXT_INVITATION)
    set_problem (self, _("That is an invitation, perhaps your own. Paste the reply that the other person sent."));
  else if (!als_visit_paste_reply (self->visit, text, &error))
    show_error (self, error, TRUE);
  else
    set_problem (self, NULL);
}

static void
take_invitation (AlsInvitationWindow *self, const char *text)
{
  AlsVisitText kind = als_visit_classify_text (text);

  if (kind != ALS_VISIT_TEXT_INVITATION)
    {
      set_problem (self, kind == ALS_VISIT_TEXT_REPLY
                           ? _("That is a reply. Paste the invitation that the other person sent.")
                           : _("There is no invitation in what you copied. Copy the other person’s whole message."));
      return;
    }
  set_problem (self, NULL);
  g_free (self->invitation);
  self->invitation = g_strdup (text);
  adw_action_row_set_subtitle (self->invitation_row, _("The invitation is complete"));
  gtk_widget_set_visible (self->invitation_done, TRUE);
  gtk_widget_set_sensitive (GTK_WIDGET (self->digits_row), TRUE);
  gtk_widget_grab_focus (GTK_WIDGET (self->digits_row));
}

static void
pasted_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (AlsInvitationWindow) self = user_data;
  g_autofree char *text = gdk_clipboard_read_text_finish (GDK_CLIPBOARD (source), result, NULL);

  if (self->paste == NULL || g_cancellable_is_cancelled (self->paste))
    return;
  g_clear_object (&self->paste);
  if (text == NULL || *text == '\0' || strlen (text) > MAX_PASTED_BYTES)
    set_problem (self, _("Nothing that can be used here was copied. Copy the other person’s whole message."));
  else if (self->visit != NULL && als_visit_get_is_inviter (self->visit))
    take_reply (self, text);
  else
    take_invitation (self, text);
}

static void
paste_cb (AlsInvitationWindow *self)
{
  if (self->paste != NULL)
    return;
  self->paste = g_cancellable_new ();
  gdk_clipboard_read_text_async (gtk_widget_get_clipboard (GTK_WIDGET (self)), self->paste, pasted_cb,
                                 g_object_ref (self));
}

static guint
count_digits (const char *text)
{
  guint n = 0;

  for (const char *p = text; *p != '\0'; p = g_utf8_next_char (p))
    n += g_unichar_digit_value (g_utf8_get_char (p)) >= 0;
  return n;
}

static void
digits_changed_cb (AlsInvitationWindow *self)
{
  gtk_widget_set_sensitive (self->reply_button, self->invitation != NULL
    && count_digits (gtk_editable_get_text (GTK_EDITABLE (self->digits_row))) == 6);
}

static void
reply_clicked_cb (AlsInvitationWindow *self)
{
  g_autoptr (GError) error = NULL;
  AlsVisit *visit;

  if (self->visit != NULL || !gtk_widget_get_sensitive (self->reply_button))
    return;
  visit = self->funcs.reply (self->invitation, gtk_editable_get_text (GTK_EDITABLE (self->digits_row)), &error,
                             self->user_data);
  if (visit == NULL)
    {
      show_error (self, error, FALSE);
      return;
    }
  set_problem (self, NULL);
  /* One press, one reply. */
  gtk_widget_set_sensitive (GTK_WIDGET (self->invitation_row), FALSE);
  gtk_widget_set_sensitive (GTK_WIDGET (self->digits_row), FALSE);
  gtk_widget_set_sensitive (self->reply_button, FALSE);
  set_visit (self, visit);
}

/* --- lifecycle --------------------------------------------------------------------------------------- */

static gboolean
als_invitation_window_close_request (GtkWindow *window)
{
  AlsInvitationWindow *self = ALS_INVITATION_WINDOW (window);

  if (self->visit != NULL)
    {
      set_visit (self, NULL);
      self->funcs.leave (self->user_data);
    }
  return GTK_WINDOW_CLASS (als_invitation_window_parent_class)->close_request (window);
}

static void
als_invitation_window_dispose (GObject *object)
{
  AlsInvitationWindow *self = ALS_INVITATION_WINDOW (object);

  set_visit (self, NULL);
  g_clear_handle_id (&self->countdown_source, g_source_remove);
  if (self->paste != NULL)
    g_cancellable_cancel (self->paste);
  g_clear_object (&self->paste);
  g_clear_pointer (&self->invitation, g_free);
  G_OBJECT_CLASS (als_invitation_window_parent_class)->dispose (object);
}

static void
als_invitation_window_class_init (AlsInvitationWindowClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = als_invitation_window_dispose;
  GTK_WINDOW_CLASS (klass)->close_request = als_invitation_window_close_request;
  gtk_widget_class_set_template_from_resource (widget_class,
    "/org/alongside/Alongside/als-invitation-window.ui");
#define CHILD(name) gtk_widget_class_bind_template_child (widget_class, AlsInvitationWindow, name)
  CHILD (toasts);
  CHILD (pages);
  CHILD (copy_invitation);
  CHILD (waiting);
  CHILD (digits);
  CHILD (paste_reply);
  CHILD (invitation_row);
  CHILD (invitation_done);
  CHILD (digits_row);
  CHILD (reply_button);
  CHILD (reply_row);
  CHILD (copy_reply);
  CHILD (status_box);
  CHILD (status);
  CHILD (status_more);
  CHILD (problem);
#undef CHILD
  gtk_widget_class_bind_template_callback (widget_class, make_clicked_cb);
  gtk_widget_class_bind_template_callback (widget_class, got_clicked_cb);
  gtk_widget_class_bind_template_callback (widget_class, copy_invitation_cb);
  gtk_widget_class_bind_template_callback (widget_class, copy_reply_cb);
  gtk_widget_class_bind_template_callback (widget_class, paste_cb);
  gtk_widget_class_bind_template_callback (widget_class, digits_changed_cb);
  gtk_widget_class_bind_template_callback (widget_class, reply_clicked_cb);
  gtk_widget_class_add_binding_action (widget_class, GDK_KEY_Escape, 0, "window.close", NULL);
}

static void
als_invitation_window_init (AlsInvitationWindow *self)
{
  gtk_widget_init_template (GTK_WIDGET (self));
  als_ui_name_lists (GTK_WIDGET (self->pages), _("Steps"));
  als_ui_show_stack_page (self->pages, "choose");
}

AlsInvitationWindow *
als_invitation_window_new (GtkWindow *parent, const AlsInvitationWindowFuncs *funcs, gpointer user_data)
{
  AlsInvitationWindow *self = g_object_new (ALS_TYPE_INVITATION_WINDOW, "transient-for", parent, NULL);

  self->funcs = *funcs;
  self->user_data = user_data;
  return self;
}
