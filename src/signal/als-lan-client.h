/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Two sides on one local network, introduced by nobody: the same services as
 * AlsSignalClient's, over a TCP connection of their own. Finding is
 * AlsLanSearch's affair; who is found has proved to know the number or the
 * meeting id, nothing more: the code is to be proved over the messages.
 *
 * Lives in one thread, whose thread-default context it uses. What was asked
 * for holds while networks come and go; a pairing does not: `unpaired` is
 * emitted and the owner decides. */

#pragma once

#include <gio/gio.h>
#include "path/als-carrier.h"
#include "signal/als-signal-client.h"

G_BEGIN_DECLS

#define ALS_TYPE_LAN_CLIENT (als_lan_client_get_type ())
G_DECLARE_FINAL_TYPE (AlsLanClient, als_lan_client, ALS, LAN_CLIENT, GObject)

/* Signals, as AlsSignalClient's:
 *   paired   ()                 take_relay is valid now
 *   message  (GBytes *payload)  from the partner
 *   unpaired (guint reason)     AlsSignalUnpairReason: LEFT or LOST
 *   failed   (GError *error)    ALS_SIGNAL_CLIENT_ERROR. NO_SUCH_NUMBER (nobody came in time) and BUSY
 *                               (somebody else is there) end what was asked for; UNREACHABLE (no
 *                               socket can be had) is tried again
 */

/* LOOPBACK: this machine only, for tests. */
AlsLanClient *als_lan_client_new           (gboolean loopback);
/* Ends all of it, says goodbye. Idempotent; no signal is emitted after it returns. */
void          als_lan_client_stop          (AlsLanClient *self);

/* One of these three is asked for at a time. To be found under NUMBER, as often as somebody comes,
 * one at a time; a pairing stays. */
void          als_lan_client_wait          (AlsLanClient *self, guint number);
/* No longer; a pairing stays. */
void          als_lan_client_unwait        (AlsLanClient *self);
/* These two end a pairing, and hold until paired: 30 s and ten minutes at the most. */
void          als_lan_client_join          (AlsLanClient *self, guint number);
void          als_lan_client_meet          (AlsLanClient *self, const uint8_t *meeting_id,
                                            gboolean is_inviter);
void          als_lan_client_cancel        (AlsLanClient *self); /* ends join and meet */

void          als_lan_client_unpair        (AlsLanClient *self);
gboolean      als_lan_client_is_paired     (AlsLanClient *self);
/* FALSE: not paired, or too long. */
gboolean      als_lan_client_send          (AlsLanClient *self, GBytes *payload);
/* Where the partner is, for people: "192.0.2.7:5000". (nullable) */
const char   *als_lan_client_get_remote    (AlsLanClient *self);
/* The relay path of this pairing: a message carrier of kind signal-relay living in this thread, `lan`, of
 * no stated limits: it takes no more than it can send and tells when it is writable again. Once per
 * pairing. (transfer full) (nullable) */
AlsCarrier   *als_lan_client_take_relay    (AlsLanClient *self);

G_END_DECLS
