/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#define G_LOG_DOMAIN "als-path"

#include "config.h"

#include "path/als-stream-socket.h"

/* (transfer full) (nullable) */
static GIOStream *
get_base (GIOStream *stream)
{
  GIOStream *base = NULL;

  if (G_IS_TCP_WRAPPER_CONNECTION (stream))
    base = g_object_ref (
        g_tcp_wrapper_connection_get_base_io_stream (G_TCP_WRAPPER_CONNECTION (stream)));
  else if (G_IS_TLS_CONNECTION (stream))
    g_object_get (stream, "base-io-stream", &base, NULL);
  return base;
}

GSocket *
als_stream_get_plain_socket (GIOStream *stream)
{
  if (G_IS_TCP_WRAPPER_CONNECTION (stream))
    return als_stream_get_plain_socket (
        g_tcp_wrapper_connection_get_base_io_stream (G_TCP_WRAPPER_CONNECTION (stream)));
  return G_IS_SOCKET_CONNECTION (stream)
             ? g_socket_connection_get_socket (G_SOCKET_CONNECTION (stream))
             : NULL;
}

GSocket *
als_stream_get_socket (GIOStream *stream)
{
  g_autoptr (GIOStream) base = get_base (stream);

  /* The wrapper keeps its base. */
  return base != NULL ? als_stream_get_socket (base) : als_stream_get_plain_socket (stream);
}

void
als_stream_abort (GIOStream *stream)
{
  GSocket *socket = als_stream_get_socket (stream);

  if (socket != NULL)
    g_socket_close (socket, NULL);
}
