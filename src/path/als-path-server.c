/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#include "config.h"

#include "path/als-path-server.h"

#include <string.h>

AlsPathServer *
als_path_server_new (AlsPathServerKind kind, const char *host, uint16_t port, const char *username,
                     const char *password)
{
  AlsPathServer *self;

  if (host == NULL || *host == '\0' || port == 0
      || (kind != ALS_PATH_SERVER_STUN && (username == NULL || password == NULL)))
    return NULL;
  self = g_new0 (AlsPathServer, 1);
  self->kind = kind;
  self->host = g_strdup (host);
  self->port = port;
  self->username = g_strdup (username);
  self->password = g_strdup (password);
  return self;
}

AlsPathServer *
als_path_server_copy (const AlsPathServer *self)
{
  return als_path_server_new (self->kind, self->host, self->port, self->username, self->password);
}

void
als_path_server_free (AlsPathServer *self)
{
  if (self->password != NULL)
    explicit_bzero (self->password, strlen (self->password));
  g_free (self->password);
  g_free (self->username);
  g_free (self->host);
  g_free (self);
}
