/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#include "signal/als-signal-talk.h"

#include <string.h>

/* Before als-signal-client.h, which is not needed here but for its error domain. */
#include "signal/als-signal-client.h"

static const uint8_t meeting[ALS_SIGNAL_MEETING_BYTES] = { 1, 2, 3 };

/* The next thing said, which must be of TYPE. */
static AlsSignalMessage *
said (AlsSignalTalk *talk, AlsSignalType type)
{
  g_autoptr (GBytes) bytes = g_queue_pop_head (&talk->out);
  AlsSignalMessage *message;

  g_assert_nonnull (bytes);
  message = als_signal_message_decode (g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes),
                                       NULL);
  g_assert_nonnull (message);
  g_assert_cmpint (message->type, ==, type);
  return message;
}

static uint64_t
expect (AlsSignalTalk *talk, AlsSignalType type)
{
  g_autoptr (AlsSignalMessage) message = said (talk, type);

  return message->cookie;
}

static void
expect_silence (AlsSignalTalk *talk)
{
  g_assert_true (g_queue_is_empty (&talk->out));
}

static AlsSignalHeard
hear_at (AlsSignalTalk *talk, const AlsSignalMessage *message, int64_t now_us, GError **error)
{
  g_autoptr (GBytes) bytes = als_signal_message_encode (message);
  g_autoptr (AlsSignalMessage) copy = NULL;

  g_assert_nonnull (bytes);
  return als_signal_talk_receive (talk, g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes),
                                  now_us, &copy, error);
}

static AlsSignalHeard
hear (AlsSignalTalk *talk, AlsSignalType type)
{
  g_autoptr (GBytes) payload = g_bytes_new_static ("x", 1);
  AlsSignalMessage message = { .type = type, .version = 1, .heartbeat_s = 20, .payload = payload };

  return hear_at (talk, &message, 0, NULL);
}

static AlsSignalHeard
hear_pong (AlsSignalTalk *talk, uint64_t cookie)
{
  AlsSignalMessage message = { .type = ALS_SIGNAL_PONG, .cookie = cookie };

  return hear_at (talk, &message, 0, NULL);
}

static int
hear_error (AlsSignalTalk *talk, AlsSignalCode code, AlsSignalHeard heard)
{
  g_autoptr (GError) error = NULL;
  AlsSignalMessage message = { .type = 63, .code = code, .text = (char *) "because" };

  g_assert_cmpint (hear_at (talk, &message, 0, &error), ==, heard);
  if (heard == ALS_SIGNAL_HEARD_NOTHING)
    return -1;
  g_assert_nonnull (error);
  g_assert_true (error->domain == ALS_SIGNAL_CLIENT_ERROR);
  return error->code;
}

static void
open_talk (AlsSignalTalk *talk)
{
  als_signal_talk_open (talk, "test", 0);
  expect (talk, ALS_SIGNAL_HELLO);
  expect_silence (talk);
  g_assert_cmpint (hear (talk, ALS_SIGNAL_WELCOME), ==, ALS_SIGNAL_HEARD_WELCOME);
}

static void
test_number_is_kept (void)
{
  AlsSignalTalk talk;
  AlsSignalMessage answer = { .type = ALS_SIGNAL_REGISTERED, .number = 42, .token = { 7 } };

  als_signal_talk_init (&talk);
  als_signal_talk_register (&talk);
  als_signal_talk_register (&talk);
  expect_silence (&talk);
  for (guint i = 0; i < 3; i++)
    {
      g_autoptr (AlsSignalMessage) question = NULL;

      open_talk (&talk);
      question = said (&talk, ALS_SIGNAL_REGISTER);
      expect_silence (&talk);
      g_assert_true (question->has_token == (i > 0));
      if (i > 0)
        g_assert_cmpmem (question->token, 16, answer.token, 16);
      g_assert_cmpint (hear_at (&talk, &answer, 0, NULL), ==, ALS_SIGNAL_HEARD_REGISTERED);
      g_assert_false (als_signal_talk_lost (&talk));
    }
  als_signal_talk_renumber (&talk);
  open_talk (&talk);
  {
    g_autoptr (AlsSignalMessage) question = said (&talk, ALS_SIGNAL_REGISTER);

    g_assert_false (question->has_token);
  }
  als_signal_talk_clear (&talk);
}

