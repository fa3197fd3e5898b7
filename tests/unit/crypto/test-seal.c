/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "crypto/als-crypto.h"
#include "crypto/als-seal.h"

#include <string.h>

static const uint8_t key[ALS_KEY_BYTES] = { 9, 8, 7 };

typedef struct
{
  uint64_t counter;
  uint8_t sealed[5 + ALS_SEAL_TAG_BYTES];
} Packet;

static void
seal (AlsSealer *sealer, Packet *packet)
{
  als_sealer_seal (sealer, "ad", 2, (const uint8_t *) "hello", 5, packet->sealed, &packet->counter);
}

static gboolean
open_packet (AlsOpener *opener, const Packet *packet)
{
  uint8_t out[5];

  if (!als_opener_open (opener, "ad", 2, packet->counter, packet->sealed, sizeof packet->sealed, out))
    return FALSE;
  g_assert_cmpmem (out, 5, "hello", 5);
  return TRUE;
}

/* Each call takes a counter of its own; plain and sealed may be one buffer. */
static void
test_in_place_and_counters (void)
{
  AlsSealer sealer;
  AlsOpener opener;
  Packet a, b;

  als_sealer_init (&sealer, key);
  als_opener_init (&opener, key, TRUE);
  seal (&sealer, &a);
  seal (&sealer, &b);
  g_assert_cmpuint (a.counter, ==, 0);
  g_assert_cmpuint (b.counter, ==, 1);
  g_assert_cmpint (memcmp (a.sealed, b.sealed, sizeof a.sealed), !=, 0);
  g_assert_true (als_opener_open (&opener, "ad", 2, a.counter, a.sealed, sizeof a.sealed, a.sealed));
  g_assert_cmpmem (a.sealed, 5, "hello", 5);
  als_sealer_clear (&sealer);
  als_opener_clear (&opener);
  g_assert_cmpint (sealer.key[0], ==, 0);
  g_assert_cmpint (opener.key[0], ==, 0);
}

static void
test_ordered (void)
{
  AlsSealer sealer;
  AlsOpener opener;
  Packet p[3];

  als_sealer_init (&sealer, key);
  als_opener_init (&opener, key, TRUE);
  for (guint i = 0; i < 3; i++)
    seal (&sealer, &p[i]);
  g_assert_false (open_packet (&opener, &p[1]));
  g_assert_true (open_packet (&opener, &p[0]));
  g_assert_false (open_packet (&opener, &p[0]));
  g_assert_false (open_packet (&opener, &p[2]));
  g_assert_true (open_packet (&opener, &p[1]));
  g_assert_true (open_packet (&opener, &p[2]));
}

/* Against a plain list of what was opened. */
static void
test_window (void)
{
  const guint n = 5 * ALS_REPLAY_WINDOW;
  g_autofree Packet *packets = g_new (Packet, n);
  g_autofree gboolean *opened = g_new0 (gboolean, n);
  g_autoptr (GRand) rand = g_rand_new_with_seed (7);
  uint64_t next = 0;
  guint n_old = 0, n_again = 0;
  AlsSealer sealer;
  AlsOpener opener;

  als_sealer_init (&sealer, key);
  als_opener_init (&opener, key, FALSE);
  for (guint i = 0; i < n; i++)
    seal (&sealer, &packets[i]);
  for (guint i = 0; i < 100000; i++)
    {
      /* Forward in leaps, backward beyond the window. */
      int64_t at = (int64_t) next + g_rand_int_range (rand, -ALS_REPLAY_WINDOW - 300, 40);
      gboolean expected;

      if (i == 50000)
        at = (int64_t) next + ALS_REPLAY_WINDOW + 17;
      if (at < 0 || at >= (int64_t) n)
        continue;
      expected = !opened[at] && ((uint64_t) at >= next || next - (uint64_t) at <= ALS_REPLAY_WINDOW);
      n_old += !opened[at] && !expected;
      n_again += opened[at];
      g_assert_true (open_packet (&opener, &packets[at]) == expected);
      if (expected)
        opened[at] = TRUE;
      if (expected && (uint64_t) at >= next)
        next = (uint64_t) at + 1;
    }
  g_assert_cmpuint (n_old, >, 100);
  g_assert_cmpuint (n_again, >, 1000);
  g_assert_cmpuint (next, >, 3 * ALS_REPLAY_WINDOW);
}

