/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* The rendezvous with connections and a clock that exist here only. */

#include "server/als-rendezvous.h"

#include <string.h>

#define SECOND G_USEC_PER_SEC
#define START_US (1000 * SECOND)

typedef struct
{
  AlsRendezvous *rendezvous;
  GRand *random;
  guint32 forced[4]; /* what the next draws of 4 bytes are */
  guint n_forced;
  int64_t now_us;
  const char *stun; /* (nullable) told to who gets no login */
  guint n_with_turn;
  guint n_without_turn;
} World;

typedef struct
{
  World *world;
  AlsRendezvousPeer *peer;
  GQueue received;   /* of AlsSignalMessage */
  size_t backlog[2]; /* what the test says is still queued */
  gboolean closed;
} Connection;

static void
fake_send (gpointer connection, AlsLane lane, GBytes *bytes, gpointer user_data)
{
  Connection *self = connection;
  AlsSignalMessage *message
      = als_signal_message_decode (g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes), NULL);

  g_assert_nonnull (message);
  g_assert_false (self->closed);
  g_assert_cmpint (lane, ==, message->type == ALS_SIGNAL_RELAY ? ALS_LANE_RELAY : ALS_LANE_SIGNAL);
  g_queue_push_tail (&self->received, message);
}

static size_t
fake_get_backlog (gpointer connection, AlsLane lane, gpointer user_data)
{
  return ((Connection *)connection)->backlog[lane];
}

static void
fake_close (gpointer connection, gpointer user_data)
{
  ((Connection *)connection)->closed = TRUE;
}

static void
fake_random (uint8_t *out, size_t len, gpointer user_data)
{
  World *world = user_data;

  if (len == 4 && world->n_forced > 0)
    {
      memcpy (out, &world->forced[0], 4);
      memmove (&world->forced[0], &world->forced[1], sizeof world->forced - 4);
      world->n_forced--;
      return;
    }
  for (size_t i = 0; i < len; i++)
    out[i] = (uint8_t)g_rand_int (world->random);
}

static GPtrArray *
fake_make_servers (gboolean with_turn, gpointer user_data)
{
  World *world = user_data;

  if (with_turn)
    world->n_with_turn++;
  else
    world->n_without_turn++;
  if (world->stun != NULL && !with_turn)
    {
      GPtrArray *servers = g_ptr_array_new_with_free_func ((GDestroyNotify)als_ice_server_free);
      AlsIceServer *server = g_new0 (AlsIceServer, 1);

      *server = (AlsIceServer){ ALS_ICE_SERVER_STUN, g_strdup (world->stun), 3478 };
      g_ptr_array_add (servers, server);
      return servers;
    }
  return NULL;
}

static const AlsRendezvousEffects effects = {
  fake_send, fake_get_backlog, fake_close, fake_random, fake_make_servers,
};

static void
world_init (World *world, const AlsRendezvousOptions *options)
{
  AlsRendezvousOptions defaults;

  *world = (World){ .now_us = START_US, .random = g_rand_new_with_seed (7) };
  als_rendezvous_options_init (&defaults);
  world->rendezvous
      = als_rendezvous_new (options != NULL ? options : &defaults, &effects, world, world->now_us);
}

static void
world_clear (World *world)
{
  als_rendezvous_free (world->rendezvous);
  g_rand_free (world->random);
}

/* Time passes, and everything due on the way happens at its time. */
static void
pass (World *world, int64_t us)
{
  int64_t end_us = world->now_us + us;
  int64_t due_us;

  while ((due_us = als_rendezvous_get_deadline (world->rendezvous)) <= end_us)
    {
      g_assert_cmpint (due_us, >, world->now_us - 1);
      world->now_us = MAX (world->now_us, due_us);
      als_rendezvous_poll (world->rendezvous, world->now_us);
      g_assert_cmpint (als_rendezvous_get_deadline (world->rendezvous), >, world->now_us);
    }
  world->now_us = end_us;
}

static void
say (Connection *self, const AlsSignalMessage *message)
{
  g_autoptr (GBytes) bytes = als_signal_message_encode (message);

  g_assert_nonnull (bytes);
  als_rendezvous_receive (self->world->rendezvous, self->peer, g_bytes_get_data (bytes, NULL),
                          g_bytes_get_size (bytes), self->world->now_us);
}

static void
say_plain (Connection *self, AlsSignalType type)
{
  g_autoptr (AlsSignalMessage) message = als_signal_message_new (type);

  say (self, message);
}

static void
say_join (Connection *self, uint32_t number)
{
  g_autoptr (AlsSignalMessage) message = als_signal_message_new (ALS_SIGNAL_JOIN);

  message->number = number;
  say (self, message);
}

static void
say_meet (Connection *self, uint8_t id, gboolean is_inviter)
{
  g_autoptr (AlsSignalMessage) message = als_signal_message_new (ALS_SIGNAL_MEET);

  memset (message->meeting_id, id, sizeof message->meeting_id);
  message->is_inviter = is_inviter;
  say (self, message);
}

static void
say_payload (Connection *self, AlsSignalType type, size_t len)
{
  g_autoptr (AlsSignalMessage) message = als_signal_message_new (type);
  g_autofree char *data = g_strnfill (len, 'x');

  message->payload = g_bytes_new (data, len);
  say (self, message);
}

static AlsSignalMessage *
hear (Connection *self, AlsSignalType type)
{
  AlsSignalMessage *message = g_queue_pop_head (&self->received);

  g_assert_nonnull (message);
  g_assert_cmpint (message->type, ==, type);
  return message;
}