static void
test_only_last_number_counts (void)
{
  AlsSignalTalk talk;

  als_signal_talk_init (&talk);
  open_talk (&talk);
  als_signal_talk_register (&talk);
  als_signal_talk_renumber (&talk);
  expect (&talk, ALS_SIGNAL_REGISTER);
  expect (&talk, ALS_SIGNAL_UNREGISTER);
  expect (&talk, ALS_SIGNAL_REGISTER);
  g_assert_cmpint (hear (&talk, ALS_SIGNAL_REGISTERED), ==, ALS_SIGNAL_HEARD_NOTHING);
  g_assert_cmpint (hear (&talk, ALS_SIGNAL_REGISTERED), ==, ALS_SIGNAL_HEARD_REGISTERED);
  g_assert_cmpint (hear (&talk, ALS_SIGNAL_REGISTERED), ==, ALS_SIGNAL_HEARD_END);
  als_signal_talk_clear (&talk);
}

static void
test_pairing_is_not_asked_again (void)
{
  AlsSignalTalk talk;

  als_signal_talk_init (&talk);
  als_signal_talk_join (&talk, 1);
  open_talk (&talk);
  expect (&talk, ALS_SIGNAL_JOIN);
  g_assert_cmpint (hear (&talk, ALS_SIGNAL_WAITING), ==, ALS_SIGNAL_HEARD_WAITING);
  g_assert_false (als_signal_talk_lost (&talk));
  open_talk (&talk);
  expect (&talk, ALS_SIGNAL_JOIN); /* no answer yet: asked again */
  g_assert_cmpint (hear (&talk, ALS_SIGNAL_PAIRED), ==, ALS_SIGNAL_HEARD_PAIRED);
  g_assert_true (als_signal_talk_lost (&talk));
  open_talk (&talk);
  expect_silence (&talk);
  als_signal_talk_meet (&talk, meeting, TRUE);
  {
    g_autoptr (AlsSignalMessage) question = said (&talk, ALS_SIGNAL_MEET);

    g_assert_true (question->is_inviter);
    g_assert_cmpmem (question->meeting_id, 16, meeting, 16);
  }
  als_signal_talk_clear (&talk);
}

static void
test_refusals_end_the_asking (void)
{
  static const struct { AlsSignalCode code; int error; } cases[] = {
    { ALS_SIGNAL_CODE_NO_SUCH_NUMBER, ALS_SIGNAL_ERROR_NO_SUCH_NUMBER },
    { ALS_SIGNAL_CODE_BUSY, ALS_SIGNAL_ERROR_BUSY },
    { ALS_SIGNAL_CODE_RATE_LIMITED, ALS_SIGNAL_ERROR_RATE_LIMITED },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      AlsSignalTalk talk;

      als_signal_talk_init (&talk);
      als_signal_talk_join (&talk, 1);
      open_talk (&talk);
      expect (&talk, ALS_SIGNAL_JOIN);
      g_assert_cmpint (hear_error (&talk, cases[i].code, ALS_SIGNAL_HEARD_REFUSAL), ==,
                       cases[i].error);
      als_signal_talk_lost (&talk);
      open_talk (&talk);
      expect_silence (&talk);
      als_signal_talk_clear (&talk);
    }
}

