/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* How fast and how much: a model of the path made of its delivery rate and its
 * smallest round trip, after BBR version 1 (Cardwell et al., ACM Queue 2016;
 * draft-cheng-iccrg-delivery-rate-estimation). Loss by itself does not slow it
 * down. One for the whole path, with the pacer. Bytes are UDP payload. Pure. */

#pragma once

#include <glib.h>
#include <stdint.h>

#include "transport/als-min-filter.h"

G_BEGIN_DECLS

typedef enum
{
  ALS_RATE_STARTUP,
  ALS_RATE_DRAIN,
  ALS_RATE_PROBE_BW,
  ALS_RATE_PROBE_RTT,
} AlsRateState;

#define ALS_RATE_FILTER_ROUNDS 10

/* What a packet in flight remembers of the moment it left. */
typedef struct
{
  int64_t sent_us;
  int64_t first_sent_us;
  int64_t delivered_us;
  uint64_t delivered;
  uint32_t size;
  gboolean app_limited;
} AlsRateMark;

typedef struct
{
  AlsRateState state;
  double pacing_gain, cwnd_gain;

  /* Delivery so far, and what the acknowledgement being read says. */
  uint64_t delivered;
  int64_t delivered_us;
  int64_t first_sent_us;
  uint64_t app_limited_until; /* the value of `delivered` that ends it; 0: not */
  AlsRateMark sample;
  gboolean sample_valid;
  uint64_t acked_now;
  uint64_t lost_now;

  /* The model. */
  double rounds_max[ALS_RATE_FILTER_ROUNDS]; /* bytes a second */
  guint filter_round;
  double bandwidth;                          /* bytes a second, 0: unknown */
  double latest_rate;                        /* of the latest sample */
  int64_t min_rtt_us;                        /* 0: unknown */
  int64_t min_rtt_stamp_us;
  AlsMinFilter unqueued_rtt;                 /* lately, without the queue on the way there */

  uint64_t next_round_delivered;
  gboolean round_start;
  uint64_t round_lost, round_acked;
  int64_t round_queue_us;                    /* the smallest in this round; INT64_MAX: none yet */
  gboolean round_app_limited;
  guint refuted_rounds;                      /* see check_estimate () */
  gboolean full_pipe;
  double full_bandwidth;
  guint full_rounds;
  guint cycle;
  int64_t cycle_start_us;
  gboolean lost_in_cycle;
  int64_t probe_rtt_end_us;                  /* 0: inflight has not come down yet */

  uint64_t inflight;
  uint64_t cwnd;
  double initial_rate, pacing_rate;          /* bytes a second */
  int64_t next_send_us;
} AlsRateControl;

/* RTT_US: a first idea of the round trip; 0 for none. */
void     als_rate_control_init        (AlsRateControl *self, int64_t rtt_us, int64_t now_us);
/* A packet leaves; MARK is to be kept with it. */
void     als_rate_control_sent        (AlsRateControl *self, AlsRateMark *mark, uint32_t size,
                                       int64_t now_us);
/* Something leaves that is neither acknowledged nor counted. */
void     als_rate_control_charge      (AlsRateControl *self, uint32_t size, int64_t now_us);
/* Each packet of an acknowledgement, then once _finish () with the round trip of the newest (0: none)
 * and how long it stood in a queue on the way there. LATE: it had been called lost. */
void     als_rate_control_acked       (AlsRateControl *self, const AlsRateMark *mark, gboolean late,
                                       int64_t now_us);
void     als_rate_control_lost        (AlsRateControl *self, const AlsRateMark *mark);
void     als_rate_control_finish      (AlsRateControl *self, int64_t rtt_us, int64_t queue_us,
                                       int64_t now_us);
/* It never left this machine. */
void     als_rate_control_unsent      (AlsRateControl *self, const AlsRateMark *mark);
/* There was room to send but nothing to send. */
void     als_rate_control_app_limited (AlsRateControl *self);

/* May another packet enter the path, as far as the amount in flight goes? */
gboolean als_rate_control_has_window  (const AlsRateControl *self);
/* When the pacer lets the next packet go. */
int64_t  als_rate_control_get_when    (const AlsRateControl *self);
/* ... and when a worthwhile burst of packets may go. */
int64_t  als_rate_control_get_wake_up (const AlsRateControl *self);
/* Bytes a second that the path is believed to carry, or may be tried with. */
uint64_t als_rate_control_get_rate    (const AlsRateControl *self);

G_END_DECLS
