/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* The sockets of a TCP punch, all on one local port: listeners for IPv4 and
 * IPv6, and connections being made beside them. Decides nothing but who may
 * wait at the door.
 *
 * Who comes in is a stranger until proved. He is given no byte, waits for his
 * own first bytes 3 s at the most, and is yielded only when they have come; 16
 * may wait at once, and of these the other side's known addresses come first. */

#pragma once

#include <gio/gio.h>
#include "path/punch/als-punch-plan.h"

G_BEGIN_DECLS

typedef struct _AlsPunchDoor AlsPunchDoor;

typedef struct
{
  /* SOCKET is connected; INITIATED: by us. May close the door. */
  void     (*connected)    (GSocket *socket, gboolean initiated, gpointer user_data);
  /* Of als_punch_door_dial (), never from within it. After CONNECTED `connected` follows. */
  void     (*dialled)      (guint dial, AlsPunchResult result, gpointer user_data);
  /* Somebody came in; TURNED_AWAY: and was sent off. */
  void     (*accepted)     (gboolean turned_away, gpointer user_data);
  /* The other side has named this address (any port). */
  gboolean (*is_expected)  (const AlsStunAddress *address, gpointer user_data);
} AlsPunchDoorEvents;

/* PORT: 0: any. NULL if nobody can listen there. */
AlsPunchDoor *als_punch_door_open     (uint16_t port, gboolean loopback,
                                       const AlsPunchDoorEvents *events, gpointer user_data,
                                       GError **error);
void          als_punch_door_free     (AlsPunchDoor *self);
uint16_t      als_punch_door_get_port (AlsPunchDoor *self);
/* DIAL: a number below ALS_PUNCH_MAX_DIALS, free for use. */
void          als_punch_door_dial     (AlsPunchDoor *self, guint dial, const AlsStunAddress *address);
void          als_punch_door_drop     (AlsPunchDoor *self, guint dial);

G_END_DECLS
