/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* The socket below a stream, however it is wrapped (TLS, proxy). */

#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/* (transfer none) (nullable) */
GSocket *als_stream_get_socket (GIOStream *stream);
/* The socket if bytes on it are the stream's own. (transfer none) (nullable) */
GSocket *als_stream_get_plain_socket (GIOStream *stream);
/* Ends the connection without a farewell on any layer: never blocks. What the kernel has taken
 * still leaves. */
void     als_stream_abort      (GIOStream *stream);

G_END_DECLS
