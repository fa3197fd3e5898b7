/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* The rendezvous client against a server that misbehaves. */

#include "signal/als-signal-client.h"

#include "als-fake-rendezvous.h"
#include "als-signal-recorder.h"
#include "als-wait.h"

static void
recorder_init (AlsSignalRecorder *self, AlsFakeRendezvous *fake)
{
  const char *const uris[] = { fake->uri, NULL };

  als_signal_recorder_init (self, uris);
}

static void
test_number_survives_a_lost_connection (void)
{
  g_autoptr (AlsFakeRendezvous) fake = als_fake_rendezvous_new (NULL);
  AlsSignalRecorder recorder;

  recorder_init (&recorder, fake);
  als_signal_client_register (recorder.client);
  als_signal_client_start (recorder.client);
  als_wait_until (recorder.n_registered == 1);
  g_assert_false (fake->had_token);
  g_assert_cmpuint (recorder.number, ==, 101);
  als_fake_rendezvous_drop (fake);
  als_wait_until (recorder.n_failed == 1);
  g_assert_cmpint (recorder.error, ==, ALS_SIGNAL_ERROR_UNREACHABLE);
  g_assert_cmpint (als_signal_client_get_state (recorder.client), ==, ALS_SIGNAL_RETRYING);
  g_assert_cmpuint (recorder.n_unpaired, ==, 0);
  als_wait_until (recorder.n_registered == 2);
  g_assert_true (fake->had_token);
  g_assert_cmpuint (recorder.number, ==, 101);
  als_signal_client_renumber (recorder.client);
  als_wait_until (recorder.n_registered == 3);
  g_assert_cmpuint (recorder.number, ==, 102);
  als_signal_recorder_clear (&recorder);
  als_wait_until (fake->n_heard[ALS_SIGNAL_UNREGISTER] == 2);
}

static void
test_other_version_is_final (void)
{
  for (guint i = 0; i < 2; i++)
    {
      g_autoptr (AlsFakeRendezvous) fake = als_fake_rendezvous_new (NULL);
      AlsSignalRecorder recorder;

      if (i == 0)
        fake->version = 2;
      else
        fake->hello_error = ALS_SIGNAL_CODE_BAD_VERSION;
      recorder_init (&recorder, fake);
      als_signal_client_start (recorder.client);
      als_wait_until (recorder.n_failed == 1);
      g_assert_cmpint (recorder.error, ==, ALS_SIGNAL_ERROR_VERSION);
      als_wait_until (als_signal_client_get_state (recorder.client) == ALS_SIGNAL_DISCONNECTED);
      g_assert_cmpuint (fake->n_connections, ==, 1);
      als_signal_recorder_clear (&recorder);
    }
}

static void
test_nonsense_is_retried (void)
{
  enum { GARBAGE, EMPTY, TEXT, OVERSIZED, OUT_OF_TURN, NOT_WEB_SOCKET, REFUSED, FULL, N_CASES };

  for (guint i = 0; i < N_CASES; i++)
    {
      g_autoptr (AlsFakeRendezvous) fake = als_fake_rendezvous_new (NULL);
      g_autofree uint8_t *noise = g_malloc0 (ALS_SIGNAL_MAX_MESSAGE + 1);
      int expected = ALS_SIGNAL_ERROR_PROTOCOL;
      AlsSignalRecorder recorder;

      noise[0] = ALS_SIGNAL_RELAY;
      switch (i)
        {
        case GARBAGE:
          fake->after_welcome = g_bytes_new ("\xff\xff\xff", 3);
          break;
        case EMPTY:
          fake->after_welcome = g_bytes_new ("", 0);
          break;
        case TEXT:
          fake->after_welcome = g_bytes_new ("hello", 5);
          fake->after_welcome_is_text = TRUE;
          break;
        case OVERSIZED:
          fake->after_welcome = g_bytes_new (noise, ALS_SIGNAL_MAX_MESSAGE + 1);
          break;
        case OUT_OF_TURN:
          fake->after_welcome = g_bytes_new (noise, 10);
          break;
        case NOT_WEB_SOCKET:
          fake->status = SOUP_STATUS_NOT_FOUND;
          break;
        case REFUSED:
          fake->status = SOUP_STATUS_SERVICE_UNAVAILABLE;
          expected = ALS_SIGNAL_ERROR_REFUSED;
          break;
        case FULL:
          fake->hello_error = ALS_SIGNAL_CODE_FULL;
          expected = ALS_SIGNAL_ERROR_REFUSED;
          break;
        default:
          g_assert_not_reached ();
        }
      recorder_init (&recorder, fake);
      als_signal_client_register (recorder.client);
      als_signal_client_start (recorder.client);
      als_wait_until (recorder.n_failed == 1);
      g_test_message ("case %u: %d", i, recorder.error);
      g_assert_cmpint (recorder.error, ==, expected);
      g_assert_cmpint (als_signal_client_get_state (recorder.client), ==, ALS_SIGNAL_RETRYING);
      /* It comes to its senses. */
      g_clear_pointer (&fake->after_welcome, g_bytes_unref);
      fake->status = 0;
      fake->hello_error = 0;
      als_wait_until (als_signal_recorder_is_connected (&recorder) && recorder.n_registered > 0);
      als_signal_recorder_clear (&recorder);
    }
}

