/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright the Alongside authors */

/* Servers of the test's own, on several loopback addresses, say what a NAT
 * would make them see. */

#define G_LOG_DOMAIN "als-test"

#include "config.h"

#include "path/probe/als-probe-tcp.h"
#include "path/probe/als-probe-udp.h"
#include "stun/als-stun-stream.h"

#include <string.h>

#include "als-wait.h"

typedef struct
{
  GSocket *udp, *listener, *tcp;
  GSource *udp_source, *listener_source, *tcp_source;
  AlsStunAddress address;
  uint16_t mapped_port;   /* 0: as it came */
  uint32_t max_packet;    /* 0: any */
  gboolean is_silent;
  gboolean speaks_garbage;
} Server;

static void
set_done_cb (gpointer user_data)
{
  *(gboolean *) user_data = TRUE;
}

/* (transfer full) (nullable) */
static GBytes *
answer (Server *self, const uint8_t *data, size_t len, const AlsStunAddress *from)
{
  g_autoptr (AlsStunMessage) message = als_stun_message_decode (data, len, NULL);
  g_auto (AlsStunBuilder) builder = { 0 };
  AlsStunAddress mapped = *from;

  g_assert_nonnull (message);
  if (self->is_silent || (self->max_packet != 0 && len + 28 > self->max_packet))
    return NULL;
  if (self->speaks_garbage)
    return g_bytes_new_static ("HTTP/1.1 400 Bad Request\r\n\r\n", 28);
  if (self->mapped_port != 0)
    g_assert_true (als_stun_address_parse (&mapped, "203.0.113.5", self->mapped_port));
  als_stun_builder_init (&builder, ALS_STUN_SUCCESS, ALS_STUN_BINDING, message->transaction);
  als_stun_builder_add_address (&builder, ALS_STUN_XOR_MAPPED_ADDRESS, &mapped);
  als_stun_builder_add_fingerprint (&builder);
  return als_stun_builder_finish (&builder);
}

static gboolean
udp_cb (GSocket *socket, GIOCondition condition, gpointer user_data)
{
  uint8_t data[2048];
  g_autoptr (GSocketAddress) from = NULL;
  gssize len = g_socket_receive_from (socket, &from, (char *) data, sizeof data, NULL, NULL);
  AlsStunAddress address;

  if (len > 0 && als_stun_address_from_gio (&address, from))
    {
      g_autoptr (GBytes) bytes = answer (user_data, data, (size_t) len, &address);

      if (bytes != NULL)
        g_socket_send_to (socket, from, g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes), NULL, NULL);
    }
  return G_SOURCE_CONTINUE;
}

static gboolean
tcp_cb (GSocket *socket, GIOCondition condition, gpointer user_data)
{
  uint8_t data[2048];
  g_autoptr (GSocketAddress) from = g_socket_get_remote_address (socket, NULL);
  gssize len = g_socket_receive (socket, (char *) data, sizeof data, NULL, NULL);
  AlsStunAddress address;

  if (len <= 0 || from == NULL)
    return G_SOURCE_REMOVE;
  if (als_stun_address_from_gio (&address, from))
    {
      g_autoptr (GBytes) bytes = answer (user_data, data, (size_t) len, &address);

      if (bytes != NULL)
        {
          /* In two pieces, as streams may. */
          const char *start = g_bytes_get_data (bytes, NULL);

          g_socket_send (socket, start, 3, NULL, NULL);
          g_socket_send (socket, start + 3, g_bytes_get_size (bytes) - 3, NULL, NULL);
        }
    }
  return G_SOURCE_CONTINUE;
}

static GSource *
watch (GSocket *socket, gpointer callback, gpointer user_data)
{
  GSource *source = g_socket_create_source (socket, G_IO_IN, NULL);

  g_source_set_callback (source, G_SOURCE_FUNC (callback), user_data, NULL);
  g_source_attach (source, NULL);
  return source;
}

static gboolean
accept_cb (GSocket *socket, GIOCondition condition, gpointer user_data)
{
  Server *self = user_data;

  if (self->tcp != NULL)
    return G_SOURCE_CONTINUE;
  self->tcp = g_socket_accept (socket, NULL, NULL);
  g_assert_nonnull (self->tcp);
  self->tcp_source = watch (self->tcp, tcp_cb, self);
  return G_SOURCE_CONTINUE;
}

