/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#define G_LOG_DOMAIN "als-path"

#include "config.h"

#include "path/punch/als-punch-door.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/als-deadline-source.h"
#include "path/turn/als-turn-way.h"

#define MAX_WAITING 16
#define FIRST_BYTES_US (3 * G_USEC_PER_SEC)
/* Of the kernel's; accepting goes on at once, so this is for one turn of the loop. */
#define BACKLOG 16
#define ACCEPTS_AT_ONCE 16
/* A connection whose other end has gone must not hold its ports for minutes. */
#define USER_TIMEOUT_MS 20000

typedef struct
{
  AlsPunchDoor *door;   /* back pointer */
  guint number;
  GSocket *socket;      /* NULL: none could be made */
  GSource *source;      /* until it is connected or refused; NULL: free */
  int error;            /* errno of the attempt, where it was known at once */
} Dial;

typedef struct
{
  AlsPunchDoor *door;   /* back pointer */
  GSocket *socket;
  GSource *readable;
  int64_t until_us;
  gboolean is_expected;
} Waiting;

struct _AlsPunchDoor
{
  AlsPunchDoorEvents events;
  gpointer user_data;
  GMainContext *context;
  uint16_t port;
  gboolean loopback;
  GSocket *listeners[2];
  GSource *incoming[2];
  Dial dials[ALS_PUNCH_MAX_DIALS];
  GPtrArray *waiting;   /* (element-type Waiting) (owned), the longest first */
  GSource *deadline;    /* of the first */
};

/* --- sockets ---------------------------------------------------------------- */

/* Bound to our port, which others of our sockets are bound to as well. */
static GSocket *
make_socket (AlsPunchDoor *self, GSocketFamily family, GError **error)
{
  GSocket *socket = als_turn_way_bind_socket (family, self->loopback, self->port, error);

  if (socket != NULL)
    g_socket_set_option (socket, IPPROTO_TCP, TCP_USER_TIMEOUT, USER_TIMEOUT_MS, NULL);
  return socket;
}

/* --- who comes in ----------------------------------------------------------- */

static void
waiting_free (gpointer data)
{
  Waiting *self = data;

  als_source_clear (&self->readable);
  g_clear_object (&self->socket);
  g_free (self);
}

static void
update_deadline (AlsPunchDoor *self)
{
  Waiting *first = self->waiting->len > 0 ? g_ptr_array_index (self->waiting, 0) : NULL;

  als_deadline_source_set (self->deadline, first != NULL ? first->until_us : INT64_MAX);
}

static gboolean
deadline_cb (gpointer user_data)
{
  AlsPunchDoor *self = user_data;
  int64_t now_us = g_get_monotonic_time ();
  guint n = 0;

  while (self->waiting->len > 0
         && ((Waiting *) g_ptr_array_index (self->waiting, 0))->until_us <= now_us)
    {
      g_ptr_array_remove_index (self->waiting, 0);
      n++;
    }
  update_deadline (self);
  while (n-- > 0)
    self->events.accepted (TRUE, self->user_data);
  return G_SOURCE_CONTINUE;
}

static gboolean
has_bytes (GSocket *socket)
{
  uint8_t byte;

  return recv (g_socket_get_fd (socket), &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 1;
}

static gboolean
readable_cb (GSocket *socket, GIOCondition condition, gpointer user_data)
{
  Waiting *waiting = user_data;
  AlsPunchDoor *self = waiting->door;
  g_autoptr (GSocket) keep = g_object_ref (socket);

  g_ptr_array_remove (self->waiting, waiting);
  update_deadline (self);
  if (has_bytes (keep))
    {
      self->events.accepted (FALSE, self->user_data);
      self->events.connected (keep, FALSE, self->user_data);
    }
  else
    self->events.accepted (TRUE, self->user_data);
  return G_SOURCE_REMOVE;
}

/* Room for one more, if need be by sending off one that nobody expects. */
static gboolean
make_room (AlsPunchDoor *self, gboolean is_expected)
{
  if (self->waiting->len < MAX_WAITING)
    return TRUE;
  for (guint i = 0; is_expected && i < self->waiting->len; i++)
    if (!((Waiting *) g_ptr_array_index (self->waiting, i))->is_expected)
      {
        g_ptr_array_remove_index (self->waiting, i);
        self->events.accepted (TRUE, self->user_data);
        return TRUE;
      }
  return FALSE;
}

static gboolean
send_one_off (AlsPunchDoor *self)
{
  if (self->waiting->len == 0)
    return FALSE;
  g_ptr_array_remove_index (self->waiting, 0);
  update_deadline (self);
  self->events.accepted (TRUE, self->user_data);
  return TRUE;
}

static void
come_in (AlsPunchDoor *self, GSocket *socket)
{
  g_autoptr (GSocketAddress) from = g_socket_get_remote_address (socket, NULL);
  AlsStunAddress address = { 0 };
  gboolean is_expected;
  Waiting *waiting;

  is_expected = from != NULL && als_stun_address_from_gio (&address, from)
                && self->events.is_expected (&address, self->user_data);
  if (!make_room (self, is_expected))
    {
      self->events.accepted (TRUE, self->user_data);
      return;
    }
  g_socket_set_blocking (socket, FALSE);
  waiting = g_new0 (Waiting, 1);
  waiting->door = self;
  waiting->socket = g_object_ref (socket);
  waiting->is_expected = is_expected;
  waiting->until_us = g_get_monotonic_time () + FIRST_BYTES_US;
  waiting->readable = g_socket_create_source (socket, G_IO_IN, NULL);
  g_source_set_static_name (waiting->readable, "als-punch-first-bytes");
  g_source_set_callback (waiting->readable, G_SOURCE_FUNC (readable_cb), waiting, NULL);
  g_source_attach (waiting->readable, self->context);
  g_ptr_array_add (self->waiting, waiting);
  update_deadline (self);
}

static gboolean
incoming_cb (GSocket *listener, GIOCondition condition, gpointer user_data)
{
  AlsPunchDoor *self = user_data;

  for (guint i = 0; i < ACCEPTS_AT_ONCE; i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (GSocket) socket = g_socket_accept (listener, NULL, &error);

      if (socket != NULL)
        come_in (self, socket);
      else if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK))
        break;
      else if (!send_one_off (self))
        {
          /* Out of descriptors, and none of them is ours to close. */
          g_message ("punch: no longer listening: %s", error->message);
          return G_SOURCE_REMOVE;
        }
    }
  return G_SOURCE_CONTINUE;
}

