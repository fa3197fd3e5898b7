/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Which server of the list is tried, and for how long. Pure: no sockets, no clock.
 *
 * The other side may be stuck at another server than we are: the first one was
 * down when it began. So whoever asks for somebody goes from server to server
 * while nobody is there. */

#pragma once

#include "base/als-backoff.h"
#include "signal/als-signal-talk.h"

G_BEGIN_DECLS

typedef struct
{
  guint n_servers;
  guint index;          /* of the server that is tried or used */
  guint n_failed;       /* attempts in a row */
  AlsBackoff backoff;
  int64_t welcomed_us;  /* 0: not connected */
  int64_t asked_us;     /* the question; 0: none since the last pairing */
  int64_t arrived_us;   /* the question, or WELCOME, whichever was later */
  int64_t waiting_us;   /* the first server that had nobody yet; 0: none so far */
  guint n_passed;       /* servers left behind since the question */
  gboolean was_refused; /* by one of them */
} AlsSignalRound;

void     als_signal_round_init  (AlsSignalRound *self, guint n_servers);
/* From the first server on. */
void     als_signal_round_start (AlsSignalRound *self);
/* How long an attempt may take. */
int64_t  als_signal_round_get_limit_us (const AlsSignalRound *self);
void     als_signal_round_welcomed (AlsSignalRound *self, int64_t now_us);
/* The connection, or the attempt at one, has ended. When the next one begins, to the server at `index`. */
int64_t  als_signal_round_failed   (AlsSignalRound *self, int64_t now_us);
/* JOIN or MEET was asked for. A meeting that is asked for again is the same question. */
void     als_signal_round_asked    (AlsSignalRound *self, AlsSignalAsk ask, int64_t now_us);
/* The question was answered, or taken back. */
void     als_signal_round_answered (AlsSignalRound *self);
/* The server knows nobody yet. */
void     als_signal_round_waits    (AlsSignalRound *self, int64_t now_us);
/* A server refused to bring us to the number. TRUE: another one may; see als_signal_round_move (). */
gboolean als_signal_round_refused  (AlsSignalRound *self);
/* When to look for the other side at the next server. TALK: what is asked, and whether somebody is there. */
int64_t  als_signal_round_get_deadline (const AlsSignalRound *self, const AlsSignalTalk *talk);
/* At the deadline. FALSE: the question ends here, nobody waits under the number anywhere. */
gboolean als_signal_round_may_move (const AlsSignalRound *self, const AlsSignalTalk *talk,
                                    int64_t now_us);
/* To the next server. */
void     als_signal_round_move     (AlsSignalRound *self);

G_END_DECLS
