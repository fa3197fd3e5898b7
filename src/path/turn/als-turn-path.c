/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Both sides offer the relayed addresses that the pool has; the joiner offers
 * its own once the inviter's may come to them. The inviter connects: a leg for
 * each pair that can work, a little apart, and the first that is greeted by the
 * other half carries. A side without an allocation connects plainly, where both
 * sides are willing. Later legs are stripes of the same carrier, each from an
 * allocation of its own: a server lets one connection pass from one relayed
 * address to another.
 *
 * Here is the choice of what to try, what is told, and when it is hopeless. How
 * one leg goes is als-turn-leg.c's, whom servers let in als-turn-relays.c's. */

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
#include "path/turn/als-turn-legs.h"
#include "path/turn/als-turn-pool-controls.h"
#include "path/turn/als-turn-relays.h"

/* Of one visit, whatever they hold. */
#define MAX_MESSAGES 64
/* All of it, until something carries. */
#define GIVE_UP_US ((int64_t) 20 * G_USEC_PER_SEC)
#define LEG_APART_US ((int64_t) 300 * 1000)
/* Connections that come at once and have not been greeted. */
#define MAX_ARRIVALS 16
#define MAX_EXTRAS 4

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
  AlsTurnRelays *relays;
  AlsTurnLegs legs;
  gboolean is_updating;
  GSource *deadline;
  int64_t give_up_us;
  int64_t next_leg_us;        /* when another pair may begin */
  AlsTurnCarrier *carrier;    /* NULL until there is one, and after its end */
  AlsMailbox *notes;
  gboolean was_connected;
  AlsTurnLeg *first;          /* what further stripes imitate; in legs */
  guint n_stripes;            /* numbers given */
  gboolean was_refused;       /* by a server */
};

G_DEFINE_FINAL_TYPE (AlsTurnPath, als_turn_path, ALS_TYPE_PATH)

static void update (AlsTurnPath *self);

/* --- what we tell --- */

static gboolean
has_address (const AlsStunAddress *addresses, guint n, const AlsStunAddress *address)
{
  for (guint i = 0; i < n; i++)
    if (als_stun_address_same_ip (&addresses[i], address))
      return TRUE;
  return FALSE;
}

