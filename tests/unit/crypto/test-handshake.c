/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "crypto/als-handshake.h"
#include "crypto/als-crypto.h"

#include <string.h>

#define TAG_MESSAGE_BYTES 33

typedef struct
{
  AlsTries inviter_tries, joiner_tries;
  AlsHandshake *inviter, *joiner;
} Pair;

static void
pair_init (Pair *pair, const char *inviter_code, const char *joiner_code)
{
  AlsCode code;

  memset (pair, 0, sizeof *pair);
  g_assert_true (als_code_parse (&code, inviter_code, NULL));
  pair->inviter = als_handshake_new (TRUE, &code, &pair->inviter_tries);
  g_assert_true (als_code_parse (&code, joiner_code, NULL));
  pair->joiner = als_handshake_new (FALSE, &code, &pair->joiner_tries);
}

static void
pair_clear (Pair *pair)
{
  als_handshake_free (pair->inviter);
  als_handshake_free (pair->joiner);
}

static gboolean
give (AlsHandshake *to, GBytes *message, GBytes **reply, GError **error)
{
  size_t len;
  const uint8_t *data = g_bytes_get_data (message, &len);

  return als_handshake_receive (to, data, len, reply, error);
}

static GBytes *
must_reply (AlsHandshake *to, GBytes *message)
{
  g_autoptr (GError) error = NULL;
  GBytes *reply = NULL;

  if (!give (to, message, &reply, &error))
    g_error ("%s", error->message);
  g_assert_nonnull (reply);
  return reply;
}

static void
must_fail (AlsHandshake *to, GBytes *message, int code)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) reply = NULL;

  g_assert_false (give (to, message, &reply, &error));
  g_assert_error (error, ALS_HANDSHAKE_ERROR, code);
  g_assert_false (als_handshake_is_done (to));
}

static void
test_same_code_agrees (void)
{
  Pair pair;
  g_autoptr (GBytes) share = NULL;
  g_autoptr (GBytes) inviter_share = NULL;
  g_autoptr (GBytes) tag = NULL;
  g_autoptr (GBytes) inviter_tag = NULL;
  g_autoptr (GBytes) nothing = NULL;
  uint8_t a[ALS_SESSION_SECRET_BYTES], b[ALS_SESSION_SECRET_BYTES];
  uint8_t meeting_a[ALS_MEETING_ID_BYTES], meeting_b[ALS_MEETING_ID_BYTES];

  pair_init (&pair, "482 913 607 154", "482913607154");
  g_assert_null (als_handshake_start (pair.inviter, NULL));
  share = als_handshake_start (pair.joiner, NULL);
  g_assert_nonnull (share);
  g_assert_cmpuint (pair.joiner_tries.spent, ==, 1);
  g_assert_cmpuint (pair.inviter_tries.spent, ==, 0);
  inviter_share = must_reply (pair.inviter, share);
  g_assert_cmpuint (pair.inviter_tries.spent, ==, 1);
  tag = must_reply (pair.joiner, inviter_share);
  g_assert_false (als_handshake_is_done (pair.joiner));
  inviter_tag = must_reply (pair.inviter, tag);
  g_assert_true (als_handshake_is_done (pair.inviter));
  g_assert_cmpuint (pair.inviter_tries.spent, ==, 0);
  g_assert_true (give (pair.joiner, inviter_tag, &nothing, NULL));
  g_assert_null (nothing);
  g_assert_true (als_handshake_is_done (pair.joiner));
  g_assert_cmpuint (pair.joiner_tries.spent, ==, 0);
  g_assert_cmpuint (g_bytes_get_size (tag), <=, ALS_HANDSHAKE_MAX_MESSAGE);

  als_handshake_get_secret (pair.inviter, a);
  als_handshake_get_secret (pair.joiner, b);
  g_assert_cmpmem (a, sizeof a, b, sizeof b);
  als_session_secret_to_meeting_id (a, meeting_a);
  als_session_secret_to_meeting_id (b, meeting_b);
  g_assert_cmpmem (meeting_a, sizeof meeting_a, meeting_b, sizeof meeting_b);
  g_assert_cmpint (memcmp (meeting_a, a, sizeof meeting_a), !=, 0);
  pair_clear (&pair);
}

