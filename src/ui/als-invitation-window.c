/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#define G_LOG_DOMAIN "als-ui"

#include "config.h"

#include "ui/als-invitation-window.h"

#include "ui/als-entry-row.h"
#include "ui/als-ui-errors.h"
#include "ui/als-ui-format.h"
#include "ui/als-ui-platform.h"
#include "ui/als-ui-visit.h"

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
  AdwActionRow *send_row;
  GtkWidget *copy_invitation;
  GtkWidget *waiting;
  GtkLabel *digits;
  GtkWidget *paste_reply;
  AdwActionRow *paste_row;
  GtkWidget *reply_done;
  AdwActionRow *invitation_row;
  GtkWidget *invitation_done;
  GtkWidget *paste_invitation;
  AlsEntryRow *digits_row;
  AdwActionRow *reply_row;
  GtkWidget *copy_reply;
  GtkWidget *status_box;
  GtkLabel *status;
  GtkLabel *status_more;
  GtkLabel *problem;
  GtkWidget *again;
};

G_DEFINE_FINAL_TYPE (AlsInvitationWindow, als_invitation_window, ADW_TYPE_WINDOW)

/* --- the countdown: only while it is seen --------------------------------------------------------- */

static gboolean countdown_cb (gpointer user_data);

static void
count_again_in (AlsInvitationWindow *self, guint ms)
{
  g_clear_handle_id (&self->countdown_source, g_source_remove);
  if (!gtk_widget_get_mapped (GTK_WIDGET (self)))
    return;
  self->countdown_source = g_timeout_add (ms, countdown_cb, self);
  g_source_set_name_by_id (self->countdown_source, "als-invitation-countdown");
}

/* How long the invitation can be answered. */
static void
update_expiry (AlsInvitationWindow *self)
{
  gint64 left_ms = (als_visit_get_code_expires (self->visit) - g_get_real_time ()) / 1000;
  guint minutes = (guint) (MAX (left_ms, 1) + 59999) / 60000;
  g_autofree char *subtitle = NULL;

  subtitle = g_strdup_printf (ngettext ("By mail or any chat; it holds no secret, and works for %u more minute",
                                        "By mail or any chat; it holds no secret, and works for %u more minutes",
                                        minutes), minutes);
  adw_action_row_set_subtitle (self->send_row, subtitle);
  if (left_ms > 0)
    count_again_in (self, (guint) (left_ms - (gint64) (minutes - 1) * 60000) + 1);
}

static void
update_marks (AlsInvitationWindow *self)
{
  gint64 left_us = als_visit_get_next_mark_us (self->visit) - g_get_monotonic_time ();
  guint n = als_visit_get_n_marks (self->visit);
  g_autofree char *status = NULL, *tries = NULL, *more = NULL;
  guint seconds;

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
  if (seconds > 0)
    count_again_in (self, (guint) (left_us % G_USEC_PER_SEC) / 1000 + 1);
}

static void
update_countdown (AlsInvitationWindow *self)
{
  g_clear_handle_id (&self->countdown_source, g_source_remove);
  if (als_visit_get_state (self->visit) == ALS_VISIT_CODE_READY)
    update_expiry (self);
  else if (als_visit_get_state (self->visit) == ALS_VISIT_LOOKING)
    update_marks (self);
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
  /* Other than a code, it is over with the first mistake; and what never came has more reasons. */
  if (g_error_matches (error, ALS_VISIT_ERROR, ALS_VISIT_ERROR_WRONG_CODE))
    text.sentence = _("The six digits were typed wrong, so this invitation is over: nobody shall guess them. Make a new one.");
  else if (g_error_matches (error, ALS_VISIT_ERROR, ALS_VISIT_ERROR_NO_WAY) && !is_inviter)
    text.sentence = _("Nothing came from the other computer. The digits may have been wrong, or your reply was not pasted there; else the networks allow no way between them. Ask for a new invitation.");
  set_problem (self, text.sentence);
}

static void
update_texts (AlsInvitationWindow *self)
{
  const char *code = als_visit_get_code (self->visit);
  gboolean has_invitation = als_visit_get_invitation (self->visit) != NULL;
  gboolean has_reply = als_visit_get_reply (self->visit) != NULL;

  gtk_widget_set_sensitive (self->copy_invitation, has_invitation);
  gtk_widget_set_sensitive (self->paste_reply, has_invitation);
  gtk_widget_set_visible (self->waiting, als_visit_get_state (self->visit) == ALS_VISIT_REACHING_SERVER);
  if (code != NULL)
    {
      g_autofree char *grouped = als_ui_format_group_digits (code);
      g_autofree char *spelt = als_ui_format_spell_digits (grouped);

      gtk_label_set_label (self->digits, grouped);
      gtk_accessible_update_property (GTK_ACCESSIBLE (self->digits), GTK_ACCESSIBLE_PROPERTY_LABEL, spelt, -1);
    }
  gtk_widget_set_sensitive (self->copy_reply, has_reply);
  gtk_widget_set_sensitive (GTK_WIDGET (self->reply_row), has_reply);
}

/* The keyboard goes to what is to be done next, unless somebody is using it. */
static void
lead_focus (AlsInvitationWindow *self, GtkWidget *to)
{
  GtkWidget *focus = gtk_window_get_focus (GTK_WINDOW (self));

  if (gtk_widget_is_sensitive (to) && (focus == NULL || !gtk_widget_is_sensitive (focus)))
    gtk_widget_grab_focus (to);
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
  gtk_widget_set_visible (self->again, TRUE);
  gtk_widget_grab_focus (self->again);
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
    {
      gtk_widget_set_sensitive (self->paste_reply, FALSE);
      adw_action_row_set_subtitle (self->paste_row, _("The reply is complete, and the digits were right"));
      gtk_widget_set_visible (self->reply_done, TRUE);
    }
  lead_focus (self, als_visit_get_is_inviter (self->visit) ? self->copy_invitation : self->copy_reply);
  update_countdown (self);
}

