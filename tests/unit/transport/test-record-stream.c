/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "transport/als-record-stream.h"

#include <string.h>

#define MAX_BYTES 5000

/* Records of many lengths, cut in every way. */
static void
test_any_cut (void)
{
  g_autoptr (GRand) rand = g_rand_new_with_seed (4);
  g_autoptr (GByteArray) wire = g_byte_array_new ();
  g_autoptr (GByteArray) bodies = g_byte_array_new ();
  guint n_records = 300;

  for (guint i = 0; i < n_records; i++)
    {
      uint8_t record[2 + MAX_BYTES];
      size_t len = i % 3 == 0 ? (size_t) g_rand_int_range (rand, 1, 4)
                              : (size_t) g_rand_int_range (rand, 1, MAX_BYTES + 1);

      for (size_t at = 0; at < len; at++)
        record[2 + at] = (uint8_t) g_rand_int (rand);
      als_record_write_header (record, len);
      g_byte_array_append (wire, record, (guint) len + 2);
      g_byte_array_append (bodies, record + 2, (guint) len);
    }
  for (int most = 1; most < 100000; most = most * 3 + 1)
    {
      AlsRecordStream stream;
      g_autoptr (GByteArray) got = g_byte_array_new ();
      guint n = 0;

      als_record_stream_init (&stream, MAX_BYTES);
      for (size_t at = 0; at < wire->len;)
        {
          size_t wanted = (size_t) g_rand_int_range (rand, 1, most + 1), len;
          size_t piece = MIN (wire->len - at, wanted);
          /* So that a read beyond it is noticed. */
          g_autofree uint8_t *copy = g_memdup2 (wire->data + at, piece);
          const uint8_t *record;

          als_record_stream_feed (&stream, copy, piece);
          while ((record = als_record_stream_next (&stream, &len)) != NULL)
            {
              g_byte_array_append (got, record, (guint) len);
              n++;
            }
          at += piece;
        }
      g_assert_false (stream.failed);
      g_assert_cmpuint (n, ==, n_records);
      g_assert_cmpmem (got->data, got->len, bodies->data, bodies->len);
      als_record_stream_clear (&stream);
    }
}

static void
test_bad_lengths (void)
{
  static const struct { const char *bytes; size_t len; } bad[] = {
    { "\0\0abc", 5 }, { "\x13\x89" "abc", 5 }, { "\xff\xff", 2 },
    { "\0\1a\0\0\0\1b", 8 },
  };

  for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
    for (guint whole = 0; whole < 2; whole++)
      {
        AlsRecordStream stream;
        guint n = 0;
        size_t len, step = whole ? bad[i].len : 1;

        als_record_stream_init (&stream, MAX_BYTES);
        for (size_t at = 0; at < bad[i].len; at += step)
          {
            als_record_stream_feed (&stream, (const uint8_t *) bad[i].bytes + at, step);
            while (als_record_stream_next (&stream, &len) != NULL)
              n++;
          }
        g_assert_true (stream.failed);
        g_assert_cmpuint (n, ==, i == 3);
        /* It stays so. */
        als_record_stream_feed (&stream, (const uint8_t *) "\0\1a", 3);
        g_assert_null (als_record_stream_next (&stream, &len));
        g_assert_cmpuint (stream.partial->len, <=, 2);
        als_record_stream_clear (&stream);
      }
}

/* The limit may change between two records, also where the second has come already. */
static void
test_limit_changes (void)
{
  AlsRecordStream stream;
  const uint8_t *record;
  size_t len;

  als_record_stream_init (&stream, 1);
  als_record_stream_feed (&stream, (const uint8_t *) "\0\1a\0\3bcd\0\3bcd", 13);
  record = als_record_stream_next (&stream, &len);
  g_assert_cmpmem (record, len, "a", 1);
  stream.max_bytes = 3;
  record = als_record_stream_next (&stream, &len);
  g_assert_cmpmem (record, len, "bcd", 3);
  stream.max_bytes = 2;
  g_assert_null (als_record_stream_next (&stream, &len));
  g_assert_true (stream.failed);
  als_record_stream_clear (&stream);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/transport/record-stream/records-come-whole-however-they-were-cut", test_any_cut);
  g_test_add_func ("/transport/record-stream/lengths-that-cannot-be-fail-for-good", test_bad_lengths);
  g_test_add_func ("/transport/record-stream/limit-may-change-between-records", test_limit_changes);
  return g_test_run ();
}
