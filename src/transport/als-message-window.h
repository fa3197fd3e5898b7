/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* How much may be under way on a link over ordered messages, told by what the
 * acknowledgements show. Loss is nothing to go by there, delay is: the window
 * grows while the queue below stays short, and gives back what is beyond. Pure. */

#pragma once

#include <glib.h>
#include <stdint.h>

#include "transport/als-min-filter.h"

G_BEGIN_DECLS

typedef struct
{
  uint64_t sent_bytes;   /* ever */
  uint64_t acked_bytes;  /* ever */
  uint64_t acked_frame_bytes;
  GQueue messages;       /* under way, oldest first */
  size_t max_bytes;
  size_t limit_bytes;    /* in flight, now */
  gboolean starting;     /* doubling each round trip */
  int64_t moment_us;     /* when this moment of the start began */
  uint64_t moment_from;  /* acked_bytes then */
  gboolean moment_starved; /* in it there was nothing to send for an instant */
  double bounds[2];      /* bytes that the last moments say are enough; 0: unknown */
  guint n_outgrown;      /* moments in a row that carried too little for the window */
  size_t step_bytes;     /* last growth */
  uint64_t round_end;    /* sent_bytes when this round began */
  int64_t latest_us;     /* round trip, not judged yet; 0: judged */
  guint n_late;          /* round trips in a row that showed a queue */
  guint n_round_samples; /* of the round trip, in this round ... */
  int64_t round_least_us; /* ... and the least of them; INT64_MAX: none yet */
  guint n_unjudged;      /* rounds, with this one, whose queue is an older one */
  size_t ended_at_bytes; /* the limit at which the doubling ended */
  int64_t srtt_us;       /* 0: unknown */
  double lasting_us;     /* from a byte's leaving to its acknowledgement, which the peer may have kept */
  double carried;        /* bytes a second, last shown while work was waiting; 0: never */
  int64_t carried_us;    /* when this interval began */
  uint64_t carried_from; /* acked_bytes then */
  gboolean starved;      /* in this interval there was nothing to send for a moment */
  AlsMinFilter base;     /* the path without a queue: least of one to two minutes */
  AlsMinFilter standing; /* the path with the queue that stays: least of the last round trips */
} AlsMessageWindow;

void     als_message_window_init          (AlsMessageWindow *self, size_t max_bytes);
void     als_message_window_clear         (AlsMessageWindow *self);
/* The round trip of the hello. */
void     als_message_window_set_rtt       (AlsMessageWindow *self, int64_t rtt_us, int64_t now_us);
void     als_message_window_sent          (AlsMessageWindow *self, size_t len, size_t frame_bytes,
                                           int64_t now_us);
/* The path below carries more than before: what that is has to be found anew. */
void     als_message_window_widened       (AlsMessageWindow *self);
/* Everything has been sent, and more would have been. */
void     als_message_window_starved       (AlsMessageWindow *self);
/* TOTAL: bytes the peer received ever; DELAY_US: how long it kept the acknowledgement, -1: too long to
 * tell the round trip. FALSE: nonsense. */
gboolean als_message_window_acked         (AlsMessageWindow *self, uint64_t total, int64_t delay_us,
                                           int64_t now_us);
size_t   als_message_window_get_in_flight (const AlsMessageWindow *self);
size_t   als_message_window_get_limit     (const AlsMessageWindow *self);
/* By how much the oldest message under way is later than the round trips so far; 0: it is not. */
int64_t  als_message_window_get_late      (const AlsMessageWindow *self, int64_t now_us);
int64_t  als_message_window_get_min_rtt   (const AlsMessageWindow *self);
/* Bytes a second; 0 while unknown. */
uint64_t als_message_window_get_rate      (const AlsMessageWindow *self);
/* At which a window is spread over its round trip, with room to grow. */
double   als_message_window_get_pacing_rate (const AlsMessageWindow *self);

G_END_DECLS
