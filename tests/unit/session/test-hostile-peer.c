/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* A session against an authenticated peer that speaks nonsense: each violation
 * ends it, none makes it keep more than it granted. */

#include "world.h"

#include "protocol/als-session-frame.h"
#include "session/als-session-private.h"

#include <malloc.h>
#include <string.h>

/* Side 0 is a session, side 1 whatever is injected. */
typedef struct
{
  World *world;
  AlsLink *ends[2];
} Attack;

static void
attack_init (Attack *self)
{
  AlsFakeLinkConfig config = { .kind = ALS_PATH_DIRECT_UDP, .rate = 1000000, .delay_us = MS };

  self->world = world_new (0);
  als_fake_link_new_pair (&config, self->ends);
  g_ptr_array_add (self->world->links, self->ends[0]);
  g_ptr_array_add (self->world->links, self->ends[1]);
  als_session_add_link (self->world->sessions[0], self->ends[0]);
  world_run (self->world, 10 * MS);
}

static void
attack_clear (Attack *self)
{
  world_free (self->world);
}

static void
say (Attack *self, AlsSessionFrame frame)
{
  g_auto (AlsWriter) writer;

  als_writer_init (&writer, 0);
  als_session_frame_write (&frame, &writer);
  als_fake_link_inject (self->ends[1], ALS_LANE_CONTROL, writer.bytes->data, writer.bytes->len);
  world_run (self->world, 1);
}

static void
assert_refused (Attack *self)
{
  g_assert_true (self->world->ended[0]);
  g_assert_cmpint (self->world->end[0], ==, ALS_SESSION_END_PROTOCOL);
  attack_clear (self);
}

#define THEIRS(counter) ALS_SESSION_CHANNEL_ID (counter, TRUE)
#define OURS(counter) ALS_SESSION_CHANNEL_ID (counter, FALSE)

static const AlsSessionFrame open_theirs = {
  .type = ALS_SESSION_FRAME_OPEN, .channel = THEIRS (0), .kind = 4, .lane = ALS_LANE_CHAT,
};
static const uint8_t some_bytes[16 * 1024] = { 1 };

static void
test_each_violation_ends_the_session (void)
{
  const AlsSessionAck more_than_sent = { OURS (0), 1001, 99999, FALSE };
  const AlsSessionAck never_opened = { OURS (9), 0, 99999, FALSE };
  const AlsSessionAck theirs_unopened = { THEIRS (9), 0, 99999, FALSE };
  const AlsSessionAck unfinished = { OURS (0), 1000, 99999, TRUE };
  const AlsSessionFrame violations[] = {
    { .type = ALS_SESSION_FRAME_OPEN, .channel = OURS (1), .kind = 4 },
    { .type = ALS_SESSION_FRAME_OPEN, .channel = THEIRS (0), .kind = 3, .lane = ALS_LANE_CHAT },
    { .type = ALS_SESSION_FRAME_OPEN, .channel = THEIRS (1u << 30), .kind = 3 },
    { .type = ALS_SESSION_FRAME_DATA, .channel = THEIRS (1), .data = some_bytes, .len = 1 },
    { .type = ALS_SESSION_FRAME_DATA, .channel = OURS (1), .data = some_bytes, .len = 1 },
    { .type = ALS_SESSION_FRAME_DATA, .channel = THEIRS (0), .offset = (uint64_t) 1 << 40,
      .data = some_bytes, .len = 1 },
    { .type = ALS_SESSION_FRAME_DATA, .channel = OURS (0),
      .offset = ALS_CHANNEL_WINDOW - 5, .data = some_bytes, .len = 6 },
    { .type = ALS_SESSION_FRAME_FIN, .channel = THEIRS (0), .offset = (uint64_t) 1 << 40 },
    { .type = ALS_SESSION_FRAME_FIN, .channel = THEIRS (7) },
    { .type = ALS_SESSION_FRAME_RESET, .channel = THEIRS (7), .code = 1 },
    { .type = ALS_SESSION_FRAME_RESET, .channel = OURS (0), .code = ALS_CHANNEL_SESSION_ENDED },
    { .type = ALS_SESSION_FRAME_GONE, .channel = OURS (0) },
    { .type = ALS_SESSION_FRAME_GONE, .channel = THEIRS (0) },
    { .type = ALS_SESSION_FRAME_GONE, .channel = THEIRS (3) },
    { .type = ALS_SESSION_FRAME_PONG, .cookie = 1u << 20 },
    { .type = ALS_SESSION_FRAME_ACK, .acks = &more_than_sent, .n_acks = 1 },
    { .type = ALS_SESSION_FRAME_SYNC, .acks = &never_opened, .n_acks = 1 },
    { .type = ALS_SESSION_FRAME_ACK, .acks = &theirs_unopened, .n_acks = 1 },
    { .type = ALS_SESSION_FRAME_ACK, .acks = &unfinished, .n_acks = 1 },
  };

  for (guint i = 0; i < G_N_ELEMENTS (violations); i++)
    {
      Attack attack;

      attack_init (&attack);
      world_open (attack.world, 0, 3, ALS_LANE_BULK, 1000, FALSE);
      world_run (attack.world, 10 * MS);
      say (&attack, open_theirs);
      world_run (attack.world, 50 * MS);
      g_assert_false (attack.world->ended[0]);
      g_test_message ("violation %u", i);
      say (&attack, violations[i]);
      assert_refused (&attack);
    }
}

static void
test_noise_ends_the_session (void)
{
  Attack attack;

  attack_init (&attack);
  als_fake_link_inject (attack.ends[1], ALS_LANE_BULK, "\xff\xff\xff", 3);
  world_run (attack.world, MS);
  assert_refused (&attack);
}

