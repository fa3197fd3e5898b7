/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#define G_LOG_DOMAIN "als-media"

#include "config.h"

#include "media/als-pixels.h"

#ifdef HAVE_LIBYUV
#include <libyuv.h>
#endif

/* Blocks kept for the next frame. */
#define MAX_SPARE 4
/* Keeps the pixels aligned for vector code. */
#define BLOCK_HEADER 64

static inline uint8_t
clamp_byte (int value)
{
  return (uint8_t) CLAMP (value, 0, 255);
}

void
als_pixels_to_i420_plain (const uint8_t *bgrx, size_t stride, const AlsPlanes *planes, guint width,
                          guint height)
{
  for (guint y = 0; y < height; y++)
    {
      const uint8_t *in = bgrx + y * stride;
      uint8_t *out = planes->data[0] + (size_t) y * planes->stride[0];

      for (guint x = 0; x < width; x++, in += 4)
        out[x] = (uint8_t) ((25 * in[0] + 129 * in[1] + 66 * in[2] + 0x1080) >> 8);
    }
  for (guint y = 0; y < height; y += 2)
    {
      const uint8_t *top = bgrx + y * stride;
      const uint8_t *bottom = y + 1 < height ? top + stride : top;
      uint8_t *u = planes->data[1] + (size_t) (y / 2) * planes->stride[1];
      uint8_t *v = planes->data[2] + (size_t) (y / 2) * planes->stride[2];

      for (guint x = 0; x < width; x += 2)
        {
          guint left = 4 * x, right = x + 1 < width ? left + 4 : left;
          int mean[3];

          for (guint c = 0; c < 3; c++)
            mean[c] = (top[left + c] + top[right + c] + bottom[left + c] + bottom[right + c] + 2)
                      / 4;
          *u++ = (uint8_t) ((112 * mean[0] - 74 * mean[1] - 38 * mean[2] + 0x8080) >> 8);
          *v++ = (uint8_t) ((112 * mean[2] - 94 * mean[1] - 18 * mean[0] + 0x8080) >> 8);
        }
    }
}

void
als_pixels_from_i420_plain (const AlsPlanes *planes, uint8_t *bgrx, size_t stride, guint width,
                            guint height)
{
  for (guint y = 0; y < height; y++)
    {
      const uint8_t *luma = planes->data[0] + (size_t) y * planes->stride[0];
      const uint8_t *u = planes->data[1] + (size_t) (y / 2) * planes->stride[1];
      const uint8_t *v = planes->data[2] + (size_t) (y / 2) * planes->stride[2];
      uint8_t *out = bgrx + y * stride;

      for (guint x = 0; x < width; x++, out += 4)
        {
          int scaled = 298 * (luma[x] - 16) + 128;
          int blue = u[x / 2] - 128, red = v[x / 2] - 128;

          out[0] = clamp_byte ((scaled + 516 * blue) >> 8);
          out[1] = clamp_byte ((scaled - 100 * blue - 208 * red) >> 8);
          out[2] = clamp_byte ((scaled + 409 * red) >> 8);
          out[3] = 255;
        }
    }
}

void
als_pixels_to_i420 (const uint8_t *bgrx, size_t stride, const AlsPlanes *planes, guint width,
                    guint height)
{
#ifdef HAVE_LIBYUV
  /* What libyuv calls ARGB is a little-endian word: B, G, R, A in memory. */
  ARGBToI420 (bgrx, (int) stride, planes->data[0], planes->stride[0], planes->data[1],
              planes->stride[1], planes->data[2], planes->stride[2], (int) width, (int) height);
#else
  als_pixels_to_i420_plain (bgrx, stride, planes, width, height);
#endif
}

void
als_pixels_from_i420 (const AlsPlanes *planes, uint8_t *bgrx, size_t stride, guint width,
                      guint height)
{
#ifdef HAVE_LIBYUV
  I420ToARGB (planes->data[0], planes->stride[0], planes->data[1], planes->stride[1],
              planes->data[2], planes->stride[2], bgrx, (int) stride, (int) width, (int) height);
#else
  als_pixels_from_i420_plain (planes, bgrx, stride, width, height);
#endif
}

struct _AlsPixelPool
{
  gatomicrefcount refs;  /* the owner's, and one for each block out */
  GMutex lock;
  GPtrArray *spare;      /* (element-type Block) all of spare_len */
  size_t spare_len;
};

typedef struct
{
  AlsPixelPool *pool;    /* owned while the block is out */
  size_t len;
} Block;

G_STATIC_ASSERT (sizeof (Block) <= BLOCK_HEADER);

AlsPixelPool *
als_pixel_pool_new (void)
{
  AlsPixelPool *self = g_new0 (AlsPixelPool, 1);

  g_atomic_ref_count_init (&self->refs);
  g_mutex_init (&self->lock);
  self->spare = g_ptr_array_new_with_free_func (g_aligned_free);
  return self;
}

void
als_pixel_pool_unref (AlsPixelPool *self)
{
  if (!g_atomic_ref_count_dec (&self->refs))
    return;
  g_ptr_array_unref (self->spare);
  g_mutex_clear (&self->lock);
  g_free (self);
}

static void
block_release (gpointer data)
{
  Block *block = data;
  AlsPixelPool *pool = g_steal_pointer (&block->pool);

  g_mutex_lock (&pool->lock);
  if (block->len == pool->spare_len && pool->spare->len < MAX_SPARE)
    g_ptr_array_add (pool->spare, g_steal_pointer (&block));
  g_mutex_unlock (&pool->lock);
  g_aligned_free (block);
  als_pixel_pool_unref (pool);
}

GBytes *
als_pixel_pool_take (AlsPixelPool *self, size_t len, uint8_t **data)
{
  Block *block = NULL;

  g_mutex_lock (&self->lock);
  if (len != self->spare_len)
    {
      g_ptr_array_set_size (self->spare, 0);
      self->spare_len = len;
    }
  if (self->spare->len > 0)
    block = g_ptr_array_steal_index_fast (self->spare, self->spare->len - 1);
  g_mutex_unlock (&self->lock);
  if (block == NULL)
    {
      block = g_aligned_alloc (1, BLOCK_HEADER + len, 64);
      block->len = len;
    }
  g_atomic_ref_count_inc (&self->refs);
  block->pool = self;
  *data = (uint8_t *) block + BLOCK_HEADER;
  return g_bytes_new_with_free_func (*data, len, block_release, block);
}
