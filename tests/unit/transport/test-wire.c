/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Two wires over a net of our own that loses, repeats, reorders, with a clock of our own. */
#include "crypto/als-crypto.h"
#include "transport/als-wire.h"

#include <string.h>

#define MS 1000
#define MAX_BYTES 2048

typedef struct
{
  int64_t at_us;
  guint to;
  size_t len;
  uint8_t data[MAX_BYTES];
} Flying;

typedef struct
{
  AlsWire *wire[2];     /* 0: speaker */
  GPtrArray *flying;    /* (element-type Flying) */
  GPtrArray *said;      /* every packet ever sent, (element-type Flying) */
  GHashTable *counters; /* "from type counter": each once, ever */
  GRand *rand;
  int64_t now_us;
  int64_t delay_us, jitter_us;
  double loss, repeat;
  guint n_plain[2];
  uint32_t last_plain[2];
  gboolean ordered;
  guint cut;            /* set of sides whose packets vanish */
  gboolean new_keys;    /* a second hello is meant to be answered: heads may repeat under its keys */
} Net;

static AlsLinkConfig
make_config (AlsRole role, gboolean speaks, AlsCarrierType carrier)
{
  AlsLinkConfig config = { .role = role, .carrier = carrier, .session_secret = { 1, 2, 3 },
                           .path_id = speaks ? 77 : 0, .speaks_first = speaks };

  return config;
}

static void
net_init_with (Net *net, const AlsLinkConfig *speaker, const AlsLinkConfig *listener)
{
  memset (net, 0, sizeof *net);
  net->now_us = 1000 * MS;
  net->delay_us = 20 * MS;
  net->ordered = speaker->carrier != ALS_CARRIER_DATAGRAMS;
  net->flying = g_ptr_array_new_with_free_func (g_free);
  net->said = g_ptr_array_new_with_free_func (g_free);
  net->counters = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  net->rand = g_rand_new_with_seed (5);
  net->wire[0] = als_wire_new (speaker, net->now_us);
  net->wire[1] = als_wire_new (listener, net->now_us);
}

static void
net_init (Net *net, AlsCarrierType carrier)
{
  AlsLinkConfig speaker = make_config (ALS_ROLE_INVITER, TRUE, carrier);
  AlsLinkConfig listener = make_config (ALS_ROLE_JOINER, FALSE, carrier);

  net_init_with (net, &speaker, &listener);
}

static void
net_clear (Net *net)
{
  als_wire_free (net->wire[0]);
  als_wire_free (net->wire[1]);
  g_ptr_array_unref (net->flying);
  g_ptr_array_unref (net->said);
  g_hash_table_unref (net->counters);
  g_rand_free (net->rand);
}

static void
fly (Net *net, guint to, const uint8_t *data, size_t len, int64_t at_us)
{
  Flying *packet = g_new (Flying, 1);

  packet->at_us = at_us;
  packet->to = to;
  packet->len = len;
  memcpy (packet->data, data, len);
  g_ptr_array_add (net->flying, packet);
}

static void
net_send (Net *net, guint from, const uint8_t *data, size_t len)
{
  guint n = 1;

  g_assert_cmpuint (len, <=, MAX_BYTES);
  if (data[0] >= 0xa0 && !net->new_keys)
    {
      uint64_t counter;

      memcpy (&counter, data + 1, 8);
      /* The sealed head names key and counter. A control and a data packet share a key. */
      g_assert_true (g_hash_table_add (net->counters,
                                       g_strdup_printf ("%u %u %" G_GINT64_MODIFIER "x", from,
                                                        data[0] & 0xf, counter)));
    }
  g_ptr_array_add (net->said, g_memdup2 (&(Flying){ .to = !from, .len = len }, sizeof (Flying)));
  memcpy (((Flying *) g_ptr_array_index (net->said, net->said->len - 1))->data, data, len);
  if (net->cut & (1u << from))
    return;
  if (g_rand_double (net->rand) < net->loss)
    n = 0;
  if (g_rand_double (net->rand) < net->repeat)
    n++;
  while (n-- > 0)
    fly (net, !from, data, len, net->now_us + net->delay_us
                                  + (net->jitter_us > 0
                                       ? (int64_t) (g_rand_double (net->rand) * net->jitter_us) : 0));
}

