/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* A NAT and a server of RFC 5780 in a few lines, in invented time. */

#include "stun/als-nat-discovery.h"

#include <string.h>

#define RTT_US (40 * 1000)
#define START_US ((int64_t) 5 * G_USEC_PER_SEC)

typedef struct
{
  gboolean is_nat;
  AlsNatDependence mapping;
  AlsNatDependence filtering;
  gboolean has_other;
  const char *other; /* NULL: 192.0.2.2 */
  gboolean ignores_change;
  gboolean drops_all;
  guint drops_first;      /* this many probes */
} World;

static void
parse (AlsStunAddress *address, const char *ip, uint16_t port)
{
  g_assert_true (als_stun_address_parse (address, ip, port));
}

static AlsStunAddress
map (const World *world, const AlsStunAddress *local, const AlsStunAddress *to)
{
  AlsStunAddress mapped;

  if (!world->is_nat)
    return *local;
  parse (&mapped, "203.0.113.1", 40000);
  if (world->mapping != ALS_NAT_ENDPOINT_INDEPENDENT)
    mapped.port = (uint16_t) (mapped.port + to->ip[3]);
  if (world->mapping == ALS_NAT_ADDRESS_AND_PORT_DEPENDENT)
    mapped.port = (uint16_t) (mapped.port + to->port);
  return mapped;
}

static gboolean
lets_in (const World *world, GArray *sent_to, const AlsStunAddress *from)
{
  for (guint i = 0; i < sent_to->len; i++)
    {
      const AlsStunAddress *to = &g_array_index (sent_to, AlsStunAddress, i);

      if (world->filtering == ALS_NAT_ENDPOINT_INDEPENDENT
          || (world->filtering == ALS_NAT_ADDRESS_DEPENDENT && als_stun_address_same_ip (to, from))
          || als_stun_address_equal (to, from))
        return TRUE;
    }
  return FALSE;
}

/* Where the answer comes from, and the answer. */
static GBytes *
answer (const World *world, const AlsStunAddress *local, const AlsNatProbe *probe,
        AlsStunAddress *from)
{
  g_autoptr (AlsStunMessage) request
      = als_stun_message_decode (g_bytes_get_data (probe->bytes, NULL),
                                 g_bytes_get_size (probe->bytes), NULL);
  g_auto (AlsStunBuilder) builder = { 0 };
  AlsStunAddress mapped = map (world, local, &probe->to), other;
  uint32_t change;

  g_assert_true (request->has_fingerprint);
  als_stun_message_get_u32 (request, ALS_STUN_CHANGE_REQUEST, &change);
  *from = probe->to;
  if (change & ALS_STUN_CHANGE_IP && !world->ignores_change)
    parse (from, "192.0.2.2", from->port);
  if (change & ALS_STUN_CHANGE_PORT && !world->ignores_change)
    from->port = 3479;
  als_stun_builder_init (&builder, ALS_STUN_SUCCESS, ALS_STUN_BINDING, request->transaction);
  als_stun_builder_add_address (&builder, ALS_STUN_XOR_MAPPED_ADDRESS, &mapped);
  als_stun_builder_add_address (&builder, ALS_STUN_RESPONSE_ORIGIN, from);
  parse (&other, world->other != NULL ? world->other : "192.0.2.2", 3479);
  if (world->has_other)
    als_stun_builder_add_address (&builder, ALS_STUN_OTHER_ADDRESS, &other);
  return als_stun_builder_finish (&builder);
}

static AlsNatBehaviour
discover (const World *world, int64_t *took_us)
{
  AlsStunAddress local, server;
  g_autoptr (AlsNatDiscovery) discovery = NULL;
  g_autoptr (GArray) sent_to = g_array_new (FALSE, FALSE, sizeof (AlsStunAddress));
  int64_t now_us = START_US;
  guint n_probes = 0;

  parse (&local, "10.0.0.5", 5000);
  parse (&server, "192.0.2.1", 3478);
  discovery = als_nat_discovery_new (&local, &server, now_us);
  while (als_nat_discovery_get_result (discovery) == NULL)
    {
      AlsNatProbe probe;
      gboolean sent = FALSE;

      while (als_nat_discovery_take_probe (discovery, &probe))
        {
          g_autoptr (GBytes) request = probe.bytes;
          g_autoptr (GBytes) response = NULL;
          AlsStunAddress from;

          sent = TRUE;
          g_assert_true (als_stun_address_may_name (&server, &probe.to));
          g_array_append_val (sent_to, probe.to);
          if (world->drops_all || n_probes++ < world->drops_first)
            continue;
          response = answer (world, &local, &probe, &from);
          if (lets_in (world, sent_to, &from))
            als_nat_discovery_receive (discovery, &from, g_bytes_get_data (response, NULL),
                                       g_bytes_get_size (response), now_us += RTT_US);
        }
      g_assert_cmpuint (sent_to->len, <=, 15);
      if (sent || als_nat_discovery_get_result (discovery) != NULL)
        continue;
      g_assert_cmpint (als_nat_discovery_get_deadline (discovery), <, INT64_MAX);
      now_us = MAX (now_us, als_nat_discovery_get_deadline (discovery));
      als_nat_discovery_poll (discovery, now_us);
    }
  *took_us = now_us - START_US;
  g_assert_cmpint (*took_us, <=, 7500 * 1000 + 5 * RTT_US);
  return *als_nat_discovery_get_result (discovery);
}

