/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#define G_LOG_DOMAIN "als-visit"

#include "config.h"

#include "visit/als-engine.h"

#include <malloc.h>

#include "base/als-context-thread.h"
#include "crypto/als-crypto.h"

/* The links' large buffers are mostly never touched. glibc would, after the first of them was freed, take
 * the next from a heap where all has been touched, and memory would grow with each change of paths. */
#define OWN_MAPPING_BYTES (256 * 1024)

struct _AlsEngine
{
  guint refs;            /* under default_lock */
  GMainContext *context;
  GMainLoop *loop;
  GThread *thread;
};

static GMutex default_lock;
static AlsEngine *default_engine; /* under default_lock; NULL: not running */

static gpointer
engine_thread (gpointer data)
{
  AlsEngine *self = data;

  g_main_loop_run (self->loop);
  /* What was posted before the end still runs: it frees what it holds. */
  while (g_main_context_iteration (self->context, FALSE))
    ;
  g_main_loop_unref (self->loop);
  g_main_context_unref (self->context);
  g_free (self);
  return NULL;
}

AlsEngine *
als_engine_acquire (void)
{
  AlsEngine *self;

  als_crypto_init ();
  g_mutex_lock (&default_lock);
  if (default_engine == NULL)
    {
#ifdef __GLIBC__
      mallopt (M_MMAP_THRESHOLD, OWN_MAPPING_BYTES);
#endif
      default_engine = g_new0 (AlsEngine, 1);
      default_engine->context = g_main_context_new ();
      default_engine->loop = g_main_loop_new (default_engine->context, FALSE);
      default_engine->thread = als_context_thread_new ("als-engine", default_engine->context,
                                                       engine_thread, default_engine);
    }
  self = default_engine;
  self->refs++;
  g_mutex_unlock (&default_lock);
  return self;
}

void
als_engine_release (AlsEngine *self)
{
  GThread *ended = NULL;

  g_mutex_lock (&default_lock);
  if (--self->refs == 0)
    {
      default_engine = NULL;
      ended = self->thread;
      als_main_loop_quit (self->loop);
    }
  g_mutex_unlock (&default_lock);
  if (ended == NULL)
    return;
  if (g_thread_self () == ended)
    g_thread_unref (ended);
  else
    g_thread_join (ended);
}

GMainContext *
als_engine_get_context (AlsEngine *self)
{
  return self->context;
}
