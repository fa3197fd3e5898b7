/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Preloaded into tests under the thread sanitizer. GLib is not instrumented and
 * its locks and reference counts are futexes and atomics of its own, so the
 * sanitizer would call everything that they order a race. These wrappers tell
 * it what they order, no more than they do: a lock all that was done under it
 * before, a reference count all that was done before it was let go. */

#include "config.h"

#include <dlfcn.h>
#include <glib-object.h>

#undef g_object_ref

/* From the sanitizer's run-time library; absent in programs without it. */
extern void __tsan_acquire (void *address) __attribute__ ((weak));
extern void __tsan_release (void *address) __attribute__ ((weak));

static void
acquire (gconstpointer address)
{
  if (__tsan_acquire != NULL && address != NULL)
    __tsan_acquire ((void *) address);
}

static void
release (gconstpointer address)
{
  if (__tsan_release != NULL && address != NULL)
    __tsan_release ((void *) address);
}

/* The real one, looked up once; the race of two threads doing that is harmless. */
#define REAL(name)                                                                                \
  ({                                                                                              \
    static __typeof__ (&name) real;                                                               \
    if (__atomic_load_n (&real, __ATOMIC_RELAXED) == NULL)                                        \
      __atomic_store_n (&real, (__typeof__ (&name)) dlsym (RTLD_NEXT, #name), __ATOMIC_RELAXED);  \
    __atomic_load_n (&real, __ATOMIC_RELAXED);                                                    \
  })

void
g_mutex_lock (GMutex *mutex)
{
  REAL (g_mutex_lock) (mutex);
  acquire (mutex);
}

gboolean
g_mutex_trylock (GMutex *mutex)
{
  gboolean locked = REAL (g_mutex_trylock) (mutex);

  if (locked)
    acquire (mutex);
  return locked;
}

void
g_mutex_unlock (GMutex *mutex)
{
  release (mutex);
  REAL (g_mutex_unlock) (mutex);
}

void
g_cond_wait (GCond *cond, GMutex *mutex)
{
  release (mutex);
  REAL (g_cond_wait) (cond, mutex);
  acquire (mutex);
}

gboolean
g_cond_wait_until (GCond *cond, GMutex *mutex, gint64 end_time)
{
  gboolean woken;

  release (mutex);
  woken = REAL (g_cond_wait_until) (cond, mutex, end_time);
  acquire (mutex);
  return woken;
}

void
g_async_queue_push (GAsyncQueue *queue, gpointer data)
{
  release (queue);
  REAL (g_async_queue_push) (queue, data);
}

gpointer
g_async_queue_pop (GAsyncQueue *queue)
{
  gpointer data = REAL (g_async_queue_pop) (queue);

  acquire (queue);
  return data;
}

gpointer
g_async_queue_try_pop (GAsyncQueue *queue)
{
  gpointer data = REAL (g_async_queue_try_pop) (queue);

  acquire (queue);
  return data;
}

gpointer
g_thread_join (GThread *thread)
{
  gpointer result = REAL (g_thread_join) (thread);

  acquire (thread);
  return result;
}

/* Reference counts: whoever lets go sees what those did who let go before. */

#define WRAP_UNREF(name, Type)                                                                    \
  void name (Type *instance)                                                                      \
  {                                                                                               \
    release (instance);                                                                           \
    acquire (instance);                                                                           \
    REAL (name) (instance);                                                                       \
  }

WRAP_UNREF (g_bytes_unref, GBytes)
WRAP_UNREF (g_ptr_array_unref, GPtrArray)
WRAP_UNREF (g_byte_array_unref, GByteArray)
WRAP_UNREF (g_array_unref, GArray)
WRAP_UNREF (g_hash_table_unref, GHashTable)
WRAP_UNREF (g_source_unref, GSource)
WRAP_UNREF (g_main_context_unref, GMainContext)
WRAP_UNREF (g_main_loop_unref, GMainLoop)

void
g_object_unref (gpointer object)
{
  release (object);
  acquire (object);
  REAL (g_object_unref) (object);
}

gboolean
(g_atomic_ref_count_dec) (gatomicrefcount *count)
{
  release (count);
  acquire (count);
  return REAL (g_atomic_ref_count_dec) (count);
}

/* What is handed to the thread of a main context is there when it runs, and the source that GLib
 * made for it is whole before that thread frees it: hence the lock around the making. */

typedef struct
{
  GSourceFunc func;
  gpointer data;
  GDestroyNotify notify;
} Invocation;

static GMutex invocations;

static gboolean
invoke_cb (gpointer user_data)
{
  Invocation *self = user_data;

  acquire (self);
  return self->func (self->data);
}

static void
invocation_free (gpointer user_data)
{
  Invocation *self = user_data;

  g_mutex_lock (&invocations);
  g_mutex_unlock (&invocations);
  if (self->notify != NULL)
    self->notify (self->data);
  g_free (self);
}

static gboolean
is_ours (GMainContext *context)
{
  GMainContext *own = g_main_context_get_thread_default ();

  return g_main_context_is_owner (context) || own == context
         || (own == NULL && context == g_main_context_default ());
}

void
g_main_context_invoke_full (GMainContext *context, int priority, GSourceFunc func, gpointer data,
                            GDestroyNotify notify)
{
  Invocation *self;

  if (is_ours (context != NULL ? context : g_main_context_default ()))
    {
      REAL (g_main_context_invoke_full) (context, priority, func, data, notify);
      return;
    }
  self = g_new0 (Invocation, 1);
  *self = (Invocation){ func, data, notify };
  g_mutex_lock (&invocations);
  release (self);
  REAL (g_main_context_invoke_full) (context, priority, invoke_cb, self, invocation_free);
  g_mutex_unlock (&invocations);
}

void
g_main_context_invoke (GMainContext *context, GSourceFunc func, gpointer data)
{
  g_main_context_invoke_full (context, G_PRIORITY_DEFAULT, func, data, NULL);
}
