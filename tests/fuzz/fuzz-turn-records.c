/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Records of a striped carrier. The input is cut into pieces: a byte says for which stream and how
 * long. */

#include "path/turn/als-turn-message.h"
#include "path/turn/als-turn-records.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static void
on_message (const uint8_t *data, size_t len, gpointer user_data)
{
  g_assert_cmpuint (len, <=, ALS_TURN_MAX_MESSAGE_BYTES);
  if (len == 7)
    als_turn_records_stop (*(AlsTurnRecords **) user_data);
}

static void
on_small (guint stripe, AlsTurnRecordType type, uint64_t number, gpointer user_data)
{
  g_assert_cmpuint (stripe, <, ALS_TURN_MAX_STRIPES);
  g_assert_true (type == ALS_TURN_RECORD_PING || type == ALS_TURN_RECORD_PONG
                 || type == ALS_TURN_RECORD_WIDEN);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  static const AlsTurnRecordsEvents events = { on_message, on_small };
  AlsTurnRecords *records = NULL;
  gboolean ok = TRUE;

  records = als_turn_records_new (&events, &records);
  while (size > 0 && ok)
    {
      guint stripe = data[0] % ALS_TURN_MAX_STRIPES;
      size_t len = MIN ((size_t) (data[0] / ALS_TURN_MAX_STRIPES) + 1, size - 1);

      ok = als_turn_records_feed (records, stripe, data + 1, len, NULL);
      data += 1 + len;
      size -= 1 + len;
    }
  als_turn_records_is_ended (records);
  als_turn_records_free (records);
  return 0;
}
