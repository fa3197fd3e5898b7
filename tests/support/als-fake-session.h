/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Two sessions in memory, connected with each other: the channel functions of
 * session/als-session.h and nothing else. Linked instead of the session layer
 * by tests of what stands on it. Bytes move from the main loop. */

#pragma once

#include "session/als-session.h"

G_BEGIN_DECLS

typedef struct
{
  size_t chunk_bytes;  /* delivered at once; 0: 16 KiB */
  size_t queue_bytes;  /* a writer's room; 0: 256 KiB */
  size_t window_bytes; /* delivered and not consumed; 0: 16 MiB */
  /* What SIDE wrote, on its way. (nullable) */
  void (*tamper) (guint side, uint64_t offset, uint8_t *data, size_t len, gpointer user_data);
  /* The other side opened a channel. */
  void (*channel_opened) (guint side, AlsChannel *channel, gpointer user_data);
  gpointer user_data;
} FakeSessionConfig;

typedef struct _FakeSessions FakeSessions;

FakeSessions *fake_sessions_new     (const FakeSessionConfig *config);
/* Ends them, if need be. */
void          fake_sessions_free    (FakeSessions *self);
AlsSession   *fake_sessions_get     (FakeSessions *self, guint side);
/* Nothing that SIDE writes, resets or finishes arrives while it is held. */
void          fake_sessions_hold    (FakeSessions *self, guint side, gboolean hold);
void          fake_sessions_end     (FakeSessions *self);
/* Most bytes ever delivered and not consumed. */
size_t        fake_sessions_get_most_waiting (FakeSessions *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (FakeSessions, fake_sessions_free)

G_END_DECLS