static gboolean
listen_on (AlsPunchDoor *self, guint index, GSocketFamily family, GError **error)
{
  g_autoptr (GSocket) socket = make_socket (self, family, error);

  if (socket == NULL)
    return FALSE;
  g_socket_set_listen_backlog (socket, BACKLOG);
  if (!g_socket_listen (socket, error))
    return FALSE;
  if (self->port == 0)
    {
      g_autoptr (GSocketAddress) local = g_socket_get_local_address (socket, error);

      if (local == NULL)
        return FALSE;
      self->port = g_inet_socket_address_get_port (G_INET_SOCKET_ADDRESS (local));
    }
  self->incoming[index] = g_socket_create_source (socket, G_IO_IN, NULL);
  g_source_set_static_name (self->incoming[index], "als-punch-listener");
  g_source_set_callback (self->incoming[index], G_SOURCE_FUNC (incoming_cb), self, NULL);
  g_source_attach (self->incoming[index], self->context);
  self->listeners[index] = g_steal_pointer (&socket);
  return TRUE;
}

/* --- dialling --------------------------------------------------------------- */

static void
dial_clear (Dial *self)
{
  als_source_clear (&self->source);
  g_clear_object (&self->socket);
}

static AlsPunchResult
judge_error (int error, gboolean was_at_once)
{
  switch (error)
    {
    case EADDRNOTAVAIL:
    case EADDRINUSE:
    case EISCONN:
    case EALREADY:
      return ALS_PUNCH_BUSY;
    case ENETUNREACH:
    case EHOSTUNREACH:
      return was_at_once ? ALS_PUNCH_NO_ROUTE : ALS_PUNCH_REFUSED;
    case ECONNREFUSED:
    case ECONNRESET:
    case ECONNABORTED:
    case ETIMEDOUT:
      return ALS_PUNCH_REFUSED;
    default:
      return was_at_once ? ALS_PUNCH_NO_ROUTE : ALS_PUNCH_REFUSED;
    }
}

/* The kernel connects a port to itself where both ends are told to be the same. */
static gboolean
is_connected_to_itself (GSocket *socket)
{
  g_autoptr (GSocketAddress) local = g_socket_get_local_address (socket, NULL);
  g_autoptr (GSocketAddress) remote = g_socket_get_remote_address (socket, NULL);
  AlsStunAddress a, b;

  return local == NULL || remote == NULL || !als_stun_address_from_gio (&a, local)
         || !als_stun_address_from_gio (&b, remote) || als_stun_address_equal (&a, &b);
}

static gboolean
dial_over (Dial *dial, int error, gboolean was_at_once)
{
  AlsPunchDoor *self = dial->door;
  g_autoptr (GSocket) socket = g_steal_pointer (&dial->socket);
  AlsPunchResult result = error == 0 ? ALS_PUNCH_CONNECTED : judge_error (error, was_at_once);

  /* GSocket would not know otherwise. */
  if (result == ALS_PUNCH_CONNECTED
      && (is_connected_to_itself (socket) || !g_socket_check_connect_result (socket, NULL)))
    result = ALS_PUNCH_BUSY;
  dial_clear (dial);
  self->events.dialled (dial->number, result, self->user_data);
  if (result == ALS_PUNCH_CONNECTED)
    self->events.connected (socket, TRUE, self->user_data);
  return G_SOURCE_REMOVE;
}

