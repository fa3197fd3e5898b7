/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* The session: what outlives paths (design §4). Channels and datagrams on top,
 * links below. Pure: it never reads a clock; whoever owns it calls
 * als_session_poll () when told to by `schedule`. One thread: the engine's, or
 * the simulator's.
 *
 * Each side chooses the link it sends on; it takes from all of them and orders
 * by offset. */

#pragma once

#include "transport/als-link.h"

G_BEGIN_DECLS

#define ALS_CHANNEL_WINDOW (16 * 1024 * 1024) /* unacknowledged bytes a sender keeps, at most */
/* Longest datagram of als_session_send_datagram (): its kind goes in front. */
#define ALS_SESSION_DATAGRAM_MAX (ALS_DATAGRAM_MAX - 1)
/* The code in `closed` when the whole session ended before the channel did. Not one to reset with. */
#define ALS_CHANNEL_SESSION_ENDED G_MAXUINT32

typedef struct _AlsSession AlsSession;
typedef struct _AlsChannel AlsChannel;

/* What a channel is for; sent when it is opened. */
typedef enum
{
  ALS_CHANNEL_VISIT = 1,  /* AlsVisitMessage, lane control */
  ALS_CHANNEL_MEDIA = 2,  /* AlsMediaMessage, lane control */
  ALS_CHANNEL_FILES = 3,  /* one transfer, AlsFileMessage, lane bulk */
  ALS_CHANNEL_CHAT = 4,   /* lane chat */
  ALS_CHANNEL_ECHO = 5,   /* bench: bytes come back as they are, lane control */
} AlsChannelKind;

/* First byte of every session datagram. */
typedef enum
{
  ALS_DATAGRAM_VIDEO = 1,
  ALS_DATAGRAM_CURSOR = 2,
} AlsDatagramKind;

typedef enum
{
  ALS_SESSION_END_LOCAL,    /* als_session_end () here */
  ALS_SESSION_END_PEER,     /* the peer said goodbye */
  ALS_SESSION_END_PROTOCOL, /* the peer spoke nonsense */
} AlsSessionEnd;

typedef struct
{
  AlsPathKind kind;         /* of the link we send on; ALS_PATH_NONE: no path at all */
  AlsLink *link;            /* borrowed, nullable */
  int64_t rtt_us;           /* session ping on that link */
  uint64_t rate;            /* bytes a second */
  int64_t queue_delay_us;   /* of that link */
  int64_t no_path_since_us; /* 0 while there is one */
  guint n_links;            /* ready ones */
  uint64_t sent_bytes, received_bytes; /* of channels */
  guint switches;
} AlsSessionStats;

/* Upcalls may call any function here but als_session_free (). */
typedef struct
{
  /* als_session_poll () is wanted at DEADLINE_US (0: as soon as possible). */
  void (*schedule)         (int64_t deadline_us, gpointer user_data);
  /* The peer opened a channel: set its events now. */
  void (*channel_opened)   (AlsChannel *channel, AlsChannelKind kind, gpointer user_data);
  void (*datagram)         (AlsDatagramKind kind, const uint8_t *data, size_t len,
                            gpointer user_data);
  /* We send on another link now, or on none. */
  void (*path_changed)     (gpointer user_data);
  /* A link ended or was left; it may be freed after this returns, not within. */
  void (*link_gone)        (AlsLink *link, gpointer user_data);
  void (*ended)            (AlsSessionEnd end, gpointer user_data);
} AlsSessionEvents;

typedef struct
{
  /* DATA is the channel's until the call returns; say als_channel_consume () when it is dealt
   * with, which lets the peer send as much again. */
  void (*received) (AlsChannel *channel, const uint8_t *data, size_t len, gpointer user_data);
  void (*writable) (AlsChannel *channel, gpointer user_data);
  /* The peer's last byte was received. */
  void (*finished) (AlsChannel *channel, gpointer user_data);
  /* Both directions are over (CODE 0), or the peer reset it, or the session ended
   * (ALS_CHANNEL_SESSION_ENDED): forget it. */
  void (*closed)   (AlsChannel *channel, guint32 code, gpointer user_data);
} AlsChannelEvents;

typedef struct
{
  AlsRole role;
  guint allowed_kinds;       /* set of 1 << AlsPathKind that we send on; 0: all */
  size_t window_bytes;       /* per channel; 0: ALS_CHANNEL_WINDOW; 64 KiB at the least */
} AlsSessionConfig;

AlsSession *als_session_new            (const AlsSessionConfig *config,
                                        const AlsSessionEvents *events, gpointer user_data,
                                        int64_t now_us);
void        als_session_free           (AlsSession *self);
void        als_session_poll           (AlsSession *self, int64_t now_us);
/* Links are polled by their owner (host or simulator), not by the session. (transfer none) */
void        als_session_add_link       (AlsSession *self, AlsLink *link);
/* Says LEAVE on it and moves away; `link_gone` follows. */
void        als_session_remove_link    (AlsSession *self, AlsLink *link);
/* LINK is not chosen for now, because another is so much better (design §4). */
gboolean    als_session_is_much_worse  (AlsSession *self, AlsLink *link);
/* For tests and support: kinds that we send on from now on. */
void        als_session_set_allowed_kinds (AlsSession *self, guint kinds);
void        als_session_get_stats      (AlsSession *self, AlsSessionStats *stats);
/* Says goodbye on all links; `ended` follows at once, within the call. The links close by
 * themselves then and are reported with `link_gone` as long as the session is polled. */
void        als_session_end            (AlsSession *self);
/* LEN at most ALS_SESSION_DATAGRAM_MAX. FALSE: dropped. */
gboolean    als_session_send_datagram  (AlsSession *self, AlsDatagramKind kind,
                                        const uint8_t *data, size_t len);
/* TRUE while a new video frame may be made: under 50 ms of work is unsent, and there is a path. */
gboolean    als_session_may_send_frame (AlsSession *self);

/* (transfer none): lives until `closed`. NULL after the session's end. */
AlsChannel *als_session_open_channel   (AlsSession *self, AlsChannelKind kind, AlsLane lane);
void        als_channel_set_events     (AlsChannel *self, const AlsChannelEvents *events,
                                        gpointer user_data);
/* How many bytes als_channel_write () takes now. A small queue on top of the link, not the whole
 * window: so that what is written late can still overtake. */
size_t      als_channel_get_room       (AlsChannel *self);
/* Copies; returns how much was taken; `writable` follows if that was less. */
size_t      als_channel_write          (AlsChannel *self, const void *data, size_t len);
void        als_channel_consume        (AlsChannel *self, size_t len);
/* No more is written; what was is still delivered. */
void        als_channel_finish         (AlsChannel *self);
/* Ends both directions at once; CODE is the peer's to read, not 0. No event follows, not even
 * `closed`: forget the channel. */
void        als_channel_reset          (AlsChannel *self, guint32 code);
AlsSession *als_channel_get_session    (AlsChannel *self);
uint64_t    als_channel_get_written    (AlsChannel *self); /* bytes taken, ever */
uint64_t    als_channel_get_acked      (AlsChannel *self); /* bytes the peer consumed or stored */

G_END_DECLS