/* Runs until somebody fails; returns the inviter's error and the joiner's. */
static void
run_wrong (Pair *pair)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) share = als_handshake_start (pair->joiner, NULL);
  g_autoptr (GBytes) inviter_share = must_reply (pair->inviter, share);
  g_autoptr (GBytes) tag = must_reply (pair->joiner, inviter_share);
  g_autoptr (GBytes) refusal = NULL;

  g_assert_false (give (pair->inviter, tag, &refusal, &error));
  g_assert_error (error, ALS_HANDSHAKE_ERROR, ALS_HANDSHAKE_ERROR_WRONG_CODE);
  /* The inviter's tag does not leave. */
  g_assert_nonnull (refusal);
  g_assert_cmpuint (g_bytes_get_size (refusal), <, TAG_MESSAGE_BYTES);
  must_fail (pair->joiner, refusal, ALS_HANDSHAKE_ERROR_WRONG_CODE);
}

static void
test_wrong_code (void)
{
  Pair pair;

  pair_init (&pair, "482913607154", "482913607155");
  run_wrong (&pair);
  g_assert_cmpuint (pair.inviter_tries.spent, ==, 1);
  g_assert_cmpuint (pair.joiner_tries.spent, ==, 1);
  pair_clear (&pair);

  /* The same secret under another number is another code. */
  pair_init (&pair, "482913607154", "482914607154");
  run_wrong (&pair);
  pair_clear (&pair);
}

static void
test_three_and_burnt (void)
{
  AlsTries inviter_tries = { 0 }, joiner_tries = { 0 };
  AlsCode right, wrong;
  g_autoptr (AlsHandshake) joiner = NULL;
  g_autoptr (AlsHandshake) inviter = NULL;
  g_autoptr (GBytes) share = NULL;
  g_autoptr (GBytes) refusal = NULL;
  g_autoptr (GError) error = NULL;
  AlsTries fresh = { 0 };

  als_code_parse (&right, "482913607154", NULL);
  als_code_parse (&wrong, "482913607155", NULL);
  for (guint i = 0; i < ALS_HANDSHAKE_MAX_TRIES; i++)
    {
      Pair pair = { .inviter = als_handshake_new (TRUE, &right, &inviter_tries),
                    .joiner = als_handshake_new (FALSE, &wrong, &joiner_tries) };

      run_wrong (&pair);
      pair_clear (&pair);
    }
  joiner = als_handshake_new (FALSE, &right, &joiner_tries);
  g_assert_null (als_handshake_start (joiner, &error));
  g_assert_error (error, ALS_HANDSHAKE_ERROR, ALS_HANDSHAKE_ERROR_BURNT);
  g_clear_error (&error);
  als_handshake_free (joiner);

  /* Another joiner has tries, but the code has none, not even for who knows it. */
  joiner = als_handshake_new (FALSE, &right, &fresh);
  inviter = als_handshake_new (TRUE, &right, &inviter_tries);
  share = als_handshake_start (joiner, NULL);
  g_assert_false (give (inviter, share, &refusal, &error));
  g_assert_error (error, ALS_HANDSHAKE_ERROR, ALS_HANDSHAKE_ERROR_BURNT);
  must_fail (joiner, refusal, ALS_HANDSHAKE_ERROR_BURNT);
}

/* The server starts handshakes as it likes and never finishes one. */
static void
test_abandoned_handshakes (void)
{
  AlsTries tries = { 0 };
  AlsCode code, guess;
  guint shares_out = 0, burnt = 0;

  als_code_parse (&code, "482913607154", NULL);
  for (guint i = 0; i < 1000; i++)
    {
      AlsTries own = { 0 };
      g_autoptr (AlsHandshake) inviter = als_handshake_new (TRUE, &code, &tries);
      g_autoptr (AlsHandshake) server = NULL;
      g_autoptr (GBytes) share = NULL;
      g_autoptr (GBytes) reply = NULL;
      g_autoptr (GError) error = NULL;

      als_code_init (&guess, 482913);
      server = als_handshake_new (FALSE, &guess, &own);
      share = als_handshake_start (server, NULL);
      if (give (inviter, share, &reply, &error))
        {
          shares_out++;
          continue;
        }
      g_assert_error (error, ALS_HANDSHAKE_ERROR, ALS_HANDSHAKE_ERROR_BURNT);
      burnt++;
    }
  g_assert_cmpuint (shares_out, ==, ALS_HANDSHAKE_MAX_TRIES);
  g_assert_cmpuint (burnt, ==, 1000 - ALS_HANDSHAKE_MAX_TRIES);
}

