/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* What two sessions say to each other over a link (design §4), one frame at a
 * time:
 *
 *   OPEN     channel, kind, lane     ahead of all else of its channel on each link
 *   DATA     channel, offset, bytes
 *   FIN      channel, final offset
 *   RESET    channel, code
 *   ACK      n × {channel, delivered, credit limit, flags}, cumulative
 *   SYNC     the same for every channel: where this side stands
 *   GONE     channel                 over on both sides and forgotten
 *   PING     cookie
 *   PONG     cookie
 *   LEAVE    path id                 nothing new is sent on that path
 *   GOODBYE                          the session is over
 *
 * OPEN, DATA, FIN and RESET travel in their channel's lane, the others in the
 * control lane. Codec only: what a frame means is the session's. */

#pragma once

#include "base/als-bytes.h"

G_BEGIN_DECLS

/* Longest frame (a link's ALS_FRAME_MAX). */
#define ALS_SESSION_FRAME_MAX (16 * 1024)
/* What DATA adds to its bytes. */
#define ALS_SESSION_DATA_HEADER (1 + 4 + 8)
#define ALS_SESSION_DATA_MAX (ALS_SESSION_FRAME_MAX - ALS_SESSION_DATA_HEADER)
/* Entries of one ACK or SYNC. */
#define ALS_SESSION_MAX_ACKS 512
#define ALS_SESSION_N_LANES 3

/* A channel's number: a counter and, in the lowest bit, who opened it. */
#define ALS_SESSION_CHANNEL_ID(counter, joiner) ((uint32_t) (counter) << 1 | ((joiner) ? 1u : 0u))

#define ALS_SESSION_FRAME_ERROR (als_session_frame_error_quark ())
GQuark als_session_frame_error_quark (void);

typedef enum
{
  ALS_SESSION_FRAME_ERROR_INVALID, /* the peer is broken or hostile: end the session */
} AlsSessionFrameError;

typedef enum
{
  ALS_SESSION_FRAME_OPEN = 1,
  ALS_SESSION_FRAME_DATA = 2,
  ALS_SESSION_FRAME_FIN = 3,
  ALS_SESSION_FRAME_RESET = 4,
  ALS_SESSION_FRAME_ACK = 5,
  ALS_SESSION_FRAME_SYNC = 6,
  ALS_SESSION_FRAME_GONE = 7,
  ALS_SESSION_FRAME_PING = 8,
  ALS_SESSION_FRAME_PONG = 9,
  ALS_SESSION_FRAME_LEAVE = 10,
  ALS_SESSION_FRAME_GOODBYE = 11,
} AlsSessionFrameType;

typedef struct
{
  uint32_t channel;
  uint64_t delivered; /* bytes that were accepted in order */
  uint64_t limit;     /* bytes may be sent up to this offset */
  gboolean finished;  /* the FIN was accepted too */
} AlsSessionAck;

typedef struct
{
  AlsSessionFrameType type;
  uint32_t channel;     /* OPEN, DATA, FIN, RESET, GONE */
  uint8_t kind;         /* OPEN: not 0 */
  uint8_t lane;         /* OPEN */
  uint64_t offset;      /* DATA; FIN: the final one */
  uint32_t code;        /* RESET: not 0 */
  uint32_t path_id;     /* LEAVE */
  uint64_t cookie;      /* PING, PONG */
  const uint8_t *data;  /* DATA: borrowed, nullable when written; ACK, SYNC: the entries as read */
  size_t len;
  const AlsSessionAck *acks; /* ACK, SYNC, for writing only; borrowed */
  guint n_acks;
} AlsSessionFrame;

/* BYTES must outlive FRAME. */
gboolean als_session_frame_read    (AlsSessionFrame *frame, const uint8_t *bytes, size_t len,
                                    GError **error);
/* INDEX < n_acks, of an ACK or SYNC that was read. */
void     als_session_frame_get_ack (const AlsSessionFrame *frame, guint index, AlsSessionAck *ack);
/* Appends to WRITER. The bytes of DATA may also be appended afterwards, with data NULL here. */
void     als_session_frame_write   (const AlsSessionFrame *frame, AlsWriter *writer);

G_END_DECLS
