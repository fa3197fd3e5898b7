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
 *   failed (GError *error)   capture or encoder gave up; it has stopped
 */

/* Opens the media channel to the peer. DISPLAY: of X11, NULL: $DISPLAY. MAX_FPS: 0 for 30. */
AlsScreenSender *als_screen_sender_new             (AlsSession *session, AlsScreenKind kind,
                                                    const char *display, guint max_fps,
                                                    GError **error);
/* The same from any SOURCE. (transfer full) */
AlsScreenSender *als_screen_sender_new_with_source (AlsSession *session, AlsScreenSource *source,
                                                    guint max_fps, GError **error);
/* The owner tells what its session tells it: path_changed. */
void             als_screen_sender_path_changed    (AlsScreenSender *self);
/* Ends it: nothing of the screen is captured or sent after this returns. Idempotent. */
void             als_screen_sender_stop            (AlsScreenSender *self);
/* The encoder in use, such as "x264enc"; NULL until the viewer has said what it can decode.
 * The environment's ALONGSIDE_ENCODER, if set, is the only one considered. */
const char      *als_screen_sender_get_encoder     (AlsScreenSender *self);

typedef struct
{
  guint n_captured;        /* shots of the screen, ever */
  guint n_encoded;         /* frames, with those made again from an old shot */
  guint n_keys;            /* key frames asked of the encoder, with the first of each format */
  guint n_packets;         /* sent, without repeats */
  guint n_repeated;        /* packets sent again on request */
  guint bitrate_kbps, fps; /* aimed at now */
} AlsScreenSenderStats;

void             als_screen_sender_get_stats       (AlsScreenSender *self,
                                                    AlsScreenSenderStats *stats);

G_END_DECLS
