/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Both sides offer the relayed addresses that the pool has; the joiner offers
 * its own once the inviter's may come to them. The inviter connects: a Leg for
 * each pair that can work, a little apart, and the first that is greeted by the
 * other half carries. A side without an allocation connects plainly, where both
 * sides are willing. Later legs are stripes of the same carrier, each from an
 * allocation of its own: a server lets one connection pass from one relayed
 * address to another. */

#define G_LOG_DOMAIN "als-path"

#include "config.h"

#include "path/turn/als-turn-path.h"

#include <string.h>

#include <gio/gio.h>
#include <sys/random.h>

#include "base/als-deadline-source.h"
#include "base/als-mailbox.h"
#include "path/ice/als-ice-message.h"
#include "path/turn/als-turn-carrier.h"
#include "path/turn/als-turn-greeting.h"
#include "path/turn/als-turn-pool-controls.h"

/* Of one visit, whatever they hold. */
#define MAX_MESSAGES 64
/* All of it, until something carries. */
#define GIVE_UP_US ((int64_t) 20 * G_USEC_PER_SEC)
/* One try of a leg; a server may wait for the peer for some seconds. */
#define LEG_US ((int64_t) 8 * G_USEC_PER_SEC)
#define LEG_APART_US ((int64_t) 300 * 1000)
#define LEG_AGAIN_US ((int64_t) 400 * 1000)
#define MAX_LEG_TRIES 4
#define MAX_LEGS 32
/* Connections that come at once and have not been greeted. */
#define MAX_ARRIVALS 16
#define MAX_EXTRAS 4

typedef struct
{
  AlsStunAddress peer;
  gboolean is_answered;
  gboolean is_granted;
} Permission;

/* An allocation whose connections are ours to take. */
typedef struct
{
  AlsTurnControl *control;
  AlsPathServer *server;   /* its login */
  gulong event_id;
  gboolean is_extra;       /* ours; else the pool's */
  GArray *permissions;     /* (element-type Permission): asked for */
} Relay;

typedef enum
{
  LEG_WAITING,    /* for due_us */
  LEG_ALLOCATING, /* its own allocation: dialling it, too */
  LEG_PERMITTING,
  LEG_CONNECTING,
  LEG_BINDING,    /* or, plain, dialling */
  LEG_GREETING,
  LEG_STANDING,   /* it is a stream of the carrier */
  LEG_DEAD,
} LegState;

typedef struct
{
  AlsTurnPath *path;          /* NULL once dropped: callbacks under way find it so */
  LegState state;
  gboolean is_incoming;
  gboolean is_extra;          /* not a connection: an allocation of another family */
  AlsStunFamily family;       /* of an allocation of its own */
  AlsTurnControl *control;    /* (nullable): plain, or not dialled yet */
  gulong event_id;            /* where the control is its own */
  AlsTurnWay *way;            /* (nullable): to an allocation of its own */
  AlsPathServer *server;      /* (nullable): the same */
  AlsStunAddress peer;
  guint stripe;
  guint n_tries;
  int64_t due_us;             /* INT64_MAX: never */
  GCancellable *cancellable;  /* of this try */
  AlsTurnGreeting *greeting;
} Leg;

struct _AlsTurnPath
{
  AlsPath parent_instance;

  gboolean is_inviter;
  gboolean one_sided;
  AlsStunAddress origin;      /* NONE: not known */
  gboolean is_started;
  gboolean is_settled;
  AlsTurnPool *pool;
  gulong changed_id;
  uint8_t token[ALS_TURN_TOKEN_BYTES]; /* ours; the inviter's counts */
  AlsTurnOffer peer;
  gboolean has_peer;
  guint n_remote_messages;
  GBytes *offered;            /* (nullable): the last */
  GPtrArray *relays;          /* (element-type Relay) */
  GPtrArray *legs;            /* (element-type Leg) */
  gboolean is_updating;
  GSource *deadline;
  int64_t give_up_us;
  int64_t next_leg_us;        /* when another pair may begin */
  AlsTurnCarrier *carrier;    /* NULL until there is one, and after its end */
  AlsMailbox *notes;
  gboolean was_connected;
  Leg *first;                 /* what further stripes imitate; in legs */
  guint n_stripes;            /* numbers given */
  gboolean is_wide_enough;    /* the server refused more */
  guint n_tries;
  guint n_resets;
  guint n_strangers;
  gboolean was_refused;       /* by a server */
};

G_DEFINE_FINAL_TYPE (AlsTurnPath, als_turn_path, ALS_TYPE_PATH)

static void update   (AlsTurnPath *self);
static void on_event (AlsTurnControl *control, AlsTurnEvent *event, gpointer user_data);

/* --- relays --- */

static void
relay_free (gpointer data)
{
  Relay *self = data;

  g_signal_handler_disconnect (self->control, self->event_id);
  if (self->is_extra)
    als_turn_control_leave (self->control);
  g_object_unref (self->control);
  als_path_server_free (self->server);
  g_array_unref (self->permissions);
  g_free (self);
}