static void
expect (Connection *self, AlsSignalType type)
{
  als_signal_message_free (hear (self, type));
}

static void
expect_error (Connection *self, AlsSignalCode code)
{
  g_autoptr (AlsSignalMessage) message = hear (self, ALS_SIGNAL_ERROR);

  g_assert_cmpuint (message->code, ==, code);
}

static void
expect_unpair (Connection *self, AlsSignalUnpairReason reason)
{
  g_autoptr (AlsSignalMessage) message = hear (self, ALS_SIGNAL_UNPAIR);

  g_assert_cmpuint (message->reason, ==, reason);
}

static void
expect_silence (Connection *self)
{
  g_assert_cmpuint (self->received.length, ==, 0);
}

static void
attach (Connection *self, World *world, const char *address)
{
  *self = (Connection){ .world = world };
  self->peer = als_rendezvous_add (world->rendezvous, self, address, world->now_us);
}

static void
greet (Connection *self, World *world, const char *address)
{
  g_autoptr (AlsSignalMessage) hello = als_signal_message_new (ALS_SIGNAL_HELLO);
  g_autoptr (AlsSignalMessage) welcome = NULL;

  attach (self, world, address);
  hello->version = ALS_SIGNAL_PROTOCOL_VERSION;
  say (self, hello);
  welcome = hear (self, ALS_SIGNAL_WELCOME);
  g_assert_cmpuint (welcome->version, ==, ALS_SIGNAL_PROTOCOL_VERSION);
  g_assert_cmpuint (welcome->heartbeat_s, ==, 20);
}

static void
lose (Connection *self)
{
  als_rendezvous_remove (self->world->rendezvous, g_steal_pointer (&self->peer),
                         self->world->now_us);
  g_queue_clear_full (&self->received, (GDestroyNotify)als_signal_message_free);
}

/* Registers and yields the number; TOKEN is kept if it is not NULL. */
static uint32_t
say_register (Connection *self, uint8_t *token, gboolean has_token)
{
  g_autoptr (AlsSignalMessage) message = als_signal_message_new (ALS_SIGNAL_REGISTER);
  g_autoptr (AlsSignalMessage) registered = NULL;

  message->has_token = has_token;
  if (has_token)
    memcpy (message->token, token, sizeof message->token);
  say (self, message);
  registered = hear (self, ALS_SIGNAL_REGISTERED);
  g_assert_cmpuint (registered->keep_s, ==, 120);
  if (token != NULL)
    memcpy (token, registered->token, sizeof registered->token);
  return registered->number;
}

static void
expect_pair (Connection *a, Connection *b)
{
  g_autoptr (AlsSignalMessage) one = hear (a, ALS_SIGNAL_PAIRED);
  g_autoptr (AlsSignalMessage) other = hear (b, ALS_SIGNAL_PAIRED);

  g_assert_cmpuint (one->relay_rate, ==, 1250000);
  g_assert_cmpuint (one->relay_backlog, ==, 65536);
  g_assert_cmpuint (other->relay_rate, ==, 1250000);
  say_payload (a, ALS_SIGNAL_PEER_MESSAGE, 5);
  expect (b, ALS_SIGNAL_PEER_MESSAGE);
  say_payload (b, ALS_SIGNAL_RELAY, 5);
  expect (a, ALS_SIGNAL_RELAY);
}

static uint32_t
make_pair (World *world, Connection *inviter, Connection *joiner)
{
  uint32_t number;

  greet (inviter, world, "10.0.0.1");
  greet (joiner, world, "10.0.0.2");
  number = say_register (inviter, NULL, FALSE);
  say_join (joiner, number);
  expect_pair (inviter, joiner);
  return number;
}

/* Told where the operator says so, to who takes it, with the address that it comes from. */
static void
test_foreign_peers (void)
{
  static const char *const words[] = { "app", "app " ALS_SIGNAL_TAKES_FOREIGN_PEERS };

  for (guint i = 0; i < 4; i++)
    {
      gboolean is_said = i % 2 == 1, is_taken = i / 2 == 1;
      g_autoptr (AlsSignalMessage) hello = als_signal_message_new (ALS_SIGNAL_HELLO);
      g_autoptr (AlsSignalMessage) paired = NULL;
      AlsRendezvousOptions options;
      Connection inviter, joiner;
      World world;
      uint32_t number;

      als_rendezvous_options_init (&options);
      options.foreign_peers = is_said;
      world_init (&world, &options);
      greet (&inviter, &world, "10.0.0.1");
      number = say_register (&inviter, NULL, FALSE);
      attach (&joiner, &world, "2001:db8");
      als_rendezvous_set_origin (joiner.peer, "2001:db8::7");
      hello->version = ALS_SIGNAL_PROTOCOL_VERSION;
      hello->text = g_strdup (words[is_taken]);
      say (&joiner, hello);
      expect (&joiner, ALS_SIGNAL_WELCOME);
      say_join (&joiner, number);
      paired = hear (&joiner, ALS_SIGNAL_PAIRED);
      g_assert_cmpint (paired->foreign_peers, ==, is_said && is_taken);
      g_assert_cmpstr (paired->text, ==, is_said && is_taken ? "2001:db8::7" : NULL);
      lose (&joiner);
      lose (&inviter);
      world_clear (&world);
    }
}

static void
test_join (void)
{
  World world;
  Connection inviter, joiner;

  world_init (&world, NULL);
  make_pair (&world, &inviter, &joiner);
  g_assert_cmpuint (als_rendezvous_get_n_pairs (world.rendezvous), ==, 1);
  lose (&inviter);
  lose (&joiner);
  g_assert_cmpuint (als_rendezvous_get_n_pairs (world.rendezvous), ==, 0);
  world_clear (&world);
}