static void
set_visit (AlsInvitationWindow *self, AlsVisit *visit)
{
  static const char *const properties[] = { "state", "code", "invitation", "reply", "next-mark-us", "n-marks",
                                            "is-clock-checked", NULL };

  if (als_ui_visit_watch (&self->visit, visit, properties, G_CALLBACK (update), self) && visit != NULL)
    update (self);
}

/* --- pressed ---------------------------------------------------------------------------------------- */

static void
make_clicked_cb (AlsInvitationWindow *self)
{
  als_ui_show_stack_page (self->pages, "inviter");
  gtk_window_set_focus (GTK_WINDOW (self), NULL);
  set_visit (self, self->funcs.make (self->user_data));
}

static void
got_clicked_cb (AlsInvitationWindow *self)
{
  als_ui_show_stack_page (self->pages, "joiner");
  gtk_widget_grab_focus (self->paste_invitation);
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
  als_entry_row_set_can_apply (self->digits_row, self->invitation != NULL
    && count_digits (als_entry_row_get_text (self->digits_row)) == 6);
}

static void
reply_clicked_cb (AlsInvitationWindow *self)
{
  g_autoptr (GError) error = NULL;
  AlsVisit *visit;

  if (self->visit != NULL)
    return;
  visit = self->funcs.reply (self->invitation, als_entry_row_get_text (self->digits_row), &error,
                             self->user_data);
  if (visit == NULL)
    {
      show_error (self, error, FALSE);
      return;
    }
  set_problem (self, NULL);
  /* One press, one reply. GTK 4.8 warns when a field with the keyboard becomes insensitive. */
  gtk_window_set_focus (GTK_WINDOW (self), NULL);
  gtk_widget_set_sensitive (GTK_WIDGET (self->invitation_row), FALSE);
  gtk_widget_set_sensitive (GTK_WIDGET (self->digits_row), FALSE);
  set_visit (self, visit);
}

/* Back to the choice, whatever became of the last one. */
static void
again_clicked_cb (AlsInvitationWindow *self)
{
  set_visit (self, NULL);
  g_clear_handle_id (&self->countdown_source, g_source_remove);
  self->funcs.leave (self->user_data);
  g_clear_pointer (&self->invitation, g_free);
  set_problem (self, NULL);
  gtk_widget_set_visible (self->again, FALSE);
  gtk_widget_set_visible (self->status_box, FALSE);
  gtk_label_set_label (self->digits, "");
  adw_action_row_set_subtitle (self->paste_row, _("Copy the message that they send back"));
  gtk_widget_set_visible (self->reply_done, FALSE);
  adw_action_row_set_subtitle (self->invitation_row, _("Copy the message that they sent you"));
  gtk_widget_set_visible (self->invitation_done, FALSE);
  gtk_widget_set_sensitive (GTK_WIDGET (self->invitation_row), TRUE);
  als_entry_row_set_text (self->digits_row, "");
  als_entry_row_set_can_apply (self->digits_row, FALSE);
  gtk_widget_set_sensitive (GTK_WIDGET (self->digits_row), FALSE);
  gtk_widget_set_sensitive (GTK_WIDGET (self->reply_row), FALSE);
  als_ui_show_stack_page (self->pages, "choose");
  gtk_widget_child_focus (GTK_WIDGET (self->pages), GTK_DIR_TAB_FORWARD);
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

  g_type_ensure (ALS_TYPE_ENTRY_ROW);
  G_OBJECT_CLASS (klass)->dispose = als_invitation_window_dispose;
  GTK_WINDOW_CLASS (klass)->close_request = als_invitation_window_close_request;
  gtk_widget_class_set_template_from_resource (widget_class,
    "/org/alongside/Alongside/als-invitation-window.ui");
#define CHILD(name) gtk_widget_class_bind_template_child (widget_class, AlsInvitationWindow, name)
  CHILD (toasts);
  CHILD (pages);
  CHILD (send_row);
  CHILD (copy_invitation);
  CHILD (waiting);
  CHILD (digits);
  CHILD (paste_reply);
  CHILD (paste_row);
  CHILD (reply_done);
  CHILD (invitation_row);
  CHILD (invitation_done);
  CHILD (paste_invitation);
  CHILD (digits_row);
  CHILD (reply_row);
  CHILD (copy_reply);
  CHILD (status_box);
  CHILD (status);
  CHILD (status_more);
  CHILD (problem);
  CHILD (again);
#undef CHILD
  gtk_widget_class_bind_template_callback (widget_class, make_clicked_cb);
  gtk_widget_class_bind_template_callback (widget_class, got_clicked_cb);
  gtk_widget_class_bind_template_callback (widget_class, copy_invitation_cb);
  gtk_widget_class_bind_template_callback (widget_class, copy_reply_cb);
  gtk_widget_class_bind_template_callback (widget_class, paste_cb);
  gtk_widget_class_bind_template_callback (widget_class, digits_changed_cb);
  gtk_widget_class_bind_template_callback (widget_class, reply_clicked_cb);
  gtk_widget_class_bind_template_callback (widget_class, again_clicked_cb);
  gtk_widget_class_add_binding_action (widget_class, GDK_KEY_Escape, 0, "window.close", NULL);
}

static void
als_invitation_window_init (AlsInvitationWindow *self)
{
  gtk_widget_init_template (GTK_WIDGET (self));
  als_ui_name_lists (GTK_WIDGET (self->pages), _("Steps"));
  als_entry_row_set_can_apply (self->digits_row, FALSE);
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