static Relay *
find_relay (AlsTurnPath *self, AlsTurnControl *control)
{
  for (guint i = 0; i < self->relays->len; i++)
    {
      Relay *relay = g_ptr_array_index (self->relays, i);

      if (relay->control == control)
        return relay;
    }
  return NULL;
}

static const AlsStunAddress *
relay_get_address (const Relay *self)
{
  return als_turn_session_get_relayed (als_turn_control_get_session (self->control));
}

static void
add_relay (AlsTurnPath *self, AlsTurnControl *control, const AlsPathServer *server,
           gboolean is_extra)
{
  Relay *relay = g_new0 (Relay, 1);

  relay->control = g_object_ref (control);
  relay->server = als_path_server_copy (server);
  relay->is_extra = is_extra;
  relay->permissions = g_array_new (FALSE, FALSE, sizeof (Permission));
  relay->event_id = g_signal_connect (control, "event", G_CALLBACK (on_event), self);
  g_ptr_array_add (self->relays, relay);
}

/* Those of the pool that came and went. */
static void
follow_pool (AlsTurnPath *self)
{
  g_autoptr (GPtrArray) controls = als_turn_pool_list_allocated (self->pool);

  for (guint i = self->relays->len; i-- > 0;)
    if (!als_turn_control_is_allocated (((Relay *) g_ptr_array_index (self->relays, i))->control))
      g_ptr_array_remove_index (self->relays, i);
  for (guint i = 0; i < controls->len; i++)
    {
      AlsTurnControl *control = g_ptr_array_index (controls, i);
      const AlsPathServer *server = als_turn_pool_find_server (self->pool, control);

      if (find_relay (self, control) == NULL && server != NULL
          && self->relays->len < ALS_TURN_MAX_OFFERED)
        add_relay (self, control, server, FALSE);
    }
}

static gboolean
has_address (const AlsStunAddress *addresses, guint n, const AlsStunAddress *address)
{
  for (guint i = 0; i < n; i++)
    if (als_stun_address_same_ip (&addresses[i], address))
      return TRUE;
  return FALSE;
}

static Permission *
find_permission (Relay *relay, const AlsStunAddress *peer)
{
  for (guint i = 0; i < relay->permissions->len; i++)
    {
      Permission *permission = &g_array_index (relay->permissions, Permission, i);

      if (als_stun_address_same_ip (&permission->peer, peer))
        return permission;
    }
  return NULL;
}

static void
permit (Relay *relay, const AlsStunAddress *peer)
{
  Permission permission = { .peer = *peer };

  if (peer->family == relay_get_address (relay)->family && find_permission (relay, peer) == NULL
      && als_turn_control_permit (relay->control, peer))
    g_array_append_val (relay->permissions, permission);
}

/* All that was asked for is answered, and something was granted. Or nothing could be asked, the
 * other side having none of this family yet. */
static gboolean
relay_is_open (const Relay *self, gboolean *is_waiting)
{
  guint n_granted = 0, n_answered = 0;

  for (guint i = 0; i < self->permissions->len; i++)
    {
      n_answered += (guint) g_array_index (self->permissions, Permission, i).is_answered;
      n_granted += (guint) g_array_index (self->permissions, Permission, i).is_granted;
    }
  *is_waiting |= n_answered < self->permissions->len;
  return n_answered == self->permissions->len && (n_granted > 0 || n_answered == 0);
}

/* The peer's relayed addresses, and its own where that is allowed, may come to ours. */
static void
permit_peers (AlsTurnPath *self)
{
  for (guint i = 0; i < self->relays->len && self->has_peer; i++)
    {
      Relay *relay = g_ptr_array_index (self->relays, i);

      for (guint j = 0; j < self->peer.n_relayed; j++)
        permit (relay, &self->peer.relayed[j]);
      for (guint j = 0; j < self->peer.n_public && self->one_sided && self->peer.one_sided; j++)
        permit (relay, &self->peer.public[j]);
    }
}

/* --- what we tell --- */

static gboolean
has_allocating_extra (AlsTurnPath *self)
{
  for (guint i = 0; i < self->legs->len; i++)
    {
      Leg *leg = g_ptr_array_index (self->legs, i);

      if (leg->is_extra && leg->state == LEG_ALLOCATING)
        return TRUE;
    }
  return FALSE;
}

static void
make_offer (AlsTurnPath *self, AlsTurnOffer *offer)
{
  GArray *endpoints = als_turn_pool_get_endpoints (self->pool);
  gboolean is_waiting = FALSE;

  memset (offer, 0, sizeof *offer);
  memcpy (offer->token, self->token, sizeof offer->token);
  offer->one_sided = self->one_sided;
  for (guint i = 0; i < self->relays->len && offer->n_relayed < ALS_TURN_MAX_OFFERED; i++)
    {
      Relay *relay = g_ptr_array_index (self->relays, i);

      if ((relay_is_open (relay, &is_waiting) && self->has_peer) || self->is_inviter)
        offer->relayed[offer->n_relayed++] = *relay_get_address (relay);
    }
  for (guint i = 0; self->one_sided && i < endpoints->len
                    && offer->n_public < ALS_TURN_MAX_OFFERED; i++)
    {
      const AlsStunAddress *mapped = &g_array_index (endpoints, AlsTcpEndpoint, i).mapped;

      if (!has_address (offer->public, offer->n_public, mapped))
        offer->public[offer->n_public++] = *mapped;
    }
  if (self->one_sided && self->origin.family != ALS_STUN_FAMILY_NONE
      && offer->n_public < ALS_TURN_MAX_OFFERED
      && !has_address (offer->public, offer->n_public, &self->origin))
    offer->public[offer->n_public++] = self->origin;
  /* The joiner's addresses are all known only once the inviter's are. */
  offer->is_final = als_turn_pool_is_settled (self->pool) && !is_waiting
                    && !has_allocating_extra (self)
                    && (self->is_inviter || self->has_peer || self->relays->len == 0);
}