static void
test_numbers_differ (void)
{
  World world;
  Connection a, b;

  world_init (&world, NULL);
  greet (&a, &world, "a");
  greet (&b, &world, "b");
  /* The first value is beyond the largest multiple of a million, so it is not fair and not used. */
  world.forced[0] = 4294967295u;
  world.forced[1] = 123456;
  world.forced[2] = 1123456;
  world.forced[3] = 7;
  world.n_forced = 4;
  g_assert_cmpuint (say_register (&a, NULL, FALSE), ==, 123456);
  /* Taken, so drawn again. */
  g_assert_cmpuint (say_register (&b, NULL, FALSE), ==, 7);
  lose (&a);
  lose (&b);
  world_clear (&world);
}

static void
test_awaited_number_is_not_drawn (void)
{
  World world;
  Connection joiner, inviter;

  world_init (&world, NULL);
  greet (&joiner, &world, "a");
  greet (&inviter, &world, "b");
  say_join (&joiner, 42);
  expect (&joiner, ALS_SIGNAL_WAITING);
  world.forced[0] = 42;
  world.forced[1] = 43;
  world.n_forced = 2;
  g_assert_cmpuint (say_register (&inviter, NULL, FALSE), ==, 43);
  expect_silence (&joiner);
  lose (&joiner);
  lose (&inviter);
  world_clear (&world);
}

static void
test_numbers_run_out (void)
{
  AlsRendezvousOptions options;
  World world;
  Connection a, b;

  als_rendezvous_options_init (&options);
  options.max_numbers = 1;
  world_init (&world, &options);
  greet (&a, &world, "a");
  greet (&b, &world, "b");
  say_register (&a, NULL, FALSE);
  say_plain (&b, ALS_SIGNAL_REGISTER);
  expect_error (&b, ALS_SIGNAL_CODE_FULL);
  g_assert_true (b.closed);
  lose (&a);
  lose (&b);
  world_clear (&world);
}

static void
test_join_waits (void)
{
  World world;
  Connection joiner;
  g_autoptr (AlsSignalMessage) waiting = NULL;

  world_init (&world, NULL);
  greet (&joiner, &world, "a");
  say_join (&joiner, 42);
  waiting = hear (&joiner, ALS_SIGNAL_WAITING);
  g_assert_cmpuint (waiting->keep_s, ==, 30);
  pass (&world, 30 * SECOND - 1);
  expect_silence (&joiner);
  pass (&world, 1);
  expect_error (&joiner, ALS_SIGNAL_CODE_NO_SUCH_NUMBER);
  /* The connection stays of use. */
  g_assert_false (joiner.closed);
  say_join (&joiner, 43);
  expect (&joiner, ALS_SIGNAL_WAITING);
  /* UNPAIR takes it back. */
  say_plain (&joiner, ALS_SIGNAL_UNPAIR);
  pass (&world, 60 * SECOND);
  expect_silence (&joiner);
  lose (&joiner);
  world_clear (&world);
}

static void
test_token_keeps_number (void)
{
  World world;
  Connection inviter, again, joiner;
  uint8_t token[ALS_SIGNAL_TOKEN_BYTES];
  uint32_t number;

  world_init (&world, NULL);
  greet (&inviter, &world, "a");
  greet (&joiner, &world, "b");
  number = say_register (&inviter, token, FALSE);
  lose (&inviter);
  pass (&world, 119 * SECOND);
  /* Who joins meanwhile waits for it. */
  say_join (&joiner, number);
  expect (&joiner, ALS_SIGNAL_WAITING);
  greet (&again, &world, "c");
  g_assert_cmpuint (say_register (&again, token, TRUE), ==, number);
  expect_pair (&again, &joiner);
  lose (&again);
  lose (&joiner);
  world_clear (&world);
}

static void
test_token_expires (void)
{
  World world;
  Connection inviter, again;
  uint8_t token[ALS_SIGNAL_TOKEN_BYTES], old[ALS_SIGNAL_TOKEN_BYTES];

  world_init (&world, NULL);
  greet (&inviter, &world, "a");
  say_register (&inviter, token, FALSE);
  memcpy (old, token, sizeof old);
  lose (&inviter);
  g_assert_cmpuint (als_rendezvous_get_n_numbers (world.rendezvous), ==, 1);
  pass (&world, 120 * SECOND);
  g_assert_cmpuint (als_rendezvous_get_n_numbers (world.rendezvous), ==, 0);
  greet (&again, &world, "a");
  say_register (&again, token, TRUE);
  g_assert_true (memcmp (token, old, sizeof old) != 0);
  lose (&again);
  world_clear (&world);
}

static void
test_token_wins (void)
{
  World world;
  Connection inviter, joiner, again;
  uint8_t token[ALS_SIGNAL_TOKEN_BYTES];
  uint32_t number;

  world_init (&world, NULL);
  greet (&inviter, &world, "a");
  greet (&joiner, &world, "b");
  greet (&again, &world, "c");
  number = say_register (&inviter, token, FALSE);
  say_join (&joiner, number);
  expect_pair (&inviter, &joiner);
  g_assert_cmpuint (say_register (&again, token, TRUE), ==, number);
  expect_error (&inviter, ALS_SIGNAL_CODE_IDLE);
  g_assert_true (inviter.closed);
  expect_unpair (&joiner, ALS_SIGNAL_UNPAIR_LOST);
  lose (&inviter);
  /* The end of the old connection does not take the number away. */
  say_join (&joiner, number);
  expect_pair (&again, &joiner);
  lose (&again);
  lose (&joiner);
  world_clear (&world);
}

