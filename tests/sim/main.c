/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* sim [--seeds N] [--first S] [--jobs N] [--verbose] [--plant NAME]
 *
 * Runs whole sessions over the real link machines and a fake network in
 * invented time, one world for each seed, all of it decided by the seed. With
 * --plant (in the build that has it) a bug is switched on and the run succeeds
 * if some seed fails in the way this bug has to. */

#include "config.h"

#include "sim-run.h"

#include "base/als-plant.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Failures that are told with all their events. */
#define MAX_TOLD 2

static gint option_seeds = 50;
static gint64 option_first = 1;
static gint option_jobs = 0;
static gint option_kib = 4096;
static gboolean option_verbose;
static char *option_plant;

static const GOptionEntry entries[] = {
  { "seeds", 0, 0, G_OPTION_ARG_INT, &option_seeds, "How many seeds (50)", "N" },
  { "first", 0, 0, G_OPTION_ARG_INT64, &option_first, "The first of them (1)", "S" },
  { "jobs", 0, 0, G_OPTION_ARG_INT, &option_jobs, "Processes side by side (one for each CPU)", "N" },
  { "kib", 0, 0, G_OPTION_ARG_INT, &option_kib, "KiB in each direction of a channel (4096)", "N" },
  { "verbose", 0, 0, G_OPTION_ARG_NONE, &option_verbose, "Tell what happens", NULL },
  { "plant", 0, 0, G_OPTION_ARG_STRING, &option_plant, "Switch a bug on and expect it to be found",
    "NAME" },
  { NULL },
};

/* What each bug breaks in the end. */
static const struct
{
  const char *name;
  const char *failure;
} plants[] = {
  { "ack-lost", "not everything has arrived" },
  { "credit-dropped", "not everything has arrived" },
  { "counter-reused", "a counter was used twice" },
};

static const char *
get_expected_failure (void)
{
  for (guint i = 0; option_plant != NULL && i < G_N_ELEMENTS (plants); i++)
    if (strcmp (plants[i].name, option_plant) == 0)
      return plants[i].failure;
  return NULL;
}

#ifdef ALS_PLANT_BUG
gboolean
als_plant (const char *name)
{
  return option_plant != NULL && strcmp (option_plant, name) == 0;
}
#endif

/* Nonces and tokens from the seed too, so that a run can be repeated. */
static guint64 random_state;

static guint32
seeded_random (void)
{
  guint64 x = random_state += 0x9e3779b97f4a7c15u;

  x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
  return (guint32) (x >> 32);
}

static void
seeded_buf (void *buf, size_t len)
{
  for (size_t i = 0; i < len; i++)
    ((guint8 *) buf)[i] = (guint8) seeded_random ();
}

static const char *
seeded_name (void)
{
  return "seed";
}

static struct randombytes_implementation seeded = {
  .implementation_name = seeded_name,
  .random = seeded_random,
  .buf = seeded_buf,
};

/* Every JOBS-th seed from OFFSET on. Returns how many failed. */
static guint
run_seeds (gint offset, gint jobs)
{
  SimOptions options = {
    .verbose = option_verbose,
    .channel_bytes = (uint64_t) option_kib * 1024,
  };
  SimReport sum = { 0 };
  guint failed = 0, n = 0;

  for (gint i = offset; i < option_seeds; i += jobs)
    {
      SimReport report = { 0 };
      guint64 seed = (guint64) (option_first + i);

      options.brief = failed >= MAX_TOLD;
      random_state = seed;
      g_random_set_seed ((guint32) seed);
      if (!sim_run_seed (seed, &options, &report))
        {
          g_autofree char *failure = report.failure;
          const char *expected = get_expected_failure ();

          failed += expected == NULL || strstr (failure, expected) != NULL;
          if (expected != NULL && failed > 0)
            return failed; /* found */
        }
      n++;
      sum.births += report.births;
      sum.deaths += report.deaths;
      sum.switches += report.switches;
      sum.datagrams += report.datagrams;
      sum.packets += report.packets;
      sum.virtual_us += report.virtual_us;
      sum.probes += report.probes;
      sum.mistaken += report.mistaken;
      sum.peak_bytes = MAX (sum.peak_bytes, report.peak_bytes);
      sum.worst_probe_us = MAX (sum.worst_probe_us, report.worst_probe_us);
    }
  printf ("# %u seeds, %u failed: %u births, %u deaths (%u mistaken), %u switches, %u datagrams, "
          "%" G_GUINT64_FORMAT " packets in %.0f s of invented time; "
          "%u probes of control took at most %.1f ms beyond the round trip; "
          "at most %.1f MiB of memory\n",
          n, failed, sum.births, sum.deaths, sum.mistaken, sum.switches, sum.datagrams, sum.packets,
          sum.virtual_us / 1e6, sum.probes, sum.worst_probe_us / 1e3,
          sum.peak_bytes / 1048576.0);
  fflush (stdout);
  return failed;
}

static guint
run_jobs (void)
{
  g_autofree pid_t *children = g_new0 (pid_t, option_jobs);
  guint failed = 0;

  fflush (stdout);
  for (gint i = 0; i < option_jobs; i++)
    {
      children[i] = fork ();
      if (children[i] < 0)
        g_error ("fork: %s", g_strerror (errno));
      if (children[i] == 0)
        _exit (run_seeds (i, option_jobs) > 0 ? 1 : 0);
    }
  for (gint i = 0; i < option_jobs; i++)
    {
      int status;

      if (waitpid (children[i], &status, 0) < 0 || !WIFEXITED (status))
        {
          printf ("# a simulator died of signal %d\n", WIFSIGNALED (status) ? WTERMSIG (status) : 0);
          exit (3); /* whatever was planted */
        }
      failed += WEXITSTATUS (status) != 0;
    }
  return failed;
}

int
main (int argc, char **argv)
{
  g_autoptr (GOptionContext) context = g_option_context_new (NULL);
  g_autoptr (GError) error = NULL;
  gboolean failed;

  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, &argc, &argv, &error) || option_seeds < 1)
    {
      fprintf (stderr, "%s\n", error != NULL ? error->message : "no seeds");
      return 2;
    }
#ifndef ALS_PLANT_BUG
  if (option_plant != NULL)
    {
      fprintf (stderr, "no bugs in this build\n");
      return 2;
    }
#endif
  if (option_plant != NULL && get_expected_failure () == NULL)
    {
      fprintf (stderr, "there is no bug called %s\n", option_plant);
      return 2;
    }
  randombytes_set_implementation (&seeded);
  if (sodium_init () < 0)
    return 2;
  if (option_jobs <= 0)
    option_jobs = (gint) g_get_num_processors ();
  option_jobs = MIN (option_jobs, option_seeds);
  failed = (option_jobs == 1 ? run_seeds (0, 1) : run_jobs ()) > 0;
  if (option_plant != NULL)
    printf ("# %s %s\n", option_plant, failed ? "was found" : "WAS NOT FOUND");
  return (option_plant != NULL) != failed ? 1 : 0;
}
