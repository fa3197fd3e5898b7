/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#define G_LOG_DOMAIN "als-media"

#include "config.h"

#include "media/als-screen-capture.h"

#include "base/als-mailbox.h"
#include "media/als-pixels.h"
#include "protocol/als-media-message.h"

#include <errno.h>
#include <gst/video/video.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* How long stopping waits for a source before it interrupts it. */
#define STOP_PATIENCE_US (100 * 1000)

struct _AlsScreenCapture
{
  AlsScreenSource *source;
  const AlsScreenCaptureEvents *events;
  gpointer user_data;
  AlsMailbox *mailbox;
  gboolean is_busy;    /* reports are handed out; if one frees us, the memory stays for so long */
  gboolean is_freed;
  GThread *thread;
  int wake_fd;
  GMutex lock;         /* guards what follows */
  GCond ended_cond;
  gboolean requested;
  gboolean stop;
  gboolean ended;

  /* The capture thread's. */
  GstBufferPool *pool;
  GstVideoInfo info;   /* of the pool's buffers */
};

/* NULL in all: the screen changed. */
typedef struct
{
  AlsScreenShot *shot;
  GError *error;
} Report;

void
als_screen_shot_free (AlsScreenShot *self)
{
  gst_buffer_unref (self->buffer);
  g_free (self);
}

static void
report_free (gpointer data)
{
  Report *report = data;

  g_clear_pointer (&report->shot, als_screen_shot_free);
  g_clear_error (&report->error);
  g_free (report);
}

static void
reports_cb (GPtrArray *items, gpointer user_data)
{
  AlsScreenCapture *self = user_data;

  g_ptr_array_set_free_func (items, report_free);
  self->is_busy = TRUE;
  for (guint i = 0; i < items->len && !self->is_freed; i++)
    {
      Report *report = g_ptr_array_index (items, i);

      if (report->shot != NULL)
        self->events->shot (g_steal_pointer (&report->shot), self->user_data);
      else if (report->error != NULL)
        self->events->failed (report->error, self->user_data);
      else
        self->events->changed (self->user_data);
    }
  self->is_busy = FALSE;
  if (self->is_freed)
    g_free (self);
}

static void
post (AlsScreenCapture *self, AlsScreenShot *shot, GError *error)
{
  Report *report = g_new0 (Report, 1);

  report->shot = shot;
  report->error = error;
  als_mailbox_post (self->mailbox, report);
}

static gboolean
ensure_pool (AlsScreenCapture *self, guint width, guint height)
{
  GstStructure *config;

  if (self->pool != NULL && GST_VIDEO_INFO_WIDTH (&self->info) == (int) width
      && GST_VIDEO_INFO_HEIGHT (&self->info) == (int) height)
    return TRUE;
  if (self->pool != NULL)
    gst_buffer_pool_set_active (self->pool, FALSE);
  gst_clear_object (&self->pool);
  gst_video_info_set_format (&self->info, GST_VIDEO_FORMAT_I420, width, height);
  self->pool = gst_buffer_pool_new ();
  config = gst_buffer_pool_get_config (self->pool);
  gst_buffer_pool_config_set_params (config, NULL, GST_VIDEO_INFO_SIZE (&self->info), 2, 0);
  return gst_buffer_pool_set_config (self->pool, config)
         && gst_buffer_pool_set_active (self->pool, TRUE);
}

/* The coded size is even: a last odd column or row is repeated. */
static void
pad_luma (uint8_t *luma, int stride, guint width, guint height)
{
  if (width % 2 != 0)
    for (guint y = 0; y < height; y++)
      luma[(size_t) y * stride + width] = luma[(size_t) y * stride + width - 1];
  if (height % 2 != 0)
    memcpy (luma + (size_t) height * stride, luma + (size_t) (height - 1) * stride,
            (width + 1) / 2 * 2);
}

static AlsScreenShot *
convert (AlsScreenCapture *self, const AlsScreenImage *image, int64_t now_us, GError **error)
{
  g_autoptr (GstBuffer) buffer = NULL;
  AlsScreenShot *shot;
  AlsPlanes planes;
  GstMapInfo map;

  if (image->width < ALS_MEDIA_MIN_SIZE || image->width > ALS_MEDIA_MAX_SIZE
      || image->height < ALS_MEDIA_MIN_SIZE || image->height > ALS_MEDIA_MAX_SIZE
      || !ensure_pool (self, (image->width + 1) / 2 * 2, (image->height + 1) / 2 * 2)
      || gst_buffer_pool_acquire_buffer (self->pool, &buffer, NULL) != GST_FLOW_OK
      || !gst_buffer_map (buffer, &map, GST_MAP_WRITE))
    {
      g_set_error (error, ALS_MEDIA_ERROR, ALS_MEDIA_ERROR_CAPTURE,
                   "No place for a picture of %u×%u pixels", image->width, image->height);
      return NULL;
    }
  for (guint i = 0; i < 3; i++)
    {
      planes.data[i] = map.data + GST_VIDEO_INFO_PLANE_OFFSET (&self->info, i);
      planes.stride[i] = GST_VIDEO_INFO_PLANE_STRIDE (&self->info, i);
    }
  als_pixels_to_i420 (image->pixels, image->stride, &planes, image->width, image->height);
  pad_luma (planes.data[0], planes.stride[0], image->width, image->height);
  gst_buffer_unmap (buffer, &map);

  shot = g_new0 (AlsScreenShot, 1);
  shot->buffer = g_steal_pointer (&buffer);
  shot->width = image->width;
  shot->height = image->height;
  shot->time_us = now_us;
  return shot;
}

