/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Two sessions over fake links in invented time. */

#include "world.h"

#define KIB 1024
#define MIB (1024 * 1024)
#define MBIT (1000 * 1000 / 8)

static gboolean
all_closed (World *world, gpointer data)
{
  for (guint i = 0; i < world->ports->len; i++)
    if (!((Port *) g_ptr_array_index (world->ports, i))->closed)
      return FALSE;
  return world->ports->len >= 2 * GPOINTER_TO_UINT (data);
}

static gboolean
one_has_received (World *world, gpointer data)
{
  Port *port = data;

  return port->received >= port->to_write;
}

static gboolean
sends_on (World *world, gpointer data)
{
  return world_get_kind (world, 0) == GPOINTER_TO_UINT (data)
         && world_get_kind (world, 1) == GPOINTER_TO_UINT (data);
}

static void
assert_all_arrived (World *world, uint64_t bytes)
{
  uint64_t received = 0;

  for (guint i = 0; i < world->ports->len; i++)
    {
      Port *port = g_ptr_array_index (world->ports, i);

      g_assert_true (port->finished && port->closed);
      g_assert_cmpuint (port->code, ==, 0);
      received += port->received;
    }
  g_assert_cmpuint (received, ==, bytes);
}

static void
test_bytes_arrive_in_order_both_ways (void)
{
  g_autoptr (World) world = world_new (0);
  AlsSessionStats stats;

  world->finish_back = TRUE;
  world_add_path (world, ALS_PATH_SIGNAL_RELAY, 50 * MBIT, 10 * MS);
  world_open (world, 0, 1, ALS_LANE_CONTROL, 100 * KIB, TRUE);
  world_open (world, 0, 3, ALS_LANE_BULK, 5 * MIB, TRUE);
  world_open (world, 1, 4, ALS_LANE_CHAT, 1 * MIB, TRUE);
  world_open (world, 1, 5, ALS_LANE_BULK, 3 * MIB, TRUE);
  g_assert_true (world_run_until (world, all_closed, GUINT_TO_POINTER (4), 10 * SECOND));
  assert_all_arrived (world, 9 * MIB + 100 * KIB);
  als_session_get_stats (world->sessions[0], &stats);
  g_assert_cmpuint (stats.sent_bytes, ==, 5 * MIB + 100 * KIB);
  g_assert_cmpuint (stats.received_bytes, ==, 4 * MIB);
  g_assert_cmpint (stats.no_path_since_us, ==, 0);
  g_assert_cmpint (stats.rtt_us, >=, 20 * MS);
}

static void
test_empty_channel_opens_and_closes (void)
{
  g_autoptr (World) world = world_new (0);

  world->finish_back = TRUE;
  world_open (world, 0, 4, ALS_LANE_CHAT, 0, TRUE);
  world_run (world, SECOND);
  g_assert_null (world_find (world, 1, 4));
  world_add_path (world, ALS_PATH_DIRECT_UDP, MBIT, 10 * MS);
  g_assert_true (world_run_until (world, all_closed, GUINT_TO_POINTER (1), 2 * SECOND));
  assert_all_arrived (world, 0);
}

static void
test_half_closed_channel_still_receives (void)
{
  g_autoptr (World) world = world_new (0);
  Port *mine, *theirs;

  world_add_path (world, ALS_PATH_DIRECT_UDP, 10 * MBIT, 10 * MS);
  mine = world_open (world, 0, 4, ALS_LANE_CHAT, 1000, TRUE);
  world_run (world, SECOND);
  theirs = world_find (world, 1, 4);
  g_assert_true (theirs->finished);
  g_assert_false (theirs->closed || mine->closed);
  theirs->to_write = 1 * MIB;
  port_write (theirs);
  world_run (world, 2 * SECOND);
  g_assert_cmpuint (mine->received, ==, 1 * MIB);
  g_assert_false (mine->finished || mine->closed);
  als_channel_finish (theirs->channel);
  g_assert_true (world_run_until (world, all_closed, GUINT_TO_POINTER (1), SECOND));
  assert_all_arrived (world, 1 * MIB + 1000);
}