static void
tell_peer (AlsTurnPath *self)
{
  AlsTurnOffer offer;
  g_autoptr (GBytes) message = NULL;

  make_offer (self, &offer);
  if (offer.n_relayed == 0 && !offer.is_final)
    return;
  message = als_turn_offer_encode (&offer);
  if (self->offered != NULL && g_bytes_equal (self->offered, message))
    return;
  g_clear_pointer (&self->offered, g_bytes_unref);
  self->offered = g_bytes_ref (message);
  als_path_send (ALS_PATH (self), message);
}

/* --- legs --- */

static void
leg_free_contents (gpointer data)
{
  Leg *self = data;

  g_clear_object (&self->cancellable);
  als_turn_way_free (self->way);
  g_clear_pointer (&self->server, als_path_server_free);
}

static void
leg_unref (gpointer leg)
{
  g_rc_box_release_full (leg, leg_free_contents);
}

static void
leg_let_go_of_control (Leg *self)
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
leg_stop (Leg *self)
{
  g_cancellable_cancel (self->cancellable);
  g_clear_object (&self->cancellable);
  g_clear_pointer (&self->greeting, als_turn_greeting_free);
  self->due_us = INT64_MAX;
}

static void
leg_drop (gpointer data)
{
  Leg *self = data;

  leg_stop (self);
  leg_let_go_of_control (self);
  self->path = NULL;
  leg_unref (self);
}

static Leg *
add_leg (AlsTurnPath *self, AlsTurnControl *control, const AlsStunAddress *peer, guint stripe)
{
  Leg *leg = g_rc_box_new0 (Leg);

  leg->path = self;
  if (control != NULL)
    leg->control = g_object_ref (control);
  if (peer != NULL)
    leg->peer = *peer;
  leg->stripe = stripe;
  leg->due_us = INT64_MAX;
  g_ptr_array_add (self->legs, leg);
  return leg;
}

static void
leg_set_state (Leg *self, LegState state)
{
  static const char *const names[] = { "waiting", "allocating", "permitting", "connecting",
                                       "binding", "greeting", "standing", "dead" };

  g_debug ("turn path: leg %u: %s to %s", self->stripe, names[self->state], names[state]);
  self->state = state;
}

/* It may begin again. */
static void
leg_fail (Leg *self, const GError *error)
{
  AlsTurnPath *path = self->path;

  g_debug ("turn path: leg %u: %s", self->stripe, error != NULL ? error->message : "no answer");
  leg_stop (self);
  if (self->is_incoming)
    path->n_strangers += self->state == LEG_GREETING;
  else if (!self->is_extra)
    path->n_resets++;
  if (self->is_incoming || self->is_extra || self->stripe > 0 || self->n_tries >= MAX_LEG_TRIES)
    {
      path->is_wide_enough |= self->stripe > 0;
      leg_set_state (self, LEG_DEAD);
      leg_let_go_of_control (self);
      return;
    }
  leg_set_state (self, LEG_WAITING);
  self->due_us = g_get_monotonic_time () + LEG_AGAIN_US * self->n_tries;
}

static void
leg_begin_try (Leg *self)
{
  self->n_tries++;
  self->path->n_tries++;
  self->cancellable = g_cancellable_new ();
  self->due_us = g_get_monotonic_time () + LEG_US;
}

static void make_carrier (AlsTurnPath *self, Leg *leg, GIOStream *stream, GBytes *rest);

static void
leg_take_stream (Leg *self, guint stripe)
{
  AlsTurnPath *path = self->path;
  g_autoptr (GBytes) rest = NULL;
  g_autoptr (GIOStream) stream = NULL;

  self->stripe = stripe;
  /* One connection begins, the others join it. */
  if ((stripe == 0) == path->was_connected)
    {
      leg_fail (self, NULL);
      return;
    }
  stream = als_turn_greeting_take (self->greeting, &rest);
  if (stream == NULL)
    {
      leg_fail (self, NULL);
      return;
    }
  leg_stop (self);
  leg_set_state (self, LEG_STANDING);
  if (stripe == 0)
    make_carrier (path, self, stream, rest);
  else if (path->carrier != NULL)
    als_turn_carrier_add_stream (path->carrier, stream, rest);
}