static void
wait_until (AlsScreenCapture *self, int source_fd, int64_t until_us)
{
  int64_t now_us = g_get_monotonic_time ();
  struct pollfd fds[2] = { { self->wake_fd, POLLIN, 0 }, { source_fd, POLLIN, 0 } };
  struct timespec timeout = { 0 };
  uint64_t wakes;

  if (until_us > now_us)
    {
      timeout.tv_sec = (until_us - now_us) / G_USEC_PER_SEC;
      timeout.tv_nsec = (until_us - now_us) % G_USEC_PER_SEC * 1000;
    }
  if (ppoll (fds, source_fd >= 0 ? 2 : 1, until_us == INT64_MAX ? NULL : &timeout, NULL) > 0
      && (fds[0].revents & POLLIN) != 0 && read (self->wake_fd, &wakes, sizeof wakes) < 0
      && errno != EAGAIN)
    g_warning ("The capture thread cannot read its wake-up: %s", g_strerror (errno));
}

/* What is asked of the thread; a request is taken. FALSE: stop. */
static gboolean
take_request (AlsScreenCapture *self, gboolean *requested)
{
  gboolean go_on;

  g_mutex_lock (&self->lock);
  go_on = !self->stop;
  *requested = self->requested;
  self->requested = FALSE;
  g_mutex_unlock (&self->lock);
  return go_on;
}

static gpointer
capture_thread (gpointer data)
{
  AlsScreenCapture *self = data;
  AlsScreenSource *source = self->source;
  int source_fd = source->klass->get_fd (source);
  gboolean told = FALSE, requested;
  GError *error = NULL;

  while (take_request (self, &requested))
    {
      int64_t now_us = g_get_monotonic_time (), next_us;
      gboolean changed;

      if (requested)
        {
          AlsScreenImage image;
          AlsScreenShot *shot = NULL;

          if (source->klass->grab (source, &image, &error))
            shot = convert (self, &image, now_us, &error);
          if (shot == NULL)
            break;
          post (self, shot, NULL);
          told = FALSE;
        }
      if (!source->klass->check (source, now_us, &changed, &next_us, &error))
        break;
      if (changed && !told)
        {
          told = TRUE;
          post (self, NULL, NULL);
        }
      /* Told once is enough: until the next request only what keeps the source well. */
      wait_until (self, source_fd, told && changed ? INT64_MAX : next_us);
    }
  if (error != NULL)
    post (self, NULL, error);
  if (self->pool != NULL)
    gst_buffer_pool_set_active (self->pool, FALSE);
  gst_clear_object (&self->pool);
  g_mutex_lock (&self->lock);
  self->ended = TRUE;
  g_cond_signal (&self->ended_cond);
  g_mutex_unlock (&self->lock);
  return NULL;
}

AlsScreenCapture *
als_screen_capture_new (AlsScreenSource *source, const AlsScreenCaptureEvents *events,
                        gpointer user_data, GError **error)
{
  g_autoptr (AlsScreenSource) owned = source;
  AlsScreenCapture *self;
  int wake_fd = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);

  if (wake_fd < 0)
    {
      g_set_error (error, ALS_MEDIA_ERROR, ALS_MEDIA_ERROR_CAPTURE,
                   "No file descriptor for the capture thread: %s", g_strerror (errno));
      return NULL;
    }
  self = g_new0 (AlsScreenCapture, 1);
  self->source = g_steal_pointer (&owned);
  self->events = events;
  self->user_data = user_data;
  self->wake_fd = wake_fd;
  self->mailbox = als_mailbox_new (g_main_context_get_thread_default (), "screen capture",
                                   reports_cb, self, report_free);
  g_mutex_init (&self->lock);
  g_cond_init (&self->ended_cond);
  self->thread = g_thread_new ("als-capture", capture_thread, self);
  return self;
}

static void
wake (AlsScreenCapture *self)
{
  uint64_t one = 1;

  if (write (self->wake_fd, &one, sizeof one) < 0)
    g_warning ("The capture thread cannot be woken: %s", g_strerror (errno));
}

void
als_screen_capture_request (AlsScreenCapture *self)
{
  g_mutex_lock (&self->lock);
  self->requested = TRUE;
  g_mutex_unlock (&self->lock);
  wake (self);
}

void
als_screen_capture_free (AlsScreenCapture *self)
{
  int64_t patience_us = g_get_monotonic_time () + STOP_PATIENCE_US;
  gboolean ended = FALSE;

  self->is_freed = TRUE;
  als_mailbox_close (self->mailbox);
  g_mutex_lock (&self->lock);
  self->stop = TRUE;
  g_mutex_unlock (&self->lock);
  wake (self);
  g_mutex_lock (&self->lock);
  while (!self->ended && g_cond_wait_until (&self->ended_cond, &self->lock, patience_us))
    ;
  ended = self->ended;
  g_mutex_unlock (&self->lock);
  if (!ended && self->source->klass->interrupt != NULL)
    self->source->klass->interrupt (self->source);
  g_thread_join (self->thread);
  als_screen_source_free (self->source);
  als_mailbox_unref (self->mailbox);
  close (self->wake_fd);
  g_mutex_clear (&self->lock);
  g_cond_clear (&self->ended_cond);
  if (!self->is_busy)
    g_free (self);
}
