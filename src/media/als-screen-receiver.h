/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* The viewing side of the picture: RTP in, frames out, by a fixed pipeline.
 * Made and fed in the engine's thread; the newest frame can be taken from any
 * thread. */

#pragma once

#include "media/als-screen-source.h"
#include "session/als-session.h"

G_BEGIN_DECLS

#define ALS_TYPE_SCREEN_RECEIVER (als_screen_receiver_get_type ())
G_DECLARE_FINAL_TYPE (AlsScreenReceiver, als_screen_receiver, ALS, SCREEN_RECEIVER, GObject)

typedef void (*AlsScreenReceiverFunc) (AlsScreenReceiver *self, gpointer user_data);

/* CHANNEL: the ALS_CHANNEL_MEDIA channel that the peer opened. */
AlsScreenReceiver *als_screen_receiver_new          (AlsChannel *channel);
/* An ALS_DATAGRAM_VIDEO from the session. Malformed ones are ignored. */
void               als_screen_receiver_datagram     (AlsScreenReceiver *self, const uint8_t *data,
                                                     size_t len);
/* Called in CONTEXT when a new frame can be taken, once until it is taken. NULL ends it. */
void               als_screen_receiver_set_notify   (AlsScreenReceiver *self, GMainContext *context,
                                                     AlsScreenReceiverFunc func, gpointer user_data,
                                                     GDestroyNotify destroy);
/* Any thread. The newest frame, if it was not taken yet. (transfer full) (nullable) */
AlsScreenFrame    *als_screen_receiver_take_frame   (AlsScreenReceiver *self);
/* Any thread: frames decoded, ever. */
guint              als_screen_receiver_get_n_frames (AlsScreenReceiver *self);
void               als_screen_receiver_stop         (AlsScreenReceiver *self);

G_END_DECLS
