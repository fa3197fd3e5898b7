/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#include "als-fake-turn.h"

#include <string.h>

#include "stun/als-stun-auth.h"
#include "stun/als-stun-stream.h"

#define USER "user"
#define REALM "fake"
#define NONCE "0123456789abcdef"

typedef struct
{
  AlsFakeTurn *server;
  GSocketConnection *connection;
  AlsStunStream *stream;
  GSource *readable;
  GByteArray *output;
  guint drip;             /* source: one byte at a time */
  gboolean is_allocated;
} Connection;

static void
connection_free (gpointer data)
{
  Connection *self = data;

  self->server->n_open--;
  g_source_destroy (self->readable);
  g_source_unref (self->readable);
  g_clear_handle_id (&self->drip, g_source_remove);
  g_io_stream_close (G_IO_STREAM (self->connection), NULL, NULL);
  g_object_unref (self->connection);
  als_stun_stream_free (self->stream);
  g_byte_array_unref (self->output);
  g_free (self);
}

static void
send_bytes (Connection *self, const void *data, size_t len)
{
  /* A few hundred bytes: the socket takes them, or the other end has gone. */
  g_socket_send (g_socket_connection_get_socket (self->connection), data, len, NULL, NULL);
}

static gboolean
drip_cb (gpointer user_data)
{
  Connection *self = user_data;

  if (self->output->len == 0)
    {
      self->drip = 0;
      return G_SOURCE_REMOVE;
    }
  send_bytes (self, self->output->data, 1);
  g_byte_array_remove_index (self->output, 0);
  return G_SOURCE_CONTINUE;
}

static void
send_message (Connection *self, AlsStunBuilder *builder)
{
  g_autoptr (GBytes) bytes = als_stun_builder_finish (builder);

  if (self->server->manner != ALS_FAKE_TURN_BYTE_BY_BYTE)
    {
      send_bytes (self, g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes));
      return;
    }
  g_byte_array_append (self->output, g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes));
  if (self->drip == 0)
    self->drip = g_idle_add (drip_cb, self);
}

static void
add_mapped (Connection *self, AlsStunBuilder *builder)
{
  g_autoptr (GSocketAddress) remote
      = g_socket_connection_get_remote_address (self->connection, NULL);
  AlsStunAddress address = self->server->endpoint;

  if (address.family == ALS_STUN_FAMILY_NONE)
    als_stun_address_from_gio (&address, remote);
  als_stun_builder_add_address (builder, ALS_STUN_XOR_MAPPED_ADDRESS, &address);
}

static const char *
get_password (AlsFakeTurn *self)
{
  return self->password != NULL ? self->password : "secret";
}

static void
sign (Connection *self, AlsStunBuilder *builder)
{
  uint8_t key[ALS_STUN_MAX_KEY_BYTES];
  size_t len;

  als_stun_auth_derive_key (ALS_STUN_PASSWORD_MD5, USER, REALM, get_password (self->server), key,
                            &len);
  als_stun_builder_add_integrity (builder, ALS_STUN_INTEGRITY_SHA1, key, len);
}

static void
fail (Connection *self, const AlsStunMessage *request, guint code)
{
  g_auto (AlsStunBuilder) builder = { 0 };

  als_stun_builder_init (&builder, ALS_STUN_FAILURE, request->method, request->transaction);
  als_stun_builder_add_error (&builder, code, "no");
  if (code == 401)
    {
      als_stun_builder_add_text (&builder, ALS_STUN_REALM, REALM);
      als_stun_builder_add_text (&builder, ALS_STUN_NONCE, NONCE);
    }
  if (code == 300)
    als_stun_builder_add_address (&builder, ALS_STUN_ALTERNATE_SERVER, &self->server->alternate);
  send_message (self, &builder);
}

static void
succeed (Connection *self, const AlsStunMessage *request)
{
  g_auto (AlsStunBuilder) builder = { 0 };
  AlsStunAddress relayed;
  uint32_t granted = self->server->lifetime_s != 0 ? self->server->lifetime_s : 600;
  uint32_t lifetime = granted;

  als_stun_builder_init (&builder, ALS_STUN_SUCCESS, request->method, request->transaction);
  if (request->method == ALS_STUN_BINDING || request->method == ALS_STUN_ALLOCATE)
    add_mapped (self, &builder);
  if (request->method == ALS_STUN_REFRESH)
    als_stun_message_get_u32 (request, ALS_STUN_LIFETIME, &lifetime);
  lifetime = MIN (lifetime, granted);
  if (request->method == ALS_STUN_REFRESH || request->method == ALS_STUN_ALLOCATE)
    als_stun_builder_add_u32 (&builder, ALS_STUN_LIFETIME, lifetime);
  if (request->method == ALS_STUN_ALLOCATE)
    {
      als_stun_address_parse (&relayed, "127.0.0.1",
                              (uint16_t) (50000 + self->server->n_allocations));
      als_stun_builder_add_address (&builder, ALS_STUN_XOR_RELAYED_ADDRESS, &relayed);
      self->server->n_allocations++;
    }
  if (lifetime == 0)
    self->server->n_given_back++;
  if (request->method != ALS_STUN_BINDING)
    sign (self, &builder);
  send_message (self, &builder);
}

