/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Connecting without a server, step by step: two texts that people carry by
 * any chat, six digits that they speak, and both trying at the same moment.
 * The visit is the window's; closing this before a session gives it up. */

#pragma once

#include <adwaita.h>
#include "visit/als-visit.h"

G_BEGIN_DECLS

#define ALS_TYPE_INVITATION_WINDOW (als_invitation_window_get_type ())
G_DECLARE_FINAL_TYPE (AlsInvitationWindow, als_invitation_window, ALS, INVITATION_WINDOW, AdwWindow)

typedef struct
{
  /* (transfer none): a visit that makes an invitation. */
  AlsVisit *(*make)  (gpointer user_data);
  /* (transfer none) (nullable): a visit that replies; als_visit_paste_invitation ()'s errors. */
  AlsVisit *(*reply) (const char *text, const char *digits, GError **error, gpointer user_data);
  /* It was closed before anything came of it. */
  void      (*leave) (gpointer user_data);
} AlsInvitationWindowFuncs;

AlsInvitationWindow *als_invitation_window_new (GtkWindow *parent, const AlsInvitationWindowFuncs *funcs,
                                                gpointer user_data);

G_END_DECLS
