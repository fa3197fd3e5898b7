/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* A rate for people: smoothed, falling while nothing comes. Pure. */

#pragma once

#include <glib.h>
#include <stdint.h>

G_BEGIN_DECLS

typedef struct
{
  double rate;          /* bytes a second */
  uint64_t bytes;       /* at last_us */
  int64_t last_us;
  int64_t started_us;
} AlsTransferRate;

void     als_transfer_rate_init     (AlsTransferRate *self, int64_t now_us);
/* BYTES: done so far, ever. */
void     als_transfer_rate_update   (AlsTransferRate *self, uint64_t bytes, int64_t now_us);
uint64_t als_transfer_rate_get      (const AlsTransferRate *self, int64_t now_us);
/* For LEFT more bytes; -1 while it cannot be told. */
int64_t  als_transfer_rate_get_left (const AlsTransferRate *self, uint64_t left, int64_t now_us);

G_END_DECLS
