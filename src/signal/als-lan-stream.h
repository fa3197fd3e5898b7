/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Messages of AlsSignalMessage on a TCP connection: each behind its length, a
 * u32. Pure: bytes in, messages out. */

#pragma once

#include "protocol/als-signal-message.h"

G_BEGIN_DECLS

/* Of those that two paired sides say to each other. */
#define ALS_LAN_STREAM_MAX ALS_SIGNAL_MAX_MESSAGE

typedef struct
{
  GByteArray *bytes; /* of an unfinished message, and what came behind it */
  gsize start;       /* of the first that was not taken */
  gboolean failed;
} AlsLanStream;

void              als_lan_stream_init  (AlsLanStream *self);
void              als_lan_stream_clear (AlsLanStream *self);
void              als_lan_stream_push  (AlsLanStream *self, const uint8_t *data, size_t len);
/* The next whole message; NULL: none yet, or (`failed`, which stays) the other side does not keep to
 * the rules: a length out of bounds, a malformed message, one that a server would say.
 * (transfer full) (nullable) */
AlsSignalMessage *als_lan_stream_take  (AlsLanStream *self);
/* A message with its length in front. (transfer full) (nullable): NULL if it is out of bounds. */
GBytes           *als_lan_stream_frame (const AlsSignalMessage *message);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (AlsLanStream, als_lan_stream_clear)

G_END_DECLS
