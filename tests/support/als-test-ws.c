/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#include "support/als-test-ws.h"

#include <arpa/inet.h>
#include <gnutls/gnutls.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define PATIENCE_S 10

struct _AlsTestWs
{
  int fd;
  gnutls_certificate_credentials_t credentials;
  gnutls_session_t tls; /* (nullable) */
  size_t piece;
  guint close_status;
};

AlsTestWs *
als_test_ws_connect (uint16_t port, gboolean tls, int receive_buffer)
{
  AlsTestWs *self = g_new0 (AlsTestWs, 1);
  struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons (port) };
  struct timeval patience = { .tv_sec = PATIENCE_S };
  int one = 1;

  address.sin_addr.s_addr = htonl (INADDR_LOOPBACK);
  self->fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  g_assert_cmpint (self->fd, >=, 0);
  if (receive_buffer > 0)
    setsockopt (self->fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
  setsockopt (self->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  setsockopt (self->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  setsockopt (self->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  g_assert_cmpint (connect (self->fd, (struct sockaddr *)&address, sizeof address), ==, 0);
  if (tls)
    {
      gnutls_certificate_allocate_credentials (&self->credentials);
      gnutls_init (&self->tls, GNUTLS_CLIENT);
      gnutls_set_default_priority (self->tls);
      gnutls_credentials_set (self->tls, GNUTLS_CRD_CERTIFICATE, self->credentials);
      gnutls_transport_set_int (self->tls, self->fd);
      g_assert_cmpint (gnutls_handshake (self->tls), ==, GNUTLS_E_SUCCESS);
    }
  return self;
}

void
als_test_ws_free (AlsTestWs *self)
{
  if (self == NULL)
    return;
  if (self->tls != NULL)
    {
      gnutls_deinit (self->tls);
      gnutls_certificate_free_credentials (self->credentials);
    }
  close (self->fd);
  g_free (self);
}

void
als_test_ws_set_piece (AlsTestWs *self, size_t bytes)
{
  self->piece = bytes;
}

/* A server that has closed already is no failure here: what is heard decides. */
void
als_test_ws_write (AlsTestWs *self, const void *data, size_t len)
{
  const uint8_t *at = data;

  while (len > 0)
    {
      size_t n = self->piece > 0 ? MIN (self->piece, len) : len;
      ssize_t sent = self->tls != NULL ? gnutls_record_send (self->tls, at, n)
                                       : send (self->fd, at, n, MSG_NOSIGNAL);

      if (sent <= 0)
        return;
      at += sent;
      len -= (size_t)sent;
    }
}

/* FALSE: the server closed. */
static gboolean
read_exactly (AlsTestWs *self, void *data, size_t len)
{
  uint8_t *at = data;

  while (len > 0)
    {
      ssize_t n;

      errno = 0;
      n = self->tls != NULL ? gnutls_record_recv (self->tls, at, len) : recv (self->fd, at, len, 0);
      if (n == GNUTLS_E_INTERRUPTED)
        continue;
      if (n <= 0)
        {
          g_assert_cmpint (errno, !=, EAGAIN);
          return FALSE;
        }
      at += n;
      len -= (size_t)n;
    }
  return TRUE;
}

char *
als_test_ws_read_all (AlsTestWs *self)
{
  GString *text = g_string_new (NULL);
  char c;

  while (read_exactly (self, &c, 1))
    g_string_append_c (text, c);
  return g_string_free (text, FALSE);
}

void
als_test_ws_upgrade (AlsTestWs *self, const char *extra)
{
  g_autofree char *request
      = g_strdup_printf ("GET /v1 HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
                         "Connection: keep-alive, Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                         "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                         "Sec-WebSocket-Protocol: alongside.1\r\n%s\r\n",
                         extra != NULL ? extra : "");
  g_autoptr (GString) answer = g_string_new (NULL);
  char c;

  als_test_ws_write (self, request, strlen (request));
  while (!g_str_has_suffix (answer->str, "\r\n\r\n"))
    {
      g_assert_true (read_exactly (self, &c, 1));
      g_string_append_c (answer, c);
    }
  g_assert_true (g_str_has_prefix (answer->str, "HTTP/1.1 101 "));
  g_assert_nonnull (strstr (answer->str, "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
  g_assert_nonnull (strstr (answer->str, "Sec-WebSocket-Protocol: alongside.1\r\n"));
}

void
als_test_ws_frame (AlsTestWs *self, uint8_t first, gboolean masked, const void *data, size_t len)
{
  static const uint8_t mask[4] = { 0x12, 0x34, 0x56, 0x78 };
  g_autoptr (GByteArray) frame = g_byte_array_new ();
  uint8_t mask_bit = masked ? 0x80 : 0;
  const uint8_t *payload = data;

  g_byte_array_append (frame, &first, 1);
  if (len < 126)
    {
      uint8_t length = mask_bit | (uint8_t)len;

      g_byte_array_append (frame, &length, 1);
    }
  else if (len < 65536)
    {
      uint8_t length[3] = { mask_bit | 126, (uint8_t)(len >> 8), (uint8_t)len };

      g_byte_array_append (frame, length, sizeof length);
    }
  else
    {
      uint8_t length[9]
          = { mask_bit | 127,      0,           0, 0, 0, (uint8_t)(len >> 24), (uint8_t)(len >> 16),
              (uint8_t)(len >> 8), (uint8_t)len };

      g_byte_array_append (frame, length, sizeof length);
    }
  if (masked)
    g_byte_array_append (frame, mask, sizeof mask);
  for (size_t i = 0; i < len; i++)
    {
      uint8_t byte = masked ? payload[i] ^ mask[i % 4] : payload[i];

      g_byte_array_append (frame, &byte, 1);
    }
  als_test_ws_write (self, frame->data, frame->len);
}

void
als_test_ws_say (AlsTestWs *self, const AlsSignalMessage *message)
{
  g_autoptr (GBytes) bytes = als_signal_message_encode (message);

  g_assert_nonnull (bytes);
  als_test_ws_frame (self, 0x82, TRUE, g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes));
}

void
als_test_ws_say_type (AlsTestWs *self, AlsSignalType type)
{
  g_autoptr (AlsSignalMessage) message = als_signal_message_new (type);

  als_test_ws_say (self, message);
}

void
als_test_ws_say_bytes (AlsTestWs *self, AlsSignalType type, const void *data, size_t len)
{
  g_autoptr (AlsSignalMessage) message = als_signal_message_new (type);

  message->payload = g_bytes_new (data, len);
  als_test_ws_say (self, message);
}

gboolean
als_test_ws_wait (AlsTestWs *self, int timeout_ms)
{
  struct pollfd poll_fd = { .fd = self->fd, .events = POLLIN };

  if (self->tls != NULL && gnutls_record_check_pending (self->tls) > 0)
    return TRUE;
  return poll (&poll_fd, 1, timeout_ms) > 0;
}

AlsSignalMessage *
als_test_ws_hear (AlsTestWs *self)
{
  for (;;)
    {
      uint8_t head[2], extended[2];
      size_t len;
      g_autofree uint8_t *data = NULL;
      g_autoptr (GError) error = NULL;
      AlsSignalMessage *message;

      if (!read_exactly (self, head, 2))
        return NULL;
      /* A server masks nothing, and ours cuts nothing. */
      g_assert_cmpuint (head[1] & 0x80, ==, 0);
      g_assert_cmpuint (head[0] & 0xf0, ==, 0x80);
      len = head[1];
      g_assert_cmpuint (len, !=, 127);
      if (len == 126)
        {
          g_assert_true (read_exactly (self, extended, 2));
          len = (size_t)extended[0] << 8 | extended[1];
        }
      data = g_malloc (len + 1);
      g_assert_true (read_exactly (self, data, len));
      switch (head[0] & 0x0f)
        {
        case 0x8:
          self->close_status = len >= 2 ? (guint)data[0] << 8 | data[1] : 0;
          g_assert_false (read_exactly (self, head, 1));
          return NULL;
        case 0xa:
          break;
        default:
          g_assert_cmpuint (head[0] & 0x0f, ==, 2);
          message = als_signal_message_decode (data, len, &error);
          g_assert_no_error (error);
          return message;
        }
    }
}

AlsSignalMessage *
als_test_ws_expect (AlsTestWs *self, AlsSignalType type)
{
  AlsSignalMessage *message = als_test_ws_hear (self);

  g_assert_nonnull (message);
  if (message->type != type && message->type == ALS_SIGNAL_ERROR)
    g_error ("error %u: %s", message->code, message->text);
  g_assert_cmpint (message->type, ==, type);
  return message;
}

void
als_test_ws_expect_error (AlsTestWs *self, AlsSignalCode code, gboolean final)
{
  g_autoptr (AlsSignalMessage) message = als_test_ws_expect (self, ALS_SIGNAL_ERROR);

  g_assert_cmpuint (message->code, ==, code);
  if (final)
    g_assert_null (als_test_ws_hear (self));
}

guint
als_test_ws_get_close_status (AlsTestWs *self)
{
  return self->close_status;
}

AlsTestWs *
als_test_ws_open (uint16_t port, gboolean tls)
{
  AlsTestWs *self = als_test_ws_connect (port, tls, 0);
  g_autoptr (AlsSignalMessage) hello = als_signal_message_new (ALS_SIGNAL_HELLO);

  als_test_ws_upgrade (self, NULL);
  hello->version = ALS_SIGNAL_PROTOCOL_VERSION;
  hello->text = g_strdup ("a test");
  als_test_ws_say (self, hello);
  als_signal_message_free (als_test_ws_expect (self, ALS_SIGNAL_WELCOME));
  return self;
}

uint32_t
als_test_ws_register (AlsTestWs *self)
{
  g_autoptr (AlsSignalMessage) registered = NULL;

  als_test_ws_say_type (self, ALS_SIGNAL_REGISTER);
  registered = als_test_ws_expect (self, ALS_SIGNAL_REGISTERED);
  return registered->number;
}

void
als_test_ws_join (AlsTestWs *self, uint32_t number)
{
  g_autoptr (AlsSignalMessage) message = als_signal_message_new (ALS_SIGNAL_JOIN);

  message->number = number;
  als_test_ws_say (self, message);
}
