/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#define G_LOG_DOMAIN "als-signal"

#include "config.h"

#include "signal/als-signal-talk.h"

#include <string.h>
#include "signal/als-signal-client.h"

/* A server cannot make us deaf by stating a longer one. */
#define MAX_HEARTBEAT_S 60
/* What a server that is there needs for an answer, on a bad line. */
#define DOUBT_US (2 * G_USEC_PER_SEC)

void
als_signal_talk_init (AlsSignalTalk *self)
{
  memset (self, 0, sizeof *self);
  self->next_cookie = 1;
}

static void
forget_connection (AlsSignalTalk *self)
{
  g_queue_clear_full (&self->out, (GDestroyNotify) g_bytes_unref);
  self->state = ALS_SIGNAL_TALK_OFF;
  self->is_paired = FALSE;
  self->was_paired = FALSE;
  self->has_unregistered = FALSE;
  self->n_registers = 0;
  self->fence = 0;
  self->paired_in_fence = FALSE;
}

void
als_signal_talk_clear (AlsSignalTalk *self)
{
  forget_connection (self);
  explicit_bzero (self, sizeof *self);
}

static void
say (AlsSignalTalk *self, const AlsSignalMessage *message)
{
  GBytes *bytes = als_signal_message_encode (message);

  g_return_if_fail (bytes != NULL);
  g_queue_push_tail (&self->out, bytes);
}

static void
say_type (AlsSignalTalk *self, AlsSignalType type)
{
  AlsSignalMessage message = { .type = type };

  say (self, &message);
}

static void
say_ping (AlsSignalTalk *self)
{
  AlsSignalMessage message = { .type = ALS_SIGNAL_PING, .cookie = self->next_cookie++ };

  say (self, &message);
}

static void
say_register (AlsSignalTalk *self)
{
  AlsSignalMessage message = { .type = ALS_SIGNAL_REGISTER, .has_token = self->has_token };

  memcpy (message.token, self->token, sizeof message.token);
  say (self, &message);
  explicit_bzero (message.token, sizeof message.token);
  self->n_registers++;
}

static void
say_ask (AlsSignalTalk *self)
{
  AlsSignalMessage message = { .type = ALS_SIGNAL_JOIN, .number = self->ask_number };

  if (self->ask == ALS_SIGNAL_ASK_MEET)
    {
      message.type = ALS_SIGNAL_MEET;
      message.is_inviter = self->is_inviter;
      memcpy (message.meeting_id, self->meeting_id, sizeof message.meeting_id);
    }
  say (self, &message);
}

/* Ends a pairing, a join or a meeting, whichever the server believes in by now. */
static void
say_unpair (AlsSignalTalk *self)
{
  say_type (self, ALS_SIGNAL_UNPAIR);
  self->fence = self->next_cookie;
  self->paired_in_fence = FALSE;
  say_ping (self);
}

void
als_signal_talk_register (AlsSignalTalk *self)
{
  if (self->wants_number)
    return;
  self->wants_number = TRUE;
  if (self->state == ALS_SIGNAL_TALK_OPEN)
    say_register (self);
}

static void
forget_token (AlsSignalTalk *self)
{
  self->has_token = FALSE;
  explicit_bzero (self->token, sizeof self->token);
}

void
als_signal_talk_unregister (AlsSignalTalk *self)
{
  forget_token (self);
  if (!self->wants_number)
    return;
  self->wants_number = FALSE;
  if (self->state != ALS_SIGNAL_TALK_OPEN)
    return;
  self->has_unregistered = TRUE;
  say_type (self, ALS_SIGNAL_UNREGISTER);
}

void
als_signal_talk_renumber (AlsSignalTalk *self)
{
  als_signal_talk_unregister (self);
  als_signal_talk_register (self);
}

void
als_signal_talk_unpair (AlsSignalTalk *self)
{
  gboolean was_paired = self->is_paired;

  self->is_paired = FALSE;
  if (was_paired)
    say_unpair (self);
}

void
als_signal_talk_cancel (AlsSignalTalk *self)
{
  AlsSignalAsk ask = self->ask;

  self->ask = ALS_SIGNAL_ASK_NOTHING;
  explicit_bzero (self->meeting_id, sizeof self->meeting_id);
  if (ask != ALS_SIGNAL_ASK_NOTHING && self->state == ALS_SIGNAL_TALK_OPEN && !self->is_paired)
    say_unpair (self);
}