static void
test_forged_does_not_move_the_window (void)
{
  AlsSealer sealer;
  AlsOpener opener;
  Packet p, forged;

  als_sealer_init (&sealer, key);
  als_opener_init (&opener, key, FALSE);
  seal (&sealer, &p);
  forged = p;
  forged.counter = 1000000;
  g_assert_false (open_packet (&opener, &forged));
  forged.counter = UINT64_MAX;
  g_assert_false (open_packet (&opener, &forged));
  for (guint i = 0; i < sizeof p.sealed * 8; i++)
    {
      forged = p;
      forged.sealed[i / 8] ^= (uint8_t) (1u << (i % 8));
      g_assert_false (open_packet (&opener, &forged));
    }
  g_assert_false (als_opener_open (&opener, "AD", 2, p.counter, p.sealed, sizeof p.sealed, forged.sealed));
  g_assert_false (als_opener_open (&opener, "ad", 2, p.counter, p.sealed, 15, forged.sealed));
  g_assert_true (open_packet (&opener, &p));
}

static void
test_messages (void)
{
  g_autoptr (GBytes) plain = g_bytes_new_static ("candidate", 9);
  g_autoptr (GBytes) empty = g_bytes_new_static ("", 0);
  g_autoptr (GBytes) sealed = NULL;
  g_autoptr (GBytes) sealed_empty = NULL;
  g_autoptr (GBytes) opened = NULL;
  g_autoptr (GBytes) opened_empty = NULL;
  const uint8_t *data;
  AlsSealer sealer;
  AlsOpener opener;
  size_t len;

  als_sealer_init (&sealer, key);
  als_opener_init (&opener, key, TRUE);
  sealed = als_sealer_seal_message (&sealer, plain);
  sealed_empty = als_sealer_seal_message (&sealer, empty);
  data = g_bytes_get_data (sealed, &len);
  for (size_t i = 0; i < len; i++)
    g_assert_null (als_opener_open_message (&opener, data, i));
  opened = als_opener_open_message (&opener, data, len);
  g_assert_true (g_bytes_equal (opened, plain));
  g_assert_null (als_opener_open_message (&opener, data, len));
  data = g_bytes_get_data (sealed_empty, &len);
  opened_empty = als_opener_open_message (&opener, data, len);
  g_assert_cmpuint (g_bytes_get_size (opened_empty), ==, 0);
}

static void
test_used_up_counters_abort (void)
{
  if (g_test_subprocess ())
    {
      AlsSealer sealer;
      Packet p;

      als_sealer_init (&sealer, key);
      sealer.counter = UINT64_MAX;
      seal (&sealer, &p);
      return;
    }
  g_test_trap_subprocess (NULL, 0, 0);
  g_test_trap_assert_failed ();
  g_test_trap_assert_stderr ("*used up*");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  als_crypto_init ();
  g_test_add_func ("/crypto/seal/counters-go-up-and-opening-works-in-place", test_in_place_and_counters);
  g_test_add_func ("/crypto/seal/ordered-takes-only-the-next", test_ordered);
  g_test_add_func ("/crypto/seal/window-takes-each-once-and-nothing-old", test_window);
  g_test_add_func ("/crypto/seal/forged-does-not-move-the-window", test_forged_does_not_move_the_window);
  g_test_add_func ("/crypto/seal/messages-carry-their-counter", test_messages);
  g_test_add_func ("/crypto/seal/used-up-counters-abort", test_used_up_counters_abort);
  return g_test_run ();
}
