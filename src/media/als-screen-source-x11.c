/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* The root window of an X display, through shared memory where the server is on
 * this machine, with the pointer drawn in.
 *
 * On XCB, not Xlib: a lost server or a refused request is a value to look at,
 * never the end of the process, and the connection is nobody else's. */

#define G_LOG_DOMAIN "als-media"

#include "config.h"

#include "media/als-screen-source.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <xcb/damage.h>
#include <xcb/shm.h>
#include <xcb/xcb.h>
#include <xcb/xfixes.h>

/* The pointer moves without damage; nobody tells, so it is asked for. */
#define POINTER_POLL_US (40 * 1000)

typedef struct
{
  int16_t x, y;           /* of the hot spot, in root coordinates */
  gboolean is_here;       /* on this screen */
} Pointer;

typedef struct
{
  AlsScreenSource parent;
  xcb_connection_t *connection;
  xcb_window_t root;
  guint width, height;
  xcb_damage_damage_t damage;
  uint8_t damage_event, xfixes_event;
  gboolean has_shm;

  gboolean changed;
  int64_t pointer_due_us;
  Pointer pointer;
  xcb_xfixes_get_cursor_image_reply_t *cursor; /* (nullable): to be fetched */

  xcb_shm_seg_t segment;
  uint8_t *pixels;        /* shared memory with a segment, else malloc()ed */
  size_t size_bytes;
} X11Source;

static gboolean
set_lost (X11Source *self, GError **error)
{
  g_set_error (error, ALS_MEDIA_ERROR, ALS_MEDIA_ERROR_CAPTURE,
               "The X display went away (%d)", xcb_connection_has_error (self->connection));
  return FALSE;
}

static void
drop_pixels (X11Source *self)
{
  if (self->segment != 0)
    {
      xcb_shm_detach (self->connection, self->segment);
      shmdt (self->pixels);
    }
  else
    g_free (self->pixels);
  self->pixels = NULL;
  self->segment = 0;
  self->size_bytes = 0;
}

static void
x11_source_free (AlsScreenSource *source)
{
  X11Source *self = (X11Source *) source;

  drop_pixels (self);
  free (self->cursor);
  xcb_disconnect (self->connection);
  g_free (self);
}

static int
x11_source_get_fd (AlsScreenSource *source)
{
  return xcb_get_file_descriptor (((X11Source *) source)->connection);
}

static void
x11_source_interrupt (AlsScreenSource *source)
{
  /* Whatever waits for a reply sees the end of the connection. */
  shutdown (xcb_get_file_descriptor (((X11Source *) source)->connection), SHUT_RDWR);
}

/* Memory that the server may write to; it is gone with the last of the two to detach. */
static gboolean
attach_segment (X11Source *self, size_t size_bytes)
{
  int id = shmget (IPC_PRIVATE, size_bytes, IPC_CREAT | 0600);
  uint8_t *pixels;
  xcb_generic_error_t *refusal;

  if (id < 0)
    return FALSE;
  pixels = shmat (id, NULL, 0);
  if (pixels == (void *) -1)
    {
      shmctl (id, IPC_RMID, NULL);
      return FALSE;
    }
  self->segment = xcb_generate_id (self->connection);
  refusal = xcb_request_check (
      self->connection, xcb_shm_attach_checked (self->connection, self->segment, id, FALSE));
  shmctl (id, IPC_RMID, NULL);
  if (refusal != NULL || xcb_connection_has_error (self->connection))
    {
      free (refusal);
      shmdt (pixels);
      self->segment = 0;
      return FALSE;
    }
  self->pixels = pixels;
  return TRUE;
}

static void
ensure_pixels (X11Source *self)
{
  size_t size_bytes = (size_t) self->width * self->height * 4;

  if (size_bytes == self->size_bytes)
    return;
  drop_pixels (self);
  if (!self->has_shm || !attach_segment (self, size_bytes))
    {
      self->has_shm = FALSE;
      self->pixels = g_malloc (size_bytes);
    }
  self->size_bytes = size_bytes;
}

static void
handle_event (X11Source *self, const xcb_generic_event_t *event)
{
  uint8_t type = event->response_type & 0x7f;

  if (type == XCB_CONFIGURE_NOTIFY)
    {
      const xcb_configure_notify_event_t *configure = (const void *) event;

      if (configure->window == self->root)
        {
          self->width = configure->width;
          self->height = configure->height;
          self->changed = TRUE;
        }
    }
  else if (type == self->damage_event + XCB_DAMAGE_NOTIFY)
    self->changed = TRUE;
  else if (type == self->xfixes_event + XCB_XFIXES_CURSOR_NOTIFY)
    {
      g_clear_pointer (&self->cursor, free);
      self->changed = TRUE;
    }
}

static void
handle_events (X11Source *self)
{
  xcb_generic_event_t *event;

  while ((event = xcb_poll_for_event (self->connection)) != NULL)
    {
      handle_event (self, event);
      free (event);
    }
}

