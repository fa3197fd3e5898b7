/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Why this path: the one in use in big words, what was tried, both networks,
 * and what would help. */

#pragma once

#include <adwaita.h>
#include "visit/als-visit.h"

G_BEGIN_DECLS

#define ALS_TYPE_CONNECTION_WINDOW (als_connection_window_get_type ())
G_DECLARE_FINAL_TYPE (AlsConnectionWindow, als_connection_window, ALS, CONNECTION_WINDOW, AdwWindow)

AlsConnectionWindow *als_connection_window_new (GtkWindow *parent, AlsVisit *visit);

G_END_DECLS