static Server *
server_new (const char *ip)
{
  Server *self = g_new0 (Server, 1);
  g_autoptr (GSocketAddress) any = g_inet_socket_address_new_from_string (ip, 0), bound = NULL;

  self->udp = g_socket_new (G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_DATAGRAM, G_SOCKET_PROTOCOL_UDP, NULL);
  /* The TCP port is the UDP one: another, if somebody has it. */
  for (guint i = 0; i < 20; i++)
    {
      self->listener = g_socket_new (G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_TCP, NULL);
      g_assert_true (g_socket_bind (self->listener, any, FALSE, NULL));
      bound = g_socket_get_local_address (self->listener, NULL);
      if (g_socket_bind (self->udp, bound, FALSE, NULL))
        break;
      g_clear_object (&self->listener);
      g_clear_object (&bound);
    }
  g_assert_true (g_socket_listen (self->listener, NULL));
  g_assert_true (als_stun_address_from_gio (&self->address, bound));
  self->udp_source = watch (self->udp, udp_cb, self);
  self->listener_source = watch (self->listener, accept_cb, self);
  return self;
}

static void
clear (GSocket **socket, GSource **source)
{
  if (*source != NULL)
    g_source_destroy (*source);
  g_clear_pointer (source, g_source_unref);
  g_clear_object (socket);
}

static void
server_free (Server *self)
{
  clear (&self->udp, &self->udp_source);
  clear (&self->listener, &self->listener_source);
  clear (&self->tcp, &self->tcp_source);
  g_free (self);
}

static void
probe_udp (Server *const *servers, guint n, AlsProbeUdpResult *result)
{
  AlsStunAddress addresses[ALS_PROBE_MAX_SERVERS] = { 0 };
  gboolean done = FALSE;
  AlsProbeUdp *probe;

  for (guint i = 0; i < n; i++)
    addresses[i] = servers[i]->address;
  probe = als_probe_udp_new (addresses, n, set_done_cb, &done);
  als_wait_until (done);
  als_probe_udp_get_result (probe, result);
  als_probe_udp_free (probe);
}

static void
probe_tcp (Server *const *servers, guint n, AlsProbeTcpResult *result)
{
  AlsStunAddress addresses[ALS_PROBE_MAX_SERVERS] = { 0 };
  gboolean done = FALSE;
  AlsProbeTcp *probe;

  for (guint i = 0; i < n; i++)
    addresses[i] = servers[i]->address;
  probe = als_probe_tcp_new (addresses, n, set_done_cb, &done);
  als_wait_until (done);
  als_probe_tcp_get_result (probe, result);
  als_probe_tcp_free (probe);
}

static void
test_no_nat (void)
{
  Server *servers[] = { server_new ("127.0.0.1"), server_new ("127.0.0.2") };
  AlsProbeUdpResult udp;
  AlsProbeTcpResult tcp;

  probe_udp (servers, 2, &udp);
  g_assert_true (udp.is_known && !udp.nat.is_blocked && !udp.nat.is_translated);
  g_assert_cmpint (udp.nat.mapping, ==, ALS_NAT_ENDPOINT_INDEPENDENT);
  g_assert_cmpint (udp.rtt_us, >, 0);
  g_assert_cmpuint (udp.mtu, ==, 1500);
  probe_tcp (servers, 2, &tcp);
  g_assert_true (tcp.is_known && !tcp.is_translated);
  g_assert_cmpint (tcp.rtt_us, >, 0);
  server_free (servers[0]);
  server_free (servers[1]);
}

