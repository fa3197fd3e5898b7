/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Is there a rendezvous server at an address, and if not, where does the way
 * there end? First a bare connection, whose steps tell (name, TCP, proxy, TLS),
 * then the client itself, which speaks with what answers. */

#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

typedef enum
{
  ALS_SERVER_CHECK_OK,
  ALS_SERVER_CHECK_BAD_ADDRESS,
  ALS_SERVER_CHECK_NO_NAME,
  ALS_SERVER_CHECK_REFUSED,
  ALS_SERVER_CHECK_SILENT,
  ALS_SERVER_CHECK_NO_ROUTE,
  ALS_SERVER_CHECK_PROXY,
  ALS_SERVER_CHECK_CERTIFICATE,
  ALS_SERVER_CHECK_TLS,
  ALS_SERVER_CHECK_NOT_OURS,  /* something else answers */
  ALS_SERVER_CHECK_VERSION,
  ALS_SERVER_CHECK_BUSY,      /* it asks to come back later */
  ALS_SERVER_CHECK_FAILED,
} AlsServerState;

typedef struct
{
  AlsServerState state;
  char *uri;
  gboolean via_proxy;
  int64_t rtt_us;             /* of the TCP connection, 0: unknown; to the proxy if there is one */
  GTlsCertificateFlags flags; /* CERTIFICATE: what is wrong with it */
  GPtrArray *ice_servers;     /* (element-type AlsPathServer): what it tells everybody */
} AlsServerCheck;

/* Ends within 12 s. */
void            als_server_check_async     (const char *uri, GCancellable *cancellable,
                                            GAsyncReadyCallback callback, gpointer user_data);
AlsServerCheck *als_server_check_finish    (GAsyncResult *result, GError **error);
void            als_server_check_free      (AlsServerCheck *self);
/* A sentence for people. (transfer full) */
char           *als_server_check_describe  (const AlsServerCheck *self);
/* A word for programs. */
const char     *als_server_check_to_string (AlsServerState state);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (AlsServerCheck, als_server_check_free)

G_END_DECLS
