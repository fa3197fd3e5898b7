/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#include "support/als-test-server.h"

#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>

struct _AlsTestServer
{
  GSubprocess *process;
  char *config_file; /* (nullable) */
  char *log_file;
  char *log;
  uint16_t port;
  gboolean ended;
};

static char *
make_file (const char *text)
{
  g_autoptr (GError) error = NULL;
  char *path = NULL;
  int fd = g_file_open_tmp ("als-test-server-XXXXXX", &path, &error);

  g_assert_no_error (error);
  g_close (fd, NULL);
  g_file_set_contents (path, text, -1, &error);
  g_assert_no_error (error);
  return path;
}

static GPtrArray *
make_argv (const char *const *args)
{
  GPtrArray *argv = g_ptr_array_new_with_free_func (g_free);
  const char *program = g_getenv ("ALS_SIGNALD");

  g_assert_nonnull (program);
  g_ptr_array_add (argv, g_strdup (program));
  for (guint i = 0; args != NULL && args[i] != NULL; i++)
    g_ptr_array_add (argv, g_strdup (args[i]));
  return argv;
}

/* A test that fails takes its server along. */
static void
die_with_parent (gpointer user_data)
{
  prctl (PR_SET_PDEATHSIG, SIGTERM);
}

AlsTestServer *
als_test_server_start (const char *config, const char *const *args)
{
  AlsTestServer *self = g_new0 (AlsTestServer, 1);
  g_autoptr (GSubprocessLauncher) launcher
      = g_subprocess_launcher_new (G_SUBPROCESS_FLAGS_STDOUT_PIPE);
  g_autoptr (GPtrArray) argv = make_argv (args);
  g_autoptr (GDataInputStream) out = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree char *line = NULL;

  self->log_file = make_file ("");
  g_subprocess_launcher_set_child_setup (launcher, die_with_parent, NULL, NULL);
  g_subprocess_launcher_set_stderr_file_path (launcher, self->log_file);
  if (config != NULL)
    {
      self->config_file = make_file (config);
      g_ptr_array_add (argv, g_strdup ("--config"));
      g_ptr_array_add (argv, g_strdup (self->config_file));
    }
  if (args == NULL || !g_strv_contains (args, "--private"))
    {
      g_ptr_array_add (argv, g_strdup ("--listen"));
      g_ptr_array_add (argv, g_strdup ("127.0.0.1:0"));
    }
  g_ptr_array_add (argv, g_strdup ("--print-address"));
  g_ptr_array_add (argv, NULL);
  self->process = g_subprocess_launcher_spawnv (launcher, (const char *const *)argv->pdata, &error);
  g_assert_no_error (error);
  out = g_data_input_stream_new (g_subprocess_get_stdout_pipe (self->process));
  line = g_data_input_stream_read_line (out, NULL, NULL, &error);
  g_assert_no_error (error);
  g_assert_nonnull (line);
  g_assert_true (g_str_has_prefix (line, "listening 127.0.0.1:"));
  self->port = (uint16_t)g_ascii_strtoull (line + strlen ("listening 127.0.0.1:"), NULL, 10);
  g_assert_cmpuint (self->port, !=, 0);
  return self;
}

uint16_t
als_test_server_get_port (AlsTestServer *self)
{
  return self->port;
}

char *
als_test_server_make_uri (AlsTestServer *self)
{
  return g_strdup_printf ("ws://127.0.0.1:%u", self->port);
}

void
als_test_server_signal (AlsTestServer *self, int number)
{
  g_subprocess_send_signal (self->process, number);
}

int
als_test_server_wait (AlsTestServer *self)
{
  g_autoptr (GError) error = NULL;

  g_subprocess_wait (self->process, NULL, &error);
  g_assert_no_error (error);
  self->ended = TRUE;
  g_file_get_contents (self->log_file, &self->log, NULL, &error);
  g_assert_no_error (error);
  return g_subprocess_get_if_exited (self->process) ? g_subprocess_get_exit_status (self->process)
                                                    : -1;
}

const char *
als_test_server_get_log (AlsTestServer *self)
{
  return self->log;
}

void
als_test_server_free (AlsTestServer *self)
{
  if (self == NULL)
    return;
  if (!self->ended)
    {
      int code;

      als_test_server_signal (self, SIGTERM);
      code = als_test_server_wait (self);
      if (code != 0)
        g_error ("the server ended with %d: %s", code, self->log);
    }
  g_unlink (self->log_file);
  if (self->config_file != NULL)
    g_unlink (self->config_file);
  g_object_unref (self->process);
  g_free (self->config_file);
  g_free (self->log_file);
  g_free (self->log);
  g_free (self);
}

int
als_test_server_run (const char *const *args, char **log)
{
  g_autoptr (GPtrArray) argv = make_argv (args);
  g_autoptr (GSubprocess) process = NULL;
  g_autoptr (GError) error = NULL;

  g_ptr_array_add (argv, NULL);
  process = g_subprocess_newv ((const char *const *)argv->pdata, G_SUBPROCESS_FLAGS_STDERR_PIPE,
                               &error);
  g_assert_no_error (error);
  g_subprocess_communicate_utf8 (process, NULL, NULL, NULL, log, &error);
  g_assert_no_error (error);
  return g_subprocess_get_if_exited (process) ? g_subprocess_get_exit_status (process) : -1;
}
