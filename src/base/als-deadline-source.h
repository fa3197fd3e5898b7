/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* A GSource that fires at a point of g_get_monotonic_time (): how the effects
 * side of a machine turns "next deadline" into a wake-up. */

#pragma once

#include <glib.h>
#include <stdint.h>

G_BEGIN_DECLS

/* Never fires before als_deadline_source_set (). (transfer full) */
GSource *als_deadline_source_new (GMainContext *context, const char *name, GSourceFunc callback,
                                  gpointer user_data);
/* DEADLINE_US: monotonic time; 0 or the past: at once; INT64_MAX: never. The
 * source disarms itself when it fires. From any thread. */
void     als_deadline_source_set (GSource *source, int64_t deadline_us);

/* Destroys *SOURCE, gives up the reference and empties the place; nothing where it is empty. */
void     als_source_clear        (GSource **source);

G_END_DECLS
