/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Two sessions, fake links between them, and invented time. */

#pragma once

#include "als-fake-link.h"
#include "session/als-session.h"

#define MS ((int64_t) 1000)
#define SECOND ((int64_t) G_USEC_PER_SEC)

typedef struct _World World;

/* One end of a channel: writes a pattern derived from the offset, checks the peer's. */
typedef struct
{
  World *world;
  guint side;
  AlsChannel *channel;      /* NULL once closed */
  AlsChannelKind kind;
  uint64_t to_write, written;
  gboolean finish;          /* after the last byte */
  gboolean hold;            /* does not consume */
  uint64_t received, held;
  guint n_writable;
  gboolean finished, closed;
  guint32 code;
  int64_t received_us;      /* the last byte */
} Port;

struct _World
{
  AlsSession *sessions[2];
  int64_t deadline_us[2];
  int64_t now_us;
  gboolean ended[2];
  AlsSessionEnd end[2];
  guint n_datagrams[2], n_path_changes[2], n_gone[2];
  gboolean echo;            /* ports that the peer opens write back what comes */
  gboolean finish_back;     /* ports that the peer opens finish when the peer did */
  gboolean hold;            /* ... do not consume */
  guint8 last_datagram[ALS_DATAGRAM_MAX];
  GPtrArray *links;         /* both ends of each pair, side 0 first; NULL once gone */
  GPtrArray *gone;          /* to be freed */
  GPtrArray *ports;         /* (element-type Port), owned */
};

World   *world_new          (size_t window);
void     world_free         (World *self);
/* Returns the index of side 0's end in LINKS. */
guint    world_add_path     (World *self, AlsPathKind kind, uint64_t rate, int64_t delay_us);
AlsLink *world_get_link     (World *self, guint path, guint side);
/* A port at SIDE that sends BYTES. */
Port    *world_open         (World *self, guint side, AlsChannelKind kind, AlsLane lane,
                             uint64_t bytes, gboolean finish);
/* The peer's end of PORT; NULL while it has not arrived. Ports of one kind and side are matched in
 * order. */
Port    *world_find         (World *self, guint side, AlsChannelKind kind);
void     world_run          (World *self, int64_t for_us);
/* FALSE: not within LIMIT_US. */
gboolean world_run_until    (World *self, gboolean (*done) (World *self, gpointer data),
                             gpointer data, int64_t limit_us);
void     port_write         (Port *self);
AlsPathKind world_get_kind  (World *self, guint side);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (World, world_free)