static void
start_ask (AlsSignalTalk *self, AlsSignalAsk ask)
{
  self->ask = ask;
  if (self->state == ALS_SIGNAL_TALK_OPEN)
    say_ask (self);
}

void
als_signal_talk_join (AlsSignalTalk *self, uint32_t number)
{
  als_signal_talk_cancel (self);
  als_signal_talk_unpair (self);
  self->ask_number = number;
  start_ask (self, ALS_SIGNAL_ASK_JOIN);
}

void
als_signal_talk_meet (AlsSignalTalk *self, const uint8_t *meeting_id, gboolean is_inviter)
{
  als_signal_talk_cancel (self);
  als_signal_talk_unpair (self);
  memcpy (self->meeting_id, meeting_id, sizeof self->meeting_id);
  self->is_inviter = is_inviter;
  start_ask (self, ALS_SIGNAL_ASK_MEET);
}

gboolean
als_signal_talk_send (AlsSignalTalk *self, AlsSignalType type, const uint8_t *data, size_t len)
{
  g_autoptr (GBytes) payload = NULL;
  AlsSignalMessage message = { .type = type };
  GBytes *bytes;

  if (!self->is_paired || len == 0
      || len > (type == ALS_SIGNAL_RELAY ? ALS_SIGNAL_MAX_RELAY : ALS_SIGNAL_MAX_PEER_MESSAGE))
    return FALSE;
  message.payload = payload = g_bytes_new_static (data, len);
  bytes = als_signal_message_encode (&message);
  if (bytes == NULL)
    return FALSE;
  g_queue_push_tail (&self->out, bytes);
  return TRUE;
}

void
als_signal_talk_open (AlsSignalTalk *self, const char *name, int64_t now_us)
{
  AlsSignalMessage message = { .type = ALS_SIGNAL_HELLO, .version = ALS_SIGNAL_PROTOCOL_VERSION,
                               .text = (char *) name };

  forget_connection (self);
  self->state = ALS_SIGNAL_TALK_GREETING;
  self->next_ping_us = INT64_MAX;
  self->silent_until_us = INT64_MAX;
  say (self, &message);
}

gboolean
als_signal_talk_lost (AlsSignalTalk *self)
{
  gboolean was_paired = self->is_paired;

  forget_connection (self);
  return was_paired;
}

static AlsSignalHeard
out_of_turn (const AlsSignalMessage *message, GError **error)
{
  g_set_error (error, ALS_SIGNAL_CLIENT_ERROR, ALS_SIGNAL_ERROR_PROTOCOL,
               "the server sent a message of type %d out of turn", (int) message->type);
  return ALS_SIGNAL_HEARD_END;
}

static AlsSignalHeard
hear_welcome (AlsSignalTalk *self, const AlsSignalMessage *message, int64_t now_us, GError **error)
{
  if (message->version != ALS_SIGNAL_PROTOCOL_VERSION)
    {
      g_set_error (error, ALS_SIGNAL_CLIENT_ERROR, ALS_SIGNAL_ERROR_VERSION,
                   "the server speaks version %u", message->version);
      return ALS_SIGNAL_HEARD_END;
    }
  self->state = ALS_SIGNAL_TALK_OPEN;
  self->beat_us = MIN (message->heartbeat_s, MAX_HEARTBEAT_S) * G_USEC_PER_SEC / 2;
  self->next_ping_us = now_us + self->beat_us;
  self->silent_until_us = now_us + 2 * self->beat_us;
  if (self->wants_number)
    say_register (self);
  if (self->ask != ALS_SIGNAL_ASK_NOTHING)
    say_ask (self);
  return ALS_SIGNAL_HEARD_WELCOME;
}

static AlsSignalHeard
hear_registered (AlsSignalTalk *self, const AlsSignalMessage *message, GError **error)
{
  if (self->n_registers == 0)
    return out_of_turn (message, error);
  /* The answer to a number that is no longer wanted, or not the last of several. */
  if (--self->n_registers > 0 || !self->wants_number)
    return ALS_SIGNAL_HEARD_NOTHING;
  self->has_token = TRUE;
  memcpy (self->token, message->token, sizeof self->token);
  return ALS_SIGNAL_HEARD_REGISTERED;
}

