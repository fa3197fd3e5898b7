/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* From a source to frames on the other side, over a fake session, with each
 * encoder that is installed. */

#include "config.h"

#include "screen-pair.h"

#include "media/als-media.h"
#include "media/als-rtp.h"
#include "protocol/als-media-message.h"

#include <string.h>

/* --- a source that does what the test says; its lock makes it safe to be told --- */

typedef struct
{
  AlsScreenSource parent;
  GMutex lock;
  GArray *pixels;          /* uint32_t */
  guint width, height;     /* asked for */
  uint32_t colour;
  gboolean is_moving;
  gboolean changed;
  gboolean fails;
  guint n_grabs;
} Script;

static Script script;

static void
script_free (AlsScreenSource *source)
{
  g_clear_pointer (&script.pixels, g_array_unref);
}

static int
script_get_fd (AlsScreenSource *source)
{
  return -1;
}

static gboolean
script_check (AlsScreenSource *source, int64_t now_us, gboolean *changed, int64_t *next_us,
              GError **error)
{
  g_mutex_lock (&script.lock);
  *changed = script.changed || script.is_moving;
  *next_us = now_us + 5000;
  g_mutex_unlock (&script.lock);
  return TRUE;
}

static gboolean
script_grab (AlsScreenSource *source, AlsScreenImage *image, GError **error)
{
  g_mutex_lock (&script.lock);
  script.n_grabs++;
  script.changed = FALSE;
  g_array_set_size (script.pixels, script.width * script.height);
  for (guint i = 0; i < script.pixels->len; i++)
    g_array_index (script.pixels, uint32_t, i) = script.colour;
  /* Something moves in a corner. */
  for (guint y = 0; script.is_moving && y < 16; y++)
    for (guint x = 0; x < 16; x++)
      g_array_index (script.pixels, uint32_t, y * script.width + x) = script.n_grabs * 0x123456u;
  *image = (AlsScreenImage) { (const uint8_t *) script.pixels->data, script.width, script.height,
                              (size_t) script.width * 4 };
  g_mutex_unlock (&script.lock);
  if (script.fails)
    g_set_error_literal (error, ALS_MEDIA_ERROR, ALS_MEDIA_ERROR_CAPTURE, "told to fail");
  return !script.fails;
}

static const AlsScreenSourceClass script_class
    = { script_free, script_get_fd, script_check, script_grab, NULL };

static AlsScreenSource *
script_new (guint width, guint height, uint32_t colour)
{
  script.parent.klass = &script_class;
  script.pixels = g_array_new (FALSE, FALSE, sizeof (uint32_t));
  script.width = width;
  script.height = height;
  script.colour = colour;
  script.changed = TRUE;
  script.is_moving = FALSE;
  script.fails = FALSE;
  script.n_grabs = 0;
  return &script.parent;
}

static void
script_paint (guint width, guint height, uint32_t colour)
{
  g_mutex_lock (&script.lock);
  script.width = width;
  script.height = height;
  script.colour = colour;
  script.changed = TRUE;
  g_mutex_unlock (&script.lock);
}

static void
script_move (gboolean is_moving)
{
  g_mutex_lock (&script.lock);
  script.is_moving = is_moving;
  g_mutex_unlock (&script.lock);
}

static guint
script_count (void)
{
  guint n_grabs;

  g_mutex_lock (&script.lock);
  n_grabs = script.n_grabs;
  g_mutex_unlock (&script.lock);
  return n_grabs;
}

/* --- tests -------------------------------------------------------------- */

