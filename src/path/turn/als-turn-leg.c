/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Outgoing with an allocation: permit the peer, connect to it, bind the second
 * connection, greet. Without one: dial, greet. Incoming: bind, greet. A leg
 * that is a further stripe, or looks for another family, allocates first. */

#define G_LOG_DOMAIN "als-path"

#include "config.h"

#include "path/turn/als-turn-leg.h"

/* One try; a server may wait for the peer for some seconds. */
#define TRY_US ((int64_t) 8 * G_USEC_PER_SEC)
#define AGAIN_US ((int64_t) 400 * 1000)
#define MAX_TRIES 4

/* --- lifecycle --- */

static void
free_contents (gpointer data)
{
  AlsTurnLeg *self = data;

  g_clear_object (&self->cancellable);
  als_turn_way_free (self->way);
  g_clear_pointer (&self->server, als_path_server_free);
}

static void
leg_unref (gpointer leg)
{
  g_rc_box_release_full (leg, free_contents);
}

static void
let_go_of_control (AlsTurnLeg *self)
{
  if (self->event_id != 0)
    {
      g_signal_handler_disconnect (self->control, self->event_id);
      als_turn_control_leave (self->control);
    }
  self->event_id = 0;
  g_clear_object (&self->control);
}

static void
stop (AlsTurnLeg *self)
{
  g_cancellable_cancel (self->cancellable);
  g_clear_object (&self->cancellable);
  g_clear_pointer (&self->greeting, als_turn_greeting_free);
  self->due_us = INT64_MAX;
}

AlsTurnLeg *
als_turn_leg_new (AlsTurnLegShared *shared, AlsTurnControl *control, const AlsStunAddress *peer,
                  guint stripe)
{
  AlsTurnLeg *self = g_rc_box_new0 (AlsTurnLeg);

  self->shared = shared;
  if (control != NULL)
    self->control = g_object_ref (control);
  if (peer != NULL)
    self->peer = *peer;
  self->stripe = stripe;
  self->due_us = INT64_MAX;
  return self;
}

void
als_turn_leg_drop (AlsTurnLeg *self)
{
  stop (self);
  let_go_of_control (self);
  self->shared = NULL;
  leg_unref (self);
}

/* --- how a try ends --- */

static void
set_state (AlsTurnLeg *self, AlsTurnLegState state)
{
  static const char *const names[] = { "waiting", "allocating", "permitting", "connecting",
                                       "binding", "greeting", "standing", "dead" };

  g_debug ("turn path: leg %u: %s to %s", self->stripe, names[self->state], names[state]);
  self->state = state;
}

static void
begin_try (AlsTurnLeg *self)
{
  self->n_tries++;
  self->shared->n_tries++;
  self->cancellable = g_cancellable_new ();
  self->due_us = g_get_monotonic_time () + TRY_US;
}

void
als_turn_leg_fail (AlsTurnLeg *self, const GError *error)
{
  AlsTurnLegShared *shared = self->shared;

  g_debug ("turn path: leg %u: %s", self->stripe, error != NULL ? error->message : "no answer");
  stop (self);
  if (self->is_incoming)
    shared->n_strangers += self->state == ALS_TURN_LEG_GREETING;
  else if (!self->is_extra)
    shared->n_resets++;
  if (self->is_incoming || self->is_extra || self->stripe > 0 || self->n_tries >= MAX_TRIES)
    {
      shared->is_wide_enough |= self->stripe > 0;
      set_state (self, ALS_TURN_LEG_DEAD);
      let_go_of_control (self);
      return;
    }
  set_state (self, ALS_TURN_LEG_WAITING);
  self->due_us = g_get_monotonic_time () + AGAIN_US * self->n_tries;
}

void
als_turn_leg_fail_for_good (AlsTurnLeg *self, const GError *error)
{
  self->n_tries = MAX_TRIES;
  als_turn_leg_fail (self, error);
}

void
als_turn_leg_kill (AlsTurnLeg *self)
{
  stop (self);
  set_state (self, ALS_TURN_LEG_DEAD);
  let_go_of_control (self);
}

void
als_turn_leg_poll (AlsTurnLeg *self)
{
  if (self->state == ALS_TURN_LEG_WAITING)
    als_turn_leg_begin (self);
  else
    als_turn_leg_fail (self, NULL);
}

/* --- the greeting --- */

static void
greeting_cb (AlsTurnGreeting *greeting, AlsTurnGreetingEvent event, guint stripe,
             gpointer user_data)
{
  AlsTurnLeg *self = user_data;
  AlsTurnLegShared *shared = self->shared;

  if (event != ALS_TURN_GREETING_FAILED)
    {
      shared->events->greeted (self, stripe, shared->user_data);
      return;
    }
  als_turn_leg_fail (self, NULL);
  shared->events->moved (shared->user_data);
}

GIOStream *
als_turn_leg_take (AlsTurnLeg *self, GBytes **rest)
{
  GIOStream *stream = als_turn_greeting_take (self->greeting, rest);

  if (stream == NULL)
    {
      als_turn_leg_fail (self, NULL);
      return NULL;
    }
  stop (self);
  set_state (self, ALS_TURN_LEG_STANDING);
  return stream;
}