/* The same against a joiner, whose tag is what a guess is checked with. */
static void
test_abandoned_joins (void)
{
  AlsTries tries = { 0 };
  AlsCode code;
  guint shares_out = 0;

  als_code_parse (&code, "482913607154", NULL);
  for (guint i = 0; i < 1000; i++)
    {
      g_autoptr (AlsHandshake) joiner = als_handshake_new (FALSE, &code, &tries);
      g_autoptr (GBytes) share = als_handshake_start (joiner, NULL);

      if (share != NULL)
        shares_out++;
    }
  g_assert_cmpuint (shares_out, ==, ALS_HANDSHAKE_MAX_TRIES);
}

/* What leaves the inviter only after a proof never leaves without one, and an improper share costs
 * no try, because nothing left. */
static void
test_improper_shares (void)
{
  static const uint8_t bad[][33] = {
    { 1 }, /* the identity */
    { 1, 1 },
    { 1, 0xed, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
      0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
      0xff, 0x7f },
  };

  for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      g_autoptr (GBytes) message = g_bytes_new_static (bad[i], sizeof bad[i]);
      g_autoptr (GBytes) share = NULL;
      Pair pair;

      pair_init (&pair, "482913607154", "482913607154");
      must_fail (pair.inviter, message, ALS_HANDSHAKE_ERROR_PROTOCOL);
      g_assert_cmpuint (pair.inviter_tries.spent, ==, 0);
      share = als_handshake_start (pair.joiner, NULL);
      must_fail (pair.joiner, message, ALS_HANDSHAKE_ERROR_PROTOCOL);
      g_assert_cmpuint (pair.joiner_tries.spent, ==, 1);
      pair_clear (&pair);
    }
}

static void
test_reflected (void)
{
  g_autoptr (GBytes) share = NULL;
  g_autoptr (GBytes) inviter_share = NULL;
  g_autoptr (GBytes) tag = NULL;
  Pair pair;

  pair_init (&pair, "482913607154", "482913607154");
  share = als_handshake_start (pair.joiner, NULL);
  must_fail (pair.joiner, share, ALS_HANDSHAKE_ERROR_PROTOCOL);
  pair_clear (&pair);

  g_clear_pointer (&share, g_bytes_unref);
  pair_init (&pair, "482913607154", "482913607154");
  share = als_handshake_start (pair.joiner, NULL);
  inviter_share = must_reply (pair.inviter, share);
  tag = must_reply (pair.joiner, inviter_share);
  must_fail (pair.joiner, tag, ALS_HANDSHAKE_ERROR_WRONG_CODE);
  pair_clear (&pair);
}

static void
test_replayed (void)
{
  g_autoptr (GBytes) share = NULL;
  g_autoptr (GBytes) inviter_share = NULL;
  g_autoptr (GBytes) tag = NULL;
  Pair pair, again;

  pair_init (&pair, "482913607154", "482913607154");
  share = als_handshake_start (pair.joiner, NULL);
  inviter_share = must_reply (pair.inviter, share);
  tag = must_reply (pair.joiner, inviter_share);
  /* The same share a second time is out of turn. */
  must_fail (pair.inviter, share, ALS_HANDSHAKE_ERROR_PROTOCOL);

  /* An old transcript proves nothing to a new handshake. */
  pair_init (&again, "482913607154", "482913607154");
  {
    g_autoptr (GBytes) fresh = must_reply (again.inviter, share);

    g_assert_false (g_bytes_equal (fresh, inviter_share));
    must_fail (again.inviter, tag, ALS_HANDSHAKE_ERROR_WRONG_CODE);
    g_assert_cmpuint (again.inviter_tries.spent, ==, 1);
  }
  pair_clear (&pair);
  pair_clear (&again);
}

