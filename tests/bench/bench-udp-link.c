/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* What the UDP link costs: two machines in one process and one thread, sealing included, with
 * memory between them and the real clock. Prints Mbit/s of frames; to be run under a profiler.
 *
 *   bench-udp-link [SECONDS] */

#include <glib.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include "transport/als-udp-link.h"

#define SLOTS 1024
#define SLOT_BYTES 1500

/* What one end has sent and the other has not read. */
typedef struct
{
  uint8_t data[SLOTS][SLOT_BYTES];
  size_t len[SLOTS];
  guint first, n;
} Pipe;

typedef struct
{
  AlsLink *link;
  Pipe *out;
  Pipe *in;
  gboolean ready;
  uint64_t bytes_got;
  uint64_t packets;
} End;

static double
get_cpu_seconds (void)
{
  struct rusage usage;

  getrusage (RUSAGE_SELF, &usage);
  return (double) (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec)
         + (double) (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static guint
output_cb (const AlsPacket *packets, guint n, gpointer user_data)
{
  End *end = user_data;
  guint i;

  for (i = 0; i < n && end->out->n < SLOTS; i++)
    {
      guint slot = (end->out->first + end->out->n++) % SLOTS;

      memcpy (end->out->data[slot], packets[i].data, packets[i].len);
      end->out->len[slot] = packets[i].len;
    }
  end->packets += i;
  return i;
}

static void
ready_cb (AlsLink *link, gpointer user_data)
{
  End *end = user_data;

  end->ready = TRUE;
}

static void
frame_cb (AlsLink *link, AlsLane lane, const uint8_t *data, size_t len, gpointer user_data)
{
  End *end = user_data;

  end->bytes_got += len;
}

static void
closed_cb (AlsLink *link, AlsLinkEnd reason, gpointer user_data)
{
  g_error ("closed: %d", reason);
}

static const AlsLinkEvents events = { ready_cb, frame_cb, NULL, NULL, closed_cb };

static void
turn (End *end)
{
  int64_t now_us = g_get_monotonic_time ();

  while (end->in->n > 0)
    {
      guint slot = end->in->first;

      als_link_receive (end->link, end->in->data[slot], end->in->len[slot], now_us);
      end->in->first = (slot + 1) % SLOTS;
      end->in->n--;
    }
  als_link_poll (end->link, now_us);
}

int
main (int argc, char **argv)
{
  static Pipe there, back;
  static uint8_t frame[ALS_FRAME_MAX];
  double seconds = argc > 1 ? g_ascii_strtod (argv[1], NULL) : 3;
  End ends[2] = { { .out = &there, .in = &back }, { .out = &back, .in = &there } };
  int64_t start_us = g_get_monotonic_time (), end_us;
  AlsLinkStats stats;
  double took, cpu;

  for (guint i = 0; i < 2; i++)
    {
      AlsLinkConfig config = {
        .role = i == 0 ? ALS_ROLE_INVITER : ALS_ROLE_JOINER,
        .carrier = ALS_CARRIER_DATAGRAMS,
        .kind = ALS_PATH_DIRECT_UDP,
        .path_id = 2,
        .speaks_first = i == 0,
      };

      ends[i].link = als_udp_link_new (&config, output_cb, &ends[i], start_us);
      als_link_set_events (ends[i].link, &events, &ends[i]);
    }
  while (!ends[0].ready || !ends[1].ready)
    {
      turn (&ends[0]);
      turn (&ends[1]);
    }
  start_us = g_get_monotonic_time ();
  cpu = get_cpu_seconds ();
  end_us = start_us + (int64_t) (seconds * G_USEC_PER_SEC);
  while (g_get_monotonic_time () < end_us)
    {
      while (als_link_get_room (ends[0].link, ALS_LANE_BULK) > 0)
        als_link_send_frame (ends[0].link, ALS_LANE_BULK, frame, sizeof frame);
      turn (&ends[0]);
      turn (&ends[1]);
    }
  took = (double) (g_get_monotonic_time () - start_us) / G_USEC_PER_SEC;
  cpu = get_cpu_seconds () - cpu;
  als_link_get_stats (ends[0].link, &stats);
  g_print ("%.0f Mbit/s of frames, sealed, two machines on one core, %.0f per second of CPU; "
           "packets %.0f/s there, %.0f/s back; mtu %u, rtt %.2f ms, lost %" G_GUINT64_FORMAT "\n",
           (double) ends[1].bytes_got * 8 / 1e6 / took, (double) ends[1].bytes_got * 8 / 1e6 / cpu,
           (double) ends[0].packets / took,
           (double) ends[1].packets / took, stats.mtu, (double) stats.rtt_us / 1000,
           stats.lost_packets);
  als_link_free (ends[0].link);
  als_link_free (ends[1].link);
  return EXIT_SUCCESS;
}
