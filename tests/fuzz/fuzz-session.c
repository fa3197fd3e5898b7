/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* A session against a peer that says whatever the input says: a byte of
 * options, then frames, each with what happens before it and a length. */

#include "als-fake-link.h"

#include "base/als-bytes.h"
#include "session/als-session.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

#define MS ((int64_t) 1000)
#define MAX_FRAMES 400

typedef struct
{
  gboolean ended;
  guint n_open;
  AlsChannel *last; /* of the peer's; NULL once closed */
} Owner;

static void
received_cb (AlsChannel *channel, const uint8_t *data, size_t len, gpointer user_data)
{
  Owner *self = user_data;

  g_assert_false (self->ended);
  als_channel_consume (channel, len - len / 4);
  als_channel_write (channel, data, len);
}

static void
finished_cb (AlsChannel *channel, gpointer user_data)
{
  als_channel_finish (channel);
}

static void
closed_cb (AlsChannel *channel, guint32 code, gpointer user_data)
{
  Owner *self = user_data;

  g_assert_cmpuint (self->n_open, >, 0);
  self->n_open--;
  if (self->last == channel)
    self->last = NULL;
}

static const AlsChannelEvents channel_events = {
  .received = received_cb, .finished = finished_cb, .closed = closed_cb,
};

static void
schedule_cb (int64_t deadline_us, gpointer user_data)
{
}

static void
channel_opened_cb (AlsChannel *channel, AlsChannelKind kind, gpointer user_data)
{
  Owner *self = user_data;

  self->n_open++;
  self->last = channel;
  als_channel_set_events (channel, &channel_events, self);
}

static void
link_gone_cb (AlsLink *link, gpointer user_data)
{
}

static void
ended_cb (AlsSessionEnd end, gpointer user_data)
{
  Owner *self = user_data;

  g_assert_false (self->ended);
  g_assert_cmpuint (self->n_open, ==, 0);
  self->ended = TRUE;
}

static const AlsSessionEvents session_events = {
  .schedule = schedule_cb, .channel_opened = channel_opened_cb, .link_gone = link_gone_cb,
  .ended = ended_cb,
};

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  static const uint8_t some[3000];
  AlsFakeLinkConfig link_config = { .kind = ALS_PATH_DIRECT_UDP, .rate = 1000000, .delay_us = MS };
  AlsSessionConfig config = { 0 };
  AlsSession *session;
  AlsLink *ends[2];
  Owner owner = { 0 };
  AlsReader reader;
  int64_t now_us = 1;

  als_reader_init (&reader, data, size);
  config.role = als_reader_u8 (&reader) & 1 ? ALS_ROLE_JOINER : ALS_ROLE_INVITER;
  session = als_session_new (&config, &session_events, &owner, now_us);
  als_fake_link_new_pair (&link_config, ends);
  als_session_add_link (session, ends[0]);
  for (guint i = 0; i < 2; i++)
    {
      AlsChannel *channel = als_session_open_channel (session, 3 + i, ALS_LANE_BULK - i);

      owner.n_open++;
      als_channel_set_events (channel, &channel_events, &owner);
      als_channel_write (channel, some, sizeof some);
      if (i == 1)
        als_channel_finish (channel);
    }
  als_session_poll (session, now_us); /* OPENs and bytes leave */
  for (guint i = 0; i < MAX_FRAMES && als_reader_left (&reader) > 0; i++)
    {
      uint8_t before = als_reader_u8 (&reader);
      size_t len;
      const uint8_t *frame = als_reader_blob (&reader, ALS_FRAME_MAX, &len);

      if (before & 0x10 && owner.last != NULL)
        {
          als_channel_reset (owner.last, 1);
          owner.n_open--;
          owner.last = NULL;
        }
      now_us += (before & 0x0f) * 20 * MS + 1;
      if (frame != NULL && len > 0)
        als_fake_link_inject (ends[1], (AlsLane) (before >> 6) % ALS_N_LANES, frame, len);
      als_link_poll (ends[0], now_us);
      als_session_poll (session, now_us);
    }
  als_session_end (session);
  g_assert_true (owner.ended);
  als_session_free (session);
  als_link_free (ends[0]);
  als_link_free (ends[1]);
  return 0;
}
