/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* A stream of frames cut anywhere gives the same messages, and each goes back into the same bytes. */

#include "signal/als-lan-stream.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static GByteArray *
read_all (const uint8_t *data, size_t size, size_t step, gboolean *failed)
{
  g_auto (AlsLanStream) stream = { 0 };
  GByteArray *out = g_byte_array_new ();

  als_lan_stream_init (&stream);
  for (size_t at = 0; at < size; at += step)
    {
      AlsSignalMessage *message;

      als_lan_stream_push (&stream, data + at, MIN (step, size - at));
      while ((message = als_lan_stream_take (&stream)) != NULL)
        {
          g_autoptr (GBytes) frame = als_lan_stream_frame (message);

          g_assert_nonnull (frame);
          g_byte_array_append (out, g_bytes_get_data (frame, NULL),
                               (guint) g_bytes_get_size (frame));
          als_signal_message_free (message);
        }
      /* No more is kept than one message. */
      g_assert_cmpuint (stream.bytes->len - stream.start, <=, ALS_LAN_STREAM_MAX + 4 + step);
    }
  *failed = stream.failed;
  return out;
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  gboolean failed, failed_too;
  g_autoptr (GByteArray) whole = read_all (data, size, MAX (size, 1), &failed);
  g_autoptr (GByteArray) cut = read_all (data, size, 7, &failed_too);

  g_assert_cmpint (failed, ==, failed_too);
  g_assert_cmpmem (whole->data, whole->len, cut->data, cut->len);
  g_assert_cmpuint (whole->len, <=, size);
  g_assert_cmpmem (whole->data, whole->len, data, whole->len);
  return 0;
}
