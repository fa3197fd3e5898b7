/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* The rendezvous itself: numbers, tokens, joins that wait, meetings, pairs and
 * what they may relay. Pure: sees neither socket nor clock; what it decides is
 * done by the effects it is given. Messages go in as bytes, because the ones
 * for a partner go out as the same bytes. */

#pragma once

#include <glib.h>
#include <stdint.h>

#include "protocol/als-signal-message.h"

G_BEGIN_DECLS

typedef struct _AlsRendezvous AlsRendezvous;
/* One connection. */
typedef struct _AlsRendezvousPeer AlsRendezvousPeer;

/* Two queues out of a connection; the first is emptied first. */
typedef enum
{
  ALS_LANE_SIGNAL,
  ALS_LANE_RELAY,
} AlsLane;

typedef struct
{
  /* CONNECTION: what als_rendezvous_add () was given. None of these may call back. */
  void       (*send)         (gpointer connection, AlsLane lane, GBytes *message, gpointer user_data);
  /* Bytes of messages sent in LANE that have not left yet. */
  size_t     (*get_backlog)  (gpointer connection, AlsLane lane, gpointer user_data);
  /* After what was sent has left; als_rendezvous_remove () is still to be called. */
  void       (*close)        (gpointer connection, gpointer user_data);
  /* Unpredictable bytes. */
  void       (*random)       (uint8_t *out, size_t len, gpointer user_data);
  /* (element-type AlsIceServer) (transfer full) (nullable) */
  GPtrArray *(*make_servers) (gboolean with_turn, gpointer user_data);
} AlsRendezvousEffects;

typedef struct
{
  uint16_t heartbeat_s;
  uint32_t keep_s;          /* a number is kept this long for an inviter who is away */
  uint32_t join_wait_s;
  uint32_t meet_wait_s;
  uint32_t relay_rate;      /* bytes a second, each direction */
  uint32_t relay_backlog;   /* bytes */
  uint32_t join_burst;      /* joins of one address at once, ... */
  double join_interval_s;   /* ... then one in this time */
  uint32_t turn_burst;      /* the same for TURN logins; none: STUN servers only */
  double turn_interval_s;
  gboolean foreign_peers;   /* the TURN servers let in who has no allocation there: clients are told */
  uint32_t max_numbers;
} AlsRendezvousOptions;

void               als_rendezvous_options_init (AlsRendezvousOptions *options);

/* EFFECTS is borrowed. */
AlsRendezvous     *als_rendezvous_new          (const AlsRendezvousOptions *options,
                                                const AlsRendezvousEffects *effects, gpointer user_data,
                                                int64_t now_us);
/* All peers have been removed. */
void               als_rendezvous_free         (AlsRendezvous *self);
/* ADDRESS: what limits are counted by. */
AlsRendezvousPeer *als_rendezvous_add          (AlsRendezvous *self, gpointer connection, const char *address,
                                                int64_t now_us);
/* ADDRESS: in digits, where PEER comes from; without this call that is not known. */
void               als_rendezvous_set_origin   (AlsRendezvousPeer *peer, const char *address);
/* The connection is gone. */
void               als_rendezvous_remove       (AlsRendezvous *self, AlsRendezvousPeer *peer, int64_t now_us);
void               als_rendezvous_receive      (AlsRendezvous *self, AlsRendezvousPeer *peer,
                                                const uint8_t *data, size_t len, int64_t now_us);
/* Sends ERROR and closes: what the connection core found wrong. */
void               als_rendezvous_refuse       (AlsRendezvous *self, AlsRendezvousPeer *peer,
                                                AlsSignalCode code, const char *text, int64_t now_us);
/* INT64_MAX: nothing waits. */
int64_t            als_rendezvous_get_deadline (AlsRendezvous *self);
void               als_rendezvous_poll         (AlsRendezvous *self, int64_t now_us);
/* For log lines. */
guint              als_rendezvous_get_n_numbers (AlsRendezvous *self);
guint              als_rendezvous_get_n_pairs   (AlsRendezvous *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (AlsRendezvous, als_rendezvous_free)

G_END_DECLS
