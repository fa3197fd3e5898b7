/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "transport/als-ranges.h"

#include <string.h>

#define SPACE 64

/* Against the plainest set there is. */
static void
test_model (void)
{
  g_autoptr (GRand) rand = g_rand_new_with_seed (3);

  for (guint round = 0; round < 200; round++)
    {
      AlsRanges ranges = { 0 };
      gboolean model[SPACE + 1] = { FALSE };

      for (guint step = 0; step < 100; step++)
        {
          uint64_t start = (uint64_t) g_rand_int_range (rand, 0, SPACE);
          uint64_t end = start + (uint64_t) g_rand_int_range (rand, 0, SPACE + 1 - (gint) start);
          gboolean add = g_rand_boolean (rand);
          uint64_t size = 0, from = start, to = end, i;

          if (add)
            als_ranges_add (&ranges, start, end);
          else
            als_ranges_remove (&ranges, start, end);
          for (i = start; i < end; i++)
            model[i] = add;
          for (i = 0; i < SPACE; i++)
            {
              g_assert_cmpint (als_ranges_contains (&ranges, i), ==, model[i]);
              size += model[i];
            }
          g_assert_cmpuint (als_ranges_size (&ranges), ==, size);
          for (i = 1; i < ranges.n; i++)
            g_assert_cmpuint (ranges.ranges[i - 1].end, <, ranges.ranges[i].start);

          from = start / 2;
          to = end;
          if (als_ranges_first_gap (&ranges, &from, &to))
            {
              for (i = start / 2; i < from; i++)
                g_assert_true (model[i]);
              for (; i < to; i++)
                g_assert_false (model[i]);
              g_assert_true (to == end || model[to]);
            }
          else
            {
              for (i = start / 2; i < end; i++)
                g_assert_true (model[i]);
            }
        }
      als_ranges_clear (&ranges);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/transport/ranges/agree-with-a-plain-set", test_model);
  return g_test_run ();
}
