/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "protocol/als-media-message.h"

#include <string.h>

static const AlsMediaMessage samples[] = {
  { .type = ALS_MEDIA_CAPS, .codecs = 1u << ALS_VIDEO_CODEC_VP8 | 1u << ALS_VIDEO_CODEC_H264 },
  { .type = ALS_MEDIA_FORMAT, .generation = 3, .codec = ALS_VIDEO_CODEC_H264, .width = 1920,
    .height = 1081 },
  { .type = ALS_MEDIA_KEYFRAME, .generation = 0xfffffffe },
  { .type = ALS_MEDIA_NACK, .generation = 2, .n_missing = 3, .missing = { 65535, 0, 7 } },
  { .type = ALS_MEDIA_MARK, .generation = 9, .next_seq = 65535 },
  { .type = ALS_MEDIA_STOP },
};

static void
assert_same (const AlsMediaMessage *one, const AlsMediaMessage *other)
{
  g_assert_cmpint (one->type, ==, other->type);
  g_assert_cmpuint (one->codecs, ==, other->codecs);
  g_assert_cmpuint (one->generation, ==, other->generation);
  g_assert_cmpint (one->codec, ==, other->codec);
  g_assert_cmpuint (one->width, ==, other->width);
  g_assert_cmpuint (one->height, ==, other->height);
  g_assert_cmpuint (one->next_seq, ==, other->next_seq);
  g_assert_cmpmem (one->missing, one->n_missing * 2u, other->missing, other->n_missing * 2u);
}

static GBytes *
all_samples (void)
{
  GByteArray *all = g_byte_array_new ();

  for (guint i = 0; i < G_N_ELEMENTS (samples); i++)
    {
      g_autoptr (GBytes) bytes = als_media_message_encode (&samples[i]);

      g_assert_nonnull (bytes);
      g_byte_array_append (all, g_bytes_get_data (bytes, NULL), (guint) g_bytes_get_size (bytes));
    }
  return g_byte_array_free_to_bytes (all);
}

static void
test_pieces (void)
{
  g_autoptr (GBytes) all = all_samples ();

  for (size_t piece = 1; piece <= g_bytes_get_size (all); piece++)
    {
      AlsMediaStream stream = { 0 };
      guint n = 0;

      for (size_t at = 0; at < g_bytes_get_size (all); at += piece)
        {
          size_t len = MIN (piece, g_bytes_get_size (all) - at);
          const uint8_t *data = (const uint8_t *) g_bytes_get_data (all, NULL) + at;
          g_autoptr (GError) error = NULL;
          AlsMediaMessage message;

          while (als_media_stream_next (&stream, &data, &len, &message, &error))
            {
              g_assert_cmpuint (n, <, G_N_ELEMENTS (samples));
              assert_same (&message, &samples[n++]);
            }
          g_assert_no_error (error);
          g_assert_cmpuint (len, ==, 0);
        }
      g_assert_cmpuint (n, ==, G_N_ELEMENTS (samples));
    }
}

/* Every truncation, and one byte too many, is refused. */
static void
test_length (void)
{
  for (guint i = 0; i < G_N_ELEMENTS (samples); i++)
    {
      g_autoptr (GBytes) bytes = als_media_message_encode (&samples[i]);
      size_t len = g_bytes_get_size (bytes) - 2;
      g_autofree uint8_t *body = g_malloc0 (len + 1);
      AlsMediaMessage message;

      memcpy (body, (const uint8_t *) g_bytes_get_data (bytes, NULL) + 2, len);
      g_assert_true (als_media_message_decode (&message, body, len, NULL));
      for (size_t wrong = 0; wrong <= len + 1; wrong++)
        {
          g_autoptr (GError) error = NULL;

          if (wrong == len)
            continue;
          g_assert_false (als_media_message_decode (&message, body, wrong, &error));
          g_assert_error (error, ALS_MEDIA_MESSAGE_ERROR, 0);
        }
    }
}

static void
test_limits (void)
{
  static const struct
  {
    guint16 width, height;
    gboolean is_good;
  } sizes[] = {
    { 16, 16, TRUE }, { 8192, 8192, TRUE }, { 15, 600, FALSE }, { 600, 15, FALSE },
    { 8193, 600, FALSE }, { 600, 8193, FALSE }, { 0, 0, FALSE }, { 65535, 65535, FALSE },
  };
  AlsMediaMessage message;

  for (guint i = 0; i < G_N_ELEMENTS (sizes); i++)
    {
      const uint8_t body[] = { ALS_MEDIA_FORMAT, 0, 0, 0, 1, ALS_VIDEO_CODEC_VP8,
                               sizes[i].width >> 8, sizes[i].width & 0xff, sizes[i].height >> 8,
                               sizes[i].height & 0xff };

      g_assert_cmpint (als_media_message_decode (&message, body, sizeof body, NULL), ==,
                       sizes[i].is_good);
    }
  g_assert_false (als_media_message_decode (
      &message, (const uint8_t[]){ ALS_MEDIA_FORMAT, 0, 0, 0, 1, 9, 1, 0, 1, 0 }, 10, NULL));
  g_assert_false (als_media_message_decode (
      &message, (const uint8_t[]){ ALS_MEDIA_NACK, 0, 0, 0, 1, 0 }, 6, NULL));
  g_assert_false (als_media_message_decode (&message, (const uint8_t[]){ 99 }, 1, NULL));
  message = (AlsMediaMessage) { .type = ALS_MEDIA_NACK, .n_missing = ALS_MEDIA_MAX_NACK + 1 };
  g_assert_null (als_media_message_encode (&message));
  message = (AlsMediaMessage) { .type = 99 };
  g_assert_null (als_media_message_encode (&message));
}

static void
test_failure_sticks (void)
{
  static const char *const broken[] = { "\xff\xff", "\x00\x00", "\x00\x01\x63" };

  for (guint i = 0; i < G_N_ELEMENTS (broken); i++)
    {
      AlsMediaStream stream = { 0 };
      g_autoptr (GBytes) good = als_media_message_encode (&samples[0]);
      const uint8_t *data = (const uint8_t *) broken[i];
      size_t len = i == 2 ? 3 : 2;
      g_autoptr (GError) error = NULL;
      g_autoptr (GError) again = NULL;
      AlsMediaMessage message;

      g_assert_false (als_media_stream_next (&stream, &data, &len, &message, &error));
      g_assert_error (error, ALS_MEDIA_MESSAGE_ERROR, 0);
      data = g_bytes_get_data (good, &len);
      g_assert_false (als_media_stream_next (&stream, &data, &len, &message, &again));
      g_assert_error (again, ALS_MEDIA_MESSAGE_ERROR, 0);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/protocol/media-message/any-pieces-give-the-same-messages", test_pieces);
  g_test_add_func ("/protocol/media-message/refuses-wrong-lengths", test_length);
  g_test_add_func ("/protocol/media-message/refuses-what-is-out-of-bounds", test_limits);
  g_test_add_func ("/protocol/media-message/lost-sense-does-not-come-back", test_failure_sticks);
  return g_test_run ();
}
