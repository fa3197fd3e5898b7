/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#include "crypto/als-crypto.h"
#include "crypto/als-invitation.h"

#include <string.h>

#define S INT64_C (1000000)
#define REAL (1700000000 * S)
#define NOW (5000 * S)

static GBytes *
make_addresses (size_t len)
{
  uint8_t *data = g_malloc (len);

  for (size_t i = 0; i < len; i++)
    data[i] = (uint8_t) (i * 7);
  return g_bytes_new_take (data, len);
}

static char *
reply_to (const char *text, const char *digits, GBytes *addresses, uint8_t *secret)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (AlsInvitationOffer) offer = als_invitation_offer_parse (text, REAL, &error);
  char *reply;

  g_assert_no_error (error);
  reply = als_invitation_offer_reply (offer, digits, addresses, secret, &error);
  g_assert_no_error (error);
  return reply;
}

static void
test_both_get_the_secret (void)
{
  for (size_t len = 0; len <= ALS_INVITATION_MAX_ADDRESSES; len += 40)
    {
      g_autoptr (GBytes) mine = make_addresses (len);
      g_autoptr (GBytes) theirs = make_addresses (ALS_INVITATION_MAX_ADDRESSES - len);
      g_autoptr (AlsInvitation) invitation = als_invitation_new (mine, REAL, NOW);
      g_autofree char *digits = g_strdup (als_invitation_get_digits (invitation));
      const char *text = als_invitation_get_text (invitation);
      g_autoptr (AlsInvitationOffer) offer = als_invitation_offer_parse (text, REAL, NULL);
      uint8_t one[ALS_SESSION_SECRET_BYTES], two[ALS_SESSION_SECRET_BYTES];
      g_autofree char *reply = reply_to (text, digits, theirs, one);
      g_autoptr (GBytes) got = NULL;
      g_autoptr (GError) error = NULL;

      g_assert_true (g_bytes_equal (als_invitation_offer_get_addresses (offer), mine));
      g_assert_cmpuint (strlen (digits), ==, 6);
      got = als_invitation_take_reply (invitation, reply, NOW + 60 * S, two, &error);
      g_assert_no_error (error);
      g_assert_true (g_bytes_equal (got, theirs));
      g_assert_cmpmem (one, sizeof one, two, sizeof two);
      /* Nothing of it is left; the digits are in no text. */
      g_assert_cmpstr (als_invitation_get_digits (invitation), ==, "");
      g_assert_null (strstr (text, digits));
      g_assert_null (strstr (reply, digits));
      if (len == 160)
        g_test_message ("%zu bytes of addresses: %zu and %zu characters", len, strlen (text),
                        strlen (reply));
      if (len <= 160)
        g_assert_cmpuint (strlen (text), <, 600);
      g_assert_null (als_invitation_take_reply (invitation, reply, NOW + 60 * S, two, &error));
      g_assert_error (error, ALS_INVITATION_ERROR, ALS_INVITATION_ERROR_USED);
    }
}

static void
test_wrong_digits_use_it_up (void)
{
  g_autoptr (GBytes) addresses = make_addresses (30);
  g_autoptr (AlsInvitation) invitation = als_invitation_new (addresses, REAL, NOW);
  g_autofree char *digits = g_strdup (als_invitation_get_digits (invitation));
  g_autofree char *wrong = g_strdup (digits);
  uint8_t one[ALS_SESSION_SECRET_BYTES], two[ALS_SESSION_SECRET_BYTES] = { 0 };
  g_autofree char *reply = NULL, *right = NULL;
  g_autoptr (GError) error = NULL;

  wrong[5] = wrong[5] == '9' ? '0' : (char) (wrong[5] + 1);
  reply = reply_to (als_invitation_get_text (invitation), wrong, addresses, one);
  right = reply_to (als_invitation_get_text (invitation), digits, addresses, one);
  g_assert_null (als_invitation_take_reply (invitation, reply, NOW, two, &error));
  g_assert_error (error, ALS_INVITATION_ERROR, ALS_INVITATION_ERROR_WRONG_DIGITS);
  g_assert_cmpuint (two[0] | two[31], ==, 0);
  g_clear_error (&error);
  /* One reply, one try: nobody guesses twice. */
  g_assert_null (als_invitation_take_reply (invitation, right, NOW, two, &error));
  g_assert_error (error, ALS_INVITATION_ERROR, ALS_INVITATION_ERROR_USED);
}