static void
net_poll (Net *net)
{
  for (guint side = 0; side < 2; side++)
    {
      uint8_t out[512];
      size_t len;

      while ((len = als_wire_poll (net->wire[side], out, net->now_us)) > 0)
        net_send (net, side, out, len);
    }
}

static void
deliver (Net *net, const Flying *packet)
{
  const uint8_t *plain;
  size_t len;

  if (als_wire_receive (net->wire[packet->to], packet->data, packet->len, net->now_us, &plain, &len)
      != ALS_WIRE_PLAIN)
    return;
  g_assert_cmpuint (len, >=, 4);
  net->n_plain[packet->to]++;
  memcpy (&net->last_plain[packet->to], plain, 4);
}

/* Until UNTIL_US or until nothing is due. */
static void
net_run (Net *net, int64_t until_us)
{
  for (;;)
    {
      Flying *first = NULL;
      guint first_at = 0;
      int64_t next_us;

      net_poll (net);
      for (guint i = 0; i < net->flying->len; i++)
        {
          Flying *packet = g_ptr_array_index (net->flying, i);

          if (first == NULL || packet->at_us < first->at_us)
            {
              first = packet;
              first_at = i;
            }
        }
      next_us = MIN (als_wire_get_deadline (net->wire[0]), als_wire_get_deadline (net->wire[1]));
      g_assert_cmpint (next_us, >, net->now_us);
      if (first != NULL)
        next_us = MIN (next_us, first->at_us);
      if (next_us > until_us)
        {
          net->now_us = MAX (net->now_us, until_us);
          net_poll (net);
          return;
        }
      net->now_us = MAX (net->now_us, next_us);
      if (first != NULL && first->at_us <= net->now_us)
        {
          g_autofree Flying *packet = g_ptr_array_steal_index (net->flying, first_at);

          deliver (net, packet);
        }
    }
}

static gboolean
both_ready (Net *net)
{
  return als_wire_is_ready (net->wire[0]) && als_wire_is_ready (net->wire[1]);
}

static void
say (Net *net, guint from, uint32_t what)
{
  uint8_t plain[100] = { 0 }, out[sizeof plain + ALS_WIRE_OVERHEAD];
  size_t len;

  memcpy (plain, &what, 4);
  len = als_wire_seal (net->wire[from], plain, sizeof plain, out, net->now_us);
  g_assert_cmpuint (len, ==, sizeof out);
  net_send (net, from, out, len);
}

static void
test_hello (void)
{
  static const AlsCarrierType carriers[] = { ALS_CARRIER_DATAGRAMS, ALS_CARRIER_MESSAGES,
                                             ALS_CARRIER_STREAM };

  for (guint i = 0; i < G_N_ELEMENTS (carriers); i++)
    {
      uint8_t none[64];
      Net net;

      net_init (&net, carriers[i]);
      g_assert_cmpuint (als_wire_seal (net.wire[0], none, 4, none, net.now_us), ==, 0);
      net_run (&net, net.now_us + 200 * MS);
      g_assert_true (both_ready (&net));
      g_assert_cmpuint (als_wire_get_path_id (net.wire[1]), ==, 77);
      for (guint side = 0; side < 2; side++)
        {
          g_assert_cmpint (als_wire_get_rtt (net.wire[side]), ==, 40 * MS);
          g_assert_cmpint (als_wire_get_deadline (net.wire[side]), ==, INT64_MAX);
          say (&net, side, 10 + side);
        }
      net_run (&net, net.now_us + 200 * MS);
      g_assert_cmpuint (net.last_plain[1], ==, 10);
      g_assert_cmpuint (net.last_plain[0], ==, 11);
      net_clear (&net);
    }
}

static void
test_inviter_may_listen (void)
{
  AlsLinkConfig speaker = make_config (ALS_ROLE_JOINER, TRUE, ALS_CARRIER_DATAGRAMS);
  AlsLinkConfig listener = make_config (ALS_ROLE_INVITER, FALSE, ALS_CARRIER_DATAGRAMS);
  Net net;

  net_init_with (&net, &speaker, &listener);
  net_run (&net, net.now_us + 200 * MS);
  g_assert_true (both_ready (&net));
  net_clear (&net);
}

