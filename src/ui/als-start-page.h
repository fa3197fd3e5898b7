/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* The first page: our own code (Get help), and a field for another's (Give
 * help). */

#pragma once

#include <adwaita.h>
#include "visit/als-visit.h"

G_BEGIN_DECLS

#define ALS_TYPE_START_PAGE (als_start_page_get_type ())
G_DECLARE_FINAL_TYPE (AlsStartPage, als_start_page, ALS, START_PAGE, AdwBin)

/* Signals:
 *   connect-requested (const char *text)
 */

/* The inviting visit whose code is shown. NULL: none at the moment. */
void        als_start_page_set_invite    (AlsStartPage *self, AlsVisit *invite);
/* Fills the field and puts the keyboard there; connects nothing. */
void        als_start_page_fill_code     (AlsStartPage *self, const char *text);
/* A sentence under the field, which keeps its text. NULL: none. */
void        als_start_page_set_error     (AlsStartPage *self, const char *sentence);
/* The keyboard goes to the field: a code can be typed at once, and Ctrl+C still copies ours, since
 * an entry leaves that key alone while nothing is selected in it. */
void        als_start_page_take_focus    (AlsStartPage *self);
void        als_start_page_clear_code    (AlsStartPage *self);
const char *als_start_page_get_text      (AlsStartPage *self);

G_END_DECLS