static Pointer
query_pointer (X11Source *self)
{
  xcb_query_pointer_reply_t *reply = xcb_query_pointer_reply (
      self->connection, xcb_query_pointer (self->connection, self->root), NULL);
  Pointer pointer = { 0 };

  if (reply != NULL)
    pointer = (Pointer) { reply->root_x, reply->root_y, reply->same_screen };
  free (reply);
  return pointer;
}

static gboolean
x11_source_check (AlsScreenSource *source, int64_t now_us, gboolean *changed, int64_t *next_us,
                  GError **error)
{
  X11Source *self = (X11Source *) source;

  if (!self->changed && now_us >= self->pointer_due_us)
    {
      Pointer pointer = query_pointer (self);

      self->pointer_due_us = now_us + POINTER_POLL_US;
      if (pointer.x != self->pointer.x || pointer.y != self->pointer.y
          || pointer.is_here != self->pointer.is_here)
        self->changed = TRUE;
    }
  handle_events (self);
  *changed = self->changed;
  *next_us = self->pointer_due_us;
  return xcb_connection_has_error (self->connection) == 0 || set_lost (self, error);
}

/* Premultiplied ARGB over the image. */
static void
draw_pointer (X11Source *self)
{
  const xcb_xfixes_get_cursor_image_reply_t *cursor = self->cursor;
  const uint32_t *image = xcb_xfixes_get_cursor_image_cursor_image (cursor);
  int left = self->pointer.x - cursor->xhot, top = self->pointer.y - cursor->yhot;

  for (int y = MAX (0, -top); y < cursor->height && top + y < (int) self->height; y++)
    for (int x = MAX (0, -left); x < cursor->width && left + x < (int) self->width; x++)
      {
        uint32_t over = image[y * cursor->width + x], rest = 255 - (over >> 24);
        uint8_t *at = self->pixels + ((size_t) (top + y) * self->width + left + x) * 4;

        for (guint c = 0; c < 3; c++)
          at[c] = (uint8_t) MIN ((over >> (8 * c) & 0xff) + at[c] * rest / 255, 255);
      }
}

static gboolean
grab_shm (X11Source *self)
{
  xcb_shm_get_image_reply_t *reply = xcb_shm_get_image_reply (
      self->connection,
      xcb_shm_get_image (self->connection, self->root, 0, 0, (uint16_t) self->width,
                         (uint16_t) self->height, ~0u, XCB_IMAGE_FORMAT_Z_PIXMAP, self->segment,
                         0),
      NULL);
  gboolean done = reply != NULL;

  free (reply);
  return done;
}

static gboolean
grab_plain (X11Source *self)
{
  xcb_get_image_reply_t *reply = xcb_get_image_reply (
      self->connection,
      xcb_get_image (self->connection, XCB_IMAGE_FORMAT_Z_PIXMAP, self->root, 0, 0,
                     (uint16_t) self->width, (uint16_t) self->height, ~0u),
      NULL);
  gboolean done = reply != NULL && (size_t) xcb_get_image_data_length (reply) >= self->size_bytes;

  if (done)
    memcpy (self->pixels, xcb_get_image_data (reply), self->size_bytes);
  free (reply);
  return done;
}

/* FALSE with the connection alive: the size changed under our hands. */
static gboolean
grab_once (X11Source *self)
{
  ensure_pixels (self);
  /* What is damaged after this reports again, so nothing is missed. */
  self->changed = FALSE;
  xcb_damage_subtract (self->connection, self->damage, XCB_NONE, XCB_NONE);
  if (self->segment != 0 ? !grab_shm (self) : !grab_plain (self))
    return FALSE;
  self->pointer = query_pointer (self);
  self->pointer_due_us = g_get_monotonic_time () + POINTER_POLL_US;
  if (self->cursor == NULL)
    self->cursor = xcb_xfixes_get_cursor_image_reply (
        self->connection, xcb_xfixes_get_cursor_image (self->connection), NULL);
  if (self->cursor != NULL && self->pointer.is_here)
    draw_pointer (self);
  return TRUE;
}

static gboolean
update_size (X11Source *self)
{
  xcb_get_geometry_reply_t *reply = xcb_get_geometry_reply (
      self->connection, xcb_get_geometry (self->connection, self->root), NULL);

  if (reply == NULL)
    return FALSE;
  self->width = reply->width;
  self->height = reply->height;
  free (reply);
  return TRUE;
}

static gboolean
x11_source_grab (AlsScreenSource *source, AlsScreenImage *image, GError **error)
{
  X11Source *self = (X11Source *) source;

  handle_events (self);
  for (guint tries = 0; !grab_once (self); tries++)
    if (tries == 3 || !update_size (self))
      return set_lost (self, error);
  image->pixels = self->pixels;
  image->width = self->width;
  image->height = self->height;
  image->stride = (size_t) self->width * 4;
  return TRUE;
}

