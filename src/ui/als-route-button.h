/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* "Encrypted end to end · via the relay · 42 ms", what that means in a popover,
 * and from there the whole story (AlsConnectionWindow). */

#pragma once

#include <adwaita.h>
#include "visit/als-visit.h"

G_BEGIN_DECLS

#define ALS_TYPE_ROUTE_BUTTON (als_route_button_get_type ())
G_DECLARE_FINAL_TYPE (AlsRouteButton, als_route_button, ALS, ROUTE_BUTTON, AdwBin)

/* NULL: nobody's. */
void als_route_button_set_visit (AlsRouteButton *self, AlsVisit *visit);

G_END_DECLS
