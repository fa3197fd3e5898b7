/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* How connections to one server come about, round after round: its name is
 * looked up, its addresses are dialled, one family beside the other, and a
 * proxy where that leads nowhere or is late. Private to the pool. */

#pragma once

#include "path/als-path-server.h"
#include "path/turn/als-turn-way.h"
#include "stun/als-stun-address.h"

G_BEGIN_DECLS

typedef struct _AlsTurnDialler AlsTurnDialler;

/* What all servers of a pool are dialled with. */
typedef struct
{
  uint16_t local_port;       /* of straight ways without TLS */
  gboolean loopback;
  GProxyResolver *proxies;
  GTlsDatabase *trust;       /* (nullable) */
  GMainContext *context;
} AlsTurnDialMeans;

/* A connection that stands. */
typedef struct
{
  const AlsTurnWay *way;
  guint n_redirects;
  AlsStunFamily relayed;     /* of the allocation to ask for; NONE: as the server likes */
} AlsTurnDialled;

/* Never from within a call. */
typedef struct
{
  void (*dialled) (GIOStream *stream, const AlsTurnDialled *how, gpointer user_data);
  /* Whatever happened: als_turn_dialler_go_on () is wanted. Also after `dialled`. */
  void (*moved)   (gpointer user_data);
} AlsTurnDiallerEvents;

/* MEANS: the pool's, stays. */
AlsTurnDialler *als_turn_dialler_new   (const AlsPathServer *server, const AlsTurnDialMeans *means,
                                        const AlsTurnDiallerEvents *events, gpointer user_data);
/* Ends what is under way; nothing comes any more. */
void            als_turn_dialler_drop  (AlsTurnDialler *self);
/* A round; one under way ends. */
void            als_turn_dialler_begin (AlsTurnDialler *self);
/* HAS_STRAIGHT: there is a connection without a proxy: none is needed. */
void            als_turn_dialler_go_on (AlsTurnDialler *self, gboolean has_straight);
/* Beside the round: sent there by the server. */
void            als_turn_dialler_add   (AlsTurnDialler *self, const AlsTurnDialled *how);

/* Something of the round is open. */
gboolean        als_turn_dialler_is_busy   (const AlsTurnDialler *self);
/* Connections begun, ever. */
guint           als_turn_dialler_get_tries (const AlsTurnDialler *self);

G_END_DECLS