static void
test_reset_ends_both_directions_for_the_peer_to_read (void)
{
  g_autoptr (World) world = world_new (0);
  Port *mine, *theirs;
  AlsChannel *never;

  guint path = world_add_path (world, ALS_PATH_DIRECT_UDP, 10 * MBIT, 10 * MS);
  mine = world_open (world, 0, 3, ALS_LANE_BULK, 20 * MIB, TRUE);
  world_run (world, SECOND);
  theirs = world_find (world, 1, 3);
  g_assert_cmpuint (theirs->received, >, 0);
  als_channel_reset (mine->channel, 42);
  /* The RESET is lost with its path and said again on the next one. */
  als_fake_link_break (world_get_link (world, path, 0));
  never = als_session_open_channel (world->sessions[0], 4, ALS_LANE_CHAT);
  als_channel_reset (never, 1);
  world_run (world, SECOND);
  g_assert_false (theirs->closed);
  world_add_path (world, ALS_PATH_DIRECT_UDP, 10 * MBIT, 10 * MS);
  world_run (world, SECOND);
  g_assert_true (theirs->closed);
  g_assert_cmpuint (theirs->code, ==, 42);
  g_assert_false (mine->closed);
  g_assert_null (world_find (world, 1, 4));
}

static void
test_blocked_writer_goes_on_with_credit (void)
{
  g_autoptr (World) world = world_new (256 * KIB);
  Port *mine, *theirs;

  world->hold = TRUE;
  world_add_path (world, ALS_PATH_DIRECT_UDP, 100 * MBIT, MS);
  mine = world_open (world, 0, 3, ALS_LANE_BULK, 2 * MIB, TRUE);
  world_run (world, 2 * SECOND);
  theirs = world_find (world, 1, 3);
  g_assert_cmpuint (theirs->received, ==, 256 * KIB);
  g_assert_cmpuint (als_channel_get_acked (mine->channel), ==, 256 * KIB);
  g_assert_cmpuint (als_channel_get_room (mine->channel), ==, 0);
  for (guint i = 0; i < 7; i++)
    {
      g_assert_cmpuint (theirs->held, ==, 256 * KIB);
      theirs->held = 0;
      als_channel_consume (theirs->channel, 256 * KIB);
      world_run (world, SECOND);
    }
  g_assert_cmpuint (theirs->received, ==, 2 * MIB);
  g_assert_true (theirs->finished);
  g_assert_cmpuint (mine->n_writable, >, 3);
}

static void
test_writer_never_has_more_than_its_window_outstanding (void)
{
  g_autoptr (World) world = world_new (0);
  guint path = world_add_path (world, ALS_PATH_DIRECT_UDP, 400 * MBIT, 10 * MS);
  Port *mine = world_open (world, 0, 3, ALS_LANE_BULK, 64 * MIB, TRUE);
  uint64_t most = 0;

  world_run (world, 200 * MS);
  als_fake_link_set_silent (world_get_link (world, path, 1), TRUE); /* no acknowledgements */
  for (guint i = 0; i < 100; i++)
    {
      world_run (world, 10 * MS);
      most = MAX (most, als_channel_get_written (mine->channel) - als_channel_get_acked (mine->channel));
    }
  g_assert_cmpuint (most, <=, ALS_CHANNEL_WINDOW);
  g_assert_cmpuint (most, >=, ALS_CHANNEL_WINDOW - 64 * KIB);
}