/* Whoever carries the texts changes a byte of either, with a good checksum. */
static void
test_changed_texts_are_noticed (void)
{
  g_autoptr (GBytes) addresses = make_addresses (20);
  guint n = 0;

  for (guint at = 0; at < 200; at++)
    {
      g_autoptr (AlsInvitation) invitation = als_invitation_new (addresses, REAL, NOW);
      const char *digits = als_invitation_get_digits (invitation);
      gboolean in_reply = at % 2 != 0;
      uint8_t secret[ALS_SESSION_SECRET_BYTES], theirs[ALS_SESSION_SECRET_BYTES];
      g_autofree char *reply = NULL, *forged = NULL;
      g_autoptr (GBytes) bytes = NULL;
      g_autoptr (GBytes) got = NULL;
      g_autoptr (GError) error = NULL;
      g_autofree uint8_t *data = NULL;
      AlsInvitationText kind = in_reply ? ALS_INVITATION_TEXT_REPLY
                                        : ALS_INVITATION_TEXT_INVITATION;
      gsize len;

      reply = reply_to (als_invitation_get_text (invitation), digits, addresses, theirs);
      bytes = als_invitation_text_decode (kind, in_reply ? reply
                                                         : als_invitation_get_text (invitation),
                                          &error);
      g_assert_no_error (error);
      data = g_memdup2 (g_bytes_get_data (bytes, &len), g_bytes_get_size (bytes));
      if (at / 2 >= len)
        continue;
      data[at / 2] ^= 1;
      forged = als_invitation_text_encode (kind, data, len);
      if (!in_reply)
        {
          g_autoptr (AlsInvitationOffer) offer = als_invitation_offer_parse (forged, REAL, NULL);

          g_clear_pointer (&reply, g_free);
          if (offer != NULL)
            reply = als_invitation_offer_reply (offer, digits, addresses, theirs, NULL);
          if (reply == NULL)
            continue;
        }
      got = als_invitation_take_reply (invitation, in_reply ? forged : reply, NOW, secret, &error);
      g_assert_null (got);
      g_assert_true (error->domain == ALS_INVITATION_ERROR);
      n++;
    }
  g_assert_cmpuint (n, >, 60);
}

static void
test_other_invitations (void)
{
  g_autoptr (GBytes) addresses = make_addresses (20);
  g_autoptr (AlsInvitation) one = als_invitation_new (addresses, REAL, NOW);
  g_autoptr (AlsInvitation) two = als_invitation_new (addresses, REAL, NOW);
  uint8_t secret[ALS_SESSION_SECRET_BYTES];
  g_autofree char *reply = reply_to (als_invitation_get_text (one),
                                     als_invitation_get_digits (one), addresses, secret);
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) got = NULL;

  g_assert_null (als_invitation_take_reply (two, reply, NOW, secret, &error));
  g_assert_error (error, ALS_INVITATION_ERROR, ALS_INVITATION_ERROR_OTHER);
  g_clear_error (&error);
  g_assert_null (als_invitation_take_reply (two, als_invitation_get_text (two), NOW, secret, &error));
  g_assert_error (error, ALS_INVITATION_ERROR, ALS_INVITATION_ERROR_OTHER_KIND);
  g_clear_error (&error);
  g_assert_null (als_invitation_offer_parse (reply, REAL, &error));
  g_assert_error (error, ALS_INVITATION_ERROR, ALS_INVITATION_ERROR_OTHER_KIND);
  g_clear_error (&error);
  /* None of that was a try. */
  g_free (reply);
  reply = reply_to (als_invitation_get_text (two), als_invitation_get_digits (two), addresses,
                    secret);
  got = als_invitation_take_reply (two, reply, NOW, secret, &error);
  g_assert_no_error (error);
}

