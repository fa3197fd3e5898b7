/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#include "config.h"

#include "path/turn/als-turn-records.h"

#include <string.h>

#include "base/als-bytes.h"
#include "path/turn/als-turn-message.h"

#define HEADER_BYTES ALS_TURN_RECORD_HEADER_BYTES

typedef struct
{
  uint64_t number; /* first: the key */
  GBytes *bytes;
} Waiting;

struct _AlsTurnRecords
{
  const AlsTurnRecordsEvents *events;
  gpointer user_data;
  GByteArray *partial[ALS_TURN_MAX_STRIPES]; /* the beginning of a record */
  uint64_t next;
  uint64_t end;              /* UINT64_MAX: not in sight */
  GHashTable *waiting;       /* (element-type Waiting): came before their turn */
  size_t waiting_bytes;
  gboolean is_stopped;
  const char *failure;       /* (nullable) */
};

static void
waiting_free (gpointer data)
{
  Waiting *self = data;

  g_bytes_unref (self->bytes);
  g_free (self);
}

AlsTurnRecords *
als_turn_records_new (const AlsTurnRecordsEvents *events, gpointer user_data)
{
  AlsTurnRecords *self = g_new0 (AlsTurnRecords, 1);

  self->events = events;
  self->user_data = user_data;
  self->end = UINT64_MAX;
  self->waiting = g_hash_table_new_full (g_int64_hash, g_int64_equal, NULL, waiting_free);
  for (guint i = 0; i < ALS_TURN_MAX_STRIPES; i++)
    self->partial[i] = g_byte_array_new ();
  return self;
}

void
als_turn_records_free (AlsTurnRecords *self)
{
  if (self == NULL)
    return;
  for (guint i = 0; i < ALS_TURN_MAX_STRIPES; i++)
    g_byte_array_unref (self->partial[i]);
  g_hash_table_unref (self->waiting);
  g_free (self);
}

static gboolean
is_over (const AlsTurnRecords *self)
{
  return self->is_stopped || self->failure != NULL;
}

static void
deliver_waiting (AlsTurnRecords *self)
{
  Waiting *waiting;

  while (!is_over (self) && (waiting = g_hash_table_lookup (self->waiting, &self->next)) != NULL)
    {
      g_autoptr (GBytes) bytes = g_bytes_ref (waiting->bytes);
      size_t len;
      const uint8_t *data = g_bytes_get_data (bytes, &len);

      self->waiting_bytes -= len;
      g_hash_table_remove (self->waiting, &self->next);
      self->next++;
      self->events->message (data, len, self->user_data);
    }
}

static void
take_data (AlsTurnRecords *self, uint64_t number, const uint8_t *data, size_t len)
{
  Waiting *waiting;

  if (number >= self->end)
    self->failure = "a record behind the end";
  else if (number < self->next || g_hash_table_contains (self->waiting, &number))
    self->failure = "a record came twice";
  else if (number == self->next)
    {
      self->next++;
      self->events->message (data, len, self->user_data);
      deliver_waiting (self);
    }
  else if (self->waiting_bytes + len > ALS_TURN_MAX_REORDER_BYTES
           || g_hash_table_size (self->waiting) >= ALS_TURN_MAX_REORDER_RECORDS)
    self->failure = "too much waits for a record that does not come";
  else
    {
      waiting = g_new0 (Waiting, 1);
      waiting->number = number;
      waiting->bytes = g_bytes_new (data, len);
      self->waiting_bytes += len;
      g_hash_table_insert (self->waiting, &waiting->number, waiting);
    }
}

static void
take_record (AlsTurnRecords *self, guint stripe, uint8_t type, uint64_t number,
             const uint8_t *data, size_t len)
{
  if (type != ALS_TURN_RECORD_DATA && len > 0)
    {
      self->failure = "a record with bytes that it cannot have";
      return;
    }
  switch (type)
    {
    case ALS_TURN_RECORD_DATA:
      take_data (self, number, data, len);
      break;
    case ALS_TURN_RECORD_PING:
    case ALS_TURN_RECORD_PONG:
    case ALS_TURN_RECORD_WIDEN:
      self->events->small (stripe, type, number, self->user_data);
      break;
    case ALS_TURN_RECORD_END:
      /* Each stream has its own, and they are all the same. */
      if (number < self->next || (self->end != UINT64_MAX && self->end != number))
        self->failure = "an end that cannot be";
      self->end = number;
      break;
    default:
      self->failure = "an unknown record";
      break;
    }
}

/* Takes one whole record from DATA: how many bytes it was, 0 if it is not whole or not good. */
static size_t
take_whole (AlsTurnRecords *self, guint stripe, const uint8_t *data, size_t len)
{
  AlsReader reader;
  uint8_t type;
  uint32_t bytes;
  uint64_t number;
  const uint8_t *content;

  als_reader_init (&reader, data, len);
  type = als_reader_u8 (&reader);
  bytes = als_reader_u32 (&reader);
  number = als_reader_u64 (&reader);
  if (reader.failed)
    return 0;
  if (bytes > ALS_TURN_MAX_MESSAGE_BYTES)
    {
      self->failure = "a record beyond the limit";
      return 0;
    }
  content = als_reader_bytes (&reader, bytes);
  if (reader.failed)
    return 0;
  take_record (self, stripe, type, number, content, bytes);
  return HEADER_BYTES + bytes;
}

/* How many bytes the record that was begun still needs; at least 1. Its length has been checked. */
static size_t
get_missing (const GByteArray *partial)
{
  uint32_t bytes;

  if (partial->len < HEADER_BYTES)
    return HEADER_BYTES - partial->len;
  memcpy (&bytes, partial->data + 1, sizeof bytes);
  return HEADER_BYTES + (size_t) GUINT32_FROM_BE (bytes) - partial->len;
}

gboolean
als_turn_records_feed (AlsTurnRecords *self, guint stripe, const uint8_t *data, size_t len,
                       GError **error)
{
  GByteArray *partial = self->partial[stripe];

  while (len > 0 && !is_over (self))
    {
      size_t taken = partial->len == 0 ? take_whole (self, stripe, data, len) : 0;

      if (taken == 0 && !is_over (self))
        {
          taken = MIN (get_missing (partial), len);
          g_byte_array_append (partial, data, (guint) taken);
          if (take_whole (self, stripe, partial->data, partial->len) > 0)
            g_byte_array_set_size (partial, 0);
        }
      data += taken;
      len -= taken;
    }
  if (self->failure == NULL)
    return TRUE;
  g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, self->failure);
  return FALSE;
}

void
als_turn_records_stop (AlsTurnRecords *self)
{
  self->is_stopped = TRUE;
}

gboolean
als_turn_records_has_end (const AlsTurnRecords *self)
{
  return self->end != UINT64_MAX;
}

gboolean
als_turn_records_is_ended (const AlsTurnRecords *self)
{
  return self->end == self->next;
}

void
als_turn_record_put (uint8_t out[ALS_TURN_RECORD_HEADER_BYTES], AlsTurnRecordType type, size_t len,
                     uint64_t number)
{
  uint32_t len_be = GUINT32_TO_BE ((uint32_t) len);
  uint64_t number_be = GUINT64_TO_BE (number);

  out[0] = (uint8_t) type;
  memcpy (out + 1, &len_be, sizeof len_be);
  memcpy (out + 5, &number_be, sizeof number_be);
}
