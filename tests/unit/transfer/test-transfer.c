/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A real sender and a real receiver, and everything that happens between them. */
#include "config.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "transfer-fixture.h"

static void
assert_done (Fixture *f)
{
  AlsTransferInfo out, in;

  g_assert_no_error (als_transfer_get_error (f->outgoing));
  g_assert_no_error (als_transfer_get_error (f->incoming));
  als_transfer_get_info (f->outgoing, &out);
  als_transfer_get_info (f->incoming, &in);
  g_assert_cmpint (out.state, ==, ALS_TRANSFER_DONE);
  g_assert_cmpint (in.state, ==, ALS_TRANSFER_DONE);
  g_assert_false (out.incoming);
  g_assert_true (in.incoming);
  g_assert_cmpuint (out.n_files, ==, f->files->len);
  g_assert_cmpuint (in.n_files, ==, f->files->len);
  g_assert_cmpuint (out.n_files_done, ==, f->files->len);
  g_assert_cmpuint (in.n_files_done, ==, f->files->len);
  g_assert_cmpuint (out.bytes_total, ==, in.bytes_total);
  g_assert_cmpuint (out.bytes_done, ==, out.bytes_total);
  g_assert_cmpuint (in.bytes_done, ==, out.bytes_total);
  g_assert_cmpint (in.seconds_left, ==, 0);
}

static void
test_sizes (void)
{
  static const struct
  {
    const char *name;
    size_t len;
  } files[] = {
    { "none", 0 }, { "one", 1 }, { "block", MIB }, { "block and one", MIB + 1 }, { "five", 5 * MIB },
    { "none again", 0 },
  };
  Fixture f;

  fixture_init (&f);
  for (guint i = 0; i < G_N_ELEMENTS (files); i++)
    fixture_add_file (&f, files[i].name, files[i].len, i);
  fixture_exchange (&f);
  assert_done (&f);
  for (guint i = 0; i < G_N_ELEMENTS (files); i++)
    {
      g_autofree char *saved = g_file_get_path (als_transfer_get_saved (f.incoming, i));
      g_autofree char *expected = g_build_filename (f.to, files[i].name, NULL);

      fixture_assert_same (&f, files[i].name, files[i].name);
      g_assert_cmpstr (als_transfer_get_name (f.incoming, i), ==, files[i].name);
      g_assert_cmpstr (als_transfer_get_name (f.outgoing, i), ==, files[i].name);
      g_assert_cmpuint (als_transfer_get_size (f.incoming, i), ==, files[i].len);
      g_assert_cmpstr (saved, ==, expected);
      g_assert_null (als_transfer_get_saved (f.outgoing, i));
    }
  g_assert_cmpuint (fixture_count_to (&f), ==, G_N_ELEMENTS (files));
  fixture_clear (&f);
}

static void
test_alone (gconstpointer data)
{
  Fixture f;

  fixture_init (&f);
  fixture_add_file (&f, "alone", GPOINTER_TO_SIZE (data), 7);
  fixture_exchange (&f);
  assert_done (&f);
  fixture_assert_same (&f, "alone", "alone");
  g_assert_cmpuint (fixture_count_to (&f), ==, 1);
  fixture_clear (&f);
}

static void
test_many (void)
{
  Fixture f;

  fixture_init (&f);
  for (guint i = 0; i < ALS_FILE_MAX_FILES; i++)
    {
      g_autofree char *name = g_strdup_printf ("file %04u.txt", i);

      fixture_add_file (&f, name, i % 7, i);
    }
  fixture_exchange (&f);
  assert_done (&f);
  for (guint i = 0; i < ALS_FILE_MAX_FILES; i++)
    fixture_assert_same (&f, als_transfer_get_name (f.incoming, i),
                         als_transfer_get_name (f.incoming, i));
  fixture_clear (&f);
}

