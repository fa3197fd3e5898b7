/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* A link is a carrier made safe and useful: sealed, paced, with three ordered
 * and reliable lanes and unordered datagrams beside them. The session gives it
 * frames and datagrams; it tells what it can take.
 *
 * The machines (AlsUdpLink, AlsMessageLink) are pure: bytes and `now_us` in,
 * packets and the next deadline out. AlsLinkHost runs one in its carrier's
 * thread and stands for it, as an AlsLink again, in the engine's thread. The
 * simulator runs the machines directly.
 *
 * A link begins with a hello (AlsWire) and calls `ready` once a sealed echo of
 * its own has come back; before that it has no room. */

#pragma once

#include <glib.h>
#include <stdint.h>
#include "path/als-carrier.h"

G_BEGIN_DECLS

/* Largest datagram, before sealing, on every path (design §4). */
#define ALS_DATAGRAM_MAX 1100
/* Largest frame given to als_link_send_frame (). */
#define ALS_FRAME_MAX (16 * 1024)
/* A link is given no more than this much work at its present rate. */
#define ALS_LINK_QUEUE_US (50 * 1000)

/* In order of priority. Each is ordered in itself and never waits behind another. */
typedef enum
{
  ALS_LANE_CONTROL, /* acknowledgements, credits, control, input */
  ALS_LANE_CHAT,    /* clipboard, chat */
  ALS_LANE_BULK,    /* files */
  ALS_N_LANES,
} AlsLane;

typedef enum
{
  ALS_ROLE_INVITER,
  ALS_ROLE_JOINER,
} AlsRole;

typedef enum
{
  ALS_LINK_END_CLOSED,       /* by als_link_close () */
  ALS_LINK_END_HELLO_FAILED, /* no valid hello in time */
  ALS_LINK_END_CARRIER,      /* the carrier broke */
  ALS_LINK_END_PROTOCOL,     /* authenticated nonsense */
} AlsLinkEnd;

typedef struct
{
  AlsPathKind kind;
  gboolean lan;
  uint32_t path_id;
  int64_t rtt_us;           /* smoothed round trip on the wire, 0 while unknown */
  int64_t min_rtt_us;
  uint64_t rate;            /* bytes a second the link carries now */
  int64_t queue_delay_us;   /* what a byte handed over now would wait for below us */
  size_t queued_bytes;      /* handed over, not yet sent */
  uint64_t acked_bytes;     /* of frames, ever */
  uint64_t sent_packets;    /* where the kernel counts them, 0 elsewhere */
  uint64_t lost_packets;
  uint32_t mtu;             /* UDP payload found so far, 0 elsewhere */
} AlsLinkStats;

typedef struct _AlsLink AlsLink;

/* Upcalls may call back into the link, but not free it. */
typedef struct
{
  void (*ready)    (AlsLink *link, gpointer user_data);
  void (*frame)    (AlsLink *link, AlsLane lane, const uint8_t *data, size_t len,
                    gpointer user_data);
  void (*datagram) (AlsLink *link, const uint8_t *data, size_t len, gpointer user_data);
  /* There may be room again on some lane. */
  void (*room)     (AlsLink *link, gpointer user_data);
  void (*closed)   (AlsLink *link, AlsLinkEnd end, gpointer user_data);
} AlsLinkEvents;

/* Where a machine's packets go: to the carrier. Returns how many were taken. */
typedef guint (*AlsLinkOutput) (const AlsPacket *packets, guint n, gpointer user_data);

typedef struct
{
  AlsRole role;
  AlsCarrierType carrier;
  AlsPathKind kind;
  gboolean lan;
  uint8_t session_secret[32];
  uint32_t path_id;          /* the speaker's choice; the other side learns it from the hello */
  gboolean speaks_first;     /* whoever's connect returned; the inviter on UDP and messages */
  uint64_t rate_limit;       /* bytes a second, 0: none stated */
  uint64_t backlog_limit;    /* bytes unacknowledged, 0: none stated */
  uint64_t epoch_bytes;      /* a new epoch after so many bytes; 0: 64 GiB */
  int64_t epoch_us;          /* ... or so long; 0: an hour */
} AlsLinkConfig;

typedef struct
{
  void     (*free)          (AlsLink *self);
  /* From the carrier. NULL for a host. */
  void     (*receive)       (AlsLink *self, const uint8_t *data, size_t len, int64_t now_us);
  /* Do what is due; call it after anything else here, too. */
  void     (*poll)          (AlsLink *self, int64_t now_us);
  int64_t  (*get_deadline)  (AlsLink *self); /* INT64_MAX: nothing is due */
  size_t   (*get_room)      (AlsLink *self, AlsLane lane);
  gboolean (*send_frame)    (AlsLink *self, AlsLane lane, const uint8_t *data, size_t len);
  gboolean (*send_datagram) (AlsLink *self, const uint8_t *data, size_t len);
  void     (*get_stats)     (AlsLink *self, AlsLinkStats *stats);
  void     (*close)         (AlsLink *self);
  void     (*widened)       (AlsLink *self); /* (nullable) */
} AlsLinkClass;

struct _AlsLink
{
  const AlsLinkClass *klass;
  const AlsLinkEvents *events; /* NULL before als_link_set_events () and after closed */
  gpointer events_data;
};

void     als_link_set_events    (AlsLink *self, const AlsLinkEvents *events, gpointer user_data);
void     als_link_receive       (AlsLink *self, const uint8_t *data, size_t len, int64_t now_us);
void     als_link_poll          (AlsLink *self, int64_t now_us);
int64_t  als_link_get_deadline  (AlsLink *self);
/* Bytes of frames that LANE takes now; 0 when its share of the queue is full. Acks and
 * control may always be given up to 4 KiB beyond what bulk sees. */
size_t   als_link_get_room      (AlsLink *self, AlsLane lane);
/* Takes a whole frame or, with no room at all or after the end, nothing (FALSE). A frame may
 * exceed the room by less than its own size. Copies DATA. */
gboolean als_link_send_frame    (AlsLink *self, AlsLane lane, const uint8_t *data, size_t len);
/* FALSE: dropped here, because the link is not ready or over ALS_LINK_QUEUE_US is unsent. */
gboolean als_link_send_datagram (AlsLink *self, const uint8_t *data, size_t len);
void     als_link_get_stats     (AlsLink *self, AlsLinkStats *stats);
/* From the carrier: it may carry much more from now on. */
void     als_link_widened       (AlsLink *self);
/* Orderly: what is queued may still leave for a moment; `closed` follows. */
void     als_link_close         (AlsLink *self);
void     als_link_free          (AlsLink *self);

G_END_DECLS
