/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#include "path/turn/als-turn-records.h"

#include <string.h>

#include "path/turn/als-turn-message.h"

typedef struct
{
  AlsTurnRecords *records;
  GString *said;          /* what came out, as text */
  gboolean stop_at_first;
} Fixture;

static void
on_message (const uint8_t *data, size_t len, gpointer user_data)
{
  Fixture *self = user_data;

  g_string_append_printf (self->said, "[%.*s]", (int) len, (const char *) data);
  if (self->stop_at_first)
    als_turn_records_stop (self->records);
}

static void
on_small (guint stripe, AlsTurnRecordType type, uint64_t number, gpointer user_data)
{
  Fixture *self = user_data;

  g_string_append_printf (self->said, "(%u %d %u)", stripe, type, (guint) number);
}

static const AlsTurnRecordsEvents events = { on_message, on_small };

static void
fixture_init (Fixture *self)
{
  memset (self, 0, sizeof *self);
  self->records = als_turn_records_new (&events, self);
  self->said = g_string_new (NULL);
}

static void
fixture_clear (Fixture *self)
{
  als_turn_records_free (self->records);
  g_string_free (self->said, TRUE);
}

static GByteArray *
make_record (AlsTurnRecordType type, uint64_t number, const char *text)
{
  GByteArray *bytes = g_byte_array_new ();
  uint8_t header[ALS_TURN_RECORD_HEADER_BYTES];

  als_turn_record_put (header, type, strlen (text), number);
  g_byte_array_append (bytes, header, sizeof header);
  g_byte_array_append (bytes, (const guint8 *) text, (guint) strlen (text));
  return bytes;
}

static gboolean
feed (Fixture *self, guint stripe, AlsTurnRecordType type, uint64_t number, const char *text)
{
  g_autoptr (GByteArray) bytes = make_record (type, number, text);
  g_autoptr (GError) error = NULL;
  gboolean ok = als_turn_records_feed (self->records, stripe, bytes->data, bytes->len, &error);

  g_assert_true (ok == (error == NULL));
  return ok;
}

static void
test_order (void)
{
  Fixture fixture;

  fixture_init (&fixture);
  g_assert_true (feed (&fixture, 1, ALS_TURN_RECORD_DATA, 1, "b"));
  g_assert_true (feed (&fixture, 2, ALS_TURN_RECORD_DATA, 3, "d"));
  g_assert_cmpstr (fixture.said->str, ==, "");
  g_assert_true (feed (&fixture, 0, ALS_TURN_RECORD_DATA, 0, "a"));
  g_assert_cmpstr (fixture.said->str, ==, "[a][b]");
  g_assert_true (feed (&fixture, 0, ALS_TURN_RECORD_DATA, 2, ""));
  g_assert_cmpstr (fixture.said->str, ==, "[a][b][][d]");
  fixture_clear (&fixture);
}

static void
test_byte_by_byte (void)
{
  g_autoptr (GByteArray) first = make_record (ALS_TURN_RECORD_DATA, 0, "hello");
  g_autoptr (GByteArray) second = make_record (ALS_TURN_RECORD_DATA, 1, "world");
  Fixture fixture;

  fixture_init (&fixture);
  /* Two streams, each in the middle of a record. */
  for (guint i = 0; i < first->len; i++)
    {
      g_assert_true (als_turn_records_feed (fixture.records, 0, first->data + i, 1, NULL));
      g_assert_true (als_turn_records_feed (fixture.records, 7, second->data + i, 1, NULL));
    }
  g_assert_cmpstr (fixture.said->str, ==, "[hello][world]");
  fixture_clear (&fixture);
}

static void
test_many_at_once (void)
{
  g_autoptr (GByteArray) bytes = g_byte_array_new ();
  Fixture fixture;

  fixture_init (&fixture);
  for (guint i = 0; i < 4; i++)
    {
      g_autoptr (GByteArray) record = make_record (ALS_TURN_RECORD_DATA, i, "x");

      g_byte_array_append (bytes, record->data, record->len);
    }
  /* And the beginning of another. */
  g_assert_true (als_turn_records_feed (fixture.records, 0, bytes->data, bytes->len - 1, NULL));
  g_assert_cmpstr (fixture.said->str, ==, "[x][x][x]");
  g_assert_true (als_turn_records_feed (fixture.records, 0, bytes->data + bytes->len - 1, 1, NULL));
  g_assert_cmpstr (fixture.said->str, ==, "[x][x][x][x]");
  fixture_clear (&fixture);
}

static void
test_small (void)
{
  Fixture fixture;

  fixture_init (&fixture);
  g_assert_true (feed (&fixture, 3, ALS_TURN_RECORD_PING, 9, ""));
  g_assert_true (feed (&fixture, 0, ALS_TURN_RECORD_WIDEN, 8, ""));
  g_assert_cmpstr (fixture.said->str, ==, "(3 2 9)(0 5 8)");
  g_assert_false (feed (&fixture, 0, ALS_TURN_RECORD_PONG, 9, "x"));
  fixture_clear (&fixture);
}

