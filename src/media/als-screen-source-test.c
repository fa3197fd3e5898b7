/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* A pattern that needs no screen: eight colour bars in the upper three quarters,
 * below them on black a white block that moves, and a counter of frames as
 * sixteen black or white cells along the lower edge. */

#define G_LOG_DOMAIN "als-media"

#include "config.h"

#include "media/als-screen-source.h"

#define N_BARS 8
#define N_CELLS 16
#define BLACK 0xff000000u
#define WHITE 0xffffffffu

typedef struct
{
  AlsScreenSource parent;
  guint width, height;
  uint32_t *pixels;
  int64_t interval_us;
  int64_t next_us;
  guint16 counter;
  guint block_x;
} TestSource;

static void
fill (TestSource *self, guint x, guint y, guint width, guint height, uint32_t colour)
{
  for (guint row = y; row < y + height; row++)
    for (guint column = x; column < x + width; column++)
      self->pixels[(size_t) row * self->width + column] = colour;
}

static void
draw_bars (TestSource *self)
{
  static const uint32_t colours[N_BARS] = {
    0xffc0c0c0, 0xffc0c000, 0xff00c0c0, 0xff00c000, 0xffc000c0, 0xffc00000, 0xff0000c0, 0xff202020,
  };
  guint bottom = self->height * 3 / 4;

  fill (self, 0, bottom, self->width, self->height - bottom, BLACK);
  for (guint i = 0; i < N_BARS; i++)
    {
      guint left = self->width * i / N_BARS, right = self->width * (i + 1) / N_BARS;

      fill (self, left, 0, right - left, bottom, colours[i]);
    }
}

/* The block moves in the upper half of the lower quarter, the counter is in the lower half. */
static void
draw_frame (TestSource *self)
{
  guint top = self->height * 3 / 4, half = (self->height - top) / 2;
  guint cell = self->width / N_CELLS;

  fill (self, self->block_x, top, MIN (half, self->width), half, BLACK);
  self->counter++;
  self->block_x = self->counter * 8u % (self->width - MIN (half, self->width - 1));
  fill (self, self->block_x, top, MIN (half, self->width), half, WHITE);
  for (guint i = 0; i < N_CELLS; i++)
    fill (self, i * cell, top + half, cell, half,
          self->counter >> (N_CELLS - 1 - i) & 1 ? WHITE : BLACK);
}

static void
test_source_free (AlsScreenSource *source)
{
  TestSource *self = (TestSource *) source;

  g_free (self->pixels);
  g_free (self);
}

static int
test_source_get_fd (AlsScreenSource *source)
{
  return -1;
}

static gboolean
test_source_check (AlsScreenSource *source, int64_t now_us, gboolean *changed, int64_t *next_us,
                   GError **error)
{
  TestSource *self = (TestSource *) source;

  *changed = now_us >= self->next_us;
  *next_us = self->next_us;
  return TRUE;
}

static gboolean
test_source_grab (AlsScreenSource *source, AlsScreenImage *image, GError **error)
{
  TestSource *self = (TestSource *) source;
  int64_t now_us = g_get_monotonic_time ();

  if (now_us >= self->next_us)
    {
      draw_frame (self);
      /* In step while we keep up, else from now. */
      self->next_us = MAX (self->next_us + self->interval_us, now_us + self->interval_us / 2);
    }
  image->pixels = (const uint8_t *) self->pixels;
  image->width = self->width;
  image->height = self->height;
  image->stride = (size_t) self->width * 4;
  return TRUE;
}

static const AlsScreenSourceClass test_source_class
    = { test_source_free, test_source_get_fd, test_source_check, test_source_grab, NULL };

AlsScreenSource *
als_screen_source_test_new (guint width, guint height, guint fps)
{
  TestSource *self = g_new0 (TestSource, 1);

  self->parent.klass = &test_source_class;
  self->width = width;
  self->height = height;
  self->interval_us = G_USEC_PER_SEC / fps;
  self->pixels = g_new0 (uint32_t, (size_t) width * height);
  draw_bars (self);
  return &self->parent;
}
