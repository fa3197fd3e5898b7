/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#include "als-test-proxy.h"

#include <string.h>

#define MAX_HEADER_BYTES 4096

static gboolean
read_exactly (GInputStream *input, guint8 *out, gsize len)
{
  gsize got;

  return g_input_stream_read_all (input, out, len, &got, NULL, NULL) && got == len;
}

static gboolean
write_all (GIOStream *stream, gconstpointer data, gsize len)
{
  return g_output_stream_write_all (g_io_stream_get_output_stream (stream), data, len, NULL, NULL,
                                    NULL);
}

/* FALSE: it asked for nothing. */
static gboolean
read_http (GIOStream *client, guint16 *port)
{
  g_autoptr (GString) header = g_string_new (NULL);
  char *colon, *end;
  guint8 byte;

  while (!g_str_has_suffix (header->str, "\r\n\r\n"))
    {
      if (header->len == MAX_HEADER_BYTES
          || !read_exactly (g_io_stream_get_input_stream (client), &byte, 1))
        return FALSE;
      g_string_append_c (header, (char) byte);
    }
  end = strstr (header->str, " HTTP/");
  if (!g_str_has_prefix (header->str, "CONNECT ") || end == NULL)
    return FALSE;
  *end = '\0';
  colon = strrchr (header->str, ':');
  *port = colon != NULL ? (guint16) g_ascii_strtoull (colon + 1, NULL, 10) : 0;
  return *port != 0;
}

static gboolean
read_socks (GIOStream *client, guint16 *port)
{
  GInputStream *input = g_io_stream_get_input_stream (client);
  guint8 head[4], methods[255], host[256], ports[2];
  gsize len;

  if (!read_exactly (input, head, 2) || head[0] != 5 || !read_exactly (input, methods, head[1])
      || !write_all (client, "\5\0", 2) || !read_exactly (input, head, 4) || head[1] != 1)
    return FALSE;
  switch (head[3])
    {
    case 1:
      len = 4;
      break;
    case 4:
      len = 16;
      break;
    default:
      if (!read_exactly (input, host, 1))
        return FALSE;
      len = host[0];
      break;
    }
  if (!read_exactly (input, host, len) || !read_exactly (input, ports, 2))
    return FALSE;
  *port = (guint16) (ports[0] << 8 | ports[1]);
  return TRUE;
}

static void
answer (AlsTestProxy *self, GIOStream *client, gboolean ok)
{
  static const guint8 socks[] = { 5, 0, 0, 1, 0, 0, 0, 0, 0, 0 };
  guint8 reply[sizeof socks];
  const char *text = ok ? "HTTP/1.1 200 Connection established\r\n\r\n"
                        : "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n";

  memcpy (reply, socks, sizeof reply);
  reply[1] = ok ? 0 : 2;
  if (self->is_socks)
    write_all (client, reply, sizeof reply);
  else
    write_all (client, text, strlen (text));
}

static void
shut (GIOStream *stream)
{
  g_socket_shutdown (g_socket_connection_get_socket (G_SOCKET_CONNECTION (stream)), TRUE, TRUE,
                     NULL);
}

static void
pass (GIOStream *from, GIOStream *to)
{
  gssize len;
  g_autofree guint8 *buffer = g_malloc (65536);

  while ((len = g_input_stream_read (g_io_stream_get_input_stream (from), buffer, 65536, NULL,
                                     NULL)) > 0
         && write_all (to, buffer, (gsize) len))
    ;
  shut (from);
  shut (to);
}

typedef struct
{
  GIOStream *from, *to;
} Way;

static gpointer
pass_back_func (gpointer user_data)
{
  Way *way = user_data;

  pass (way->from, way->to);
  return NULL;
}

static gboolean
run_cb (GThreadedSocketService *service, GSocketConnection *client, GObject *source,
        gpointer user_data)
{
  AlsTestProxy *self = user_data;
  g_autoptr (GSocketClient) dialler = g_socket_client_new ();
  g_autoptr (GSocketConnection) server = NULL;
  GThread *back;
  guint16 port = 0;
  Way way;

  if (!(self->is_socks ? read_socks (G_IO_STREAM (client), &port)
                       : read_http (G_IO_STREAM (client), &port)))
    return TRUE;
  if (port == self->from_port)
    port = self->to_port;
  g_socket_client_set_enable_proxy (dialler, FALSE);
  if (!self->refuses)
    server = g_socket_client_connect_to_host (dialler, "127.0.0.1", port, NULL, NULL);
  answer (self, G_IO_STREAM (client), server != NULL);
  if (server == NULL)
    return TRUE;
  g_atomic_int_inc (&self->n_connections);
  way = (Way){ G_IO_STREAM (server), G_IO_STREAM (client) };
  back = g_thread_new ("proxy", pass_back_func, &way);
  pass (G_IO_STREAM (client), G_IO_STREAM (server));
  g_thread_join (back);
  return TRUE;
}

void
als_test_proxy_init (AlsTestProxy *self, gboolean is_socks)
{
  g_autoptr (GInetAddress) loopback = g_inet_address_new_loopback (G_SOCKET_FAMILY_IPV4);
  g_autoptr (GSocketAddress) address = g_inet_socket_address_new (loopback, 0);
  g_autoptr (GSocketAddress) bound = NULL;
  g_autoptr (GError) error = NULL;

  memset (self, 0, sizeof *self);
  self->is_socks = is_socks;
  self->service = g_threaded_socket_service_new (64);
  g_socket_listener_add_address (G_SOCKET_LISTENER (self->service), address, G_SOCKET_TYPE_STREAM,
                                 G_SOCKET_PROTOCOL_TCP, NULL, &bound, &error);
  g_assert_no_error (error);
  self->port = g_inet_socket_address_get_port (G_INET_SOCKET_ADDRESS (bound));
  g_signal_connect (self->service, "run", G_CALLBACK (run_cb), self);
}

void
als_test_proxy_clear (AlsTestProxy *self)
{
  g_socket_service_stop (self->service);
  g_socket_listener_close (G_SOCKET_LISTENER (self->service));
  g_object_unref (self->service);
}

char *
als_test_proxy_get_uri (AlsTestProxy *self)
{
  return g_strdup_printf ("%s://127.0.0.1:%u", self->is_socks ? "socks5" : "http", self->port);
}