/* Nothing hangs when the pieces are odd and the window is smaller than a block. */
static void
test_small_window (void)
{
  Fixture f;

  fixture_init (&f);
  f.config.chunk_bytes = 777;
  f.config.queue_bytes = 5000;
  f.config.window_bytes = 64 * 1024;
  fixture_add_file (&f, "a", 2 * MIB + 5, 1);
  fixture_add_file (&f, "b", 100, 2);
  fixture_exchange (&f);
  assert_done (&f);
  fixture_assert_same (&f, "a", "a");
  fixture_assert_same (&f, "b", "b");
  fixture_clear (&f);
}

static void
test_no_overwrite (void)
{
  g_autofree char *text = NULL, *path = NULL;
  Fixture f;

  fixture_init (&f);
  fixture_add_file (&f, "notes.txt", 10, 1);
  fixture_add_file (&f, "archive.tar.gz", 20, 2);
  fixture_write_to (&f, "notes.txt", "mine");
  fixture_write_to (&f, "notes (2).txt", "mine, too");
  path = g_build_filename (f.to, "archive.tar.gz", NULL);
  g_assert_cmpint (symlink ("/nonexistent/elsewhere", path), ==, 0);
  fixture_exchange (&f);
  assert_done (&f);
  fixture_assert_same (&f, "notes.txt", "notes (3).txt");
  fixture_assert_same (&f, "archive.tar.gz", "archive (2).tar.gz");
  g_free (path);
  path = g_build_filename (f.to, "notes.txt", NULL);
  g_assert_true (g_file_get_contents (path, &text, NULL, NULL));
  g_assert_cmpstr (text, ==, "mine");
  g_assert_cmpuint (fixture_count_to (&f), ==, 5);
  fixture_clear (&f);
}

static void
test_same_names (void)
{
  g_autofree char *sub = NULL;
  Fixture f;

  fixture_init (&f);
  fixture_add_file (&f, "same.txt", 10, 1);
  sub = g_build_filename (f.from, "sub", NULL);
  g_assert_cmpint (g_mkdir (sub, 0700), ==, 0);
  fixture_add_file (&f, "sub/same.txt", 20, 2);
  fixture_exchange (&f);
  assert_done (&f);
  fixture_assert_same (&f, "same.txt", "same.txt");
  fixture_assert_same (&f, "sub/same.txt", "same (2).txt");
  fixture_clear (&f);
}

static void
test_mode (void)
{
  g_autofree char *path = NULL;
  mode_t before = umask (0027);
  struct stat info;
  Fixture f;

  fixture_init (&f);
  fixture_add_file (&f, "a", 10, 1);
  fixture_exchange (&f);
  path = g_build_filename (f.to, "a", NULL);
  g_assert_cmpint (stat (path, &info), ==, 0);
  g_assert_cmpuint (info.st_mode & 0777, ==, 0640);
  umask (before);
  fixture_clear (&f);
}

static gboolean
has_part (Fixture *f)
{
  return fixture_count_to (f) > 0;
}

static void
test_part_is_private (void)
{
  g_autoptr (GDir) dir = NULL;
  g_autofree char *path = NULL;
  const char *name;
  struct stat info;
  Fixture f;

  fixture_init (&f);
  fixture_add_file (&f, "big", 5 * MIB, 1);
  fixture_send (&f);
  FIXTURE_WAIT (&f, is_incoming_offered);
  als_transfer_accept (f.incoming);
  FIXTURE_WAIT (&f, has_part);
  dir = g_dir_open (f.to, 0, NULL);
  name = g_dir_read_name (dir);
  g_assert_true (g_str_has_prefix (name, ".big."));
  g_assert_true (g_str_has_suffix (name, ".part"));
  path = g_build_filename (f.to, name, NULL);
  g_assert_cmpint (stat (path, &info), ==, 0);
  g_assert_cmpuint (info.st_mode & 0777, ==, 0600);
  FIXTURE_WAIT (&f, are_both_over);
  assert_done (&f);
  fixture_clear (&f);
}

