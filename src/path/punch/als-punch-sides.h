/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* What the two sides of a punch know of each other, over TCP and UDP alike:
 * endpoints, and how the NATs choose ports. Pure. */

#pragma once

#include "path/punch/als-punch-message.h"

G_BEGIN_DECLS

/* Plain data: all zero is nothing known. */
typedef struct
{
  AlsPunchEndpoint local[ALS_PUNCH_MAX_ENDPOINTS];
  guint n_local;
  gboolean has_local, local_is_settled;
  AlsPunchNat local_nat;
  AlsPunchMessage told;   /* our last ENDPOINTS */
  gboolean has_told;

  AlsPunchMessage remote; /* its last ENDPOINTS */
  gboolean has_remote;
  guint n_messages;       /* that came */
} AlsPunchSides;

/* What does not fit is left out. NEXT: (out): as of als_punch_judge_nat (). */
void     als_punch_sides_set_local (AlsPunchSides *self, const AlsPunchEndpoint *endpoints, guint n,
                                    gboolean is_settled, AlsPunchEndpoint *next);
/* An ENDPOINTS message: NEXT, where our NAT is sequential, and then those that lead furthest. */
void     als_punch_sides_fill      (const AlsPunchSides *self, const AlsPunchEndpoint *next,
                                    AlsPunchMessage *message);
/* The peer has just this already. */
gboolean als_punch_sides_has_told  (const AlsPunchSides *self, const AlsPunchMessage *message);
/* What came from the peer. FALSE: it is malformed, or MOST of them have come: ignore it. */
gboolean als_punch_sides_read      (AlsPunchSides *self, guint most, const uint8_t *data, size_t len,
                                    AlsPunchMessage *message);

/* Nothing more is being asked, here or there. */
gboolean als_punch_sides_are_settled  (const AlsPunchSides *self);
/* Both are behind one NAT, or are one machine. */
gboolean als_punch_sides_share_public (const AlsPunchSides *self);
/* Both NATs choose ports that cannot be foretold. Two that take the next port each time still meet:
 * both go in the order of the ports. */
gboolean als_punch_sides_are_unpredictable (const AlsPunchSides *self);
/* One of our endpoints. */
gboolean als_punch_sides_is_own       (const AlsPunchSides *self, const AlsStunAddress *address);
/* A connection from LOCAL to REMOTE stays within one local network. */
gboolean als_punch_sides_is_lan       (const AlsPunchSides *self, const AlsStunAddress *local,
                                       const AlsStunAddress *remote);

/* What OBSERVED, the PUBLIC endpoints among them, tell of the NAT: of IPv4, as seen by several
 * servers. NEXT: (out): the port of the next new destination, where it is sequential, with its
 * step. */
AlsPunchNat als_punch_judge_nat   (const AlsPunchEndpoint *observed, guint n, AlsPunchEndpoint *next);
/* Another port for each destination. */
gboolean    als_punch_nat_is_hard (AlsPunchNat nat);

G_END_DECLS