static gboolean
dialled_cb (GSocket *socket, GIOCondition condition, gpointer user_data)
{
  Dial *dial = user_data;
  int error = 0;
  socklen_t len = sizeof error;

  if (getsockopt (g_socket_get_fd (socket), SOL_SOCKET, SO_ERROR, &error, &len) != 0)
    error = errno;
  return dial_over (dial, error, FALSE);
}

static gboolean
at_once_cb (gpointer user_data)
{
  Dial *dial = user_data;

  return dial_over (dial, dial->error, TRUE);
}

/* --- public ----------------------------------------------------------------- */

AlsPunchDoor *
als_punch_door_open (uint16_t port, gboolean loopback, const AlsPunchDoorEvents *events,
                     gpointer user_data, GError **error)
{
  AlsPunchDoor *self = g_new0 (AlsPunchDoor, 1);
  g_autoptr (GError) error_4 = NULL, error_6 = NULL;

  self->events = *events;
  self->user_data = user_data;
  self->context = g_main_context_ref_thread_default ();
  self->port = port;
  self->loopback = loopback;
  self->waiting = g_ptr_array_new_with_free_func (waiting_free);
  self->deadline = als_deadline_source_new (self->context, "als-punch-waiting", deadline_cb, self);
  for (guint i = 0; i < ALS_PUNCH_MAX_DIALS; i++)
    {
      self->dials[i].door = self;
      self->dials[i].number = i;
    }
  listen_on (self, 0, G_SOCKET_FAMILY_IPV4, &error_4);
  listen_on (self, 1, G_SOCKET_FAMILY_IPV6, &error_6);
  if (self->listeners[0] == NULL && self->listeners[1] == NULL)
    {
      g_propagate_error (error, g_steal_pointer (&error_4));
      als_punch_door_free (self);
      return NULL;
    }
  if (error_4 != NULL || error_6 != NULL)
    g_debug ("punch: %s", error_4 != NULL ? error_4->message : error_6->message);
  return self;
}

void
als_punch_door_free (AlsPunchDoor *self)
{
  for (guint i = 0; i < G_N_ELEMENTS (self->listeners); i++)
    {
      als_source_clear (&self->incoming[i]);
      g_clear_object (&self->listeners[i]);
    }
  for (guint i = 0; i < ALS_PUNCH_MAX_DIALS; i++)
    dial_clear (&self->dials[i]);
  g_ptr_array_unref (self->waiting);
  als_source_clear (&self->deadline);
  g_main_context_unref (self->context);
  g_free (self);
}

uint16_t
als_punch_door_get_port (AlsPunchDoor *self)
{
  return self->port;
}

/* Returns errno; EINPROGRESS: it is under way. */
static int
connect_socket (GSocket *socket, const AlsStunAddress *address)
{
  g_autoptr (GSocketAddress) remote = als_stun_address_to_gio (address);
  struct sockaddr_storage native;

  if (remote == NULL || !g_socket_address_to_native (remote, &native, sizeof native, NULL))
    return EINVAL;
  if (connect (g_socket_get_fd (socket), (struct sockaddr *) &native,
               (socklen_t) g_socket_address_get_native_size (remote)) == 0)
    return 0;
  return errno;
}

void
als_punch_door_dial (AlsPunchDoor *self, guint number, const AlsStunAddress *address)
{
  GSocketFamily family = address->family == ALS_STUN_FAMILY_IPV6 ? G_SOCKET_FAMILY_IPV6
                                                                 : G_SOCKET_FAMILY_IPV4;
  g_autoptr (GError) error = NULL;
  Dial *dial = &self->dials[number];

  g_return_if_fail (number < ALS_PUNCH_MAX_DIALS && dial->source == NULL);
  dial->socket = make_socket (self, family, &error);
  if (dial->socket != NULL)
    dial->error = connect_socket (dial->socket, address);
  else
    {
      g_debug ("punch: %s", error->message);
      dial->error = EAFNOSUPPORT;
    }
  if (dial->error == EINPROGRESS)
    {
      dial->source = g_socket_create_source (dial->socket, G_IO_OUT, NULL);
      g_source_set_callback (dial->source, G_SOURCE_FUNC (dialled_cb), dial, NULL);
    }
  else
    {
      dial->source = g_idle_source_new ();
      g_source_set_priority (dial->source, G_PRIORITY_DEFAULT);
      g_source_set_callback (dial->source, at_once_cb, dial, NULL);
    }
  g_source_set_static_name (dial->source, "als-punch-dial");
  g_source_attach (dial->source, self->context);
}

void
als_punch_door_drop (AlsPunchDoor *self, guint number)
{
  g_return_if_fail (number < ALS_PUNCH_MAX_DIALS);
  dial_clear (&self->dials[number]);
}
