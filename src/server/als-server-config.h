/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* What the operator of a rendezvous server decides. */

#pragma once

#include <gio/gio.h>

#include "server/als-rendezvous.h"

G_BEGIN_DECLS

typedef struct
{
  GPtrArray *listen;            /* (element-type GSocketAddress) */
  char *tls_cert;               /* (nullable) file name, PEM */
  char *tls_key;                /* (nullable) */
  GPtrArray *trusted_proxies;   /* (element-type GInetAddressMask) whose X-Forwarded-For is believed */
  guint max_connections;
  guint max_connections_per_address;
  guint connect_burst;          /* new connections of one address at once, ... */
  double connect_interval_s;    /* ... then one in this time */
  guint handshake_timeout_s;    /* for TLS and the HTTP request together */
  guint exit_after_s;           /* without clients; 0: never */
  guint exit_after_start_s;     /* the same before the first client */
  AlsRendezvousOptions rendezvous;
  GPtrArray *ice_servers;       /* (element-type AlsIceServer) without logins */
  char *turn_secret;            /* (nullable) coturn's static-auth-secret: never logged */
  guint turn_ttl_s;
} AlsServerConfig;

#define ALS_SERVER_CONFIG_ERROR (als_server_config_error_quark ())
GQuark           als_server_config_error_quark (void);

typedef enum
{
  ALS_SERVER_CONFIG_ERROR_INVALID, /* the message names file, line, group and key as far as they apply */
} AlsServerConfigError;

/* The defaults. */
AlsServerConfig *als_server_config_new         (void);
void             als_server_config_free        (AlsServerConfig *self);
gboolean         als_server_config_load        (AlsServerConfig *self, const char *file, GError **error);
/* NAME: for messages. */
gboolean         als_server_config_load_data   (AlsServerConfig *self, const char *name, const char *data,
                                                size_t len, GError **error);
/* ADDR:PORT or [ADDR]:PORT; port 0: any free one. */
gboolean         als_server_config_add_listen  (AlsServerConfig *self, const char *address, GError **error);
/* What only makes sense together is there together. */
gboolean         als_server_config_check       (AlsServerConfig *self, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (AlsServerConfig, als_server_config_free)

G_END_DECLS
