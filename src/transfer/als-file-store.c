/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Writing received files. All names are single components below one open folder. */

#include "config.h"

#include "transfer/als-file-store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "transfer/als-file-hash.h"
#include "transfer/als-safe-name.h"
#include "transfer/als-transfer.h"

#define MAX_NAME_TRIES 10000
#define MAX_PART_TRIES 100

typedef struct
{
  char *name;      /* safe */
  char *part;      /* its name while there is one; guarded by lock */
  dev_t device;    /* which file that was when we made it; worker thread */
  ino_t inode;
  int close_errno; /* what the disk said late; worker thread */
} StoreFile;

struct _AlsFileStore
{
  gatomicrefcount refs;
  int folder_fd;
  GArray *files;      /* of StoreFile */
  int fd;             /* of one of them, -1: of none: a thousand files in hand do not take a
                       * thousand descriptors; worker thread */
  guint fd_file;
  GMutex lock;        /* held while a name appears, changes or goes */
  gboolean abandoned; /* guarded by lock */
};

static void
clear_file (gpointer data)
{
  StoreFile *file = data;

  g_free (file->name);
  g_free (file->part);
}

AlsFileStore *
als_file_store_ref (AlsFileStore *self)
{
  g_atomic_ref_count_inc (&self->refs);
  return self;
}

void
als_file_store_unref (AlsFileStore *self)
{
  if (!g_atomic_ref_count_dec (&self->refs))
    return;
  if (self->folder_fd >= 0)
    als_file_store_abandon (self);
  if (self->fd >= 0)
    close (self->fd);
  g_array_unref (self->files);
  if (self->folder_fd >= 0)
    close (self->folder_fd);
  g_mutex_clear (&self->lock);
  g_free (self);
}

static void
set_write_error (GError **error, int saved_errno, const char *what)
{
  if (saved_errno == ENOSPC || saved_errno == EDQUOT)
    g_set_error (error, ALS_TRANSFER_ERROR, ALS_TRANSFER_ERROR_DISK_FULL,
                 "no room to save “%s”: %s", what, g_strerror (saved_errno));
  else
    g_set_error (error, ALS_TRANSFER_ERROR, ALS_TRANSFER_ERROR_WRITE, "“%s” cannot be saved: %s",
                 what, g_strerror (saved_errno));
}

static void
set_abandoned (GError **error)
{
  g_set_error (error, ALS_TRANSFER_ERROR, ALS_TRANSFER_ERROR_CANCELLED, "the transfer is over");
}

/* What a new file of ours may be read by once it is whole: umask () itself can only be asked by
 * changing it under other threads. */
static mode_t
final_mode (void)
{
  g_autofree char *status = NULL;
  const char *line;
  guint mask;

  if (g_file_get_contents ("/proc/self/status", &status, NULL, NULL)
      && (line = strstr (status, "\nUmask:")) != NULL && sscanf (line, "\nUmask: %o", &mask) == 1)
    return 0666 & ~(mode_t) mask;
  return 0600;
}

static gboolean
has_room (AlsFileStore *self, const char *folder, GPtrArray *entries, GError **error)
{
  struct statvfs vfs;
  uint64_t wanted = 0, room;

  for (guint i = 0; i < entries->len; i++)
    wanted += ((const AlsFileEntry *) g_ptr_array_index (entries, i))->size;
  /* Some file systems cannot tell. */
  if (fstatvfs (self->folder_fd, &vfs) < 0 || vfs.f_blocks == 0)
    return TRUE;
  room = (uint64_t) vfs.f_bavail * vfs.f_frsize;
  if (wanted <= room)
    return TRUE;
  g_set_error (error, ALS_TRANSFER_ERROR, ALS_TRANSFER_ERROR_DISK_FULL,
               "no room for %" G_GUINT64_FORMAT " bytes in “%s”: %" G_GUINT64_FORMAT " are free",
               wanted, folder, room);
  return FALSE;
}

