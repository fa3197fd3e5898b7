/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Which page is shown, and the visits behind it. The inviting visit starts
 * with the window, so that the code is there at once, and stays while a code is
 * typed; whichever of the two comes to a session first ends the other. */

#define G_LOG_DOMAIN "als-ui"

#include "config.h"

#include "ui/als-window-private.h"

#include "ui/als-consent-dialog.h"
#include "ui/als-ui-errors.h"
#include "ui/als-ui-platform.h"
#include "ui/als-ui-visit.h"

#include <glib/gi18n.h>

G_DEFINE_FINAL_TYPE (AlsWindow, als_window, ADW_TYPE_APPLICATION_WINDOW)

#define NOTIFY_ASKING "asking"
#define NOTIFY_SHARING "sharing"

static void invite_changed_cb (AlsWindow *self);
static void join_changed_cb (AlsWindow *self);

/* Small things -------------------------------------------------------------------------------- */

AdwToast *
als_window_show_toast (AlsWindow *self, const char *text)
{
  /* A toast takes its title for markup. */
  g_autofree char *escaped = g_markup_escape_text (text, -1);
  AdwToast *toast = adw_toast_new (escaped);

  adw_toast_set_timeout (toast, 3);
  adw_toast_overlay_add_toast (self->toasts, toast);
  return toast;
}

static gboolean
is_running (AlsVisit *visit)
{
  return visit != NULL && (als_visit_get_state (visit) == ALS_VISIT_ACTIVE ||
                           als_visit_get_state (visit) == ALS_VISIT_RECONNECTING);
}

static const char *
get_peer (AlsVisit *visit)
{
  const char *peer = als_visit_get_peer_name (visit);

  return peer != NULL && *peer != '\0' ? peer : _("The other person");
}

static void
show_page (AlsWindow *self, const char *name)
{
  als_ui_show_stack_page (self->pages, name);
  if (g_str_equal (name, "start"))
    als_start_page_take_focus (self->start_page);
  als_window_update_actions (self);
}

/* Forgets a visit, and ends it if it has not. */
void
als_window_drop_visit (AlsWindow *self, AlsVisit **visit)
{
  g_autoptr (AlsVisit) dropped = g_steal_pointer (visit);

  if (dropped == NULL)
    return;
  g_signal_handlers_disconnect_by_data (dropped, self);
  als_application_let_go (self->app, dropped);
}

static void
withdraw (AlsWindow *self, const char *id)
{
  GtkApplication *app = gtk_window_get_application (GTK_WINDOW (self));

  if (app != NULL)
    g_application_withdraw_notification (G_APPLICATION (app), id);
}

static void
notify (AlsWindow *self, const char *id, const char *title, const char *body, gboolean with_stop)
{
  GtkApplication *app = gtk_window_get_application (GTK_WINDOW (self));
  g_autoptr (GNotification) notification = g_notification_new (title);

  g_notification_set_body (notification, body);
  g_notification_set_default_action (notification, "app.present");
  g_notification_set_priority (notification, G_NOTIFICATION_PRIORITY_HIGH);
  if (with_stop)
    g_notification_add_button (notification, _("Stop"), "app.stop-all");
  als_ui_notify (G_APPLICATION (app), id, notification);
}

/* PEER: NULL: nobody. */
static void
set_titles (AlsWindow *self, const char *peer)
{
  g_autofree char *title = NULL;

  if (peer == NULL)
    title = g_strdup (_("Alongside"));
  else
    /* Translators: the title of the window; %s is the name of the other person */
    title = g_strdup_printf (_("%s – Alongside"), peer);
  gtk_window_set_title (GTK_WINDOW (self), title);
  adw_window_title_set_title (self->title, peer != NULL ? peer : title);
}

/* The session --------------------------------------------------------------------------------- */

static void
update_session (AlsWindow *self)
{
  g_autofree char *title = NULL;

  if (self->session == NULL || !is_running (self->session))
    return;
  set_titles (self, get_peer (self->session));
  if (als_visit_get_is_sharing (self->session))
    {
      /* Translators: %s is the name of the other person */
      title = g_strdup_printf (_("%s can see your screen"), get_peer (self->session));
      notify (self, NOTIFY_SHARING, title, _("Stop ends it at once."), TRUE);
    }
  else
    withdraw (self, NOTIFY_SHARING);
  als_window_update_actions (self);
}

