/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Runs a fuzz target without libFuzzer: each seed as it is, then mutated copies
 * from a fixed generator, so that a run can be repeated. */

#include <glib.h>
#include <stdint.h>
#include <string.h>

#define MUTATIONS_PER_SEED 2000
#define BUDGET_US (5 * G_USEC_PER_SEC)
#define MAX_INPUT_BYTES (128 * 1024)

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static void
mutate (GRand *rand, GByteArray *bytes)
{
  guint n = g_rand_int_range (rand, 1, 5);

  while (n-- > 0)
    {
      guint at = bytes->len > 0 ? (guint) g_rand_int_range (rand, 0, (gint) bytes->len) : 0;
      guint8 noise[8];

      for (guint i = 0; i < sizeof noise; i++)
        noise[i] = (guint8) g_rand_int (rand);
      switch (g_rand_int_range (rand, 0, 5))
        {
        case 0:
          if (bytes->len > 0)
            bytes->data[at] ^= (guint8) (1u << g_rand_int_range (rand, 0, 8));
          break;
        case 1:
          if (bytes->len > 0)
            bytes->data[at] = (guint8[]){ 0, 1, 0x7f, 0x80, 0xff }[g_rand_int_range (rand, 0, 5)];
          break;
        case 2:
          g_byte_array_set_size (bytes, at);
          break;
        case 3:
          g_byte_array_append (bytes, noise, sizeof noise);
          break;
        default:
          if (bytes->len > 1)
            g_byte_array_remove_index (bytes, at);
          break;
        }
      if (bytes->len > MAX_INPUT_BYTES)
        g_byte_array_set_size (bytes, MAX_INPUT_BYTES);
    }
}

/* A copy without slack, so that an address sanitizer sees one byte too far. */
static void
run_exact (const uint8_t *data, size_t len)
{
  g_autofree uint8_t *copy = g_malloc (MAX (len, 1));

  if (len > 0)
    memcpy (copy, data, len);
  LLVMFuzzerTestOneInput (copy, len);
}

int
main (int argc, char **argv)
{
  g_autoptr (GDir) dir = NULL;
  g_autoptr (GError) error = NULL;
  g_autoptr (GRand) rand = g_rand_new_with_seed (1);
  int64_t end_us = g_get_monotonic_time () + BUDGET_US;
  const char *name;
  guint n_seeds = 0, n_runs = 0;

  if (argc != 2 || (dir = g_dir_open (argv[1], 0, &error)) == NULL)
    g_error ("usage: %s SEED-FOLDER (%s)", argv[0], error != NULL ? error->message : "no folder");
  run_exact (NULL, 0);
  while ((name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *path = g_build_filename (argv[1], name, NULL);
      g_autofree char *data = NULL;
      size_t len;

      if (!g_file_get_contents (path, &data, &len, &error))
        g_error ("%s", error->message);
      n_seeds++;
      run_exact ((const uint8_t *) data, len);
      for (guint i = 0; i < MUTATIONS_PER_SEED && g_get_monotonic_time () < end_us; i++, n_runs++)
        {
          g_autoptr (GByteArray) bytes = g_byte_array_new ();

          g_byte_array_append (bytes, (const guint8 *) data, (guint) len);
          mutate (rand, bytes);
          run_exact (bytes->data, bytes->len);
        }
    }
  g_print ("%u seeds, %u mutated inputs\n", n_seeds, n_runs);
  return n_seeds > 0 ? 0 : 1;
}
