/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* What a peer with the right keys puts into its sealed messages: each a 16-bit
 * length and bytes. */

#include "base/als-bytes.h"
#include "crypto/als-crypto.h"
#include "transport/als-message-link.h"
#include "transport/als-wire.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

#define MAX_MESSAGE_BYTES (16 * 1024)

static guint
to_peer (const AlsPacket *packets, guint n, gpointer user_data)
{
  const uint8_t *plain;
  size_t len;

  als_wire_receive (user_data, packets->data, packets->len, 1, &plain, &len);
  return n;
}

static void
on_frame (AlsLink *link, AlsLane lane, const uint8_t *data, size_t len, gpointer user_data)
{
  g_assert_cmpuint (lane, <, ALS_N_LANES);
  g_assert_cmpuint (len, >, 0);
  g_assert_cmpuint (len, <=, ALS_FRAME_MAX);
  /* Answered, as a session does. */
  als_link_send_frame (link, ALS_LANE_CONTROL, data, MIN (len, 16));
}

static void
on_datagram (AlsLink *link, const uint8_t *data, size_t len, gpointer user_data)
{
  g_assert_cmpuint (len, >, 0);
  g_assert_cmpuint (len, <=, ALS_DATAGRAM_MAX);
  als_link_send_datagram (link, data, len);
}

static void
nothing (AlsLink *link, gpointer user_data)
{
}

static void
on_closed (AlsLink *link, AlsLinkEnd end, gpointer user_data)
{
  g_assert_cmpint (end, ==, ALS_LINK_END_PROTOCOL);
}

static const AlsLinkEvents events = { nothing, on_frame, on_datagram, nothing, on_closed };

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  AlsLinkConfig config = { .carrier = ALS_CARRIER_MESSAGES, .speaks_first = TRUE,
                           .rate_limit = 100000, .backlog_limit = 65536 };
  AlsLinkConfig peer_config = { .role = ALS_ROLE_JOINER, .carrier = ALS_CARRIER_MESSAGES };
  static uint8_t sealed[MAX_MESSAGE_BYTES + ALS_WIRE_OVERHEAD];
  AlsReader reader;
  AlsWire *peer;
  AlsLink *link;
  size_t len;

  als_crypto_init ();
  peer = als_wire_new (&peer_config, 0);
  link = als_message_link_new (&config, to_peer, peer, 0);
  als_link_set_events (link, &events, NULL);
  for (guint i = 0; i < 4; i++)
    {
      als_link_poll (link, 1);
      while ((len = als_wire_poll (peer, sealed, 1)) > 0)
        als_link_receive (link, sealed, len, 1);
    }
  als_reader_init (&reader, data, size);
  for (int64_t now_us = 2; als_reader_left (&reader) > 0; now_us += 1000)
    {
      size_t wanted = als_reader_u16 (&reader);
      const uint8_t *plain;

      len = MIN (MIN (wanted, als_reader_left (&reader)), MAX_MESSAGE_BYTES);
      plain = als_reader_bytes (&reader, len);
      if (plain == NULL)
        break;
      len = als_wire_seal (peer, plain, len, sealed, now_us);
      als_link_receive (link, sealed, len, now_us);
      als_link_poll (link, now_us);
    }
  als_link_free (link);
  als_wire_free (peer);
  return 0;
}
