/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#define G_LOG_DOMAIN "als-ui"

#include "config.h"

#include "ui/als-screen-paintable.h"

struct _AlsScreenPaintable
{
  GObject parent;
  GdkTexture *texture;      /* NULL: nothing to show */
  /* The same pixels for a renderer in software, and those of the frame before, which its last
   * drawing still refers to. NULL: none. */
  cairo_surface_t *surface;
  cairo_surface_t *last_surface;
  gboolean in_software;
  int scale;
};

static const cairo_user_data_key_t pixels_key;

static void als_screen_paintable_iface_init (GdkPaintableInterface *iface);

G_DEFINE_FINAL_TYPE_WITH_CODE (AlsScreenPaintable, als_screen_paintable, G_TYPE_OBJECT,
                               G_IMPLEMENT_INTERFACE (GDK_TYPE_PAINTABLE,
                                                      als_screen_paintable_iface_init))

static void
als_screen_paintable_snapshot (GdkPaintable *paintable, GdkSnapshot *snapshot, double width,
                               double height)
{
  AlsScreenPaintable *self = ALS_SCREEN_PAINTABLE (paintable);
  cairo_t *cr;

  if (self->texture == NULL)
    return;
  if (!self->in_software || cairo_surface_status (self->surface) != CAIRO_STATUS_SUCCESS)
    {
      gdk_paintable_snapshot (GDK_PAINTABLE (self->texture), snapshot, width, height);
      return;
    }
  /* The software renderer of GTK 4.8 downloads a texture through floating point, 20 ms for
   * 1920×1080, even where nothing is to be converted; from here it takes the pixels as they are. */
  cr = gtk_snapshot_append_cairo (snapshot, &GRAPHENE_RECT_INIT (0, 0, (float) width, (float) height));
  cairo_scale (cr, width / gdk_texture_get_width (self->texture),
               height / gdk_texture_get_height (self->texture));
  cairo_set_source_surface (cr, self->surface, 0, 0);
  cairo_pattern_set_extend (cairo_get_source (cr), CAIRO_EXTEND_PAD);
  cairo_rectangle (cr, 0, 0, gdk_texture_get_width (self->texture),
                   gdk_texture_get_height (self->texture));
  cairo_fill (cr);
  cairo_destroy (cr);
}

static int
als_screen_paintable_get_intrinsic_width (GdkPaintable *paintable)
{
  AlsScreenPaintable *self = ALS_SCREEN_PAINTABLE (paintable);

  return self->texture != NULL ? gdk_texture_get_width (self->texture) / self->scale : 0;
}

static int
als_screen_paintable_get_intrinsic_height (GdkPaintable *paintable)
{
  AlsScreenPaintable *self = ALS_SCREEN_PAINTABLE (paintable);

  return self->texture != NULL ? gdk_texture_get_height (self->texture) / self->scale : 0;
}

static GdkPaintable *
als_screen_paintable_get_current_image (GdkPaintable *paintable)
{
  AlsScreenPaintable *self = ALS_SCREEN_PAINTABLE (paintable);

  return self->texture != NULL ? GDK_PAINTABLE (g_object_ref (self->texture))
                               : gdk_paintable_new_empty (0, 0);
}

static void
als_screen_paintable_iface_init (GdkPaintableInterface *iface)
{
  iface->snapshot = als_screen_paintable_snapshot;
  iface->get_intrinsic_width = als_screen_paintable_get_intrinsic_width;
  iface->get_intrinsic_height = als_screen_paintable_get_intrinsic_height;
  iface->get_current_image = als_screen_paintable_get_current_image;
}

static void
als_screen_paintable_finalize (GObject *object)
{
  AlsScreenPaintable *self = ALS_SCREEN_PAINTABLE (object);

  g_clear_object (&self->texture);
  g_clear_pointer (&self->surface, cairo_surface_destroy);
  g_clear_pointer (&self->last_surface, cairo_surface_destroy);
  G_OBJECT_CLASS (als_screen_paintable_parent_class)->finalize (object);
}

static void
als_screen_paintable_class_init (AlsScreenPaintableClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = als_screen_paintable_finalize;
}

static void
als_screen_paintable_init (AlsScreenPaintable *self)
{
  self->scale = 1;
}

AlsScreenPaintable *
als_screen_paintable_new (void)
{
  return g_object_new (ALS_TYPE_SCREEN_PAINTABLE, NULL);
}

static gboolean
frame_is_sound (const AlsScreenFrame *frame)
{
  return frame->width > 0 && frame->height > 0 && frame->stride >= (size_t) frame->width * 4 &&
         g_bytes_get_size (frame->pixels) / frame->stride >= frame->height;
}

/* Refers to FRAME's pixels; cairo only reads them. */
static cairo_surface_t *
make_surface (const AlsScreenFrame *frame)
{
  cairo_surface_t *surface = cairo_image_surface_create_for_data (
    (unsigned char *) g_bytes_get_data (frame->pixels, NULL), CAIRO_FORMAT_RGB24,
    (int) frame->width, (int) frame->height, (int) frame->stride);

  cairo_surface_set_user_data (surface, &pixels_key, g_bytes_ref (frame->pixels),
                               (cairo_destroy_func_t) g_bytes_unref);
  return surface;
}

void
als_screen_paintable_set_frame (AlsScreenPaintable *self, AlsScreenFrame *frame)
{
  int old_width = als_screen_paintable_get_intrinsic_width (GDK_PAINTABLE (self));
  int old_height = als_screen_paintable_get_intrinsic_height (GDK_PAINTABLE (self));

  if (frame != NULL && !frame_is_sound (frame))
    {
      g_warning ("a frame of %u×%u does not hold its pixels", frame->width, frame->height);
      return;
    }
  g_clear_object (&self->texture);
  /* The fourth byte is padding. Premultiplied is the format that renderers take as it is; the view's
   * black ground makes any value of that byte look the same. */
  g_clear_pointer (&self->last_surface, cairo_surface_destroy);
  self->last_surface = g_steal_pointer (&self->surface);
  if (frame != NULL)
    {
      self->texture = gdk_memory_texture_new (frame->width, frame->height,
                                              GDK_MEMORY_B8G8R8A8_PREMULTIPLIED, frame->pixels,
                                              frame->stride);
      self->surface = make_surface (frame);
    }
  if (als_screen_paintable_get_intrinsic_width (GDK_PAINTABLE (self)) != old_width ||
      als_screen_paintable_get_intrinsic_height (GDK_PAINTABLE (self)) != old_height)
    gdk_paintable_invalidate_size (GDK_PAINTABLE (self));
  gdk_paintable_invalidate_contents (GDK_PAINTABLE (self));
}

void
als_screen_paintable_set_in_software (AlsScreenPaintable *self, gboolean in_software)
{
  if (self->in_software == in_software)
    return;
  self->in_software = in_software;
  gdk_paintable_invalidate_contents (GDK_PAINTABLE (self));
}

void
als_screen_paintable_set_scale (AlsScreenPaintable *self, int scale)
{
  if (self->scale == scale)
    return;
  self->scale = MAX (scale, 1);
  gdk_paintable_invalidate_size (GDK_PAINTABLE (self));
}

gboolean
als_screen_paintable_has_picture (AlsScreenPaintable *self)
{
  return self->texture != NULL;
}
