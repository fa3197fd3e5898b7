/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#include "config.h"

#include "path/als-sleep-detector.h"

/* More than the two clocks can differ for being read one after the other. */
#define MOMENT_US G_USEC_PER_SEC

void
als_sleep_detector_init (AlsSleepDetector *self, int64_t boottime_us, int64_t monotonic_us)
{
  self->slept_us = boottime_us - monotonic_us;
}

gboolean
als_sleep_detector_check (AlsSleepDetector *self, int64_t boottime_us, int64_t monotonic_us)
{
  int64_t slept_us = boottime_us - monotonic_us;

  /* What is less stays on the account, so that many naps are seen as well. */
  if (slept_us - self->slept_us <= MOMENT_US)
    return FALSE;
  self->slept_us = slept_us;
  return TRUE;
}