static void
test_age (void)
{
  g_autoptr (GBytes) addresses = make_addresses (20);
  g_autoptr (AlsInvitation) invitation = als_invitation_new (addresses, REAL, NOW);
  const char *text = als_invitation_get_text (invitation);
  const int64_t life_us = ALS_INVITATION_LIFETIME_S * S;
  uint8_t secret[ALS_SESSION_SECRET_BYTES];
  g_autofree char *reply = reply_to (text, als_invitation_get_digits (invitation), addresses,
                                     secret);
  g_autoptr (GError) error = NULL;
  static const struct { int64_t real_us; gboolean is_good; } cases[] = {
    { REAL - 3600 * S, TRUE }, { REAL + 60 * S, TRUE }, { 0, TRUE },
    { REAL + (ALS_INVITATION_LIFETIME_S + 1) * S, FALSE }, { REAL + 86400 * S, FALSE },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (AlsInvitationOffer) offer = als_invitation_offer_parse (text, cases[i].real_us,
                                                                         &error);

      g_assert_cmpint (offer != NULL, ==, cases[i].is_good);
      if (offer == NULL)
        g_assert_error (error, ALS_INVITATION_ERROR, ALS_INVITATION_ERROR_OLD);
      g_clear_error (&error);
    }
  g_assert_cmpint (als_invitation_get_expiry (invitation), ==, NOW + life_us);
  g_assert_null (als_invitation_take_reply (invitation, reply, NOW + life_us, secret, &error));
  g_assert_error (error, ALS_INVITATION_ERROR, ALS_INVITATION_ERROR_OLD);
}

static void
test_digits (void)
{
  static const char *const good[] = { "123456", " 123 456\n", "123-456", "12 34 56", "١٢٣٤٥٦" };
  static const char *const bad[] = { "", "12345", "1234567", "12345a", "123456!", "\xff" "123456" };
  g_autoptr (GBytes) addresses = make_addresses (20);
  g_autoptr (AlsInvitation) invitation = als_invitation_new (addresses, REAL, NOW);
  g_autoptr (AlsInvitationOffer) offer
    = als_invitation_offer_parse (als_invitation_get_text (invitation), REAL, NULL);

  for (guint i = 0; i < G_N_ELEMENTS (good); i++)
    g_assert_true (als_invitation_check_digits (good[i]));
  for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      uint8_t secret[ALS_SESSION_SECRET_BYTES];
      g_autoptr (GError) error = NULL;

      g_assert_false (als_invitation_check_digits (bad[i]));
      g_assert_null (als_invitation_offer_reply (offer, bad[i], addresses, secret, &error));
      g_assert_error (error, ALS_INVITATION_ERROR, ALS_INVITATION_ERROR_BAD_DIGITS);
    }
}

/* --- the text ------------------------------------------------------------- */

/* TEXT with BETWEEN after each STEP characters. */
static char *
interleave (const char *text, guint step, const char *between)
{
  GString *out = g_string_new (NULL);

  for (guint i = 0; text[i] != '\0'; i++)
    {
      if (i % step == 0 && i > 0)
        g_string_append (out, between);
      g_string_append_c (out, text[i]);
    }
  return g_string_free (out, FALSE);
}

static void
test_what_chats_do (void)
{
  static const char *const around[][2] = {
    { "", "" }, { "<", ">" }, { "\"", "\"" }, { "“", "”" }, { "«", "»" }, { "`", "`" },
    { "Hello, here it is:\n\n", "\n\nSee you! Bob, 12:30" }, { "> ", "\n> \n> -- \n> Bob" },
    { "(", ")." }, { "*", "*" }, { "\xef\xbb\xbf", "\r\n" }, { "Grüße: ", " Grüße" },
    { "alongside-invitation:broken alongside-reply: ", " and alongside-invitation:aeaa" },
  };
  static const char *const between[] = { "\n", "\r\n", " ", "\n> ", "\n>> ", "\xe2\x80\x8b", "\xc2\xa0",
                                         "\xc2\xad", "\t" };
  g_autoptr (GBytes) addresses = make_addresses (120);
  g_autoptr (AlsInvitation) invitation = als_invitation_new (addresses, REAL, NOW);
  const char *text = als_invitation_get_text (invitation);

  for (guint i = 0; i < G_N_ELEMENTS (around); i++)
    for (guint j = 0; j < G_N_ELEMENTS (between); j++)
      for (guint step = 7; step < 80; step += 24)
        {
          g_autofree char *cut = interleave (text, step, between[j]);
          g_autofree char *cased = j % 2 == 0 ? g_ascii_strup (cut, -1) : g_strdup (cut);
          g_autofree char *pasted = g_strconcat (around[i][0], cased, around[i][1], NULL);
          g_autoptr (GError) error = NULL;
          g_autoptr (AlsInvitationOffer) offer = als_invitation_offer_parse (pasted, REAL, &error);

          g_assert_no_error (error);
          g_assert_true (g_bytes_equal (als_invitation_offer_get_addresses (offer), addresses));
        }
}

