/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Packets by hand, and time servers on loopback that behave as they like. */

#include "signal/als-sntp.h"
#include "signal/als-sntp-message.h"

#include <string.h>
#include "als-wait.h"

#define S INT64_C (1000000)
#define COOKIE G_GUINT64_CONSTANT (0x0123456789abcdef)
/* 2023-11-14 22:13:20 UTC, in NTP's seconds. */
#define UNIX_US (1700000000 * S)
#define NTP_S UINT64_C (3908988800)

static void
put_u64 (uint8_t *out, uint64_t value)
{
  for (guint i = 0; i < 8; i++)
    out[i] = (uint8_t) (value >> (56 - 8 * i));
}

static uint64_t
to_ntp (int64_t unix_us)
{
  uint64_t seconds = (uint64_t) (unix_us / S) + UINT64_C (2208988800);

  return seconds << 32 | (uint64_t) ((unix_us % S) * INT64_C (4294967296) / S);
}

static void
make_response (uint8_t out[ALS_SNTP_MESSAGE_BYTES], uint64_t cookie, int64_t received_us,
               int64_t sent_us)
{
  memset (out, 0, ALS_SNTP_MESSAGE_BYTES);
  out[0] = 4 << 3 | 4;
  out[1] = 2;
  put_u64 (out + 24, cookie);
  put_u64 (out + 32, to_ntp (received_us));
  put_u64 (out + 40, to_ntp (sent_us));
}

static void
test_request (void)
{
  uint8_t out[ALS_SNTP_MESSAGE_BYTES], expected[ALS_SNTP_MESSAGE_BYTES] = { 0x23 };

  put_u64 (expected + 40, COOKIE);
  als_sntp_make_request (COOKIE, out);
  g_assert_cmpmem (out, sizeof out, expected, sizeof expected);
}

static void
test_offset_and_delay (void)
{
  /* Asked at 1 s of our time, which is UNIX_US; 30 ms there, 5 ms inside, 10 ms back. */
  uint8_t data[ALS_SNTP_MESSAGE_BYTES];
  AlsSntpSample sample;

  make_response (data, COOKIE, UNIX_US + 30000, UNIX_US + 35000);
  g_assert_cmpint (als_sntp_read_response (data, sizeof data, COOKIE, 1 * S, 1 * S + 45000, &sample),
                   ==, ALS_SNTP_GOOD);
  g_assert_cmpint (ABS (sample.delay_us - 40000), <=, 2);
  g_assert_cmpint (ABS (sample.offset_us - (UNIX_US - 1 * S + 10000)), <=, 2);
  /* The first second of the next era, in 2036. */
  make_response (data, COOKIE, UNIX_US, UNIX_US);
  put_u64 (data + 32, UINT64_C (1) << 32);
  put_u64 (data + 40, UINT64_C (1) << 32);
  g_assert_cmpint (als_sntp_read_response (data, sizeof data, COOKIE, 0, 0, &sample), ==,
                   ALS_SNTP_GOOD);
  g_assert_cmpint (sample.offset_us, ==, INT64_C (2085978497) * S);
}

