/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#include "config.h"

#include "base/als-context-thread.h"

typedef struct
{
  GMainContext *context;
  GThreadFunc func;
  gpointer user_data;
  GMutex lock;
  GCond owned_cond;
  gboolean owned; /* under lock; with it, this struct is the creator's again */
} Start;

static gpointer
context_thread (gpointer data)
{
  Start *start = data;
  g_autoptr (GMainContext) context = g_main_context_ref (start->context);
  GThreadFunc func = start->func;
  gpointer user_data = start->user_data, result;

  g_main_context_push_thread_default (context);
  g_mutex_lock (&start->lock);
  start->owned = TRUE;
  g_cond_signal (&start->owned_cond);
  g_mutex_unlock (&start->lock);
  result = func (user_data);
  g_main_context_pop_thread_default (context);
  return result;
}

GThread *
als_context_thread_new (const char *name, GMainContext *context, GThreadFunc func, gpointer user_data)
{
  Start start = { .context = context, .func = func, .user_data = user_data };
  GThread *thread;

  g_mutex_init (&start.lock);
  g_cond_init (&start.owned_cond);
  thread = g_thread_new (name, context_thread, &start);
  g_mutex_lock (&start.lock);
  while (!start.owned)
    g_cond_wait (&start.owned_cond, &start.lock);
  g_mutex_unlock (&start.lock);
  g_mutex_clear (&start.lock);
  g_cond_clear (&start.owned_cond);
  return thread;
}

static gboolean
quit_cb (gpointer user_data)
{
  g_main_loop_quit (user_data);
  return G_SOURCE_REMOVE;
}

/* A source looks at its context when it is given up, and FUNC may have ended that one's thread by then. */
static void
invoke (GMainContext *context, int priority, GSourceFunc func, gpointer user_data, GDestroyNotify notify)
{
  g_autoptr (GMainContext) outlives_source = g_main_context_ref (context);
  g_autoptr (GSource) source = g_idle_source_new ();

  g_source_set_priority (source, priority);
  g_source_set_callback (source, func, user_data, notify);
  g_source_attach (source, outlives_source);
}

void
als_main_loop_quit (GMainLoop *loop)
{
  invoke (g_main_loop_get_context (loop), G_PRIORITY_DEFAULT_IDLE, quit_cb, g_main_loop_ref (loop),
          (GDestroyNotify) g_main_loop_unref);
}

void
als_context_invoke (GMainContext *context, GSourceFunc func, gpointer user_data, GDestroyNotify notify)
{
  invoke (context, G_PRIORITY_DEFAULT, func, user_data, notify);
}
