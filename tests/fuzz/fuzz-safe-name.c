/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Whatever the name, the result is one harmless component of a path. */

#include "config.h"

#include "transfer/als-safe-name.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static void
check (const char *name)
{
  size_t len = strlen (name);

  g_assert_cmpuint (len, >, 0);
  g_assert_cmpuint (len, <=, 255);
  g_assert_true (g_utf8_validate (name, -1, NULL));
  g_assert_cmpint (name[0], !=, '.');
  g_assert_cmpint (name[0], !=, ' ');
  for (const char *p = name; *p != '\0'; p = g_utf8_next_char (p))
    {
      gunichar c = g_utf8_get_char (p);

      g_assert_true (c != '/' && c != '\\' && !g_unichar_iscntrl (c));
      g_assert_false (c >= 0x202a && c <= 0x202e);
      g_assert_false (c >= 0x2066 && c <= 0x2069);
      g_assert_false (c == 0x2028 || c == 0x2029 || c == 0x200e || c == 0x200f);
    }
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autofree char *raw = g_strndup ((const char *) data, size);
  g_autofree char *name = als_safe_name_new (raw);
  g_autofree char *again = als_safe_name_new (name);
  g_autofree char *numbered = als_safe_name_numbered (name, 9999);
  g_autofree char *part = als_safe_name_part (name, "abcdef");

  check (name);
  g_assert_cmpstr (name, ==, again);
  check (numbered);
  g_assert_cmpuint (strlen (part), <=, 255);
  g_assert_true (g_utf8_validate (part, -1, NULL));
  return 0;
}