static void
test_makes_folder (void)
{
  Fixture f;

  fixture_init (&f);
  g_assert_cmpint (g_rmdir (f.to), ==, 0);
  fixture_add_file (&f, "a", 10, 1);
  fixture_exchange (&f);
  assert_done (&f);
  fixture_assert_same (&f, "a", "a");
  fixture_clear (&f);
}

static void
test_unwritable_folder (void)
{
  Fixture f;

  fixture_init (&f);
  g_assert_cmpint (g_rmdir (f.to), ==, 0);
  g_assert_true (g_file_set_contents (f.to, "not a folder", -1, NULL));
  fixture_add_file (&f, "a", 10, 1);
  fixture_exchange (&f);
  fixture_assert_failed (f.incoming, ALS_TRANSFER_ERROR_WRITE);
  fixture_assert_failed (f.outgoing, ALS_TRANSFER_ERROR_PEER_WRITE);
  fixture_clear (&f);
}

static void
test_folder_goes_away (void)
{
  Fixture f;

  fixture_init (&f);
  f.config.chunk_bytes = 4096;
  fixture_add_file (&f, "a", MIB, 1);
  fixture_add_file (&f, "b", MIB, 1);
  fixture_send (&f);
  FIXTURE_WAIT (&f, is_incoming_offered);
  als_transfer_accept (f.incoming);
  FIXTURE_WAIT (&f, is_incoming_active);
  g_assert_cmpint (g_rmdir (f.to), ==, 0);
  FIXTURE_WAIT (&f, are_both_over);
  fixture_assert_failed (f.incoming, ALS_TRANSFER_ERROR_WRITE);
  fixture_assert_failed (f.outgoing, ALS_TRANSFER_ERROR_PEER_WRITE);
  g_assert_cmpint (g_mkdir (f.to, 0700), ==, 0);
  fixture_clear (&f);
}

static void
test_too_large_for_disk (void)
{
  g_autofree char *path = NULL;
  Fixture f;

  fixture_init (&f);
  fixture_add_file (&f, "huge", 1, 1);
  path = g_build_filename (f.from, "huge", NULL);
  if (truncate (path, INT64_C (1) << 43) != 0)
    {
      g_test_skip ("this file system has no sparse file of 8 TiB");
      g_ptr_array_set_size (f.files, 0);
    }
  else
    {
      fixture_exchange (&f);
      fixture_assert_failed (f.incoming, ALS_TRANSFER_ERROR_DISK_FULL);
      fixture_assert_failed (f.outgoing, ALS_TRANSFER_ERROR_PEER_DISK_FULL);
      g_assert_cmpuint (fixture_count_to (&f), ==, 0);
    }
  fixture_clear (&f);
}

/* Sources */

static void
assert_refused (Fixture *f, const char *words)
{
  fixture_send (f);
  FIXTURE_WAIT (f, is_outgoing_over);
  fixture_assert_failed (f->outgoing, ALS_TRANSFER_ERROR_READ);
  g_assert_nonnull (strstr (als_transfer_get_error (f->outgoing)->message, words));
  fixture_settle (f);
  g_assert_null (f->incoming);
}

static void
test_vanished (void)
{
  g_autofree char *path = NULL;
  Fixture f;

  fixture_init (&f);
  fixture_add_file (&f, "a", 10, 1);
  path = g_build_filename (f.from, "a", NULL);
  g_assert_cmpint (g_remove (path), ==, 0);
  assert_refused (&f, "not there");
  fixture_clear (&f);
}

/* This thread's and its later children's right to read everything, if it is root. */
static void
set_may_read_everything (gboolean may)
{
  struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
  struct __user_cap_data_struct caps[2];
  guint32 both = 1u << CAP_DAC_OVERRIDE | 1u << CAP_DAC_READ_SEARCH;

  g_assert_cmpint (syscall (SYS_capget, &head, caps), ==, 0);
  caps[0].effective = may ? caps[0].effective | (caps[0].permitted & both)
                          : caps[0].effective & ~both;
  g_assert_cmpint (syscall (SYS_capset, &head, caps), ==, 0);
}

