/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "media/als-pixels.h"

#include <string.h>

#define WIDTH 67
#define HEIGHT 35
#define LUMA_STRIDE 80
#define CHROMA_STRIDE 40

typedef struct
{
  uint8_t luma[LUMA_STRIDE * HEIGHT];
  uint8_t chroma[2][CHROMA_STRIDE * (HEIGHT + 1) / 2];
} Memory;

static AlsPlanes
planes_of (Memory *memory)
{
  memset (memory, 0, sizeof *memory);
  return (AlsPlanes){ { memory->luma, memory->chroma[0], memory->chroma[1] },
                      { LUMA_STRIDE, CHROMA_STRIDE, CHROMA_STRIDE } };
}

/* Smooth, so that halved chroma loses little. */
static void
paint (uint8_t *pixels)
{
  for (guint y = 0; y < HEIGHT; y++)
    for (guint x = 0; x < WIDTH; x++, pixels += 4)
      {
        pixels[0] = (uint8_t) (x * 255 / WIDTH);
        pixels[1] = (uint8_t) (y * 255 / HEIGHT);
        pixels[2] = (uint8_t) (255 - x * 255 / WIDTH);
        pixels[3] = 255;
      }
}

static guint
largest_difference (const uint8_t *one, const uint8_t *other, size_t len)
{
  guint most = 0;

  for (size_t i = 0; i < len; i++)
    most = MAX (most, (guint) ABS (one[i] - other[i]));
  return most;
}

static void
test_agree (void)
{
  uint8_t pixels[WIDTH * HEIGHT * 4], fast[sizeof pixels] = { 0 }, plain[sizeof pixels] = { 0 };
  Memory fast_memory, plain_memory;
  AlsPlanes fast_planes = planes_of (&fast_memory), plain_planes = planes_of (&plain_memory);

  paint (pixels);
  als_pixels_to_i420 (pixels, WIDTH * 4, &fast_planes, WIDTH, HEIGHT);
  als_pixels_to_i420_plain (pixels, WIDTH * 4, &plain_planes, WIDTH, HEIGHT);
  g_assert_cmpuint (largest_difference (fast_memory.luma, plain_memory.luma, sizeof plain_memory.luma),
                    <=, 2);
  g_assert_cmpuint (largest_difference (fast_memory.chroma[0], plain_memory.chroma[0],
                                        sizeof plain_memory.chroma),
                    <=, 2);
  als_pixels_from_i420 (&plain_planes, fast, WIDTH * 4, WIDTH, HEIGHT);
  als_pixels_from_i420_plain (&plain_planes, plain, WIDTH * 4, WIDTH, HEIGHT);
  g_assert_cmpuint (largest_difference (fast, plain, sizeof plain), <=, 3);
  g_assert_cmpuint (largest_difference (plain, pixels, sizeof plain), <=, 16);
}

static void
test_pool (void)
{
  g_autoptr (AlsPixelPool) pool = als_pixel_pool_new ();
  uint8_t *first, *second;
  GBytes *bytes = als_pixel_pool_take (pool, 4096, &first);

  g_bytes_unref (bytes);
  bytes = als_pixel_pool_take (pool, 4096, &second);
  g_assert_true (first == second);
  g_bytes_unref (bytes);
  /* Another size is other memory, and what is out may outlive the pool. */
  bytes = als_pixel_pool_take (pool, 8192, &second);
  memset (second, 1, 8192);
  g_clear_pointer (&pool, als_pixel_pool_unref);
  g_assert_cmpuint (((const uint8_t *) g_bytes_get_data (bytes, NULL))[8191], ==, 1);
  g_bytes_unref (bytes);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/media/pixels/plain-and-fast-agree-at-odd-sizes", test_agree);
  g_test_add_func ("/media/pixels/memory-is-used-again", test_pool);
  return g_test_run ();
}
