/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* The lock file is the server's: locked (flock) while it lives, its URIs
 * inside, a line each, the loopback one first. Apps only look. However many
 * start at once, one server gets the lock and the others end. */

#define G_LOG_DOMAIN "als-signal"

#include "config.h"

#include "signal/als-private-server.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/als-deadline-source.h"

#define PROGRAM "alongside-signald"
#define START_TIMEOUT_US (5 * G_USEC_PER_SEC)
#define LOOK_INTERVAL_US (20 * 1000)
#define MAX_TEXT_BYTES 4096
/* alongside-signald's exit code when another one holds the lock, or when an app just looked. */
#define EXIT_LOCKED 3

typedef struct
{
  gboolean listen;
  char *path;          /* of the lock file */
  GSubprocess *child;  /* (nullable): started by us */
  GSource *timer;
  int64_t deadline_us;
} Search;

static void
search_free (Search *self)
{
  if (self->timer != NULL)
    {
      g_source_destroy (self->timer);
      g_source_unref (self->timer);
    }
  g_clear_object (&self->child);
  g_free (self->path);
  g_free (self);
}

static gboolean
is_loopback (const char *line)
{
  g_autoptr (GUri) uri = g_uri_parse (line, G_URI_FLAGS_NONE, NULL);
  g_autoptr (GInetAddress) address = NULL;

  if (uri == NULL || g_uri_get_host (uri) == NULL)
    return FALSE;
  address = g_inet_address_new_from_string (g_uri_get_host (uri));
  return address != NULL && g_inet_address_get_is_loopback (address);
}

/* The first URI, or for LISTEN the first that others can use as well. */
static char *
choose_uri (const char *text, gboolean listen)
{
  g_auto (GStrv) lines = g_strsplit (text, "\n", -1);
  const char *chosen = NULL;

  for (guint i = 0; lines[i] != NULL; i++)
    {
      if (!g_str_has_prefix (lines[i], "ws://") && !g_str_has_prefix (lines[i], "wss://"))
        continue;
      if (chosen == NULL || (listen && is_loopback (chosen)))
        chosen = lines[i];
    }
  return g_strdup (chosen);
}

/* The URI of a living server; NULL if there is none or it has not written yet. */
static char *
look (Search *self)
{
  int fd = open (self->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  char text[MAX_TEXT_BYTES + 1];
  gboolean is_held;
  ssize_t len = 0;

  if (fd < 0)
    return NULL;
  is_held = flock (fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
  if (is_held)
    len = pread (fd, text, MAX_TEXT_BYTES, 0);
  close (fd);
  if (len <= 0)
    return NULL;
  text[len] = '\0';
  return choose_uri (text, self->listen);
}

static char *
find_program (void)
{
  const char *given = g_getenv ("ALONGSIDE_SIGNALD");
  g_autofree char *self = g_file_read_link ("/proc/self/exe", NULL);
  g_autofree char *folder = self != NULL ? g_path_get_dirname (self) : g_strdup (BINDIR);
  const char *const folders[] = { folder, ".." G_DIR_SEPARATOR_S "server", BINDIR, LIBEXECDIR };

  if (given != NULL && *given != '\0')
    return g_strdup (given);
  for (guint i = 0; i < G_N_ELEMENTS (folders); i++)
    {
      g_autofree char *path = g_path_is_absolute (folders[i])
                                ? g_build_filename (folders[i], PROGRAM, NULL)
                                : g_build_filename (folder, folders[i], PROGRAM, NULL);

      if (g_file_test (path, G_FILE_TEST_IS_EXECUTABLE))
        return g_steal_pointer (&path);
    }
  return NULL;
}

/* It is not to end with our terminal or our session. */
static void
child_setup (gpointer user_data)
{
  setsid ();
}

static gboolean
start_server (Search *self, GError **error)
{
  g_autofree char *program = find_program ();
  g_autoptr (GSubprocessLauncher) launcher = NULL;
  const char *argv[] = { program, "--private", "--lock-file", self->path, NULL, NULL, NULL };

  if (program == NULL)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND, "%s is not installed", PROGRAM);
      return FALSE;
    }
  if (self->listen)
    {
      argv[4] = "--listen";
      argv[5] = "0.0.0.0:0";
    }
  launcher = g_subprocess_launcher_new (G_SUBPROCESS_FLAGS_STDOUT_SILENCE
                                        | G_SUBPROCESS_FLAGS_STDERR_SILENCE);
  g_subprocess_launcher_set_cwd (launcher, "/");
  g_subprocess_launcher_set_child_setup (launcher, child_setup, NULL, NULL);
  g_clear_object (&self->child);
  self->child = g_subprocess_launcher_spawnv (launcher, argv, error);
  if (self->child != NULL)
    g_debug ("started %s", program);
  return self->child != NULL;
}