static void
test_lossy (void)
{
  guint ready = 0;

  for (guint seed = 0; seed < 200; seed++)
    {
      Net net;

      net_init (&net, ALS_CARRIER_DATAGRAMS);
      g_rand_set_seed (net.rand, seed);
      net.loss = 0.4;
      net.repeat = 0.3;
      net.jitter_us = 150 * MS;
      net_run (&net, net.now_us + 9900 * MS);
      ready += both_ready (&net);
      g_assert_false (als_wire_has_failed (net.wire[0]));
      for (guint i = 0; both_ready (&net) && i < 50; i++)
        {
          say (&net, i % 2, i);
          net_run (&net, net.now_us + 5 * MS);
        }
      net_clear (&net);
    }
  g_assert_cmpuint (ready, >=, 195);
}

/* Each packet is taken once, whatever the net repeats. */
static void
test_repeats_are_taken_once (void)
{
  Net net;

  net_init (&net, ALS_CARRIER_DATAGRAMS);
  net.repeat = 1;
  net.jitter_us = 30 * MS;
  net_run (&net, net.now_us + 1000 * MS);
  g_assert_true (both_ready (&net));
  for (guint i = 0; i < 1000; i++)
    {
      say (&net, 0, i);
      net_run (&net, net.now_us + 1 * MS);
    }
  net_run (&net, net.now_us + 1000 * MS);
  g_assert_cmpuint (net.n_plain[1], ==, 1000);
  net_clear (&net);
}

static void
test_gives_up (void)
{
  for (guint cut = 1; cut <= 3; cut++)
    {
      int64_t start_us;
      Net net;

      net_init (&net, ALS_CARRIER_DATAGRAMS);
      start_us = net.now_us;
      net.cut = cut;
      net_run (&net, start_us + 9999 * MS);
      g_assert_false (als_wire_has_failed (net.wire[0]));
      g_assert_false (both_ready (&net));
      net_run (&net, start_us + 10000 * MS);
      g_assert_true (als_wire_has_failed (net.wire[0]));
      g_assert_true (als_wire_has_failed (net.wire[1]));
      g_assert_false (als_wire_is_keyed (net.wire[0]));
      g_assert_cmpint (als_wire_get_deadline (net.wire[0]), ==, INT64_MAX);
      /* Repeated, but not without measure. */
      g_assert_cmpuint (net.said->len, >=, 10);
      g_assert_cmpuint (net.said->len, <=, 50);
      net_clear (&net);
    }
}

static void
test_wrong_secret (void)
{
  AlsLinkConfig speaker = make_config (ALS_ROLE_INVITER, TRUE, ALS_CARRIER_DATAGRAMS);
  AlsLinkConfig listener = make_config (ALS_ROLE_JOINER, FALSE, ALS_CARRIER_DATAGRAMS);
  Net net;

  listener.session_secret[31] ^= 1;
  net_init_with (&net, &speaker, &listener);
  net_run (&net, net.now_us + 5000 * MS);
  g_assert_false (als_wire_is_keyed (net.wire[0]));
  /* The listener did not say a word. */
  for (guint i = 0; i < net.said->len; i++)
    g_assert_cmpuint (((Flying *) g_ptr_array_index (net.said, i))->to, ==, 1);
  net_clear (&net);
}