static GBytes *
altered (GBytes *message, size_t at, uint8_t bit)
{
  g_autoptr (GByteArray) copy = g_byte_array_new ();

  g_byte_array_append (copy, g_bytes_get_data (message, NULL), (guint) g_bytes_get_size (message));
  copy->data[at] ^= bit;
  return g_bytes_new (copy->data, copy->len);
}

/* One bit of any message anywhere, and nobody is done. */
static void
test_altered (void)
{
  for (guint which = 0; which < 4; which++)
    for (guint i = 0; i < 33 * 8; i++)
      {
        AlsHandshake *to, *other;
        GBytes *message;
        Pair pair;
        gboolean ok = TRUE;

        pair_init (&pair, "482913607154", "482913607154");
        message = als_handshake_start (pair.joiner, NULL);
        to = pair.inviter;
        other = pair.joiner;
        for (guint step = 0; ok && message != NULL; step++)
          {
            g_autoptr (GBytes) sent = g_steal_pointer (&message);
            AlsHandshake *next = other;

            if (step == which)
              {
                GBytes *changed = altered (sent, i / 8, (uint8_t) (1u << (i % 8)));

                g_bytes_unref (sent);
                sent = changed;
              }
            ok = give (to, sent, &message, NULL);
            other = to;
            to = next;
          }
        g_assert_false (ok);
        g_assert_false (als_handshake_is_done (pair.joiner));
        /* Only the inviter's own tag was touched: it had been convinced. */
        g_assert_true (als_handshake_is_done (pair.inviter) == (which == 3));
        g_clear_pointer (&message, g_bytes_unref);
        pair_clear (&pair);
      }
}

static void
test_malformed_and_out_of_turn (void)
{
  static const struct { const char *data; size_t len; } bad[] = {
    { "", 0 }, { "\x01", 1 }, { "\x02", 1 }, { "\x03", 1 }, { "\x00\x00", 2 }, { "\xff", 1 },
    { "\x02" "0123456789abcdef0123456789abcdef", 33 },  /* a tag before a share */
    { "\x02" "0123456789abcdef0123456789abcdefg", 34 },
    { "\x03\x01", 2 }, { "\x03\x09", 2 },
  };

  for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      g_autoptr (GBytes) message = g_bytes_new_static (bad[i].data, bad[i].len);
      g_autoptr (GBytes) share = NULL;
      Pair pair;

      pair_init (&pair, "482913607154", "482913607154");
      must_fail (pair.inviter, message, ALS_HANDSHAKE_ERROR_PROTOCOL);
      share = als_handshake_start (pair.joiner, NULL);
      must_fail (pair.joiner, message, ALS_HANDSHAKE_ERROR_PROTOCOL);
      /* Over is over. */
      must_fail (pair.inviter, share, ALS_HANDSHAKE_ERROR_PROTOCOL);
      g_assert_cmpuint (pair.inviter_tries.spent, ==, 0);
      pair_clear (&pair);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  als_crypto_init ();
  g_test_add_func ("/crypto/handshake/one-code-one-secret", test_same_code_agrees);
  g_test_add_func ("/crypto/handshake/wrong-code-is-told-to-both-and-costs-a-try", test_wrong_code);
  g_test_add_func ("/crypto/handshake/three-tries-and-the-code-is-burnt", test_three_and_burnt);
  g_test_add_func ("/crypto/handshake/hostile-server-gets-three-guesses-of-a-thousand", test_abandoned_handshakes);
  g_test_add_func ("/crypto/handshake/joiner-makes-three-handshakes-for-a-number", test_abandoned_joins);
  g_test_add_func ("/crypto/handshake/improper-shares-are-refused-and-free", test_improper_shares);
  g_test_add_func ("/crypto/handshake/reflected-messages-are-refused", test_reflected);
  g_test_add_func ("/crypto/handshake/replayed-messages-are-refused", test_replayed);
  g_test_add_func ("/crypto/handshake/any-altered-bit-is-refused", test_altered);
  g_test_add_func ("/crypto/handshake/malformed-and-out-of-turn-end-it", test_malformed_and_out_of_turn);
  return g_test_run ();
}
