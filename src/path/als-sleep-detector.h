/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Whether the machine slept: the clock that counts sleep has gained on the one
 * that does not. Pure. */

#pragma once

#include <glib.h>
#include <stdint.h>

G_BEGIN_DECLS

typedef struct
{
  int64_t slept_us; /* since the machine started */
} AlsSleepDetector;

void     als_sleep_detector_init  (AlsSleepDetector *self, int64_t boottime_us, int64_t monotonic_us);
/* TRUE if it slept for more than a moment since the last call. */
gboolean als_sleep_detector_check (AlsSleepDetector *self, int64_t boottime_us, int64_t monotonic_us);

G_END_DECLS
