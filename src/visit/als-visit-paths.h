/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* The paths of one visit: turns pairings and ICE attempts into links of its
 * session, tries again after a failure or a death, and ends what is over.
 * Engine thread.
 *
 * The inviter begins every attempt and gives it its number; the joiner follows.
 * Path ids: role bit and a counter, never reused. */

#pragma once

#include <gio/gio.h>
#include "path/als-carrier.h"
#include "session/als-session.h"

G_BEGIN_DECLS

typedef struct _AlsVisitPaths AlsVisitPaths;

typedef struct
{
  AlsRole role;
  const uint8_t *session_secret; /* copied */
  guint allowed_kinds;           /* set of 1 << AlsPathKind */
  gboolean loopback;             /* 127.0.0.1 only */
  AlsSession *session;           /* borrowed, outlives it */
  /* Sends BYTES (an AlsPeerMessage) sealed to the other side; FALSE: no way now. */
  gboolean (*send_peer) (GBytes *bytes, gpointer user_data);
  gpointer user_data;
} AlsVisitPathsConfig;

AlsVisitPaths *als_visit_paths_new          (const AlsVisitPathsConfig *config);
/* Frees all links; the session must not be used after, but to be freed. */
void           als_visit_paths_free         (AlsVisitPaths *self);
/* Signalling works (again): RELAY is the path through the server (transfer full) (nullable), SERVERS
 * (element-type AlsIceServer) (nullable) help with the others. */
void           als_visit_paths_paired       (AlsVisitPaths *self, AlsCarrier *relay,
                                             GPtrArray *servers);
void           als_visit_paths_unpaired     (AlsVisitPaths *self);
void           als_visit_paths_message      (AlsVisitPaths *self, AlsPathKind kind, uint32_t attempt,
                                             const uint8_t *payload, size_t len);
void           als_visit_paths_peer_failed  (AlsVisitPaths *self, AlsPathKind kind,
                                             uint32_t attempt);
void           als_visit_paths_set_allowed  (AlsVisitPaths *self, guint kinds);
/* FALSE: this pairing's relay has ended, or there was none. */
gboolean       als_visit_paths_has_relay    (AlsVisitPaths *self);
/* The link's remote endpoint as text. (nullable) */
const char    *als_visit_paths_get_remote   (AlsVisitPaths *self, AlsLink *link);
/* From the session's `link_gone`. */
void           als_visit_paths_link_gone    (AlsVisitPaths *self, AlsLink *link);

G_END_DECLS
