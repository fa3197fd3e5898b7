/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* The paths of one visit: every way of reaching the other side is tried side
 * by side, what proves itself becomes a link of the session, what fails or dies
 * is tried again, and what is over is ended. Engine thread.
 *
 * One attempt a method at a time. The inviter begins each and gives it its
 * number; the joiner makes the other half. An attempt may yield several links:
 * the inviter keeps one of them, the joiner whatever the inviter does not leave.
 * Path ids: role bit and a counter, never reused. */

#pragma once

#include <gio/gio.h>
#include "path/als-carrier.h"
#include "protocol/als-peer-message.h"
#include "session/als-session.h"
#include "visit/als-connection-report.h"
#include "visit/als-visit-means.h"

G_BEGIN_DECLS

typedef struct _AlsVisitPaths AlsVisitPaths;

typedef struct
{
  AlsRole role;
  const uint8_t *session_secret; /* copied */
  guint allowed_kinds;           /* set of 1 << AlsPathKind */
  AlsVisitMeans *means;          /* borrowed, outlives it */
  AlsSession *session;           /* borrowed, outlives it */
  /* Sends BYTES (an AlsPeerMessage) sealed to the other side; FALSE: no way now. */
  gboolean (*send_peer) (GBytes *bytes, gpointer user_data);
  gpointer user_data;
} AlsVisitPathsConfig;

AlsVisitPaths *als_visit_paths_new          (const AlsVisitPathsConfig *config);
/* Frees all links; the session must not be used after, but to be freed. */
void           als_visit_paths_free         (AlsVisitPaths *self);
/* The two can talk (again): RELAY is the path through who brought them together (transfer full)
 * (nullable), METHOD SIGNAL_RELAY or LAN. What has no link is tried at once. */
void           als_visit_paths_paired       (AlsVisitPaths *self, AlsPathMethod method,
                                             AlsCarrier *relay);
/* The two can talk, by what means ever. */
void           als_visit_paths_reachable    (AlsVisitPaths *self);
/* The visit ends: nothing begins any more. */
void           als_visit_paths_pause        (AlsVisitPaths *self);
/* The two cannot talk at the moment: nothing is begun that one side would have to tell the other. Attempts
 * under way end; they begin again with als_visit_paths_reachable (). */
void           als_visit_paths_part         (AlsVisitPaths *self);
/* One that was good, at least, and is not closed yet. */
gboolean       als_visit_paths_has_link     (AlsVisitPaths *self);
/* It may still come to something. */
gboolean       als_visit_paths_is_trying    (AlsVisitPaths *self, AlsPathMethod method);
/* PATH: (transfer full): under way without a word, as both sides know; started or not. */
void           als_visit_paths_adopt        (AlsVisitPaths *self, AlsPathMethod method, AlsPath *path);
/* Here or there. What works stays, until its own signs of life say otherwise. */
void           als_visit_paths_network_changed (AlsVisitPaths *self);
/* A PATH, PATH_BEGIN, PATH_FAILED or MOVED. */
void           als_visit_paths_message      (AlsVisitPaths *self, const AlsPeerMessage *message);
void           als_visit_paths_set_allowed  (AlsVisitPaths *self, guint kinds);
/* FALSE: this pairing's relay has ended, or there was none. */
gboolean       als_visit_paths_has_relay    (AlsVisitPaths *self);
/* The link's remote endpoint as text. (nullable) */
const char    *als_visit_paths_get_remote   (AlsVisitPaths *self, AlsLink *link);
/* From the session's `link_gone`. */
void           als_visit_paths_link_gone    (AlsVisitPaths *self, AlsLink *link);
/* Now and then. IN_USE: the kind that the session sends on. */
void           als_visit_paths_tick         (AlsVisitPaths *self, AlsPathKind in_use);
/* Fills in the attempts, best first. CURRENT: (nullable): the link that the session sends on. */
void           als_visit_paths_report       (AlsVisitPaths *self, AlsLink *current, AlsPathKind in_use,
                                             AlsConnectionReport *report);

G_END_DECLS
