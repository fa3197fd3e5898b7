/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Two punch plans in invented time, each behind a NAT made of a few lines, with
 * as much of TCP as dialling needs: SYNs, resets, simultaneous open, listeners,
 * the kernel's own second SYN. The two hosts:
 *
 *   10.0.0.2:5000 -- 203.0.113.1 ---- one way ---- 203.0.113.2 -- 10.0.1.2:5000
 */

#include "path/punch/als-punch-plan.h"

#include <string.h>

#define MS ((int64_t) 1000)
#define PORT 5000
#define MAX_DIALS 64

typedef enum
{
  FILTER_NONE, /* of an endpoint-independent mapping */
  FILTER_ADDRESS,
  FILTER_PORT,
} Filter;

typedef enum
{
  MAP_SAME,   /* no NAT at all; the filter holds */
  MAP_EASY,
  MAP_SEQUENTIAL,
  MAP_RANDOM,
} Map;

typedef struct
{
  Map map;
  Filter filter;
  gboolean resets; /* unsolicited ones */
  int step;
} NatModel;

typedef struct
{
  AlsStunAddress remote;  /* NONE: all */
  AlsStunAddress outside;
} Mapping;

typedef struct
{
  gboolean is_open;
  AlsStunAddress remote;
  int64_t since_us;
  guint n_syns;
} Dial;

typedef struct
{
  NatModel nat;
  gboolean is_mute;        /* its messages are lost */
  gboolean no_listener;
  gboolean knows_public;
  int64_t knows_public_us; /* after the start */
  AlsPunchPlan *plan;
  AlsStunAddress local, public;
  GArray *mappings;        /* of Mapping */
  GArray *sent_to;         /* of AlsStunAddress: holes */
  uint16_t next_port;
  Dial dials[MAX_DIALS];
  guint n_dials;
  int64_t first_dial_us, connected_us;
  AlsPathProblem problem;
} Side;

typedef enum
{
  EVENT_MESSAGE,
  EVENT_SYN,
  EVENT_RESULT, /* for a dial */
} EventType;

typedef struct
{
  EventType type;
  int64_t due_us;
  guint to;
  GBytes *message;
  AlsStunAddress from, dest;
  guint dial;
  AlsPunchResult result;
} Event;