static void
test_verdicts (void)
{
  enum { SHORT, LONG, MODE, ZERO_VERSION, NEXT_VERSION, ORIGIN, KISS, LEAP, STRATUM, NO_TIME, BACKWARDS,
         TOO_EARLY, TOO_LATE, OLD_VERSION, LONGER, N_CASES };
  static const AlsSntpVerdict expected[N_CASES] = {
    [KISS] = ALS_SNTP_KISS, [SHORT] = ALS_SNTP_NOT_OURS, [LONG] = ALS_SNTP_NOT_OURS,
    [MODE] = ALS_SNTP_NOT_OURS, [ZERO_VERSION] = ALS_SNTP_NOT_OURS,
    [NEXT_VERSION] = ALS_SNTP_NOT_OURS, [ORIGIN] = ALS_SNTP_NOT_OURS,
    [LEAP] = ALS_SNTP_UNSYNCHRONISED, [STRATUM] = ALS_SNTP_UNSYNCHRONISED,
    [NO_TIME] = ALS_SNTP_UNSYNCHRONISED, [BACKWARDS] = ALS_SNTP_UNSYNCHRONISED,
    [TOO_EARLY] = ALS_SNTP_UNSYNCHRONISED, [TOO_LATE] = ALS_SNTP_UNSYNCHRONISED,
    [OLD_VERSION] = ALS_SNTP_GOOD, [LONGER] = ALS_SNTP_GOOD,
  };

  for (guint i = 0; i < N_CASES; i++)
    {
      uint8_t data[ALS_SNTP_MAX_MESSAGE_BYTES + 1] = { 0 };
      size_t len = ALS_SNTP_MESSAGE_BYTES;
      int64_t received_us = 10000;
      AlsSntpSample sample;

      make_response (data, COOKIE, UNIX_US + 1000, UNIX_US + 2000);
      switch (i)
        {
        case SHORT: len--; break;
        case LONG: len = sizeof data; break;
        case LONGER: len = ALS_SNTP_MESSAGE_BYTES + 20; break;
        case MODE: data[0] = 4 << 3 | 3; break;
        case ZERO_VERSION: data[0] = 4; break;
        case NEXT_VERSION: data[0] = 5 << 3 | 4; break;
        case OLD_VERSION: data[0] = 3 << 3 | 4; break;
        case ORIGIN: data[31] ^= 1; break;
        case KISS: data[1] = 0; memcpy (data + 12, "RATE", 4); break;
        case LEAP: data[0] |= 3 << 6; break;
        case STRATUM: data[1] = 16; break;
        case NO_TIME: memset (data + 40, 0, 8); break;
        case BACKWARDS: put_u64 (data + 40, to_ntp (UNIX_US)); break;
        case TOO_EARLY: received_us = 500; break;
        case TOO_LATE: received_us = 4 * S; break;
        default: g_assert_not_reached ();
        }
      g_assert_cmpint (als_sntp_read_response (data, len, COOKIE, 0, received_us, &sample), ==,
                       expected[i]);
    }
}

static void
test_choice (void)
{
  const AlsSntpSample samples[] = { { 1000, 50 }, { 900, 20 }, { 9999999, 1 }, { 950, 90 } };
  AlsSntpSample chosen;

  g_assert_false (als_sntp_choose (samples, 0, &chosen));
  g_assert_true (als_sntp_choose (samples, 1, &chosen));
  g_assert_cmpint (chosen.offset_us, ==, 1000);
  g_assert_true (als_sntp_choose (samples, 2, &chosen));
  g_assert_cmpint (chosen.offset_us, ==, 900);
  /* The one that lies answers first. */
  g_assert_true (als_sntp_choose (samples, 3, &chosen));
  g_assert_cmpint (chosen.offset_us, ==, 1000);
  g_assert_true (als_sntp_choose (samples, 4, &chosen));
  g_assert_cmpint (chosen.offset_us, ==, 950);
}

static void
test_marks (void)
{
  AlsSntpTime one = { TRUE, UNIX_US - 5 * S, 0 }, two = { TRUE, UNIX_US - 70 * S, 0 };
  int64_t mark;

  g_assert_cmpint (als_sntp_next_mark (&one, 5 * S, 10 * S), ==, 5 * S);
  g_assert_cmpint (als_sntp_next_mark (&one, 5 * S + 1, 10 * S), ==, 15 * S);
  /* Two computers, one moment. */
  mark = als_sntp_next_mark (&one, 8 * S, 10 * S);
  g_assert_cmpint (mark + one.offset_us, ==,
                   als_sntp_next_mark (&two, 74 * S, 10 * S) + two.offset_us);
}

/* --- servers -------------------------------------------------------------- */

typedef enum
{
  GOOD,
  SILENT,
  GARBAGE,
  WRONG_ORIGIN,
  KISS,
  TWICE,
} Manner;

typedef struct
{
  Manner manner;
  int64_t ahead_us;    /* of the computer's clock */
  GSocket *socket;
  GSource *source;
  char *name;
  guint n_asked;
} FakeServer;

