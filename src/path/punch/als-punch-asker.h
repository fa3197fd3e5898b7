/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Asks STUN servers what a UDP socket looks like from outside, through that
 * very socket, which is somebody else's. Where all servers have one address it
 * also asks the other address that RFC 5780 lets them name, since one view does
 * not tell how a NAT chooses ports. */

#pragma once

#include <gio/gio.h>
#include "stun/als-stun-address.h"

G_BEGIN_DECLS

typedef struct _AlsPunchAsker AlsPunchAsker;

typedef struct
{
  /* FALSE: it cannot leave, now or ever. */
  gboolean (*send)    (const AlsStunAddress *to, const void *data, size_t len, gpointer user_data);
  /* Something was learned, or all has been. Never from within a call but receive and poll. */
  void     (*changed) (gpointer user_data);
} AlsPunchAskerEvents;

/* SERVERS: (element-type AlsPathServer). In the thread's default context (names are looked up). */
AlsPunchAsker        *als_punch_asker_new          (GPtrArray *servers, gboolean loopback,
                                                    const AlsPunchAskerEvents *events,
                                                    gpointer user_data);
void                  als_punch_asker_free         (AlsPunchAsker *self);
void                  als_punch_asker_start        (AlsPunchAsker *self);
/* FALSE: not an answer of ours. */
gboolean              als_punch_asker_receive      (AlsPunchAsker *self, const AlsStunAddress *from,
                                                    const uint8_t *data, size_t len);
void                  als_punch_asker_poll         (AlsPunchAsker *self, int64_t now_us);
int64_t               als_punch_asker_get_deadline (const AlsPunchAsker *self);
/* All have answered or are given up, 2 s after the last was asked at the latest. */
gboolean              als_punch_asker_is_settled   (const AlsPunchAsker *self);
/* (nullable): the N-th view. */
const AlsStunAddress *als_punch_asker_get_mapped   (const AlsPunchAsker *self, guint n);

G_END_DECLS
