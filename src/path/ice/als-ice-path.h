/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Paths over UDP through libnice: a NiceAgent in a thread and GMainContext of
 * its own, trickled candidates, usable from CONNECTED on. Not reliable mode,
 * no ICE-TCP, consent checks on. `force_relay` makes it a turn-udp path, else
 * it is direct-udp only, so that a path never changes kind.
 *
 * The object belongs to the thread it was made in (the engine's): its signals
 * are emitted there. The carrier it yields lives in the agent's thread. */

#pragma once

#include <gio/gio.h>
#include "path/als-carrier.h"

G_BEGIN_DECLS

#define ALS_TYPE_ICE_PATH (als_ice_path_get_type ())
G_DECLARE_FINAL_TYPE (AlsIcePath, als_ice_path, ALS, ICE_PATH, GObject)

typedef enum
{
  ALS_ICE_SERVER_FORM_STUN,
  ALS_ICE_SERVER_FORM_TURN_UDP,
  ALS_ICE_SERVER_FORM_TURN_TCP,
  ALS_ICE_SERVER_FORM_TURN_TLS,
} AlsIceServerForm;

typedef struct
{
  gboolean is_controlling;      /* the inviter */
  gboolean force_relay;
  gboolean loopback;            /* gather 127.0.0.1 only: tests where namespaces are refused */
  gboolean upnp;                /* ask the router for a mapping */
} AlsIcePathConfig;

/* Signals:
 *   local-message (GBytes *message)   to be sent to the peer's AlsIcePath, sealed, in order
 *   connected     (AlsCarrier *c)     datagrams flow; once
 *   failed        (GError *error)     final, also after connected (the carrier tells so as well)
 */
AlsIcePath *als_ice_path_new            (const AlsIcePathConfig *config);
/* Before start. HOST: a name or an address. */
void        als_ice_path_add_server     (AlsIcePath *self, AlsIceServerForm form, const char *host,
                                         uint16_t port, const char *username, const char *password);
void        als_ice_path_start          (AlsIcePath *self);
/* From the peer, in order, before or after start. Malformed ones are ignored with a log line. */
void        als_ice_path_remote_message (AlsIcePath *self, const uint8_t *data, size_t len);
/* Ends the thread (asynchronously) and the carrier. No signal after it returns. */
void        als_ice_path_close          (AlsIcePath *self);

G_END_DECLS
