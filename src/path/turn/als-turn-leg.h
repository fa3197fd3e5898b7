/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* One relayed connection of a turn-tcp path, on its way from a pair of
 * addresses to a stream that the other half has greeted. Private to the path. */

#pragma once

#include "path/als-path-server.h"
#include "path/turn/als-turn-control.h"
#include "path/turn/als-turn-greeting.h"
#include "path/turn/als-turn-message.h"

G_BEGIN_DECLS

typedef struct _AlsTurnLeg AlsTurnLeg;

typedef enum
{
  ALS_TURN_LEG_WAITING,    /* for due_us */
  ALS_TURN_LEG_ALLOCATING, /* its own allocation: dialling it, too */
  ALS_TURN_LEG_PERMITTING,
  ALS_TURN_LEG_CONNECTING,
  ALS_TURN_LEG_BINDING,    /* or, plain, dialling */
  ALS_TURN_LEG_GREETING,
  ALS_TURN_LEG_STANDING,   /* it is a stream of the carrier */
  ALS_TURN_LEG_DEAD,
} AlsTurnLegState;

typedef struct
{
  /* It was greeted as connection STRIPE: take or fail it. */
  void (*greeted)   (AlsTurnLeg *leg, guint stripe, gpointer user_data);
  /* Its own allocation stands: go, hand it over, or fail it. */
  void (*allocated) (AlsTurnLeg *leg, gpointer user_data);
  /* What a server of its own tells beyond its allocation. */
  void (*event)     (AlsTurnControl *control, AlsTurnEvent *event, gpointer user_data);
  /* After anything asynchronous. */
  void (*moved)     (gpointer user_data);
} AlsTurnLegEvents;

/* Of all legs of a path. */
typedef struct
{
  const AlsTurnLegEvents *events;
  gpointer user_data;
  const uint8_t *token;      /* of the greetings; the path's */
  guint n_tries;
  guint n_resets;
  guint n_strangers;
  gboolean is_wide_enough;   /* the server refused more */
} AlsTurnLegShared;

/* To be read by the path, which may set is_extra and stripe. */
struct _AlsTurnLeg
{
  AlsTurnLegShared *shared;   /* NULL once dropped: callbacks under way find it so */
  AlsTurnLegState state;
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
};

/* CONTROL, PEER: (nullable) */
AlsTurnLeg *als_turn_leg_new  (AlsTurnLegShared *shared, AlsTurnControl *control,
                               const AlsStunAddress *peer, guint stripe);
/* Ends what is under way and gives up its own allocation. A stream that was taken stays. */
void        als_turn_leg_drop (AlsTurnLeg *self);

/* Ways to go; each is a try that ends within seconds. With its allocation, or plainly: */
void        als_turn_leg_begin    (AlsTurnLeg *self);
/* The same way as that of LIKE, to an allocation of its own: */
void        als_turn_leg_allocate (AlsTurnLeg *self, AlsTurnControl *like,
                                   const AlsPathServer *server, AlsStunFamily family);
/* What came to us. EVENT: CONNECTION */
void        als_turn_leg_accept   (AlsTurnLeg *self, const AlsTurnEvent *event);

/* The next step of the try it is in: permission was granted; the connection stands. */
void        als_turn_leg_go       (AlsTurnLeg *self);
void        als_turn_leg_connect  (AlsTurnLeg *self);
void        als_turn_leg_bind     (AlsTurnLeg *self, const AlsTurnEvent *event);
/* When greeted: STANDING, or it has failed: NULL. REST: (out) (nullable) (transfer full): what the
 * peer has said already. (transfer full) (nullable) */
GIOStream  *als_turn_leg_take     (AlsTurnLeg *self, GBytes **rest);
/* When allocated: the control is somebody else's from now on, and the leg is DEAD. */
void        als_turn_leg_hand_over_control (AlsTurnLeg *self);

/* It may begin again. ERROR: (nullable): no answer */
void        als_turn_leg_fail     (AlsTurnLeg *self, const GError *error);
/* It does not. */
void        als_turn_leg_fail_for_good (AlsTurnLeg *self, const GError *error);
/* It is not needed. */
void        als_turn_leg_kill     (AlsTurnLeg *self);
/* Its due_us has come. */
void        als_turn_leg_poll     (AlsTurnLeg *self);

G_END_DECLS
