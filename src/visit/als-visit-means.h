/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* What a visit's attempts are made of: the servers it knows, and what it asked
 * of them and of the router. Says which methods are possible here and now, and
 * makes our half of an attempt. Engine thread. */

#pragma once

#include "path/als-path-server.h"
#include "path/als-path.h"
#include "visit/als-connection-report.h"

G_BEGIN_DECLS

typedef struct
{
  gboolean is_inviter;
  gboolean loopback;          /* 127.0.0.1 and ::1 only */
} AlsVisitMeansConfig;

typedef struct _AlsVisitMeans AlsVisitMeans;

AlsVisitMeans *als_visit_means_new         (const AlsVisitMeansConfig *config);
void           als_visit_means_free        (AlsVisitMeans *self);
/* Of a new pairing. SERVERS: (element-type AlsPathServer) (transfer none). */
void           als_visit_means_set_servers (AlsVisitMeans *self, GPtrArray *servers);
/* Whether METHOD can be tried at all; *PROBLEM: why not. */
gboolean       als_visit_means_can         (AlsVisitMeans *self, AlsPathMethod method,
                                            AlsPathProblem *problem);
/* Our half of an attempt, not started. (transfer full) */
AlsPath       *als_visit_means_make_path   (AlsVisitMeans *self, AlsPathMethod method);

G_END_DECLS