static void
test_refusals_are_told (void)
{
  static const struct { AlsSignalCode code; int error; } cases[] = {
    { ALS_SIGNAL_CODE_NO_SUCH_NUMBER, ALS_SIGNAL_ERROR_NO_SUCH_NUMBER },
    { ALS_SIGNAL_CODE_BUSY, ALS_SIGNAL_ERROR_BUSY },
    { ALS_SIGNAL_CODE_RATE_LIMITED, ALS_SIGNAL_ERROR_RATE_LIMITED },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (AlsFakeRendezvous) fake = als_fake_rendezvous_new (NULL);
      AlsSignalRecorder recorder;

      fake->join_error = cases[i].code;
      recorder_init (&recorder, fake);
      als_signal_client_join (recorder.client, 123456);
      als_signal_client_start (recorder.client);
      als_wait_until (recorder.n_failed == 1);
      g_assert_cmpint (recorder.error, ==, cases[i].error);
      g_assert_true (als_signal_recorder_is_connected (&recorder));
      fake->join_error = 0;
      als_signal_client_join (recorder.client, 123457);
      als_wait_until (recorder.n_waiting == 1);
      g_assert_cmpuint (fake->n_connections, ==, 1);
      als_signal_recorder_clear (&recorder);
    }
}

static void
test_silent_server_is_left (void)
{
  g_autoptr (AlsFakeRendezvous) fake = als_fake_rendezvous_new (NULL);
  AlsSignalRecorder recorder;

  fake->heartbeat_s = 1;
  fake->no_pong = TRUE;
  recorder_init (&recorder, fake);
  als_signal_client_start (recorder.client);
  als_wait_until (recorder.n_failed == 1);
  g_assert_cmpint (recorder.error, ==, ALS_SIGNAL_ERROR_UNREACHABLE);
  g_assert_cmpuint (fake->n_heard[ALS_SIGNAL_PING], >=, 1);
  fake->no_pong = FALSE;
  als_wait_until (fake->n_connections == 2 && fake->n_heard[ALS_SIGNAL_PING] >= 4);
  g_assert_cmpuint (recorder.n_failed, ==, 1);
  als_signal_recorder_clear (&recorder);
}

/* A port of 127.0.0.1 where nobody listens. */
static char *
make_dead_uri (void)
{
  g_autoptr (AlsFakeRendezvous) fake = als_fake_rendezvous_new (NULL);

  return g_strdup (fake->uri);
}

static void
test_next_server_is_tried (void)
{
  g_autoptr (AlsFakeRendezvous) fake = als_fake_rendezvous_new (NULL);
  g_autofree char *dead = make_dead_uri ();
  const char *const uris[] = { "http://127.0.0.1/", dead, fake->uri, NULL };
  AlsSignalRecorder recorder;

  als_signal_recorder_init (&recorder, uris);
  als_signal_client_start (recorder.client);
  als_wait_until (als_signal_recorder_is_connected (&recorder));
  g_assert_cmpuint (recorder.n_failed, ==, 2);
  g_assert_cmpint (recorder.error, ==, ALS_SIGNAL_ERROR_UNREACHABLE);
  g_assert_cmpstr (als_signal_client_get_uri (recorder.client), ==, fake->uri);
  als_signal_recorder_clear (&recorder);
}

