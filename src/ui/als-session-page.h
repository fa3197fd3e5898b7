/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* A running session: the sign that it runs with its Stop button, the other
 * side's screen or what is shown of ours, the files, and the route. */

#pragma once

#include <adwaita.h>
#include "visit/als-visit.h"

G_BEGIN_DECLS

#define ALS_TYPE_SESSION_PAGE (als_session_page_get_type ())
G_DECLARE_FINAL_TYPE (AlsSessionPage, als_session_page, ALS, SESSION_PAGE, AdwBin)

/* NULL: nobody's. */
void     als_session_page_set_visit      (AlsSessionPage *self, AlsVisit *visit);
void     als_session_page_set_full_size  (AlsSessionPage *self, gboolean full_size);
/* Full screen: only the picture, with the sign and Stop above it. */
void     als_session_page_set_fullscreen (AlsSessionPage *self, gboolean fullscreen);
/* Whether VISIT shows us a screen (rather than ours to them, or files only). */
gboolean als_session_page_is_viewing     (AlsVisit *visit);

G_END_DECLS
