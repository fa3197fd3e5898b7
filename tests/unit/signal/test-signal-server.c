/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* The rendezvous client and the private server, against alongside-signald itself. */

#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <fcntl.h>
#include <unistd.h>
#include "als-signal-recorder.h"
#include "als-wait.h"
#include "signal/als-private-server.h"

static const uint8_t meeting[ALS_SIGNAL_MEETING_BYTES] = { 9, 8, 7 };

typedef struct
{
  GSubprocess *process;
  char *address; /* 127.0.0.1:PORT */
  char *uri;
  char *config;  /* (nullable) file name */
} Server;

/* On SELF's address if it has one already. */
static void
server_start (Server *self)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GDataInputStream) output = NULL;
  g_autofree char *line = NULL;

  self->process = g_subprocess_new (
    G_SUBPROCESS_FLAGS_STDOUT_PIPE | G_SUBPROCESS_FLAGS_STDERR_SILENCE, &error,
    g_getenv ("ALONGSIDE_SIGNALD"), "--listen",
    self->address != NULL ? self->address : "127.0.0.1:0", "--print-address",
    self->config != NULL ? "--config" : NULL, self->config, NULL);
  g_assert_no_error (error);
  output = g_data_input_stream_new (g_subprocess_get_stdout_pipe (self->process));
  line = g_data_input_stream_read_line (output, NULL, NULL, &error);
  g_assert_no_error (error);
  g_assert_nonnull (line);
  g_assert_true (g_str_has_prefix (line, "listening "));
  g_free (self->address);
  self->address = g_strdup (line + strlen ("listening "));
  g_free (self->uri);
  self->uri = g_strdup_printf ("ws://%s", self->address);
}

static void
server_kill (Server *self)
{
  g_subprocess_force_exit (self->process);
  g_subprocess_wait (self->process, NULL, NULL);
  g_clear_object (&self->process);
}

static void
server_clear (Server *self)
{
  server_kill (self);
  g_free (self->address);
  g_free (self->uri);
  if (self->config != NULL)
    g_unlink (self->config);
  g_free (self->config);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Server, server_clear)

static void
start_client (AlsSignalRecorder *recorder, const Server *server)
{
  const char *const uris[] = { server->uri, NULL };

  als_signal_recorder_init (recorder, uris);
  als_signal_client_start (recorder->client);
}

/* A waiting inviter and a joiner, paired. */
static void
start_pair (AlsSignalRecorder *inviter, AlsSignalRecorder *joiner, const Server *server)
{
  start_client (inviter, server);
  als_signal_client_register (inviter->client);
  als_wait_until (inviter->n_registered == 1);
  start_client (joiner, server);
  als_signal_client_join (joiner->client, inviter->number);
  als_wait_until (inviter->n_paired == 1 && joiner->n_paired == 1);
}

static void
expect_message (AlsSignalRecorder *from, AlsSignalRecorder *to, const char *text)
{
  g_autoptr (GBytes) payload = g_bytes_new (text, strlen (text));
  guint n = to->n_messages;

  g_assert_true (als_signal_client_send (from->client, payload));
  als_wait_until (to->n_messages == n + 1);
  g_assert_true (g_bytes_equal (to->payload, payload));
}

typedef struct
{
  guint n_received;
  size_t n_bytes;
  guint n_closed;
} Listener;

static void
relay_received_cb (AlsCarrier *carrier, const uint8_t *data, size_t len, gpointer user_data)
{
  Listener *listener = user_data;

  listener->n_received++;
  listener->n_bytes += len;
}

static void
relay_closed_cb (AlsCarrier *carrier, const GError *error, gpointer user_data)
{
  ((Listener *) user_data)->n_closed++;
}

static const AlsCarrierEvents relay_events = { relay_received_cb, NULL, relay_closed_cb };

static void
test_two_are_introduced (void)
{
  g_auto (Server) server = { 0 };
  AlsSignalRecorder inviter, joiner;

  server_start (&server);
  start_pair (&inviter, &joiner, &server);
  expect_message (&inviter, &joiner, "hello");
  expect_message (&joiner, &inviter, "hello yourself");
  als_signal_client_unpair (joiner.client);
  als_wait_until (inviter.n_unpaired == 1);
  g_assert_cmpuint (inviter.reason, ==, ALS_SIGNAL_UNPAIR_LEFT);
  /* The inviter waits again under the same number. */
  als_signal_client_join (joiner.client, inviter.number);
  als_wait_until (inviter.n_paired == 2 && joiner.n_paired == 2);
  als_signal_recorder_clear (&joiner);
  als_wait_until (inviter.n_unpaired == 2);
  g_assert_cmpuint (inviter.n_registered, ==, 1);
  g_assert_cmpuint (inviter.n_failed, ==, 0);
  als_signal_recorder_clear (&inviter);
}

