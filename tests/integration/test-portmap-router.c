/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* AlsPortMapper against a real miniupnpd, and against routers that lie:
 *
 *     client 192.168.7.2 ── 192.168.7.1 router 9.9.9.1 ── 9.9.9.2 wan
 *      (namespace 0)         (namespace 1: nftables)       (namespace 2)
 *
 * The router's outside address looks public, or miniupnpd would refuse to map. */

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include "als-ice-pair.h"
#include "als-test-namespaces.h"
#include "als-wait.h"
#include "path/portmap/als-pcp-codec.h"
#include "path/portmap/als-port-mapper.h"

#define CLIENT 0
#define ROUTER 1
#define WAN 2

#define ALL (ALS_PORT_MAP_PCP | ALS_PORT_MAP_NAT_PMP | ALS_PORT_MAP_UPNP)

static char *folder;

/* --- the router ------------------------------------------------------------- */

static char *
read_command (const char *command)
{
  g_autoptr (GError) error = NULL;
  char *output = NULL;

  g_spawn_command_line_sync (command, &output, NULL, NULL, &error);
  g_assert_no_error (error);
  return output;
}

/* Which mapped packets may pass is not left to miniupnpd: where a port is mapped for TCP and UDP, 2.3.1
 * forgets one of its two filter rules when it renews the other. */
static void
write_rules (void)
{
  als_test_namespace_enter (ROUTER);
  als_test_run ("nft 'flush ruleset; table inet filter {"
                " chain miniupnpd {}; chain prerouting_miniupnpd {}; chain postrouting_miniupnpd {};"
                " chain input { type filter hook input priority 0; policy accept; };"
                " chain forward { type filter hook forward priority 0; policy drop;"
                "   ct state established,related accept; iifname lan accept; ct status dnat accept; };"
                " chain pre { type nat hook prerouting priority -100; jump prerouting_miniupnpd; };"
                " chain post { type nat hook postrouting priority 100; jump postrouting_miniupnpd;"
                "   oifname wan masquerade random; }; }'");
  als_test_namespace_enter (CLIENT);
}

static void
make_network (void)
{
  als_test_namespaces_join (CLIENT, "eth", ROUTER, "lan");
  als_test_namespaces_join (ROUTER, "wan", WAN, "far");
  als_test_namespace_enter (CLIENT);
  als_test_run ("ip addr add 192.168.7.2/24 dev eth");
  als_test_run ("ip route add default via 192.168.7.1");
  als_test_namespace_enter (WAN);
  als_test_run ("ip addr add 9.9.9.2/24 dev far");
  als_test_namespace_enter (ROUTER);
  als_test_run ("ip addr add 192.168.7.1/24 dev lan");
  als_test_run ("ip addr add 9.9.9.1/24 dev wan");
  als_test_run ("sysctl -qw net.ipv4.ip_forward=1");
  als_test_namespace_enter (CLIENT);
}

/* What hears of requests: PCP and NAT-PMP's port is bound, in the calling thread's namespace. */
static gboolean
is_bound (const char *table, guint port)
{
  g_autofree char *path = g_strdup_printf ("/proc/thread-self/net/%s", table);
  g_autofree char *needle = g_strdup_printf (":%04X 00000000:0000", port);
  g_autofree char *text = NULL;

  return g_file_get_contents (path, &text, NULL, NULL) && strstr (text, needle) != NULL;
}

static void
die_with_parent (gpointer unused)
{
  prctl (PR_SET_PDEATHSIG, SIGKILL);
}

static GSubprocess *
start_router (void)
{
  g_autofree char *config = g_build_filename (folder, "conf", NULL);
  g_autofree char *pid = g_build_filename (folder, "pid", NULL);
  g_autoptr (GSubprocessLauncher) launcher = NULL;
  g_autoptr (GError) error = NULL;
  GSubprocess *router;

  g_file_set_contents (config,
                       "ext_ifname=wan\nlistening_ip=lan\nenable_natpmp=yes\nenable_upnp=yes\n"
                       "secure_mode=yes\nmin_lifetime=4\nmax_lifetime=86400\nhttp_port=5000\n"
                       "uuid=00000000-0000-0000-0000-000000000001\nnotify_interval=60\n"
                       "allow 1024-65535 192.168.7.0/24 1024-65535\n",
                       -1, &error);
  g_assert_no_error (error);
  write_rules ();
  als_test_namespace_enter (ROUTER);
  launcher = g_subprocess_launcher_new (G_SUBPROCESS_FLAGS_STDOUT_SILENCE
                                        | G_SUBPROCESS_FLAGS_STDERR_SILENCE);
  g_subprocess_launcher_set_child_setup (launcher, die_with_parent, NULL, NULL);
  router = g_subprocess_launcher_spawn (launcher, &error, "miniupnpd", "-d", "-f", config, "-P", pid,
                                        NULL);
  g_assert_no_error (error);
  for (guint i = 0; i < 500 && !(is_bound ("udp", 5351) && is_bound ("udp", 1900)); i++)
    g_usleep (10 * 1000);
  g_assert_true (is_bound ("udp", 5351));
  als_test_namespace_enter (CLIENT);
  return router;
}

