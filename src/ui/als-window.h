/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* One window: the first page, or the one visit that it is busy with. */

#pragma once

#include "ui/als-application.h"
#include "visit/als-visit.h"

G_BEGIN_DECLS

#define ALS_TYPE_WINDOW (als_window_get_type ())
G_DECLARE_FINAL_TYPE (AlsWindow, als_window, ALS, WINDOW, AdwApplicationWindow)

AlsWindow *als_window_new          (AlsApplication *app);
/* Puts a code or link into the field; does not connect. */
void       als_window_fill_code    (AlsWindow *self, const char *text);
/* A session runs, or looks for a new path. */
gboolean   als_window_has_session  (AlsWindow *self);
/* The visit whose code is shown, and the one that was asked for with Connect. Nullable. */
AlsVisit  *als_window_get_invite   (AlsWindow *self);
AlsVisit  *als_window_get_join     (AlsWindow *self);

G_END_DECLS
