/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Standard input: answers to questions, commands, and a pasted reply, by lines. */

#define G_LOG_DOMAIN "als-cli"

#include "config.h"

#include "cli/als-cli-run-private.h"

#include <gio/gunixinputstream.h>
#include <glib/gi18n.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

typedef struct
{
  char *text;
  Answer answer;             /* LINE: NULL at the end of the input */
  GObject *subject;          /* (nullable) */
} Question;

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
  als_cli_end_line (self);
  fprintf (stderr, "%s ", question->text);
  fflush (stderr);
  als_cli_read_more (self);
}

/* Asks on the terminal; where there is none, the answer is NULL, which declines. */
void
als_cli_ask (Cli *self, const char *text, Answer answer, gpointer subject)
{
  Question *question;

  if (self->options->commands || !isatty (STDIN_FILENO))
    {
      als_cli_say (self, _ ("%s — there is no terminal to answer on; declined."), text);
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

gboolean
als_cli_is_yes (const char *line)
{
  return line != NULL && (g_ascii_strcasecmp (line, "y") == 0 || g_ascii_strcasecmp (line, "yes") == 0
                          || g_utf8_collate (line, _ ("y")) == 0);
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
      als_visit_send_files (self->visit, files);
    }
  else if (g_str_equal (line, "stop"))
    als_visit_stop (self->visit);
  else
    g_printerr (_ ("unknown command “%s”; there are: paths LIST, send FILE, stop\n"), line);
}

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
      als_cli_take_reply_line (self, line);
      return;
    }
  if (self->options->commands)
    {
      if (line == NULL)
        return;
      command (self, g_strstrip (line));
      als_cli_read_more (self);
      return;
    }
  question = g_queue_pop_head (&self->questions);
  if (question == NULL)
    return;
  question->answer (self, line != NULL ? g_strstrip (line) : NULL, question->subject);
  question_free (question);
  show_question (self);
}

void
als_cli_read_more (Cli *self)
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

void
als_cli_clear_input (Cli *self)
{
  g_queue_clear_full (&self->questions, (GDestroyNotify) question_free);
  g_clear_object (&self->input);
}