static void
test_unreadable (void)
{
  g_autofree char *path = NULL;
  Fixture f;

  fixture_init (&f);
  fixture_add_file (&f, "a", 10, 1);
  path = g_build_filename (f.from, "a", NULL);
  g_assert_cmpint (g_chmod (path, 0), ==, 0);
  set_may_read_everything (FALSE);
  assert_refused (&f, "may not be read");
  set_may_read_everything (TRUE);
  fixture_clear (&f);
}

static void
test_folder_as_source (void)
{
  Fixture f;

  fixture_init (&f);
  g_ptr_array_add (f.files, g_file_new_for_path (f.from));
  assert_refused (&f, "is a folder");
  fixture_clear (&f);
}

static void
test_fifo_as_source (void)
{
  g_autofree char *path = NULL;
  Fixture f;

  fixture_init (&f);
  path = g_build_filename (f.from, "pipe", NULL);
  g_assert_cmpint (mkfifo (path, 0600), ==, 0);
  g_ptr_array_add (f.files, g_file_new_for_path (path));
  assert_refused (&f, "not an ordinary file");
  fixture_clear (&f);
}

static void
test_no_path (void)
{
  Fixture f;

  fixture_init (&f);
  g_ptr_array_add (f.files, g_file_new_for_uri ("http://example.org/a.txt"));
  assert_refused (&f, "not on this computer");
  fixture_clear (&f);
}

static void
test_too_many (void)
{
  Fixture f;

  fixture_init (&f);
  fixture_add_file (&f, "a", 1, 1);
  for (guint i = 0; i < ALS_FILE_MAX_FILES; i++)
    g_ptr_array_add (f.files, g_object_ref (g_ptr_array_index (f.files, 0)));
  assert_refused (&f, "too many");
  fixture_clear (&f);
}

static void
test_nothing (void)
{
  Fixture f;

  fixture_init (&f);
  assert_refused (&f, "no file");
  fixture_clear (&f);
}

typedef enum
{
  GROWS,
  SHRINKS,
  REWRITTEN,
  REPLACED,
  VANISHES,
  EMPTY_GROWS,
} Change;

static void
change_source (const char *path, Change change)
{
  g_autofree char *other = g_strconcat (path, ".new", NULL);
  struct timespec times[2] = { { 0, UTIME_OMIT }, { 12345, 678 } };
  struct stat info;

  g_assert_cmpint (stat (path, &info), ==, 0);
  switch (change)
    {
    case GROWS:
    case EMPTY_GROWS:
      g_assert_cmpint (truncate (path, info.st_size + 1), ==, 0);
      break;
    case SHRINKS:
      g_assert_cmpint (truncate (path, info.st_size - 1), ==, 0);
      break;
    case REWRITTEN:
      g_assert_cmpint (utimensat (AT_FDCWD, path, times, 0), ==, 0);
      break;
    case REPLACED:
      g_assert_cmpint (g_rename (path, other), ==, 0);
      g_assert_true (g_file_set_contents (path, "", 0, NULL));
      g_assert_cmpint (truncate (path, info.st_size), ==, 0);
      times[1] = info.st_mtim;
      g_assert_cmpint (utimensat (AT_FDCWD, path, times, 0), ==, 0);
      break;
    case VANISHES:
      g_assert_cmpint (g_remove (path), ==, 0);
      break;
    }
}

