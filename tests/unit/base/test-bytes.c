/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/als-bytes.h"

static void
test_round_trip (void)
{
  g_auto (AlsWriter) writer = { 0 };
  g_autoptr (GBytes) bytes = NULL;
  g_autofree char *text = NULL;
  AlsReader reader;
  size_t len;

  als_writer_init (&writer, 0);
  als_writer_u8 (&writer, 7);
  als_writer_u16 (&writer, 0x1234);
  als_writer_u32 (&writer, 0xdeadbeef);
  als_writer_u64 (&writer, UINT64_MAX - 1);
  als_writer_text (&writer, "grüße");
  bytes = als_writer_steal (&writer);
  als_reader_init (&reader, g_bytes_get_data (bytes, &len), g_bytes_get_size (bytes));
  g_assert_cmpuint (als_reader_u8 (&reader), ==, 7);
  g_assert_cmpuint (als_reader_u16 (&reader), ==, 0x1234);
  g_assert_cmpuint (als_reader_u32 (&reader), ==, 0xdeadbeef);
  g_assert_cmpuint (als_reader_u64 (&reader), ==, UINT64_MAX - 1);
  g_assert_false (als_reader_done (&reader));
  text = als_reader_text (&reader, 20);
  g_assert_cmpstr (text, ==, "grüße");
  g_assert_true (als_reader_done (&reader));
}

static void
test_failure_sticks (void)
{
  AlsReader reader;

  als_reader_init (&reader, (const uint8_t *) "\x01\x02", 2);
  g_assert_cmpuint (als_reader_u32 (&reader), ==, 0);
  g_assert_cmpuint (als_reader_u8 (&reader), ==, 0);
  g_assert_null (als_reader_bytes (&reader, SIZE_MAX));
  g_assert_false (als_reader_done (&reader));
}

static void
test_text_is_checked (void)
{
  static const struct { const char *bytes; size_t len; } bad[] = {
    { "\0\2\xff\xfe", 4 }, { "\0\3a\0b", 5 }, { "\0\3a\nb", 5 }, { "\0\x09short", 7 },
    { "\0\2\xc2\x85", 4 }, /* a control character of two bytes */
  };

  for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      AlsReader reader;

      als_reader_init (&reader, (const uint8_t *) bad[i].bytes, bad[i].len);
      g_assert_null (als_reader_text (&reader, 100));
      g_assert_true (reader.failed);
    }
}

static void
test_writer_keeps_its_limit (void)
{
  g_auto (AlsWriter) writer = { 0 };

  als_writer_init (&writer, 3);
  als_writer_u32 (&writer, 1);
  g_assert_true (writer.failed);
  g_assert_null (als_writer_steal (&writer));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/base/bytes/round-trip", test_round_trip);
  g_test_add_func ("/base/bytes/failure-sticks", test_failure_sticks);
  g_test_add_func ("/base/bytes/text-is-checked", test_text_is_checked);
  g_test_add_func ("/base/bytes/writer-keeps-its-limit", test_writer_keeps_its_limit);
  return g_test_run ();
}