static void
test_listener_is_silent_to_garbage (void)
{
  AlsLinkConfig speaker_config = make_config (ALS_ROLE_INVITER, TRUE, ALS_CARRIER_DATAGRAMS);
  AlsLinkConfig listener_config = make_config (ALS_ROLE_JOINER, FALSE, ALS_CARRIER_DATAGRAMS);
  AlsWire *speaker = als_wire_new (&speaker_config, 0);
  AlsWire *listener = als_wire_new (&listener_config, 0);
  uint8_t hello[512], bad[512], out[512];
  const uint8_t *plain;
  size_t len = als_wire_poll (speaker, hello, 0), plain_len;

  g_assert_cmpuint (len, >, 0);
  for (size_t cut = 0; cut < len; cut++)
    g_assert_cmpint (als_wire_receive (listener, hello, cut, 0, &plain, &plain_len), ==, ALS_WIRE_NOTHING);
  for (size_t i = 0; i < len * 8; i++)
    {
      memcpy (bad, hello, len);
      bad[i / 8] ^= (uint8_t) (1u << (i % 8));
      als_wire_receive (listener, bad, len, 0, &plain, &plain_len);
      /* A speaker takes no hello at all, not even its own reflected. */
      als_wire_receive (speaker, bad, len, 0, &plain, &plain_len);
      g_assert_cmpuint (als_wire_poll (listener, out, 0), ==, 0);
      g_assert_cmpuint (als_wire_poll (speaker, out, 0), ==, 0);
    }
  for (guint type = 0; type < 256; type++)
    {
      memset (bad, 0x5a, sizeof bad);
      bad[0] = (uint8_t) type;
      for (size_t n = 1; n < 100; n++)
        als_wire_receive (listener, bad, n, 0, &plain, &plain_len);
      g_assert_cmpuint (als_wire_poll (listener, out, 0), ==, 0);
    }
  g_assert_false (als_wire_is_keyed (listener));
  als_wire_receive (listener, hello, len, 0, &plain, &plain_len);
  g_assert_true (als_wire_is_keyed (listener));
  g_assert_cmpuint (als_wire_poll (listener, out, 0), >, 0);
  als_wire_free (speaker);
  als_wire_free (listener);
}

static void
test_repeated_hello_gets_the_same_reply (void)
{
  AlsLinkConfig speaker_config = make_config (ALS_ROLE_INVITER, TRUE, ALS_CARRIER_DATAGRAMS);
  AlsLinkConfig listener_config = make_config (ALS_ROLE_JOINER, FALSE, ALS_CARRIER_DATAGRAMS);
  AlsWire *speaker = als_wire_new (&speaker_config, 0);
  AlsWire *listener = als_wire_new (&listener_config, 0);
  uint8_t hello[512], first[512], again[512], echo[512];
  const uint8_t *plain;
  size_t len = als_wire_poll (speaker, hello, 0), plain_len, first_len, again_len;

  als_wire_receive (listener, hello, len, 0, &plain, &plain_len);
  first_len = als_wire_poll (listener, first, 0);
  g_assert_cmpuint (als_wire_poll (listener, echo, 0), >, 0);
  g_assert_cmpuint (als_wire_poll (listener, echo, 0), ==, 0);
  als_wire_receive (listener, hello, len, 10 * MS, &plain, &plain_len);
  again_len = als_wire_poll (listener, again, 10 * MS);
  g_assert_cmpmem (first, first_len, again, again_len);
  g_assert_cmpuint (als_wire_poll (listener, again, 10 * MS), ==, 0);
  als_wire_free (speaker);
  als_wire_free (listener);
}

/* An old hello arrives first; the true one still gets through, and the old one not again. */
static void
test_replayed_hello (void)
{
  AlsLinkConfig config = make_config (ALS_ROLE_INVITER, TRUE, ALS_CARRIER_DATAGRAMS);
  AlsWire *old;
  Flying hello = { .to = 1 };
  Net net;

  config.path_id = 5;
  old = als_wire_new (&config, 0);
  hello.len = als_wire_poll (old, hello.data, 0);
  net_init (&net, ALS_CARRIER_DATAGRAMS);
  net.new_keys = TRUE;
  for (guint i = 0; i < 100; i++)
    fly (&net, 1, hello.data, hello.len, net.now_us + i * MS);
  net_run (&net, net.now_us + 500 * MS);
  g_assert_true (both_ready (&net));
  g_assert_cmpuint (als_wire_get_path_id (net.wire[1]), ==, 77);
  als_wire_free (old);
  net_clear (&net);
}