static void
test_final_offset_does_not_change (void)
{
  AlsSessionFrame frame = open_theirs;
  Attack attack;

  attack_init (&attack);
  say (&attack, frame);
  frame = (AlsSessionFrame){ .type = ALS_SESSION_FRAME_FIN, .channel = THEIRS (0), .offset = 10 };
  say (&attack, frame);
  say (&attack, frame);
  g_assert_false (attack.world->ended[0]);
  frame.offset = 11;
  say (&attack, frame);
  assert_refused (&attack);

  attack_init (&attack);
  say (&attack, open_theirs);
  frame.offset = 10;
  say (&attack, frame);
  frame = (AlsSessionFrame){ .type = ALS_SESSION_FRAME_DATA, .channel = THEIRS (0), .offset = 5,
                             .data = some_bytes, .len = 6 };
  say (&attack, frame);
  assert_refused (&attack);
}

static void
test_late_words_about_a_closed_channel_are_harmless (void)
{
  const AlsSessionAck ack = { THEIRS (0), 0, 99999, FALSE };
  Attack attack;

  attack_init (&attack);
  say (&attack, open_theirs);
  say (&attack, (AlsSessionFrame){ .type = ALS_SESSION_FRAME_RESET, .channel = THEIRS (0), .code = 9 });
  g_assert_true (world_find (attack.world, 0, 4)->closed);
  g_assert_cmpuint (world_find (attack.world, 0, 4)->code, ==, 9);
  say (&attack, open_theirs);
  say (&attack, (AlsSessionFrame){ .type = ALS_SESSION_FRAME_DATA, .channel = THEIRS (0),
                                   .data = some_bytes, .len = 6 });
  say (&attack, (AlsSessionFrame){ .type = ALS_SESSION_FRAME_ACK, .acks = &ack, .n_acks = 1 });
  say (&attack, (AlsSessionFrame){ .type = ALS_SESSION_FRAME_GONE, .channel = THEIRS (0) });
  say (&attack, (AlsSessionFrame){ .type = ALS_SESSION_FRAME_LEAVE, .path_id = 77 });
  g_assert_false (attack.world->ended[0]);
  g_assert_cmpuint (attack.world->ports->len, ==, 1);
  attack_clear (&attack);
}

static void
test_flood_of_channels_is_refused (void)
{
  AlsSessionFrame frame = open_theirs;
  Attack attack;
  guint n = 0;

  attack_init (&attack);
  for (; !attack.world->ended[0]; n++)
    {
      g_assert_cmpuint (n, <=, ALS_SESSION_MAX_PEER_CHANNELS);
      frame.channel = THEIRS (n);
      say (&attack, frame);
    }
  g_assert_cmpuint (n, ==, ALS_SESSION_MAX_PEER_CHANNELS + 1);
  assert_refused (&attack);
}

/* Everything granted is used, out of order, on as many channels as possible. */
static void
test_flood_out_of_order_stays_within_what_was_granted (void)
{
  AlsSessionFrame frame = open_theirs;
  struct mallinfo2 before, after;
  Attack attack;

  attack_init (&attack);
  before = mallinfo2 ();
  for (guint i = 0; i < 100; i++)
    {
      frame.channel = THEIRS (i);
      say (&attack, frame);
    }
  world_run (attack.world, 100 * MS);
  for (guint i = 0; i < 100; i++)
    for (uint64_t offset = 1; offset + sizeof some_bytes - 100 < 64 * 1024;
         offset += sizeof some_bytes - 100)
      say (&attack, (AlsSessionFrame){ .type = ALS_SESSION_FRAME_DATA, .channel = THEIRS (i),
                                       .offset = offset, .data = some_bytes,
                                       .len = sizeof some_bytes - 100 });
  for (uint64_t offset = 1; offset + 16000 < ALS_CHANNEL_WINDOW; offset += 16000)
    say (&attack, (AlsSessionFrame){ .type = ALS_SESSION_FRAME_DATA, .channel = THEIRS (0),
                                     .offset = offset, .data = some_bytes, .len = 16000 });
  after = mallinfo2 ();
  g_assert_false (attack.world->ended[0]);
  g_assert_cmpuint (after.uordblks + after.hblkhd, <,
                    before.uordblks + before.hblkhd + 2 * ALS_SESSION_WINDOW_BUDGET);
  attack_clear (&attack);

  /* Single bytes with gaps between them cost more than they weigh: refused. */
  attack_init (&attack);
  say (&attack, open_theirs);
  for (guint i = 0; i < 2 * ALS_RECEIVE_MAX_RUNS && !attack.world->ended[0]; i++)
    say (&attack, (AlsSessionFrame){ .type = ALS_SESSION_FRAME_DATA, .channel = THEIRS (0),
                                     .offset = 1 + 2 * i, .data = some_bytes, .len = 1 });
  assert_refused (&attack);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(path, func) g_test_add_func ("/session/hostile-peer/" path, func)
  ADD ("each-violation-ends-the-session", test_each_violation_ends_the_session);
  ADD ("noise-ends-the-session", test_noise_ends_the_session);
  ADD ("final-offset-does-not-change", test_final_offset_does_not_change);
  ADD ("late-words-about-a-closed-channel-are-harmless",
       test_late_words_about_a_closed_channel_are_harmless);
  ADD ("flood-of-channels-is-refused", test_flood_of_channels_is_refused);
  ADD ("flood-out-of-order-stays-within-what-was-granted",
       test_flood_out_of_order_stays_within_what_was_granted);
  return g_test_run ();
}
