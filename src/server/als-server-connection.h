/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* One client's socket: TLS or plain, the HTTP upgrade, WebSocket frames, and
 * two bounded queues out. Knows nothing of numbers or pairs, nor of time: its
 * owner says when the socket is ready and when patience has ended. */

#pragma once

#include <glib.h>
#include <gnutls/gnutls.h>
#include <stdint.h>

#include "server/als-rendezvous.h"
#include "server/als-web-socket.h"

G_BEGIN_DECLS

typedef struct _AlsServerConnection AlsServerConnection;

typedef enum
{
  ALS_CONNECTION_TLS,      /* handshake */
  ALS_CONNECTION_HTTP,     /* the request is awaited */
  ALS_CONNECTION_OPEN,     /* WebSocket */
  ALS_CONNECTION_CLOSING,  /* flushes, says goodbye, waits for the other end */
  ALS_CONNECTION_CLOSED,   /* to be freed by its owner */
} AlsConnectionState;

typedef struct
{
  /* It is OPEN now. FORWARDED: (nullable) what a proxy says about the client. */
  void (*opened)  (AlsServerConnection *connection, const char *forwarded, gpointer user_data);
  void (*message) (AlsServerConnection *connection, const uint8_t *data, size_t len, gpointer user_data);
  /* The other side is alive: a whole frame or message came. */
  void (*heard)   (AlsServerConnection *connection, gpointer user_data);
  /* A rule of WebSocket was broken. The owner closes, having said what it wants to. */
  void (*broken)  (AlsServerConnection *connection, AlsWebSocketStatus status, const char *text,
                   gpointer user_data);
} AlsServerConnectionEvents;

/* Takes FD, non-blocking. CREDENTIALS: NULL: plain; outlive the connection. */
AlsServerConnection *als_server_connection_new          (int fd, gnutls_certificate_credentials_t credentials,
                                                         const AlsServerConnectionEvents *events,
                                                         gpointer user_data);
void                 als_server_connection_free         (AlsServerConnection *self);
int                  als_server_connection_get_fd       (AlsServerConnection *self);
AlsConnectionState   als_server_connection_get_state    (AlsServerConnection *self);
/* Reads a bounded amount; events come from here. */
void                 als_server_connection_read         (AlsServerConnection *self);
/* Writes what the socket takes. */
void                 als_server_connection_flush        (AlsServerConnection *self);
gboolean             als_server_connection_wants_write  (AlsServerConnection *self);
/* Queues a binary message; it leaves with the next flush. */
void                 als_server_connection_send         (AlsServerConnection *self, AlsLane lane, GBytes *message);
/* Bytes queued in LANE. */
size_t               als_server_connection_get_backlog  (AlsServerConnection *self, AlsLane lane);
/* Closes once the signal lane has left; what is left in the relay lane is dropped. */
void                 als_server_connection_close        (AlsServerConnection *self, AlsWebSocketStatus status);
/* The request did not come in time. */
void                 als_server_connection_time_out     (AlsServerConnection *self);
/* At once. */
void                 als_server_connection_abort        (AlsServerConnection *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (AlsServerConnection, als_server_connection_free)

G_END_DECLS