static void
test_unregister (void)
{
  World world;
  Connection inviter, joiner;
  uint8_t token[ALS_SIGNAL_TOKEN_BYTES];
  uint32_t number;

  world_init (&world, NULL);
  greet (&inviter, &world, "a");
  greet (&joiner, &world, "b");
  number = say_register (&inviter, token, FALSE);
  say_plain (&inviter, ALS_SIGNAL_UNREGISTER);
  g_assert_cmpuint (als_rendezvous_get_n_numbers (world.rendezvous), ==, 0);
  say_join (&joiner, number);
  expect (&joiner, ALS_SIGNAL_WAITING);
  pass (&world, 30 * SECOND);
  expect_error (&joiner, ALS_SIGNAL_CODE_NO_SUCH_NUMBER);
  say_plain (&inviter, ALS_SIGNAL_UNREGISTER);
  expect_silence (&inviter);
  /* A pairing survives it. */
  number = say_register (&inviter, token, FALSE);
  say_join (&joiner, number);
  expect_pair (&inviter, &joiner);
  say_plain (&inviter, ALS_SIGNAL_UNREGISTER);
  say_payload (&joiner, ALS_SIGNAL_PEER_MESSAGE, 1);
  expect (&inviter, ALS_SIGNAL_PEER_MESSAGE);
  lose (&inviter);
  lose (&joiner);
  world_clear (&world);
}

static void
test_register_again (void)
{
  World world;
  Connection inviter;
  uint8_t token[ALS_SIGNAL_TOKEN_BYTES];
  uint32_t number;

  world_init (&world, NULL);
  greet (&inviter, &world, "a");
  number = say_register (&inviter, token, FALSE);
  g_assert_cmpuint (say_register (&inviter, token, TRUE), ==, number);
  g_assert_cmpuint (say_register (&inviter, NULL, FALSE), !=, number);
  g_assert_cmpuint (als_rendezvous_get_n_numbers (world.rendezvous), ==, 1);
  lose (&inviter);
  world_clear (&world);
}

static void
test_busy (void)
{
  World world;
  Connection inviter, joiner, third;
  uint32_t number;

  world_init (&world, NULL);
  number = make_pair (&world, &inviter, &joiner);
  greet (&third, &world, "c");
  say_join (&third, number);
  expect_error (&third, ALS_SIGNAL_CODE_BUSY);
  g_assert_false (third.closed);
  lose (&joiner);
  expect_unpair (&inviter, ALS_SIGNAL_UNPAIR_LOST);
  say_join (&third, number);
  expect_pair (&inviter, &third);
  lose (&inviter);
  lose (&third);
  world_clear (&world);
}

/* Several wait for an inviter who is away: one gets it, the others hear so at once. */
static void
test_waiting_joiners (void)
{
  World world;
  Connection inviter, again, joiners[9];
  uint8_t token[ALS_SIGNAL_TOKEN_BYTES];
  uint32_t number;

  world_init (&world, NULL);
  greet (&inviter, &world, "a");
  number = say_register (&inviter, token, FALSE);
  lose (&inviter);
  for (guint i = 0; i < G_N_ELEMENTS (joiners); i++)
    {
      greet (&joiners[i], &world, "b");
      say_join (&joiners[i], number);
      if (i < 8)
        expect (&joiners[i], ALS_SIGNAL_WAITING);
      else
        expect_error (&joiners[i], ALS_SIGNAL_CODE_BUSY);
    }
  greet (&again, &world, "a");
  say_register (&again, token, TRUE);
  expect_pair (&again, &joiners[0]);
  for (guint i = 1; i < 8; i++)
    expect_error (&joiners[i], ALS_SIGNAL_CODE_BUSY);
  lose (&again);
  for (guint i = 0; i < G_N_ELEMENTS (joiners); i++)
    lose (&joiners[i]);
  world_clear (&world);
}

static void
test_own_number (void)
{
  World world;
  Connection inviter;

  world_init (&world, NULL);
  greet (&inviter, &world, "a");
  say_join (&inviter, say_register (&inviter, NULL, FALSE));
  expect_error (&inviter, ALS_SIGNAL_CODE_NO_SUCH_NUMBER);
  g_assert_false (inviter.closed);
  lose (&inviter);
  world_clear (&world);
}

static void
test_join_rate (void)
{
  World world;
  Connection guesser, neighbour;

  world_init (&world, NULL);
  greet (&guesser, &world, "a");
  for (guint i = 0; i < 10; i++)
    {
      say_join (&guesser, i);
      expect (&guesser, ALS_SIGNAL_WAITING);
    }
  say_join (&guesser, 10);
  expect_error (&guesser, ALS_SIGNAL_CODE_RATE_LIMITED);
  g_assert_false (guesser.closed);
  /* Another connection of that address does not help, another address is not concerned. */
  lose (&guesser);
  greet (&guesser, &world, "a");
  greet (&neighbour, &world, "b");
  say_join (&guesser, 10);
  expect_error (&guesser, ALS_SIGNAL_CODE_RATE_LIMITED);
  say_join (&neighbour, 10);
  expect (&neighbour, ALS_SIGNAL_WAITING);
  pass (&world, 3 * SECOND + 1000);
  say_join (&guesser, 10);
  expect (&guesser, ALS_SIGNAL_WAITING);
  say_join (&guesser, 11);
  expect_error (&guesser, ALS_SIGNAL_CODE_RATE_LIMITED);
  lose (&guesser);
  lose (&neighbour);
  world_clear (&world);
}