static void
greeting_cb (AlsTurnGreeting *greeting, AlsTurnGreetingEvent event, guint stripe,
             gpointer user_data)
{
  Leg *leg = user_data;
  g_autoptr (AlsTurnPath) path = g_object_ref (leg->path);

  if (event == ALS_TURN_GREETING_FAILED)
    leg_fail (leg, NULL);
  else
    leg_take_stream (leg, stripe);
  update (path);
}

static void
leg_greet (Leg *self, GIOStream *stream, GBytes *rest)
{
  AlsTurnPath *path = self->path;

  leg_set_state (self, LEG_GREETING);
  self->greeting = als_turn_greeting_new (stream, rest, !self->is_incoming, self->stripe,
                                          path->is_inviter ? path->token : path->peer.token,
                                          greeting_cb, self);
}

/* What came of something asynchronous: FALSE if nobody waits for it. Gives up the leg's
 * reference. */
static gboolean
leg_is_awaited (Leg *self, LegState state, const GError *error)
{
  gboolean is_awaited = self->path != NULL && self->state == state
                        && !g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);

  leg_unref (self);
  return is_awaited;
}

static void
bound_cb (GObject *object, GAsyncResult *result, gpointer user_data)
{
  Leg *leg = user_data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) rest = NULL;
  g_autoptr (GIOStream) stream
      = als_turn_control_bind_finish (ALS_TURN_CONTROL (object), result, &rest, &error);

  if (!leg_is_awaited (leg, LEG_BINDING, error))
    return;
  if (stream != NULL)
    leg_greet (leg, stream, rest);
  else
    leg_fail (leg, error);
  update (leg->path);
}

static void
leg_bind (Leg *self, const AlsTurnEvent *event)
{
  leg_set_state (self, LEG_BINDING);
  als_turn_control_bind_async (self->control, event, self->cancellable, bound_cb,
                               g_rc_box_acquire (self));
}

static void
plain_dialled_cb (GObject *object, GAsyncResult *result, gpointer user_data)
{
  Leg *leg = user_data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GIOStream) stream = als_turn_way_dial_finish (result, &error);

  if (!leg_is_awaited (leg, LEG_BINDING, error))
    return;
  if (stream != NULL)
    leg_greet (leg, stream, NULL);
  else
    leg_fail (leg, error);
  update (leg->path);
}

/* Plainly to the other's relayed address. */
static void
leg_dial_plainly (Leg *self)
{
  g_autoptr (GSocketAddress) address = als_stun_address_to_gio (&self->peer);
  AlsTurnWay way = { .host = (char *) "", .port = self->peer.port, .address = address };

  leg_set_state (self, LEG_BINDING);
  als_turn_way_dial_async (&way, 0, self->cancellable, plain_dialled_cb, g_rc_box_acquire (self));
}

static void
leg_connect (Leg *self)
{
  leg_set_state (self, LEG_CONNECTING);
  if (!als_turn_control_connect (self->control, &self->peer))
    leg_fail (self, NULL);
}

/* With an allocation, or plainly. */
static void
leg_go (Leg *self)
{
  if (self->control == NULL)
    {
      leg_dial_plainly (self);
      return;
    }
  leg_set_state (self, LEG_PERMITTING);
  if (!als_turn_control_permit (self->control, &self->peer))
    leg_fail (self, NULL);
}

/* --- allocations of a leg's own --- */

static gboolean
was_offered (AlsTurnPath *self, const AlsStunAddress *relayed)
{
  for (guint i = 0; i < self->relays->len; i++)
    if (als_stun_address_same_ip (relay_get_address (g_ptr_array_index (self->relays, i)), relayed))
      return TRUE;
  return FALSE;
}

static void
leg_allocated (Leg *self)
{
  AlsTurnPath *path = self->path;
  const AlsStunAddress *relayed
      = als_turn_session_get_relayed (als_turn_control_get_session (self->control));

  if (self->is_extra)
    {
      add_relay (path, self->control, self->server, TRUE);
      g_signal_handler_disconnect (self->control, self->event_id);
      self->event_id = 0; /* the relay's from now on */
      self->due_us = INT64_MAX;
      leg_set_state (self, LEG_DEAD);
      g_clear_object (&self->control);
    }
  else if (!was_offered (path, relayed))
    leg_fail (self, NULL); /* the other side expects nobody from there */
  else
    leg_go (self);
}

static void
on_own_event (AlsTurnControl *control, AlsTurnEvent *event, gpointer user_data)
{
  Leg *leg = user_data;
  AlsTurnPath *path = leg->path;

  switch (event->type)
    {
    case ALS_TURN_EVENT_ALLOCATED:
      if (leg->state == LEG_ALLOCATING)
        leg_allocated (leg);
      break;
    case ALS_TURN_EVENT_REFUSED:
    case ALS_TURN_EVENT_FAILED:
      if (leg->state != LEG_DEAD)
        leg_fail (leg, event->error);
      break;
    default:
      on_event (control, event, path);
      return;
    }
  update (path);
}

