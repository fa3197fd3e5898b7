/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* A TURN session and a data connection with a hostile server: u8 what, then its operands.
 * Bytes come as they are; answers are built for the request that waits, so that the
 * machines get beyond the first refusal. Signed ones need the key, which is known here. */

#include "base/als-bytes.h"
#include "stun/als-turn-data.h"

#include <string.h>

#define MAX_OPS 256

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

enum
{
  RAW,         /* u8 length, bytes: from the server */
  CHALLENGE,   /* u8 code below 500: a failure with realm and nonce */
  FAILURE,     /* u8 hundreds, u8 number */
  SUCCESS,     /* u8 what is in it; signed */
  ATTEMPT,     /* u8 last byte of the peer's address */
  WAIT,        /* u8 seconds times 4 */
  PERMIT,      /* u8 last byte of the peer's address */
  CONNECT,     /* u8 last byte of the peer's address */
  LEAVE,
  CLOSE,
  TO_DATA,     /* what is said from here on goes to the data connection */
  N_OPS,
};

typedef struct
{
  AlsTurnSession *session;
  AlsTurnData *data;
  gboolean to_data;
  int64_t now_us;
  AlsStunMessage *requests[2]; /* (nullable): the latest of each */
} World;

static void
collect (World *world)
{
  AlsTurnEvent *event;
  GBytes *bytes;

  for (guint i = 0; i < 2; i++)
    while ((bytes = i == 0 ? als_turn_session_take_output (world->session)
                           : als_turn_data_take_output (world->data)) != NULL)
      {
        g_clear_pointer (&world->requests[i], als_stun_message_free);
        world->requests[i] = als_stun_message_decode (g_bytes_get_data (bytes, NULL),
                                                      g_bytes_get_size (bytes), NULL);
        g_assert (world->requests[i] != NULL);
        g_bytes_unref (bytes);
      }
  while ((event = als_turn_session_take_event (world->session)) != NULL)
    als_turn_event_free (event);
}

static void
feed (World *world, const uint8_t *data, size_t len)
{
  if (world->to_data)
    als_turn_data_feed (world->data, data, len, world->now_us);
  else
    als_turn_session_feed (world->session, data, len, world->now_us);
}

static void
feed_message (World *world, AlsStunBuilder *builder)
{
  g_autoptr (GBytes) bytes = als_stun_builder_finish (builder);

  feed (world, g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes));
}

static void
answer (World *world, uint8_t op, AlsReader *reader)
{
  const AlsStunMessage *request = world->requests[world->to_data];
  g_auto (AlsStunBuilder) builder = { 0 };
  uint8_t first = als_reader_u8 (reader);
  AlsStunAddress address;

  if (request == NULL)
    return;
  als_stun_address_parse (&address, "192.0.2.1", first);
  als_stun_builder_init (&builder, op == SUCCESS ? ALS_STUN_SUCCESS : ALS_STUN_FAILURE,
                         request->method, request->transaction);
  if (op == CHALLENGE)
    {
      als_stun_builder_add_error (&builder, first & 1 ? 401 : 438, "");
      als_stun_builder_add_text (&builder, ALS_STUN_REALM, "r");
      als_stun_builder_add_text (&builder, ALS_STUN_NONCE, first & 2 ? "n" : "obMatJos2AAACn");
    }
  else if (op == FAILURE)
    {
      als_stun_builder_add_error (&builder, first % 7 * 100u + als_reader_u8 (reader) % 100u, "");
      if (first & 0x80)
        als_stun_builder_add_address (&builder, ALS_STUN_ALTERNATE_SERVER, &address);
    }
  else
    {
      uint8_t key[ALS_STUN_MAX_KEY_BYTES];
      size_t len;

      if (!(first & 1))
        als_stun_builder_add_address (&builder, ALS_STUN_XOR_RELAYED_ADDRESS, &address);
      if (!(first & 2))
        als_stun_builder_add_u32 (&builder, ALS_STUN_LIFETIME, first);
      if (!(first & 4))
        als_stun_builder_add_u32 (&builder, ALS_STUN_CONNECTION_ID, first);
      if (!(first & 8))
        als_stun_builder_add_address (&builder, ALS_STUN_XOR_MAPPED_ADDRESS, &address);
      als_stun_auth_derive_key (ALS_STUN_PASSWORD_MD5, "u", "r", "p", key, &len);
      als_stun_builder_add_integrity (&builder, ALS_STUN_INTEGRITY_SHA1, key, len);
    }
  feed_message (world, &builder);
}