static void
test_unpair (void)
{
  World world;
  Connection inviter, joiner;
  uint32_t number;

  world_init (&world, NULL);
  number = make_pair (&world, &inviter, &joiner);
  say_plain (&joiner, ALS_SIGNAL_UNPAIR);
  expect_unpair (&inviter, ALS_SIGNAL_UNPAIR_LEFT);
  expect_silence (&joiner);
  /* What crossed the goodbye is dropped, and so is a second goodbye. */
  say_payload (&inviter, ALS_SIGNAL_PEER_MESSAGE, 1);
  say_payload (&inviter, ALS_SIGNAL_RELAY, 1);
  say_plain (&inviter, ALS_SIGNAL_UNPAIR);
  expect_silence (&joiner);
  expect_silence (&inviter);
  g_assert_false (inviter.closed);
  say_join (&joiner, number);
  expect_pair (&inviter, &joiner);
  lose (&inviter);
  expect_unpair (&joiner, ALS_SIGNAL_UNPAIR_LOST);
  lose (&joiner);
  world_clear (&world);
}

static void
test_meet (void)
{
  World world;
  Connection a, b, c;

  world_init (&world, NULL);
  greet (&a, &world, "a");
  greet (&b, &world, "b");
  greet (&c, &world, "c");
  say_meet (&a, 1, TRUE);
  expect (&a, ALS_SIGNAL_WAITING);
  say_meet (&c, 2, FALSE);
  expect (&c, ALS_SIGNAL_WAITING);
  pass (&world, 599 * SECOND);
  say_meet (&b, 1, FALSE);
  expect_pair (&a, &b);
  pass (&world, SECOND);
  expect_error (&c, ALS_SIGNAL_CODE_NO_SUCH_NUMBER);
  g_assert_false (c.closed);
  g_assert_cmpint (als_rendezvous_get_deadline (world.rendezvous), ==, INT64_MAX);
  lose (&a);
  expect_unpair (&b, ALS_SIGNAL_UNPAIR_LOST);
  lose (&b);
  lose (&c);
  world_clear (&world);
}

static void
test_meet_newer_waits (void)
{
  World world;
  Connection old, newer, other;

  world_init (&world, NULL);
  greet (&old, &world, "a");
  greet (&newer, &world, "a");
  greet (&other, &world, "b");
  say_meet (&old, 1, TRUE);
  expect (&old, ALS_SIGNAL_WAITING);
  say_meet (&newer, 1, TRUE);
  expect_error (&old, ALS_SIGNAL_CODE_BUSY);
  expect (&newer, ALS_SIGNAL_WAITING);
  say_meet (&other, 1, FALSE);
  expect_pair (&newer, &other);
  expect_silence (&old);
  lose (&old);
  lose (&newer);
  lose (&other);
  world_clear (&world);
}

/* A side whose connection broke without a sign is back while the server thinks it paired. */
static void
test_meet_newer_pairs (void)
{
  World world;
  Connection old, newer, other;

  world_init (&world, NULL);
  greet (&old, &world, "a");
  greet (&newer, &world, "a");
  greet (&other, &world, "b");
  say_meet (&old, 1, TRUE);
  expect (&old, ALS_SIGNAL_WAITING);
  say_meet (&other, 1, FALSE);
  expect_pair (&old, &other);
  say_meet (&newer, 1, TRUE);
  expect_error (&old, ALS_SIGNAL_CODE_IDLE);
  g_assert_true (old.closed);
  expect_unpair (&other, ALS_SIGNAL_UNPAIR_LOST);
  expect (&newer, ALS_SIGNAL_WAITING);
  say_meet (&other, 1, FALSE);
  expect_pair (&newer, &other);
  lose (&old);
  expect_silence (&other);
  lose (&newer);
  lose (&other);
  world_clear (&world);
}

/* An inviter that waits at a meeting is not given to a stranger. */
static void
test_meeting_inviter_is_busy (void)
{
  World world;
  Connection inviter, stranger;
  uint32_t number;

  world_init (&world, NULL);
  greet (&inviter, &world, "a");
  greet (&stranger, &world, "b");
  number = say_register (&inviter, NULL, FALSE);
  say_meet (&inviter, 1, TRUE);
  expect (&inviter, ALS_SIGNAL_WAITING);
  say_join (&stranger, number);
  expect_error (&stranger, ALS_SIGNAL_CODE_BUSY);
  lose (&inviter);
  lose (&stranger);
  world_clear (&world);
}

static void
test_relay_within_limits (void)
{
  World world;
  Connection a, b;
  int64_t end_us;
  guint n = 0;

  world_init (&world, NULL);
  make_pair (&world, &a, &b);
  /* Ten minutes at exactly the stated rate. */
  end_us = world.now_us + 600 * SECOND;
  while (world.now_us < end_us)
    {
      say_payload (&a, ALS_SIGNAL_RELAY, 31250 - 1);
      expect (&b, ALS_SIGNAL_RELAY);
      pass (&world, SECOND / 40);
      n++;
    }
  g_assert_cmpuint (n, ==, 24000);
  /* A burst of the stated backlog at once, where the receiver has all of it still queued. */
  for (guint i = 0; i < 4; i++)
    {
      b.backlog[ALS_LANE_RELAY] = i * (16384 + 16);
      say_payload (&a, ALS_SIGNAL_RELAY, 16384);
      expect (&b, ALS_SIGNAL_RELAY);
    }
  lose (&a);
  lose (&b);
  world_clear (&world);
}

