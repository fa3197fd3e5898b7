/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#define G_LOG_DOMAIN "als-stun"

#include "config.h"

#include "stun/als-turn-data.h"

#include <string.h>

#include "stun/als-stun-stream.h"

struct _AlsTurnData
{
  AlsTurnDataState state;
  AlsStunAuth *auth;
  AlsStunAuthTry attempt;
  AlsStunStream *stream;
  uint32_t connection_id;
  int64_t bind_by_us;
  uint8_t transaction[ALS_STUN_TRANSACTION_BYTES];
  GBytes *output; /* (nullable) */
  GError *error;  /* (nullable) */
};

static void
set_state (AlsTurnData *self, AlsTurnDataState state)
{
  static const char *const names[] = { "idle", "binding", "bound", "failed" };

  g_debug ("turn data: %s to %s", names[self->state], names[state]);
  self->state = state;
}

/* ERROR: (transfer full) */
static void
fail (AlsTurnData *self, GError *error)
{
  self->error = error;
  g_clear_pointer (&self->output, g_bytes_unref);
  set_state (self, ALS_TURN_DATA_FAILED);
}

static void
send_bind (AlsTurnData *self)
{
  g_auto (AlsStunBuilder) builder = { 0 };

  als_stun_builder_init (&builder, ALS_STUN_REQUEST, ALS_STUN_CONNECTION_BIND, NULL);
  memcpy (self->transaction, builder.transaction, sizeof self->transaction);
  als_stun_builder_add_u32 (&builder, ALS_STUN_CONNECTION_ID, self->connection_id);
  als_stun_auth_sign (self->auth, &self->attempt, &builder);
  g_clear_pointer (&self->output, g_bytes_unref);
  self->output = als_stun_builder_finish (&builder);
}

AlsTurnData *
als_turn_data_new (const AlsStunAuth *auth, uint32_t connection_id, int64_t bind_by_us)
{
  AlsTurnData *self = g_new0 (AlsTurnData, 1);

  self->auth = als_stun_auth_copy (auth);
  /* Many servers have a nonce for each connection. */
  self->attempt.is_borrowed = TRUE;
  self->stream = als_stun_stream_new ();
  self->connection_id = connection_id;
  self->bind_by_us = bind_by_us;
  return self;
}

void
als_turn_data_free (AlsTurnData *self)
{
  if (self == NULL)
    return;
  als_stun_auth_free (self->auth);
  als_stun_stream_free (self->stream);
  g_clear_pointer (&self->output, g_bytes_unref);
  g_clear_error (&self->error);
  g_free (self);
}

void
als_turn_data_start (AlsTurnData *self, int64_t now_us)
{
  if (self->state != ALS_TURN_DATA_IDLE)
    return;
  set_state (self, ALS_TURN_DATA_BINDING);
  send_bind (self);
  als_turn_data_poll (self, now_us);
}

static void
handle_response (AlsTurnData *self, const AlsStunMessage *response)
{
  if (als_stun_message_find_unknown (response) != 0)
    {
      fail (self, g_error_new_literal (ALS_TURN_ERROR, ALS_TURN_ERROR_BAD_ANSWER,
                                       "an answer with attributes beyond us"));
      return;
    }
  switch (als_stun_auth_judge (self->auth, &self->attempt, response))
    {
    case ALS_STUN_AUTH_AGAIN:
      send_bind (self);
      break;
    case ALS_STUN_AUTH_FORGED:
      fail (self, g_error_new_literal (ALS_TURN_ERROR, ALS_TURN_ERROR_BAD_ANSWER,
                                       "an answer that cannot be trusted"));
      break;
    case ALS_STUN_AUTH_ACCEPTED:
    case ALS_STUN_AUTH_REFUSED:
    case ALS_STUN_AUTH_STALE:
    default:
      if (response->kind == ALS_STUN_SUCCESS)
        set_state (self, ALS_TURN_DATA_BOUND);
      else
        fail (self, als_turn_error_from_response (response));
      break;
    }
}

void
als_turn_data_feed (AlsTurnData *self, const uint8_t *data, size_t len, int64_t now_us)
{
  if (self->state != ALS_TURN_DATA_BINDING)
    return;
  als_stun_stream_feed (self->stream, data, len);
  while (self->state == ALS_TURN_DATA_BINDING)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (AlsStunMessage) message = als_stun_stream_next (self->stream, &error);

      if (error != NULL)
        fail (self, g_error_new_literal (ALS_TURN_ERROR, ALS_TURN_ERROR_BAD_ANSWER,
                                         error->message));
      if (message == NULL)
        return;
      if ((message->kind == ALS_STUN_SUCCESS || message->kind == ALS_STUN_FAILURE)
          && message->method == ALS_STUN_CONNECTION_BIND
          && memcmp (message->transaction, self->transaction, sizeof self->transaction) == 0)
        handle_response (self, message);
    }
}

void
als_turn_data_close (AlsTurnData *self)
{
  if (self->state == ALS_TURN_DATA_IDLE || self->state == ALS_TURN_DATA_BINDING)
    fail (self, g_error_new_literal (ALS_TURN_ERROR, ALS_TURN_ERROR_CLOSED,
                                     "the server ended the connection"));
}

void
als_turn_data_poll (AlsTurnData *self, int64_t now_us)
{
  if (self->state == ALS_TURN_DATA_BINDING && now_us >= self->bind_by_us)
    fail (self, g_error_new_literal (ALS_TURN_ERROR, ALS_TURN_ERROR_TIMED_OUT,
                                     "the connection was not bound in time"));
}

int64_t
als_turn_data_get_deadline (const AlsTurnData *self)
{
  return self->state == ALS_TURN_DATA_BINDING ? self->bind_by_us : INT64_MAX;
}

GBytes *
als_turn_data_take_output (AlsTurnData *self)
{
  return g_steal_pointer (&self->output);
}

GBytes *
als_turn_data_take_rest (AlsTurnData *self)
{
  return self->state == ALS_TURN_DATA_BOUND ? als_stun_stream_take_rest (self->stream) : NULL;
}

AlsTurnDataState
als_turn_data_get_state (const AlsTurnData *self)
{
  return self->state;
}

const GError *
als_turn_data_get_error (const AlsTurnData *self)
{
  return self->error;
}
