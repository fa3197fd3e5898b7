/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* What the files of a session share: its state, its links, its channels. */

#pragma once

#include "protocol/als-session-frame.h"
#include "session/als-link-choice.h"
#include "session/als-link-life.h"
#include "session/als-receive-buffer.h"
#include "session/als-send-buffer.h"
#include "session/als-session.h"

G_BEGIN_DECLS

/* Credit for a channel that nobody has granted any yet; the smallest window. */
#define ALS_SESSION_FIRST_CREDIT (64 * 1024)
/* Channels that one side has open at once. A few more are taken from the peer: it may hear of
 * an end later than we do. */
#define ALS_SESSION_MAX_CHANNELS 256
#define ALS_SESSION_MAX_PEER_CHANNELS (2 * ALS_SESSION_MAX_CHANNELS)
/* Sum of all windows beyond the first credit: with it, what a hostile peer can make us keep is
 * bounded. Each new channel gets a quarter of what is left, its window at the most. */
#define ALS_SESSION_WINDOW_BUDGET (128 * 1024 * 1024)

/* Channels whose OPEN may overtake one another. */
#define ALS_SESSION_MAX_OPEN_GAP 1024
#define ALS_SESSION_MAX_PENDING_GONE 1024

/* Something said once and repeated on another link until it is acknowledged. */
typedef struct
{
  enum
  {
    ALS_NOTICE_NONE,
    ALS_NOTICE_DUE,
    ALS_NOTICE_SENT,
    ALS_NOTICE_ACKED,
  } state;
  guint owner;         /* SENT: the link's number */
  gboolean ever_sent;
} AlsNotice;

struct _AlsChannel
{
  int ref_count;
  AlsSession *session;
  uint32_t id;          /* given with the first OPEN; UINT32_MAX before */
  gboolean ours;
  AlsChannelKind kind;
  AlsLane lane;
  const AlsChannelEvents *events; /* nullable */
  gpointer events_data;
  gboolean forgotten;   /* out of the session's list: nothing happens to it any more */
  gboolean is_reset;    /* by us: no more events */

  AlsSendBuffer send;
  uint64_t send_limit;  /* the peer's credit */
  gboolean finishing;   /* als_channel_finish () was called */
  gboolean wants_writable;
  AlsNotice open, fin, reset;
  uint32_t reset_code;

  AlsReceiveBuffer receive;
  size_t window;
  uint64_t consumed;
  uint64_t granted;     /* limit the peer may have heard of */
  uint64_t acked;       /* delivered, as we said last */
  uint64_t peer_final;  /* UINT64_MAX: unknown */
  gboolean finished;    /* its owner was told so */
  gboolean ack_due;     /* within ACK_DELAY_US */
  gboolean ack_now;
};

typedef struct
{
  AlsSession *session;
  AlsLink *link;           /* borrowed */
  guint number;            /* from 1, never used twice */
  AlsLinkCandidate candidate;
  AlsLinkLife life;
  uint32_t path_id;
  gboolean ready;
  gboolean closed;         /* told by the link */
  gboolean closing;        /* als_link_close () was called */
  gboolean removed;        /* by als_session_remove_link () */
  gboolean left;           /* we said LEAVE, or must not use it any more */
  gboolean peer_left;
  int64_t gone_us;         /* closed or not, it is gone then; 0: unset */
  int64_t settle_us;       /* what is in flight on it is repeated elsewhere then; 0: unset */
  int64_t datagram_us;     /* the last one was given to it then */

  gboolean leave_due;
  gboolean sync_due;
  gboolean pong_due;
  uint64_t pong_cookie;
  gboolean pong_came;      /* not yet told to life */
  uint64_t came_cookie;
  gboolean asked;          /* in doubt of the link in use; not answered yet */
  uint64_t asked_cookie;
} AlsSessionLink;

struct _AlsSession
{
  AlsSessionConfig config;
  const AlsSessionEvents *events;
  gpointer user_data;
  int64_t now_us;          /* of the last poll */
  int64_t asked_us;        /* what `schedule` was told last; INT64_MAX: nothing */
  gboolean polling;
  gboolean again;          /* another round of the present poll is needed */
  gboolean ended;

  GPtrArray *links;        /* (element-type AlsSessionLink) */
  GPtrArray *candidates;   /* of the links, in the same order */
  guint next_number;
  AlsSessionLink *current;    /* what we send on; nullable */
  gboolean in_doubt;          /* it fell silent, and the others were asked */
  int64_t answered_us;        /* the first of those did then, last time */
  AlsLinkStats current_stats;
  int64_t no_path_since_us;
  int64_t sync_until_us;   /* bulk is repeated from then on at the latest; 0: at once */
  guint switches;

  int64_t bucket_us;       /* goodput interval's start */
  uint64_t bucket_acked, bucket_sent_packets, bucket_lost_packets;
  gboolean bucket_starved; /* there was room without work in it */
  int64_t bulk_retry_us;

