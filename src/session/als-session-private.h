/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* What als-session.c and als-channel.c share. */

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

G_END_DECLS