/* Between the offer and the answer. */
static void
test_changed_while_offered (gconstpointer data)
{
  Change change = GPOINTER_TO_INT (data);
  g_autofree char *path = NULL;
  Fixture f;

  fixture_init (&f);
  fixture_add_file (&f, "a", change == EMPTY_GROWS ? 0 : 2 * MIB, 1);
  fixture_send (&f);
  FIXTURE_WAIT (&f, is_incoming_offered);
  path = g_build_filename (f.from, "a", NULL);
  change_source (path, change);
  als_transfer_accept (f.incoming);
  FIXTURE_WAIT (&f, are_both_over);
  fixture_assert_failed (f.outgoing, ALS_TRANSFER_ERROR_READ);
  fixture_assert_failed (f.incoming, ALS_TRANSFER_ERROR_PEER_READ);
  g_assert_cmpuint (fixture_count_to (&f), ==, 0);
  fixture_clear (&f);
}

static gboolean
has_saved_one (Fixture *f)
{
  AlsTransferInfo info;

  als_transfer_get_info (f->incoming, &info);
  return info.n_files_done > 0;
}

/* With blocks on their way already. */
static void
test_changed_while_sent (gconstpointer data)
{
  g_autofree char *path = NULL;
  Fixture f;

  fixture_init (&f);
  f.config.chunk_bytes = 4096;
  fixture_add_file (&f, "whole", 1000, 1);
  fixture_add_file (&f, "a", 40 * MIB, 1);
  fixture_send (&f);
  FIXTURE_WAIT (&f, is_incoming_offered);
  als_transfer_accept (f.incoming);
  FIXTURE_WAIT (&f, has_saved_one);
  path = g_build_filename (f.from, "a", NULL);
  change_source (path, GPOINTER_TO_INT (data));
  FIXTURE_WAIT (&f, are_both_over);
  fixture_assert_failed (f.outgoing, ALS_TRANSFER_ERROR_READ);
  g_assert_nonnull (strstr (als_transfer_get_error (f.outgoing)->message, "changed"));
  fixture_assert_failed (f.incoming, ALS_TRANSFER_ERROR_PEER_READ);
  /* What was whole before stays. */
  fixture_assert_same (&f, "whole", "whole");
  g_assert_cmpuint (fixture_count_to (&f), ==, 1);
  fixture_clear (&f);
}

/* Ends */

static void
test_decline (void)
{
  Fixture f;

  fixture_init (&f);
  fixture_add_file (&f, "a", 10, 1);
  fixture_send (&f);
  FIXTURE_WAIT (&f, is_incoming_offered);
  als_transfer_decline (f.incoming);
  fixture_assert_failed (f.incoming, ALS_TRANSFER_ERROR_DECLINED);
  FIXTURE_WAIT (&f, is_outgoing_over);
  fixture_assert_failed (f.outgoing, ALS_TRANSFER_ERROR_DECLINED);
  als_transfer_accept (f.incoming);
  fixture_settle (&f);
  g_assert_cmpuint (fixture_count_to (&f), ==, 0);
  fixture_clear (&f);
}

static void
test_cancel_preparing (void)
{
  Fixture f;

  fixture_init (&f);
  fixture_add_file (&f, "a", 10, 1);
  fixture_send (&f);
  als_transfer_cancel (f.outgoing);
  fixture_assert_failed (f.outgoing, ALS_TRANSFER_ERROR_CANCELLED);
  fixture_settle (&f);
  g_assert_null (f.incoming);
  fixture_clear (&f);
}

typedef struct
{
  gboolean by_receiver;
  FixtureCondition when;
} CancelCase;

static const CancelCase cancel_cases[] = {
  { FALSE, is_outgoing_offered }, { FALSE, is_incoming_offered }, { FALSE, is_incoming_active },
  { FALSE, has_part },            { TRUE, is_incoming_there },    { TRUE, is_incoming_offered },
  { TRUE, is_incoming_active },   { TRUE, has_part },
};

