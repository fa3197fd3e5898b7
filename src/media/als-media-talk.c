/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

#define G_LOG_DOMAIN "als-media"

#include "config.h"

#include "media/als-media-talk.h"

#define MANY_MESSAGES 4

static void
ignore_received_cb (AlsChannel *channel, const uint8_t *data, size_t len, gpointer user_data)
{
  als_channel_consume (channel, len);
}

static void
ignore_cb (AlsChannel *channel, gpointer user_data)
{
}

static void
ignore_closed_cb (AlsChannel *channel, guint32 code, gpointer user_data)
{
}

/* For a channel that outlives us. */
static const AlsChannelEvents no_events
    = { ignore_received_cb, ignore_cb, ignore_cb, ignore_closed_cb };

void
als_media_talk_flush (AlsMediaTalk *self)
{
  size_t taken;

  if (self->channel == NULL || self->unsent == NULL || self->unsent->len == 0)
    return;
  taken = als_channel_write (self->channel, self->unsent->data, self->unsent->len);
  g_byte_array_remove_range (self->unsent, 0, (guint) taken);
}

void
als_media_talk_send (AlsMediaTalk *self, const AlsMediaMessage *message)
{
  g_autoptr (GBytes) bytes = als_media_message_encode (message);

  if (bytes == NULL || self->channel == NULL)
    return;
  if (self->unsent == NULL)
    self->unsent = g_byte_array_new ();
  g_byte_array_append (self->unsent, g_bytes_get_data (bytes, NULL),
                       (guint) g_bytes_get_size (bytes));
  als_media_talk_flush (self);
}

gboolean
als_media_talk_is_full (const AlsMediaTalk *self)
{
  return self->unsent != NULL && self->unsent->len > MANY_MESSAGES * ALS_MEDIA_MAX_MESSAGE;
}

void
als_media_talk_end (AlsMediaTalk *self)
{
  AlsMediaMessage stop = { .type = ALS_MEDIA_STOP };

  if (self->channel == NULL)
    return;
  als_media_talk_send (self, &stop);
  als_channel_set_events (self->channel, &no_events, NULL);
  als_channel_finish (self->channel);
  self->channel = NULL;
}

void
als_media_talk_clear (AlsMediaTalk *self)
{
  g_clear_pointer (&self->unsent, g_byte_array_unref);
}