static void
test_colours (gconstpointer data)
{
  const char *encoder = data;
  Pair pair;

  if (!als_media_has_encoder (encoder)
      || als_media_find_decoder (als_media_get_encoder_codec (encoder)) == NULL)
    {
      g_autofree char *reason = g_strdup_printf ("%s, or what decodes it, is not installed", encoder);

      g_test_skip (reason);
      return;
    }
  pair_init (&pair, als_screen_source_test_new (640, 360, 60), encoder);
  pair_wait (&pair, als_screen_receiver_get_n_frames (pair.receiver) >= 10);
  pair_wait (&pair, pair_sees (&pair, 62, 300, 0xc0c0c0) && pair_sees (&pair, 187, 300, 0xc0c000)
                        && pair_sees (&pair, 312, 300, 0x00c0c0)
                        && pair_sees (&pair, 437, 300, 0x00c000)
                        && pair_sees (&pair, 562, 300, 0xc000c0)
                        && pair_sees (&pair, 687, 300, 0xc00000)
                        && pair_sees (&pair, 812, 300, 0x0000c0)
                        && pair_sees (&pair, 937, 300, 0x202020));
  g_assert_cmpstr (als_screen_sender_get_encoder (pair.sender), ==, encoder);
  g_assert_cmpuint (pair.frame->width, ==, 640);
  g_assert_cmpuint (pair.frame->height, ==, 360);
  /* The session puts its kind byte before it. */
  g_assert_cmpuint (pair.net->max_datagram, <, ALS_DATAGRAM_MAX);
  /* No second one, unless the machine took a second over the first. */
  g_assert_cmpuint (pair.stats.n_keys, <=, 2);
  g_assert_cmpuint (pair.net->n_nacks, ==, 0);
  pair_clear (&pair);
}

static void
test_loss (gconstpointer data)
{
  const char *encoder = data;
  Pair pair;
  guint n_frames;

  if (!als_media_has_encoder (encoder)
      || als_media_find_decoder (als_media_get_encoder_codec (encoder)) == NULL)
    {
      g_test_skip ("the encoder, or what decodes it, is not installed");
      return;
    }
  pair_init (&pair, als_screen_source_test_new (640, 360, 60), encoder);
  pair_wait (&pair, pair.frame != NULL);
  pair.net->loss_percent = 2;
  n_frames = als_screen_receiver_get_n_frames (pair.receiver);
  pair_wait (&pair, pair.stats.n_repeated >= 2
                        && als_screen_receiver_get_n_frames (pair.receiver) >= n_frames + 30);
  /* Repaired by repeats, which are cheap, not by key frames, which are not. */
  g_assert_cmpuint (pair.stats.n_keys, <=, 2);
  pair.net->loss_percent = 0;
  n_frames = als_screen_receiver_get_n_frames (pair.receiver);
  pair_wait (&pair, als_screen_receiver_get_n_frames (pair.receiver) >= n_frames + 5
                        && pair_sees (&pair, 312, 300, 0x00c0c0));
  pair_clear (&pair);
}

static void
test_burst (void)
{
  Pair pair;
  guint n_frames;

  pair_init (&pair, als_screen_source_test_new (640, 360, 60), "vp8enc");
  pair_wait (&pair, pair.frame != NULL);
  /* Everything is lost for a while, repeats included. */
  pair.net->loss_percent = 100;
  n_frames = pair.stats.n_encoded;
  pair_wait (&pair, pair.stats.n_encoded >= n_frames + 20);
  pair.net->loss_percent = 0;
  n_frames = als_screen_receiver_get_n_frames (pair.receiver);
  pair_wait (&pair, als_screen_receiver_get_n_frames (pair.receiver) >= n_frames + 10);
  pair_clear (&pair);
}

/* The last packets of all are lost, and nothing comes after them to show it. */
static void
test_tail (void)
{
  Pair pair;

  pair_init (&pair, script_new (320, 240, 0x0000ff), "vp8enc");
  pair_wait (&pair, pair_sees (&pair, 500, 500, 0x0000ff));
  pair_wait (&pair, pair.stats.n_encoded == 3);
  pair.net->loss_percent = 100;
  script_paint (320, 240, 0x00ff00);
  pair_wait (&pair, pair.stats.n_encoded == 6 && pair.net->n_marks >= 3);
  pair.net->loss_percent = 0;
  pair_wait (&pair, pair_sees (&pair, 500, 500, 0x00ff00));
  pair_clear (&pair);
}

