/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* A STUN or TURN server as paths know it. Plain data. */

#pragma once

#include <glib.h>
#include <stdint.h>

G_BEGIN_DECLS

typedef enum
{
  ALS_PATH_SERVER_STUN, /* UDP and TCP, no login */
  ALS_PATH_SERVER_TURN, /* UDP and TCP; answers STUN Bindings, too */
  ALS_PATH_SERVER_TURNS,/* TLS over TCP */
} AlsPathServerKind;

typedef struct
{
  AlsPathServerKind kind;
  char *host;           /* a name or an address */
  uint16_t port;
  char *username;       /* (nullable) */
  char *password;       /* (nullable) secret: wiped when freed, never logged */
} AlsPathServer;

/* (nullable): NULL for a server that cannot be: no host, no port, TURN without a login. */
AlsPathServer *als_path_server_new  (AlsPathServerKind kind, const char *host, uint16_t port,
                                     const char *username, const char *password);
AlsPathServer *als_path_server_copy (const AlsPathServer *self);
void           als_path_server_free (AlsPathServer *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (AlsPathServer, als_path_server_free)

G_END_DECLS
