/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Those that the pool has, and those that the path made for itself. A server
 * lets in whom it was asked to; the peer is told of a relayed address only once
 * it may come there. */

#define G_LOG_DOMAIN "als-path"

#include "config.h"

#include "path/turn/als-turn-relays.h"

#include "path/turn/als-turn-pool-controls.h"

typedef struct
{
  AlsStunAddress peer;
  gboolean is_answered;
  gboolean is_granted;
} Permission;

struct _AlsTurnRelays
{
  GPtrArray *relays; /* (element-type AlsTurnRelay) */
  AlsTurnRelaysFunc func;
  gpointer user_data;
};

/* --- one relay --- */

static void
relay_free (gpointer data)
{
  AlsTurnRelay *self = data;

  g_signal_handler_disconnect (self->control, self->event_id);
  if (self->is_extra)
    als_turn_control_leave (self->control);
  g_object_unref (self->control);
  als_path_server_free (self->server);
  g_array_unref (self->permissions);
  g_free (self);
}

const AlsStunAddress *
als_turn_relay_get_address (const AlsTurnRelay *self)
{
  return als_turn_session_get_relayed (als_turn_control_get_session (self->control));
}

static Permission *
find_permission (AlsTurnRelay *self, const AlsStunAddress *peer)
{
  for (guint i = 0; i < self->permissions->len; i++)
    {
      Permission *permission = &g_array_index (self->permissions, Permission, i);

      if (als_stun_address_same_ip (&permission->peer, peer))
        return permission;
    }
  return NULL;
}

static void
relay_permit (AlsTurnRelay *self, const AlsStunAddress *peer)
{
  Permission permission = { .peer = *peer };

  if (peer->family == als_turn_relay_get_address (self)->family
      && find_permission (self, peer) == NULL && als_turn_control_permit (self->control, peer))
    g_array_append_val (self->permissions, permission);
}

/* All that was asked for is answered, and something was granted. Or nothing could be asked, the
 * other side having none of this family yet. */
static gboolean
relay_is_open (const AlsTurnRelay *self, gboolean *is_waiting)
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

/* --- all of them --- */

AlsTurnRelays *
als_turn_relays_new (AlsTurnRelaysFunc func, gpointer user_data)
{
  AlsTurnRelays *self = g_new0 (AlsTurnRelays, 1);

  self->relays = g_ptr_array_new_with_free_func (relay_free);
  self->func = func;
  self->user_data = user_data;
  return self;
}

void
als_turn_relays_free (AlsTurnRelays *self)
{
  g_ptr_array_unref (self->relays);
  g_free (self);
}

void
als_turn_relays_clear (AlsTurnRelays *self)
{
  g_ptr_array_set_size (self->relays, 0);
}

static void
add_relay (AlsTurnRelays *self, AlsTurnControl *control, const AlsPathServer *server,
           gboolean is_extra)
{
  AlsTurnRelay *relay = g_new0 (AlsTurnRelay, 1);

  relay->control = g_object_ref (control);
  relay->server = als_path_server_copy (server);
  relay->is_extra = is_extra;
  relay->permissions = g_array_new (FALSE, FALSE, sizeof (Permission));
  relay->event_id = g_signal_connect (control, "event", G_CALLBACK (self->func), self->user_data);
  g_ptr_array_add (self->relays, relay);
}

void
als_turn_relays_add_extra (AlsTurnRelays *self, AlsTurnControl *control,
                           const AlsPathServer *server)
{
  add_relay (self, control, server, TRUE);
}

void
als_turn_relays_follow_pool (AlsTurnRelays *self, AlsTurnPool *pool)
{
  g_autoptr (GPtrArray) controls = als_turn_pool_list_allocated (pool);

  for (guint i = self->relays->len; i-- > 0;)
    if (!als_turn_control_is_allocated (als_turn_relays_get (self, i)->control))
      g_ptr_array_remove_index (self->relays, i);
  for (guint i = 0; i < controls->len; i++)
    {
      AlsTurnControl *control = g_ptr_array_index (controls, i);
      const AlsPathServer *server = als_turn_pool_find_server (pool, control);

      if (als_turn_relays_find (self, control) == NULL && server != NULL
          && self->relays->len < ALS_TURN_MAX_OFFERED)
        add_relay (self, control, server, FALSE);
    }
}

guint
als_turn_relays_count (const AlsTurnRelays *self)
{
  return self->relays->len;
}

AlsTurnRelay *
als_turn_relays_get (const AlsTurnRelays *self, guint i)
{
  return g_ptr_array_index (self->relays, i);
}

AlsTurnRelay *
als_turn_relays_find (const AlsTurnRelays *self, AlsTurnControl *control)
{
  for (guint i = 0; i < self->relays->len; i++)
    {
      AlsTurnRelay *relay = als_turn_relays_get (self, i);

      if (relay->control == control)
        return relay;
    }
  return NULL;
}

void
als_turn_relays_permit (AlsTurnRelays *self, const AlsTurnOffer *peer, gboolean plain_too)
{
  for (guint i = 0; i < self->relays->len; i++)
    {
      AlsTurnRelay *relay = als_turn_relays_get (self, i);

      for (guint j = 0; j < peer->n_relayed; j++)
        relay_permit (relay, &peer->relayed[j]);
      for (guint j = 0; j < peer->n_public && plain_too; j++)
        relay_permit (relay, &peer->public[j]);
    }
}

void
als_turn_relays_take_answer (AlsTurnRelays *self, AlsTurnControl *control,
                             const AlsStunAddress *peer, gboolean is_granted)
{
  AlsTurnRelay *relay = als_turn_relays_find (self, control);
  Permission *permission = relay != NULL ? find_permission (relay, peer) : NULL;

  if (permission == NULL)
    return;
  permission->is_answered = TRUE;
  permission->is_granted = is_granted;
}

gboolean
als_turn_relays_offer (const AlsTurnRelays *self, gboolean all, AlsTurnOffer *offer)
{
  gboolean is_waiting = FALSE;

  for (guint i = 0; i < self->relays->len && offer->n_relayed < ALS_TURN_MAX_OFFERED; i++)
    {
      AlsTurnRelay *relay = als_turn_relays_get (self, i);

      if (relay_is_open (relay, &is_waiting) || all)
        offer->relayed[offer->n_relayed++] = *als_turn_relay_get_address (relay);
    }
  return !is_waiting;
}

gboolean
als_turn_relays_have_ip (const AlsTurnRelays *self, const AlsStunAddress *address)
{
  for (guint i = 0; i < self->relays->len; i++)
    if (als_stun_address_same_ip (als_turn_relay_get_address (als_turn_relays_get (self, i)),
                                  address))
      return TRUE;
  return FALSE;
}

gboolean
als_turn_relays_share_family (const AlsTurnRelays *self, const AlsTurnOffer *peer)
{
  for (guint i = 0; i < self->relays->len; i++)
    for (guint j = 0; j < peer->n_relayed; j++)
      if (als_turn_relay_get_address (als_turn_relays_get (self, i))->family
          == peer->relayed[j].family)
        return TRUE;
  return FALSE;
}