static void
stop_router (GSubprocess *router)
{
  g_autofree char *pid = g_build_filename (folder, "pid", NULL);

  g_subprocess_force_exit (router);
  g_subprocess_wait (router, NULL, NULL);
  g_object_unref (router);
  remove (pid);
}

static gboolean
router_forwards (guint port)
{
  g_autofree char *text = NULL;
  g_autofree char *needle = g_strdup_printf ("192.168.7.2:%u", port);

  als_test_namespace_enter (ROUTER);
  text = read_command ("nft list chain inet filter prerouting_miniupnpd");
  als_test_namespace_enter (CLIENT);
  return strstr (text, needle) != NULL;
}

/* --- both ends of a mapping ------------------------------------------------- */

typedef struct
{
  GSocket *tcp, *udp; /* in the client's namespace, of one port */
  uint16_t port;
} Ends;

static GSocket *
bind_socket (GSocketType type, uint16_t port)
{
  g_autoptr (GSocketAddress) any = g_inet_socket_address_new_from_string ("0.0.0.0", port);
  g_autoptr (GError) error = NULL;
  GSocket *socket = g_socket_new (G_SOCKET_FAMILY_IPV4, type, G_SOCKET_PROTOCOL_DEFAULT, &error);

  g_assert_no_error (error);
  if (!g_socket_bind (socket, any, FALSE, NULL))
    g_clear_object (&socket);
  else
    g_socket_set_timeout (socket, 10);
  return socket;
}

static void
ends_open (Ends *self)
{
  g_autoptr (GSocketAddress) address = NULL;

  do
    {
      g_clear_object (&self->tcp);
      self->tcp = bind_socket (G_SOCKET_TYPE_STREAM, 0);
      g_clear_object (&address);
      address = g_socket_get_local_address (self->tcp, NULL);
      self->port = g_inet_socket_address_get_port (G_INET_SOCKET_ADDRESS (address));
      self->udp = bind_socket (G_SOCKET_TYPE_DATAGRAM, self->port);
    }
  while (self->udp == NULL);
  g_assert_true (g_socket_listen (self->tcp, NULL));
}

static void
ends_close (Ends *self)
{
  g_clear_object (&self->tcp);
  g_clear_object (&self->udp);
}

static GSocket *
make_wan_socket (GSocketType type)
{
  GSocket *socket;

  als_test_namespace_enter (WAN);
  socket = g_socket_new (G_SOCKET_FAMILY_IPV4, type, G_SOCKET_PROTOCOL_DEFAULT, NULL);
  als_test_namespace_enter (CLIENT);
  g_socket_set_timeout (socket, 3);
  return socket;
}

