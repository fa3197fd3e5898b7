/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Calls in the thread for streams, waited for. */

#pragma once

#include "path/als-stream-carrier.h"

typedef struct
{
  GSourceFunc func;
  gpointer data;
  GMutex mutex;
  GCond cond;
  gboolean is_done;
} AlsStreamCall;

static inline gboolean
als_stream_call_cb (gpointer user_data)
{
  AlsStreamCall *call = user_data;

  call->func (call->data);
  g_mutex_lock (&call->mutex);
  call->is_done = TRUE;
  g_cond_signal (&call->cond);
  g_mutex_unlock (&call->mutex);
  return G_SOURCE_REMOVE;
}

/* Done when it returns. */
static inline void
als_stream_call (GSourceFunc func, gpointer data)
{
  AlsStreamCall call = { .func = func, .data = data };

  g_mutex_init (&call.mutex);
  g_cond_init (&call.cond);
  g_main_context_invoke (als_stream_carrier_get_thread_context (), als_stream_call_cb, &call);
  g_mutex_lock (&call.mutex);
  while (!call.is_done)
    g_cond_wait (&call.cond, &call.mutex);
  g_mutex_unlock (&call.mutex);
  g_mutex_clear (&call.mutex);
  g_cond_clear (&call.cond);
}
