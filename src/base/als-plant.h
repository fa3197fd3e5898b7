/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Bugs on purpose: the simulator has to find them. They exist only in the
 * simulator's own build of the library, with ALS_PLANT_BUG defined; elsewhere
 * als_plant () is a constant and the compiler drops what depends on it. */

#pragma once

#include <glib.h>

#ifdef ALS_PLANT_BUG
gboolean als_plant (const char *name); /* TRUE if this bug was asked for */
#else
#define als_plant(name) (FALSE)
#endif