static void
test_resolution (void)
{
  Pair pair;

  pair_init (&pair, script_new (320, 240, 0x0000ff), NULL);
  pair_wait (&pair, pair_sees (&pair, 500, 500, 0x0000ff));
  /* Odd numbers too. */
  script_paint (401, 299, 0xff8000);
  pair_wait (&pair, pair_sees (&pair, 999, 999, 0xff8000));
  g_assert_cmpuint (pair.frame->width, ==, 401);
  g_assert_cmpuint (pair.frame->height, ==, 299);
  script_paint (200, 600, 0x00ff00);
  pair_wait (&pair, pair_sees (&pair, 500, 500, 0x00ff00) && pair.frame->height == 600);
  g_assert_cmpuint (pair.net->n_formats, ==, 3);
  pair_clear (&pair);
}

/* Datagrams overtake the FORMAT that explains them. */
static void
test_early_packets (void)
{
  Pair pair;

  pair_init (&pair, script_new (320, 240, 0x0000ff), "vp8enc");
  pair_wait (&pair, pair_sees (&pair, 500, 500, 0x0000ff));
  pair.net->hold_channel = TRUE;
  script_paint (640, 240, 0x00ff00);
  pair_wait (&pair, pair.stats.n_keys == 2 && pair.stats.n_encoded >= 4);
  pair.net->hold_channel = FALSE;
  pair_wait (&pair, pair_sees (&pair, 500, 500, 0x00ff00));
  g_assert_cmpuint (pair.net->n_keyframes, ==, 0);
  pair_clear (&pair);
}

static void
request_key (Pair *pair, guint32 generation)
{
  AlsMediaMessage key = { .type = ALS_MEDIA_KEYFRAME, .generation = generation };
  g_autoptr (GBytes) bytes = als_media_message_encode (&key);

  fake_net_write (pair->net, FALSE, g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes));
}

static void
test_key_on_request (void)
{
  Pair pair;
  guint n_captured;

  pair_init (&pair, script_new (320, 240, 0x0000ff), NULL);
  pair_wait (&pair, pair.frame != NULL && pair.stats.n_encoded == 3);
  n_captured = pair.stats.n_captured;
  for (guint i = 0; i < 50; i++)
    request_key (&pair, 1);
  pair_wait (&pair, pair.stats.n_keys == 2);
  /* A flood is answered slowly, and a still screen is not captured for it. */
  pair_let_pass (&pair, 200);
  g_assert_cmpuint (pair.stats.n_keys, ==, 2);
  g_assert_cmpuint (pair.stats.n_captured, ==, n_captured);
  /* Of another generation: no. */
  request_key (&pair, 7);
  pair_let_pass (&pair, 400);
  g_assert_cmpuint (pair.stats.n_keys, ==, 2);
  als_screen_sender_path_changed (pair.sender);
  pair_wait (&pair, pair.stats.n_keys == 3);
  pair_clear (&pair);
}

static void
test_permission (void)
{
  Pair pair;
  guint n_grabs, n_datagrams;

  pair_init (&pair, script_new (320, 240, 0x0000ff), NULL);
  script_move (TRUE);
  pair_wait (&pair, pair.stats.n_encoded >= 5);
  pair.net->may_send_frame = FALSE;
  /* One that was under way may still come. */
  pair_let_pass (&pair, 50);
  n_grabs = script_count ();
  n_datagrams = pair.net->n_datagrams;
  pair_let_pass (&pair, 300);
  g_assert_cmpuint (script_count (), ==, n_grabs);
  g_assert_cmpuint (pair.net->n_datagrams, ==, n_datagrams);
  pair.net->may_send_frame = TRUE;
  pair_wait (&pair, script_count () >= n_grabs + 5);
  pair_clear (&pair);
}

