/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* The records of a striped carrier: bytes of several streams in, messages in
 * order out. Pure.
 *
 * A record: u8 type, u32 bytes that follow, u64 number, bytes.
 *
 *   DATA   number: the message's, from 0
 *   PING   number: anything; comes back as PONG
 *   END    number: how many messages there were. Half-close is not relayed
 *   WIDEN  number: how many streams would help the sender
 */

#pragma once

#include <gio/gio.h>
#include <stdint.h>

G_BEGIN_DECLS

#define ALS_TURN_RECORD_HEADER_BYTES (1 + 4 + 8)
/* Largest message. */
#define ALS_TURN_MAX_MESSAGE_BYTES (64 * 1024)
/* Waiting for one before them. */
#define ALS_TURN_MAX_REORDER_BYTES (8 * 1024 * 1024)
#define ALS_TURN_MAX_REORDER_RECORDS (32 * 1024)

typedef enum
{
  ALS_TURN_RECORD_DATA = 1,
  ALS_TURN_RECORD_PING = 2,
  ALS_TURN_RECORD_PONG = 3,
  ALS_TURN_RECORD_END = 4,
  ALS_TURN_RECORD_WIDEN = 5,
} AlsTurnRecordType;

typedef struct _AlsTurnRecords AlsTurnRecords;

typedef struct
{
  void (*message) (const uint8_t *data, size_t len, gpointer user_data);
  /* PING, PONG and WIDEN. */
  void (*small)   (guint stripe, AlsTurnRecordType type, uint64_t number, gpointer user_data);
} AlsTurnRecordsEvents;

AlsTurnRecords *als_turn_records_new      (const AlsTurnRecordsEvents *events, gpointer user_data);
void            als_turn_records_free     (AlsTurnRecords *self);
/* FALSE with G_IO_ERROR_INVALID_DATA: it is over. */
gboolean        als_turn_records_feed     (AlsTurnRecords *self, guint stripe, const uint8_t *data,
                                           size_t len, GError **error);
/* Nothing more is delivered, not even from within a callback. */
void            als_turn_records_stop     (AlsTurnRecords *self);
/* The end mark has come; perhaps not yet all before it. */
gboolean        als_turn_records_has_end  (const AlsTurnRecords *self);
gboolean        als_turn_records_is_ended (const AlsTurnRecords *self);

/* Writes the header. */
void            als_turn_record_put       (uint8_t out[ALS_TURN_RECORD_HEADER_BYTES],
                                           AlsTurnRecordType type, size_t len, uint64_t number);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (AlsTurnRecords, als_turn_records_free)

G_END_DECLS
