/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* One TCP connection between two sides on a local network: first messages of
 * AlsLanMessage, then, from als_lan_connection_open_stream () on, those of
 * AlsLanStream. Lives in the thread it was made in. What was sent waits in two
 * queues, relayed frames behind the rest. */

#pragma once

#include "signal/als-lan-search.h"
#include "signal/als-lan-stream.h"

G_BEGIN_DECLS

typedef struct _AlsLanConnection AlsLanConnection;

/* Any of these may close or leave the connection. */
typedef struct
{
  /* The connect came through (only after als_lan_connection_dial ()). */
  void (*up)       (AlsLanConnection *self, gpointer user_data);
  void (*greeting) (AlsLanConnection *self, const AlsLanMessage *message, gpointer user_data);
  void (*message)  (AlsLanConnection *self, const AlsSignalMessage *message, gpointer user_data);
  /* There is room for relayed frames again. */
  void (*writable) (AlsLanConnection *self, gpointer user_data);
  /* It has ended by itself; REASON: errno, 0: the other side closed it, EPROTO: it broke the rules. */
  void (*ended)    (AlsLanConnection *self, int reason, gpointer user_data);
} AlsLanConnectionEvents;

/* From the local port of LOCAL, which a listener has, too. NULL: errno says why not. */
AlsLanConnection *als_lan_connection_dial   (const AlsLanEndpoint *local, const AlsLanEndpoint *to,
                                             const AlsLanConnectionEvents *events,
                                             gpointer user_data);
/* Takes FD, which a listener gave. */
AlsLanConnection *als_lan_connection_accept (int fd, const AlsLanEndpoint *from,
                                             const AlsLanConnectionEvents *events,
                                             gpointer user_data);
/* At once, and frees it. No event afterwards. */
void              als_lan_connection_close  (AlsLanConnection *self);
/* The same, but what was sent still leaves, for two seconds at the most. */
void              als_lan_connection_leave  (AlsLanConnection *self);

/* Its owner changes. */
void              als_lan_connection_set_events  (AlsLanConnection *self,
                                                  const AlsLanConnectionEvents *events,
                                                  gpointer user_data);
const AlsLanEndpoint *als_lan_connection_get_remote (AlsLanConnection *self);
gboolean          als_lan_connection_is_up       (AlsLanConnection *self);
gboolean          als_lan_connection_is_accepted (AlsLanConnection *self);
void              als_lan_connection_greet       (AlsLanConnection *self,
                                                  const AlsLanMessage *message);
void              als_lan_connection_open_stream (AlsLanConnection *self);
/* FALSE: out of bounds; or a relayed frame for which there is no room: `writable` follows. */
gboolean          als_lan_connection_send        (AlsLanConnection *self,
                                                  const AlsSignalMessage *message);

/* A listener at ADDRESS (port 0: any free one), whose port others of ours can dial from. -1: errno. */
int               als_lan_listen (AlsLanEndpoint *address);

G_END_DECLS