static void
test_cancel (gconstpointer data)
{
  const CancelCase *c = data;
  AlsTransfer *mine, *theirs;
  Fixture f;

  fixture_init (&f);
  fixture_add_file (&f, "a", 30 * MIB, 1);
  fixture_send (&f);
  if (c->when == is_incoming_active || c->when == has_part)
    {
      FIXTURE_WAIT (&f, is_incoming_offered);
      als_transfer_accept (f.incoming);
    }
  FIXTURE_WAIT (&f, c->when);
  mine = c->by_receiver ? f.incoming : f.outgoing;
  als_transfer_cancel (mine);
  fixture_assert_failed (mine, ALS_TRANSFER_ERROR_CANCELLED);
  if (c->by_receiver)
    g_assert_cmpuint (fixture_count_to (&f), ==, 0); /* gone before the call returns */
  FIXTURE_WAIT (&f, is_incoming_there);
  FIXTURE_WAIT (&f, are_both_over);
  theirs = c->by_receiver ? f.outgoing : f.incoming;
  fixture_assert_failed (theirs, ALS_TRANSFER_ERROR_PEER_CANCELLED);
  g_assert_cmpuint (fixture_count_to (&f), ==, 0);
  als_transfer_cancel (mine);
  als_transfer_cancel (theirs);
  fixture_assert_failed (theirs, ALS_TRANSFER_ERROR_PEER_CANCELLED);
  fixture_clear (&f);
}

static void
test_cancel_both (void)
{
  Fixture f;

  fixture_init (&f);
  fixture_add_file (&f, "a", 3 * MIB, 1);
  fixture_send (&f);
  FIXTURE_WAIT (&f, is_incoming_offered);
  als_transfer_accept (f.incoming);
  als_transfer_cancel (f.incoming);
  als_transfer_cancel (f.outgoing);
  fixture_settle (&f);
  fixture_assert_failed (f.incoming, ALS_TRANSFER_ERROR_CANCELLED);
  fixture_assert_failed (f.outgoing, ALS_TRANSFER_ERROR_CANCELLED);
  fixture_clear (&f);
}

static void
test_cancel_done (void)
{
  Fixture f;

  fixture_init (&f);
  fixture_add_file (&f, "a", 10, 1);
  fixture_exchange (&f);
  als_transfer_cancel (f.incoming);
  als_transfer_cancel (f.outgoing);
  assert_done (&f);
  fixture_assert_same (&f, "a", "a");
  fixture_clear (&f);
}

static void
test_session_ends (gconstpointer data)
{
  FixtureCondition when = (FixtureCondition) data;
  Fixture f;

  fixture_init (&f);
  fixture_add_file (&f, "a", 30 * MIB, 1);
  fixture_send (&f);
  if (when == has_part)
    {
      FIXTURE_WAIT (&f, is_incoming_offered);
      als_transfer_accept (f.incoming);
    }
  FIXTURE_WAIT (&f, when);
  fake_sessions_end (f.sessions);
  fixture_assert_failed (f.outgoing, ALS_TRANSFER_ERROR_SESSION);
  if (f.incoming != NULL)
    fixture_assert_failed (f.incoming, ALS_TRANSFER_ERROR_SESSION);
  g_assert_cmpuint (fixture_count_to (&f), ==, 0);
  fixture_clear (&f);
}

static void
test_session_ended_before (void)
{
  Fixture f;

  fixture_init (&f);
  fixture_add_file (&f, "a", 10, 1);
  fixture_connect (&f);
  fake_sessions_end (f.sessions);
  fixture_send (&f);
  FIXTURE_WAIT (&f, is_outgoing_over);
  fixture_assert_failed (f.outgoing, ALS_TRANSFER_ERROR_SESSION);
  fixture_clear (&f);
}

static void
test_keeps_itself (void)
{
  AlsTransfer *outgoing;
  gboolean gone = FALSE;
  Fixture f;

  fixture_init (&f);
  fixture_add_file (&f, "a", 2 * MIB, 1);
  fixture_send (&f);
  outgoing = g_steal_pointer (&f.outgoing);
  g_object_weak_ref (G_OBJECT (outgoing), (GWeakNotify) (void (*) (void)) g_atomic_int_inc, &gone);
  g_object_unref (outgoing);
  g_assert_cmpint (gone, ==, 0);
  FIXTURE_WAIT (&f, is_incoming_offered);
  als_transfer_accept (f.incoming);
  FIXTURE_WAIT (&f, is_incoming_over);
  fixture_settle (&f);
  g_assert_cmpint (gone, ==, 1);
  g_assert_cmpint (fixture_state (f.incoming), ==, ALS_TRANSFER_DONE);
  fixture_clear (&f);
}

