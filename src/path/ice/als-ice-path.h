/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Paths over UDP through libnice: a NiceAgent in a thread and GMainContext of
 * its own, trickled candidates, usable from CONNECTED on. Not reliable mode,
 * no ICE-TCP, no consent checks: whether the other side still answers is the link's and the session's
 * affair. `force_relay` makes it a turn-udp path, else
 * it is direct-udp only, so that a path never changes kind.
 *
 * One carrier, which lives in the agent's thread; closing the path ends both. */

#pragma once

#include "path/als-path.h"
#include "path/als-path-server.h"
#include "path/portmap/als-port-mapper.h"

G_BEGIN_DECLS

#define ALS_TYPE_ICE_PATH (als_ice_path_get_type ())
G_DECLARE_FINAL_TYPE (AlsIcePath, als_ice_path, ALS, ICE_PATH, AlsPath)

typedef struct
{
  gboolean is_controlling;      /* the inviter */
  gboolean force_relay;
  gboolean loopback;            /* gather 127.0.0.1 only: tests where namespaces are refused */
  gboolean upnp;                /* libnice's own, which not every build has; MAPPER is better */
  AlsPortMapper *mapper;        /* (nullable) of the same thread; a reference is taken: the endpoint that
                                 * it gets is told as one more candidate */
  GPtrArray *servers;           /* (element-type AlsPathServer) (nullable), copied */
} AlsIcePathConfig;

AlsPath *als_ice_path_new (const AlsIcePathConfig *config);

G_END_DECLS
