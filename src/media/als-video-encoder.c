/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#define G_LOG_DOMAIN "als-media"

#include "config.h"

#include "media/als-video-encoder.h"

#include "base/als-mailbox.h"
#include "media/als-rtp.h"

#include <gst/app/gstappsink.h>
#include <gst/app/gstappsrc.h>
#include <gst/video/video.h>

/* Bits that may leave in one go before the encoder has to save: how long a key frame may take. */
#define PEAK_MS 400

struct _AlsVideoEncoder
{
  const AlsVideoEncoderEvents *events;
  gpointer user_data;
  AlsMailbox *mailbox;
  gboolean is_busy;    /* results are handed out; if one frees us, the memory stays for so long */
  gboolean is_freed;
  GstElement *pipeline;
  GstElement *source;  /* the rest is borrowed from the pipeline */
  GstElement *encoder;
  gboolean is_in_bits; /* bitrate property counts bits, not kilobits */
  const char *bitrate_property;
  guint n_keys_forced;
  int64_t frame_us;    /* how long a frame lasts at the announced rate */
  int64_t last_us;     /* when the last frame was pushed */
  int64_t pts_us;      /* what the encoder believes it was */

  /* The pipeline's thread. */
  GPtrArray *packets;  /* of the frame that is being made */
};

/* One or the other. */
typedef struct
{
  GPtrArray *packets;
  GError *error;
} Result;

static void
result_free (gpointer data)
{
  Result *result = data;

  g_clear_pointer (&result->packets, g_ptr_array_unref);
  g_clear_error (&result->error);
  g_free (result);
}

static void
results_cb (GPtrArray *items, gpointer user_data)
{
  AlsVideoEncoder *self = user_data;

  g_ptr_array_set_free_func (items, result_free);
  self->is_busy = TRUE;
  for (guint i = 0; i < items->len && !self->is_freed; i++)
    {
      Result *result = g_ptr_array_index (items, i);

      if (result->packets != NULL)
        self->events->encoded (result->packets, self->user_data);
      else
        self->events->failed (result->error, self->user_data);
    }
  self->is_busy = FALSE;
  if (self->is_freed)
    g_free (self);
}

static void
post (AlsVideoEncoder *self, GPtrArray *packets, GError *error)
{
  Result *result = g_new0 (Result, 1);

  result->packets = packets;
  result->error = error;
  als_mailbox_post (self->mailbox, result);
}

static GPtrArray *
new_packets (void)
{
  return g_ptr_array_new_with_free_func ((GDestroyNotify) g_bytes_unref);
}

/* Pipeline's thread: one RTP packet; the marked one ends its frame. */
static GstFlowReturn
sample_cb (GstAppSink *sink, gpointer user_data)
{
  AlsVideoEncoder *self = user_data;
  g_autoptr (GstSample) sample = gst_app_sink_pull_sample (sink);
  GstBuffer *buffer = sample != NULL ? gst_sample_get_buffer (sample) : NULL;
  size_t len;
  gpointer data;
  AlsRtpPacket packet;

  if (buffer == NULL)
    return GST_FLOW_EOS;
  len = gst_buffer_get_size (buffer);
  data = g_malloc (len);
  gst_buffer_extract (buffer, 0, data, len);
  g_ptr_array_add (self->packets, g_bytes_new_take (data, len));
  if (als_rtp_packet_parse (&packet, data, len) && packet.is_last)
    {
      post (self, self->packets, NULL);
      self->packets = new_packets ();
    }
  return GST_FLOW_OK;
}

/* Any thread. */
static GstBusSyncReply
bus_cb (GstBus *bus, GstMessage *message, gpointer user_data)
{
  if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_ERROR)
    {
      g_autoptr (GError) error = NULL;

      gst_message_parse_error (message, &error, NULL);
      post (user_data, NULL,
            g_error_new (ALS_MEDIA_ERROR, ALS_MEDIA_ERROR_CODEC, "%s: %s",
                         GST_OBJECT_NAME (GST_MESSAGE_SRC (message)), error->message));
    }
  gst_message_unref (message);
  return GST_BUS_DROP;
}