static gboolean
is_signed_well (Connection *self, const AlsStunMessage *request)
{
  uint8_t key[ALS_STUN_MAX_KEY_BYTES];
  g_autofree char *username = als_stun_message_get_text (request, ALS_STUN_USERNAME);
  size_t len;

  als_stun_auth_derive_key (ALS_STUN_PASSWORD_MD5, USER, REALM, get_password (self->server), key,
                            &len);
  return g_strcmp0 (username, USER) == 0
         && als_stun_message_verify (request, ALS_STUN_INTEGRITY_SHA1, key, len);
}

/* FALSE: the connection ends. */
static gboolean
handle_signed (Connection *self, const AlsStunMessage *request)
{
  const AlsStunAttribute *family
      = als_stun_message_find (request, ALS_STUN_REQUESTED_ADDRESS_FAMILY);

  self->server->n_allocates += request->method == ALS_STUN_ALLOCATE;
  switch (self->server->manner)
    {
    case ALS_FAKE_TURN_CLOSES_AT_LOGIN:
      return FALSE;
    case ALS_FAKE_TURN_REFUSES:
      fail (self, request, self->server->code);
      return TRUE;
    case ALS_FAKE_TURN_REDIRECTS:
      fail (self, request, 300);
      return TRUE;
    case ALS_FAKE_TURN_ONLY_IPV6:
      if (request->method == ALS_STUN_ALLOCATE
          && (family == NULL || family->value[0] != ALS_STUN_FAMILY_IPV6))
        {
          fail (self, request, 440);
          return TRUE;
        }
      break;
    default:
      break;
    }
  succeed (self, request);
  return TRUE;
}

static gboolean
handle_request (Connection *self, const AlsStunMessage *request)
{
  AlsFakeTurn *server = self->server;

  switch (server->manner)
    {
    case ALS_FAKE_TURN_SILENT:
      return TRUE;
    case ALS_FAKE_TURN_GARBAGE:
      send_bytes (self, "HTTP/1.1 400 Bad Request\r\n\r\n", 28);
      return TRUE;
    case ALS_FAKE_TURN_CLOSES_AT_REQUEST:
      return FALSE;
    default:
      break;
    }
  if (request->method == ALS_STUN_BINDING)
    {
      server->n_bindings++;
      succeed (self, request);
    }
  else if (als_stun_message_find (request, ALS_STUN_MESSAGE_INTEGRITY) == NULL
           || !is_signed_well (self, request))
    fail (self, request, 401);
  else
    return handle_signed (self, request);
  return TRUE;
}

static gboolean
readable_cb (GSocket *socket, GIOCondition condition, gpointer user_data)
{
  Connection *self = user_data;
  uint8_t buffer[4096];
  gssize len = g_socket_receive_with_blocking (socket, (char *) buffer, sizeof buffer, FALSE, NULL,
                                               NULL);
  gboolean ok = len > 0;

  if (ok)
    als_stun_stream_feed (self->stream, buffer, (size_t) len);
  while (ok)
    {
      g_autoptr (AlsStunMessage) message = als_stun_stream_next (self->stream, NULL);

      if (message == NULL)
        return G_SOURCE_CONTINUE;
      ok = handle_request (self, message);
    }
  g_ptr_array_remove (self->server->connections, self);
  return G_SOURCE_REMOVE;
}

static gboolean
incoming_cb (GSocketService *service, GSocketConnection *connection, GObject *source,
             gpointer user_data)
{
  AlsFakeTurn *server = user_data;
  Connection *self;

  server->n_connections++;
  if (server->manner == ALS_FAKE_TURN_CLOSES_AT_ONCE)
    return TRUE;
  self = g_new0 (Connection, 1);
  self->server = server;
  self->connection = g_object_ref (connection);
  self->stream = als_stun_stream_new ();
  self->output = g_byte_array_new ();
  self->readable = g_socket_create_source (g_socket_connection_get_socket (connection), G_IO_IN,
                                           NULL);
  g_source_set_callback (self->readable, G_SOURCE_FUNC (readable_cb), self, NULL);
  g_source_attach (self->readable, NULL);
  g_ptr_array_add (server->connections, self);
  server->n_open++;
  return TRUE;
}

void
als_fake_turn_init (AlsFakeTurn *self, GSocketFamily family, uint16_t port)
{
  g_autoptr (GInetAddress) loopback = g_inet_address_new_loopback (family);
  g_autoptr (GSocketAddress) address = g_inet_socket_address_new (loopback, port);
  g_autoptr (GSocketAddress) bound = NULL;
  g_autoptr (GError) error = NULL;

  memset (self, 0, sizeof *self);
  self->connections = g_ptr_array_new_with_free_func (connection_free);
  self->service = g_socket_service_new ();
  g_socket_listener_add_address (G_SOCKET_LISTENER (self->service), address, G_SOCKET_TYPE_STREAM,
                                 G_SOCKET_PROTOCOL_TCP, NULL, &bound, &error);
  g_assert_no_error (error);
  self->port = g_inet_socket_address_get_port (G_INET_SOCKET_ADDRESS (bound));
  g_signal_connect (self->service, "incoming", G_CALLBACK (incoming_cb), self);
}

void
als_fake_turn_clear (AlsFakeTurn *self)
{
  g_socket_service_stop (self->service);
  g_socket_listener_close (G_SOCKET_LISTENER (self->service));
  g_object_unref (self->service);
  g_ptr_array_unref (self->connections);
}

void
als_fake_turn_hang_up (AlsFakeTurn *self)
{
  g_ptr_array_set_size (self->connections, 0);
}