static void
own_dialled_cb (GObject *object, GAsyncResult *result, gpointer user_data)
{
  Leg *leg = user_data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GIOStream) stream = als_turn_way_dial_finish (result, &error);

  if (!leg_is_awaited (leg, LEG_ALLOCATING, error))
    return;
  if (stream == NULL)
    {
      leg_fail (leg, error);
      update (leg->path);
      return;
    }
  leg->control = als_turn_control_new (stream, leg->way, leg->server->username,
                                       leg->server->password, TRUE, leg->family);
  leg->event_id = g_signal_connect (leg->control, "event", G_CALLBACK (on_own_event), leg);
}

/* The same way as that of LIKE, to an allocation of its own. */
static void
leg_allocate (Leg *self, AlsTurnControl *like, const AlsPathServer *server, AlsStunFamily family)
{
  leg_set_state (self, LEG_ALLOCATING);
  self->way = als_turn_way_copy (als_turn_control_get_way (like));
  self->server = als_path_server_copy (server);
  self->family = family;
  leg_begin_try (self);
  als_turn_way_dial_async (self->way, 0, self->cancellable, own_dialled_cb,
                           g_rc_box_acquire (self));
}

/* --- the carrier --- */

static void
widen (AlsTurnPath *self, guint wanted)
{
  AlsTurnControl *like = self->first->control;
  const AlsPathServer *server = NULL;

  if (like != NULL)
    {
      Relay *relay = find_relay (self, like);

      if (relay == NULL)
        return;
      server = relay->server;
    }
  while (self->n_stripes < MIN (wanted, ALS_TURN_MAX_STRIPES) && !self->is_wide_enough)
    {
      Leg *leg = add_leg (self, NULL, &self->first->peer, self->n_stripes++);

      if (like != NULL)
        {
          leg_allocate (leg, like, server, self->first->peer.family);
          continue;
        }
      leg_begin_try (leg);
      leg_go (leg);
    }
}

static void
notes_cb (GPtrArray *items, gpointer user_data)
{
  g_autoptr (AlsTurnPath) self = g_object_ref (user_data);

  for (guint i = 0; i < items->len; i++)
    {
      g_autofree AlsTurnCarrierNote *note = g_ptr_array_index (items, i);

      if (als_path_is_over (ALS_PATH (self)) || self->carrier == NULL)
        continue;
      if (note->wanted_stripes > 0)
        {
          widen (self, note->wanted_stripes);
          update (self);
        }
      else
        {
          g_clear_object (&self->carrier);
          als_path_fail (ALS_PATH (self), ALS_PATH_PROBLEM_DIED, "the relayed connection ended");
        }
    }
}

static void
make_carrier (AlsTurnPath *self, Leg *leg, GIOStream *stream, GBytes *rest)
{
  g_autofree char *remote = als_stun_address_to_string (&leg->peer);
  g_autoptr (AlsTurnCarrier) carrier = als_turn_carrier_new (remote, !leg->is_incoming,
                                                             self->notes);

  self->was_connected = TRUE;
  self->first = leg;
  self->n_stripes = 1;
  self->carrier = g_object_ref (carrier);
  als_turn_carrier_add_stream (carrier, stream, rest);
  /* The other pairs are not needed. */
  for (guint i = self->legs->len; i-- > 0;)
    {
      Leg *other = g_ptr_array_index (self->legs, i);

      if (other != leg && !other->is_incoming && other->state != LEG_DEAD)
        {
          leg_stop (other);
          leg_set_state (other, LEG_DEAD);
          leg_let_go_of_control (other);
        }
    }
  als_path_connected (ALS_PATH (self), ALS_CARRIER (carrier));
}

/* --- what servers tell --- */

static gboolean
expects (AlsTurnPath *self, const AlsStunAddress *peer)
{
  return self->has_peer
         && (has_address (self->peer.relayed, self->peer.n_relayed, peer)
             || (self->one_sided && self->peer.one_sided
                 && has_address (self->peer.public, self->peer.n_public, peer)));
}

static void
take_arrival (AlsTurnPath *self, AlsTurnControl *control, const AlsTurnEvent *event)
{
  guint n = 0;
  Leg *leg;

  for (guint i = 0; i < self->legs->len; i++)
    {
      leg = g_ptr_array_index (self->legs, i);
      n += leg->is_incoming && leg->state != LEG_DEAD && leg->state != LEG_STANDING;
    }
  /* Others of the same server have its address, too: only the greeting tells. */
  if (!expects (self, &event->peer) || n == MAX_ARRIVALS)
    {
      self->n_strangers++;
      return;
    }
  leg = add_leg (self, control, &event->peer, 0);
  leg->is_incoming = TRUE;
  leg_begin_try (leg);
  leg_bind (leg, event);
}

static Leg *
find_leg (AlsTurnPath *self, AlsTurnControl *control, const AlsStunAddress *peer, LegState state,
          gboolean any_port)
{
  for (guint i = 0; i < self->legs->len; i++)
    {
      Leg *leg = g_ptr_array_index (self->legs, i);

      if (leg->control == control && leg->state == state && !leg->is_incoming
          && (any_port ? als_stun_address_same_ip (&leg->peer, peer)
                       : als_stun_address_equal (&leg->peer, peer)))
        return leg;
    }
  return NULL;
}