typedef struct
{
  Side sides[2];
  int64_t now_us, start_us;
  int64_t way_us;       /* one way of packets */
  int64_t message_us;   /* one way of messages */
  int64_t late_us;      /* added to messages for the joiner */
  gboolean same_lan;
  GPtrArray *events;
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

static Event *
add_event (World *self, EventType type, guint to, int64_t delay_us)
{
  Event *event = g_new0 (Event, 1);

  event->type = type;
  event->to = to;
  event->due_us = self->now_us + delay_us;
  g_ptr_array_add (self->events, event);
  return event;
}

/* --- NATs ------------------------------------------------------------------- */

static gboolean
is_sent_to (Side *side, const AlsStunAddress *remote, gboolean with_port)
{
  for (guint i = 0; i < side->sent_to->len; i++)
    {
      const AlsStunAddress *sent = &g_array_index (side->sent_to, AlsStunAddress, i);

      if (with_port ? als_stun_address_equal (sent, remote) : als_stun_address_same_ip (sent, remote))
        return TRUE;
    }
  return FALSE;
}

/* What the world sees when the side sends to REMOTE. */
static AlsStunAddress
translate (World *world, Side *side, const AlsStunAddress *remote)
{
  Mapping mapping = { .outside = side->public };

  g_array_append_val (side->sent_to, *remote);
  if (side->nat.map == MAP_SAME)
    return side->public;
  if (side->nat.map != MAP_EASY)
    mapping.remote = *remote;
  for (guint i = 0; i < side->mappings->len; i++)
    {
      Mapping *known = &g_array_index (side->mappings, Mapping, i);

      if (side->nat.map == MAP_EASY || als_stun_address_equal (&known->remote, remote))
        return known->outside;
    }
  if (side->nat.map == MAP_RANDOM)
    mapping.outside.port = (uint16_t) g_rand_int_range (world->rand, 1024, 65536);
  else
    {
      mapping.outside.port = side->next_port;
      side->next_port = (uint16_t) (side->next_port + side->nat.step);
    }
  g_array_append_val (side->mappings, mapping);
  return mapping.outside;
}

static gboolean
lets_in (Side *side, const AlsStunAddress *dest, const AlsStunAddress *from)
{
  gboolean is_mapped = side->nat.map == MAP_SAME && dest->port == PORT;

  for (guint i = 0; i < side->mappings->len && !is_mapped; i++)
    {
      Mapping *mapping = &g_array_index (side->mappings, Mapping, i);

      is_mapped = mapping->outside.port == dest->port
                  && (mapping->remote.family == ALS_STUN_FAMILY_NONE || side->nat.filter == FILTER_NONE
                      || als_stun_address_same_ip (&mapping->remote, from));
      if (is_mapped && mapping->remote.family != ALS_STUN_FAMILY_NONE
          && side->nat.filter == FILTER_PORT && !als_stun_address_equal (&mapping->remote, from))
        is_mapped = FALSE;
    }
  return is_mapped
         && (side->nat.filter == FILTER_NONE
             || is_sent_to (side, from, side->nat.filter == FILTER_PORT));
}

/* --- TCP -------------------------------------------------------------------- */

static void
send_syn (World *world, guint from, guint dial)
{
  Side *side = &world->sides[from];
  Dial *socket = &side->dials[dial];
  gboolean is_lan = als_punch_address_is_private (&socket->remote);
  Event *event;

  socket->n_syns++;
  if (is_lan && !world->same_lan)
    {
      translate (world, side, &socket->remote);
      return;
    }
  event = add_event (world, EVENT_SYN, 1 - from, is_lan ? MS / 2 : world->way_us);
  event->from = is_lan ? side->local : translate (world, side, &socket->remote);
  event->dest = socket->remote;
  event->dial = dial;
}

static void
answer_dial (World *world, guint side, guint dial, AlsPunchResult result, int64_t delay_us)
{
  Event *event = add_event (world, EVENT_RESULT, side, delay_us);

  event->dial = dial;
  event->result = result;
}

static void
arrive_syn (World *world, Event *event)
{
  Side *side = &world->sides[event->to];
  gboolean is_lan = als_punch_address_is_private (&event->dest);
  int64_t way_us = is_lan ? MS / 2 : world->way_us;

  if (is_lan ? !als_stun_address_equal (&event->dest, &side->local)
             : !als_stun_address_same_ip (&event->dest, &side->public)
                 || !lets_in (side, &event->dest, &event->from))
    {
      if (is_lan || side->nat.resets)
        answer_dial (world, 1 - event->to, event->dial, ALS_PUNCH_REFUSED, way_us);
      return;
    }
  for (guint i = 0; i < MAX_DIALS; i++)
    if (side->dials[i].is_open && als_stun_address_equal (&side->dials[i].remote, &event->from))
      {
        answer_dial (world, event->to, i, ALS_PUNCH_CONNECTED, 0);
        answer_dial (world, 1 - event->to, event->dial, ALS_PUNCH_CONNECTED, way_us);
        return;
      }
  if (side->no_listener)
    {
      answer_dial (world, 1 - event->to, event->dial, ALS_PUNCH_REFUSED, way_us);
      return;
    }
  als_punch_plan_accepted (side->plan, FALSE);
  if (side->connected_us == 0)
    side->connected_us = world->now_us;
  answer_dial (world, 1 - event->to, event->dial, ALS_PUNCH_CONNECTED, way_us);
}

/* --- the world -------------------------------------------------------------- */

static void
dispatch (World *world, Event *event)
{
  Side *side = &world->sides[event->to];
  const uint8_t *data;
  size_t len;

  switch (event->type)
    {
    case EVENT_MESSAGE:
      data = g_bytes_get_data (event->message, &len);
      als_punch_plan_receive (side->plan, data, len, world->now_us);
      break;
    case EVENT_SYN:
      arrive_syn (world, event);
      break;
    case EVENT_RESULT:
      if (!side->dials[event->dial].is_open)
        break;
      side->dials[event->dial].is_open = FALSE;
      if (event->result == ALS_PUNCH_CONNECTED && side->connected_us == 0)
        side->connected_us = world->now_us;
      als_punch_plan_dialled (side->plan, event->dial, event->result, world->now_us);
      break;
    }
}

static void
perform (World *world, guint number)
{
  Side *side = &world->sides[number];
  AlsPunchAction action;

  while (als_punch_plan_take_action (side->plan, world->now_us, &action))
    switch (action.type)
      {
      case ALS_PUNCH_DO_SEND:
        if (side->is_mute)
          g_bytes_unref (action.message);
        else
          add_event (world, EVENT_MESSAGE, 1 - number,
                     world->message_us + (number == 0 ? world->late_us : 0))
            ->message = action.message;
        break;
      case ALS_PUNCH_DO_DIAL:
        g_assert_cmpuint (action.dial, <, MAX_DIALS);
        g_assert_false (side->dials[action.dial].is_open);
        if (side->first_dial_us == 0)
          side->first_dial_us = world->now_us;
        side->n_dials++;
        side->dials[action.dial] = (Dial){ .is_open = TRUE, .remote = action.address,
                                           .since_us = world->now_us };
        send_syn (world, number, action.dial);
        break;
      case ALS_PUNCH_DO_DROP:
        side->dials[action.dial].is_open = FALSE;
        break;
      case ALS_PUNCH_DO_FAIL:
        g_assert_cmpint (side->problem, ==, ALS_PATH_PROBLEM_NONE);
        side->problem = action.problem;
        break;
      }
}

/* The kernel's second and third SYN. */
static int64_t
next_retransmission (const Dial *dial)
{
  static const int64_t after_ms[] = { 0, 1000, 3000 };

  if (!dial->is_open || dial->n_syns >= G_N_ELEMENTS (after_ms))
    return INT64_MAX;
  return dial->since_us + after_ms[dial->n_syns] * MS;
}

static void
tell_local (World *world, guint number)
{
  Side *side = &world->sides[number];
  AlsPunchEndpoint endpoints[4] = { { ALS_PUNCH_HOST, side->local, 0 } };
  gboolean is_known = world->now_us - world->start_us >= side->knows_public_us;
  guint n = 1;

  if (side->knows_public && is_known)
    for (guint i = 0; i < 2; i++)
      {
        AlsStunAddress server = make_address (i == 0 ? "198.51.100.1" : "198.51.100.2", 3478);

        endpoints[n].kind = ALS_PUNCH_PUBLIC;
        endpoints[n++].address = translate (world, side, &server);
      }
  als_punch_plan_set_local (side->plan, endpoints, n, is_known, world->now_us);
}

static void
world_init (World *self, NatModel inviter, NatModel joiner)
{
  memset (self, 0, sizeof *self);
  self->events = g_ptr_array_new_with_free_func (event_free);
  self->rand = g_rand_new_with_seed (7);
  self->now_us = self->start_us = 1000 * MS;
  self->way_us = 20 * MS;
  self->message_us = 25 * MS;
  self->sides[0].nat = inviter;
  self->sides[1].nat = joiner;
  for (guint i = 0; i < 2; i++)
    {
      Side *side = &self->sides[i];

      side->knows_public = TRUE;
      side->next_port = (uint16_t) (40000 + 10000 * i);
      side->mappings = g_array_new (FALSE, FALSE, sizeof (Mapping));
      side->sent_to = g_array_new (FALSE, FALSE, sizeof (AlsStunAddress));
      side->public = make_address (i == 0 ? "203.0.113.1" : "203.0.113.2", PORT);
      side->local = make_address (i == 0 ? "10.0.0.2" : "10.0.1.2", PORT);
      if (side->nat.map == MAP_SAME)
        side->local = side->public;
      if (side->nat.step == 0)
        side->nat.step = 1;
    }
}

static void
world_start (World *self, const AlsPunchPlanConfig *marks)
{
  for (guint i = 0; i < 2; i++)
    {
      AlsPunchPlanConfig config = { .is_inviter = i == 0, .seed = i + 1 };

      if (marks != NULL)
        {
          config.mark_us = marks->mark_us + (i == 0 ? 0 : self->late_us);
          config.mark_step_us = marks->mark_step_us;
        }
      self->sides[i].plan = als_punch_plan_new (&config, self->now_us);
      tell_local (self, i);
      perform (self, i);
    }
}

static void
world_clear (World *self)
{
  for (guint i = 0; i < 2; i++)
    {
      als_punch_plan_free (self->sides[i].plan);
      g_array_unref (self->sides[i].mappings);
      g_array_unref (self->sides[i].sent_to);
    }
  g_ptr_array_unref (self->events);
  g_rand_free (self->rand);
}

static int64_t
world_next (World *self)
{
  int64_t next_us = INT64_MAX;

  for (guint i = 0; i < self->events->len; i++)
    next_us = MIN (next_us, ((Event *) g_ptr_array_index (self->events, i))->due_us);
  for (guint i = 0; i < 2; i++)
    {
      Side *side = &self->sides[i];

      next_us = MIN (next_us, als_punch_plan_get_deadline (side->plan));
      if (side->knows_public && self->start_us + side->knows_public_us > self->now_us)
        next_us = MIN (next_us, self->start_us + side->knows_public_us);
      for (guint j = 0; j < MAX_DIALS; j++)
        next_us = MIN (next_us, next_retransmission (&side->dials[j]));
    }
  return next_us;
}

static gboolean
is_over (World *self)
{
  gboolean all_failed = TRUE, all_connected = TRUE;

  for (guint i = 0; i < 2; i++)
    {
      all_failed &= self->sides[i].problem != ALS_PATH_PROBLEM_NONE;
      all_connected &= self->sides[i].connected_us != 0;
    }
  return all_failed || all_connected;
}

/* Until both are connected or both have given up. */
static void
world_run (World *self, int64_t limit_us)
{
  int64_t end_us = self->now_us + limit_us;

  while (!is_over (self))
    {
      int64_t next_us = world_next (self);
      int64_t before_us = self->now_us;

      if (next_us > end_us)
        {
          self->now_us = end_us;
          return;
        }
      self->now_us = MAX (self->now_us, next_us);
      for (guint i = 0; i < 2; i++)
        {
          Side *side = &self->sides[i];
          int64_t known_us = self->start_us + side->knows_public_us;

          if (side->knows_public && known_us > before_us && known_us <= self->now_us)
            tell_local (self, i);
          for (guint j = 0; j < MAX_DIALS; j++)
            if (next_retransmission (&side->dials[j]) <= self->now_us)
              send_syn (self, i, j);
        }
      for (guint i = 0; i < self->events->len;)
        {
          Event *event = g_ptr_array_index (self->events, i);

          if (event->due_us > self->now_us)
            i++;
          else
            {
              g_ptr_array_steal_index (self->events, i);
              dispatch (self, event);
              event_free (event);
              i = 0;
            }
        }
      for (guint i = 0; i < 2; i++)
        perform (self, i);
    }
}

/* From the first dial of either until both are connected; -1: they are not. */
static int64_t
took_ms (World *self)
{
  int64_t first_us = INT64_MAX;

  for (guint i = 0; i < 2; i++)
    {
      if (self->sides[i].connected_us == 0)
        return -1;
      if (self->sides[i].first_dial_us != 0)
        first_us = MIN (first_us, self->sides[i].first_dial_us);
    }
  return (MAX (self->sides[0].connected_us, self->sides[1].connected_us) - first_us) / MS;
}

/* --- tests ------------------------------------------------------------------ */

static const struct
{
  const char *name;
  NatModel model;
} nats[] = {
  { "none", { MAP_SAME, FILTER_NONE } },
  { "firewall", { MAP_SAME, FILTER_PORT } },
  { "full-cone", { MAP_EASY, FILTER_NONE } },
  { "address", { MAP_EASY, FILTER_ADDRESS } },
  { "port", { MAP_EASY, FILTER_PORT } },
  { "sequential", { MAP_SEQUENTIAL, FILTER_PORT } },
  { "random", { MAP_RANDOM, FILTER_PORT } },
};

/* A random port is met only where the other side lets in any port of an address. Two sequential NATs
 * meet because both dial the foretold ports in their order, before anything else. */
static gboolean
can_pass (guint a, guint b)
{
  if (nats[a].model.map < MAP_SEQUENTIAL && nats[b].model.map < MAP_SEQUENTIAL)
    return TRUE;
  if (nats[a].model.filter < FILTER_PORT || nats[b].model.filter < FILTER_PORT)
    return TRUE;
  return nats[a].model.map != MAP_RANDOM && nats[b].model.map != MAP_RANDOM;
}

static void
test_passes_every_pair_that_can_be_passed (void)
{
  static const int64_t late_ms[] = { 0, 50, 200, 1000 };

  for (guint a = 0; a < G_N_ELEMENTS (nats); a++)
    for (guint b = 0; b < G_N_ELEMENTS (nats); b++)
      for (guint i = 0; i < 2 * G_N_ELEMENTS (late_ms); i++)
        {
          World world;

          world_init (&world, nats[a].model, nats[b].model);
          world.late_us = late_ms[i / 2] * MS;
          for (guint j = 0; j < 2; j++)
            world.sides[j].nat.resets = i % 2 == 1;
          world_start (&world, NULL);
          world_run (&world, 30 * G_USEC_PER_SEC);
          g_test_message ("%s and %s, %s, late %d ms: %d ms, %u + %u dials", nats[a].name, nats[b].name,
                          i % 2 == 1 ? "reset" : "drop", (int) late_ms[i / 2], (int) took_ms (&world),
                          world.sides[0].n_dials, world.sides[1].n_dials);
          if (can_pass (a, b))
            {
              /* The first round, and not by the kernel's second SYN; but where only one side's SYN
               * can pass and it was early. */
              gboolean is_one_way = nats[a].model.map == MAP_RANDOM || nats[b].model.map == MAP_RANDOM;

              g_assert_cmpint (took_ms (&world), >=, 0);
              g_assert_cmpint (took_ms (&world), <=, late_ms[i / 2] + (is_one_way ? 2100 : 150));
              g_assert_cmpuint (als_punch_plan_get_n_rounds (world.sides[0].plan), ==, 1);
            }
          else
            {
              g_assert_cmpint (took_ms (&world), ==, -1);
              if (nats[a].model.map >= MAP_SEQUENTIAL && nats[b].model.map >= MAP_SEQUENTIAL)
                g_assert_cmpint (world.sides[0].problem, ==, ALS_PATH_PROBLEM_UNPREDICTABLE);
              else
                g_assert_cmpint (world.sides[0].problem, ==, i % 2 == 1 ? ALS_PATH_PROBLEM_RESETS
                                                                        : ALS_PATH_PROBLEM_SILENCE);
              g_assert_cmpint (world.sides[1].problem, ==, world.sides[0].problem);
              g_assert_cmpint (world.now_us - world.start_us, <, 20 * G_USEC_PER_SEC);
            }
          world_clear (&world);
        }
}

static void
test_sequential_ports_are_foretold_by_any_step (void)
{
  for (int step = 1; step <= 8; step++)
    for (guint hard = 0; hard < 2; hard++)
      {
        NatModel models[2] = { { MAP_EASY, FILTER_PORT }, { MAP_EASY, FILTER_PORT } };
        World world;

        models[hard] = (NatModel){ MAP_SEQUENTIAL, FILTER_PORT, FALSE, step };
        world_init (&world, models[0], models[1]);
        world_start (&world, NULL);
        world_run (&world, 30 * G_USEC_PER_SEC);
        g_assert_cmpint (als_punch_plan_get_nat (world.sides[hard].plan, FALSE), ==,
                         ALS_PUNCH_NAT_SEQUENTIAL);
        g_assert_cmpint (als_punch_plan_get_nat (world.sides[1 - hard].plan, TRUE), ==,
                         ALS_PUNCH_NAT_SEQUENTIAL);
        g_assert_cmpint (took_ms (&world), >=, 0);
        g_assert_cmpint (took_ms (&world), <=, 150);
        world_clear (&world);
      }
}

/* Ports taken by what was dialled before the endpoint was known do not spoil the forecast. */
static void
test_endpoint_learned_late_begins_another_round (void)
{
  for (guint i = 0; i < G_N_ELEMENTS (nats); i++)
    {
      World world;

      world_init (&world, nats[4].model, nats[i].model);
      world.sides[0].knows_public_us = 700 * MS;
      world.sides[1].knows_public_us = 400 * MS;
      world_start (&world, NULL);
      world_run (&world, 30 * G_USEC_PER_SEC);
      if (can_pass (4, i))
        {
          g_test_message ("port and %s: %d ms", nats[i].name,
                          (int) ((MAX (world.sides[0].connected_us, world.sides[1].connected_us)
                                  - world.start_us) / MS));
          g_assert_cmpint (took_ms (&world), >=, 0);
          g_assert_cmpint (MAX (world.sides[0].connected_us, world.sides[1].connected_us),
                           <, world.start_us + 1000 * MS);
        }
      world_clear (&world);
    }
}

static void
test_one_network_is_two_round_trips_away (void)
{
  NatModel nat = { MAP_EASY, FILTER_PORT };
  World world;

  world_init (&world, nat, nat);
  world.same_lan = TRUE;
  world.sides[1].public = world.sides[0].public;
  world.sides[0].knows_public_us = world.sides[1].knows_public_us = 700 * MS;
  world_start (&world, NULL);
  world_run (&world, 30 * G_USEC_PER_SEC);
  g_assert_cmpint (world.sides[0].connected_us - world.start_us, <=, 4 * world.message_us + 2 * MS);
  g_assert_cmpint (world.sides[0].connected_us, >, 0);
  g_assert_true (als_punch_plan_is_lan (world.sides[0].plan, &world.sides[0].local,
                                        &world.sides[1].local));
  g_assert_false (als_punch_plan_is_lan (world.sides[0].plan, &world.sides[0].local,
                                         &world.sides[1].public));
  world_clear (&world);
}

static void
test_dial_instants_agree (void)
{
  World world;

  world_init (&world, nats[4].model, nats[4].model);
  world.message_us = 80 * MS;
  world_start (&world, NULL);
  world_run (&world, 30 * G_USEC_PER_SEC);
  g_assert_cmpint (ABS (world.sides[0].first_dial_us - world.sides[1].first_dial_us), <=, MS);
  g_assert_cmpint (took_ms (&world), <=, 41);
  /* One SYN each to the public endpoint and one to the private one. */
  g_assert_cmpuint (world.sides[0].n_dials, ==, 2);
  world_clear (&world);
}

static void
test_marks_of_a_clock_serve_without_signalling (void)
{
  static const int64_t off_ms[] = { 0, 50, 900, 4000, 9000 };

  for (guint i = 0; i < 2 * G_N_ELEMENTS (off_ms); i++)
    {
      World world;
      AlsPunchPlanConfig marks = { .mark_step_us = 10 * G_USEC_PER_SEC };

      world_init (&world, nats[4].model, nats[i % 2 == 0 ? 4 : 5].model);
      world.sides[0].nat.resets = world.sides[1].nat.resets = i % 4 >= 2;
      world.late_us = off_ms[i / 2] * MS;
      marks.mark_us = world.now_us + 3 * G_USEC_PER_SEC;
      world_start (&world, &marks);
      world_run (&world, 60 * G_USEC_PER_SEC);
      g_test_message ("clock off by %d ms: %d ms", (int) off_ms[i / 2], (int) took_ms (&world));
      g_assert_cmpint (took_ms (&world), >=, 0);
      if (off_ms[i / 2] == 0)
        g_assert_cmpint (world.sides[0].first_dial_us, ==, marks.mark_us);
      world_clear (&world);
    }
}

static void
test_silent_peer_is_given_up (void)
{
  for (guint mute = 0; mute < 2; mute++)
    {
      World world;

      world_init (&world, nats[4].model, nats[4].model);
      world.sides[mute].is_mute = TRUE;
      world_start (&world, NULL);
      world_run (&world, 60 * G_USEC_PER_SEC);
      g_assert_cmpint (world.sides[0].problem, ==, ALS_PATH_PROBLEM_SILENCE);
      g_assert_cmpint (world.sides[1].problem, ==, ALS_PATH_PROBLEM_SILENCE);
      g_assert_cmpint (world.now_us - world.start_us, <=, 21 * G_USEC_PER_SEC);
      g_assert_cmpint (als_punch_plan_get_deadline (world.sides[0].plan), ==, INT64_MAX);
      world_clear (&world);
    }
}

static void
test_without_public_endpoint_one_round_is_enough (void)
{
  for (guint without = 0; without < 2; without++)
    {
      World world;

      world_init (&world, nats[4].model, nats[4].model);
      world.sides[without].knows_public = FALSE;
      world_start (&world, NULL);
      world_run (&world, 60 * G_USEC_PER_SEC);
      g_assert_cmpint (world.sides[without].problem, ==, ALS_PATH_PROBLEM_NO_ENDPOINT);
      g_assert_cmpint (world.sides[1 - without].problem, ==, ALS_PATH_PROBLEM_PEER_ENDPOINT);
      g_assert_cmpint (world.now_us - world.start_us, <=, 8 * G_USEC_PER_SEC);
      world_clear (&world);
    }
}

static guint
count_dials (AlsPunchPlan *plan, int64_t from_us, int64_t to_us, GHashTable *ips)
{
  AlsPunchAction action;
  guint n = 0;

  for (int64_t now_us = from_us; now_us < to_us; now_us += 5 * MS)
    while (als_punch_plan_take_action (plan, now_us, &action))
      {
        if (action.type == ALS_PUNCH_DO_SEND)
          g_bytes_unref (action.message);
        if (action.type != ALS_PUNCH_DO_DIAL)
          continue;
        n++;
        g_hash_table_add (ips, als_stun_address_to_string (&action.address));
        als_punch_plan_dialled (plan, action.dial, ALS_PUNCH_REFUSED, now_us);
      }
  return n;
}

static void
receive (AlsPunchPlan *plan, const AlsPunchMessage *message, int64_t now_us)
{
  g_autoptr (GBytes) bytes = als_punch_message_encode (message);
  size_t len;
  const uint8_t *data = g_bytes_get_data (bytes, &len);

  als_punch_plan_receive (plan, data, len, now_us);
}

static void
test_hostile_peer_aims_at_nothing_forbidden_and_is_bounded (void)
{
  static const char *const bad[] = { "127.0.0.1", "0.0.0.0", "224.0.0.1", "255.255.255.255",
                                     "240.0.0.1", "169.254.1.1", "0.1.2.3", "::1", "::", "ff02::1",
                                     "fe80::1", "::ffff:127.0.0.1" };
  AlsPunchPlanConfig config = { .is_inviter = FALSE, .seed = 3 };
  g_autoptr (AlsPunchPlan) plan = als_punch_plan_new (&config, 1);
  g_autoptr (GHashTable) ips = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  AlsPunchEndpoint own = { ALS_PUNCH_HOST, make_address ("10.0.0.2", PORT), 0 };
  AlsPunchMessage message = { .type = ALS_PUNCH_ENDPOINTS };
  AlsPunchMessage go = { .type = ALS_PUNCH_GO, .is_fresh = TRUE };
  int64_t now_us = 1;
  guint n, n_dials = 0;

  als_punch_plan_set_local (plan, &own, 1, TRUE, now_us);
  for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
    message.endpoints[message.n_endpoints++] = (AlsPunchEndpoint){
      ALS_PUNCH_HOST, make_address (bad[i], 80), 0 };
  /* A connection to oneself. */
  message.endpoints[message.n_endpoints++] = own;
  receive (plan, &message, now_us);
  receive (plan, &go, now_us);
  g_assert_cmpuint (count_dials (plan, now_us, now_us + G_USEC_PER_SEC, ips), ==, 0);

  /* Ever new addresses, ever new rounds. */
  for (guint i = 0; i < 500; i++)
    {
      message.n_endpoints = ALS_PUNCH_MAX_ENDPOINTS;
      for (guint j = 0; j < ALS_PUNCH_MAX_ENDPOINTS; j++)
        {
          g_autofree char *ip = g_strdup_printf ("198.51.%u.%u", i % 250, j + 1);

          message.endpoints[j] = (AlsPunchEndpoint){ ALS_PUNCH_PREDICTED, make_address (ip, 80), 1 };
        }
      receive (plan, &message, now_us);
      go.serial++;
      receive (plan, &go, now_us);
      now_us += 100 * MS;
      n_dials += count_dials (plan, now_us - 100 * MS, now_us, ips);
    }
  g_assert_cmpuint (g_hash_table_size (ips), <=, 15 * 64);
  n = count_dials (plan, now_us, now_us + 60 * G_USEC_PER_SEC, ips);
  g_test_message ("%u addresses, %u dials, and %u once it is over", g_hash_table_size (ips), n_dials, n);
  g_assert_cmpuint (n_dials, <=, 1500 + 15 * 64);
  g_assert_cmpuint (n, ==, 0);
}

/* Somebody pastes an invitation of whom he does not know: it names 32 places, and all of them refuse. */
static void
test_hostile_invitation_is_bounded (void)
{
  AlsPunchPlanConfig config = { .seed = 3, .mark_us = G_USEC_PER_SEC,
                                .mark_step_us = 10 * G_USEC_PER_SEC };
  g_autoptr (AlsPunchPlan) plan = als_punch_plan_new (&config, 1);
  g_autoptr (GHashTable) ips = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  AlsPunchEndpoint own = { ALS_PUNCH_HOST, make_address ("10.0.0.2", PORT), 0 };
  AlsPunchMessage message = { .type = ALS_PUNCH_ENDPOINTS, .is_settled = TRUE,
                              .n_endpoints = ALS_PUNCH_MAX_ENDPOINTS };
  guint n, last;

  als_punch_plan_set_local (plan, &own, 1, TRUE, 1);
  for (guint i = 0; i < ALS_PUNCH_MAX_ENDPOINTS; i++)
    message.endpoints[i] = (AlsPunchEndpoint){ ALS_PUNCH_PUBLIC,
                                               make_address ("198.51.100.7", 100 + i), 0 };
  receive (plan, &message, 1);
  n = count_dials (plan, 1, 15 * 60 * G_USEC_PER_SEC, ips);
  last = count_dials (plan, 15 * 60 * G_USEC_PER_SEC, 16 * 60 * G_USEC_PER_SEC, ips);
  g_test_message ("%u dials in 15 minutes, then %u in one", n, last);
  g_assert_cmpuint (n, <=, 12000 + 90 * ALS_PUNCH_MAX_ENDPOINTS);
  /* It goes on: once a mark. */
  g_assert_cmpuint (last, >=, 5 * ALS_PUNCH_MAX_ENDPOINTS);
  g_assert_cmpuint (last, <=, 7 * ALS_PUNCH_MAX_ENDPOINTS);
}

static void
test_loopback_dials_loopback_only (void)
{
  AlsPunchPlanConfig config = { .loopback = TRUE, .seed = 3 };
  g_autoptr (AlsPunchPlan) plan = als_punch_plan_new (&config, 1);
  g_autoptr (GHashTable) ips = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  AlsPunchEndpoint own = { ALS_PUNCH_HOST, make_address ("127.0.0.1", PORT), 0 };
  AlsPunchMessage message = { .type = ALS_PUNCH_ENDPOINTS, .n_endpoints = 3 };
  AlsPunchMessage go = { .type = ALS_PUNCH_GO };

  message.endpoints[0] = (AlsPunchEndpoint){ ALS_PUNCH_HOST, make_address ("127.0.0.1", 6000), 0 };
  message.endpoints[1] = (AlsPunchEndpoint){ ALS_PUNCH_HOST, make_address ("10.0.0.2", 6000), 0 };
  message.endpoints[2] = (AlsPunchEndpoint){ ALS_PUNCH_HOST, make_address ("::1", 6000), 0 };
  als_punch_plan_set_local (plan, &own, 1, TRUE, 1);
  receive (plan, &message, 1);
  receive (plan, &go, 1);
  count_dials (plan, 1, G_USEC_PER_SEC, ips);
  g_assert_cmpuint (g_hash_table_size (ips), ==, 2);
  g_assert_true (g_hash_table_contains (ips, "127.0.0.1:6000"));
  g_assert_true (g_hash_table_contains (ips, "[::1]:6000"));
}

static void
test_nats_are_told_from_their_ports (void)
{
  static const struct
  {
    int ports[4];
    AlsPunchNat nat;
    int next, step;
  } cases[] = {
    { { 0 }, ALS_PUNCH_NAT_UNKNOWN },
    { { 4000 }, ALS_PUNCH_NAT_UNKNOWN },
    { { 4000, 4000 }, ALS_PUNCH_NAT_EASY },
    { { 4000, 4001 }, ALS_PUNCH_NAT_SEQUENTIAL, 4002, 1 },
    { { 4001, 4000 }, ALS_PUNCH_NAT_SEQUENTIAL, 4002, 1 },
    { { 4000, 4002 }, ALS_PUNCH_NAT_SEQUENTIAL, 4004, 2 },
    { { 4000, 4001, 4003 }, ALS_PUNCH_NAT_SEQUENTIAL, 4004, 1 },
    { { 4000, 9000 }, ALS_PUNCH_NAT_RANDOM },
    { { 4000, 4001, 9000 }, ALS_PUNCH_NAT_RANDOM },
    { { 65534, 65535 }, ALS_PUNCH_NAT_RANDOM },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      AlsPunchEndpoint observed[4], next;
      guint n = 0;

      while (n < 4 && cases[i].ports[n] != 0)
        {
          observed[n].kind = ALS_PUNCH_PUBLIC;
          observed[n].step = 0;
          observed[n].address = make_address ("203.0.113.1", (uint16_t) cases[i].ports[n]);
          n++;
        }
      g_assert_cmpint (als_punch_judge_nat (observed, n, &next), ==, cases[i].nat);
      g_assert_cmpint (next.address.port, ==, cases[i].next);
      g_assert_cmpint (next.step, ==, cases[i].step);
    }
}

static void
test_messages_survive_and_bad_ones_are_refused (void)
{
  AlsPunchMessage message = { .type = ALS_PUNCH_ENDPOINTS, .is_settled = TRUE, .has_secret = TRUE,
                              .nat = ALS_PUNCH_NAT_SEQUENTIAL, .secret = { 1, 2, 3 } };
  AlsPunchMessage back;
  g_autoptr (GBytes) bytes = NULL;
  const uint8_t *data;
  size_t len;

  for (guint i = 0; i < ALS_PUNCH_MAX_ENDPOINTS; i++)
    message.endpoints[message.n_endpoints++] = (AlsPunchEndpoint){
      i == 0 ? ALS_PUNCH_PREDICTED : ALS_PUNCH_HOST,
      make_address (i % 2 == 0 ? "2001:db8::1" : "192.0.2.1", (uint16_t) (1000 + i)), i == 0 ? -3 : 0 };
  bytes = als_punch_message_encode (&message);
  data = g_bytes_get_data (bytes, &len);
  g_assert_true (als_punch_message_decode (&back, data, len, NULL));
  g_assert_cmpuint (back.n_endpoints, ==, message.n_endpoints);
  g_assert_cmpint (back.endpoints[0].step, ==, -3);
  g_assert_true (back.has_secret && back.is_settled);
  g_assert_cmpint (back.nat, ==, ALS_PUNCH_NAT_SEQUENTIAL);
  g_assert_cmpmem (back.secret, sizeof back.secret, message.secret, sizeof message.secret);
  for (guint i = 0; i < back.n_endpoints; i++)
    g_assert_true (als_stun_address_equal (&back.endpoints[i].address, &message.endpoints[i].address));
  for (size_t cut = 0; cut < len; cut++)
    g_assert_false (als_punch_message_decode (&back, data, cut, NULL));
  {
    static const uint8_t bad[][8] = { { 0 }, { 5, 1 }, { 2, 1, 1 }, { 4, 1, 4 },
                                      { 1, 4, 0, 0 }, { 1, 0, 4, 0 }, { 1, 0, 0, 33 } };
    static const size_t lens[] = { 1, 2, 3, 3, 4, 4, 4 };

    for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
      g_assert_false (als_punch_message_decode (&back, bad[i], lens[i], NULL));
  }
}

static void
test_lan_is_told_from_internet (void)
{
  static const struct
  {
    const char *local, *remote;
    gboolean is_host, is_lan;
  } cases[] = {
    { "192.168.1.2", "192.168.1.9", FALSE, TRUE },
    { "192.168.1.2", "192.168.2.9", FALSE, FALSE },
    { "192.168.1.2", "192.168.2.9", TRUE, TRUE },
    { "192.168.1.2", "203.0.113.9", TRUE, FALSE },
    { "203.0.113.8", "203.0.113.9", TRUE, FALSE },
    { "127.0.0.1", "127.0.0.1", FALSE, TRUE },
    { "::1", "::1", FALSE, TRUE },
    { "fd00::1", "fd00::2", FALSE, TRUE },
    { "2001:db8:0:1::1", "2001:db8:0:1::2", FALSE, TRUE },
    { "2001:db8:0:1::1", "2001:db8:0:2::2", TRUE, FALSE },
    { "10.0.0.1", "fd00::1", TRUE, FALSE },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      AlsStunAddress local = make_address (cases[i].local, 1), remote = make_address (cases[i].remote, 1);

      g_assert_cmpint (als_punch_addresses_share_lan (&local, &remote, cases[i].is_host), ==,
                       cases[i].is_lan);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/path/punch/plan/passes-every-pair-that-can-be-passed",
                   test_passes_every_pair_that_can_be_passed);
  g_test_add_func ("/path/punch/plan/sequential-ports-are-foretold-by-any-step",
                   test_sequential_ports_are_foretold_by_any_step);
  g_test_add_func ("/path/punch/plan/endpoint-learned-late-begins-another-round",
                   test_endpoint_learned_late_begins_another_round);
  g_test_add_func ("/path/punch/plan/one-network-is-two-round-trips-away",
                   test_one_network_is_two_round_trips_away);
  g_test_add_func ("/path/punch/plan/dial-instants-agree", test_dial_instants_agree);
  g_test_add_func ("/path/punch/plan/marks-of-a-clock-serve-without-signalling",
                   test_marks_of_a_clock_serve_without_signalling);
  g_test_add_func ("/path/punch/plan/silent-peer-is-given-up", test_silent_peer_is_given_up);
  g_test_add_func ("/path/punch/plan/without-public-endpoint-one-round-is-enough",
                   test_without_public_endpoint_one_round_is_enough);
  g_test_add_func ("/path/punch/plan/hostile-peer-aims-at-nothing-forbidden-and-is-bounded",
                   test_hostile_peer_aims_at_nothing_forbidden_and_is_bounded);
  g_test_add_func ("/path/punch/plan/hostile-invitation-is-bounded",
                   test_hostile_invitation_is_bounded);
  g_test_add_func ("/path/punch/plan/loopback-dials-loopback-only", test_loopback_dials_loopback_only);
  g_test_add_func ("/path/punch/plan/nats-are-told-from-their-ports",
                   test_nats_are_told_from_their_ports);
  g_test_add_func ("/path/punch/message/survives-and-bad-ones-are-refused",
                   test_messages_survive_and_bad_ones_are_refused);
  g_test_add_func ("/path/punch/message/lan-is-told-from-internet", test_lan_is_told_from_internet);
  return g_test_run ();
}
