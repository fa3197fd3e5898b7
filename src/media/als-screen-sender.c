/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#define G_LOG_DOMAIN "als-media"

#include "config.h"

#include "media/als-screen-sender.h"

#include "base/als-deadline-source.h"
#include "media/als-media-rate.h"
#include "media/als-media-talk.h"
#include "media/als-rtp.h"
#include "media/als-screen-capture.h"
#include "media/als-video-encoder.h"
#include "protocol/als-media-message.h"

#define DEFAULT_FPS 30
#define MAX_FPS 120
/* The viewer says at once what it can decode; an unwilling one gets VP8, which all have. */
#define CAPS_PATIENCE_US (2 * G_USEC_PER_SEC)
/* When the link takes nothing it is asked again after this, and doubled up to the other. */
#define RETRY_FIRST_US (4 * 1000)
#define RETRY_MAX_US (32 * 1000)
/* Requests for key frames are heard about three times a second. */
#define KEY_INTERVAL_US (330 * 1000)
/* After motion the still picture is encoded again, so that it becomes sharp: after 0.2, 0.4 … 3.2 s.
 * The first picture of a visit is made before the link's rate is known, and needs them all. */
#define N_REFRESHES 5
#define REFRESH_AFTER_US (200 * 1000)
/* With nothing to follow, the viewer is told what the last packet was. */
#define MARK_AFTER_US (60 * 1000)
/* An encoder that yields nothing for a frame has dropped it. */
#define ENCODE_PATIENCE_US (500 * 1000)
/* Packets kept for repeats. */
#define RING 1024

typedef struct
{
  GBytes *bytes;        /* (nullable) */
  uint16_t seq;
  gboolean is_queued;
} Sent;

struct _AlsScreenSender
{
  GObject parent;

  AlsSession *session;         /* borrowed */
  AlsMediaTalk talk;
  GSource *timer;
  gboolean stopped;

  AlsScreenCapture *capture;
  gboolean changed;            /* the screen differs from `shot` */
  gboolean is_capturing;       /* a shot was asked for */
  AlsScreenShot *shot;         /* (nullable) the last one */
  int64_t frame_us;            /* when the last frame was asked for */
  int64_t fresh_us;            /* when the last real shot came */
  guint n_refreshes;           /* made of `shot` since then */

  guint32 viewer_codecs;       /* 0: not said yet */
  int64_t caps_deadline_us;
  guint bad_encoders;          /* set of 1 << number, which failed here */
  const char *encoder_name;    /* (nullable) */
  AlsVideoEncoder *encoder;    /* (nullable) */
  guint width, height;         /* what it was made for */
  guint32 generation;
  int64_t encode_deadline_us;  /* 0: no frame is being encoded */
  gboolean key_wanted;
  int64_t key_us;              /* when the last was asked of the encoder */
  AlsMediaRate rate;

  GQueue queue;                /* (element-type GBytes) packets that the link shall take */
  int64_t retry_us;            /* 0: the link took the last one */
  int64_t retry_after_us;
  Sent ring[RING];             /* by sequence number modulo its size */
  uint16_t next_seq;
  int64_t mark_us;             /* 0: the viewer knows */
  AlsScreenSenderStats stats;
};

G_DEFINE_FINAL_TYPE (AlsScreenSender, als_screen_sender, G_TYPE_OBJECT)

enum
{
  SIGNAL_FAILED,
  N_SIGNALS,
};

static guint signals[N_SIGNALS];

static void schedule (AlsScreenSender *self);

static void
fail (AlsScreenSender *self, const GError *error)
{
  g_autoptr (AlsScreenSender) alive = g_object_ref (self);

  (void) alive;
  g_message ("The screen is not shared any more: %s", error->message);
  als_screen_sender_stop (self);
  g_signal_emit (self, signals[SIGNAL_FAILED], 0, error);
}

/* --- packets ------------------------------------------------------------ */

static Sent *
ring_at (AlsScreenSender *self, uint16_t seq)
{
  return &self->ring[seq % RING];
}

static void
clear_queue (AlsScreenSender *self)
{
  g_queue_clear_full (&self->queue, (GDestroyNotify) g_bytes_unref);
  for (guint i = 0; i < RING; i++)
    self->ring[i].is_queued = FALSE;
}

static void
clear_ring (AlsScreenSender *self)
{
  for (guint i = 0; i < RING; i++)
    {
      g_clear_pointer (&self->ring[i].bytes, g_bytes_unref);
      self->ring[i].is_queued = FALSE;
    }
}

/* Gives the link what it takes. What it refuses is offered again: a frame that was encoded is
 * never thrown away, the next one is not captured instead. */
