/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#include "config.h"

#include "protocol/als-session-frame.h"

#define ACK_BYTES (4 + 8 + 8 + 1)
#define ACK_FINISHED 0x01
/* No channel comes near: offsets can be added without a wrap. */
#define MAX_OFFSET ((uint64_t) 1 << 62)

G_STATIC_ASSERT (1 + 2 + ALS_SESSION_MAX_ACKS * ACK_BYTES <= ALS_SESSION_FRAME_MAX);

G_DEFINE_QUARK (als-session-frame-error-quark, als_session_frame_error)

static uint64_t
read_offset (AlsReader *reader)
{
  uint64_t offset = als_reader_u64 (reader);

  if (offset > MAX_OFFSET)
    als_reader_fail (reader);
  return offset;
}

static void
read_ack (AlsReader *reader, AlsSessionAck *ack)
{
  uint8_t flags;

  ack->channel = als_reader_u32 (reader);
  ack->delivered = read_offset (reader);
  ack->limit = read_offset (reader);
  flags = als_reader_u8 (reader);
  ack->finished = (flags & ACK_FINISHED) != 0;
  if ((flags & ~ACK_FINISHED) != 0 || ack->limit < ack->delivered)
    als_reader_fail (reader);
}

static void
read_body (AlsSessionFrame *frame, AlsReader *reader)
{
  switch (frame->type)
    {
    case ALS_SESSION_FRAME_OPEN:
      frame->channel = als_reader_u32 (reader);
      frame->kind = als_reader_u8 (reader);
      frame->lane = als_reader_u8 (reader);
      if (frame->kind == 0 || frame->lane >= ALS_SESSION_N_LANES)
        als_reader_fail (reader);
      break;

    case ALS_SESSION_FRAME_DATA:
      frame->channel = als_reader_u32 (reader);
      frame->offset = read_offset (reader);
      frame->data = als_reader_rest (reader, &frame->len);
      if (frame->len == 0)
        als_reader_fail (reader);
      break;

    case ALS_SESSION_FRAME_FIN:
      frame->channel = als_reader_u32 (reader);
      frame->offset = read_offset (reader);
      break;

    case ALS_SESSION_FRAME_RESET:
      frame->channel = als_reader_u32 (reader);
      frame->code = als_reader_u32 (reader);
      if (frame->code == 0)
        als_reader_fail (reader);
      break;

    case ALS_SESSION_FRAME_ACK:
    case ALS_SESSION_FRAME_SYNC:
      frame->n_acks = als_reader_u16 (reader);
      if (frame->n_acks > ALS_SESSION_MAX_ACKS)
        als_reader_fail (reader);
      frame->data = als_reader_bytes (reader, frame->n_acks * ACK_BYTES);
      frame->len = frame->data != NULL ? frame->n_acks * ACK_BYTES : 0;
      for (guint i = 0; frame->data != NULL && i < frame->n_acks; i++)
        {
          AlsReader entry;
          AlsSessionAck ack;

          als_reader_init (&entry, frame->data + i * ACK_BYTES, ACK_BYTES);
          read_ack (&entry, &ack);
          if (!als_reader_done (&entry))
            als_reader_fail (reader);
        }
      break;

    case ALS_SESSION_FRAME_GONE:
      frame->channel = als_reader_u32 (reader);
      break;

    case ALS_SESSION_FRAME_PING:
    case ALS_SESSION_FRAME_PONG:
      frame->cookie = als_reader_u64 (reader);
      break;

    case ALS_SESSION_FRAME_LEAVE:
      frame->path_id = als_reader_u32 (reader);
      break;

    case ALS_SESSION_FRAME_GOODBYE:
      break;

    default:
      als_reader_fail (reader);
    }
}

gboolean
als_session_frame_read (AlsSessionFrame *frame, const uint8_t *bytes, size_t len, GError **error)
{
  AlsReader reader;

  *frame = (AlsSessionFrame){ 0 };
  als_reader_init (&reader, bytes, MIN (len, ALS_SESSION_FRAME_MAX));
  frame->type = als_reader_u8 (&reader);
  read_body (frame, &reader);
  if (len <= ALS_SESSION_FRAME_MAX && als_reader_done (&reader))
    return TRUE;
  g_set_error (error, ALS_SESSION_FRAME_ERROR, ALS_SESSION_FRAME_ERROR_INVALID,
               "not a session frame: type %d, %" G_GSIZE_FORMAT " bytes", (int) frame->type, len);
  return FALSE;
}

void
als_session_frame_get_ack (const AlsSessionFrame *frame, guint index, AlsSessionAck *ack)
{
  AlsReader entry;

  g_assert (index < frame->n_acks && frame->data != NULL);
  als_reader_init (&entry, frame->data + index * ACK_BYTES, ACK_BYTES);
  read_ack (&entry, ack);
}

void
als_session_frame_write (const AlsSessionFrame *frame, AlsWriter *writer)
{
  als_writer_u8 (writer, (uint8_t) frame->type);
  switch (frame->type)
    {
    case ALS_SESSION_FRAME_OPEN:
      als_writer_u32 (writer, frame->channel);
      als_writer_u8 (writer, frame->kind);
      als_writer_u8 (writer, frame->lane);
      break;

    case ALS_SESSION_FRAME_DATA:
      als_writer_u32 (writer, frame->channel);
      als_writer_u64 (writer, frame->offset);
      if (frame->data != NULL)
        als_writer_bytes (writer, frame->data, frame->len);
      break;

    case ALS_SESSION_FRAME_FIN:
      als_writer_u32 (writer, frame->channel);
      als_writer_u64 (writer, frame->offset);
      break;

    case ALS_SESSION_FRAME_RESET:
      als_writer_u32 (writer, frame->channel);
      als_writer_u32 (writer, frame->code);
      break;

    case ALS_SESSION_FRAME_ACK:
    case ALS_SESSION_FRAME_SYNC:
      g_assert (frame->n_acks <= ALS_SESSION_MAX_ACKS);
      als_writer_u16 (writer, (uint16_t) frame->n_acks);
      for (guint i = 0; i < frame->n_acks; i++)
        {
          als_writer_u32 (writer, frame->acks[i].channel);
          als_writer_u64 (writer, frame->acks[i].delivered);
          als_writer_u64 (writer, frame->acks[i].limit);
          als_writer_u8 (writer, frame->acks[i].finished ? ACK_FINISHED : 0);
        }
      break;

    case ALS_SESSION_FRAME_GONE:
      als_writer_u32 (writer, frame->channel);
      break;

    case ALS_SESSION_FRAME_PING:
    case ALS_SESSION_FRAME_PONG:
      als_writer_u64 (writer, frame->cookie);
      break;

    case ALS_SESSION_FRAME_LEAVE:
      als_writer_u32 (writer, frame->path_id);
      break;

    case ALS_SESSION_FRAME_GOODBYE:
      break;

    default:
      g_assert_not_reached ();
    }
}