typedef struct
{
  guint n_received, n_closed;
  GBytes *last;
} Listener;

static void
relay_received_cb (AlsCarrier *carrier, const uint8_t *data, size_t len, gpointer user_data)
{
  Listener *listener = user_data;

  listener->n_received++;
  g_clear_pointer (&listener->last, g_bytes_unref);
  listener->last = g_bytes_new (data, len);
}

static void
relay_closed_cb (AlsCarrier *carrier, const GError *error, gpointer user_data)
{
  g_assert_nonnull (error);
  ((Listener *) user_data)->n_closed++;
}

static const AlsCarrierEvents relay_events = { relay_received_cb, NULL, relay_closed_cb };

static void
pair_recorder (AlsSignalRecorder *recorder, AlsFakeRendezvous *fake)
{
  guint n = recorder->n_paired + 1;

  als_signal_client_join (recorder->client, 5);
  als_signal_client_start (recorder->client);
  als_wait_until (recorder->n_waiting == n);
  als_fake_rendezvous_say_type (fake, ALS_SIGNAL_PAIRED);
  als_wait_until (recorder->n_paired == n);
}

static void
expect_bytes (GBytes *bytes, const char *text)
{
  g_assert_nonnull (bytes);
  g_assert_cmpmem (g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes), text, strlen (text));
}

static void
test_relay_carries_messages (void)
{
  g_autoptr (AlsFakeRendezvous) fake = als_fake_rendezvous_new (NULL);
  g_autoptr (AlsCarrier) relay = NULL;
  g_autofree uint8_t *noise = g_malloc0 (ALS_SIGNAL_MAX_RELAY + 1);
  AlsPacket packets[2] = { { (const uint8_t *) "one", 3 }, { (const uint8_t *) "two", 3 } };
  Listener listener = { 0 };
  AlsSignalRecorder recorder;

  recorder_init (&recorder, fake);
  g_assert_null (als_signal_client_take_relay (recorder.client));
  pair_recorder (&recorder, fake);
  /* Early frames wait for their listener. */
  als_fake_rendezvous_say_type (fake, ALS_SIGNAL_RELAY);
  als_fake_rendezvous_say_type (fake, ALS_SIGNAL_PEER_MESSAGE);
  als_wait_until (recorder.n_messages == 1);
  expect_bytes (recorder.payload, "payload");
  relay = als_signal_client_take_relay (recorder.client);
  g_assert_nonnull (relay);
  g_assert_null (als_signal_client_take_relay (recorder.client));
  g_assert_cmpint (als_carrier_get_carrier_type (relay), ==, ALS_CARRIER_MESSAGES);
  g_assert_cmpint (als_carrier_get_kind (relay), ==, ALS_PATH_SIGNAL_RELAY);
  g_assert_cmpuint (als_carrier_get_rate_limit (relay), ==, 1000000);
  g_assert_cmpuint (als_carrier_get_backlog_limit (relay), ==, 65536);
  als_carrier_set_events (relay, &relay_events, &listener);
  g_assert_cmpuint (listener.n_received, ==, 1);
  expect_bytes (listener.last, "payload");

  g_assert_cmpuint (als_carrier_send (relay, packets, 2), ==, 2);
  als_wait_until (fake->n_heard[ALS_SIGNAL_RELAY] == 2);
  expect_bytes (fake->last_payload, "two");
  packets[1] = (AlsPacket){ noise, ALS_SIGNAL_MAX_RELAY + 1 };
  g_test_expect_message ("als-signal", G_LOG_LEVEL_WARNING, "*refused*");
  g_assert_cmpuint (als_carrier_send (relay, packets, 2), ==, 1);
  g_test_assert_expected_messages ();
  als_signal_client_unpair (recorder.client);
  g_assert_cmpuint (listener.n_closed, ==, 1);
  g_assert_cmpuint (als_carrier_send (relay, packets, 1), ==, 1);
  als_wait_until (fake->n_heard[ALS_SIGNAL_UNPAIR] == 1);
  g_assert_cmpuint (fake->n_heard[ALS_SIGNAL_RELAY], ==, 3);
  g_assert_cmpuint (recorder.n_unpaired, ==, 0);
  als_signal_recorder_clear (&recorder);
  g_clear_pointer (&listener.last, g_bytes_unref);
}

