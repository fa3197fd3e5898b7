/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#define G_LOG_DOMAIN "als-media"

#include "config.h"

#include "media/als-screen-source.h"

#define PATTERN_WIDTH 1280
#define PATTERN_HEIGHT 720
#define PATTERN_FPS 30

AlsScreenFrame *
als_screen_frame_new (GBytes *pixels, guint width, guint height, size_t stride, int64_t time_us)
{
  AlsScreenFrame *self = g_atomic_rc_box_new0 (AlsScreenFrame);

  self->pixels = pixels;
  self->width = width;
  self->height = height;
  self->stride = stride;
  self->time_us = time_us;
  return self;
}

AlsScreenFrame *
als_screen_frame_ref (AlsScreenFrame *self)
{
  return g_atomic_rc_box_acquire (self);
}

static void
frame_clear (gpointer data)
{
  g_bytes_unref (((AlsScreenFrame *) data)->pixels);
}

void
als_screen_frame_unref (AlsScreenFrame *self)
{
  g_atomic_rc_box_release_full (self, frame_clear);
}

AlsScreenSource *
als_screen_source_new (AlsScreenKind kind, const char *display, GError **error)
{
  if (kind == ALS_SCREEN_X11)
    return als_screen_source_x11_new (display, error);
  return als_screen_source_test_new (PATTERN_WIDTH, PATTERN_HEIGHT, PATTERN_FPS);
}

void
als_screen_source_free (AlsScreenSource *self)
{
  self->klass->free (self);
}