static void
take_permission (AlsTurnPath *self, AlsTurnControl *control, const AlsTurnEvent *event)
{
  Relay *relay = find_relay (self, control);
  Permission *permission = relay != NULL ? find_permission (relay, &event->peer) : NULL;
  gboolean is_granted = event->type == ALS_TURN_EVENT_PERMITTED;
  Leg *leg;

  if (permission != NULL)
    {
      permission->is_answered = TRUE;
      permission->is_granted = is_granted;
    }
  if (!is_granted)
    self->was_refused = TRUE;
  while ((leg = find_leg (self, control, &event->peer, LEG_PERMITTING, TRUE)) != NULL)
    if (is_granted)
      leg_connect (leg);
    else
      leg_fail (leg, event->error);
}

static void
on_event (AlsTurnControl *control, AlsTurnEvent *event, gpointer user_data)
{
  AlsTurnPath *self = user_data;
  Leg *leg;

  switch (event->type)
    {
    case ALS_TURN_EVENT_PERMITTED:
    case ALS_TURN_EVENT_PERMISSION_REFUSED:
      take_permission (self, control, event);
      break;
    case ALS_TURN_EVENT_CONNECTION:
      if (event->is_incoming)
        take_arrival (self, control, event);
      else if ((leg = find_leg (self, control, &event->peer, LEG_CONNECTING, FALSE)) != NULL)
        leg_bind (leg, event);
      break;
    case ALS_TURN_EVENT_CONNECT_REFUSED:
      leg = find_leg (self, control, &event->peer, LEG_CONNECTING, FALSE);
      if (leg != NULL)
        leg_fail (leg, event->error);
      break;
    case ALS_TURN_EVENT_FAILED:
      /* Its connections die with it; the carrier tells. */
      for (guint i = 0; i < self->legs->len; i++)
        {
          leg = g_ptr_array_index (self->legs, i);
          if (leg->control == control && leg->state != LEG_STANDING && leg->state != LEG_DEAD)
            {
              leg->n_tries = MAX_LEG_TRIES;
              leg_fail (leg, event->error);
            }
        }
      break;
    default:
      return;
    }
  update (self);
}

/* --- what to do --- */

static gboolean
is_willing_alone (AlsTurnPath *self)
{
  return self->one_sided && (!self->has_peer || self->peer.one_sided);
}

/* We have no allocation, and will not get one. */
static gboolean
is_without_relay (AlsTurnPath *self)
{
  return self->relays->len == 0 && als_turn_pool_is_settled (self->pool);
}

static Leg *
find_pair (AlsTurnPath *self, AlsTurnControl *control, const AlsStunAddress *peer)
{
  for (guint i = 0; i < self->legs->len; i++)
    {
      Leg *leg = g_ptr_array_index (self->legs, i);

      if (!leg->is_incoming && !leg->is_extra && leg->control == control
          && als_stun_address_equal (&leg->peer, peer))
        return leg;
    }
  return NULL;
}

/* A pair that has not been tried; those of one server first. */
static gboolean
choose_pair (AlsTurnPath *self, gboolean same_ip, AlsTurnControl **control,
             const AlsStunAddress **peer)
{
  for (guint i = 0; i < self->relays->len; i++)
    {
      Relay *relay = g_ptr_array_index (self->relays, i);
      const AlsStunAddress *own = relay_get_address (relay);

      for (guint j = 0; j < self->peer.n_relayed; j++)
        if (own->family == self->peer.relayed[j].family
            && (!same_ip || als_stun_address_same_ip (own, &self->peer.relayed[j]))
            && find_pair (self, relay->control, &self->peer.relayed[j]) == NULL)
          {
            *control = relay->control;
            *peer = &self->peer.relayed[j];
            return TRUE;
          }
    }
  return FALSE;
}

static gboolean
choose_plain (AlsTurnPath *self, const AlsStunAddress **peer)
{
  for (guint j = 0; j < self->peer.n_relayed; j++)
    {
      g_autoptr (GSocketAddress) address = als_stun_address_to_gio (&self->peer.relayed[j]);

      if (find_pair (self, NULL, &self->peer.relayed[j]) == NULL
          && als_ice_address_is_dialable (address, als_turn_pool_is_loopback (self->pool)))
        {
          *peer = &self->peer.relayed[j];
          return TRUE;
        }
    }
  return FALSE;
}

/* Another pair, if it is time for one. */
static void
begin_legs (AlsTurnPath *self, int64_t now_us)
{
  AlsTurnControl *control = NULL;
  const AlsStunAddress *peer;
  Leg *leg;

  if (now_us < self->next_leg_us || self->legs->len >= MAX_LEGS || !self->has_peer)
    return;
  if (self->is_inviter
          ? !choose_pair (self, TRUE, &control, &peer) && !choose_pair (self, FALSE, &control, &peer)
          : TRUE)
    {
      if (!is_without_relay (self) || !is_willing_alone (self) || !choose_plain (self, &peer))
        return;
      control = NULL;
    }
  leg = add_leg (self, control, peer, 0);
  leg_begin_try (leg);
  leg_go (leg);
  self->next_leg_us = now_us + LEG_APART_US;
}