static void
test_public_servers (void)
{
  g_auto (Server) server = { 0 };
  g_autoptr (GError) error = NULL;
  AlsSignalRecorder recorder;
  GPtrArray *servers;
  int fd = g_file_open_tmp ("alongside-test-XXXXXX", &server.config, &error);

  g_assert_no_error (error);
  close (fd);
  g_file_set_contents (server.config,
                       "[ice]\nstun=192.0.2.1:3478\nturn=192.0.2.2:3479\nturn-secret=x\n", -1,
                       &error);
  g_assert_no_error (error);
  server_start (&server);
  start_client (&recorder, &server);
  g_assert_cmpuint (als_signal_client_get_public_servers (recorder.client)->len, ==, 0);
  als_wait_until (als_signal_recorder_is_connected (&recorder));
  servers = als_signal_client_get_public_servers (recorder.client);
  g_assert_cmpuint (servers->len, ==, 2);
  for (guint i = 0; i < servers->len; i++)
    {
      const AlsIceServer *stun = g_ptr_array_index (servers, i);

      g_assert_cmpint (stun->kind, ==, ALS_ICE_SERVER_STUN);
      g_assert_cmpuint (stun->port, ==, 3478 + i);
      g_assert_null (stun->credential);
    }
  als_signal_recorder_clear (&recorder);
}

static void
test_relay_crosses (void)
{
  g_auto (Server) server = { 0 };
  g_autofree uint8_t *frame = g_malloc0 (ALS_SIGNAL_MAX_RELAY);
  AlsCarrier *relays[2];
  Listener listeners[2] = { { 0 }, { 0 } };
  AlsSignalRecorder inviter, joiner;
  AlsPacket packet = { frame, ALS_SIGNAL_MAX_RELAY };

  server_start (&server);
  start_pair (&inviter, &joiner, &server);
  relays[0] = als_signal_client_take_relay (inviter.client);
  relays[1] = als_signal_client_take_relay (joiner.client);
  for (guint i = 0; i < 2; i++)
    {
      als_carrier_set_events (relays[i], &relay_events, &listeners[i]);
      g_assert_cmpuint (als_carrier_get_rate_limit (relays[i]), >, 0);
      g_assert_cmpuint (als_carrier_get_backlog_limit (relays[i]), >=, ALS_SIGNAL_MAX_RELAY);
    }
  for (guint n = 1; n <= 3; n++)
    for (guint i = 0; i < 2; i++)
      {
        g_assert_cmpuint (als_carrier_send (relays[i], &packet, 1), ==, 1);
        als_wait_until (listeners[1 - i].n_received == n);
      }
  g_assert_cmpuint (listeners[0].n_bytes, ==, 3 * ALS_SIGNAL_MAX_RELAY);
  /* Who ignores the stated limits loses the relay, and nothing else. */
  for (guint i = 0; i < 200; i++)
    als_carrier_send (relays[0], &packet, 1);
  als_wait_until (listeners[0].n_closed == 1 && listeners[1].n_closed == 1);
  expect_message (&inviter, &joiner, "still here");
  g_assert_cmpuint (inviter.n_unpaired + joiner.n_unpaired, ==, 0);
  g_object_unref (relays[0]);
  g_object_unref (relays[1]);
  als_signal_recorder_clear (&joiner);
  als_signal_recorder_clear (&inviter);
}

static void
test_join_waits_for_a_late_inviter (void)
{
  g_auto (Server) server = { 0 };
  AlsSignalRecorder inviter, joiner;
  guint number;

  server_start (&server);
  start_client (&inviter, &server);
  als_signal_client_register (inviter.client);
  als_wait_until (inviter.n_registered == 1);
  number = inviter.number;
  als_signal_recorder_clear (&inviter);
  start_client (&joiner, &server);
  als_signal_client_join (joiner.client, number);
  als_wait_until (joiner.n_waiting == 1);
  als_signal_client_cancel (joiner.client);
  als_signal_client_join (joiner.client, number);
  als_wait_until (joiner.n_waiting == 2);
  g_assert_cmpuint (joiner.n_failed, ==, 0);
  als_signal_recorder_clear (&joiner);
}

static void
test_third_is_told_busy (void)
{
  g_auto (Server) server = { 0 };
  AlsSignalRecorder inviter, joiner, third;

  server_start (&server);
  start_pair (&inviter, &joiner, &server);
  start_client (&third, &server);
  als_signal_client_join (third.client, inviter.number);
  als_wait_until (third.n_failed == 1);
  g_assert_cmpint (third.error, ==, ALS_SIGNAL_ERROR_BUSY);
  als_signal_client_join (inviter.client, inviter.number);
  als_wait_until (inviter.n_failed == 1);
  g_assert_cmpint (inviter.error, ==, ALS_SIGNAL_ERROR_NO_SUCH_NUMBER);
  als_wait_until (joiner.n_unpaired == 1);
  als_signal_recorder_clear (&third);
  als_signal_recorder_clear (&joiner);
  als_signal_recorder_clear (&inviter);
}

