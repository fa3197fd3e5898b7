/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* The few things that can be set: who one is, where files go, which server. */

#pragma once

#include <adwaita.h>

G_BEGIN_DECLS

#define ALS_TYPE_PREFERENCES_WINDOW (als_preferences_window_get_type ())
G_DECLARE_FINAL_TYPE (AlsPreferencesWindow, als_preferences_window, ALS, PREFERENCES_WINDOW,
                      AdwPreferencesWindow)

AlsPreferencesWindow *als_preferences_window_new (GtkWindow *parent, GSettings *settings);

G_END_DECLS