static void
begin_session (AlsWindow *self, AlsVisit *visit)
{
  GtkApplication *app = gtk_window_get_application (GTK_WINDOW (self));

  if (self->session == visit)
    return;
  g_set_object (&self->session, visit);
  if (visit == self->join)
    {
      als_window_drop_visit (self, &self->invite);
      als_start_page_set_invite (self->start_page, NULL);
    }
  else
    als_window_drop_visit (self, &self->join);
  als_wait_page_set_visit (self->wait_page, NULL);
  als_start_page_clear_code (self->start_page);
  als_session_page_set_visit (self->session_page, visit);
  als_window_watch_transfers (self, visit);
  als_window_watch_route (self, visit);
  g_signal_connect_object (visit, "notify::is-sharing", G_CALLBACK (update_session), self,
                           G_CONNECT_SWAPPED);
  g_signal_connect_object (visit, "notify::peer-name", G_CALLBACK (update_session), self,
                           G_CONNECT_SWAPPED);
  self->inhibit_cookie = gtk_application_inhibit (app, GTK_WINDOW (self),
                                                  GTK_APPLICATION_INHIBIT_SUSPEND |
                                                    GTK_APPLICATION_INHIBIT_IDLE,
                                                  _("A session is running"));
  show_page (self, "session");
  update_session (self);
}

static void
leave_session (AlsWindow *self)
{
  GtkApplication *app = gtk_window_get_application (GTK_WINDOW (self));

  if (self->inhibit_cookie != 0 && app != NULL)
    gtk_application_uninhibit (app, self->inhibit_cookie);
  self->inhibit_cookie = 0;
  withdraw (self, NOTIFY_SHARING);
  gtk_window_unfullscreen (GTK_WINDOW (self));
  set_titles (self, NULL);
}

static void
show_end (AlsWindow *self, AlsVisit *visit)
{
  if (self->session != NULL)
    {
      als_window_unwatch_transfers (self, self->session);
      als_window_unwatch_route (self, self->session);
      leave_session (self);
    }
  als_wait_page_set_visit (self->wait_page, NULL);
  als_session_page_set_visit (self->session_page, NULL);
  als_end_page_set_visit (self->end_page, visit,
                          visit == self->join && *als_start_page_get_text (self->start_page) != '\0');
  show_page (self, "end");
}

/* The inviting side --------------------------------------------------------------------------- */

static void
ask_consent (AlsWindow *self)
{
  AlsConsentDialog *dialog = als_consent_dialog_new (GTK_WINDOW (self), self->invite,
                                                     self->settings);
  g_autofree char *title = NULL;

  if (!gtk_window_is_active (GTK_WINDOW (self)))
    {
      /* Translators: %s is the name of the other person */
      title = g_strdup_printf (_("%s asks to help you"), get_peer (self->invite));
      notify (self, NOTIFY_ASKING, title, _("Nothing is shown before you allow it."), FALSE);
    }
  gtk_window_present (GTK_WINDOW (dialog));
}

static void
invite_ended (AlsWindow *self)
{
  const GError *error = als_visit_get_error (self->invite);

  if (self->session == self->invite)
    {
      show_end (self, self->invite);
      return;
    }
  /* Before it began there is nothing to read about: a new code is more use than a page. */
  if (g_error_matches (error, ALS_VISIT_ERROR, ALS_VISIT_ERROR_DECLINED))
    {
      als_window_show_toast (self, _("Declined. Here is a new code."));
      als_window_start_invite (self);
    }
  else if (g_error_matches (error, ALS_VISIT_ERROR, ALS_VISIT_ERROR_PEER_LEFT))
    {
      als_window_show_toast (self, _("They left before it began. Here is a new code."));
      als_window_start_invite (self);
    }
  als_window_update_actions (self);
}

