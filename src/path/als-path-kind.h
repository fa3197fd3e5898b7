/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* The kinds of path, worst first, so that a larger value is a better kind. */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef enum
{
  ALS_PATH_NONE,
  ALS_PATH_SIGNAL_RELAY,
  ALS_PATH_TURN_TCP,
  ALS_PATH_TURN_UDP,
  ALS_PATH_DIRECT_UDP,
  ALS_PATH_DIRECT_TCP,
  ALS_N_PATH_KINDS,
} AlsPathKind;

#define ALS_PATH_ALL ((1u << ALS_N_PATH_KINDS) - 2)

/* "signal-relay", "turn-tcp", "turn-udp", "direct-udp", "direct-tcp", "none". */
const char *als_path_kind_to_string (AlsPathKind kind);
/* A comma-separated list of names to a set of 1 << kind; 0 if any name is unknown. */
guint       als_path_kinds_parse    (const char *list);

G_END_DECLS
