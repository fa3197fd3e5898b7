/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* The two buffers of a channel against plain models of them. */

#include "session/als-receive-buffer.h"
#include "session/als-send-buffer.h"

#include <string.h>

#define TOTAL (400 * 1000)

static uint8_t
byte_at (uint64_t offset)
{
  return (uint8_t) ((offset * 2654435761u) >> 13);
}

static void
test_send_buffer_keeps_what_is_unacknowledged (void)
{
  g_autoptr (GRand) rand = g_rand_new_with_seed (7);
  AlsSendBuffer buffer;
  g_autofree guint8 *owner = g_malloc0 (TOTAL); /* 0: unsent or lost */

  als_send_buffer_init (&buffer);
  while (buffer.acked < TOTAL)
    {
      uint64_t offset = 0, lost = als_send_buffer_peek_lost (&buffer, &offset);
      uint8_t bytes[40000];
      g_auto (AlsWriter) writer;
      size_t n;

      als_writer_init (&writer, 0);
      switch (g_rand_int_range (rand, 0, 12))
        {
        case 0: case 1: case 2: case 3:
          n = (size_t) g_rand_int_range (rand, 0, sizeof bytes);
          n = MIN (n, TOTAL - buffer.written);
          for (size_t i = 0; i < n; i++)
            bytes[i] = byte_at (buffer.written + i);
          als_send_buffer_append (&buffer, bytes, n);
          break;

        case 4: case 5: case 6: case 7:
          /* Lost bytes first, as a session does. */
          if (lost == 0)
            offset = buffer.sent;
          n = (size_t) g_rand_int_range (rand, 1, 20000);
          n = MIN (n, lost > 0 ? lost : buffer.written - buffer.sent);
          if (n == 0)
            break;
          als_send_buffer_copy (&buffer, offset, n, &writer);
          for (size_t i = 0; i < n; i++)
            {
              g_assert_cmpuint (writer.bytes->data[i], ==, byte_at (offset + i));
              g_assert_cmpuint (owner[offset + i], ==, 0);
              owner[offset + i] = (guint8) (1 + (buffer.written + n) % 3);
            }
          als_send_buffer_mark_sent (&buffer, offset, n, owner[offset]);
          for (size_t i = 0; i < n; i++)
            owner[offset + i] = owner[offset];
          break;

        case 8: case 9: case 10:
          if (buffer.sent > buffer.acked)
            als_send_buffer_ack (&buffer, buffer.acked
                                 + g_rand_int_range (rand, 0, (gint32) (buffer.sent - buffer.acked) + 1));
          break;

        default:
          n = g_rand_int_range (rand, 1, 4);
          als_send_buffer_lose (&buffer, (guint) n);
          for (uint64_t i = buffer.acked; i < buffer.sent; i++)
            if (owner[i] == n)
              owner[i] = 0;
          break;
        }
      g_assert_cmpuint (buffer.blocks->len, <=, (buffer.written - buffer.acked) / 16384 + 2);
      lost = als_send_buffer_peek_lost (&buffer, &offset);
      if (lost == 0)
        offset = buffer.sent;
      for (uint64_t i = buffer.acked; i < offset; i++)
        g_assert_cmpuint (owner[i], !=, 0);
      for (uint64_t i = offset; i < offset + lost; i++)
        g_assert_cmpuint (owner[i], ==, 0);
      for (guint8 i = 1; i < 4; i++)
        g_assert_cmpint (als_send_buffer_has_owner (&buffer, i), ==,
                         buffer.sent > buffer.acked
                             && memchr (owner + buffer.acked, i, buffer.sent - buffer.acked) != NULL);
    }
  g_assert_cmpuint (buffer.blocks->len, ==, 0);
  als_send_buffer_clear (&buffer);
}

static void
test_receive_buffer_keeps_each_byte_once (void)
{
  g_autoptr (GRand) rand = g_rand_new_with_seed (9);
  AlsReceiveBuffer buffer;
  g_autofree guint8 *have = g_malloc0 (TOTAL);
  uint64_t high = 0;

  als_receive_buffer_init (&buffer);
  while (buffer.delivered < TOTAL)
    {
      uint64_t offset = buffer.delivered
                        + (g_rand_boolean (rand) ? g_rand_int_range (rand, 0, 100000) : 0);
      size_t n = (size_t) g_rand_int_range (rand, 1, 9000);
      uint8_t bytes[9000];
      size_t skip, stored = 0;
      GByteArray *run;

      if (g_rand_int_range (rand, 0, 4) == 0)
        offset -= MIN (offset, 500);
      n = MIN (n, TOTAL - MIN (offset, TOTAL));
      for (size_t i = 0; i < n; i++)
        {
          bytes[i] = byte_at (offset + i);
          have[offset + i] = 1;
        }
      if (n > 0)
        high = MAX (high, offset + n);
      g_assert_true (als_receive_buffer_store (&buffer, offset, bytes, n));
      g_assert_cmpuint (als_receive_buffer_get_end (&buffer), ==, MAX (high, buffer.delivered));
      while ((run = als_receive_buffer_take (&buffer, &skip)) != NULL)
        {
          for (; skip < run->len; skip++, buffer.delivered++)
            {
              g_assert_cmpuint (run->data[skip], ==, byte_at (buffer.delivered));
              g_assert_cmpuint (have[buffer.delivered], ==, 1);
            }
          g_byte_array_unref (run);
        }
      if (buffer.delivered < TOTAL)
        g_assert_cmpuint (have[buffer.delivered], ==, 0);
      for (uint64_t i = buffer.delivered; i < high; i++)
        stored += have[i];
      g_assert_cmpuint (buffer.stored_bytes, ==, stored);
    }
  g_assert_cmpuint (buffer.stored_bytes, ==, 0);
  als_receive_buffer_clear (&buffer);
}

static void
test_receive_buffer_refuses_too_many_gaps (void)
{
  AlsReceiveBuffer buffer;

  als_receive_buffer_init (&buffer);
  for (guint i = 0; i < ALS_RECEIVE_MAX_RUNS; i++)
    g_assert_true (als_receive_buffer_store (&buffer, 10 + 2 * i, (const uint8_t *) "x", 1));
  g_assert_false (als_receive_buffer_store (&buffer, 5000, (const uint8_t *) "x", 1));
  g_assert_true (als_receive_buffer_store (&buffer, 11, (const uint8_t *) "x", 1)); /* closes one */
  als_receive_buffer_clear (&buffer);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/session/send-buffer/keeps-what-is-unacknowledged",
                   test_send_buffer_keeps_what_is_unacknowledged);
  g_test_add_func ("/session/receive-buffer/keeps-each-byte-once",
                   test_receive_buffer_keeps_each_byte_once);
  g_test_add_func ("/session/receive-buffer/refuses-too-many-gaps",
                   test_receive_buffer_refuses_too_many_gaps);
  return g_test_run ();
}