static void
test_server_killed_and_restarted (void)
{
  g_auto (Server) server = { 0 };
  AlsSignalRecorder inviter, joiner;

  server_start (&server);
  start_pair (&inviter, &joiner, &server);
  server_kill (&server);
  als_wait_until (inviter.n_unpaired == 1 && joiner.n_unpaired == 1);
  g_assert_cmpuint (inviter.reason, ==, ALS_SIGNAL_UNPAIR_LOST);
  als_wait_until (inviter.n_failed >= 1 && joiner.n_failed >= 1);
  als_signal_client_meet (inviter.client, meeting, TRUE);
  als_signal_client_meet (joiner.client, meeting, FALSE);
  server_start (&server);
  als_wait_until (inviter.n_paired == 2 && joiner.n_paired == 2);
  expect_message (&inviter, &joiner, "again");
  expect_message (&joiner, &inviter, "at last");
  /* It kept nothing, so the number is another one, or the same by chance. */
  als_wait_until (inviter.n_registered == 2);
  als_signal_recorder_clear (&joiner);
  als_signal_recorder_clear (&inviter);
}

/* The private server. */

typedef struct
{
  guint n_done;
  char *uri;
  GError *error;
} Found;

static void
found_cb (GObject *object, GAsyncResult *result, gpointer user_data)
{
  Found *found = user_data;

  found->n_done++;
  found->uri = als_private_server_find_finish (result, &found->error);
}

static void
found_clear (Found *self)
{
  g_clear_error (&self->error);
  g_free (self->uri);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Found, found_clear)

static char *
lock_path (void)
{
  return g_build_filename (g_get_user_runtime_dir (), "alongside", "signald.lock", NULL);
}

static gboolean
is_held (void)
{
  g_autofree char *path = lock_path ();
  int fd = open (path, O_RDONLY | O_CLOEXEC);
  gboolean held = fd >= 0 && flock (fd, LOCK_SH | LOCK_NB) < 0;

  if (fd >= 0)
    close (fd);
  return held;
}

static gboolean
tick_cb (gpointer user_data)
{
  return G_SOURCE_CONTINUE;
}

/* Whoever holds the lock is the child that we started: it is told to end by its id. The kernel's list may
 * be read in parts, and lack a line if it changes meanwhile. */
static void
kill_holders (void)
{
  g_autofree char *path = lock_path ();
  g_autofree char *locks = NULL;
  g_auto (GStrv) lines = NULL;
  GStatBuf status;
  g_autofree char *inode = NULL;

  g_assert_cmpint (g_stat (path, &status), ==, 0);
  g_assert_true (g_file_get_contents ("/proc/locks", &locks, NULL, NULL));
  inode = g_strdup_printf (":%" G_GUINT64_FORMAT " ", (guint64) status.st_ino);
  lines = g_strsplit (locks, "\n", -1);
  for (guint i = 0; lines[i] != NULL; i++)
    {
      int pid;

      if (strstr (lines[i], inode) != NULL
          && sscanf (lines[i], "%*d: FLOCK ADVISORY WRITE %d", &pid) == 1 && pid > 1)
        kill (pid, SIGKILL);
    }
}

static gboolean
is_free (void)
{
  if (!is_held ())
    return TRUE;
  kill_holders ();
  return FALSE;
}

static void
kill_private_server (void)
{
  guint tick = g_timeout_add (5, tick_cb, NULL);

  als_wait_until (is_free ());
  g_source_remove (tick);
}

static void
test_private_server_is_shared (void)
{
  Found found[5] = { { 0 } };
  Server as_server = { 0 };
  AlsSignalRecorder inviter, joiner;

  for (guint i = 0; i < 4; i++)
    als_private_server_find_async (FALSE, NULL, found_cb, &found[i]);
  for (guint i = 0; i < 4; i++)
    {
      als_wait_until (found[i].n_done == 1);
      g_assert_no_error (found[i].error);
      g_assert_cmpstr (found[i].uri, ==, found[0].uri);
    }
  g_assert_true (g_str_has_prefix (found[0].uri, "ws://127.0.0.1:"));
  als_private_server_find_async (FALSE, NULL, found_cb, &found[4]);
  als_wait_until (found[4].n_done == 1);
  g_assert_cmpstr (found[4].uri, ==, found[0].uri);
  as_server.uri = found[0].uri;
  start_pair (&inviter, &joiner, &as_server);
  expect_message (&inviter, &joiner, "hello");
  als_signal_recorder_clear (&joiner);
  als_signal_recorder_clear (&inviter);
  kill_private_server ();
  for (guint i = 0; i < G_N_ELEMENTS (found); i++)
    found_clear (&found[i]);
}

