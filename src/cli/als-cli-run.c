/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* One visit driven from a terminal or by a program: prints the code, asks what
 * a person must decide, shows progress, ends with an exit code. */

#define G_LOG_DOMAIN "als-cli"

#include "config.h"

#include "cli/als-cli.h"
#include "cli/als-cli-settings.h"

#include <gio/gunixinputstream.h>
#include <glib-unix.h>
#include <glib/gi18n.h>
#include <json-glib/json-glib.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "crypto/als-code.h"
#include "media/als-media.h"

/* An inviter that cannot reach its server gives up, here; the window goes on trying. */
#define SERVER_LIMIT_S 20
#define MAX_CODE_CHARS 200
/* Of a pasted text, with what a chat puts around it. */
#define MAX_TEXT_BYTES (16 * 1024)
#define MAX_SAMPLES 100000

typedef struct
{
  const AlsCliOptions *options;
  GMainLoop *loop;
  AlsVisit *visit;
  int exit;
  gboolean has_ended;
  gboolean is_interrupted;
  gboolean is_tty;           /* standard error, for the progress line */
  gboolean has_sent;         /* the files were offered */
  gboolean line_open;        /* a progress line without its end */
  GDataInputStream *input;   /* standard input by lines; made when first needed */
  gboolean is_reading;
  GQueue questions;          /* (element-type Question) the head is being asked */
  char *shown_code;          /* secret */
  AlsPathKind shown_kind;
  gint64 shown_rtt_us;
  char *shown_attempts;      /* (nullable) */
  guint n_done, n_failed;    /* transfers */
  GError *transfer_error;
  GString *reply;            /* what was read of the reply to our invitation; NULL: none is waited for */
  guint shown_marks;
  guint server_limit_id;
  guint screen_id;
  guint last_frames;
  GArray *samples;           /* of gint64 µs */
} Cli;

typedef void (*Answer) (Cli *self, const char *line, gpointer subject);

typedef struct
{
  char *text;
  Answer answer;             /* LINE: NULL at the end of the input */
  GObject *subject;          /* (nullable) */
} Question;

/* --- output -------------------------------------------------------------------- */

static void
end_line (Cli *self)
{
  if (self->line_open)
    fputc ('\n', stderr);
  self->line_open = FALSE;
}

static void G_GNUC_PRINTF (2, 3)
say (Cli *self, const char *format, ...)
{
  va_list args;

  if (self->options->json)
    return;
  end_line (self);
  va_start (args, format);
  vfprintf (stderr, format, args);
  va_end (args);
  fputc ('\n', stderr);
}

static JsonBuilder *
event_begin (const char *event)
{
  JsonBuilder *builder = json_builder_new_immutable ();

  json_builder_begin_object (builder);
  json_builder_set_member_name (builder, "event");
  json_builder_add_string_value (builder, event);
  return builder;
}

static void
event_text (JsonBuilder *builder, const char *name, const char *value)
{
  json_builder_set_member_name (builder, name);
  if (value != NULL)
    json_builder_add_string_value (builder, value);
  else
    json_builder_add_null_value (builder);
}

static void
event_int (JsonBuilder *builder, const char *name, gint64 value)
{
  json_builder_set_member_name (builder, name);
  json_builder_add_int_value (builder, value);
}

static void
event_flag (JsonBuilder *builder, const char *name, gboolean value)
{
  json_builder_set_member_name (builder, name);
  json_builder_add_boolean_value (builder, value);
}

static void
event_double (JsonBuilder *builder, const char *name, double value)
{
  json_builder_set_member_name (builder, name);
  json_builder_add_double_value (builder, value);
}

/* BUILDER: (transfer full). */
static void
event_end (Cli *self, JsonBuilder *builder)
{
  g_autoptr (JsonGenerator) generator = json_generator_new ();
  g_autoptr (JsonNode) root = NULL;
  g_autofree char *line = NULL;

  event_int (builder, "time_us", g_get_monotonic_time ());
  json_builder_end_object (builder);
  root = json_builder_get_root (builder);
  g_object_unref (builder);
  if (!self->options->json)
    return;
  json_generator_set_root (generator, root);
  line = json_generator_to_data (generator, NULL);
  printf ("%s\n", line);
  fflush (stdout);
  memset (line, 0, strlen (line));
}

/* --- questions and commands on standard input ------------------------------------ */

static void read_more (Cli *self);

static void
question_free (Question *question)
{
  g_free (question->text);
  g_clear_object (&question->subject);
  g_free (question);
}

