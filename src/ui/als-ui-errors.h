/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Errors as sentences for people: what happened, and what to do next. */

#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/* What a person can do after a visit ended. */
typedef enum
{
  ALS_UI_NEXT_START,      /* back to the first page: new code, or another code */
  ALS_UI_NEXT_TRY_AGAIN,  /* the same once more makes sense */
} AlsUiNext;

/* Translated; valid as long as the program runs. */
typedef struct
{
  const char *title;     /* some words */
  const char *sentence;  /* why, and what to do */
  AlsUiNext next;
} AlsUiErrorText;

/* ERROR: why a visit ended, or NULL when it ended without one. */
void        als_ui_error_describe          (const GError *error, gboolean is_inviter,
                                            AlsUiErrorText *text);
/* A sentence under the field where the code is typed. TRIES_LEFT: 0 if not known. (transfer full) */
char       *als_ui_error_describe_code     (const GError *error, guint tries_left);
/* A few words for the row of a transfer. */
const char *als_ui_error_describe_transfer (const GError *error);
/* "als-visit-error-quark 7" and the like, for details that are copied: never holds text from
 * outside. (transfer full) */
char       *als_ui_error_to_details        (const GError *error);

G_END_DECLS
