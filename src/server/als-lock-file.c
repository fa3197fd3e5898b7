/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* The file stays where it is, since a lock belongs to what was opened and not to
 * a name. It is written with one call, beginning and end, so a reader who finds
 * text finds all of it. */

#define G_LOG_DOMAIN "als-server"
#include "config.h"

#include "server/als-lock-file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

struct _AlsLockFile
{
  int fd;
};

static void
set_error (GError **error, const char *doing, const char *path)
{
  int code = errno;

  g_set_error (error, G_IO_ERROR,
               code == EWOULDBLOCK ? G_IO_ERROR_BUSY : g_io_error_from_errno (code),
               "cannot %s %s: %s", doing, path, g_strerror (code));
}

AlsLockFile *
als_lock_file_take (const char *path, GError **error)
{
  AlsLockFile *self;
  int fd = open (path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

  if (fd < 0)
    {
      set_error (error, "open", path);
      return NULL;
    }
  if (flock (fd, LOCK_EX | LOCK_NB) < 0)
    {
      set_error (error, "lock", path);
      close (fd);
      return NULL;
    }
  if (fchmod (fd, 0600) < 0 || ftruncate (fd, 0) < 0)
    {
      set_error (error, "empty", path);
      close (fd);
      return NULL;
    }
  self = g_new0 (AlsLockFile, 1);
  self->fd = fd;
  return self;
}

gboolean
als_lock_file_write (AlsLockFile *self, const char *text, GError **error)
{
  size_t len = strlen (text);

  if (pwrite (self->fd, text, len, 0) == (ssize_t)len)
    return TRUE;
  set_error (error, "write", "the lock file");
  return FALSE;
}

void
als_lock_file_release (AlsLockFile *self)
{
  if (self == NULL)
    return;
  /* It can only fail where nothing can be done about it: readers find nobody listening then. */
  if (ftruncate (self->fd, 0) < 0)
    g_debug ("the lock file keeps its text: %s", g_strerror (errno));
  close (self->fd);
  g_free (self);
}