static void
test_end (void)
{
  Fixture fixture;

  fixture_init (&fixture);
  g_assert_true (feed (&fixture, 1, ALS_TURN_RECORD_END, 2, ""));
  g_assert_true (als_turn_records_has_end (fixture.records));
  g_assert_false (als_turn_records_is_ended (fixture.records));
  g_assert_true (feed (&fixture, 0, ALS_TURN_RECORD_DATA, 1, "b"));
  g_assert_true (feed (&fixture, 0, ALS_TURN_RECORD_DATA, 0, "a"));
  g_assert_true (als_turn_records_is_ended (fixture.records));
  g_assert_true (feed (&fixture, 0, ALS_TURN_RECORD_END, 2, ""));
  g_assert_false (feed (&fixture, 0, ALS_TURN_RECORD_DATA, 2, "c"));
  fixture_clear (&fixture);
}

typedef struct
{
  AlsTurnRecordType type;
  uint64_t number;
} Bad;

static void
test_nonsense (void)
{
  static const Bad bad[] = {
    { ALS_TURN_RECORD_DATA, 0 }, /* it came already */
    { ALS_TURN_RECORD_DATA, 5 }, /* waits already */
    { 0, 1 },
    { 6, 1 },
    { ALS_TURN_RECORD_END, 0 },  /* more has come */
  };

  for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      Fixture fixture;

      fixture_init (&fixture);
      g_assert_true (feed (&fixture, 0, ALS_TURN_RECORD_DATA, 0, "a"));
      g_assert_true (feed (&fixture, 0, ALS_TURN_RECORD_DATA, 5, "f"));
      g_assert_false (feed (&fixture, 1, bad[i].type, bad[i].number, ""));
      /* And it stays over. */
      g_assert_false (feed (&fixture, 0, ALS_TURN_RECORD_DATA, 1, "b"));
      g_assert_cmpstr (fixture.said->str, ==, "[a]");
      fixture_clear (&fixture);
    }
}

static void
test_too_large (void)
{
  uint8_t header[ALS_TURN_RECORD_HEADER_BYTES];
  g_autoptr (GError) error = NULL;
  Fixture fixture;

  fixture_init (&fixture);
  als_turn_record_put (header, ALS_TURN_RECORD_DATA, ALS_TURN_MAX_MESSAGE_BYTES + 1, 0);
  g_assert_false (als_turn_records_feed (fixture.records, 0, header, sizeof header, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA);
  fixture_clear (&fixture);
}

/* Whoever holds back a record cannot fill the memory, with bytes or with numbers. */
static void
test_reordering_is_bounded (gconstpointer user_data)
{
  size_t len = GPOINTER_TO_SIZE (user_data);
  g_autofree char *text = g_strnfill (len, 'x');
  uint64_t number = 1;
  Fixture fixture;

  fixture_init (&fixture);
  while (feed (&fixture, 0, ALS_TURN_RECORD_DATA, number, text))
    number++;
  g_assert_cmpuint (number * len, <=, ALS_TURN_MAX_REORDER_BYTES + len);
  g_assert_cmpuint (number, <=, ALS_TURN_MAX_REORDER_RECORDS + 1);
  fixture_clear (&fixture);
}

static void
test_stopped (void)
{
  Fixture fixture;

  fixture_init (&fixture);
  fixture.stop_at_first = TRUE;
  g_assert_true (feed (&fixture, 0, ALS_TURN_RECORD_DATA, 1, "b"));
  g_assert_true (feed (&fixture, 0, ALS_TURN_RECORD_DATA, 0, "a"));
  g_assert_cmpstr (fixture.said->str, ==, "[a]");
  fixture_clear (&fixture);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/path/turn-records/messages-come-in-order", test_order);
  g_test_add_func ("/path/turn-records/however-they-are-cut", test_byte_by_byte);
  g_test_add_func ("/path/turn-records/several-in-one-piece", test_many_at_once);
  g_test_add_func ("/path/turn-records/small-ones-overtake", test_small);
  g_test_add_func ("/path/turn-records/the-end-comes-last", test_end);
  g_test_add_func ("/path/turn-records/nonsense-ends-it", test_nonsense);
  g_test_add_func ("/path/turn-records/a-message-has-a-limit", test_too_large);
  g_test_add_data_func ("/path/turn-records/large-ones-cannot-pile-up",
                        GSIZE_TO_POINTER (16384), test_reordering_is_bounded);
  g_test_add_data_func ("/path/turn-records/empty-ones-cannot-pile-up", GSIZE_TO_POINTER (0),
                        test_reordering_is_bounded);
  g_test_add_func ("/path/turn-records/nothing-comes-after-stopping", test_stopped);
  return g_test_run ();
}