/* A link that takes nothing more gets the rest of the frame later, and no frame is made meanwhile. */
static void
test_refusal (void)
{
  Pair pair;
  guint n_encoded;

  pair_init (&pair, script_new (320, 240, 0x0000ff), NULL);
  script_move (TRUE);
  pair_wait (&pair, pair.stats.n_encoded >= 5);
  pair.net->refuses = TRUE;
  pair_let_pass (&pair, 100);
  n_encoded = pair.stats.n_encoded;
  pair_let_pass (&pair, 300);
  g_assert_cmpuint (pair.stats.n_encoded, ==, n_encoded);
  pair.net->refuses = FALSE;
  pair_wait (&pair, pair.stats.n_encoded >= n_encoded + 5);
  g_assert_cmpuint (pair.net->n_nacks, ==, 0);
  g_assert_cmpuint (pair.stats.n_keys, ==, 1);
  pair_clear (&pair);
}

static void
test_still (void)
{
  Pair pair;
  guint n_datagrams, n_grabs;

  pair_init (&pair, script_new (320, 240, 0x0000ff), NULL);
  /* One picture, and five that make it sharp. */
  pair_wait (&pair, pair.stats.n_encoded == 6 && pair.net->n_marks > 0);
  pair_wait (&pair, als_screen_receiver_get_n_frames (pair.receiver) == 6);
  n_datagrams = pair.net->n_datagrams;
  n_grabs = script_count ();
  g_assert_cmpuint (n_grabs, ==, 1);
  pair_let_pass (&pair, 700);
  g_assert_cmpuint (pair.net->n_datagrams, ==, n_datagrams);
  g_assert_cmpuint (script_count (), ==, n_grabs);
  script_paint (320, 240, 0xff0000);
  pair_wait (&pair, pair_sees (&pair, 500, 500, 0xff0000));
  pair_clear (&pair);
}

static void
test_stop (void)
{
  Pair pair;
  guint n_grabs, n_datagrams;

  pair_init (&pair, script_new (320, 240, 0x0000ff), NULL);
  script_move (TRUE);
  pair_wait (&pair, pair.stats.n_encoded >= 5);
  als_screen_sender_stop (pair.sender);
  n_grabs = script_count ();
  n_datagrams = pair.net->n_datagrams;
  als_screen_sender_stop (pair.sender);
  als_screen_sender_path_changed (pair.sender);
  pair_let_pass (&pair, 200);
  g_assert_cmpuint (script_count (), ==, n_grabs);
  g_assert_cmpuint (pair.net->n_datagrams, ==, n_datagrams);
  g_assert_cmpuint (pair.net->n_stops, ==, 1);
  pair_clear (&pair);
}

static void
test_viewer_stops (void)
{
  Pair pair;
  guint n_grabs;

  pair_init (&pair, script_new (320, 240, 0x0000ff), NULL);
  script_move (TRUE);
  pair_wait (&pair, pair.frame != NULL);
  als_screen_receiver_stop (pair.receiver);
  /* Each tells the other. */
  pair_wait (&pair, pair.net->n_stops == 2);
  pair_let_pass (&pair, 20);
  n_grabs = script_count ();
  pair_let_pass (&pair, 200);
  g_assert_cmpuint (script_count (), ==, n_grabs);
  pair_clear (&pair);
}

static void
test_session_ends (void)
{
  Pair pair;
  guint n_grabs;

  pair_init (&pair, script_new (320, 240, 0x0000ff), NULL);
  script_move (TRUE);
  pair_wait (&pair, pair.frame != NULL);
  fake_net_close (pair.net);
  n_grabs = script_count ();
  pair_let_pass (&pair, 200);
  g_assert_cmpuint (script_count (), ==, n_grabs);
  pair_clear (&pair);
}

static void
failed_cb (AlsScreenSender *sender, const GError *error, gpointer user_data)
{
  g_assert_error (error, ALS_MEDIA_ERROR, ALS_MEDIA_ERROR_CAPTURE);
  ++*(guint *) user_data;
}

static void
test_failure (void)
{
  Pair pair;
  guint n_failures = 0;

  pair_init (&pair, script_new (320, 240, 0x0000ff), NULL);
  g_signal_connect (pair.sender, "failed", G_CALLBACK (failed_cb), &n_failures);
  pair_wait (&pair, pair.frame != NULL);
  script.fails = TRUE;
  script_paint (320, 240, 0x00ff00);
  pair_wait (&pair, n_failures == 1);
  pair_let_pass (&pair, 50);
  g_assert_cmpuint (n_failures, ==, 1);
  pair_clear (&pair);
}

