/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* What this machine can do with pictures: GStreamer's start and the codecs found. */

#pragma once

#include "media/als-screen-source.h"
#include "protocol/als-media-message.h"

G_BEGIN_DECLS

/* Loads GStreamer and its registry; the first call on a machine may take seconds, so call it
 * early, in any thread. Later calls are free. */
gboolean    als_media_init             (GError **error);
/* Does that, and loads the codecs, in a thread of its own, so that the first picture need not wait. */
void        als_media_prepare          (void);
/* Set of 1 << AlsVideoCodec that can be decoded here. */
guint32     als_media_get_decodable    (void);
/* Element factories in order of preference, NULL at the end. */
const char *als_media_get_encoder_name (guint nth);
AlsVideoCodec als_media_get_encoder_codec (const char *encoder);
/* Installed, and all that it needs beside it. */
gboolean    als_media_has_encoder      (const char *encoder);
/* The element that decodes CODEC, or NULL. */
const char *als_media_find_decoder     (AlsVideoCodec codec);

G_END_DECLS