static void
invite_changed_cb (AlsWindow *self)
{
  g_autoptr (AlsVisit) invite = g_object_ref (self->invite);

  if (als_window_is_invitation (self, invite))
    return;
  if (als_visit_get_state (invite) != ALS_VISIT_ASKING)
    withdraw (self, NOTIFY_ASKING);
  switch (als_visit_get_state (invite))
    {
    case ALS_VISIT_ASKING:
      ask_consent (self);
      break;
    case ALS_VISIT_ACTIVE:
    case ALS_VISIT_RECONNECTING:
      begin_session (self, invite);
      break;
    case ALS_VISIT_ENDED:
      invite_ended (self);
      break;
    case ALS_VISIT_IDLE:
    case ALS_VISIT_REACHING_SERVER:
    case ALS_VISIT_CODE_READY:
    case ALS_VISIT_LOOKING:
    case ALS_VISIT_CHECKING:
    default:
      break;
    }
  als_window_update_actions (self);
}

void
als_window_watch_invite (AlsWindow *self, AlsVisit *visit)
{
  g_signal_connect_swapped (visit, "notify::state", G_CALLBACK (invite_changed_cb), self);
  g_signal_connect_swapped (visit, "notify::code", G_CALLBACK (als_window_update_actions), self);
}

void
als_window_start_invite (AlsWindow *self)
{
  als_window_drop_visit (self, &self->invite);
  self->invite = als_ui_visit_new (self->settings);
  als_window_watch_invite (self, self->invite);
  als_start_page_set_invite (self->start_page, self->invite);
  als_visit_invite (self->invite);
  als_window_update_actions (self);
}

/* A code nobody has used yet is made anew, so that it follows the settings. */
static void
settings_changed_cb (AlsWindow *self)
{
  if (self->invite != NULL && self->session == NULL && self->invitation == NULL &&
      (als_visit_get_state (self->invite) <= ALS_VISIT_CODE_READY ||
       als_visit_get_state (self->invite) == ALS_VISIT_ENDED))
    als_window_start_invite (self);
  if (self->join != NULL && als_visit_get_state (self->join) == ALS_VISIT_ENDED &&
      self->session == NULL)
    als_window_drop_visit (self, &self->join);
}

/* The joining side ---------------------------------------------------------------------------- */

/* The code was the trouble: it is mended where it was typed. */
static gboolean
is_about_code (const GError *error)
{
  return g_error_matches (error, ALS_VISIT_ERROR, ALS_VISIT_ERROR_BAD_CODE) ||
         g_error_matches (error, ALS_VISIT_ERROR, ALS_VISIT_ERROR_OWN_CODE) ||
         g_error_matches (error, ALS_VISIT_ERROR, ALS_VISIT_ERROR_UNKNOWN_CODE) ||
         g_error_matches (error, ALS_VISIT_ERROR, ALS_VISIT_ERROR_WRONG_CODE) ||
         g_error_matches (error, ALS_VISIT_ERROR, ALS_VISIT_ERROR_BURNT_CODE) ||
         g_error_matches (error, ALS_VISIT_ERROR, ALS_VISIT_ERROR_BUSY);
}

static void
join_ended (AlsWindow *self)
{
  const GError *error = als_visit_get_error (self->join);
  g_autofree char *sentence = NULL;

  if (self->session == self->join)
    show_end (self, self->join);
  else if (is_about_code (error))
    {
      sentence = als_ui_error_describe_code (error, als_visit_get_tries_left (self->join));
      als_wait_page_set_visit (self->wait_page, NULL);
      show_page (self, "start");
      als_start_page_set_error (self->start_page, sentence);
    }
  else if (g_error_matches (error, ALS_VISIT_ERROR, ALS_VISIT_ERROR_STOPPED))
    als_window_start_over (self);
  else
    show_end (self, self->join);
}

static void
join_changed_cb (AlsWindow *self)
{
  g_autoptr (AlsVisit) join = g_object_ref (self->join);

  if (als_window_is_invitation (self, join))
    return;
  switch (als_visit_get_state (join))
    {
    case ALS_VISIT_REACHING_SERVER:
    case ALS_VISIT_LOOKING:
    case ALS_VISIT_CHECKING:
    case ALS_VISIT_ASKING:
      als_wait_page_set_visit (self->wait_page, join);
      show_page (self, "wait");
      break;
    case ALS_VISIT_ACTIVE:
    case ALS_VISIT_RECONNECTING:
      begin_session (self, join);
      break;
    case ALS_VISIT_ENDED:
      join_ended (self);
      break;
    case ALS_VISIT_IDLE:
    case ALS_VISIT_CODE_READY:
    default:
      break;
    }
  als_window_update_actions (self);
}

