/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Why a visit ended, and what to do next. */

#pragma once

#include <adwaita.h>
#include "visit/als-visit.h"

G_BEGIN_DECLS

#define ALS_TYPE_END_PAGE (als_end_page_get_type ())
G_DECLARE_FINAL_TYPE (AlsEndPage, als_end_page, ALS, END_PAGE, AdwBin)

/* VISIT has ended. NULL: nobody's. MAY_RETRY: the code it was about is still there to be tried. */
void  als_end_page_set_visit   (AlsEndPage *self, AlsVisit *visit, gboolean may_retry);
/* Version, state, error code, kind of path: no name, address or code. (transfer full) */
char *als_end_page_get_details (AlsEndPage *self);

G_END_DECLS
