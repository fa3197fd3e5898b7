/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* One visit driven from a terminal or by a program: prints the code, asks what
 * a person must decide, shows progress, ends with an exit code. */

#define G_LOG_DOMAIN "als-cli"

#include "config.h"

#include "cli/als-cli-run-private.h"
#include "cli/als-cli-settings.h"

#include <glib-unix.h>
#include <glib/gi18n.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "crypto/als-code.h"
#include "media/als-media.h"

/* An inviter that cannot reach its server gives up, here; the window goes on trying. */
#define SERVER_LIMIT_S 20
#define MAX_SAMPLES 100000

/* --- the visit ------------------------------------------------------------------------ */

static void
consent_answer (Cli *self, const char *line, gpointer subject)
{
  als_visit_answer (self->visit, als_cli_is_yes (line) ? ALS_VISIT_SEE_SCREEN : ALS_VISIT_NOTHING);
}

/* The inviter's consent. Sending is what `send` was called for; a screen is shown after a question only,
 * a test pattern also with --yes. */
static void
consent (Cli *self)
{
  const AlsCliOptions *options = self->options;
  const char *name = als_visit_get_peer_name (self->visit);
  g_autofree char *text = NULL;

  if (options->mode == ALS_CLI_SEND)
    als_visit_answer (self->visit, ALS_VISIT_FILES_ONLY);
  else if (options->test_pattern && options->yes)
    als_visit_answer (self->visit, ALS_VISIT_SEE_SCREEN);
  else
    {
      text = options->test_pattern
                 ? g_strdup_printf (_ ("“%s” (as they call themselves) typed your code. Show them the test pattern? [y/N]"), name)
                 : g_strdup_printf (_ ("“%s” (as they call themselves) typed your code. Let them see the screen %s? [y/N]"), name, options->display);
      als_cli_ask (self, text, consent_answer, NULL);
    }
}

static gboolean
server_limit_cb (gpointer user_data)
{
  Cli *self = user_data;

  self->server_limit_id = 0;
  self->exit = ALS_EXIT_SERVER;
  als_visit_stop (self->visit);
  return G_SOURCE_REMOVE;
}

static gint
compare_samples (gconstpointer a, gconstpointer b)
{
  const gint64 *x = a, *y = b;

  return (*x > *y) - (*x < *y);
}

static void
tell_samples (Cli *self)
{
  JsonBuilder *builder;
  guint n = self->samples->len;

  if (n == 0)
    return;
  g_array_sort (self->samples, compare_samples);
  builder = als_cli_event_begin ("measured");
  als_cli_event_int (builder, "n", n);
  als_cli_event_double (builder, "p50_ms", g_array_index (self->samples, gint64, n / 2) / 1000.0);
  als_cli_event_double (builder, "p99_ms", g_array_index (self->samples, gint64, n * 99 / 100) / 1000.0);
  als_cli_event_double (builder, "max_ms", g_array_index (self->samples, gint64, n - 1) / 1000.0);
  als_cli_event_end (self, builder);
}

