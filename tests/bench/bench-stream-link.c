/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* What a link over TCP carries, from engine to engine: carrier, thread, sealing and hosts
 * included, and with "session" a session's channel too; disks not.
 *
 *   bench-stream-link listen PORT [session]
 *   bench-stream-link connect ADDRESS PORT SECONDS [session]
 *
 * Prints Mbit/s of frames and CPU at the sender. */

#include <gio/gio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/als-deadline-source.h"
#include "crypto/als-crypto.h"
#include "path/als-stream-carrier.h"
#include "session/als-session.h"
#include "transport/als-link-host.h"

typedef struct
{
  AlsLink *link;
  gboolean sends, ready, closed;
  uint64_t given, got;

  AlsSession *session;   /* NULL: frames go to the link as they are */
  GSource *poll_source;
  AlsChannel *channel;
} End;

static void
give (End *end)
{
  static const uint8_t frame[ALS_FRAME_MAX];

  while (end->sends && als_link_send_frame (end->link, ALS_LANE_BULK, frame, sizeof frame))
    end->given += sizeof frame;
}

static void
ready_cb (AlsLink *link, gpointer user_data)
{
  ((End *) user_data)->ready = TRUE;
  give (user_data);
}

static void
frame_cb (AlsLink *link, AlsLane lane, const uint8_t *data, size_t len, gpointer user_data)
{
  ((End *) user_data)->got += len;
}

static void
room_cb (AlsLink *link, gpointer user_data)
{
  give (user_data);
}

static void
closed_cb (AlsLink *link, AlsLinkEnd reason, gpointer user_data)
{
  ((End *) user_data)->closed = TRUE;
}

static const AlsLinkEvents events = { ready_cb, frame_cb, NULL, room_cb, closed_cb };

/* --- with a session --- */

static void
write_channel (End *end)
{
  static const uint8_t bytes[64 * 1024];

  while (end->sends && als_channel_write (end->channel, bytes, sizeof bytes) == sizeof bytes)
    ;
}

static void
channel_received_cb (AlsChannel *channel, const uint8_t *data, size_t len, gpointer user_data)
{
  als_channel_consume (channel, len);
}

static void
channel_writable_cb (AlsChannel *channel, gpointer user_data)
{
  write_channel (user_data);
}

static const AlsChannelEvents channel_events = { .received = channel_received_cb,
                                                 .writable = channel_writable_cb };

static void
schedule_cb (int64_t deadline_us, gpointer user_data)
{
  als_deadline_source_set (((End *) user_data)->poll_source, deadline_us);
}

static gboolean
poll_cb (gpointer user_data)
{
  als_session_poll (((End *) user_data)->session, g_get_monotonic_time ());
  return G_SOURCE_CONTINUE;
}

static void
channel_opened_cb (AlsChannel *channel, AlsChannelKind kind, gpointer user_data)
{
  als_channel_set_events (channel, &channel_events, user_data);
}

static void
path_changed_cb (gpointer user_data)
{
  End *end = user_data;
  AlsSessionStats stats;

  als_session_get_stats (end->session, &stats);
  end->ready = stats.kind != ALS_PATH_NONE;
  end->closed = !end->ready;
}

static void
link_gone_cb (AlsLink *link, gpointer user_data)
{
}

static const AlsSessionEvents session_events = { .schedule = schedule_cb,
                                                 .channel_opened = channel_opened_cb,
                                                 .path_changed = path_changed_cb,
                                                 .link_gone = link_gone_cb };

static void
start_session (End *end)
{
  AlsSessionConfig config = { .role = end->sends ? ALS_ROLE_INVITER : ALS_ROLE_JOINER };

  end->poll_source = als_deadline_source_new (NULL, "poll", poll_cb, end);
  end->session = als_session_new (&config, &session_events, end, g_get_monotonic_time ());
  als_session_add_link (end->session, end->link);
  if (!end->sends)
    return;
  end->channel = als_session_open_channel (end->session, ALS_CHANNEL_FILES, ALS_LANE_BULK);
  als_channel_set_events (end->channel, &channel_events, end);
  write_channel (end);
}

