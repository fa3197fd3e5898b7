/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Exponential back-off with jitter. Pure. */

#pragma once

#include <glib.h>
#include <stdint.h>

G_BEGIN_DECLS

typedef struct
{
  int64_t first_us;
  int64_t max_us;
  guint attempt;
} AlsBackoff;

void    als_backoff_init  (AlsBackoff *self, int64_t first_us, int64_t max_us);
void    als_backoff_reset (AlsBackoff *self);
/* The delay before the next attempt: doubles each time, ±25 %. */
int64_t als_backoff_next  (AlsBackoff *self);

G_END_DECLS
