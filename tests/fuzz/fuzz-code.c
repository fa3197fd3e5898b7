/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#include "crypto/als-code.h"
#include "crypto/als-crypto.h"

#include <string.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autofree char *text = g_strndup ((const char *) data, size);
  AlsCode code, again;
  char *formatted;

  als_crypto_init ();
  if (!als_code_parse (&code, text, NULL))
    return 0;
  g_assert_cmpuint (code.number, <, 1000000);
  g_assert_cmpuint (strlen (code.secret), ==, 6);
  formatted = als_code_format (&code);
  g_assert_true (als_code_parse (&again, formatted, NULL));
  g_assert_cmpuint (again.number, ==, code.number);
  g_assert_cmpstr (again.secret, ==, code.secret);
  als_code_wipe_string (formatted);
  return 0;
}