static void
ended (Cli *self)
{
  const GError *error = als_visit_get_error (self->visit);
  guint left = als_visit_get_tries_left (self->visit);
  g_autofree char *sentence = NULL;
  JsonBuilder *builder;
  gboolean over = g_error_matches (error, ALS_VISIT_ERROR, ALS_VISIT_ERROR_PEER_LEFT)
                  || g_error_matches (error, ALS_VISIT_ERROR, ALS_VISIT_ERROR_STOPPED);
  gboolean was_active = als_visit_get_permission (self->visit) != ALS_VISIT_NOTHING;
  const char *reason = als_cli_reason_of_error (error);

  self->has_ended = TRUE;
  tell_samples (self);
  if (self->exit == ALS_EXIT_SERVER)
    {
      const GError *problem = als_visit_get_problem (self->visit);

      reason = problem != NULL ? als_cli_reason_of_error (problem) : "server";
      sentence = problem != NULL ? als_cli_describe_error (problem, 0) : g_strdup (_ ("The rendezvous server does not answer. Check its address and your network, then try again."));
    }
  else if (self->is_interrupted)
    self->exit = ALS_EXIT_INTERRUPTED;
  else if (self->transfer_error != NULL)
    {
      self->exit = als_cli_exit_of_error (self->transfer_error);
      reason = als_cli_reason_of_error (self->transfer_error);
      sentence = g_strdup_printf (_ ("The transfer failed: %s"), self->transfer_error->message);
    }
  else if (over && was_active && (self->options->mode != ALS_CLI_SEND || self->n_done > 0))
    self->exit = ALS_EXIT_DONE;
  else
    self->exit = als_cli_exit_of_error (error);
  if (sentence == NULL)
    sentence = self->exit == ALS_EXIT_DONE ? g_strdup (_ ("Done."))
                                           : als_cli_describe_error (error, left);
  builder = als_cli_event_begin ("end");
  als_cli_event_text (builder, "reason", self->exit == ALS_EXIT_DONE ? "done" : reason);
  als_cli_event_text (builder, "message", sentence);
  als_cli_event_int (builder, "exit", self->exit);
  als_cli_event_int (builder, "tries_left", left);
  als_cli_event_end (self, builder);
  als_cli_say (self, "%s", sentence);
  g_main_loop_quit (self->loop);
}

/* What became of each way that was tried, and which networks are known: told when it changes. */
static void
show_attempts_cb (AlsVisit *visit, GParamSpec *pspec, Cli *self)
{
  const AlsConnectionReport *report = als_visit_get_connection (visit);
  g_autoptr (GString) states = g_string_new (NULL);
  JsonBuilder *builder;

  if (report == NULL || self->has_ended)
    return;
  for (guint i = 0; i < report->n_attempts; i++)
    g_string_append_c (states, 'a' + report->attempts[i].state);
  g_string_append_c (states, report->ours != NULL ? '+' : '-');
  g_string_append_c (states, report->theirs != NULL ? '+' : '-');
  if (g_strcmp0 (states->str, self->shown_attempts) == 0)
    return;
  g_free (self->shown_attempts);
  self->shown_attempts = g_strdup (states->str);
  builder = als_cli_event_begin ("attempts");
  for (guint i = 0; i < report->n_attempts; i++)
    als_cli_event_text (builder, als_path_method_to_string (report->attempts[i].method),
                        als_attempt_state_to_string (report->attempts[i].state));
  als_cli_event_flag (builder, "our_network", report->ours != NULL);
  als_cli_event_flag (builder, "their_network", report->theirs != NULL);
  als_cli_event_end (self, builder);
}

static void
show_path_cb (AlsVisit *visit, GParamSpec *pspec, Cli *self)
{
  AlsPathKind kind = als_visit_get_path_kind (visit);
  gint64 rtt_us = als_visit_get_rtt_us (visit);
  JsonBuilder *builder;

  if (self->has_ended || (kind == self->shown_kind && (rtt_us == 0) == (self->shown_rtt_us == 0)))
    return;
  builder = als_cli_event_begin ("path");
  als_cli_event_text (builder, "kind", als_path_kind_to_string (kind));
  als_cli_event_text (builder, "remote", als_visit_get_path_remote (visit));
  als_cli_event_double (builder, "rtt_ms", rtt_us / 1000.0);
  als_cli_event_end (self, builder);
  if (kind != self->shown_kind)
    {
      if (kind == ALS_PATH_NONE)
        als_cli_say (self, _ ("No way to the other side at the moment; trying to reconnect…"));
      else
        als_cli_say (self, _ ("Connected by %s, end-to-end encrypted."), als_path_kind_to_string (kind));
    }
  self->shown_kind = kind;
  self->shown_rtt_us = rtt_us;
}

