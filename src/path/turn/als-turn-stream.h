/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* A stream of few, small messages in the thread's own context: what the
 * machines of `stun` are performed over. */

#pragma once

#include <gio/gio.h>
#include <stdint.h>

G_BEGIN_DECLS

/* Nothing is called from within a call, and nothing after als_turn_stream_free (), which may be
 * called from within. */
typedef struct
{
  void (*received) (const uint8_t *data, size_t len, gpointer user_data);
  void (*closed)   (gpointer user_data);
} AlsTurnStreamEvents;

typedef struct _AlsTurnStream AlsTurnStream;

AlsTurnStream *als_turn_stream_new   (GIOStream *stream, const AlsTurnStreamEvents *events,
                                      gpointer user_data);
/* Ends the connection, if it still has it. */
void           als_turn_stream_free  (AlsTurnStream *self);
void           als_turn_stream_write (AlsTurnStream *self, GBytes *bytes);
/* Writes at once what can be written: FALSE if something is left. */
gboolean       als_turn_stream_flush (AlsTurnStream *self);
/* Nothing is read or written any more. (transfer full) */
GIOStream     *als_turn_stream_steal (AlsTurnStream *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (AlsTurnStream, als_turn_stream_free)

G_END_DECLS
