/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#include "config.h"

#include "transport/als-mtu-search.h"

/* A size that stays silent this often is not to be had. */
#define MAX_TRIES 10
#define PROBE_SPACING_US (10 * 1000)
/* Probes take no more than one part in so many of what the path carries. */
#define PROBE_SHARE 16
#define MIN_ROUND_US (100 * 1000)
/* So many packets over the base lost, and no later one got through: a black hole. */
#define MAX_LOST_SINCE 8
/* After a black hole the path may be dead for a moment altogether. */
#define BLACK_HOLE_REST_US (100 * 1000)

/* Ethernet over IPv4; with PPPoE or over IPv6; tunnels; the IPv6 minimum; older ones. */
static const uint32_t sizes[] = { 1472, 1452, 1440, 1420, 1400, 1372, 1350, 1280, 1252, 1232,
                                  1200, 1152, 1024, 900, 700 };

void
als_mtu_search_init (AlsMtuSearch *self, int64_t now_us)
{
  *self = (AlsMtuSearch){ .size = ALS_MTU_BASE, .deadline_us = now_us };
}

uint32_t
als_mtu_search_poll (AlsMtuSearch *self, int64_t rtt_us, uint64_t rate, int64_t now_us)
{
  uint32_t size;

  if (now_us < self->deadline_us)
    return 0;
  if (self->next == 0)
    self->tries++;
  if (self->size >= sizes[0] || self->tries > MAX_TRIES)
    {
      self->deadline_us = INT64_MAX;
      return 0;
    }
  size = sizes[self->next++];
  if (self->next < G_N_ELEMENTS (sizes) && sizes[self->next] > self->size)
    {
      self->deadline_us = now_us + PROBE_SPACING_US;
      if (rate > 0)
        self->deadline_us = MAX (self->deadline_us,
                                 now_us + PROBE_SHARE * size * G_USEC_PER_SEC / (int64_t) rate);
    }
  else
    {
      self->next = 0;
      self->deadline_us = now_us + MAX (MIN_ROUND_US, 2 * rtt_us);
    }
  /* Something larger was confirmed during the round. */
  return size > self->size ? size : 0;
}

int64_t
als_mtu_search_get_deadline (const AlsMtuSearch *self)
{
  return self->deadline_us;
}

void
als_mtu_search_confirmed (AlsMtuSearch *self, uint32_t size)
{
  if (size <= self->size || size > ALS_MTU_MAX)
    return;
  self->size = size;
  self->lost_since = 0;
  if (size == sizes[0])
    self->deadline_us = INT64_MAX;
}

void
als_mtu_search_acked (AlsMtuSearch *self, uint32_t size, uint64_t number)
{
  if (size <= ALS_MTU_BASE || number < self->acked_number)
    return;
  self->acked_number = number;
  self->lost_since = 0;
}

gboolean
als_mtu_search_lost (AlsMtuSearch *self, uint32_t size, uint64_t number, int64_t now_us)
{
  /* Ordinary loss is noticed by something later of such a size; and of sizes given up already
   * nothing is to be learned. */
  if (size <= ALS_MTU_BASE || size > self->size || number < self->acked_number
      || ++self->lost_since < MAX_LOST_SINCE)
    return FALSE;
  als_mtu_search_init (self, now_us + BLACK_HOLE_REST_US);
  self->acked_number = number;
  return TRUE;
}