static void
test_private_server_is_replaced (void)
{
  g_auto (Found) first = { 0 };
  g_auto (Found) second = { 0 };
  Server as_server = { 0 };
  AlsSignalRecorder inviter;

  als_private_server_find_async (FALSE, NULL, found_cb, &first);
  als_wait_until (first.n_done == 1);
  g_assert_no_error (first.error);
  kill_private_server ();
  /* It had no time to empty the file. */
  als_private_server_find_async (FALSE, NULL, found_cb, &second);
  als_wait_until (second.n_done == 1);
  g_assert_no_error (second.error);
  as_server.uri = second.uri;
  start_client (&inviter, &as_server);
  als_signal_client_register (inviter.client);
  als_wait_until (inviter.n_registered == 1);
  als_signal_recorder_clear (&inviter);
  kill_private_server ();
}

static void
test_private_server_that_does_not_start (void)
{
  g_autofree char *signald = g_strdup (g_getenv ("ALONGSIDE_SIGNALD"));
  g_auto (Found) missing = { 0 };
  g_auto (Found) broken = { 0 };
  g_auto (Found) cancelled = { 0 };
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();

  g_setenv ("ALONGSIDE_SIGNALD", "/nowhere/alongside-signald", TRUE);
  als_private_server_find_async (FALSE, NULL, found_cb, &missing);
  als_wait_until (missing.n_done == 1);
  g_assert_error (missing.error, G_SPAWN_ERROR, G_SPAWN_ERROR_NOENT);
  g_setenv ("ALONGSIDE_SIGNALD", "/bin/false", TRUE);
  als_private_server_find_async (FALSE, NULL, found_cb, &broken);
  als_wait_until (broken.n_done == 1);
  g_assert_error (broken.error, G_IO_ERROR, G_IO_ERROR_FAILED);
  als_private_server_find_async (FALSE, cancellable, found_cb, &cancelled);
  g_cancellable_cancel (cancellable);
  als_wait_until (cancelled.n_done == 1);
  g_assert_error (cancelled.error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_setenv ("ALONGSIDE_SIGNALD", signald, TRUE);
}

static void
test_foreign_folder_is_refused (void)
{
  g_autofree char *folder = g_build_filename (g_get_user_runtime_dir (), "alongside", NULL);
  g_autofree char *path = lock_path ();
  g_auto (Found) found = { 0 };

  g_unlink (path);
  g_rmdir (folder);
  g_assert_cmpint (symlink ("/tmp", folder), ==, 0);
  als_private_server_find_async (FALSE, NULL, found_cb, &found);
  als_wait_until (found.n_done == 1);
  g_assert_error (found.error, G_IO_ERROR, G_IO_ERROR_PERMISSION_DENIED);
  g_unlink (folder);
}

int
main (int argc, char **argv)
{
  g_autofree char *folder = g_dir_make_tmp ("als-signal-XXXXXX", NULL);
  g_autofree char *inner = g_build_filename (folder, "alongside", NULL);
  g_autofree char *lock = g_build_filename (inner, "signald.lock", NULL);
  int result;

  g_assert_nonnull (folder);
  g_setenv ("XDG_RUNTIME_DIR", folder, TRUE);
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/signal/server/two-are-introduced", test_two_are_introduced);
  g_test_add_func ("/signal/server/relay-crosses", test_relay_crosses);
  g_test_add_func ("/signal/server/tells-everybody-its-public-servers", test_public_servers);
  g_test_add_func ("/signal/server/join-waits-for-a-late-inviter",
                   test_join_waits_for_a_late_inviter);
  g_test_add_func ("/signal/server/third-is-told-busy", test_third_is_told_busy);
  g_test_add_func ("/signal/server/killed-and-restarted", test_server_killed_and_restarted);
  g_test_add_func ("/signal/private-server/is-shared", test_private_server_is_shared);
  g_test_add_func ("/signal/private-server/is-replaced-when-it-died",
                   test_private_server_is_replaced);
  g_test_add_func ("/signal/private-server/does-not-start", test_private_server_that_does_not_start);
  g_test_add_func ("/signal/private-server/foreign-folder-is-refused",
                   test_foreign_folder_is_refused);
  result = g_test_run ();
  g_unlink (lock);
  g_rmdir (inner);
  g_rmdir (folder);
  return result;
}
