/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Watches an X display for the numbers that scroll-text draws on another, and prints
 * "NUMBER TIME_US" for each new one (CLOCK_MONOTONIC), until it is killed. A number counts
 * when both strips show it. */

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

int
main (void)
{
  xcb_connection_t *connection = xcb_connect (NULL, NULL);
  xcb_window_t root;
  int last = -1;

  if (xcb_connection_has_error (connection))
    g_error ("no X display");
  root = xcb_setup_roots_iterator (xcb_get_setup (connection)).data->root;
  printf ("ready\n");
  fflush (stdout);
  for (;;)
    {
      xcb_get_image_cookie_t top = ask (connection, root, STRIP_TOP_Y);
      xcb_get_image_cookie_t bottom = ask (connection, root, STRIP_BOTTOM_Y);
      int number = read_number (connection, top);

      if (read_number (connection, bottom) == number && number >= 0 && number != last)
        {
          printf ("%d %" G_GINT64_FORMAT "\n", number, g_get_monotonic_time ());
          fflush (stdout);
          last = number;
        }
      g_usleep (LOOK_US);
    }
}