static const AlsScreenSourceClass x11_source_class
    = { x11_source_free, x11_source_get_fd, x11_source_check, x11_source_grab,
        x11_source_interrupt };

/* Nearly every screen: 32 bits a pixel, B, G, R in that order. */
static gboolean
is_bgrx (const xcb_setup_t *setup, const xcb_screen_t *screen)
{
  gboolean is_32_bits = FALSE, is_rgb = FALSE;

  for (xcb_format_iterator_t i = xcb_setup_pixmap_formats_iterator (setup); i.rem > 0;
       xcb_format_next (&i))
    if (i.data->depth == screen->root_depth)
      is_32_bits = i.data->bits_per_pixel == 32;
  for (xcb_depth_iterator_t i = xcb_screen_allowed_depths_iterator (screen); i.rem > 0;
       xcb_depth_next (&i))
    for (xcb_visualtype_iterator_t v = xcb_depth_visuals_iterator (i.data); v.rem > 0;
         xcb_visualtype_next (&v))
      if (v.data->visual_id == screen->root_visual)
        is_rgb = v.data->red_mask == 0xff0000 && v.data->green_mask == 0xff00
                 && v.data->blue_mask == 0xff;
  return is_32_bits && is_rgb && setup->image_byte_order == XCB_IMAGE_ORDER_LSB_FIRST;
}

/* The extensions, and what we want to hear of. */
static gboolean
begin (X11Source *self, GError **error)
{
  xcb_connection_t *connection = self->connection;
  const xcb_query_extension_reply_t *damage, *xfixes, *shm;
  const uint32_t root_events = XCB_EVENT_MASK_STRUCTURE_NOTIFY;

  xcb_prefetch_extension_data (connection, &xcb_damage_id);
  xcb_prefetch_extension_data (connection, &xcb_xfixes_id);
  xcb_prefetch_extension_data (connection, &xcb_shm_id);
  damage = xcb_get_extension_data (connection, &xcb_damage_id);
  xfixes = xcb_get_extension_data (connection, &xcb_xfixes_id);
  shm = xcb_get_extension_data (connection, &xcb_shm_id);
  if (damage == NULL || !damage->present || xfixes == NULL || !xfixes->present)
    {
      g_set_error_literal (error, ALS_MEDIA_ERROR, ALS_MEDIA_ERROR_NO_DISPLAY,
                           "The X display lacks the DAMAGE or XFIXES extension");
      return FALSE;
    }
  self->damage_event = damage->first_event;
  self->xfixes_event = xfixes->first_event;
  self->has_shm = shm != NULL && shm->present;
  /* Both want to be told the version before anything else. */
  free (xcb_damage_query_version_reply (connection, xcb_damage_query_version (connection, 1, 1),
                                        NULL));
  free (xcb_xfixes_query_version_reply (connection, xcb_xfixes_query_version (connection, 4, 0),
                                        NULL));
  xcb_change_window_attributes (connection, self->root, XCB_CW_EVENT_MASK, &root_events);
  xcb_xfixes_select_cursor_input (connection, self->root,
                                  XCB_XFIXES_CURSOR_NOTIFY_MASK_DISPLAY_CURSOR);
  self->damage = xcb_generate_id (connection);
  xcb_damage_create (connection, self->damage, self->root, XCB_DAMAGE_REPORT_LEVEL_NON_EMPTY);
  self->changed = TRUE;
  /* After the events are chosen, so that no change of size is missed. */
  if (update_size (self))
    return TRUE;
  return set_lost (self, error);
}

AlsScreenSource *
als_screen_source_x11_new (const char *display, GError **error)
{
  g_autoptr (AlsScreenSource) source = NULL;
  int n_screen = 0;
  xcb_connection_t *connection = xcb_connect (display, &n_screen);
  xcb_screen_iterator_t screens;
  X11Source *self;

  if (xcb_connection_has_error (connection))
    {
      xcb_disconnect (connection);
      g_set_error (error, ALS_MEDIA_ERROR, ALS_MEDIA_ERROR_NO_DISPLAY, "No X display at “%s”",
                   display != NULL ? display : g_getenv ("DISPLAY") != NULL ? g_getenv ("DISPLAY")
                                                                            : "");
      return NULL;
    }
  self = g_new0 (X11Source, 1);
  source = &self->parent;
  self->parent.klass = &x11_source_class;
  self->connection = connection;
  screens = xcb_setup_roots_iterator (xcb_get_setup (connection));
  while (n_screen-- > 0 && screens.rem > 1)
    xcb_screen_next (&screens);
  if (screens.rem == 0 || !is_bgrx (xcb_get_setup (connection), screens.data))
    {
      g_set_error_literal (error, ALS_MEDIA_ERROR, ALS_MEDIA_ERROR_NO_DISPLAY,
                           "The X display has an unusual pixel format");
      return NULL;
    }
  self->root = screens.data->root;
  return begin (self, error) ? g_steal_pointer (&source) : NULL;
}