static gboolean
has_common_family (AlsTurnPath *self)
{
  for (guint i = 0; i < self->relays->len; i++)
    for (guint j = 0; j < self->peer.n_relayed; j++)
      if (relay_get_address (g_ptr_array_index (self->relays, i))->family
          == self->peer.relayed[j].family)
        return TRUE;
  return FALSE;
}

/* Our servers relay one family, theirs the other: ours may be able to do that one, too. */
static void
begin_extras (AlsTurnPath *self)
{
  guint n_relays = self->relays->len;

  for (guint i = 0; i < self->legs->len; i++)
    if (((Leg *) g_ptr_array_index (self->legs, i))->is_extra)
      return;
  if (!self->has_peer || self->peer.n_relayed == 0 || n_relays == 0 || has_common_family (self))
    return;
  for (guint i = 0; i < MIN (n_relays, MAX_EXTRAS); i++)
    {
      Relay *relay = g_ptr_array_index (self->relays, i);
      Leg *leg = add_leg (self, NULL, NULL, 0);

      leg->is_extra = TRUE;
      leg_allocate (leg, relay->control, relay->server, self->peer.relayed[0].family);
    }
}

static void
poll_legs (AlsTurnPath *self, int64_t now_us)
{
  for (guint i = 0; i < self->legs->len; i++)
    {
      Leg *leg = g_ptr_array_index (self->legs, i);

      if (leg->due_us > now_us)
        continue;
      if (leg->state == LEG_WAITING)
        {
          leg_begin_try (leg);
          leg_go (leg);
        }
      else
        leg_fail (leg, NULL);
    }
}

static gboolean
is_trying (AlsTurnPath *self)
{
  for (guint i = 0; i < self->legs->len; i++)
    {
      Leg *leg = g_ptr_array_index (self->legs, i);

      if (leg->state != LEG_DEAD)
        return TRUE;
    }
  return FALSE;
}

/* FALSE while there is hope. */
static gboolean
find_failure (AlsTurnPath *self, int64_t now_us, AlsPathProblem *problem, const char **message)
{
  guint tries, refusals;
  gboolean peer_is_without = self->has_peer && self->peer.is_final && self->peer.n_relayed == 0;

  if (is_without_relay (self) && (!is_willing_alone (self) || peer_is_without))
    {
      *problem = als_turn_pool_get_problem (self->pool, &tries, &refusals);
      *message = "no server relays for us";
      if (*problem == ALS_PATH_PROBLEM_NONE)
        *problem = ALS_PATH_PROBLEM_SERVER_UNREACHABLE;
      return TRUE;
    }
  /* Our own story comes first, if there is one. */
  if (peer_is_without && !is_willing_alone (self) && als_turn_pool_is_settled (self->pool))
    {
      *problem = ALS_PATH_PROBLEM_PEER_ENDPOINT;
      *message = "no server relays for the other side";
      return TRUE;
    }
  if (now_us >= self->give_up_us
      || (self->n_resets > 0 && self->has_peer && self->peer.is_final && !is_trying (self)
          && als_turn_pool_is_settled (self->pool) && now_us >= self->next_leg_us))
    {
      *problem = !self->has_peer     ? ALS_PATH_PROBLEM_PEER_ENDPOINT
                 : self->was_refused ? ALS_PATH_PROBLEM_SERVER_REFUSED
                                     : ALS_PATH_PROBLEM_SILENCE;
      *message = "nothing came through";
      return TRUE;
    }
  return FALSE;
}

static void
plan (AlsTurnPath *self)
{
  int64_t due_us = INT64_MAX;

  if (self->deadline == NULL)
    return;
  for (guint i = 0; i < self->legs->len; i++)
    due_us = MIN (due_us, ((Leg *) g_ptr_array_index (self->legs, i))->due_us);
  if (!self->was_connected)
    {
      due_us = MIN (due_us, self->give_up_us);
      if (self->next_leg_us > g_get_monotonic_time ())
        due_us = MIN (due_us, self->next_leg_us);
    }
  als_deadline_source_set (self->deadline, due_us);
}

static void
bury_legs (AlsTurnPath *self)
{
  for (guint i = self->legs->len; i-- > 0;)
    {
      Leg *leg = g_ptr_array_index (self->legs, i);

      /* Pairs that were tried in vain stay: they are not to be tried again. */
      if (leg->state == LEG_DEAD && (leg->is_incoming || leg->stripe > 0))
        g_ptr_array_remove_index (self->legs, i);
    }
}

static void
connect_somehow (AlsTurnPath *self, int64_t now_us)
{
  AlsPathProblem problem;
  const char *message;

  begin_extras (self);
  tell_peer (self);
  if (als_path_is_over (ALS_PATH (self)))
    return;
  begin_legs (self, now_us);
  if (find_failure (self, now_us, &problem, &message))
    als_path_fail (ALS_PATH (self), problem, message);
}

