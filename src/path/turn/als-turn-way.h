/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* One way to a TURN server over TCP, and going it: straight from a given local
 * port or through a proxy, TLS on top where the server has it. The second
 * connections of RFC 6062 go the way of their control connection. */

#pragma once

#include <gio/gio.h>
#include <stdint.h>

G_BEGIN_DECLS

/* For a connection, its TLS included; and for the first answer over it. */
#define ALS_TURN_WAIT_US ((int64_t) 5 * G_USEC_PER_SEC)

typedef struct
{
  char *host;               /* a name or an address: who a certificate must name */
  uint16_t port;
  GSocketAddress *address;  /* (nullable): NULL where a proxy finds it */
  char *proxy;              /* (nullable): URI */
  gboolean is_tls;
  gboolean loopback;        /* from a loopback address only */
  GTlsDatabase *trust;      /* (nullable): the system's */
} AlsTurnWay;

AlsTurnWay *als_turn_way_copy (const AlsTurnWay *self);
void        als_turn_way_free (AlsTurnWay *self);
/* For logs. (transfer full) */
char       *als_turn_way_to_string (const AlsTurnWay *self);

/* LOCAL_PORT: 0: any; only for straight ways. Ends within ALS_TURN_WAIT_US. */
void        als_turn_way_dial_async  (const AlsTurnWay *self, uint16_t local_port,
                                      GCancellable *cancellable, GAsyncReadyCallback callback,
                                      gpointer user_data);
/* (transfer full) */
GIOStream  *als_turn_way_dial_finish (GAsyncResult *result, GError **error);

/* A TCP socket that shares PORT (0: any) with others of ours. (transfer full) (nullable) */
GSocket    *als_turn_way_bind_socket (GSocketFamily family, gboolean loopback, uint16_t port,
                                      GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (AlsTurnWay, als_turn_way_free)

G_END_DECLS
