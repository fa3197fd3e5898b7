/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Reading the files of an offer. One file is open at a time; whether it is
 * still what was offered is asked after every block. */

#include "config.h"

#include "transfer/als-file-source.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "transfer/als-file-hash.h"
#include "transfer/als-safe-name.h"
#include "transfer/als-transfer.h"

typedef struct
{
  char *path;
  struct stat seen; /* when it was offered */
} SourceFile;

struct _AlsFileSource
{
  gatomicrefcount refs;
  GPtrArray *entries;
  GArray *files;      /* of SourceFile */
  guint open_file;    /* which one FD is of; worker thread */
  int fd;             /* -1: none; worker thread */
};

static void
clear_file (gpointer data)
{
  g_free (((SourceFile *) data)->path);
}

static void
close_file (AlsFileSource *self)
{
  if (self->fd >= 0)
    close (self->fd);
  self->fd = -1;
}

AlsFileSource *
als_file_source_ref (AlsFileSource *self)
{
  g_atomic_ref_count_inc (&self->refs);
  return self;
}

void
als_file_source_unref (AlsFileSource *self)
{
  if (!g_atomic_ref_count_dec (&self->refs))
    return;
  close_file (self);
  g_array_unref (self->files);
  g_ptr_array_unref (self->entries);
  g_free (self);
}

GPtrArray *
als_file_source_get_entries (AlsFileSource *self)
{
  return self->entries;
}

static gboolean G_GNUC_PRINTF (2, 3)
fail_read (GError **error, const char *format, ...)
{
  va_list args;

  va_start (args, format);
  if (error != NULL)
    *error = g_error_new_valist (ALS_TRANSFER_ERROR, ALS_TRANSFER_ERROR_READ, format, args);
  va_end (args);
  return FALSE;
}

/* Never waits: what is no regular file is opened without blocking and let go. */
static int
open_regular (const char *path, const char *name, struct stat *seen, GError **error)
{
  int fd = open (path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  int saved_errno = errno;

  if (fd < 0 && (saved_errno == ENOENT || saved_errno == ENOTDIR))
    fail_read (error, "“%s” is not there any more", name);
  else if (fd < 0 && (saved_errno == EACCES || saved_errno == EPERM))
    fail_read (error, "“%s” may not be read", name);
  else if (fd < 0 || fstat (fd, seen) < 0)
    fail_read (error, "“%s” cannot be read: %s", name, g_strerror (fd < 0 ? saved_errno : errno));
  else if (S_ISDIR (seen->st_mode))
    fail_read (error, "“%s” is a folder", name);
  else if (!S_ISREG (seen->st_mode))
    fail_read (error, "“%s” is not an ordinary file", name);
  else
    return fd;
  if (fd >= 0)
    close (fd);
  return -1;
}

char *
als_file_source_dup_name (GFile *file)
{
  g_autofree char *base = g_file_get_basename (file);
  g_autofree char *display = base != NULL ? g_filename_display_name (base) : NULL;

  return als_safe_name_new (display != NULL ? display : "");
}

static gboolean
add_file (AlsFileSource *self, GFile *file, GError **error)
{
  g_autofree char *name = als_file_source_dup_name (file);
  SourceFile source = { .path = g_file_get_path (file) };
  int fd;

  if (source.path == NULL)
    return fail_read (error, "“%s” is not on this computer", name);
  g_array_append_val (self->files, source);
  fd = open_regular (source.path, name, &source.seen, error);
  if (fd < 0)
    return FALSE;
  close (fd);
  g_array_index (self->files, SourceFile, self->files->len - 1).seen = source.seen;
  if ((uint64_t) source.seen.st_size > ALS_FILE_MAX_SIZE)
    return fail_read (error, "“%s” is too large to send", name);
  g_ptr_array_add (self->entries,
                   als_file_entry_new (name, (uint64_t) source.seen.st_size,
                                       (int64_t) source.seen.st_mtim.tv_sec * G_USEC_PER_SEC
                                         + source.seen.st_mtim.tv_nsec / 1000));
  return TRUE;
}

AlsFileSource *
als_file_source_new (GPtrArray *files, GError **error)
{
  g_autoptr (AlsFileSource) self = g_new0 (AlsFileSource, 1);

  g_atomic_ref_count_init (&self->refs);
  self->fd = -1;
  self->entries = g_ptr_array_new_with_free_func ((GDestroyNotify) als_file_entry_free);
  self->files = g_array_new (FALSE, TRUE, sizeof (SourceFile));
  g_array_set_clear_func (self->files, clear_file);
  if (files->len == 0)
    {
      fail_read (error, "there is no file to send");
      return NULL;
    }
  if (files->len > ALS_FILE_MAX_FILES)
    {
      fail_read (error, "%u files are too many: %d can be sent at once", files->len,
                 ALS_FILE_MAX_FILES);
      return NULL;
    }
  for (guint i = 0; i < files->len; i++)
    if (!add_file (self, g_ptr_array_index (files, i), error))
      return NULL;
  return g_steal_pointer (&self);
}

static gboolean
is_same (const struct stat *a, const struct stat *b)
{
  return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size
         && a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static gboolean
switch_to (AlsFileSource *self, guint file, GError **error)
{
  const AlsFileEntry *entry = g_ptr_array_index (self->entries, file);
  const SourceFile *source = &g_array_index (self->files, SourceFile, file);
  struct stat now;

  if (self->fd >= 0 && self->open_file == file)
    return TRUE;
  close_file (self);
  self->fd = open_regular (source->path, entry->name, &now, error);
  if (self->fd < 0)
    return FALSE;
  self->open_file = file;
  posix_fadvise (self->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
  return TRUE;
}

static gboolean
is_unchanged (AlsFileSource *self, guint file)
{
  struct stat now;

  return fstat (self->fd, &now) == 0
         && is_same (&now, &g_array_index (self->files, SourceFile, file).seen);
}

GBytes *
als_file_source_read (AlsFileSource *self, guint file, uint32_t index, GError **error)
{
  const AlsFileEntry *entry = g_ptr_array_index (self->entries, file);
  size_t len = als_file_block_bytes (entry->size, index);
  g_autofree uint8_t *data = NULL;
  size_t have = 0;

  if (!switch_to (self, file, error))
    return NULL;
  data = g_malloc (MAX (len, 1));
  while (have < len)
    {
      ssize_t n = pread (self->fd, data + have, len - have,
                         (off_t) ((uint64_t) index * ALS_FILE_BLOCK_BYTES + have));

      if (n < 0 && errno == EINTR)
        continue;
      if (n < 0)
        {
          fail_read (error, "“%s” cannot be read: %s", entry->name, g_strerror (errno));
          return NULL;
        }
      if (n == 0)
        break;
      have += (size_t) n;
    }
  if (have < len || !is_unchanged (self, file))
    {
      fail_read (error, "“%s” changed while it was being sent", entry->name);
      return NULL;
    }
  return g_bytes_new_take (g_steal_pointer (&data), len);
}
