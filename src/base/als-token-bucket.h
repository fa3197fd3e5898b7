/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* A token bucket: RATE units a second, BURST at the most at once. Pure. */

#pragma once

#include <glib.h>
#include <stdint.h>

G_BEGIN_DECLS

typedef struct
{
  double rate;      /* units per second */
  double burst;     /* units */
  double tokens;    /* may be negative after als_token_bucket_force () */
  int64_t last_us;
} AlsTokenBucket;

void     als_token_bucket_init     (AlsTokenBucket *self, double rate, double burst, int64_t now_us);
void     als_token_bucket_set_rate (AlsTokenBucket *self, double rate, double burst, int64_t now_us);
/* TRUE and taken if AMOUNT is there; else FALSE and nothing taken. */
gboolean als_token_bucket_take     (AlsTokenBucket *self, double amount, int64_t now_us);
/* Taken in any case; the debt is paid off first. */
void     als_token_bucket_force    (AlsTokenBucket *self, double amount, int64_t now_us);
/* When AMOUNT (at most BURST) will be there. */
int64_t  als_token_bucket_when     (AlsTokenBucket *self, double amount, int64_t now_us);

G_END_DECLS