/* The queue above the link is small: what is written late can still overtake. */
static void
test_control_does_not_wait_behind_files (void)
{
  g_autoptr (World) world = world_new (0);
  int64_t worst_us = 0;
  Port *probe;

  world->echo = TRUE;
  world_add_path (world, ALS_PATH_DIRECT_UDP, 10 * MBIT, 10 * MS);
  world_open (world, 0, 3, ALS_LANE_BULK, 8 * MIB, FALSE);
  world_open (world, 1, 4, ALS_LANE_BULK, 8 * MIB, FALSE);
  probe = world_open (world, 0, 5, ALS_LANE_CONTROL, 0, FALSE);
  world_run (world, SECOND);
  for (guint i = 0; i < 50; i++)
    {
      int64_t sent_us = world->now_us;

      probe->to_write += 100;
      port_write (probe);
      g_assert_true (world_run_until (world, one_has_received, probe, SECOND));
      worst_us = MAX (worst_us, world->now_us - sent_us);
      world_run (world, 13 * MS);
    }
  g_assert_cmpint (worst_us, <=, 20 * MS + 50 * MS);
  g_assert_cmpuint (world_find (world, 1, 3)->received, >, 1 * MIB);
}

static void
test_files_share_a_lane_fairly (void)
{
  g_autoptr (World) world = world_new (0);

  world_add_path (world, ALS_PATH_DIRECT_UDP, 10 * MBIT, 10 * MS);
  world_open (world, 0, 2, ALS_LANE_BULK, 8 * MIB, FALSE);
  world_open (world, 0, 3, ALS_LANE_BULK, 8 * MIB, FALSE);
  world_open (world, 0, 4, ALS_LANE_BULK, 8 * MIB, FALSE);
  world_run (world, 3 * SECOND);
  for (guint kind = 3; kind <= 4; kind++)
    g_assert_cmpfloat_with_epsilon ((double) world_find (world, 1, kind)->received,
                                    (double) world_find (world, 1, 2)->received, 80 * KIB);
}

static void
test_switch_to_a_better_path_loses_and_repeats_nothing (void)
{
  g_autoptr (World) world = world_new (0);

  world->finish_back = TRUE;
  world_add_path (world, ALS_PATH_SIGNAL_RELAY, 5 * MBIT, 40 * MS);
  world_open (world, 0, 3, ALS_LANE_BULK, 3 * MIB, TRUE);
  world_open (world, 1, 4, ALS_LANE_CHAT, 3 * MIB, TRUE);
  world_run (world, SECOND);
  world_add_path (world, ALS_PATH_DIRECT_UDP, 50 * MBIT, 10 * MS);
  g_assert_true (world_run_until (world, sends_on, GUINT_TO_POINTER (ALS_PATH_DIRECT_UDP), SECOND));
  g_assert_true (world_run_until (world, all_closed, GUINT_TO_POINTER (2), 4 * SECOND));
  assert_all_arrived (world, 6 * MIB);
  g_assert_cmpuint (world->n_path_changes[0], ==, 2);
  g_assert_cmpuint (world->n_gone[0] + world->n_gone[1], ==, 0);
}

static void
test_death_of_the_path_loses_and_repeats_nothing (void)
{
  g_autoptr (World) world = world_new (0);
  guint path;

  world->finish_back = TRUE;
  world_add_path (world, ALS_PATH_SIGNAL_RELAY, 20 * MBIT, 40 * MS);
  path = world_add_path (world, ALS_PATH_DIRECT_UDP, 50 * MBIT, 10 * MS);
  world_open (world, 0, 3, ALS_LANE_BULK, 6 * MIB, TRUE);
  world_open (world, 1, 4, ALS_LANE_CHAT, 6 * MIB, TRUE);
  world_run (world, 700 * MS);
  g_assert_cmpint (world_get_kind (world, 0), ==, ALS_PATH_DIRECT_UDP);
  als_fake_link_break (world_get_link (world, path, 0));
  g_assert_true (
      world_run_until (world, sends_on, GUINT_TO_POINTER (ALS_PATH_SIGNAL_RELAY), 50 * MS));
  g_assert_true (world_run_until (world, all_closed, GUINT_TO_POINTER (2), 8 * SECOND));
  assert_all_arrived (world, 12 * MIB);
  g_assert_cmpuint (world->n_gone[0], ==, 1);
  g_assert_cmpuint (world->n_gone[1], ==, 1);
}

