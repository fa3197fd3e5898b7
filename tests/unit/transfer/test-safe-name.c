/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "transfer/als-safe-name.h"

#include <string.h>

static void
assert_becomes (const char *name, const char *expected)
{
  g_autofree char *safe = als_safe_name_new (name);

  g_assert_cmpstr (safe, ==, expected);
}

static void
test_ordinary (void)
{
  assert_becomes ("report.pdf", "report.pdf");
  assert_becomes ("Grüße aus Köln.tar.gz", "Grüße aus Köln.tar.gz");
  assert_becomes ("a..b", "a..b");
  assert_becomes ("no extension", "no extension");
}

static void
test_folders (void)
{
  assert_becomes ("../../etc/passwd", "_.._.._etc_passwd");
  assert_becomes ("..\\..\\autoexec.bat", "_.._.._autoexec.bat");
  assert_becomes ("/etc/passwd", "_etc_passwd");
  assert_becomes ("..", "_..");
  assert_becomes (".", "_.");
  assert_becomes ("a/", "a_");
}

static void
test_hidden (void)
{
  assert_becomes (".bashrc", "_.bashrc");
  assert_becomes (" .bashrc", "_.bashrc");
  assert_becomes ("\xe2\x80\x8b.bashrc", "_.bashrc"); /* behind a zero-width space */
}

static void
test_invisible (void)
{
  assert_becomes ("photo\u202egnp.exe", "photognp.exe");
  assert_becomes ("a\u2066b\u2069c\u200fd", "abcd");
  assert_becomes ("line\nbreak\x7f", "linebreak");
  assert_becomes ("two\u2028lines", "twolines");
  assert_becomes ("wide\u00a0space", "wide space");
  assert_becomes ("👩\u200d💻", "👩\u200d💻"); /* joiners belong to letters and emoji */
}

static void
test_empty (void)
{
  assert_becomes ("", "file");
  assert_becomes ("   ", "file");
  assert_becomes ("\x01\u202e", "file");
}

static void
test_devices (void)
{
  assert_becomes ("CON", "_CON");
  assert_becomes ("nul.txt", "_nul.txt");
  assert_becomes ("lpt1.tar.gz", "_lpt1.tar.gz");
  assert_becomes ("console.log", "console.log");
}

static void
test_invalid (void)
{
  assert_becomes ("a\xff" "b", "a\ufffd" "b");
}

static void
test_long (void)
{
  g_autofree char *umlauts = g_strnfill (600, 'x');
  g_autofree char *name = NULL, *safe = NULL, *numbered = NULL, *part = NULL;

  for (guint i = 0; i + 1 < 600; i += 2)
    memcpy (umlauts + i, "ä", 2);
  name = g_strconcat (umlauts, ".tar.gz", NULL);
  safe = als_safe_name_new (name);
  g_assert_cmpuint (strlen (safe), <=, 255);
  g_assert_cmpuint (strlen (safe), >=, 254);
  g_assert_true (g_utf8_validate (safe, -1, NULL));
  g_assert_true (g_str_has_suffix (safe, "ä.tar.gz"));
  numbered = als_safe_name_numbered (safe, 17);
  g_assert_cmpuint (strlen (numbered), <=, 255);
  g_assert_true (g_str_has_suffix (numbered, "ä (17).tar.gz"));
  part = als_safe_name_part (safe, "abcdef");
  g_assert_cmpuint (strlen (part), <=, 255);
  g_assert_true (g_str_has_prefix (part, ".ä"));
  g_assert_true (g_str_has_suffix (part, ".abcdef.part"));
  g_assert_true (g_utf8_validate (part, -1, NULL));
}

static void
assert_second (const char *name, const char *expected)
{
  g_autofree char *numbered = als_safe_name_numbered (name, 2);

  g_assert_cmpstr (numbered, ==, expected);
}

static void
test_numbered (void)
{
  assert_second ("report.pdf", "report (2).pdf");
  assert_second ("archive.tar.gz", "archive (2).tar.gz");
  assert_second ("README", "README (2)");
  assert_second ("v1.2 final", "v1.2 final (2)");
  assert_second ("_.bashrc", "_ (2).bashrc");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/transfer/safe-name/leaves-ordinary-names-alone", test_ordinary);
  g_test_add_func ("/transfer/safe-name/has-no-folders", test_folders);
  g_test_add_func ("/transfer/safe-name/is-never-hidden", test_hidden);
  g_test_add_func ("/transfer/safe-name/drops-what-cannot-be-seen", test_invisible);
  g_test_add_func ("/transfer/safe-name/is-never-empty", test_empty);
  g_test_add_func ("/transfer/safe-name/is-no-device", test_devices);
  g_test_add_func ("/transfer/safe-name/is-valid-utf-8", test_invalid);
  g_test_add_func ("/transfer/safe-name/is-cut-between-characters-before-the-extension", test_long);
  g_test_add_func ("/transfer/safe-name/numbers-before-the-extension", test_numbered);
  return g_test_run ();
}