/* What there is to do while no server has been found. */
static gboolean
proceed (Search *self, GError **error)
{
  if (g_get_monotonic_time () >= self->deadline_us)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT, "%s did not start in time", PROGRAM);
      return FALSE;
    }
  /* Without an identifier it has ended. */
  if (self->child == NULL)
    return start_server (self, error);
  if (g_subprocess_get_identifier (self->child) != NULL)
    return TRUE;
  if (g_subprocess_get_if_exited (self->child)
      && g_subprocess_get_exit_status (self->child) == EXIT_LOCKED)
    {
      /* The one that holds the lock writes in a moment, or else it was only somebody looking. */
      g_clear_object (&self->child);
      return TRUE;
    }
  g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED, "%s ended at once", PROGRAM);
  return FALSE;
}

static gboolean
look_cb (gpointer user_data)
{
  g_autoptr (GTask) task = g_object_ref (user_data);
  Search *self = g_task_get_task_data (task);
  GError *error = NULL;
  char *uri = NULL;

  if (g_cancellable_set_error_if_cancelled (g_task_get_cancellable (task), &error)
      || (uri = look (self)) != NULL || !proceed (self, &error))
    {
      /* The source's reference; its destruction is the task data's. */
      g_object_unref (task);
      if (uri != NULL)
        g_task_return_pointer (task, uri, g_free);
      else
        g_task_return_error (task, error);
      return G_SOURCE_CONTINUE;
    }
  als_deadline_source_set (self->timer, g_get_monotonic_time () + LOOK_INTERVAL_US);
  return G_SOURCE_CONTINUE;
}

/* A folder that is ours alone, since who can write there chooses our server. */
static gboolean
make_folder (const char *folder, GError **error)
{
  struct stat status;

  if (g_mkdir_with_parents (folder, 0700) < 0 || lstat (folder, &status) < 0)
    {
      int code = errno;

      g_set_error (error, G_IO_ERROR, (int) g_io_error_from_errno (code), "%s: %s", folder,
                   g_strerror (code));
      return FALSE;
    }
  if (!S_ISDIR (status.st_mode) || status.st_uid != geteuid ()
      || ((status.st_mode & 077) != 0 && chmod (folder, 0700) < 0))
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_PERMISSION_DENIED, "%s is not ours alone", folder);
      return FALSE;
    }
  return TRUE;
}

void
als_private_server_find_async (gboolean listen, GCancellable *cancellable,
                               GAsyncReadyCallback callback, gpointer user_data)
{
  g_autoptr (GTask) task = g_task_new (NULL, cancellable, callback, user_data);
  g_autofree char *folder = g_build_filename (g_get_user_runtime_dir (), "alongside", NULL);
  Search *self = g_new0 (Search, 1);
  GError *error = NULL;

  g_task_set_source_tag (task, als_private_server_find_async);
  g_task_set_task_data (task, self, (GDestroyNotify) search_free);
  self->listen = listen;
  self->path = g_build_filename (folder, "signald.lock", NULL);
  self->deadline_us = g_get_monotonic_time () + START_TIMEOUT_US;
  if (!make_folder (folder, &error))
    {
      g_task_return_error (task, error);
      return;
    }
  self->timer = als_deadline_source_new (g_task_get_context (task), "als-private-server", look_cb,
                                         g_object_ref (task));
  als_deadline_source_set (self->timer, 0);
}

char *
als_private_server_find_finish (GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, NULL), NULL);
  return g_task_propagate_pointer (G_TASK (result), error);
}
