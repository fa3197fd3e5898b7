/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* The rendezvous client: one WebSocket to alongside-signald, reconnecting by
 * itself. Lives in one thread, whose thread-default context it uses.
 *
 * What was asked for (waiting as inviter, joining, meeting) is asked again
 * after a reconnection; a pairing is not: `unpaired` is emitted and the owner
 * decides. */

#pragma once

#include <gio/gio.h>
#include "path/als-carrier.h"
#include "protocol/als-signal-message.h"

G_BEGIN_DECLS

#define ALS_SIGNAL_CLIENT_ERROR (als_signal_client_error_quark ())
GQuark als_signal_client_error_quark (void);

typedef enum
{
  ALS_SIGNAL_ERROR_OFFLINE,        /* this machine has no network; retried */
  ALS_SIGNAL_ERROR_UNREACHABLE,    /* no answer, refused, bad certificate; retried */
  ALS_SIGNAL_ERROR_VERSION,        /* the server speaks another version; final */
  ALS_SIGNAL_ERROR_PROTOCOL,       /* the server spoke nonsense; retried */
  ALS_SIGNAL_ERROR_NO_SUCH_NUMBER, /* nobody waits under it; ask for the code again */
  ALS_SIGNAL_ERROR_BUSY,
  ALS_SIGNAL_ERROR_RATE_LIMITED,
  ALS_SIGNAL_ERROR_REFUSED,        /* full, shutting down, ...; retried */
} AlsSignalError;

typedef enum
{
  ALS_SIGNAL_DISCONNECTED, /* als_signal_client_start () not called, or stopped */
  ALS_SIGNAL_CONNECTING,
  ALS_SIGNAL_CONNECTED,
  ALS_SIGNAL_RETRYING,     /* waits before the next attempt */
} AlsSignalState;

#define ALS_TYPE_SIGNAL_CLIENT (als_signal_client_get_type ())
G_DECLARE_FINAL_TYPE (AlsSignalClient, als_signal_client, ALS, SIGNAL_CLIENT, GObject)

/* Signals:
 *   state-changed ()                          see get_state
 *   registered    (guint number)              waiting under NUMBER (the same one after a reconnection)
 *   waiting       (guint seconds)             join or meet: the other side is not there yet
 *   paired        ()                          get_servers and take_relay are valid now
 *   message       (GBytes *payload)           from the partner
 *   unpaired      (guint reason)              AlsSignalUnpairReason (LOST also when our connection broke)
 *   failed        (GError *error)             each failure; a final one is followed by state DISCONNECTED
 */

/* URIS: servers in order of preference, tried in turn: ws:// or wss://. */
AlsSignalClient *als_signal_client_new          (const char *const *uris);
void             als_signal_client_start        (AlsSignalClient *self);
/* Says goodbye and closes; idempotent. No signal is emitted after it returns. */
void             als_signal_client_stop         (AlsSignalClient *self);
AlsSignalState   als_signal_client_get_state    (AlsSignalClient *self);
/* The server in use. */
const char      *als_signal_client_get_uri      (AlsSignalClient *self);
/* The owner has reason to think that the network has changed or the connection is dead: it is tried, and made
 * anew if there is no answer within two seconds; an attempt that is waited for begins at once. */
void             als_signal_client_doubt        (AlsSignalClient *self);
/* Each may be called before the connection is up. */
void             als_signal_client_register     (AlsSignalClient *self);
void             als_signal_client_unregister   (AlsSignalClient *self);
/* Registers anew, under another number (the old code is used up or expired). */
void             als_signal_client_renumber     (AlsSignalClient *self);
/* Goes from server to server while nobody is there: the inviter may have found the first one down. */
void             als_signal_client_join         (AlsSignalClient *self, guint number);
/* Goes from server to server while it waits, so that both sides meet wherever there is one that both reach. */
void             als_signal_client_meet         (AlsSignalClient *self, const uint8_t *meeting_id,
                                                 gboolean is_inviter);
void             als_signal_client_cancel       (AlsSignalClient *self); /* ends join and meet */
void             als_signal_client_unpair       (AlsSignalClient *self);
/* FALSE: not paired, or too long. */
gboolean         als_signal_client_send         (AlsSignalClient *self, GBytes *payload);
/* (element-type AlsIceServer) (transfer none): of the last PAIRED. */
GPtrArray       *als_signal_client_get_servers  (AlsSignalClient *self);
/* The TURN servers of the last PAIRED let in who has no allocation there. *ORIGIN: (nullable): the address
 * we come from as the rendezvous server sees it, in digits; a stranger's word. */
gboolean         als_signal_client_get_foreign_peers (AlsSignalClient *self, const char **origin);
/* (element-type AlsIceServer) (transfer none): those the server tells everybody at its WELCOME, without
 * logins; kept over reconnections, empty before the first WELCOME or where none are told. */
GPtrArray       *als_signal_client_get_public_servers (AlsSignalClient *self);
/* The signal-relay path of this pairing: a message carrier living in this thread, with its limits
 * set. Once per pairing. (transfer full) (nullable) */
AlsCarrier      *als_signal_client_take_relay   (AlsSignalClient *self);

G_END_DECLS