static void
test_session_outlives_all_its_paths (void)
{
  g_autoptr (World) world = world_new (0);
  AlsSessionStats stats;
  guint path;
  int64_t died_us;

  world->finish_back = TRUE;
  path = world_add_path (world, ALS_PATH_DIRECT_UDP, 50 * MBIT, 10 * MS);
  world_open (world, 0, 3, ALS_LANE_BULK, 6 * MIB, TRUE);
  world_run (world, 700 * MS);
  died_us = world->now_us;
  als_fake_link_break (world_get_link (world, path, 0));
  world_run (world, 20 * SECOND);
  als_session_get_stats (world->sessions[0], &stats);
  g_assert_cmpint (stats.kind, ==, ALS_PATH_NONE);
  g_assert_cmpint (stats.no_path_since_us, >=, died_us);
  g_assert_cmpint (stats.no_path_since_us, <, died_us + 100 * MS);
  g_assert_null (stats.link);
  g_assert_false (als_session_send_datagram (world->sessions[0], 1, (const uint8_t *) "x", 1));
  g_assert_false (als_session_may_send_frame (world->sessions[0]));
  world_add_path (world, ALS_PATH_SIGNAL_RELAY, 50 * MBIT, 10 * MS);
  g_assert_true (world_run_until (world, all_closed, GUINT_TO_POINTER (1), 3 * SECOND));
  assert_all_arrived (world, 6 * MIB);
}

static void
test_sides_may_prefer_different_paths (void)
{
  g_autoptr (World) world = world_new (0);

  world->finish_back = TRUE;
  als_session_set_allowed_kinds (world->sessions[0], 1u << ALS_PATH_SIGNAL_RELAY);
  als_session_set_allowed_kinds (world->sessions[1], 1u << ALS_PATH_TURN_UDP);
  world_add_path (world, ALS_PATH_SIGNAL_RELAY, 20 * MBIT, 40 * MS);
  world_add_path (world, ALS_PATH_TURN_UDP, 20 * MBIT, 10 * MS);
  world_open (world, 0, 3, ALS_LANE_BULK, 3 * MIB, TRUE);
  world_open (world, 1, 4, ALS_LANE_BULK, 3 * MIB, TRUE);
  world_run (world, 300 * MS);
  g_assert_cmpint (world_get_kind (world, 0), ==, ALS_PATH_SIGNAL_RELAY);
  g_assert_cmpint (world_get_kind (world, 1), ==, ALS_PATH_TURN_UDP);
  g_assert_true (world_run_until (world, all_closed, GUINT_TO_POINTER (2), 5 * SECOND));
  assert_all_arrived (world, 6 * MIB);
  g_assert_cmpuint (world->n_path_changes[0], ==, 1);
  g_assert_cmpuint (world->n_path_changes[1], ==, 1);
}

static void
test_much_slower_better_kind_is_left_for_a_minute (void)
{
  g_autoptr (World) world = world_new (0);
  guint path;

  world_add_path (world, ALS_PATH_SIGNAL_RELAY, 20 * MBIT, 10 * MS);
  path = world_add_path (world, ALS_PATH_DIRECT_UDP, 20 * MBIT, 10 * MS);
  world_run (world, 5 * SECOND);
  g_assert_cmpint (world_get_kind (world, 0), ==, ALS_PATH_DIRECT_UDP);
  als_fake_link_set_delay (world_get_link (world, path, 0), 200 * MS);
  g_assert_true (
      world_run_until (world, sends_on, GUINT_TO_POINTER (ALS_PATH_SIGNAL_RELAY), 10 * SECOND));
  als_fake_link_set_delay (world_get_link (world, path, 0), 10 * MS);
  world_run (world, 50 * SECOND);
  g_assert_true (sends_on (world, GUINT_TO_POINTER (ALS_PATH_SIGNAL_RELAY)));
  g_assert_true (
      world_run_until (world, sends_on, GUINT_TO_POINTER (ALS_PATH_DIRECT_UDP), 11 * SECOND));
}

