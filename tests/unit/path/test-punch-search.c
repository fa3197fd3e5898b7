/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Two searches in invented time, each behind a NAT of a few lines: sockets,
 * mappings, filters, one way of 20 ms, and losses. */

#include "path/punch/als-punch-search.h"

#include <string.h>

#define MS ((int64_t) 1000)
#define PORT 5000

typedef enum
{
  MAP_EASY,
  MAP_SEQUENTIAL,
  MAP_RANDOM,
} Map;

typedef struct
{
  guint socket;
  AlsStunAddress remote;  /* NONE: all */
  uint16_t port;          /* outside */
} Mapping;

typedef struct
{
  Map map;
  gboolean open;           /* lets in from everywhere what has a mapping */
  gboolean is_blocked;     /* UDP vanishes */
  gboolean without_server; /* nothing is learned */
  AlsPunchSearch *search;
  AlsStunAddress local, public;
  GArray *mappings, *holes; /* of Mapping, whose port is unused in holes */
  uint16_t next_port;
  gboolean is_connected;
  guint socket;
  AlsStunAddress remote;
  int64_t connected_us;
  AlsPathProblem problem;
  guint n_probes, n_wrong;
  guint most_in_a_second, n_this_second;
  int64_t second_us;
} Side;

typedef struct
{
  int64_t due_us;
  guint to;
  GBytes *message;         /* or a packet: */
  AlsStunAddress from, dest;
  uint8_t packet[ALS_PUNCH_PROBE_BYTES];
} Event;

typedef struct
{
  Side sides[2];
  int64_t now_us, start_us;
  double loss;
  gboolean same_lan;
  GQueue events;
  GRand *rand;
} World;

static AlsStunAddress
make_address (const char *ip, uint16_t port)
{
  AlsStunAddress address;

  g_assert_true (als_stun_address_parse (&address, ip, port));
  return address;
}

static void
event_free (gpointer data)
{
  Event *event = data;

  g_clear_pointer (&event->message, g_bytes_unref);
  g_free (event);
}

static int
compare_events (gconstpointer a, gconstpointer b, gpointer user_data)
{
  int64_t difference = ((const Event *) a)->due_us - ((const Event *) b)->due_us;

  return difference < 0 ? -1 : difference > 0;
}

static AlsStunAddress
translate (World *world, Side *side, guint socket, const AlsStunAddress *remote)
{
  Mapping mapping = { .socket = socket }, hole = { .socket = socket, .remote = *remote };
  AlsStunAddress outside = side->public;

  g_array_append_val (side->holes, hole);
  if (side->map != MAP_EASY)
    mapping.remote = *remote;
  for (guint i = 0; i < side->mappings->len; i++)
    {
      Mapping *known = &g_array_index (side->mappings, Mapping, i);

      if (known->socket == socket
          && (side->map == MAP_EASY || als_stun_address_equal (&known->remote, remote)))
        {
          outside.port = known->port;
          return outside;
        }
    }
  mapping.port = side->map == MAP_RANDOM ? (uint16_t) g_rand_int_range (world->rand, 1024, 65536)
                                         : side->next_port++;
  g_array_append_val (side->mappings, mapping);
  outside.port = mapping.port;
  return outside;
}

/* The socket that a packet reaches; -1: none. */
static int
let_in (Side *side, const AlsStunAddress *dest, const AlsStunAddress *from)
{
  for (guint i = 0; i < side->mappings->len; i++)
    {
      Mapping *mapping = &g_array_index (side->mappings, Mapping, i);

      if (mapping->port != dest->port)
        continue;
      if (side->open)
        return (int) mapping->socket;
      for (guint j = 0; j < side->holes->len; j++)
        {
          Mapping *hole = &g_array_index (side->holes, Mapping, j);

          if (hole->socket == mapping->socket && als_stun_address_equal (&hole->remote, from)
              && (side->map == MAP_EASY || als_stun_address_equal (&mapping->remote, from)))
            return (int) mapping->socket;
        }
    }
  return -1;
}