static void
test_forged_and_reflected (void)
{
  Net net;
  guint n;

  net_init (&net, ALS_CARRIER_DATAGRAMS);
  net_run (&net, net.now_us + 500 * MS);
  for (guint i = 0; i < 20; i++)
    say (&net, i % 2, i);
  net_run (&net, net.now_us + 500 * MS);
  g_assert_cmpuint (net.n_plain[0] + net.n_plain[1], ==, 20);
  n = net.said->len;
  for (guint i = 0; i < n; i++)
    {
      const Flying *packet = g_ptr_array_index (net.said, i);

      /* Again, back to its sender, and with any byte changed. */
      fly (&net, packet->to, packet->data, packet->len, net.now_us);
      fly (&net, !packet->to, packet->data, packet->len, net.now_us);
      for (size_t at = 0; at < packet->len; at++)
        {
          Flying forged = *packet;

          forged.data[at] ^= (uint8_t) g_rand_int_range (net.rand, 1, 256);
          fly (&net, forged.to, forged.data, forged.len, net.now_us);
        }
    }
  net_run (&net, net.now_us + 100 * MS);
  g_assert_cmpuint (net.n_plain[0] + net.n_plain[1], ==, 20);
  g_assert_true (both_ready (&net));
  say (&net, 0, 99);
  net_run (&net, net.now_us + 100 * MS);
  g_assert_cmpuint (net.last_plain[1], ==, 99);
  net_clear (&net);
}

/* By bytes: many epochs, far beyond what their low bits tell apart, over a bad net. */
static void
test_epochs_by_bytes (void)
{
  static const AlsCarrierType carriers[] = { ALS_CARRIER_DATAGRAMS, ALS_CARRIER_MESSAGES };

  for (guint c = 0; c < G_N_ELEMENTS (carriers); c++)
    {
      AlsLinkConfig speaker = make_config (ALS_ROLE_INVITER, TRUE, carriers[c]);
      AlsLinkConfig listener = make_config (ALS_ROLE_JOINER, FALSE, carriers[c]);
      guint seen = 0, previous = 0;
      Net net;

      speaker.epoch_bytes = 10000;
      net_init_with (&net, &speaker, &listener);
      if (!net.ordered)
        net.jitter_us = 30 * MS;
      net_run (&net, net.now_us + 500 * MS);
      for (guint i = 0; i < 8000; i++)
        {
          const Flying *last;

          say (&net, 0, i);
          last = g_ptr_array_index (net.said, net.said->len - 1);
          seen += (last->data[0] & 0xf) != previous;
          previous = last->data[0] & 0xf;
          net_run (&net, net.now_us + MS);
        }
      net_run (&net, net.now_us + 100 * MS);
      g_assert_cmpuint (net.n_plain[1], ==, 8000);
      g_assert_cmpuint (seen, >, 90);
      g_assert_false (als_wire_is_broken (net.wire[1]));
      net_clear (&net);
    }
}

static void
test_epochs_by_time (void)
{
  AlsLinkConfig speaker = make_config (ALS_ROLE_INVITER, TRUE, ALS_CARRIER_DATAGRAMS);
  AlsLinkConfig listener = make_config (ALS_ROLE_JOINER, FALSE, ALS_CARRIER_DATAGRAMS);
  const Flying *last;
  Flying late, later;
  Net net;

  speaker.epoch_us = 60 * (int64_t) G_USEC_PER_SEC;
  net_init_with (&net, &speaker, &listener);
  net_run (&net, net.now_us + 500 * MS);
  net.cut = 1;
  say (&net, 0, 1);
  late = *(Flying *) g_ptr_array_index (net.said, net.said->len - 1);
  say (&net, 0, 2);
  later = *(Flying *) g_ptr_array_index (net.said, net.said->len - 1);
  net.cut = 0;
  net_run (&net, net.now_us + 59000 * MS);
  say (&net, 0, 3);
  last = g_ptr_array_index (net.said, net.said->len - 1);
  g_assert_cmpuint (last->data[0] & 0xf, ==, 0);
  net_run (&net, net.now_us + 1000 * MS);
  say (&net, 0, 4);
  last = g_ptr_array_index (net.said, net.said->len - 1);
  g_assert_cmpuint (last->data[0] & 0xf, ==, 1);
  net_run (&net, net.now_us + 1000 * MS);
  g_assert_cmpuint (net.n_plain[1], ==, 2);
  /* The old epoch is taken for ten seconds more. */
  fly (&net, 1, late.data, late.len, net.now_us + 8000 * MS);
  fly (&net, 1, later.data, later.len, net.now_us + 9500 * MS);
  net_run (&net, net.now_us + 9000 * MS);
  g_assert_cmpuint (net.n_plain[1], ==, 3);
  g_assert_cmpuint (net.last_plain[1], ==, 1);
  net_run (&net, net.now_us + 2000 * MS);
  g_assert_cmpuint (net.n_plain[1], ==, 3);
  g_assert_cmpint (als_wire_get_deadline (net.wire[1]), ==, INT64_MAX);
  net_clear (&net);
}

