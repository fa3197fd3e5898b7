/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* One control connection to a STUN or TURN server: performs an AlsTurnSession
 * over a stream. Lives in the thread (and context) that made it.
 *
 * Signals:
 *   event (AlsTurnEvent *)  as the session tells them; none after als_turn_control_leave ()
 */

#pragma once

#include "path/turn/als-turn-way.h"
#include "stun/als-turn-session.h"

G_BEGIN_DECLS

#define ALS_TYPE_TURN_CONTROL (als_turn_control_get_type ())
G_DECLARE_FINAL_TYPE (AlsTurnControl, als_turn_control, ALS, TURN_CONTROL, GObject)

/* STREAM: from now on its own. USERNAME, PASSWORD: (nullable). ALLOCATE: FALSE: only the endpoint
 * is asked for. The first event comes later than this call, and within ALS_TURN_WAIT_US. */
AlsTurnControl       *als_turn_control_new         (GIOStream *stream, const AlsTurnWay *way,
                                                    const char *username, const char *password,
                                                    gboolean allocate, AlsStunFamily family);
/* FALSE unless it is REFUSED. */
gboolean              als_turn_control_allocate    (AlsTurnControl *self, AlsStunFamily family);
gboolean              als_turn_control_permit      (AlsTurnControl *self, const AlsStunAddress *peer);
gboolean              als_turn_control_connect     (AlsTurnControl *self, const AlsStunAddress *peer);
/* Gives the allocation back and closes the connection: within 2 s, by itself. */
void                  als_turn_control_leave       (AlsTurnControl *self);

AlsTurnSession       *als_turn_control_get_session (AlsTurnControl *self);
const AlsTurnWay     *als_turn_control_get_way     (AlsTurnControl *self);
/* Neither failed nor leaving. */
gboolean              als_turn_control_is_alive    (AlsTurnControl *self);
gboolean              als_turn_control_is_allocated (AlsTurnControl *self);
/* Of our socket, and what it is connected to: a proxy, perhaps. */
const AlsStunAddress *als_turn_control_get_local   (AlsTurnControl *self);
const AlsStunAddress *als_turn_control_get_server  (AlsTurnControl *self);

/* The second connection of a relayed one: goes CONTROL's way and binds. EVENT: CONNECTION. */
void                  als_turn_control_bind_async  (AlsTurnControl *self, const AlsTurnEvent *event,
                                                    GCancellable *cancellable,
                                                    GAsyncReadyCallback callback,
                                                    gpointer user_data);
/* REST: (out) (nullable) (transfer full): what the peer has said already. (transfer full) */
GIOStream            *als_turn_control_bind_finish (AlsTurnControl *self, GAsyncResult *result,
                                                    GBytes **rest, GError **error);

G_END_DECLS
