/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* One half of a punched path as a program, for test_punch.py: what it says goes
 * to standard output, what it is told comes from standard input, and the
 * network is the one it was started in.
 *
 *   out:  message HEX
 *         connected REMOTE dialled|came-in lan|internet
 *         proved MS            the other side's word came over a connection, so long after the start
 *         speed BYTES MS       of `send`: echoed by the other side
 *         report TRIES RESETS STRANGERS
 *         failed PROBLEM
 *   in:   message HEX · settle · report */

#include <gio/gio.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "path/als-network-watch.h"
#include "path/punch/als-punch-path.h"

static const char word[] = "is it you?";

static AlsPath *path;
static GPtrArray *carriers;
static int64_t start_us;
static int is_proved; /* atomic */

static gboolean inviter, udp, loopback;
static char **servers;
static int local_port;
static int64_t mark_ms, mark_step_ms = 10000;

static const GOptionEntry options[] = {
  { "inviter", 0, 0, G_OPTION_ARG_NONE, &inviter, "says GO", NULL },
  { "udp", 0, 0, G_OPTION_ARG_NONE, &udp, "the birthday punch", NULL },
  { "loopback", 0, 0, G_OPTION_ARG_NONE, &loopback, "127.0.0.1 only", NULL },
  { "server", 0, 0, G_OPTION_ARG_STRING_ARRAY, &servers, "STUN server, port 3478", "ADDRESS" },
  { "port", 0, 0, G_OPTION_ARG_INT, &local_port, "local port", "PORT" },
  { "mark", 0, 0, G_OPTION_ARG_INT64, &mark_ms, "first mark, ms from the start", "MS" },
  { "mark-step", 0, 0, G_OPTION_ARG_INT64, &mark_step_ms, "ms from mark to mark", "MS" },
  { NULL },
};

static void
say (const char *format, ...)
{
  g_autofree char *line = NULL;
  va_list args;

  va_start (args, format);
  line = g_strdup_vprintf (format, args);
  va_end (args);
  printf ("%s\n", line);
  fflush (stdout);
}

static gboolean
proved_cb (gpointer user_data)
{
  say ("proved %d", GPOINTER_TO_INT (user_data));
  return G_SOURCE_REMOVE;
}

/* In the carrier's thread. */
static void
received_cb (AlsCarrier *carrier, const uint8_t *data, size_t len, gpointer user_data)
{
  AlsPacket packet = { (const uint8_t *) word, strlen (word) };

  if (len < strlen (word) || memcmp (data, word, strlen (word)) != 0)
    {
      g_autoptr (AlsCarrier) keep = g_object_ref (carrier);

      als_carrier_close (keep);
      return;
    }
  if (!g_atomic_int_compare_and_exchange (&is_proved, 0, 1))
    return;
  g_idle_add (proved_cb, GINT_TO_POINTER ((int) ((g_get_monotonic_time () - start_us) / 1000)));
  /* Whoever spoke first gets an answer; a second word does no harm. */
  als_carrier_send (carrier, &packet, 1);
}

static const AlsCarrierEvents events = { received_cb, NULL, NULL };

static gboolean
listen_cb (gpointer user_data)
{
  AlsCarrier *carrier = user_data;
  AlsPacket packet = { (const uint8_t *) word, strlen (word) };

  als_carrier_set_events (carrier, &events, NULL);
  if (als_carrier_is_initiated (carrier)
      || als_carrier_get_carrier_type (carrier) == ALS_CARRIER_DATAGRAMS)
    als_carrier_send (carrier, &packet, 1);
  return G_SOURCE_REMOVE;
}

static void
connected_cb (AlsPath *from, AlsCarrier *carrier, gpointer user_data)
{
  g_autoptr (GSource) source = g_idle_source_new ();

  say ("connected %s %s %s", als_carrier_get_remote (carrier),
       als_carrier_is_initiated (carrier) ? "dialled" : "came-in",
       als_carrier_is_lan (carrier) ? "lan" : "internet");
  g_ptr_array_add (carriers, g_object_ref (carrier));
  g_source_set_priority (source, G_PRIORITY_DEFAULT);
  g_source_set_callback (source, listen_cb, g_object_ref (carrier), g_object_unref);
  g_source_attach (source, als_carrier_get_context (carrier));
}

