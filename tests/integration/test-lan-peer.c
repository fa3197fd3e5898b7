/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* test-lan-peer wait|join|meet-inviter|meet-joiner NUMBER: one side on a local
 * network. Says on standard output what happens, a JSON object a line; each side
 * greets the other when paired. Ends with its standard input. */

#include <glib-unix.h>
#include <stdio.h>
#include <stdlib.h>
#include "signal/als-lan-client.h"

static void
tell (const char *event, const char *format, ...) G_GNUC_PRINTF (2, 3);

/* FORMAT: more members, each with a comma in front. */
static void
tell (const char *event, const char *format, ...)
{
  va_list args;

  printf ("{\"event\": \"%s\", \"us\": %" G_GINT64_FORMAT, event, g_get_monotonic_time ());
  va_start (args, format);
  vprintf (format, args);
  va_end (args);
  printf ("}\n");
  fflush (stdout);
}

static void
paired_cb (AlsLanClient *client, gpointer user_data)
{
  g_autoptr (GBytes) hello = g_bytes_new_static ("hello", 5);

  tell ("paired", ", \"remote\": \"%s\"", als_lan_client_get_remote (client));
  g_assert_true (als_lan_client_send (client, hello));
}

static void
message_cb (AlsLanClient *client, GBytes *payload, gpointer user_data)
{
  tell ("message", ", \"bytes\": %zu", g_bytes_get_size (payload));
}

static void
unpaired_cb (AlsLanClient *client, guint reason, gpointer user_data)
{
  tell ("unpaired", ", \"reason\": %u", reason);
}

static void
failed_cb (AlsLanClient *client, GError *error, gpointer user_data)
{
  tell ("failed", ", \"code\": %d", error->code);
}

static gboolean
stdin_cb (int fd, GIOCondition condition, gpointer user_data)
{
  g_main_loop_quit (user_data);
  return G_SOURCE_REMOVE;
}

int
main (int argc, char **argv)
{
  g_autoptr (GMainLoop) loop = g_main_loop_new (NULL, FALSE);
  g_autoptr (AlsLanClient) client = als_lan_client_new (FALSE);
  uint8_t meeting[ALS_SIGNAL_MEETING_BYTES] = { 0 };
  guint number;

  g_log_writer_default_set_use_stderr (TRUE);
  g_assert_cmpint (argc, ==, 3);
  number = (guint) atoi (argv[2]);
  for (guint i = 0; i < 4; i++)
    meeting[i] = (uint8_t) (number >> (8 * i));
  g_signal_connect (client, "paired", G_CALLBACK (paired_cb), NULL);
  g_signal_connect (client, "message", G_CALLBACK (message_cb), NULL);
  g_signal_connect (client, "unpaired", G_CALLBACK (unpaired_cb), NULL);
  g_signal_connect (client, "failed", G_CALLBACK (failed_cb), NULL);
  g_unix_fd_add (0, G_IO_IN | G_IO_HUP, stdin_cb, loop);
  tell ("started", "%s", "");
  if (g_str_equal (argv[1], "wait"))
    als_lan_client_wait (client, number);
  else if (g_str_equal (argv[1], "join"))
    als_lan_client_join (client, number);
  else
    als_lan_client_meet (client, meeting, g_str_equal (argv[1], "meet-inviter"));
  g_main_loop_run (loop);
  als_lan_client_stop (client);
  /* The goodbye leaves with the loop's next turns. */
  for (int64_t until_us = g_get_monotonic_time () + 50000; g_get_monotonic_time () < until_us;)
    g_main_context_iteration (NULL, FALSE);
  return 0;
}
