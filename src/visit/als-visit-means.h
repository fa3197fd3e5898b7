/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* What a visit's attempts are made of: the servers it knows, what they told us
 * and gave us, and the router's mappings. Says which methods are possible here
 * and now, and makes our half of an attempt. Engine thread. */

#pragma once

#include "path/als-network-probe.h"
#include "path/als-path.h"
#include "path/turn/als-turn-pool.h"
#include "visit/als-connection-report.h"

G_BEGIN_DECLS

typedef struct
{
  gboolean is_inviter;
  gboolean loopback;          /* 127.0.0.1 and ::1 only */
  GPtrArray *servers;         /* (element-type AlsPathServer) (nullable): of the settings, copied */
  uint16_t local_port;        /* TCP; 0: any */
  gboolean no_port_mapping;
  GProxyResolver *proxies;    /* (nullable): the system's */
  GTlsDatabase *trust;        /* (nullable): the system's */
} AlsVisitMeansConfig;

/* When both sides try without a word to each other; see AlsPunchPathConfig. */
typedef struct
{
  int64_t mark_us;
  int64_t mark_step_us;
  uint16_t udp_port;
  const uint8_t *udp_secret;  /* (nullable) */
} AlsVisitMarks;

typedef struct _AlsVisitMeans AlsVisitMeans;

AlsVisitMeans *als_visit_means_new             (const AlsVisitMeansConfig *config);
void           als_visit_means_free            (AlsVisitMeans *self);
/* Of a new pairing, before those of the settings; connects to them. SERVERS: (element-type AlsPathServer)
 * (transfer none). */
void           als_visit_means_set_servers     (AlsVisitMeans *self, GPtrArray *servers);
/* The pairing's TURN servers let in who has no allocation there. ORIGIN: (nullable): the address we come
 * from, in digits. For paths made from now on. */
void           als_visit_means_set_foreign_peers (AlsVisitMeans *self, gboolean foreign_peers,
                                                  const char *origin);
/* All of them. (element-type AlsPathServer) (transfer none) */
GPtrArray     *als_visit_means_get_servers     (AlsVisitMeans *self);
void           als_visit_means_network_changed (AlsVisitMeans *self);
/* Whether METHOD can be tried at all; *PROBLEM: why not. */
gboolean       als_visit_means_can             (AlsVisitMeans *self, AlsPathMethod method,
                                                AlsPathProblem *problem);
/* Our half of an attempt, not started. (transfer full) */
AlsPath       *als_visit_means_make_path       (AlsVisitMeans *self, AlsPathMethod method);
/* Our half of a punch without anybody to say GO. (transfer full) */
AlsPath       *als_visit_means_make_marked_punch (AlsVisitMeans *self, AlsPathMethod method,
                                                  const AlsVisitMarks *marks);
/* Of TCP; 0: none yet. */
uint16_t       als_visit_means_get_local_port  (AlsVisitMeans *self);
/* (transfer none) (nullable) */
AlsPortMapper *als_visit_means_get_mapper      (AlsVisitMeans *self);

G_END_DECLS
