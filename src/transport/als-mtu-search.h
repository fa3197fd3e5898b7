/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Finds the largest UDP payload a path carries: padded probes that the other
 * side answers, several sizes a round, largest first, beside the data and never
 * before it. What was confirmed is used; a path that swallows large packets
 * later is noticed and searched again from the bottom. Pure. */

#pragma once

#include <glib.h>
#include <stdint.h>

G_BEGIN_DECLS

/* Sizes are UDP payloads. Every path is taken to carry the smallest. */
#define ALS_MTU_BASE 512
#define ALS_MTU_MAX 1472

typedef struct
{
  uint32_t size;        /* confirmed; what packets may have */
  guint next;           /* index of the next size of this round */
  guint tries;          /* rounds begun */
  uint64_t acked_number; /* the latest packet over the base that arrived */
  guint lost_since;     /* ... and how many sent later are lost */
  int64_t deadline_us;  /* next probe, INT64_MAX: none */
} AlsMtuSearch;

void     als_mtu_search_init         (AlsMtuSearch *self, int64_t now_us);
/* The size of a probe to send now, or 0. RTT_US and RATE (bytes a second): 0 while unknown. */
uint32_t als_mtu_search_poll         (AlsMtuSearch *self, int64_t rtt_us, uint64_t rate,
                                      int64_t now_us);
int64_t  als_mtu_search_get_deadline (const AlsMtuSearch *self);
/* The other side got a probe of SIZE. */
void     als_mtu_search_confirmed    (AlsMtuSearch *self, uint32_t size);
/* What became of ordinary packets. TRUE: the size was given up, and is searched for again. */
void     als_mtu_search_acked        (AlsMtuSearch *self, uint32_t size, uint64_t number);
gboolean als_mtu_search_lost         (AlsMtuSearch *self, uint32_t size, uint64_t number,
                                      int64_t now_us);

G_END_DECLS