static void
show_question (Cli *self)
{
  Question *question = g_queue_peek_head (&self->questions);

  if (question == NULL)
    return;
  end_line (self);
  fprintf (stderr, "%s ", question->text);
  fflush (stderr);
  read_more (self);
}

/* Asks on the terminal; where there is none, the answer is NULL, which declines. */
static void
ask (Cli *self, const char *text, Answer answer, gpointer subject)
{
  Question *question;

  if (self->options->commands || !isatty (STDIN_FILENO))
    {
      say (self, _ ("%s — there is no terminal to answer on; declined."), text);
      answer (self, NULL, subject);
      return;
    }
  question = g_new0 (Question, 1);
  question->text = g_strdup (text);
  question->answer = answer;
  question->subject = subject != NULL ? g_object_ref (subject) : NULL;
  g_queue_push_tail (&self->questions, question);
  if (g_queue_get_length (&self->questions) == 1)
    show_question (self);
}

static gboolean
is_yes (const char *line)
{
  return line != NULL && (g_ascii_strcasecmp (line, "y") == 0 || g_ascii_strcasecmp (line, "yes") == 0
                          || g_utf8_collate (line, _ ("y")) == 0);
}

static void
send_paths (Cli *self, GPtrArray *files)
{
  als_visit_send_files (self->visit, files);
}

static void
command (Cli *self, const char *line)
{
  if (g_str_has_prefix (line, "paths "))
    {
      guint kinds = als_path_kinds_parse (line + strlen ("paths "));

      if (kinds != 0)
        als_visit_set_allowed_kinds (self->visit, kinds);
      else
        g_printerr (_ ("unknown path in “%s”\n"), line);
    }
  else if (g_str_has_prefix (line, "send "))
    {
      g_autoptr (GPtrArray) files = g_ptr_array_new_with_free_func (g_object_unref);

      g_ptr_array_add (files, g_file_new_for_path (line + strlen ("send ")));
      send_paths (self, files);
    }
  else if (g_str_equal (line, "stop"))
    als_visit_stop (self->visit);
  else
    g_printerr (_ ("unknown command “%s”; there are: paths LIST, send FILE, stop\n"), line);
}

static void take_reply_line (Cli *self, const char *line);

static void
line_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Cli *self = user_data;
  g_autoptr (GError) error = NULL;
  g_autofree char *line
      = g_data_input_stream_read_line_finish_utf8 (G_DATA_INPUT_STREAM (source), result, NULL, &error);
  Question *question;

  self->is_reading = FALSE;
  if (self->reply != NULL)
    {
      take_reply_line (self, line);
      return;
    }
  if (self->options->commands)
    {
      if (line == NULL)
        return;
      command (self, g_strstrip (line));
      read_more (self);
      return;
    }
  question = g_queue_pop_head (&self->questions);
  if (question == NULL)
    return;
  question->answer (self, line != NULL ? g_strstrip (line) : NULL, question->subject);
  question_free (question);
  show_question (self);
}

static void
read_more (Cli *self)
{
  if (self->is_reading)
    return;
  if (self->input == NULL)
    {
      g_autoptr (GInputStream) stdin_stream = g_unix_input_stream_new (STDIN_FILENO, FALSE);

      self->input = g_data_input_stream_new (stdin_stream);
    }
  self->is_reading = TRUE;
  g_data_input_stream_read_line_async (self->input, G_PRIORITY_DEFAULT, NULL, line_cb, self);
}

/* --- transfers --------------------------------------------------------------------- */

static void
transfer_line (Cli *self, AlsVisitTransfer *transfer, const AlsTransferInfo *info)
{
  g_autofree char *done = g_format_size (info->bytes_done);
  g_autofree char *total = g_format_size (info->bytes_total);
  g_autofree char *rate = g_format_size (info->rate);
  const char *name = als_visit_transfer_get_name (transfer, 0);

  if (!self->is_tty || self->options->json)
    return;
  fprintf (stderr, "\r\033[K%s%s  %3.0f %%  %s / %s  %s/s", name != NULL ? name : "",
           info->n_files > 1 ? " …" : "",
           info->bytes_total > 0 ? 100.0 * info->bytes_done / info->bytes_total : 100.0, done, total,
           rate);
  if (info->seconds_left >= 0)
    /* Translators: minutes and seconds */
    fprintf (stderr, _ ("  %d:%02d left"), (int) MIN (info->seconds_left / 60, G_MAXINT),
             (int) (info->seconds_left % 60));
  fprintf (stderr, "  (%s)", als_path_kind_to_string (als_visit_get_path_kind (self->visit)));
  fflush (stderr);
  self->line_open = TRUE;
}

