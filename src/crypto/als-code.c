/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#include "config.h"

#include "crypto/als-code.h"

#include <sodium.h>
#include <string.h>

#define NUMBER_DIGITS 6
#define SECRET_DIGITS 6
#define CODE_DIGITS (NUMBER_DIGITS + SECRET_DIGITS)
#define N_SECRETS 1000000u

/* Nobody types more; a pasted page is no code. */
#define MAX_TEXT_BYTES 1024

#define SCHEME "alongside:"
#define LINK_HOST "//code/"

G_DEFINE_QUARK (als-code-error-quark, als_code_error)

static void
fill_secret (AlsCode *self, uint32_t value)
{
  for (guint i = SECRET_DIGITS; i > 0; i--, value /= 10)
    self->secret[i - 1] = (char) ('0' + value % 10);
  self->secret[SECRET_DIGITS] = '\0';
}

void
als_code_init (AlsCode *self, uint32_t number)
{
  g_return_if_fail (number < 1000000);
  self->number = number;
  fill_secret (self, randombytes_uniform (N_SECRETS));
}

/* Signs that group digits and mean nothing. */
static gboolean
is_filler (gunichar c)
{
  if (g_unichar_isspace (c))
    return TRUE;
  switch (g_unichar_type (c))
    {
    case G_UNICODE_SPACE_SEPARATOR:
    case G_UNICODE_LINE_SEPARATOR:
    case G_UNICODE_PARAGRAPH_SEPARATOR:
    case G_UNICODE_DASH_PUNCTUATION:
    case G_UNICODE_FORMAT:        /* zero width spaces, direction marks, soft hyphen */
      return TRUE;
    default:
      break;
    }
  switch (c)
    {
    case '.':
    case ',':
    case 0x00b7:                  /* middle dot */
    case 0x2022:                  /* bullet */
    case 0x2024:                  /* one dot leader */
    case 0x2027:                  /* hyphenation point */
    case 0x2043:                  /* hyphen bullet */
    case 0x2212:                  /* minus */
    case 0x3002:                  /* ideographic full stop */
    case 0x30fb:                  /* katakana middle dot */
    case 0xff0e:                  /* fullwidth full stop */
      return TRUE;
    default:
      return FALSE;
    }
}

/* A link's text without its scheme; NULL when TEXT is none. */
static char *
strip_link (const char *text)
{
  while (g_ascii_isspace (*text))
    text++;
  if (g_ascii_strncasecmp (text, SCHEME, strlen (SCHEME)) != 0)
    return NULL;
  text += strlen (SCHEME);
  if (g_ascii_strncasecmp (text, LINK_HOST, strlen (LINK_HOST)) == 0)
    text += strlen (LINK_HOST);
  return g_uri_unescape_string (text, NULL);
}

static gboolean
collect_digits (const char *text, char digits[CODE_DIGITS], guint *n, GError **error)
{
  *n = 0;
  if (!g_utf8_validate (text, -1, NULL))
    {
      g_set_error_literal (error, ALS_CODE_ERROR, ALS_CODE_ERROR_NOT_DIGITS, "not text");
      return FALSE;
    }
  for (const char *p = text; *p != '\0'; p = g_utf8_next_char (p))
    {
      gunichar c = g_utf8_get_char (p);

      if (g_unichar_isdigit (c))
        {
          if (*n < CODE_DIGITS)
            digits[*n] = (char) ('0' + g_unichar_digit_value (c));
          (*n)++;
        }
      else if (!is_filler (c))
        {
          g_set_error_literal (error, ALS_CODE_ERROR, ALS_CODE_ERROR_NOT_DIGITS,
                               "holds something that is no digit");
          return FALSE;
        }
    }
  return TRUE;
}

gboolean
als_code_parse (AlsCode *self, const char *text, GError **error)
{
  char digits[CODE_DIGITS] = { 0 };
  char *linked;
  gboolean ok;
  guint n;

  memset (self, 0, sizeof *self);
  if (strlen (text) > MAX_TEXT_BYTES)
    {
      g_set_error_literal (error, ALS_CODE_ERROR, ALS_CODE_ERROR_TOO_LONG, "too long for a code");
      return FALSE;
    }
  linked = strip_link (text);
  ok = collect_digits (linked != NULL ? linked : text, digits, &n, error);
  als_code_wipe_string (linked);
  if (ok && n != CODE_DIGITS)
    {
      g_set_error (error, ALS_CODE_ERROR,
                   n == 0 ? ALS_CODE_ERROR_EMPTY
                   : n < CODE_DIGITS ? ALS_CODE_ERROR_TOO_SHORT : ALS_CODE_ERROR_TOO_LONG,
                   "%u digits instead of %d", n, CODE_DIGITS);
      ok = FALSE;
    }
  if (ok)
    {
      for (guint i = 0; i < NUMBER_DIGITS; i++)
        self->number = self->number * 10 + (uint32_t) (digits[i] - '0');
      memcpy (self->secret, digits + NUMBER_DIGITS, SECRET_DIGITS);
    }
  sodium_memzero (digits, sizeof digits);
  return ok;
}

char *
als_code_format (const AlsCode *self)
{
  return g_strdup_printf ("%03u %03u %.3s %.3s", self->number / 1000, self->number % 1000,
                          self->secret, self->secret + 3);
}

char *
als_code_to_uri (const AlsCode *self)
{
  return g_strdup_printf (SCHEME "%06u%s", self->number, self->secret);
}

void
als_code_clear (AlsCode *self)
{
  sodium_memzero (self, sizeof *self);
}

void
als_code_wipe_string (char *text)
{
  if (text == NULL)
    return;
  sodium_memzero (text, strlen (text));
  g_free (text);
}