static void
flush_queue (AlsScreenSender *self, int64_t now_us)
{
  GBytes *bytes;

  while ((bytes = g_queue_peek_head (&self->queue)) != NULL)
    {
      AlsRtpPacket packet;
      size_t len;
      const uint8_t *data = g_bytes_get_data (bytes, &len);

      if (!als_session_send_datagram (self->session, ALS_DATAGRAM_VIDEO, data, len))
        {
          self->retry_us = now_us + self->retry_after_us;
          self->retry_after_us = MIN (2 * self->retry_after_us, RETRY_MAX_US);
          return;
        }
      if (als_rtp_packet_parse (&packet, data, len))
        {
          if ((int16_t) (packet.seq - self->next_seq) >= 0)
            {
              self->next_seq = packet.seq + 1;
              self->stats.n_packets++;
            }
          ring_at (self, packet.seq)->is_queued = FALSE;
        }
      g_bytes_unref (g_queue_pop_head (&self->queue));
      self->retry_after_us = RETRY_FIRST_US;
      self->mark_us = now_us + MARK_AFTER_US;
    }
  self->retry_us = 0;
}

static void
encoded_cb (GPtrArray *packets, gpointer user_data)
{
  AlsScreenSender *self = user_data;

  self->encode_deadline_us = 0;
  self->stats.n_encoded++;
  for (guint i = 0; i < packets->len; i++)
    {
      GBytes *bytes = g_ptr_array_index (packets, i);
      AlsRtpPacket packet;
      size_t len;
      const uint8_t *data = g_bytes_get_data (bytes, &len);
      Sent *sent;

      if (!als_rtp_packet_parse (&packet, data, len))
        continue;
      sent = ring_at (self, packet.seq);
      g_clear_pointer (&sent->bytes, g_bytes_unref);
      *sent = (Sent) { g_bytes_ref (bytes), packet.seq, TRUE };
      g_queue_push_tail (&self->queue, g_bytes_ref (bytes));
    }
  schedule (self);
}

static void
repeat_packets (AlsScreenSender *self, const AlsMediaMessage *nack)
{
  /* In front of what is new, the oldest first. */
  for (guint i = nack->n_missing; i-- > 0;)
    {
      Sent *sent = ring_at (self, nack->missing[i]);

      if (sent->bytes == NULL || sent->seq != nack->missing[i])
        self->key_wanted = TRUE;
      else if (!sent->is_queued)
        {
          sent->is_queued = TRUE;
          g_queue_push_head (&self->queue, g_bytes_ref (sent->bytes));
          self->stats.n_repeated++;
        }
    }
}

/* --- the encoder -------------------------------------------------------- */

static gboolean
is_usable (AlsScreenSender *self, guint number, const char *name)
{
  const char *forced = g_getenv ("ALONGSIDE_ENCODER");
  guint32 codecs = self->viewer_codecs != 0 ? self->viewer_codecs : 1u << ALS_VIDEO_CODEC_VP8;

  return (self->bad_encoders & 1u << number) == 0
         && (forced == NULL || *forced == '\0' || g_str_equal (forced, name))
         && (codecs & 1u << als_media_get_encoder_codec (name)) != 0
         && als_media_has_encoder (name);
}

/* NULL: none is left. */
static const char *
choose_encoder (AlsScreenSender *self)
{
  const char *name;

  for (guint i = 0; (name = als_media_get_encoder_name (i)) != NULL; i++)
    if (is_usable (self, i, name))
      return name;
  return NULL;
}

static void
drop_encoder (AlsScreenSender *self)
{
  g_clear_pointer (&self->encoder, als_video_encoder_free);
  self->encode_deadline_us = 0;
  clear_queue (self);
  clear_ring (self);
}

static void
mark_encoder_bad (AlsScreenSender *self)
{
  const char *name;

  for (guint i = 0; (name = als_media_get_encoder_name (i)) != NULL; i++)
    if (name == self->encoder_name)
      self->bad_encoders |= 1u << i;
  self->encoder_name = NULL;
  drop_encoder (self);
}

static void
encoder_failed_cb (const GError *error, gpointer user_data)
{
  AlsScreenSender *self = user_data;

  g_message ("%s failed: %s", self->encoder_name, error->message);
  mark_encoder_bad (self);
  /* The next one encodes what this one did not. */
  self->n_refreshes = 0;
  schedule (self);
}

static const AlsVideoEncoderEvents encoder_events = { encoded_cb, encoder_failed_cb };