static void
expect_abuse (Connection *from, Connection *to)
{
  expect_unpair (from, ALS_SIGNAL_UNPAIR_RELAY_ABUSE);
  expect_unpair (to, ALS_SIGNAL_UNPAIR_RELAY_ABUSE);
  g_assert_false (from->closed);
  g_assert_false (to->closed);
  /* The relay has ended, both ways; signalling goes on. */
  say_payload (from, ALS_SIGNAL_RELAY, 10);
  say_payload (to, ALS_SIGNAL_RELAY, 10);
  expect_silence (from);
  expect_silence (to);
  say_payload (from, ALS_SIGNAL_PEER_MESSAGE, 10);
  expect (to, ALS_SIGNAL_PEER_MESSAGE);
  say_payload (to, ALS_SIGNAL_PEER_MESSAGE, 10);
  expect (from, ALS_SIGNAL_PEER_MESSAGE);
}

static void
test_relay_rate (void)
{
  World world;
  Connection a, b;
  gsize total = 0;

  world_init (&world, NULL);
  make_pair (&world, &a, &b);
  for (guint i = 0; i < 100; i++)
    {
      say_payload (&a, ALS_SIGNAL_RELAY, 16384);
      if (a.received.length > 0)
        break;
      expect (&b, ALS_SIGNAL_RELAY);
      total += 16384;
    }
  g_assert_cmpuint (total, >=, 65536);
  g_assert_cmpuint (total, <=, 65536 * 2);
  expect_abuse (&a, &b);
  lose (&a);
  lose (&b);
  world_clear (&world);
}

static void
test_relay_backlog (void)
{
  World world;
  Connection a, b;

  world_init (&world, NULL);
  make_pair (&world, &a, &b);
  b.backlog[ALS_LANE_RELAY] = 65536 * 5 / 4;
  say_payload (&a, ALS_SIGNAL_RELAY, 1);
  expect_abuse (&a, &b);
  /* A new pairing starts anew. */
  b.backlog[ALS_LANE_RELAY] = 0;
  say_plain (&b, ALS_SIGNAL_UNPAIR);
  expect_unpair (&a, ALS_SIGNAL_UNPAIR_LEFT);
  say_meet (&a, 3, TRUE);
  expect (&a, ALS_SIGNAL_WAITING);
  say_meet (&b, 3, FALSE);
  expect_pair (&a, &b);
  lose (&a);
  lose (&b);
  world_clear (&world);
}

static void
test_signal_flood (void)
{
  World world;
  Connection a, b;
  guint n;

  world_init (&world, NULL);
  make_pair (&world, &a, &b);
  for (n = 0; n < 2000; n++)
    say_payload (&a, ALS_SIGNAL_PEER_MESSAGE, 10);
  n = b.received.length;
  g_assert_cmpuint (n, >=, 490);
  g_assert_cmpuint (n, <=, 500);
  /* Said once, not a thousand times. */
  expect_error (&a, ALS_SIGNAL_CODE_RATE_LIMITED);
  expect_silence (&a);
  g_assert_false (a.closed);
  g_queue_clear_full (&b.received, (GDestroyNotify)als_signal_message_free);
  pass (&world, SECOND);
  say_payload (&a, ALS_SIGNAL_PEER_MESSAGE, 10);
  expect (&b, ALS_SIGNAL_PEER_MESSAGE);
  /* A partner who does not read is not sent to for ever. */
  b.backlog[ALS_LANE_SIGNAL] = 256 * 1024;
  say_payload (&a, ALS_SIGNAL_PEER_MESSAGE, 10);
  expect_silence (&b);
  expect_error (&a, ALS_SIGNAL_CODE_RATE_LIMITED);
  lose (&a);
  lose (&b);
  world_clear (&world);
}

static void
test_turn_rate (void)
{
  AlsRendezvousOptions options;
  World world;
  Connection a, b;

  als_rendezvous_options_init (&options);
  options.turn_burst = 2;
  world_init (&world, &options);
  make_pair (&world, &a, &b);
  for (guint i = 0; i < 3; i++)
    {
      say_plain (&a, ALS_SIGNAL_UNPAIR);
      expect_unpair (&b, ALS_SIGNAL_UNPAIR_LEFT);
      say_meet (&a, 1, TRUE);
      expect (&a, ALS_SIGNAL_WAITING);
      say_meet (&b, 1, FALSE);
      expect_pair (&a, &b);
    }
  g_assert_cmpuint (world.n_with_turn, ==, 4);
  g_assert_cmpuint (world.n_without_turn, ==, 4);
  lose (&a);
  lose (&b);
  world_clear (&world);
}

static void
test_public_servers (void)
{
  World world;

  world_init (&world, NULL);
  world.stun = "stun.example";
  for (guint i = 0; i < 3; i++)
    {
      static const char *const names[] = { "Old/1", ALS_SIGNAL_TAKES_SERVERS,
                                           "New/1 more " ALS_SIGNAL_TAKES_SERVERS };
      g_autoptr (AlsSignalMessage) hello = als_signal_message_new (ALS_SIGNAL_HELLO);
      g_autoptr (AlsSignalMessage) welcome = NULL;
      Connection a;

      attach (&a, &world, "192.0.2.1");
      hello->version = ALS_SIGNAL_PROTOCOL_VERSION;
      hello->text = g_strdup (names[i]);
      say (&a, hello);
      welcome = hear (&a, ALS_SIGNAL_WELCOME);
      if (i < 2)
        g_assert_null (welcome->servers);
      else
        g_assert_cmpstr (((AlsIceServer *)g_ptr_array_index (welcome->servers, 0))->host, ==,
                         "stun.example");
      lose (&a);
    }
  g_assert_cmpuint (world.n_with_turn, ==, 0);
  world_clear (&world);
}

