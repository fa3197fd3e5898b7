/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* The port is held by sockets that are bound and do nothing else, so that it
 * stays ours while no connection stands. All that share it have SO_REUSEPORT,
 * which would let two pools of one process have the same: hence the table. */

#define G_LOG_DOMAIN "als-path"

#include "config.h"

#include "path/turn/als-turn-port.h"

#include "path/turn/als-turn-way.h"

struct _AlsTurnPort
{
  uint16_t number;
  GSocket *holders[2]; /* (nullable): bound, neither connected nor listening */
};

/* Ports of this process' pools. */
static GMutex ports_mutex;
static GHashTable *ports;

static gboolean
claim (uint16_t port)
{
  gboolean ok;

  g_mutex_lock (&ports_mutex);
  if (ports == NULL)
    ports = g_hash_table_new (NULL, NULL);
  ok = g_hash_table_add (ports, GUINT_TO_POINTER (port));
  g_mutex_unlock (&ports_mutex);
  return ok;
}

static void
unclaim (uint16_t port)
{
  g_mutex_lock (&ports_mutex);
  g_hash_table_remove (ports, GUINT_TO_POINTER (port));
  if (g_hash_table_size (ports) == 0)
    g_clear_pointer (&ports, g_hash_table_unref);
  g_mutex_unlock (&ports_mutex);
}

/* Of another process' sockets those that listen are in the way. */
static gboolean
is_free (uint16_t port, gboolean loopback)
{
  g_autoptr (GSocket) socket
      = g_socket_new (G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_TCP, NULL);
  g_autoptr (GInetAddress) any = loopback ? g_inet_address_new_loopback (G_SOCKET_FAMILY_IPV4)
                                          : g_inet_address_new_any (G_SOCKET_FAMILY_IPV4);
  g_autoptr (GSocketAddress) local = g_inet_socket_address_new (any, port);

  return socket != NULL && g_socket_bind (socket, local, TRUE, NULL);
}

/* PORT: 0: any */
static AlsTurnPort *
take (uint16_t port, gboolean loopback)
{
  g_autoptr (GSocket) ipv4 = NULL;
  g_autoptr (GSocketAddress) bound = NULL;
  AlsTurnPort *self;

  if (port != 0 && !is_free (port, loopback))
    return NULL;
  ipv4 = als_turn_way_bind_socket (G_SOCKET_FAMILY_IPV4, loopback, port, NULL);
  if (ipv4 == NULL || (bound = g_socket_get_local_address (ipv4, NULL)) == NULL)
    return NULL;
  port = g_inet_socket_address_get_port (G_INET_SOCKET_ADDRESS (bound));
  if (!claim (port))
    return NULL;
  self = g_new0 (AlsTurnPort, 1);
  self->number = port;
  self->holders[0] = g_steal_pointer (&ipv4);
  /* NULL without IPv6. */
  self->holders[1] = als_turn_way_bind_socket (G_SOCKET_FAMILY_IPV6, loopback, port, NULL);
  return self;
}

AlsTurnPort *
als_turn_port_take (uint16_t wanted, gboolean loopback)
{
  AlsTurnPort *self = wanted != 0 ? take (wanted, loopback) : NULL;

  return self != NULL ? self : take (0, loopback);
}

void
als_turn_port_release (AlsTurnPort *self)
{
  g_clear_object (&self->holders[0]);
  g_clear_object (&self->holders[1]);
  unclaim (self->number);
  g_free (self);
}

uint16_t
als_turn_port_get_number (const AlsTurnPort *self)
{
  return self->number;
}
