/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* The share code: 12 digits, 6 that find the inviter and 6 that only the two
 * apps know. */

#pragma once

#include <gio/gio.h>
#include <stdint.h>

G_BEGIN_DECLS

#define ALS_CODE_ERROR (als_code_error_quark ())
GQuark als_code_error_quark (void);

typedef enum
{
  ALS_CODE_ERROR_EMPTY,
  ALS_CODE_ERROR_NOT_DIGITS,  /* holds letters or other signs */
  ALS_CODE_ERROR_TOO_SHORT,
  ALS_CODE_ERROR_TOO_LONG,
} AlsCodeError;

typedef struct
{
  uint32_t number;  /* 0 .. 999999, the server's half */
  char secret[7];   /* 6 digits and NUL; wiped by als_code_clear () */
} AlsCode;

/* Draws the secret half without bias. */
void     als_code_init   (AlsCode *self, uint32_t number);
/* Takes what people type and paste: spaces of any kind, dashes, dots, digits of other scripts,
 * "alongside:482913607154" and "alongside://code/…". */
gboolean als_code_parse  (AlsCode *self, const char *text, GError **error);
/* "482 913 607 154" (transfer full): secret, to be wiped with als_code_wipe_string (). */
char    *als_code_format (const AlsCode *self);
/* "alongside:482913607154" (transfer full) */
char    *als_code_to_uri (const AlsCode *self);
void     als_code_clear  (AlsCode *self);
void     als_code_wipe_string (char *text); /* wipes and frees; NULL-safe */

G_END_DECLS
