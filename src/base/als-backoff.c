/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#include "config.h"

#include "base/als-backoff.h"

void
als_backoff_init (AlsBackoff *self, int64_t first_us, int64_t max_us)
{
  self->first_us = first_us;
  self->max_us = max_us;
  self->attempt = 0;
}

void
als_backoff_reset (AlsBackoff *self)
{
  self->attempt = 0;
}

int64_t
als_backoff_next (AlsBackoff *self)
{
  int64_t delay = self->first_us;

  for (guint i = 0; i < self->attempt && delay < self->max_us; i++)
    delay *= 2;
  delay = MIN (delay, self->max_us);
  self->attempt++;
  return (int64_t) (delay * g_random_double_range (0.75, 1.25));
}
