/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#include "config.h"

#include "transport/als-ranges.h"

#include <string.h>

/* The first range that ends after VALUE: the one VALUE is in, or the next. */
static guint
find (const AlsRanges *self, uint64_t value)
{
  guint low = 0, high = self->n;

  if (self->n == 0 || value >= self->ranges[self->n - 1].end)
    return self->n;
  while (low < high)
    {
      guint middle = low + (high - low) / 2;

      if (self->ranges[middle].end > value)
        high = middle;
      else
        low = middle + 1;
    }
  return low;
}

static void
insert (AlsRanges *self, guint at, uint64_t start, uint64_t end)
{
  if (self->n == self->allocated)
    {
      self->allocated = MAX (8, self->allocated * 2);
      self->ranges = g_renew (AlsRange, self->ranges, self->allocated);
    }
  memmove (self->ranges + at + 1, self->ranges + at, (self->n - at) * sizeof (AlsRange));
  self->ranges[at] = (AlsRange){ start, end };
  self->n++;
}

static void
erase (AlsRanges *self, guint from, guint to)
{
  if (from >= to)
    return;
  memmove (self->ranges + from, self->ranges + to, (self->n - to) * sizeof (AlsRange));
  self->n -= to - from;
}

void
als_ranges_clear (AlsRanges *self)
{
  g_clear_pointer (&self->ranges, g_free);
  self->n = self->allocated = 0;
}

void
als_ranges_add (AlsRanges *self, uint64_t start, uint64_t end)
{
  guint at, last;

  if (start >= end)
    return;
  /* The first range that touches or follows START. */
  at = start > 0 ? find (self, start - 1) : 0;
  if (at == self->n || self->ranges[at].start > end)
    {
      insert (self, at, start, end);
      return;
    }
  for (last = at; last + 1 < self->n && self->ranges[last + 1].start <= end; last++)
    ;
  self->ranges[at].start = MIN (self->ranges[at].start, start);
  self->ranges[at].end = MAX (self->ranges[last].end, end);
  erase (self, at + 1, last + 1);
}

void
als_ranges_remove (AlsRanges *self, uint64_t start, uint64_t end)
{
  guint at, last;

  if (start >= end)
    return;
  at = find (self, start);
  if (at == self->n || self->ranges[at].start >= end)
    return;
  if (self->ranges[at].start < start && self->ranges[at].end > end)
    {
      uint64_t tail = self->ranges[at].end;

      self->ranges[at].end = start;
      insert (self, at + 1, end, tail);
      return;
    }
  if (self->ranges[at].start < start)
    self->ranges[at++].end = start;
  for (last = at; last < self->n && self->ranges[last].end <= end; last++)
    ;
  erase (self, at, last);
  if (at < self->n && self->ranges[at].start < end)
    self->ranges[at].start = end;
}

gboolean
als_ranges_contains (const AlsRanges *self, uint64_t value)
{
  guint at = find (self, value);

  return at < self->n && self->ranges[at].start <= value;
}

gboolean
als_ranges_first_gap (const AlsRanges *self, uint64_t *start, uint64_t *end)
{
  guint at = find (self, *start);

  if (at < self->n && self->ranges[at].start <= *start)
    *start = self->ranges[at++].end;
  if (at < self->n && self->ranges[at].start < *end)
    *end = self->ranges[at].start;
  return *start < *end;
}

uint64_t
als_ranges_size (const AlsRanges *self)
{
  uint64_t size = 0;

  for (guint i = 0; i < self->n; i++)
    size += self->ranges[i].end - self->ranges[i].start;
  return size;
}
