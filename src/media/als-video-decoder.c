/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#define G_LOG_DOMAIN "als-media"

#include "config.h"

#include "media/als-video-decoder.h"

#include "media/als-rtp.h"

#include <gst/app/gstappsink.h>
#include <gst/app/gstappsrc.h>
#include <gst/video/video.h>

struct _AlsVideoDecoder
{
  const AlsVideoDecoderEvents *events;
  gpointer user_data;
  guint width, height;
  AlsPixelPool *pool;  /* borrowed */
  GstElement *pipeline;
  GstElement *source;  /* borrowed from the pipeline */
};

/* What was decoded must be what was announced, or it is not shown. */
static gboolean
has_right_size (AlsVideoDecoder *self, const GstVideoInfo *info)
{
  return GST_VIDEO_INFO_FORMAT (info) == GST_VIDEO_FORMAT_I420
         && GST_VIDEO_INFO_WIDTH (info) == (int) ((self->width + 1) / 2 * 2)
         && GST_VIDEO_INFO_HEIGHT (info) == (int) ((self->height + 1) / 2 * 2);
}

/* Pipeline's thread. */
static GstFlowReturn
sample_cb (GstAppSink *sink, gpointer user_data)
{
  AlsVideoDecoder *self = user_data;
  g_autoptr (GstSample) sample = gst_app_sink_pull_sample (sink);
  GstBuffer *buffer = sample != NULL ? gst_sample_get_buffer (sample) : NULL;
  GstCaps *caps = sample != NULL ? gst_sample_get_caps (sample) : NULL;
  size_t stride = (size_t) self->width * 4;
  GstVideoInfo info;
  GstVideoFrame decoded;
  AlsPlanes planes;
  GBytes *pixels;
  uint8_t *data;

  if (buffer == NULL || caps == NULL)
    return GST_FLOW_EOS;
  if (!gst_video_info_from_caps (&info, caps) || !has_right_size (self, &info)
      || !gst_video_frame_map (&decoded, &info, buffer, GST_MAP_READ))
    return GST_FLOW_OK;
  for (guint i = 0; i < 3; i++)
    {
      planes.data[i] = GST_VIDEO_FRAME_PLANE_DATA (&decoded, i);
      planes.stride[i] = GST_VIDEO_FRAME_PLANE_STRIDE (&decoded, i);
    }
  pixels = als_pixel_pool_take (self->pool, stride * self->height, &data);
  als_pixels_from_i420 (&planes, data, stride, self->width, self->height);
  gst_video_frame_unmap (&decoded);
  self->events->decoded (als_screen_frame_new (pixels, self->width, self->height, stride,
                                               g_get_monotonic_time ()),
                         self->user_data);
  return GST_FLOW_OK;
}

/* Any thread. */
static GstBusSyncReply
bus_cb (GstBus *bus, GstMessage *message, gpointer user_data)
{
  AlsVideoDecoder *self = user_data;

  if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_ERROR)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (GError) own = NULL;

      gst_message_parse_error (message, &error, NULL);
      own = g_error_new (ALS_MEDIA_ERROR, ALS_MEDIA_ERROR_CODEC, "%s: %s",
                         GST_OBJECT_NAME (GST_MESSAGE_SRC (message)), error->message);
      self->events->failed (own, self->user_data);
    }
  gst_message_unref (message);
  return GST_BUS_DROP;
}

static GstElement *
add_element (AlsVideoDecoder *self, const char *factory)
{
  GstElement *element = gst_element_factory_make (factory, NULL);

  if (element != NULL)
    gst_bin_add (GST_BIN (self->pipeline), element);
  return element;
}