static void
assert_reached (Ends *self, const AlsStunAddress *tcp, const AlsStunAddress *udp)
{
  g_autoptr (GSocket) wan_tcp = make_wan_socket (G_SOCKET_TYPE_STREAM);
  g_autoptr (GSocketAddress) to_tcp = als_stun_address_to_gio (tcp);
  g_autoptr (GSocketAddress) to_udp = als_stun_address_to_gio (udp);
  g_autoptr (GSocket) accepted = NULL;
  g_autoptr (GError) error = NULL;
  char buffer[8] = "";

  g_socket_connect (wan_tcp, to_tcp, NULL, &error);
  g_assert_no_error (error);
  accepted = g_socket_accept (self->tcp, NULL, &error);
  g_assert_no_error (error);
  /* miniupnpd renews by removing and adding: a datagram in between is lost, and the kernel remembers
   * for its sender that there was no mapping. */
  for (guint i = 0; i < 20; i++)
    {
      g_autoptr (GSocket) wan_udp = make_wan_socket (G_SOCKET_TYPE_DATAGRAM);

      g_socket_send_to (wan_udp, to_udp, "hello", 5, NULL, &error);
      g_assert_no_error (error);
      if (g_socket_condition_timed_wait (self->udp, G_IO_IN, 200 * 1000, NULL, NULL))
        break;
    }
  g_socket_receive (self->udp, buffer, sizeof buffer - 1, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (buffer, ==, "hello");
}

static gboolean
is_mapped (AlsPortMapper *mapper, uint16_t port)
{
  AlsStunAddress external;

  return als_port_mapper_lookup (mapper, TRUE, port, &external)
         && als_port_mapper_lookup (mapper, FALSE, port, &external);
}

static AlsPortMapper *
make_mapper (guint protocols, uint32_t lease_s, uint16_t port)
{
  AlsPortMapper *mapper = als_port_mapper_new_full (protocols, lease_s);

  als_port_mapper_add (mapper, TRUE, port);
  als_port_mapper_add (mapper, FALSE, port);
  return mapper;
}

static void
assert_works (AlsPortMapper *mapper, Ends *ends)
{
  AlsStunAddress tcp, udp;

  g_assert_true (als_port_mapper_lookup (mapper, TRUE, ends->port, &tcp));
  g_assert_true (als_port_mapper_lookup (mapper, FALSE, ends->port, &udp));
  g_assert_cmpuint (tcp.ip[0], ==, 9);
  g_assert_cmpuint (tcp.ip[3], ==, 1);
  assert_reached (ends, &tcp, &udp);
}

/* Nobody iterates a main loop here: that is the promise. */
static void
close_and_see (AlsPortMapper *mapper, Ends *ends)
{
  int64_t start_us = g_get_monotonic_time ();

  g_assert_true (router_forwards (ends->port));
  als_port_mapper_close (mapper);
  als_port_mapper_flush ();
  g_assert_cmpint (g_get_monotonic_time () - start_us, <, 2100 * 1000);
  g_assert_false (router_forwards (ends->port));
  g_object_unref (mapper);
}

/* --- a real router ---------------------------------------------------------- */

static void
check_protocols (guint protocols)
{
  GSubprocess *router;
  AlsPortMapper *mapper;
  Ends ends = { 0 };
  int64_t start_us;

  if (als_test_namespaces_skip ("miniupnpd") || als_test_namespaces_skip ("nft"))
    return;
  router = start_router ();
  ends_open (&ends);
  start_us = g_get_monotonic_time ();
  mapper = make_mapper (protocols, 600, ends.port);
  g_assert_false (als_port_mapper_is_settled (mapper));
  als_wait_until (is_mapped (mapper, ends.port));
  g_test_message ("mapped after %.3f s", (g_get_monotonic_time () - start_us) / 1e6);
  als_wait_until (als_port_mapper_is_settled (mapper));
  g_test_message ("settled after %.3f s", (g_get_monotonic_time () - start_us) / 1e6);
  g_assert_cmpuint (als_port_mapper_get_protocols (mapper), ==, protocols);
  g_assert_cmpint (als_port_mapper_get_problem (mapper), ==, ALS_PORT_MAP_PROBLEM_NONE);
  assert_works (mapper, &ends);
  close_and_see (mapper, &ends);
  ends_close (&ends);
  stop_router (router);
}

static void
test_pcp (void)
{
  check_protocols (ALS_PORT_MAP_PCP);
}

static void
test_nat_pmp (void)
{
  check_protocols (ALS_PORT_MAP_NAT_PMP);
}

static void
test_upnp (void)
{
  check_protocols (ALS_PORT_MAP_UPNP);
}

static void
test_side_by_side (void)
{
  check_protocols (ALL);
}

static void
test_removed_alone (void)
{
  GSubprocess *router;
  AlsPortMapper *mapper;
  Ends ends = { 0 };
  AlsStunAddress external;

  if (als_test_namespaces_skip ("miniupnpd") || als_test_namespaces_skip ("nft"))
    return;
  router = start_router ();
  ends_open (&ends);
  mapper = make_mapper (ALL, 600, ends.port);
  als_port_mapper_add (mapper, TRUE, 4242);
  als_wait_until (is_mapped (mapper, ends.port)
                  && als_port_mapper_lookup (mapper, TRUE, 4242, &external)
                  && als_port_mapper_is_settled (mapper));
  als_port_mapper_remove (mapper, TRUE, 4242);
  als_wait_until (!router_forwards (4242));
  g_assert_false (als_port_mapper_lookup (mapper, TRUE, 4242, &external));
  assert_works (mapper, &ends);
  close_and_see (mapper, &ends);
  ends_close (&ends);
  stop_router (router);
}

static gboolean
set_cb (gpointer user_data)
{
  *(gboolean *) user_data = TRUE;
  return G_SOURCE_REMOVE;
}

static void
unmapped_cb (AlsPortMapper *mapper, gboolean is_tcp, guint port, guint *n)
{
  (*n)++;
}

static void
mapped_cb (AlsPortMapper *mapper, gboolean is_tcp, guint port, const AlsStunAddress *external, guint *n)
{
  (*n)++;
}

/* Asks by NAT-PMP and never again. */
static void
ask_once (uint16_t port, uint32_t lifetime_s)
{
  AlsPcpMapRequest request = { .version = ALS_PCP_NAT_PMP, .is_tcp = TRUE, .internal_port = port,
                               .lifetime_s = lifetime_s };
  g_autoptr (GSocketAddress) router
    = g_inet_socket_address_new_from_string ("192.168.7.1", ALS_PCP_PORT);
  g_autoptr (GSocket) socket = bind_socket (G_SOCKET_TYPE_DATAGRAM, 0);
  g_autoptr (GBytes) bytes = als_pcp_encode_map (&request);

  g_assert_cmpint (g_socket_send_to (socket, router, g_bytes_get_data (bytes, NULL),
                                     g_bytes_get_size (bytes), NULL, NULL), >, 0);
}

static void
test_leases_are_renewed (void)
{
  static const guint protocols[] = { ALS_PORT_MAP_PCP, ALS_PORT_MAP_NAT_PMP, ALS_PORT_MAP_UPNP };
  AlsPortMapper *mappers[3];
  GSubprocess *router;
  Ends ends[3] = { 0 };
  guint n_lost = 0;

  if (als_test_namespaces_skip ("miniupnpd") || als_test_namespaces_skip ("nft"))
    return;
  router = start_router ();
  for (guint i = 0; i < 3; i++)
    {
      ends_open (&ends[i]);
      mappers[i] = make_mapper (protocols[i], 9, ends[i].port);
      g_signal_connect (mappers[i], "unmapped", G_CALLBACK (unmapped_cb), &n_lost);
      als_wait_until (is_mapped (mappers[i], ends[i].port));
    }
  /* What nobody renews is gone by then: the router keeps to the leases. */
  ask_once (4242, 9);
  als_wait_until (router_forwards (4242));
  als_wait_until (!router_forwards (4242));
  g_assert_cmpuint (n_lost, ==, 0);
  for (guint i = 0; i < 3; i++)
    {
      assert_works (mappers[i], &ends[i]);
      close_and_see (mappers[i], &ends[i]);
      ends_close (&ends[i]);
    }
  stop_router (router);
}

static void
test_restarted_router_is_asked_anew (void)
{
  GSubprocess *router;
  AlsPortMapper *mapper;
  Ends ends = { 0 };
  gboolean done = FALSE;

  if (als_test_namespaces_skip ("miniupnpd") || als_test_namespaces_skip ("nft"))
    return;
  router = start_router ();
  ends_open (&ends);
  mapper = make_mapper (ALS_PORT_MAP_PCP | ALS_PORT_MAP_NAT_PMP, 600, ends.port);
  als_wait_until (is_mapped (mapper, ends.port));
  /* Or the new epoch is no younger than the old one. */
  g_timeout_add (4000, set_cb, &done);
  als_wait_until (done);
  stop_router (router);
  router = start_router ();
  als_wait_until (router_forwards (ends.port));
  assert_works (mapper, &ends);
  close_and_see (mapper, &ends);
  ends_close (&ends);
  stop_router (router);
}

static void
test_new_address_is_mapped (void)
{
  GSubprocess *router;
  AlsPortMapper *mapper;
  Ends ends = { 0 };
  guint n_mapped = 0;

  if (als_test_namespaces_skip ("miniupnpd") || als_test_namespaces_skip ("nft"))
    return;
  router = start_router ();
  ends_open (&ends);
  mapper = make_mapper (ALS_PORT_MAP_PCP | ALS_PORT_MAP_NAT_PMP, 600, ends.port);
  als_wait_until (is_mapped (mapper, ends.port));
  g_signal_connect (mapper, "mapped", G_CALLBACK (mapped_cb), &n_mapped);
  /* The same router and address: what it forgot is asked for, too. */
  write_rules ();
  als_port_mapper_network_changed (mapper);
  als_wait_until (router_forwards (ends.port));
  als_test_run ("ip addr flush dev eth");
  als_test_run ("ip addr add 192.168.7.9/24 dev eth");
  als_test_run ("ip route replace default via 192.168.7.1");
  als_port_mapper_network_changed (mapper);
  als_wait_until (n_mapped >= 2 && is_mapped (mapper, ends.port));
  assert_works (mapper, &ends);
  als_port_mapper_close (mapper);
  als_port_mapper_flush ();
  g_object_unref (mapper);
  als_test_run ("ip addr flush dev eth");
  als_test_run ("ip addr add 192.168.7.2/24 dev eth");
  als_test_run ("ip route replace default via 192.168.7.1");
  ends_close (&ends);
  stop_router (router);
}

/* --- no router at all ------------------------------------------------------- */

static void
test_nobody_listens (void)
{
  int64_t start_us = g_get_monotonic_time ();
  AlsPortMapper *mapper;

  if (als_test_namespaces_skip ("nft"))
    return;
  write_rules ();
  mapper = make_mapper (ALL, 600, 4242);
  als_wait_until (als_port_mapper_is_settled (mapper));
  g_assert_cmpint (g_get_monotonic_time () - start_us, <, 6 * G_USEC_PER_SEC);
  g_assert_cmpint (als_port_mapper_get_problem (mapper), ==, ALS_PORT_MAP_PROBLEM_SILENCE);
  g_assert_cmpuint (als_port_mapper_get_protocols (mapper), ==, 0);
  g_object_unref (mapper);
  als_port_mapper_flush ();
}

static void
test_router_that_never_answers (void)
{
  int64_t start_us = g_get_monotonic_time ();
  AlsPortMapper *mapper;

  if (als_test_namespaces_skip ("nft"))
    return;
  write_rules ();
  als_test_namespace_enter (ROUTER);
  als_test_run ("nft 'add rule inet filter input iifname lan drop'");
  als_test_namespace_enter (CLIENT);
  mapper = make_mapper (ALL, 600, 4242);
  als_wait_until (als_port_mapper_is_settled (mapper));
  g_assert_cmpint (g_get_monotonic_time () - start_us, <, 6 * G_USEC_PER_SEC);
  g_assert_cmpint (als_port_mapper_get_problem (mapper), ==, ALS_PORT_MAP_PROBLEM_SILENCE);
  /* There is nothing to give back, so nothing is waited for. */
  start_us = g_get_monotonic_time ();
  g_object_unref (mapper);
  als_port_mapper_flush ();
  g_assert_cmpint (g_get_monotonic_time () - start_us, <, 500 * 1000);
}

static void
test_network_without_a_router (void)
{
  AlsPortMapper *mapper;

  if (als_test_namespaces_skip (NULL))
    return;
  als_test_run ("ip route del default");
  mapper = make_mapper (ALL, 600, 4242);
  als_wait_until (als_port_mapper_is_settled (mapper));
  g_assert_cmpint (als_port_mapper_get_problem (mapper), ==, ALS_PORT_MAP_PROBLEM_NO_ROUTER);
  g_object_unref (mapper);
  als_test_run ("ip route add default via 192.168.7.1");
}

/* --- routers that lie ------------------------------------------------------- */

typedef enum
{
  HONEST,
  PRIVATE,          /* behind the provider's NAT */
  WRONG_NONCE,
  WRONG_SOURCE,     /* from another port than the one that was asked */
  WRONG_PORT,       /* tells of another mapping */
  GARBAGE,
  OLD,              /* knows NAT-PMP only */
  OLD_SAYING_NO,
} Manner;

typedef struct
{
  GSocket *socket, *other;
  GSource *source;
  Manner manner;
  guint n_requests;
  GRand *rand;
} Liar;

static void
answer_nat_pmp (Liar *self, const uint8_t *request, GSocketAddress *to)
{
  uint8_t answer[16] = { 0, (uint8_t) (request[1] | 0x80), 0, 0, 0, 0, 0, 9 };

  if (self->manner == OLD_SAYING_NO)
    answer[3] = 2;
  if (request[1] == 0)
    {
      memcpy (answer + 8, (uint8_t[]){ 9, 9, 9, 1 }, 4);
      g_socket_send_to (self->socket, to, (char *) answer, 12, NULL, NULL);
      return;
    }
  memcpy (answer + 8, request + 4, 2);
  memcpy (answer + 10, (uint8_t[]){ 0x27, 0x10 }, 2);
  memcpy (answer + 12, request + 8, 4);
  g_socket_send_to (self->socket, to, (char *) answer, 16, NULL, NULL);
}

static void
answer_pcp (Liar *self, const uint8_t *request, GSocketAddress *to)
{
  uint8_t answer[60];
  const uint8_t outside[4] = { 9, 9, 9, 1 }, inside[4] = { 100, 64, 0, 1 };

  memcpy (answer, request, sizeof answer);
  answer[1] |= 0x80;
  answer[2] = answer[3] = 0;
  memset (answer + 8, 0, 16);
  answer[11] = 9;
  memset (answer + 44, 0, 16);
  answer[54] = answer[55] = 0xff;
  memcpy (answer + 56, self->manner == PRIVATE ? inside : outside, 4);
  if (self->manner == WRONG_NONCE)
    answer[30] ^= 1;
  if (self->manner == WRONG_PORT)
    answer[41] ^= 1;
  g_socket_send_to (self->manner == WRONG_SOURCE ? self->other : self->socket, to, (char *) answer,
                    sizeof answer, NULL, NULL);
}

static gboolean
request_cb (GSocket *socket, GIOCondition condition, gpointer user_data)
{
  Liar *self = user_data;
  g_autoptr (GSocketAddress) from = NULL;
  uint8_t request[1200], noise[1200];
  gssize n = g_socket_receive_from (socket, &from, (char *) request, sizeof request, NULL, NULL);

  if (n < 2)
    return G_SOURCE_CONTINUE;
  self->n_requests++;
  if (self->manner == GARBAGE)
    for (guint i = 0; i < 20; i++)
      {
        gsize len = (gsize) g_rand_int_range (self->rand, 0, sizeof noise);

        for (gsize j = 0; j < len; j++)
          noise[j] = (uint8_t) g_rand_int (self->rand);
        if (len > 1 && i % 2 == 0)
          memcpy (noise, (uint8_t[]){ request[0], request[1] | 0x80, 0, 0 }, MIN (len, 4));
        g_socket_send_to (socket, from, (char *) noise, len, NULL, NULL);
      }
  else if (request[0] == 2 && (self->manner == OLD || self->manner == OLD_SAYING_NO))
    g_socket_send_to (socket, from, "\0\201\0\1\0\0\0\11", 8, NULL, NULL);
  else if (request[0] == 2 && n >= 60)
    answer_pcp (self, request, from);
  else if (request[0] == 0 && (self->manner == OLD || self->manner == OLD_SAYING_NO))
    answer_nat_pmp (self, request, from);
  return G_SOURCE_CONTINUE;
}

static GSocket *
make_liar_socket (uint16_t port)
{
  g_autoptr (GSocketAddress) address = g_inet_socket_address_new_from_string ("192.168.7.1", port);
  g_autoptr (GError) error = NULL;
  GSocket *socket;

  als_test_namespace_enter (ROUTER);
  socket = g_socket_new (G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_DATAGRAM, G_SOCKET_PROTOCOL_UDP, NULL);
  g_socket_bind (socket, address, FALSE, &error);
  g_assert_no_error (error);
  als_test_namespace_enter (CLIENT);
  return socket;
}

static void
liar_open (Liar *self, Manner manner)
{
  write_rules ();
  *self = (Liar){ .manner = manner, .rand = g_rand_new_with_seed (7) };
  self->socket = make_liar_socket (ALS_PCP_PORT);
  self->other = make_liar_socket (ALS_PCP_PORT + 1);
  self->source = g_socket_create_source (self->socket, G_IO_IN, NULL);
  g_source_set_callback (self->source, G_SOURCE_FUNC (request_cb), self, NULL);
  g_source_attach (self->source, NULL);
}

static void
liar_close (Liar *self)
{
  g_source_destroy (self->source);
  g_source_unref (self->source);
  g_object_unref (self->socket);
  g_object_unref (self->other);
  g_rand_free (self->rand);
}

static void
test_honest_fake (void)
{
  AlsPortMapper *mapper;
  Liar liar;

  if (als_test_namespaces_skip ("nft"))
    return;
  liar_open (&liar, HONEST);
  mapper = make_mapper (ALS_PORT_MAP_PCP, 600, 4242);
  als_wait_until (is_mapped (mapper, 4242));
  g_object_unref (mapper);
  als_port_mapper_flush ();
  liar_close (&liar);
}

static void
test_old_router (void)
{
  AlsStunAddress external;
  AlsPortMapper *mapper;
  Liar liar;

  if (als_test_namespaces_skip ("nft"))
    return;
  liar_open (&liar, OLD);
  mapper = make_mapper (ALS_PORT_MAP_PCP | ALS_PORT_MAP_NAT_PMP, 600, 4242);
  als_wait_until (als_port_mapper_is_settled (mapper));
  g_assert_true (als_port_mapper_lookup (mapper, TRUE, 4242, &external));
  g_assert_cmpuint (external.port, ==, 10000);
  g_assert_cmpuint (als_port_mapper_get_protocols (mapper), ==, ALS_PORT_MAP_NAT_PMP);
  g_object_unref (mapper);
  als_port_mapper_flush ();
  liar_close (&liar);
}

static void
check_lie (Manner manner, AlsPortMapProblem problem)
{
  AlsPortMapper *mapper;
  guint n_mapped = 0;
  Liar liar;

  if (als_test_namespaces_skip ("nft"))
    return;
  liar_open (&liar, manner);
  mapper = make_mapper (ALS_PORT_MAP_PCP | ALS_PORT_MAP_NAT_PMP, 600, 4242);
  g_signal_connect (mapper, "mapped", G_CALLBACK (mapped_cb), &n_mapped);
  als_wait_until (als_port_mapper_is_settled (mapper));
  g_assert_cmpuint (liar.n_requests, >, 1);
  g_assert_cmpuint (n_mapped, ==, 0);
  g_assert_false (is_mapped (mapper, 4242));
  g_assert_cmpint (als_port_mapper_get_problem (mapper), ==, problem);
  g_object_unref (mapper);
  als_port_mapper_flush ();
  liar_close (&liar);
}

static void
test_lies (void)
{
  check_lie (WRONG_NONCE, ALS_PORT_MAP_PROBLEM_SILENCE);
  check_lie (WRONG_SOURCE, ALS_PORT_MAP_PROBLEM_SILENCE);
  check_lie (WRONG_PORT, ALS_PORT_MAP_PROBLEM_SILENCE);
  check_lie (GARBAGE, ALS_PORT_MAP_PROBLEM_SILENCE);
}

static void
test_refusal (void)
{
  check_lie (OLD_SAYING_NO, ALS_PORT_MAP_PROBLEM_REFUSED);
}

static void
test_router_behind_another (void)
{
  check_lie (PRIVATE, ALS_PORT_MAP_PROBLEM_PRIVATE);
}

/* --- what it is for --------------------------------------------------------- */

static gboolean
told_mapping (gpointer user_data)
{
  return ((AlsIceEnd *) user_data)->n_mapped > 0;
}

/* The far side has a firewall, there is no STUN server, and the router's NAT gives each connection another
 * port: only the mapping tells an endpoint that the far side can send to. */
static void
connect_through_firewall (AlsIceEnd *client, AlsIceEnd *far, AlsPortMapper *mapper)
{
  als_ice_end_open (client, far, &(AlsIcePathConfig){ .is_controlling = TRUE, .mapper = mapper });
  als_ice_end_open (far, client, &(AlsIcePathConfig){ 0 });
  als_test_namespace_enter (WAN);
  als_path_start (far->path);
  als_test_namespace_enter (CLIENT);
  als_path_start (client->path);
}

/* Answers who looks for UPnP, naming a description on the asker's own machine. */
static gboolean
ssdp_cb (GSocket *socket, GIOCondition condition, gpointer user_data)
{
  static const char answer[] = "HTTP/1.1 200 OK\r\n"
                               "ST: urn:schemas-upnp-org:device:InternetGatewayDevice:1\r\n"
                               "USN: uuid:1::urn:schemas-upnp-org:device:InternetGatewayDevice:1\r\n"
                               "LOCATION: http://127.0.0.1:8099/description.xml\r\n\r\n";
  g_autoptr (GSocketAddress) from = NULL;
  char request[1200];

  if (g_socket_receive_from (socket, &from, request, sizeof request, NULL, NULL) > 0)
    {
      g_socket_send_to (socket, from, answer, strlen (answer), NULL, NULL);
      (*(guint *) user_data)++;
    }
  return G_SOURCE_CONTINUE;
}

static gboolean
visited_cb (GSocketService *service, GSocketConnection *connection, GObject *source, guint *n)
{
  (*n)++;
  return TRUE;
}

static void
test_upnp_leads_nowhere_else (void)
{
  g_autoptr (GSocketAddress) address = g_inet_socket_address_new_from_string ("239.255.255.250", 1900);
  g_autoptr (GInetAddress) group = g_inet_address_new_from_string ("239.255.255.250");
  g_autoptr (GSocketAddress) own = g_inet_socket_address_new_from_string ("127.0.0.1", 8099);
  g_autoptr (GSocketService) service = g_socket_service_new ();
  g_autoptr (GSocket) ssdp = NULL;
  g_autoptr (GError) error = NULL;
  guint n_asked = 0, n_visits = 0;
  AlsPortMapper *mapper;
  GSource *source;

  if (als_test_namespaces_skip ("nft"))
    return;
  write_rules ();
  als_test_namespace_enter (ROUTER);
  ssdp = g_socket_new (G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_DATAGRAM, G_SOCKET_PROTOCOL_UDP, NULL);
  g_socket_bind (ssdp, address, FALSE, &error);
  g_assert_no_error (error);
  g_socket_join_multicast_group (ssdp, group, FALSE, "lan", &error);
  g_assert_no_error (error);
  als_test_namespace_enter (CLIENT);
  source = g_socket_create_source (ssdp, G_IO_IN, NULL);
  g_source_set_callback (source, G_SOURCE_FUNC (ssdp_cb), &n_asked, NULL);
  g_source_attach (source, NULL);
  g_socket_listener_add_address (G_SOCKET_LISTENER (service), own, G_SOCKET_TYPE_STREAM,
                                 G_SOCKET_PROTOCOL_TCP, NULL, NULL, &error);
  g_assert_no_error (error);
  g_signal_connect (service, "incoming", G_CALLBACK (visited_cb), &n_visits);
  mapper = make_mapper (ALS_PORT_MAP_UPNP, 600, 4242);
  als_wait_until (als_port_mapper_is_settled (mapper));
  g_test_message ("asked %u times, visited %u times", n_asked, n_visits);
  g_assert_cmpuint (n_asked, >, 0);
  g_assert_cmpuint (n_visits, ==, 0);
  g_assert_false (is_mapped (mapper, 4242));
  g_object_unref (mapper);
  als_port_mapper_flush ();
  g_source_destroy (source);
  g_source_unref (source);
  g_socket_service_stop (service);
  g_socket_listener_close (G_SOCKET_LISTENER (service));
}

static void
test_ice_uses_the_mapping (void)
{
  AlsIceEnd client = { 0 }, far = { 0 };
  AlsPortMapper *mapper;
  GSubprocess *router;
  AlsPathReport report;

  if (als_test_namespaces_skip ("miniupnpd") || als_test_namespaces_skip ("nft"))
    return;
  router = start_router ();
  als_test_namespace_enter (WAN);
  als_test_run ("nft 'table inet wall { chain in { type filter hook input priority 0; policy drop;"
                " ct state established,related accept; }; }'");
  als_test_namespace_enter (CLIENT);
  connect_through_firewall (&client, &far, NULL);
  als_ice_wait (als_ice_has_failed, &client, 40, "the failure without a mapping");
  als_ice_end_clear (&client);
  als_ice_end_clear (&far);

  mapper = als_port_mapper_new_full (ALL, 600);
  client = far = (AlsIceEnd){ 0 };
  connect_through_firewall (&client, &far, mapper);
  als_ice_wait (told_mapping, &client, 10, "the mapped candidate");
  als_ice_wait (als_ice_is_connected, &client, 20, "the client's connection");
  als_ice_wait (als_ice_is_connected, &far, 20, "the far side's connection");
  als_path_get_report (client.path, &report);
  g_test_message ("connected after %.1f ms", report.took_us / 1e3);
  als_ice_end_exchange (&client, 100, 10, 1000, 1000);
  als_ice_end_exchange (&far, 100, 10, 1000, 1000);
  als_ice_end_clear (&client);
  als_ice_end_clear (&far);
  als_port_mapper_close (mapper);
  als_port_mapper_flush ();
  g_object_unref (mapper);
  als_ice_wait (als_ice_no_threads, NULL, 20, "agent threads to end");
  als_test_namespace_enter (WAN);
  als_test_run ("nft flush ruleset");
  als_test_namespace_enter (CLIENT);
  stop_router (router);
}

int
main (int argc, char **argv)
{
  g_autofree char *config = NULL;
  int status;

  als_test_namespaces_open (3);
  g_test_init (&argc, &argv, NULL);
  if (argc > 1)
    g_setenv ("ALONGSIDE_UPNP", argv[1], TRUE);
  folder = g_dir_make_tmp ("als-portmap-XXXXXX", NULL);
  if (!als_test_namespaces_are_refused ())
    make_network ();
#define TEST(name, func) g_test_add_func ("/portmap/" name, func)
  TEST ("router/pcp", test_pcp);
  TEST ("router/nat-pmp", test_nat_pmp);
  TEST ("router/upnp", test_upnp);
  TEST ("router/side-by-side", test_side_by_side);
  TEST ("router/removed-alone", test_removed_alone);
  TEST ("router/leases-are-renewed", test_leases_are_renewed);
  TEST ("router/restarted-one-is-asked-anew", test_restarted_router_is_asked_anew);
  TEST ("router/new-address-is-mapped", test_new_address_is_mapped);
  TEST ("none/nobody-listens", test_nobody_listens);
  TEST ("none/never-answers", test_router_that_never_answers);
  TEST ("none/no-router", test_network_without_a_router);
  TEST ("lies/honest-fake", test_honest_fake);
  TEST ("lies/old-router", test_old_router);
  TEST ("lies/wrong-nonce-source-port-and-garbage", test_lies);
  TEST ("lies/refusal", test_refusal);
  TEST ("lies/upnp-leads-nowhere-but-to-the-router", test_upnp_leads_nowhere_else);
  TEST ("lies/router-behind-another", test_router_behind_another);
  TEST ("ice/firewalled-side-is-reached-through-the-mapping", test_ice_uses_the_mapping);
#undef TEST
  status = g_test_run ();
  config = g_build_filename (folder, "conf", NULL);
  remove (config);
  remove (folder);
  g_free (folder);
  return status;
}