static void
check (const World *world, const char *words, const char *old_name)
{
  int64_t took_us;
  AlsNatBehaviour behaviour = discover (world, &took_us);
  g_autofree char *description = als_nat_behaviour_describe (&behaviour);

  g_assert_cmpstr (description, ==, words);
  g_assert_cmpstr (als_nat_behaviour_get_old_name (&behaviour), ==, old_name);
}

static void
test_all (void)
{
  static const char *const names[]
      = { NULL, "endpoint-independent", "address-dependent", "address-and-port-dependent" };
  static const char *const old[] = { NULL, "full cone", "restricted cone", "port-restricted cone" };

  for (guint mapping = 1; mapping <= 3; mapping++)
    for (guint filtering = 1; filtering <= 3; filtering++)
      {
        World world = { .is_nat = TRUE, .mapping = mapping, .filtering = filtering,
                        .has_other = TRUE };
        g_autofree char *words
            = g_strdup_printf ("%s mapping, %s filtering", names[mapping], names[filtering]);

        check (&world, words, mapping == 1 ? old[filtering] : "symmetric");
        world.drops_first = 2;
        check (&world, words, mapping == 1 ? old[filtering] : "symmetric");
      }
}

static void
test_no_nat (void)
{
  World world = { .filtering = ALS_NAT_ENDPOINT_INDEPENDENT, .has_other = TRUE };

  check (&world, "no NAT, endpoint-independent filtering", "open internet");
  world.filtering = ALS_NAT_ADDRESS_AND_PORT_DEPENDENT;
  check (&world, "no NAT, address-and-port-dependent filtering", "symmetric firewall");
}

/* A server asks us to ask our router, or ourselves. */
static void
test_named_insiders (void)
{
  static const char *const named[] = { "127.0.0.1", "10.0.0.1", "192.168.1.1", "169.254.1.1", "100.64.0.1",
                                       "224.0.0.1", "0.0.0.1" };

  for (guint i = 0; i < G_N_ELEMENTS (named); i++)
    {
      World world = { .is_nat = TRUE, .mapping = 1, .filtering = 1, .has_other = TRUE,
                      .other = named[i] };

      check (&world, "unknown mapping, unknown filtering", "unknown NAT");
    }
}

static void
test_blocked (void)
{
  World world = { .drops_all = TRUE };
  int64_t took_us;

  check (&world, "UDP blocked", "UDP blocked");
  discover (&world, &took_us);
  g_assert_cmpint (took_us, ==, 2500 * 1000);
}

static void
test_plain_server (void)
{
  World world = { .is_nat = TRUE, .mapping = 1, .filtering = 1 };

  check (&world, "unknown mapping, unknown filtering", "unknown NAT");
  world.is_nat = FALSE;
  check (&world, "no NAT, unknown filtering", "no NAT");
}

static void
test_ignores_change (void)
{
  World world = { .is_nat = TRUE, .mapping = 1, .filtering = 3, .has_other = TRUE,
                  .ignores_change = TRUE };

  check (&world, "endpoint-independent mapping, unknown filtering", "cone");
}

static void
test_ports (void)
{
  World world = { .is_nat = TRUE, .mapping = ALS_NAT_ADDRESS_DEPENDENT, .filtering = 3,
                  .has_other = TRUE };
  int64_t took_us;
  AlsNatBehaviour behaviour = discover (&world, &took_us);

  g_assert_cmpuint (behaviour.endpoints[0].port, ==, 40001);
  g_assert_cmpuint (behaviour.endpoints[1].port, ==, 40002);
  g_assert_cmpuint (behaviour.endpoints[2].port, ==, 40002);
}

/* As a message of the other side tells it. */
static void
test_name_without_endpoints (void)
{
  AlsNatBehaviour theirs = { .is_translated = TRUE,
                             .mapping = ALS_NAT_ENDPOINT_INDEPENDENT,
                             .filtering = ALS_NAT_ADDRESS_AND_PORT_DEPENDENT };
  AlsNatBehaviour nothing = { 0 };

  g_assert_cmpstr (als_nat_behaviour_get_old_name (&theirs), ==, "port-restricted cone");
  g_assert_cmpstr (als_nat_behaviour_get_old_name (&nothing), ==, "unknown");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/nat/discovery/every-behaviour-is-told-in-both-words-even-with-loss", test_all);
  g_test_add_func ("/nat/discovery/no-nat-with-and-without-firewall", test_no_nat);
  g_test_add_func ("/nat/discovery/blocked-udp-is-known-after-two-and-a-half-seconds",
                   test_blocked);
  g_test_add_func ("/nat/discovery/a-plain-server-leaves-it-unknown", test_plain_server);
  g_test_add_func ("/nat/discovery/a-server-that-ignores-the-change-proves-nothing",
                   test_ignores_change);
  g_test_add_func ("/nat/discovery/endpoints-are-kept-for-port-prediction", test_ports);
  g_test_add_func ("/nat/discovery/a-behaviour-that-was-told-has-its-name", test_name_without_endpoints);
  g_test_add_func ("/nat/discovery/nobody-inside-is-asked-at-a-servers-word", test_named_insiders);
  return g_test_run ();
}