static void
test_errors_that_end_the_connection (void)
{
  static const struct { AlsSignalCode code; int error; } cases[] = {
    { ALS_SIGNAL_CODE_BAD_MESSAGE, ALS_SIGNAL_ERROR_PROTOCOL },
    { ALS_SIGNAL_CODE_BAD_STATE, ALS_SIGNAL_ERROR_PROTOCOL },
    { ALS_SIGNAL_CODE_BAD_VERSION, ALS_SIGNAL_ERROR_VERSION },
    { ALS_SIGNAL_CODE_FULL, ALS_SIGNAL_ERROR_REFUSED },
    { ALS_SIGNAL_CODE_SHUTTING_DOWN, ALS_SIGNAL_ERROR_REFUSED },
    { ALS_SIGNAL_CODE_IDLE, ALS_SIGNAL_ERROR_REFUSED },
    { 999, ALS_SIGNAL_ERROR_PROTOCOL },
  };

  for (guint i = 0; i < 2 * G_N_ELEMENTS (cases); i++)
    {
      AlsSignalTalk talk;

      als_signal_talk_init (&talk);
      if (i % 2 == 0)
        open_talk (&talk);
      else
        als_signal_talk_open (&talk, "test", 0);
      g_assert_cmpint (hear_error (&talk, cases[i / 2].code, ALS_SIGNAL_HEARD_END), ==,
                       cases[i / 2].error);
      als_signal_talk_clear (&talk);
    }
}

static void
test_stale_answers_are_passed_over (void)
{
  AlsSignalTalk talk;
  uint64_t fence;

  als_signal_talk_init (&talk);
  open_talk (&talk);
  als_signal_talk_join (&talk, 1);
  expect (&talk, ALS_SIGNAL_JOIN);
  als_signal_talk_join (&talk, 2);
  expect (&talk, ALS_SIGNAL_UNPAIR);
  fence = expect (&talk, ALS_SIGNAL_PING);
  expect (&talk, ALS_SIGNAL_JOIN);
  /* All this is about the first number. */
  g_assert_cmpint (hear (&talk, ALS_SIGNAL_WAITING), ==, ALS_SIGNAL_HEARD_NOTHING);
  g_assert_cmpint (hear (&talk, ALS_SIGNAL_PAIRED), ==, ALS_SIGNAL_HEARD_NOTHING);
  g_assert_cmpint (hear (&talk, ALS_SIGNAL_PEER_MESSAGE), ==, ALS_SIGNAL_HEARD_NOTHING);
  g_assert_cmpint (hear (&talk, ALS_SIGNAL_UNPAIR), ==, ALS_SIGNAL_HEARD_NOTHING);
  hear_error (&talk, ALS_SIGNAL_CODE_NO_SUCH_NUMBER, ALS_SIGNAL_HEARD_NOTHING);
  expect_silence (&talk);
  hear_pong (&talk, fence + 100);
  hear_error (&talk, ALS_SIGNAL_CODE_BUSY, ALS_SIGNAL_HEARD_NOTHING);
  g_assert_cmpint (talk.ask, ==, ALS_SIGNAL_ASK_JOIN);
  hear_pong (&talk, fence);
  expect_silence (&talk);
  /* And this about the second. */
  g_assert_cmpint (hear (&talk, ALS_SIGNAL_WAITING), ==, ALS_SIGNAL_HEARD_WAITING);
  g_assert_cmpint (hear (&talk, ALS_SIGNAL_PAIRED), ==, ALS_SIGNAL_HEARD_PAIRED);
  expect_silence (&talk);
  als_signal_talk_clear (&talk);
}

static void
test_cancelled_join_may_cross_its_pairing (void)
{
  AlsSignalTalk talk;
  uint64_t fence;

  als_signal_talk_init (&talk);
  als_signal_talk_register (&talk);
  open_talk (&talk);
  expect (&talk, ALS_SIGNAL_REGISTER);
  hear (&talk, ALS_SIGNAL_REGISTERED);
  als_signal_talk_join (&talk, 5);
  expect (&talk, ALS_SIGNAL_JOIN);
  als_signal_talk_cancel (&talk);
  expect (&talk, ALS_SIGNAL_UNPAIR);
  fence = expect (&talk, ALS_SIGNAL_PING);
  g_assert_cmpint (hear (&talk, ALS_SIGNAL_PAIRED), ==, ALS_SIGNAL_HEARD_NOTHING);
  hear_pong (&talk, fence);
  expect (&talk, ALS_SIGNAL_UNPAIR);
  fence = expect (&talk, ALS_SIGNAL_PING);
  hear_pong (&talk, fence);
  expect_silence (&talk);
  /* And now it is a waiting inviter as before. */
  g_assert_cmpint (hear (&talk, ALS_SIGNAL_PAIRED), ==, ALS_SIGNAL_HEARD_PAIRED);
  als_signal_talk_clear (&talk);
}

