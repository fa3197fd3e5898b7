/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* The least of the values of the last one to two parts of time. Pure. */

#pragma once

#include <glib.h>
#include <stdint.h>

G_BEGIN_DECLS

typedef struct
{
  int64_t start_us;             /* of the younger part */
  int64_t part_us;
  int64_t younger_us, older_us; /* least of each part; INT64_MAX: none yet */
} AlsMinFilter;

#define ALS_MIN_FILTER_INIT(part) { .part_us = (part), .younger_us = INT64_MAX, .older_us = INT64_MAX }

static inline void
als_min_filter_add (AlsMinFilter *self, int64_t value_us, int64_t now_us)
{
  if (now_us - self->start_us >= self->part_us)
    {
      self->older_us = now_us - self->start_us < 2 * self->part_us ? self->younger_us : INT64_MAX;
      self->younger_us = INT64_MAX;
      self->start_us = now_us;
    }
  self->younger_us = MIN (self->younger_us, value_us);
}

/* INT64_MAX: none yet. */
static inline int64_t
als_min_filter_get (const AlsMinFilter *self)
{
  return MIN (self->younger_us, self->older_us);
}

static inline void
als_min_filter_reset (AlsMinFilter *self)
{
  self->younger_us = self->older_us = INT64_MAX;
}

G_END_DECLS