static void
transfer_event (Cli *self, AlsVisitTransfer *transfer, const AlsTransferInfo *info)
{
  static const char *const states[] = { "preparing", "offered", "active", "done", "failed" };
  JsonBuilder *builder = event_begin ("progress");
  const GError *error = als_visit_transfer_get_error (transfer);

  event_text (builder, "state", states[info->state]);
  event_text (builder, "direction", info->incoming ? "in" : "out");
  event_text (builder, "name", als_visit_transfer_get_name (transfer, 0));
  event_int (builder, "files", info->n_files);
  event_int (builder, "files_done", info->n_files_done);
  event_int (builder, "bytes", (gint64) info->bytes_done);
  event_int (builder, "total", (gint64) info->bytes_total);
  event_int (builder, "rate", (gint64) info->rate);
  event_int (builder, "seconds_left", info->seconds_left);
  event_int (builder, "duration_us", info->duration_us);
  if (error != NULL)
    event_text (builder, "error", error->message);
  event_end (self, builder);
}

static void
accept_answer (Cli *self, const char *line, gpointer subject)
{
  if (is_yes (line))
    als_visit_transfer_accept (subject);
  else
    als_visit_transfer_decline (subject);
}

static void
offer (Cli *self, AlsVisitTransfer *transfer, const AlsTransferInfo *info)
{
  g_autofree char *size = g_format_size (info->bytes_total);
  g_autofree char *text = NULL;
  const char *name = als_visit_transfer_get_name (transfer, 0);

  for (guint i = 0; i < MIN (info->n_files, 20); i++)
    {
      g_autofree char *one = g_format_size (als_visit_transfer_get_size (transfer, i));

      say (self, "  %s (%s)", als_visit_transfer_get_name (transfer, i), one);
    }
  if (self->options->yes)
    {
      als_visit_transfer_accept (transfer);
      return;
    }
  /* Translators: a question on the terminal; y stands for yes. */
  text = g_strdup_printf (ngettext ("Accept %u file, “%s”, %s? [y/N]",
                                    "Accept %u files, “%s” …, %s? [y/N]", info->n_files),
                          info->n_files, name != NULL ? name : "", size);
  ask (self, text, accept_answer, transfer);
}

static void
end_if_sent (Cli *self)
{
  GListModel *transfers = als_visit_get_transfers (self->visit);

  if (self->options->mode != ALS_CLI_SEND || self->options->commands)
    return;
  for (guint i = 0; i < g_list_model_get_n_items (transfers); i++)
    {
      g_autoptr (AlsVisitTransfer) transfer = g_list_model_get_item (transfers, i);
      AlsTransferInfo info;

      als_visit_transfer_get_info (transfer, &info);
      if (info.state != ALS_TRANSFER_DONE && info.state != ALS_TRANSFER_FAILED)
        return;
    }
  als_visit_stop (self->visit);
}

static void
transfer_changed_cb (AlsVisitTransfer *transfer, Cli *self)
{
  AlsTransferInfo info;
  const GError *error = als_visit_transfer_get_error (transfer);

  als_visit_transfer_get_info (transfer, &info);
  transfer_event (self, transfer, &info);
  switch (info.state)
    {
    case ALS_TRANSFER_OFFERED:
      if (info.incoming)
        offer (self, transfer, &info);
      else
        say (self, _ ("Waiting until the other side accepts…"));
      break;
    case ALS_TRANSFER_ACTIVE:
      transfer_line (self, transfer, &info);
      break;
    case ALS_TRANSFER_DONE:
      transfer_line (self, transfer, &info);
      end_line (self);
      self->n_done++;
      for (guint i = 0; info.incoming && i < info.n_files; i++)
        {
          GFile *saved = als_visit_transfer_get_saved (transfer, i);
          g_autofree char *path = saved != NULL ? g_file_get_path (saved) : NULL;

          if (path != NULL)
            say (self, _ ("Saved %s"), path);
        }
      end_if_sent (self);
      break;
    case ALS_TRANSFER_FAILED:
      self->n_failed++;
      if (self->transfer_error == NULL && error != NULL)
        self->transfer_error = g_error_copy (error);
      say (self, _ ("The transfer failed: %s"), error != NULL ? error->message : "");
      end_if_sent (self);
      break;
    default:
      break;
    }
}

