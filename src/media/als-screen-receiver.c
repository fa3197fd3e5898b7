/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#define G_LOG_DOMAIN "als-media"

#include "config.h"

#include "media/als-screen-receiver.h"

#include "base/als-deadline-source.h"
#include "base/als-mailbox.h"
#include "media/als-media-talk.h"
#include "media/als-rtp-reorder.h"
#include "media/als-video-decoder.h"

#include <string.h>

/* Packets of a generation whose FORMAT is still on its way. */
#define MAX_EARLY 512
/* A FORMAT makes a pipeline; no faster than this. */
#define MIN_FORMAT_INTERVAL_US (100 * 1000)
/* A decoder this far behind is told to begin anew at a key frame. */
#define MAX_BACKLOG_BYTES (2 * 1024 * 1024)
/* Frames pushed and none shown for so long: the decoder is stuck. */
#define STALL_FRAMES 3
#define STALL_US (500 * 1000)
/* Decoders made for one format, at most; doubled pauses between them. */
#define MAX_RESTARTS 8
#define FIRST_RESTART_US (50 * 1000)

struct _AlsScreenReceiver
{
  GObject parent;

  AlsMediaTalk talk;
  GSource *timer;
  AlsMailbox *mailbox;         /* the decoder's failures: GError */
  gboolean stopped;

  AlsMediaMessage format;      /* generation 0: none yet */
  AlsMediaMessage next_format; /* type 0: none waits */
  int64_t format_us;           /* when `format` was taken */
  AlsRtpReorder *reorder;
  GPtrArray *early;            /* (element-type GBytes) of generations to come */
  AlsPixelPool *pool;
  AlsVideoDecoder *decoder;    /* (nullable) */
  guint n_restarts;
  int64_t restart_us;          /* 0: no restart wanted */
  guint n_pushed;              /* frames since one was last decoded */
  guint n_decoded_seen;
  int64_t progress_us;         /* when the first of them was pushed */

  GMutex lock;                 /* guards what follows: any thread */
  AlsScreenFrame *frame;       /* (nullable) newest, not taken yet */
  guint n_frames;
  GSource *notify;             /* (nullable) */
};

G_DEFINE_FINAL_TYPE (AlsScreenReceiver, als_screen_receiver, G_TYPE_OBJECT)

static void schedule (AlsScreenReceiver *self);

static void
send_message (AlsScreenReceiver *self, const AlsMediaMessage *message)
{
  /* A channel that takes nothing is repaired by a key frame later, not by a pile of requests. */
  if (!als_media_talk_is_full (&self->talk))
    als_media_talk_send (&self->talk, message);
}

static int64_t
get_rtt_us (AlsScreenReceiver *self)
{
  AlsSessionStats stats = { 0 };

  if (self->talk.channel != NULL)
    als_session_get_stats (als_channel_get_session (self->talk.channel), &stats);
  return CLAMP (stats.rtt_us, 0, G_USEC_PER_SEC);
}

/* Decoder's thread. */
static void
decoded_cb (AlsScreenFrame *frame, gpointer user_data)
{
  AlsScreenReceiver *self = user_data;
  AlsScreenFrame *old;

  g_mutex_lock (&self->lock);
  old = self->frame;
  self->frame = frame;
  self->n_frames++;
  if (old == NULL && self->notify != NULL)
    g_source_set_ready_time (self->notify, 0);
  g_mutex_unlock (&self->lock);
  g_clear_pointer (&old, als_screen_frame_unref);
}

/* Decoder's thread. */
static void
failed_cb (const GError *error, gpointer user_data)
{
  AlsScreenReceiver *self = user_data;

  als_mailbox_post (self->mailbox, g_error_copy (error));
}

static const AlsVideoDecoderEvents decoder_events = { decoded_cb, failed_cb };

static void
drop_decoder (AlsScreenReceiver *self)
{
  g_clear_pointer (&self->decoder, als_video_decoder_free);
  self->n_pushed = 0;
}

static void
make_decoder (AlsScreenReceiver *self)
{
  AlsVideoDecoderConfig config
      = { self->format.codec, self->format.width, self->format.height, self->pool };
  g_autoptr (GError) error = NULL;

  drop_decoder (self);
  self->restart_us = 0;
  self->decoder = als_video_decoder_new (&config, &decoder_events, self, &error);
  if (self->decoder == NULL)
    g_message ("The picture cannot be decoded: %s", error->message);
}