static void
show_code_cb (AlsVisit *visit, GParamSpec *pspec, Cli *self)
{
  const char *code = als_visit_get_code (visit);
  JsonBuilder *builder;

  if (code == NULL || g_strcmp0 (code, self->shown_code) == 0 || self->options->invitation)
    return;
  als_code_wipe_string (self->shown_code);
  self->shown_code = g_strdup (code);
  builder = als_cli_event_begin ("code");
  als_cli_event_text (builder, "code", code);
  als_cli_event_text (builder, "reach",
                      als_visit_get_reach (visit) == ALS_VISIT_REACH_ANYWHERE  ? "anywhere"
                      : als_visit_get_reach (visit) == ALS_VISIT_REACH_NETWORK ? "network"
                                                                               : "machine");
  als_cli_event_int (builder, "expires_us", als_visit_get_code_expires (visit));
  als_cli_event_end (self, builder);
  als_cli_say (self, _ ("Code: %s"), code);
  als_cli_say (self, _ ("Read it out to the other side. It is good for one visit, for ten minutes."));
  if (als_visit_get_reach (visit) == ALS_VISIT_REACH_MACHINE)
    als_cli_say (self, _ ("No rendezvous server is set (--server): this code works on this computer only."));
  else if (als_visit_get_reach (visit) == ALS_VISIT_REACH_NETWORK)
    als_cli_say (self, _ ("No rendezvous server is set (--server): this code works in this network only."));
}

static void
problem_cb (AlsVisit *visit, GParamSpec *pspec, Cli *self)
{
  const GError *problem = als_visit_get_problem (visit);
  g_autofree char *sentence = NULL;
  JsonBuilder *builder;

  if (problem == NULL || self->has_ended)
    return;
  sentence = als_cli_describe_error (problem, 0);
  builder = als_cli_event_begin ("problem");
  als_cli_event_text (builder, "reason", als_cli_reason_of_error (problem));
  als_cli_event_text (builder, "message", sentence);
  als_cli_event_end (self, builder);
  als_cli_say (self, "%s", sentence);
  if (problem->code == ALS_VISIT_ERROR_SCREEN)
    als_visit_stop (visit);
}

static void
state_cb (AlsVisit *visit, GParamSpec *pspec, Cli *self)
{
  AlsVisitState state = als_visit_get_state (visit);
  g_autoptr (GEnumClass) states = g_type_class_ref (ALS_TYPE_VISIT_STATE);
  JsonBuilder *builder;

  if (self->has_ended)
    return;
  builder = als_cli_event_begin ("state");
  als_cli_event_text (builder, "state", g_enum_get_value (states, state)->value_nick);
  if (state >= ALS_VISIT_ASKING)
    als_cli_event_text (builder, "peer", als_visit_get_peer_name (visit));
  als_cli_event_end (self, builder);
  if (state != ALS_VISIT_REACHING_SERVER)
    g_clear_handle_id (&self->server_limit_id, g_source_remove);
  switch (state)
    {
    case ALS_VISIT_REACHING_SERVER:
      if (self->server_limit_id == 0 && als_visit_get_is_inviter (visit))
        self->server_limit_id = g_timeout_add_seconds (SERVER_LIMIT_S, server_limit_cb, self);
      break;
    case ALS_VISIT_LOOKING:
      als_cli_say (self, _ ("Looking for the other side…"));
      break;
    case ALS_VISIT_CHECKING:
      als_cli_say (self, _ ("Checking the code…"));
      break;
    case ALS_VISIT_ASKING:
      if (als_visit_get_is_inviter (visit))
        consent (self);
      else
        als_cli_say (self, _ ("The code is right. Waiting until “%s” allows it…"),
                     als_visit_get_peer_name (visit));
      break;
    case ALS_VISIT_ACTIVE:
      if (self->options->mode == ALS_CLI_SEND && !self->has_sent)
        {
          self->has_sent = TRUE;
          als_visit_send_files (visit, self->options->files);
        }
      if (self->options->measure_ms > 0)
        als_visit_measure (visit, self->options->measure_ms * 1000);
      break;
    case ALS_VISIT_ENDED:
      ended (self);
      break;
    default:
      break;
    }
}