static void
test_starving_better_kind_is_left_for_a_minute (void)
{
  g_autoptr (World) world = world_new (0);

  world_add_path (world, ALS_PATH_SIGNAL_RELAY, 20 * MBIT, 10 * MS);
  world_open (world, 0, 3, ALS_LANE_BULK, 200 * MIB, FALSE);
  world_run (world, 3 * SECOND);
  world_add_path (world, ALS_PATH_DIRECT_UDP, 2 * MBIT, 10 * MS);
  world_run (world, SECOND);
  g_assert_cmpint (world_get_kind (world, 0), ==, ALS_PATH_DIRECT_UDP);
  world_run (world, 3 * SECOND);
  g_assert_cmpint (world_get_kind (world, 0), ==, ALS_PATH_SIGNAL_RELAY);
  world_run (world, 50 * SECOND);
  g_assert_cmpint (world_get_kind (world, 0), ==, ALS_PATH_SIGNAL_RELAY);
}

/* Side 1 has forgotten the channel, and what it said about that is lost with its own path; side 0's
 * path stays. */
static void
test_lost_end_is_asked_for_again (void)
{
  g_autoptr (World) world = world_new (0);
  Port *mine;
  guint path;

  als_session_set_allowed_kinds (world->sessions[1], 1u << ALS_PATH_TURN_UDP);
  world_add_path (world, ALS_PATH_DIRECT_UDP, 20 * MBIT, 100 * MS);
  path = world_add_path (world, ALS_PATH_TURN_UDP, 20 * MBIT, 100 * MS);
  world_run (world, SECOND);
  g_assert_cmpint (world_get_kind (world, 0), ==, ALS_PATH_DIRECT_UDP);
  mine = world_open (world, 0, 3, ALS_LANE_CHAT, 1000, FALSE);
  world_run (world, SECOND);
  als_channel_finish (world_find (world, 1, 3)->channel);
  world_run (world, SECOND);
  als_channel_finish (mine->channel);
  world_run (world, 150 * MS);
  g_assert_true (world_find (world, 1, 3)->closed);
  g_assert_false (mine->closed);
  als_fake_link_break (world_get_link (world, path, 1));
  als_session_set_allowed_kinds (world->sessions[1], 0);
  g_assert_true (world_run_until (world, all_closed, GUINT_TO_POINTER (1), SECOND));
}

/* Only SIDE's packets are lost: data still comes in there. */
static void
check_one_way_death (guint side)
{
  g_autoptr (World) world = world_new (0);
  guint path;

  world->finish_back = TRUE;
  world_add_path (world, ALS_PATH_SIGNAL_RELAY, 20 * MBIT, 20 * MS);
  path = world_add_path (world, ALS_PATH_DIRECT_UDP, 20 * MBIT, 10 * MS);
  world_open (world, 0, 3, ALS_LANE_BULK, 20 * MIB, TRUE);
  world_open (world, 1, 4, ALS_LANE_BULK, 20 * MIB, TRUE);
  world_run (world, SECOND);
  g_assert_true (sends_on (world, GUINT_TO_POINTER (ALS_PATH_DIRECT_UDP)));
  als_fake_link_set_silent (world_get_link (world, path, side), TRUE);
  g_assert_true (
      world_run_until (world, sends_on, GUINT_TO_POINTER (ALS_PATH_SIGNAL_RELAY), 2 * SECOND));
  g_assert_true (world_run_until (world, all_closed, GUINT_TO_POINTER (2), 30 * SECOND));
  assert_all_arrived (world, 40 * MIB);
  g_assert_cmpuint (world->n_gone[0], ==, 1);
  g_assert_cmpuint (world->n_gone[1], ==, 1);
}

static void
test_one_way_death_is_found_within_two_seconds (void)
{
  check_one_way_death (0);
  check_one_way_death (1);
}

