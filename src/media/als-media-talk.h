/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* One end of the channel on which both sides talk about the picture: what
 * sender and receiver have in common. */

#pragma once

#include "protocol/als-media-message.h"
#include "session/als-session.h"

G_BEGIN_DECLS

/* All zeroes: nobody to talk to. */
typedef struct
{
  AlsChannel *channel;   /* (nullable) borrowed; NULL: closed or ended */
  AlsMediaStream stream; /* of what comes in */
  GByteArray *unsent;    /* (nullable) messages that the channel had no room for */
} AlsMediaTalk;

/* Dropped where there is no channel any more. */
void     als_media_talk_send    (AlsMediaTalk *self, const AlsMediaMessage *message);
/* The channel is writable again. */
void     als_media_talk_flush   (AlsMediaTalk *self);
/* The channel takes nothing, and some messages wait already. */
gboolean als_media_talk_is_full (const AlsMediaTalk *self);
/* Says STOP and lets go of the channel, which outlives us. */
void     als_media_talk_end     (AlsMediaTalk *self);
void     als_media_talk_clear   (AlsMediaTalk *self);

G_END_DECLS
