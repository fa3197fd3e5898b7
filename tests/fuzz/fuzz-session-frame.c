/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* What reads as a session frame is written back as the same bytes. */

#include "protocol/als-session-frame.h"

#include <string.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autoptr (GError) error = NULL;
  g_auto (AlsWriter) writer;
  AlsSessionAck acks[ALS_SESSION_MAX_ACKS];
  AlsSessionFrame frame;

  if (!als_session_frame_read (&frame, data, size, &error))
    {
      als_writer_init (&writer, 1);
      g_assert_nonnull (error);
      return 0;
    }
  for (guint i = 0; i < frame.n_acks; i++)
    als_session_frame_get_ack (&frame, i, &acks[i]);
  frame.acks = acks;
  als_writer_init (&writer, ALS_SESSION_FRAME_MAX);
  als_session_frame_write (&frame, &writer);
  g_assert_false (writer.failed);
  g_assert_cmpmem (writer.bytes->data, writer.bytes->len, data, size);
  return 0;
}