static void
send_packet (World *world, guint number, const AlsPunchSearchAction *action)
{
  Side *side = &world->sides[number];
  gboolean is_lan = als_punch_address_is_private (&action->address);
  Event *event;

  side->n_probes++;
  if (world->now_us - side->second_us >= G_USEC_PER_SEC)
    {
      side->second_us = world->now_us;
      side->n_this_second = 0;
    }
  side->n_this_second++;
  side->most_in_a_second = MAX (side->most_in_a_second, side->n_this_second);
  event = g_new0 (Event, 1);
  event->to = 1 - number;
  event->due_us = world->now_us + (is_lan ? MS / 2 : 20 * MS);
  event->dest = action->address;
  memcpy (event->packet, action->packet, sizeof event->packet);
  event->from = side->local;
  if (!is_lan)
    event->from = translate (world, side, action->socket, &action->address);
  if (side->is_blocked || (is_lan && !world->same_lan)
      || g_rand_double (world->rand) < world->loss)
    event_free (event);
  else
    g_queue_insert_sorted (&world->events, event, compare_events, NULL);
}

static void
perform (World *world, guint number)
{
  Side *side = &world->sides[number];
  AlsPunchSearchAction action;

  while (als_punch_search_take_action (side->search, world->now_us, &action))
    switch (action.type)
      {
      case ALS_PUNCH_SEARCH_SEND:
        {
          Event *event = g_new0 (Event, 1);

          event->to = 1 - number;
          event->due_us = world->now_us + 25 * MS;
          event->message = action.message;
          g_queue_insert_sorted (&world->events, event, compare_events, NULL);
          break;
        }
      case ALS_PUNCH_SEARCH_PROBE:
        send_packet (world, number, &action);
        break;
      case ALS_PUNCH_SEARCH_CONNECTED:
        g_assert_false (side->is_connected);
        side->is_connected = TRUE;
        side->socket = action.socket;
        side->remote = action.address;
        side->connected_us = world->now_us;
        break;
      case ALS_PUNCH_SEARCH_FAIL:
        g_assert_cmpint (side->problem, ==, ALS_PATH_PROBLEM_NONE);
        side->problem = action.problem;
        break;
      }
}

static void
dispatch (World *world, Event *event)
{
  Side *side = &world->sides[event->to];
  int socket;

  if (event->message != NULL)
    {
      als_punch_search_receive (side->search, g_bytes_get_data (event->message, NULL),
                                g_bytes_get_size (event->message), world->now_us);
      return;
    }
  if (als_punch_address_is_private (&event->dest))
    socket = als_stun_address_equal (&event->dest, &side->local) ? 0 : -1;
  else
    socket = als_stun_address_same_ip (&event->dest, &side->public)
                 ? let_in (side, &event->dest, &event->from)
                 : -1;
  if (socket < 0 || side->is_blocked)
    return;
  if (side->is_connected)
    {
      /* What a carrier would do. */
      uint8_t key[ALS_PUNCH_KEY_BYTES];
      AlsPunchSearchAction accept = { .type = ALS_PUNCH_SEARCH_PROBE, .socket = side->socket,
                                      .address = side->remote };
      AlsPunchProbe probe;

      als_punch_search_get_parting (side->search, key, accept.packet);
      if (als_punch_probe_decode (&probe, key, event->packet, sizeof event->packet)
          && probe.type == ALS_PUNCH_NOMINATE)
        send_packet (world, event->to, &accept);
      return;
    }
  als_punch_search_packet (side->search, (guint) socket, &event->from, event->packet,
                           sizeof event->packet, world->now_us);
}

static void
world_init (World *self, Map inviter, Map joiner, guint32 seed)
{
  memset (self, 0, sizeof *self);
  g_queue_init (&self->events);
  self->rand = g_rand_new_with_seed (seed);
  self->now_us = self->start_us = 1000 * MS;
  self->sides[0].map = inviter;
  self->sides[1].map = joiner;
  for (guint i = 0; i < 2; i++)
    {
      Side *side = &self->sides[i];
      AlsPunchSearchConfig config = { .is_inviter = i == 0, .seed = seed + i };

      memset (config.secret, (int) i + 1, sizeof config.secret);
      side->search = als_punch_search_new (&config, self->now_us);
      side->local = make_address (i == 0 ? "10.0.0.2" : "10.0.1.2", PORT);
      side->public = make_address (i == 0 ? "203.0.113.1" : "203.0.113.2", PORT);
      side->next_port = (uint16_t) (20000 + 20000 * i);
      side->mappings = g_array_new (FALSE, FALSE, sizeof (Mapping));
      side->holes = g_array_new (FALSE, FALSE, sizeof (Mapping));
    }
}

