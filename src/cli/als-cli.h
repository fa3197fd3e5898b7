/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* What the parts of the command line share. */

#pragma once

#include <gio/gio.h>
#include "visit/als-visit.h"

G_BEGIN_DECLS

/* Exit codes, documented in `alongside --help`. */
typedef enum
{
  ALS_EXIT_DONE = 0,
  ALS_EXIT_FAILED = 1,     /* anything without a code of its own */
  ALS_EXIT_USAGE = 2,
  ALS_EXIT_CODE = 3,       /* the code is unknown, wrong, used up */
  ALS_EXIT_DECLINED = 4,   /* declined, or nobody answered */
  ALS_EXIT_SERVER = 5,     /* no rendezvous server */
  ALS_EXIT_LOST = 6,       /* the other side left or was lost before it was done */
  ALS_EXIT_FILE = 7,       /* a file could not be read, written or agreed on */
  ALS_EXIT_INTERRUPTED = 130,
} AlsExit;

typedef enum
{
  ALS_CLI_SEND,
  ALS_CLI_RECEIVE,
  ALS_CLI_SHARE,
} AlsCliMode;

typedef struct
{
  AlsCliMode mode;
  GPtrArray *files;        /* send: (element-type GFile) */
  gboolean invitation;     /* send, share: a text instead of a code */
  char *invitation_file;   /* receive: "-" or a path; NULL: a code */
  char **stun;             /* HOST[:PORT] or URIs, checked */
  char *code_file;         /* receive: "-" or a path; NULL: asks */
  char **servers;
  guint allowed_kinds;
  char *folder;            /* receive: where to; NULL: the current folder */
  char *name;
  gboolean yes;
  gboolean json;
  gboolean commands;       /* lines on standard input steer it (tests, support) */
  gboolean listen;
  gboolean loopback;
  gboolean no_lan;
  gboolean test_pattern;
  char *display;
  gint measure_ms;         /* 0: off */
} AlsCliOptions;

/* Runs a visit to its end; returns the exit code. */
int         als_cli_run             (const AlsCliOptions *options);
/* The command `diagnose`. */
int         als_cli_diagnose        (int argc, char **argv);

/* A sentence for a person; (transfer full). */
char       *als_cli_describe_error  (const GError *error, guint tries_left);
AlsExit     als_cli_exit_of_error   (const GError *error);
/* A short word for machines, such as "wrong-code". */
const char *als_cli_reason_of_error (const GError *error);

G_END_DECLS
