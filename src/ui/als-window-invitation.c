/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Invitations without a server: the dialog's visit takes the place of the
 * window's own, so that what comes of it is a session like any other. */

#define G_LOG_DOMAIN "als-ui"

#include "config.h"

#include "ui/als-window-private.h"

#include "ui/als-invitation-window.h"
#include "ui/als-ui-visit.h"

gboolean
als_window_is_invitation (AlsWindow *self, AlsVisit *visit)
{
  AlsVisitState state = als_visit_get_state (visit);

  return self->invitation != NULL && visit != self->session
         && (state < ALS_VISIT_ASKING || state == ALS_VISIT_ENDED);
}

static AlsVisit *
make_cb (gpointer user_data)
{
  AlsWindow *self = user_data;

  als_start_page_set_invite (self->start_page, NULL);
  als_window_drop_visit (self, &self->invite);
  self->invite = als_ui_visit_new (self->settings);
  als_window_watch_invite (self, self->invite);
  als_visit_make_invitation (self->invite);
  return self->invite;
}

static AlsVisit *
reply_cb (const char *text, const char *digits, GError **error, gpointer user_data)
{
  AlsWindow *self = user_data;

  als_window_drop_visit (self, &self->join);
  self->join = als_ui_visit_new (self->settings);
  if (!als_visit_paste_invitation (self->join, text, digits, error))
    {
      als_window_drop_visit (self, &self->join);
      return NULL;
    }
  als_window_watch_join (self, self->join);
  return self->join;
}

static void
leave_cb (gpointer user_data)
{
  AlsWindow *self = user_data;

  if (self->session != NULL)
    return;
  if (self->invite != NULL && als_visit_get_invitation (self->invite) != NULL)
    als_window_drop_visit (self, &self->invite);
  als_window_start_invite (self);
  als_window_start_over (self);
}

void
als_window_show_invitation (AlsWindow *self)
{
  static const AlsInvitationWindowFuncs funcs = { make_cb, reply_cb, leave_cb };
  GtkWindow *dialog = GTK_WINDOW (als_invitation_window_new (GTK_WINDOW (self), &funcs, self));

  g_set_weak_pointer (&self->invitation, dialog);
  gtk_window_present (dialog);
}
