/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Threads with a GMainContext of their own. Whoever knows such a context may take it by
 * g_main_context_acquire () if, and only if, its thread has ended. */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* FUNC runs in a new thread with CONTEXT as its default one. When this returns, the thread owns CONTEXT; it
 * does until FUNC returns, which is to iterate it. */
GThread *als_context_thread_new (const char *name, GMainContext *context, GThreadFunc func, gpointer user_data);
/* From any thread. Ends LOOP, or the next run of it: g_main_loop_quit () is lost on one that has not begun. */
void     als_main_loop_quit     (GMainLoop *loop);

/* FUNC is called once in CONTEXT, later, even when it is the caller's own; from any thread, and whatever FUNC does
 * to CONTEXT: g_main_context_invoke () may look at it after that. */
void     als_context_invoke     (GMainContext *context, GSourceFunc func, gpointer user_data,
                                 GDestroyNotify notify);

G_END_DECLS