static double
get_cpu_seconds (void)
{
  struct rusage usage;

  getrusage (RUSAGE_SELF, &usage);
  return (double) (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec)
         + (double) (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static gboolean
set_flag_cb (gpointer user_data)
{
  *(gboolean *) user_data = TRUE;
  return G_SOURCE_REMOVE;
}

static void
run (End *end, GSocketConnection *connection, double seconds, gboolean session)
{
  AlsLinkConfig config = { .role = end->sends ? ALS_ROLE_INVITER : ALS_ROLE_JOINER,
                           .path_id = 2, .speaks_first = end->sends };
  g_autoptr (AlsCarrier) carrier
      = als_stream_carrier_new (G_IO_STREAM (connection), ALS_PATH_DIRECT_TCP, "bench", FALSE,
                                end->sends, NULL);
  gboolean over = FALSE;
  AlsLinkStats stats;
  int64_t start_us;
  double cpu, took;

  end->link = als_link_host_new (carrier, &config, g_main_context_default ());
  if (session)
    start_session (end);
  else
    als_link_set_events (end->link, &events, end);
  while (!end->ready && !end->closed)
    g_main_context_iteration (NULL, TRUE);
  start_us = g_get_monotonic_time ();
  cpu = get_cpu_seconds ();
  if (seconds > 0)
    g_timeout_add ((guint) (seconds * 1000), set_flag_cb, &over);
  while (!over && !end->closed)
    g_main_context_iteration (NULL, TRUE);
  took = (double) (g_get_monotonic_time () - start_us) / G_USEC_PER_SEC;
  cpu = get_cpu_seconds () - cpu;
  als_link_get_stats (end->link, &stats);
  if (end->sends)
    g_print ("%.0f Mbit/s of frames, %.2f s of CPU each second; rate told %.0f Mbit/s, "
             "rtt %.2f ms, at least %.2f ms\n",
             (double) stats.acked_bytes * 8e-6 / took, cpu / took, (double) stats.rate * 8e-6,
             (double) stats.rtt_us / 1e3, (double) stats.min_rtt_us / 1e3);
  g_clear_pointer (&end->session, als_session_free);
  als_source_clear (&end->poll_source);
  als_link_free (end->link);
}

int
main (int argc, char **argv)
{
  g_autoptr (GSocketConnection) connection = NULL;
  g_autoptr (GError) error = NULL;
  gboolean session = argc > 1 && strcmp (argv[argc - 1], "session") == 0;
  End end = { 0 };

  argc -= session;

  als_crypto_init ();
  if (argc == 3 && strcmp (argv[1], "listen") == 0)
    {
      g_autoptr (GSocketListener) listener = g_socket_listener_new ();

      if (g_socket_listener_add_inet_port (listener, (guint16) atoi (argv[2]), NULL, &error))
        connection = g_socket_listener_accept (listener, NULL, NULL, &error);
      if (connection != NULL)
        run (&end, connection, 0, session);
    }
  else if (argc == 5 && strcmp (argv[1], "connect") == 0)
    {
      g_autoptr (GSocketClient) client = g_socket_client_new ();

      end.sends = TRUE;
      connection = g_socket_client_connect_to_host (client, argv[2], (guint16) atoi (argv[3]), NULL,
                                                    &error);
      if (connection != NULL)
        run (&end, connection, g_ascii_strtod (argv[4], NULL), session);
    }
  else
    {
      g_printerr ("bench-stream-link (listen PORT | connect ADDRESS PORT SECONDS) [session]\n");
      return 2;
    }
  if (connection == NULL)
    g_printerr ("%s\n", error->message);
  return connection != NULL ? EXIT_SUCCESS : EXIT_FAILURE;
}