/* Somebody came to our number between an UNPAIR and the question behind it. */
static void
test_unheard_pairing_is_left (void)
{
  AlsSignalTalk talk;
  uint64_t fence;

  als_signal_talk_init (&talk);
  als_signal_talk_register (&talk);
  open_talk (&talk);
  expect (&talk, ALS_SIGNAL_REGISTER);
  hear (&talk, ALS_SIGNAL_REGISTERED);
  als_signal_talk_join (&talk, 5);
  als_signal_talk_join (&talk, 6);
  expect (&talk, ALS_SIGNAL_JOIN);
  expect (&talk, ALS_SIGNAL_UNPAIR);
  fence = expect (&talk, ALS_SIGNAL_PING);
  expect (&talk, ALS_SIGNAL_JOIN);
  g_assert_cmpint (hear (&talk, ALS_SIGNAL_PAIRED), ==, ALS_SIGNAL_HEARD_NOTHING);
  hear_pong (&talk, fence);
  hear_error (&talk, ALS_SIGNAL_CODE_BUSY, ALS_SIGNAL_HEARD_REFUSAL);
  expect (&talk, ALS_SIGNAL_UNPAIR);
  expect (&talk, ALS_SIGNAL_PING);
  als_signal_talk_clear (&talk);
}

static void
test_unregister_may_cross_a_pairing (void)
{
  AlsSignalTalk talk;

  als_signal_talk_init (&talk);
  als_signal_talk_register (&talk);
  open_talk (&talk);
  expect (&talk, ALS_SIGNAL_REGISTER);
  hear (&talk, ALS_SIGNAL_REGISTERED);
  als_signal_talk_unregister (&talk);
  expect (&talk, ALS_SIGNAL_UNREGISTER);
  g_assert_cmpint (hear (&talk, ALS_SIGNAL_PAIRED), ==, ALS_SIGNAL_HEARD_NOTHING);
  expect (&talk, ALS_SIGNAL_UNPAIR);
  als_signal_talk_clear (&talk);
}

static void
pair_talk (AlsSignalTalk *talk)
{
  als_signal_talk_init (talk);
  als_signal_talk_join (talk, 1);
  open_talk (talk);
  expect (talk, ALS_SIGNAL_JOIN);
  g_assert_cmpint (hear (talk, ALS_SIGNAL_PAIRED), ==, ALS_SIGNAL_HEARD_PAIRED);
}

static void
test_goodbyes (void)
{
  AlsSignalMessage abuse = { .type = ALS_SIGNAL_UNPAIR, .reason = ALS_SIGNAL_UNPAIR_RELAY_ABUSE };
  AlsSignalTalk talk;

  pair_talk (&talk);
  g_assert_cmpint (hear_at (&talk, &abuse, 0, NULL), ==, ALS_SIGNAL_HEARD_RELAY_ENDED);
  g_assert_cmpint (hear (&talk, ALS_SIGNAL_PEER_MESSAGE), ==, ALS_SIGNAL_HEARD_MESSAGE);
  g_assert_cmpint (hear (&talk, ALS_SIGNAL_UNPAIR), ==, ALS_SIGNAL_HEARD_UNPAIRED);
  g_assert_cmpint (hear (&talk, ALS_SIGNAL_RELAY), ==, ALS_SIGNAL_HEARD_NOTHING);
  g_assert_false (als_signal_talk_send (&talk, ALS_SIGNAL_PEER_MESSAGE, meeting, 3));
  als_signal_talk_unpair (&talk);
  expect_silence (&talk);
  als_signal_talk_clear (&talk);

  pair_talk (&talk);
  als_signal_talk_unpair (&talk);
  expect (&talk, ALS_SIGNAL_UNPAIR);
  expect (&talk, ALS_SIGNAL_PING);
  g_assert_cmpint (hear (&talk, ALS_SIGNAL_RELAY), ==, ALS_SIGNAL_HEARD_NOTHING);
  g_assert_cmpint (hear (&talk, ALS_SIGNAL_UNPAIR), ==, ALS_SIGNAL_HEARD_NOTHING);
  als_signal_talk_clear (&talk);
}