/* After whatever happened. Not from within a call of our own: legs fail and begin in passing. */
static void
update (AlsTurnPath *self)
{
  int64_t now_us = g_get_monotonic_time ();

  if (self->is_updating || !self->is_started || als_path_is_over (ALS_PATH (self)))
    return;
  g_object_ref (self);
  self->is_updating = TRUE;
  poll_legs (self, now_us);
  bury_legs (self);
  follow_pool (self);
  permit_peers (self);
  if (!self->was_connected && !self->is_settled)
    connect_somehow (self, now_us);
  self->is_updating = FALSE;
  plan (self);
  g_object_unref (self);
}

static gboolean
deadline_cb (gpointer user_data)
{
  update (user_data);
  return G_SOURCE_CONTINUE;
}

static void
on_pool_changed (AlsTurnPool *pool, gpointer user_data)
{
  update (user_data);
}

/* --- lifecycle --- */

static void
als_turn_path_start (AlsPath *path)
{
  AlsTurnPath *self = ALS_TURN_PATH (path);
  g_autoptr (GMainContext) context = g_main_context_ref_thread_default ();

  self->is_started = TRUE;
  self->give_up_us = g_get_monotonic_time () + GIVE_UP_US;
  self->deadline = als_deadline_source_new (context, "als-turn-path", deadline_cb, self);
  self->changed_id = g_signal_connect (self->pool, "changed", G_CALLBACK (on_pool_changed), self);
  als_deadline_source_set (self->deadline, 0);
}

static void
als_turn_path_remote_message (AlsPath *path, const uint8_t *data, size_t len)
{
  AlsTurnPath *self = ALS_TURN_PATH (path);
  g_autoptr (GError) error = NULL;
  AlsTurnOffer offer;

  if (self->n_remote_messages == MAX_MESSAGES || len > ALS_TURN_MESSAGE_MAX_BYTES)
    {
      g_info ("TURN path message ignored: %s", len > ALS_TURN_MESSAGE_MAX_BYTES ? "too long"
                                                                                : "too many");
      return;
    }
  self->n_remote_messages++;
  if (!als_turn_offer_decode (&offer, data, len, &error))
    {
      g_info ("TURN path message ignored: %s", error->message);
      return;
    }
  self->peer = offer;
  self->has_peer = TRUE;
  if (self->deadline != NULL)
    als_deadline_source_set (self->deadline, 0);
}

static void
als_turn_path_settle (AlsPath *path)
{
  AlsTurnPath *self = ALS_TURN_PATH (path);

  self->is_settled = TRUE;
}

static void
als_turn_path_close (AlsPath *path)
{
  AlsTurnPath *self = ALS_TURN_PATH (path);

  als_source_clear (&self->deadline);
  g_clear_signal_handler (&self->changed_id, self->pool);
  als_mailbox_close (self->notes);
  if (self->carrier != NULL)
    als_turn_carrier_end (self->carrier);
  g_clear_object (&self->carrier);
  g_ptr_array_set_size (self->legs, 0);
  g_ptr_array_set_size (self->relays, 0);
}

static void
als_turn_path_get_report (AlsPath *path, AlsPathReport *report)
{
  AlsTurnPath *self = ALS_TURN_PATH (path);
  guint tries, refusals;

  als_turn_pool_get_problem (self->pool, &tries, &refusals);
  report->tries = tries + self->n_tries;
  report->resets = refusals + self->n_resets;
  report->strangers = self->n_strangers;
}

static void
als_turn_path_finalize (GObject *object)
{
  AlsTurnPath *self = ALS_TURN_PATH (object);

  g_ptr_array_unref (self->legs);
  g_ptr_array_unref (self->relays);
  g_clear_pointer (&self->offered, g_bytes_unref);
  als_mailbox_unref (self->notes);
  g_object_unref (self->pool);
  G_OBJECT_CLASS (als_turn_path_parent_class)->finalize (object);
}

static void
als_turn_path_class_init (AlsTurnPathClass *klass)
{
  AlsPathClass *path_class = ALS_PATH_CLASS (klass);

  G_OBJECT_CLASS (klass)->finalize = als_turn_path_finalize;
  path_class->start = als_turn_path_start;
  path_class->remote_message = als_turn_path_remote_message;
  path_class->settle = als_turn_path_settle;
  path_class->close = als_turn_path_close;
  path_class->get_report = als_turn_path_get_report;
}

static void
als_turn_path_init (AlsTurnPath *self)
{
  g_autoptr (GMainContext) context = g_main_context_ref_thread_default ();

  self->relays = g_ptr_array_new_with_free_func (relay_free);
  self->legs = g_ptr_array_new_with_free_func (leg_drop);
  self->notes = als_mailbox_new (context, "als-turn-notes", notes_cb, self, g_free);
  if (getentropy (self->token, sizeof self->token) != 0)
    g_error ("no random bytes");
}

AlsPath *
als_turn_path_new (const AlsTurnPathConfig *config)
{
  AlsTurnPath *self = g_object_new (ALS_TYPE_TURN_PATH, NULL);

  self->is_inviter = config->is_inviter;
  self->one_sided = config->one_sided;
  /* Permissions have no ports; any will do. */
  if (config->origin != NULL)
    als_stun_address_parse (&self->origin, config->origin, 9);
  self->pool = g_object_ref (config->pool);
  return ALS_PATH (self);
}