static void
set_up_encoder (AlsVideoEncoder *self, const char *name)
{
  GstElement *encoder = self->encoder;

  self->bitrate_property = "bitrate";
  if (g_str_equal (name, "x264enc"))
    {
      gst_util_set_object_arg (G_OBJECT (encoder), "tune", "zerolatency");
      gst_util_set_object_arg (G_OBJECT (encoder), "speed-preset", "ultrafast");
      g_object_set (encoder, "threads", 1, "sliced-threads", FALSE, "byte-stream", TRUE,
                    "key-int-max", G_MAXINT, "vbv-buf-capacity", PEAK_MS, "aud", FALSE, NULL);
    }
  else if (g_str_equal (name, "openh264enc"))
    {
      gst_util_set_object_arg (G_OBJECT (encoder), "usage-type", "screen");
      gst_util_set_object_arg (G_OBJECT (encoder), "complexity", "low");
      gst_util_set_object_arg (G_OBJECT (encoder), "rate-control", "bitrate");
      g_object_set (encoder, "gop-size", 0, "multi-thread", 1, "enable-frame-skip", FALSE, NULL);
      self->is_in_bits = TRUE;
    }
  else
    {
      gst_util_set_object_arg (G_OBJECT (encoder), "end-usage", "cbr");
      gst_util_set_object_arg (G_OBJECT (encoder), "keyframe-mode", "disabled");
      /* A fixed speed: the other kind looks at the clock, and finds no pace on a busy machine. */
      g_object_set (encoder, "deadline", (gint64) 1, "cpu-used", -10, "threads", 1,
                    "keyframe-max-dist", G_MAXINT, "lag-in-frames", 0, "min-quantizer", 4,
                    "max-quantizer", 63, "static-threshold", 100, "buffer-size", 2 * PEAK_MS,
                    "buffer-initial-size", PEAK_MS, "buffer-optimal-size", PEAK_MS, NULL);
      self->bitrate_property = "target-bitrate";
      self->is_in_bits = TRUE;
    }
}

static GstElement *
add_element (AlsVideoEncoder *self, const char *factory)
{
  GstElement *element = gst_element_factory_make (factory, NULL);

  if (element != NULL)
    gst_bin_add (GST_BIN (self->pipeline), element);
  return element;
}

static gboolean
build (AlsVideoEncoder *self, const AlsVideoEncoderConfig *config)
{
  static GstAppSinkCallbacks callbacks = { .new_sample = sample_cb };
  gboolean is_vp8 = als_media_get_encoder_codec (config->encoder) == ALS_VIDEO_CODEC_VP8;
  g_autoptr (GstCaps) caps = NULL;
  g_autoptr (GstCaps) coded_caps = NULL;
  g_autoptr (GstBus) bus = NULL;
  GstElement *payloader, *sink;
  GstVideoInfo info;

  self->pipeline = gst_object_ref_sink (gst_pipeline_new (NULL));
  self->source = add_element (self, "appsrc");
  self->encoder = add_element (self, config->encoder);
  payloader = add_element (self, is_vp8 ? "rtpvp8pay" : "rtph264pay");
  sink = add_element (self, "appsink");
  if (self->source == NULL || self->encoder == NULL || payloader == NULL || sink == NULL)
    return FALSE;

  gst_video_info_set_format (&info, GST_VIDEO_FORMAT_I420, config->width, config->height);
  GST_VIDEO_INFO_FPS_N (&info) = (int) config->fps;
  GST_VIDEO_INFO_FPS_D (&info) = 1;
  caps = gst_video_info_to_caps (&info);
  g_object_set (self->source, "caps", caps, "format", GST_FORMAT_TIME, "is-live", TRUE, NULL);
  set_up_encoder (self, config->encoder);
  als_video_encoder_set_bitrate (self, config->bitrate_kbps);
  g_object_set (payloader, "mtu", ALS_RTP_MAX_BYTES, "pt", ALS_RTP_PAYLOAD_TYPE, "ssrc",
                config->ssrc, "seqnum-offset", 0, "timestamp-offset", 0, NULL);
  if (!is_vp8)
    g_object_set (payloader, "config-interval", -1, NULL);
  g_object_set (sink, "sync", FALSE, "async", FALSE, "qos", FALSE, "enable-last-sample", FALSE,
                NULL);
  gst_app_sink_set_callbacks (GST_APP_SINK (sink), &callbacks, self, NULL);
  bus = gst_element_get_bus (self->pipeline);
  gst_bus_set_sync_handler (bus, bus_cb, self, NULL);

  coded_caps = is_vp8 ? gst_caps_new_empty_simple ("video/x-vp8")
                      : gst_caps_from_string ("video/x-h264, stream-format=byte-stream, alignment=au");
  return gst_element_link (self->source, self->encoder)
         && gst_element_link_filtered (self->encoder, payloader, coded_caps)
         && gst_element_link (payloader, sink)
         && gst_element_set_state (self->pipeline, GST_STATE_PLAYING) != GST_STATE_CHANGE_FAILURE;
}

