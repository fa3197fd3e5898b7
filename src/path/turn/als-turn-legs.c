/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Finding one, asking how they stand, and what is done to several at once. */

#define G_LOG_DOMAIN "als-path"

#include "config.h"

#include "path/turn/als-turn-legs.h"

#define MAX_LEGS 32

static AlsTurnLeg *
get (const AlsTurnLegs *self, guint i)
{
  return g_ptr_array_index (self->legs, i);
}

static void
drop (gpointer leg)
{
  als_turn_leg_drop (leg);
}

void
als_turn_legs_init (AlsTurnLegs *self, const AlsTurnLegEvents *events, gpointer user_data)
{
  self->legs = g_ptr_array_new_with_free_func (drop);
  self->shared = (AlsTurnLegShared){ .events = events, .user_data = user_data };
}

void
als_turn_legs_clear (AlsTurnLegs *self)
{
  g_ptr_array_set_size (self->legs, 0);
}

void
als_turn_legs_uninit (AlsTurnLegs *self)
{
  g_ptr_array_unref (self->legs);
}

AlsTurnLeg *
als_turn_legs_add (AlsTurnLegs *self, AlsTurnControl *control, const AlsStunAddress *peer,
                   guint stripe)
{
  AlsTurnLeg *leg = als_turn_leg_new (&self->shared, control, peer, stripe);

  g_ptr_array_add (self->legs, leg);
  return leg;
}

AlsTurnLeg *
als_turn_legs_find (const AlsTurnLegs *self, AlsTurnControl *control, const AlsStunAddress *peer,
                    AlsTurnLegState state, gboolean any_port)
{
  for (guint i = 0; i < self->legs->len; i++)
    {
      AlsTurnLeg *leg = get (self, i);

      if (leg->control == control && leg->state == state && !leg->is_incoming
          && (any_port ? als_stun_address_same_ip (&leg->peer, peer)
                       : als_stun_address_equal (&leg->peer, peer)))
        return leg;
    }
  return NULL;
}

gboolean
als_turn_legs_has_pair (const AlsTurnLegs *self, AlsTurnControl *control,
                        const AlsStunAddress *peer)
{
  for (guint i = 0; i < self->legs->len; i++)
    {
      AlsTurnLeg *leg = get (self, i);

      if (!leg->is_incoming && !leg->is_extra && leg->control == control
          && als_stun_address_equal (&leg->peer, peer))
        return TRUE;
    }
  return FALSE;
}

gboolean
als_turn_legs_is_full (const AlsTurnLegs *self)
{
  return self->legs->len >= MAX_LEGS;
}

gboolean
als_turn_legs_has_extra (const AlsTurnLegs *self)
{
  for (guint i = 0; i < self->legs->len; i++)
    if (get (self, i)->is_extra)
      return TRUE;
  return FALSE;
}

gboolean
als_turn_legs_is_allocating_extra (const AlsTurnLegs *self)
{
  for (guint i = 0; i < self->legs->len; i++)
    if (get (self, i)->is_extra && get (self, i)->state == ALS_TURN_LEG_ALLOCATING)
      return TRUE;
  return FALSE;
}

gboolean
als_turn_legs_is_trying (const AlsTurnLegs *self)
{
  for (guint i = 0; i < self->legs->len; i++)
    if (get (self, i)->state != ALS_TURN_LEG_DEAD)
      return TRUE;
  return FALSE;
}

guint
als_turn_legs_count_arrivals (const AlsTurnLegs *self)
{
  guint n = 0;

  for (guint i = 0; i < self->legs->len; i++)
    {
      AlsTurnLeg *leg = get (self, i);

      n += leg->is_incoming && leg->state != ALS_TURN_LEG_DEAD
           && leg->state != ALS_TURN_LEG_STANDING;
    }
  return n;
}

void
als_turn_legs_fail_all (AlsTurnLegs *self, AlsTurnControl *control, const GError *error)
{
  for (guint i = 0; i < self->legs->len; i++)
    {
      AlsTurnLeg *leg = get (self, i);

      if (leg->control == control && leg->state != ALS_TURN_LEG_STANDING
          && leg->state != ALS_TURN_LEG_DEAD)
        als_turn_leg_fail_for_good (leg, error);
    }
}

void
als_turn_legs_kill_others (AlsTurnLegs *self, const AlsTurnLeg *winner)
{
  for (guint i = self->legs->len; i-- > 0;)
    {
      AlsTurnLeg *leg = get (self, i);

      if (leg != winner && !leg->is_incoming && leg->state != ALS_TURN_LEG_DEAD)
        als_turn_leg_kill (leg);
    }
}

void
als_turn_legs_poll (AlsTurnLegs *self, int64_t now_us)
{
  for (guint i = 0; i < self->legs->len; i++)
    if (get (self, i)->due_us <= now_us)
      als_turn_leg_poll (get (self, i));
}

int64_t
als_turn_legs_get_deadline (const AlsTurnLegs *self)
{
  int64_t due_us = INT64_MAX;

  for (guint i = 0; i < self->legs->len; i++)
    due_us = MIN (due_us, get (self, i)->due_us);
  return due_us;
}

void
als_turn_legs_bury (AlsTurnLegs *self)
{
  for (guint i = self->legs->len; i-- > 0;)
    {
      AlsTurnLeg *leg = get (self, i);

      if (leg->state == ALS_TURN_LEG_DEAD && (leg->is_incoming || leg->stripe > 0))
        g_ptr_array_remove_index (self->legs, i);
    }
}