static void
world_start (World *self)
{
  for (guint i = 0; i < 2; i++)
    {
      Side *side = &self->sides[i];
      AlsPunchEndpoint endpoints[3] = { { ALS_PUNCH_HOST, side->local, 0 } };
      guint n = 1;

      for (guint j = 0; j < 2 && !side->without_server; j++)
        {
          AlsStunAddress server = make_address (j == 0 ? "198.51.100.1" : "198.51.100.2", 3478);

          endpoints[n].kind = ALS_PUNCH_PUBLIC;
          endpoints[n].step = 0;
          endpoints[n++].address = translate (self, side, 0, &server);
        }
      als_punch_search_set_local (side->search, endpoints, n, TRUE, self->now_us);
      perform (self, i);
    }
}

static gboolean
is_over (World *self)
{
  return (self->sides[0].is_connected && self->sides[1].is_connected)
         || (self->sides[0].problem != ALS_PATH_PROBLEM_NONE
             && self->sides[1].problem != ALS_PATH_PROBLEM_NONE);
}

static void
world_run (World *self, int64_t limit_us)
{
  while (!is_over (self))
    {
      Event *first = g_queue_peek_head (&self->events);
      int64_t next_us = first != NULL ? first->due_us : INT64_MAX;

      for (guint i = 0; i < 2; i++)
        next_us = MIN (next_us, als_punch_search_get_deadline (self->sides[i].search));
      if (next_us > self->start_us + limit_us)
        return;
      self->now_us = MAX (self->now_us, next_us);
      while ((first = g_queue_peek_head (&self->events)) != NULL && first->due_us <= self->now_us)
        {
          dispatch (self, g_queue_pop_head (&self->events));
          event_free (first);
        }
      for (guint i = 0; i < 2; i++)
        perform (self, i);
    }
}

static void
world_clear (World *self)
{
  for (guint i = 0; i < 2; i++)
    {
      als_punch_search_free (self->sides[i].search);
      g_array_unref (self->sides[i].mappings);
      g_array_unref (self->sides[i].holes);
    }
  g_queue_clear_full (&self->events, event_free);
  g_rand_free (self->rand);
}

static int
took_ms (World *self)
{
  if (!self->sides[0].is_connected || !self->sides[1].is_connected)
    return -1;
  return (int) ((MAX (self->sides[0].connected_us, self->sides[1].connected_us) - self->start_us) / MS);
}

/* Each end sends to where the other receives. */
static void
assert_ends_agree (World *self)
{
  for (guint i = 0; i < 2; i++)
    {
      Side *side = &self->sides[i], *peer = &self->sides[1 - i];
      AlsStunAddress from = als_punch_address_is_private (&side->remote)
                                ? side->local
                                : translate (self, side, side->socket, &side->remote);

      g_assert_true (als_stun_address_equal (&peer->remote, &from));
    }
}

/* --- tests ------------------------------------------------------------------ */

static void
test_easy_ones_meet_at_once (void)
{
  static const Map maps[][2] = { { MAP_EASY, MAP_EASY }, { MAP_EASY, MAP_SEQUENTIAL },
                                 { MAP_SEQUENTIAL, MAP_EASY }, { MAP_SEQUENTIAL, MAP_SEQUENTIAL } };

  for (guint i = 0; i < 2 * G_N_ELEMENTS (maps); i++)
    {
      World world;

      world_init (&world, maps[i / 2][0], maps[i / 2][1], i);
      world.loss = i % 2 == 0 ? 0 : 0.2;
      world_start (&world);
      world_run (&world, 30 * G_USEC_PER_SEC);
      g_test_message ("%d and %d, loss %.1f: %d ms, %u + %u probes", maps[i / 2][0], maps[i / 2][1],
                      world.loss, took_ms (&world), world.sides[0].n_probes, world.sides[1].n_probes);
      g_assert_cmpint (took_ms (&world), >=, 0);
      g_assert_cmpint (took_ms (&world), <=, i % 2 == 0 ? 400 : 3000);
      g_assert_cmpuint (world.sides[0].socket, ==, 0);
      assert_ends_agree (&world);
      world_clear (&world);
    }
}