AlsVideoEncoder *
als_video_encoder_new (const AlsVideoEncoderConfig *config, const AlsVideoEncoderEvents *events,
                       gpointer user_data, GError **error)
{
  AlsVideoEncoder *self;

  if (!als_media_init (error))
    return NULL;
  self = g_new0 (AlsVideoEncoder, 1);
  self->events = events;
  self->user_data = user_data;
  self->frame_us = G_USEC_PER_SEC / config->fps;
  self->packets = new_packets ();
  self->mailbox = als_mailbox_new (g_main_context_get_thread_default (), "video encoder",
                                   results_cb, self, result_free);
  if (build (self, config))
    return self;
  g_set_error (error, ALS_MEDIA_ERROR, ALS_MEDIA_ERROR_NO_ENCODER, "%s cannot be started",
               config->encoder);
  als_video_encoder_free (self);
  return NULL;
}

void
als_video_encoder_push (AlsVideoEncoder *self, GstBuffer *buffer, int64_t time_us)
{
  /* Shares the pixels, has a time of its own. */
  GstBuffer *copy = gst_buffer_copy (buffer);

  /* A pause saves no bits: after a second of silence an encoder would make a frame of a second's
   * worth of them, take as long over it, and never find back to its pace. */
  self->pts_us += CLAMP (time_us - self->last_us, self->frame_us / 2, 2 * self->frame_us);
  self->last_us = time_us;
  GST_BUFFER_PTS (copy) = (GstClockTime) self->pts_us * GST_USECOND;
  gst_app_src_push_buffer (GST_APP_SRC (self->source), copy);
}

gboolean
als_video_encoder_is_busy (AlsVideoEncoder *self)
{
  return gst_app_src_get_current_level_bytes (GST_APP_SRC (self->source)) > 0;
}

void
als_video_encoder_force_key (AlsVideoEncoder *self)
{
  g_autoptr (GstPad) pad = gst_element_get_static_pad (self->encoder, "src");

  gst_pad_send_event (pad, gst_video_event_new_upstream_force_key_unit (GST_CLOCK_TIME_NONE, TRUE,
                                                                        ++self->n_keys_forced));
}

void
als_video_encoder_set_bitrate (AlsVideoEncoder *self, guint bitrate_kbps)
{
  g_object_set (self->encoder, self->bitrate_property,
                self->is_in_bits ? bitrate_kbps * 1000 : bitrate_kbps, NULL);
}

void
als_video_encoder_free (AlsVideoEncoder *self)
{
  self->is_freed = TRUE;
  als_mailbox_close (self->mailbox);
  gst_element_set_state (self->pipeline, GST_STATE_NULL);
  gst_object_unref (self->pipeline);
  als_mailbox_unref (self->mailbox);
  g_ptr_array_unref (self->packets);
  if (!self->is_busy)
    g_free (self);
}
