/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A receiver whose disk fills up: a small tmpfs in a mount namespace of our own. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "transfer-fixture.h"

static const char *refused; /* why there is no namespace */

static gboolean
write_proc (const char *path, const char *text)
{
  int fd = open (path, O_WRONLY | O_CLOEXEC);
  gboolean written = fd >= 0 && write (fd, text, strlen (text)) == (ssize_t) strlen (text);

  if (fd >= 0)
    close (fd);
  return written;
}

/* Before any thread. */
static void
enter_namespace (void)
{
  g_autofree char *uids = g_strdup_printf ("0 %u 1", getuid ());
  g_autofree char *gids = g_strdup_printf ("0 %u 1", getgid ());

  if (getuid () == 0)
    {
      if (unshare (CLONE_NEWNS) != 0 || mount (NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
        refused = "no mount namespace of our own here";
      return;
    }
  if (unshare (CLONE_NEWUSER | CLONE_NEWNS) != 0
      || !write_proc ("/proc/self/setgroups", "deny") || !write_proc ("/proc/self/uid_map", uids)
      || !write_proc ("/proc/self/gid_map", gids)
      || mount (NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
    refused = "no user and mount namespace of our own here";
}

/* FALSE: skipped. */
static gboolean
begin (Fixture *f, const char *options)
{
  if (refused != NULL)
    {
      g_test_skip (refused);
      return FALSE;
    }
  fixture_init (f);
  if (mount ("tmpfs", f->to, "tmpfs", MS_NOSUID | MS_NODEV, options) == 0)
    return TRUE;
  g_test_skip ("a tmpfs cannot be mounted here");
  fixture_clear (f);
  return FALSE;
}

static void
end (Fixture *f)
{
  g_assert_cmpint (umount2 (f->to, MNT_DETACH), ==, 0);
  fixture_clear (f);
}

static void
test_too_small (void)
{
  Fixture f;

  if (!begin (&f, "size=4m"))
    return;
  fixture_add_file (&f, "a", 3 * MIB, 1);
  fixture_add_file (&f, "b", 3 * MIB, 1);
  fixture_exchange (&f);
  fixture_assert_failed (f.incoming, ALS_TRANSFER_ERROR_DISK_FULL);
  fixture_assert_failed (f.outgoing, ALS_TRANSFER_ERROR_PEER_DISK_FULL);
  g_assert_cmpuint (fixture_count_to (&f), ==, 0);
  end (&f);
}

static gboolean
is_one_saved (Fixture *f)
{
  AlsTransferInfo info;

  als_transfer_get_info (f->incoming, &info);
  return info.n_files_done == 1;
}

/* Somebody else takes the room that was there. */
static void
fill_disk (Fixture *f)
{
  static const char zeros[4096];
  g_autofree char *path = g_build_filename (f->to, "filler", NULL);
  int fd = open (path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

  g_assert_cmpint (fd, >=, 0);
  while (write (fd, zeros, sizeof zeros) > 0)
    ;
  g_assert_cmpint (errno, ==, ENOSPC);
  close (fd);
}

static void
test_fills_up (void)
{
  Fixture f;

  if (!begin (&f, "size=8m"))
    return;
  f.config.window_bytes = 64 * 1024;
  fixture_add_file (&f, "small", 1000, 1);
  fixture_add_file (&f, "a", 7 * MIB, 1); /* more than ever waits for the disk */
  fixture_send (&f);
  FIXTURE_WAIT (&f, is_incoming_offered);
  als_transfer_accept (f.incoming);
  FIXTURE_WAIT (&f, is_one_saved);
  fill_disk (&f);
  FIXTURE_WAIT (&f, are_both_over);
  fixture_assert_failed (f.incoming, ALS_TRANSFER_ERROR_DISK_FULL);
  fixture_assert_failed (f.outgoing, ALS_TRANSFER_ERROR_PEER_DISK_FULL);
  fixture_assert_same (&f, "small", "small");
  g_assert_cmpuint (fixture_count_to (&f), ==, 2);
  end (&f);
}

static void
test_read_only (void)
{
  Fixture f;

  if (!begin (&f, "size=8m"))
    return;
  g_assert_cmpint (mount (NULL, f.to, NULL, MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV, NULL),
                   ==, 0);
  fixture_add_file (&f, "a", 10, 1);
  fixture_exchange (&f);
  fixture_assert_failed (f.incoming, ALS_TRANSFER_ERROR_WRITE);
  fixture_assert_failed (f.outgoing, ALS_TRANSFER_ERROR_PEER_WRITE);
  end (&f);
}

int
main (int argc, char **argv)
{
  enter_namespace ();
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/transfer/receiver/a-disk-without-room-is-seen-before", test_too_small);
  g_test_add_func ("/transfer/receiver/a-disk-that-fills-up-fails-and-is-tidied", test_fills_up);
  g_test_add_func ("/transfer/receiver/a-read-only-disk-fails", test_read_only);
  return g_test_run ();
}