  GPtrArray *channels;     /* (element-type AlsChannel) in order of age */
  GHashTable *by_id;
  guint cursor[ALS_N_LANES];
  guint n_ours, n_peers;   /* with an id */
  uint32_t next_counter;
  size_t window_budget;
  uint32_t peer_floor;     /* all of the peer's counters below it were opened */
  uint8_t peer_opened[ALS_SESSION_MAX_OPEN_GAP]; /* counter modulo its size, from the floor on */
  GArray *gone;            /* (element-type uint32_t) ids to say GONE for */
  int64_t ack_us;          /* acknowledgements that are due leave then; 0: none is due */
  uint64_t sent_bytes, received_bytes;
  int64_t picture_us;      /* when a video frame was asked for, or a datagram sent, last; 0: never */

  AlsWriter writer;
  GArray *leaves;          /* (element-type uint32_t) path ids to say LEAVE for on the current link */
};

AlsChannel *als_channel_new         (AlsSession *session, gboolean ours, AlsChannelKind kind,
                                     AlsLane lane, size_t window);
AlsChannel *als_channel_ref         (AlsChannel *self);
void        als_channel_unref       (AlsChannel *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AlsChannel, als_channel_unref)

/* FALSE: the peer broke the protocol. Any of these may end in an upcall, after which the channel
 * may be forgotten. */
gboolean    als_channel_take_data   (AlsChannel *self, uint64_t offset, const uint8_t *data,
                                     size_t len);
gboolean    als_channel_take_fin    (AlsChannel *self, uint64_t final);
gboolean    als_channel_take_ack    (AlsChannel *self, const AlsSessionAck *ack);
void        als_channel_take_reset  (AlsChannel *self, uint32_t code);
gboolean    als_channel_take_gone   (AlsChannel *self);
/* Hands one frame to LINK; FALSE: nothing can be sent now. MAY_REPEAT_BULK: lost bytes are
 * certainly missing on the other side. MAX_DATA: bytes of DATA in it. */
gboolean    als_channel_send_one    (AlsChannel *self, AlsLink *link, guint number, size_t max_data,
                                     gboolean may_repeat_bulk);
/* Whether als_channel_send_one () would send. */
gboolean    als_channel_has_work    (AlsChannel *self, guint number, gboolean may_repeat_bulk);
void        als_channel_lose        (AlsChannel *self, guint owner);
/* FIN and RESET have to be sent again, unless they were acknowledged. */
void        als_channel_repeat_end  (AlsChannel *self);
gboolean    als_channel_uses        (AlsChannel *self, guint owner);
void        als_channel_get_ack     (AlsChannel *self, AlsSessionAck *ack);
/* How far the peer could be told that it may send. */
uint64_t    als_channel_get_grant   (AlsChannel *self);
void        als_channel_tell_writable (AlsChannel *self);
void        als_channel_tell_closed (AlsChannel *self, uint32_t code);

/* By the session, for channels. */
void        als_session_ask_poll      (AlsSession *self);
gboolean    als_session_may_open      (AlsSession *self);
void        als_session_give_id       (AlsSession *self, AlsChannel *channel);
/* The channel is over: its id is GONE from now on. */
void        als_session_forget        (AlsSession *self, AlsChannel *channel);
gboolean    als_session_send_frame    (AlsSession *self, AlsLink *link, AlsLane lane,
                                       const AlsSessionFrame *frame);
gboolean    als_session_send_data     (AlsSession *self, AlsLink *link, AlsChannel *channel,
                                       uint64_t offset, size_t len);
size_t      als_session_get_queue_limit (AlsSession *self);
size_t      als_session_get_window    (AlsSession *self);
void        als_session_count_received (AlsSession *self, size_t len);

/* als-session.c */
void         als_session_finish            (AlsSession *self, AlsSessionEnd end,
                                            gboolean say_goodbye);
uint32_t     als_session_role_bit          (const AlsSession *self, gboolean ours);
size_t       als_session_take_window       (AlsSession *self);

/* als-session-send.c */
gboolean     als_session_link_send         (AlsSessionLink *sl, const AlsSessionFrame *frame);
/* What is said on a link whether we send on it or not. */
void         als_session_link_send_notices (AlsSessionLink *sl);
void         als_session_send_notices      (AlsSession *self, AlsSessionLink *sl);
/* Gives the current link what it has room for: by priority, round robin within one. */
void         als_session_pump_channels     (AlsSession *self);

/* als-session-receive.c */
void         als_session_frame_cb          (AlsLink *link, AlsLane lane, const uint8_t *data,
                                            size_t len, gpointer user_data);
void         als_session_datagram_cb       (AlsLink *link, const uint8_t *data, size_t len,
                                            gpointer user_data);

/* als-session-links.c */
extern const AlsLinkEvents als_session_link_events;
AlsLinkPace  als_session_get_pace          (AlsSession *self, const AlsSessionLink *sl);
/* When LINK is given up if no sign of life comes. */
int64_t      als_session_get_death         (AlsSession *self, const AlsSessionLink *sl);
/* When the link in use has been silent long enough to ask the others; INT64_MAX: never. */
int64_t      als_session_get_doubt         (AlsSession *self);
/* Asks them if it is time. */
void         als_session_doubt_current     (AlsSession *self);
void         als_session_look_after_link   (AlsSession *self, AlsSessionLink *sl);
void         als_session_close_link        (AlsSession *self, AlsSessionLink *sl);
void         als_session_reap_links        (AlsSession *self);
void         als_session_refresh_current   (AlsSession *self);
void         als_session_choose_link       (AlsSession *self);

G_END_DECLS