static void
test_ping (void)
{
  World world;
  Connection a;
  g_autoptr (AlsSignalMessage) ping = als_signal_message_new (ALS_SIGNAL_PING);
  g_autoptr (AlsSignalMessage) pong = NULL;

  world_init (&world, NULL);
  greet (&a, &world, "a");
  ping->cookie = 99;
  say (&a, ping);
  pong = hear (&a, ALS_SIGNAL_PONG);
  g_assert_cmpuint (pong->cookie, ==, 99);
  say_plain (&a, ALS_SIGNAL_PONG);
  expect_silence (&a);
  lose (&a);
  world_clear (&world);
}

static void
test_other_version (void)
{
  World world;
  Connection a;
  g_autoptr (AlsSignalMessage) hello = als_signal_message_new (ALS_SIGNAL_HELLO);

  world_init (&world, NULL);
  attach (&a, &world, "a");
  hello->version = 2;
  say (&a, hello);
  expect_error (&a, ALS_SIGNAL_CODE_BAD_VERSION);
  g_assert_true (a.closed);
  /* Nothing more is said to it, or done for it. */
  say_plain (&a, ALS_SIGNAL_REGISTER);
  expect_silence (&a);
  lose (&a);
  world_clear (&world);
}

static void
test_wrong_state (void)
{
  const AlsSignalType before_hello[]
      = { ALS_SIGNAL_REGISTER, ALS_SIGNAL_JOIN, ALS_SIGNAL_PING, ALS_SIGNAL_UNPAIR };
  const AlsSignalType after_hello[] = { ALS_SIGNAL_HELLO, ALS_SIGNAL_WAITING, ALS_SIGNAL_ERROR,
                                        ALS_SIGNAL_PEER_MESSAGE, ALS_SIGNAL_RELAY };
  World world;

  world_init (&world, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (before_hello); i++)
    {
      Connection a;

      attach (&a, &world, "a");
      say_plain (&a, before_hello[i]);
      expect_error (&a, ALS_SIGNAL_CODE_BAD_STATE);
      g_assert_true (a.closed);
      lose (&a);
    }
  for (guint i = 0; i < G_N_ELEMENTS (after_hello); i++)
    {
      g_autoptr (AlsSignalMessage) message = als_signal_message_new (after_hello[i]);
      Connection a;

      greet (&a, &world, "a");
      message->version = 1;
      message->code = 1;
      message->payload = g_bytes_new_static ("x", 1);
      say (&a, message);
      expect_error (&a, ALS_SIGNAL_CODE_BAD_STATE);
      g_assert_true (a.closed);
      lose (&a);
    }
  world_clear (&world);
}

static void
test_asking_while_paired (void)
{
  World world;
  Connection inviter, joiner;

  world_init (&world, NULL);
  make_pair (&world, &inviter, &joiner);
  /* Somebody may just have joined an inviter: no offence. */
  say_join (&inviter, 5);
  expect_error (&inviter, ALS_SIGNAL_CODE_BUSY);
  g_assert_false (inviter.closed);
  say_join (&joiner, 5);
  expect_error (&joiner, ALS_SIGNAL_CODE_BAD_STATE);
  g_assert_true (joiner.closed);
  expect_unpair (&inviter, ALS_SIGNAL_UNPAIR_LOST);
  lose (&inviter);
  lose (&joiner);
  world_clear (&world);
}

static void
test_nonsense (void)
{
  World world;
  Connection inviter, joiner;
  uint32_t number;

  world_init (&world, NULL);
  number = make_pair (&world, &inviter, &joiner);
  als_rendezvous_receive (world.rendezvous, joiner.peer, (const uint8_t *)"\xff\xff", 2,
                          world.now_us);
  expect_error (&joiner, ALS_SIGNAL_CODE_BAD_MESSAGE);
  g_assert_true (joiner.closed);
  /* Its partner hears of it at once, and waits again. */
  expect_unpair (&inviter, ALS_SIGNAL_UNPAIR_LOST);
  lose (&joiner);
  expect_silence (&inviter);
  greet (&joiner, &world, "10.0.0.2");
  say_join (&joiner, number);
  expect_pair (&inviter, &joiner);
  lose (&inviter);
  lose (&joiner);
  world_clear (&world);
}

static void
ignore_log (const char *domain, GLogLevelFlags level, const char *text, gpointer user_data)
{
}

