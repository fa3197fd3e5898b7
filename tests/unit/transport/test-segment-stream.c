/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "transport/als-segment-stream.h"

#include <string.h>

#define WINDOW (64 * 1024)
#define MAX_BYTES (128 * 1024)
#define TOTAL (2 * 1024 * 1024)

static uint8_t
byte_at (uint64_t offset)
{
  return (uint8_t) (offset * 131 + (offset >> 9));
}

static void
check_cb (const uint8_t *data, size_t len, gpointer user_data)
{
  uint64_t *got = user_data;

  for (size_t i = 0; i < len; i++)
    g_assert_cmpuint (data[i], ==, byte_at (*got + i));
  *got += len;
}

typedef struct
{
  uint64_t offset;
  size_t len;
} Flight;

/* Packets arrive in any order, get lost, are called lost wrongly: each byte arrives once. */
static void
test_transfer (void)
{
  g_autoptr (GRand) rand = g_rand_new_with_seed (5);
  g_autoptr (GArray) flights = g_array_new (FALSE, FALSE, sizeof (Flight));
  AlsStreamSender sender;
  AlsStreamReceiver receiver;
  uint64_t got = 0;

  als_stream_sender_init (&sender, WINDOW, MAX_BYTES);
  als_stream_receiver_init (&receiver, WINDOW);
  while (got < TOTAL || flights->len > 0)
    {
      uint8_t data[2000];
      size_t len = (size_t) g_rand_int_range (rand, 1, sizeof data);
      Flight flight;

      len = MIN (len, TOTAL - sender.end);
      for (size_t i = 0; i < len; i++)
        data[i] = byte_at (sender.end + i);
      if (len > 0)
        als_stream_sender_append (&sender, data, len);
      g_assert_cmpuint (sender.end - sender.acked_to, <=, MAX_BYTES);
      while (als_stream_sender_ready (&sender) && flights->len < 100)
        {
          flight.len = als_stream_sender_next (&sender, 1400, &flight.offset);
          g_assert_cmpuint (flight.len, >, 0);
          g_array_append_val (flights, flight);
        }
      g_assert_cmpuint (sender.sent_to, <=, sender.acked_to + WINDOW);
      if (flights->len > 0)
        {
          guint at = (guint) g_rand_int_range (rand, 0, (gint) flights->len);

          flight = g_array_index (flights, Flight, at);
          g_array_remove_index_fast (flights, at);
          if (g_rand_int_range (rand, 0, 4) == 0)
            als_stream_sender_lost (&sender, flight.offset, flight.len);
          if (flight.offset >= sender.acked_to && g_rand_int_range (rand, 0, 4) != 0)
            {
              als_stream_sender_copy (&sender, flight.offset, flight.len, data);
              g_assert_true (als_stream_receiver_allows (&receiver, flight.offset, flight.len));
              g_assert_cmpuint (als_stream_receiver_expand (&receiver, (uint32_t) flight.offset),
                                ==, flight.offset);
              als_stream_receiver_put (&receiver, flight.offset, data, flight.len, check_cb, &got);
              als_stream_sender_acked (&sender, flight.offset, flight.len);
            }
          else
            {
              als_stream_sender_lost (&sender, flight.offset, flight.len);
            }
        }
    }
  g_assert_cmpuint (got, ==, TOTAL);
  g_assert_cmpuint (sender.acked_to, ==, TOTAL);
  g_assert_cmpuint (als_stream_sender_unsent (&sender), ==, 0);
  g_assert_cmpuint (receiver.held.n, ==, 0);
  als_stream_sender_clear (&sender);
  als_stream_receiver_clear (&receiver);
}

static void
test_window (void)
{
  AlsStreamReceiver receiver;
  static const uint8_t data[10];
  uint64_t got = 0;

  als_stream_receiver_init (&receiver, WINDOW);
  g_assert_true (als_stream_receiver_allows (&receiver, WINDOW - 10, 10));
  g_assert_false (als_stream_receiver_allows (&receiver, WINDOW - 9, 10));
  /* A stranger who leaves a hole after each byte: remembered up to a point. */
  for (guint i = 0; i < WINDOW / 2; i++)
    als_stream_receiver_put (&receiver, 2 * i + 1, data, 1, check_cb, &got);
  g_assert_cmpuint (receiver.held.n, <=, 4096);
  g_assert_cmpuint (receiver.ring.capacity, <=, WINDOW);
  g_assert_cmpuint (got, ==, 0);
  als_stream_receiver_clear (&receiver);
}

static void
test_full (void)
{
  AlsStreamSender sender;
  g_autofree uint8_t *data = g_malloc0 (MAX_BYTES);

  als_stream_sender_init (&sender, WINDOW, MAX_BYTES);
  g_assert_true (als_stream_sender_append (&sender, data, MAX_BYTES));
  g_assert_false (als_stream_sender_append (&sender, data, 1));
  als_stream_sender_clear (&sender);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/transport/segment-stream/each-byte-arrives-once", test_transfer);
  g_test_add_func ("/transport/segment-stream/receiver-is-bounded", test_window);
  g_test_add_func ("/transport/segment-stream/sender-is-bounded", test_full);
  return g_test_run ();
}
