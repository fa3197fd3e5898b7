/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Memory does not grow with the file, however fast it comes. */
#include "config.h"

#include <sys/resource.h>
#include <unistd.h>

#include "transfer-fixture.h"

#define FILE_BYTES (INT64_C (300) * MIB)
/* The sender's four blocks, the receiver's waiting ones and the channel's window, generously. */
#define MOST_GROWTH_KIB (64 * 1024)

static long
peak_kib (void)
{
  struct rusage usage;

  g_assert_cmpint (getrusage (RUSAGE_SELF, &usage), ==, 0);
  return usage.ru_maxrss;
}

static void
test_flat (void)
{
  g_autofree char *path = NULL;
  AlsTransferInfo info;
  long before, grown;
  Fixture f;

  fixture_init (&f);
  fixture_add_file (&f, "large", 0, 1);
  path = g_build_filename (f.from, "large", NULL);
  g_assert_cmpint (truncate (path, FILE_BYTES), ==, 0);
  before = peak_kib ();
  fixture_exchange (&f);
  grown = peak_kib () - before;
  g_assert_no_error (als_transfer_get_error (f.incoming));
  als_transfer_get_info (f.incoming, &info);
  g_test_message ("%" G_GUINT64_FORMAT " MB/s, %ld MiB more memory, %zu KiB waiting at most",
                  info.rate / 1000000, grown / 1024,
                  fake_sessions_get_most_waiting (f.sessions) / 1024);
  g_assert_cmpuint (info.bytes_done, ==, FILE_BYTES);
  g_assert_cmpuint (fake_sessions_get_most_waiting (f.sessions), <=, ALS_CHANNEL_WINDOW);
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  g_test_message ("a sanitizer keeps memory: not compared");
#else
  g_assert_cmpint (grown, <, MOST_GROWTH_KIB);
#endif
  fixture_clear (&f);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/transfer/memory-does-not-grow-with-the-file", test_flat);
  return g_test_run ();
}