AlsFileStore *
als_file_store_new (const char *folder, GPtrArray *entries, GError **error)
{
  g_autoptr (AlsFileStore) self = g_new0 (AlsFileStore, 1);
  g_autofree char *name = g_filename_display_name (folder);

  g_atomic_ref_count_init (&self->refs);
  g_mutex_init (&self->lock);
  self->fd = -1;
  self->files = g_array_new (FALSE, TRUE, sizeof (StoreFile));
  g_array_set_clear_func (self->files, clear_file);
  for (guint i = 0; i < entries->len; i++)
    {
      const AlsFileEntry *entry = g_ptr_array_index (entries, i);
      StoreFile file = { .name = g_strdup (entry->name) };

      g_array_append_val (self->files, file);
    }
  self->folder_fd = open (folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (self->folder_fd < 0 && errno == ENOENT && g_mkdir_with_parents (folder, 0777) == 0)
    self->folder_fd = open (folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (self->folder_fd < 0)
    {
      set_write_error (error, errno, name);
      return NULL;
    }
  if (!has_room (self, name, entries, error))
    return NULL;
  return g_steal_pointer (&self);
}

static void
close_fd (AlsFileStore *self)
{
  if (self->fd >= 0 && close (self->fd) < 0 && errno != EINTR)
    g_array_index (self->files, StoreFile, self->fd_file).close_errno = errno;
  self->fd = -1;
}

/* With the lock held. */
static int
create_part (AlsFileStore *self, StoreFile *file)
{
  static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789";
  int fd = -1;

  for (guint i = 0; fd < 0 && i < MAX_PART_TRIES; i++)
    {
      g_autofree char *part = NULL;
      struct stat made;
      char tag[7] = "";

      for (guint k = 0; k < sizeof tag - 1; k++)
        tag[k] = letters[g_random_int_range (0, sizeof letters - 1)];
      part = als_safe_name_part (file->name, tag);
      fd = openat (self->folder_fd, part,
                   O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
      if (fd < 0 && errno != EEXIST)
        break;
      if (fd >= 0 && fstat (fd, &made) == 0)
        {
          file->part = g_steal_pointer (&part);
          file->device = made.st_dev;
          file->inode = made.st_ino;
        }
    }
  return fd;
}

/* With the lock held. Somebody else's file under our name is not touched. */
static int
reopen_part (AlsFileStore *self, StoreFile *file)
{
  int fd = openat (self->folder_fd, file->part, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
  struct stat now;

  if (fd < 0)
    return -1;
  if (fstat (fd, &now) == 0 && now.st_dev == file->device && now.st_ino == file->inode)
    return fd;
  close (fd);
  errno = ESTALE;
  return -1;
}

static gboolean
switch_to (AlsFileStore *self, guint index, GError **error)
{
  StoreFile *file = &g_array_index (self->files, StoreFile, index);
  gboolean abandoned;
  int saved_errno;

  if (self->fd >= 0 && self->fd_file == index)
    return TRUE;
  close_fd (self);
  g_mutex_lock (&self->lock);
  abandoned = self->abandoned;
  if (!abandoned)
    self->fd = file->part != NULL ? reopen_part (self, file) : create_part (self, file);
  saved_errno = errno;
  g_mutex_unlock (&self->lock);
  self->fd_file = index;
  if (abandoned)
    set_abandoned (error);
  else if (self->fd < 0)
    set_write_error (error, saved_errno, file->name);
  return self->fd >= 0;
}

gboolean
als_file_store_write (AlsFileStore *self, guint index, uint32_t block, GBytes *bytes,
                      GError **error)
{
  StoreFile *file = &g_array_index (self->files, StoreFile, index);
  size_t len, done = 0;
  const uint8_t *data = g_bytes_get_data (bytes, &len);

  if (!switch_to (self, index, error))
    return FALSE;
  while (done < len)
    {
      ssize_t n = pwrite (self->fd, data + done, len - done,
                          (off_t) ((uint64_t) block * ALS_FILE_BLOCK_BYTES + done));

      if (n < 0 && errno == EINTR)
        continue;
      if (n <= 0)
        {
          set_write_error (error, n < 0 ? errno : EIO, file->name);
          return FALSE;
        }
      done += (size_t) n;
    }
  return TRUE;
}

/* Where renameat2 () cannot promise not to overwrite: an empty file of ours takes the name
 * first; only that is replaced. */
static int
rename_over_own (int folder_fd, const char *from, const char *to)
{
  int fd = openat (folder_fd, to, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  int saved_errno;

  if (fd < 0)
    return -1;
  close (fd);
  if (renameat (folder_fd, from, folder_fd, to) == 0)
    return 0;
  saved_errno = errno;
  unlinkat (folder_fd, to, 0);
  errno = saved_errno;
  return -1;
}

static int
rename_to_new (int folder_fd, const char *from, const char *to)
{
  if (renameat2 (folder_fd, from, folder_fd, to, RENAME_NOREPLACE) == 0)
    return 0;
  if (errno == EINVAL || errno == ENOSYS || errno == EOPNOTSUPP)
    return rename_over_own (folder_fd, from, to);
  return -1;
}

/* With the lock held. */
static char *
take_name (AlsFileStore *self, StoreFile *file, int *saved_errno)
{
  for (guint n = 1; n <= MAX_NAME_TRIES; n++)
    {
      g_autofree char *name
        = n == 1 ? g_strdup (file->name) : als_safe_name_numbered (file->name, n);

      if (rename_to_new (self->folder_fd, file->part, name) == 0)
        {
          g_clear_pointer (&file->part, g_free);
          return g_steal_pointer (&name);
        }
      *saved_errno = errno;
      if (*saved_errno != EEXIST)
        break;
    }
  return NULL;
}

char *
als_file_store_save (AlsFileStore *self, guint index, GError **error)
{
  StoreFile *file = &g_array_index (self->files, StoreFile, index);
  g_autofree char *name = NULL;
  gboolean abandoned;
  int saved_errno;

  if (!switch_to (self, index, error))
    return NULL;
  /* Some file systems know no modes; a quota or a network disk may complain as late as here. */
  (void) fchmod (self->fd, final_mode ());
  close_fd (self);
  saved_errno = file->close_errno;
  g_mutex_lock (&self->lock);
  abandoned = self->abandoned;
  if (!abandoned && saved_errno == 0)
    name = take_name (self, file, &saved_errno);
  g_mutex_unlock (&self->lock);
  if (abandoned)
    set_abandoned (error);
  else if (name == NULL)
    set_write_error (error, saved_errno, file->name);
  return g_steal_pointer (&name);
}

void
als_file_store_abandon (AlsFileStore *self)
{
  g_mutex_lock (&self->lock);
  self->abandoned = TRUE;
  for (guint i = 0; i < self->files->len; i++)
    {
      StoreFile *file = &g_array_index (self->files, StoreFile, i);

      if (file->part != NULL && unlinkat (self->folder_fd, file->part, 0) < 0 && errno != ENOENT)
        g_warning ("cannot remove a part of a file: %s", g_strerror (errno));
      g_clear_pointer (&file->part, g_free);
    }
  g_mutex_unlock (&self->lock);
}
