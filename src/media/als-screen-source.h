/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Capture behind one interface: where frames of a screen come from. A still
 * screen yields none.
 *
 * Implementations: als-screen-source-x11.c (XShm, gated on XDamage), als-screen-source-test.c
 * (a moving pattern). A source is made in any thread and then lives in the
 * capture thread (AlsScreenCapture); only interrupt comes from elsewhere. */

#pragma once

#include <gio/gio.h>
#include <stdint.h>

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
  int64_t time_us;      /* monotonic: when it was decoded */
} AlsScreenFrame;

/* PIXELS: (transfer full) */
AlsScreenFrame *als_screen_frame_new   (GBytes *pixels, guint width, guint height, size_t stride,
                                        int64_t time_us);
AlsScreenFrame *als_screen_frame_ref   (AlsScreenFrame *self);
void            als_screen_frame_unref (AlsScreenFrame *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (AlsScreenFrame, als_screen_frame_unref)

typedef enum
{
  ALS_SCREEN_TEST_PATTERN,
  ALS_SCREEN_X11,
} AlsScreenKind;

/* What a source shows now: BGRx, borrowed until the next call to the source. */
typedef struct
{
  const uint8_t *pixels;
  guint width, height;
  size_t stride;
} AlsScreenImage;

typedef struct _AlsScreenSource AlsScreenSource;

typedef struct
{
  void     (*free)      (AlsScreenSource *self);
  /* Readable when check () has something to see; -1: none. */
  int      (*get_fd)    (AlsScreenSource *self);
  /* *CHANGED: the screen may look different from the last image grabbed. *NEXT_US: look again
   * then at the latest, INT64_MAX: when the fd says so. FALSE: it failed for good. */
  gboolean (*check)     (AlsScreenSource *self, int64_t now_us, gboolean *changed,
                         int64_t *next_us, GError **error);
  gboolean (*grab)      (AlsScreenSource *self, AlsScreenImage *image, GError **error);
  /* Any thread: a call that blocks returns soon, with an error. Nullable. */
  void     (*interrupt) (AlsScreenSource *self);
} AlsScreenSourceClass;

struct _AlsScreenSource
{
  const AlsScreenSourceClass *klass;
};

/* DISPLAY: of X11, NULL: $DISPLAY. */
AlsScreenSource *als_screen_source_new      (AlsScreenKind kind, const char *display,
                                             GError **error);
AlsScreenSource *als_screen_source_x11_new  (const char *display, GError **error);
/* Colour bars above, below them a moving block and a frame counter. */
AlsScreenSource *als_screen_source_test_new (guint width, guint height, guint fps);
void             als_screen_source_free     (AlsScreenSource *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (AlsScreenSource, als_screen_source_free)

G_END_DECLS
