/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* When a request is sent, sent again, and given up. Pure (RFC 8489, 6.2). */

#pragma once

#include <glib.h>
#include <stdint.h>

G_BEGIN_DECLS

typedef enum
{
  ALS_STUN_STEP_WAIT,
  ALS_STUN_STEP_SEND,    /* the same bytes as the first time */
  ALS_STUN_STEP_GIVE_UP, /* and nothing more */
} AlsStunStep;

typedef struct
{
  guint sends_left;
  guint last_wait;      /* in initial waits: how long to listen after the last send */
  int64_t first_wait_us;
  int64_t wait_us;      /* after the next send */
  int64_t due_us;       /* INT64_MAX: it is over */
} AlsStunTransaction;

/* RTO 500 ms, doubling, Rc 7, Rm 16: sent at 0, 0.5, 1.5 … 31.5 s, given up at 39.5 s. */
void        als_stun_transaction_init_udp     (AlsStunTransaction *self, int64_t now_us);
/* The same with other figures, where an answer is a question of less than 40 s. */
void        als_stun_transaction_init_custom  (AlsStunTransaction *self, int64_t rto_us,
                                               guint n_sends, guint last_wait, int64_t now_us);
/* Sent once, given up after Ti = 39.5 s. */
void        als_stun_transaction_init_tcp     (AlsStunTransaction *self, int64_t now_us);
/* What is due. After SEND ask again. */
AlsStunStep als_stun_transaction_poll         (AlsStunTransaction *self, int64_t now_us);
/* INT64_MAX when it is over. */
int64_t     als_stun_transaction_get_deadline (const AlsStunTransaction *self);

G_END_DECLS