/* An encoder for the last shot: a new one when there is none or the size has changed. */
static gboolean
ensure_encoder (AlsScreenSender *self, int64_t now_us, GError **error)
{
  while (self->encoder == NULL || self->width != self->shot->width
         || self->height != self->shot->height)
    {
      AlsMediaMessage format = { .type = ALS_MEDIA_FORMAT };
      AlsVideoEncoderConfig config;
      g_autoptr (GError) failure = NULL;

      drop_encoder (self);
      self->encoder_name = choose_encoder (self);
      if (self->encoder_name == NULL)
        {
          g_set_error_literal (error, ALS_MEDIA_ERROR, ALS_MEDIA_ERROR_NO_ENCODER,
                               "No encoder that works here makes what the viewer can decode");
          return FALSE;
        }
      self->width = self->shot->width;
      self->height = self->shot->height;
      self->generation++;
      self->next_seq = 0;
      config = (AlsVideoEncoderConfig) { self->encoder_name, (self->width + 1) / 2 * 2,
                                         (self->height + 1) / 2 * 2, self->rate.max_fps,
                                         self->rate.bitrate_kbps, self->generation };
      self->encoder = als_video_encoder_new (&config, &encoder_events, self, &failure);
      if (self->encoder == NULL)
        {
          g_message ("%s", failure->message);
          mark_encoder_bad (self);
          continue;
        }
      g_debug ("%s, %u×%u, %u kbit/s", self->encoder_name, self->width, self->height,
               self->rate.bitrate_kbps);
      format.generation = self->generation;
      format.codec = als_media_get_encoder_codec (self->encoder_name);
      format.width = (uint16_t) self->width;
      format.height = (uint16_t) self->height;
      als_media_talk_send (&self->talk, &format);
      /* It begins with one. */
      self->key_wanted = FALSE;
      self->key_us = now_us;
      self->stats.n_keys++;
    }
  return TRUE;
}

static void
encode (AlsScreenSender *self, int64_t now_us)
{
  g_autoptr (GError) error = NULL;

  if (!ensure_encoder (self, now_us, &error))
    {
      fail (self, error);
      return;
    }
  if (self->key_wanted && now_us >= self->key_us + KEY_INTERVAL_US)
    {
      als_video_encoder_force_key (self->encoder);
      self->key_wanted = FALSE;
      self->key_us = now_us;
      self->stats.n_keys++;
    }
  self->encode_deadline_us = now_us + ENCODE_PATIENCE_US;
  als_video_encoder_push (self->encoder, self->shot->buffer, now_us);
}

/* --- frames ------------------------------------------------------------- */

static void
changed_cb (gpointer user_data)
{
  AlsScreenSender *self = user_data;

  self->changed = TRUE;
  schedule (self);
}

static void
shot_cb (AlsScreenShot *shot, gpointer user_data)
{
  g_autoptr (AlsScreenSender) self = g_object_ref (user_data);
  int64_t now_us = g_get_monotonic_time ();

  self->is_capturing = FALSE;
  self->stats.n_captured++;
  self->fresh_us = now_us;
  self->n_refreshes = 0;
  g_clear_pointer (&self->shot, als_screen_shot_free);
  self->shot = shot;
  encode (self, now_us);
  schedule (self);
}

static void
capture_failed_cb (const GError *error, gpointer user_data)
{
  fail (user_data, error);
}

static const AlsScreenCaptureEvents capture_events = { changed_cb, shot_cb, capture_failed_cb };

static void
update_rate (AlsScreenSender *self, int64_t now_us)
{
  AlsSessionStats stats = { 0 };

  if (now_us < self->rate.checked_us + ALS_MEDIA_RATE_CHECK_US)
    return;
  als_session_get_stats (self->session, &stats);
  if (als_media_rate_update (&self->rate, stats.rate, stats.queue_delay_us, now_us)
      && self->encoder != NULL)
    als_video_encoder_set_bitrate (self->encoder, self->rate.bitrate_kbps);
}

/* When the next frame is wanted, were the link to take it; INT64_MAX: not before something
 * happens. */
static int64_t
next_frame_us (AlsScreenSender *self)
{
  int64_t soonest_us = self->frame_us + G_USEC_PER_SEC / self->rate.fps;

  if (self->changed)
    return soonest_us;
  if (self->shot == NULL)
    return INT64_MAX;
  if (self->key_wanted)
    return MAX (soonest_us, self->key_us + KEY_INTERVAL_US);
  if (self->n_refreshes < N_REFRESHES)
    return MAX (soonest_us, self->fresh_us + ((int64_t) REFRESH_AFTER_US << self->n_refreshes));
  return INT64_MAX;
}

