/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Text that scrolls a line a frame over the whole X display, with the frame's number in it.
 *
 *   scroll-text FRAMES_PER_SECOND      until it is killed; 0: one frame, and a green block in its middle
 *
 * Prints "NUMBER TIME_US" when a frame is on the display (CLOCK_MONOTONIC). Stop it with SIGSTOP, and
 * the display is still. */

#include <glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <xcb/xcb.h>

#include "number-strip.h"

#define LINE 18
/* What one request takes, and how wide that is in the font "fixed". */
#define PART_CHARS 240
#define PART_WIDTH (6 * PART_CHARS)

typedef struct
{
  xcb_connection_t *connection;
  uint16_t width, height;
  xcb_window_t window;
  xcb_pixmap_t text;       /* what scrolls */
  xcb_pixmap_t frame;      /* text and number; goes to the window at once, never torn */
  xcb_gcontext_t gc;
} Screen;

static void
fill (Screen *self, xcb_drawable_t drawable, uint32_t colour, int x, int y, int width, int height)
{
  const xcb_rectangle_t area = { (int16_t) x, (int16_t) y, (uint16_t) width, (uint16_t) height };

  xcb_change_gc (self->connection, self->gc, XCB_GC_FOREGROUND, &colour);
  xcb_poly_fill_rectangle (self->connection, drawable, self->gc, 1, &area);
}

static void
draw_line (Screen *self, int y, guint number)
{
  static const char words[]
      = "the quick brown fox jumps over a lazy dog while {return x[i] + 42;} ";
  const uint32_t colours[] = { 0x101010, 0xffffff };
  char text[PART_CHARS];

  fill (self, self->text, colours[1], 0, y, self->width, LINE);
  for (guint i = 0; i < sizeof text; i++)
    text[i] = words[(i * (1 + number % 7) + number * 13) % (sizeof words - 1)];
  xcb_change_gc (self->connection, self->gc, XCB_GC_FOREGROUND | XCB_GC_BACKGROUND, colours);
  for (int x = 0; x < self->width; x += PART_WIDTH)
    xcb_image_text_8 (self->connection, sizeof text, self->text, self->gc, (int16_t) x,
                      (int16_t) (y + 13), text);
}

static void
draw_number (Screen *self, int y, guint number)
{
  guint bits = (number & ((1u << STRIP_BITS) - 1)) | ~number << STRIP_BITS;

  for (int i = 0; i < STRIP_CELLS; i++)
    fill (self, self->frame, bits >> i & 1 ? 0xffffff : 0, STRIP_X + i * STRIP_CELL, y, STRIP_CELL,
          STRIP_CELL);
}

static void
draw_frame (Screen *self, guint number)
{
  xcb_copy_area (self->connection, self->text, self->text, self->gc, 0, LINE, 0, 0, self->width,
                 self->height - LINE);
  draw_line (self, self->height - LINE, number);
  xcb_copy_area (self->connection, self->text, self->frame, self->gc, 0, 0, 0, 0, self->width,
                 self->height);
  draw_number (self, STRIP_TOP_Y, number);
  draw_number (self, STRIP_BOTTOM_Y, number);
  xcb_copy_area (self->connection, self->frame, self->window, self->gc, 0, 0, 0, 0, self->width,
                 self->height);
  /* Its answer says that everything before is done. */
  free (xcb_get_input_focus_reply (self->connection, xcb_get_input_focus (self->connection), NULL));
}

static void
open_screen (Screen *self)
{
  xcb_screen_t *screen;
  xcb_font_t font;

  self->connection = xcb_connect (NULL, NULL);
  if (xcb_connection_has_error (self->connection))
    g_error ("no X display");
  screen = xcb_setup_roots_iterator (xcb_get_setup (self->connection)).data;
  self->width = screen->width_in_pixels;
  self->height = screen->height_in_pixels;
  self->window = xcb_generate_id (self->connection);
  self->text = xcb_generate_id (self->connection);
  self->frame = xcb_generate_id (self->connection);
  self->gc = xcb_generate_id (self->connection);
  font = xcb_generate_id (self->connection);
  xcb_create_window (self->connection, XCB_COPY_FROM_PARENT, self->window, screen->root, 0, 0,
                     self->width, self->height, 0, XCB_WINDOW_CLASS_INPUT_OUTPUT,
                     XCB_COPY_FROM_PARENT, XCB_CW_OVERRIDE_REDIRECT, (const uint32_t[]){ 1 });
  xcb_create_pixmap (self->connection, screen->root_depth, self->text, screen->root, self->width,
                     self->height);
  xcb_create_pixmap (self->connection, screen->root_depth, self->frame, screen->root, self->width,
                     self->height);
  xcb_open_font (self->connection, font, 5, "fixed");
  xcb_create_gc (self->connection, self->gc, self->window, XCB_GC_FONT | XCB_GC_GRAPHICS_EXPOSURES,
                 (const uint32_t[]){ font, 0 });
  xcb_map_window (self->connection, self->window);
}

int
main (int argc, char **argv)
{
  Screen screen;
  int64_t next_us = g_get_monotonic_time ();
  double fps;

  if (argc != 2)
    {
      g_printerr ("scroll-text FRAMES_PER_SECOND\n");
      return 2;
    }
  fps = g_ascii_strtod (argv[1], NULL);
  open_screen (&screen);
  for (int y = 0; y < screen.height; y += LINE)
    draw_line (&screen, y, (guint) y);
  if (fps <= 0)
    fill (&screen, screen.text, 0x20a060, screen.width / 4, screen.height / 4, screen.width / 2,
          screen.height / 2);
  for (guint number = 1;; number++)
    {
      int64_t now_us;

      draw_frame (&screen, number);
      now_us = g_get_monotonic_time ();
      printf ("%u %" G_GINT64_FORMAT "\n", number % (1u << STRIP_BITS), now_us);
      fflush (stdout);
      if (fps <= 0)
        break;
      next_us += (int64_t) (G_USEC_PER_SEC / fps);
      if (next_us > now_us)
        g_usleep ((gulong) (next_us - now_us));
      else
        next_us = now_us; /* after a stop it does not hurry */
    }
  for (;;)
    free (xcb_wait_for_event (screen.connection));
}
