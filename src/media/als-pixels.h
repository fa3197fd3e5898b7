/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Between BGRx and I420 (BT.601, studio range), by libyuv where it is there,
 * else by plain C; and pixel memory that is used again instead of returned to
 * the kernel, which would have to clear eight megabytes for each frame. */

#pragma once

#include <glib.h>
#include <stdint.h>

G_BEGIN_DECLS

/* Planes Y, U, V. */
typedef struct
{
  uint8_t *data[3];
  int stride[3];  /* bytes */
} AlsPlanes;

/* The chroma planes are (WIDTH + 1) / 2 by (HEIGHT + 1) / 2. */
void als_pixels_to_i420         (const uint8_t *bgrx, size_t stride, const AlsPlanes *planes,
                                 guint width, guint height);
void als_pixels_from_i420       (const AlsPlanes *planes, uint8_t *bgrx, size_t stride,
                                 guint width, guint height);
/* The same without libyuv. */
void als_pixels_to_i420_plain   (const uint8_t *bgrx, size_t stride, const AlsPlanes *planes,
                                 guint width, guint height);
void als_pixels_from_i420_plain (const AlsPlanes *planes, uint8_t *bgrx, size_t stride,
                                 guint width, guint height);

/* Any thread. */
typedef struct _AlsPixelPool AlsPixelPool;

AlsPixelPool *als_pixel_pool_new   (void);
void          als_pixel_pool_unref (AlsPixelPool *self);
/* LEN bytes of any content. *DATA may be written until the bytes are shown to others; they go
 * back to the pool when the last reference is gone, which may outlive the caller's of SELF. */
GBytes       *als_pixel_pool_take  (AlsPixelPool *self, size_t len, uint8_t **data);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (AlsPixelPool, als_pixel_pool_unref)

G_END_DECLS
