/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Turns a stranger's file name into one that is safe to create and to show. */

#include "config.h"

#include "transfer/als-safe-name.h"

#include <string.h>

#define MAX_NAME_BYTES 255
/* Longer than that, what follows the last dot is no extension to keep. */
#define MAX_EXTENSION_BYTES 16
#define FALLBACK_NAME "file"

#define ZERO_WIDTH_NON_JOINER 0x200c
#define ZERO_WIDTH_JOINER 0x200d

/* Names that stand for devices on file systems a USB stick may have to be read with. */
static const char *const device_names[] = { "con", "prn", "aux", "nul", "conin$", "conout$" };

static gboolean
is_kept (gunichar c)
{
  switch (g_unichar_type (c))
    {
    case G_UNICODE_CONTROL:
    case G_UNICODE_SURROGATE:
    case G_UNICODE_LINE_SEPARATOR:
    case G_UNICODE_PARAGRAPH_SEPARATOR:
      return FALSE;
    case G_UNICODE_FORMAT:
      /* Overrides of direction and other invisible marks can make "exe.txt" of "txt.exe";
       * the joiners are letters' business in Persian, Hindi and emoji. */
      return c == ZERO_WIDTH_JOINER || c == ZERO_WIDTH_NON_JOINER;
    default:
      return TRUE;
    }
}

/* The largest length of at most MAX bytes that ends between two characters. */
static size_t
cut_length (const char *text, size_t len, size_t max)
{
  if (len <= max)
    return len;
  while (max > 0 && ((guchar) text[max] & 0xc0) == 0x80)
    max--;
  return max;
}

static size_t
extension_length (const char *name, size_t len)
{
  const char *dot = g_strrstr_len (name, (gssize) len, ".");
  size_t n = dot != NULL ? len - (size_t) (dot - name) : 0;

  if (dot == name || n <= 1 || n > MAX_EXTENSION_BYTES || memchr (dot, ' ', n) != NULL)
    return 0;
  return n;
}

/* Where the extension starts, with its dot; "archive.tar.gz": at ".tar.gz". */
static size_t
stem_length (const char *name)
{
  size_t len = strlen (name);
  size_t stem = len - extension_length (name, len);

  if (stem < len && stem > 4 && g_ascii_strncasecmp (name + stem - 4, ".tar", 4) == 0)
    stem -= 4;
  return stem;
}

static gboolean
is_device_name (const char *name)
{
  size_t len = strcspn (name, ".");

  for (guint i = 0; i < G_N_ELEMENTS (device_names); i++)
    if (len == strlen (device_names[i]) && g_ascii_strncasecmp (name, device_names[i], len) == 0)
      return TRUE;
  return len == 4 && g_ascii_isdigit (name[3])
         && (g_ascii_strncasecmp (name, "com", 3) == 0 || g_ascii_strncasecmp (name, "lpt", 3) == 0);
}

static void
trim (GString *name)
{
  size_t start = 0;

  while (name->len > 0 && name->str[name->len - 1] == ' ')
    g_string_truncate (name, name->len - 1);
  while (start < name->len && name->str[start] == ' ')
    start++;
  g_string_erase (name, 0, (gssize) start);
}

/* Cuts the stem so that all is at most MAX bytes with SUFFIX between stem and extension. */
static char *
fit (const char *name, const char *suffix, size_t max)
{
  size_t stem = stem_length (name);
  const char *extension = name + stem;
  size_t len = cut_length (name, stem, max - strlen (suffix) - strlen (extension));

  while (len < stem && len > 0 && name[len - 1] == ' ')
    len--;
  return g_strdup_printf ("%.*s%s%s", (int) len, name, suffix, extension);
}

char *
als_safe_name_new (const char *name)
{
  g_autofree char *valid = g_utf8_make_valid (name, -1);
  g_autoptr (GString) out = g_string_new (NULL);

  for (const char *p = valid; *p != '\0'; p = g_utf8_next_char (p))
    {
      gunichar c = g_utf8_get_char (p);

      if (!is_kept (c))
        continue;
      if (c == '/' || c == '\\')
        c = '_';
      else if (g_unichar_isspace (c))
        c = ' ';
      g_string_append_unichar (out, c);
    }
  trim (out);
  if (out->len == 0)
    g_string_assign (out, FALLBACK_NAME);
  if (out->str[0] == '.' || is_device_name (out->str))
    g_string_prepend_c (out, '_');
  if (out->len > MAX_NAME_BYTES)
    return fit (out->str, "", MAX_NAME_BYTES);
  return g_strdup (out->str);
}

char *
als_safe_name_numbered (const char *name, guint n)
{
  g_autofree char *suffix = g_strdup_printf (" (%u)", n);

  return fit (name, suffix, MAX_NAME_BYTES);
}

char *
als_safe_name_part (const char *name, const char *tag)
{
  size_t room = MAX_NAME_BYTES - strlen (tag) - strlen ("...part");

  return g_strdup_printf (".%.*s.%s.part", (int) cut_length (name, strlen (name), room), name,
                          tag);
}
