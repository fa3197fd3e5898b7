/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* What the files of the window share. */

#pragma once

#include "ui/als-window.h"

#include "ui/als-end-page.h"
#include "ui/als-session-page.h"
#include "ui/als-start-page.h"
#include "ui/als-wait-page.h"

G_BEGIN_DECLS

struct _AlsWindow
{
  AdwApplicationWindow parent;
  AlsApplication *app;      /* outlives its windows, unlike its tie to them */
  GSettings *settings;      /* owned */
  AlsVisit *invite;         /* owned, nullable: shows our code, and what comes of it */
  AlsVisit *join;           /* owned, nullable: the code that was typed, and what comes of it */
  AlsVisit *session;        /* owned, nullable: whichever of the two has come to a session */
  gboolean force_close;     /* the question about a running session was answered */
  GQueue offers;            /* of AlsVisitTransfer, owned: wait for their dialog */
  GtkWindow *offer_dialog;  /* weak, nullable */
  GtkWindow *invitation;    /* weak, nullable: looks after a visit without a server until it is asked for */
  guint inhibit_cookie;
  AlsPathKind path_told;    /* of the session; NONE: not yet */
  AdwToast *path_toast;     /* weak, nullable */

  AdwToastOverlay *toasts;
  AdwWindowTitle *title;
  AdwHeaderBar *header;
  GtkWidget *stop_button;
  GtkStack *pages;
  AlsStartPage *start_page;
  AlsWaitPage *wait_page;
  AlsSessionPage *session_page;
  AlsEndPage *end_page;
  GtkWidget *drop_overlay;
  GtkLabel *drop_label;
};

/* als-window.c */
void als_window_start_invite   (AlsWindow *self);
void als_window_start_over     (AlsWindow *self);
void als_window_connect_to     (AlsWindow *self, const char *text);
void als_window_cancel_join    (AlsWindow *self);
/* (transfer none): gone once it was read */
AdwToast *als_window_show_toast (AlsWindow *self, const char *text);

/* als-window-invitation.c */
void     als_window_show_invitation  (AlsWindow *self);
/* What VISIT does now is told in the invitation's dialog. */
gboolean als_window_is_invitation    (AlsWindow *self, AlsVisit *visit);
/* The handlers of als-window.c. */
void     als_window_watch_invite     (AlsWindow *self, AlsVisit *visit);
void     als_window_watch_join       (AlsWindow *self, AlsVisit *visit);
void     als_window_drop_visit       (AlsWindow *self, AlsVisit **visit);

/* als-window-actions.c */
void als_window_install_actions (GtkWidgetClass *klass);
void als_window_init_actions    (AlsWindow *self);
void als_window_update_actions  (AlsWindow *self);

/* als-window-transfers.c */
void als_window_watch_transfers   (AlsWindow *self, AlsVisit *visit);
void als_window_unwatch_transfers (AlsWindow *self, AlsVisit *visit);

/* als-window-route.c */
void als_window_watch_route       (AlsWindow *self, AlsVisit *visit);
void als_window_unwatch_route     (AlsWindow *self, AlsVisit *visit);

/* als-window-dnd.c */
void als_window_init_dnd        (AlsWindow *self);
/* FILES: (element-type GFile). Tells what cannot be sent, and sends the rest. */
void als_window_send_files      (AlsWindow *self, GPtrArray *files);
void als_window_paste_files     (AlsWindow *self);

G_END_DECLS
