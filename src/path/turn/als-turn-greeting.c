/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#define G_LOG_DOMAIN "als-path"

#include "config.h"

#include "path/turn/als-turn-greeting.h"

#include <string.h>

#include "base/als-deadline-source.h"
#include "path/turn/als-turn-stream.h"
#include "path/turn/als-turn-way.h"

/* What may follow a greeting before somebody takes the stream. */
#define MAX_REST_BYTES (1024 * 1024)

struct _AlsTurnGreeting
{
  AlsTurnStream *stream;
  gboolean is_connector;
  guint stripe;
  uint8_t token[ALS_TURN_TOKEN_BYTES];
  AlsTurnGreetingType awaited;  /* 0: nothing more */
  GByteArray *bytes;            /* received, not yet understood */
  AlsTurnGreetingFunc func;
  gpointer user_data;
  GSource *deadline;
};

static void
say (AlsTurnGreeting *self, AlsTurnGreetingType type)
{
  uint8_t greeting[ALS_TURN_GREETING_BYTES];
  g_autoptr (GBytes) bytes = NULL;

  als_turn_greeting_encode (greeting, type, self->stripe, self->token);
  bytes = g_bytes_new (greeting, sizeof greeting);
  als_turn_stream_write (self->stream, bytes);
}

/* It may be gone afterwards. */
static void
tell (AlsTurnGreeting *self, AlsTurnGreetingEvent event)
{
  self->awaited = 0;
  als_source_clear (&self->deadline);
  self->func (self, event, self->stripe, self->user_data);
}

static void
fail (AlsTurnGreeting *self)
{
  if (self->awaited != 0)
    tell (self, ALS_TURN_GREETING_FAILED);
}

static void
go_on (AlsTurnGreeting *self)
{
  while (self->awaited != 0 && self->bytes->len >= ALS_TURN_GREETING_BYTES)
    {
      guint stripe;

      if (!als_turn_greeting_decode (self->bytes->data, self->awaited, self->token, &stripe)
          || (self->awaited != ALS_TURN_GREETING_CONNECT && stripe != self->stripe))
        {
          g_debug ("turn greeting: a stranger");
          fail (self);
          return;
        }
      g_byte_array_remove_range (self->bytes, 0, ALS_TURN_GREETING_BYTES);
      if (self->awaited == ALS_TURN_GREETING_CONNECT)
        {
          self->stripe = stripe;
          say (self, ALS_TURN_GREETING_ACCEPT);
          self->awaited = ALS_TURN_GREETING_GO;
          continue;
        }
      tell (self, self->is_connector ? ALS_TURN_GREETING_ACCEPTED : ALS_TURN_GREETING_DONE);
      return;
    }
}

static void
on_received (const uint8_t *data, size_t len, gpointer user_data)
{
  AlsTurnGreeting *self = user_data;

  if (self->bytes->len + len > MAX_REST_BYTES)
    {
      fail (self); /* somebody who does not wait for GO */
      return;
    }
  g_byte_array_append (self->bytes, data, (guint) len);
  go_on (self);
}

static void
on_closed (gpointer user_data)
{
  fail (user_data);
}

static const AlsTurnStreamEvents stream_events = { on_received, on_closed };

/* Or what came early is to be looked at. */
static gboolean
deadline_cb (gpointer user_data)
{
  AlsTurnGreeting *self = user_data;

  als_deadline_source_set (self->deadline, g_get_monotonic_time () + ALS_TURN_WAIT_US);
  if (self->bytes->len >= ALS_TURN_GREETING_BYTES)
    go_on (self);
  else
    fail (self);
  return G_SOURCE_CONTINUE;
}

AlsTurnGreeting *
als_turn_greeting_new (GIOStream *stream, GBytes *early, gboolean is_connector, guint stripe,
                       const uint8_t token[ALS_TURN_TOKEN_BYTES], AlsTurnGreetingFunc func,
                       gpointer user_data)
{
  AlsTurnGreeting *self = g_new0 (AlsTurnGreeting, 1);
  g_autoptr (GMainContext) context = g_main_context_ref_thread_default ();

  self->is_connector = is_connector;
  self->stripe = stripe;
  memcpy (self->token, token, sizeof self->token);
  self->func = func;
  self->user_data = user_data;
  self->bytes = g_byte_array_new ();
  self->awaited = is_connector ? ALS_TURN_GREETING_ACCEPT : ALS_TURN_GREETING_CONNECT;
  self->stream = als_turn_stream_new (stream, &stream_events, self);
  self->deadline = als_deadline_source_new (context, "als-turn-greeting", deadline_cb, self);
  als_deadline_source_set (self->deadline, g_get_monotonic_time () + ALS_TURN_WAIT_US);
  if (is_connector)
    say (self, ALS_TURN_GREETING_CONNECT);
  if (early != NULL)
    g_byte_array_append (self->bytes, g_bytes_get_data (early, NULL),
                         (guint) g_bytes_get_size (early));
  if (self->bytes->len >= ALS_TURN_GREETING_BYTES)
    als_deadline_source_set (self->deadline, 0);
  return self;
}

void
als_turn_greeting_free (AlsTurnGreeting *self)
{
  if (self == NULL)
    return;
  als_source_clear (&self->deadline);
  als_turn_stream_free (self->stream);
  g_byte_array_unref (self->bytes);
  g_free (self);
}

GIOStream *
als_turn_greeting_take (AlsTurnGreeting *self, GBytes **rest)
{
  *rest = NULL;
  if (self->is_connector)
    {
      say (self, ALS_TURN_GREETING_GO);
      if (!als_turn_stream_flush (self->stream))
        return NULL;
    }
  *rest = self->bytes->len > 0 ? g_bytes_new (self->bytes->data, self->bytes->len) : NULL;
  g_byte_array_set_size (self->bytes, 0);
  return als_turn_stream_steal (self->stream);
}