static void
wrong_code_cb (AlsVisit *visit, guint left, Cli *self)
{
  if (als_visit_get_is_inviter (visit))
    {
      JsonBuilder *builder = als_cli_event_begin ("wrong-code");

      als_cli_event_int (builder, "tries_left", left);
      als_cli_event_end (self, builder);
      als_cli_say (self, _ ("Somebody typed a wrong code."));
    }
}

static void
measured_cb (AlsVisit *visit, gint64 round_trip_us, Cli *self)
{
  if (self->samples->len < MAX_SAMPLES)
    g_array_append_val (self->samples, round_trip_us);
}

static gboolean
screen_cb (gpointer user_data)
{
  Cli *self = user_data;
  AlsScreenReceiver *screen = als_visit_get_screen (self->visit);
  g_autoptr (AlsScreenFrame) frame = NULL;
  guint n;

  if (screen == NULL)
    return G_SOURCE_CONTINUE;
  n = als_screen_receiver_get_n_frames (screen);
  frame = als_screen_receiver_take_frame (screen);
  if (n != self->last_frames)
    {
      JsonBuilder *builder = als_cli_event_begin ("screen");

      als_cli_event_int (builder, "frames", n);
      if (frame != NULL)
        {
          als_cli_event_int (builder, "width", frame->width);
          als_cli_event_int (builder, "height", frame->height);
        }
      als_cli_event_end (self, builder);
      if (self->last_frames == 0)
        als_cli_say (self, _ ("The picture arrives."));
      self->last_frames = n;
    }
  return G_SOURCE_CONTINUE;
}

static gboolean
interrupt_cb (gpointer user_data)
{
  Cli *self = user_data;

  if (self->is_interrupted)
    _exit (ALS_EXIT_INTERRUPTED);
  self->is_interrupted = TRUE;
  als_visit_stop (self->visit);
  return G_SOURCE_CONTINUE;
}

/* (transfer full) (nullable): secret. */
static char *
read_code (const AlsCliOptions *options)
{
  char buffer[ALS_CLI_MAX_CODE_CHARS];
  FILE *file = stdin;
  char *code = NULL;

  if (options->code_file != NULL && !g_str_equal (options->code_file, "-"))
    {
      file = fopen (options->code_file, "re");
      if (file == NULL)
        {
          g_printerr (_ ("The file with the code, %s, cannot be read.\n"), options->code_file);
          return NULL;
        }
    }
  if (options->code_file == NULL)
    {
      fprintf (stderr, "%s ", _ ("Code:"));
      fflush (stderr);
    }
  /* Unbuffered: what follows the line is the questions' and commands'. */
  setvbuf (file, NULL, _IONBF, 0);
  if (fgets (buffer, sizeof buffer, file) != NULL)
    code = g_strdup (g_strstrip (buffer));
  else
    g_printerr ("%s\n", _ ("No code was given."));
  memset (buffer, 0, sizeof buffer);
  if (file != stdin)
    fclose (file);
  return code;
}

/* FALSE, for the caller to return. */
static gboolean
tell_failed_start (Cli *self, const GError *error)
{
  g_autofree char *sentence = als_cli_describe_error (error, 0);
  JsonBuilder *builder = als_cli_event_begin ("end");

  self->exit = als_cli_exit_of_error (error);
  als_cli_event_text (builder, "reason", als_cli_reason_of_error (error));
  als_cli_event_text (builder, "message", sentence);
  als_cli_event_int (builder, "exit", self->exit);
  als_cli_event_end (self, builder);
  als_cli_say (self, "%s", sentence);
  return FALSE;
}

static gboolean
begin (Cli *self)
{
  g_autoptr (GError) error = NULL;
  char *code;
  gboolean started;

  if (self->options->mode != ALS_CLI_RECEIVE)
    {
      if (self->options->invitation)
        als_visit_make_invitation (self->visit);
      else
        als_visit_invite (self->visit);
      return TRUE;
    }
  if (self->options->invitation_file != NULL)
    {
      started = als_cli_begin_reply (self, &error);
      if (!started && error == NULL)
        self->exit = ALS_EXIT_USAGE;
      return started || (error != NULL && tell_failed_start (self, error));
    }
  code = read_code (self->options);
  if (code == NULL)
    {
      self->exit = ALS_EXIT_USAGE;
      return FALSE;
    }
  started = als_visit_join (self->visit, code, &error);
  als_code_wipe_string (code);
  return started || tell_failed_start (self, error);
}