/* STREAM: (nullable): there is none, because of ERROR. */
static void
take_connection (AlsTurnLeg *self, GIOStream *stream, GBytes *rest, const GError *error)
{
  AlsTurnLegShared *shared = self->shared;

  if (stream != NULL)
    {
      set_state (self, ALS_TURN_LEG_GREETING);
      self->greeting = als_turn_greeting_new (stream, rest, !self->is_incoming, self->stripe,
                                              shared->token, greeting_cb, self);
    }
  else
    als_turn_leg_fail (self, error);
  shared->events->moved (shared->user_data);
}

/* --- connecting --- */

/* What came of something asynchronous: FALSE if nobody waits for it. Gives up the leg's
 * reference. */
static gboolean
is_awaited (AlsTurnLeg *self, AlsTurnLegState state, const GError *error)
{
  gboolean is_awaited = self->shared != NULL && self->state == state
                        && !g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);

  leg_unref (self);
  return is_awaited;
}

static void
bound_cb (GObject *object, GAsyncResult *result, gpointer user_data)
{
  AlsTurnLeg *self = user_data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) rest = NULL;
  g_autoptr (GIOStream) stream
      = als_turn_control_bind_finish (ALS_TURN_CONTROL (object), result, &rest, &error);

  if (is_awaited (self, ALS_TURN_LEG_BINDING, error))
    take_connection (self, stream, rest, error);
}

void
als_turn_leg_bind (AlsTurnLeg *self, const AlsTurnEvent *event)
{
  set_state (self, ALS_TURN_LEG_BINDING);
  als_turn_control_bind_async (self->control, event, self->cancellable, bound_cb,
                               g_rc_box_acquire (self));
}

void
als_turn_leg_accept (AlsTurnLeg *self, const AlsTurnEvent *event)
{
  self->is_incoming = TRUE;
  begin_try (self);
  als_turn_leg_bind (self, event);
}

static void
plain_dialled_cb (GObject *object, GAsyncResult *result, gpointer user_data)
{
  AlsTurnLeg *self = user_data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GIOStream) stream = als_turn_way_dial_finish (result, &error);

  if (is_awaited (self, ALS_TURN_LEG_BINDING, error))
    take_connection (self, stream, NULL, error);
}

/* Plainly to the other's relayed address. */
static void
dial_plainly (AlsTurnLeg *self)
{
  g_autoptr (GSocketAddress) address = als_stun_address_to_gio (&self->peer);
  AlsTurnWay way = { .host = (char *) "", .port = self->peer.port, .address = address };

  set_state (self, ALS_TURN_LEG_BINDING);
  als_turn_way_dial_async (&way, 0, self->cancellable, plain_dialled_cb, g_rc_box_acquire (self));
}

void
als_turn_leg_connect (AlsTurnLeg *self)
{
  set_state (self, ALS_TURN_LEG_CONNECTING);
  if (!als_turn_control_connect (self->control, &self->peer))
    als_turn_leg_fail (self, NULL);
}

void
als_turn_leg_go (AlsTurnLeg *self)
{
  if (self->control == NULL)
    {
      dial_plainly (self);
      return;
    }
  set_state (self, ALS_TURN_LEG_PERMITTING);
  if (!als_turn_control_permit (self->control, &self->peer))
    als_turn_leg_fail (self, NULL);
}

void
als_turn_leg_begin (AlsTurnLeg *self)
{
  begin_try (self);
  als_turn_leg_go (self);
}

/* --- an allocation of its own --- */

void
als_turn_leg_hand_over_control (AlsTurnLeg *self)
{
  g_signal_handler_disconnect (self->control, self->event_id);
  self->event_id = 0;
  self->due_us = INT64_MAX;
  set_state (self, ALS_TURN_LEG_DEAD);
  g_clear_object (&self->control);
}

static void
on_event (AlsTurnControl *control, AlsTurnEvent *event, gpointer user_data)
{
  AlsTurnLeg *self = user_data;
  AlsTurnLegShared *shared = self->shared;

  switch (event->type)
    {
    case ALS_TURN_EVENT_ALLOCATED:
      if (self->state == ALS_TURN_LEG_ALLOCATING)
        shared->events->allocated (self, shared->user_data);
      break;
    case ALS_TURN_EVENT_REFUSED:
    case ALS_TURN_EVENT_FAILED:
      if (self->state != ALS_TURN_LEG_DEAD)
        als_turn_leg_fail (self, event->error);
      break;
    default:
      shared->events->event (control, event, shared->user_data);
      return;
    }
  shared->events->moved (shared->user_data);
}

static void
dialled_cb (GObject *object, GAsyncResult *result, gpointer user_data)
{
  AlsTurnLeg *self = user_data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GIOStream) stream = als_turn_way_dial_finish (result, &error);

  if (!is_awaited (self, ALS_TURN_LEG_ALLOCATING, error))
    return;
  if (stream == NULL)
    {
      als_turn_leg_fail (self, error);
      self->shared->events->moved (self->shared->user_data);
      return;
    }
  self->control = als_turn_control_new (stream, self->way, self->server->username,
                                        self->server->password, TRUE, self->family);
  self->event_id = g_signal_connect (self->control, "event", G_CALLBACK (on_event), self);
}

void
als_turn_leg_allocate (AlsTurnLeg *self, AlsTurnControl *like, const AlsPathServer *server,
                       AlsStunFamily family)
{
  set_state (self, ALS_TURN_LEG_ALLOCATING);
  self->way = als_turn_way_copy (als_turn_control_get_way (like));
  self->server = als_path_server_copy (server);
  self->family = family;
  begin_try (self);
  als_turn_way_dial_async (self->way, 0, self->cancellable, dialled_cb, g_rc_box_acquire (self));
}