static void
transfer_added_cb (AlsVisit *visit, AlsVisitTransfer *transfer, Cli *self)
{
  g_signal_connect (transfer, "changed", G_CALLBACK (transfer_changed_cb), self);
  transfer_changed_cb (transfer, self);
}

/* --- the visit ------------------------------------------------------------------------ */

static void
consent_answer (Cli *self, const char *line, gpointer subject)
{
  als_visit_answer (self->visit, is_yes (line) ? ALS_VISIT_SEE_SCREEN : ALS_VISIT_NOTHING);
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
      ask (self, text, consent_answer, NULL);
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
  builder = event_begin ("measured");
  event_int (builder, "n", n);
  event_double (builder, "p50_ms", g_array_index (self->samples, gint64, n / 2) / 1000.0);
  event_double (builder, "p99_ms", g_array_index (self->samples, gint64, n * 99 / 100) / 1000.0);
  event_double (builder, "max_ms", g_array_index (self->samples, gint64, n - 1) / 1000.0);
  event_end (self, builder);
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
  builder = event_begin ("end");
  event_text (builder, "reason", self->exit == ALS_EXIT_DONE ? "done" : reason);
  event_text (builder, "message", sentence);
  event_int (builder, "exit", self->exit);
  event_int (builder, "tries_left", left);
  event_end (self, builder);
  say (self, "%s", sentence);
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
  builder = event_begin ("attempts");
  for (guint i = 0; i < report->n_attempts; i++)
    event_text (builder, als_path_method_to_string (report->attempts[i].method),
                als_attempt_state_to_string (report->attempts[i].state));
  event_flag (builder, "our_network", report->ours != NULL);
  event_flag (builder, "their_network", report->theirs != NULL);
  event_end (self, builder);
}

