/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The table: how much of a 100 Mbit/s line with a queue of one bandwidth-delay product the UDP
 * link fills, loss being the same both ways. */
#include "als-test-link-pair.h"
#include "transport/als-udp-link.h"

#define MBITS 100.0
#define START_UP_US (2 * G_USEC_PER_SEC)
#define RUN_US (4 * G_USEC_PER_SEC)

static const int64_t rtts_us[] = { 20 * 1000, 100 * 1000 };
static const double losses[] = { 0, 0.001, 0.01, 0.02 };

static double
measure (int64_t rtt_us, double loss, double *start_up)
{
  g_autoptr (AlsTestLinkPair) pair = als_test_link_pair_new (als_udp_link_new,
                                                             ALS_CARRIER_DATAGRAMS, 7);
  AlsTestEnd *to = &pair->ends[1];
  uint64_t before;

  als_test_net_set (pair->net, MBITS, rtt_us, loss);
  als_test_link_pair_connect (pair);
  pair->ends[0].bulk_frame = ALS_FRAME_MAX;
  als_test_link_pair_run (pair, START_UP_US);
  before = to->bytes_got[ALS_LANE_BULK];
  *start_up = (double) before * 8 / START_UP_US;
  als_test_link_pair_run (pair, RUN_US);
  return (double) (to->bytes_got[ALS_LANE_BULK] - before) * 8 / RUN_US;
}

static void
test_table (void)
{
  for (guint i = 0; i < G_N_ELEMENTS (rtts_us); i++)
    for (guint j = 0; j < G_N_ELEMENTS (losses); j++)
      {
        double start_up;
        double mbits = measure (rtts_us[i], losses[j], &start_up);

        g_test_message ("RTT %3d ms, loss %.1f %%: %5.1f Mbit/s (first 2 s: %5.1f)",
                        (int) (rtts_us[i] / 1000), losses[j] * 100, mbits, start_up);
        g_assert_cmpfloat (mbits, >=, 0.75 * MBITS);
      }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/transport/udp-link/fills-a-lossy-line", test_table);
  return g_test_run ();
}
