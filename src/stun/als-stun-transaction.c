/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#define G_LOG_DOMAIN "als-stun"

#include "config.h"

#include "stun/als-stun-transaction.h"

/* RFC 8489, 6.2.1 and 6.2.2. */
#define RTO_US (500 * 1000)
#define RC 7
#define RM 16
#define TI_US ((int64_t) 39500 * 1000)

void
als_stun_transaction_init_custom (AlsStunTransaction *self, int64_t rto_us, guint n_sends,
                                  guint last_wait, int64_t now_us)
{
  self->sends_left = n_sends;
  self->last_wait = last_wait;
  self->first_wait_us = rto_us;
  self->wait_us = rto_us;
  self->due_us = now_us;
}

void
als_stun_transaction_init_udp (AlsStunTransaction *self, int64_t now_us)
{
  als_stun_transaction_init_custom (self, RTO_US, RC, RM, now_us);
}

void
als_stun_transaction_init_tcp (AlsStunTransaction *self, int64_t now_us)
{
  als_stun_transaction_init_custom (self, TI_US, 1, 1, now_us);
}

AlsStunStep
als_stun_transaction_poll (AlsStunTransaction *self, int64_t now_us)
{
  if (now_us < self->due_us)
    return ALS_STUN_STEP_WAIT;
  if (self->due_us == INT64_MAX)
    return ALS_STUN_STEP_WAIT;
  if (self->sends_left == 0)
    {
      self->due_us = INT64_MAX;
      return ALS_STUN_STEP_GIVE_UP;
    }
  self->sends_left--;
  /* From now, not from when it was due: a computer that slept must not send all at once. */
  self->due_us = now_us + (self->sends_left > 0 ? self->wait_us
                                                : self->first_wait_us * self->last_wait);
  self->wait_us *= 2;
  return ALS_STUN_STEP_SEND;
}

int64_t
als_stun_transaction_get_deadline (const AlsStunTransaction *self)
{
  return self->due_us;
}