/* Damage on the way */

typedef struct
{
  Fixture f; /* first: also the user data of the other callbacks */
  uint64_t at;
  guint n_times;
} Damage;

static void
flip_byte_cb (guint side, uint64_t offset, uint8_t *data, size_t len, gpointer user_data)
{
  Damage *damage = user_data;

  if (side == 0 && damage->n_times > 0 && damage->at >= offset && damage->at < offset + len)
    {
      data[damage->at - offset] ^= 0x40;
      damage->n_times--;
    }
}

static void
test_damaged_block (void)
{
  Damage damage = { 0 };
  Fixture *f = &damage.f;

  fixture_init (f);
  damage.at = 2 * MIB + 500000;
  damage.n_times = 1;
  f->config.tamper = flip_byte_cb;
  f->config.user_data = &damage;
  fixture_add_file (f, "a", 5 * MIB, 1);
  fixture_add_file (f, "b", 100, 2);
  fixture_exchange (f);
  g_assert_cmpuint (damage.n_times, ==, 0);
  assert_done (f);
  fixture_assert_same (f, "a", "a");
  fixture_assert_same (f, "b", "b");
  fixture_clear (f);
}

static void
test_same_numbers (void)
{
  AlsTransferInfo out, in;
  Fixture f;

  fixture_init (&f);
  fixture_add_file (&f, "a", 64 * MIB, 1);
  fixture_exchange (&f);
  assert_done (&f);
  als_transfer_get_info (f.outgoing, &out);
  als_transfer_get_info (f.incoming, &in);
  g_assert_cmpuint (in.rate, >, 0);
  g_assert_cmpint (in.duration_us, >, 0);
  /* Ten a second and one for each state, with a little to spare. */
  g_assert_cmpuint (f.n_changed_incoming, <=, 6 + in.duration_us / (G_USEC_PER_SEC / 10));
  g_assert_cmpuint (f.n_changed_outgoing, <=, 6 + out.duration_us / (G_USEC_PER_SEC / 10));
  g_test_message ("%" G_GUINT64_FORMAT " MB/s", in.rate / 1000000);
  fixture_clear (&f);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/transfer/files-of-all-sizes-arrive", test_sizes);
  g_test_add_data_func ("/transfer/a-file-of-no-bytes-arrives", GSIZE_TO_POINTER (0), test_alone);
  g_test_add_data_func ("/transfer/a-file-of-one-byte-arrives", GSIZE_TO_POINTER (1), test_alone);
  g_test_add_data_func ("/transfer/a-file-of-one-block-arrives", GSIZE_TO_POINTER (MIB), test_alone);
  g_test_add_data_func ("/transfer/a-file-of-a-block-and-a-byte-arrives",
                        GSIZE_TO_POINTER (MIB + 1), test_alone);
  g_test_add_func ("/transfer/a-thousand-small-files-arrive", test_many);
  g_test_add_func ("/transfer/a-window-smaller-than-a-block-is-enough", test_small_window);
  g_test_add_func ("/transfer/both-sides-show-the-same-at-most-ten-times-a-second",
                   test_same_numbers);
  g_test_add_func ("/transfer/keeps-itself-until-it-is-over", test_keeps_itself);
  g_test_add_func ("/transfer/a-damaged-block-is-repaired", test_damaged_block);

  g_test_add_func ("/transfer/receiver/never-overwrites", test_no_overwrite);
  g_test_add_func ("/transfer/receiver/two-files-of-one-name-are-both-kept", test_same_names);
  g_test_add_func ("/transfer/receiver/saved-files-obey-the-umask", test_mode);
  g_test_add_func ("/transfer/receiver/a-part-is-hidden-and-private", test_part_is_private);
  g_test_add_func ("/transfer/receiver/makes-its-folder", test_makes_folder);
  g_test_add_func ("/transfer/receiver/no-folder-to-save-in-fails", test_unwritable_folder);
  g_test_add_func ("/transfer/receiver/a-folder-that-goes-away-fails", test_folder_goes_away);
  g_test_add_func ("/transfer/receiver/asks-for-room-before-it-accepts", test_too_large_for_disk);

  g_test_add_func ("/transfer/sender/a-vanished-file-fails", test_vanished);
  g_test_add_func ("/transfer/sender/an-unreadable-file-fails", test_unreadable);
  g_test_add_func ("/transfer/sender/a-folder-fails", test_folder_as_source);
  g_test_add_func ("/transfer/sender/a-pipe-fails-without-waiting", test_fifo_as_source);
  g_test_add_func ("/transfer/sender/a-remote-file-fails", test_no_path);
  g_test_add_func ("/transfer/sender/too-many-files-fail", test_too_many);
  g_test_add_func ("/transfer/sender/no-files-fail", test_nothing);
#define OFFERED "/transfer/sender/notices-before-reading-that-a-file-"
  g_test_add_data_func (OFFERED "grew", GINT_TO_POINTER (GROWS), test_changed_while_offered);
  g_test_add_data_func (OFFERED "shrank", GINT_TO_POINTER (SHRINKS), test_changed_while_offered);
  g_test_add_data_func (OFFERED "was-written", GINT_TO_POINTER (REWRITTEN),
                        test_changed_while_offered);
  g_test_add_data_func (OFFERED "was-replaced", GINT_TO_POINTER (REPLACED),
                        test_changed_while_offered);
  g_test_add_data_func (OFFERED "vanished", GINT_TO_POINTER (VANISHES), test_changed_while_offered);
  g_test_add_data_func (OFFERED "is-no-longer-empty", GINT_TO_POINTER (EMPTY_GROWS),
                        test_changed_while_offered);
#define SENT "/transfer/sender/notices-while-reading-that-a-file-"
  g_test_add_data_func (SENT "grew", GINT_TO_POINTER (GROWS), test_changed_while_sent);
  g_test_add_data_func (SENT "shrank", GINT_TO_POINTER (SHRINKS), test_changed_while_sent);
  g_test_add_data_func (SENT "was-written", GINT_TO_POINTER (REWRITTEN), test_changed_while_sent);

  g_test_add_func ("/transfer/end/declined", test_decline);
  g_test_add_func ("/transfer/end/cancelled-while-preparing", test_cancel_preparing);
#define CANCEL(i, name) \
  g_test_add_data_func ("/transfer/end/cancelled-by-" name, &cancel_cases[i], test_cancel)
  CANCEL (0, "sender-before-the-offer-arrives");
  CANCEL (1, "sender-while-offered");
  CANCEL (2, "sender-when-accepted");
  CANCEL (3, "sender-in-the-middle");
  CANCEL (4, "receiver-before-the-offer-arrives");
  CANCEL (5, "receiver-while-offered");
  CANCEL (6, "receiver-when-accepted");
  CANCEL (7, "receiver-in-the-middle");
  g_test_add_func ("/transfer/end/cancelled-by-both-at-once", test_cancel_both);
  g_test_add_func ("/transfer/end/cancel-after-the-end-does-nothing", test_cancel_done);
  g_test_add_data_func ("/transfer/end/session-ends-while-offered", is_incoming_offered,
                        test_session_ends);
  g_test_add_data_func ("/transfer/end/session-ends-in-the-middle", has_part, test_session_ends);
  g_test_add_func ("/transfer/end/session-had-ended-before", test_session_ended_before);
  return g_test_run ();
}