static void
test_hard_one_is_met_on_its_birthday (void)
{
  int sum_ms = 0, most_ms = 0;
  guint n = 0;

  for (guint seed = 0; seed < 40; seed++)
    {
      guint hard = seed % 2;
      World world;

      world_init (&world, hard == 0 ? MAP_RANDOM : MAP_EASY, hard == 1 ? MAP_RANDOM : MAP_EASY, seed);
      world.loss = seed % 4 >= 2 ? 0.05 : 0;
      world_start (&world);
      world_run (&world, 30 * G_USEC_PER_SEC);
      g_test_message ("%d ms, %u + %u probes, %u + %u in a second", took_ms (&world),
                      world.sides[0].n_probes, world.sides[1].n_probes,
                      world.sides[0].most_in_a_second, world.sides[1].most_in_a_second);
      g_assert_cmpint (took_ms (&world), >=, 0);
      g_assert_cmpint (took_ms (&world), <=, 20000);
      g_assert_cmpuint (world.sides[hard].socket, >=, ALS_PUNCH_FIRST_OF_MANY);
      g_assert_cmpuint (world.sides[1 - hard].n_probes, <=, 2048 + 200);
      g_assert_cmpuint (world.sides[1 - hard].most_in_a_second, <=, 200);
      g_assert_cmpuint (world.sides[hard].most_in_a_second, <=, 250);
      assert_ends_agree (&world);
      sum_ms += took_ms (&world);
      most_ms = MAX (most_ms, took_ms (&world));
      n++;
      world_clear (&world);
    }
  g_test_message ("%u birthdays: %d ms on average, %d ms at the most", n, sum_ms / (int) n, most_ms);
}

static void
test_hard_ones_give_up_at_once (void)
{
  static const Map maps[][2] = { { MAP_RANDOM, MAP_RANDOM }, { MAP_RANDOM, MAP_SEQUENTIAL },
                                 { MAP_SEQUENTIAL, MAP_RANDOM } };

  for (guint i = 0; i < G_N_ELEMENTS (maps); i++)
    {
      World world;

      world_init (&world, maps[i][0], maps[i][1], i);
      world_start (&world);
      world_run (&world, 30 * G_USEC_PER_SEC);
      g_assert_cmpint (world.sides[0].problem, ==, ALS_PATH_PROBLEM_UNPREDICTABLE);
      g_assert_cmpint (world.sides[1].problem, ==, ALS_PATH_PROBLEM_UNPREDICTABLE);
      g_assert_cmpint (world.now_us - world.start_us, <, 100 * MS);
      world_clear (&world);
    }
}

static void
test_one_network_goes_without_guesses (void)
{
  World world;

  world_init (&world, MAP_RANDOM, MAP_RANDOM, 1);
  world.same_lan = TRUE;
  world.sides[1].public = world.sides[0].public;
  world_start (&world);
  world_run (&world, 30 * G_USEC_PER_SEC);
  g_assert_cmpint (took_ms (&world), >=, 0);
  g_assert_cmpint (took_ms (&world), <=, 100);
  g_assert_true (als_punch_search_is_lan (world.sides[0].search, &world.sides[0].local,
                                         &world.sides[0].remote));
  world_clear (&world);
}

static void
test_blocked_one_is_given_up (void)
{
  for (guint blocked = 0; blocked < 2; blocked++)
    for (guint i = 0; i < 2; i++)
      {
        World world;

        world_init (&world, i == 0 ? MAP_EASY : MAP_RANDOM, MAP_EASY, 1);
        world.sides[blocked].is_blocked = TRUE;
        world_start (&world);
        world_run (&world, 60 * G_USEC_PER_SEC);
        g_assert_cmpint (world.sides[0].problem, ==, ALS_PATH_PROBLEM_SILENCE);
        g_assert_cmpint (world.sides[1].problem, ==, ALS_PATH_PROBLEM_SILENCE);
        g_assert_cmpint (world.now_us - world.start_us, <=, 21 * G_USEC_PER_SEC);
        g_assert_cmpint (als_punch_search_get_deadline (world.sides[0].search), ==, INT64_MAX);
        world_clear (&world);
      }
}

