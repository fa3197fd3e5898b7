/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* The engine thread: visits, sessions, policy and signalling run in its
 * GMainContext, which is the thread's default there. */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct _AlsEngine AlsEngine;

/* The process's engine, started with the first reference. (transfer full) */
AlsEngine    *als_engine_acquire     (void);
/* The thread ends with the last reference; any thread, also the engine's own. */
void          als_engine_release     (AlsEngine *self);
GMainContext *als_engine_get_context (AlsEngine *self);

G_END_DECLS
