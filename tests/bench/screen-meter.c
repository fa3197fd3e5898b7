/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Watches an X display for the numbers that scroll-text draws on another, and prints
 * "NUMBER TIME_US" for each new one (CLOCK_MONOTONIC), until it is killed. A number counts
 * when both strips show it.
 *
 *   screen-meter           the numbers; the picture must fill the screen, unscaled
 *   screen-meter --block   "1 TIME_US" once the green block is in the middle, at any scale */

#include <glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <xcb/xcb.h>

#include "number-strip.h"

/* 250 looks a second, of two rows of pixels each: a small part of what drawing a frame costs. */
#define LOOK_US 4000

static xcb_get_image_cookie_t
ask (xcb_connection_t *connection, xcb_window_t root, int y)
{
  return xcb_get_image (connection, XCB_IMAGE_FORMAT_Z_PIXMAP, root, STRIP_X,
                        (int16_t) (y + STRIP_CELL / 2), STRIP_WIDTH, 1, ~0u);
}

/* -1: no number. */
static int
read_number (xcb_connection_t *connection, xcb_get_image_cookie_t cookie)
{
  xcb_get_image_reply_t *reply = xcb_get_image_reply (connection, cookie, NULL);
  guint bits = 0, number;

  if (reply == NULL || xcb_get_image_data_length (reply) < STRIP_WIDTH * 4)
    g_error ("the display cannot be read");
  for (guint i = 0; i < STRIP_CELLS; i++)
    if (xcb_get_image_data (reply)[(i * STRIP_CELL + STRIP_CELL / 2) * 4 + 1] > 127)
      bits |= 1u << i;
  free (reply);
  number = bits & ((1u << STRIP_BITS) - 1);
  return (bits >> STRIP_BITS ^ number) == (1u << STRIP_BITS) - 1 ? (int) number : -1;
}

static int
look_for_numbers (xcb_connection_t *connection, xcb_screen_t *screen)
{
  xcb_get_image_cookie_t top = ask (connection, screen->root, STRIP_TOP_Y);
  xcb_get_image_cookie_t bottom = ask (connection, screen->root, STRIP_BOTTOM_Y);
  int number = read_number (connection, top);

  return read_number (connection, bottom) == number ? number : -1;
}

static int
look_for_block (xcb_connection_t *connection, xcb_screen_t *screen)
{
  xcb_get_image_reply_t *reply
      = xcb_get_image_reply (connection,
                             xcb_get_image (connection, XCB_IMAGE_FORMAT_Z_PIXMAP, screen->root,
                                            (int16_t) (screen->width_in_pixels / 2),
                                            (int16_t) (screen->height_in_pixels / 2), 1, 1, ~0u),
                             NULL);
  const uint8_t *pixel;
  gboolean is_green;

  if (reply == NULL || xcb_get_image_data_length (reply) < 4)
    g_error ("the display cannot be read");
  pixel = xcb_get_image_data (reply);
  /* A first picture is rough. */
  is_green = pixel[1] > pixel[0] + 15 && pixel[1] > pixel[2] + 40;
  free (reply);
  return is_green ? 1 : -1;
}

int
main (int argc, char **argv)
{
  xcb_connection_t *connection = xcb_connect (NULL, NULL);
  gboolean block = argc > 1 && g_str_equal (argv[1], "--block");
  xcb_screen_t *screen;
  int last = -1;

  if (xcb_connection_has_error (connection))
    g_error ("no X display");
  screen = xcb_setup_roots_iterator (xcb_get_setup (connection)).data;
  printf ("ready\n");
  fflush (stdout);
  for (;;)
    {
      int number = block ? look_for_block (connection, screen) : look_for_numbers (connection, screen);

      if (number >= 0 && number != last)
        {
          printf ("%d %" G_GINT64_FORMAT "\n", number, g_get_monotonic_time ());
          fflush (stdout);
          last = number;
        }
      g_usleep (LOOK_US);
    }
}