static void
make_offer (AlsTurnPath *self, AlsTurnOffer *offer)
{
  GArray *endpoints = als_turn_pool_get_endpoints (self->pool);
  gboolean is_answered = TRUE;

  memset (offer, 0, sizeof *offer);
  memcpy (offer->token, self->token, sizeof offer->token);
  offer->one_sided = self->one_sided;
  if (self->is_inviter || self->has_peer)
    is_answered = als_turn_relays_offer (self->relays, self->is_inviter, offer);
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
  offer->is_final = als_turn_pool_is_settled (self->pool) && is_answered
                    && !als_turn_legs_is_allocating_extra (&self->legs)
                    && (self->is_inviter || self->has_peer
                        || als_turn_relays_count (self->relays) == 0);
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

/* --- the carrier --- */

static void
widen (AlsTurnPath *self, guint wanted)
{
  AlsTurnControl *like = self->first->control;
  const AlsPathServer *server = NULL;

  if (like != NULL)
    {
      AlsTurnRelay *relay = als_turn_relays_find (self->relays, like);

      if (relay == NULL)
        return;
      server = relay->server;
    }
  while (self->n_stripes < MIN (wanted, ALS_TURN_MAX_STRIPES) && !self->legs.shared.is_wide_enough)
    {
      AlsTurnLeg *leg
          = als_turn_legs_add (&self->legs, NULL, &self->first->peer, self->n_stripes++);

      if (like != NULL)
        als_turn_leg_allocate (leg, like, server, self->first->peer.family);
      else
        als_turn_leg_begin (leg);
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
make_carrier (AlsTurnPath *self, AlsTurnLeg *leg, GIOStream *stream, GBytes *rest)
{
  g_autofree char *remote = als_stun_address_to_string (&leg->peer);
  g_autoptr (AlsTurnCarrier) carrier = als_turn_carrier_new (remote, !leg->is_incoming,
                                                             self->notes);

  self->was_connected = TRUE;
  self->first = leg;
  self->n_stripes = 1;
  self->carrier = g_object_ref (carrier);
  als_turn_carrier_add_stream (carrier, stream, rest);
  als_turn_legs_kill_others (&self->legs, leg);
  als_path_connected (ALS_PATH (self), ALS_CARRIER (carrier));
}

/* One connection begins, the others join it. */
static void
take_stream (AlsTurnPath *self, AlsTurnLeg *leg)
{
  g_autoptr (GBytes) rest = NULL;
  g_autoptr (GIOStream) stream = NULL;

  if ((leg->stripe == 0) == self->was_connected)
    {
      als_turn_leg_fail (leg, NULL);
      return;
    }
  stream = als_turn_leg_take (leg, &rest);
  if (stream == NULL)
    return;
  if (leg->stripe == 0)
    make_carrier (self, leg, stream, rest);
  else if (self->carrier != NULL)
    als_turn_carrier_add_stream (self->carrier, stream, rest);
}

/* --- what legs tell --- */

static void
leg_greeted (AlsTurnLeg *leg, guint stripe, gpointer user_data)
{
  g_autoptr (AlsTurnPath) self = g_object_ref (user_data);

  leg->stripe = stripe;
  take_stream (self, leg);
  update (self);
}

static void
leg_allocated (AlsTurnLeg *leg, gpointer user_data)
{
  AlsTurnPath *self = user_data;
  const AlsStunAddress *relayed
      = als_turn_session_get_relayed (als_turn_control_get_session (leg->control));

  if (leg->is_extra)
    {
      als_turn_relays_add_extra (self->relays, leg->control, leg->server);
      als_turn_leg_hand_over_control (leg);
    }
  else if (!als_turn_relays_have_ip (self->relays, relayed))
    als_turn_leg_fail (leg, NULL); /* the other side expects nobody from there */
  else
    als_turn_leg_go (leg);
}

static void
leg_moved (gpointer user_data)
{
  update (user_data);
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
  AlsTurnLeg *leg;

  /* Others of the same server have its address, too: only the greeting tells. */
  if (!expects (self, &event->peer) || als_turn_legs_count_arrivals (&self->legs) == MAX_ARRIVALS)
    {
      self->legs.shared.n_strangers++;
      return;
    }
  leg = als_turn_legs_add (&self->legs, control, &event->peer, 0);
  als_turn_leg_accept (leg, event);
}

static void
take_permission (AlsTurnPath *self, AlsTurnControl *control, const AlsTurnEvent *event)
{
  gboolean is_granted = event->type == ALS_TURN_EVENT_PERMITTED;
  AlsTurnLeg *leg;

  als_turn_relays_take_answer (self->relays, control, &event->peer, is_granted);
  if (!is_granted)
    self->was_refused = TRUE;
  while ((leg = als_turn_legs_find (&self->legs, control, &event->peer, ALS_TURN_LEG_PERMITTING,
                                    TRUE)) != NULL)
    if (is_granted)
      als_turn_leg_connect (leg);
    else
      als_turn_leg_fail (leg, event->error);
}

static void
on_event (AlsTurnControl *control, AlsTurnEvent *event, gpointer user_data)
{
  AlsTurnPath *self = user_data;
  AlsTurnLeg *leg = als_turn_legs_find (&self->legs, control, &event->peer,
                                        ALS_TURN_LEG_CONNECTING, FALSE);

  switch (event->type)
    {
    case ALS_TURN_EVENT_PERMITTED:
    case ALS_TURN_EVENT_PERMISSION_REFUSED:
      take_permission (self, control, event);
      break;
    case ALS_TURN_EVENT_CONNECTION:
      if (event->is_incoming)
        take_arrival (self, control, event);
      else if (leg != NULL)
        als_turn_leg_bind (leg, event);
      break;
    case ALS_TURN_EVENT_CONNECT_REFUSED:
      if (leg != NULL)
        als_turn_leg_fail (leg, event->error);
      break;
    case ALS_TURN_EVENT_FAILED:
      /* Its connections die with it; the carrier tells. */
      als_turn_legs_fail_all (&self->legs, control, event->error);
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
  return als_turn_relays_count (self->relays) == 0 && als_turn_pool_is_settled (self->pool);
}

/* A pair that has not been tried; those of one server first. */
static gboolean
choose_pair (AlsTurnPath *self, gboolean same_ip, AlsTurnControl **control,
             const AlsStunAddress **peer)
{
  for (guint i = 0; i < als_turn_relays_count (self->relays); i++)
    {
      AlsTurnRelay *relay = als_turn_relays_get (self->relays, i);
      const AlsStunAddress *own = als_turn_relay_get_address (relay);

      for (guint j = 0; j < self->peer.n_relayed; j++)
        if (own->family == self->peer.relayed[j].family
            && (!same_ip || als_stun_address_same_ip (own, &self->peer.relayed[j]))
            && !als_turn_legs_has_pair (&self->legs, relay->control, &self->peer.relayed[j]))
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

      if (!als_turn_legs_has_pair (&self->legs, NULL, &self->peer.relayed[j])
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

  if (now_us < self->next_leg_us || als_turn_legs_is_full (&self->legs) || !self->has_peer)
    return;
  if (self->is_inviter
          ? !choose_pair (self, TRUE, &control, &peer) && !choose_pair (self, FALSE, &control, &peer)
          : TRUE)
    {
      if (!is_without_relay (self) || !is_willing_alone (self) || !choose_plain (self, &peer))
        return;
      control = NULL;
    }
  als_turn_leg_begin (als_turn_legs_add (&self->legs, control, peer, 0));
  self->next_leg_us = now_us + LEG_APART_US;
}

/* Our servers relay one family, theirs the other: ours may be able to do that one, too. */
static void
begin_extras (AlsTurnPath *self)
{
  guint n_relays = als_turn_relays_count (self->relays);

  if (als_turn_legs_has_extra (&self->legs) || !self->has_peer || self->peer.n_relayed == 0
      || n_relays == 0 || als_turn_relays_share_family (self->relays, &self->peer))
    return;
  for (guint i = 0; i < MIN (n_relays, MAX_EXTRAS); i++)
    {
      AlsTurnRelay *relay = als_turn_relays_get (self->relays, i);
      AlsTurnLeg *leg = als_turn_legs_add (&self->legs, NULL, NULL, 0);

      leg->is_extra = TRUE;
      als_turn_leg_allocate (leg, relay->control, relay->server, self->peer.relayed[0].family);
    }
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
      || (self->legs.shared.n_resets > 0 && self->has_peer && self->peer.is_final
          && !als_turn_legs_is_trying (&self->legs)
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
  int64_t due_us = als_turn_legs_get_deadline (&self->legs);

  if (self->deadline == NULL)
    return;
  if (!self->was_connected)
    {
      due_us = MIN (due_us, self->give_up_us);
      if (self->next_leg_us > g_get_monotonic_time ())
        due_us = MIN (due_us, self->next_leg_us);
    }
  als_deadline_source_set (self->deadline, due_us);
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
  als_turn_legs_poll (&self->legs, now_us);
  als_turn_legs_bury (&self->legs);
  als_turn_relays_follow_pool (self->relays, self->pool);
  if (self->has_peer)
    als_turn_relays_permit (self->relays, &self->peer, self->one_sided && self->peer.one_sided);
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
  als_turn_legs_clear (&self->legs);
  als_turn_relays_clear (self->relays);
}

static void
als_turn_path_get_report (AlsPath *path, AlsPathReport *report)
{
  AlsTurnPath *self = ALS_TURN_PATH (path);
  guint tries, refusals;

  als_turn_pool_get_problem (self->pool, &tries, &refusals);
  report->tries = tries + self->legs.shared.n_tries;
  report->resets = refusals + self->legs.shared.n_resets;
  report->strangers = self->legs.shared.n_strangers;
}

static void
als_turn_path_finalize (GObject *object)
{
  AlsTurnPath *self = ALS_TURN_PATH (object);

  als_turn_legs_uninit (&self->legs);
  als_turn_relays_free (self->relays);
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

static const AlsTurnLegEvents leg_events = {
  .greeted = leg_greeted,
  .allocated = leg_allocated,
  .event = on_event,
  .moved = leg_moved,
};

static void
als_turn_path_init (AlsTurnPath *self)
{
  g_autoptr (GMainContext) context = g_main_context_ref_thread_default ();

  self->relays = als_turn_relays_new (on_event, self);
  als_turn_legs_init (&self->legs, &leg_events, self);
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
  self->legs.shared.token = self->is_inviter ? self->token : self->peer.token;
  return ALS_PATH (self);
}