static void
test_sizes (void)
{
  g_autofree uint8_t *data = g_malloc0 (ALS_SIGNAL_MAX_RELAY + 1);
  AlsSignalTalk talk;

  pair_talk (&talk);
  g_assert_false (als_signal_talk_send (&talk, ALS_SIGNAL_RELAY, data, 0));
  g_assert_false (als_signal_talk_send (&talk, ALS_SIGNAL_RELAY, data, ALS_SIGNAL_MAX_RELAY + 1));
  g_assert_false (als_signal_talk_send (&talk, ALS_SIGNAL_PEER_MESSAGE, data,
                                        ALS_SIGNAL_MAX_PEER_MESSAGE + 1));
  expect_silence (&talk);
  g_assert_true (als_signal_talk_send (&talk, ALS_SIGNAL_RELAY, data, ALS_SIGNAL_MAX_RELAY));
  g_assert_true (als_signal_talk_send (&talk, ALS_SIGNAL_PEER_MESSAGE, data,
                                       ALS_SIGNAL_MAX_PEER_MESSAGE));
  expect (&talk, ALS_SIGNAL_RELAY);
  expect (&talk, ALS_SIGNAL_PEER_MESSAGE);
  als_signal_talk_clear (&talk);
}

static void
test_each_type_only_in_its_state (void)
{
  static const AlsSignalType all[] = {
    ALS_SIGNAL_HELLO, ALS_SIGNAL_REGISTER, ALS_SIGNAL_UNREGISTER, ALS_SIGNAL_JOIN, ALS_SIGNAL_MEET,
    ALS_SIGNAL_PEER_MESSAGE, ALS_SIGNAL_RELAY, ALS_SIGNAL_UNPAIR, ALS_SIGNAL_PING, ALS_SIGNAL_PONG,
    ALS_SIGNAL_WELCOME, ALS_SIGNAL_REGISTERED, ALS_SIGNAL_WAITING, ALS_SIGNAL_PAIRED,
  };

  for (guint i = 0; i < G_N_ELEMENTS (all); i++)
    {
      gboolean is_beat = all[i] == ALS_SIGNAL_PING || all[i] == ALS_SIGNAL_PONG;
      gboolean is_partners = all[i] == ALS_SIGNAL_PEER_MESSAGE || all[i] == ALS_SIGNAL_RELAY
                             || all[i] == ALS_SIGNAL_UNPAIR;
      AlsSignalTalk talk;

      als_signal_talk_init (&talk);
      als_signal_talk_open (&talk, "test", 0);
      g_assert_true ((hear (&talk, all[i]) == ALS_SIGNAL_HEARD_END)
                     == (all[i] != ALS_SIGNAL_WELCOME));
      als_signal_talk_clear (&talk);

      als_signal_talk_init (&talk);
      open_talk (&talk);
      g_assert_true ((hear (&talk, all[i]) == ALS_SIGNAL_HEARD_END) == !is_beat);
      als_signal_talk_clear (&talk);

      pair_talk (&talk);
      g_assert_true ((hear (&talk, all[i]) == ALS_SIGNAL_HEARD_END) == !(is_beat || is_partners));
      als_signal_talk_clear (&talk);
    }
}

static void
test_other_version (void)
{
  AlsSignalMessage welcome = { .type = ALS_SIGNAL_WELCOME, .version = 2, .heartbeat_s = 20 };
  g_autoptr (GError) error = NULL;
  AlsSignalTalk talk;

  als_signal_talk_init (&talk);
  als_signal_talk_open (&talk, "test", 0);
  g_assert_cmpint (hear_at (&talk, &welcome, 0, &error), ==, ALS_SIGNAL_HEARD_END);
  g_assert_error (error, ALS_SIGNAL_CLIENT_ERROR, ALS_SIGNAL_ERROR_VERSION);
  als_signal_talk_clear (&talk);
}

