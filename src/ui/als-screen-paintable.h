/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* The newest picture of the other side's screen as a GdkPaintable. */

#pragma once

#include <gtk/gtk.h>
#include "media/als-screen-source.h"

G_BEGIN_DECLS

#define ALS_TYPE_SCREEN_PAINTABLE (als_screen_paintable_get_type ())
G_DECLARE_FINAL_TYPE (AlsScreenPaintable, als_screen_paintable, ALS, SCREEN_PAINTABLE, GObject)

AlsScreenPaintable *als_screen_paintable_new          (void);
/* Shows FRAME's pixels without copying them. NULL: nothing. */
void                als_screen_paintable_set_frame    (AlsScreenPaintable *self,
                                                       AlsScreenFrame *frame);
/* Physical pixels of a logical one, so that 1:1 is one of theirs to one of ours. */
void                als_screen_paintable_set_scale    (AlsScreenPaintable *self, int scale);
/* Whether what shows it is drawn by the processor. */
void                als_screen_paintable_set_in_software
                                                      (AlsScreenPaintable *self,
                                                       gboolean in_software);
gboolean            als_screen_paintable_has_picture  (AlsScreenPaintable *self);

G_END_DECLS
