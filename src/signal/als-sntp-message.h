/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* The client's part of SNTP (RFC 5905, 14; RFC 4330): packets, and what to
 * make of the answers. Pure. */

#pragma once

#include <glib.h>
#include <stdint.h>

G_BEGIN_DECLS

#define ALS_SNTP_MESSAGE_BYTES 48
#define ALS_SNTP_MAX_MESSAGE_BYTES 512

typedef enum
{
  ALS_SNTP_GOOD,
  ALS_SNTP_NOT_OURS,       /* malformed, not an answer, or not to this question: ignored */
  ALS_SNTP_UNSYNCHRONISED, /* the server does not know the time itself */
  ALS_SNTP_KISS,           /* kiss-o'-death: it does not want to be asked any more */
} AlsSntpVerdict;

/* One question and its answer. */
typedef struct
{
  int64_t offset_us; /* UTC since 1970 less our monotonic time */
  int64_t delay_us;  /* there and back: half of it is what `offset_us` may be wrong by */
} AlsSntpSample;

/* COOKIE: random, stands for the time we send, which is nobody's business. OUT: ALS_SNTP_MESSAGE_BYTES. */
void           als_sntp_make_request  (uint64_t cookie, uint8_t *out);
/* SENT_US, RECEIVED_US: monotonic. SAMPLE: set when GOOD. */
AlsSntpVerdict als_sntp_read_response (const uint8_t *data, size_t len, uint64_t cookie,
                                       int64_t sent_us, int64_t received_us,
                                       AlsSntpSample *sample);
/* Of the best samples of N servers: the middle one of three and more, so that one that lies does no harm;
 * else the one with the smaller delay. FALSE: none. */
gboolean       als_sntp_choose        (const AlsSntpSample *samples, guint n, AlsSntpSample *chosen);

G_END_DECLS