static void
check_idle_death (int64_t after_us)
{
  g_autoptr (World) world = world_new (0);
  guint path = world_add_path (world, ALS_PATH_DIRECT_UDP, 20 * MBIT, 10 * MS);

  world_run (world, after_us);
  g_assert_true (sends_on (world, GUINT_TO_POINTER (ALS_PATH_DIRECT_UDP)));
  als_fake_link_set_silent (world_get_link (world, path, 0), TRUE);
  als_fake_link_set_silent (world_get_link (world, path, 1), TRUE);
  g_assert_true (world_run_until (world, sends_on, GUINT_TO_POINTER (ALS_PATH_NONE), 4700 * MS));
  world_run (world, 3 * SECOND);
  g_assert_cmpuint (world->n_gone[0], ==, 1);
  g_assert_cmpuint (world->n_gone[1], ==, 1);
}

/* Wherever between two signs of life it dies. */
static void
test_dead_idle_path_is_found (void)
{
  for (guint i = 0; i < 20; i++)
    check_idle_death (100 * SECOND + i * 50 * MS);
}

/* Returns the first, the worst. */
static guint
add_four_paths (World *world)
{
  guint first = world_add_path (world, ALS_PATH_SIGNAL_RELAY, 20 * MBIT, 20 * MS);

  world_add_path (world, ALS_PATH_TURN_UDP, 20 * MBIT, 20 * MS);
  world_add_path (world, ALS_PATH_DIRECT_UDP, 20 * MBIT, 20 * MS);
  world_add_path (world, ALS_PATH_DIRECT_TCP, 20 * MBIT, 20 * MS);
  return first;
}

static void
send_datagrams (World *world, int64_t for_us)
{
  for (; for_us > 0; for_us -= 50 * MS)
    {
      for (guint i = 0; i < 2; i++)
        als_session_send_datagram (world->sessions[i], ALS_DATAGRAM_VIDEO, (const uint8_t *) "x", 1);
      world_run (world, 50 * MS);
    }
}

static void
set_silent (World *world, guint from, guint to, gboolean silent)
{
  for (guint path = from; path < to; path++)
    for (guint side = 0; side < 2; side++)
      als_fake_link_set_silent (world_get_link (world, path, side), silent);
}

static void
test_paths_that_died_together_are_skipped (void)
{
  g_autoptr (World) world = world_new (0);
  guint first = add_four_paths (world);

  send_datagrams (world, 10 * SECOND + 50 * MS);
  g_assert_true (sends_on (world, GUINT_TO_POINTER (ALS_PATH_DIRECT_TCP)));
  world->n_path_changes[0] = world->n_path_changes[1] = 0;
  set_silent (world, first + 1, first + 4, TRUE);
  send_datagrams (world, 2 * SECOND);
  g_assert_true (sends_on (world, GUINT_TO_POINTER (ALS_PATH_SIGNAL_RELAY)));
  send_datagrams (world, 10 * SECOND);
  for (guint side = 0; side < 2; side++)
    {
      g_assert_cmpuint (world->n_path_changes[side], ==, 1);
      g_assert_cmpuint (world->n_gone[side], ==, 3);
    }
}

static void
test_paths_that_all_died_are_given_up_together (void)
{
  g_autoptr (World) world = world_new (0);
  guint first = add_four_paths (world);

  send_datagrams (world, 10 * SECOND);
  world->n_path_changes[0] = world->n_path_changes[1] = 0;
  set_silent (world, first, first + 4, TRUE);
  send_datagrams (world, 4 * SECOND);
  g_assert_true (sends_on (world, GUINT_TO_POINTER (ALS_PATH_NONE)));
  g_assert_cmpuint (world->n_path_changes[0], ==, 1);
  g_assert_cmpuint (world->n_path_changes[1], ==, 1);
}