/* A whole epoch may be lost; nothing of what follows is. */
static void
test_lost_epochs (void)
{
  AlsLinkConfig speaker = make_config (ALS_ROLE_INVITER, TRUE, ALS_CARRIER_DATAGRAMS);
  AlsLinkConfig listener = make_config (ALS_ROLE_JOINER, FALSE, ALS_CARRIER_DATAGRAMS);
  Net net;

  speaker.epoch_bytes = 1000;
  net_init_with (&net, &speaker, &listener);
  net_run (&net, net.now_us + 500 * MS);
  net.cut = 1;
  for (guint i = 0; i < 60; i++)
    say (&net, 0, i);
  net.cut = 0;
  say (&net, 0, 1000);
  net_run (&net, net.now_us + 500 * MS);
  g_assert_cmpuint (net.last_plain[1], ==, 1000);
  net_clear (&net);
}

static void
test_ordered_carrier_that_loses_is_broken (void)
{
  Net net;

  net_init (&net, ALS_CARRIER_MESSAGES);
  net_run (&net, net.now_us + 500 * MS);
  say (&net, 0, 1);
  net_run (&net, net.now_us + 500 * MS);
  g_assert_false (als_wire_is_broken (net.wire[1]));
  net.cut = 1;
  say (&net, 0, 2);
  net.cut = 0;
  say (&net, 0, 3);
  net_run (&net, net.now_us + 500 * MS);
  g_assert_true (als_wire_is_broken (net.wire[1]));
  g_assert_cmpuint (net.last_plain[1], ==, 1);
  net_clear (&net);
}

/* Both connects returned on the same connection. */
static void
test_both_speak (void)
{
  for (guint cut = 0; cut < 3; cut++)
    {
      AlsLinkConfig inviter = make_config (ALS_ROLE_INVITER, TRUE, ALS_CARRIER_STREAM);
      AlsLinkConfig joiner = make_config (ALS_ROLE_JOINER, TRUE, ALS_CARRIER_STREAM);
      Net net;

      joiner.path_id = 0x80000003;
      net_init_with (&net, &inviter, &joiner);
      net.new_keys = TRUE;
      /* One of the two may be late. */
      if (cut > 0)
        {
          uint8_t out[512];
          size_t len = als_wire_poll (net.wire[cut - 1], out, net.now_us);

          net_send (&net, cut - 1, out, len);
          net.now_us += 15 * MS;
        }
      net_run (&net, net.now_us + 500 * MS);
      g_assert_true (both_ready (&net));
      for (guint side = 0; side < 2; side++)
        {
          g_assert_false (als_wire_is_broken (net.wire[side]));
          g_assert_cmpuint (als_wire_get_path_id (net.wire[side]), ==, 77);
          say (&net, side, 10 + side);
        }
      net_run (&net, net.now_us + 200 * MS);
      g_assert_cmpuint (net.last_plain[1], ==, 10);
      g_assert_cmpuint (net.last_plain[0], ==, 11);
      net_clear (&net);
    }
}

/* A mirror on the port, for either role. */
static void
test_own_hello_comes_back (void)
{
  for (guint role = 0; role < 2; role++)
    {
      AlsLinkConfig config = make_config (role == 0 ? ALS_ROLE_INVITER : ALS_ROLE_JOINER, TRUE,
                                          ALS_CARRIER_STREAM);
      AlsWire *wire = als_wire_new (&config, 0);
      const uint8_t *plain;
      uint8_t hello[512];
      size_t len = als_wire_poll (wire, hello, 0), plain_len;

      g_assert_cmpuint (len, >, 0);
      als_wire_receive (wire, hello, len, 0, &plain, &plain_len);
      g_assert_true (als_wire_is_broken (wire));
      g_assert_false (als_wire_is_keyed (wire));
      g_assert_cmpuint (als_wire_poll (wire, hello, 0), ==, 0);
      als_wire_free (wire);
    }
}