static gboolean
build (AlsVideoDecoder *self, AlsVideoCodec codec, const char *name)
{
  static GstAppSinkCallbacks callbacks = { .new_sample = sample_cb };
  gboolean is_vp8 = codec == ALS_VIDEO_CODEC_VP8;
  g_autoptr (GstCaps) caps = NULL;
  g_autoptr (GstCaps) coded_caps = NULL;
  g_autoptr (GstCaps) raw_caps = NULL;
  g_autoptr (GstBus) bus = NULL;
  GstElement *depayloader, *decoder, *sink;

  self->pipeline = gst_object_ref_sink (gst_pipeline_new (NULL));
  self->source = add_element (self, "appsrc");
  depayloader = add_element (self, is_vp8 ? "rtpvp8depay" : "rtph264depay");
  decoder = add_element (self, name);
  sink = add_element (self, "appsink");
  if (self->source == NULL || depayloader == NULL || decoder == NULL || sink == NULL)
    return FALSE;

  caps = gst_caps_new_simple ("application/x-rtp", "media", G_TYPE_STRING, "video", "clock-rate",
                              G_TYPE_INT, 90000, "encoding-name", G_TYPE_STRING,
                              is_vp8 ? "VP8" : "H264", "payload", G_TYPE_INT, ALS_RTP_PAYLOAD_TYPE,
                              NULL);
  g_object_set (self->source, "caps", caps, "format", GST_FORMAT_TIME, "is-live", TRUE, "max-bytes",
                (guint64) 0, NULL);
  if (g_str_equal (name, "avdec_h264"))
    g_object_set (decoder, "max-threads", 1, "output-corrupt", FALSE, NULL);
  g_object_set (decoder, "qos", FALSE, NULL);
  g_object_set (sink, "sync", FALSE, "async", FALSE, "qos", FALSE, "enable-last-sample", FALSE,
                NULL);
  gst_app_sink_set_callbacks (GST_APP_SINK (sink), &callbacks, self, NULL);
  bus = gst_element_get_bus (self->pipeline);
  gst_bus_set_sync_handler (bus, bus_cb, self, NULL);

  coded_caps = is_vp8 ? gst_caps_new_empty_simple ("video/x-vp8")
                      : gst_caps_from_string ("video/x-h264, stream-format=byte-stream, alignment=au");
  /* No memory is given to pictures of another size than was announced. */
  raw_caps = gst_caps_new_simple ("video/x-raw", "format", G_TYPE_STRING, "I420", "width",
                                  G_TYPE_INT, (int) (self->width + 1) / 2 * 2, "height", G_TYPE_INT,
                                  (int) (self->height + 1) / 2 * 2, NULL);
  return gst_element_link (self->source, depayloader)
         && gst_element_link_filtered (depayloader, decoder, coded_caps)
         && gst_element_link_filtered (decoder, sink, raw_caps)
         && gst_element_set_state (self->pipeline, GST_STATE_PLAYING) != GST_STATE_CHANGE_FAILURE;
}

AlsVideoDecoder *
als_video_decoder_new (const AlsVideoDecoderConfig *config, const AlsVideoDecoderEvents *events,
                       gpointer user_data, GError **error)
{
  const char *name = als_media_find_decoder (config->codec);
  AlsVideoDecoder *self;

  if (name == NULL)
    {
      g_set_error (error, ALS_MEDIA_ERROR, ALS_MEDIA_ERROR_NO_DECODER, "No decoder for codec %d",
                   (int) config->codec);
      return NULL;
    }
  self = g_new0 (AlsVideoDecoder, 1);
  self->events = events;
  self->user_data = user_data;
  self->width = config->width;
  self->height = config->height;
  self->pool = config->pool;
  if (build (self, config->codec, name))
    return self;
  g_set_error (error, ALS_MEDIA_ERROR, ALS_MEDIA_ERROR_NO_DECODER, "%s cannot be started", name);
  als_video_decoder_free (self);
  return NULL;
}

void
als_video_decoder_push (AlsVideoDecoder *self, GBytes *packet)
{
  gst_app_src_push_buffer (GST_APP_SRC (self->source), gst_buffer_new_wrapped_bytes (packet));
  g_bytes_unref (packet);
}

size_t
als_video_decoder_get_backlog (AlsVideoDecoder *self)
{
  return gst_app_src_get_current_level_bytes (GST_APP_SRC (self->source));
}

void
als_video_decoder_free (AlsVideoDecoder *self)
{
  gst_element_set_state (self->pipeline, GST_STATE_NULL);
  gst_object_unref (self->pipeline);
  g_free (self);
}
