/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* A real coturn of the test's own, on loopback, with time-limited logins. */

#pragma once

#include <gio/gio.h>
#include "path/als-path-server.h"

G_BEGIN_DECLS

typedef struct
{
  GSubprocess *process;
  char *folder;
  char *log_file;
  uint16_t port;
  uint16_t tls_port;
} AlsTurnServer;

/* OPTIONS: lines of its configuration, such as "user-quota=1\n"; with TLS if they name a "cert=".
 * It listens on 127.0.0.1, and relays there unless they name a "relay-ip=". */
void           als_turn_server_init  (AlsTurnServer *self, const char *options);
void           als_turn_server_clear (AlsTurnServer *self);
void           als_turn_server_kill  (AlsTurnServer *self);
/* A free TCP port of 127.0.0.1. */
uint16_t       als_turn_server_find_port (void);
/* LIFE_S: negative: it has expired. SECRET: NULL: the right one. USERNAME, PASSWORD: (transfer full) */
void           als_turn_server_make_login (const char *name, int life_s, const char *secret,
                                           char **username, char **password);
/* The same, as a server of a path. (transfer full) */
AlsPathServer *als_turn_server_login (AlsTurnServer *self, AlsPathServerKind kind,
                                      const char *host, int life_s, const char *secret);

G_END_DECLS
