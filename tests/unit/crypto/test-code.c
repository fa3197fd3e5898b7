/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "crypto/als-code.h"
#include "crypto/als-crypto.h"

#include <string.h>

static void
test_typed_and_pasted_forms (void)
{
  static const char *const forms[] = {
    "482913607154",
    "482 913 607 154",
    "  482-913-607-154\n",
    "482\302\240913\302\240607\302\240154",              /* no-break spaces */
    "482\342\200\211913\342\200\257607\342\200\212154",  /* thin, narrow no-break, hair */
    "482\343\200\200913 607 154",                        /* ideographic space */
    "482\342\200\223913\342\200\224607\342\200\221154",  /* en, em, no-break hyphen */
    "482\342\210\222913\302\255607154",                  /* minus, soft hyphen */
    "482.913.607.154",
    "482\302\267913\302\267607\302\267154",
    "482,913,607,154",
    "\357\273\277482 913 607\342\200\213154",            /* byte order mark, zero width space */
    "\342\200\216482 913 607 154\342\200\254",           /* direction marks */
    "4 8 2 9 1 3 6 0 7 1 5 4",
    "\331\244\331\250\331\242 \331\251\331\241\331\243 \331\246\331\240\331\247 \331\241\331\245\331\244",
    "\340\245\252\340\245\256\340\245\250913607154",     /* Devanagari */
    "\357\274\224\357\274\230\357\274\222\357\274\215913\357\274\216607154", /* fullwidth */
    "alongside:482913607154",
    "  Alongside:482913607154 ",
    "alongside:482%20913%20607%20154",
    "alongside://code/482913607154",
    "ALONGSIDE://CODE/482-913-607-154",
  };

  for (guint i = 0; i < G_N_ELEMENTS (forms); i++)
    {
      g_autoptr (GError) error = NULL;
      AlsCode code;

      if (!als_code_parse (&code, forms[i], &error))
        g_error ("form %u: %s", i, error->message);
      g_assert_cmpuint (code.number, ==, 482913);
      g_assert_cmpstr (code.secret, ==, "607154");
    }
}

static void
test_says_what_is_wrong (void)
{
  static const struct { const char *text; int code; } bad[] = {
    { "", ALS_CODE_ERROR_EMPTY },
    { " - \302\240.", ALS_CODE_ERROR_EMPTY },
    { "alongside:", ALS_CODE_ERROR_EMPTY },
    { "482 913 607 15", ALS_CODE_ERROR_TOO_SHORT },
    { "1", ALS_CODE_ERROR_TOO_SHORT },
    { "482 913 607 1543", ALS_CODE_ERROR_TOO_LONG },
    { "482 913 6O7 154", ALS_CODE_ERROR_NOT_DIGITS },
    { "hello", ALS_CODE_ERROR_NOT_DIGITS },
    { "\302\262482913607154", ALS_CODE_ERROR_NOT_DIGITS }, /* superscript two */
    { "https://example.org/482913607154", ALS_CODE_ERROR_NOT_DIGITS },
    { "alongside://other/482913607154", ALS_CODE_ERROR_NOT_DIGITS },
    { "482913607154\xff", ALS_CODE_ERROR_NOT_DIGITS },
    { "alongside:482913607154%ff", ALS_CODE_ERROR_NOT_DIGITS },
  };

  for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      g_autoptr (GError) error = NULL;
      AlsCode code;

      g_assert_false (als_code_parse (&code, bad[i].text, &error));
      g_assert_error (error, ALS_CODE_ERROR, bad[i].code);
      /* What was typed may be nearly the code: it is in no message. */
      g_assert_null (strstr (error->message, "482"));
    }
}

static void
test_a_page_is_no_code (void)
{
  g_autofree char *page = g_strnfill (100000, ' ');
  g_autoptr (GError) error = NULL;
  AlsCode code;

  g_assert_false (als_code_parse (&code, page, &error));
  g_assert_error (error, ALS_CODE_ERROR, ALS_CODE_ERROR_TOO_LONG);
}

static void
test_round_trip (void)
{
  for (guint i = 0; i < 200; i++)
    {
      uint32_t number = i < 2 ? i * 999999 : (uint32_t) g_random_int_range (0, 1000000);
      AlsCode code, again;
      char *text, *uri;

      als_code_init (&code, number);
      text = als_code_format (&code);
      uri = als_code_to_uri (&code);
      g_assert_cmpuint (strlen (text), ==, 15);
      g_assert_cmpuint (strlen (uri), ==, strlen ("alongside:") + 12);
      g_assert_true (als_code_parse (&again, text, NULL));
      g_assert_cmpuint (again.number, ==, number);
      g_assert_cmpstr (again.secret, ==, code.secret);
      g_assert_true (als_code_parse (&again, uri, NULL));
      g_assert_cmpuint (again.number, ==, number);
      g_assert_cmpstr (again.secret, ==, code.secret);
      als_code_wipe_string (text);
      als_code_wipe_string (uri);
      als_code_clear (&code);
      g_assert_cmpint (code.secret[0], ==, 0);
    }
  als_code_wipe_string (NULL);
}

/* Chi square over each place's digits: 9 degrees of freedom, 40 is beyond one in 100,000. */
static void
test_secret_is_drawn_evenly (void)
{
  const guint n = 20000;
  guint count[6][10] = { 0 };

  for (guint i = 0; i < n; i++)
    {
      AlsCode code;

      als_code_init (&code, 0);
      for (guint place = 0; place < 6; place++)
        count[place][code.secret[place] - '0']++;
    }
  for (guint place = 0; place < 6; place++)
    {
      double chi = 0;

      for (guint digit = 0; digit < 10; digit++)
        {
          double off = count[place][digit] - n / 10.0;

          chi += off * off / (n / 10.0);
        }
      g_assert_cmpfloat (chi, <, 40);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  als_crypto_init ();
  g_test_add_func ("/crypto/code/takes-what-people-type-and-paste", test_typed_and_pasted_forms);
  g_test_add_func ("/crypto/code/says-what-is-wrong-without-repeating-it", test_says_what_is_wrong);
  g_test_add_func ("/crypto/code/a-pasted-page-is-no-code", test_a_page_is_no_code);
  g_test_add_func ("/crypto/code/text-and-link-round-trip", test_round_trip);
  g_test_add_func ("/crypto/code/secret-is-drawn-evenly", test_secret_is_drawn_evenly);
  return g_test_run ();
}