static AlsSignalHeard
hear_paired (AlsSignalTalk *self, const AlsSignalMessage *message, GError **error)
{
  if (self->is_paired)
    return out_of_turn (message, error);
  if (self->fence != 0)
    {
      self->paired_in_fence = TRUE;
      return ALS_SIGNAL_HEARD_NOTHING;
    }
  if (!self->wants_number && self->ask == ALS_SIGNAL_ASK_NOTHING)
    {
      /* A joiner came while our UNREGISTER was on its way; else it is nonsense. */
      if (!self->has_unregistered)
        return out_of_turn (message, error);
      say_unpair (self);
      return ALS_SIGNAL_HEARD_NOTHING;
    }
  self->is_paired = TRUE;
  self->was_paired = TRUE;
  self->paired_in_fence = FALSE;
  self->ask = ALS_SIGNAL_ASK_NOTHING;
  explicit_bzero (self->meeting_id, sizeof self->meeting_id);
  return ALS_SIGNAL_HEARD_PAIRED;
}

static AlsSignalHeard
hear_unpair (AlsSignalTalk *self, const AlsSignalMessage *message, GError **error)
{
  if (!self->is_paired)
    return self->fence != 0 || self->was_paired ? ALS_SIGNAL_HEARD_NOTHING
                                                : out_of_turn (message, error);
  if (message->reason == ALS_SIGNAL_UNPAIR_RELAY_ABUSE)
    return ALS_SIGNAL_HEARD_RELAY_ENDED;
  self->is_paired = FALSE;
  return ALS_SIGNAL_HEARD_UNPAIRED;
}

/* A pairing that was passed over is either older than our UNPAIR, and another one does nothing, or
 * somebody came to our number right behind it and waits. A question of ours that is still open
 * settles it: it is refused then. */
static void
leave_unheard_pairing (AlsSignalTalk *self)
{
  if (self->paired_in_fence && self->ask == ALS_SIGNAL_ASK_NOTHING)
    say_unpair (self);
}

static void
hear_pong (AlsSignalTalk *self, uint64_t cookie)
{
  if (self->fence == 0 || cookie != self->fence)
    return;
  self->fence = 0;
  leave_unheard_pairing (self);
}

static AlsSignalHeard
hear_error (AlsSignalTalk *self, const AlsSignalMessage *message, GError **error)
{
  AlsSignalHeard heard = ALS_SIGNAL_HEARD_END;
  AlsSignalError code = ALS_SIGNAL_ERROR_PROTOCOL;

  switch (message->code)
    {
    case ALS_SIGNAL_CODE_BAD_VERSION:
      code = ALS_SIGNAL_ERROR_VERSION;
      break;
    case ALS_SIGNAL_CODE_NO_SUCH_NUMBER:
      code = ALS_SIGNAL_ERROR_NO_SUCH_NUMBER;
      heard = ALS_SIGNAL_HEARD_REFUSAL;
      break;
    case ALS_SIGNAL_CODE_BUSY:
      code = ALS_SIGNAL_ERROR_BUSY;
      heard = ALS_SIGNAL_HEARD_REFUSAL;
      break;
    case ALS_SIGNAL_CODE_RATE_LIMITED:
      code = ALS_SIGNAL_ERROR_RATE_LIMITED;
      heard = ALS_SIGNAL_HEARD_REFUSAL;
      break;
    case ALS_SIGNAL_CODE_FULL:
    case ALS_SIGNAL_CODE_SHUTTING_DOWN:
    case ALS_SIGNAL_CODE_IDLE:
      code = ALS_SIGNAL_ERROR_REFUSED;
      break;
    default:
      break;
    }
  if (heard == ALS_SIGNAL_HEARD_REFUSAL && self->state != ALS_SIGNAL_TALK_OPEN)
    {
      code = ALS_SIGNAL_ERROR_REFUSED;
      heard = ALS_SIGNAL_HEARD_END;
    }
  if (heard == ALS_SIGNAL_HEARD_REFUSAL && self->fence != 0)
    return ALS_SIGNAL_HEARD_NOTHING;
  if (heard == ALS_SIGNAL_HEARD_REFUSAL && !self->is_paired)
    {
      self->ask = ALS_SIGNAL_ASK_NOTHING;
      leave_unheard_pairing (self);
    }
  g_set_error (error, ALS_SIGNAL_CLIENT_ERROR, code, "the server says: %s", message->text);
  return heard;
}