static void
make_frame (AlsScreenSender *self, int64_t now_us)
{
  update_rate (self, now_us);
  self->frame_us = now_us;
  if (self->changed)
    {
      self->changed = FALSE;
      self->is_capturing = TRUE;
      als_screen_capture_request (self->capture);
      return;
    }
  if (!self->key_wanted)
    self->n_refreshes++;
  encode (self, now_us);
}

static gboolean
is_ready (AlsScreenSender *self, int64_t now_us)
{
  return self->viewer_codecs != 0 || now_us >= self->caps_deadline_us;
}

/* Does what is due and says when to come back. */
static int64_t
work (AlsScreenSender *self, int64_t now_us)
{
  int64_t deadline_us = INT64_MAX, frame_us;

  if (!is_ready (self, now_us))
    return self->caps_deadline_us;
  flush_queue (self, now_us);
  if (self->encode_deadline_us != 0 && now_us >= self->encode_deadline_us)
    self->encode_deadline_us
        = als_video_encoder_is_busy (self->encoder) ? now_us + ENCODE_PATIENCE_US : 0;
  if (self->mark_us != 0 && now_us >= self->mark_us && self->queue.length == 0)
    {
      AlsMediaMessage mark = { .type = ALS_MEDIA_MARK,
                               .generation = self->generation,
                               .next_seq = self->next_seq };

      self->mark_us = 0;
      als_media_talk_send (&self->talk, &mark);
    }
  if (self->retry_us != 0)
    return self->retry_us;
  if (self->mark_us != 0)
    deadline_us = self->mark_us;
  if (self->encode_deadline_us != 0)
    return MIN (deadline_us, self->encode_deadline_us);
  if (self->is_capturing)
    return deadline_us;

  frame_us = next_frame_us (self);
  if (now_us < frame_us)
    return MIN (deadline_us, frame_us);
  if (!als_session_may_send_frame (self->session))
    {
      int64_t retry_us = now_us + self->retry_after_us;

      self->retry_after_us = MIN (2 * self->retry_after_us, RETRY_MAX_US);
      return MIN (deadline_us, retry_us);
    }
  self->retry_after_us = RETRY_FIRST_US;
  make_frame (self, now_us);
  return MIN (deadline_us, self->encode_deadline_us != 0 ? self->encode_deadline_us : INT64_MAX);
}

static void
schedule (AlsScreenSender *self)
{
  g_autoptr (AlsScreenSender) alive = g_object_ref (self);
  int64_t deadline_us;

  (void) alive;
  if (self->stopped)
    return;
  deadline_us = work (self, g_get_monotonic_time ());
  if (!self->stopped)
    als_deadline_source_set (self->timer, deadline_us);
}

static gboolean
timer_cb (gpointer user_data)
{
  schedule (user_data);
  return G_SOURCE_CONTINUE;
}

/* --- the channel -------------------------------------------------------- */

static void
handle_message (AlsScreenSender *self, const AlsMediaMessage *message)
{
  switch (message->type)
    {
    case ALS_MEDIA_CAPS:
      self->viewer_codecs |= message->codecs;
      break;
    case ALS_MEDIA_KEYFRAME:
      if (message->generation == self->generation)
        self->key_wanted = TRUE;
      break;
    case ALS_MEDIA_NACK:
      if (message->generation == self->generation)
        repeat_packets (self, message);
      break;
    case ALS_MEDIA_STOP:
      g_debug ("the viewer has stopped looking");
      als_screen_sender_stop (self);
      break;
    default:
      break;
    }
}

static void
received_cb (AlsChannel *channel, const uint8_t *data, size_t len, gpointer user_data)
{
  g_autoptr (AlsScreenSender) self = g_object_ref (user_data);
  g_autoptr (GError) error = NULL;
  AlsMediaMessage message;
  size_t all = len;

  while (!self->stopped && als_media_stream_next (&self->talk.stream, &data, &len, &message, &error))
    handle_message (self, &message);
  als_channel_consume (channel, all);
  if (error != NULL)
    {
      g_autoptr (GError) own = g_error_new (ALS_MEDIA_ERROR, ALS_MEDIA_ERROR_CODEC,
                                            "The viewer spoke nonsense: %s", error->message);

      fail (self, own);
      return;
    }
  schedule (self);
}

static void
writable_cb (AlsChannel *channel, gpointer user_data)
{
  AlsScreenSender *self = user_data;

  als_media_talk_flush (&self->talk);
}

static void
finished_cb (AlsChannel *channel, gpointer user_data)
{
  als_screen_sender_stop (user_data);
}

