/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* A TCP stream of STUN messages: whole, and byte by byte, with the same result. */

#include "stun/als-stun-stream.h"

#define MAX_BYTES 16384

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static guint
drain (AlsStunStream *stream)
{
  guint n = 0;
  AlsStunMessage *message;

  while ((message = als_stun_stream_next (stream, NULL)) != NULL)
    {
      n++;
      als_stun_message_free (message);
    }
  return n;
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autoptr (AlsStunStream) whole = als_stun_stream_new ();
  g_autoptr (AlsStunStream) pieces = als_stun_stream_new ();
  g_autoptr (GBytes) rest = NULL;
  guint n_whole, n_pieces = 0;

  size = MIN (size, MAX_BYTES);
  als_stun_stream_feed (whole, data, size);
  n_whole = drain (whole);
  for (size_t i = 0; i < size; i++)
    {
      als_stun_stream_feed (pieces, data + i, 1);
      n_pieces += drain (pieces);
    }
  g_assert (n_whole == n_pieces);
  rest = als_stun_stream_take_rest (whole);
  g_assert (rest == NULL || g_bytes_get_size (rest) <= size);
  return 0;
}