static void
test_break_of_all_paths_that_ends_soon_costs_none (void)
{
  g_autoptr (World) world = world_new (0);
  guint first = add_four_paths (world);

  send_datagrams (world, 10 * SECOND);
  world->n_path_changes[0] = world->n_path_changes[1] = 0;
  set_silent (world, first, first + 4, TRUE);
  send_datagrams (world, 2500 * MS);
  set_silent (world, first, first + 4, FALSE);
  send_datagrams (world, 10 * SECOND);
  for (guint side = 0; side < 2; side++)
    {
      g_assert_cmpuint (world->n_path_changes[side], ==, 0);
      g_assert_cmpuint (world->n_gone[side], ==, 0);
    }
}

static void
test_removed_path_is_left_by_both (void)
{
  g_autoptr (World) world = world_new (0);
  guint path;

  world->finish_back = TRUE;
  world_add_path (world, ALS_PATH_SIGNAL_RELAY, 20 * MBIT, 20 * MS);
  path = world_add_path (world, ALS_PATH_DIRECT_UDP, 20 * MBIT, 10 * MS);
  world_open (world, 0, 3, ALS_LANE_BULK, 4 * MIB, TRUE);
  world_open (world, 1, 4, ALS_LANE_BULK, 4 * MIB, TRUE);
  world_run (world, SECOND);
  als_session_remove_link (world->sessions[0], world_get_link (world, path, 0));
  g_assert_true (
      world_run_until (world, sends_on, GUINT_TO_POINTER (ALS_PATH_SIGNAL_RELAY), 100 * MS));
  world_run (world, SECOND);
  g_assert_cmpuint (world->n_gone[0], ==, 1);
  g_assert_cmpuint (world->n_gone[1], ==, 1);
  g_assert_true (world_run_until (world, all_closed, GUINT_TO_POINTER (2), 5 * SECOND));
  assert_all_arrived (world, 8 * MIB);
}

static void
test_goodbye_ends_the_peers_session (void)
{
  g_autoptr (World) world = world_new (0);
  Port *mine;

  world_add_path (world, ALS_PATH_SIGNAL_RELAY, 20 * MBIT, 20 * MS);
  world_add_path (world, ALS_PATH_DIRECT_UDP, 20 * MBIT, 10 * MS);
  mine = world_open (world, 0, 1, ALS_LANE_CONTROL, 100, FALSE);
  world_run (world, SECOND);
  mine->to_write += 100; /* last words */
  port_write (mine);
  als_session_end (world->sessions[0]);
  g_assert_true (world->ended[0] && mine->closed);
  g_assert_cmpint (world->end[0], ==, ALS_SESSION_END_LOCAL);
  g_assert_cmpuint (mine->code, ==, ALS_CHANNEL_SESSION_ENDED);
  g_assert_null (als_session_open_channel (world->sessions[0], 4, ALS_LANE_CHAT));
  world_run (world, 3 * SECOND);
  g_assert_true (world->ended[1]);
  g_assert_cmpint (world->end[1], ==, ALS_SESSION_END_PEER);
  g_assert_cmpuint (world_find (world, 1, 1)->received, ==, 200);
  g_assert_cmpuint (world->n_gone[0], ==, 2);
  g_assert_cmpuint (world->n_gone[1], ==, 2);
}

static void
test_datagrams_do_not_wait_behind_files (void)
{
  g_autoptr (World) world = world_new (0);
  uint8_t bytes[ALS_SESSION_DATAGRAM_MAX] = { 7 };
  guint n_frames = 0;

  world_add_path (world, ALS_PATH_DIRECT_UDP, 10 * MBIT, 10 * MS);
  world_open (world, 0, 3, ALS_LANE_BULK, 20 * MIB, FALSE);
  world_run (world, SECOND);
  for (guint i = 0; i < 100; i++)
    {
      world_run (world, 33 * MS);
      if (!als_session_may_send_frame (world->sessions[0]))
        continue;
      n_frames++;
      for (guint j = 0; j < 10; j++)
        g_assert_true (als_session_send_datagram (world->sessions[0], ALS_DATAGRAM_VIDEO, bytes,
                                                  sizeof bytes));
    }
  world_run (world, 100 * MS);
  g_assert_cmpuint (n_frames, >=, 95);
  g_assert_cmpuint (world->n_datagrams[1], ==, n_frames * 10);
  g_assert_cmpuint (world->last_datagram[0], ==, 7);
  g_assert_false (als_session_send_datagram (world->sessions[0], ALS_DATAGRAM_VIDEO, bytes,
                                             sizeof bytes + 1));
  g_assert_cmpuint (world_find (world, 1, 3)->received, >, 1 * MIB);
}

