/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* A hostile server against the client's side of the rendezvous protocol: u8 what, then for a message
 * u8 length and its bytes; everything else is what the client's owner may do meanwhile. */

#include "base/als-bytes.h"
#include "signal/als-signal-talk.h"

#include <string.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

enum
{
  HEAR,
  CONNECT,
  REGISTER,
  UNREGISTER,
  RENUMBER,
  JOIN,
  MEET,
  CANCEL,
  UNPAIR,
  SEND,
  POLL,
  N_OPS,
};

/* What one message makes the client say is bounded; what waits is sent before the next one. */
static void
send_all (AlsSignalTalk *talk)
{
  g_assert_cmpuint (g_queue_get_length (&talk->out), <=, 16);
  g_queue_clear_full (&talk->out, (GDestroyNotify) g_bytes_unref);
}

static void
hear (AlsSignalTalk *talk, AlsReader *reader, int64_t now_us)
{
  g_autoptr (AlsSignalMessage) message = NULL;
  g_autoptr (GError) error = NULL;
  size_t len = MIN (als_reader_u8 (reader), als_reader_left (reader));
  const uint8_t *bytes = als_reader_bytes (reader, len);
  gboolean was_paired = talk->is_paired;

  if (bytes == NULL)
    return;
  switch (als_signal_talk_receive (talk, bytes, len, now_us, &message, &error))
    {
    case ALS_SIGNAL_HEARD_REFUSAL:
      g_assert_nonnull (error);
      break;
    case ALS_SIGNAL_HEARD_END:
      g_assert_nonnull (error);
      send_all (talk);
      als_signal_talk_lost (talk);
      als_signal_talk_open (talk, "fuzz", now_us);
      break;
    case ALS_SIGNAL_HEARD_PAIRED:
      g_assert_nonnull (message);
      g_assert_true (talk->is_paired);
      g_assert_false (was_paired);
      break;
    case ALS_SIGNAL_HEARD_MESSAGE:
    case ALS_SIGNAL_HEARD_RELAY:
      g_assert_true (was_paired);
      g_assert_nonnull (message->payload);
      break;
    case ALS_SIGNAL_HEARD_UNPAIRED:
      g_assert_true (was_paired);
      g_assert_false (talk->is_paired);
      break;
    default:
      break;
    }
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  static const uint8_t meeting_id[ALS_SIGNAL_MEETING_BYTES] = { 7 };
  AlsSignalTalk talk;
  AlsReader reader;
  int64_t now_us = 0;

  als_signal_talk_init (&talk);
  als_signal_talk_open (&talk, "fuzz", now_us);
  als_reader_init (&reader, data, size);
  while (als_reader_left (&reader) > 0)
    {
      send_all (&talk);
      switch (als_reader_u8 (&reader) % N_OPS)
        {
        case HEAR:
          hear (&talk, &reader, now_us);
          break;
        case CONNECT:
          als_signal_talk_lost (&talk);
          als_signal_talk_open (&talk, "fuzz", now_us);
          break;
        case REGISTER:
          als_signal_talk_register (&talk);
          break;
        case UNREGISTER:
          als_signal_talk_unregister (&talk);
          break;
        case RENUMBER:
          als_signal_talk_renumber (&talk);
          break;
        case JOIN:
          als_signal_talk_join (&talk, 482913);
          break;
        case MEET:
          als_signal_talk_meet (&talk, meeting_id, TRUE);
          break;
        case CANCEL:
          als_signal_talk_cancel (&talk);
          break;
        case UNPAIR:
          als_signal_talk_unpair (&talk);
          break;
        case SEND:
          als_signal_talk_send (&talk, ALS_SIGNAL_PEER_MESSAGE, (const uint8_t *) "x", 1);
          break;
        default:
          now_us += 10 * G_USEC_PER_SEC;
          als_signal_talk_poll (&talk, now_us);
          break;
        }
    }
  als_signal_talk_clear (&talk);
  return 0;
}
