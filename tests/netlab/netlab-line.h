/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* One direction of a line: delay, jitter, loss, rate with a finite queue, and a cut.
 * Packets go in with the time and come out when they are due. No clock, no socket. */

#pragma once

#include <glib.h>

typedef struct
{
  double   delay_ms;       /* one way */
  double   jitter_ms;      /* on top, even between 0 and this */
  gboolean reorder;        /* jitter may change the order */
  double   loss_percent;
  double   burst_packets;  /* mean length of a loss; 1: each packet by itself */
  double   rate_mbit;      /* 0: no limit */
  double   queue_ms;       /* what may wait at that rate; what comes then is dropped */
  gboolean is_cut;
} NetlabLineConfig;

typedef struct
{
  guint64 n_sent, n_bytes;
  guint64 n_lost, n_queue_full, n_cut;
} NetlabLineStats;

typedef struct _NetlabLine NetlabLine;

typedef void (*NetlabLineOut) (gpointer user_data, guint8 *packet, size_t n_bytes);

NetlabLine       *netlab_line_new          (guint32 seed);
void              netlab_line_free         (NetlabLine *self);
NetlabLineConfig *netlab_line_get_config   (NetlabLine *self);   /* may be changed at any time */
const NetlabLineStats *netlab_line_get_stats (NetlabLine *self);
void              netlab_line_push         (NetlabLine *self, const guint8 *packet, size_t n_bytes, int64_t now_ns);
/* Calls OUT for what is due; the packet is OUT's to change, and gone afterwards. */
void              netlab_line_poll         (NetlabLine *self, int64_t now_ns, NetlabLineOut out, gpointer user_data);
int64_t           netlab_line_get_deadline (NetlabLine *self);   /* in ns; G_MAXINT64 for none */

G_DEFINE_AUTOPTR_CLEANUP_FUNC (NetlabLine, netlab_line_free)