static void
show_path_cb (AlsVisit *visit, GParamSpec *pspec, Cli *self)
{
  AlsPathKind kind = als_visit_get_path_kind (visit);
  gint64 rtt_us = als_visit_get_rtt_us (visit);
  JsonBuilder *builder;

  if (self->has_ended || (kind == self->shown_kind && (rtt_us == 0) == (self->shown_rtt_us == 0)))
    return;
  builder = event_begin ("path");
  event_text (builder, "kind", als_path_kind_to_string (kind));
  event_text (builder, "remote", als_visit_get_path_remote (visit));
  event_double (builder, "rtt_ms", rtt_us / 1000.0);
  event_end (self, builder);
  if (kind != self->shown_kind)
    {
      if (kind == ALS_PATH_NONE)
        say (self, _ ("No way to the other side at the moment; trying to reconnect…"));
      else
        say (self, _ ("Connected by %s, end-to-end encrypted."), als_path_kind_to_string (kind));
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
  builder = event_begin ("code");
  event_text (builder, "code", code);
  event_text (builder, "reach",
              als_visit_get_reach (visit) == ALS_VISIT_REACH_ANYWHERE  ? "anywhere"
              : als_visit_get_reach (visit) == ALS_VISIT_REACH_NETWORK ? "network"
                                                                       : "machine");
  event_int (builder, "expires_us", als_visit_get_code_expires (visit));
  event_end (self, builder);
  say (self, _ ("Code: %s"), code);
  say (self, _ ("Read it out to the other side. It is good for one visit, for ten minutes."));
  if (als_visit_get_reach (visit) == ALS_VISIT_REACH_MACHINE)
    say (self, _ ("No rendezvous server is set (--server): this code works on this computer only."));
  else if (als_visit_get_reach (visit) == ALS_VISIT_REACH_NETWORK)
    say (self, _ ("No rendezvous server is set (--server): this code works in this network only."));
}

/* --- invitations without a server ------------------------------------------------------ */

/* Texts go to standard output, so that they can be piped on; words to standard error. */
static void
show_text (Cli *self, const char *event, const char *words, const char *text, const char *digits)
{
  JsonBuilder *builder = event_begin (event);

  event_text (builder, "text", text);
  if (digits != NULL)
    event_text (builder, "digits", digits);
  event_end (self, builder);
  if (self->options->json)
    return;
  say (self, "%s", words);
  printf ("%s\n", text);
  fflush (stdout);
}

static void
invitation_cb (AlsVisit *visit, GParamSpec *pspec, Cli *self)
{
  const char *text = als_visit_get_invitation (visit);
  const char *digits = als_visit_get_code (visit);

  if (text == NULL || digits == NULL || self->reply != NULL || self->has_ended)
    return;
  show_text (self, "invitation", _ ("Send this invitation by any chat:"), text, digits);
  say (self, _ ("Say these six digits aloud, and never write them: %s"), digits);
  say (self, "%s", _ ("Paste the reply here:"));
  self->reply = g_string_new (NULL);
  read_more (self);
}

/* LINE: (nullable): NULL at the end of the input. Chats break lines. */
static void
take_reply_line (Cli *self, const char *line)
{
  g_autoptr (GError) error = NULL;

  if (line == NULL)
    {
      als_visit_stop (self->visit);
      return;
    }
  g_string_append (self->reply, line);
  g_string_append_c (self->reply, '\n');
  if (als_visit_classify_text (self->reply->str) == ALS_VISIT_TEXT_REPLY)
    {
      if (als_visit_paste_reply (self->visit, self->reply->str, &error))
        {
          g_string_free (g_steal_pointer (&self->reply), TRUE);
          if (self->options->commands)
            read_more (self);
          return;
        }
      say (self, "%s", _ ("That is not the reply to this invitation. Paste the whole message once more."));
      g_string_truncate (self->reply, 0);
    }
  else if (self->reply->len > MAX_TEXT_BYTES)
    g_string_truncate (self->reply, 0);
  read_more (self);
}

static void
reply_cb (AlsVisit *visit, GParamSpec *pspec, Cli *self)
{
  if (als_visit_get_reply (visit) != NULL && !self->has_ended)
    show_text (self, "reply", _ ("Send this reply back:"), als_visit_get_reply (visit), NULL);
}

static void
marks_cb (AlsVisit *visit, GParamSpec *pspec, Cli *self)
{
  guint n = als_visit_get_n_marks (visit);
  JsonBuilder *builder;

  if (n == self->shown_marks || self->has_ended)
    return;
  self->shown_marks = n;
  builder = event_begin ("mark");
  event_int (builder, "n", n);
  event_end (self, builder);
  if (n > 0)
    say (self, _ ("Try %u together…"), n);
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
  builder = event_begin ("problem");
  event_text (builder, "reason", als_cli_reason_of_error (problem));
  event_text (builder, "message", sentence);
  event_end (self, builder);
  say (self, "%s", sentence);
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
  builder = event_begin ("state");
  event_text (builder, "state", g_enum_get_value (states, state)->value_nick);
  if (state >= ALS_VISIT_ASKING)
    event_text (builder, "peer", als_visit_get_peer_name (visit));
  event_end (self, builder);
  if (state != ALS_VISIT_REACHING_SERVER)
    g_clear_handle_id (&self->server_limit_id, g_source_remove);
  switch (state)
    {
    case ALS_VISIT_REACHING_SERVER:
      if (self->server_limit_id == 0 && als_visit_get_is_inviter (visit))
        self->server_limit_id = g_timeout_add_seconds (SERVER_LIMIT_S, server_limit_cb, self);
      break;
    case ALS_VISIT_LOOKING:
      say (self, _ ("Looking for the other side…"));
      break;
    case ALS_VISIT_CHECKING:
      say (self, _ ("Checking the code…"));
      break;
    case ALS_VISIT_ASKING:
      if (als_visit_get_is_inviter (visit))
        consent (self);
      else
        say (self, _ ("The code is right. Waiting until “%s” allows it…"),
             als_visit_get_peer_name (visit));
      break;
    case ALS_VISIT_ACTIVE:
      if (self->options->mode == ALS_CLI_SEND && !self->has_sent)
        {
          self->has_sent = TRUE;
          send_paths (self, self->options->files);
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
      JsonBuilder *builder = event_begin ("wrong-code");

      event_int (builder, "tries_left", left);
      event_end (self, builder);
      say (self, _ ("Somebody typed a wrong code."));
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
      JsonBuilder *builder = event_begin ("screen");

      event_int (builder, "frames", n);
      if (frame != NULL)
        {
          event_int (builder, "width", frame->width);
          event_int (builder, "height", frame->height);
        }
      event_end (self, builder);
      if (self->last_frames == 0)
        say (self, _ ("The picture arrives."));
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
  char buffer[MAX_CODE_CHARS];
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
  JsonBuilder *builder = event_begin ("end");

  self->exit = als_cli_exit_of_error (error);
  event_text (builder, "reason", als_cli_reason_of_error (error));
  event_text (builder, "message", sentence);
  event_int (builder, "exit", self->exit);
  event_end (self, builder);
  say (self, "%s", sentence);
  return FALSE;
}

/* An invitation out of FILE, up to its end, with whatever stands around it. (transfer full) (nullable) */
static char *
read_invitation (FILE *file)
{
  g_autoptr (GString) text = g_string_new (NULL);
  char buffer[1024];

  while (text->len < MAX_TEXT_BYTES && fgets (buffer, sizeof buffer, file) != NULL)
    {
      g_string_append (text, buffer);
      /* Only whole lines are judged: a text may be good before it is complete. */
      if (g_str_has_suffix (buffer, "\n") && als_visit_classify_text (text->str) == ALS_VISIT_TEXT_INVITATION)
        break;
    }
  return g_string_free (g_steal_pointer (&text), FALSE);
}

static gboolean
begin_reply (Cli *self, GError **error)
{
  const char *path = self->options->invitation_file;
  gboolean is_stdin = g_str_equal (path, "-");
  FILE *file = is_stdin ? stdin : fopen (path, "re");
  g_autofree char *text = NULL;
  char digits[MAX_CODE_CHARS];
  gboolean started;

  if (file == NULL)
    {
      g_printerr (_ ("The file with the invitation, %s, cannot be read.\n"), path);
      return FALSE;
    }
  /* Unbuffered: what follows is the digits, the questions' and commands'. */
  setvbuf (stdin, NULL, _IONBF, 0);
  text = read_invitation (file);
  if (!is_stdin)
    fclose (file);
  if (!self->options->json)
    {
      fprintf (stderr, "%s ", _ ("The six digits that they say:"));
      fflush (stderr);
    }
  if (fgets (digits, sizeof digits, stdin) == NULL)
    {
      g_printerr ("%s\n", _ ("No digits were given."));
      return FALSE;
    }
  started = als_visit_paste_invitation (self->visit, text, g_strstrip (digits), error);
  memset (digits, 0, sizeof digits);
  return started;
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
      started = begin_reply (self, &error);
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
  g_signal_connect (self.visit, "notify::invitation", G_CALLBACK (invitation_cb), &self);
  g_signal_connect (self.visit, "notify::reply", G_CALLBACK (reply_cb), &self);
  g_signal_connect (self.visit, "notify::n-marks", G_CALLBACK (marks_cb), &self);
  g_signal_connect (self.visit, "notify::problem", G_CALLBACK (problem_cb), &self);
  g_signal_connect (self.visit, "notify::path-kind", G_CALLBACK (show_path_cb), &self);
  g_signal_connect (self.visit, "notify::rtt-us", G_CALLBACK (show_path_cb), &self);
  g_signal_connect (self.visit, "notify::connection", G_CALLBACK (show_attempts_cb), &self);
  g_signal_connect (self.visit, "transfer-added", G_CALLBACK (transfer_added_cb), &self);
  g_signal_connect (self.visit, "wrong-code", G_CALLBACK (wrong_code_cb), &self);
  g_signal_connect (self.visit, "measured", G_CALLBACK (measured_cb), &self);
  int_id = g_unix_signal_add (SIGINT, interrupt_cb, &self);
  term_id = g_unix_signal_add (SIGTERM, interrupt_cb, &self);
  self.screen_id = g_timeout_add (500, screen_cb, &self);
  if (begin (&self))
    {
      if (options->commands && !options->invitation)
        read_more (&self);
      g_main_loop_run (self.loop);
    }
  g_clear_handle_id (&self.server_limit_id, g_source_remove);
  g_source_remove (self.screen_id);
  g_source_remove (int_id);
  g_source_remove (term_id);
  g_signal_handlers_disconnect_by_data (self.visit, &self);
  for (guint i = 0; i < g_list_model_get_n_items (als_visit_get_transfers (self.visit)); i++)
    {
      g_autoptr (GObject) transfer = g_list_model_get_item (als_visit_get_transfers (self.visit), i);

      g_signal_handlers_disconnect_by_data (transfer, &self);
    }
  g_object_unref (self.visit);
  als_cli_settings_sync ();
  g_queue_clear_full (&self.questions, (GDestroyNotify) question_free);
  als_code_wipe_string (self.shown_code);
  g_free (self.shown_attempts);
  if (self.reply != NULL)
    g_string_free (self.reply, TRUE);
  als_cli_settings_free_ice_servers (ice_servers);
  g_clear_object (&self.input);
  g_clear_error (&self.transfer_error);
  g_array_unref (self.samples);
  g_main_loop_unref (self.loop);
  return self.exit;
}
