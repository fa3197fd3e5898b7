/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* The thread in which a source lives: waits for changes, grabs when asked, turns
 * the image into I420. It never grabs unasked. */

#pragma once

#include <gst/gst.h>

#include "media/als-screen-source.h"

G_BEGIN_DECLS

typedef struct _AlsScreenCapture AlsScreenCapture;

/* One image, its planes as GstVideoInfo lays out I420 of the coded size. */
typedef struct
{
  GstBuffer *buffer;
  guint width, height;  /* of the screen; the coded size is rounded up to even numbers */
  int64_t time_us;      /* monotonic, of capture */
} AlsScreenShot;

void als_screen_shot_free (AlsScreenShot *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (AlsScreenShot, als_screen_shot_free)

/* In the thread where the capture was made; each may free the capture. None of them after als_screen_capture_free (). */
typedef struct
{
  /* The screen looks different from the last shot; once until the next one. */
  void (*changed) (gpointer user_data);
  /* SHOT: (transfer full) */
  void (*shot)    (AlsScreenShot *shot, gpointer user_data);
  /* Nothing comes after it. */
  void (*failed)  (const GError *error, gpointer user_data);
} AlsScreenCaptureEvents;

/* SOURCE: (transfer full). Counts as changed at first. */
AlsScreenCapture *als_screen_capture_new     (AlsScreenSource *source,
                                              const AlsScreenCaptureEvents *events,
                                              gpointer user_data, GError **error);
/* One shot, soon. */
void              als_screen_capture_request (AlsScreenCapture *self);
/* Nothing is grabbed after this returns. */
void              als_screen_capture_free    (AlsScreenCapture *self);

G_END_DECLS