void
als_window_watch_join (AlsWindow *self, AlsVisit *visit)
{
  g_signal_connect_swapped (visit, "notify::state", G_CALLBACK (join_changed_cb), self);
}

void
als_window_connect_to (AlsWindow *self, const char *text)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *sentence = NULL;

  if (is_running (self->session))
    return;
  als_start_page_set_error (self->start_page, NULL);
  if (self->join == NULL)
    {
      self->join = als_ui_visit_new (self->settings);
      als_window_watch_join (self, self->join);
    }
  /* The code of another window of ours is fine: that is how one tries both sides. */
  if (self->invite != NULL && als_visit_shows_code (self->invite, text))
    g_set_error_literal (&error, ALS_VISIT_ERROR, ALS_VISIT_ERROR_OWN_CODE, "shown in this window");
  else if (als_visit_join (self->join, text, &error))
    {
      als_wait_page_set_visit (self->wait_page, self->join);
      show_page (self, "wait");
      return;
    }
  sentence = als_ui_error_describe_code (error, 0);
  show_page (self, "start");
  als_start_page_set_error (self->start_page, sentence);
}

static void
connect_requested_cb (AlsWindow *self, const char *text)
{
  als_window_connect_to (self, text);
}

void
als_window_cancel_join (AlsWindow *self)
{
  if (self->session != NULL)
    return;
  als_window_start_over (self);
}

/* Back to the first page, with a code to show. */
void
als_window_start_over (AlsWindow *self)
{
  if (is_running (self->session))
    return;
  if (self->session != NULL && self->session == self->invite)
    als_window_drop_visit (self, &self->invite);
  g_clear_object (&self->session);
  als_window_drop_visit (self, &self->join);
  als_end_page_set_visit (self->end_page, NULL, FALSE);
  als_wait_page_set_visit (self->wait_page, NULL);
  if (self->invite == NULL || als_visit_get_state (self->invite) == ALS_VISIT_ENDED)
    als_window_start_invite (self);
  show_page (self, "start");
}

/* Public -------------------------------------------------------------------------------------- */

void
als_window_fill_code (AlsWindow *self, const char *text)
{
  if (is_running (self->session))
    {
      als_window_show_toast (self, _("A session is running. Stop it before you use another code."));
      return;
    }
  als_window_start_over (self);
  als_start_page_fill_code (self->start_page, text);
}

gboolean
als_window_has_session (AlsWindow *self)
{
  return is_running (self->session);
}

AlsVisit *
als_window_get_invite (AlsWindow *self)
{
  return self->invite;
}

AlsVisit *
als_window_get_join (AlsWindow *self)
{
  return self->join;
}

/* Lifecycle ----------------------------------------------------------------------------------- */

static gboolean
close_now_cb (gpointer user_data)
{
  AlsWindow *self = user_data;

  self->force_close = TRUE;
  gtk_window_close (GTK_WINDOW (self));
  return G_SOURCE_REMOVE;
}

/* Later, since the dialog is still on its way out and holds on to this window. */
static void
close_response_cb (AlsWindow *self, const char *response)
{
  if (g_str_equal (response, "end"))
    g_idle_add_full (G_PRIORITY_DEFAULT, close_now_cb, g_object_ref (self), g_object_unref);
}

static void
ask_close (AlsWindow *self)
{
  GtkWidget *dialog = adw_message_dialog_new (GTK_WINDOW (self), _("End the Session?"),
    _("Closing this window ends the session. Transfers that are not complete stop."));

  adw_message_dialog_add_responses (ADW_MESSAGE_DIALOG (dialog), "cancel", _("_Keep It Open"), "end",
                                    _("_End Session"), NULL);
  adw_message_dialog_set_response_appearance (ADW_MESSAGE_DIALOG (dialog), "end",
                                              ADW_RESPONSE_DESTRUCTIVE);
  adw_message_dialog_set_default_response (ADW_MESSAGE_DIALOG (dialog), "cancel");
  adw_message_dialog_set_close_response (ADW_MESSAGE_DIALOG (dialog), "cancel");
  g_signal_connect_object (dialog, "response", G_CALLBACK (close_response_cb), self,
                           G_CONNECT_SWAPPED);
  als_ui_prepare_dialog (GTK_WINDOW (dialog));
  gtk_window_present (GTK_WINDOW (dialog));
}

