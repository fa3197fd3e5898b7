/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* What the joiner waits for, whose move it is, and Cancel. */

#pragma once

#include <adwaita.h>
#include "visit/als-visit.h"

G_BEGIN_DECLS

#define ALS_TYPE_WAIT_PAGE (als_wait_page_get_type ())
G_DECLARE_FINAL_TYPE (AlsWaitPage, als_wait_page, ALS, WAIT_PAGE, AdwBin)

/* NULL: nobody's. */
void als_wait_page_set_visit (AlsWaitPage *self, AlsVisit *visit);

G_END_DECLS
