/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* An average over the last seconds, weighted by time: what is older than the
 * time constant fades. */

#include "config.h"

#include "transfer/als-transfer-rate.h"

#include <math.h>

#define TIME_CONSTANT_US (3 * G_USEC_PER_SEC)
#define MIN_STEP_US (G_USEC_PER_SEC / 20)
/* Too early to tell how long it will take. */
#define SETTLE_US G_USEC_PER_SEC
/* Beyond that nobody wants a number. */
#define MAX_LEFT_S (100 * 3600)

void
als_transfer_rate_init (AlsTransferRate *self, int64_t now_us)
{
  *self = (AlsTransferRate){ .last_us = now_us, .started_us = now_us };
}

/* The average since the start for as long as that is shorter than the time constant. */
static double
smoothed (const AlsTransferRate *self, double sample, int64_t now_us)
{
  double step = (double) (now_us - self->last_us);
  double age = (double) (now_us - self->started_us);
  double weight = step >= age ? 1 : MAX (step / age, 1 - exp (-step / TIME_CONSTANT_US));

  return self->rate + (sample - self->rate) * weight;
}

void
als_transfer_rate_update (AlsTransferRate *self, uint64_t bytes, int64_t now_us)
{
  if (now_us - self->last_us < MIN_STEP_US || bytes < self->bytes)
    return;
  self->rate = smoothed (self,
                         (double) (bytes - self->bytes) * G_USEC_PER_SEC
                           / (double) (now_us - self->last_us),
                         now_us);
  self->bytes = bytes;
  self->last_us = now_us;
}

uint64_t
als_transfer_rate_get (const AlsTransferRate *self, int64_t now_us)
{
  /* A gap shorter than the time constant is ordinary: blocks come in lumps. */
  if (now_us - self->last_us < TIME_CONSTANT_US)
    return (uint64_t) self->rate;
  return (uint64_t) smoothed (self, 0, now_us);
}

int64_t
als_transfer_rate_get_left (const AlsTransferRate *self, uint64_t left, int64_t now_us)
{
  uint64_t rate = als_transfer_rate_get (self, now_us);

  if (left == 0)
    return 0;
  if (now_us - self->started_us < SETTLE_US || rate == 0 || left / rate >= MAX_LEFT_S)
    return -1;
  return (int64_t) ((left + rate - 1) / rate);
}