/* A viewer that decodes VP8 only gets nothing else. */
static void
test_ability (void)
{
  AlsMediaMessage caps = { .type = ALS_MEDIA_CAPS, .codecs = 1u << ALS_VIDEO_CODEC_VP8 };
  g_autoptr (GBytes) bytes = als_media_message_encode (&caps);
  g_autoptr (GError) error = NULL;
  Pair pair = { 0 };

  g_unsetenv ("ALONGSIDE_ENCODER");
  pair.net = fake_net_new ();
  pair.sender = als_screen_sender_new_with_source (fake_net_get_session (pair.net),
                                                   script_new (320, 240, 0x0000ff), 30, &error);
  g_assert_no_error (error);
  pair_let_pass (&pair, 100);
  g_assert_null (als_screen_sender_get_encoder (pair.sender));
  g_assert_cmpuint (script_count (), ==, 0);
  fake_net_write (pair.net, FALSE, g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes));
  pair_wait (&pair, als_screen_sender_get_encoder (pair.sender) != NULL);
  g_assert_cmpstr (als_screen_sender_get_encoder (pair.sender), ==, "vp8enc");
  pair_clear (&pair);
}

/* Packets that look right and mean nothing: the decoder is none the wiser, and the next key frame
 * brings the picture back. */
static void
test_garbage (gconstpointer data)
{
  const char *encoder = data;
  g_autoptr (GRand) rand = g_rand_new_with_seed (3);
  Pair pair;
  guint n_frames;

  if (!als_media_has_encoder (encoder)
      || als_media_find_decoder (als_media_get_encoder_codec (encoder)) == NULL)
    {
      g_test_skip ("the encoder, or what decodes it, is not installed");
      return;
    }
  pair_init (&pair, als_screen_source_test_new (320, 240, 60), encoder);
  pair_wait (&pair, pair.frame != NULL);
  pair.net->loss_percent = 100;
  for (guint i = 0; i < 400; i++)
    {
      uint8_t packet[600];
      size_t len = (size_t) g_rand_int_range (rand, 0, sizeof packet);
      guint16 seq = (guint16) (pair.stats.n_packets + i);

      for (guint k = 0; k < sizeof packet; k++)
        packet[k] = (uint8_t) g_rand_int (rand);
      if (i % 8 != 0)
        {
          const uint8_t header[12] = { 0x80, ALS_RTP_PAYLOAD_TYPE | (i % 3 == 0 ? 0x80 : 0), seq >> 8, seq & 0xff, 0, 0,
                                       (uint8_t) (i >> 8), (uint8_t) i, 0, 0, 0, 1 };

          memcpy (packet, header, sizeof header);
          /* Often the start of a key frame, or a parameter set. */
          if (i % 4 == 1)
            memcpy (packet + 12, g_str_equal (encoder, "vp8enc") ? "\x10\x50" : "\x67\x42", 2);
          if (i % 4 == 2)
            packet[12] = g_str_equal (encoder, "vp8enc") ? 0x00 : 0x65;
        }
      als_screen_receiver_datagram (pair.receiver, packet, len);
      if (i % 20 == 0)
        pair_let_pass (&pair, 2);
    }
  pair.net->loss_percent = 0;
  n_frames = als_screen_receiver_get_n_frames (pair.receiver);
  pair_wait (&pair, als_screen_receiver_get_n_frames (pair.receiver) >= n_frames + 10
                        && pair_sees (&pair, 312, 300, 0x00c0c0)
                        && pair_sees (&pair, 687, 300, 0xc00000));
  pair_clear (&pair);
}

static void
test_nonsense_on_channel (void)
{
  Pair pair;

  pair_init (&pair, script_new (320, 240, 0x0000ff), NULL);
  pair_wait (&pair, pair.frame != NULL);
  fake_net_write (pair.net, TRUE, "\xff\xff\xff\xff", 4);
  pair_wait (&pair, pair.net->n_stops >= 1);
  pair_clear (&pair);
}