static void
test_strangers_and_echoes_prove_nothing (void)
{
  AlsPunchSearchConfig config = { .is_inviter = TRUE, .seed = 1 };
  g_autoptr (AlsPunchSearch) search = NULL;
  AlsPunchEndpoint own = { ALS_PUNCH_HOST, make_address ("10.0.0.2", PORT), 0 };
  AlsPunchMessage message = { .type = ALS_PUNCH_ENDPOINTS, .is_settled = TRUE, .has_secret = TRUE,
                              .n_endpoints = 1 };
  AlsStunAddress there = make_address ("10.0.0.3", PORT);
  AlsPunchSearchAction action;
  uint8_t key[ALS_PUNCH_KEY_BYTES], packet[ALS_PUNCH_PROBE_BYTES], ours[ALS_PUNCH_PROBE_BYTES];
  g_autoptr (GBytes) bytes = NULL;
  gboolean has_ours = FALSE;
  AlsPathReport report = { 0 };
  AlsPunchProbe probe;
  int64_t now_us = 1;

  memset (config.secret, 1, sizeof config.secret);
  memset (message.secret, 2, sizeof message.secret);
  message.endpoints[0] = (AlsPunchEndpoint){ ALS_PUNCH_HOST, there, 0 };
  search = als_punch_search_new (&config, now_us);
  als_punch_search_set_local (search, &own, 1, TRUE, now_us);
  bytes = als_punch_message_encode (&message);
  als_punch_search_receive (search, g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes), now_us);
  while (als_punch_search_take_action (search, now_us, &action))
    {
      if (action.type == ALS_PUNCH_SEARCH_PROBE)
        memcpy (ours, action.packet, sizeof ours);
      has_ours |= action.type == ALS_PUNCH_SEARCH_PROBE;
      g_clear_pointer (&action.message, g_bytes_unref);
    }
  g_assert_true (has_ours);
  /* Our own probe, thrown back. */
  g_assert_false (als_punch_search_packet (search, 0, &there, ours, sizeof ours, now_us));
  /* Under another key, cut short, grown, altered. */
  als_punch_probe_make_key (config.secret, message.secret, key);
  g_assert_true (als_punch_probe_decode (&probe, key, ours, sizeof ours));
  probe = (AlsPunchProbe){ ALS_PUNCH_ANSWER, FALSE, 77, probe.nonce };
  key[0] ^= 1;
  als_punch_probe_encode (&probe, key, packet);
  g_assert_false (als_punch_search_packet (search, 0, &there, packet, sizeof packet, now_us));
  key[0] ^= 1;
  als_punch_probe_encode (&probe, key, packet);
  for (size_t len = 0; len < sizeof packet; len++)
    g_assert_false (als_punch_search_packet (search, 0, &there, packet, len, now_us));
  for (guint bit = 0; bit < 8 * sizeof packet; bit++)
    {
      packet[bit / 8] ^= (uint8_t) (1u << bit % 8);
      g_assert_false (als_punch_search_packet (search, 0, &there, packet, sizeof packet, now_us));
      packet[bit / 8] ^= (uint8_t) (1u << bit % 8);
    }
  als_punch_search_get_report (search, &report);
  g_assert_cmpuint (report.strangers, ==, 1 + 1 + 40 + 320);
  /* A true answer, but from where we did not ask: heard, not believed. */
  {
    AlsStunAddress elsewhere = make_address ("10.0.0.4", PORT);

    g_assert_true (als_punch_search_packet (search, 0, &elsewhere, packet, sizeof packet, now_us));
    while (als_punch_search_take_action (search, now_us, &action))
      if (action.type == ALS_PUNCH_SEARCH_PROBE)
        {
          g_assert_true (als_punch_probe_decode (&probe, key, action.packet, sizeof action.packet));
          g_assert_cmpint (probe.type, !=, ALS_PUNCH_NOMINATE);
        }
  }
  /* And the true one: nominated at once. */
  g_assert_true (als_punch_search_packet (search, 0, &there, packet, sizeof packet, now_us));
  g_assert_true (als_punch_search_take_action (search, now_us, &action));
  g_assert_true (als_punch_probe_decode (&probe, key, action.packet, sizeof action.packet));
  g_assert_cmpint (probe.type, ==, ALS_PUNCH_NOMINATE);
  g_assert_cmpuint (probe.echo, ==, 77);
}