static void
perform (World *world, uint8_t op, AlsReader *reader)
{
  AlsStunAddress peer = { .family = ALS_STUN_FAMILY_IPV4, .port = 9, .ip = { 192, 0, 2 } };
  g_auto (AlsStunBuilder) builder = { 0 };
  const uint8_t *bytes;
  size_t len;

  switch (op)
    {
    case RAW:
      len = als_reader_u8 (reader);
      len = MIN (len, als_reader_left (reader));
      bytes = als_reader_bytes (reader, len);
      if (bytes != NULL)
        feed (world, bytes, len);
      break;
    case CHALLENGE:
    case FAILURE:
    case SUCCESS:
      answer (world, op, reader);
      break;
    case ATTEMPT:
      peer.ip[3] = als_reader_u8 (reader);
      als_stun_builder_init (&builder, ALS_STUN_INDICATION, ALS_STUN_CONNECTION_ATTEMPT, NULL);
      als_stun_builder_add_u32 (&builder, ALS_STUN_CONNECTION_ID, 1);
      als_stun_builder_add_address (&builder, ALS_STUN_XOR_PEER_ADDRESS, &peer);
      feed_message (world, &builder);
      break;
    case WAIT:
      world->now_us += als_reader_u8 (reader) * (int64_t) 4 * G_USEC_PER_SEC;
      als_turn_session_poll (world->session, world->now_us);
      als_turn_data_poll (world->data, world->now_us);
      break;
    case PERMIT:
      peer.ip[3] = als_reader_u8 (reader);
      als_turn_session_permit (world->session, &peer, world->now_us);
      break;
    case CONNECT:
      peer.ip[3] = als_reader_u8 (reader);
      als_turn_session_connect (world->session, &peer, world->now_us);
      break;
    case LEAVE:
      als_turn_session_leave (world->session, world->now_us);
      break;
    case CLOSE:
      als_turn_session_close (world->session);
      break;
    default:
      world->to_data = TRUE;
      break;
    }
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  World world = { .now_us = G_USEC_PER_SEC };
  AlsReader reader;
  int64_t deadline_us;

  world.session = als_turn_session_new ("u", "p", ALS_STUN_FAMILY_NONE);
  als_turn_session_start (world.session, world.now_us);
  world.data = als_turn_data_new (als_turn_session_get_auth (world.session), 1,
                                  world.now_us + ALS_TURN_BIND_US);
  als_turn_data_start (world.data, world.now_us);
  als_reader_init (&reader, data, size);
  collect (&world);
  for (guint i = 0; i < MAX_OPS && als_reader_left (&reader) > 0; i++)
    {
      perform (&world, als_reader_u8 (&reader) % N_OPS, &reader);
      collect (&world);
      deadline_us = als_turn_session_get_deadline (world.session);
      g_assert (als_turn_session_get_state (world.session) < ALS_TURN_STATE_LEFT
                || deadline_us == INT64_MAX);
    }
  /* Whatever was said: leaving ends. */
  als_turn_session_leave (world.session, world.now_us);
  als_turn_session_poll (world.session, world.now_us + (int64_t) 3 * G_USEC_PER_SEC);
  g_assert (als_turn_session_get_state (world.session) >= ALS_TURN_STATE_LEFT);
  als_turn_session_free (world.session);
  als_turn_data_free (world.data);
  als_stun_message_free (world.requests[0]);
  als_stun_message_free (world.requests[1]);
  return 0;
}
