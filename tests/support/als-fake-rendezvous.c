/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#include "als-fake-rendezvous.h"

#include <string.h>

/* REGISTERED's token; a number is kept for who brings it. */
static const uint8_t token[ALS_SIGNAL_TOKEN_BYTES] = "token of a fake";

void
als_fake_rendezvous_say (AlsFakeRendezvous *self, const AlsSignalMessage *message)
{
  g_autoptr (GBytes) bytes = als_signal_message_encode (message);
  size_t len;
  const void *data;

  g_assert_nonnull (bytes);
  g_assert_nonnull (self->socket);
  data = g_bytes_get_data (bytes, &len);
  soup_websocket_connection_send_binary (self->socket, data, len);
}

void
als_fake_rendezvous_say_type (AlsFakeRendezvous *self, AlsSignalType type)
{
  g_autoptr (GBytes) payload = g_bytes_new_static ("payload", 7);
  AlsSignalMessage message = { .type = type, .version = self->version,
                               .heartbeat_s = self->heartbeat_s, .keep_s = 30, .payload = payload,
                               .relay_rate = 1000000, .relay_backlog = 65536 };

  als_fake_rendezvous_say (self, &message);
}

static void
say_error (AlsFakeRendezvous *self, AlsSignalCode code)
{
  AlsSignalMessage message = { .type = ALS_SIGNAL_ERROR, .code = code, .text = (char *) "no" };

  als_fake_rendezvous_say (self, &message);
}

static void
answer (AlsFakeRendezvous *self, const AlsSignalMessage *message)
{
  AlsSignalMessage registered = { .type = ALS_SIGNAL_REGISTERED, .keep_s = 60 };
  AlsSignalMessage pong = { .type = ALS_SIGNAL_PONG, .cookie = message->cookie };

  switch ((int) message->type)
    {
    case ALS_SIGNAL_HELLO:
      if (self->hello_error != 0)
        say_error (self, self->hello_error);
      else if (!self->no_welcome)
        als_fake_rendezvous_say_type (self, ALS_SIGNAL_WELCOME);
      if (self->after_welcome != NULL)
        soup_websocket_connection_send_message (self->socket,
                                                self->after_welcome_is_text
                                                  ? SOUP_WEBSOCKET_DATA_TEXT
                                                  : SOUP_WEBSOCKET_DATA_BINARY,
                                                self->after_welcome);
      break;
    case ALS_SIGNAL_REGISTER:
      self->had_token = message->has_token;
      if (!message->has_token || memcmp (message->token, token, sizeof token) != 0)
        self->number++;
      registered.number = self->number;
      memcpy (registered.token, token, sizeof token);
      als_fake_rendezvous_say (self, &registered);
      break;
    case ALS_SIGNAL_JOIN:
    case ALS_SIGNAL_MEET:
      if (self->join_error != 0)
        say_error (self, self->join_error);
      else
        als_fake_rendezvous_say_type (self, ALS_SIGNAL_WAITING);
      break;
    case ALS_SIGNAL_PING:
      if (!self->no_pong)
        als_fake_rendezvous_say (self, &pong);
      break;
    default:
      break;
    }
}

static void
message_cb (SoupWebsocketConnection *socket, int type, GBytes *bytes, AlsFakeRendezvous *self)
{
  g_autoptr (AlsSignalMessage) message = NULL;
  size_t len;
  const uint8_t *data = g_bytes_get_data (bytes, &len);

  if (socket != self->socket)
    return;
  message = als_signal_message_decode (data, len, NULL);
  g_assert_nonnull (message);
  self->n_heard[message->type]++;
  if (message->payload != NULL)
    {
      g_clear_pointer (&self->last_payload, g_bytes_unref);
      self->last_payload = g_bytes_ref (message->payload);
    }
  answer (self, message);
}

static void
closed_cb (SoupWebsocketConnection *socket, AlsFakeRendezvous *self)
{
  if (self->socket == socket)
    g_clear_object (&self->socket);
}

static void
connected_cb (SoupServer *server, SoupServerMessage *message, const char *path,
              SoupWebsocketConnection *socket, gpointer user_data)
{
  AlsFakeRendezvous *self = user_data;

  self->n_connections++;
  g_set_object (&self->socket, socket);
  soup_websocket_connection_set_max_incoming_payload_size (socket, 1024 * 1024);
  g_signal_connect (socket, "message", G_CALLBACK (message_cb), self);
  g_signal_connect (socket, "closed", G_CALLBACK (closed_cb), self);
}

static void
early_cb (SoupServer *server, SoupServerMessage *message, const char *path, GHashTable *query,
          gpointer user_data)
{
  AlsFakeRendezvous *self = user_data;

  if (self->status == 0)
    return;
  self->n_connections++;
  soup_server_message_set_status (message, self->status, NULL);
}

AlsFakeRendezvous *
als_fake_rendezvous_new (GTlsCertificate *certificate)
{
  static const char *const protocols[] = { ALS_SIGNAL_SUBPROTOCOL, NULL };
  AlsFakeRendezvous *self = g_new0 (AlsFakeRendezvous, 1);
  g_autoptr (GError) error = NULL;
  GSList *uris;

  self->version = 1;
  self->heartbeat_s = 20;
  self->number = 100;
  self->server = soup_server_new ("tls-certificate", certificate, NULL);
  soup_server_add_early_handler (self->server, NULL, early_cb, self, NULL);
  soup_server_add_websocket_handler (self->server, NULL, NULL, (char **) protocols, connected_cb,
                                     self, NULL);
  soup_server_listen_local (self->server, 0,
                            SOUP_SERVER_LISTEN_IPV4_ONLY
                              | (certificate != NULL ? SOUP_SERVER_LISTEN_HTTPS : 0),
                            &error);
  g_assert_no_error (error);
  uris = soup_server_get_uris (self->server);
  self->uri = g_strdup_printf ("%s://127.0.0.1:%d/", certificate != NULL ? "wss" : "ws",
                               g_uri_get_port (uris->data));
  g_slist_free_full (uris, (GDestroyNotify) g_uri_unref);
  return self;
}

void
als_fake_rendezvous_drop (AlsFakeRendezvous *self)
{
  g_autoptr (SoupWebsocketConnection) socket = g_steal_pointer (&self->socket);

  g_assert_nonnull (socket);
  g_signal_handlers_disconnect_by_data (socket, self);
  g_io_stream_close (soup_websocket_connection_get_io_stream (socket), NULL, NULL);
}

void
als_fake_rendezvous_free (AlsFakeRendezvous *self)
{
  if (self->socket != NULL)
    als_fake_rendezvous_drop (self);
  soup_server_disconnect (self->server);
  g_object_unref (self->server);
  g_clear_pointer (&self->after_welcome, g_bytes_unref);
  g_clear_pointer (&self->last_payload, g_bytes_unref);
  g_free (self->uri);
  g_free (self);
}