int
als_cli_run (const AlsCliOptions *options)
{
  AlsVisitConfig config = { 0 };
  Cli self = { 0 };
  guint term_id, int_id;
  GStrv ice_servers = als_cli_settings_get_ice_servers (options->stun);
  g_auto (GStrv) ntp_servers = als_cli_settings_get_strv ("ntp-servers");

  self.options = options;
  self.is_tty = isatty (STDERR_FILENO);
  self.loop = g_main_loop_new (NULL, FALSE);
  self.samples = g_array_new (FALSE, FALSE, sizeof (gint64));
  g_queue_init (&self.questions);
  config.servers = (const char *const *) options->servers;
  config.listen = options->listen;
  config.allowed_kinds = options->allowed_kinds;
  config.loopback = options->loopback;
  config.no_lan = options->no_lan;
  config.name = options->name;
  config.download_folder = options->folder;
  config.screen = options->test_pattern ? ALS_SCREEN_TEST_PATTERN : ALS_SCREEN_X11;
  config.display = options->display;
  config.ice_servers = (const char *const *) ice_servers;
  config.ntp_servers = (const char *const *) ntp_servers;
  config.local_port = als_cli_settings_get_port ("local-port");
  config.last_local_port = als_cli_settings_get_port ("last-local-port");
  config.no_port_mapping = !als_cli_settings_get_boolean ("port-mapping");
  if (options->mode == ALS_CLI_SHARE)
    als_media_prepare ();
  self.visit = als_visit_new (&config);
  /* What works on 127.0.0.1 only is of no use later. */
  if (!options->loopback)
    als_cli_settings_learn_from (self.visit);
  g_signal_connect (self.visit, "notify::state", G_CALLBACK (state_cb), &self);
  g_signal_connect (self.visit, "notify::code", G_CALLBACK (show_code_cb), &self);
  als_cli_watch_invitation (&self);
  g_signal_connect (self.visit, "notify::problem", G_CALLBACK (problem_cb), &self);
  g_signal_connect (self.visit, "notify::path-kind", G_CALLBACK (show_path_cb), &self);
  g_signal_connect (self.visit, "notify::rtt-us", G_CALLBACK (show_path_cb), &self);
  g_signal_connect (self.visit, "notify::connection", G_CALLBACK (show_attempts_cb), &self);
  als_cli_watch_transfers (&self);
  g_signal_connect (self.visit, "wrong-code", G_CALLBACK (wrong_code_cb), &self);
  g_signal_connect (self.visit, "measured", G_CALLBACK (measured_cb), &self);
  int_id = g_unix_signal_add (SIGINT, interrupt_cb, &self);
  term_id = g_unix_signal_add (SIGTERM, interrupt_cb, &self);
  self.screen_id = g_timeout_add (500, screen_cb, &self);
  if (begin (&self))
    {
      if (options->commands && !options->invitation)
        als_cli_read_more (&self);
      g_main_loop_run (self.loop);
    }
  g_clear_handle_id (&self.server_limit_id, g_source_remove);
  g_source_remove (self.screen_id);
  g_source_remove (int_id);
  g_source_remove (term_id);
  g_signal_handlers_disconnect_by_data (self.visit, &self);
  als_cli_unwatch_transfers (&self);
  g_object_unref (self.visit);
  als_cli_settings_sync ();
  als_cli_clear_input (&self);
  als_code_wipe_string (self.shown_code);
  g_free (self.shown_attempts);
  if (self.reply != NULL)
    g_string_free (self.reply, TRUE);
  als_cli_settings_free_ice_servers (ice_servers);
  g_clear_error (&self.transfer_error);
  g_array_unref (self.samples);
  g_main_loop_unref (self.loop);
  return self.exit;
}