/* The decoder is of no use any more: another one soon, at a key frame. */
static void
restart_decoder (AlsScreenReceiver *self, int64_t now_us)
{
  drop_decoder (self);
  if (self->restart_us != 0)
    return;
  if (self->n_restarts == MAX_RESTARTS)
    {
      g_message ("The picture cannot be decoded: given up");
      self->restart_us = INT64_MAX;
      return;
    }
  self->restart_us = now_us + (FIRST_RESTART_US << self->n_restarts++);
}

static void
failures_cb (GPtrArray *items, gpointer user_data)
{
  AlsScreenReceiver *self = user_data;

  g_ptr_array_set_free_func (items, (GDestroyNotify) g_error_free);
  g_debug ("decoder: %s", ((GError *) g_ptr_array_index (items, 0))->message);
  restart_decoder (self, g_get_monotonic_time ());
  schedule (self);
}

/* Frames go in and none comes out: after a moment that is a fault, whatever the decoder says. */
static void
watch_progress (AlsScreenReceiver *self, int64_t now_us)
{
  guint n_decoded = als_screen_receiver_get_n_frames (self);

  if (n_decoded != self->n_decoded_seen || self->n_pushed == 0)
    {
      self->n_restarts = n_decoded != self->n_decoded_seen ? 0 : self->n_restarts;
      self->n_decoded_seen = n_decoded;
      self->n_pushed = 0;
    }
  else if (self->n_pushed >= STALL_FRAMES && now_us - self->progress_us >= STALL_US)
    {
      als_rtp_reorder_need_key (self->reorder, now_us);
      restart_decoder (self, now_us);
    }
}

static void
feed_decoder (AlsScreenReceiver *self, int64_t rtt_us, int64_t now_us)
{
  GBytes *bytes;

  if (self->decoder != NULL && als_video_decoder_get_backlog (self->decoder) > MAX_BACKLOG_BYTES)
    als_rtp_reorder_need_key (self->reorder, now_us);
  while ((bytes = als_rtp_reorder_pop (self->reorder, rtt_us, now_us)) != NULL)
    {
      AlsRtpPacket packet;
      size_t len;
      const uint8_t *data = g_bytes_get_data (bytes, &len);

      if (self->decoder == NULL)
        {
          /* Between two decoders: the next one begins with a key frame. */
          als_rtp_reorder_need_key (self->reorder, now_us);
          g_bytes_unref (bytes);
          continue;
        }
      if (als_rtp_packet_parse (&packet, data, len) && packet.is_last && self->n_pushed++ == 0)
        self->progress_us = now_us;
      als_video_decoder_push (self->decoder, bytes);
    }
}

static void
take_packet (AlsScreenReceiver *self, const AlsRtpPacket *packet, GBytes *bytes, int64_t now_us)
{
  if (packet->ssrc == self->format.generation)
    {
      if (self->reorder != NULL
          && !als_rtp_packet_has_wrong_size (packet, self->format.codec,
                                             (self->format.width + 1u) / 2 * 2,
                                             (self->format.height + 1u) / 2 * 2))
        als_rtp_reorder_push (self->reorder, packet, bytes, now_us);
    }
  else if ((int32_t) (packet->ssrc - self->format.generation) > 0 && self->early->len < MAX_EARLY)
    g_ptr_array_add (self->early, g_bytes_ref (bytes));
}

static void
take_early (AlsScreenReceiver *self, int64_t now_us)
{
  g_autoptr (GPtrArray) early = g_steal_pointer (&self->early);

  self->early = g_ptr_array_new_with_free_func ((GDestroyNotify) g_bytes_unref);
  for (guint i = 0; i < early->len; i++)
    {
      GBytes *bytes = g_ptr_array_index (early, i);
      AlsRtpPacket packet;
      size_t len;
      const uint8_t *data = g_bytes_get_data (bytes, &len);

      if (als_rtp_packet_parse (&packet, data, len))
        take_packet (self, &packet, bytes, now_us);
    }
}

static void
take_format (AlsScreenReceiver *self, int64_t now_us)
{
  self->format = self->next_format;
  self->next_format.type = 0;
  self->format_us = now_us;
  g_clear_pointer (&self->reorder, als_rtp_reorder_free);
  self->reorder = als_rtp_reorder_new (self->format.codec, now_us);
  self->n_restarts = 0;
  g_debug ("receiving codec %d, %u×%u", (int) self->format.codec, self->format.width,
           self->format.height);
  make_decoder (self);
  take_early (self, now_us);
}