static void
test_two_plain_servers_tell_the_mapping (void)
{
  Server *servers[] = { server_new ("127.0.0.1"), server_new ("127.0.0.2"), server_new ("127.0.0.3") };
  AlsProbeUdpResult udp;
  AlsProbeTcpResult tcp;

  for (guint i = 0; i < 3; i++)
    servers[i]->mapped_port = 40000;
  probe_udp (servers, 3, &udp);
  g_assert_true (udp.nat.is_translated);
  g_assert_cmpint (udp.nat.mapping, ==, ALS_NAT_ENDPOINT_INDEPENDENT);
  g_assert_cmpint (udp.nat.filtering, ==, ALS_NAT_UNKNOWN);
  probe_tcp (servers, 3, &tcp);
  g_assert_true (tcp.is_translated);
  g_assert_cmpint (tcp.mapping, ==, ALS_NAT_ENDPOINT_INDEPENDENT);
  g_assert_cmpint (tcp.port_step, ==, 0);
  for (guint i = 0; i < 3; i++)
    {
      clear (&servers[i]->tcp, &servers[i]->tcp_source);
      servers[i]->mapped_port = 40000 + 2 * i;
    }
  probe_udp (servers, 3, &udp);
  g_assert_cmpint (udp.nat.mapping, ==, ALS_NAT_ADDRESS_AND_PORT_DEPENDENT);
  probe_tcp (servers, 3, &tcp);
  g_assert_cmpint (tcp.mapping, ==, ALS_NAT_ADDRESS_AND_PORT_DEPENDENT);
  g_assert_cmpint (tcp.port_step, ==, 2);
  for (guint i = 0; i < 3; i++)
    server_free (servers[i]);
}

static void
test_one_plain_server_tells_no_mapping (void)
{
  Server *server = server_new ("127.0.0.1");
  AlsProbeUdpResult udp;
  AlsProbeTcpResult tcp;

  server->mapped_port = 40000;
  probe_udp (&server, 1, &udp);
  g_assert_true (udp.nat.is_translated);
  g_assert_cmpint (udp.nat.mapping, ==, ALS_NAT_UNKNOWN);
  probe_tcp (&server, 1, &tcp);
  g_assert_true (tcp.is_translated);
  g_assert_cmpint (tcp.mapping, ==, ALS_NAT_UNKNOWN);
  server_free (server);
}

static void
test_small_packets_are_noticed (void)
{
  Server *server = server_new ("127.0.0.1");
  AlsProbeUdpResult udp;

  server->max_packet = 1425;
  probe_udp (&server, 1, &udp);
  g_assert_cmpuint (udp.mtu, ==, 1420);
  server_free (server);
}

static void
test_silence_is_blocked (void)
{
  Server *server = server_new ("127.0.0.1");
  AlsProbeUdpResult udp;

  server->is_silent = TRUE;
  probe_udp (&server, 1, &udp);
  g_assert_true (udp.is_known && udp.nat.is_blocked);
  g_assert_cmpuint (udp.mtu, ==, 0);
  g_assert_cmpint (udp.rtt_us, ==, 0);
  server_free (server);
}

static void
test_silent_server_does_not_hide_another (void)
{
  Server *servers[] = { server_new ("127.0.0.1"), server_new ("127.0.0.2") };
  AlsProbeUdpResult udp;

  servers[0]->is_silent = TRUE;
  probe_udp (servers, 2, &udp);
  g_assert_true (udp.is_known && !udp.nat.is_blocked);
  server_free (servers[0]);
  server_free (servers[1]);
}

static void
test_garbage_is_no_answer (void)
{
  Server *server = server_new ("127.0.0.1");
  AlsProbeUdpResult udp;
  AlsProbeTcpResult tcp;

  server->speaks_garbage = TRUE;
  probe_udp (&server, 1, &udp);
  g_assert_true (udp.nat.is_blocked);
  probe_tcp (&server, 1, &tcp);
  g_assert_false (tcp.is_known);
  server_free (server);
}

static void
test_closed_port_is_no_answer (void)
{
  Server *server = server_new ("127.0.0.1");
  AlsProbeTcpResult tcp;

  clear (&server->listener, &server->listener_source);
  probe_tcp (&server, 1, &tcp);
  g_assert_false (tcp.is_known);
  server_free (server);
}

static void
test_no_server_ends_at_once (void)
{
  AlsProbeUdpResult udp;
  AlsProbeTcpResult tcp;

  probe_udp (NULL, 0, &udp);
  g_assert_false (udp.is_known);
  probe_tcp (NULL, 0, &tcp);
  g_assert_false (tcp.is_known);
}

