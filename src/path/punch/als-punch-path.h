/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Punched paths: TCP simultaneous open, and UDP between a hard NAT and an easy
 * one in the birthday manner. When to dial what is AlsPunchPlan's to say; this
 * performs it.
 *
 * TCP yields STREAM carriers of kind direct-tcp, perhaps several; UDP one of
 * DATAGRAMS of kind direct-udp. A carrier may be a stranger's: only the hello
 * tells. After als_path_settle () nothing is dialled or listened for any more;
 * carriers live on by themselves. */

#pragma once

#include "path/als-path.h"
#include "path/portmap/als-port-mapper.h"
#include "path/turn/als-turn-pool.h"

G_BEGIN_DECLS

#define ALS_TYPE_PUNCH_PATH (als_punch_path_get_type ())
G_DECLARE_FINAL_TYPE (AlsPunchPath, als_punch_path, ALS, PUNCH_PATH, AlsPath)

typedef struct
{
  gboolean is_inviter;
  gboolean is_udp;
  gboolean loopback;         /* tests: 127.0.0.1 and ::1 only */
  AlsTurnPool *pool;         /* TCP: local port and public endpoints. UDP: unused */
  AlsPortMapper *mapper;     /* (nullable) */
  GPtrArray *servers;        /* UDP: (element-type AlsPathServer) to learn endpoints from, copied */
  /* Without a signalling path (pasted invitations): both dial at each MARK_US + n × MARK_STEP_US of
   * g_get_monotonic_time () instead of at the inviter's GO. 0: GO. */
  int64_t mark_us;
  int64_t mark_step_us;
  /* UDP, where the other side can only be told what it knows from a former path: */
  uint16_t udp_port;         /* local; 0, or taken: any */
  const uint8_t *udp_secret; /* ALS_PUNCH_SECRET_BYTES, copied; NULL: a new one */
} AlsPunchPathConfig;

AlsPath *als_punch_path_new (const AlsPunchPathConfig *config);

G_END_DECLS
