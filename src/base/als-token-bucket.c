/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#include "config.h"

#include "base/als-token-bucket.h"

#include <math.h>

void
als_token_bucket_init (AlsTokenBucket *self, double rate, double burst, int64_t now_us)
{
  self->rate = rate;
  self->burst = burst;
  self->tokens = burst;
  self->last_us = now_us;
}

static void
refill (AlsTokenBucket *self, int64_t now_us)
{
  if (now_us > self->last_us)
    {
      self->tokens = MIN (self->burst, self->tokens + self->rate * (now_us - self->last_us) / 1e6);
      self->last_us = now_us;
    }
}

void
als_token_bucket_set_rate (AlsTokenBucket *self, double rate, double burst, int64_t now_us)
{
  refill (self, now_us);
  self->rate = rate;
  self->burst = burst;
  self->tokens = MIN (self->tokens, burst);
}

gboolean
als_token_bucket_take (AlsTokenBucket *self, double amount, int64_t now_us)
{
  refill (self, now_us);
  if (self->tokens < amount)
    return FALSE;
  self->tokens -= amount;
  return TRUE;
}

void
als_token_bucket_force (AlsTokenBucket *self, double amount, int64_t now_us)
{
  refill (self, now_us);
  self->tokens -= amount;
}

int64_t
als_token_bucket_when (AlsTokenBucket *self, double amount, int64_t now_us)
{
  refill (self, now_us);
  amount = MIN (amount, self->burst);
  if (self->tokens >= amount)
    return now_us;
  if (self->rate <= 0)
    return INT64_MAX;
  return now_us + (int64_t) ceil ((amount - self->tokens) / self->rate * 1e6);
}
