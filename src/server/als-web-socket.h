/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* The server's side of WebSocket framing (RFC 6455) for binary messages of a
 * bounded length. Pure: bytes in, messages out.
 *
 * Reading is wslay's, on its frame level: its event level answers a broken rule
 * with a close frame of its own, and we want to say by name what was wrong. */

#pragma once

#include <glib.h>
#include <stdint.h>

G_BEGIN_DECLS

typedef struct _AlsWebSocket AlsWebSocket;

/* RFC 6455, 7.4.1 */
typedef enum
{
  ALS_WEB_SOCKET_NORMAL = 1000,
  ALS_WEB_SOCKET_GOING_AWAY = 1001,
  ALS_WEB_SOCKET_PROTOCOL_ERROR = 1002,
  ALS_WEB_SOCKET_UNSUPPORTED = 1003,
  ALS_WEB_SOCKET_TOO_BIG = 1009,
} AlsWebSocketStatus;

typedef struct
{
  void (*message) (const uint8_t *data, size_t len, gpointer user_data);
  /* To be answered by a pong with the same bytes. */
  void (*ping)    (const uint8_t *data, size_t len, gpointer user_data);
  /* Nothing follows. */
  void (*closed)  (gpointer user_data);
  void (*broken)  (AlsWebSocketStatus status, const char *text, gpointer user_data);
} AlsWebSocketEvents;

/* EVENTS is borrowed. */
AlsWebSocket *als_web_socket_new        (size_t max_message, const AlsWebSocketEvents *events,
                                         gpointer user_data);
void          als_web_socket_free       (AlsWebSocket *self);
/* After closed or broken, and after als_web_socket_stop (), nothing is read any more. */
void          als_web_socket_feed       (AlsWebSocket *self, const uint8_t *data, size_t len);
/* From inside an event, too. */
void          als_web_socket_stop       (AlsWebSocket *self);

/* Whole frames of a server. (transfer full) */
GBytes       *als_web_socket_make_binary (GBytes *message);
GBytes       *als_web_socket_make_pong   (const uint8_t *data, size_t len);
GBytes       *als_web_socket_make_close  (AlsWebSocketStatus status);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (AlsWebSocket, als_web_socket_free)

G_END_DECLS
