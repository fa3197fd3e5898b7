/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#define G_LOG_DOMAIN "als-media"

#include "config.h"

#include "media/als-media.h"

#include <gst/gst.h>

static const struct
{
  const char *encoder;
  AlsVideoCodec codec;
} encoders[] = {
  { "x264enc", ALS_VIDEO_CODEC_H264 },
  { "openh264enc", ALS_VIDEO_CODEC_H264 },
  { "vp8enc", ALS_VIDEO_CODEC_VP8 },
};

static const struct
{
  AlsVideoCodec codec;
  const char *decoder;
  const char *depayloader;
} decoders[] = {
  { ALS_VIDEO_CODEC_VP8, "vp8dec", "rtpvp8depay" },
  { ALS_VIDEO_CODEC_H264, "avdec_h264", "rtph264depay" },
  { ALS_VIDEO_CODEC_H264, "openh264dec", "rtph264depay" },
};

G_DEFINE_QUARK (als-media-error-quark, als_media_error)

static gpointer
init_once (gpointer data)
{
  GError *error = NULL;

  gst_init_check (NULL, NULL, &error);
  return error;
}

gboolean
als_media_init (GError **error)
{
  static GOnce once = G_ONCE_INIT;
  const GError *failure = g_once (&once, init_once, NULL);

  if (failure == NULL)
    return TRUE;
  g_set_error (error, ALS_MEDIA_ERROR, ALS_MEDIA_ERROR_CODEC, "GStreamer: %s", failure->message);
  return FALSE;
}

static void
load_element (const char *name)
{
  g_autoptr (GstElementFactory) factory = gst_element_factory_find (name);
  GstPluginFeature *loaded = NULL;

  if (factory != NULL)
    loaded = gst_plugin_feature_load (GST_PLUGIN_FEATURE (factory));
  gst_clear_object (&loaded);
}

static gpointer
prepare_thread (gpointer data)
{
  if (als_media_init (NULL))
    {
      for (guint i = 0; i < G_N_ELEMENTS (encoders); i++)
        load_element (encoders[i].encoder);
      for (guint i = 0; i < G_N_ELEMENTS (decoders); i++)
        {
          load_element (decoders[i].decoder);
          load_element (decoders[i].depayloader);
        }
    }
  return NULL;
}

void
als_media_prepare (void)
{
  g_thread_unref (g_thread_new ("als-media-init", prepare_thread, NULL));
}

static gboolean
has_element (const char *name)
{
  g_autoptr (GstElementFactory) factory = gst_element_factory_find (name);

  return factory != NULL;
}

guint32
als_media_get_decodable (void)
{
  guint32 codecs = 0;

  if (als_media_find_decoder (ALS_VIDEO_CODEC_VP8) != NULL)
    codecs |= 1u << ALS_VIDEO_CODEC_VP8;
  if (als_media_find_decoder (ALS_VIDEO_CODEC_H264) != NULL)
    codecs |= 1u << ALS_VIDEO_CODEC_H264;
  return codecs;
}

const char *
als_media_get_encoder_name (guint nth)
{
  return nth < G_N_ELEMENTS (encoders) ? encoders[nth].encoder : NULL;
}

AlsVideoCodec
als_media_get_encoder_codec (const char *encoder)
{
  for (guint i = 0; i < G_N_ELEMENTS (encoders); i++)
    if (g_str_equal (encoders[i].encoder, encoder))
      return encoders[i].codec;
  return ALS_VIDEO_CODEC_VP8;
}

gboolean
als_media_has_encoder (const char *encoder)
{
  const char *payloader
      = als_media_get_encoder_codec (encoder) == ALS_VIDEO_CODEC_VP8 ? "rtpvp8pay" : "rtph264pay";

  return als_media_init (NULL) && has_element (encoder) && has_element (payloader);
}

const char *
als_media_find_decoder (AlsVideoCodec codec)
{
  if (als_media_init (NULL))
    for (guint i = 0; i < G_N_ELEMENTS (decoders); i++)
      if (decoders[i].codec == codec && has_element (decoders[i].decoder)
          && has_element (decoders[i].depayloader))
        return decoders[i].decoder;
  return NULL;
}