static void
test_silence_is_noticed (void)
{
  AlsSignalMessage pong = { .type = ALS_SIGNAL_PONG };
  int64_t now_us = 0;
  AlsSignalTalk talk;

  als_signal_talk_init (&talk);
  g_assert_cmpint (als_signal_talk_get_deadline (&talk), ==, INT64_MAX);
  open_talk (&talk);
  for (guint i = 0; i < 5; i++)
    {
      now_us += 10 * G_USEC_PER_SEC;
      g_assert_cmpint (als_signal_talk_get_deadline (&talk), ==, now_us);
      g_assert_true (als_signal_talk_poll (&talk, now_us));
      expect (&talk, ALS_SIGNAL_PING);
      expect_silence (&talk);
      hear_at (&talk, &pong, now_us, NULL);
    }
  now_us += 10 * G_USEC_PER_SEC;
  g_assert_true (als_signal_talk_poll (&talk, now_us));
  now_us += 10 * G_USEC_PER_SEC;
  g_assert_cmpint (als_signal_talk_get_deadline (&talk), ==, now_us);
  g_assert_false (als_signal_talk_poll (&talk, now_us));
  als_signal_talk_clear (&talk);
}

/* What is heard clears the doubt; without a word the server is gone after two seconds. */
static void
test_doubt (void)
{
  for (guint answers = 0; answers < 2; answers++)
    {
      AlsSignalTalk talk;
      uint64_t cookie;

      als_signal_talk_init (&talk);
      als_signal_talk_doubt (&talk, 0);
      open_talk (&talk);
      expect_silence (&talk);
      als_signal_talk_doubt (&talk, 1000);
      cookie = expect (&talk, ALS_SIGNAL_PING);
      /* Once is enough. */
      als_signal_talk_doubt (&talk, 2000);
      expect_silence (&talk);
      if (answers)
        g_assert_cmpint (hear_pong (&talk, cookie), ==, ALS_SIGNAL_HEARD_NOTHING);
      g_assert_true (als_signal_talk_poll (&talk, 2 * G_USEC_PER_SEC));
      g_assert_cmpint (als_signal_talk_poll (&talk, 2 * G_USEC_PER_SEC + 1000), ==, answers);
      als_signal_talk_clear (&talk);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/signal/talk/number-is-kept", test_number_is_kept);
  g_test_add_func ("/signal/talk/only-last-number-counts", test_only_last_number_counts);
  g_test_add_func ("/signal/talk/pairing-is-not-asked-again", test_pairing_is_not_asked_again);
  g_test_add_func ("/signal/talk/refusals-end-the-asking", test_refusals_end_the_asking);
  g_test_add_func ("/signal/talk/errors-that-end-the-connection",
                   test_errors_that_end_the_connection);
  g_test_add_func ("/signal/talk/stale-answers-are-passed-over",
                   test_stale_answers_are_passed_over);
  g_test_add_func ("/signal/talk/cancelled-join-may-cross-its-pairing",
                   test_cancelled_join_may_cross_its_pairing);
  g_test_add_func ("/signal/talk/unheard-pairing-is-left", test_unheard_pairing_is_left);
  g_test_add_func ("/signal/talk/unregister-may-cross-a-pairing",
                   test_unregister_may_cross_a_pairing);
  g_test_add_func ("/signal/talk/goodbyes", test_goodbyes);
  g_test_add_func ("/signal/talk/sizes", test_sizes);
  g_test_add_func ("/signal/talk/each-type-only-in-its-state", test_each_type_only_in_its_state);
  g_test_add_func ("/signal/talk/other-version", test_other_version);
  g_test_add_func ("/signal/talk/silence-is-noticed", test_silence_is_noticed);
  g_test_add_func ("/signal/talk/doubt-is-short", test_doubt);
  return g_test_run ();
}