/* Does what is due and says when to come back. */
static int64_t
work (AlsScreenReceiver *self, int64_t now_us)
{
  AlsMediaMessage nack = { .type = ALS_MEDIA_NACK };
  AlsMediaMessage key = { .type = ALS_MEDIA_KEYFRAME };
  int64_t deadline_us = INT64_MAX, rtt_us = get_rtt_us (self);

  if (self->next_format.type != 0)
    {
      if (self->reorder != NULL && now_us < self->format_us + MIN_FORMAT_INTERVAL_US)
        deadline_us = self->format_us + MIN_FORMAT_INTERVAL_US;
      else
        take_format (self, now_us);
    }
  if (self->reorder == NULL)
    return deadline_us;
  if (self->restart_us != 0 && now_us >= self->restart_us)
    {
      make_decoder (self);
      als_rtp_reorder_need_key (self->reorder, now_us);
    }
  feed_decoder (self, rtt_us, now_us);
  watch_progress (self, now_us);
  nack.generation = key.generation = self->format.generation;
  nack.n_missing = (uint16_t) als_rtp_reorder_get_missing (self->reorder, rtt_us, now_us,
                                                           nack.missing);
  if (nack.n_missing > 0)
    send_message (self, &nack);
  if (self->restart_us == 0 && self->decoder != NULL)
    {
      if (als_rtp_reorder_wants_key (self->reorder, now_us))
        send_message (self, &key);
      deadline_us = MIN (deadline_us, als_rtp_reorder_get_deadline (self->reorder, rtt_us));
    }
  if (self->restart_us != 0)
    deadline_us = MIN (deadline_us, self->restart_us);
  if (self->n_pushed >= STALL_FRAMES)
    deadline_us = MIN (deadline_us, self->progress_us + STALL_US);
  return deadline_us;
}

static void
schedule (AlsScreenReceiver *self)
{
  if (!self->stopped)
    als_deadline_source_set (self->timer, work (self, g_get_monotonic_time ()));
}

static gboolean
timer_cb (gpointer user_data)
{
  schedule (user_data);
  return G_SOURCE_CONTINUE;
}

static void
handle_message (AlsScreenReceiver *self, const AlsMediaMessage *message)
{
  switch (message->type)
    {
    case ALS_MEDIA_FORMAT:
      if ((int32_t) (message->generation - self->format.generation) > 0)
        self->next_format = *message;
      break;
    case ALS_MEDIA_MARK:
      if (self->reorder != NULL && message->generation == self->format.generation)
        als_rtp_reorder_mark (self->reorder, message->next_seq, g_get_monotonic_time ());
      break;
    default:
      break;
    }
}

static void
received_cb (AlsChannel *channel, const uint8_t *data, size_t len, gpointer user_data)
{
  AlsScreenReceiver *self = user_data;
  g_autoptr (GError) error = NULL;
  AlsMediaMessage message;
  size_t all = len;

  while (als_media_stream_next (&self->talk.stream, &data, &len, &message, &error))
    handle_message (self, &message);
  als_channel_consume (channel, all);
  if (error != NULL)
    {
      g_message ("The peer spoke nonsense about the picture: %s", error->message);
      als_screen_receiver_stop (self);
      return;
    }
  schedule (self);
}

static void
writable_cb (AlsChannel *channel, gpointer user_data)
{
  AlsScreenReceiver *self = user_data;

  als_media_talk_flush (&self->talk);
}

static void
finished_cb (AlsChannel *channel, gpointer user_data)
{
  /* No more FORMATs; the last picture stays until the owner lets go of it. */
}

static void
closed_cb (AlsChannel *channel, guint32 code, gpointer user_data)
{
  AlsScreenReceiver *self = user_data;

  self->talk.channel = NULL;
}

static const AlsChannelEvents channel_events = { received_cb, writable_cb, finished_cb, closed_cb };

AlsScreenReceiver *
als_screen_receiver_new (AlsChannel *channel)
{
  AlsScreenReceiver *self = g_object_new (ALS_TYPE_SCREEN_RECEIVER, NULL);
  AlsMediaMessage caps = { .type = ALS_MEDIA_CAPS, .codecs = als_media_get_decodable () };
  GMainContext *context = g_main_context_get_thread_default ();

  self->timer = als_deadline_source_new (context, "screen receiver", timer_cb, self);
  self->mailbox = als_mailbox_new (context, "video decoder", failures_cb, self,
                                   (GDestroyNotify) g_error_free);
  self->talk.channel = channel;
  als_channel_set_events (channel, &channel_events, self);
  send_message (self, &caps);
  return self;
}

