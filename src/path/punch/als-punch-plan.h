/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* When to dial what, so that two TCP connections meet between two NATs. Pure:
 * no sockets, no clock. One plan on each side.
 *
 * Both tell each other their endpoints, at once and again when they learn more.
 * The inviter says GO; the joiner dials on receipt, the inviter half the
 * smallest round trip after sending. What is reset is dialled again after 15
 * to 45 ms; what is silent is the kernel's. A round lasts 5 s; there are three.
 * New endpoints begin a round beside the present one.
 *
 * With marks of a clock in place of GO nothing but endpoints is said, and rounds
 * repeat from mark to mark for as long as the plan lives. */

#pragma once

#include "path/als-path.h"
#include "path/punch/als-punch-sides.h"

G_BEGIN_DECLS

/* Numbers of dials are below this. */
#define ALS_PUNCH_MAX_DIALS 64

typedef struct _AlsPunchPlan AlsPunchPlan;

typedef struct
{
  gboolean is_inviter;
  gboolean loopback;     /* dial loopback addresses only */
  int64_t mark_us;       /* 0: GO */
  int64_t mark_step_us;
  guint32 seed;          /* of what is at random */
} AlsPunchPlanConfig;

typedef enum
{
  ALS_PUNCH_DO_SEND,
  ALS_PUNCH_DO_DIAL,     /* not before the former dial of that number has a result or was dropped */
  ALS_PUNCH_DO_DROP,     /* close that socket, if it is not connected */
  ALS_PUNCH_DO_FAIL,     /* the last action */
} AlsPunchActionType;

typedef struct
{
  AlsPunchActionType type;
  GBytes *message;        /* SEND: (transfer full) */
  guint dial;             /* DIAL, DROP: a small number that stands for the address */
  AlsStunAddress address; /* DIAL */
  AlsPathProblem problem; /* FAIL */
} AlsPunchAction;

typedef enum
{
  ALS_PUNCH_CONNECTED,
  ALS_PUNCH_REFUSED,      /* a reset, ICMP */
  ALS_PUNCH_BUSY,         /* there is a connection between these ends already */
  ALS_PUNCH_NO_ROUTE,     /* it could not even be sent */
} AlsPunchResult;

AlsPunchPlan *als_punch_plan_new          (const AlsPunchPlanConfig *config, int64_t now_us);
void          als_punch_plan_free         (AlsPunchPlan *self);
/* What this side knows of itself, each time all of it: HOST, PUBLIC (as each server saw it: several
 * of one address tell how the NAT chooses ports) and MAPPING. What does not fit is left out.
 * The first call begins. */
void          als_punch_plan_set_local    (AlsPunchPlan *self, const AlsPunchEndpoint *endpoints,
                                           guint n, gboolean is_settled, int64_t now_us);
/* From the other side. Malformed ones and too many are ignored. */
void          als_punch_plan_receive      (AlsPunchPlan *self, const uint8_t *data, size_t len,
                                           int64_t now_us);
void          als_punch_plan_dialled      (AlsPunchPlan *self, guint dial, AlsPunchResult result,
                                           int64_t now_us);
/* Somebody came in: a stranger, perhaps. */
void          als_punch_plan_accepted     (AlsPunchPlan *self, gboolean was_turned_away);
/* FALSE: nothing to do before the deadline. */
gboolean      als_punch_plan_take_action  (AlsPunchPlan *self, int64_t now_us,
                                           AlsPunchAction *action);
int64_t       als_punch_plan_get_deadline (const AlsPunchPlan *self);
void          als_punch_plan_get_report   (const AlsPunchPlan *self, AlsPathReport *report);
/* The other side has named this address, with whatever port. */
gboolean      als_punch_plan_knows        (const AlsPunchPlan *self, const AlsStunAddress *address);
/* A connection from LOCAL to REMOTE stays within one local network. */
gboolean      als_punch_plan_is_lan       (const AlsPunchPlan *self, const AlsStunAddress *local,
                                           const AlsStunAddress *remote);
/* How the NAT of either side chooses ports, as far as known. */
AlsPunchNat   als_punch_plan_get_nat      (const AlsPunchPlan *self, gboolean of_peer);
guint         als_punch_plan_get_n_rounds (const AlsPunchPlan *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (AlsPunchPlan, als_punch_plan_free)

G_END_DECLS
