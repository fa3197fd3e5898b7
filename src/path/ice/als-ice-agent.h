/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* A NiceAgent in a thread of its own: AlsIcePath's effects. Messages go in and
 * events come out through mailboxes; nothing else crosses. */

#pragma once

#include "base/als-mailbox.h"
#include "path/ice/als-ice-path.h"

G_BEGIN_DECLS

typedef struct _AlsIceAgent AlsIceAgent;

typedef enum
{
  ALS_ICE_EVENT_MESSAGE,
  ALS_ICE_EVENT_HOST,      /* one of our own addresses is listened at */
  ALS_ICE_EVENT_GATHERED,  /* no more messages but the end mark, which is the receiver's to send */
  ALS_ICE_EVENT_CONNECTED,
  ALS_ICE_EVENT_FAILED,
} AlsIceEventType;

typedef struct
{
  AlsIceEventType type;
  GBytes *message;
  AlsStunAddress host;
  AlsCarrier *carrier;
  GError *error;
} AlsIceEvent;

void         als_ice_event_free       (AlsIceEvent *self);

/* Starts the thread. SERVERS: (element-type AlsPathServer) (transfer full). OUTBOX gets
 * AlsIceEvents. (transfer full) */
AlsIceAgent *als_ice_agent_start      (const AlsIcePathConfig *config, GPtrArray *servers,
                                       AlsMailbox *outbox);
/* MESSAGE: (transfer full): from the other side. */
void         als_ice_agent_post       (AlsIceAgent *self, GBytes *message);
/* Takes the caller's reference. The thread breaks its carrier, gives its relays back and ends
 * when the last reference to the carrier is gone. */
void         als_ice_agent_stop       (AlsIceAgent *self);
/* Candidates of the other side that were checked so far. Any thread. */
guint        als_ice_agent_get_tries  (AlsIceAgent *self);
/* Threads that have not ended yet, of all agents: for tests. */
guint        als_ice_agent_count      (void);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (AlsIceEvent, als_ice_event_free)

G_END_DECLS
