/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* The greeting on a relayed connection that stands: strangers are told from
 * the other half, and the end that made several connections takes one. */

#pragma once

#include <gio/gio.h>
#include "path/turn/als-turn-message.h"

G_BEGIN_DECLS

typedef struct _AlsTurnGreeting AlsTurnGreeting;

typedef enum
{
  ALS_TURN_GREETING_ACCEPTED, /* connecting end only: it is the other half, and waits for GO */
  ALS_TURN_GREETING_DONE,     /* accepting end only: GO has come */
  ALS_TURN_GREETING_FAILED,   /* it ended, or spoke otherwise, or took too long */
} AlsTurnGreetingEvent;

/* Never from within a call. After DONE and FAILED nothing comes. STRIPE: DONE: the other end's. */
typedef void (*AlsTurnGreetingFunc) (AlsTurnGreeting *self, AlsTurnGreetingEvent event,
                                     guint stripe, gpointer user_data);

/* STREAM: from now on its own. EARLY: (nullable) (transfer none): read already.
 * IS_CONNECTOR: this end made it, as connection STRIPE. */
AlsTurnGreeting *als_turn_greeting_new  (GIOStream *stream, GBytes *early, gboolean is_connector,
                                         guint stripe, const uint8_t token[ALS_TURN_TOKEN_BYTES],
                                         AlsTurnGreetingFunc func, gpointer user_data);
/* Ends the connection unless it was taken. May be called from within FUNC. */
void             als_turn_greeting_free (AlsTurnGreeting *self);
/* After DONE, or ACCEPTED: then it says GO. REST: (out) (nullable) (transfer full): what followed.
 * (transfer full) (nullable): NULL if the connection has ended meanwhile. */
GIOStream       *als_turn_greeting_take (AlsTurnGreeting *self, GBytes **rest);

G_END_DECLS
