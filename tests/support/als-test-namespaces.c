/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#include "als-test-namespaces.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

static int spaces[ALS_TEST_MAX_NAMESPACES] = { -1, -1, -1, -1 };
static char *refusal; /* why there are none; NULL if there are */

static gboolean
write_file (const char *path, const char *text)
{
  int fd = open (path, O_WRONLY | O_CLOEXEC);
  gboolean done = fd >= 0 && write (fd, text, strlen (text)) == (ssize_t) strlen (text);

  if (fd >= 0)
    close (fd);
  return done;
}

static gboolean
have_program (const char *name)
{
  g_autofree char *path = g_find_program_in_path (name);

  return path != NULL;
}

void
als_test_namespaces_open (guint n)
{
  g_autofree char *uid_map = g_strdup_printf ("0 %u 1", (guint) geteuid ());
  g_autofree char *gid_map = g_strdup_printf ("0 %u 1", (guint) getegid ());

  g_assert (n <= ALS_TEST_MAX_NAMESPACES);
  if (!have_program ("ip"))
    {
      refusal = g_strdup ("the program ip is missing");
      return;
    }
  if (unshare (CLONE_NEWUSER) < 0)
    {
      refusal = g_strdup_printf ("no user namespaces: %s", g_strerror (errno));
      return;
    }
  write_file ("/proc/self/setgroups", "deny");
  if (!write_file ("/proc/self/uid_map", uid_map) || !write_file ("/proc/self/gid_map", gid_map))
    {
      refusal = g_strdup ("no user namespaces: the maps are refused");
      return;
    }
  for (guint i = 0; i < n; i++)
    {
      if (unshare (CLONE_NEWNET) < 0)
        {
          refusal = g_strdup_printf ("no network namespaces: %s", g_strerror (errno));
          return;
        }
      spaces[i] = open ("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
      als_test_run ("ip link set lo up");
    }
  als_test_namespace_enter (0);
}

gboolean
als_test_namespaces_are_refused (void)
{
  return refusal != NULL;
}

gboolean
als_test_namespaces_skip (const char *program)
{
  g_autofree char *missing = NULL;

  if (refusal == NULL && program != NULL && !have_program (program))
    missing = g_strdup_printf ("the program %s is missing", program);
  if (refusal != NULL || missing != NULL)
    g_test_skip (refusal != NULL ? refusal : missing);
  return refusal != NULL || missing != NULL;
}

void
als_test_namespace_enter (guint index)
{
  g_assert_cmpint (setns (spaces[index], CLONE_NEWNET), ==, 0);
}

void
als_test_run (const char *format, ...)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *command = NULL;
  int status = 0;
  va_list args;

  va_start (args, format);
  command = g_strdup_vprintf (format, args);
  va_end (args);
  g_spawn_command_line_sync (command, NULL, NULL, &status, &error);
  g_assert_no_error (error);
  if (!g_spawn_check_wait_status (status, &error))
    g_error ("%s: %s", command, error->message);
}

void
als_test_namespaces_join (guint a, const char *name_a, guint b, const char *name_b)
{
  als_test_namespace_enter (a);
  als_test_run ("ip link add %s mtu 1500 type veth peer name %s mtu 1500", name_a, name_b);
  als_test_run ("ip link set %s netns /proc/%d/fd/%d", name_b, (int) getpid (), spaces[b]);
  als_test_run ("ip link set %s up", name_a);
  als_test_namespace_enter (b);
  als_test_run ("ip link set %s up", name_b);
}
