/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* What to say to a rendezvous server and what may be heard from it: the
 * client's decisions. Sees neither socket nor clock. It outlives connections:
 * what was asked for is asked again on the next one.
 *
 * Messages cross. After UNPAIR (which also ends JOIN and MEET) the server may
 * have answered something older already, so a PING goes out behind it, and
 * answers that come before its PONG are stale. */

#pragma once

#include "base/als-bytes.h"
#include "protocol/als-signal-message.h"

G_BEGIN_DECLS

typedef enum
{
  ALS_SIGNAL_TALK_OFF,      /* no connection */
  ALS_SIGNAL_TALK_GREETING, /* HELLO is said */
  ALS_SIGNAL_TALK_OPEN,
} AlsSignalTalkState;

typedef enum
{
  ALS_SIGNAL_ASK_NOTHING,
  ALS_SIGNAL_ASK_JOIN,
  ALS_SIGNAL_ASK_MEET,
} AlsSignalAsk;

typedef enum
{
  ALS_SIGNAL_HEARD_NOTHING,
  ALS_SIGNAL_HEARD_WELCOME,
  ALS_SIGNAL_HEARD_REGISTERED,  /* message->number */
  ALS_SIGNAL_HEARD_WAITING,     /* message->keep_s */
  ALS_SIGNAL_HEARD_PAIRED,      /* message->servers and limits */
  ALS_SIGNAL_HEARD_MESSAGE,     /* message->payload */
  ALS_SIGNAL_HEARD_RELAY,       /* message->payload */
  ALS_SIGNAL_HEARD_RELAY_ENDED, /* the pairing stays */
  ALS_SIGNAL_HEARD_UNPAIRED,    /* message->reason */
  ALS_SIGNAL_HEARD_REFUSAL,     /* error; the connection stays */
  ALS_SIGNAL_HEARD_END,         /* error; the connection is to be closed */
} AlsSignalHeard;

typedef struct
{
  /* What is wanted, whatever the connection. */
  gboolean wants_number;
  gboolean has_token;
  uint8_t token[ALS_SIGNAL_TOKEN_BYTES];
  AlsSignalAsk ask;                       /* until paired, refused or cancelled */
  uint32_t ask_number;
  uint8_t meeting_id[ALS_SIGNAL_MEETING_BYTES];
  gboolean is_inviter;

  /* This connection. */
  AlsSignalTalkState state;
  gboolean is_paired;
  gboolean was_paired;
  gboolean has_unregistered;
  guint n_registers;                      /* REGISTER said, not answered */
  uint64_t next_cookie;
  uint64_t fence;                         /* cookie of the PING behind an UNPAIR; 0: none */
  gboolean paired_in_fence;
  int64_t beat_us;                        /* half a heartbeat */
  int64_t next_ping_us;
  int64_t silent_until_us;                /* without a word until then the server is dead */
  GQueue out;                             /* (element-type GBytes): to be sent, in order */
} AlsSignalTalk;

void           als_signal_talk_init         (AlsSignalTalk *self);
void           als_signal_talk_clear        (AlsSignalTalk *self);

/* Each may be called in any state. */
void           als_signal_talk_register     (AlsSignalTalk *self);
void           als_signal_talk_unregister   (AlsSignalTalk *self);
void           als_signal_talk_renumber     (AlsSignalTalk *self);
void           als_signal_talk_join         (AlsSignalTalk *self, uint32_t number);
void           als_signal_talk_meet         (AlsSignalTalk *self, const uint8_t *meeting_id,
                                             gboolean is_inviter);
void           als_signal_talk_cancel       (AlsSignalTalk *self);
void           als_signal_talk_unpair       (AlsSignalTalk *self);
/* TYPE: PEER_MESSAGE or RELAY. FALSE: not paired, empty or too long. */
gboolean       als_signal_talk_send         (AlsSignalTalk *self, AlsSignalType type,
                                             const uint8_t *data, size_t len);

/* The connection is there. NAME: of the software. */
void           als_signal_talk_open         (AlsSignalTalk *self, const char *name, int64_t now_us);
/* It is gone. TRUE: a pairing went with it. */
gboolean       als_signal_talk_lost         (AlsSignalTalk *self);
/* MESSAGE: set for what needs it. ERROR: set for REFUSAL and END, from ALS_SIGNAL_CLIENT_ERROR. */
AlsSignalHeard als_signal_talk_receive      (AlsSignalTalk *self, const uint8_t *data, size_t len,
                                             int64_t now_us, AlsSignalMessage **message,
                                             GError **error);
int64_t        als_signal_talk_get_deadline (const AlsSignalTalk *self);
/* The server may not be there any more: it is asked now, and has two seconds to answer. */
void           als_signal_talk_doubt        (AlsSignalTalk *self, int64_t now_us);
/* FALSE: the server has been silent for too long. */
gboolean       als_signal_talk_poll         (AlsSignalTalk *self, int64_t now_us);

G_END_DECLS