/* A crowd that says anything at any time: whatever happens, the books agree. */
static void
test_crowd (void)
{
  enum
  {
    N = 40
  };
  World world;
  Connection crowd[N];
  uint8_t tokens[N][ALS_SIGNAL_TOKEN_BYTES] = { 0 };
  GRand *rand = g_rand_new_with_seed (11);
  AlsRendezvousOptions options;
  guint handler = g_log_set_handler ("als-server", G_LOG_LEVEL_DEBUG, ignore_log, NULL);
  guint n_pairs = 0, n_taken_over = 0;

  als_rendezvous_options_init (&options);
  options.join_burst = 1000000;
  world_init (&world, &options);
  for (guint i = 0; i < N; i++)
    greet (&crowd[i], &world, "a");
  for (guint step = 0; step < 200000; step++)
    {
      guint i = (guint)g_rand_int_range (rand, 0, N);
      Connection *one = &crowd[i];
      g_autoptr (AlsSignalMessage) message = NULL;
      AlsSignalMessage *answer;
      static const AlsSignalType types[] = {
        ALS_SIGNAL_REGISTER, ALS_SIGNAL_REGISTER, ALS_SIGNAL_UNREGISTER, ALS_SIGNAL_JOIN,
        ALS_SIGNAL_JOIN,     ALS_SIGNAL_MEET,     ALS_SIGNAL_MEET,       ALS_SIGNAL_PEER_MESSAGE,
        ALS_SIGNAL_RELAY,    ALS_SIGNAL_UNPAIR,
      };

      if (one->closed || g_rand_int_range (rand, 0, 50) == 0)
        {
          lose (one);
          if (g_rand_int_range (rand, 0, 10) == 0)
            attach (one, &world, "a");
          else
            greet (one, &world, "a");
        }
      message = als_signal_message_new (types[g_rand_int_range (rand, 0, G_N_ELEMENTS (types))]);
      message->version = 1;
      message->has_token = g_rand_boolean (rand);
      memcpy (message->token, tokens[g_rand_int_range (rand, 0, N)], sizeof message->token);
      message->number = (uint32_t)g_rand_int_range (rand, 0, 30);
      message->meeting_id[0] = (uint8_t)g_rand_int_range (rand, 0, 5);
      message->is_inviter = g_rand_boolean (rand);
      message->payload = g_bytes_new_static ("x", 1);
      world.forced[0] = (guint32)g_rand_int_range (rand, 0, 30);
      world.n_forced = 1;
      say (one, message);
      for (guint j = 0; j < N; j++)
        while ((answer = g_queue_pop_head (&crowd[j].received)) != NULL)
          {
            if (answer->type == ALS_SIGNAL_REGISTERED)
              memcpy (tokens[j], answer->token, sizeof tokens[j]);
            n_pairs += answer->type == ALS_SIGNAL_PAIRED;
            n_taken_over
                += answer->type == ALS_SIGNAL_ERROR && answer->code == ALS_SIGNAL_CODE_IDLE;
            als_signal_message_free (answer);
          }
      pass (&world, g_rand_int_range (rand, 0, 5 * SECOND));
    }
  for (guint i = 0; i < N; i++)
    lose (&crowd[i]);
  g_assert_cmpuint (als_rendezvous_get_n_pairs (world.rendezvous), ==, 0);
  pass (&world, 120 * SECOND);
  g_assert_cmpuint (als_rendezvous_get_n_numbers (world.rendezvous), ==, 0);
  g_assert_cmpint (als_rendezvous_get_deadline (world.rendezvous), ==, INT64_MAX);
  world_clear (&world);
  g_rand_free (rand);
  g_log_remove_handler ("als-server", handler);
  /* The crowd was a lively one. */
  g_test_message ("%u paired, %u taken over", n_pairs, n_taken_over);
  g_assert_cmpuint (n_pairs, >, 10000);
  g_assert_cmpuint (n_taken_over, >, 1000);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(name, func) g_test_add_func ("/server/rendezvous/" name, func)
  ADD ("foreign-peers-are-told-of-where-said", test_foreign_peers);
  ADD ("join-by-number-pairs-both", test_join);
  ADD ("numbers-are-fair-and-differ", test_numbers_differ);
  ADD ("number-somebody-waits-for-is-not-drawn", test_awaited_number_is_not_drawn);
  ADD ("no-free-number-is-full", test_numbers_run_out);
  ADD ("join-waits-thirty-seconds", test_join_waits);
  ADD ("token-keeps-the-number-while-away", test_token_keeps_number);
  ADD ("token-is-forgotten-after-a-while", test_token_expires);
  ADD ("token-wins-over-the-old-connection", test_token_wins);
  ADD ("unregister-gives-the-number-back", test_unregister);
  ADD ("registering-again-keeps-or-renews", test_register_again);
  ADD ("paired-inviter-is-busy-then-waits-again", test_busy);
  ADD ("first-of-the-waiting-joiners-is-served", test_waiting_joiners);
  ADD ("own-number-is-nobody", test_own_number);
  ADD ("joins-of-an-address-are-limited", test_join_rate);
  ADD ("unpair-frees-both", test_unpair);
  ADD ("meeting-pairs-two-roles", test_meet);
  ADD ("newer-connection-takes-the-wait-over", test_meet_newer_waits);
  ADD ("newer-connection-takes-the-pairing-over", test_meet_newer_pairs);
  ADD ("inviter-at-a-meeting-is-busy", test_meeting_inviter_is_busy);
  ADD ("relay-within-its-limits-never-ends", test_relay_within_limits);
  ADD ("relay-ends-above-its-rate", test_relay_rate);
  ADD ("relay-ends-above-its-backlog", test_relay_backlog);
  ADD ("signal-flood-is-cut", test_signal_flood);
  ADD ("turn-logins-of-an-address-are-limited", test_turn_rate);
  ADD ("ping-is-answered", test_ping);
  ADD ("public-servers-are-told-to-who-takes-them", test_public_servers);
  ADD ("other-version-is-told", test_other_version);
  ADD ("what-is-out-of-turn-closes", test_wrong_state);
  ADD ("asking-while-paired", test_asking_while_paired);
  ADD ("nonsense-closes-and-frees-the-partner", test_nonsense);
  ADD ("crowd-leaves-nothing-behind", test_crowd);
  return g_test_run ();
}