static void
test_more_channels_than_the_peer_takes_wait_their_turn (void)
{
  g_autoptr (World) world = world_new (0);
  guint n_arrived = 0;

  world->finish_back = TRUE;
  world_add_path (world, ALS_PATH_DIRECT_UDP, 10 * MBIT, 10 * MS);
  for (guint i = 0; i < 600; i++)
    world_open (world, i % 2, 4, (AlsLane) (i % 3), i, TRUE);
  g_assert_true (world_run_until (world, all_closed, GUINT_TO_POINTER (600), 10 * SECOND));
  for (guint i = 0; i < world->ports->len; i++)
    n_arrived += ((Port *) g_ptr_array_index (world->ports, i))->finished;
  g_assert_cmpuint (n_arrived, ==, 1200);
  g_assert_false (world->ended[0] || world->ended[1]);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(path, func) g_test_add_func ("/session/" path, func)
  ADD ("bytes-arrive-in-order-both-ways", test_bytes_arrive_in_order_both_ways);
  ADD ("empty-channel-opens-and-closes", test_empty_channel_opens_and_closes);
  ADD ("half-closed-channel-still-receives", test_half_closed_channel_still_receives);
  ADD ("reset-ends-both-directions-for-the-peer-to-read",
       test_reset_ends_both_directions_for_the_peer_to_read);
  ADD ("blocked-writer-goes-on-with-credit", test_blocked_writer_goes_on_with_credit);
  ADD ("writer-never-has-more-than-its-window-outstanding",
       test_writer_never_has_more_than_its_window_outstanding);
  ADD ("control-does-not-wait-behind-files", test_control_does_not_wait_behind_files);
  ADD ("files-share-a-lane-fairly", test_files_share_a_lane_fairly);
  ADD ("switch-to-a-better-path-loses-and-repeats-nothing",
       test_switch_to_a_better_path_loses_and_repeats_nothing);
  ADD ("death-of-the-path-loses-and-repeats-nothing",
       test_death_of_the_path_loses_and_repeats_nothing);
  ADD ("outlives-all-its-paths", test_session_outlives_all_its_paths);
  ADD ("sides-may-prefer-different-paths", test_sides_may_prefer_different_paths);
  ADD ("much-slower-better-kind-is-left-for-a-minute",
       test_much_slower_better_kind_is_left_for_a_minute);
  ADD ("starving-better-kind-is-left-for-a-minute", test_starving_better_kind_is_left_for_a_minute);
  ADD ("lost-end-is-asked-for-again", test_lost_end_is_asked_for_again);
  ADD ("one-way-death-is-found-within-two-seconds", test_one_way_death_is_found_within_two_seconds);
  ADD ("dead-idle-path-is-found", test_dead_idle_path_is_found);
  ADD ("paths-that-died-together-are-skipped", test_paths_that_died_together_are_skipped);
  ADD ("paths-that-all-died-are-given-up-together", test_paths_that_all_died_are_given_up_together);
  ADD ("break-of-all-paths-that-ends-soon-costs-none",
       test_break_of_all_paths_that_ends_soon_costs_none);
  ADD ("removed-path-is-left-by-both", test_removed_path_is_left_by_both);
  ADD ("goodbye-ends-the-peers-session", test_goodbye_ends_the_peers_session);
  ADD ("datagrams-do-not-wait-behind-files", test_datagrams_do_not_wait_behind_files);
  ADD ("more-channels-than-the-peer-takes-wait-their-turn",
       test_more_channels_than_the_peer_takes_wait_their_turn);
  return g_test_run ();
}