static void
closed_cb (AlsChannel *channel, guint32 code, gpointer user_data)
{
  AlsScreenSender *self = user_data;

  self->talk.channel = NULL;
  als_screen_sender_stop (self);
}

static const AlsChannelEvents channel_events = { received_cb, writable_cb, finished_cb, closed_cb };

/* --- life --------------------------------------------------------------- */

AlsScreenSender *
als_screen_sender_new_with_source (AlsSession *session, AlsScreenSource *source, guint max_fps,
                                   GError **error)
{
  g_autoptr (AlsScreenSource) owned = source;
  g_autoptr (AlsScreenSender) self = NULL;

  if (!als_media_init (error))
    return NULL;
  self = g_object_new (ALS_TYPE_SCREEN_SENDER, NULL);
  self->session = session;
  als_media_rate_init (&self->rate, max_fps == 0 ? DEFAULT_FPS : MIN (max_fps, MAX_FPS));
  self->caps_deadline_us = g_get_monotonic_time () + CAPS_PATIENCE_US;
  if (choose_encoder (self) == NULL)
    {
      self->viewer_codecs = G_MAXUINT32;
      if (choose_encoder (self) == NULL)
        {
          g_set_error_literal (error, ALS_MEDIA_ERROR, ALS_MEDIA_ERROR_NO_ENCODER,
                               "No video encoder is installed");
          return NULL;
        }
      self->viewer_codecs = 0;
    }
  self->capture = als_screen_capture_new (g_steal_pointer (&owned), &capture_events, self, error);
  if (self->capture == NULL)
    return NULL;
  self->talk.channel = als_session_open_channel (session, ALS_CHANNEL_MEDIA, ALS_LANE_CONTROL);
  if (self->talk.channel == NULL)
    {
      g_set_error_literal (error, ALS_MEDIA_ERROR, ALS_MEDIA_ERROR_CAPTURE,
                           "The session is over");
      return NULL;
    }
  als_channel_set_events (self->talk.channel, &channel_events, self);
  self->timer = als_deadline_source_new (g_main_context_get_thread_default (), "screen sender",
                                         timer_cb, self);
  als_deadline_source_set (self->timer, 0);
  self->stopped = FALSE;
  return g_steal_pointer (&self);
}

AlsScreenSender *
als_screen_sender_new (AlsSession *session, AlsScreenKind kind, const char *display, guint max_fps,
                       GError **error)
{
  AlsScreenSource *source = als_screen_source_new (kind, display, error);

  return source != NULL ? als_screen_sender_new_with_source (session, source, max_fps, error)
                        : NULL;
}

void
als_screen_sender_path_changed (AlsScreenSender *self)
{
  if (self->stopped)
    return;
  /* What was on its way may be lost, and what waits is older than the key frame to come. */
  clear_queue (self);
  self->retry_us = 0;
  self->retry_after_us = RETRY_FIRST_US;
  self->key_wanted = TRUE;
  schedule (self);
}

void
als_screen_sender_stop (AlsScreenSender *self)
{
  if (self->stopped)
    return;
  self->stopped = TRUE;
  g_clear_pointer (&self->capture, als_screen_capture_free);
  drop_encoder (self);
  g_clear_pointer (&self->shot, als_screen_shot_free);
  if (self->timer != NULL)
    g_source_destroy (self->timer);
  als_media_talk_end (&self->talk);
}

const char *
als_screen_sender_get_encoder (AlsScreenSender *self)
{
  return self->encoder_name;
}

void
als_screen_sender_get_stats (AlsScreenSender *self, AlsScreenSenderStats *stats)
{
  *stats = self->stats;
  stats->bitrate_kbps = self->rate.bitrate_kbps;
  stats->fps = self->rate.fps;
}

static void
als_screen_sender_finalize (GObject *object)
{
  AlsScreenSender *self = ALS_SCREEN_SENDER (object);

  als_screen_sender_stop (self);
  g_clear_pointer (&self->timer, g_source_unref);
  als_media_talk_clear (&self->talk);
  G_OBJECT_CLASS (als_screen_sender_parent_class)->finalize (object);
}

static void
als_screen_sender_class_init (AlsScreenSenderClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = als_screen_sender_finalize;
  signals[SIGNAL_FAILED]
      = g_signal_new ("failed", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                      G_TYPE_NONE, 1, G_TYPE_ERROR | G_SIGNAL_TYPE_STATIC_SCOPE);
}

static void
als_screen_sender_init (AlsScreenSender *self)
{
  self->retry_after_us = RETRY_FIRST_US;
  g_queue_init (&self->queue);
}
