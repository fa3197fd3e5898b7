/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Invitations without a server: two texts by any chat, six digits spoken. */

#define G_LOG_DOMAIN "als-cli"

#include "config.h"

#include "cli/als-cli-run-private.h"

#include <glib/gi18n.h>
#include <stdio.h>
#include <string.h>

/* Texts go to standard output, so that they can be piped on; words to standard error. */
static void
show_text (Cli *self, const char *event, const char *words, const char *text, const char *digits)
{
  JsonBuilder *builder = als_cli_event_begin (event);

  als_cli_event_text (builder, "text", text);
  if (digits != NULL)
    als_cli_event_text (builder, "digits", digits);
  als_cli_event_end (self, builder);
  if (self->options->json)
    return;
  als_cli_say (self, "%s", words);
  printf ("%s\n", text);
  fflush (stdout);
}

static void
invitation_cb (AlsVisit *visit, GParamSpec *pspec, Cli *self)
{
  const char *text = als_visit_get_invitation (visit);
  const char *digits = als_visit_get_code (visit);
  g_autofree char *grouped = NULL;

  if (text == NULL || digits == NULL || self->reply != NULL || self->has_ended)
    return;
  show_text (self, "invitation", _ ("Send this invitation by any chat:"), text, digits);
  grouped = g_strdup_printf ("%.3s %s", digits, digits + MIN (strlen (digits), 3));
  als_cli_say (self, _ ("Say these six digits aloud, and never write them: %s"), grouped);
  als_cli_say (self, "%s", _ ("Paste the reply here:"));
  self->reply = g_string_new (NULL);
  als_cli_read_more (self);
}

/* LINE: (nullable): NULL at the end of the input. Chats break lines. */
void
als_cli_take_reply_line (Cli *self, const char *line)
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
            als_cli_read_more (self);
          return;
        }
      als_cli_say (self, "%s", _ ("That is not the reply to this invitation. Paste the whole message once more."));
      g_string_truncate (self->reply, 0);
    }
  else if (self->reply->len > ALS_CLI_MAX_TEXT_BYTES)
    g_string_truncate (self->reply, 0);
  als_cli_read_more (self);
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
  builder = als_cli_event_begin ("mark");
  als_cli_event_int (builder, "n", n);
  als_cli_event_end (self, builder);
  if (n > 0)
    als_cli_say (self, _ ("Try %u together…"), n);
}

/* An invitation out of FILE, up to its end, with whatever stands around it. (transfer full) (nullable) */
static char *
read_invitation (FILE *file)
{
  g_autoptr (GString) text = g_string_new (NULL);
  char buffer[1024];

  while (text->len < ALS_CLI_MAX_TEXT_BYTES && fgets (buffer, sizeof buffer, file) != NULL)
    {
      g_string_append (text, buffer);
      /* Only whole lines are judged: a text may be good before it is complete. */
      if (g_str_has_suffix (buffer, "\n") && als_visit_classify_text (text->str) == ALS_VISIT_TEXT_INVITATION)
        break;
    }
  return g_string_free (g_steal_pointer (&text), FALSE);
}

gboolean
als_cli_begin_reply (Cli *self, GError **error)
{
  const char *path = self->options->invitation_file;
  gboolean is_stdin = g_str_equal (path, "-");
  FILE *file = is_stdin ? stdin : fopen (path, "re");
  g_autofree char *text = NULL;
  char digits[ALS_CLI_MAX_CODE_CHARS];
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
  explicit_bzero (digits, sizeof digits);
  return started;
}

void
als_cli_watch_invitation (Cli *self)
{
  g_signal_connect (self->visit, "notify::invitation", G_CALLBACK (invitation_cb), self);
  g_signal_connect (self->visit, "notify::reply", G_CALLBACK (reply_cb), self);
  g_signal_connect (self->visit, "notify::n-marks", G_CALLBACK (marks_cb), self);
}
