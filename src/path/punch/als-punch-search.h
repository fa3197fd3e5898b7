/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* How two UDP sockets find each other through NATs, in the birthday manner
 * where one of the NATs is hard. Pure: no sockets, no clock. One on each side.
 *
 * Both tell each other endpoints and how their NATs choose ports, and then
 * probe: every known endpoint at once and again; and where one side's ports
 * are anybody's guess, that side opens 256 sockets which each greet the other's
 * endpoint, while the other tries up to 2,048 ports of the first one's address.
 * Two guesses meet after 250 tries on average. All is paced.
 *
 * A pair of endpoints works when an answer repeats our own nonce. The inviter
 * nominates the first such pair; both are connected once the joiner accepts. */

#pragma once

#include "path/als-path.h"
#include "path/punch/als-punch-probe.h"
#include "path/punch/als-punch-sides.h"

G_BEGIN_DECLS

/* Numbers of sockets: the first of either family, and then the many. */
#define ALS_PUNCH_SOCKET_IPV4 0
#define ALS_PUNCH_SOCKET_IPV6 1
#define ALS_PUNCH_FIRST_OF_MANY 2
#define ALS_PUNCH_N_MANY 256
#define ALS_PUNCH_N_SOCKETS (ALS_PUNCH_FIRST_OF_MANY + ALS_PUNCH_N_MANY)

typedef struct _AlsPunchSearch AlsPunchSearch;

typedef struct
{
  gboolean is_inviter;
  gboolean loopback;     /* probe loopback addresses only */
  int64_t mark_us;       /* not before it; and no giving up. 0: as soon as both sides are known */
  guint32 seed;
  uint8_t secret[ALS_PUNCH_SECRET_BYTES]; /* random: this side's half of the key */
} AlsPunchSearchConfig;

typedef enum
{
  ALS_PUNCH_SEARCH_SEND,      /* a message for the other half */
  ALS_PUNCH_SEARCH_PROBE,     /* a packet from a socket, which is made now if it is not there */
  ALS_PUNCH_SEARCH_CONNECTED, /* the last action but packets */
  ALS_PUNCH_SEARCH_FAIL,      /* the last action */
} AlsPunchSearchActionType;

typedef struct
{
  AlsPunchSearchActionType type;
  GBytes *message;            /* SEND: (transfer full) */
  guint socket;               /* PROBE, CONNECTED */
  AlsStunAddress address;     /* PROBE, CONNECTED: the other end */
  uint8_t packet[ALS_PUNCH_PROBE_BYTES]; /* PROBE */
  AlsPathProblem problem;     /* FAIL */
} AlsPunchSearchAction;

AlsPunchSearch *als_punch_search_new          (const AlsPunchSearchConfig *config, int64_t now_us);
/* Wipes the secrets. */
void            als_punch_search_free         (AlsPunchSearch *self);
/* What this side knows of its first sockets, each time all of it (see als_punch_plan_set_local ()). */
void            als_punch_search_set_local    (AlsPunchSearch *self,
                                               const AlsPunchEndpoint *endpoints, guint n,
                                               gboolean is_settled, int64_t now_us);
/* A message from the other half. */
void            als_punch_search_receive      (AlsPunchSearch *self, const uint8_t *data, size_t len,
                                               int64_t now_us);
/* A packet that came to a socket. FALSE: it was not the other side's. */
gboolean        als_punch_search_packet       (AlsPunchSearch *self, guint socket,
                                               const AlsStunAddress *from, const uint8_t *data,
                                               size_t len, int64_t now_us);
gboolean        als_punch_search_take_action  (AlsPunchSearch *self, int64_t now_us,
                                               AlsPunchSearchAction *action);
int64_t         als_punch_search_get_deadline (const AlsPunchSearch *self);
void            als_punch_search_get_report   (const AlsPunchSearch *self, AlsPathReport *report);
/* A connection from LOCAL to REMOTE stays within one local network. */
gboolean        als_punch_search_is_lan       (const AlsPunchSearch *self,
                                               const AlsStunAddress *local,
                                               const AlsStunAddress *remote);
/* After CONNECTED: the key, and the joiner's ACCEPT for that pair, which may have to be said again. */
void            als_punch_search_get_parting  (const AlsPunchSearch *self, uint8_t *key,
                                               uint8_t *accept);
AlsPunchNat     als_punch_search_get_nat      (const AlsPunchSearch *self, gboolean of_peer);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (AlsPunchSearch, als_punch_search_free)

G_END_DECLS