static void
test_what_is_wrong_is_told (void)
{
  g_autoptr (GBytes) addresses = make_addresses (60);
  g_autoptr (AlsInvitation) invitation = als_invitation_new (addresses, REAL, NOW);
  const char *text = als_invitation_get_text (invitation);
  g_autofree char *version = g_strdup (text), *long_text = g_strnfill (300 * 1024, ' ');
  g_autoptr (GError) error = NULL;
  guint prefix = (guint) (strchr (text, ':') - text) + 1;
  static const char *const others[] = { "", "482 913 607 154", "alongside:482913607154",
                                        "https://example.org/alongside", "\xff\xfe",
                                        "alongside-invitation" };

  for (guint i = 0; i < G_N_ELEMENTS (others); i++)
    {
      g_assert_null (als_invitation_offer_parse (others[i], REAL, &error));
      g_assert_error (error, ALS_INVITATION_ERROR, ALS_INVITATION_ERROR_NONE_FOUND);
      g_clear_error (&error);
    }
  for (size_t len = prefix; len < strlen (text); len++)
    {
      g_autofree char *cut = g_strndup (text, len);

      g_assert_null (als_invitation_offer_parse (cut, REAL, &error));
      g_assert_error (error, ALS_INVITATION_ERROR, ALS_INVITATION_ERROR_CUT_OFF);
      g_clear_error (&error);
    }
  /* One changed character anywhere behind the length. */
  for (size_t at = prefix + 5; at < strlen (text) - 1; at++)
    {
      g_autofree char *changed = g_strdup (text);

      changed[at] = changed[at] == 'a' ? 'b' : 'a';
      g_assert_null (als_invitation_offer_parse (changed, REAL, &error));
      g_assert_error (error, ALS_INVITATION_ERROR, ALS_INVITATION_ERROR_DAMAGED);
      g_clear_error (&error);
    }
  version[prefix + 1] = 'i'; /* version 2 */
  g_assert_null (als_invitation_offer_parse (version, REAL, &error));
  g_assert_error (error, ALS_INVITATION_ERROR, ALS_INVITATION_ERROR_VERSION);
  g_clear_error (&error);
  g_assert_null (als_invitation_offer_parse (long_text, REAL, &error));
  g_assert_error (error, ALS_INVITATION_ERROR, ALS_INVITATION_ERROR_NONE_FOUND);
}

static void
test_classify (void)
{
  static const struct { const char *text; AlsInvitationText kind; } cases[] = {
    { "", ALS_INVITATION_TEXT_OTHER },
    { "482913607154", ALS_INVITATION_TEXT_OTHER },
    { "Bob: Alongside-Invitation:abc", ALS_INVITATION_TEXT_INVITATION },
    { "alongside-reply:abc", ALS_INVITATION_TEXT_REPLY },
    { "alongside-\n> reply:abc", ALS_INVITATION_TEXT_REPLY },
    { "alongside-reply:abc\n> alongside-invitation:abc", ALS_INVITATION_TEXT_REPLY },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    g_assert_cmpint (als_invitation_text_classify (cases[i].text), ==, cases[i].kind);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  als_crypto_init ();
  g_test_add_func ("/crypto/invitation/both-get-the-secret", test_both_get_the_secret);
  g_test_add_func ("/crypto/invitation/wrong-digits-use-it-up", test_wrong_digits_use_it_up);
  g_test_add_func ("/crypto/invitation/changed-texts-are-noticed", test_changed_texts_are_noticed);
  g_test_add_func ("/crypto/invitation/replies-to-others-are-told-apart", test_other_invitations);
  g_test_add_func ("/crypto/invitation/old-ones-are-refused", test_age);
  g_test_add_func ("/crypto/invitation/six-digits-however-typed", test_digits);
  g_test_add_func ("/crypto/invitation-text/survives-chats-and-mails", test_what_chats_do);
  g_test_add_func ("/crypto/invitation-text/says-what-is-wrong", test_what_is_wrong_is_told);
  g_test_add_func ("/crypto/invitation-text/kinds-are-told-apart", test_classify);
  return g_test_run ();
}