static void
failed_cb (AlsPath *from, GError *error, gpointer user_data)
{
  say ("failed %s", als_path_problem_to_string (error->code));
}

static void
local_message_cb (AlsPath *from, GBytes *message, gpointer user_data)
{
  g_autoptr (GString) hex = g_string_new (NULL);
  const uint8_t *data = g_bytes_get_data (message, NULL);

  for (size_t i = 0; i < g_bytes_get_size (message); i++)
    g_string_append_printf (hex, "%02x", data[i]);
  say ("message %s", hex->str);
}

static void
take_message (const char *hex)
{
  g_autoptr (GByteArray) bytes = g_byte_array_new ();

  for (; g_ascii_isxdigit (hex[0]) && g_ascii_isxdigit (hex[1]); hex += 2)
    {
      uint8_t byte = (uint8_t) (g_ascii_xdigit_value (hex[0]) << 4 | g_ascii_xdigit_value (hex[1]));

      g_byte_array_append (bytes, &byte, 1);
    }
  als_path_remote_message (path, bytes->data, bytes->len);
}

static void
report (void)
{
  AlsPathReport figures;

  als_path_get_report (path, &figures);
  say ("report %u %u %u", figures.tries, figures.resets, figures.strangers);
}

static gboolean
command_cb (GIOChannel *channel, GIOCondition condition, gpointer user_data)
{
  g_autofree char *line = NULL;

  if (g_io_channel_read_line (channel, &line, NULL, NULL, NULL) != G_IO_STATUS_NORMAL)
    {
      g_main_loop_quit (user_data);
      return G_SOURCE_REMOVE;
    }
  if (g_str_has_prefix (line, "message "))
    take_message (line + strlen ("message "));
  else if (g_str_has_prefix (line, "settle"))
    als_path_settle (path);
  else if (g_str_has_prefix (line, "report"))
    report ();
  return G_SOURCE_CONTINUE;
}

int
main (int argc, char **argv)
{
  g_autoptr (GOptionContext) context = g_option_context_new (NULL);
  g_autoptr (GMainLoop) loop = g_main_loop_new (NULL, FALSE);
  g_autoptr (GIOChannel) input = g_io_channel_unix_new (STDIN_FILENO);
  g_autoptr (GPtrArray) list = g_ptr_array_new_with_free_func ((GDestroyNotify) als_path_server_free);
  g_autoptr (GError) error = NULL;
  AlsTurnPoolConfig pool_config = { .servers = list };
  AlsPunchPathConfig config = { .servers = list };
  g_autoptr (AlsTurnPool) pool = NULL;

  g_option_context_add_main_entries (context, options, NULL);
  if (!g_option_context_parse (context, &argc, &argv, &error))
    g_error ("%s", error->message);
  for (guint i = 0; servers != NULL && servers[i] != NULL; i++)
    g_ptr_array_add (list, als_path_server_new (ALS_PATH_SERVER_STUN, servers[i], 3478, NULL, NULL));
  pool_config.loopback = loopback;
  pool_config.local_port = (uint16_t) local_port;
  start_us = g_get_monotonic_time ();
  if (!udp)
    {
      pool = als_turn_pool_new (&pool_config);
      als_turn_pool_start (pool);
    }
  config.is_inviter = inviter;
  config.is_udp = udp;
  config.loopback = loopback;
  config.pool = pool;
  config.mark_us = mark_ms != 0 ? start_us + mark_ms * 1000 : 0;
  config.mark_step_us = mark_step_ms * 1000;
  carriers = g_ptr_array_new_with_free_func (g_object_unref);
  path = als_punch_path_new (&config);
  g_signal_connect (path, "local-message", G_CALLBACK (local_message_cb), NULL);
  g_signal_connect (path, "connected", G_CALLBACK (connected_cb), NULL);
  g_signal_connect (path, "failed", G_CALLBACK (failed_cb), NULL);
  g_io_add_watch (input, G_IO_IN | G_IO_HUP, command_cb, loop);
  als_path_start (path);
  g_main_loop_run (loop);
  als_path_close (path);
  g_object_unref (path);
  if (pool != NULL)
    als_turn_pool_close (pool);
  g_ptr_array_unref (carriers);
  g_strfreev (servers);
  return 0;
}
