/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* One seed: two sessions, a schedule of births and deaths of paths drawn from
 * the seed, and everything that must hold. */

#pragma once

#include <glib.h>
#include <stdint.h>

typedef struct
{
  gboolean verbose;      /* print each event as it happens */
  gboolean brief;        /* of a failure, print one line only */
  uint64_t channel_bytes; /* in each direction of each of the four channels */
} SimOptions;

typedef struct
{
  char *failure;         /* to be freed; NULL: all held */
  guint births, deaths, switches, datagrams;
  guint mistaken;        /* paths given up though nothing happened to them */
  size_t peak_bytes;     /* of memory */
  int64_t virtual_us;
  guint64 packets;
  guint probes;          /* that the bound was applied to */
  int64_t worst_probe_us; /* beyond the round trip, while the path was stable */
} SimReport;

/* FALSE: something did not hold; it has been printed, with the last events. */
gboolean sim_run_seed (guint64 seed, const SimOptions *options, SimReport *report);
