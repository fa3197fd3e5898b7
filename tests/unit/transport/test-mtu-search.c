/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "transport/als-mtu-search.h"

#define RTT_US (40 * 1000)

/* Runs the search over a path of MTU, of which every N-th probe is lost (0: none). */
static uint32_t
run (AlsMtuSearch *search, uint32_t mtu, guint lose, guint *probes)
{
  int64_t now_us = 0;

  *probes = 0;
  while (als_mtu_search_get_deadline (search) != INT64_MAX)
    {
      uint32_t size;

      g_assert_cmpuint (*probes, <, 1000);
      now_us = MAX (now_us, als_mtu_search_get_deadline (search));
      size = als_mtu_search_poll (search, RTT_US, 1000 * 1000, now_us);
      if (size == 0)
        continue;
      g_assert_cmpuint (size, >, search->size);
      ++*probes;
      if (size <= mtu && !(lose > 0 && *probes % lose != 0))
        als_mtu_search_confirmed (search, size);
    }
  return search->size;
}

static void
test_finds (void)
{
  static const uint32_t mtus[] = { 1472, 1452, 1372, 1280, 1252, 1200, 512 };

  for (guint i = 0; i < G_N_ELEMENTS (mtus); i++)
    {
      AlsMtuSearch search;
      guint probes;

      als_mtu_search_init (&search, 0);
      g_assert_cmpuint (run (&search, mtus[i], 0, &probes), ==, mtus[i]);
      g_assert_cmpuint (probes, <=, 15 * 10);
    }
}

static void
test_loss (void)
{
  AlsMtuSearch search;
  guint probes;

  als_mtu_search_init (&search, 0);
  g_assert_cmpuint (run (&search, 1472, 4, &probes), ==, 1472);
}

static void
test_black_hole (void)
{
  AlsMtuSearch search;
  guint probes, lost = 0;

  als_mtu_search_init (&search, 0);
  run (&search, 1472, 0, &probes);
  /* Losses before something that arrived are only losses. */
  als_mtu_search_acked (&search, 1472, 1000);
  for (guint i = 0; i < 1000; i++)
    g_assert_false (als_mtu_search_lost (&search, 1472, i, 0));
  /* Small ones say nothing either way. */
  for (uint64_t number = 1001; !als_mtu_search_lost (&search, 1472, number, 0); number += 3)
    {
      als_mtu_search_acked (&search, 300, number + 1);
      g_assert_false (als_mtu_search_lost (&search, 300, number + 2, 0));
      g_assert_cmpuint (++lost, <, 50);
    }
  g_assert_cmpuint (search.size, ==, ALS_MTU_BASE);
  g_assert_cmpuint (run (&search, 1252, 0, &probes), ==, 1252);
}

static void
test_absurd (void)
{
  AlsMtuSearch search;

  als_mtu_search_init (&search, 0);
  als_mtu_search_confirmed (&search, 60000);
  als_mtu_search_confirmed (&search, 0);
  g_assert_cmpuint (search.size, ==, ALS_MTU_BASE);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/transport/mtu-search/finds-what-the-path-carries", test_finds);
  g_test_add_func ("/transport/mtu-search/survives-lost-probes", test_loss);
  g_test_add_func ("/transport/mtu-search/notices-a-black-hole", test_black_hole);
  g_test_add_func ("/transport/mtu-search/ignores-absurd-answers", test_absurd);
  return g_test_run ();
}
