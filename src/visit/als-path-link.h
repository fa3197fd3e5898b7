/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* A carrier on its way to becoming a link of the session. What comes in on a
 * punched port may be anybody: a link is the session's from the moment it has
 * proved itself by its hello, and until then it is only ours to drop. Engine
 * thread. */

#pragma once

#include "transport/als-link.h"

G_BEGIN_DECLS

typedef struct _AlsPathLink AlsPathLink;

typedef struct
{
  /* It is the other side: give the link to the session within this call. */
  void (*proved)    (AlsPathLink *link, gpointer user_data);
  /* It ended before that. It frees itself afterwards. */
  void (*disproved) (AlsPathLink *link, AlsLinkEnd end, gpointer user_data);
} AlsPathLinkEvents;

/* CARRIER: (transfer none). CONFIG: role, secret, path id and who speaks first. ENGINE: this thread's
 * context. */
AlsPathLink *als_path_link_new        (AlsCarrier *carrier, const AlsLinkConfig *config,
                                       GMainContext *engine, const AlsPathLinkEvents *events,
                                       gpointer user_data);
/* At once; the session must not know the link any more. Not within its events. */
void         als_path_link_free       (AlsPathLink *self);
/* The same, as soon as the loop turns; no event after this. */
void         als_path_link_free_later (AlsPathLink *self);
AlsLink     *als_path_link_get_link   (AlsPathLink *self);
gboolean     als_path_link_is_proved  (AlsPathLink *self);
gboolean     als_path_link_is_lan     (AlsPathLink *self);
/* The remote endpoint as text. (nullable) */
const char  *als_path_link_get_remote (AlsPathLink *self);

G_END_DECLS