/* What was heard on one connection is said on another: it never makes a link. */
static void
test_replay_on_a_stream (void)
{
  AlsLinkConfig listener = make_config (ALS_ROLE_JOINER, FALSE, ALS_CARRIER_STREAM);
  GPtrArray *said;
  Net net;

  net_init (&net, ALS_CARRIER_STREAM);
  net_run (&net, net.now_us + 500 * MS);
  say (&net, 0, 1);
  g_assert_true (both_ready (&net));
  said = g_ptr_array_ref (net.said);
  for (guint from = 0; from < said->len; from++)
    {
      AlsWire *wire = als_wire_new (&listener, net.now_us);
      const uint8_t *plain;
      uint8_t out[512];
      size_t len;

      for (guint i = from; i < said->len; i++)
        {
          const Flying *packet = g_ptr_array_index (said, i);

          if (packet->to == 1)
            g_assert_cmpint (als_wire_receive (wire, packet->data, packet->len, net.now_us, &plain,
                                               &len), ==, ALS_WIRE_NOTHING);
        }
      while (als_wire_poll (wire, out, net.now_us) > 0)
        ;
      g_assert_true (als_wire_is_broken (wire));
      g_assert_false (als_wire_is_ready (wire));
      als_wire_free (wire);
    }
  g_ptr_array_unref (said);
  net_clear (&net);
}

static void
test_stream_gives_up (void)
{
  for (guint speaks = 0; speaks < 2; speaks++)
    {
      AlsLinkConfig config = make_config (ALS_ROLE_INVITER, speaks == 1, ALS_CARRIER_STREAM);
      AlsWire *wire = als_wire_new (&config, 0);
      uint8_t out[512];

      /* Said once. */
      g_assert_cmpuint (als_wire_poll (wire, out, 0) > 0, ==, speaks);
      g_assert_cmpint (als_wire_get_deadline (wire), ==, 5000 * MS);
      g_assert_cmpuint (als_wire_poll (wire, out, 5000 * MS), ==, 0);
      g_assert_true (als_wire_has_failed (wire));
      als_wire_free (wire);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  als_crypto_init ();
  g_test_add_func ("/transport/wire/hello-keys-and-echo-make-both-ready", test_hello);
  g_test_add_func ("/transport/wire/inviter-may-listen", test_inviter_may_listen);
  g_test_add_func ("/transport/wire/gets-through-a-net-that-loses-and-reorders", test_lossy);
  g_test_add_func ("/transport/wire/repeated-packets-are-taken-once", test_repeats_are_taken_once);
  g_test_add_func ("/transport/wire/gives-up-after-ten-seconds", test_gives_up);
  g_test_add_func ("/transport/wire/wrong-secret-hears-nothing", test_wrong_secret);
  g_test_add_func ("/transport/wire/listener-is-silent-to-garbage", test_listener_is_silent_to_garbage);
  g_test_add_func ("/transport/wire/repeated-hello-gets-the-same-reply", test_repeated_hello_gets_the_same_reply);
  g_test_add_func ("/transport/wire/replayed-hello-does-not-keep-the-true-one-out", test_replayed_hello);
  g_test_add_func ("/transport/wire/forged-reflected-and-replayed-packets-are-nothing", test_forged_and_reflected);
  g_test_add_func ("/transport/wire/epochs-change-by-bytes-and-lose-nothing", test_epochs_by_bytes);
  g_test_add_func ("/transport/wire/epochs-change-by-time-and-the-old-one-lasts-ten-seconds", test_epochs_by_time);
  g_test_add_func ("/transport/wire/lost-epochs-are-bridged", test_lost_epochs);
  g_test_add_func ("/transport/wire/ordered-carrier-that-loses-is-broken", test_ordered_carrier_that_loses_is_broken);
  g_test_add_func ("/transport/wire/stream/of-two-speakers-the-inviter-counts", test_both_speak);
  g_test_add_func ("/transport/wire/stream/own-hello-coming-back-does-not-count", test_own_hello_comes_back);
  g_test_add_func ("/transport/wire/stream/what-another-connection-heard-does-not-count", test_replay_on_a_stream);
  g_test_add_func ("/transport/wire/stream/gives-up-after-five-seconds", test_stream_gives_up);
  return g_test_run ();
}
