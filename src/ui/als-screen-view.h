/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* The other side's screen: waiting for its first picture, live, or frozen. */

#pragma once

#include <adwaita.h>
#include "visit/als-visit.h"

G_BEGIN_DECLS

#define ALS_TYPE_SCREEN_VIEW (als_screen_view_get_type ())
G_DECLARE_FINAL_TYPE (AlsScreenView, als_screen_view, ALS, SCREEN_VIEW, AdwBin)

/* NULL: nobody's. */
void als_screen_view_set_visit (AlsScreenView *self, AlsVisit *visit);
/* TRUE: one of their pixels is one of ours, scrolled; FALSE: all of it fits. */
void als_screen_view_set_full_size (AlsScreenView *self, gboolean full_size);

G_END_DECLS