static void
test_relay_ends_with_the_pairing (void)
{
  enum { LEFT, ABUSE, DROP, STOP, CLOSED_BEFORE, N_CASES };

  for (guint i = 0; i < N_CASES; i++)
    {
      g_autoptr (AlsFakeRendezvous) fake = als_fake_rendezvous_new (NULL);
      g_autoptr (AlsCarrier) relay = NULL;
      AlsSignalMessage abuse = { .type = ALS_SIGNAL_UNPAIR,
                                 .reason = ALS_SIGNAL_UNPAIR_RELAY_ABUSE };
      Listener listener = { 0 };
      AlsSignalRecorder recorder;

      recorder_init (&recorder, fake);
      pair_recorder (&recorder, fake);
      relay = als_signal_client_take_relay (recorder.client);
      als_carrier_set_events (relay, &relay_events, &listener);
      switch (i)
        {
        case LEFT:
          als_fake_rendezvous_say_type (fake, ALS_SIGNAL_UNPAIR);
          als_wait_until (recorder.n_unpaired == 1);
          g_assert_cmpuint (recorder.reason, ==, ALS_SIGNAL_UNPAIR_LEFT);
          break;
        case ABUSE:
          als_fake_rendezvous_say (fake, &abuse);
          als_wait_until (listener.n_closed == 1);
          g_assert_cmpuint (recorder.n_unpaired, ==, 0);
          als_fake_rendezvous_say_type (fake, ALS_SIGNAL_PEER_MESSAGE);
          als_wait_until (recorder.n_messages == 1);
          break;
        case DROP:
          als_fake_rendezvous_drop (fake);
          als_wait_until (recorder.n_unpaired == 1);
          g_assert_cmpuint (recorder.reason, ==, ALS_SIGNAL_UNPAIR_LOST);
          /* A pairing is not asked for again. */
          als_wait_until (als_signal_recorder_is_connected (&recorder));
          g_assert_cmpuint (fake->n_heard[ALS_SIGNAL_JOIN], ==, 1);
          break;
        case STOP:
          als_signal_client_stop (recorder.client);
          break;
        case CLOSED_BEFORE:
          als_carrier_close (relay);
          als_fake_rendezvous_say_type (fake, ALS_SIGNAL_RELAY);
          als_fake_rendezvous_say_type (fake, ALS_SIGNAL_UNPAIR);
          als_wait_until (recorder.n_unpaired == 1);
          break;
        default:
          g_assert_not_reached ();
        }
      g_assert_cmpuint (listener.n_closed, ==, i == CLOSED_BEFORE ? 0 : 1);
      g_assert_cmpuint (listener.n_received, ==, 0);
      als_signal_recorder_clear (&recorder);
    }
}

/* Stopped on its way: not begun, no answer to the call, no WELCOME, connected, registered, joining,
 * paired, waiting to try again. */
static void
test_stop_in_every_phase (void)
{
  for (guint phase = 0; phase < 8; phase++)
    {
      g_autoptr (AlsFakeRendezvous) fake = als_fake_rendezvous_new (NULL);
      g_autofree char *dead = make_dead_uri ();
      const char *const uris[] = { phase == 7 ? dead : fake->uri, NULL };
      AlsSignalRecorder recorder;

      fake->no_welcome = phase == 2;
      als_signal_recorder_init (&recorder, uris);
      if (phase >= 4)
        als_signal_client_register (recorder.client);
      if (phase == 5)
        als_signal_client_join (recorder.client, 5);
      if (phase == 6)
        pair_recorder (&recorder, fake);
      else if (phase > 0)
        als_signal_client_start (recorder.client);
      if (phase == 2)
        als_wait_until (fake->n_heard[ALS_SIGNAL_HELLO] == 1);
      else if (phase == 3)
        als_wait_until (als_signal_recorder_is_connected (&recorder));
      else if (phase == 4)
        als_wait_until (recorder.n_registered == 1);
      else if (phase == 5)
        als_wait_until (recorder.n_waiting == 1);
      else if (phase == 7)
        als_wait_until (recorder.n_failed >= 1);
      als_signal_recorder_clear (&recorder);
      if (phase == 6)
        als_wait_until (fake->n_heard[ALS_SIGNAL_UNPAIR] == 1);
      if (phase >= 2 && phase < 7)
        als_wait_until (fake->socket == NULL);
    }
}

