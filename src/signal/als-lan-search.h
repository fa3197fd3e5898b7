/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Finding the other side on a local network: when to announce or ask, what to
 * answer, whom to dial. Sees neither socket nor clock.
 *
 * Both sides learn the other's endpoint and dial at once, so that a firewall
 * that only lets answers in is passed on either side or on both. What is heard
 * proves little (a number can be guessed, a datagram repeated): so it only
 * leads to a bounded number of connections, and the code is proved above. */

#pragma once

#include "base/als-token-bucket.h"
#include "signal/als-lan-message.h"

G_BEGIN_DECLS

#define ALS_LAN_MAX_CANDIDATES 8
#define ALS_LAN_MAX_SOURCES 32

typedef struct
{
  gboolean is_v6;
  uint16_t port;
  uint32_t scope;    /* of a link-local IPv6 address: the interface; else 0 */
  uint8_t ip[16];    /* IPv4 in the first four */
} AlsLanEndpoint;

typedef enum
{
  ALS_LAN_CANDIDATE_NONE,
  ALS_LAN_CANDIDATE_DUE,     /* is dialled at due_us */
  ALS_LAN_CANDIDATE_DIALLING,
  ALS_LAN_CANDIDATE_UP,      /* there is a connection */
  ALS_LAN_CANDIDATE_RESTING, /* led nowhere: not again before due_us */
} AlsLanCandidateState;

typedef struct
{
  AlsLanEndpoint endpoint;
  AlsLanCandidateState state;
  int64_t due_us;
  int64_t give_up_us;
} AlsLanCandidate;

/* Somebody who was heard. */
typedef struct
{
  AlsLanEndpoint endpoint;   /* the port does not count */
  int64_t heard_us;          /* 0: an empty place */
  AlsTokenBucket checks, answers;
} AlsLanSource;

typedef struct
{
  gboolean is_on;
  gboolean is_inviter;
  gboolean is_patient;       /* waits for somebody who may come at any time: says little */
  AlsLanTopic topic;
  guint n_said;              /* since the last start or restart */
  int64_t next_say_us;
  int64_t restarted_us;
  AlsTokenBucket checks;     /* of tags, whoever they are from */
  AlsTokenBucket answers;
  AlsLanSource sources[ALS_LAN_MAX_SOURCES];
  AlsLanCandidate candidates[ALS_LAN_MAX_CANDIDATES];
} AlsLanSearch;

typedef enum
{
  ALS_LAN_DIAL_UP,
  ALS_LAN_DIAL_REFUSED, /* an answer that said no: the other side may be a moment behind */
  ALS_LAN_DIAL_IN_VAIN, /* no answer in time, or whoever is there is not whom we look for */
} AlsLanDialResult;

gboolean als_lan_endpoint_equal       (const AlsLanEndpoint *a, const AlsLanEndpoint *b);

void     als_lan_search_start         (AlsLanSearch *self, const AlsLanTopic *topic,
                                       gboolean is_inviter, gboolean is_patient, int64_t now_us);
void     als_lan_search_stop          (AlsLanSearch *self);
/* The network has changed: as at the start. */
void     als_lan_search_restart       (AlsLanSearch *self, int64_t now_us);
int64_t  als_lan_search_get_deadline  (const AlsLanSearch *self);
/* TRUE: ANNOUNCE (inviter) or ASK (joiner) is to be said now, on every interface. */
gboolean als_lan_search_take_say      (AlsLanSearch *self, int64_t now_us);
/* A candidate to be dialled now, or -1; als_lan_search_dialled () is owed then. */
int      als_lan_search_take_dial     (AlsLanSearch *self, int64_t now_us);
void     als_lan_search_dialled       (AlsLanSearch *self, guint candidate, AlsLanDialResult result,
                                       int64_t now_us);
/* What the end of a connection that did not become the pairing was: REASON is its errno, 0 if the other
 * side closed it; WAS_WELCOME: after the other side had shown that it knows the topic. */
AlsLanDialResult als_lan_search_judge_end (int reason, gboolean was_welcome);
/* A datagram from FROM. TRUE: it is to be answered with our ANNOUNCE or ASK. */
gboolean als_lan_search_hear          (AlsLanSearch *self, const AlsLanMessage *message,
                                       const AlsLanEndpoint *from, int64_t now_us);
/* The candidate with this endpoint, or -1. */
int      als_lan_search_find          (const AlsLanSearch *self, const AlsLanEndpoint *endpoint);

G_END_DECLS
