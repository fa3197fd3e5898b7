/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* A set of integers as sorted, disjoint, half-open ranges: packet numbers
 * received, bytes acknowledged, bytes to send again. Few ranges at a time,
 * mostly changed at the end; the caller bounds their number. Pure. */

#pragma once

#include <glib.h>
#include <stdint.h>

G_BEGIN_DECLS

typedef struct
{
  uint64_t start;
  uint64_t end; /* the first one not in it */
} AlsRange;

typedef struct
{
  AlsRange *ranges;
  guint n;
  guint allocated;
} AlsRanges;

void     als_ranges_clear        (AlsRanges *self);
void     als_ranges_add          (AlsRanges *self, uint64_t start, uint64_t end);
void     als_ranges_remove       (AlsRanges *self, uint64_t start, uint64_t end);
gboolean als_ranges_contains     (const AlsRanges *self, uint64_t value);
/* Narrows [*START, *END) to the first part of it that is not in the set; FALSE if there is none. */
gboolean als_ranges_first_gap    (const AlsRanges *self, uint64_t *start, uint64_t *end);
/* How many values are in the set. */
uint64_t als_ranges_size         (const AlsRanges *self);

G_END_DECLS
