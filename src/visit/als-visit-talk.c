/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* The visit channel: who is there, and what is allowed. */

#define G_LOG_DOMAIN "als-visit"

#include "config.h"

#include "visit/als-visit-core-private.h"

#include "base/als-deadline-source.h"
#include "protocol/als-visit-message.h"

#define ANSWER_LIMIT_S (3 * 60)
#define MAX_NAME_CHARS 60
/* How often the inviter looks whether its answer has been read: a path's round trip, mostly. */
#define ANSWER_READ_MS 10

static void
send_visit_message (AlsVisitCore *self, const AlsVisitMessage *message)
{
  g_autoptr (GBytes) bytes = als_visit_message_encode (message);
  size_t len;
  const void *data = g_bytes_get_data (bytes, &len);

  /* Few and small: the channel's queue takes them whole. */
  if (self->channel != NULL && als_channel_write (self->channel, data, len) != len)
    g_warning ("a visit message did not fit");
}

gboolean
als_core_talk_peer (AlsVisitCore *self, GBytes *bytes)
{
  AlsVisitMessage message = { .type = ALS_VISIT_MESSAGE_PEER };
  g_autoptr (GBytes) whole = NULL;

  if (self->channel == NULL || self->stats.kind == ALS_PATH_NONE)
    return FALSE;
  message.peer = g_bytes_get_data (bytes, &message.peer_len);
  whole = als_visit_message_encode (&message);
  if (whole == NULL || als_channel_get_room (self->channel) < g_bytes_get_size (whole))
    return FALSE;
  als_channel_write (self->channel, g_bytes_get_data (whole, NULL), g_bytes_get_size (whole));
  return TRUE;
}

static void
send_hello (AlsVisitCore *self)
{
  AlsVisitMessage hello = { .type = ALS_VISIT_MESSAGE_HELLO,
                            .version = ALS_VISIT_PROTOCOL_VERSION,
                            .name = self->name };

  send_visit_message (self, &hello);
}

void
als_core_peer_broke_rules (AlsVisitCore *self)
{
  als_core_finish (self, ALS_VISIT_ERROR_PEER_PROTOCOL, "the other side spoke nonsense");
}

guint
als_core_get_answer_limit_s (AlsVisitCore *self)
{
  return ANSWER_LIMIT_S + (self->is_inviter ? 5 : 0);
}

/* What a stranger calls themselves, fit to be shown in a line of text: nothing that is invisible,
 * turns the direction of what stands beside it, or starts a line. Control characters are refused
 * before. */
static char *
clean_name (const char *name)
{
  GString *clean = g_string_new (NULL);
  guint n = 0;

  for (const char *p = name; *p != '\0' && n < MAX_NAME_CHARS; p = g_utf8_next_char (p))
    {
      gunichar c = g_utf8_get_char (p);
      GUnicodeType type = g_unichar_type (c);

      if (type == G_UNICODE_FORMAT || type == G_UNICODE_LINE_SEPARATOR
          || type == G_UNICODE_PARAGRAPH_SEPARATOR || type == G_UNICODE_CONTROL)
        continue;
      g_string_append_unichar (clean, g_unichar_isspace (c) ? ' ' : c);
      n++;
    }
  return g_strstrip (g_string_free (clean, FALSE));
}

static void
handle_hello (AlsVisitCore *self, const AlsVisitMessage *message)
{
  if (self->peer_name != NULL)
    {
      als_core_peer_broke_rules (self);
      return;
    }
  if (message->version != ALS_VISIT_PROTOCOL_VERSION)
    {
      als_core_finish (self, ALS_VISIT_ERROR_PEER_VERSION, "the other side speaks version %u",
                       message->version);
      return;
    }
  self->peer_name = clean_name (message->name);
  als_core_set_state (self, ALS_VISIT_ASKING, als_core_get_answer_limit_s (self));
}

static void
become_active (AlsVisitCore *self, AlsVisitPermission permission)
{
  self->permission = permission;
  als_session_get_stats (self->session, &self->stats);
  als_core_set_state (self,
                      self->stats.kind == ALS_PATH_NONE ? ALS_VISIT_RECONNECTING : ALS_VISIT_ACTIVE,
                      self->stats.kind == ALS_PATH_NONE ? ALS_NO_PATH_LIMIT_S : 0);
}

