/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* The sharing side of the picture: capture, encode, packetize; RTP into session
 * datagrams. Lives in the engine's thread; the pipeline has threads of its own.
 *
 * No frame is captured while als_session_may_send_frame () says no; the
 * encoder's rate follows the link's. A key frame is made on request, after a
 * path's death and after a change of size. */

#pragma once

#include "media/als-screen-source.h"
#include "session/als-session.h"

G_BEGIN_DECLS

#define ALS_TYPE_SCREEN_SENDER (als_screen_sender_get_type ())
G_DECLARE_FINAL_TYPE (AlsScreenSender, als_screen_sender, ALS, SCREEN_SENDER, GObject)

/* Signals:
 *   failed (GError *error)   capture or encoder gave up; final
 */

/* Opens the media channel to the peer. DISPLAY: of X11, NULL: $DISPLAY. MAX_FPS: 0 for 30. */
AlsScreenSender *als_screen_sender_new          (AlsSession *session, AlsScreenKind kind,
                                                 const char *display, guint max_fps,
                                                 GError **error);
/* The owner tells what its session tells it: path_changed. */
void             als_screen_sender_path_changed (AlsScreenSender *self);
/* Ends it: nothing of the screen is captured or sent after this returns. Idempotent. */
void             als_screen_sender_stop         (AlsScreenSender *self);
/* The encoder in use, such as "x264enc". */
const char      *als_screen_sender_get_encoder  (AlsScreenSender *self);

G_END_DECLS