static gboolean
als_window_close_request (GtkWindow *window)
{
  AlsWindow *self = ALS_WINDOW (window);
  int width, height;

  if (als_window_has_session (self) && !self->force_close)
    {
      ask_close (self);
      return TRUE;
    }
  gtk_window_get_default_size (window, &width, &height);
  g_settings_set_int (self->settings, "window-width", width);
  g_settings_set_int (self->settings, "window-height", height);
  g_settings_set_boolean (self->settings, "window-maximized", gtk_window_is_maximized (window));
  if (self->session != NULL)
    leave_session (self);
  return GTK_WINDOW_CLASS (als_window_parent_class)->close_request (window);
}

static void
als_window_dispose (GObject *object)
{
  AlsWindow *self = ALS_WINDOW (object);

  g_clear_weak_pointer (&self->path_toast);
  if (self->session != NULL)
    als_window_unwatch_transfers (self, self->session);
  g_clear_object (&self->session);
  als_window_drop_visit (self, &self->invite);
  als_window_drop_visit (self, &self->join);
  g_queue_clear_full (&self->offers, g_object_unref);
  g_clear_weak_pointer (&self->offer_dialog);
  g_clear_weak_pointer (&self->invitation);
  g_clear_object (&self->settings);
  G_OBJECT_CLASS (als_window_parent_class)->dispose (object);
}

static void
als_window_class_init (AlsWindowClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  g_type_ensure (ALS_TYPE_START_PAGE);
  g_type_ensure (ALS_TYPE_WAIT_PAGE);
  g_type_ensure (ALS_TYPE_SESSION_PAGE);
  g_type_ensure (ALS_TYPE_END_PAGE);
  G_OBJECT_CLASS (klass)->dispose = als_window_dispose;
  GTK_WINDOW_CLASS (klass)->close_request = als_window_close_request;
  gtk_widget_class_set_template_from_resource (widget_class,
    "/org/alongside/Alongside/als-window.ui");
  gtk_widget_class_bind_template_child (widget_class, AlsWindow, toasts);
  gtk_widget_class_bind_template_child (widget_class, AlsWindow, title);
  gtk_widget_class_bind_template_child (widget_class, AlsWindow, header);
  gtk_widget_class_bind_template_child (widget_class, AlsWindow, stop_button);
  gtk_widget_class_bind_template_child (widget_class, AlsWindow, pages);
  gtk_widget_class_bind_template_child (widget_class, AlsWindow, start_page);
  gtk_widget_class_bind_template_child (widget_class, AlsWindow, wait_page);
  gtk_widget_class_bind_template_child (widget_class, AlsWindow, session_page);
  gtk_widget_class_bind_template_child (widget_class, AlsWindow, end_page);
  gtk_widget_class_bind_template_child (widget_class, AlsWindow, drop_overlay);
  gtk_widget_class_bind_template_child (widget_class, AlsWindow, drop_label);
  gtk_widget_class_bind_template_callback (widget_class, connect_requested_cb);
  als_window_install_actions (widget_class);
}

static void
als_window_init (AlsWindow *self)
{
  g_queue_init (&self->offers);
  gtk_widget_init_template (GTK_WIDGET (self));
  als_window_init_actions (self);
  als_window_init_dnd (self);
}

AlsWindow *
als_window_new (AlsApplication *app)
{
  static const char *const keys[] = { "changed::servers", "changed::listen", "changed::name",
                                      "changed::download-folder", "changed::ice-servers",
                                      "changed::local-port", "changed::port-mapping",
                                      "changed::lan-search" };
  AlsWindow *self = g_object_new (ALS_TYPE_WINDOW, "application", app, NULL);

  self->app = app;
  self->settings = g_object_ref (als_application_get_settings (app));
  gtk_window_set_default_size (GTK_WINDOW (self),
                               g_settings_get_int (self->settings, "window-width"),
                               g_settings_get_int (self->settings, "window-height"));
  if (g_settings_get_boolean (self->settings, "window-maximized"))
    gtk_window_maximize (GTK_WINDOW (self));
  for (guint i = 0; i < G_N_ELEMENTS (keys); i++)
    g_signal_connect_object (self->settings, keys[i], G_CALLBACK (settings_changed_cb), self,
                             G_CONNECT_SWAPPED);
  als_window_start_invite (self);
  show_page (self, "start");
  return self;
}