static void
test_hostile_peer_is_bounded (void)
{
  AlsPunchSearchConfig config = { .seed = 1 };
  g_autoptr (AlsPunchSearch) search = als_punch_search_new (&config, 1);
  AlsPunchEndpoint own[2] = { { ALS_PUNCH_PUBLIC, make_address ("203.0.113.1", PORT), 0 },
                              { ALS_PUNCH_PUBLIC, make_address ("203.0.113.1", PORT), 0 } };
  AlsPunchMessage message = { .type = ALS_PUNCH_ENDPOINTS, .is_settled = TRUE, .has_secret = TRUE,
                              .nat = ALS_PUNCH_NAT_RANDOM };
  AlsPunchSearchAction action;
  guint n_probes = 0;
  int64_t now_us = 1;

  als_punch_search_set_local (search, own, 2, TRUE, now_us);
  for (guint i = 0; i < 200; i++)
    {
      g_autoptr (GBytes) bytes = NULL;

      message.n_endpoints = ALS_PUNCH_MAX_ENDPOINTS;
      for (guint j = 0; j < ALS_PUNCH_MAX_ENDPOINTS; j++)
        {
          g_autofree char *ip = g_strdup_printf (j % 4 == 0 ? "127.0.%u.%u" : "198.51.%u.%u", i, j + 1);

          message.endpoints[j] = (AlsPunchEndpoint){ ALS_PUNCH_PUBLIC, make_address (ip, 53), 0 };
        }
      bytes = als_punch_message_encode (&message);
      als_punch_search_receive (search, g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes), now_us);
    }
  while (als_punch_search_get_deadline (search) != INT64_MAX)
    {
      now_us = MAX (now_us, als_punch_search_get_deadline (search));
      while (als_punch_search_take_action (search, now_us, &action))
        {
          g_clear_pointer (&action.message, g_bytes_unref);
          if (action.type != ALS_PUNCH_SEARCH_PROBE)
            continue;
          g_assert_true (als_punch_address_is_dialable (&action.address, FALSE));
          n_probes++;
        }
      g_assert_cmpint (now_us, <, 60 * G_USEC_PER_SEC);
    }
  g_test_message ("%u probes in %.1f s", n_probes, now_us / 1e6);
  g_assert_cmpuint (n_probes, <, 2048 + 40 * 50);
}

/* Of marks, which go on for long, towards whoever an invitation names. */
static void
test_hostile_invitation_is_bounded (void)
{
  AlsPunchSearchConfig config = { .seed = 1, .mark_us = G_USEC_PER_SEC };
  g_autoptr (AlsPunchSearch) search = als_punch_search_new (&config, 1);
  AlsPunchEndpoint own = { ALS_PUNCH_PUBLIC, make_address ("203.0.113.1", PORT), 0 };
  AlsPunchMessage message = { .type = ALS_PUNCH_ENDPOINTS, .is_settled = TRUE, .has_secret = TRUE,
                              .nat = ALS_PUNCH_NAT_EASY, .n_endpoints = ALS_PUNCH_MAX_ENDPOINTS };
  g_autoptr (GBytes) bytes = NULL;
  AlsPunchSearchAction action;
  guint n_probes = 0;
  int64_t now_us = 1;

  als_punch_search_set_local (search, &own, 1, TRUE, now_us);
  for (guint i = 0; i < ALS_PUNCH_MAX_ENDPOINTS; i++)
    message.endpoints[i] = (AlsPunchEndpoint){ ALS_PUNCH_PUBLIC,
                                               make_address ("198.51.100.7", 100 + i), 0 };
  bytes = als_punch_message_encode (&message);
  als_punch_search_receive (search, g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes), now_us);
  while (now_us < 15 * 60 * G_USEC_PER_SEC)
    {
      while (als_punch_search_take_action (search, now_us, &action))
        {
          g_clear_pointer (&action.message, g_bytes_unref);
          n_probes += action.type == ALS_PUNCH_SEARCH_PROBE;
        }
      now_us = MAX (now_us, als_punch_search_get_deadline (search));
    }
  g_test_message ("%u probes in 15 minutes", n_probes);
  g_assert_cmpuint (n_probes, >, 400 * ALS_PUNCH_MAX_ENDPOINTS);
  g_assert_cmpuint (n_probes, <, (450 + 10) * ALS_PUNCH_MAX_ENDPOINTS);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/path/punch/search/easy-ones-meet-at-once", test_easy_ones_meet_at_once);
  g_test_add_func ("/path/punch/search/hard-one-is-met-on-its-birthday",
                   test_hard_one_is_met_on_its_birthday);
  g_test_add_func ("/path/punch/search/hard-ones-give-up-at-once", test_hard_ones_give_up_at_once);
  g_test_add_func ("/path/punch/search/one-network-goes-without-guesses",
                   test_one_network_goes_without_guesses);
  g_test_add_func ("/path/punch/search/blocked-one-is-given-up", test_blocked_one_is_given_up);
  g_test_add_func ("/path/punch/search/strangers-and-echoes-prove-nothing",
                   test_strangers_and_echoes_prove_nothing);
  g_test_add_func ("/path/punch/search/hostile-peer-is-bounded", test_hostile_peer_is_bounded);
  g_test_add_func ("/path/punch/search/hostile-invitation-is-bounded",
                   test_hostile_invitation_is_bounded);
  return g_test_run ();
}
