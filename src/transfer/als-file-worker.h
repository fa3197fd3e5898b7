/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* A thread that does one transfer's disk work, job after job, so that a slow
 * disk holds up nobody else. Jobs go there and come back in order. */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct _AlsFileWorker AlsFileWorker;
typedef struct _AlsFileJob AlsFileJob;

/* First member of a job. */
struct _AlsFileJob
{
  void (*run)  (AlsFileJob *self); /* worker thread */
  void (*done) (AlsFileJob *self); /* back in the owner's thread */
  void (*free) (AlsFileJob *self); /* any thread */
};

/* Jobs come back in the thread of CONTEXT. */
AlsFileWorker *als_file_worker_new   (GMainContext *context);
/* Takes JOB; freed after `done`. */
void           als_file_worker_push  (AlsFileWorker *self, AlsFileJob *job);
/* Owner's thread, once: nothing is called back any more. Jobs not begun are freed; the thread
 * ends by itself when the disk lets it, and nobody waits for it. Frees SELF. */
void           als_file_worker_close (AlsFileWorker *self);

G_END_DECLS
