/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Two AlsIcePaths in one process, each given the other's messages, and what
 * their carriers received, seen from the main thread. */

#pragma once

#include "path/ice/als-ice-path.h"

G_BEGIN_DECLS

typedef struct _AlsIceEnd AlsIceEnd;

struct _AlsIceEnd
{
  AlsIceEnd *peer;
  AlsPath *path;
  AlsCarrier *carrier;      /* once connected */
  GError *error;            /* once failed */
  guint n_messages;         /* local-message */
  guint n_mapped;           /* of these: candidates of a port mapping */
  gboolean mute;            /* local messages are kept from the peer */
  int listening;            /* atomic: connected, and events set */
  int n_received;           /* atomic */
  int n_bad;                /* atomic: received and not what was sent */
  int closed;               /* atomic: the carrier broke */
};

typedef gboolean (*AlsIceCondition) (gpointer user_data);

void als_ice_end_open   (AlsIceEnd *self, AlsIceEnd *peer, const AlsIcePathConfig *config);
/* Closes the path, drops the carrier. */
void als_ice_end_clear  (AlsIceEnd *self);
/* N packets of between LEN_MIN and LEN_MAX bytes, as one call in the carrier's thread. */
void als_ice_end_send   (AlsIceEnd *self, guint n, size_t len_min, size_t len_max);
/* Iterates the main context until CONDITION holds; aborts the test after a while. */
void als_ice_wait       (AlsIceCondition condition, gpointer user_data, guint seconds,
                         const char *what);
gboolean als_ice_is_connected   (gpointer end);
gboolean als_ice_has_failed     (gpointer end);
gboolean als_ice_no_threads     (gpointer unused);
/* Sends N packets, some at a time, until all have arrived. */
void als_ice_end_exchange (AlsIceEnd *self, guint n, guint batch, size_t len_min, size_t len_max);

G_END_DECLS