static void
handle_consent (AlsVisitCore *self, const AlsVisitMessage *message)
{
  if (self->is_inviter || self->state != ALS_VISIT_ASKING)
    als_core_peer_broke_rules (self);
  else if (message->permission == ALS_VISIT_NOTHING)
    als_core_finish (self, ALS_VISIT_ERROR_DECLINED, "declined");
  else
    become_active (self, message->permission);
}

static void
visit_received_cb (AlsChannel *channel, const uint8_t *data, size_t len, gpointer user_data)
{
  AlsVisitCore *self = user_data;

  als_channel_consume (channel, len);
  g_byte_array_append (self->inbox, data, (guint) len);
  while (self->inbox->len >= 2 && self->linger == NULL)
    {
      guint message_len = (guint) self->inbox->data[0] << 8 | self->inbox->data[1];
      g_auto (AlsVisitMessage) message = { 0 };
      g_autoptr (GError) error = NULL;

      if (message_len <= ALS_VISIT_MAX_MESSAGE && self->inbox->len < 2 + message_len)
        return;
      if (message_len > ALS_VISIT_MAX_MESSAGE
          || !als_visit_message_decode (&message, self->inbox->data + 2, message_len, &error))
        {
          als_core_peer_broke_rules (self);
          return;
        }
      g_byte_array_remove_range (self->inbox, 0, 2 + message_len);
      switch (message.type)
        {
        case ALS_VISIT_MESSAGE_HELLO:
          handle_hello (self, &message);
          break;
        case ALS_VISIT_MESSAGE_CONSENT:
          handle_consent (self, &message);
          break;
        case ALS_VISIT_MESSAGE_PEER:
          als_core_peer_message (self, message.peer, message.peer_len);
          break;
        }
    }
}

static void
visit_closed_cb (AlsChannel *channel, guint32 code, gpointer user_data)
{
  AlsVisitCore *self = user_data;

  self->channel = NULL;
  /* It lives as long as the visit; without it an answer could not be given. */
  if (code != ALS_CHANNEL_SESSION_ENDED)
    als_core_peer_broke_rules (self);
}

static const AlsChannelEvents visit_channel_events
    = { visit_received_cb, NULL, NULL, visit_closed_cb };

void
als_core_begin_talk (AlsVisitCore *self, AlsChannel *channel)
{
  self->channel = channel;
  als_channel_set_events (channel, &visit_channel_events, self);
  send_hello (self);
}

/* Other channels may overtake this one where paths change, and what comes in them before the answer has
 * no leave: so the answer must have been read. */
static gboolean
answer_read_cb (gpointer user_data)
{
  AlsVisitCore *self = user_data;

  if (self->linger == NULL && self->channel != NULL
      && als_channel_get_acked (self->channel) < self->answer_end)
    return G_SOURCE_CONTINUE;
  als_source_clear (&self->answer_source);
  if (self->linger != NULL || self->channel == NULL)
    return G_SOURCE_REMOVE;
  become_active (self, self->answer);
  if (self->answer == ALS_VISIT_SEE_SCREEN)
    als_visit_core_set_sharing (self, TRUE);
  als_core_send_early_files (self);
  return G_SOURCE_REMOVE;
}

void
als_visit_core_answer (AlsVisitCore *self, AlsVisitPermission permission)
{
  AlsVisitMessage consent = { .type = ALS_VISIT_MESSAGE_CONSENT,
                              .permission = (uint8_t) permission };

  if (!self->is_inviter || self->state != ALS_VISIT_ASKING || self->linger != NULL
      || self->channel == NULL || self->answer_source != NULL)
    return;
  send_visit_message (self, &consent);
  if (permission == ALS_VISIT_NOTHING)
    {
      /* No goodbye of ours: it could overtake the answer. The other side ends when it reads that.
       */
      self->is_declined = TRUE;
      als_core_finish (self, ALS_VISIT_ERROR_DECLINED, "declined here");
      return;
    }
  self->answer = permission;
  self->answer_end = als_channel_get_written (self->channel);
  self->answer_source = als_core_add_timeout (ANSWER_READ_MS, "als-visit-answer", answer_read_cb, self);
}