void
als_screen_receiver_datagram (AlsScreenReceiver *self, const uint8_t *data, size_t len)
{
  g_autoptr (GBytes) bytes = NULL;
  AlsRtpPacket packet;

  if (self->stopped || len > ALS_DATAGRAM_MAX || !als_rtp_packet_parse (&packet, data, len))
    return;
  bytes = g_bytes_new (data, len);
  take_packet (self, &packet, bytes, g_get_monotonic_time ());
  schedule (self);
}

typedef struct
{
  GWeakRef receiver;
  AlsScreenReceiverFunc func;
  gpointer user_data;
  GDestroyNotify destroy;
} Notify;

static void
notify_free (gpointer data)
{
  Notify *notify = data;

  if (notify->destroy != NULL)
    notify->destroy (notify->user_data);
  g_weak_ref_clear (&notify->receiver);
  g_free (notify);
}

static gboolean
notify_cb (gpointer user_data)
{
  Notify *notify = user_data;
  g_autoptr (AlsScreenReceiver) self = g_weak_ref_get (&notify->receiver);

  if (self != NULL)
    notify->func (self, notify->user_data);
  return G_SOURCE_CONTINUE;
}

static gboolean
notify_dispatch (GSource *source, GSourceFunc callback, gpointer user_data)
{
  g_source_set_ready_time (source, -1);
  return callback (user_data);
}

static GSourceFuncs notify_funcs = { NULL, NULL, notify_dispatch, NULL, NULL, NULL };

void
als_screen_receiver_set_notify (AlsScreenReceiver *self, GMainContext *context,
                                AlsScreenReceiverFunc func, gpointer user_data,
                                GDestroyNotify destroy)
{
  GSource *source = NULL, *old;

  if (func != NULL)
    {
      Notify *notify = g_new0 (Notify, 1);

      g_weak_ref_init (&notify->receiver, self);
      notify->func = func;
      notify->user_data = user_data;
      notify->destroy = destroy;
      source = g_source_new (&notify_funcs, sizeof (GSource));
      g_source_set_static_name (source, "screen frame");
      g_source_set_callback (source, notify_cb, notify, notify_free);
    }
  g_mutex_lock (&self->lock);
  old = self->notify;
  self->notify = source;
  if (source != NULL)
    {
      g_source_set_ready_time (source, self->frame != NULL ? 0 : -1);
      g_source_attach (source, context);
    }
  g_mutex_unlock (&self->lock);
  if (old != NULL)
    {
      g_source_destroy (old);
      g_source_unref (old);
    }
}

AlsScreenFrame *
als_screen_receiver_take_frame (AlsScreenReceiver *self)
{
  AlsScreenFrame *frame;

  g_mutex_lock (&self->lock);
  frame = g_steal_pointer (&self->frame);
  g_mutex_unlock (&self->lock);
  return frame;
}

guint
als_screen_receiver_get_n_frames (AlsScreenReceiver *self)
{
  guint n_frames;

  g_mutex_lock (&self->lock);
  n_frames = self->n_frames;
  g_mutex_unlock (&self->lock);
  return n_frames;
}

void
als_screen_receiver_stop (AlsScreenReceiver *self)
{
  if (self->stopped)
    return;
  als_media_talk_end (&self->talk);
  self->stopped = TRUE;
  als_mailbox_close (self->mailbox);
  drop_decoder (self);
  g_clear_pointer (&self->reorder, als_rtp_reorder_free);
  g_ptr_array_set_size (self->early, 0);
  g_source_destroy (self->timer);
}

static void
als_screen_receiver_finalize (GObject *object)
{
  AlsScreenReceiver *self = ALS_SCREEN_RECEIVER (object);

  als_screen_receiver_stop (self);
  als_screen_receiver_set_notify (self, NULL, NULL, NULL, NULL);
  g_clear_pointer (&self->frame, als_screen_frame_unref);
  g_clear_pointer (&self->timer, g_source_unref);
  g_clear_pointer (&self->mailbox, als_mailbox_unref);
  g_ptr_array_unref (self->early);
  als_media_talk_clear (&self->talk);
  als_pixel_pool_unref (self->pool);
  g_mutex_clear (&self->lock);
  G_OBJECT_CLASS (als_screen_receiver_parent_class)->finalize (object);
}

static void
als_screen_receiver_class_init (AlsScreenReceiverClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = als_screen_receiver_finalize;
}

static void
als_screen_receiver_init (AlsScreenReceiver *self)
{
  self->early = g_ptr_array_new_with_free_func ((GDestroyNotify) g_bytes_unref);
  self->pool = als_pixel_pool_new ();
  g_mutex_init (&self->lock);
}