static void
test_probe_can_be_dropped (void)
{
  Server *server = server_new ("127.0.0.1");
  gboolean done = FALSE;

  als_probe_udp_free (als_probe_udp_new (&server->address, 1, set_done_cb, &done));
  als_probe_tcp_free (als_probe_tcp_new (&server->address, 1, set_done_cb, &done));
  while (g_main_context_iteration (NULL, FALSE))
    ;
  g_assert_false (done);
  server_free (server);
}

/* --- judging ------------------------------------------------------------------------------- */

static AlsProbeTcpView
make_view (guint order, const char *server, uint16_t server_port, uint16_t mapped_port)
{
  AlsProbeTcpView view = { .order = order };

  g_assert_true (als_stun_address_parse (&view.server, server, server_port));
  g_assert_true (als_stun_address_parse (&view.local, "192.168.1.5", 5000));
  g_assert_true (als_stun_address_parse (&view.mapped, "203.0.113.5", mapped_port));
  return view;
}

static void
test_steps_count_connections_that_failed (void)
{
  AlsProbeTcpView views[] = {
    make_view (0, "192.0.2.1", 3478, 41000),
    make_view (2, "192.0.2.3", 3478, 41002), /* the second had no answer */
    make_view (3, "192.0.2.4", 3478, 41003),
  };
  AlsProbeTcpResult result;

  als_probe_tcp_judge (views, 3, &result);
  g_assert_cmpint (result.mapping, ==, ALS_NAT_ADDRESS_AND_PORT_DEPENDENT);
  g_assert_cmpint (result.port_step, ==, 1);
  views[2] = make_view (3, "192.0.2.4", 3478, 41009);
  als_probe_tcp_judge (views, 3, &result);
  g_assert_cmpint (result.port_step, ==, 0);
}

static void
test_random_ports_have_no_step (void)
{
  AlsProbeTcpView views[] = {
    make_view (0, "192.0.2.1", 3478, 41000),
    make_view (1, "192.0.2.3", 3478, 12345),
  };
  AlsProbeTcpResult result;

  als_probe_tcp_judge (views, 2, &result);
  g_assert_cmpint (result.port_step, ==, 0);
}

static void
test_ports_of_one_address_tell_address_dependence (void)
{
  AlsProbeTcpView views[] = {
    make_view (0, "192.0.2.1", 3478, 41000),
    make_view (1, "192.0.2.2", 3478, 42000),
    make_view (2, "192.0.2.2", 3479, 42000),
  };
  AlsProbeTcpResult result;

  als_probe_tcp_judge (views, 3, &result);
  g_assert_cmpint (result.mapping, ==, ALS_NAT_ADDRESS_DEPENDENT);
  views[2] = make_view (2, "192.0.2.2", 3479, 43000);
  als_probe_tcp_judge (views, 3, &result);
  g_assert_cmpint (result.mapping, ==, ALS_NAT_ADDRESS_AND_PORT_DEPENDENT);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define TEST(path, name) g_test_add_func ("/path/network-probe/" path, name)
  TEST ("no-nat", test_no_nat);
  TEST ("two-plain-servers-tell-the-mapping", test_two_plain_servers_tell_the_mapping);
  TEST ("one-plain-server-tells-no-mapping", test_one_plain_server_tells_no_mapping);
  TEST ("small-packets-are-noticed", test_small_packets_are_noticed);
  TEST ("silence-is-blocked", test_silence_is_blocked);
  TEST ("silent-server-does-not-hide-another", test_silent_server_does_not_hide_another);
  TEST ("garbage-is-no-answer", test_garbage_is_no_answer);
  TEST ("closed-port-is-no-answer", test_closed_port_is_no_answer);
  TEST ("no-server-ends-at-once", test_no_server_ends_at_once);
  TEST ("probe-can-be-dropped", test_probe_can_be_dropped);
  TEST ("steps-count-connections-that-failed", test_steps_count_connections_that_failed);
  TEST ("random-ports-have-no-step", test_random_ports_have_no_step);
  TEST ("ports-of-one-address-tell-address-dependence", test_ports_of_one_address_tell_address_dependence);
  return g_test_run ();
}
