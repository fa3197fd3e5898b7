/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* The worker thread and its queues. */

#include "config.h"

#include "transfer/als-file-worker.h"

#include "base/als-mailbox.h"

struct _AlsFileWorker
{
  gatomicrefcount refs; /* owner and thread */
  AlsMailbox *mailbox;  /* jobs done, to the owner */
  GMutex lock;          /* guards what is below */
  GCond wake;
  GQueue jobs;
  gboolean closed;
};

static void
free_job (gpointer data)
{
  AlsFileJob *job = data;

  job->free (job);
}

static void
worker_unref (AlsFileWorker *self)
{
  if (!g_atomic_ref_count_dec (&self->refs))
    return;
  g_queue_clear_full (&self->jobs, free_job);
  als_mailbox_unref (self->mailbox);
  g_mutex_clear (&self->lock);
  g_cond_clear (&self->wake);
  g_free (self);
}

static AlsFileJob *
next_job (AlsFileWorker *self)
{
  AlsFileJob *job;

  g_mutex_lock (&self->lock);
  while (!self->closed && self->jobs.head == NULL)
    g_cond_wait (&self->wake, &self->lock);
  job = self->closed ? NULL : g_queue_pop_head (&self->jobs);
  g_mutex_unlock (&self->lock);
  return job;
}

static gpointer
worker_thread (gpointer data)
{
  AlsFileWorker *self = data;
  AlsFileJob *job;

  while ((job = next_job (self)) != NULL)
    {
      job->run (job);
      als_mailbox_post (self->mailbox, job);
    }
  worker_unref (self);
  return NULL;
}

static gboolean
is_closed (AlsFileWorker *self)
{
  gboolean closed;

  g_mutex_lock (&self->lock);
  closed = self->closed;
  g_mutex_unlock (&self->lock);
  return closed;
}

static void
jobs_done_cb (GPtrArray *items, gpointer user_data)
{
  AlsFileWorker *self = user_data;

  /* `done` may close the worker. */
  g_atomic_ref_count_inc (&self->refs);
  for (guint i = 0; i < items->len; i++)
    {
      AlsFileJob *job = g_ptr_array_index (items, i);

      if (!is_closed (self))
        job->done (job);
      job->free (job);
    }
  worker_unref (self);
}

AlsFileWorker *
als_file_worker_new (GMainContext *context)
{
  AlsFileWorker *self = g_new0 (AlsFileWorker, 1);

  g_atomic_ref_count_init (&self->refs);
  g_atomic_ref_count_inc (&self->refs);
  self->mailbox = als_mailbox_new (context, "file worker", jobs_done_cb, self, free_job);
  g_mutex_init (&self->lock);
  g_cond_init (&self->wake);
  g_thread_unref (g_thread_new ("files", worker_thread, self));
  return self;
}

void
als_file_worker_push (AlsFileWorker *self, AlsFileJob *job)
{
  g_mutex_lock (&self->lock);
  g_queue_push_tail (&self->jobs, job);
  g_cond_signal (&self->wake);
  g_mutex_unlock (&self->lock);
}

void
als_file_worker_close (AlsFileWorker *self)
{
  GQueue jobs = G_QUEUE_INIT;

  g_mutex_lock (&self->lock);
  self->closed = TRUE;
  jobs = self->jobs;
  g_queue_init (&self->jobs);
  g_cond_signal (&self->wake);
  g_mutex_unlock (&self->lock);
  g_queue_clear_full (&jobs, free_job);
  als_mailbox_close (self->mailbox);
  worker_unref (self);
}