static AlsSignalHeard
hear (AlsSignalTalk *self, const AlsSignalMessage *message, int64_t now_us, GError **error)
{
  if (message->type == ALS_SIGNAL_ERROR)
    return hear_error (self, message, error);
  if ((message->type == ALS_SIGNAL_WELCOME) != (self->state == ALS_SIGNAL_TALK_GREETING))
    return out_of_turn (message, error);
  switch (message->type)
    {
    case ALS_SIGNAL_WELCOME:
      return hear_welcome (self, message, now_us, error);
    case ALS_SIGNAL_REGISTERED:
      return hear_registered (self, message, error);
    case ALS_SIGNAL_WAITING:
      if (self->fence != 0)
        return ALS_SIGNAL_HEARD_NOTHING;
      return self->ask != ALS_SIGNAL_ASK_NOTHING ? ALS_SIGNAL_HEARD_WAITING
                                                 : out_of_turn (message, error);
    case ALS_SIGNAL_PAIRED:
      return hear_paired (self, message, error);
    case ALS_SIGNAL_PEER_MESSAGE:
    case ALS_SIGNAL_RELAY:
      /* Relayed frames travel beside the rest, so that they may come after the UNPAIR. */
      if (!self->is_paired)
        return self->fence != 0 || self->was_paired ? ALS_SIGNAL_HEARD_NOTHING
                                                    : out_of_turn (message, error);
      return message->type == ALS_SIGNAL_RELAY ? ALS_SIGNAL_HEARD_RELAY : ALS_SIGNAL_HEARD_MESSAGE;
    case ALS_SIGNAL_UNPAIR:
      return hear_unpair (self, message, error);
    case ALS_SIGNAL_PING:
      {
        AlsSignalMessage pong = { .type = ALS_SIGNAL_PONG, .cookie = message->cookie };

        say (self, &pong);
        return ALS_SIGNAL_HEARD_NOTHING;
      }
    case ALS_SIGNAL_PONG:
      hear_pong (self, message->cookie);
      return ALS_SIGNAL_HEARD_NOTHING;
    case ALS_SIGNAL_HELLO:
    case ALS_SIGNAL_REGISTER:
    case ALS_SIGNAL_UNREGISTER:
    case ALS_SIGNAL_JOIN:
    case ALS_SIGNAL_MEET:
    case ALS_SIGNAL_ERROR:
    default:
      return out_of_turn (message, error);
    }
}

AlsSignalHeard
als_signal_talk_receive (AlsSignalTalk *self, const uint8_t *data, size_t len, int64_t now_us,
                         AlsSignalMessage **message, GError **error)
{
  g_autoptr (GError) nonsense = NULL;

  g_return_val_if_fail (self->state != ALS_SIGNAL_TALK_OFF, ALS_SIGNAL_HEARD_NOTHING);
  *message = als_signal_message_decode (data, len, &nonsense);
  if (*message == NULL)
    {
      g_set_error (error, ALS_SIGNAL_CLIENT_ERROR, ALS_SIGNAL_ERROR_PROTOCOL, "from the server: %s",
                   nonsense->message);
      return ALS_SIGNAL_HEARD_END;
    }
  if (self->state == ALS_SIGNAL_TALK_OPEN)
    self->silent_until_us = now_us + 2 * self->beat_us;
  return hear (self, *message, now_us, error);
}

int64_t
als_signal_talk_get_deadline (const AlsSignalTalk *self)
{
  return self->state == ALS_SIGNAL_TALK_OPEN ? MIN (self->next_ping_us, self->silent_until_us)
                                             : INT64_MAX;
}

void
als_signal_talk_doubt (AlsSignalTalk *self, int64_t now_us)
{
  if (self->state != ALS_SIGNAL_TALK_OPEN || self->silent_until_us <= now_us + DOUBT_US)
    return;
  say_ping (self);
  self->next_ping_us = now_us + self->beat_us;
  self->silent_until_us = now_us + DOUBT_US;
}

gboolean
als_signal_talk_poll (AlsSignalTalk *self, int64_t now_us)
{
  if (self->state != ALS_SIGNAL_TALK_OPEN)
    return TRUE;
  if (now_us >= self->silent_until_us)
    return FALSE;
  if (now_us >= self->next_ping_us)
    {
      say_ping (self);
      self->next_ping_us = now_us + self->beat_us;
    }
  return TRUE;
}