static gboolean
asked_cb (GSocket *socket, GIOCondition condition, gpointer user_data)
{
  FakeServer *fake = user_data;
  g_autoptr (GSocketAddress) from = NULL;
  uint8_t data[100], answer[ALS_SNTP_MESSAGE_BYTES];
  int64_t now_us = g_get_real_time () + fake->ahead_us;
  uint64_t cookie = 0;
  gssize len = g_socket_receive_from (socket, &from, (char *) data, sizeof data, NULL, NULL);

  g_assert_cmpint (len, ==, ALS_SNTP_MESSAGE_BYTES);
  fake->n_asked++;
  for (guint i = 0; i < 8; i++)
    cookie = cookie << 8 | data[40 + i];
  make_response (answer, fake->manner == WRONG_ORIGIN ? cookie + 1 : cookie, now_us, now_us);
  if (fake->manner == KISS)
    answer[1] = 0;
  if (fake->manner == GARBAGE)
    memset (answer, 0xff, sizeof answer);
  for (guint i = 0; fake->manner != SILENT && i < (fake->manner == TWICE ? 2 : 1); i++)
    g_socket_send_to (socket, from, (char *) answer, sizeof answer, NULL, NULL);
  return G_SOURCE_CONTINUE;
}

static void
fake_init (FakeServer *fake, Manner manner, int64_t ahead_us)
{
  g_autoptr (GInetAddress) loopback = g_inet_address_new_loopback (G_SOCKET_FAMILY_IPV4);
  g_autoptr (GSocketAddress) any = g_inet_socket_address_new (loopback, 0);
  g_autoptr (GSocketAddress) local = NULL;

  *fake = (FakeServer) { .manner = manner, .ahead_us = ahead_us };
  fake->socket = g_socket_new (G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_DATAGRAM, G_SOCKET_PROTOCOL_UDP,
                               NULL);
  g_assert_true (g_socket_bind (fake->socket, any, FALSE, NULL));
  local = g_socket_get_local_address (fake->socket, NULL);
  fake->name = g_strdup_printf ("127.0.0.1:%u", g_inet_socket_address_get_port (
                                                  G_INET_SOCKET_ADDRESS (local)));
  fake->source = g_socket_create_source (fake->socket, G_IO_IN, NULL);
  g_source_set_callback (fake->source, G_SOURCE_FUNC (asked_cb), fake, NULL);
  g_source_attach (fake->source, NULL);
}

static void
fake_clear (FakeServer *fake)
{
  g_source_destroy (fake->source);
  g_source_unref (fake->source);
  g_object_unref (fake->socket);
  g_free (fake->name);
}

typedef struct
{
  gboolean is_done, ok;
  AlsSntpTime time;
  GError *error;
} Answer;

static void
answered_cb (GObject *object, GAsyncResult *result, gpointer user_data)
{
  Answer *answer = user_data;

  answer->ok = als_sntp_ask_finish (result, &answer->time, &answer->error);
  answer->is_done = TRUE;
}

static Answer
ask (const char *const *servers)
{
  Answer answer = { 0 };

  als_sntp_ask_async (servers, NULL, answered_cb, &answer);
  g_assert_false (answer.is_done);
  als_wait_until (answer.is_done);
  g_assert_no_error (answer.error);
  g_assert_true (answer.ok);
  return answer;
}

static int64_t
ahead_of_clock (const AlsSntpTime *time)
{
  return time->offset_us - (g_get_real_time () - g_get_monotonic_time ());
}

static void
test_clock_is_corrected (void)
{
  const Manner manners[] = { GOOD, TWICE };

  for (guint i = 0; i < G_N_ELEMENTS (manners); i++)
    {
      int64_t began_us = g_get_monotonic_time ();
      const char *servers[2] = { NULL };
      FakeServer fake;
      Answer answer;

      fake_init (&fake, manners[i], 3600 * S);
      servers[0] = fake.name;
      answer = ask (servers);
      g_assert_true (answer.time.is_checked);
      g_assert_cmpint (ABS (ahead_of_clock (&answer.time) - 3600 * S), <, 200000);
      g_assert_cmpint (g_get_monotonic_time () - began_us, <, 2 * S);
      g_assert_cmpuint (fake.n_asked, <=, 3);
      fake_clear (&fake);
    }
}