typedef struct
{
  Pair *pair;
  guint n_calls;
  guint n_destroyed;
} Notified;

static void
notified_cb (AlsScreenReceiver *receiver, gpointer user_data)
{
  Notified *notified = user_data;

  notified->n_calls++;
}

static void
destroyed_cb (gpointer user_data)
{
  ((Notified *) user_data)->n_destroyed++;
}

static void
test_notify (void)
{
  Pair pair;
  Notified notified = { &pair };
  AlsScreenReceiver *receiver;
  guint n_calls;

  pair_init (&pair, script_new (320, 240, 0x0000ff), NULL);
  als_screen_receiver_set_notify (pair.receiver, NULL, notified_cb, &notified, destroyed_cb);
  script_move (TRUE);
  receiver = g_steal_pointer (&pair.receiver);
  pair_wait (&pair, als_screen_receiver_get_n_frames (receiver) >= 5);
  /* Once until it is taken. */
  g_assert_cmpuint (notified.n_calls, ==, 1);
  pair.frame = als_screen_receiver_take_frame (receiver);
  g_assert_nonnull (pair.frame);
  pair_wait (&pair, notified.n_calls == 2);
  als_screen_receiver_set_notify (receiver, NULL, NULL, NULL, NULL);
  g_assert_cmpuint (notified.n_destroyed, ==, 1);
  pair.receiver = receiver;
  n_calls = notified.n_calls;
  pair_wait (&pair, als_screen_receiver_get_n_frames (receiver) >= 10);
  g_assert_cmpuint (notified.n_calls, ==, n_calls);
  pair_clear (&pair);
}

int
main (int argc, char **argv)
{
  const char *encoder;

  g_test_init (&argc, &argv, NULL);
  g_assert_true (als_media_init (NULL));
  for (guint i = 0; (encoder = als_media_get_encoder_name (i)) != NULL; i++)
    {
      g_autofree char *colours = g_strdup_printf ("/media/codecs/%s-colours-arrive", encoder);
      g_autofree char *loss = g_strdup_printf ("/media/codecs/%s-survives-two-percent-loss", encoder);
      g_autofree char *garbage = g_strdup_printf ("/media/codecs/%s-survives-garbage", encoder);

      g_test_add_data_func (colours, encoder, test_colours);
      g_test_add_data_func (loss, encoder, test_loss);
      g_test_add_data_func (garbage, encoder, test_garbage);
    }
  g_test_add_func ("/media/screen/long-loss-ends-with-a-key-frame", test_burst);
  g_test_add_func ("/media/screen/loss-of-the-last-packets-is-found", test_tail);
  g_test_add_func ("/media/screen/resolution-changes-on-the-fly", test_resolution);
  g_test_add_func ("/media/screen/packets-may-come-before-their-format", test_early_packets);
  g_test_add_func ("/media/screen/key-frame-on-request-but-not-in-floods", test_key_on_request);
  g_test_add_func ("/media/screen/nothing-is-captured-without-permission", test_permission);
  g_test_add_func ("/media/screen/refused-packets-go-later-and-hold-up-the-next-frame", test_refusal);
  g_test_add_func ("/media/screen/still-screen-sends-nothing", test_still);
  g_test_add_func ("/media/screen/nothing-is-captured-or-sent-after-stop", test_stop);
  g_test_add_func ("/media/screen/viewer-that-stops-ends-the-capture", test_viewer_stops);
  g_test_add_func ("/media/screen/end-of-session-ends-the-capture", test_session_ends);
  g_test_add_func ("/media/screen/failing-source-is-reported-once", test_failure);
  g_test_add_func ("/media/screen/encoder-suits-the-viewer", test_ability);
  g_test_add_func ("/media/screen/nonsense-on-the-channel-ends-the-viewing", test_nonsense_on_channel);
  g_test_add_func ("/media/screen/notifies-once-until-taken", test_notify);
  return g_test_run ();
}
