/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Capture behind one interface: where frames of a screen come from. A still
 * screen yields none.
 *
 * Implementations: als-screen-source-x11.c (XShm, gated on XDamage), als-screen-source-test.c
 * (a moving pattern). */

#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

#define ALS_MEDIA_ERROR (als_media_error_quark ())
GQuark als_media_error_quark (void);

typedef enum
{
  ALS_MEDIA_ERROR_NO_DISPLAY,   /* nothing to capture */
  ALS_MEDIA_ERROR_NO_ENCODER,
  ALS_MEDIA_ERROR_NO_DECODER,
  ALS_MEDIA_ERROR_CAPTURE,      /* it worked and then failed */
  ALS_MEDIA_ERROR_CODEC,
} AlsMediaError;

/* BGRx pixels of a whole screen. */
typedef struct
{
  GBytes *pixels;
  guint width, height;  /* pixels */
  size_t stride;        /* bytes */
  int64_t time_us;      /* monotonic, of capture */
} AlsScreenFrame;

AlsScreenFrame *als_screen_frame_ref   (AlsScreenFrame *self);
void            als_screen_frame_unref (AlsScreenFrame *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (AlsScreenFrame, als_screen_frame_unref)

typedef enum
{
  ALS_SCREEN_TEST_PATTERN,
  ALS_SCREEN_X11,
} AlsScreenKind;

G_END_DECLS
