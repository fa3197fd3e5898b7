/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* The parts of one visit at a terminal among each other, one idea a file:
 *
 *   als-cli-run.c         the visit's states, from the first word to the exit code
 *   als-cli-output.c      lines for people, JSON events for programs
 *   als-cli-input.c       questions and commands on standard input
 *   als-cli-transfers.c   files: offers, progress, ends
 *   als-cli-invitation.c  texts instead of a server */

#pragma once

#include "cli/als-cli.h"

#include <json-glib/json-glib.h>

G_BEGIN_DECLS

/* What is read at once: a code, six digits; a pasted text, with what a chat puts around it. */
#define ALS_CLI_MAX_CODE_CHARS 200
#define ALS_CLI_MAX_TEXT_BYTES (16 * 1024)

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

/* als-cli-output.c */
void         als_cli_end_line     (Cli *self);
/* A line for a person; nothing with --json. */
void         als_cli_say          (Cli *self, const char *format, ...) G_GNUC_PRINTF (2, 3);
/* An event, its fields, and its end, which prints it with --json. */
JsonBuilder *als_cli_event_begin  (const char *event);
void         als_cli_event_text   (JsonBuilder *builder, const char *name, const char *value);
void         als_cli_event_int    (JsonBuilder *builder, const char *name, gint64 value);
void         als_cli_event_flag   (JsonBuilder *builder, const char *name, gboolean value);
void         als_cli_event_double (JsonBuilder *builder, const char *name, double value);
/* BUILDER: (transfer full). */
void         als_cli_event_end    (Cli *self, JsonBuilder *builder);

/* als-cli-input.c */
/* Asks on the terminal; where there is none, the answer is NULL, which declines. SUBJECT: (nullable) a GObject,
 * kept until it is answered. */
void         als_cli_ask          (Cli *self, const char *text, Answer answer, gpointer subject);
gboolean     als_cli_is_yes       (const char *line);
/* The next line, whatever it is for. */
void         als_cli_read_more    (Cli *self);
void         als_cli_clear_input  (Cli *self);

/* als-cli-transfers.c */
void         als_cli_watch_transfers   (Cli *self);
void         als_cli_unwatch_transfers (Cli *self);

/* als-cli-invitation.c */
void         als_cli_watch_invitation  (Cli *self);
/* LINE: (nullable): of the reply to our invitation; NULL at the end of the input. Chats break lines. */
void         als_cli_take_reply_line   (Cli *self, const char *line);
/* FALSE: told, unless ERROR is set. */
gboolean     als_cli_begin_reply       (Cli *self, GError **error);

G_END_DECLS