static void
test_bad_servers_are_passed_over (void)
{
  const Manner bad[] = { SILENT, GARBAGE, WRONG_ORIGIN, KISS };

  for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      int64_t began_us = g_get_monotonic_time ();
      FakeServer one, two;
      const char *servers[3] = { NULL };
      Answer answer;

      fake_init (&one, bad[i], 0);
      fake_init (&two, GOOD, -60 * S);
      servers[0] = one.name;
      servers[1] = two.name;
      answer = ask (servers);
      g_assert_true (answer.time.is_checked);
      g_assert_cmpint (ABS (ahead_of_clock (&answer.time) + 60 * S), <, 200000);
      /* Nobody waits for the other one. */
      g_assert_cmpint (g_get_monotonic_time () - began_us, <, 2 * S);
      if (bad[i] == KISS)
        g_assert_cmpuint (one.n_asked, ==, 1);
      fake_clear (&one);
      fake_clear (&two);
    }
}

static void
test_nobody_answers (void)
{
  int64_t began_us = g_get_monotonic_time ();
  const char *const none[] = { NULL }, *const nonsense[] = { "a b:c", NULL };
  const char *servers[3] = { NULL };
  FakeServer silent, dead;
  Answer answer;

  answer = ask (NULL);
  g_assert_false (answer.time.is_checked);
  answer = ask (none);
  g_assert_false (answer.time.is_checked);
  answer = ask (nonsense);
  g_assert_false (answer.time.is_checked);
  g_assert_cmpint (ABS (ahead_of_clock (&answer.time)), <, 200000);
  g_assert_cmpint (g_get_monotonic_time () - began_us, <, 1 * S);
  fake_init (&silent, SILENT, 0);
  fake_init (&dead, GOOD, 0);
  g_source_destroy (dead.source);
  g_socket_close (dead.socket, NULL);
  servers[0] = dead.name;
  answer = ask (servers);
  g_assert_false (answer.time.is_checked);
  g_assert_cmpint (g_get_monotonic_time () - began_us, <, 2 * S);
  servers[1] = silent.name;
  began_us = g_get_monotonic_time ();
  answer = ask (servers);
  g_assert_false (answer.time.is_checked);
  g_assert_cmpint (g_get_monotonic_time () - began_us, >=, 3 * S);
  g_assert_cmpint (g_get_monotonic_time () - began_us, <, 5 * S);
  fake_clear (&silent);
  fake_clear (&dead);
}

static void
test_cancelling (void)
{
  for (guint i = 0; i < 2; i++)
    {
      g_autoptr (GCancellable) cancellable = g_cancellable_new ();
      const char *servers[2] = { NULL };
      Answer answer = { 0 };
      FakeServer fake;

      fake_init (&fake, SILENT, 0);
      servers[0] = fake.name;
      if (i == 0)
        g_cancellable_cancel (cancellable);
      als_sntp_ask_async (servers, cancellable, answered_cb, &answer);
      if (i == 1)
        als_wait_until (fake.n_asked > 0);
      g_cancellable_cancel (cancellable);
      g_assert_false (answer.is_done);
      als_wait_until (answer.is_done);
      g_assert_error (answer.error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
      g_error_free (answer.error);
      fake_clear (&fake);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/signal/sntp/question-tells-nothing", test_request);
  g_test_add_func ("/signal/sntp/answer-gives-offset-and-delay", test_offset_and_delay);
  g_test_add_func ("/signal/sntp/bad-answers-are-told-apart", test_verdicts);
  g_test_add_func ("/signal/sntp/one-that-lies-does-no-harm", test_choice);
  g_test_add_func ("/signal/sntp/marks-are-one-moment", test_marks);
  g_test_add_func ("/signal/sntp/clock-is-corrected", test_clock_is_corrected);
  g_test_add_func ("/signal/sntp/bad-servers-are-passed-over", test_bad_servers_are_passed_over);
  g_test_add_func ("/signal/sntp/nobody-answers", test_nobody_answers);
  g_test_add_func ("/signal/sntp/can-be-cancelled", test_cancelling);
  return g_test_run ();
}