static void
stop_in_signal_cb (AlsSignalClient *client, gpointer user_data)
{
  als_signal_client_stop (client);
}

static void
stop_in_failed_cb (AlsSignalClient *client, GError *error, gpointer user_data)
{
  als_signal_client_stop (client);
}

static void
test_stop_from_within_a_signal (void)
{
  for (guint i = 0; i < 3; i++)
    {
      g_autoptr (AlsFakeRendezvous) fake = als_fake_rendezvous_new (NULL);
      AlsSignalRecorder recorder;
      guint n;

      recorder_init (&recorder, fake);
      if (i == 0)
        g_signal_connect (recorder.client, "paired", G_CALLBACK (stop_in_signal_cb), NULL);
      if (i == 1)
        g_signal_connect (recorder.client, "failed", G_CALLBACK (stop_in_failed_cb), NULL);
      pair_recorder (&recorder, fake);
      if (i == 1)
        {
          als_fake_rendezvous_drop (fake);
          als_wait_until (recorder.n_failed == 1);
          g_assert_cmpuint (recorder.n_unpaired, ==, 1);
        }
      n = recorder.n_signals;
      if (i == 2)
        als_signal_client_stop (recorder.client);
      g_assert_cmpint (als_signal_client_get_state (recorder.client), ==, ALS_SIGNAL_DISCONNECTED);
      g_assert_cmpuint (recorder.n_signals, ==, n);
      /* And it can be used again. */
      if (i == 2)
        {
          als_signal_client_register (recorder.client);
          als_signal_client_start (recorder.client);
          als_wait_until (recorder.n_registered == 1);
        }
      als_signal_recorder_clear (&recorder);
    }
}

static void
test_new_question_leaves_the_old_answer (void)
{
  g_autoptr (AlsFakeRendezvous) fake = als_fake_rendezvous_new (NULL);
  AlsSignalRecorder recorder;

  recorder_init (&recorder, fake);
  fake->join_error = ALS_SIGNAL_CODE_NO_SUCH_NUMBER;
  als_signal_client_start (recorder.client);
  als_wait_until (als_signal_recorder_is_connected (&recorder));
  als_signal_client_join (recorder.client, 1);
  als_signal_client_join (recorder.client, 2);
  als_wait_until (recorder.n_failed == 1);
  g_assert_cmpuint (fake->n_heard[ALS_SIGNAL_JOIN], ==, 2);
  als_signal_client_join (recorder.client, 3);
  als_signal_client_cancel (recorder.client);
  als_signal_client_register (recorder.client);
  als_wait_until (recorder.n_registered == 1);
  g_assert_cmpuint (recorder.n_failed, ==, 1);
  als_signal_recorder_clear (&recorder);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/signal/client/number-survives-a-lost-connection",
                   test_number_survives_a_lost_connection);
  g_test_add_func ("/signal/client/other-version-is-final", test_other_version_is_final);
  g_test_add_func ("/signal/client/nonsense-is-retried", test_nonsense_is_retried);
  g_test_add_func ("/signal/client/refusals-are-told", test_refusals_are_told);
  g_test_add_func ("/signal/client/silent-server-is-left", test_silent_server_is_left);
  g_test_add_func ("/signal/client/next-server-is-tried", test_next_server_is_tried);
  g_test_add_func ("/signal/client/relay-carries-messages", test_relay_carries_messages);
  g_test_add_func ("/signal/client/relay-ends-with-the-pairing", test_relay_ends_with_the_pairing);
  g_test_add_func ("/signal/client/stop-in-every-phase", test_stop_in_every_phase);
  g_test_add_func ("/signal/client/stop-from-within-a-signal", test_stop_from_within_a_signal);
  g_test_add_func ("/signal/client/new-question-leaves-the-old-answer",
                   test_new_question_leaves_the_old_answer);
  return g_test_run ();
}
